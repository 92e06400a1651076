"""Whatever stands in the place of a value: the file is refused, or judged without a check crashing."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payinfra.checks import catalogue
from payinfra.checks.manifest import Json, Manifest
from payinfra.checks.runner import run
from payinfra.core.errors import EnvironmentUnusable

if TYPE_CHECKING:
    from tests.unit.checks.policy.conftest import GoodStack

WRONG: tuple[Json, ...] = (
    None,
    True,
    0,
    -1.5,
    "",
    "text",
    "${var.unknown}",
    "${aws_s3_bucket.none.arn}",
    "${local.none[0]}",
    "{",
    "\x1b[31m\u202e",
    [],
    {},
    [[]],
    [None],
    [{}, {}],
    ["${var.unknown}", 3],
    {"Statement": 3},
    {"": {"": None}},
    '{"Statement": [{"Effect": 3, "Action": [{}], "Principal": [], "Condition": "x"}]}',
)
Steps = tuple[str | int, ...]


def places(value: Json, at: Steps = ()) -> Iterator[Steps]:
    """The way to every value below this one."""
    entries: list[tuple[str | int, Json]] = []
    if isinstance(value, dict):
        entries = list(value.items())
    elif isinstance(value, list):
        entries = list(enumerate(value))
    for key, inner in entries:
        yield (*at, key)
        yield from places(inner, (*at, key))


def replaced(value: Json, way: Steps, wrong: Json) -> Json:
    """A copy with another value in that place."""
    if not way:
        return wrong
    step, *rest = way
    if isinstance(value, dict):
        return {key: replaced(one, tuple(rest), wrong) if key == step else one for key, one in value.items()}
    assert isinstance(value, list)
    return [replaced(one, tuple(rest), wrong) if number == step else one for number, one in enumerate(value)]


@pytest.fixture(scope="module")
def ways(world: "GoodStack") -> list[Steps]:
    """Every place of the good stack."""
    return list(places(world.good))


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_no_wrong_type_makes_a_check_crash(
    data: st.DataObject, world: "GoodStack", ways: list[Steps]
) -> None:
    way = data.draw(st.sampled_from(ways))
    spoiled = replaced(world.good, way, data.draw(st.sampled_from(WRONG)))
    assert isinstance(spoiled, dict)

    try:
        judged = run(catalogue.load().policy, [Manifest.from_json(spoiled, folder=world.folder)])
    except EnvironmentUnusable:
        return

    assert [one.result.rule.id for one in judged if one.crashed] == []


@pytest.mark.parametrize("region", [0, "text", "-", "", True, "us-east-1-x"])
def test_no_form_of_a_region_makes_a_check_crash(region: Json, world: "GoodStack") -> None:
    spoiled = replaced(world.good, ("provider", "aws", 0, "region"), region)
    assert isinstance(spoiled, dict)

    judged = run(catalogue.load().policy, [Manifest.from_json(spoiled, folder=world.folder)])

    assert [one.result.rule.id for one in judged if one.crashed] == []
