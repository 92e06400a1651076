"""The two verdicts: whether the system held, and whether everything is as it was."""

from collections.abc import Sequence
from dataclasses import dataclass

from payinfra.drill.model import Attempt, Judgement, PaymentOutcome, Reconciliation, RecoveryTime, Restoration
from payinfra.drill.prediction import Prediction

_FATAL = {
    PaymentOutcome.LOST: "was acknowledged and is in no region",
    PaymentOutcome.DUPLICATED: "is there more than once",
    PaymentOutcome.DIVERGED: "is not the same in both regions",
}


@dataclass(frozen=True)
class DrillEvidence:
    """What the verdicts stand on.

    Attributes:
        aborted: why the drill did not go its whole way; empty where it did.
        reckoning: None where the payments could not be read.
        unsteady: what was not as it should be once the fault was gone.
        silent: the regions that should have kept serving all along, and did not.
    """

    prediction: Prediction
    recovery: RecoveryTime
    rpo: int
    reckoning: Reconciliation | None
    restoration: Restoration
    unsteady: tuple[str, ...]
    aborted: str
    silent: tuple[str, ...]


@dataclass(frozen=True)
class DrillVerdict:
    """Both judgements, and a sentence for each reason why one is FAIL."""

    resilience: Judgement
    restored: Judgement
    reasons: tuple[str, ...]


def judge(evidence: DrillEvidence) -> DrillVerdict:
    """The verdicts."""
    weak = (*_not_resilient(evidence),)
    left = (*evidence.restoration.left, *evidence.unsteady)
    return DrillVerdict(_of(weak), _of(left), weak + left)


def _of(reasons: Sequence[str]) -> Judgement:
    return Judgement.FAILED if reasons else Judgement.PASSED


def _not_resilient(evidence: DrillEvidence) -> list[str]:
    reasons = [evidence.aborted] if evidence.aborted else []
    recovery = evidence.recovery
    if recovery.measured_s is not None and recovery.measured_s > recovery.objective_s:
        reasons.append(
            f"Recovery took {recovery.measured_s:.1f} s; the objective is {recovery.objective_s:.1f} s."
        )
    if evidence.prediction.moves and recovery.measured_s is None and not evidence.aborted:
        reasons.append("The other region never served.")
    reasons += (f"{region} did not serve all along." for region in evidence.silent)
    if evidence.reckoning is None:
        reasons.append("The payments were not read back: nobody knows yet whether one was lost.")
    else:
        reasons += _losses(evidence.reckoning, evidence.rpo)
    return reasons


def _losses(reckoning: Reconciliation, rpo: int) -> list[str]:
    reasons = []
    for fate, what in _FATAL.items():
        count = reckoning.count(fate)
        if count > (rpo if fate is PaymentOutcome.LOST else 0):
            some = f" Among them: {', '.join(reckoning.examples)}." if reckoning.examples else ""
            reasons.append(f"{count} payment{'s' if count > 1 else ''}: each {what}.{some}")
    if not reckoning.acknowledged:
        reasons.append("No payment was acknowledged at all.")
    return reasons


def served_between(attempts: Sequence[Attempt], begin_s: float, end_s: float) -> frozenset[str]:
    """The regions that acknowledged a payment that was sent between two moments."""
    return frozenset(
        attempt.region for attempt in attempts if attempt.result.good and begin_s <= attempt.at_s <= end_s
    )
