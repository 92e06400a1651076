"""The gate is not passed by weakening what it judges.

Every property of the synthesized stack is dropped, emptied, turned round or blown up, in both regions
alike, so that no difference between the regions gives it away. What may stay silent is listed, each with
the reason.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from payinfra.checks import catalogue
from payinfra.checks.manifest import Manifest
from payinfra.checks.model import Check, ResourceCheck
from payinfra.checks.verdicts import Kind, Verdict
from payinfra.core.errors import EnvironmentUnusable
from tests.support.guards import Way, at

if TYPE_CHECKING:
    from tests.synth.checks.conftest import RealStack

Reasons = dict[str, dict[str, dict[str, str]]]
SILENT: Reasons = json.loads(
    (Path(__file__).parents[2] / "support" / "silent_changes.json").read_text(encoding="utf-8")
)
"""By reason, type and property: the changes that no check speaks of."""
_MAY_BE_SILENT = {
    (kind, path, change)
    for kinds in SILENT.values()
    for kind, paths in kinds.items()
    for path, changes in paths.items()
    for change in changes.split()
}
_LOUD = frozenset(Kind) - {Kind.PASS, Kind.NOT_APPLICABLE}
_NOT_JUDGED = frozenset({"//", "provider"})
_ONLY_WITHOUT_DOMAIN = ("aws_route53_record", "aws_route53_zone", "aws_route53_health_check")


def properties(value: Any, way: Way = ()) -> Iterator[Way]:
    """Every property below a block; items of lists only where they are blocks."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in _NOT_JUDGED:
                yield (*way, key)
                yield from properties(inner, (*way, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            if isinstance(inner, dict | list):
                yield from properties(inner, (*way, number))


def changes_of(value: Any) -> Iterator[tuple[str, Any]]:
    """What is done to a value, in a word, and what stands there afterwards; an Ellipsis drops it."""
    yield "dropped", ...
    if isinstance(value, bool):
        yield "flipped", not value
    elif isinstance(value, int | float):
        yield from (("zero", 0), ("huge", 10**12))
    else:
        yield "emptied", type(value)()


def sites(
    body: dict[str, Any], kinds: tuple[str, ...] = ()
) -> Iterator[tuple[str, str, list[tuple[Any, Any]]]]:
    """Type, property, and every place of it (holder and key), in all regions alike; each property once.

    Alarms are told apart by what they watch.
    """
    seen: set[tuple[str, ...]] = set()
    for kind, resources in body["resource"].items():
        if kinds and kind not in kinds:
            continue
        for name, resource in resources.items():
            watched = str(resource.get("namespace", "")) if kind == "aws_cloudwatch_metric_alarm" else ""
            twins = [
                other
                for key, other in resources.items()
                if key.replace("secondary", "primary") == name.replace("secondary", "primary")
                or (watched and other.get("metric_name") == resource["metric_name"])
            ]
            for way in properties(resource):
                path = ".".join(str(step) for step in way if not isinstance(step, int))
                if (kind, watched, path) in seen:
                    continue
                seen.add((kind, watched, path))
                places = [holder for twin in twins for holder in _holders(twin, way)]
                yield kind, path, [(holder, way[-1]) for holder in places]


def _holders(resource: Any, way: Way) -> Iterator[Any]:
    try:
        holder = at(resource, way[:-1])
        holder[way[-1]]
    except (KeyError, IndexError):
        return
    yield holder


class Gate:
    """Asks the checks, those first that spoke before of a type; one that speaks is enough."""

    def __init__(self, checks: tuple[Check, ...]) -> None:
        self._checks = [one for one in checks if not one.needs]
        self._spoke: dict[str, dict[str, None]] = {}

    def says(self, manifest: Manifest, kind: str) -> str:
        """The id of a check that does not pass; empty where all do."""
        before = list(self._spoke.get(kind, ()))
        order = sorted(
            self._checks,
            key=lambda one: (
                before.index(one.rule.id) if one.rule.id in before else len(before),
                not (isinstance(one, ResourceCheck) and kind in one.on),
            ),
        )
        for one in order:
            if self._speaks(one, manifest):
                self._spoke.setdefault(kind, {})[one.rule.id] = None
                return one.rule.id
        return ""

    @staticmethod
    def _speaks(one: Check, manifest: Manifest) -> bool:
        said = (
            (verdict for each in manifest.all(*one.on) for verdict in _listed(one(each, manifest)))
            if isinstance(one, ResourceCheck)
            else _listed(one(manifest))
        )
        return any(verdict.kind in _LOUD for verdict in said)


def _listed(said: Any) -> Iterator[Verdict]:
    yield from (said,) if isinstance(said, Verdict) else said


@pytest.mark.parametrize(("env", "kinds"), [("prod", ()), ("demo", _ONLY_WITHOUT_DOMAIN)])
def test_no_change_is_silent_unless_it_may_be(
    real: "dict[str, RealStack]", env: str, kinds: tuple[str, ...]
) -> None:
    stack, gate = real[env], Gate(catalogue.load().policy)
    body = stack.copy()
    silent: list[tuple[str, str, str]] = []
    tried = 0
    for kind, path, places in list(sites(body, kinds)):
        kept = [holder[key] for holder, key in places]
        for change, value in changes_of(kept[0]):
            if (kind, path, change) in _MAY_BE_SILENT:
                continue
            tried += 1
            for holder, key in places:
                if value is ...:
                    del holder[key]
                else:
                    holder[key] = value
            try:
                if not gate.says(stack.manifest(body), kind):
                    silent.append((kind, path, change))
            except EnvironmentUnusable:
                pass  # refused as a whole
            for (holder, key), before in zip(places, kept, strict=True):
                holder[key] = before
    assert silent == []
    assert tried > 10
    assert body == stack.body


def test_the_list_names_only_what_is_in_the_stacks(real: "dict[str, RealStack]") -> None:
    there = {
        (kind, path, change)
        for env in ("prod", "demo")
        for kind, path, places in sites(real[env].copy())
        for change, _ in changes_of(places[0][0][places[0][1]])
    }
    assert sorted(_MAY_BE_SILENT - there) == []


def test_every_reason_is_a_sentence_and_no_change_has_two() -> None:
    listed = [
        (kind, path, change)
        for kinds in SILENT.values()
        for kind, paths in kinds.items()
        for path, changes in paths.items()
        for change in changes.split()
    ]
    assert all(reason.endswith(".") for reason in SILENT)
    assert len(listed) == len(set(listed))
