"""The declared alarms while a region is lost: those that have to ring, and those that must not."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from payinfra.core.evacuation import FAILOVER_METRIC
from payinfra.core.outputs import Declared, DeclaredAlarm
from payinfra.drill.evidence import BLIND_S
from payinfra.drill.faults.model import CUSTOMERS_METRICS, Fault
from payinfra.drill.model import AlarmExpectation, AlarmRecord, Doubt

if TYPE_CHECKING:
    from payinfra.clients.aws import Aws

HEALTH_METRIC = "HealthCheckStatus"
PERIOD_S = 60.0
"""The stack's alarms look at minutes."""
RINGS_LATE_S = 120.0
"""On AWS a metric may be that much later than what it counts, and the alarm than its metric."""
EMBEDDED_RINGS_LATE_S = 10.0
"""The embedded AWS judges alarms every five real seconds."""
_AT_ONCE = 100
"""How many names DescribeAlarms takes."""

AlarmKey = tuple[str, str]
"""An alarm's region and name."""


@dataclass(frozen=True)
class WatchedAlarm:
    """An alarm and what it has to do; `stops`: whether the drill ends when it rings."""

    region: str
    name: str
    expectation: AlarmExpectation
    within_s: float | None = None
    stops: bool = False


def expected_alarms(
    declared: Declared,
    faults: Sequence[Fault],
    *,
    lost: str,
    found_out_s: float,
    time_scale: float,
    on_aws: bool,
) -> tuple[WatchedAlarm, ...]:
    """What each declared alarm has to do while these faults are in place.

    Args:
        lost: the region that is lost.
        found_out_s: how long Route 53 should take to find out, in seconds.
        time_scale: how many times faster than real time the embedded AWS runs.
    """
    late_s = RINGS_LATE_S if on_aws else EMBEDDED_RINGS_LATE_S
    # What happens within a minute is judged when that minute is over, at the latest.
    within_s = 2 * PERIOD_S / time_scale + late_s
    must = {metric for fault in faults for metric in fault.alarms.must_ring}
    # A drill's own payments are tests, and its flag names it: neither makes this one ring. Customers may.
    excused = {metric for fault in faults for metric in fault.alarms.may_ring_in_survivor} | {FAILOVER_METRIC}
    fails = any(fault.health.fails_requests for fault in faults)
    silent = any(fault.silences_region for fault in faults)
    found: list[WatchedAlarm] = []
    for region in declared.regions:
        for alarm in region.alarms:
            if region.region == lost:
                found.append(_in_lost(lost, alarm, must=must, fails=fails, silent=silent, within_s=within_s))
            else:
                found.append(_in_survivor(region.region, alarm, excused))
    health = declared.health
    for region, alarm in zip(declared.regions, health.alarms, strict=True):
        where = health.metrics_region
        if silent and where == lost:  # Nobody can look at an alarm there.
            found.append(WatchedAlarm(where, alarm.name, AlarmExpectation.MAY_RING))
        elif region.region != lost:
            found.append(WatchedAlarm(where, alarm.name, AlarmExpectation.MUST_NOT_RING))
        elif HEALTH_METRIC in must:
            found.append(WatchedAlarm(where, alarm.name, AlarmExpectation.MUST_RING, found_out_s + within_s))
        else:
            found.append(WatchedAlarm(where, alarm.name, AlarmExpectation.MAY_RING))
    return tuple(found)


def _in_lost(
    region: str, alarm: DeclaredAlarm, *, must: set[str], fails: bool, silent: bool, within_s: float
) -> WatchedAlarm:
    if alarm.metric in must and not silent:
        return WatchedAlarm(region, alarm.name, AlarmExpectation.MUST_RING, within_s)
    # A region that was not to fail and does fail its customers ends the drill.
    stops = alarm.metric in CUSTOMERS_METRICS and not fails
    expectation = AlarmExpectation.MUST_NOT_RING if stops else AlarmExpectation.MAY_RING
    return WatchedAlarm(region, alarm.name, expectation, stops=stops)


def _in_survivor(region: str, alarm: DeclaredAlarm, excused: set[str]) -> WatchedAlarm:
    if alarm.metric in excused:
        return WatchedAlarm(region, alarm.name, AlarmExpectation.MAY_RING)
    stops = alarm.metric in CUSTOMERS_METRICS
    return WatchedAlarm(region, alarm.name, AlarmExpectation.MUST_NOT_RING, stops=stops)


@dataclass
class AlarmWatch:
    """Looks at alarms, and remembers when each was first seen to ring.

    Args:
        watched: which, and what each has to do.
        ringing: the alarms of a region that ring, of those named; raises where it cannot be told.
        elapsed: seconds since the drill began.
    """

    watched: Sequence[WatchedAlarm]
    ringing: Callable[[str, Sequence[str]], Iterable[str]]
    elapsed: Callable[[], float]
    rang_s: dict[AlarmKey, float] = field(default_factory=dict)
    read_s: dict[str, list[float]] = field(default_factory=dict)

    def look(self) -> int:
        """Look at each region's alarms; how many have rung so far. A silent region stops no other."""
        for region in dict.fromkeys(one.region for one in self.watched):
            names = tuple(one.name for one in self.watched if one.region == region)
            try:
                rings = tuple(self.ringing(region, names))
            except Exception:  # noqa: BLE001, S112 - what nobody saw ring has not been seen to ring
                continue
            self.read_s.setdefault(region, []).append(self.elapsed())
            for name in rings:
                self.rang_s.setdefault((region, name), self.elapsed())
        return len(self.rang_s)

    def doubts(self, since_s: float, until_s: float) -> Iterator[Doubt]:
        """Why nobody knows whether the alarms did what they have to between two moments."""
        judged = dict.fromkeys(
            one.region for one in self.watched if one.expectation is not AlarmExpectation.MAY_RING
        )
        for region in judged:
            reads = [at_s for at_s in self.read_s.get(region, ()) if since_s <= at_s <= until_s]
            gaps = pairwise((since_s, *reads, until_s))
            blind_s = max(later - earlier for earlier, later in gaps)
            if blind_s > BLIND_S:
                yield Doubt(
                    f"Nobody could tell for {blind_s:.0f} s whether alarms rang in {region}.",
                    "See that CloudWatch can be asked there (cloudwatch:DescribeAlarms), then drill again.",
                )

    def stopping(self, since_s: float) -> tuple[str, ...]:
        """The alarms that end the drill and have rung since a moment, each as `name in region`."""
        return tuple(
            f"{one.name} in {one.region}"
            for one in self.watched
            if one.stops and self.rang_s.get((one.region, one.name), -1.0) >= since_s
        )

    def still_due(self) -> tuple[WatchedAlarm, ...]:
        """The alarms that have to ring and have not yet."""
        return tuple(
            one
            for one in self.watched
            if one.expectation is AlarmExpectation.MUST_RING and (one.region, one.name) not in self.rang_s
        )

    def records(self, since_s: float, until_s: float) -> tuple[AlarmRecord, ...]:
        """What each alarm did between two moments; those that did what they may or must not are left out."""
        found = []
        for one in self.watched:
            rang = self.rang_s.get((one.region, one.name))
            seen = rang if rang is not None and since_s <= rang <= until_s else None
            if seen is not None or one.expectation is AlarmExpectation.MUST_RING:
                found.append(AlarmRecord(one.name, one.region, one.expectation, seen, one.within_s))
        return tuple(found)


def ringing_in(aws: "Aws") -> Callable[[str, Sequence[str]], tuple[str, ...]]:
    """Ask CloudWatch which alarms ring."""

    def ask(region: str, names: Sequence[str]) -> tuple[str, ...]:
        rings: list[str] = []
        for first in range(0, len(names), _AT_ONCE):
            answer = aws.cloudwatch(region).describe_alarms(
                AlarmNames=list(names[first : first + _AT_ONCE]),
                AlarmTypes=["MetricAlarm"],
                StateValue="ALARM",
                MaxRecords=_AT_ONCE,
            )
            rings += (one.get("AlarmName", "") for one in answer["MetricAlarms"])
        return tuple(rings)

    return ask
