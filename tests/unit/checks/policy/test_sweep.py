"""Each property that a check claims to guard, removed, blanked or of a wrong type: each is caught."""

import copy
import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payinfra.checks.verdicts import Kind
from payinfra.core.errors import EnvironmentUnusable
from tests.support.guards import GUARDS, ONLY_WARNED, Way, at, places

if TYPE_CHECKING:
    from tests.unit.checks.policy.conftest import GoodStack

BLANKS: tuple[Any, ...] = (..., None, "", {}, [[]])


@pytest.mark.parametrize("id_", sorted(GUARDS))
def test_what_a_check_guards_cannot_be_taken_away(world: "GoodStack", id_: str) -> None:
    seen = 0
    missed = []
    stack = copy.deepcopy(world.good)
    for guard in GUARDS[id_]:
        for way in places(world.good, guard):
            holder, last = at(stack, way[:-1]), way[-1]
            kept = holder[last]
            for value in BLANKS:
                seen += 1
                if value is ...:
                    del holder[last]
                else:
                    holder[last] = copy.deepcopy(value)
                kinds = {one.kind for one in world.ask(id_, world.manifest(stack))}
                if not kinds & {Kind.FAIL, Kind.UNKNOWN, *ONLY_WARNED.get(id_, ())}:
                    missed.append((".".join(map(str, way)), value))
                holder[last] = kept
    assert seen >= len(GUARDS[id_]) * len(BLANKS)
    assert missed == []


WRONG: tuple[Any, ...] = (
    None,
    "",
    7,
    -1.5,
    True,
    "x",
    "${var.x}",
    "${",
    [],
    {},
    [[]],
    [{}],
    {"a": {"b": []}},
    "\x00",
)


def ways(value: Any, way: Way = ()) -> Iterator[Way]:
    """Every place in a stack below its resources' names."""
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, one in entries:
        if len(way) >= 3 or way[:1] == ("provider",):
            yield (*way, key)
        yield from ways(one, (*way, key))


@given(chance=st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None, derandomize=True, database=None)
def test_wrong_types_anywhere_never_raise(world: "GoodStack", chance: random.Random) -> None:
    stack = copy.deepcopy(world.good)
    everywhere = list(ways(stack))
    for way in chance.sample(everywhere, 60):
        try:
            holder = at(stack, way[:-1])
            holder[way[-1]] = copy.deepcopy(chance.choice(WRONG))
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    try:
        manifest = world.manifest(stack)
    except EnvironmentUnusable:
        return  # refused as a whole: what is no provider or resource block at all
    kinds = {one.kind for id_ in world.checks for one in world.ask(id_, manifest)}
    assert Kind.ERROR not in kinds
    assert kinds & {Kind.FAIL, Kind.UNKNOWN}


@pytest.mark.parametrize("wrong", [7, "x", [], {}, "${var.x}", [[]], [7]], ids=repr)
def test_a_wrong_type_in_every_place_at_once_does_not_pass(world: "GoodStack", wrong: Any) -> None:
    stack = copy.deepcopy(world.good)
    for bodies in stack["resource"].values():
        for body in bodies.values():
            for name in list(body):
                if name != "provider":
                    body[name] = copy.deepcopy(wrong)
    manifest = world.manifest(stack)
    for id_ in sorted(set(GUARDS) - {"PI-DNS-005", "PI-REG-001", "PI-OUT-001", "PI-TAG-001", "PI-LOG-001"}):
        kinds = {one.kind for one in world.ask(id_, manifest)}
        assert kinds != {Kind.PASS}, id_
