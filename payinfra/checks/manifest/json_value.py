"""A value of a JSON document."""

from collections.abc import Iterator

from payinfra.core.json_text import json_or_none

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]


def parsed(text: str) -> Json:
    """What a text of JSON holds; None where it is none."""
    document: Json = json_or_none(text)
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
