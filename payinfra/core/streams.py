"""Standard streams that nobody may read any more: a closed terminal, a pipe whose reader has gone.

Where the terminal is closed, each write to it fails (EIO). Nothing that payinfra puts back may depend on
whether somebody reads what it says meanwhile.
"""

import contextlib
import errno
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, TextIO, cast

Tolerates = Callable[[OSError], bool]


def any_error(_error: OSError) -> bool:
    """Tolerates all: for the conversation on stderr."""
    return True


def closed_terminal(error: OSError) -> bool:
    """Tolerates a closed terminal: for stdout, where a pipe without a reader is the reader's wish."""
    return error.errno == errno.EIO


class TolerantStream:
    """A text stream that drops what cannot be written. All else is the stream's own.

    Args:
        stream: where text goes as long as it can.
        tolerates: which errors end the writing silently; others are raised.
    """

    def __init__(self, stream: TextIO, tolerates: Tolerates) -> None:
        self._stream = stream
        self._tolerates = tolerates

    def write(self, text: str) -> int:
        """Write, or drop the text."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._drop(error)
            return len(text)

    def flush(self) -> None:
        """Write what is buffered, or drop it."""
        try:
            self._stream.flush()
        except OSError as error:
            self._drop(error)

    def _drop(self, error: OSError) -> None:
        if not self._tolerates(error):
            raise error
        silence(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def silence(stream: TextIO) -> None:
    """Let everything that is written to the stream from now on, and what it still buffers, go nowhere.

    The descriptor itself is replaced: Python writes what is buffered at its very end, and a failure there
    would change the exit code.
    """
    with contextlib.suppress(OSError):  # a stream without a descriptor
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)


@contextlib.contextmanager
def tolerant_streams() -> Iterator[None]:
    """Let no closed terminal, and nobody who stops reading stderr, end what is under way."""
    before = sys.stdout, sys.stderr
    sys.stdout = cast(TextIO, TolerantStream(sys.stdout, closed_terminal))
    sys.stderr = cast(TextIO, TolerantStream(sys.stderr, any_error))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
