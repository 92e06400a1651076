"""Signals to a drill."""

import signal

import pytest

from payinfra.core.stop_signals import STOP_SIGNALS
from payinfra.drill.clock import Stop
from payinfra.drill.signals import heeded
from tests.support.signals import heard, send


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_the_first_signal_asks_and_the_second_explains(number: signal.Signals) -> None:
    stop = Stop()
    said: list[str] = []
    with heard() as last:
        before = signal.getsignal(number)
        with heeded(stop, said.append):
            send(number)
            assert (stop.wanted, stop.reason) == (True, number.name)
            assert stop.asked.wait(10)
            send(number)
        assert last == [number], "whoever does not report how the drill ended ends as asked"
        assert signal.getsignal(number) is before
    assert [one.partition(".")[0] for one in said] == ["Interrupted", "Everything is being put back"]
