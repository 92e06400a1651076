"""What the comparison of two syntheses counts as a difference."""

from collections.abc import Mapping

from scripts.compat import differences

BEFORE: Mapping[str, object] = {"a": 1, "list": [{"b": "x"}]}


def test_the_same_is_no_difference() -> None:
    assert differences(BEFORE, dict(BEFORE)) == ()


def test_a_value_that_differs_is_named_with_both() -> None:
    assert differences(BEFORE, {"a": 2, "list": [{"b": "x"}]}) == ("a: 1 -> 2",)


def test_a_value_that_only_one_has_is_named_with_whose_it_is() -> None:
    found = differences(BEFORE, {"list": [{"b": "x"}], "new": True})
    assert found == ("a: only in the present one: 1", "new: only in the newest one: True")
