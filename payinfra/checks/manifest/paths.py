"""Property paths such as `replica[0].kms_key_arn`."""

import re
from functools import lru_cache

_PART = re.compile(r"\.?(?:\[(?P<index>\d+)\]|(?P<key>[^.\[\]]+))")


@lru_cache(maxsize=4096)
def parse(path: str) -> tuple[str | int, ...]:
    """The path's keys and indexes.

    Raises:
        ValueError: it is no path; a path is written by a programmer, so this is a bug.
    """
    parts: list[str | int] = []
    position = 0
    while position < len(path):
        match = _PART.match(path, position)
        if match is None:
            raise ValueError(f"{path!r} is not a property path")
        parts.append(int(match["index"]) if match["index"] else match["key"])
        position = match.end()
    return tuple(parts)
