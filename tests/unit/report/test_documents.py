"""The JSON of every command: one convention, and a published schema for each document."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.main import get_command

from payinfra.cli import app
from payinfra.report.documents import COMMANDS, ELSEWHERE, SHAPES, document, schemas

PUBLISHED = Path(__file__).parents[3] / "docs" / "schemas"


def commands(command: Any, words: tuple[str, ...] = ()) -> dict[str, Any]:
    """Every command that has `--format json`, by what is typed."""
    if inner := getattr(command, "commands", None):
        found: dict[str, Any] = {}
        for name, one in inner.items():
            found |= commands(one, (*words, name))
        return found
    formats = [option for option in command.params if "--format" in getattr(option, "opts", ())]
    return (
        {" ".join(words): command}
        if any("json" in set(one.type_descriptor.annotation) for one in formats)
        else {}
    )


def test_every_command_with_json_says_which_documents_it_writes() -> None:
    assert set(commands(get_command(app))) == set(COMMANDS)


def test_every_document_is_written_by_a_command_and_published() -> None:
    written = {name for names in COMMANDS.values() for name in names}
    published = {file.stem for file in PUBLISHED.glob("*.json")}
    assert written == set(schemas()) | set(ELSEWHERE) == published


@pytest.mark.parametrize("file", sorted(PUBLISHED.glob("*.json")), ids=lambda file: file.stem)
def test_a_published_schema_is_one_and_names_both_marks(file: Path) -> None:
    schema = json.loads(file.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    name, _, version = file.stem.rpartition("-")
    assert schema["$id"] == f"urn:payinfra:{name}:{version}"
    assert schema["properties"]["schema"] == {"const": f"payinfra/{file.stem}"}
    if name != "version":  # there it is payinfra's own
        assert schema["properties"]["version"] == {"const": int(version)}


def test_a_document_that_lacks_a_field_or_a_mark_is_refused() -> None:
    schema = schemas()["resolution-1"]
    whole = document("resolution", {"payment_id": "p", "kept": "f"})
    jsonschema.validate(whole, schema)
    jsonschema.validate({**whole, "more": 1}, schema)
    for name in whole:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({key: value for key, value in whole.items() if key != name}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**whole, "kept": 3}, schema)


def test_the_marks_come_first() -> None:
    assert list(document("plan", {}))[:2] == ["schema", "version"]
    assert all(isinstance(shape, dict) for shape in SHAPES.values())
