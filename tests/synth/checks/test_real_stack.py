"""The catalogue over the stack that payinfra synthesizes: nothing to find, nothing to take away."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from payinfra.checks.verdicts import Kind

if TYPE_CHECKING:
    from tests.synth.checks.conftest import RealStack

HERE = Path(__file__)
GUARDS: dict[str, list[str]] = json.loads(
    (HERE.parents[2] / "unit" / "checks" / "policy" / "guards.json").read_text()
)
Way = tuple[str | int, ...]


@pytest.mark.parametrize("env", ["demo", "prod", "stage", "qa"])
def test_the_real_stack_has_no_finding(real: "dict[str, RealStack]", env: str) -> None:
    assert real[env].findings() == []


def test_an_ephemeral_stack_has_only_warnings_about_its_short_retention(real: "dict[str, RealStack]") -> None:
    findings = real["pr7"].findings()
    assert {(id_, one.kind) for id_, one in findings} == {("PI-LOG-001", Kind.WARN)}


def test_every_check_but_those_of_what_is_not_there_judges_something(real: "dict[str, RealStack]") -> None:
    stack = real["demo"]
    manifest = stack.manifest()
    silent = {
        id_ for id_ in GUARDS if not any(verdict.kind is Kind.PASS for verdict in stack.ask(id_, manifest))
    }
    assert silent == set()


def holders(value: Any, path: list[str], way: Way = ()) -> Iterator[Way]:
    """Where a path leads in a value, through every element of every list on it."""
    if isinstance(value, list):
        for number, one in enumerate(value):
            yield from holders(one, path, (*way, number))
    elif isinstance(value, dict) and path[0] in value:
        if len(path) == 1:
            yield (*way, path[0])
        else:
            yield from holders(value[path[0]], path[1:], (*way, path[0]))


def places(stack: dict[str, Any], guard: str) -> Iterator[Way]:
    """Every place of a guarded property that says something; with `=true` only where it is on."""
    guard, _, only = guard.partition("=")
    section, *path = guard.split(".")
    if section == "provider":
        yield from holders(stack, ["provider", *path])
        return
    root: Way = ("output",) if section == "output" else ("resource", section)
    bodies = stack["output"] if section == "output" else stack["resource"].get(section, {})
    for name, body in bodies.items():
        for way in holders(body, path, (*root, name)):
            if (not only or at(stack, way) is True) and at(stack, way) not in (None, {}, []):
                yield way


def at(stack: Any, way: Way) -> Any:
    """What stands there."""
    for step in way:
        stack = stack[step]
    return stack


@pytest.mark.parametrize("id_", sorted(GUARDS))
def test_what_a_check_guards_cannot_be_taken_from_the_real_stack(
    real: "dict[str, RealStack]", id_: str
) -> None:
    stack = real["demo"]
    body = stack.copy()
    missed = []
    seen = 0
    for guard in GUARDS[id_]:
        for way in places(stack.body, guard):
            holder, last = at(body, way[:-1]), way[-1]
            kept = holder[last]
            for blank in (None, ""):
                seen += 1
                holder[last] = blank
                kinds = {one.kind for one in stack.ask(id_, stack.manifest(body))}
                if not kinds & {Kind.FAIL, Kind.UNKNOWN}:
                    missed.append((".".join(map(str, way)), blank))
            holder[last] = kept
    assert missed == []
    assert seen
