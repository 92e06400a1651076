"""A drill that is killed at any phase is restored from its journal; the stage holds it to that."""

import json
import os
from typing import TYPE_CHECKING

import pytest

from tests.e2e.drill.conftest import HARMFUL, HARMFUL_PHASES, PHASES

if TYPE_CHECKING:
    from tests.e2e.drill.conftest import Stage

EVACUATED = ("inject", "DNS switched", "hold", "restore")
"""The further phases of an evacuation at which `make fault-matrix` kills a drill."""


@pytest.mark.parametrize("phase", PHASES)
def test_a_killed_drill_is_restored_from_its_journal(stage: "Stage", phase: str) -> None:
    stage.kill(phase)


@pytest.mark.parametrize("phase", HARMFUL_PHASES)
@pytest.mark.parametrize("scenario", HARMFUL)
def test_what_does_harm_is_put_back_too(stage: "Stage", scenario: str, phase: str) -> None:
    stage.kill(phase, "--scenario", scenario)


@pytest.mark.parametrize("phase", ["return", *(EVACUATED if os.environ.get("FAULT_MATRIX") else ())])
def test_a_drill_that_is_killed_while_a_region_is_evacuated_leaves_no_flag(
    stage: "Stage", phase: str
) -> None:
    stage.kill(phase, "--scenario", "evacuation")


def test_a_real_evacuation_outlives_a_killed_drill_and_its_restoration(stage: "Stage") -> None:
    """The region is lost while it is drilled: a person evacuates it, and no restoration brings it back."""
    project, region = stage.deployment.project, stage.deployment.region("primary")
    where = (region, "--env", stage.deployment.env, "--local", "--yes", "--format", "json")
    process = stage.reach("hold", "--scenario", "evacuation")
    process.kill()
    process.communicate()
    evacuated = project.run("evacuate", *where)
    assert evacuated.returncode == 0, evacuated.stderr
    restored = stage.restore()
    assert restored.returncode == 0, restored.stdout + restored.stderr
    flag = json.loads(stage.situation()["secondary"]["flag"])
    assert flag["region"] == region
    assert not {"drill", "until"} & flag.keys()
    assert project.run("return", *where).returncode == 0
    stage.verify()
