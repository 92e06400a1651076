"""What reads a table's stream, when the stream is another one than it was."""

from collections.abc import Callable
from typing import Any

from payinfra.local.server.ministack import Emulator


def install(emulator: Emulator) -> None:
    """Apply the patch."""
    functions, dynamodb = emulator.service("lambda_svc"), emulator.service("dynamodb")
    emulator.replace(
        dynamodb,
        "stream_start_position",
        readers_begin_with_the_stream(
            dynamodb.stream_start_position, dynamodb.stream_end_position, functions
        ),
    )


def readers_begin_with_the_stream(
    start: Callable[..., int], end: Callable[..., int], functions: Any
) -> Callable[..., int]:
    """AWS: a stream that is switched on again is a new one, and its readers begin at its beginning.

    ministack counts records, forgets them with the stream and at a restart, but not the readers' count: they
    would wait until as many have come again.
    """

    def position(table: str, **scope: Any) -> int:
        first, last = start(table, **scope), end(table, **scope)
        # Without the lock of the positions: the caller may hold it, and each step here is atomic.
        for mapping in tuple(functions._esms.values()):
            source, reader = str(mapping.get("EventSourceArn", "")), mapping["UUID"]
            read = functions._dynamodb_stream_positions.get(reader)
            if f":table/{table}/stream/" in source and read is not None and read > last:
                functions._dynamodb_stream_positions[reader] = first
        return first

    return position
