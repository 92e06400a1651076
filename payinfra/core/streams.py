"""Standard streams that nobody may read any more: a closed terminal, a pipe whose reader has gone.

Where the terminal is closed, each write to it fails (EIO). Nothing that payinfra puts back may depend on
whether somebody reads what it says meanwhile.
"""

import contextlib
import errno
import os
import sys
from collections.abc import Callable, Iterator
from typing import IO, Any, Protocol, TextIO, cast

Tolerates = Callable[[OSError], bool]


class Clean(Protocol):
    """Makes of a text what may be written to a stream."""

    def __call__(self, text: str, *, is_terminal: bool) -> str:
        """The text that is written."""


def any_error(_error: OSError) -> bool:
    """Tolerate all errors: for the conversation on stderr."""
    return True


def closed_terminal(error: OSError) -> bool:
    """Tolerate a closed terminal: for stdout, where a pipe without a reader is the reader's wish."""
    return error.errno == errno.EIO


class TolerantStream:
    """A text stream that drops what cannot be written. All else is the stream's own.

    Args:
        stream: where text goes as long as it can.
        tolerates: which errors end the writing silently; others are raised.
        clean: what is written of a text; by default, all of it.
    """

    def __init__(self, stream: TextIO, tolerates: Tolerates, clean: Clean | None = None) -> None:
        self._stream = stream
        self._tolerates = tolerates
        self._clean = clean

    def write(self, text: str) -> int:
        """Write, cleaned, or drop the text."""
        if self._clean is not None:
            text = self._clean(text, is_terminal=self._stream.isatty())
        return self.write_as_it_is(text)

    def write_as_it_is(self, text: str) -> int:
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
        if isinstance(error, BrokenPipeError) and not self._tolerates(error):
            # Without its number: for EPIPE, Typer ends the process with 1 before anybody else is asked.
            raise BrokenPipeError from error
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


def write_commands(stream: IO[str], text: str) -> None:
    """Write workflow commands of GitHub's, which in any other text are made none."""
    if isinstance(stream, TolerantStream):
        stream.write_as_it_is(text)
    else:
        stream.write(text)


@contextlib.contextmanager
def tolerant_streams(clean: Clean | None = None) -> Iterator[None]:
    """Let no closed terminal, and nobody who stops reading stderr, end what is under way.

    Args:
        clean: what is written of a text; by default, all of it.
    """
    before = sys.stdout, sys.stderr
    sys.stdout = cast(TextIO, TolerantStream(sys.stdout, closed_terminal, clean))
    sys.stderr = cast(TextIO, TolerantStream(sys.stderr, any_error, clean))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
