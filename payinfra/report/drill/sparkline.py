"""Figures as a row of small bars, a character each."""

from collections.abc import Sequence

_BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], most: float | None = None) -> str:
    """A bar for each value, the whole height standing for `most`, by default the greatest of them.

    Nothing is a blank, and whatever is more than nothing can be seen.
    """
    top = max(values, default=0) if most is None else most
    return "".join(_bar(value, top) for value in values)


def _bar(value: float, top: float) -> str:
    if value <= 0 or top <= 0:
        return " "
    return _BARS[min(int(value / top * len(_BARS)), len(_BARS) - 1)]
