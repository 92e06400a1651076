"""A plan as a person reviews it: what would be lost first, then by region and service, in one line for twins.

Twins are two resources that differ in nothing but their region, which is what the stack makes of everything.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.console import Console
from rich.text import Text

from payinfra.deployment.results import headline
from payinfra.deployment.stack_manifest import service_of
from payinfra.report.documents import document
from payinfra.report.findings.markdown import plain
from payinfra.report.folding import FoldedText
from payinfra.report.formats import PlanFormat
from payinfra.report.printable import visible
from payinfra.report.results import in_numbers, table, write, write_json
from payinfra.terraform import AttributeChange, ChangeAction, Plan, ReviewedChange, losses

LONGEST = 160
"""How many characters of a value are shown, where not all of it was asked for."""
UNKNOWN = "(known after the apply)"
SENSITIVE = "differs (sensitive)"

_LOST = "Replaced or deleted"
_SECTIONS = {
    ChangeAction.DELETE: _LOST,
    ChangeAction.REPLACE: _LOST,
    ChangeAction.UNKNOWN: _LOST,
    ChangeAction.FORGET: "No longer managed",
    ChangeAction.UPDATE: "Changed",
    ChangeAction.MOVE: "Changed",
    ChangeAction.IMPORT: "Adopted",
    ChangeAction.CREATE: "Created",
    ChangeAction.READ: "Read",
    ChangeAction.NOOP: "Unchanged",
}
_ORDER = tuple(dict.fromkeys(_SECTIONS.values()))
_ROLE = re.compile(r"primary|secondary")


@dataclass(frozen=True)
class FoldedChange:
    """One change, or the same change of both twins.

    Attributes:
        change: the change; of twins, that of the first.
        address: the address; of twins `type.{primary,secondary}_name`, as a shell expands it.
        regions: where it is.
        twin: the same change of the other twin, if it is of both.
    """

    change: ReviewedChange
    address: str
    regions: tuple[str, ...]
    twin: ReviewedChange | None = None

    @property
    def section(self) -> str:
        """The heading below which it is listed."""
        return _SECTIONS[self.change.action]

    @property
    def place(self) -> str:
        """Region and service, for a person."""
        where = " and ".join(self.regions)
        service = service_of(self.change.type)
        return f"{where}, {service}" if where else service


def folded(plan: Plan, *, full: bool = False) -> tuple[FoldedChange, ...]:
    """The changes in the order of a review: losses first, then by region and service.

    Args:
        plan: the plan, reviewed or not.
        full: with what is only read, and each twin by itself.
    """
    changes = [one for one in _reviewed(plan) if full or one.action is not ChangeAction.READ]
    found = [FoldedChange(one, one.address, (one.region,) if one.region else ()) for one in changes]
    if not full:
        found = list(_twins(found))
    return tuple(sorted(found, key=lambda one: (_ORDER.index(one.section), one.place, one.address)))


def _reviewed(plan: Plan) -> tuple[ReviewedChange, ...]:
    """The changes, each with what is known of it: a plan that was not read again tells no attributes."""
    details = {(one.address, one.action): one for one in plan.reviewed}
    return tuple(
        details.get((one.address, one.action))
        or ReviewedChange(one.address, one.type, one.action, reason=one.reason)
        for one in plan.changes
    )


def _twins(found: Iterable[FoldedChange]) -> Iterator[FoldedChange]:
    alike: dict[str, list[FoldedChange]] = {}
    for one in found:
        alike.setdefault(_apart_from_the_region(one.change), []).append(one)
    for group in alike.values():
        regions = tuple(sorted({region for one in group for region in one.regions}))
        addresses = sorted(one.address for one in group)
        # Without a region, that one is the primary's and one the secondary's says that they are twins.
        if len(group) == 2 and len(regions) in (0, 2) and addresses[0] != addresses[1]:
            first, second = (each.change for each in sorted(group, key=lambda each: each.address))
            yield FoldedChange(first, _both(*addresses), regions, second)
        else:
            yield from group


def _apart_from_the_region(change: ReviewedChange) -> str:
    values = [
        (one.path, one.before, one.after, one.known, one.sensitive, one.replaces) for one in change.attributes
    ]
    text = json.dumps([change.type, change.action, change.reason, change.address, values])
    if change.region:
        text = text.replace(change.region, "{region}")
    return _ROLE.sub("{role}", text)


def _both(one: str, other: str) -> str:
    """Both addresses of twins in one, as a shell expands it."""
    once = len(_ROLE.findall(one)) == 1
    return _ROLE.sub("{primary,secondary}", one) if once else f"{one} and {other}"


def is_summarized(plan: Plan) -> bool:
    """Whether a list would tell nothing: a first deployment makes everything, a destruction deletes it."""
    actions = {one.action for one in plan.changes} - {ChangeAction.READ}
    return (plan.first and actions == {ChangeAction.CREATE}) or actions == {ChangeAction.DELETE}


def planned(console: Console, plan: Plan, fmt: PlanFormat, *, full: bool = False) -> None:
    """What a plan would change."""
    match fmt:
        case PlanFormat.JSON:
            write_json(console, plan_document(plan))
        case PlanFormat.MARKDOWN:
            console.file.write("\n\n".join(markdown(plan, full=full)) + "\n")
        case PlanFormat.TABLE:
            if plan.has_changes and is_summarized(plan) and not full:
                regions, rows = by_service(plan)
                write(console, table(("service", *regions), rows))
                write(console, *(Text(f"Lost: {visible(lost)}.", style="red") for lost in losses(plan)))
            else:
                write(console, *(FoldedText(line, _deeper(line)) for line in _lines(plan, full=full)))
            write(console, Text(f"Plan: {headline(plan)}."))
            write(console, *(Text(line) for line in _costs(plan)))


def _costs(plan: Plan) -> Iterator[str]:
    """What the environment would cost, in a sentence; nothing where that is not known."""
    if plan.costs is None:
        return
    difference = round(plan.costs.then) - round(plan.costs.now)
    more = (
        f", {abs(difference)} {'more' if difference > 0 else 'less'} than now" if difference else ", as now"
    )
    besides = f"; not priced: {in_numbers(plan.costs.not_priced)}" if plan.costs.not_priced else ""
    then = f"{plan.costs.then:.0f} dollars a month{'' if plan.first else more}"
    yield f"Idle costs on AWS: about {then}{besides}."


def by_service(plan: Plan) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """How many changes each service has in each region: the regions, and a row for each service."""
    changes = [one for one in _reviewed(plan) if one.action is not ChangeAction.READ]
    regions = tuple(sorted({one.region for one in changes}))
    counts: dict[str, dict[str, int]] = {}
    for one in changes:
        row = counts.setdefault(service_of(one.type), dict.fromkeys(regions, 0))
        row[one.region] += 1
    shown = [(service, *(str(row[region] or "") for region in regions)) for service, row in counts.items()]
    return tuple(region or "resources" for region in regions), sorted(shown)


def _lines(plan: Plan, *, full: bool) -> Iterator[Text]:
    for section, ones in groupby(folded(plan, full=full), key=lambda one: one.section):
        yield Text(section, style="bold red" if section == _LOST else "bold")
        for place, here in groupby(ones, key=lambda one: one.place):
            yield Text(f"  {place}", style="dim")
            for one in here:
                yield Text(f"    {one.change.action}  {visible(one.address)}")
                yield from (Text(f"      {line}") for line in _attributes(one, full=full))
    if plan.outputs:
        yield Text("Outputs", style="bold")
        yield from (Text(f"    {one.action}  {visible(one.name)}") for one in plan.outputs)


def _deeper(line: Text) -> int:
    """How far the rest of a line that a terminal folds is moved in."""
    return len(line.plain) - len(line.plain.lstrip()) + 2


def _attributes(one: FoldedChange, *, full: bool) -> Iterator[str]:
    """Each attribute on a line. Of what is made, all are new, and shown only where all was asked for."""
    if one.change.action is ChangeAction.CREATE and not full:
        return
    twins = one.change if one.twin is None else one.twin
    for attribute, other in zip(one.change.attributes, twins.attributes, strict=True):
        why = ", which makes it anew" if attribute.replaces else ""
        mine, its = (f"{each.path}: {_change(each, full=full)}{why}" for each in (attribute, other))
        yield from map(visible, _of_twins((one.change.region, mine), (twins.region, its)))


def _of_twins(one: tuple[str, str], other: tuple[str, str]) -> tuple[str, ...]:
    """What is the same of both but for the region, in one line as a shell expands it; else a line for each.

    Args:
        one: the region, and what is said of the twin there.
        other: the same of the other twin.
    """
    (here, mine), (there, its) = one, other
    both = mine
    for a, b in ((here, there), ("primary", "secondary")):
        if mine != its and a:
            mine, both = mine.replace(a, b), both.replace(a, f"{{{a},{b}}}")
    if mine == its:
        return (both,)
    return tuple(f"in {region}, {text}" if region else text for region, text in (one, other))


def _change(one: AttributeChange, *, full: bool) -> str:
    if one.sensitive:
        return SENSITIVE
    after = _shown(one.after, full=full) if one.known else UNKNOWN
    return f"{_shown(one.before, full=full)} → {after}"


def _shown(value: object, *, full: bool) -> str:
    if value is None:
        return "none"
    text = json.dumps(value, ensure_ascii=False)
    if full or len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}… ({len(text)} characters, all with --full)"


def plan_document(plan: Plan) -> dict[str, object]:
    """A plan for scripts: each resource by itself."""
    reviewed = {one.address: one for one in plan.reviewed}
    fields = {
        "summary": {"add": plan.add, "change": plan.change, "destroy": plan.destroy},
        "has_changes": plan.has_changes,
        "first": plan.first,
        "changes": [
            {
                "address": change.address,
                "type": change.type,
                "action": change.action,
                "reason": change.reason,
                "service": service_of(change.type),
                **_details(reviewed.get(change.address)),
            }
            for change in plan.changes
        ],
        "costs": None
        if plan.costs is None
        else {
            "currency": "USD",
            "monthly_now": round(plan.costs.now, 2),
            "monthly_then": round(plan.costs.then, 2),
            **({"not_priced": dict(plan.costs.not_priced)} if plan.costs.not_priced else {}),
        },
        "outputs": [
            {"name": one.name, "action": one.action, "sensitive": one.sensitive} for one in plan.outputs
        ],
    }
    return document("plan", fields)


def _details(change: ReviewedChange | None) -> dict[str, object]:
    if change is None:
        return {"region": None, "attributes": []}
    return {
        "region": change.region or None,
        "attributes": [
            {
                "path": one.path,
                "before": one.before,
                "after": one.after,
                "known": one.known,
                "sensitive": one.sensitive,
                "replaces": one.replaces,
            }
            for one in change.attributes
        ],
    }


def markdown(plan: Plan, *, full: bool = False, at_most: int | None = None) -> Sequence[str]:
    """A plan for a pull request's comment, as paragraphs.

    Args:
        plan: the plan.
        full: as for `folded`, and the whole of long values.
        at_most: how many changes are listed; the rest is counted.
    """
    head = " ".join((f"**Plan:** {headline(plan)}.", *_costs(plan)))
    if not plan.has_changes:
        return (head,)
    if is_summarized(plan) and not full:
        regions, rows = by_service(plan)
        lines = [
            f"| service | {' | '.join(map(plain, regions))} |",
            f"| --- |{' --- |' * len(regions)}",
            *(f"| {' | '.join(map(plain, row))} |" for row in rows),
        ]
        return (head, "\n".join(lines))
    changes = folded(plan, full=full)
    listed = changes if at_most is None else changes[:at_most]
    paragraphs = [head]
    for section, ones in groupby(listed, key=lambda one: one.section):
        lines = []
        for one in ones:
            lines.append(f"- {one.change.action}: {plain(one.address)} ({plain(one.place)})")
            lines += [f"  - {plain(line)}" for line in _attributes(one, full=full)]
        paragraphs += [f"**{section}**", "\n".join(lines)]
    if more := len(changes) - len(listed):
        paragraphs.append(f"- and {more} more")
    if plan.outputs:
        named = ", ".join(plain(one.name) for one in plan.outputs)
        paragraphs.append(f"**Outputs** that change: {named}")
    return tuple(paragraphs)
