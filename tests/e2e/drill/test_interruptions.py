"""A drill that is interrupted at any phase puts everything back; the stage holds it to that."""

import signal
from typing import TYPE_CHECKING

import pytest

from tests.e2e.drill.conftest import HARMFUL, HARMFUL_PHASES, PHASES
from tests.support.terminal import Terminal

if TYPE_CHECKING:
    from tests.e2e.drill.conftest import Stage


@pytest.mark.parametrize("phase", PHASES)
def test_an_interrupted_drill_puts_everything_back_itself(stage: "Stage", phase: str) -> None:
    stage.interrupt(phase)


@pytest.mark.parametrize("phase", HARMFUL_PHASES)
@pytest.mark.parametrize("scenario", HARMFUL)
def test_what_does_harm_is_put_back_too(stage: "Stage", scenario: str, phase: str) -> None:
    stage.interrupt(phase, "--scenario", scenario)


def test_a_signal_of_a_process_manager_is_as_good_as_ctrl_c(stage: "Stage") -> None:
    stage.interrupt("hold", "--scenario", "lambda-throttle", number=signal.SIGTERM)


def test_closing_the_terminal_is_as_good_as_ctrl_c(stage: "Stage") -> None:
    stage.close_the_terminal("--scenario", "lambda-throttle")


def test_a_restoration_whose_terminal_is_closed_goes_on_to_its_end(stage: "Stage") -> None:
    killed = stage.reach("hold", "--scenario", "lambda-throttle")
    killed.kill()
    killed.communicate()
    with Terminal(stage.deployment.project, *stage.words("--restore"), all_streams=True) as person:
        person.until("Restoring: ")
        person.close()
        assert person.process.wait(240) == 130
    assert stage.restore().stdout == "Nothing to restore: every drill ended.\n"
    stage.verify()
