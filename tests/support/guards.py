"""What each check claims to guard, and every place of it in a stack."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from payinfra.checks.verdicts import Kind

GUARDS: dict[str, list[str]] = json.loads(Path(__file__).with_name("guards.json").read_text())
"""By check id: `aws_s3_bucket.bucket`, `provider.aws.region`, `output.description`, and with `=true` at the
end only where the property is on."""
ONLY_WARNED = {"PI-DNS-003": (Kind.WARN,)}
"""A SECONDARY without a health check is answered all the same, as the last resort."""

Way = tuple[str | int, ...]


def places(stack: dict[str, Any], guard: str) -> Iterator[Way]:
    """Every place of a guarded property."""
    guard, _, only = guard.partition("=")
    section, *path = guard.split(".")
    if section == "provider":
        yield from _holders(stack, ["provider", *path])
        return
    root: Way = ("output",) if section == "output" else ("resource", section)
    bodies = stack["output"] if section == "output" else stack["resource"].get(section, {})
    for name, body in bodies.items():
        for way in _holders(body, path, (*root, name)):
            if not only or at(stack, way) is True:
                yield way


def at(stack: Any, way: Way) -> Any:
    """What stands at a place."""
    for step in way:
        stack = stack[step]
    return stack


def _holders(value: Any, path: list[str], way: Way = ()) -> Iterator[Way]:
    """Where a path leads in a value, through every element of every list on it."""
    if isinstance(value, list):
        for number, one in enumerate(value):
            yield from _holders(one, path, (*way, number))
    elif isinstance(value, dict) and path[0] in value:
        if len(path) == 1:
            yield (*way, path[0])
        else:
            yield from _holders(value[path[0]], path[1:], (*way, path[0]))
