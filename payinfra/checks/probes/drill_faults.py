"""What drills have left in place, as a probe's findings."""

from collections.abc import Sequence

from payinfra.checks.outcome import Outcome
from payinfra.checks.probes.results import ProbeResult
from payinfra.checks.verdicts import Kind, Rule, Severity, Verdict

DRILL_FAULTS = Rule(
    id="LIVE-DRILL-001",
    title="No drill has left anything in place",
    severity=Severity.CRITICAL,
    risk="A region that a drill made fail goes on failing, and payments with it.",
    fix="Run `payinfra failover-drill --restore --env ENV`: it finds the same without any journal.",
)


def judge(where: str, in_place: Sequence[str], unknown: Sequence[str], seconds: float) -> ProbeResult:
    """What one look found, with how long it took.

    Args:
        in_place: what is in place, each in a sentence.
        unknown: what could not be looked at, each in a sentence.
    """
    verdicts = (*map(Verdict.failed, in_place), *map(Verdict.unknown, unknown))
    return ProbeResult(DRILL_FAULTS, where, verdicts or (Verdict.passed(),), seconds)


def is_left(outcome: Outcome) -> bool:
    """Whether an outcome names something that a drill has left."""
    return any(one.id == DRILL_FAULTS.id and one.verdict is Kind.FAIL for one in outcome.findings)
