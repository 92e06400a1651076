"""How fast emulated time runs, and how long something is ago in it."""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from payinfra.core.errors import UsageProblem
from payinfra.local.server.background import attempted

FASTEST = 1000.0
LEAST_PAUSE_S = 0.05
"""Real seconds between two turns of what is done again and again, however fast time runs."""


@dataclass
class TimeScale:
    """How many times faster than real time emulated time runs, now and since when.

    Args:
        now: the wall clock, in seconds. Moments are its seconds.
    """

    now: Callable[[], float] = time.time
    _base: float = 1.0
    _holds: dict[str, float] = field(default_factory=dict)
    _changes: list[tuple[float, float]] = field(default_factory=list)
    _another: asyncio.Event = field(default_factory=asyncio.Event)
    _seen: float = -math.inf

    def __call__(self) -> float:
        """The scale now."""
        return self._changes[-1][1] if self._changes else 1.0

    def set(self, value: object) -> None:
        """Change the scale that holds while nobody asks for another one.

        Raises:
            UsageProblem: it is not a number above 0 and at most 1000.
        """
        self._base = _usable(value)
        self._take_over()

    @property
    def holds(self) -> Mapping[str, float]:
        """Who asks for a scale of their own, and for which."""
        return dict(self._holds)

    def hold(self, holder: str, value: object) -> None:
        """Run time at this scale until the holder releases it. More than one may ask for the same.

        Raises:
            UsageProblem: it is not a number above 0 and at most 1000, or somebody else holds another one.
        """
        wanted = _usable(value)
        for other, scale in self._holds.items():
            if other != holder and scale != wanted:
                raise UsageProblem(
                    f"{other} makes time run {scale:g} times as fast as real.",
                    f"Wait until it is done, or ask for {scale:g} as well.",
                )
        self._holds[holder] = wanted
        self._take_over()

    def release(self, holder: str) -> None:
        """Release a hold; the last release restores time's own scale. No error if there is none."""
        self._holds.pop(holder, None)
        self._take_over()

    def _take_over(self) -> None:
        value = next(iter(self._holds.values()), self._base)
        now = self._looked_at()
        if value != self():
            self._changes.append((now, value))
            self._another.set()
            self._another = asyncio.Event()

    def _looked_at(self) -> float:
        """The wall clock. Where it was put back, the changes so far were that much earlier by it."""
        now = self.now()
        if now < self._seen:
            back = self._seen - now
            self._changes = [(since - back, value) for since, value in self._changes]
        self._seen = now
        return now

    def age(self, moment: float, now: float) -> float:
        """Seconds of emulated time from a moment until now; before the first change time was real."""
        self._looked_at()
        age, end = 0.0, now
        for since, scale in reversed(self._changes):
            if since <= moment:
                return age + (end - moment) * scale
            if since < end:
                age, end = age + (end - since) * scale, since
        return age + (end - moment)

    async def every(self, seconds: float, work: Callable[[], object]) -> None:
        """Repeat some work for ever, each time that so many seconds of emulated time have passed.

        It is repeated although it fails: see `background`.
        """
        last = self.now()
        while True:
            left = min(seconds - self.age(last, self.now()), seconds)  # The wall clock may be put back.
            try:
                await asyncio.wait_for(self._another.wait(), max(left / self(), LEAST_PAUSE_S))
            except TimeoutError:
                last = self.now()
                attempted(work)


def _usable(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= FASTEST:
        raise UsageProblem(f"The time scale must be above 0 and at most {FASTEST:g}.", "1 is real time.")
    return float(value)
