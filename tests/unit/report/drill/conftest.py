"""Reports of drills as they come out: failed, broken off, perfect, reversed, and without a switch."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from payinfra.drill.model import (
    REPORT_VERSION,
    AlarmExpectation,
    AlarmRecord,
    AuditObjectCounts,
    Doubt,
    DrillReport,
    FaultEvidence,
    Judgement,
    Latency,
    Load,
    MachineLoad,
    Mark,
    Objective,
    PaymentOutcome,
    Phase,
    PhaseTiming,
    Reconciliation,
    RecoveryTime,
    Restoration,
    Scenario,
    SurvivorReading,
    Tick,
    Unit,
)

PRIMARY, SECONDARY = "us-east-1", "us-west-2"
Served = Callable[[int], tuple[Mapping[str, int], int]]


def phases(*timings: tuple[Phase, float, float | None, str]) -> tuple[PhaseTiming, ...]:
    """Phases that follow one another."""
    began, made = 0.0, []
    for phase, seconds, predicted, detail in timings:
        made.append(PhaseTiming(phase, round(began, 3), seconds, predicted, detail))
        began += seconds
    return tuple(made)


def ticks(seconds: Iterable[int], served: Served) -> tuple[Tick, ...]:
    """A tick a second, with a latency that goes up and down."""
    made = []
    for second in seconds:
        good, bad = served(second)
        p50 = 0.031 + 0.006 * math.sin(second / 7)
        some = sum(good.values()) > 0
        made.append(Tick(float(second), good, bad, p50 if some else None, p50 * 2.4 if some else None))
    return tuple(made)


def load(made: tuple[Tick, ...], availability: float, gap_s: float) -> Load:
    """The load's figures."""
    latency = Latency(50, 0.031, 0.074, 0.12, 0.31)
    good = sum(sum(tick.good.values()) for tick in made)
    attempts = good + sum(tick.bad for tick in made)
    return Load(
        attempts,
        availability,
        gap_s,
        4.98,
        latency,
        replace(latency, count=good - 50, worst=2.004),
        latency,
        made,
    )


def _switching(second: int) -> tuple[Mapping[str, int], int]:
    """A throttled primary: payments fail until resolvers' answers have run out, then go where they lead."""
    if second < 17 or second >= 228:
        return {PRIMARY: 5, SECONDARY: 0}, 0
    if second < 107:
        return {PRIMARY: 0, SECONDARY: 0}, 5 + second % 3
    if second < 172:
        return {PRIMARY: 0, SECONDARY: {107: 9, 108: 17}.get(second, 5)}, 0
    return {PRIMARY: 2, SECONDARY: 3}, 0


PERFECT = DrillReport(
    version=REPORT_VERSION,
    id="20261123T101500Z-4f2a",
    env="demo",
    target="local",
    scenarios=(Scenario.LAMBDA_THROTTLE,),
    reverse=False,
    time_scale=1.0,
    began=datetime(2026, 11, 23, 10, 15, tzinfo=UTC),
    seconds=262.4,
    lost_region=PRIMARY,
    took_over=SECONDARY,
    phases=phases(
        (Phase.LOCK, 0.1, None, ""),
        (Phase.RECORD, 0.9, None, "1 original value"),
        (Phase.STEADY_BEFORE, 6.3, None, "45 probes"),
        (Phase.LOAD, 10.1, 10.0, "50 payments acknowledged"),
        (Phase.INJECT, 0.2, None, "reserved concurrency 0"),
        (Phase.FIRST_FAILURE, 0.4, 5.2, "HTTP 500"),
        (Phase.UNHEALTHY, 27.6, 31.0, "16 of 16 checkers"),
        (Phase.SWITCHED, 0.7, 1.0, "1 name server"),
        (Phase.SERVING, 63.1, 65.0, "10 in a row"),
        (Phase.HOLD, 30.0, 30.0, ""),
        (Phase.RESTORE, 0.3, None, "reserved concurrency as it was"),
        (Phase.HEALTHY, 29.5, 31.0, "16 of 16 checkers"),
        (Phase.DNS_BACK, 0.6, 1.0, "1 name server"),
        (Phase.CAUGHT_UP, 2.2, 10.0, "0 writes behind"),
        (Phase.STEADY_AFTER, 61.8, None, "45 probes"),
        (Phase.RECONCILE, 28.6, None, "1246 payments"),
    ),
    marks=(
        Mark(17.4, "lambda-throttle: the function payment-demo-payments in us-east-1 takes no calls"),
        Mark(18.0, "first failed attempt: HTTP 500"),
        Mark(45.6, "Route 53 takes us-east-1 for unhealthy"),
        Mark(109.4, "us-west-2 serves"),
        Mark(139.4, "lambda-throttle: put back"),
        Mark(168.9, "Route 53 takes us-east-1 for healthy"),
    ),
    answers=(
        Mark(0.3, "127.0.0.1:4570: a1b2.execute-api.us-east-1.amazonaws.com (us-east-1, TTL 60 s)"),
        Mark(46.3, "127.0.0.1:4570: c3d4.execute-api.us-west-2.amazonaws.com (us-west-2, TTL 60 s)"),
        Mark(169.5, "127.0.0.1:4570: a1b2.execute-api.us-east-1.amazonaws.com (us-east-1, TTL 60 s)"),
    ),
    load=load(ticks(range(7, 234), _switching), 0.4172, 90.1),
    reconciliation=Reconciliation(
        1246,
        1246,
        {PaymentOutcome.RECORDED: 1244, PaymentOutcome.DELAYED: 2},
        removed=1246,
        resent=61,
        accepted_twice=1,
        audit=AuditObjectCounts(1246, 1246, 0, 0, removed=2492),
    ),
    recovery=RecoveryTime(97.0, 97.0, 92.0, 58.1, 90.2, 20, 20, True, 2, 0),
    rpo=0,
    restoration=Restoration(
        ("reserved concurrency of payment-demo-payments in us-east-1: none, as before",),
        (),
        "the embedded AWS needs none",
    ),
    resilience=Judgement.PASSED,
    restored=Judgement.PASSED,
    reasons=(),
    aborted="",
    command="payinfra failover-drill --env demo --local --scenario lambda-throttle --yes",
    objectives=(
        Objective("time until the other region served the last client (RTO)", Unit.SECONDS, 92.0, 97.0),
        Objective("acknowledged and not in the survivor (RPO)", Unit.PAYMENTS, 0.0, 0.0, timed=False),
        Objective("age of the oldest of these (RPO)", Unit.SECONDS, 0.0, None, timed=False),
        Objective("acknowledged at the first attempt", Unit.SHARE, 1.0, 0.99, at_least=True),
    ),
    survivor=SurvivorReading(SECONDARY, 46.4, 51, 0),
    evidence=(FaultEvidence("lambda-throttle", "an error from the health page", 121, 18.0, None, 139.0),),
    alarms=(
        AlarmRecord("throttles", PRIMARY, AlarmExpectation.MUST_RING, 81.0, 130.0),
        AlarmRecord("health", PRIMARY, AlarmExpectation.MUST_RING, 95.0, 161.0),
    ),
    machine=MachineLoad(0.004, 0.021, 0.31, 0.012),
)

FAILED = replace(
    PERFECT,
    id="20261123T111500Z-77aa",
    began=datetime(2026, 11, 23, 11, 15, tzinfo=UTC),
    scenarios=(Scenario.REGION_OUTAGE, Scenario.REPLICATION_PAUSE),
    recovery=replace(PERFECT.recovery, objective_s=90.0),
    objectives=(
        replace(PERFECT.objectives[0], objective=90.0),
        replace(PERFECT.objectives[1], measured=4.0),
        replace(PERFECT.objectives[2], measured=7.5, objective=5.0),
        replace(PERFECT.objectives[3], measured=None),
    ),
    survivor=SurvivorReading(SECONDARY, 46.4, 51, 4, 7.5, ("pay_0aa1",)),
    evidence=(FaultEvidence("region-outage", "silence of the health page", 9, 18.0, 31.5, 31.5),),
    alarms=(AlarmRecord("table-errors", SECONDARY, AlarmExpectation.MUST_NOT_RING, 60.0),),
    reconciliation=Reconciliation(
        1246,
        1241,
        {
            PaymentOutcome.RECORDED: 1235,
            PaymentOutcome.DELAYED: 3,
            PaymentOutcome.LOST: 2,
            PaymentOutcome.DUPLICATED: 1,
            PaymentOutcome.UNACKNOWLEDGED: 5,
        },
        examples=("pay_0aa1", "pay_0aa2", "pay_0bb7"),
        removed=1243,
        not_removed=("pay_0bb7",),
        audit=AuditObjectCounts(1241, 1230, 4, 7, ("pay_0cc1",), 2460, ("audit/x",)),
    ),
    restoration=Restoration(
        (),
        (
            "The blackout of us-east-1 is still in place: `payinfra local fault clear F1`.",
            "Replication is still paused: `payinfra local fault clear F2`.",
        ),
    ),
    resilience=Judgement.FAILED,
    restored=Judgement.FAILED,
    reasons=(
        "time until the other region served the last client (RTO): 92.0 s; the objective is 90.0 s.",
        "2 payments: each was acknowledged and is in no region. Among them: pay_0aa1, pay_0aa2, pay_0bb7.",
        "1 payment: each is there more than once. Among them: pay_0aa1, pay_0aa2, pay_0bb7.",
        "The blackout of us-east-1 is still in place: `payinfra local fault clear F1`.",
        "Replication is still paused: `payinfra local fault clear F2`.",
    ),
)

_GAVE_UP = "us-west-2 answered 12 % of its requests with errors for 10 s."
ABORTED = replace(
    PERFECT,
    id="20261123T121500Z-0c0c",
    began=datetime(2026, 11, 23, 12, 15, tzinfo=UTC),
    seconds=58.9,
    phases=(
        *PERFECT.phases[:7],
        PhaseTiming(Phase.RESTORE, 45.9, 0.4, None, "reserved concurrency as it was"),
        PhaseTiming(Phase.STEADY_AFTER, 46.3, 12.6, None, "45 probes"),
    ),
    marks=(*PERFECT.marks[:3], Mark(45.8, "broken off: " + _GAVE_UP)),
    answers=PERFECT.answers[:2],
    load=Load(203, 0.0, 27.9, 4.97, PERFECT.load.before, None, None, PERFECT.load.ticks[:39]),
    reconciliation=None,
    recovery=RecoveryTime(97.0, 97.0, None, 60.0, None, 20, 12, True, 2, 0),
    objectives=(),
    survivor=None,
    evidence=(FaultEvidence("lambda-throttle", "an error from the health page", 12, None),),
    alarms=(),
    machine=None,
    resilience=Judgement.FAILED,
    reasons=(_GAVE_UP, "The payments could not be read back: nobody knows whether one was lost."),
    aborted=_GAVE_UP,
)

REVERSED = replace(
    PERFECT,
    id="20261123T131500Z-1111",
    began=datetime(2026, 11, 23, 13, 15, tzinfo=UTC),
    seconds=96.2,
    scenarios=(Scenario.HEALTH_CHECK,),
    reverse=True,
    time_scale=10.0,
    lost_region=SECONDARY,
    took_over=PRIMARY,
    phases=phases(
        (Phase.LOCK, 0.1, None, ""),
        (Phase.RECORD, 0.6, None, "1 original value"),
        (Phase.STEADY_BEFORE, 5.9, None, "45 probes"),
        (Phase.LOAD, 10.0, 10.0, "50 payments acknowledged"),
        (Phase.INJECT, 0.1, None, "health check inverted"),
        (Phase.UNHEALTHY, 0.8, 1.0, ""),
        (Phase.HOLD, 30.1, 30.0, ""),
        (Phase.RESTORE, 0.1, None, "health check as it was"),
        (Phase.HEALTHY, 1.3, 1.0, ""),
        (Phase.CAUGHT_UP, 1.4, 10.0, ""),
        (Phase.STEADY_AFTER, 6.6, None, "45 probes"),
        (Phase.RECONCILE, 39.2, None, "251 payments"),
    ),
    marks=(
        Mark(16.6, "health-check: the health check of us-west-2 is inverted"),
        Mark(47.6, "health-check: put back"),
    ),
    answers=PERFECT.answers[:1],
    load=load(ticks(range(6, 57), lambda second: ({PRIMARY: 5}, 0)), 1.0, 0.3),
    reconciliation=Reconciliation(255, 255, {PaymentOutcome.RECORDED: 255}, removed=255),
    recovery=RecoveryTime(1.0, 1.0, None, 3.5, 6.6, 6, 6, False, 1, 0),
    objectives=PERFECT.objectives[1:],
    command="payinfra failover-drill --env demo --local --reverse --yes",
)

PAUSED = replace(
    REVERSED,
    id="20261123T141500Z-2222",
    began=datetime(2026, 11, 23, 14, 15, tzinfo=UTC),
    scenarios=(Scenario.REPLICATION_PAUSE,),
    reverse=False,
    time_scale=1.0,
    lost_region=PRIMARY,
    took_over=SECONDARY,
    phases=phases(
        (Phase.LOCK, 0.1, None, ""),
        (Phase.RECORD, 0.2, None, ""),
        (Phase.STEADY_BEFORE, 5.9, None, "45 probes"),
        (Phase.LOAD, 10.0, 10.0, "50 payments acknowledged"),
        (Phase.INJECT, 0.1, None, "replication paused"),
        (Phase.HOLD, 30.1, 30.0, ""),
        (Phase.RESTORE, 0.1, None, "replication resumed"),
        (Phase.CAUGHT_UP, 11.4, 10.0, "the backlog of 151 payments is through"),
        (Phase.STEADY_AFTER, 6.6, None, "45 probes"),
        (Phase.RECONCILE, 31.8, None, "251 payments"),
    ),
    marks=(Mark(16.3, "replication-pause: nothing is replicated"), Mark(46.4, "replication-pause: resumed")),
    load=load(ticks(range(6, 57), lambda second: ({PRIMARY: 3, SECONDARY: 2}, 0)), 1.0, 0.3),
    reconciliation=Reconciliation(
        255, 255, {PaymentOutcome.RECORDED: 104, PaymentOutcome.DELAYED: 151}, removed=255
    ),
    recovery=RecoveryTime(0.0, 0.0, None),
    objectives=PERFECT.objectives[3:],
    evidence=(FaultEvidence("replication-pause", "a payment that stays", 28, 17.9, None, 46.0),),
    survivor=SurvivorReading(SECONDARY, 46.4, 151, 148, 29.0),
    resilience=Judgement.INCONCLUSIVE,
    doubts=(
        Doubt("The machine was busy.", "Drill on a machine that has less to do."),
        Doubt("Not judged: acknowledged at the first attempt: 80.0 %; the objective is 99.0 %."),
    ),
    command="payinfra failover-drill --env demo --local --scenario replication-pause --yes",
)

ALL = {
    "perfect": PERFECT,
    "failed": FAILED,
    "aborted": ABORTED,
    "reversed": REVERSED,
    "paused": PAUSED,
}


@pytest.fixture
def samples() -> Mapping[str, DrillReport]:
    """One report of each kind, by its kind."""
    return ALL


@pytest.fixture(params=sorted(ALL))
def sample(request: pytest.FixtureRequest) -> DrillReport:
    """Each of them."""
    return ALL[str(request.param)]


@pytest.fixture
def perfect() -> DrillReport:
    """A drill in which everything went as it should."""
    return PERFECT


@pytest.fixture
def failed() -> DrillReport:
    """A drill in which nothing did, and whose faults are still in place."""
    return FAILED


@pytest.fixture
def aborted() -> DrillReport:
    """A drill that was broken off and restored."""
    return ABORTED
