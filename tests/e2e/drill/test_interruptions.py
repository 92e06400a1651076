"""A drill that is interrupted at any phase puts everything back; the stage holds it to that."""

from typing import TYPE_CHECKING

import pytest

from tests.e2e.drill.conftest import HARMFUL, HARMFUL_PHASES, PHASES

if TYPE_CHECKING:
    from tests.e2e.drill.conftest import Stage


@pytest.mark.parametrize("phase", PHASES)
def test_an_interrupted_drill_puts_everything_back_itself(stage: "Stage", phase: str) -> None:
    stage.interrupt(phase)


@pytest.mark.parametrize("phase", HARMFUL_PHASES)
@pytest.mark.parametrize("scenario", HARMFUL)
def test_what_does_harm_is_put_back_too(stage: "Stage", scenario: str, phase: str) -> None:
    stage.interrupt(phase, "--scenario", scenario)
