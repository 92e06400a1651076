"""Metrics that AWS's services publish, and alarms judged by their periods."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from payinfra.local.server.asgi import AsgiResponse, HttpRequest
from payinfra.local.server.cloudwatch_alarms import Point, Watching, judge
from payinfra.local.server.replication import ItemKey, ItemVersion, Write
from payinfra.local.server.time_scale import TimeScale

NOW = 10_000.0
ACCOUNT = "000000000000"


def alarm(**changes: object) -> dict[str, Any]:
    return {
        "AlarmName": "errors",
        "Namespace": "n",
        "MetricName": "m",
        "Dimensions": [{"Name": "FunctionName", "Value": "one"}],
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 3,
        "DatapointsToAlarm": 2,
        "Threshold": 0.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "missing",
        "StateValue": "OK",
        "AlarmConfigurationUpdatedTimestamp": 0,
        **changes,
    }


def total(points: Sequence[Point], name: str) -> float | None:
    """The sum, or none for a statistic that there is not."""
    return sum(point["Value"] for point in points) if name == "Sum" else None


def at(*values: tuple[float, float]) -> list[dict[str, Any]]:
    """Points so many seconds ago."""
    return [{"Timestamp": NOW - ago, "Value": value} for ago, value in values]


def ago(now: float = NOW, scale: float = 1.0) -> Callable[[float], float]:
    """How long a moment is ago."""
    return lambda moment: (now - moment) * scale


@pytest.mark.parametrize(
    ("points", "state"),
    [
        (at((10, 1), (70, 1), (130, 0)), "ALARM"),
        (at((10, 1), (70, 0), (130, 0)), "OK"),
        (at((10, 1), (20, 1), (30, 1)), "OK"),
        (at((10, 1), (70, 1)), "ALARM"),
        (at((200, 1), (260, 1)), "INSUFFICIENT_DATA"),
        ([], "INSUFFICIENT_DATA"),
    ],
)
def test_as_many_of_the_last_periods_as_asked_for_must_breach(points: list[Point], state: str) -> None:
    assert judge(alarm(), points, total, ago()) == state


@pytest.mark.parametrize(
    ("missing", "before", "state"),
    [
        ("breaching", "OK", "ALARM"),
        ("notBreaching", "ALARM", "OK"),
        ("ignore", "ALARM", "ALARM"),
        ("ignore", "OK", "OK"),
        ("missing", "OK", "INSUFFICIENT_DATA"),
        (None, "OK", "INSUFFICIENT_DATA"),
    ],
)
def test_no_data_counts_as_the_alarm_says(missing: str | None, before: str, state: str) -> None:
    assert judge(alarm(TreatMissingData=missing, StateValue=before), [], total, ago()) == state


@pytest.mark.parametrize(
    ("missing", "state"), [("breaching", "ALARM"), ("notBreaching", "OK"), ("ignore", "OK")]
)
def test_periods_without_data_count_beside_those_with(missing: str, state: str) -> None:
    assert judge(alarm(TreatMissingData=missing), at((10, 0)), total, ago()) == state


def test_a_young_alarm_waits_for_data() -> None:
    young = alarm(
        TreatMissingData="breaching",
        StateValue="INSUFFICIENT_DATA",
        AlarmConfigurationUpdatedTimestamp=NOW - 170,
    )
    assert judge(young, [], total, ago()) == "INSUFFICIENT_DATA"
    assert judge(young, [], total, ago(NOW + 20)) == "ALARM"
    assert judge(young, at((1, 0)), total, ago()) == "ALARM"


def test_alarms_look_back_over_the_emulated_worlds_periods() -> None:
    assert judge(alarm(), at((0.5, 1), (1.5, 1)), total, ago()) == "OK"
    assert judge(alarm(), at((0.5, 1), (1.5, 1)), total, ago(scale=60.0)) == "ALARM"


def test_without_a_count_of_its_own_every_period_must_breach() -> None:
    every = alarm(DatapointsToAlarm=None)
    assert judge(every, at((10, 1), (70, 1), (130, 0)), total, ago()) == "OK"
    assert judge(every, at((10, 1), (70, 1), (130, 1)), total, ago()) == "ALARM"


@pytest.mark.parametrize(
    ("operator", "states"),
    [
        ("GreaterThanThreshold", ("OK", "OK", "ALARM")),
        ("GreaterThanOrEqualToThreshold", ("OK", "ALARM", "ALARM")),
        ("LessThanThreshold", ("ALARM", "OK", "OK")),
        ("LessThanOrEqualToThreshold", ("ALARM", "ALARM", "OK")),
        ("Unknown", ("OK", "OK", "OK")),
    ],
)
def test_each_comparison(operator: str, states: tuple[str, ...]) -> None:
    one = alarm(EvaluationPeriods=1, DatapointsToAlarm=1, ComparisonOperator=operator, Threshold=5)
    assert tuple(judge(one, at((1, value)), total, ago()) for value in (4, 5, 6)) == states


def test_the_statistic_is_the_percentile_where_there_is_one() -> None:
    asked: list[str] = []

    def statistic(_points: Sequence[Point], name: str) -> float:
        asked.append(name)
        return 0.0

    one = alarm(EvaluationPeriods=1)
    judge(one, at((1, 1)), statistic, ago())
    judge({**one, "ExtendedStatistic": "p99"}, at((1, 1)), statistic, ago())
    judge({**one, "Statistic": None}, at((1, 1)), statistic, ago())
    assert asked == ["Sum", "p99", "Average"]


def test_a_statistic_that_there_is_not_is_no_data() -> None:
    assert judge(alarm(Statistic="Median"), at((1, 1)), total, ago()) == "INSUFFICIENT_DATA"


# ---- in ministack ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """A health check's observation."""

    health_check_id: str
    healthy: bool
    percentage_healthy: float | None


@pytest.fixture
def watching(world: Any) -> Watching:
    made = Watching(world.emulator, TimeScale())
    made.install()
    return made


def points(world: Any, namespace: str, name: str, region: str = "us-east-1") -> list[tuple[str, float]]:
    """Each value of a metric, with its dimensions."""
    with world.emulator.scope(ACCOUNT, region):
        metrics = world.emulator.service("cloudwatch")._metrics.items()
    return [
        (",".join(f"{key}={value}" for key, value in sorted(point["Dimensions"].items())), point["Value"])
        for (space, metric, _dimensions), found in metrics
        for point in found
        if (space, metric) == (namespace, name)
    ]


def put_alarm(world: Any, check: str) -> None:
    world.query(
        "monitoring",
        f"Action=PutMetricAlarm&AlarmName={check}&Namespace=AWS/Route53&MetricName=HealthCheckStatus&Period=60"
        "&EvaluationPeriods=1&Threshold=1&ComparisonOperator=LessThanThreshold&Statistic=Minimum"
        f"&TreatMissingData=breaching&Dimensions.member.1.Name=HealthCheckId&Dimensions.member.1.Value={check}",
    )


def state(world: Any, name: str) -> str:
    with world.emulator.scope(ACCOUNT, "us-east-1"):
        return str(world.emulator.service("cloudwatch")._alarms[name]["StateValue"])


def test_an_alarm_looks_at_its_own_health_check(world: Any, watching: Watching) -> None:
    put_alarm(world, "sound")
    put_alarm(world, "broken")
    assert state(world, "sound") == state(world, "broken") == "INSUFFICIENT_DATA"
    watching.look([Seen("sound", True, 100.0), Seen("broken", False, None)])
    assert (state(world, "sound"), state(world, "broken")) == ("OK", "ALARM")
    assert points(world, "AWS/Route53", "HealthCheckStatus") == [
        ("HealthCheckId=sound", 1.0),
        ("HealthCheckId=broken", 0.0),
    ]
    assert points(world, "AWS/Route53", "HealthCheckPercentageHealthy") == [("HealthCheckId=sound", 100.0)]
    assert points(world, "AWS/Route53", "HealthCheckStatus", "us-west-2") == []
    watching.look([])
    assert state(world, "sound") == "OK"


@pytest.mark.parametrize("of", [{"MetricName": None}, {"MetricName": "m", "Metrics": [{}]}])
def test_metric_math_is_left_alone(world: Any, watching: Watching, of: dict[str, Any]) -> None:
    alarm = {"AlarmName": "sum", "StateValue": "INSUFFICIENT_DATA", **of}
    with world.emulator.scope(ACCOUNT, "us-east-1"):
        watching.evaluate(alarm)
    assert alarm == {"AlarmName": "sum", "StateValue": "INSUFFICIENT_DATA", **of}


def test_an_api_publishes_what_it_answered(world: Any, watching: Watching) -> None:
    api = world.json("apigateway", "POST", "/restapis", {"name": "pay"})["id"]
    for status in (200, 404, 502):
        request = HttpRequest("GET", f"/_aws/execute-api/{api}/prod/health")
        watching.api_answered(request, AsgiResponse(status), "us-east-1", 0.25)
    watching.api_answered(
        HttpRequest("GET", "/_aws/execute-api/gone/prod/health"), AsgiResponse(200), "us-east-1", 1
    )
    watching.api_answered(HttpRequest("GET", "/restapis"), AsgiResponse(200), "us-east-1", 1)
    name, stage = "ApiName=pay", "ApiName=pay,Stage=prod"
    assert points(world, "AWS/ApiGateway", "Count") == [(name, 1.0)] * 3 + [(stage, 1.0)] * 3
    assert points(world, "AWS/ApiGateway", "4XXError")[:3] == [(name, 0.0), (name, 1.0), (name, 0.0)]
    assert points(world, "AWS/ApiGateway", "5XXError")[:3] == [(name, 0.0), (name, 0.0), (name, 1.0)]
    assert points(world, "AWS/ApiGateway", "Latency")[0] == (name, 250.0)


def test_a_replicated_write_publishes_how_long_it_took(world: Any) -> None:
    watching = Watching(world.emulator, TimeScale(), now=lambda: 12.5)
    key = ItemKey(ACCOUNT, "payments", "p1", "1")
    watching.replicated(Write(key, ItemVersion(10_000_000_000, "us-west-2"), "us-east-1", {}, 0.0))
    found = points(world, "AWS/DynamoDB", "ReplicationLatency", "us-west-2")
    assert found == [("ReceivingRegion=us-east-1,TableName=payments", 2500.0)]
