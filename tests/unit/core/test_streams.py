"""Streams that nobody reads any more."""

import errno
import io
import os
import pty
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO, cast

import pytest

from payinfra.core.streams import TolerantStream, any_error, closed_terminal, silence, tolerant_streams


def text_stream(descriptor: int) -> TextIO:
    return os.fdopen(descriptor, "w", encoding="utf-8", buffering=1)


def closed() -> TextIO:
    """A terminal whose window was closed."""
    screen, theirs = pty.openpty()
    os.close(screen)
    return text_stream(theirs)


def unread() -> TextIO:
    """A pipe whose reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    return text_stream(writer)


def test_what_can_be_written_is(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w", encoding="utf-8") as file:
        stream = TolerantStream(file, any_error)
        assert stream.write("héllo\n") == 6
        stream.flush()
        assert (tmp_path / "out").read_text(encoding="utf-8") == "héllo\n"
        assert stream.encoding == "utf-8"
        assert stream.isatty() is False


@pytest.mark.parametrize("make", [closed, unread])
def test_what_nobody_reads_is_dropped_for_good(make: Callable[[], TextIO]) -> None:
    with make() as file:
        stream = TolerantStream(file, any_error)
        assert stream.write("one\n") == 4
        stream.write("two\n")
        stream.flush()
        file.write("three\n")  # the stream itself cannot fail any more, at Python's end either


def test_what_fails_only_as_it_is_flushed_is_dropped_too() -> None:
    with closed() as file:
        stream = TolerantStream(file, any_error)
        stream.write("no end of line")
        stream.flush()


def test_stdout_tells_of_a_reader_that_has_gone_and_not_of_a_closed_terminal() -> None:
    with closed() as file:
        TolerantStream(file, closed_terminal).write("one\n")
    with unread() as file:
        stream = TolerantStream(file, closed_terminal)
        with pytest.raises(BrokenPipeError):
            stream.write("one\n")
        silence(file)


def test_only_a_closed_terminal_is_a_closed_terminal() -> None:
    assert closed_terminal(OSError(errno.EIO, "Input/output error"))
    assert not closed_terminal(OSError(errno.ENOSPC, "No space left on device"))


def test_a_stream_without_a_descriptor_is_left_alone() -> None:
    stream = io.StringIO()
    silence(stream)
    stream.write("still there")
    assert stream.getvalue() == "still there"


def test_both_streams_are_tolerant_for_a_while() -> None:
    before = sys.stdout, sys.stderr
    with tolerant_streams():
        assert isinstance(cast(object, sys.stdout), TolerantStream)
        assert isinstance(cast(object, sys.stderr), TolerantStream)
    assert (sys.stdout, sys.stderr) == before
