"""The drill's time: seconds since it began, and waiting that a person can end."""

import _thread
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol


class DrillClock(Protocol):
    """Time as a drill sees it."""

    def elapsed(self) -> float:
        """Seconds of real time since the drill began."""
        ...

    def wait(self, seconds: float) -> None:
        """Return after so many seconds, or at once when somebody asks the drill to end."""
        ...


@dataclass
class Stop:
    """Whether somebody asked the drill to end, and why: set from a signal, looked at by every wait."""

    reason: str = ""
    asked: threading.Event = field(default_factory=threading.Event)

    def ask(self, reason: str) -> None:
        """Ask for the end. The first reason stays. May be called by a signal's handler."""
        self.reason = self.reason or reason
        # A handler must not wait for the event's lock: whoever holds it may be the thread that it interrupts.
        _thread.start_new_thread(self.asked.set, ())

    @property
    def wanted(self) -> bool:
        """Whether somebody has asked."""
        return bool(self.reason)


@dataclass
class RealClock:
    """The machine's clock, begun when this is made."""

    stop: Stop
    monotonic: Callable[[], float] = time.monotonic
    zero: float = field(default_factory=time.monotonic)
    began: datetime = field(default_factory=lambda: datetime.now(UTC))

    def elapsed(self) -> float:
        """See `Clock`."""
        return self.monotonic() - self.zero

    @contextmanager
    def standing(self) -> Iterator[None]:
        """Let no time pass while a person thinks."""
        began = self.monotonic()
        yield
        self.zero += self.monotonic() - began

    def wait(self, seconds: float) -> None:
        """See `Clock`. Once somebody has asked for the end, only what restores still waits, and in full."""
        if self.stop.wanted:
            time.sleep(seconds)
        else:
            self.stop.asked.wait(seconds)
