"""Signals to a drill: the first asks it to end and put everything back, and no later one cuts that short."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from payinfra.core.stop_signals import DeferredSignals
from payinfra.drill.clock import Stop


@contextmanager
def heeded(stop: Stop, say: Callable[[str], None]) -> Iterator[DeferredSignals]:
    """Turn the signals that ask payinfra to stop into a request to end, for as long as the block runs.

    Whoever reports how the drill ended does so inside the block: after it, a signal that was only noted
    ends the command.

    Args:
        say: tells a person what happens now.
    """

    def ask(number: signal.Signals) -> None:
        if stop.wanted:
            say("Everything is being put back. That is not cut short: it ends by itself.")
            return
        stop.ask(number.name)
        say("Interrupted. Everything is put back now; the payments are read back after that.")

    with DeferredSignals(ask) as signals:
        yield signals
