"""Traces of functions, which Lambda sends to X-Ray in the name of the function's role, as on AWS.

ministack has no X-Ray. Here each call of a function with active tracing leaves a trace of two segments, which
can be asked for by time and by id; the youngest are kept, in memory. AWS samples; nothing is left out here.
Sampling rules can be made, changed and read, in memory too, and have no effect.
"""

import json
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

from payinfra.core.json_text import parse_json
from payinfra.local.server.ministack import Emulator
from payinfra.local.server.patches.lambda_execution_role import place_of, who
from payinfra.local.server.patches.permission_checks import PermissionCheck, Refusal, asks_the_role

Answer = tuple[int, dict[str, str], bytes]
Config = Mapping[str, Any]
Trace = Mapping[str, Any]

KEPT = 1000
"""Traces in each region."""
SENDING = ("xray:PutTraceSegments", "xray:PutTelemetryRecords")
SERVICE = "xray"
MOST_RULES = 25
"""Sampling rules of a region beside X-Ray's own (AWS General Reference, "AWS X-Ray endpoints and quotas")."""
OWN_RULE: Mapping[str, Any] = {
    **dict.fromkeys(("ResourceARN", "ServiceName", "ServiceType", "Host", "HTTPMethod", "URLPath"), "*"),
    "RuleName": "Default",
    "Priority": 10_000,
    "FixedRate": 0.05,
    "ReservoirSize": 1,
    "Version": 1,
}
"""What applies where no other rule does (X-Ray developer guide, "Configuring sampling rules")."""

_header: ContextVar[str] = ContextVar("payinfra_trace_header", default="")


def install(emulator: Emulator) -> None:
    """Apply the patches."""
    functions, actions, main = emulator.service("lambda_svc"), emulator.core("iam_actions"), emulator.main
    refusal = asks_the_role(emulator)
    traces = Traces(refusal, emulator.core("responses").get_region)
    router = emulator.core("router")
    emulator.replace(main, "SERVICE_HANDLERS", {**main.SERVICE_HANDLERS, SERVICE: traces.handle})
    # A service that the router does not know makes it read the models of all of AWS first: seconds.
    known_by = {"host_patterns": [rf"{SERVICE}\."]}
    emulator.replace(router, "SERVICE_PATTERNS", {**router.SERVICE_PATTERNS, SERVICE: known_by})
    emulator.replace(
        actions, "SERVICE_TO_IAM_NAMESPACE", {**actions.SERVICE_TO_IAM_NAMESPACE, SERVICE: SERVICE}
    )
    emulator.replace(actions, "_BOTOCORE_SERVICE_MAP", {**actions._BOTOCORE_SERVICE_MAP, SERVICE: [SERVICE]})
    emulator.replace(
        functions, "_xray_trace_id_for_invocation", noted(functions._xray_trace_id_for_invocation)
    )
    emulator.replace(
        functions, "_execute_function_dispatch", traces.sent_after(functions._execute_function_dispatch)
    )
    for operation in ("_create_function", "_update_config"):
        emulator.replace(
            functions,
            operation,
            tracing_takes_permission(
                functions, emulator.service("iam"), refusal, getattr(functions, operation)
            ),
        )


def tracing_takes_permission(
    functions: Any, iam: Any, refusal: Refusal, original: Callable[..., Answer]
) -> Callable[..., Answer]:
    """AWS: active tracing is refused for a function whose role may not call xray:PutTraceSegments. The words
    are those that Lambda answers (quoted in github.com/serverless/serverless, issue 6931)."""

    def change(*arguments: Any) -> Answer:
        wanted: Mapping[str, Any] = arguments[-1]
        name = wanted.get("FunctionName") or arguments[0]
        known = (functions._functions.get(name) or {}).get("config") or {}
        role, mode = (
            wanted.get("Role") or known.get("Role", ""),
            (wanted.get("TracingConfig") or known.get("TracingConfig") or {}).get("Mode"),
        )
        asked_for = mode == "Active" and {"TracingConfig", "Role"} & wanted.keys()
        if asked_for and iam._roles.get(role.rpartition("/")[2]):
            region, _account = place_of({"FunctionArn": functions._func_arn(name)})
            if refusal(role, name, [PermissionCheck(SENDING[0], "*", region)]):
                refused: Answer = functions._invalid_parameter_value(
                    "The provided execution role does not have permissions to call PutTraceSegments on XRAY"
                )
                return refused
        return original(*arguments)

    return change


def noted(original: Callable[..., str | None]) -> Callable[..., str | None]:
    """Keep the trace header that a call's function is given."""

    def header(*arguments: Any, **more: Any) -> str | None:
        made = original(*arguments, **more)
        _header.set(made or "")
        return made

    return header


class Traces:
    """The traces of each region, the oldest first."""

    def __init__(self, refusal: Refusal, region_now: Callable[[], str]) -> None:
        self.refusal, self.region_now = refusal, region_now
        self.kept: dict[str, deque[Trace]] = {}
        self.rules: dict[str, dict[str, dict[str, Any]]] = {}

    def sent_after(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """AWS: the daemon beside a function sends its segments, and telemetry of its own, as the function's
        role, which takes xray:PutTraceSegments and xray:PutTelemetryRecords (Lambda developer guide, "Using
        AWS Lambda with AWS X-Ray", "Execution role permissions").

        AWS names both as needed and does not say what becomes of segments without telemetry: here nothing is
        sent by a role that may not do both. The function itself goes on without.
        """

        def run(function: Any, config: Config, *arguments: Any) -> Any:
            _header.set("")
            began = time.time()
            result = original(function, config, *arguments)
            fields = dict(part.split("=", 1) for part in _header.get().split(";") if part)
            region, _account = place_of(config)
            if fields and not self.refusal(
                *who(config), [PermissionCheck(action, "*", region) for action in SENDING]
            ):
                failed = bool(isinstance(result, dict) and result.get("error"))
                self.keep(region, trace_of(config, fields, began, time.time(), failed))
            return result

        return run

    def keep(self, region: str, trace: Trace) -> None:
        """Add a trace, and forget the oldest if there are too many."""
        self.kept.setdefault(region, deque(maxlen=KEPT)).append(trace)

    async def handle(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, Any]
    ) -> Answer:
        """GetTraceSummaries, BatchGetTraces and sampling rules (X-Ray API reference); all answers are one
        page."""
        del method, headers, query
        asked = parse_json(body or b"{}")
        known = tuple(self.kept.get(self.region_now(), ()))
        match path:
            case "/TraceSummaries":
                begin, end = float(asked["StartTime"]), float(asked["EndTime"])
                found = [summary_of(one) for one in known if begin <= one["began"] <= end]
                shown: dict[str, Any] = {"TraceSummaries": found, "TracesProcessedCount": len(known)}
            case "/Traces":
                ids = asked["TraceIds"]
                wanted = [whole(one) for one in known if one["id"] in ids]
                there = {one["Id"] for one in wanted}
                shown = {"Traces": wanted, "UnprocessedTraceIds": [one for one in ids if one not in there]}
            case "/GetSamplingRules":
                shown = {"SamplingRuleRecords": list(self._rules().values())}
            case "/CreateSamplingRule" | "/UpdateSamplingRule":
                written = self._written(path, asked)
                if isinstance(written, str):
                    return _refused(written)
                shown = {"SamplingRuleRecord": written}
            case _:
                return _refused(f"The embedded AWS's X-Ray does not know {path}.")
        return 200, {"Content-Type": "application/json"}, json.dumps(shown).encode()

    def _rules(self) -> dict[str, dict[str, Any]]:
        """The records of this region's sampling rules, by their names. X-Ray's own is always there."""
        return self.rules.setdefault(self.region_now(), {OWN_RULE["RuleName"]: _record(OWN_RULE)})

    def _written(self, path: str, asked: Mapping[str, Any]) -> dict[str, Any] | str:
        """The record of a rule that was made or changed, or why it was not."""
        rules = self._rules()
        if path == "/CreateSamplingRule":
            rule = asked["SamplingRule"]
            name = rule.get("RuleName")
            if name in rules:
                return f"Sampling rule {name} already exists."
            if len(rules) > MOST_RULES:
                return "The maximum number of sampling rules has been reached."
            rules[name] = _record({"Attributes": {}, **rule})
        else:
            update = asked["SamplingRuleUpdate"]
            name = update.get("RuleName")
            if name not in rules:
                return f"Sampling rule {name} does not exist."
            rules[name] = {**rules[name], **_record({**rules[name]["SamplingRule"], **update})}
        return rules[name]


def _record(rule: Mapping[str, Any]) -> dict[str, Any]:
    now = time.time()
    return {"SamplingRule": dict(rule), "CreatedAt": now, "ModifiedAt": now}


def _refused(message: str) -> Answer:
    shown = json.dumps({"message": message}).encode()
    return 400, {"x-amzn-errortype": "InvalidRequestException"}, shown


def trace_of(config: Config, fields: Mapping[str, str], began: float, ended: float, failed: bool) -> Trace:
    """The trace of one call: a segment of Lambda's own, and one of the function's in it."""
    segment = {
        "trace_id": fields["Root"],
        "name": config["FunctionName"],
        "start_time": began,
        "end_time": ended,
        "fault": failed,
    }
    outer = {**segment, "id": fields["Parent"], "origin": "AWS::Lambda"}
    inner = {
        **segment,
        "id": secrets.token_hex(8),
        "parent_id": fields["Parent"],
        "origin": "AWS::Lambda::Function",
    }
    return {"id": fields["Root"], "began": began, "segments": (outer, inner)}


def summary_of(trace: Trace) -> dict[str, Any]:
    """A trace, as GetTraceSummaries lists it. Times are seconds, durations too."""
    outer = trace["segments"][0]
    seconds = outer["end_time"] - outer["start_time"]
    return {
        "Id": trace["id"],
        "StartTime": trace["began"],
        "Duration": seconds,
        "ResponseTime": seconds,
        "HasFault": outer["fault"],
        "HasError": False,
        "HasThrottle": False,
        "IsPartial": False,
        "ServiceIds": [{"Name": outer["name"], "Names": [outer["name"]], "Type": outer["origin"]}],
    }


def whole(trace: Trace) -> dict[str, Any]:
    """A trace, as BatchGetTraces gives it."""
    segments = [{"Id": one["id"], "Document": json.dumps(one)} for one in trace["segments"]]
    return {"Id": trace["id"], "Duration": summary_of(trace)["Duration"], "Segments": segments}
