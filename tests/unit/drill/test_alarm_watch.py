"""Alarms that have to ring, may, and must not; and when each was seen to."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from payinfra.clients.aws import Aws
from payinfra.core.evacuation import FAILOVER_METRIC
from payinfra.core.outputs import DeclaredAlarm
from payinfra.drill.alarm_watch import AlarmWatch, WatchedAlarm, expected_alarms, ringing_in
from payinfra.drill.faults.registry import fault_named
from payinfra.drill.model import AlarmExpectation, AlarmRecord
from tests.support.clocks import SetClock
from tests.support.simulation import simulated_declared

EAST, WEST = "us-east-1", "us-west-2"
MUST, MAY, NOT = AlarmExpectation
DUE = WatchedAlarm(EAST, "throttles", MUST, 60.0)
STOPS = WatchedAlarm(WEST, "5xx", NOT, stops=True)
MAY_RING = WatchedAlarm(EAST, "latency", MAY)


def expected(*faults: str, lost: str = EAST, on_aws: bool = True) -> dict[tuple[str, str], WatchedAlarm]:
    found = expected_alarms(
        simulated_declared(),
        [fault_named(name) for name in faults],
        lost=lost,
        found_out_s=40.0,
        time_scale=1.0,
        on_aws=on_aws,
    )
    return {(one.region, one.name): one for one in found}


def test_a_throttled_function_rings_its_own_alarm_and_the_health_checks() -> None:
    found = expected("lambda-throttle")
    assert found[EAST, "throttles"] == WatchedAlarm(EAST, "throttles", MUST, 240.0)
    assert found[EAST, "health-us-east-1"] == WatchedAlarm(EAST, "health-us-east-1", MUST, 280.0)
    assert found[EAST, "5xx"].expectation is MAY
    assert found[WEST, "5xx"] == WatchedAlarm(WEST, "5xx", NOT, stops=True)
    assert found[WEST, "table"] == WatchedAlarm(WEST, "table", NOT)
    assert found[EAST, "health-us-west-2"].expectation is NOT


def test_what_a_dark_region_would_say_nobody_can_ask_for() -> None:
    found = expected("region-outage", on_aws=False)
    assert found[EAST, "health-us-east-1"].expectation is MAY
    assert found[EAST, "health-us-west-2"].expectation is MAY
    assert found[EAST, "throttles"].expectation is MAY
    assert found[WEST, "replication"].expectation is MAY
    # The alarms on health checks are in us-east-1, which the loss of the other region leaves alone.
    other = expected("region-outage", lost=WEST, on_aws=False)
    assert other[EAST, "health-us-west-2"] == WatchedAlarm(EAST, "health-us-west-2", MUST, 40.0 + 130.0)


def test_a_region_that_keeps_serving_must_not_hurt_its_customers() -> None:
    for fault in ("health-check", "replication-pause"):
        found = expected(fault)
        assert found[EAST, "latency"] == WatchedAlarm(EAST, "latency", NOT, stops=True)
        assert found[EAST, "throttles"].expectation is MAY
    assert not any(one.expectation is MUST for one in expected("health-check").values())


def test_the_first_moment_counts_and_a_silent_region_stops_no_other() -> None:
    clock, rings = SetClock(), {WEST: ["5xx"]}

    def ringing(region: str, names: Sequence[str]) -> Sequence[str]:
        if region == EAST and clock.at < 20:
            raise OSError("dark")
        return [name for name in names if name in rings.get(region, [])]

    watch = AlarmWatch((DUE, STOPS, MAY_RING), ringing, clock.elapsed)
    for clock.at in (10.0, 15.0):
        assert watch.look() == 1
    assert watch.rang_s == {(WEST, "5xx"): 10.0}
    assert watch.still_due() == (DUE,)
    rings[EAST] = ["throttles", "latency"]
    clock.at = 30.0
    assert watch.look() == 3
    assert watch.still_due() == ()
    assert (watch.stopping(5.0), watch.stopping(12.0)) == (("5xx in us-west-2",), ())


def test_what_rang_outside_of_the_fault_is_not_its_doing() -> None:
    watch = AlarmWatch((DUE, STOPS, MAY_RING), lambda _region, _names: (), lambda: 0.0)
    watch.rang_s |= {(WEST, "5xx"): 3.0, (EAST, "latency"): 12.0}
    assert watch.records(10.0, 50.0) == (
        AlarmRecord("throttles", EAST, MUST, None, 60.0),
        AlarmRecord("latency", EAST, MAY, 12.0),
    )


@pytest.mark.parametrize(
    ("unreadable", "said"),
    [
        ((), ()),
        (((20.0, 30.0),), ()),
        (((20.0, 45.0),), ("Nobody could tell for 28 s whether alarms rang in us-west-2.",)),
        (((40.0, 99.0),), ("Nobody could tell for 22 s whether alarms rang in us-west-2.",)),
        (((0.0, 99.0),), ("Nobody could tell for 50 s whether alarms rang in us-west-2.",)),
    ],
)
def test_alarms_that_nobody_could_look_at_are_not_silent(
    unreadable: tuple[tuple[float, float], ...], said: tuple[str, ...]
) -> None:
    clock = SetClock()

    def ringing(region: str, _names: Sequence[str]) -> Sequence[str]:
        if region == EAST or any(begin <= clock.at <= end for begin, end in unreadable):
            raise OSError("access denied")
        return ()

    watch = AlarmWatch((STOPS, MAY_RING), ringing, clock.elapsed)
    while clock.at < 60.0:
        watch.look()
        clock.wait(2.0)
    assert tuple(one.what for one in watch.doubts(10.0, 60.0)) == said


@dataclass
class CloudWatch:
    """What CloudWatch answers."""

    asked: list[dict[str, Any]] = field(default_factory=list)

    def describe_alarms(self, **asked: Any) -> dict[str, Any]:
        self.asked.append(asked)
        return {"MetricAlarms": [{"AlarmName": asked["AlarmNames"][0]}]}


@dataclass(frozen=True)
class AwsOf(Aws):
    cloudwatch_client: CloudWatch = field(default_factory=CloudWatch)

    def client(self, service: str, region: str) -> Any:
        assert (service, region) == ("cloudwatch", WEST)
        return self.cloudwatch_client


def test_cloudwatch_is_asked_for_a_hundred_at_once() -> None:
    client = CloudWatch()
    names = [f"alarm-{at}" for at in range(150)]
    assert ringing_in(AwsOf(cloudwatch_client=client))(WEST, names) == ("alarm-0", "alarm-100")
    assert [len(asked["AlarmNames"]) for asked in client.asked] == [100, 50]
    assert all(asked["StateValue"] == "ALARM" for asked in client.asked)


@pytest.mark.parametrize("expectation", list(AlarmExpectation))
def test_what_an_alarm_has_to_do_is_said_in_words(expectation: AlarmExpectation) -> None:
    assert expectation.value == expectation.name.lower().replace("_", " ")


def test_the_survivors_alarm_on_a_failover_may_ring_because_of_customers() -> None:
    whole = simulated_declared()
    told = DeclaredAlarm("told", "Payments", FAILOVER_METRIC, 1)
    regions = tuple(replace(one, alarms=(*one.alarms, told)) for one in whole.regions)
    found = expected_alarms(
        replace(whole, regions=regions),
        [fault_named("evacuation")],
        lost=EAST,
        found_out_s=40.0,
        time_scale=1.0,
        on_aws=True,
    )
    assert WatchedAlarm(WEST, "told", MAY) in found
    assert WatchedAlarm(WEST, "5xx", NOT, stops=True) in found
