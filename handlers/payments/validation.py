"""Validation by the JSON Schemas beside this module, which the gateway's models and the API document share.

fastjsonschema stops at the first failure. A valid document costs one call; only a document that fails is
looked at again, field by field, so that the answer can name failing ones. What that costs is bounded: it
ends at `MOST_ERRORS` failures, leaves out an object that has too many members, and compiles each rule once.

An answer never repeats what the client put there, neither values nor names: a member that the schema does not
name is told by its place.
"""

import functools
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from importlib import resources
from typing import cast

import fastjsonschema

from .problems import FieldError

Schema = Mapping[str, object]
Validate = Callable[[object], object]

MOST_ERRORS = 20
"""How many failing fields an answer names."""

_TYPES = {"integer": "an integer", "string": "a string", "object": "an object"}


@functools.cache
def load(name: str) -> Schema:
    """The schema `name`; works from a folder and from inside a zip.

    Raises:
        FileNotFoundError: the package has no such schema.
    """
    text = resources.files(__name__.rpartition(".")[0]).joinpath("schemas", f"{name}.json").read_text("utf-8")
    return cast(Schema, json.loads(text))


def check(name: str, document: Mapping[str, object]) -> tuple[FieldError, ...]:
    """The first `MOST_ERRORS` fields of `document` that miss the schema `name`; none when it is valid."""
    try:
        _compiled(name)(document)
    except fastjsonschema.JsonSchemaValueException:
        failing = itertools.islice(_failures(load(name), document, ""), MOST_ERRORS)
        return tuple(sorted(failing, key=lambda error: error.field))
    return ()


@functools.cache
def _compiled(name: str) -> Validate:
    return _compile(json.dumps(load(name)))


@functools.lru_cache(maxsize=64)
def _compile(schema: str) -> Validate:
    return cast(Validate, fastjsonschema.compile(json.loads(schema), use_default=False))


def _failures(schema: Schema, document: object, at: str) -> Iterator[FieldError]:
    """The failures of one object: its own, then each member's, with no member reported twice."""
    if not isinstance(document, Mapping):
        yield FieldError(at, "must be an object")
        return
    properties = cast(Mapping[str, Schema], schema.get("properties", {}))
    others = schema.get("additionalProperties", True)
    for name in cast(list[str], schema.get("required", [])):
        if name not in document:
            yield FieldError(f"{at}/{name}", "is required")
    most = schema.get("maxProperties")
    if isinstance(most, int) and len(document) > most:
        yield FieldError(at, f"must have at most {most} entries")
        return
    for place, (name, value) in enumerate(document.items(), start=1):
        if name in properties:
            yield from _member_failures(properties[name], value, f"{at}/{name}")
        elif others is False:
            yield FieldError(f"{at} (member {place})".lstrip(), "is not a known field")
        else:
            names = cast(Schema, schema.get("propertyNames", {}))
            yield from _leaf(names, name, name_of_entry(at, place))
            yield from _member_failures(cast(Schema, others), value, value_of_entry(at, place))


def name_of_entry(at: str, place: int) -> str:
    """How an answer calls the name of an object's member that the schema does not name, from 1."""
    return f"{at} (name of entry {place})"


def value_of_entry(at: str, place: int) -> str:
    """How an answer calls the value of an object's member that the schema does not name, from 1."""
    return f"{at} (value of entry {place})"


def _member_failures(schema: Schema, value: object, where: str) -> Iterator[FieldError]:
    return _failures(schema, value, where) if schema.get("type") == "object" else _leaf(schema, value, where)


def _leaf(schema: Schema, value: object, where: str) -> Iterator[FieldError]:
    try:
        _compile(json.dumps(schema))(value)
    except fastjsonschema.JsonSchemaValueException as failure:
        yield FieldError(where, _sentence(failure.rule or "", schema))


def _sentence(rule: str, schema: Schema) -> str:
    """The rule in words. Never the value: it may be what must not be repeated."""
    wanted = schema[rule]
    match rule:
        case "type":
            return f"must be {_TYPES[str(wanted)]}"
        case "minimum":
            return f"must be at least {wanted}"
        case "maximum":
            return f"must be at most {wanted}"
        case "minLength":
            return f"must have at least {wanted} character"
        case "maxLength":
            return f"must have at most {wanted} characters"
        case "enum" if isinstance(wanted, list) and len(wanted) <= 10:
            return f"must be one of {', '.join(str(choice) for choice in wanted)}"
        case "enum":
            return "must be one of the codes that the API's document lists"
        case _:
            # A pattern. What it means is in words beside it.
            return f"must have {schema['$comment']}"
