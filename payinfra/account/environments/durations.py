"""Durations such as `90m`, `12h`, `3d` and `2w`."""

import re

from payinfra.core.errors import UsageProblem

_UNITS = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_SPAN = re.compile(r"([0-9]{1,6})([mhdw])")


def seconds(text: str) -> int:
    """Convert a duration to seconds.

    Raises:
        UsageProblem: it is not a duration.
    """
    found = _SPAN.fullmatch(text)
    if found is None:
        raise UsageProblem(
            f"{text[:40]!r} is not a duration.", "Use a number with m, h, d or w: 90m, 12h, 3d, 2w."
        )
    return int(found[1]) * _UNITS[found[2]]
