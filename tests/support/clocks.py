"""A drill's clock for tests."""

from dataclasses import dataclass


@dataclass
class SetClock:
    """A clock that says what it is told to say, and goes on by what is waited."""

    at: float = 0.0

    def elapsed(self) -> float:
        """See `payinfra.drill.clock.DrillClock`."""
        return self.at

    def wait(self, seconds: float) -> None:
        """See `payinfra.drill.clock.DrillClock`."""
        self.at += seconds
