"""What the stages come to: frozen values that reporters draw. Nothing in them is sensitive."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from payinfra.checks.outcome import Outcome
from payinfra.checks.verdicts import Severity
from payinfra.core.errors import ExitCode, GateFailed
from payinfra.core.outputs import Outputs
from payinfra.deployment.stack_manifest import StackInventory
from payinfra.terraform.imports import Import
from payinfra.terraform.plan import Plan

if TYPE_CHECKING:
    from payinfra.deployment.smoke_test import SmokeTestResult

PROBES_FAIL_ON = Severity.LOW
"""The severity from which a failed probe fails a deployment: the lowest, because no probe may fail."""


@dataclass(frozen=True)
class Deployed:
    """What a deployment came to; nothing in it is sensitive. `seconds` is wall time."""

    plan: Plan
    outputs: Outputs
    proofs: "tuple[SmokeTestResult, ...]"
    verified: Outcome
    seconds: float


@dataclass(frozen=True)
class Destroyed:
    """What `destroy` came to. `seconds` is wall time."""

    plan: Plan
    seconds: float


@dataclass(frozen=True)
class Adopted:
    """What `adopt` came to. `seconds` is wall time.

    Attributes:
        imports: what was taken into the state.
        refused: by address, why something under the stack's name was not.
        left_over: the ARNs of what bears the environment's tags or name and is in no state.
        plan: by the stack alone, after the adoption; empty where the environment is what the stack says.
        outputs: None where the environment is not whole, so that some are not known.
    """

    imports: tuple[Import, ...]
    refused: Mapping[str, str]
    left_over: tuple[str, ...]
    plan: Plan
    outputs: Outputs | None
    seconds: float

    @property
    def exit_code(self) -> ExitCode:
        """Not done where the environment is not what the stack says."""
        return ExitCode.GATE_FAILED if self.plan.has_changes else ExitCode.DONE


@dataclass(frozen=True)
class Synthesized:
    """A synthesized stack: the folder that holds its cdk.tf.json, and what is in it."""

    folder: Path
    inventory: StackInventory

    @property
    def manifest(self) -> Path:
        """The stack as Terraform reads it."""
        return self.folder / "cdk.tf.json"


def headline(plan: Plan) -> str:
    """The plan in one phrase."""
    if not plan.has_changes:
        return "nothing to change"
    adopted = f", {plan.adopts} to adopt" if plan.adopts else ""
    return f"{plan.add} to add, {plan.change} to change, {plan.destroy} to destroy{adopted}"


class ChecksFailed(GateFailed):
    """The policy gate said no; `outcome` has the findings."""

    def __init__(self, outcome: Outcome, fail_on: Severity) -> None:
        failing = len(outcome.failing(fail_on))
        super().__init__(
            f"{failing} finding{'s' if failing > 1 else ''} at or above {fail_on}: nothing was deployed.",
            "Mend what is named above, or waive it in payinfra-waivers.toml with a reason and an end.",
        )
        self.outcome = outcome
        self.fail_on = fail_on


class ProbesFailed(GateFailed):
    """The environment is deployed, and a probe says that it does not work; `outcome` has the findings."""

    def __init__(self, outcome: Outcome, fail_on: Severity, command: str) -> None:
        failing = len(outcome.failing(fail_on))
        super().__init__(
            f"The environment is deployed, but {failing} finding{'s' if failing > 1 else ''} of its probes "
            "say that it does not work.",
            f"Mend what is named above, then `{command}`.",
        )
        self.outcome = outcome
        self.fail_on = fail_on
