"""How fast time runs in the emulated world, and how long something is ago in it."""

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payinfra.core.errors import UsageProblem
from payinfra.local.server.time_scale import TimeScale


@dataclass
class Changing:
    """A time scale, and the clock that it is changed by."""

    now: float = 0.0
    scale: TimeScale = field(init=False)

    def __post_init__(self) -> None:
        self.scale = TimeScale(lambda: self.now)

    def to(self, value: float, at: float) -> None:
        self.now = at
        self.scale.set(value)


def test_time_runs_as_real_unless_something_else_is_said() -> None:
    assert TimeScale()() == 1.0
    assert TimeScale().age(10.0, 25.0) == 15.0


def test_time_that_runs_faster_makes_everything_older_from_that_moment_on() -> None:
    changing = Changing()
    changing.to(20.0, at=100.0)
    assert changing.scale() == 20.0
    assert changing.scale.age(110.0, 111.0) == 20.0
    assert changing.scale.age(90.0, 101.0) == 10.0 + 20.0


def test_what_is_past_does_not_get_younger_when_time_slows_down() -> None:
    changing = Changing()
    for at, scale in ((0.0, 1.0), (100.0, 20.0), (105.0, 20.0), (110.0, 1.0)):
        changing.to(scale, at)
    assert changing.scale.age(109.0, 112.0) == 1.0 * 20 + 2.0
    assert changing.scale.age(95.0, 112.0) == 5.0 + 10.0 * 20 + 2.0
    assert changing.scale.age(-5.0, 0.0) == 5.0


def test_time_runs_as_fast_as_before_once_the_clock_was_put_back() -> None:
    changing = Changing()
    changing.to(20.0, at=5000.0)
    changing.now = 5010.0
    assert changing.scale.age(5000.0, 5010.0) == 10.0 * 20
    changing.now -= 3600.0
    assert changing.scale.age(1410.0, 1410.0) == 0.0
    changing.now += 10.0
    assert changing.scale.age(1410.0, 1420.0) == 10.0 * 20
    changing.to(1.0, at=1430.0)
    assert changing.scale.age(1420.0, 1440.0) == 10.0 * 20 + 10.0


def test_a_hold_counts_for_more_than_the_own_scale_and_ends_with_its_last_holder() -> None:
    scale = TimeScale()
    scale.set(2)
    scale.hold("one", 20)
    scale.hold("other", 20)
    scale.hold("one", 20)
    scale.set(3)
    assert (scale(), scale.holds) == (20.0, {"one": 20.0, "other": 20.0})
    scale.release("one")
    assert scale() == 20.0
    scale.release("other")
    assert (scale(), scale.holds) == (3.0, {})
    with pytest.raises(UsageProblem, match="above 0"):
        scale.hold("one", 0)
    scale.hold("one", 5)
    scale.hold("one", 7)  # Whoever is alone may ask for another.
    assert scale() == 7.0


@given(
    st.lists(st.tuples(st.floats(0, 1000), st.floats(1, 100)), max_size=5),
    st.tuples(st.floats(0, 1000), st.floats(0, 1000), st.floats(0, 1000)),
)
def test_ages_add_up(changes: list[tuple[float, float]], moments: tuple[float, float, float]) -> None:
    changing = Changing()
    for at, scale in sorted(changes):
        changing.to(scale, at)
    age = changing.scale.age
    first, middle, last = sorted(moments)
    whole = age(first, last)
    parts = age(first, middle) + age(middle, last)
    assert abs(whole - parts) < 1e-6 * max(1.0, whole)
    assert whole >= last - first - 1e-9


class EnoughDone(BaseException):
    """Ends what goes on for ever, whatever fails."""


def test_work_is_done_again_and_again() -> None:
    done: list[str] = []

    def work() -> None:
        done.append("work")
        if len(done) == 3:
            raise EnoughDone

    with pytest.raises(EnoughDone):
        asyncio.run(TimeScale().every(0.0, work))
    assert done == ["work"] * 3


def test_work_that_is_due_in_an_hour_is_due_as_soon_as_that_hour_has_passed_in_the_emulated_world() -> None:
    changing = Changing()

    def work() -> None:
        raise EnoughDone

    async def wait() -> None:
        waiting = asyncio.create_task(changing.scale.every(3600.0, work))
        await asyncio.sleep(0)
        changing.to(2.0, at=0.0)
        await asyncio.sleep(0.2)
        assert not waiting.done(), "half an hour is left"
        changing.now = 1800.0
        changing.scale.set(1.0)
        await asyncio.wait_for(waiting, 10)

    with pytest.raises(EnoughDone):
        asyncio.run(wait())
