"""The resources that a plan would change, with their values before and after (``terraform show -json``)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from payinfra.terraform.jsonvalue import JsonValue, at, items, members, text

Path = tuple[str | int, ...]
"""Where a value is inside a resource: names of attributes, and places in lists."""


@dataclass(frozen=True)
class PlannedChange:
    """A resource that a plan would import, update or replace. Values may be secret; a repr never shows them.

    Attributes:
        before: its values now, as the provider read them.
        after: its values then; what is known only after the apply is missing.
        unknown: `true` in the place of each value that is known only then.
    """

    address: str
    type: str
    before: Mapping[str, JsonValue] = field(repr=False)
    after: Mapping[str, JsonValue] = field(repr=False)
    unknown: JsonValue = field(default=None, repr=False)

    def differences(self) -> tuple[Path, ...]:
        """Where it would have another value that is known. An empty value is as good as none."""
        return tuple(_differences(self.before, self.after, self.unknown, ()))


def planned_changes(shown: JsonValue) -> tuple[PlannedChange, ...]:
    """The existing resources of a shown plan: those that it imports, or has before and after."""
    return tuple(
        PlannedChange(
            address=text(one, "address"),
            type=text(one, "type"),
            before=before,
            after=members(one, "change", "after"),
            unknown=at(one, "change", "after_unknown"),
        )
        for one in items(shown, "resource_changes")
        if text(one, "mode") == "managed" and (before := members(one, "change", "before"))
    )


def _differences(before: JsonValue, after: JsonValue, unknown: JsonValue, path: Path) -> Iterator[Path]:
    if unknown is True or before == after or not (before or after):
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in sorted(before.keys() | after.keys()):
            yield from _differences(before.get(name), after.get(name), at(unknown, name), (*path, name))
        return
    befores, afters = items(before), items(after)
    if befores and len(befores) == len(afters):
        unknowns = items(unknown) or (None,) * len(befores)
        for place, (one, other) in enumerate(zip(befores, afters, strict=True)):
            yield from _differences(one, other, unknowns[place], (*path, place))
        return
    yield path
