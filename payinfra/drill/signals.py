"""Signals to a drill: the first asks it to end and put everything back, and no later one cuts that short."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from payinfra.drill.clock import Stop

HEEDED = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def heeded(stop: Stop, say: Callable[[str], None]) -> Iterator[None]:
    """Turn SIGINT and SIGTERM into a request to end, for as long as the block runs.

    Args:
        say: tells a person what happens now.
    """

    def ask(number: int, _frame: FrameType | None) -> None:
        if stop.wanted:
            say("Everything is being put back. That is not cut short: it ends by itself.")
            return
        stop.ask(signal.Signals(number).name)
        say("Interrupted. Everything is put back now; the payments are read back after that.")

    before = {number: signal.signal(number, ask) for number in HEEDED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
