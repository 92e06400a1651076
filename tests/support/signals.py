"""Signals to the tests' own process."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from payinfra.core.stop_signals import STOP_SIGNALS


@contextmanager
def heard() -> Iterator[list[signal.Signals]]:
    """Note the signals that nobody inside has handled: they would end the tests."""
    noted: list[signal.Signals] = []
    before = {
        number: signal.signal(number, lambda one, _frame: noted.append(signal.Signals(one)))
        for number in STOP_SIGNALS
    }
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def send(number: signal.Signals) -> None:
    """Send a signal to this process; its handler has run when this returns, or raises what that raises."""
    os.kill(os.getpid(), number)
