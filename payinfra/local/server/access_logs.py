"""The access log of API Gateway, which ministack keeps the settings of and writes nothing to."""

import hashlib
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from payinfra.local.emulator_environment import ACCOUNT
from payinfra.local.server.asgi import AsgiResponse, Request
from payinfra.local.server.ministack import Emulator

_EXECUTE = re.compile(r"/_aws/execute-api/(?P<api>[^/]+)/(?P<stage>[^/]+)(?P<path>/.*)?", re.DOTALL)
_VARIABLE = re.compile(r"\$context\.([A-Za-z][A-Za-z0-9]*(?:\.[A-Za-z][A-Za-z0-9]*)*)")
_GROUP = re.compile(r"arn:aws:logs:[^:]*:[^:]*:log-group:([^:]+)(?::\*)?")

NOTHING = "-"
"""What AWS writes for a variable that has no value for a request."""


@dataclass(frozen=True)
class AccessLogs:
    """Writes a line for each request to the log group that its stage names.

    "Variables for access logging for API Gateway", in API Gateway's developer guide, says what each variable
    is. Those that the embedded AWS does not know of a request are written as AWS writes what has no value.

    Args:
        now: the wall clock, in seconds.
    """

    emulator: Emulator
    now: Callable[[], float] = time.time

    def api_answered(self, request: Request, response: AsgiResponse, region: str, seconds: float) -> None:
        """Write the line of one request, if its stage asks for it and the group exists."""
        found = _EXECUTE.fullmatch(request.raw_path)
        if found is None:
            return
        with self.emulator.scope(ACCOUNT, region):
            gateway = self.emulator.service("apigateway_v1")
            stage = gateway._stages_v1.get(found["api"], {}).get(found["stage"]) or {}
            settings = stage.get("accessLogSettings") or {}
            group = self._group(settings.get("destinationArn") or "")
            if group is None or not settings.get("format"):
                return
            values = self._values(gateway, request, response, seconds)
            segments = [one for one in (found["path"] or "").split("/") if one]
            resource, _ = gateway._match_resource_tree(found["api"], segments)
            values |= {
                "apiId": found["api"],
                "stage": found["stage"],
                "resourcePath": resource["path"] if resource else NOTHING,
            }
            self._write(group, f"{found['api']}/{found['stage']}", rendered(settings["format"], values))

    def _values(
        self, gateway: Any, request: Request, response: AsgiResponse, seconds: float
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

    def _group(self, arn: str) -> Any:
        named = _GROUP.fullmatch(arn)
        return self._logs._log_groups.get(named[1]) if named else None

    def _write(self, group: Any, source: str, line: str) -> None:
        name = hashlib.sha256(source.encode()).hexdigest()[:32]
        now_ms = int(self.now() * 1000)
        stream = group["streams"].setdefault(
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
        event = {"timestamp": now_ms, "message": line, "ingestionTime": now_ms}
        self._logs._append_log_events(stream, [event])

    @property
    def _logs(self) -> Any:
        return self.emulator.service("cloudwatch_logs")


def rendered(pattern: str, values: Mapping[str, str]) -> str:
    """A stage's format with the values of a request; `-` for each variable that has none."""
    return _VARIABLE.sub(lambda found: values.get(found[1], NOTHING), pattern)
