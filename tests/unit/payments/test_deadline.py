"""A call that may not return is waited for so long and no longer."""

import threading

import pytest

from handlers.payments.deadline import Overdue, within


def test_it_returns_when_the_call_does() -> None:
    done: list[int] = []
    within(60, lambda: done.append(1))
    assert done == [1]


def test_it_raises_what_the_call_raises() -> None:
    def broken() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        within(60, broken)


def test_it_leaves_a_call_that_does_not_return() -> None:
    returns = threading.Event()

    def wait() -> None:
        returns.wait()

    with pytest.raises(Overdue):
        within(0.01, wait)
    returns.set()
