"""Which checks run: `--select` and `--ignore`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from payinfra.core.errors import EnvironmentUnusable, did_you_mean


@dataclass(frozen=True)
class Selection:
    """The ids that run, and those that the caller asked to leave out."""

    ids: frozenset[str]
    ignored: tuple[str, ...]


def choose(known: Sequence[str], select: Iterable[str] = (), ignore: Iterable[str] = ()) -> Selection:
    """Turn the two options into ids; each is an id or a glob such as `PI-S3-*`. None selected means all.

    Raises:
        EnvironmentUnusable: one fits no id, or nothing is left to run. It is no mere usage error: a gate
            that runs less than it was told to must never look green.
    """
    chosen = _fitting(known, select)
    left_out = _fitting(known, ignore)
    ids = (chosen or frozenset(known)) - left_out
    if not ids:
        raise EnvironmentUnusable("The selection leaves no check to run.", "Ignore fewer checks.")
    return Selection(ids, tuple(one for one in known if one in left_out))


def _fitting(known: Sequence[str], wanted: Iterable[str]) -> frozenset[str]:
    found: set[str] = set()
    for one in wanted:
        fitting = [each for each in known if fnmatchcase(each, one)]
        if not fitting:
            raise EnvironmentUnusable(
                f"There is no check {one!r}{did_you_mean(one, known) or '.'}",
                "`payinfra checks list` shows them all.",
            )
        found.update(fitting)
    return frozenset(found)
