"""How fast the emulated world's time runs, and how long something is ago in it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from payinfra.errors import UsageProblem

FASTEST = 1000.0


@dataclass
class TimeScale:
    """How many times faster than the real one the emulated world's time runs, now and since when.

    Args:
        now: the wall clock, in seconds. Moments are its seconds.
    """

    now: Callable[[], float] = time.time
    _changes: list[tuple[float, float]] = field(default_factory=list)

    def __call__(self) -> float:
        """The scale now."""
        return self._changes[-1][1] if self._changes else 1.0

    def set(self, value: object) -> None:
        """Changes the scale.

        Raises:
            UsageProblem: it is not a number above 0 and at most 1000.
        """
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= FASTEST:
            raise UsageProblem(f"The time scale must be above 0 and at most {FASTEST:g}.", "1 is real time.")
        if value != self():
            self._changes.append((self.now(), float(value)))

    def age(self, moment: float, now: float) -> float:
        """Seconds of the emulated world from a moment until now; before the first change time was real."""
        age, end = 0.0, now
        for since, scale in reversed(self._changes):
            if since <= moment:
                return age + (end - moment) * scale
            if since < end:
                age, end = age + (end - since) * scale, since
        return age + (end - moment)
