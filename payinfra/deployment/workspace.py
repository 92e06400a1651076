"""What works on an environment's state holds it locked, and reports its stages."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from payinfra.clients.aws import Aws
from payinfra.core.outputs import Outputs
from payinfra.terraform import OutputValue, Plan, Terraform

Confirm = Callable[[Plan], bool]
"""Asked with a plan that changes something; False stops the command before anything is changed."""


@dataclass
class RunningStage:
    """A stage under way; `detail` is the short phrase that its end is reported with."""

    detail: str = ""


@dataclass(frozen=True)
class LockedEnvironment:
    """A locked, deployed environment, with everything to work on its state.

    Attributes:
        manifest: the stack's cdk.tf.json, synthesized now.
        plan_file: where plans of it are kept.
        keep: writes outputs to the environment's file and to the latest copy.
        stage: reports a stage of the work, from its start to its end.
    """

    outputs: Outputs
    aws: Aws
    terraform: Terraform
    manifest: Path
    plan_file: Path
    keep: Callable[[Mapping[str, OutputValue]], Outputs]
    stage: Callable[[str], AbstractContextManager[RunningStage]]
