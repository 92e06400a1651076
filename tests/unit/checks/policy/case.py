"""What a case of a check is, and ways to spoil the policies of the good stack."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Changes = Mapping[str, Any]
VAR = "${var.what}"


@dataclass(frozen=True)
class Case:
    """What one check says to spoiled copies of the good stack.

    Attributes:
        fails: changes that it must find.
        absent: a change that leaves it nothing to judge.
        unknown: changes after which it cannot tell.
        passes: changes that it must not mind, such as another way to write the same.
        warns: changes that are shown and do not fail.
        absent_manifest: how the manifest is read for `absent`, if not as `demo`, protected.
        unknown_manifest: the same for `unknown`.
        present: what is added to the good stack first, where it has nothing for the check to judge.
    """

    fails: tuple[Changes, ...]
    absent: Changes | None
    unknown: tuple[Changes, ...]
    passes: tuple[Changes, ...] = ()
    warns: tuple[Changes, ...] = ()
    absent_manifest: Mapping[str, Any] = field(default_factory=dict)
    unknown_manifest: Mapping[str, Any] = field(default_factory=dict)
    present: Changes = field(default_factory=dict)


def gone(*types: str) -> dict[str, Any]:
    """Types that the stack no longer has."""
    return dict.fromkeys(types, ...)


def statement(number: int, **values: Any) -> Callable[[list[Any]], None]:
    """Another value in one statement of a policy; an Ellipsis removes it."""

    def change(statements: list[Any]) -> None:
        for name, value in values.items():
            if value is ...:
                del statements[number][name]
            else:
                statements[number][name] = value

    return change


def without(*numbers: int) -> Callable[[list[Any]], None]:
    """A policy without these statements."""

    def change(statements: list[Any]) -> None:
        for number in sorted(numbers, reverse=True):
            del statements[number]

    return change


def added(**values: Any) -> Callable[[list[Any]], None]:
    """A policy with one more Allow statement."""
    return lambda statements: statements.append({"Effect": "Allow", **values})
