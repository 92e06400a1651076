"""Events of CloudWatch Logs, read to their last page, and followed as they come."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from payinfra.clients.aws_errors import is_transient

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

EVERY_S = 2.0
"""How long a follower waits between two looks. FilterLogEvents is limited to 5 requests a second and region
as a rule (CloudWatch Logs quotas, AWS's documentation)."""

LATE_MS = 60_000
"""How far back a follower looks again: streams are ingested one after the other, so that an event may become
visible after a later one of another stream."""


@dataclass(frozen=True)
class LogEvent:
    """One event. `message` is foreign text: it may hold anything."""

    at_ms: int
    region: str
    group: str
    stream: str
    message: str
    id: str


@dataclass(frozen=True)
class LogSource:
    """A log group in a region, and the client that reads it."""

    region: str
    group: str
    client: "CloudWatchLogsClient"

    def events(self, since_ms: int) -> Iterator[LogEvent]:
        """Every event since then, in the order of AWS.

        A page may be empty and still have a successor: only the absence of a token ends it (FilterLogEvents,
        AWS's API reference).

        Raises:
            ClientError, BotoCoreError: the group does not exist, cannot be read, or AWS does not answer.
        """
        more: dict[str, Any] = {}
        while True:
            page = self.client.filter_log_events(logGroupName=self.group, startTime=since_ms, **more)
            for event in page.get("events", ()):
                yield LogEvent(
                    event.get("timestamp", 0),
                    self.region,
                    self.group,
                    event.get("logStreamName", ""),
                    event.get("message", ""),
                    event.get("eventId", ""),
                )
            if not (token := page.get("nextToken")):
                return
            more = {"nextToken": token}


def read(sources: Sequence[LogSource], since_ms: int) -> list[LogEvent]:
    """The events of all sources since then, by time. Raises as `LogSource.events`."""
    return sorted((event for one in sources for event in one.events(since_ms)), key=_order)


def follow(
    sources: Sequence[LogSource],
    since_ms: int,
    *,
    sleep: Callable[[float], None],
    tell: Callable[[str], None],
) -> Iterator[LogEvent]:
    """The events of all sources since then, and each that comes, once. It does not end by itself.

    A region that does not answer ends nothing: it is told of, and asked again.

    Raises:
        ClientError, BotoCoreError: a group does not exist, or cannot be read.
    """
    begins = dict.fromkeys(sources, since_ms)
    seen: dict[str, int] = {}
    silent: set[LogSource] = set()
    while True:
        fresh: list[LogEvent] = []
        for source in sources:
            try:
                found = [event for event in source.events(begins[source]) if event.id not in seen]
            except Exception as error:
                if not is_transient(error):
                    raise
                if source not in silent:
                    tell(f"{source.region} does not answer; it is asked again every {EVERY_S:g} s.")
                silent.add(source)
                continue
            if source in silent:
                tell(f"{source.region} answers again.")
                silent.remove(source)
            fresh += found
            seen.update((event.id, event.at_ms) for event in found)
            newest = max((event.at_ms for event in found), default=0)
            begins[source] = max(begins[source], newest - LATE_MS)
        yield from sorted(fresh, key=_order)
        oldest = min(begins.values())
        seen = {id: at_ms for id, at_ms in seen.items() if at_ms >= oldest}
        sleep(EVERY_S)


def _order(event: LogEvent) -> tuple[int, str, str]:
    return event.at_ms, event.region, event.id
