"""Judges parameters by a model's shapes: members, types, enums, patterns, lengths and ranges."""

import functools
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

from payinfra.local.server.validation.requests import UNKNOWN

_NUMBERS = ("integer", "long", "float", "double")


def faults(shape: Shape | None, value: Any, at: str = "") -> Iterator[str]:
    """What the model forbids in a value, each as a phrase with where it is."""
    match shape:
        case None:
            if value:
                yield f"{at or 'the input'}: the operation takes none"
        case StructureShape():
            yield from _structure(shape, value, at)
        case ListShape():
            if not isinstance(value, list):
                yield f"{at}: {value!r} is no list"
                return
            yield from _limited(shape, len(value), f"{at}: {len(value)} entries")
            for number, one in enumerate(value):
                yield from faults(shape.member, one, f"{at}[{number}]")
        case MapShape():
            if not isinstance(value, Mapping):
                yield f"{at}: {value!r} is no map"
                return
            yield from _limited(shape, len(value), f"{at}: {len(value)} entries")
            for key, one in value.items():
                yield from faults(shape.key, key, f"{at} key {key}")
                yield from faults(shape.value, one, f"{at}.{key}")
        case _:
            yield from _scalar(shape, value, at)


def _structure(shape: StructureShape, value: Any, at: str) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{at}: {value!r} is no structure"
        return
    for name in shape.required_members:
        if name not in value and not shape.members[name].metadata.get("idempotencyToken"):
            yield f"{at}.{name}: is required"
    for name, one in value.items():
        if name.startswith(UNKNOWN):
            yield f"{at}.{name.removeprefix(UNKNOWN)}: the model has no such member"
        elif name in shape.members:
            yield from faults(shape.members[name], one, f"{at}.{name}")


def _scalar(shape: Shape, value: Any, at: str) -> Iterator[str]:
    kind = shape.type_name
    if kind in _NUMBERS:
        if isinstance(value, bool) or not isinstance(value, int | float):
            yield f"{at}: {value!r} is no number"
        else:
            yield from _limited(shape, value, f"{at}: {value}")
    elif kind == "boolean":
        if not isinstance(value, bool):
            yield f"{at}: {value!r} is neither true nor false"
    elif kind == "string":
        if not isinstance(value, str | bytes):
            yield f"{at}: {value!r} is no text"
            return
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        yield from _limited(shape, len(text), f"{at}: {len(text)} characters")
        if isinstance(shape, StringShape) and shape.enum and text not in shape.enum:
            yield f"{at}: {text!r} is none of {', '.join(shape.enum[:8])}"
        pattern = _pattern(str(shape.metadata.get("pattern", "")))
        if pattern and not pattern.search(text):
            yield f"{at}: {text!r} does not match {pattern.pattern}"
    elif kind == "blob":
        if not isinstance(value, str | bytes):
            yield f"{at}: {value!r} is no blob"
    elif kind == "timestamp" and not isinstance(value, str | int | float | datetime):
        yield f"{at}: {value!r} is no time"


def _limited(shape: Shape, size: float, what: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        yield f"{what}, the least is {least}"
    if most is not None and size > most:
        yield f"{what}, the most is {most}"


@functools.cache
def _pattern(text: str) -> re.Pattern[str] | None:
    """A model's pattern, anchored as AWS applies it; None for one that Python cannot read."""
    if not text:
        return None
    anchored = text if text.startswith("^") or text.endswith("$") else f"^(?:{text})$"
    try:
        return re.compile(_CLASSES.sub(lambda found: _JAVA[found[1]], anchored))
    except re.error:
        return None


_CLASSES = re.compile(r"\\p\{(\w+)\}")
_JAVA = {
    "L": "A-Za-z\u00aa-\uffff",
    "Z": r"\s",
    "N": r"\d",
    "M": r"̀-ͯ",
    "S": r"$+<=>^`|~",
    "P": r"!-#%-*,-/:;?@\[-\]_{}",
    "Alpha": "a-zA-Z",
    "Alnum": "a-zA-Z0-9",
    "ASCII": r"\x00-\x7f",
    "Print": r"\x20-\x7e",
    "Graph": r"\x21-\x7e",
}
