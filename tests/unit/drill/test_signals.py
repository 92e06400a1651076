"""Signals to a drill."""

import os
import signal

import pytest

from payinfra.drill.clock import Stop
from payinfra.drill.signals import heeded


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_explains(number: signal.Signals) -> None:
    stop = Stop()
    said: list[str] = []
    before = signal.getsignal(number)
    with heeded(stop, said.append):
        os.kill(os.getpid(), number)
        assert (stop.wanted, stop.reason) == (True, number.name)
        os.kill(os.getpid(), number)
    assert [one.partition(".")[0] for one in said] == ["Interrupted", "Everything is being put back"]
    assert signal.getsignal(number) is before
