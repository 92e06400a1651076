"""The access log of API Gateway, which ministack keeps the settings of and writes nothing to."""

import hashlib
import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from payinfra.local.aws_rules import ACCESS_LOGS
from payinfra.local.emulator_environment import ACCOUNT
from payinfra.local.server.asgi import AsgiResponse, HttpRequest
from payinfra.local.server.ministack import Emulator

_EXECUTE = re.compile(r"/_aws/execute-api/(?P<api>[^/]+)/(?P<stage>[^/]+)(?P<path>/.*)?", re.DOTALL)
_VARIABLE = re.compile(r"\$context\.([A-Za-z][A-Za-z0-9]*(?:\.[A-Za-z][A-Za-z0-9]*)*)")
_GROUP = re.compile(r"arn:aws:logs:[^:]*:[^:]*:log-group:([^:]+)(?::\*)?")

NOTHING = "-"
"""What AWS writes for a variable that has no value for a request."""


@dataclass(frozen=True)
class Line:
    """A line that is on its way to its group.

    Attributes:
        due: when it arrives, in seconds of emulated time.
        at_ms: when the request was, in milliseconds since the epoch.
    """

    due: float
    region: str
    group: str
    source: str
    text: str
    at_ms: int


@dataclass(frozen=True)
class AccessLogs:
    """Writes a line for each request to the log group that its stage names.

    With the rule `access-log-delay` a line comes so much later. A line makes a log group that is not there,
    without tags, retention or key, as API Gateway's role lets it on AWS (managed policy
    AmazonAPIGatewayPushToCloudWatchLogs, `logs:CreateLogGroup`).

    "Variables for access logging for API Gateway", in API Gateway's developer guide, says what each variable
    is. Those that the embedded AWS does not know of a request are written as AWS writes what has no value.

    Args:
        now: the wall clock, in seconds.
    """

    emulator: Emulator
    now: Callable[[], float] = time.time
    _late: deque[Line] = field(default_factory=deque)

    def deliver(self) -> int:
        """Write the lines that have arrived by now, and say how many. To be called again and again."""
        now, waiting = self.emulator.rules.now(), len(self._late)
        while self._late and self._late[0].due <= now:
            line = self._late.popleft()
            with self.emulator.scope(ACCOUNT, line.region):
                self._write(line)
        return waiting - len(self._late)

    def api_answered(self, request: HttpRequest, response: AsgiResponse, region: str, seconds: float) -> None:
        """Write the line of one request, now or later, if its stage asks for it."""
        found = _EXECUTE.fullmatch(request.raw_path)
        if found is None:
            return
        with self.emulator.scope(ACCOUNT, region):
            gateway = self.emulator.service("apigateway_v1")
            stage = gateway._stages_v1.get(found["api"], {}).get(found["stage"]) or {}
            settings = stage.get("accessLogSettings") or {}
            named = _GROUP.fullmatch(settings.get("destinationArn") or "")
            if named is None or not settings.get("format"):
                return
            values = self._values(gateway, request, response, seconds)
            segments = [one for one in (found["path"] or "").split("/") if one]
            resource, _ = gateway._match_resource_tree(found["api"], segments)
            values |= {
                "apiId": found["api"],
                "stage": found["stage"],
                "resourcePath": resource["path"] if resource else NOTHING,
            }
            rules = self.emulator.rules
            line = Line(
                rules.now() + rules.value(ACCESS_LOGS),
                region,
                named[1],
                f"{found['api']}/{found['stage']}",
                rendered(settings["format"], values),
                int(self.now() * 1000),
            )
            if line.due > rules.now():
                self._late.append(line)
            else:
                self._write(line)

    def _values(
        self, gateway: Any, request: HttpRequest, response: AsgiResponse, seconds: float
    ) -> dict[str, str]:
        key = gateway._resolve_api_key(request.header("x-api-key"))
        answered = dict(response.headers)
        return {
            "requestId": answered.get("x-amzn-requestid", NOTHING),
            "requestTimeEpoch": str(int(self.now() * 1000)),
            "identity.sourceIp": "127.0.0.1",
            "identity.userAgent": request.header("user-agent") or NOTHING,
            "identity.apiKeyId": key["id"] if key else NOTHING,
            "httpMethod": request.method,
            "status": str(response.status),
            "responseLength": str(len(response.body)),
            "responseLatency": str(round(seconds * 1000)),
        }

    def _write(self, line: Line) -> None:
        if line.group not in self._logs._log_groups:
            self._logs._create_log_group({"logGroupName": line.group})
        name = hashlib.sha256(line.source.encode()).hexdigest()[:32]
        now_ms = int(self.now() * 1000)
        stream = self._logs._log_groups[line.group]["streams"].setdefault(
            name,
            {
                "events": [],
                "uploadSequenceToken": "1",
                "creationTime": now_ms,
                "firstEventTimestamp": None,
                "lastEventTimestamp": None,
                "lastIngestionTime": None,
            },
        )
        event = {"timestamp": line.at_ms, "message": line.text, "ingestionTime": now_ms}
        self._logs._append_log_events(stream, [event])

    @property
    def _logs(self) -> Any:
        return self.emulator.service("cloudwatch_logs")


def rendered(pattern: str, values: Mapping[str, str]) -> str:
    """A stage's format with the values of a request; `-` for each variable that has none."""
    return _VARIABLE.sub(lambda found: values.get(found[1], NOTHING), pattern)
