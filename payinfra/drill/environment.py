"""Where a drill takes place."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from payinfra.checks.outcome import Outcome
    from payinfra.checks.probes.results import VerifyRequest
    from payinfra.clients.aws import Aws
    from payinfra.core.outputs import Outputs
    from payinfra.local.control import Control

Return = Callable[[str, float, float, Callable[[str], None]], tuple[str, ...]]
"""Returns to an evacuated region as `payinfra return` does, and gives the problems, each in a sentence. Its
arguments: the region, for how many seconds it may wait, the time scale, and what is told of each step."""

COMMAND = "failover-drill"
FOLDER = "drills"
"""The folder, in an environment's work folder, that has a folder for each drill."""


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
