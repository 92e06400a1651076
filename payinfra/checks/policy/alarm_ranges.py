"""Whether an alarm can fire at all: which values its metric and statistic can have, against its threshold.

Sources: the metrics pages of Lambda, API Gateway, DynamoDB, Route 53 and S3 ("Types of metrics": each error
and throttle is a sample of 1 among samples of 0; a health check is 1 or 0), and Lambda's quota of 900 s a
call.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from payinfra.checks.manifest import Block, Manifest, Missing, Resource, Unreadable
from payinfra.checks.model import Verdict

_ONE_OR_NONE = frozenset(
    {
        ("AWS/Lambda", "Errors"),
        ("AWS/Lambda", "Throttles"),
        ("AWS/ApiGateway", "4XXError"),
        ("AWS/ApiGateway", "5XXError"),
        ("AWS/ApiGateway", "4xx"),
        ("AWS/ApiGateway", "5xx"),
        ("AWS/Route53", "HealthCheckStatus"),
    }
)
"""Metrics of which each sample is 0 or 1, so that only their Sum can be more."""

_PERCENT = frozenset(
    {
        ("AWS/Route53", "HealthCheckPercentageHealthy"),
        ("AWS/EC2", "CPUUtilization"),
        ("AWS/ECS", "CPUUtilization"),
        ("AWS/ECS", "MemoryUtilization"),
        ("AWS/RDS", "CPUUtilization"),
    }
)
_HEALTH = ("AWS/Route53", "HealthCheckStatus")
_LARGEST = {
    ("AWS/Lambda", "Duration"): 900_000.0,
    ("AWS/ApiGateway", "Latency"): 300_000.0,
    ("AWS/ApiGateway", "IntegrationLatency"): 300_000.0,
    ("AWS/DynamoDB", "SuccessfulRequestLatency"): 300_000.0,
    ("AWS/DynamoDB", "ReplicationLatency"): 1e9,
    ("AWS/S3", "ReplicationLatency"): 1e8,
}
_ABSURD = 1e10
"""More than any count, time or rate of a payments backend in a minute; what is measured in bytes may be
more."""

_LONGEST_S = 6 * 3600
"""An alarm that looks at more than that tells of yesterday's failure."""

_ABOVE = ("GreaterThanThreshold", "GreaterThanOrEqualToThreshold")
_BELOW = ("LessThanThreshold", "LessThanOrEqualToThreshold")


@dataclass(frozen=True)
class Range:
    """The smallest and the largest value that a metric's statistic can have."""

    least: float
    most: float


def range_of(namespace: str, name: str, statistic: str, manifest: Manifest) -> Range:
    """What a metric can be. A metric of one's own may be negative."""
    metric = (namespace, name)
    adds_up = statistic == "Sum"
    if metric in _ONE_OR_NONE and not adds_up:
        return Range(0, 1)
    if metric in _PERCENT and not adds_up:
        return Range(0, 100)
    most = float("inf") if "Byte" in name else _ABSURD
    if not adds_up:
        most = min(most, _LARGEST.get(metric, most))
        if metric == ("AWS/Lambda", "Duration"):
            most = min(most, _longest_call_ms(manifest))
    return Range(0 if namespace.startswith("AWS/") else -_ABSURD, most)


def _longest_call_ms(manifest: Manifest) -> float:
    """The longest that a function of the file may run; Lambda's own limit where that is not known."""
    timeouts: list[float] = []
    for function in manifest.all("aws_lambda_function"):
        timeout = function.number("timeout")
        if isinstance(timeout, Missing):
            timeouts.append(3)
        elif isinstance(timeout, Unreadable):
            return 900_000.0
        else:
            timeouts.append(timeout)
    return max(timeouts, default=900.0) * 1000


def firing_problems(
    alarm: Resource, metric: Block, namespace: str, name: str, manifest: Manifest
) -> Iterator[Verdict]:
    """Why an alarm on one metric never fires, or does not say what it seems to.

    Args:
        alarm: what compares the metric with its threshold.
        metric: what names statistic and period: the alarm itself, or the metric of its only query.
        namespace: the metric's.
        name: the metric's.
        manifest: where it stands.
    """
    statistic = _statistic(metric)
    comparison, threshold = alarm.text("comparison_operator"), alarm.number("threshold")
    if statistic == "SampleCount" and namespace.startswith("AWS/") and name != "Invocations":
        yield Verdict.failed(f"SampleCount counts the samples of {name}, whatever their values")
        return
    for gap in (comparison, threshold):
        if isinstance(gap, Unreadable) and not isinstance(gap, Missing):
            yield Verdict.unknown(f"whether it can fire is not known: {gap.why}")
            return
    if isinstance(comparison, str) and isinstance(threshold, int | float):
        yield from _never(comparison, threshold, range_of(namespace, name, statistic, manifest), name)
        if (namespace, name) == _HEALTH:
            yield from _health(alarm, comparison, threshold)
    yield from _enough_periods(alarm, metric)


def _statistic(metric: Block) -> str:
    """The statistic, or the percentile in its place; empty where it is not known."""
    for path in ("statistic", "extended_statistic", "stat"):
        found = metric.text(path)
        if isinstance(found, str):
            return found
    return ""


def _never(comparison: str, threshold: float, values: Range, name: str) -> Iterator[Verdict]:
    never = (
        (comparison == "GreaterThanThreshold" and threshold >= values.most)
        or (comparison == "GreaterThanOrEqualToThreshold" and threshold > values.most)
        or (comparison == "LessThanThreshold" and threshold <= values.least)
        or (comparison == "LessThanOrEqualToThreshold" and threshold < values.least)
    )
    always = (
        (comparison == "GreaterThanThreshold" and threshold < values.least)
        or (comparison == "GreaterThanOrEqualToThreshold" and threshold <= values.least)
        or (comparison == "LessThanThreshold" and threshold > values.most)
        or (comparison == "LessThanOrEqualToThreshold" and threshold >= values.most)
    )
    if always:
        yield Verdict.failed(f"it rings whatever happens: its threshold is {threshold:g}")
    if never:
        what = "above" if comparison in _ABOVE else "below"
        yield Verdict.failed(f"it never fires: {name} is never {what} its threshold of {threshold:g}")


def _health(alarm: Resource, comparison: str, threshold: float) -> Iterator[Verdict]:
    """A health check is 1 while it is healthy: the alarm must fire on 0, and on no data."""
    fires = {
        "LessThanThreshold": threshold > 0,
        "LessThanOrEqualToThreshold": threshold >= 0,
        "GreaterThanThreshold": threshold < 0,
        "GreaterThanOrEqualToThreshold": threshold <= 0,
    }
    if comparison in _ABOVE and not fires[comparison]:
        yield Verdict.failed("it rings while the health check is healthy, not while it fails")
    if comparison in _BELOW and alarm.text("treat_missing_data") in ("notBreaching", "ignore"):
        yield Verdict.failed("without data it stays green: treat_missing_data is not breaching")


def _enough_periods(alarm: Resource, metric: Block) -> Iterator[Verdict]:
    wanted, periods = alarm.number("datapoints_to_alarm"), alarm.number("evaluation_periods")
    if isinstance(periods, Unreadable):
        return
    period = metric.number("period")
    if isinstance(period, int | float) and period * periods > _LONGEST_S:
        yield Verdict.failed(f"it rings after {period * periods / 3600:g} hours at the earliest")
    if isinstance(wanted, int | float) and wanted > periods:
        yield Verdict.failed(f"it wants {wanted:g} breaching periods of {periods:g}")
