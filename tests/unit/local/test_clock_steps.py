"""What the embedded AWS does where the machine's clock is set while it runs."""

from dataclasses import dataclass, field

import pytest

from payinfra.local.server import clock_steps
from payinfra.local.server.clock_steps import ClockSteps
from tests.unit.local.conftest import Ministack


@dataclass
class Clocks:
    """The wall clock, and one that nobody can set."""

    wall: float = 1_800_000_000.0
    steady: float = 50.0
    kept: dict[str, float] = field(default_factory=lambda: {"slot": 1.0})

    def steps(self) -> ClockSteps:
        return ClockSteps((self.kept,), lambda: self.wall, lambda: self.steady)

    def passes(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


@pytest.mark.parametrize("set_by_s", [-3600.0, 3600.0, -1.5])
def test_what_was_put_off_is_forgotten_once_where_the_clock_was_set(set_by_s: float) -> None:
    clocks = Clocks()
    steps = clocks.steps()
    clocks.passes(10)
    clocks.wall += set_by_s
    assert steps.look()
    assert clocks.kept == {}
    clocks.kept["slot"] = 2.0
    clocks.passes(10)
    assert not steps.look()
    assert clocks.kept == {"slot": 2.0}


def test_time_that_passes_and_small_corrections_change_nothing() -> None:
    clocks = Clocks()
    steps = clocks.steps()
    for _ in range(10):
        clocks.passes(3600)
        clocks.wall += 0.4
        assert not steps.look()
    assert clocks.kept == {"slot": 1.0}


def test_an_api_that_had_throttled_answers_once_the_clock_was_put_back(world: Ministack) -> None:
    gateway = world.emulator.service("apigateway_v1")
    limits = {"rateLimit": 1.0, "burstLimit": 1.0}
    steps = clock_steps.of_emulator(world.emulator)
    assert gateway._take_token("slot", limits)
    tokens, last = gateway._throttle_state["slot"]
    # As one that was taken before the clock was put back.
    gateway._throttle_state["slot"] = (tokens, last + 3600)
    assert not gateway._take_token("slot", limits)
    steps.wall = lambda: 0.0
    assert steps.look()
    assert gateway._take_token("slot", limits)
    gateway._throttle_state.clear()
