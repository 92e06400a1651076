"""A region that reads and records nothing: seen by its health page, slowly enough, and back again."""

import pytest

from handlers.payments.deadline import Overdue
from handlers.payments.problems import Unavailable
from handlers.payments.recording import (
    AT_ONCE_MS,
    FAILS_TO_FAIL,
    LOOK_EVERY_MS,
    LOOKS_TO_RECOVER,
    REMEMBERED_MS,
    RecordingLook,
)
from tests.unit.payments.conftest import Clock, Site


def page(site: Site) -> int:
    return site.request("GET", "/health").status


def looks(site: Site, number: int) -> list[int]:
    """What the page answers at so many looks, each as soon as one is due."""
    answers = []
    for _ in range(number):
        answers.append(page(site))
        site.clock.now_ms += LOOK_EVERY_MS
    return answers


@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException", "KMSAccessDeniedException"])
def test_writes_that_are_refused_are_believed_when_seen_again(site: Site, code: str) -> None:
    site.region.refuse("PutItem", code)
    assert looks(site, FAILS_TO_FAIL) == [200] * (FAILS_TO_FAIL - 1) + [503]
    reply = site.request("GET", "/health")
    assert (reply.status, reply.json()["checks"]) == (503, {"write": "refused"})
    assert site.lines()[-1]["reason"] == code


def test_one_refused_write_moves_nobody(site: Site) -> None:
    for _ in range(3):
        site.region.refuse("PutItem", "ThrottlingException")
        assert looks(site, FAILS_TO_FAIL - 1) == [200] * (FAILS_TO_FAIL - 1)
        site.region.allow()
        assert looks(site, 1) == [200]


def test_writes_that_come_back_are_believed_later_than_those_that_fail(site: Site) -> None:
    site.region.refuse("PutItem", "AccessDeniedException")
    looks(site, FAILS_TO_FAIL)
    site.region.allow()
    assert looks(site, LOOKS_TO_RECOVER) == [503] * (LOOKS_TO_RECOVER - 1) + [200]
    assert FAILS_TO_FAIL < LOOKS_TO_RECOVER


def test_a_flapping_table_stays_failed(site: Site) -> None:
    site.region.refuse("PutItem", "AccessDeniedException")
    looks(site, FAILS_TO_FAIL)
    for _ in range(3):
        site.region.allow()
        assert looks(site, LOOKS_TO_RECOVER - 1) == [503] * (LOOKS_TO_RECOVER - 1)
        site.region.refuse("PutItem", "AccessDeniedException")
        assert looks(site, 1) == [503]


@pytest.mark.parametrize("slept_ms", [REMEMBERED_MS, 3_600_000, -3_600_000])
def test_a_container_that_slept_through_the_end_of_a_failure_is_well_at_once(
    site: Site, slept_ms: int
) -> None:
    site.region.refuse("PutItem", "AccessDeniedException")
    looks(site, FAILS_TO_FAIL)
    site.region.allow()
    site.clock.now_ms += slept_ms
    assert looks(site, 2) == [200, 200]


def test_a_container_that_slept_in_mid_failure_still_fails(site: Site) -> None:
    site.region.refuse("PutItem", "AccessDeniedException")
    looks(site, FAILS_TO_FAIL)
    for _ in range(3):
        site.clock.now_ms += REMEMBERED_MS
        assert looks(site, 1) == [503]


def test_between_looks_the_page_only_reads(site: Site) -> None:
    for _ in range(5):
        assert page(site) == 200
        site.clock.now_ms += LOOK_EVERY_MS // 10
    assert site.region.calls == ["PutItem", *["Query"] * 5]


def test_a_look_stores_and_replicates_nothing(site: Site) -> None:
    looks(site, 3)
    assert (site.region.items(), site.region.outbox, site.region.changes) == ({}, [], [])


def test_a_clock_that_goes_back_is_no_reason_to_look_never_again(site: Site) -> None:
    assert page(site) == 200
    site.clock.now_ms -= LOOK_EVERY_MS
    assert page(site) == 200
    assert site.region.calls == ["PutItem", "Query", "PutItem", "Query"]


def test_a_write_that_never_returns_is_answered_for_at_once(clock: Clock) -> None:
    def overdue() -> None:
        clock.now_ms += AT_ONCE_MS + 1
        raise Overdue

    def unread() -> None:
        pytest.fail("there is no time left to read")

    with pytest.raises(Overdue):
        RecordingLook(unread, overdue, clock)()


def test_a_table_that_cannot_be_read_either_fails_at_once(clock: Clock) -> None:
    def attempt() -> None:
        raise Unavailable("table", "AccessDeniedException")

    def read() -> None:
        raise Unavailable("table", "ReadTimeoutError")

    with pytest.raises(Unavailable, match="ReadTimeoutError"):
        RecordingLook(read, attempt, clock)()
