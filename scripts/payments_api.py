"""The page about the payments API, drawn from its document: the problems' anchors are its headings."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from handlers import openapi
from handlers.payments import core, validation
from handlers.payments.problems import TYPE

TEMPLATE = Path(__file__).with_suffix(".md")


def page() -> str:
    """The page about the API, whose headings are the anchors of the problems."""
    paths = cast(Mapping[str, Mapping[str, Mapping[str, object]]], openapi.document()["paths"])
    operations = [
        f"| `{method.upper()} {path}` | {one['summary']} | {_statuses(one['responses'])} |"
        for path, methods in paths.items()
        for method, one in methods.items()
    ]
    asked = openapi.plain("payment")
    required = cast(list[str], asked["required"])
    fields = [
        f"| `{name}` | {'yes' if name in required else 'no'} | {schema.get('description', '')} |"
        for name, schema in cast(Mapping[str, Mapping[str, object]], asked["properties"]).items()
    ]
    states = [
        f"| `{status}` | {', '.join(f'`{one}`' for one in following) or 'nothing'} |"
        for status, following in core.TRANSITIONS.items()
    ]
    kinds = [
        f"### {kind}\n\n{', '.join(map(str, one.statuses))}. {one.meaning} {one.advice}\n"
        for kind, one in openapi.KINDS.items()
    ]
    return TEMPLATE.read_text(encoding="utf-8").format(
        operations="\n".join(operations),
        fields="\n".join(fields),
        states="\n".join(states),
        kinds="\n".join(kinds),
        example=json.dumps(openapi.EXAMPLE_REQUEST, indent=2),
        key=openapi.EXAMPLE_KEY,
        type=TYPE,
        most=validation.MOST_ERRORS,
    )


def _statuses(responses: object) -> str:
    return ", ".join(sorted(cast(Mapping[str, object], responses)))
