"""The two verdicts: whether the system held, and whether everything is as it was.

A verdict is evidence. What is certain whatever the machine did (a payment that is lost, there twice or
without its audit object) fails a drill. What was measured in time fails it only where nothing casts doubt on
the measurement; otherwise it is not judged, and the drill is inconclusive.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from payinfra.drill.model import (
    AlarmExpectation,
    AlarmRecord,
    Attempt,
    Doubt,
    Judgement,
    Objective,
    PaymentOutcome,
    Reconciliation,
    RecoveryTime,
    Restoration,
    Unit,
)

_FATAL = {
    PaymentOutcome.DUPLICATED: "is there more than once",
    PaymentOutcome.DIVERGED: "is not the same in both regions",
}


SHOWN = 5
"""How many ids a sentence names."""


@dataclass(frozen=True)
class DrillEvidence:
    """What the verdicts stand on.

    Attributes:
        recovers: whether clients had to recover.
        reconciliation: None where the payments could not be read.
        objectives: what was asked beside what was measured.
        unsteady: what was not as it should be once the fault was gone.
        failure: why the drill was aborted, where the system is to blame; empty where it went its whole way.
        doubts: why nothing may have been proved, be it that the fault took no effect or that nobody measured.
        excuses: what may have slowed the measurement down: they excuse what came too late, and nothing else.
        silent: the regions that should have kept serving all along, and did not.
        alarms: what each alarm that matters did.
    """

    recovers: bool
    recovery: RecoveryTime
    reconciliation: Reconciliation | None
    restoration: Restoration
    objectives: tuple[Objective, ...] = ()
    unsteady: tuple[str, ...] = ()
    failure: str = ""
    doubts: tuple[Doubt, ...] = ()
    excuses: tuple[Doubt, ...] = ()
    silent: tuple[str, ...] = ()
    alarms: tuple[AlarmRecord, ...] = ()


@dataclass(frozen=True)
class DrillVerdict:
    """Both judgements, a sentence for each reason why one is FAIL, and why one is INCONCLUSIVE."""

    resilience: Judgement
    restored: Judgement
    reasons: tuple[str, ...]
    doubts: tuple[Doubt, ...]


@dataclass
class _Findings:
    """Why a verdict is not PASS.

    Attributes:
        certain: true however slow the machine was.
        timed: true only if the machine was fast enough to measure it.
    """

    certain: list[str] = field(default_factory=list)
    timed: list[str] = field(default_factory=list)

    def judgement(self, doubts: Sequence[Doubt], excuses: Sequence[Doubt]) -> Judgement:
        if self.certain or (self.timed and not doubts and not excuses):
            return Judgement.FAILED
        if self.timed or doubts:
            return Judgement.INCONCLUSIVE
        return Judgement.PASSED


def judge(evidence: DrillEvidence) -> DrillVerdict:
    """The verdicts."""
    weak = _weaknesses(evidence)
    left = _Findings(
        [*evidence.restoration.left, *not_removed(evidence.reconciliation)], list(evidence.unsteady)
    )
    doubts, excuses = evidence.doubts, evidence.excuses
    if evidence.reconciliation is None:
        doubts = (
            *doubts,
            Doubt(
                "The payments were not read back: nobody knows yet whether one was lost.",
                "See that both regions' tables can be read, and drill again.",
            ),
        )
    resilience = weak.judgement(doubts, excuses)
    restored = left.judgement((), excuses)
    reasons: list[str] = []
    unjudged: list[str] = []
    for findings, judgement in ((weak, resilience), (left, restored)):
        reasons += findings.certain
        (reasons if judgement is Judgement.FAILED and not (doubts or excuses) else unjudged).extend(
            findings.timed
        )
    shown = doubts + (excuses if unjudged else ()) + tuple(Doubt(f"Not judged: {one}") for one in unjudged)
    return DrillVerdict(resilience, restored, tuple(reasons), shown)


def _weaknesses(evidence: DrillEvidence) -> _Findings:
    found = _Findings()
    if evidence.failure:
        found.timed.append(evidence.failure)
    if evidence.recovers and evidence.recovery.measured_s is None and not _cut_short(evidence):
        found.timed.append("The other region never served every client.")
    found.timed += (f"{region} did not serve all along." for region in evidence.silent)
    for one in evidence.objectives:
        if one.met is False:
            (found.timed if one.timed else found.certain).append(_missed(one))
    found.timed += _alarms(evidence.alarms)
    if evidence.reconciliation is not None:
        found.certain += _losses(evidence.reconciliation)
    return found


def _cut_short(evidence: DrillEvidence) -> bool:
    """Whether the drill did not get as far as a recovery."""
    return bool(evidence.failure or evidence.doubts)


def _missed(objective: Objective) -> str:
    measured, limit = (figure(one, objective.unit) for one in (objective.measured, objective.objective))
    return f"{objective.name}: {measured}; the objective is {limit}."


def figure(value: float | None, unit: Unit) -> str:
    """A measured figure or a limit as a person reads it; a dash where there is none."""
    if value is None:
        return "-"
    match unit:
        case Unit.SECONDS:
            return f"{value:.1f} s"
        case Unit.PAYMENTS:
            return f"{value:.0f}"
        case Unit.SHARE:
            return f"{value * 100:.1f} %"
        case _:
            assert_never(unit)


def _losses(reconciliation: Reconciliation) -> Iterator[str]:
    for outcome, what in _FATAL.items():
        count = reconciliation.count(outcome)
        if count:
            yield f"{_payments(count)}: each {what}.{_some(reconciliation.examples)}"
    audit = reconciliation.audit
    if audit is not None and audit.missing:
        yield (
            f"{_payments(audit.missing)} of {audit.expected} acknowledged without an audit object in either "
            f"region.{_some(audit.examples)}"
        )
    if not reconciliation.acknowledged:
        yield "No payment was acknowledged at all."


def not_removed(reconciliation: Reconciliation | None) -> Iterator[str]:
    """What is left in the tables and the buckets of the drill's payments, a sentence each."""
    if reconciliation is None:
        return
    left = reconciliation.not_removed
    if left:
        yield f"{_payments(len(left))} of the drill could not be removed.{_some(left[:SHOWN])}"
    if reconciliation.audit is not None and (count := len(reconciliation.audit.not_removed)):
        yield f"{count} audit object{'s' if count > 1 else ''} of the drill could not be removed."


def _alarms(alarms: Sequence[AlarmRecord]) -> Iterator[str]:
    for alarm in alarms:
        match alarm.expectation:
            case AlarmExpectation.MUST_RING if alarm.rang_s is None:
                within = "" if alarm.within_s is None else f" within {alarm.within_s:.0f} s"
                yield f"The alarm {alarm.name} in {alarm.region} had to ring{within}, and did not."
            case AlarmExpectation.MUST_NOT_RING if alarm.rang_s is not None:
                yield f"The alarm {alarm.name} in {alarm.region} rang, and nothing was to fail there."
            case _:
                pass


def _payments(count: int) -> str:
    return f"{count} payment{'s' if count > 1 else ''}"


def _some(examples: Sequence[str]) -> str:
    return f" Among them: {', '.join(examples)}." if examples else ""


def served_between(attempts: Sequence[Attempt], begin_s: float, end_s: float) -> frozenset[str]:
    """The regions that acknowledged a payment that was sent between two moments."""
    return frozenset(
        attempt.region for attempt in attempts if attempt.result.good and begin_s <= attempt.at_s <= end_s
    )
