"""JSON as typed values: what Terraform prints is read through these few helpers, never through bare dicts."""

from collections.abc import Mapping, Sequence

from payinfra.core.json_text import parse_json

JsonValue = None | bool | int | float | str | Sequence["JsonValue"] | Mapping[str, "JsonValue"]


def parse(text: str | bytes) -> JsonValue:
    """Parse `text`. Raises ValueError when it is no JSON."""
    value: JsonValue = parse_json(text)
    return value


def parse_object(line: str) -> Mapping[str, JsonValue] | None:
    """The JSON object on one line of output, or None where the line is something else."""
    if not line.startswith("{"):
        return None
    try:
        value = parse(line)
    except ValueError:
        return None
    return value if isinstance(value, Mapping) else None


def at(value: JsonValue, *path: str) -> JsonValue:
    """The value under nested keys; None where any of them is missing."""
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def text(value: JsonValue, *path: str) -> str:
    """The string under nested keys; empty where there is none."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def number(value: JsonValue, *path: str) -> int:
    """The whole number under nested keys; 0 where there is none."""
    found = at(value, *path)
    return found if isinstance(found, int) else 0


def members(value: JsonValue, *path: str) -> Mapping[str, JsonValue]:
    """The object under nested keys; empty where there is none."""
    found = at(value, *path)
    return found if isinstance(found, Mapping) else {}


def items(value: JsonValue, *path: str) -> Sequence[JsonValue]:
    """The array under nested keys; empty where there is none."""
    found = at(value, *path)
    return found if isinstance(found, Sequence) and not isinstance(found, str) else ()
