"""Reads JSON that others wrote: whatever is wrong with it is one kind of error."""

import json
from typing import Any

DEEPEST = "it is nested too deep"


def parse_json(text: str | bytes | bytearray) -> Any:
    """The value of a JSON text.

    Python's parser answers text that is nested some thousand levels deep with RecursionError, which is no
    ValueError: who only expects the latter would take such a file for a bug.

    Raises:
        ValueError: it is no JSON, or nested deeper than Python can read.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError(DEEPEST) from None


def json_or_none(text: str | bytes | bytearray) -> Any:
    """The value of a JSON text; None where it is none."""
    try:
        return parse_json(text)
    except ValueError:
        return None
