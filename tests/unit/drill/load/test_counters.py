"""How the load stands, as the engine sees it."""

import pytest

from payinfra.drill.load.counters import REMEMBERED_S, LoadCounters, SuccessStreak
from payinfra.drill.model import Attempt, Result

EAST, WEST = "us-east-1", "us-west-2"


class CountedAttempts:
    """A counters, and the attempts that it is told of."""

    def __init__(self) -> None:
        self.now = 0.0
        self.counters = LoadCounters(lambda: self.now)

    def end(
        self,
        region: str,
        at_s: float,
        seconds: float = 0.1,
        result: Result = Result.ACKNOWLEDGED,
        *,
        asked: str = "",
        status: int = 201,
        again: bool = False,
        by_name: bool = True,
    ) -> None:
        self.counters.sent()
        attempt = Attempt("key", 1, at_s, seconds, region, status, result, again)
        self.now = max(self.now, at_s + seconds)
        self.counters.ended(attempt, asked or region, by_name=by_name)

    def row(self, region: str) -> SuccessStreak | None:
        return self.counters.snapshot().streaks.get(region)

    def length(self, region: str) -> int:
        row = self.row(region)
        return 0 if row is None else row.length


def test_payments_are_counted_from_begin_to_end() -> None:
    world = CountedAttempts()
    world.counters.began()
    world.counters.began()
    world.counters.sent()
    snapshot = world.counters.snapshot()
    assert (snapshot.begun, snapshot.waiting, snapshot.in_flight) == (2, 2, 1)
    world.counters.settled()
    assert world.counters.snapshot().waiting == 1


def test_what_a_region_acknowledged_counts_once_and_every_failure() -> None:
    world = CountedAttempts()
    world.end(EAST, 0.0)
    world.end(EAST, 1.0, result=Result.REPLAYED)
    world.end(EAST, 2.0, result=Result.REPLAYED, again=True)
    world.end("", 3.0, result=Result.SILENT, status=0)
    world.end(WEST, 4.0, result=Result.REFUSED, status=403)
    snapshot = world.counters.snapshot()
    assert (snapshot.by_region, snapshot.failures, snapshot.in_flight) == ({EAST: 2}, 2, 0)
    assert len(world.counters.attempts()) == 5


def test_signs_of_life_and_the_end_by_itself() -> None:
    world = CountedAttempts()
    world.now = 7.0
    world.counters.heartbeat()
    assert (world.counters.snapshot().heartbeat_s, world.counters.snapshot().broken) == (7.0, "")
    world.counters.broke("no disk")
    assert world.counters.snapshot().broken == "no disk"


class TestRows:
    def test_a_row_says_when_it_began_and_how_long_it_is(self) -> None:
        world = CountedAttempts()
        for at_s in (1.0, 2.0, 3.0):
            world.end(WEST, at_s)
        assert world.row(WEST) == SuccessStreak(3, 1.1, 3.1)

    def test_a_failure_ends_it(self) -> None:
        world = CountedAttempts()
        world.end(WEST, 1.0)
        world.end("", 2.0, result=Result.SILENT, asked=WEST, status=0)
        assert world.row(WEST) is None
        world.end(WEST, 3.0)
        assert world.row(WEST) == SuccessStreak(1, 3.1, 3.1)

    def test_the_other_regions_answer_ends_it(self) -> None:
        world = CountedAttempts()
        world.end(EAST, 1.0)
        world.end(WEST, 2.0)
        assert (world.length(EAST), world.length(WEST)) == (0, 1)

    def test_what_was_sent_before_it_does_not_however_late_it_fails(self) -> None:
        world = CountedAttempts()
        world.end(WEST, 2.0)
        world.end("", 0.0, seconds=5.0, result=Result.SILENT, asked=EAST, status=0)
        world.end(EAST, 1.0, seconds=5.0)
        assert world.length(WEST) == 1

    def test_what_goes_past_the_name_is_in_no_row(self) -> None:
        world = CountedAttempts()
        world.end(WEST, 1.0)
        world.end(EAST, 2.0, by_name=False)
        world.end("", 3.0, result=Result.SILENT, status=0, by_name=False)
        assert (world.length(EAST), world.length(WEST)) == (0, 1)

    def test_a_payment_still_under_resolver_says_nothing(self) -> None:
        world = CountedAttempts()
        world.end(WEST, 1.0)
        world.end(WEST, 2.0, result=Result.FAILED, status=409)
        assert world.length(WEST) == 1
        assert world.counters.error_share(WEST, 10.0) == 0.0


class TestErrorShare:
    def test_refusals_failures_and_silence_are_errors_of_who_was_asked(self) -> None:
        world = CountedAttempts()
        for at_s in range(6):
            world.end(WEST, float(at_s))
        world.end(WEST, 6.0, result=Result.REFUSED, status=403)
        world.end("", 7.0, result=Result.SILENT, asked=WEST, status=0)
        world.end("", 7.0, result=Result.SILENT, asked=EAST, status=0)
        assert world.counters.error_share(WEST, 100.0) == pytest.approx(2 / 8)
        assert world.counters.error_share(EAST, 100.0) == 1.0

    def test_only_the_window_counts_and_nothing_is_no_share(self) -> None:
        world = CountedAttempts()
        world.end(WEST, 0.0, result=Result.FAILED, status=500)
        world.end(WEST, 10.0)
        assert world.counters.error_share(WEST, 5.0) == 0.0
        assert world.counters.error_share(EAST, 5.0) is None
        world.now = 100.0
        assert world.counters.error_share(WEST, 5.0) is None

    def test_what_is_long_past_is_forgotten(self) -> None:
        world = CountedAttempts()
        world.end(WEST, 0.0, result=Result.FAILED, status=500)
        world.end(WEST, REMEMBERED_S + 1.0)
        assert world.counters.error_share(WEST, 10 * REMEMBERED_S) == 0.0
