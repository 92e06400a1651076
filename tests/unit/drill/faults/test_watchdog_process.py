"""The embedded AWS's watchdog lifts what a killed drill has left, when its time has come and not before."""

from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from payinfra.core.access_key import AccessKey
from payinfra.drill.faults.actions import FaultAction
from payinfra.drill.faults.executor import AwsFaultExecutor
from payinfra.drill.faults.journal import FaultJournal, Header
from payinfra.drill.faults.region_outage import Blackout
from payinfra.drill.faults.watchdog_process import Order, since_boot, start, watch
from tests.support.clocks import SetClock
from tests.support.drilled import EAST, HERE, FakeCloud
from tests.unit.drill.faults.cases import CASES

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HEADER = Header("d", "demo", "local", "000000000000", (EAST, "us-west-2"), ("region-outage",), AT, "payinfra")
DARK = Blackout(EAST)


@dataclass
class RememberingExecutor:
    """An executor that remembers what it rolled back, and when."""

    clock: SetClock
    rolled_back: list[tuple[float, FaultAction]] = field(default_factory=list)

    def inject(self, action: FaultAction) -> None:
        raise AssertionError("a watchdog injects nothing")

    def rollback(self, action: FaultAction) -> None:
        self.rolled_back.append((self.clock.at, action))

    def is_active(self, action: FaultAction) -> bool:
        raise AssertionError("rolling back looks by itself")


@pytest.fixture
def journal(tmp_path: Path) -> FaultJournal:
    found = FaultJournal.begin(tmp_path / "d", HEADER)
    found.done(found.announce(DARK))
    return found


def order(journal: FaultJournal, ends_by_s: float) -> Order:
    made = Order.of(journal.path, AT, FakeCloud().control(), HERE, "000000000000")
    return replace(made, ends_by=ends_by_s)


def test_what_is_left_when_the_time_has_come_is_lifted(journal: FaultJournal) -> None:
    clock = SetClock()
    executor = RememberingExecutor(clock)
    assert watch(order(journal, 60.0), lambda: executor, clock.elapsed, clock.wait, clock.elapsed)
    assert executor.rolled_back == [(60.0, DARK)]
    assert journal.read().left == ()
    # The payments are still to be read: `--restore` closes the journal.
    assert journal.read().open


@pytest.mark.parametrize("name", sorted(CASES))
def test_whatever_the_fault_it_is_lifted(name: str, tmp_path: Path) -> None:
    journal, clock = FaultJournal.begin(tmp_path / "d", HEADER), SetClock()
    for action in CASES[name].embedded:
        journal.done(journal.announce(action))
    executor = RememberingExecutor(clock)
    assert watch(order(journal, 60.0), lambda: executor, clock.elapsed, clock.wait, clock.elapsed)
    assert [action for _, action in executor.rolled_back] == list(reversed(CASES[name].embedded))


@pytest.mark.parametrize("set_by_s", [3600.0, -3600.0])
def test_a_clock_that_is_set_meanwhile_changes_nothing(journal: FaultJournal, set_by_s: float) -> None:
    clock = SetClock()
    executor = RememberingExecutor(clock)

    def wall() -> float:
        return clock.at + (set_by_s if clock.at > 10.0 else 0.0)

    assert watch(order(journal, 60.0), lambda: executor, wall, clock.wait, clock.elapsed)
    assert executor.rolled_back == [(60.0, DARK)]


def test_the_clock_that_nobody_can_set_goes_on() -> None:
    assert since_boot() <= since_boot()


def test_a_drill_that_ended_needs_no_watchdog(journal: FaultJournal) -> None:
    clock = SetClock()
    executor = RememberingExecutor(clock)

    def sleep(seconds: float) -> None:
        clock.wait(seconds)
        if clock.at == 5.0:
            journal.undone(1)
            journal.close()

    assert not watch(order(journal, 60.0), lambda: executor, clock.elapsed, sleep, clock.elapsed)
    assert (clock.at, executor.rolled_back) == (5.0, [])


def test_a_journal_that_is_gone_has_nothing_to_lift(journal: FaultJournal) -> None:
    journal.path.unlink()
    clock = SetClock()
    assert not watch(
        order(journal, 0.0), lambda: RememberingExecutor(clock), clock.elapsed, clock.wait, clock.elapsed
    )


def test_an_order_has_all_that_is_needed_to_reach_the_embedded_aws(journal: FaultJournal) -> None:
    signed = replace(HERE, access_key=AccessKey("AKIAROOT", "hidden"))
    made = Order.of(journal.path, AT, FakeCloud().control(), signed, "000000000000")
    assert Order(**asdict(made)) == made
    executor = made.executor()
    assert isinstance(executor, AwsFaultExecutor)
    assert executor.aws.endpoints == replace(signed, dns="")
    assert executor.control is not None
    assert (executor.control.url, executor.control.token) == (
        FakeCloud().control().url,
        FakeCloud().control().token,
    )
    assert "hidden" not in repr(made)


def test_where_no_process_can_be_started_that_is_said(
    journal: FaultJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", str(journal.path.parent / "absent"))
    assert (
        start(order(journal, 60.0)) == "none: no second process could be started (No such file or directory)"
    )


def test_what_it_says_has_the_time(journal: FaultJournal) -> None:
    journal.undone(1)
    journal.close()
    later = Order.of(journal.path, AT + timedelta(days=1), FakeCloud().control(), HERE, "000000000000")
    said = start(later)
    assert said.startswith("armed: process ")
    assert said.endswith(" lifts the fault at 2026-01-03 03:04:05 UTC")
