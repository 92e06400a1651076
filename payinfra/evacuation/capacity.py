"""What the survivor carries, beside what both regions served: for whoever is about to decide.

It is read from the survivor's metrics and table, and from the last deployment's figures. What cannot be read
is said to be unknown, and stops nobody.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from payinfra.core.naming import STATUS_INDEX, status_partitions
from payinfra.evacuation.survivor import Survivor
from payinfra.payments.records import STATUSES

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.literals import StatisticType

LOOK_BACK = timedelta(hours=3)
"""How far back peaks are looked for."""
MINUTE_S = 60
RECENT = timedelta(minutes=15)
"""How far back refusals are counted."""
MOST_PAGES = 2
"""Of a megabyte each, that the survivor's table is read of each shard of a state, newest payments first."""
NEARLY = 0.8
"""From this share of a limit on it is said to be near."""


@dataclass(frozen=True)
class CapacityLine:
    """A limit of the survivor, and what both regions needed of it.

    Attributes:
        what: the limit, in a phrase.
        limit: what it is.
        needed: what was needed at the peak.
        enough: whether that is less; None where one of them is not known.
    """

    what: str
    limit: str
    needed: str
    enough: bool | None


def capacity(survivor: Survivor) -> tuple[CapacityLine, ...]:
    """Each limit of the survivor, against the peak of the last three hours."""
    now = survivor.live.now()
    declared = next(one for one in survivor.live.declared.regions if one.region == survivor.region)
    limits = survivor.live.declared.limits
    here = {"ApiName": declared.api.name, "Stage": declared.api.stage}
    own = _known(
        lambda: _most(survivor, _Metric("AWS/ApiGateway", "Count", here), "Sum", now - LOOK_BACK, now),
        per_s=MINUTE_S,
    )
    other = _known(lambda: _payments_of(survivor, survivor.evacuated, now), per_s=MINUTE_S)
    function = {"FunctionName": declared.function.name}
    at_once = _known(
        lambda: _most(
            survivor,
            _Metric("AWS/Lambda", "ConcurrentExecutions", function),
            "Maximum",
            now - LOOK_BACK,
            now,
        )
    )
    throttled = _Metric("AWS/Lambda", "Throttles", function)
    failed = _Metric("AWS/ApiGateway", "5XXError", here)
    throttles = _known(lambda: _all(survivor, throttled, now - RECENT, now))
    failures = _known(lambda: _all(survivor, failed, now - RECENT, now))
    reserved = declared.function.reserved_concurrency
    return (
        _rate(limits.rate, own, other),
        CapacityLine(
            "function's concurrency",
            "the account's, which the survivor does not say" if reserved is None else f"{reserved} reserved",
            _said(at_once, "at once"),
            None if reserved is None or at_once is None else 2 * at_once <= reserved,
        ),
        CapacityLine(
            "requests of the API key a day", str(limits.daily_quota), "each region counts by itself", None
        ),
        CapacityLine("function throttled, last 15 min", "0", _said(throttles), _none(throttles)),
        CapacityLine("API's 5xx, last 15 min", "0", _said(failures), _none(failures)),
    )


def _rate(limit: float, own: float | None, other: float | None) -> CapacityLine:
    known = [one for one in (own, other) if one is not None]
    both = f"{_said(own, 'requests here')}, {_said(other, 'payments there')}"
    enough = sum(known) <= NEARLY * limit if len(known) == 2 else None
    return CapacityLine("API's requests a second", f"{limit:g}", both, enough)


def _said(figure: float | None, unit: str = "") -> str:
    return f"{'unknown' if figure is None else f'{figure:.3g}'} {unit}".rstrip()


def _none(figure: float | None) -> bool | None:
    return None if figure is None else figure == 0


def _known(ask: Callable[[], float | None], per_s: float = 1.0) -> float | None:
    try:
        found = ask()
    except (ClientError, BotoCoreError):
        return None
    return None if found is None else found / per_s


@dataclass(frozen=True)
class _Metric:
    """A metric of CloudWatch, as AWS names it."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]


def _points(
    survivor: Survivor, metric: _Metric, statistic: "StatisticType", begin: datetime, end: datetime
) -> list[float]:
    answer = survivor.live.aws.cloudwatch(survivor.region).get_metric_statistics(
        Namespace=metric.namespace,
        MetricName=metric.name,
        Dimensions=[{"Name": name, "Value": value} for name, value in metric.dimensions.items()],
        StartTime=begin,
        EndTime=end,
        Period=MINUTE_S,
        Statistics=[statistic],
    )
    points: list[dict[str, Any]] = [dict(one) for one in answer["Datapoints"]]
    return [float(one[statistic]) for one in points]


def _most(
    survivor: Survivor, metric: _Metric, statistic: "StatisticType", begin: datetime, end: datetime
) -> float | None:
    return max(_points(survivor, metric, statistic, begin, end), default=None)


def _all(survivor: Survivor, metric: _Metric, begin: datetime, end: datetime) -> float:
    """Of counts that are only written when there is something to count."""
    return sum(_points(survivor, metric, "Sum", begin, end))


def _payments_of(survivor: Survivor, region: str, now: datetime) -> float | None:
    """The payments of the busiest minute that a region recorded, as the survivor's copy of the table has
    them; None where it has none of that region. Of a very busy table only the newest are looked at."""
    minutes: Counter[int] = Counter()
    table = next(
        one.dynamodb_table_name for one in survivor.live.outputs.regions if one.region == survivor.region
    )
    pages = survivor.live.aws.dynamodb(survivor.region).get_paginator("query")
    for partition in (value for status in STATUSES for value in status_partitions(status)):
        read = pages.paginate(
            TableName=table,
            IndexName=STATUS_INDEX,
            KeyConditionExpression="#status = :status AND #at >= :from",
            ExpressionAttributeNames={"#status": "status", "#at": "timestamp", "#receipt": "receipt"},
            ExpressionAttributeValues={
                ":status": {"S": partition},
                ":from": {"N": str(int((now - LOOK_BACK).timestamp() * 1000))},
            },
            ProjectionExpression="#at, #receipt",
            ScanIndexForward=False,
        )
        for number, page in enumerate(read, start=1):
            for item in page["Items"]:
                made_in = item.get("receipt", {}).get("M", {}).get("region", {}).get("S")
                if made_in == region:
                    minutes[int(item["timestamp"]["N"]) // (1000 * MINUTE_S)] += 1
            if number == MOST_PAGES:
                break
    return float(max(minutes.values())) if minutes else None
