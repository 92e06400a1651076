"""When a drill must not go on, and its waiting."""

import threading
import time
from dataclasses import replace

import pytest

from payinfra.drill.clock import RealClock, Stop
from payinfra.drill.load.counters import LoadSnapshot
from payinfra.drill.stop_conditions import DrillAborted, StopConditions, at_most
from tests.support.clocks import SetClock


def load(heartbeat_s: float, broken: str = "") -> LoadSnapshot:
    return LoadSnapshot(0, 0, {}, 0, 0, {}, heartbeat_s, broken)


def guard(
    *,
    at: float = 10.0,
    stop: Stop | None = None,
    share: float | None = 0.0,
    beat: float | None = None,
    rings: tuple[str, ...] = (),
) -> StopConditions:
    return StopConditions(
        other="us-west-2",
        clock=SetClock(at),
        stop=stop or Stop(),
        whole_s=100.0,
        began_s=0.0,
        window_s=10.0,
        error_share=lambda _window_s: share,
        load=lambda: load(at if beat is None else beat),
        alarms=lambda: rings,
    )


@pytest.mark.parametrize("share", [None, 0.0, 0.01])
def test_all_is_well(share: float | None) -> None:
    guard(share=share).check()


def test_somebody_asks_for_the_end() -> None:
    stop = Stop()
    stop.ask("SIGINT")
    stop.ask("SIGTERM")
    with pytest.raises(DrillAborted, match=r"interrupted \(SIGINT\)"):
        guard(stop=stop).check()


def test_what_customers_notice_ends_the_drill_and_is_the_systems_doing() -> None:
    with pytest.raises(DrillAborted, match="Customers noticed: 5xx in us-west-2 in alarm") as stopped:
        guard(rings=("5xx in us-west-2",)).check()
    assert stopped.value.next_step == ""


def test_an_end_that_proves_nothing_has_a_next_step() -> None:
    stop = Stop()
    stop.ask("SIGINT")
    with pytest.raises(DrillAborted) as interrupted:
        guard(stop=stop).check()
    with pytest.raises(DrillAborted) as dead:
        guard(beat=1.0).check()
    assert interrupted.value.next_step
    assert dead.value.next_step


def test_the_other_region_errs_and_goes_on_erring() -> None:
    clock, shares = SetClock(0.0), {0.0: 0.02, 5.0: 0.02, 11.0: 0.05}
    erring = replace(
        guard(),
        clock=clock,
        error_share=lambda _window_s: shares[clock.at],
        load=lambda: load(clock.at),
    )
    for clock.at in (0.0, 5.0):
        erring.check()
    clock.at = 11.0
    with pytest.raises(DrillAborted, match="us-west-2 answered 5% of the last 10 s with errors"):
        erring.check()


def test_one_error_is_no_trend() -> None:
    clock, shares = SetClock(0.0), {0.0: 0.02, 10.0: 0.02, 10.1: 0.0, 20.0: 0.02, 30.0: None}
    erring = replace(
        guard(),
        clock=clock,
        error_share=lambda _window_s: shares[clock.at],
        load=lambda: load(clock.at),
    )
    for clock.at in shares:
        erring.check()


def test_the_load_is_dead() -> None:
    guard(beat=5.0).check()
    with pytest.raises(DrillAborted, match="blind"):
        guard(beat=4.9).check()


def test_the_load_has_broken() -> None:
    with pytest.raises(DrillAborted, match=r"The load broke: OSError\('disk full'\)\."):
        replace(guard(), load=lambda: load(10.0, "OSError('disk full')")).check()


def test_it_takes_more_than_twice_as_long() -> None:
    guard(at=230.0).check()
    with pytest.raises(DrillAborted, match="231 s, more than twice the 100 s"):
        guard(at=231.0).check()


def test_what_is_predicted_may_take_twice_as_long_and_a_little_more() -> None:
    assert at_most(30.0) == 90.0
    assert at_most(0.0) == 30.0


# -- the clock ---------------------------------------------------------------------------------------------


def test_a_wait_ends_when_somebody_asks_for_the_end() -> None:
    stop = Stop()
    clock = RealClock(stop)
    threading.Timer(0.01, stop.ask, ("SIGTERM",)).start()
    began = time.monotonic()
    clock.wait(30.0)
    assert time.monotonic() - began < 10.0


def test_a_wait_after_that_is_whole() -> None:
    stop = Stop()
    stop.ask("SIGINT")
    clock = RealClock(stop)
    before = clock.elapsed()
    clock.wait(0.02)
    assert clock.elapsed() - before >= 0.02


def test_no_time_passes_while_a_person_thinks() -> None:
    readings = iter([107.0, 110.0, 170.0, 171.0])
    clock = RealClock(Stop(), monotonic=lambda: next(readings), zero=100.0)
    assert clock.elapsed() == 7.0
    with clock.standing():
        pass
    assert clock.elapsed() == 11.0
