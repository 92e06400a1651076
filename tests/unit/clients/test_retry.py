"""Retrying until a deadline."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from payinfra.clients.aws_errors import NotYet
from payinfra.clients.retry import Deadline


@dataclass
class Time:
    """A clock that only sleeping moves."""

    at: float = 100.0
    pauses: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.at += seconds

    def deadline(self, seconds: float) -> Deadline:
        return Deadline.within(seconds, clock=self.now, sleep=self.sleep)


def failing(times: int, error: Exception) -> Callable[[], int]:
    """Raises so often, then returns how often it was called."""
    calls = 0

    def look() -> int:
        nonlocal calls
        calls += 1
        if calls <= times:
            raise error
        return calls

    return look


def test_what_succeeds_at_once_is_called_once_even_after_the_deadline() -> None:
    time = Time()
    assert time.deadline(0).poll(failing(0, NotYet())) == 1
    assert time.pauses == []


def test_pauses_double_up_to_the_longest_and_end_at_the_deadline() -> None:
    time = Time()
    with pytest.raises(NotYet, match="never"):
        time.deadline(10).poll(failing(99, NotYet("never")), first_pause_s=1, longest_pause_s=3)
    assert time.pauses == [1, 2, 3, 3, 1]


def test_what_cannot_pass_is_raised_at_once() -> None:
    time = Time()
    with pytest.raises(KeyError):
        time.deadline(10).poll(failing(1, KeyError("x")))
    assert time.pauses == []


def test_the_caller_says_what_is_retried() -> None:
    assert Time().deadline(10).poll(failing(1, KeyError()), retry_if=lambda e: isinstance(e, KeyError)) == 2


def test_waiting_until_something_holds() -> None:
    time = Time()
    assert time.deadline(1).until(lambda: time.at >= 100.5, pause_s=0.25)
    assert time.pauses == [0.25, 0.25]


def test_waiting_in_vain_ends_at_the_deadline() -> None:
    time = Time()
    assert not time.deadline(1).until(lambda: False, pause_s=0.4)
    assert time.at == pytest.approx(101)


def test_an_error_while_waiting_is_not_swallowed() -> None:
    with pytest.raises(KeyError):
        Time().deadline(1).until(failing(1, KeyError("x")), pause_s=1)  # type: ignore[arg-type]  # gives no bool


def test_pauses_between_looks_double_up_to_the_longest_and_end_with_the_deadline() -> None:
    time = Time()
    pauses = time.deadline(1).pauses(0.1, 0.4)
    while pauses.wait():
        pass
    assert time.pauses == pytest.approx([0.1, 0.2, 0.4, 0.3])
    assert not pauses.wait()
    assert time.at == pytest.approx(101)


def test_seconds_left_are_never_negative() -> None:
    assert Deadline(ends=5, clock=lambda: 9).left_s == 0
