"""Log events, a line each: what a function logged is data, and moves no terminal."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Console

from payinfra.report.documents import document
from payinfra.report.formats import Format
from payinfra.report.printable import visible

if TYPE_CHECKING:
    from payinfra.payments.log_events import LogEvent


def events(console: Console, found: "Iterable[LogEvent]", fmt: Format) -> int:
    """Write each event as soon as it is there; how many there were. As JSON, an object a line."""
    count = 0
    for event in found:
        console.file.write((_as_json(event) if fmt is Format.JSON else _line(event)) + "\n")
        console.file.flush()
        count += 1
    return count


def _line(event: "LogEvent") -> str:
    # Lambda puts tabs between the figures of its reports.
    return f"{_time(event.at_ms)} {event.region} {visible(event.message.rstrip().expandtabs(1))}"


def _as_json(event: "LogEvent") -> str:
    # In ASCII, so that nothing in it can move a terminal or end the line.
    return json.dumps(
        document(
            "log-event",
            {
                "time": _time(event.at_ms),
                "region": event.region,
                "group": event.group,
                "stream": event.stream,
                "message": event.message,
            },
        )
    )


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
