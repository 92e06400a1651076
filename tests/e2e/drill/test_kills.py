"""A drill that is killed at any phase is restored from its journal; the stage holds it to that."""

from typing import TYPE_CHECKING

import pytest

from tests.e2e.drill.conftest import HARMFUL, HARMFUL_PHASES, PHASES

if TYPE_CHECKING:
    from tests.e2e.drill.conftest import Stage


@pytest.mark.parametrize("phase", PHASES)
def test_a_killed_drill_is_restored_from_its_journal(stage: "Stage", phase: str) -> None:
    stage.kill(phase)


@pytest.mark.parametrize("phase", HARMFUL_PHASES)
@pytest.mark.parametrize("scenario", HARMFUL)
def test_what_does_harm_is_put_back_too(stage: "Stage", scenario: str, phase: str) -> None:
    stage.kill(phase, "--scenario", scenario)
