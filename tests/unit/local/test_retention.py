"""What the embedded AWS keeps of what grows with every request, and how many processes of functions."""

import threading
from collections import defaultdict
from dataclasses import dataclass, field
from math import exp
from statistics import NormalDist
from typing import Any

import pytest

from payinfra.local.server import retention
from payinfra.local.server.retention import MOST_WORKERS, Workers, condensed, trim_group

ARN = "arn:aws:lambda:us-east-1:000000000000:function:"


@dataclass(eq=False)
class Process:
    """A function's process, as ministack knows it."""

    function: str
    last_used: float
    in_use: bool = False
    config: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.config = {"FunctionArn": f"{ARN}{self.function}"}


@dataclass
class Pools:
    pools: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    killed: list[Any] = field(default_factory=list)

    def workers(self, now: float = 1000.0) -> Workers:
        return Workers(lambda: self.pools, threading.Lock(), self.killed.extend, lambda: now)

    @property
    def left(self) -> list[Any]:
        return [worker for pool in self.pools.values() for worker in pool]


def test_idle_processes_retire_but_for_the_last_one_of_a_function() -> None:
    pools = Pools()
    new, old, other = Process("pay:2", 900.0), Process("pay:1", 880.0), Process("audit", 850.0)
    pools.pools |= {"pay:2": [new, Process("pay:2", 899.0)], "pay:1": [old], "audit": [other]}
    assert pools.workers(1000.0).retire() == 2
    assert pools.left == [new, other]
    assert pools.workers(900.0 + retention.IDLE_S).retire() == 2
    assert pools.left == []
    assert pools.pools == {}


def test_who_works_and_who_has_just_worked_stays() -> None:
    pools = Pools()
    pools.pools["pay"] = [Process("pay", 0.0, in_use=True), Process("pay", 990.0), Process("pay", 991.0)]
    assert pools.workers(1000.0).retire() == 0
    assert len(pools.left) == 3


def test_room_is_made_by_ending_whoever_is_idle_longest() -> None:
    pools = Pools()
    pools.pools["old"] = [Process("old", float(number)) for number in range(MOST_WORKERS)]
    busy = pools.pools["old"][0]
    busy.in_use = True
    pools.workers().make_room("old")
    assert pools.killed == []  # one of its own is free
    pools.workers().make_room("new")
    assert [worker.last_used for worker in pools.killed] == [1.0]
    assert len(pools.left) == MOST_WORKERS - 1
    assert busy in pools.left


def test_while_all_work_none_is_ended() -> None:
    pools = Pools()
    pools.pools["pay"] = [Process("pay", 0.0, in_use=True) for _ in range(MOST_WORKERS)]
    pools.workers().make_room("new")
    assert len(pools.left) == MOST_WORKERS


# ---- metrics --------------------------------------------------------------------------------------------


def points(count: int, begin: float, step: float = 0.1, value: float = 1.0) -> list[dict[str, Any]]:
    return [
        {"Timestamp": begin + step * number, "Value": value + number % 3, "Unit": "Count"}
        for number in range(count)
    ]


def sums(kept: list[dict[str, Any]], every_s: float = 60.0) -> dict[float, Any]:
    found: dict[float, tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))
    for one in kept:
        count, total = found[one["Timestamp"] // every_s]
        more = one.get("Count", 1.0)
        found[one["Timestamp"] // every_s] = count + more, total + more * one["Value"]
    return {begin: (count, pytest.approx(total)) for begin, (count, total) in found.items()}


def test_old_points_become_few_and_every_minutes_sum_stays_for_half_an_hour() -> None:
    now = 100_000.0
    given = points(17_000, now - 1700.0)
    kept = condensed(given, now)
    assert len(kept) < 1200
    assert sums(kept) == sums(given)
    assert kept[-600:] == given[-600:]
    again = condensed(kept, now + 90.0)
    assert sums(again) == sums(given)
    assert len(again) < len(kept)


def test_after_half_an_hour_the_sum_of_every_five_minutes_stays() -> None:
    now = 100_000.0
    given = points(60_000, now - 6000.0)
    kept = condensed(condensed(given, now - 2000.0), now)
    assert sums(kept, 300.0) == sums(given, 300.0)
    older = [one for one in kept if one["Timestamp"] < now - 1800.0]
    assert len(older) <= 3 * 6000 / 300


def test_latencies_of_which_no_two_are_equal_become_few_and_their_percentiles_stay() -> None:
    now, spread = 100_000.0, NormalDist(3.0, 0.6)
    # A sequence that fills (0, 1) evenly, and so every second has a distribution as latencies have it.
    shares = (0.001 + 0.998 * (number * 0.618034 % 1.0) for number in range(25 * 1500))
    given = [
        {"Timestamp": now - 1500.0 + number / 25, "Value": exp(spread.inv_cdf(share))}
        for number, share in enumerate(shares)
    ]
    kept = condensed(condensed(given, now - 200.0), now)
    old = [one for one in kept if one["Timestamp"] < now - retention.FINE_S]
    assert len(old) < 2_000
    assert sums(kept) == sums(given)
    for share in (0.5, 0.95, 0.99):
        assert percentile(kept, share) == pytest.approx(percentile(given, share), rel=retention.ALIKE - 1)


def percentile(points: list[dict[str, Any]], share: float) -> float:
    """The value that so large a part of the points lies below."""
    values = sorted((one["Value"], one.get("Count", 1.0)) for one in points)
    wanted, so_far = share * sum(count for _value, count in values), 0.0
    for value, count in values:
        so_far += count
        if so_far >= wanted:
            return float(value)
    raise AssertionError("no points")


def test_values_below_one_and_below_nothing_are_alike_only_with_their_like() -> None:
    given = [{"Timestamp": 0.0, "Value": value, "Unit": "Count"} for value in (0.9, 1.2, -0.9, -1.2, 0.0)]
    assert condensed(given, 500.0) == given


def test_a_metric_s_points_share_their_dimensions() -> None:
    given = [{"Timestamp": 0.0, "Value": 1.0, "Dimensions": {"region": "us-east-1"}} for _ in range(3)]
    other = {"Timestamp": 0.0, "Value": 1.0, "Dimensions": {"region": "us-west-2"}}
    retention.share_dimensions([*given, other, {"Timestamp": 0.0, "Value": 1.0}])
    assert len({id(one["Dimensions"]) for one in given}) == 1
    assert other["Dimensions"] == {"region": "us-west-2"}


def test_points_that_are_too_old_go() -> None:
    assert condensed(points(10, 0.0), retention.METRIC_S + 10.0) == []


def test_statistics_sets_and_other_units_are_not_merged() -> None:
    given = [
        {"Timestamp": 0.0, "Value": 1.0, "_stat": {"SampleCount": 2}},
        {"Timestamp": 0.0, "Value": 1.0, "_stat": {"SampleCount": 3}},
        {"Timestamp": 0.0, "Value": 1.0, "Unit": "Seconds"},
        {"Timestamp": 0.0, "Value": 1.0, "Unit": "Count"},
    ]
    assert condensed(given, 500.0) == given


# ---- logs, streams and the whole ------------------------------------------------------------------------


def test_a_groups_newest_events_are_kept() -> None:
    streams: dict[str, dict[str, Any]] = {
        "old": {"events": [{"at": 1}, {"at": 2}], "lastEventTimestamp": 2},
        "new": {"events": [{"at": 3}, {"at": 4}], "lastEventTimestamp": 4},
        "empty": {"events": [], "lastEventTimestamp": None},
    }
    trim_group(streams, most=3, empty=1)
    assert [one["at"] for stream in streams.values() for one in stream["events"]] == [2, 3, 4]
    trim_group(streams, most=1, empty=1)
    assert list(streams) == ["old", "new"]
    assert streams["new"]["events"] == [{"at": 4}]


@pytest.fixture
def kept(world: Any) -> retention.Retention:
    return retention.of_emulator(world.emulator)


def put(world: Any, first: int, last: int) -> None:
    for number in range(first, last):
        world.dynamodb("PutItem", TableName="payments", Item={"id": {"S": str(number)}})


@pytest.fixture
def table(world: Any) -> None:
    world.dynamodb(
        "CreateTable",
        TableName="payments",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )


@pytest.mark.usefixtures("table")
def test_a_stream_keeps_its_newest_records_and_positions_stay(
    world: Any, kept: retention.Retention, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "STREAM_RECORDS", 5)
    put(world, 0, 12)
    dynamodb = world.emulator.service("dynamodb")
    kept.sweep()
    with world.emulator.scope("000000000000", "us-east-1"):
        assert dynamodb.stream_start_position("payments") == 7
        assert dynamodb.stream_end_position("payments") == 12
        batch = dynamodb.stream_records_since("payments", 10, 100)
    assert [one["dynamodb"]["Keys"]["id"]["S"] for one in batch] == ["10", "11"]


@pytest.mark.usefixtures("table")
def test_what_a_function_has_still_to_read_is_kept(
    world: Any, kept: retention.Retention, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "STREAM_RECORDS", 0)
    put(world, 0, 8)
    functions, dynamodb = world.emulator.service("lambda_svc"), world.emulator.service("dynamodb")
    arn = "arn:aws:dynamodb:us-east-1:000000000000:table/payments/stream/2026"
    functions._esms.set_scoped("000000000000", "us-east-1", "slow", {"UUID": "slow", "EventSourceArn": arn})
    functions._dynamodb_stream_positions.set_scoped("000000000000", "us-east-1", "slow", 3)
    kept.sweep()
    with world.emulator.scope("000000000000", "us-east-1"):
        assert dynamodb.stream_start_position("payments") == 3


def test_metrics_and_history_are_swept(world: Any, kept: retention.Retention) -> None:
    cloudwatch = world.emulator.service("cloudwatch")
    now = kept.clock()
    key = ("n", "m", ())
    cloudwatch._metrics.set_scoped("000000000000", "us-east-1", key, points(1000, now - 500.0))
    cloudwatch._metrics.set_scoped("000000000000", "us-east-1", ("n", "gone", ()), points(10, 0.0))
    history = [{"AlarmName": str(number)} for number in range(retention.HISTORY + 7)]
    cloudwatch._alarm_history.set_scoped("000000000000", "us-east-1", "entries", history)
    kept.sweep()
    assert 0 < len(cloudwatch._metrics.get_scoped("000000000000", "us-east-1", key)) < 200
    assert not cloudwatch._metrics.contains_scoped("000000000000", "us-east-1", ("n", "gone", ()))
    left = cloudwatch._alarm_history.get_scoped("000000000000", "us-east-1", "entries")
    assert (len(left), left[0]["AlarmName"]) == (retention.HISTORY, "7")


def test_log_records_are_swept(
    world: Any, kept: retention.Retention, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "LOG_EVENTS", 2)
    logs = world.emulator.service("cloudwatch_logs")
    for number in range(4):
        logs._log_records.set_scoped("000000000000", "us-east-1", f"pointer-{number}", {})
    kept.sweep()
    assert [key[2] for key, _ in logs._log_records.all_items()] == ["pointer-2", "pointer-3"]


def test_no_process_starts_before_there_is_room() -> None:
    steps: list[str] = []
    workers = Pools().workers()
    workers.make_room = lambda key: steps.append(f"room for {key}")  # type: ignore[method-assign]  # seen here

    def original(name: str, _config: Any, _code: bytes, *, qualifier: str) -> str:
        steps.append("started")
        return f"{name}:{qualifier}"

    acquire = retention.with_room(original, workers, lambda name, _config, qualifier: f"{name}:{qualifier}")
    assert acquire("pay", {}, b"", "3") == "pay:3"
    assert steps == ["room for pay:3", "started"]
