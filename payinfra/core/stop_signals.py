"""SIGINT, SIGTERM and SIGHUP ask payinfra to stop, and all three mean the same.

Ctrl-C sends the first, CI and process managers the second, a closed terminal the third. Often two come at
once: systemd sends SIGTERM and SIGHUP, a shell repeats the SIGHUP of its terminal. So only the first one
interrupts what is under way, and what puts things back is not interrupted at all.

A signal that payinfra was started to ignore, as `nohup` has it ignore SIGHUP, stays ignored.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

from payinfra.core.errors import ExitCode

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SOON_S = 0.01
"""Seconds from a signal that came during an import to the next look whether that is over."""
LONGEST_IMPORT_S = 10.0
"""Seconds after which an import is interrupted anyway."""
_IMPORT_SYSTEM = "<frozen importlib"
Told = Callable[[signal.Signals], None]
_Handler = Callable[[int, FrameType | None], object]


class StopRequested(BaseException):
    """A signal asked payinfra to stop.

    Not a KeyboardInterrupt: Click ends the process for one of those, and takes one at a prompt for a "no".
    """

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number.name)
        self.number = number


def install(
    handler: _Handler, set_handler: Callable[[int, Any], object] = signal.signal
) -> dict[signal.Signals, Any]:
    """Handle the stop signals from now on; the handlers before, of those that are not ignored.

    Python handles signals in the main thread: in any other this changes nothing. A signal that interrupts
    this leaves the handlers as they were.
    """
    if threading.current_thread() is not threading.main_thread():
        return {}
    before: dict[signal.Signals, Any] = {}
    try:
        for number in STOP_SIGNALS:
            # None: a handler that Python did not install, and could not put back.
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = set_handler(number, handler)
    except BaseException:
        _put_back(before)
        raise
    return before


def _put_back(handlers: dict[signal.Signals, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)


class DeferredSignals:
    """For as long as the block runs, signals interrupt only what is declared interruptible.

        with DeferredSignals(told) as signals:
            try:
                with signals.interruptible():
                    ...  # the first signal raises StopRequested here
            finally:
                ...  # whatever happens, this is run to its end

    A signal that comes at another moment is handed to `told`, and raises when the next interruptible part
    begins. If none follows, the handler before gets it at the end of the block, unless an error ends that.
    No import is interrupted, but what comes right after it: Python's lock of imports might stay locked (as of
    Python 3.13), and a thread that imports something later would wait for ever.

    Args:
        told: called with each signal that does not raise; what it raises is dropped.
    """

    def __init__(self, told: Told = lambda _number: None) -> None:
        self._told = told
        self._before: dict[signal.Signals, Any] = {}
        self._interruptible = False
        self._postponed: signal.Signals | None = None
        self._attempts = 0
        self._alarm: Any = signal.SIG_DFL
        self.received: list[signal.Signals] = []

    def interruptible(self) -> "_Interruptible":
        """A part that the first signal ends with StopRequested. Others may follow it."""
        return _Interruptible(self)

    def __enter__(self) -> Self:
        self._before = install(self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _put_back(self._before)
        self._stand_by_no_longer()
        if self.received and (error is None or isinstance(error, StopRequested)):
            self._redeliver(self.received[0])

    def _handle(self, number: int, frame: FrameType | None) -> None:
        received = signal.Signals(number)
        self.received.append(received)
        if self._interruptible and self._postponed is None:
            if _imports(frame):
                self._postpone(received)
                return
            # Before anything else can run: whatever cleans up must not be interrupted by a second signal.
            self._interruptible = False
            raise StopRequested(received)
        with contextlib.suppress(Exception):  # nobody may be there to be told
            self._told(received)

    def _postpone(self, number: signal.Signals) -> None:
        """Come back to the signal soon, by a timer: it interrupts even what waits."""
        self._postponed, self._attempts = number, 0
        self._alarm = signal.signal(signal.SIGALRM, self._come_back)
        signal.setitimer(signal.ITIMER_REAL, SOON_S)

    def _come_back(self, _number: int, frame: FrameType | None) -> None:
        if self._postponed is None or not self._interruptible:
            return  # what comes next raises, or tells the handler before
        self._attempts += 1
        if _imports(frame) and self._attempts * SOON_S < LONGEST_IMPORT_S:
            signal.setitimer(signal.ITIMER_REAL, SOON_S)
            return
        self._interruptible = False
        raise StopRequested(self._postponed)

    def _stand_by_no_longer(self) -> None:
        if self._postponed is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._alarm)

    def _begin(self) -> None:
        if self.received:
            raise StopRequested(self.received[0])
        self._interruptible = True

    def _end(self) -> None:
        self._interruptible = False

    @staticmethod
    def _redeliver(number: signal.Signals) -> None:
        """Let the handler before have the signal; with none, it ends the process as it would have done."""
        signal.raise_signal(number)


def _imports(frame: FrameType | None) -> bool:
    """Whether an import is under way there. Only those of this thread show, and signals come to no other."""
    while frame is not None:
        if frame.f_code.co_filename.startswith(_IMPORT_SYSTEM):
            return True
        frame = frame.f_back
    return False


class _Interruptible:
    def __init__(self, signals: DeferredSignals) -> None:
        self._signals = signals

    def __enter__(self) -> None:
        self._signals._begin()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._signals._end()


class EndAtOnce:
    """Ends the process at a signal, with nothing said: while it starts, and once all is done.

    Python's own handler would end either with a traceback.

    Attributes:
        code: what the process exits with.
    """

    def __init__(self, leave: Callable[[int], object] = os._exit) -> None:
        self.code = int(ExitCode.INTERRUPTED)
        self._leave = leave

    def install(self) -> None:
        """Begin. Nothing ends it but another handler."""
        install(lambda _number, _frame: self._leave(self.code))


class Escalation:
    """Answers the signals that come while a command already stops: the same one again ends the process.

    Args:
        say: tells a person.
        leave: ends the process at once.

    Attributes:
        code: what the process then exits with.
        done: whether the command has ended; from then on any signal ends the process.
    """

    def __init__(self, say: Callable[[str], None], leave: Callable[[int], object] = os._exit) -> None:
        self.code = int(ExitCode.INTERRUPTED)
        self.done = False
        self._say = say
        self._leave = leave
        self._answered: set[signal.Signals] = set()

    def __call__(self, number: signal.Signals) -> None:
        """Answer a signal."""
        if self.done or number in self._answered:
            self._leave(self.code)
            return
        self._answered.add(number)
        self._say("Stopping already. The same signal once more ends payinfra without cleaning up.")
