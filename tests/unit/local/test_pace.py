"""How long something is ago in the emulated world."""

from hypothesis import given
from hypothesis import strategies as st

from payinfra.local.pace import Pace


def test_time_runs_as_real_unless_something_else_is_said() -> None:
    assert Pace().age(10.0, 25.0) == 15.0


def test_time_that_runs_faster_makes_everything_older() -> None:
    pace = Pace()
    pace.note(100.0, 20.0)
    assert pace.age(110.0, 111.0) == 20.0


def test_what_is_past_does_not_get_younger_when_time_slows_down() -> None:
    pace = Pace()
    for now, scale in ((0.0, 1.0), (100.0, 20.0), (105.0, 20.0), (110.0, 1.0)):
        pace.note(now, scale)
    assert pace.age(109.0, 112.0) == 1.0 * 20 + 2.0
    assert pace.age(95.0, 112.0) == 5.0 + 10.0 * 20 + 2.0
    assert pace.age(-5.0, 0.0) == 5.0


@given(
    st.lists(st.tuples(st.floats(0, 1000), st.floats(1, 100)), max_size=5),
    st.tuples(st.floats(0, 1000), st.floats(0, 1000), st.floats(0, 1000)),
)
def test_ages_add_up(changes: list[tuple[float, float]], moments: tuple[float, float, float]) -> None:
    pace = Pace()
    for now, scale in sorted(changes):
        pace.note(now, scale)
    first, middle, last = sorted(moments)
    whole = pace.age(first, last)
    parts = pace.age(first, middle) + pace.age(middle, last)
    assert abs(whole - parts) < 1e-6 * max(1.0, whole)
    assert whole >= last - first - 1e-9
