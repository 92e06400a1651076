"""JSON that others wrote: one kind of error, whatever is wrong with it, and one function that reads it."""

import ast
from pathlib import Path

import pytest

from payinfra.core.json_text import parse_json

PACKAGE = Path(__file__).parents[3] / "payinfra"
OTHERWISE = ("checks", "drill")
"""Rooms that read only what payinfra or Terraform wrote, or have an answer of their own."""


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "", "\0", "{", b"\xff"])
def test_whatever_is_no_json_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any kind of it
        parse_json(text)


def test_json_is_read() -> None:
    assert parse_json('{"a": [1, null]}') == {"a": [1, None]}


def test_nothing_else_reads_json() -> None:
    """A call of `json.loads` would meet RecursionError, and end with the exit code of a bug."""
    calling = [
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if path.name != "json_text.py" and path.relative_to(PACKAGE).parts[0] not in OTHERWISE
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("loads", "load") and _is_json(node.value)
    ]
    assert calling == []


def _is_json(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "json"
