"""The nearest right name for a wrong one."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing where no known name is near."""
    near = get_close_matches(wrong, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
