"""Which checks run: `--select` and `--ignore`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from payinfra.core.errors import EnvironmentUnusable, UsageProblem, did_you_mean


@dataclass(frozen=True)
class Selection:
    """The ids that run, and those that the caller asked to leave out."""

    ids: frozenset[str]
    ignored: tuple[str, ...]


@dataclass(frozen=True)
class SelectionKind:
    """What is chosen from, in words: `a check`, and where all are listed."""

    name: str
    list_hint: str


CHECKS = SelectionKind("check", "`payinfra checks list` shows them all.")
PROBES = SelectionKind("probe", "docs/verify.md lists them all, and `payinfra explain ID` explains one.")


def choose(
    known: Sequence[str],
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    *,
    of: SelectionKind = CHECKS,
) -> Selection:
    """Turn the two options into ids; each is an id or a glob such as `PI-S3-*`. None selected means all.

    Raises:
        UsageProblem: one fits no id: a gate that runs less than it was told to must never look green.
        EnvironmentUnusable: nothing is left to run.
    """
    chosen = _fitting(known, select, of)
    left_out = _fitting(known, ignore, of)
    ids = (chosen or frozenset(known)) - left_out
    if not ids:
        raise EnvironmentUnusable(f"The selection leaves no {of.name} to run.", "Leave out fewer of them.")
    return Selection(ids, tuple(one for one in known if one in left_out))


def _fitting(known: Sequence[str], wanted: Iterable[str], of: SelectionKind) -> frozenset[str]:
    found: set[str] = set()
    for one in wanted:
        fitting = [each for each in known if fnmatchcase(each, one)]
        if not fitting:
            raise UsageProblem(
                f"There is no {of.name} {one!r}{did_you_mean(one, known) or '.'}", of.list_hint
            )
        found.update(fitting)
    return frozenset(found)
