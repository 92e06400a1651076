"""A value of a JSON document."""

import json
from collections.abc import Iterator

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]


def parsed(text: str) -> Json:
    """What a text of JSON holds; None where it is none."""
    try:
        document: Json = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return document


def texts_in(value: Json) -> Iterator[str]:
    """Every text in a value, however deep; the names of its fields are none."""
    todo: list[Json] = [value]
    while todo:
        match todo.pop():
            case str(text):
                yield text
            case list(items):
                todo += items
            case dict(fields):
                todo += fields.values()
            case _:
                pass
