"""How long a provider was at work, read from the event stream that Terraform's `-json` gives."""

import json
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

STARTS = frozenset({"apply_start"})
ENDS = frozenset({"apply_complete", "apply_errored"})


class _Event(BaseModel):
    type: str
    timestamp: datetime = Field(alias="@timestamp")


def seconds_in_flight(log: Path) -> float:
    """Seconds during which at least one resource was being worked on: all but Terraform's own overhead."""
    total, in_flight, since = 0.0, 0, None
    for event in _events(log):
        if event.type in STARTS:
            since = event.timestamp if in_flight == 0 else since
            in_flight += 1
        elif event.type in ENDS and in_flight:
            in_flight -= 1
            if in_flight == 0 and since is not None:
                total += (event.timestamp - since).total_seconds()
    return total


def _events(log: Path) -> list[_Event]:
    found = []
    for line in log.read_text(encoding="utf-8").splitlines():
        try:
            found.append(_Event.model_validate(json.loads(line)))
        except (json.JSONDecodeError, ValidationError):
            continue  # The log holds plain lines, too.
    return found
