"""Validation by the JSON Schemas beside this module, which the gateway's models and the API document share.

fastjsonschema stops at the first failure. A valid document costs one call; only a document that fails is
looked at again, field by field, so that the answer can name every failing one.
"""

import functools
import json
from collections.abc import Callable, Iterator, Mapping
from importlib import resources
from typing import cast

import fastjsonschema

from .problems import FieldError

Schema = Mapping[str, object]
Validate = Callable[[object], object]


@functools.cache
def load(name: str) -> Schema:
    """The schema `name`; works from a folder and from inside a zip.

    Raises:
        FileNotFoundError: the package has no such schema.
    """
    text = resources.files(__name__.rpartition(".")[0]).joinpath("schemas", f"{name}.json").read_text("utf-8")
    return cast(Schema, json.loads(text))


def check(name: str, document: Mapping[str, object]) -> tuple[FieldError, ...]:
    """Every field of `document` that misses the schema `name`, by the field's name; none when it is valid."""
    try:
        _compiled(name)(document)
    except fastjsonschema.JsonSchemaValueException:
        return tuple(sorted(_failures(load(name), document, ""), key=lambda error: error.field))
    return ()


@functools.cache
def _compiled(name: str) -> Validate:
    return _compile(load(name))


def _compile(schema: Schema) -> Validate:
    return cast(Validate, fastjsonschema.compile(dict(schema), use_default=False))


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
    for name, value in document.items():
        where = f"{at}/{_pointer(name)}"
        if name in properties:
            yield from _member_failures(properties[name], value, where)
        elif others is False:
            yield FieldError(where, "is not a known field")
        else:
            names = cast(Schema, schema.get("propertyNames", {}))
            yield from (FieldError(e.field, f"has a name that {e.detail}") for e in _leaf(names, name, where))
            yield from _member_failures(cast(Schema, others), value, where)


def _member_failures(schema: Schema, value: object, where: str) -> Iterator[FieldError]:
    return _failures(schema, value, where) if schema.get("type") == "object" else _leaf(schema, value, where)


def _leaf(schema: Schema, value: object, where: str) -> Iterator[FieldError]:
    try:
        _compile(schema)(value)
    except fastjsonschema.JsonSchemaValueException as failure:
        yield FieldError(where, _sentence(failure.rule or "", failure.rule_definition))


def _sentence(rule: str, wanted: object) -> str:
    """The rule in words. Never the value: it may be what must not be repeated."""
    match rule:
        case "type":
            return f"must be of type {wanted}"
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
            return f"must match {wanted}"


def _pointer(name: str) -> str:
    """A member's name in a JSON pointer (RFC 6901), cut short when a client sends a novel."""
    return name[:64].replace("~", "~0").replace("/", "~1")
