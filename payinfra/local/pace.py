"""How long something is ago in the emulated world, whose time may have run faster for a while."""

from dataclasses import dataclass, field


@dataclass
class Pace:
    """Remembers how fast time ran, and since when. Moments are seconds of the wall clock."""

    _changes: list[tuple[float, float]] = field(default_factory=list)

    def note(self, now: float, scale: float) -> None:
        """Time runs `scale` times as fast as real. Only a change counts; it is said soon after it came."""
        if not self._changes or self._changes[-1][1] != scale:
            self._changes.append((now, scale))

    def age(self, moment: float, now: float) -> float:
        """Seconds of the emulated world from a moment until now."""
        age, end = 0.0, now
        for since, scale in reversed(self._changes):
            if since <= moment:
                return age + (end - moment) * scale
            if since < end:
                age, end = age + (end - since) * scale, since
        # Before the first change was noted time ran as it did then.
        scale = self._changes[0][1] if self._changes else 1.0
        return age + (end - moment) * scale
