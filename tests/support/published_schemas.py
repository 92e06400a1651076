"""What a command wrote, held against the schemas in docs/schemas."""

import json
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
WITHOUT_MARKS = ("local", "env")
"""The command whose JSON is variables, and nothing else."""


def hold(arguments: tuple[str, ...], stdout: str) -> None:
    """Hold the documents that a command wrote against their schemas; nothing where it wrote none.

    Raises:
        AssertionError: one has no marks, or is not what its schema says.
    """
    asked = ("--format", "json") in pairwise(arguments)
    if not asked or WITHOUT_MARKS in pairwise(arguments):
        return
    for document in _documents(stdout):
        assert isinstance(document.get("schema"), str), f"{arguments}: no schema in {document}"
        try:
            _validator(document["schema"]).validate(document)
        except jsonschema.ValidationError as error:
            raise AssertionError(f"{arguments}: {document['schema']}: {error.message}") from None


def _documents(stdout: str) -> Iterator[dict[str, Any]]:
    """Each document: one by itself, the elements of a list, or one after the other."""
    rest = stdout.strip()
    while rest:
        read, end = json.JSONDecoder().raw_decode(rest)
        yield from read if isinstance(read, list) else (read,)
        rest = rest[end:].lstrip()


@cache
def _validator(name: str) -> jsonschema.Draft202012Validator:
    file = SCHEMAS / f"{name.removeprefix('payinfra/')}.json"
    return jsonschema.Draft202012Validator(json.loads(file.read_text(encoding="utf-8")))
