"""Where a drill takes place."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from payinfra.checks.outcome import Outcome
    from payinfra.checks.probes.results import VerifyRequest
    from payinfra.clients.aws import Aws
    from payinfra.core.outputs import Outputs
    from payinfra.local.control import Control

COMMAND = "failover-drill"
FOLDER = "drills"
"""The folder, in an environment's work folder, that has a folder for each drill."""


class Return(Protocol):
    """Returns to an evacuated region as `payinfra return` does."""

    def __call__(
        self, region: str, within_s: float, *, time_scale: float, tell: Callable[[str], None]
    ) -> tuple[str, ...]:
        """Return, and give the problems, each in a sentence.

        Args:
            within_s: how long it may wait, in seconds.
            time_scale: of the embedded AWS; 1 on AWS.
            tell: told of each step.
        """


@dataclass(frozen=True)
class DrillEnvironment:
    """Where a drill takes place.

    Attributes:
        target: `aws` or `local`.
        control: of the embedded AWS; None on AWS.
        work_dir: the environment's.
        verify: probes it.
        shared: a folder that all environments of one embedded AWS have in common; None on AWS.
        bring_back: returns to a region that the drill has evacuated; None only lifts the flag.
    """

    target: str
    outputs: "Outputs"
    aws: "Aws"
    control: "Control | None"
    work_dir: Path
    verify: "Callable[[VerifyRequest], Outcome]"
    shared: Path | None = None
    bring_back: Return | None = None

    @property
    def env(self) -> str:
        """The environment."""
        return self.outputs.environment_suffix

    @property
    def on_aws(self) -> bool:
        """Whether it is AWS itself."""
        return self.control is None

    @property
    def drills(self) -> Path:
        """The folder that holds a folder for each drill."""
        return self.work_dir / FOLDER
