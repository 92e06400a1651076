"""A child process that is interrupted once, waited for, and only after a long time stopped by force.

Its output goes to a file that payinfra follows, not to a pipe: when payinfra is killed, Terraform must be
able to go on writing until it has saved its state. A broken pipe would kill it.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import BinaryIO

from payinfra.core.private_files import open_own
from payinfra.core.stop_signals import STOP_SIGNALS
from payinfra.terraform.disk_reserve import keep_room

PARENT_DEATH_SIGNAL = Path(__file__).with_name("parent_death_signal.py")
PRIVATE = 0o077
TICK_S = 0.05
NEVER = float("inf")


@dataclass(frozen=True)
class StopTimeouts:
    """How long an interrupted child may take, in seconds: until it is terminated, then until it is killed.

    To Terraform the terminate is a second interrupt: it stops at once, and what was in progress may be
    missing from the state. So the first wait is longer than what a provider cannot break off.
    """

    terminate_after: float = 600.0
    kill_after: float = 30.0


@dataclass(frozen=True)
class Ending:
    """How a child ended. `code` is its exit code, negative for the signal that ended it."""

    code: int
    interrupted: bool
    forced: bool


class Interrupts:
    """Counts the requests to stop. Any thread may add one; a signal handler may, too."""

    def __init__(self) -> None:
        self.count = 0

    def request(self) -> None:
        """Ask once more."""
        self.count += 1

    @contextmanager
    def from_signals(self) -> Iterator[None]:
        """While inside, the signals that ask payinfra to stop count as requests instead.

        Python runs signal handlers in the main thread only: elsewhere this does nothing, and whoever catches
        the interrupt calls `request`. A signal that payinfra was started to ignore stays ignored.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def handle(_number: int, _frame: FrameType | None) -> None:
            self.request()

        before = {
            number: signal.signal(number, handle)
            for number in STOP_SIGNALS
            if signal.getsignal(number) is not signal.SIG_IGN
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class Follower:
    """Reads whole lines from a file that another process still writes."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._rest = b""

    def lines(self) -> Iterator[str]:
        """The lines that were completed since the last call."""
        *whole, self._rest = (self._rest + self._stream.read()).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace")

    def last(self) -> Iterator[str]:
        """The lines that are left once the writer has ended, an unfinished one too."""
        yield from self.lines()
        if self._rest:
            yield self._rest.decode(errors="replace")
            self._rest = b""


@dataclass(frozen=True)
class Child:
    """What to run, where, and what to tell about it.

    `said` gets each line of output, `asked` the number of each request to stop, `started` the process id;
    `forced` is called before force is used, and `watch` repeatedly until the child ends.
    `room` bytes are reserved on the disk for the output.
    """

    argv: Sequence[str]
    folder: Path
    environment: Mapping[str, str]
    output: Path
    said: Callable[[str], None]
    asked: Callable[[int], None]
    forced: Callable[[], None]
    started: Callable[[int], None]
    watch: Callable[[], None] = lambda: None
    room: int = 0


def run(
    child: Child,
    interrupts: Interrupts,
    *,
    patience: StopTimeouts | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Ending:
    """Run a child to its end, following its output.

    It gets a session of its own, so that a Ctrl-C in the terminal does not reach it beside payinfra's one
    interrupt; files that it makes are for their owner only.

    Raises OSError where it cannot be started.
    """
    waits = patience or StopTimeouts()
    sink = open_own(child.output, os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_WRONLY)
    if child.room:
        keep_room(sink, child.room)
    with child.output.open("rb") as followed, interrupts.from_signals():
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(PARENT_DEATH_SIGNAL), str(os.getpid()), *child.argv],
                cwd=child.folder,
                env=dict(child.environment),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=PRIVATE,
            )
        finally:
            os.close(sink)
        stopping = _Stopping(process, child, waits, clock)
        try:
            child.started(process.pid)
            follower = Follower(followed)
            while not _ended(process):
                child.watch()
                for line in follower.lines():
                    child.said(line)
                stopping.attend(interrupts.count)
            for line in follower.last():
                child.said(line)
        except BaseException:
            # A defect on this side must not leave Terraform at work with nobody watching.
            stopping.abandon()
            raise
        return Ending(process.returncode, interrupted=interrupts.count > 0, forced=stopping.forced)


def _ended(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(TICK_S)
    except subprocess.TimeoutExpired:
        return False
    return True


class _Stopping:
    """Interrupt, then terminate, then kill."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        child: Child,
        patience: StopTimeouts,
        clock: Callable[[], float],
    ) -> None:
        self.forced = False
        self._process = process
        self._child = child
        self._clock = clock
        self._answered = 0
        self._deadline = NEVER
        self._next = self._interrupt
        self._patience = patience

    def attend(self, requests: int) -> None:
        """Do what is due: answer a new request, or use force when the time is over."""
        if requests > self._answered:
            self._answered = requests
            self._child.asked(requests)
            self._begin()
        self._act()

    def abandon(self) -> None:
        """Interrupt it and wait for its end, by force if it takes too long."""
        self._begin()
        while not _ended(self._process):
            self._act()

    def _begin(self) -> None:
        if self._deadline == NEVER:
            self._deadline = -NEVER

    def _act(self) -> None:
        now = self._clock()
        if now >= self._deadline:
            self._deadline = now + self._next()

    def _interrupt(self) -> float:
        self._process.send_signal(signal.SIGINT)
        self._next = self._terminate
        return self._patience.terminate_after

    def _terminate(self) -> float:
        self.forced = True
        self._child.forced()
        self._process.send_signal(signal.SIGTERM)
        self._next = self._kill
        return self._patience.kill_after

    def _kill(self) -> float:
        # The whole session: providers are Terraform's children, and nobody is left to end them.
        os.killpg(self._process.pid, signal.SIGKILL)
        return NEVER
