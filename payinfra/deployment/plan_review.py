"""A plan as a person reviews it: what changes where, each attribute before and after, and no secret."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from payinfra.account import costs
from payinfra.checks.secret_recognition import names_secret, secret_attributes, secrets_within
from payinfra.deployment.stack_manifest import StackFile
from payinfra.terraform import AttributeChange, ChangeAction, Plan, PlannedCosts, ReviewedChange
from payinfra.terraform.jsonvalue import JsonValue, at, items, members, parse, text
from payinfra.terraform.plan import shown_action

_Step = str | int


def with_review(plan: Plan, shown: JsonValue, regions: Mapping[str, str]) -> Plan:
    """The plan with each change's region and attributes.

    Args:
        plan: the plan.
        shown: the same, from ``terraform show -json PLAN``.
        regions: where the resources of the stack are, by address.
    """
    changes = tuple(
        _reviewed(one, action, regions)
        for one in items(shown, "resource_changes")
        if (action := shown_action(one)) is not ChangeAction.NOOP
    )
    standing = items(shown, "prior_state", "values", "root_module", "resources")
    return replace(plan, reviewed=changes, first=not any(text(one, "mode") == "managed" for one in standing))


def with_costs(plan: Plan, stack: StackFile, shown: JsonValue = None) -> Plan:
    """The plan with what the environment costs now and then.

    Args:
        plan: the plan.
        stack: what the plan is of.
        shown: the plan from ``terraform show -json PLAN``; not needed where nothing changes.
    """
    then = costs.of_resources(stack.billable)
    besides = costs.not_priced((one.type for one in stack.resources), stack.added)
    if not plan.has_changes:
        return replace(plan, costs=PlannedCosts(then, then, besides))
    standing = items(shown, "prior_state", "values", "root_module", "resources")
    now = costs.of_resources(
        (text(one, "type"), members(one, "values")) for one in standing if text(one, "mode") == "managed"
    )
    return replace(plan, costs=PlannedCosts(now, then, besides))


def within(plan: Plan, whole: Plan) -> Plan:
    """A plan of a part of the stack, with the review that the plan of the whole has of that part."""
    touched = frozenset(change.address for change in plan.changes)
    found = tuple(one for one in whole.reviewed if one.address in touched)
    return replace(plan, reviewed=found) if found else plan


def _reviewed(one: JsonValue, action: ChangeAction, regions: Mapping[str, str]) -> ReviewedChange:
    address, kind = text(one, "address"), text(one, "type")
    change = at(one, "change")
    before, after = members(change, "before"), members(change, "after")
    attributes: tuple[AttributeChange, ...] = ()
    if action not in (ChangeAction.DELETE, ChangeAction.FORGET, ChangeAction.READ):
        causes = tuple(tuple(items(path)) for path in items(change, "replace_paths"))
        found = _Comparison(kind, causes)
        attributes = tuple(
            found.of(
                (before, after),
                at(change, "after_unknown"),
                (at(change, "before_sensitive"), at(change, "after_sensitive")),
            )
        )
    region = regions.get(address) or _region_of(before) or _region_of(after)
    return ReviewedChange(address, kind, action, region, attributes, text(one, "action_reason"))


def _region_of(values: Mapping[str, JsonValue]) -> str:
    arn = text(values, "arn").split(":", 5)
    return arn[3] if len(arn) == 6 else ""


class _Comparison:
    """Compares the values of one resource.

    Args:
        kind: its type.
        causes: the paths that make Terraform replace it.
    """

    def __init__(self, kind: str, causes: tuple[tuple[JsonValue, ...], ...]) -> None:
        self._causes = causes
        self._secret = frozenset(path.partition(".")[0] for path in secret_attributes(kind))

    def of(
        self,
        values: tuple[JsonValue, JsonValue],
        unknown: JsonValue,
        marks: tuple[JsonValue, JsonValue],
        path: tuple[_Step, ...] = (),
    ) -> Iterator[AttributeChange]:
        """What differs, from here on.

        Args:
            values: before and after.
            unknown: `true` in the place of what only the apply will tell.
            marks: `true` in the place of what is sensitive, before and after.
            path: where these values are.
        """
        before, after = values
        if unknown is not True and (before == after or not (_is_set(before) or _is_set(after))):
            return
        if True in marks or (path and self._may_be_secret(path, values)):
            yield self._change(path, known=unknown is not True, sensitive=True)
        elif unknown is True:
            yield self._change(path, before=before, known=False)
        elif (pair := _objects(before, after)) is not None:
            ones, others = pair
            for name in sorted(ones.keys() | others.keys() | members(unknown).keys()):
                yield from self.of(
                    (ones.get(name), others.get(name)),
                    at(unknown, name),
                    (at(marks[0], name), at(marks[1], name)),
                    (*path, name),
                )
        elif _is_list(before) and _is_list(after) and len(items(before)) == len(items(after)):
            for place, pair_at in enumerate(zip(items(before), items(after), strict=True)):
                yield from self.of(
                    pair_at,
                    _nth(unknown, place),
                    (_nth(marks[0], place), _nth(marks[1], place)),
                    (*path, place),
                )
        elif any(map(_has_true, marks)):
            yield self._change(path, sensitive=True)
        else:
            yield self._change(path, before=before, after=after)

    def _change(
        self,
        path: tuple[_Step, ...],
        *,
        before: JsonValue = None,
        after: JsonValue = None,
        known: bool = True,
        sensitive: bool = False,
    ) -> AttributeChange:
        replaces = any(path[: len(cause)] == cause for cause in self._causes if cause)
        return AttributeChange(_in_words(path), before, after, known, sensitive, replaces)

    def _may_be_secret(self, path: tuple[_Step, ...], values: tuple[JsonValue, JsonValue]) -> bool:
        """Whether a value is a secret though no provider calls it one: by its name or its look."""
        texts = [one for one in values if isinstance(one, str)]
        name = next((step for step in reversed(path) if isinstance(step, str)), "")
        named = name in self._secret or names_secret(name)
        return bool(texts) and (named or any(next(secrets_within(one), "") for one in texts))


def _objects(
    before: JsonValue, after: JsonValue
) -> tuple[Mapping[str, JsonValue], Mapping[str, JsonValue]] | None:
    """Both values as objects, also where they are JSON texts, such as policies; None where they are none."""
    one, other = _parsed(before), _parsed(after)
    if isinstance(one, Mapping) and (isinstance(other, Mapping) or other is None):
        return one, members(other)
    if isinstance(other, Mapping) and one is None:
        return {}, other
    return None


def _parsed(value: JsonValue) -> JsonValue:
    if isinstance(value, str) and value.startswith("{"):
        try:
            return parse(value)
        except ValueError:
            return value
    return value


def _is_set(value: JsonValue) -> bool:
    """Whether a value is more than none: to a person an empty text or list is none, to Terraform not."""
    return value is not None and value != "" and value != () and value != [] and value != {}


def _is_list(value: JsonValue) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _nth(value: JsonValue, place: int) -> JsonValue:
    found = items(value)
    return found[place] if place < len(found) else None


def _has_true(marks: JsonValue) -> bool:
    if isinstance(marks, Mapping):
        return any(map(_has_true, marks.values()))
    return marks is True or any(map(_has_true, items(marks)))


def _in_words(path: tuple[_Step, ...]) -> str:
    text_of = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text_of.removeprefix(".")
