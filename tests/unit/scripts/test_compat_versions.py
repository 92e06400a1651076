"""What the comparison with newer bindings calls a difference."""

from pathlib import Path

import pytest

from scripts.compat import SETTINGS, differences, environment


def test_equal_stacks_do_not_differ_whatever_cdktf_notes_about_itself() -> None:
    ours = {"//": {"metadata": {"version": "0.21.0"}}, "resource": {"x": [{"a": 1}]}}
    assert differences(ours, {**ours, "//": {"metadata": {"version": "0.22.0"}}}) == ()


def test_each_value_that_is_another_or_missing_is_a_difference() -> None:
    found = differences({"a": {"b": [1, 2]}, "gone": "x"}, {"a": {"b": [1, 3]}, "new": True})
    assert found == (
        "a.b[1]: 2 -> 3",
        "gone: only in the present one: 'x'",
        "new: only in the newest one: True",
    )


def test_only_the_newer_synthesis_sees_the_newer_bindings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYINFRA_ENV", "mine")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    present, newest = environment(None, tmp_path / "out"), environment(tmp_path / "b", tmp_path / "out")
    assert present["PYTHONPATH"] == ""
    assert newest["PYTHONPATH"] == str(tmp_path / "b")
    assert SETTINGS.items() <= present.items()
