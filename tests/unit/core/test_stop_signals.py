"""Signals that ask payinfra to stop."""

import importlib
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from payinfra.core.stop_signals import (
    STOP_SIGNALS,
    DeferredSignals,
    EndAtOnce,
    Escalation,
    StopRequested,
    install,
)
from tests.support.signals import heard, send

TERM, HUP, INT = signal.SIGTERM, signal.SIGHUP, signal.SIGINT


def test_three_signals_ask_payinfra_to_stop() -> None:
    assert set(STOP_SIGNALS) == {INT, TERM, HUP}


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_the_first_signal_interrupts_only_what_is_interruptible(number: signal.Signals) -> None:
    steps: list[str] = []
    told: list[signal.Signals] = []

    def work() -> None:
        with DeferredSignals(told.append) as signals:
            try:
                with signals.interruptible():
                    send(number)
                    steps.append("went on")
            finally:
                send(TERM)
                steps.append("cleaned up")

    with heard() as last, pytest.raises(StopRequested, match=number.name) as caught:
        work()
    assert caught.value.number is number
    assert (steps, told, last) == (["cleaned up"], [TERM], [number])


def test_a_second_signal_does_not_interrupt_what_unwinds_after_the_first() -> None:
    cleaned: list[str] = []

    def work() -> None:
        with DeferredSignals() as signals, signals.interruptible():
            try:
                send(TERM)
            finally:
                send(HUP)
                cleaned.append("up")

    with heard(), pytest.raises(StopRequested, match="SIGTERM"):
        work()
    assert cleaned == ["up"]


def test_a_signal_that_came_before_interrupts_the_next_interruptible_part() -> None:
    reached: list[str] = []

    def work() -> None:
        with DeferredSignals() as signals:
            send(HUP)
            reached.append("held")
            with signals.interruptible():
                reached.append("interruptible")

    with heard() as last, pytest.raises(StopRequested):
        work()
    assert (reached, last) == (["held"], [HUP])


def test_an_interruptible_part_that_ended_is_over() -> None:
    told: list[signal.Signals] = []
    with heard(), DeferredSignals(told.append) as signals:
        for _ in range(2):
            with signals.interruptible():
                pass
        send(INT)
    assert told == [INT]


def test_a_signal_that_was_held_is_for_the_handler_before() -> None:
    with heard() as last:
        with DeferredSignals():
            send(TERM)
            send(HUP)
            assert last == []
        assert last == [TERM]


def test_within_another_the_outer_one_is_interrupted() -> None:
    def work() -> None:
        with DeferredSignals() as outer, outer.interruptible():
            with DeferredSignals():
                send(TERM)
            pytest.fail("went on")

    with heard() as last, pytest.raises(StopRequested):
        work()
    assert last == [TERM]


def test_an_error_that_ends_the_block_comes_before_the_signal() -> None:
    def work() -> None:
        with DeferredSignals():
            send(TERM)
            raise ZeroDivisionError

    with heard() as last, pytest.raises(ZeroDivisionError):
        work()
    assert last == []


def test_whoever_cannot_be_told_changes_nothing() -> None:
    def told(_number: signal.Signals) -> None:
        raise OSError("the terminal is gone")

    with heard() as last, DeferredSignals(told):
        send(HUP)
    assert last == [HUP]


def test_handlers_are_put_back() -> None:
    with heard():
        before = [signal.getsignal(number) for number in STOP_SIGNALS]
        with DeferredSignals():
            assert [signal.getsignal(number) for number in STOP_SIGNALS] != before
        assert [signal.getsignal(number) for number in STOP_SIGNALS] == before


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    told: list[signal.Signals] = []
    with heard():
        signal.signal(HUP, signal.SIG_IGN)  # as nohup does
        with DeferredSignals(told.append) as signals, signals.interruptible():
            send(HUP)
            assert signal.getsignal(HUP) is signal.SIG_IGN
    assert told == []


def test_a_signal_while_handlers_are_installed_leaves_them_as_they_were() -> None:
    class Before(Exception):
        """What the handler before raises."""

    def set_handler(number: int, handler: Any) -> object:
        if number == STOP_SIGNALS[-1]:
            raise Before
        return signal.signal(number, handler)

    with heard():
        before = [signal.getsignal(number) for number in STOP_SIGNALS]
        with pytest.raises(Before):
            install(lambda _number, _frame: None, set_handler)
        assert [signal.getsignal(number) for number in STOP_SIGNALS] == before


def test_in_another_thread_nothing_changes() -> None:
    found: list[object] = []

    def work() -> None:
        before = signal.getsignal(TERM)
        with DeferredSignals() as signals, signals.interruptible():
            found.append(signal.getsignal(TERM) is before)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [True]


# -- at the beginning and the end of the process -------------------------------------------------------------


def test_before_and_after_a_command_a_signal_ends_the_process_with_nothing_said() -> None:
    left: list[int] = []
    ending = EndAtOnce(left.append)
    with heard() as last:
        ending.install()
        send(TERM)
        ending.code = 5
        send(HUP)
    assert (left, last) == ([130, 5], [])


def test_while_a_command_stops_the_same_signal_has_to_come_again_to_end_it() -> None:
    said: list[str] = []
    left: list[int] = []
    again = Escalation(said.append, left.append)
    again(INT)
    again(HUP)
    assert left == []
    assert len(said) == 2
    again(INT)
    assert left == [130]


def test_once_a_command_has_ended_any_signal_ends_the_process_with_its_code() -> None:
    left: list[int] = []
    again = Escalation(pytest.fail, left.append)
    again.code, again.done = 5, True
    again(HUP)
    assert left == [5]


def test_a_signal_during_an_import_interrupts_what_comes_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "signalled_module.py").write_text(
        "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\nwhole = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    alarm = signal.getsignal(signal.SIGALRM)
    imported = []

    def work() -> None:
        with DeferredSignals() as signals, signals.interruptible():
            imported.append(importlib.import_module("signalled_module"))
            threading.Event().wait(5)

    with heard(), pytest.raises(StopRequested, match="SIGTERM"):
        work()
    assert imported[0].whole
    assert signal.getsignal(signal.SIGALRM) is alarm


def test_a_second_signal_during_an_import_is_told_and_interrupts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "signalled_twice.py").write_text(
        "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\nos.kill(os.getpid(), signal.SIGTERM)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    told: list[signal.Signals] = []

    def work() -> None:
        with DeferredSignals(told.append) as signals, signals.interruptible():
            importlib.import_module("signalled_twice")
            threading.Event().wait(5)

    with heard(), pytest.raises(StopRequested):
        work()
    assert told == [TERM]
