"""The figures follow from the attempts, whatever these are."""

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payinfra.drill.load.statistics import percentile, recoveries, summarize
from payinfra.drill.model import Attempt, Latency, Result, Tick

EAST, WEST = "us-east-1", "us-west-2"


def attempt(
    at_s: float,
    seconds: float = 0.1,
    result: Result = Result.ACKNOWLEDGED,
    *,
    number: int = 1,
    region: str = EAST,
    again: bool = False,
) -> Attempt:
    return Attempt(f"key-{at_s}", number, at_s, seconds, region, 201, result, again)


def every_second(begin: int, end: int, result: Result = Result.ACKNOWLEDGED) -> list[Attempt]:
    return [attempt(float(second), result=result) for second in range(begin, end)]


def test_availability_is_the_share_of_first_attempts_during_the_fault() -> None:
    attempts = [*every_second(0, 10), *every_second(10, 15, Result.SILENT), *every_second(15, 30)]
    retries = [attempt(12.5, number=2), attempt(12.6, number=3, again=True)]
    load = summarize([*attempts, *retries], injected_s=10.0, restored_s=20.0, ended_s=30.0)
    assert load.availability == 0.5
    assert load.attempts == 32


def test_without_a_fault_all_of_the_time_counts() -> None:
    attempts = [*every_second(0, 9), *every_second(9, 10, Result.REFUSED)]
    assert summarize(attempts, injected_s=10.0, restored_s=10.0, ended_s=10.0).availability == 0.9


def test_where_nothing_was_tried_nothing_was_available() -> None:
    load = summarize(every_second(0, 5), injected_s=6.0, restored_s=8.0, ended_s=9.0)
    assert load.availability == 0.0
    assert summarize((), injected_s=0.0, restored_s=1.0, ended_s=2.0).availability == 0.0


def test_the_longest_gap_is_between_acknowledgements_from_the_injection_on() -> None:
    attempts = [attempt(0.0), *every_second(8, 11), *every_second(25, 30)]
    load = summarize(attempts, injected_s=10.5, restored_s=26.0, ended_s=40.0)
    assert load.longest_gap_s == pytest.approx(25.1 - 10.5)


def test_a_gap_lasts_until_the_load_gives_up_and_not_until_the_report() -> None:
    attempts = [*every_second(0, 10), *every_second(10, 20, Result.SILENT)]
    load = summarize(attempts, injected_s=9.0, restored_s=15.0, ended_s=500.0)
    assert load.longest_gap_s == pytest.approx(19.1 - 9.1)
    assert summarize(attempts, injected_s=9.0, restored_s=15.0, ended_s=12.0).longest_gap_s == pytest.approx(
        12.0 - 9.1
    )


def test_the_rate_is_that_of_payments_and_not_of_attempts() -> None:
    attempts = [attempt(number / 5) for number in range(51)]
    retries = [attempt(number / 5 + 0.1, number=2) for number in range(50)]
    load = summarize([*retries, *attempts], injected_s=1.0, restored_s=2.0, ended_s=10.0)
    assert load.rate == pytest.approx(5.0)
    assert summarize(attempts[:1], injected_s=1.0, restored_s=2.0, ended_s=10.0).rate == 0.0


def test_latency_is_told_apart_by_the_moments() -> None:
    attempts = [attempt(1.0, 0.1), attempt(2.0, 0.3), attempt(6.0, 2.0), attempt(7.0, 9.0, Result.FAILED)]
    load = summarize(attempts, injected_s=5.0, restored_s=9.0, ended_s=10.0)
    assert load.before == Latency(2, 0.1, 0.3, 0.3, 0.3)
    assert load.during == Latency(1, 2.0, 2.0, 2.0, 2.0)
    assert load.after is None


def test_every_second_is_a_tick_also_one_without_attempts() -> None:
    attempts = [attempt(0.2), attempt(0.9, region=WEST), attempt(2.5, result=Result.SILENT)]
    assert summarize(attempts, injected_s=5.0, restored_s=5.0, ended_s=5.0).ticks == (
        Tick(0.0, {EAST: 1, WEST: 1}, 0, 0.1, 0.1),
        Tick(1.0, {}, 0, None, None),
        Tick(2.0, {}, 1, None, None),
    )


@pytest.mark.parametrize(
    ("share", "value"), [(0.0, 1), (0.5, 5), (0.95, 10), (0.99, 10), (0.1, 1), (1.0, 10)]
)
def test_percentiles_are_values_that_were_measured(share: float, value: int) -> None:
    assert percentile(range(1, 11), share) == value


SECONDS = st.floats(0, 60, allow_nan=False)
ATTEMPTS = st.lists(
    st.builds(
        attempt,
        SECONDS,
        st.floats(0, 10, allow_nan=False),
        st.sampled_from(Result),
        number=st.integers(1, 3),
        region=st.sampled_from((EAST, WEST)),
        again=st.booleans(),
    ),
    max_size=40,
)


@given(ATTEMPTS, SECONDS, SECONDS, SECONDS, st.randoms())
def test_whatever_the_attempts_the_figures_agree_with_each_other(
    attempts: list[Attempt], injected_s: float, restored_s: float, ended_s: float, random: Random
) -> None:
    load = summarize(attempts, injected_s=injected_s, restored_s=restored_s, ended_s=ended_s)
    good = [one for one in attempts if one.result.good]
    assert load.attempts == len(attempts)
    assert 0.0 <= load.availability <= 1.0
    assert 0.0 <= load.longest_gap_s <= max(0.0, ended_s - injected_s)
    assert load.rate >= 0.0
    assert sum(tick.bad for tick in load.ticks) == len(attempts) - len(good)
    assert sum(sum(tick.good.values()) for tick in load.ticks) == len(good)
    assert [tick.at_s for tick in load.ticks] == [float(second) for second in range(*(_span(attempts)))]
    windows = [window for window in (load.before, load.during, load.after) if window]
    assert sum(window.count for window in windows) == len(good)
    for window in windows:
        assert window.p50 <= window.p95 <= window.p99 <= window.worst
    shuffled = random.sample(attempts, len(attempts))
    assert summarize(shuffled, injected_s=injected_s, restored_s=restored_s, ended_s=ended_s) == load


def _span(attempts: list[Attempt]) -> tuple[int, int]:
    if not attempts:
        return 0, 0
    return math.floor(min(one.at_s for one in attempts)), math.floor(max(one.at_s for one in attempts)) + 1


def test_a_client_has_recovered_with_the_first_payment_that_the_region_acknowledged_to_it() -> None:
    def sent(client: int, at_s: float, region: str, result: Result = Result.ACKNOWLEDGED) -> Attempt:
        return Attempt(f"k{at_s}", 1, at_s, 0.5, region, 201, result, client=client)

    attempts = [
        sent(0, 5.0, "west"),
        sent(0, 12.0, "west"),
        sent(0, 11.0, "west"),
        sent(1, 11.0, "east"),
        sent(1, 13.0, "west", Result.FAILED),
        sent(2, 14.0, "west"),
        sent(9, 14.0, "west"),
    ]
    assert recoveries(attempts, [0, 1, 2], "west", 10.0) == {0: 1.5, 2: 4.5}
