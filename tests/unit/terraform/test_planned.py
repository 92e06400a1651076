"""What a plan would do to a resource that exists, value by value."""

import pytest

from payinfra.terraform.jsonvalue import JsonValue
from payinfra.terraform.planned import PlannedChange, planned_changes


def change(before: JsonValue, after: JsonValue, unknown: JsonValue = None) -> PlannedChange:
    shown: JsonValue = {
        "resource_changes": [
            {
                "mode": "managed",
                "address": "a.b",
                "type": "a",
                "change": {"before": before, "after": after, "after_unknown": unknown},
            }
        ]
    }
    (found,) = planned_changes(shown)
    return found


@pytest.mark.parametrize(
    ("before", "after", "paths"),
    [
        ({"x": 1}, {"x": 1}, ()),
        ({"x": 1}, {"x": 2}, (("x",),)),
        ({"x": 1}, {}, (("x",),)),
        ({"x": "", "y": [], "z": None}, {"x": None, "y": None, "z": False}, ()),
        ({"x": {"y": 1, "z": 1}}, {"x": {"y": 1, "z": 2}}, (("x", "z"),)),
        ({"x": [{"y": 1}, {"y": 1}]}, {"x": [{"y": 1}, {"y": 2}]}, (("x", 1, "y"),)),
        ({"x": [1]}, {"x": [1, 2]}, (("x",),)),
        ({"x": [1]}, {"x": "text"}, (("x",),)),
    ],
)
def test_differences_are_named_by_their_place(
    before: JsonValue, after: JsonValue, paths: tuple[object, ...]
) -> None:
    assert change(before, after).differences() == paths


def test_what_is_known_only_after_the_apply_is_no_difference() -> None:
    unknown: JsonValue = {"id": True, "blocks": [{"arn": True}]}
    before: JsonValue = {"id": "1", "blocks": [{"arn": "a", "size": 1}]}
    after: JsonValue = {"blocks": [{"size": 2}]}
    assert change(before, after, unknown).differences() == (("blocks", 0, "size"),)


def test_only_resources_that_exist_are_changed() -> None:
    assert (
        planned_changes(
            {
                "resource_changes": [
                    {"mode": "managed", "address": "a.new", "change": {"before": None, "after": {"x": 1}}},
                    {"mode": "data", "address": "data.a.b", "change": {"before": {"x": 1}}},
                ]
            }
        )
        == ()
    )


def test_values_are_not_shown() -> None:
    assert "hunter2" not in repr(change({"secret": "hunter2"}, {"secret": "hunter3"}))
