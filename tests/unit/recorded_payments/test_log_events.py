"""Log events: read to the last page, followed without doubles, and never more than data."""

import json
from collections.abc import Iterator
from contextlib import suppress
from io import StringIO
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from rich.console import Console

from payinfra.payments.log_events import EVERY_S, LATE_MS, LogEvent, LogSource, follow, read
from payinfra.report import logs as report
from payinfra.report.formats import Format

SINCE = 1_800_000_000_000


def event(id: str, at_ms: int, message: str = "said") -> dict[str, object]:
    return {"eventId": id, "timestamp": at_ms, "logStreamName": "stream", "message": message}


class Pages:
    """A client whose answers are scripted: a list of pages for each reading, or an error."""

    def __init__(self, *readings: list[list[dict[str, object]]] | Exception) -> None:
        self.readings = list(readings)
        self.asked: list[dict[str, Any]] = []
        self.pages: list[list[dict[str, object]]] = []

    def filter_log_events(self, **asked: Any) -> dict[str, object]:
        self.asked.append(asked)
        if "nextToken" not in asked:
            reading = self.readings.pop(0)
            if isinstance(reading, Exception):
                raise reading
            self.pages = list(reading)
        page = self.pages.pop(0)
        # As AWS does: a token wherever another page is, whether or not this one has events.
        return {"events": page, **({"nextToken": "more"} if self.pages else {})}

    def source(self, region: str = "us-east-1") -> LogSource:
        return LogSource(region, "/aws/lambda/f", cast(Any, self))


def test_an_empty_page_with_a_token_is_not_the_end() -> None:
    client = Pages([[], [event("a", SINCE)], [], [event("b", SINCE + 1)]])
    assert [one.id for one in client.source().events(SINCE)] == ["a", "b"]
    assert client.asked[0] == {"logGroupName": "/aws/lambda/f", "startTime": SINCE}
    assert client.asked[1]["nextToken"] == "more"


def test_both_regions_are_read_in_the_order_of_time() -> None:
    east, west = Pages([[event("a", 1), event("c", 3)]]), Pages([[event("b", 2)]])
    found = read((east.source(), west.source("us-west-2")), 0)
    assert [(one.id, one.region) for one in found] == [
        ("a", "us-east-1"),
        ("b", "us-west-2"),
        ("c", "us-east-1"),
    ]


class Ended(Exception):
    """What a test's clock raises when nobody should wait any longer."""


def followed(*sources: LogSource, rounds: int) -> tuple[list[str], list[str], list[float]]:
    told: list[str] = []
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == rounds:
            raise Ended

    found: list[str] = []
    with suppress(Ended):
        found.extend(one.id for one in follow(sources, SINCE, sleep=sleep, tell=told.append))
    return found, told, slept


def test_a_follower_shows_each_event_once_and_those_that_come_late() -> None:
    newest = SINCE + 3 * LATE_MS
    client = Pages(
        [[event("a", newest)]],
        [[event("late", newest - LATE_MS + 1), event("a", newest)]],
        [[event("a", newest), event("b", newest + 1)]],
    )
    found, told, slept = followed(client.source(), rounds=3)
    assert (found, told, slept) == (["a", "late", "b"], [], [EVERY_S] * 3)
    assert [asked["startTime"] for asked in client.asked] == [SINCE, newest - LATE_MS, newest - LATE_MS]


def test_what_is_old_enough_never_to_come_again_is_forgotten_and_not_shown_again() -> None:
    client = Pages(
        [[event("a", SINCE)]],
        [[event("b", SINCE + 2 * LATE_MS)]],
        [[event("c", SINCE + 2 * LATE_MS + 1)]],
    )
    found, _, _ = followed(client.source(), rounds=3)
    assert found == ["a", "b", "c"]
    assert client.asked[2]["startTime"] == SINCE + LATE_MS


def test_a_region_that_is_silent_ends_nothing_and_is_told_of_once() -> None:
    silence = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
    east = Pages(silence, silence, [[event("back", SINCE)]])
    west = Pages([[event("w1", SINCE)]], [[event("w2", SINCE + 1)]], [[]])
    found, told, _ = followed(east.source(), west.source("us-west-2"), rounds=3)
    assert found == ["w1", "w2", "back"]
    assert told == [
        "us-east-1 does not answer; it is asked again every 2 s.",
        "us-east-1 answers again.",
    ]


def test_a_group_that_does_not_exist_ends_it() -> None:
    error = ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "FilterLogEvents")
    with pytest.raises(ClientError):
        followed(Pages(error).source(), rounds=1)


HOSTILE = "\x1b[2J[red]x[/red]\n2027-01-15T08:00:00.000Z us-east-1 forged\u202e"


def lines(fmt: Format, *found: LogEvent) -> list[str]:
    console = Console(file=StringIO(), width=20)

    def events() -> Iterator[LogEvent]:
        yield from found

    assert report.events(console, events(), fmt) == len(found)
    file = console.file
    assert isinstance(file, StringIO)
    return file.getvalue().splitlines()


def test_a_hostile_message_stays_one_line_of_data() -> None:
    found = LogEvent(SINCE, "us-east-1", "group", "stream", HOSTILE, "a")
    assert lines(Format.TABLE, found) == [
        "2027-01-15T08:00:00.000Z us-east-1 "
        "\\x1b[2J[red]x[/red]\\n2027-01-15T08:00:00.000Z us-east-1 forged\\u202e"
    ]
    (line,) = lines(Format.JSON, found)
    assert line.isascii()
    assert json.loads(line)["message"] == HOSTILE
