"""What a drill is asked, what it says while it runs, and what it comes to: frozen values, nothing else.

Times within a drill are seconds of real time since it began; `time_scale` says how many times faster than
real the embedded AWS ran meanwhile. Nothing in these values is sensitive.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

REPORT_VERSION = 2
"""Raised when a field of `DrillReport` is renamed or removed, not when one is added."""


DEFAULT_RATE = 5.0
"""Payments a second where nothing else is asked for."""
LATENCY_FLOOR_S = 1.0
"""The least 95th percentile of latency that is held against a survivor unless a person states another."""


class Scenario(StrEnum):
    """The faults that payinfra ships, for callers whose type checker should know their names.

    A drill takes the name of any fault of `payinfra.drill.faults`; a new one need not be listed here.
    """

    HEALTH_CHECK = "health-check"
    LAMBDA_THROTTLE = "lambda-throttle"
    REPLICATION_PAUSE = "replication-pause"
    REGION_OUTAGE = "region-outage"
    EVACUATION = "evacuation"


class LoadEngine(StrEnum):
    """What sends a drill's payments."""

    EMBEDDED = "embedded"
    """payinfra's own generator, in the drill's process."""
    LOCUST = "locust"
    """Locust's users, in processes of their own, here or on other machines."""


class Phase(StrEnum):
    """What a drill goes through, in this order; which of them it waits for, the scenario says."""

    LOCK = "lock"
    RECORD = "record"
    STEADY_BEFORE = "steady state"
    LOAD = "load"
    INJECT = "inject"
    TAKES_EFFECT = "fault takes effect"
    FIRST_FAILURE = "first failure seen"
    UNHEALTHY = "health check unhealthy"
    SWITCHED = "DNS switched"
    SERVING = "other region serving"
    HOLD = "hold"
    ALARMS = "alarms ring"
    RETURN = "return"
    RESTORE = "restore"
    HEALTHY = "health check healthy"
    DNS_BACK = "DNS back"
    CAUGHT_UP = "replication caught up"
    STEADY_AFTER = "steady state again"
    RECONCILE = "reconcile"


class Judgement(StrEnum):
    """A verdict of the drill."""

    PASSED = "PASS"
    FAILED = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    """Nothing was proved: neither that it holds nor that it does not."""


@dataclass(frozen=True)
class DrillRequest:
    """What a person asks for.

    Attributes:
        scenarios: names of faults, injected together, in this order; restored in the opposite one.
        reverse: lose the secondary instead of the primary.
        rate: payments a second; None takes what the machine can carry on the embedded AWS, and
            `DEFAULT_RATE` on AWS.
        rto_s: the recovery time that no client may exceed; None takes the prediction.
        rpo: how many payments that were acknowledged before the loss the survivor may lack at the failover.
        rpo_s: how old the oldest of these may be, in seconds; None sets no limit.
        unacknowledged: how many payments may never be acknowledged.
        first_attempt: the share of payments, 0 to 1, that must succeed at the first attempt while the
            survivor serves.
        latency_s: the 95th percentile of latency that must not be exceeded meanwhile; None allows
            three times what it was before the fault, and `LATENCY_FLOOR_S` at least.
        warm_up_s: how long payments are sent at least before anything is injected.
        hold_s: how long the other region serves before the fault is taken away.
        in_a_row: how many payments in a row count as serving: here before, and there after it.
        time_scale: how many times faster than real time the embedded AWS runs; 1 on AWS.
        load: what sends the payments.
        workers: how many processes of Locust send them.
        listen: `HOST:PORT` for workers that are started on other machines; empty to start all here.
        locustfile: a company's own users of Locust; None for the drill's.
    """

    scenarios: tuple[str, ...] = (Scenario.HEALTH_CHECK.value,)
    reverse: bool = False
    rate: float | None = None
    rto_s: float | None = None
    rpo: int = 0
    warm_up_s: float = 10.0
    hold_s: float = 30.0
    in_a_row: int = 10
    time_scale: float = 1.0
    rpo_s: float | None = None
    unacknowledged: int = 0
    first_attempt: float = 0.99
    latency_s: float | None = None
    load: LoadEngine = LoadEngine.EMBEDDED
    workers: int = 2
    listen: str = ""
    locustfile: Path | None = None

    @property
    def payments_a_second(self) -> float:
        """The rate that was asked for, or the one that is taken where none was."""
        return DEFAULT_RATE if self.rate is None else self.rate


# -- what is said while it runs ----------------------------------------------------------------------------


@dataclass(frozen=True)
class PhaseBegan:
    """A phase began. `predicted_s` is how long it should take; None where nothing is predicted."""

    phase: Phase
    at_s: float
    predicted_s: float | None = None


@dataclass(frozen=True)
class PhaseEnded:
    """A phase ended, after `seconds`, with what it was for or without; `detail` is one short phrase."""

    phase: Phase
    at_s: float
    seconds: float
    detail: str = ""
    failed: bool = False


@dataclass(frozen=True)
class Mark:
    """Something that was seen or done at one moment: an injection, an answer of a name server, a failure."""

    at_s: float
    what: str


@dataclass(frozen=True)
class Snapshot:
    """The drill at one moment, about twice a second.

    Attributes:
        by_region: payments that each region acknowledged so far.
        failures: attempts that failed or were not answered so far.
        in_flight: attempts that wait for an answer.
        leads_to: the region that the name leads to now; empty where it has no answer.
    """

    at_s: float
    by_region: Mapping[str, int]
    failures: int
    in_flight: int
    leads_to: str


DrillEvent = PhaseBegan | PhaseEnded | Mark | Snapshot
Tell = Callable[[DrillEvent], None]


def tell_nobody(_event: DrillEvent) -> None:
    """A `Tell` for callers that watch nothing."""


# -- payments ----------------------------------------------------------------------------------------------


class Result(StrEnum):
    """What one attempt at a payment came to."""

    ACKNOWLEDGED = "acknowledged"
    REPLAYED = "replayed"
    REFUSED = "refused"
    """The API said no: a 4xx that asking again would not change."""
    FAILED = "failed"
    """A 429, a 5xx, or a 409 that says that the payment is still under way."""
    SILENT = "silent"
    """No connection, or no answer in time."""

    @property
    def good(self) -> bool:
        """Whether the payment is recorded, as far as its client knows."""
        return self in (Result.ACKNOWLEDGED, Result.REPLAYED)


@dataclass(frozen=True)
class Attempt:
    """One request for a payment.

    Attributes:
        key: its Idempotency-Key; the same for every attempt at one payment.
        number: 1 for the first attempt.
        at_s: when it was sent.
        seconds: until the answer, or until nobody waited any more.
        region: who answered; empty where nobody did.
        status: the HTTP status; 0 where nobody answered.
        again: whether the payment had been acknowledged before, and was sent once more on purpose.
        client: which of the load's clients sent it.
    """

    key: str
    number: int
    at_s: float
    seconds: float
    region: str
    status: int
    result: Result
    again: bool = False
    client: int = 0


class PaymentOutcome(StrEnum):
    """What became of a payment, once replication had caught up."""

    RECORDED = "recorded"
    """Acknowledged, and there once, identical in both regions."""
    DELAYED = "delayed"
    """As RECORDED, but a region did not have it at the first reading."""
    LOST = "lost"
    """Acknowledged, and in no region."""
    DUPLICATED = "duplicated"
    """More than one payment under one key in a region."""
    DIVERGED = "diverged"
    """Acknowledged, and the regions do not have the same."""
    UNACKNOWLEDGED = "unacknowledged"
    """Never acknowledged: whether it is there or not, its client knows that it does not know."""


@dataclass(frozen=True)
class AuditObjectCounts:
    """What became of the audit objects of acknowledged payments.

    Attributes:
        expected: acknowledged payments; each must have left one.
        in_both: those whose object is in both regions' buckets.
        in_one: those whose object is in one bucket only.
        missing: those that have none anywhere.
        examples: ids of payments without an object; at most twenty.
        removed: objects that were removed afterwards.
        not_removed: keys of those that could not be.
    """

    expected: int
    in_both: int
    in_one: int
    missing: int
    examples: tuple[str, ...] = ()
    removed: int = 0
    not_removed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reconciliation:
    """What became of the payments.

    Attributes:
        sent: payments, not attempts.
        acknowledged: those whose client got a 200 or 201.
        counts: payments by outcome; each payment has exactly one.
        examples: the ids of payments whose outcome is a loss, a double or a difference; at most twenty.
        removed: payments that were taken out of the table afterwards.
        not_removed: ids of those that could not be.
        resent: payments that were sent again after they had been acknowledged.
        accepted_twice: payments that were accepted as new more than once.
        audit: what became of their audit objects; None where they could not be read, or were not.
        audit_problem: why they could not be read; empty where they could.
    """

    sent: int
    acknowledged: int
    counts: Mapping[PaymentOutcome, int]
    examples: tuple[str, ...] = ()
    removed: int = 0
    not_removed: tuple[str, ...] = ()
    resent: int = 0
    accepted_twice: int = 0
    audit: AuditObjectCounts | None = None
    audit_problem: str = ""

    def count(self, outcome: PaymentOutcome) -> int:
        """Payments with this outcome."""
        return self.counts.get(outcome, 0)


# -- what it comes to --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PhaseTiming:
    """A phase as it was: its begin, its length, and the length that was predicted where one was."""

    phase: Phase
    began_s: float
    seconds: float
    predicted_s: float | None = None
    detail: str = ""


@dataclass(frozen=True)
class Latency:
    """Seconds from an acknowledged attempt's start to its answer, in percentiles; of `count` attempts."""

    count: int
    p50: float
    p95: float
    p99: float
    worst: float


@dataclass(frozen=True)
class Tick:
    """One second of load.

    Attributes:
        at_s: the second's beginning.
        good: attempts that were acknowledged, by the region that answered.
        bad: attempts that were refused, failed or not answered.
        p50_s, p95_s: latency of the good ones; None where there were none.
    """

    at_s: float
    good: Mapping[str, int]
    bad: int
    p50_s: float | None = None
    p95_s: float | None = None


@dataclass(frozen=True)
class Load:
    """The load, in figures.

    Attributes:
        availability: the share of payments' first attempts between injection and the end of restoration
            that were acknowledged, 0 to 1.
        longest_gap_s: the longest time in which nothing was acknowledged, from injection on.
        rate: payments a second that were really begun.
        before, during, after: latency before the injection, until the fault was taken away, and afterwards;
            None where nothing was acknowledged.
    """

    attempts: int
    availability: float
    longest_gap_s: float
    rate: float
    before: Latency | None
    during: Latency | None
    after: Latency | None
    ticks: tuple[Tick, ...]


@dataclass(frozen=True)
class RecoveryTime:
    """Recovery times of the load's clients beside what was predicted and allowed, in seconds.

    A client has recovered with the first payment that the other region acknowledged to it, counted from the
    injection. Each asks for the name at its own moment, so that the times are spread over the TTL.

    Attributes:
        measured_s: of the last client; None if one never recovered, or if nobody has to.
        p50_s, p95_s: of half of the clients, and of 95 in 100; None likewise.
        clients: how many there were; 0 in reports of version 1, which knew one only.
        recovered: how many of them did.
        is_recovery: whether the region really failed; otherwise the times only say when clients moved.
        kept_connections: clients beside these that never ask for the name while their connection answers.
        kept_recovered: how many of those recovered.
    """

    predicted_s: float
    objective_s: float
    measured_s: float | None
    p50_s: float | None = None
    p95_s: float | None = None
    clients: int = 0
    recovered: int = 0
    is_recovery: bool = True
    kept_connections: int = 0
    kept_recovered: int = 0


@dataclass(frozen=True)
class SurvivorReading:
    """What the survivor alone had at the moment of failover: what a region that never returns takes with it.

    Attributes:
        region: the survivor.
        at_s: when it was read.
        acknowledged: payments that were acknowledged before the loss.
        missing: those of them that were not in the survivor.
        oldest_s: how long before the loss the oldest of these was acknowledged; 0 where none is missing.
        examples: ids of missing payments; at most twenty.
    """

    region: str
    at_s: float
    acknowledged: int
    missing: int
    oldest_s: float = 0.0
    examples: tuple[str, ...] = ()


class Unit(StrEnum):
    """What an objective counts in."""

    SECONDS = "s"
    PAYMENTS = "payments"
    SHARE = "share"


@dataclass(frozen=True)
class Objective:
    """What was asked of the system, and what was measured.

    Attributes:
        name: what is measured, in words.
        measured: None where it could not be.
        objective: the limit; None where the person set none.
        at_least: whether the limit is the least that is good, and not the most.
        timed: whether the measurement depends on how fast the machine was.
    """

    name: str
    unit: Unit
    measured: float | None
    objective: float | None
    at_least: bool = False
    timed: bool = True

    @property
    def met(self) -> bool | None:
        """Whether it was; None where that cannot be said."""
        if self.measured is None or self.objective is None:
            return None
        return self.measured >= self.objective if self.at_least else self.measured <= self.objective


@dataclass(frozen=True)
class Doubt:
    """Why a drill proves nothing, in a sentence, and what to do about that."""

    what: str
    next_step: str = ""


@dataclass(frozen=True)
class FaultEvidence:
    """What showed that a fault was in effect.

    Attributes:
        fault: its name.
        sign: what was looked at.
        looks: how often that was.
        took_effect_s: when it was seen first; None where it never was.
        ended_s: when it was seen no more although it was still to be held; None where that did not happen.
        last_s: when it was seen last.
    """

    fault: str
    sign: str
    looks: int
    took_effect_s: float | None
    ended_s: float | None = None
    last_s: float | None = None


class AlarmExpectation(StrEnum):
    """What an alarm has to do while a region is lost."""

    MUST_RING = "must ring"
    MAY_RING = "may ring"
    MUST_NOT_RING = "must not ring"


@dataclass(frozen=True)
class AlarmRecord:
    """An alarm during a drill.

    Attributes:
        rang_s: when it was first seen to ring; None where it was not.
        within_s: how long after the injection it has to; None where it need not.
    """

    name: str
    region: str
    expectation: AlarmExpectation
    rang_s: float | None = None
    within_s: float | None = None


@dataclass(frozen=True)
class MachineLoad:
    """How busy the machine was from the injection to the end of the restoration.

    If that is shorter than alarms look back, or than ten seconds, what was before it counts as well.

    Attributes:
        lag_p95_s, lag_worst_s: how late payments were begun, measured against their schedule.
        waiting_share: the share of time, 0 to 1, in which some process waited for a processor; None where the
            operating system does not say.
        answer_p95_s: how long the embedded AWS's control port took to answer; None on AWS.
    """

    lag_p95_s: float
    lag_worst_s: float
    waiting_share: float | None = None
    answer_p95_s: float | None = None


@dataclass(frozen=True)
class Restoration:
    """Whether everything is as it was.

    Attributes:
        undone: what was put back, in words.
        left: what is not put back, in words, with what to do about each.
        watchdog: whether something outside of this process was ready to lift the fault, and what.
    """

    undone: tuple[str, ...]
    left: tuple[str, ...]
    watchdog: str = ""


@dataclass(frozen=True)
class DrillReport:
    """What a drill came to.

    Attributes:
        id: begins with the UTC time at which it began; sorts in time.
        lost_region: the region that was made to fail.
        took_over: the region that was to serve.
        aborted: why it did not go its whole way; empty where it did.
        reasons: why a verdict is FAIL, each in a sentence; empty where both are PASS.
        answers: each change of what the zone's name servers said.
        command: what repeats it.
        doubts: why a verdict is INCONCLUSIVE.
        objectives: what was asked, beside what was measured.
        survivor: what the survivor alone had at the failover; None where that was not read.
        evidence: what showed that each fault was in effect.
        alarms: what each alarm that matters did.
        machine: how busy the machine was; None in reports of version 1.
    """

    version: int
    id: str
    env: str
    target: str
    scenarios: tuple[str, ...]
    reverse: bool
    time_scale: float
    began: datetime
    seconds: float
    lost_region: str
    took_over: str
    phases: tuple[PhaseTiming, ...]
    marks: tuple[Mark, ...]
    answers: tuple[Mark, ...]
    load: Load
    reconciliation: Reconciliation | None
    recovery: RecoveryTime
    rpo: int
    restoration: Restoration
    resilience: Judgement
    restored: Judgement
    reasons: tuple[str, ...]
    aborted: str
    command: str
    doubts: tuple[Doubt, ...] = ()
    objectives: tuple[Objective, ...] = ()
    survivor: SurvivorReading | None = None
    evidence: tuple[FaultEvidence, ...] = ()
    alarms: tuple[AlarmRecord, ...] = ()
    machine: MachineLoad | None = None

    @property
    def passed(self) -> bool:
        """Whether both verdicts are PASS."""
        return self.resilience is Judgement.PASSED and self.restored is Judgement.PASSED


@dataclass(frozen=True)
class Restored:
    """A drill that did not end, and what its restoration came to.

    Attributes:
        reconciliation: None where it had sent nothing yet.
        problem: why its payments could not be read; empty where they could.
    """

    drill: str
    restoration: Restoration
    reconciliation: Reconciliation | None
    problem: str = ""

    @property
    def whole(self) -> bool:
        """Whether nothing of it is left."""
        not_removed = self.reconciliation.not_removed if self.reconciliation else ()
        return not (self.restoration.left or self.problem or not_removed)
