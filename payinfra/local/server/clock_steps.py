"""Notices that the machine's clock was set, and forgets what was put off until a moment of it.

ministack keeps an API's token buckets and the pauses of event sources as moments of the wall clock. Where
that was put back by an hour, each would last an hour longer: an API would answer 429 for so long.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from payinfra.local.server.ministack import Emulator

LEAST_STEP_S = 1.0
"""What is less is no setting: a time server's corrections."""


class Forgettable(Protocol):
    """What can be emptied."""

    def clear(self) -> None:
        """Empty it."""


@dataclass
class ClockSteps:
    """Looks whether the wall clock was set since the last look.

    Args:
        forgets: what is emptied where it was.
        wall: the wall clock, in seconds.
        steady: a clock that nobody can set, in seconds.
    """

    forgets: Sequence[Forgettable]
    wall: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic
    _apart: float = field(init=False)

    def __post_init__(self) -> None:
        self._apart = self.wall() - self.steady()

    def look(self) -> bool:
        """Whether it was set; then everything is forgotten."""
        before, self._apart = self._apart, self.wall() - self.steady()
        if abs(self._apart - before) < LEAST_STEP_S:
            return False
        for one in self.forgets:
            one.clear()
        return True


def of_emulator(emulator: Emulator) -> ClockSteps:
    """For ministack: token buckets start full, and event sources are read at once."""
    gateway, functions = emulator.service("apigateway_v1"), emulator.service("lambda_svc")
    return ClockSteps((gateway._throttle_state, functions._esm_backoff_until))
