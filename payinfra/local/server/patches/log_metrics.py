"""Metrics that CloudWatch reads out of log lines, which ministack keeps as lines only."""

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from payinfra.core.json_text import parse_json
from payinfra.local.server.ministack import Emulator

Event = Mapping[str, Any]
Told = Callable[[str, str, Sequence[Event]], None]

Matches = Callable[[str], bool]

_COMPARISON = re.compile(
    r'\$\.(?P<field>[A-Za-z_][\w.]*)\s*(?P<operator>=|!=|>=|<=|>|<)\s*(?P<value>"[^"]*"|[^\s"]+)'
)
_ORDER: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
EMBEDDED = '"_aws"'
DIMENSIONS_MOST = 30
"""Dimensions that a set may have (CloudWatch user guide, "Specification: Embedded metric format")."""
VALUES_MOST = 100
"""Values that one metric of a line may have (the same)."""


@dataclass(frozen=True)
class DataPoint:
    """One value of a metric.

    Attributes:
        at: seconds since the epoch.
    """

    namespace: str
    name: str
    value: float
    unit: str
    dimensions: tuple[tuple[str, str], ...]
    at: float


def install(emulator: Emulator) -> None:
    """Apply the patches."""
    logs = emulator.service("cloudwatch_logs")
    emulator.replace(
        logs,
        "_fanout_to_subscription_filters",
        lines_become_metrics(emulator, logs, logs._fanout_to_subscription_filters),
    )
    emulator.replace(logs, "_compile_filter_pattern", json_patterns_match(logs._compile_filter_pattern))


def json_patterns_match(original: Callable[[str], Matches]) -> Callable[[str], Matches]:
    """AWS: a pattern in braces matches by the fields of a JSON line (CloudWatch Logs user guide, "Filter
    pattern syntax"). ministack lets it match every line. Comparisons joined by && and || are known here,
    without parentheses; a pattern of any other form matches no line."""

    def compiled(raw: str) -> Matches:
        pattern = (raw or "").strip()
        if not pattern.startswith("{"):
            return original(raw)
        inner = pattern.removeprefix("{").removesuffix("}")
        ways = [[_COMPARISON.fullmatch(one.strip()) for one in way.split("&&")] for way in inner.split("||")]
        if any(one is None for way in ways for one in way):
            return lambda _line: False

        def matches(text: str) -> bool:
            try:
                line = parse_json(text)
            except ValueError:
                return False
            return any(all(one is not None and _holds(one, line) for one in way) for way in ways)

        return matches

    return compiled


def _holds(comparison: "re.Match[str]", line: object) -> bool:
    for name in comparison["field"].split("."):
        line = line.get(name) if isinstance(line, dict) else None
    sign, wanted = comparison["operator"], comparison["value"].strip('"')
    if sign in ("=", "!="):
        same = not isinstance(line, bool) and line is not None and fnmatchcase(str(line), wanted)
        return same is (sign == "=")
    try:
        limit = float(wanted)
    except ValueError:
        return False
    number = line if isinstance(line, int | float) and not isinstance(line, bool) else None
    return number is not None and _ORDER[sign](number, limit)


def lines_become_metrics(emulator: Emulator, logs: Any, original: Told) -> Told:
    """AWS: a line in the embedded metric format becomes the metrics that it declares (CloudWatch user guide,
    "Embedding metrics within logs"), and one that a filter of its group matches becomes that filter's
    (CloudWatch Logs user guide, "Creating metrics from log events using filters")."""
    cloudwatch = emulator.service("cloudwatch")

    def told(group: str, stream: str, events: Sequence[Event]) -> None:
        filters = [one for (of, _name), one in list(logs._metric_filters.items()) if of == group]
        for event in events:
            text, at = str(event.get("message", "")), float(event.get("timestamp", 0)) / 1000
            for point in (*embedded(text), *filtered(logs, filters, text, at)):
                bucket = cloudwatch._metric_bucket(
                    (point.namespace, point.name, cloudwatch._dims_key(dict(point.dimensions)))
                )
                bucket.append(
                    {
                        "Timestamp": point.at,
                        "Value": point.value,
                        "Unit": point.unit,
                        "Dimensions": dict(point.dimensions),
                    }
                )
        original(group, stream, events)

    return told


def embedded(text: str) -> Iterator[DataPoint]:
    """The data points of a line in the embedded metric format.

    There are none of any other line, nor of a metric without a number, nor for a set of dimensions that the
    line has no values of.
    """
    if EMBEDDED not in text:
        return
    try:
        line = parse_json(text)
    except ValueError:
        return
    about = line.get("_aws") if isinstance(line, dict) else None
    if not isinstance(about, dict) or not isinstance(about.get("Timestamp"), int):
        return
    at = about["Timestamp"] / 1000
    for directive in about.get("CloudWatchMetrics") or ():
        for names in directive.get("Dimensions") or [[]]:
            if len(names) > DIMENSIONS_MOST or not all(isinstance(line.get(name), str) for name in names):
                continue
            dimensions = tuple((name, line[name]) for name in names)
            for metric in directive.get("Metrics") or ():
                for value in _numbers(line.get(metric.get("Name"))):
                    yield DataPoint(
                        directive.get("Namespace", ""),
                        metric["Name"],
                        value,
                        metric.get("Unit", "None"),
                        dimensions,
                        at,
                    )


def filtered(logs: Any, filters: Sequence[Mapping[str, Any]], text: str, at: float) -> Iterator[DataPoint]:
    """The data points of a line by the metric filters of its group; a filter's value may be a field of it."""
    for one in filters:
        if not logs._compile_filter_pattern(one["filterPattern"])(text):
            continue
        for wanted in one["metricTransformations"]:
            for value in _numbers(_chosen(wanted.get("metricValue", ""), text)):
                yield DataPoint(
                    wanted["metricNamespace"], wanted["metricName"], value, wanted.get("unit", "None"), (), at
                )


def _chosen(value: str, text: str) -> object:
    if not value.startswith("$."):
        try:
            return float(value)
        except ValueError:
            return None
    try:
        line = parse_json(text)
    except ValueError:
        return None
    return line.get(value.removeprefix("$.")) if isinstance(line, dict) else None


def _numbers(value: object) -> tuple[float, ...]:
    values = value if isinstance(value, list) else [value]
    kept = [one for one in values if isinstance(one, int | float) and not isinstance(one, bool)]
    return tuple(float(one) for one in kept[:VALUES_MOST])
