"""Log groups that are described while functions write to them, as on AWS."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from payinfra.core.json_text import parse_json
from payinfra.local.server.ministack import Emulator

MOST_EVENTS = 10_000
PAGE = "payinfra/"
TRIES = 5
"""Streams are added some ten times a second at the most; adding up what they hold takes milliseconds."""


def install(emulator: Emulator) -> None:
    """Apply the patch."""
    logs = emulator.service("cloudwatch_logs")
    emulator.replace(logs, "_describe_log_groups", while_streams_are_added(logs._describe_log_groups))
    emulator.replace(
        logs, "_filter_log_events", found_page_by_page(logs._filter_log_events, logs.error_response_json)
    )


def while_streams_are_added(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """AWS: a group is described whatever is written to it.

    ministack's functions write from threads of their own, and Python gives up looking through a dictionary
    that another thread adds to.
    """

    def describe(data: Any) -> Any:
        for _ in range(TRIES - 1):
            with suppress(RuntimeError):
                return original(data)
        return original(data)

    return describe


def found_page_by_page(
    original: Callable[[Any], Any], error: Callable[[str, str, int], Any]
) -> Callable[[Any], Any]:
    """AWS: a page of FilterLogEvents holds what was found in a part of the streams, which may be nothing, and
    `nextToken` is there as long as there is more to search (CloudWatch Logs API reference, FilterLogEvents:
    "This operation can return empty results while there are more log events available through the token").

    Here the first page is always empty, and the second and those after it hold up to `limit` events each.
    """

    def find(data: Any) -> Any:
        limit = min(int(data.get("limit") or MOST_EVENTS), MOST_EVENTS)
        token = str(data.get("nextToken") or "")
        if token and not token.startswith(PAGE):
            return error("InvalidParameterException", "The specified nextToken is invalid.", 400)
        status, headers, body = original(
            {**{key: value for key, value in data.items() if key != "nextToken"}, "limit": MOST_EVENTS}
        )
        if status != 200:
            return status, headers, body
        found = parse_json(body)
        if not token:
            return 200, headers, json.dumps({**found, "events": [], "nextToken": f"{PAGE}0"}).encode()
        start = int(token.removeprefix(PAGE))
        events = found["events"][start : start + limit]
        more = {"nextToken": f"{PAGE}{start + limit}"} if len(found["events"]) > start + limit else {}
        return 200, headers, json.dumps({**found, "events": events, **more}).encode()

    return find
