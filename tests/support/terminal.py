"""payinfra with a person at a terminal, who reads and types, and may close it."""

import os
import pty
import select
import subprocess
import sys
import time
from types import TracebackType
from typing import Self

from tests.support.project import Project

TAKE_CONTROL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Makes the terminal on stdin the session's own, so that closing it hangs up, then becomes the command."""


class Terminal:
    """A command that asks, and the person whom it asks.

    Attributes:
        said: what was on the screen so far.
    """

    def __init__(self, project: Project, *arguments: str, all_streams: bool = False) -> None:
        """Start the command.

        Args:
            all_streams: stdout is the terminal, too.
        """
        self._screen, theirs = pty.openpty()
        self._open = True
        self.process = subprocess.Popen(
            [sys.executable, "-c", TAKE_CONTROL, project.program, *arguments],
            cwd=project.folder,
            env=project.environment() | {"TERM": "xterm"},
            stdin=theirs,
            stdout=theirs if all_streams else subprocess.DEVNULL,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.said = ""

    def close(self) -> None:
        """Close the terminal: the kernel sends SIGHUP, and whatever is written to it fails from now on."""
        if self._open:
            self._open = False
            os.close(self._screen)

    def until(self, text: str, within_s: float = 120.0) -> None:
        """Read until a text is there."""
        ends = time.monotonic() + within_s
        while text not in self.said:
            assert time.monotonic() < ends, self.said
            assert self.reads(1.0), self.said

    def types(self, text: str) -> None:
        """Type a text."""
        os.write(self._screen, text.encode())

    def end(self, within_s: float = 240.0) -> int:
        """Read to the end; the exit code."""
        ends = time.monotonic() + within_s
        while self.reads(1.0):
            assert time.monotonic() < ends, self.said
        return self.process.wait(10)

    def reads(self, seconds: float) -> bool:
        """Read what comes within so many seconds; whether there may be more."""
        if not select.select([self._screen], [], [], seconds)[0]:
            return True
        try:
            read = os.read(self._screen, 65536)
        except OSError:  # what Linux says once nobody has the other end
            return False
        self.said += read.decode(errors="replace")
        return bool(read)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        self.close()
