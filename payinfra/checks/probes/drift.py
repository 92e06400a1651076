"""Drift: what Terraform would change in what was deployed, as a probe's findings."""

from collections.abc import Sequence
from dataclasses import dataclass

from payinfra.checks.probes.results import ProbeResult
from payinfra.checks.verdicts import Rule, Severity, Verdict

DRIFT = Rule(
    id="LIVE-DRIFT-001",
    title="What was deployed is as the stack declares it",
    severity=Severity.HIGH,
    risk="The next deployment undoes what somebody did, or stumbles over it.",
    fix="Deploy again to undo it, or bring it into the stack.",
)


@dataclass(frozen=True)
class Difference:
    """A resource that Terraform would change, and how."""

    address: str
    action: str


def judge(where: str, differences: Sequence[Difference], seconds: float) -> ProbeResult:
    """The drift that one plan found, with how long it took."""
    verdicts = tuple(
        Verdict.failed(f"it is not as the stack declares it: Terraform would {each.action} it", each.address)
        for each in differences
    )
    return ProbeResult(DRIFT, where, verdicts or (Verdict.passed(),), seconds)
