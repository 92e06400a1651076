"""The environment of `outputs` as a place of drills, on an embedded AWS in memory."""

from pathlib import Path
from typing import Any

from payinfra.core.outputs import Outputs
from payinfra.drill.environment import DrillEnvironment
from tests.support.drilled import FakeCloud, FakeCloudAws
from tests.unit.checks.probes.conftest import outputs


def place(folder: Path, world: FakeCloud | None = None, found: Outputs | None = None) -> DrillEnvironment:
    nobody: Any = None
    there = world or FakeCloud()

    class Here(FakeCloudAws):
        """Also with other time-outs it is this world's."""

        world = there

    return DrillEnvironment("local", found or outputs(), Here(), there.control(), folder, nobody)
