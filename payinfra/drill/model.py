"""What a drill is asked, what it says while it runs, and what it comes to: frozen values, nothing else.

Times within a drill are seconds of real time since it began; `time_scale` says how many times faster than
real the embedded AWS ran meanwhile. Nothing in these values is sensitive.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

REPORT_VERSION = 1
"""Raised when a field of `DrillReport` is renamed or removed, not when one is added."""


class Scenario(StrEnum):
    """The faults that payinfra ships, for callers whose type checker should know their names.

    A drill takes the name of any fault of `payinfra.drill.faults`; a new one need not be listed here.
    """

    HEALTH_CHECK = "health-check"
    LAMBDA_THROTTLE = "lambda-throttle"
    REPLICATION_PAUSE = "replication-pause"
    REGION_OUTAGE = "region-outage"


class Phase(StrEnum):
    """What a drill goes through, in this order; which of them it waits for, the scenario says."""

    LOCK = "lock"
    RECORD = "record"
    STEADY_BEFORE = "steady state"
    LOAD = "load"
    INJECT = "inject"
    FIRST_FAILURE = "first failure seen"
    UNHEALTHY = "health check unhealthy"
    SWITCHED = "DNS switched"
    SERVING = "other region serving"
    HOLD = "hold"
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


@dataclass(frozen=True)
class DrillRequest:
    """What a person asks for.

    Attributes:
        scenarios: names of faults, injected together, in this order; restored in the opposite one.
        reverse: lose the secondary instead of the primary.
        rate: payments a second.
        rto_s: the recovery time that must not be exceeded; None takes the prediction.
        rpo: how many acknowledged payments may be lost.
        warm_up_s: how long payments are sent at least before anything is injected.
        hold_s: how long the other region serves before the fault is taken away.
        in_a_row: how many payments in a row count as serving: here before, and there after it.
        time_scale: how many times faster than real time the embedded AWS runs; 1 on AWS.
    """

    scenarios: tuple[str, ...] = (Scenario.HEALTH_CHECK.value,)
    reverse: bool = False
    rate: float = 5.0
    rto_s: float | None = None
    rpo: int = 0
    warm_up_s: float = 10.0
    hold_s: float = 30.0
    in_a_row: int = 10
    time_scale: float = 1.0


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
    """

    key: str
    number: int
    at_s: float
    seconds: float
    region: str
    status: int
    result: Result
    again: bool = False


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
    """

    sent: int
    acknowledged: int
    counts: Mapping[PaymentOutcome, int]
    examples: tuple[str, ...] = ()
    removed: int = 0
    not_removed: tuple[str, ...] = ()
    resent: int = 0

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
    """A recovery time beside what was predicted and allowed, in seconds.

    Attributes:
        measured_s: from the injection until the other region served; None if it never did, or if the
            scenario does not make it take over.
    """

    predicted_s: float
    objective_s: float
    measured_s: float | None


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
    reckoning: Reconciliation | None
    recovery: RecoveryTime
    rpo: int
    restoration: Restoration
    resilience: Judgement
    restored: Judgement
    reasons: tuple[str, ...]
    aborted: str
    command: str

    @property
    def passed(self) -> bool:
        """Whether both verdicts are PASS."""
        return self.resilience is Judgement.PASSED and self.restored is Judgement.PASSED


@dataclass(frozen=True)
class Restored:
    """A drill that did not end, and what its restoration came to.

    Attributes:
        reckoning: None where it had sent nothing yet.
        problem: why its payments could not be read; empty where they could.
    """

    drill: str
    restoration: Restoration
    reckoning: Reconciliation | None
    problem: str = ""

    @property
    def whole(self) -> bool:
        """Whether nothing of it is left."""
        not_removed = self.reckoning.not_removed if self.reckoning else ()
        return not (self.restoration.left or self.problem or not_removed)
