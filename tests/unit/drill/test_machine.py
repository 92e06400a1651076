"""How busy the machine was, what that excuses, and what it can carry."""

from dataclasses import replace
from pathlib import Path

import pytest

from payinfra.drill.machine import MachineWatch, doubts, excuses, waited_us
from payinfra.drill.machine_speed import MachineSpeed, measure
from payinfra.drill.model import MachineLoad
from tests.support.clocks import SetClock


def test_linux_says_how_long_tasks_waited(tmp_path: Path) -> None:
    file = tmp_path / "cpu"
    file.write_text(
        "some avg10=1.00 avg60=2.00 avg300=3.00 total=1644887974\nfull avg10=0.00 total=7\n", encoding="ascii"
    )
    assert waited_us(file) == 1_644_887_974


@pytest.mark.parametrize("text", ["", "full avg10=0.00 total=7\n", "some avg10\n", "some total=many\n"])
def test_what_is_no_account_is_none(text: str, tmp_path: Path) -> None:
    file = tmp_path / "cpu"
    file.write_text(text, encoding="ascii")
    assert waited_us(file) is None or "total=" not in text
    assert waited_us(tmp_path / "absent") is None


def watch(waited: list[int | None], answers: list[float], every_s: float = 1.0) -> MachineWatch:
    """A watch that took a sample each second, or every so many."""
    clock, ticks = SetClock(), SetClock()
    told = iter(answers)

    def ask() -> None:
        ticks.at += next(told)

    found = MachineWatch(clock.elapsed, ask if answers else None, iter(waited).__next__, clock=ticks.elapsed)
    for at in range(len(waited)):
        clock.at = at * every_s
        assert found.take() == at + 1
    return found


def test_the_machines_load_is_that_between_two_moments() -> None:
    found = watch([0, 1_000_000, 5_000_000, 13_000_000, 90_000_000], [0.1, 0.2, 0.3, 0.4, 5.0], 10.0)
    load = found.load([(5.0, 9.0), (15.0, 0.01), (25.0, 0.02), (35.0, 7.0)], 10.0, 30.0)
    assert load == MachineLoad(0.02, 0.02, 0.6, 0.4)


def test_a_drill_that_ended_at_once_is_judged_by_what_was_before_as_well() -> None:
    found = watch([0, 900_000, 1_800_000, 2_700_000, 3_600_000], [])
    assert found.load([(0.5, 0.2)], 3.9, 4.0) == MachineLoad(0.2, 0.2, 0.9, None)


def test_what_alarms_ring_for_may_be_older() -> None:
    found = watch([0, 9_000_000, 9_000_000, 9_000_000, 9_000_000], [], 10.0)
    assert found.load([], 30.0, 40.0).waiting_share == 0.0
    assert replace(found, looks_back_s=40.0).load([], 30.0, 40.0).waiting_share == 0.225


def test_what_the_system_does_not_say_is_not_known() -> None:
    assert watch([None, None], []).load([], 0.0, 9.0) == MachineLoad(0.0, 0.0, None, None)
    assert watch([5], []).load([], 0.0, 9.0).waiting_share is None


QUIET = MachineLoad(0.01, 0.05, 0.2, 0.02)


def test_a_quiet_machine_excuses_nothing() -> None:
    assert (tuple(doubts(QUIET)), tuple(excuses(QUIET, on_aws=False))) == ((), ())
    unknown = MachineLoad(0.0, 0.0)
    assert tuple(excuses(unknown, on_aws=False)) == ()


@pytest.mark.parametrize(
    ("load", "on_aws", "says"),
    [
        (MachineLoad(0.2, 0.3), True, "5 of 100 payments were begun 0.20 s late or more"),
        (MachineLoad(0.0, 0.0, 0.9), False, "processes waited for a processor for 90% of the time"),
        (MachineLoad(0.0, 0.0, None, 0.5), False, "it took 0.50 s to answer its own control port"),
    ],
)
def test_a_busy_machine_is_named(load: MachineLoad, on_aws: bool, says: str) -> None:
    (found,) = excuses(load, on_aws=on_aws)
    assert says in found.what
    assert "--rate" in found.next_step


def test_a_busy_laptop_slows_no_aws_down() -> None:
    assert tuple(excuses(MachineLoad(0.0, 0.0, 0.9, 0.5), on_aws=True)) == ()


def test_a_load_that_was_late_was_not_the_load_asked_for() -> None:
    (found,) = doubts(MachineLoad(0.6, 2.0))
    assert "5 of 100 payments were begun 0.6 s late or more, one of them 2.0 s." in found.what


# -- what it can carry -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("health_page_s", "rate", "timeout_s"),
    [(0.005, 5.0, 0.15), (0.02, 5.0, 0.6), (0.04, 2.5, 1.2), (0.3, 1.0, 9.0), (2.0, 1.0, 15.0)],
)
def test_the_rate_and_the_patience_follow_the_machine(
    health_page_s: float, rate: float, timeout_s: float
) -> None:
    speed = MachineSpeed(health_page_s)
    assert speed.rate == rate
    assert speed.timeout_s == pytest.approx(timeout_s)


def test_the_median_of_several_is_taken() -> None:
    clock, took = SetClock(), iter([9.0, 0.2, 0.1, 0.2, 0.3])

    def ask() -> None:
        clock.at += next(took)

    # Both regions are asked each time.
    assert measure(ask, clock.elapsed).health_page_s == pytest.approx(0.1)


def test_a_machine_of_no_time_at_all_is_fast() -> None:
    assert measure(lambda: None, lambda: 1.0).rate == 5.0
