"""CloudWatch in the query protocol, which Terraform's provider speaks, as AWS answers it."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

from payinfra.core.json_text import parse_json
from payinfra.local.server.ministack import Emulator

Params = Mapping[str, Any]
Answer = tuple[int, dict[str, str], bytes]
Operation = Callable[..., Answer]

_MEMBER = re.compile(r"(.+?)\.member\.(\d+)(?:\.(.+))?")


def install(emulator: Emulator) -> None:
    """Apply the patches that reach into the service."""
    cloudwatch = emulator.service("cloudwatch")
    emulator.replace(cloudwatch, "_describe_alarms", describe_alarms_in_full(cloudwatch._describe_alarms))
    emulator.replace(
        cloudwatch,
        "_describe_alarms_for_metric",
        describe_alarms_in_full(cloudwatch._describe_alarms_for_metric, "DescribeAlarmsForMetric"),
    )
    emulator.replace(
        cloudwatch, "_put_metric_alarm", keep_whole_alarm(cloudwatch._put_metric_alarm, cloudwatch._alarms)
    )


def describe_alarms_in_full(original: Operation, action: str = "DescribeAlarms") -> Operation:
    """AWS: describes an alarm with all its properties, whichever protocol asks.

    ministack has them all in its JSON answers and a few of them in its query answers.
    """

    def describe(params: Params, asked: Params, is_cbor: bool, is_json: bool = False) -> Answer:
        if is_cbor or is_json:
            return original(params, asked, is_cbor, is_json)
        status, headers, body = original(params, members(params), False, True)
        if status != 200:
            return original(params, asked, False, False)
        result = to_xml(f"{action}Result", parse_json(body))
        document = (
            f'<{action}Response xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/">{result}'
            f"<ResponseMetadata><RequestId>00000000-0000-0000-0000-000000000000</RequestId></ResponseMetadata>"
            f"</{action}Response>"
        )
        return 200, {**headers, "Content-Type": "text/xml"}, document.encode()

    return describe


def keep_whole_alarm(original: Operation, alarms: Any) -> Operation:
    """AWS: keeps an alarm's metric math and its actions for missing data; a percentile is its statistic."""

    def put(params: Params, asked: Params, is_cbor: bool, is_json: bool = False) -> Answer:
        given = asked if is_cbor or is_json else members(params)
        answer = original(params, asked, is_cbor, is_json)
        alarm = alarms.get(given.get("AlarmName"))
        if answer[0] == 200 and alarm is not None:
            alarm["InsufficientDataActions"] = given.get("InsufficientDataActions", [])
            for name in ("Metrics", "EvaluateLowSampleCountPercentile", "ThresholdMetricId"):
                if given.get(name):
                    alarm[name] = given[name]
            if given.get("ExtendedStatistic") or given.get("Metrics"):
                alarm["Statistic"] = None
            if given.get("Metrics"):
                alarm["Period"] = None
            if not given.get("Threshold") and given.get("ThresholdMetricId"):
                alarm["Threshold"] = None
        return answer

    return put


def members(params: Params) -> dict[str, Any]:
    """A query call's parameters as the value that they spell: `A.member.1.B=x` is {A: [{B: x}]}."""
    flat = {key: value[0] if isinstance(value, list) else value for key, value in params.items()}
    return _nested(flat)


def _nested(flat: Mapping[str, str]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    lists: dict[str, dict[int, dict[str, str]]] = {}
    structures: dict[str, dict[str, str]] = {}
    for key, text in flat.items():
        found = _MEMBER.fullmatch(key)
        head, dot, rest = key.partition(".")
        if found and "." not in found.group(1):
            name, position, inner = found.groups()
            lists.setdefault(name, {}).setdefault(int(position), {})[inner or ""] = text
        elif dot:
            structures.setdefault(head, {})[rest] = text
        else:
            value[key] = _scalar(text)
    for name, entries in lists.items():
        value[name] = [_entry(entry) for _, entry in sorted(entries.items())]
    for name, inner_flat in structures.items():
        value[name] = _nested(inner_flat)
    return value


def _entry(entry: Mapping[str, str]) -> Any:
    return entry[""] if "" in entry else _nested(entry)


def _scalar(text: str) -> Any:
    return {"true": True, "false": False}.get(text, text)


def to_xml(tag: str, value: object) -> str:
    """A value as an element of the query protocol; nothing for None and for empty text."""
    match value:
        case None | "":
            return ""
        case bool():
            inner = "true" if value else "false"
        case Mapping():
            inner = "".join(to_xml(str(key), entry) for key, entry in value.items())
        case list():
            inner = "".join(to_xml("member", entry) for entry in value)
        case int() | float() if tag.endswith("Timestamp"):
            inner = datetime.fromtimestamp(value, UTC).isoformat(timespec="milliseconds")
        case _:
            inner = escape(str(value))
    return f"<{tag}>{inner}</{tag}>"
