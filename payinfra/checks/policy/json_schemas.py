"""Whether a JSON Schema refuses anything at all. Source: JSON Schema draft-04, as API Gateway models have
it."""

from payinfra.checks.manifest import Json, is_literal, parsed

_ANNOTATIONS = frozenset(
    {
        "$comment",
        "$defs",
        "$id",
        "$schema",
        "default",
        "definitions",
        "description",
        "deprecated",
        "discriminator",
        "example",
        "examples",
        "externalDocs",
        "format",
        "id",
        "nullable",
        "readOnly",
        "title",
        "writeOnly",
        "xml",
    }
)
_TYPES = frozenset({"array", "boolean", "null", "number", "object", "string"})
_EMPTY_LISTS = frozenset({"required", "allOf", "enum"})
_ZEROES = frozenset({"minItems", "minLength", "minProperties"})


def schema_refuses(text: str) -> bool | None:
    """Whether some body misses a schema; None where the text is not a schema that is all known."""
    if not is_literal(text):
        return None
    schema = parsed(text)
    return _refuses(schema) if isinstance(schema, dict | bool) else None


def _refuses(schema: Json) -> bool:
    """Keywords that nothing can miss count as none."""
    if not isinstance(schema, dict):
        return schema is False
    return any(_keyword_refuses(name, value) for name, value in schema.items())


def _keyword_refuses(name: str, value: Json) -> bool:
    if name in _ANNOTATIONS or name.startswith("x-"):
        return False
    if name == "type":
        return not (isinstance(value, list) and set(map(str, value)) >= _TYPES)
    if name in ("allOf", "anyOf", "oneOf") and isinstance(value, list):
        refusals = [_refuses(one) for one in value]
        return any(refusals) if name == "allOf" else bool(refusals) and all(refusals)
    if name in ("properties", "patternProperties", "dependencies") and isinstance(value, dict):
        return any(map(_refuses, value.values()))
    if name in ("additionalProperties", "items", "additionalItems"):
        return _refuses(value)
    if name in _EMPTY_LISTS and value == []:
        return False
    return not (name in _ZEROES and value == 0) and not (name == "uniqueItems" and value is False)
