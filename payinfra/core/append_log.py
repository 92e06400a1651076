"""An append-only log that outlives a kill and a loss of power: JSON records, each with a checksum.

A line is `{"crc32":"0a1b2c3d","record":...}`; the checksum is of the record's bytes as they stand there. The
first record is the header: what the log is of, and whose. Bytes after the last line end are a record whose
writer was cut off before it went on, so that nobody relies on it: reading reports them, and opening cuts them
off. Any other line that is not as it was written is damage, and is never passed over.
"""

import errno
import itertools
import json
import os
import re
import threading
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.json_text import parse_json
from payinfra.core.private_files import open_own, replace_file

Record = Mapping[str, object] | Sequence[object]

_LINE = re.compile(rb'\{"crc32":"([0-9a-f]{8})","record":(.*)\}', re.DOTALL)


@dataclass(frozen=True)
class LogHeader:
    """What a log is of, and whose.

    Attributes:
        kind: what the records are, such as `drill-journal`.
        version: of the records' form; raised when an older payinfra would misread them.
        env: the environment; empty where the log is not one environment's.
        account: the AWS account's twelve digits.
        target: `aws` or `local`.
        more: what else identifies the log, as JSON values.
    """

    kind: str
    version: int
    env: str
    account: str
    target: str
    more: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class LogContent:
    """What a log holds.

    Attributes:
        header: None in a log of an earlier version of payinfra, which had none of this form.
        records: without the header, oldest first. Any JSON value: who reads them checks their shape.
        torn: how many bytes at the end are no whole record; 0 where the log ends as it should.
    """

    header: LogHeader | None
    records: tuple[Any, ...]
    torn: int


class LogDamaged(EnvironmentUnusable):
    """A line of a log is not as it was written; `line` is its number, counted from 1."""

    def __init__(self, path: Path, line: int, why: str) -> None:
        super().__init__(
            f"Line {line} of {path} is damaged: {why}.",
            "The other lines are readable. Look into the file, then move it away.",
        )
        self.path = path
        self.line = line


def encode(record: Record) -> bytes:
    """The line of a record.

    Raises:
        ValueError, TypeError: JSON cannot hold it.
    """
    text = json.dumps(record, separators=(",", ":"), allow_nan=False).encode()
    return b'{"crc32":"%08x","record":%b}\n' % (zlib.crc32(text), text)


def decode(line: bytes, *, legacy: bool = False) -> Any:
    """The record of a line, which comes without its line end.

    Args:
        line: the line's bytes.
        legacy: whether a JSON object without a checksum, of an earlier version of payinfra, is a record too.

    Raises:
        ValueError: the line is not as it was written; the message says why.
    """
    found = _LINE.fullmatch(line)
    if found is not None:
        if zlib.crc32(found[2]) != int(found[1], 16):
            raise ValueError("its checksum does not match")
        return parse_json(found[2])
    try:
        plain = parse_json(line) if legacy else None
    except ValueError:
        plain = None
    if not isinstance(plain, dict) or "crc32" in plain:
        raise ValueError("it is no record")
    return plain


def read(path: Path, *, legacy: bool = False) -> LogContent:
    """Read a whole log.

    Args:
        path: the log; a symbolic link is refused.
        legacy: whether records without a checksum, and no header, are accepted too.

    Raises:
        LogDamaged: a line is not as it was written, or the first one is no header.
        OSError: the file cannot be read, or is no regular file.
    """
    descriptor = open_own(path, os.O_RDONLY)
    with os.fdopen(descriptor, "rb") as file:
        data = file.read()
    *lines, rest = data.split(b"\n")
    records: list[Any] = []
    for number, line in enumerate(lines, 1):
        try:
            records.append(decode(line, legacy=legacy))
        except ValueError as error:
            rest = b"\n".join((*lines[number - 1 :], rest))
            # What was not synced when the power was lost may come back as zeros, with line ends among them.
            if b"\0" in line and not any(_is_record(each, legacy) for each in lines[number:]):
                break
            raise LogDamaged(path, number, str(error)) from None
    header = _header_of(records)
    if header is None and not legacy:
        raise LogDamaged(path, 1, "it is no header")
    return LogContent(header, tuple(records if header is None else records[1:]), len(rest))


class AppendLog:
    """A log that is open for appending, from any thread. `create` and `open` make one.

    Attributes:
        path: its file.
        cut: how many bytes of a torn last record were cut off when it was opened.
    """

    def __init__(self, path: Path, descriptor: int, sync: Callable[[int], object], cut: int = 0) -> None:
        self.path = path
        self.cut = cut
        self._descriptor = descriptor
        self._sync = sync
        self._writing = threading.Lock()
        self._broken: OSError | None = None

    @classmethod
    def create(cls, path: Path, header: LogHeader, *, sync: Callable[[int], object] = os.fsync) -> Self:
        """Make a log with its header. Under its name it is never without one, and it is on the disk.

        Raises:
            FileExistsError: there is a file of this name, or a link.
            OSError: it cannot be written.
        """
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "File exists", str(path))
        replace_file(path, encode(asdict(header)), durable=True, sync=sync)
        return cls(path, open_own(path, os.O_WRONLY | os.O_APPEND), sync)

    @classmethod
    def replace(
        cls,
        path: Path,
        header: LogHeader,
        records: Iterable[Record],
        *,
        sync: Callable[[int], object] = os.fsync,
    ) -> Self:
        """Put a log of these records in the place of whatever file has its name, in one step.

        Raises:
            OSError: it cannot be written; what was there is as it was before.
        """
        replace_file(path, _lines(header, records), durable=True, sync=sync)
        return cls(path, open_own(path, os.O_WRONLY | os.O_APPEND), sync)

    @classmethod
    def open(cls, path: Path, *, legacy: bool = False, sync: Callable[[int], object] = os.fsync) -> Self:
        """Go on with a log. A torn last record is cut off; `cut` says how many bytes that were.

        Raises:
            LogDamaged: as `read`.
            OSError: it cannot be read or written, or is no regular file.
        """
        torn = read(path, legacy=legacy).torn
        descriptor = open_own(path, os.O_WRONLY | os.O_APPEND)
        try:
            if torn:
                os.ftruncate(descriptor, os.fstat(descriptor).st_size - torn)
                sync(descriptor)
        except OSError:
            os.close(descriptor)
            raise
        return cls(path, descriptor, sync, torn)

    def append(self, *records: Record, durable: bool = True) -> None:
        """Append records, all or none.

        Args:
            records: in their order.
            durable: return only when they, and all before them, are on the disk. Otherwise they outlive the
                process, but not a loss of power.

        Raises:
            OSError: they cannot be written; the log is as it was before.
            ValueError, TypeError: JSON cannot hold one; nothing was written.
        """
        text = b"".join(map(encode, records))
        with self._writing:
            if self._broken is not None:
                raise OSError(self._broken.errno, f"An earlier write failed: {self._broken.strerror}")
            before = os.fstat(self._descriptor).st_size
            try:
                while text:
                    text = text[os.write(self._descriptor, text) :]
                if durable:
                    self._sync(self._descriptor)
            except OSError:
                try:
                    os.ftruncate(self._descriptor, before)
                except OSError as error:
                    # Half a line may be there: a whole one after it would be damage.
                    self._broken = error
                raise

    def rewrite(self, header: LogHeader, records: Iterable[Record]) -> None:
        """Replace everything by these records, in one step, for a log that keeps only what still counts.

        Raises:
            OSError: they cannot be written; the log is as it was before.
        """
        with self._writing:
            replace_file(self.path, _lines(header, records), durable=True, sync=self._sync)
            try:
                descriptor = open_own(self.path, os.O_WRONLY | os.O_APPEND)
            except OSError as error:
                self._broken = error  # the file that is open has no name any more
                raise
            os.close(self._descriptor)
            self._descriptor, self._broken = descriptor, None

    def close(self) -> None:
        """Close the file. Harmless when it was closed before."""
        with self._writing:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

    def __enter__(self) -> Self:
        """The log itself."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close it."""
        self.close()


def _lines(header: LogHeader, records: Iterable[Record]) -> Iterable[bytes]:
    return map(encode, itertools.chain((asdict(header),), records))


def _is_record(line: bytes, legacy: bool) -> bool:
    try:
        decode(line, legacy=legacy)
    except ValueError:
        return False
    return True


def _header_of(records: Sequence[Any]) -> LogHeader | None:
    match records[:1]:
        case [
            {
                "kind": str(kind),
                "version": int(version),
                "env": str(env),
                "account": str(account),
                "target": str(target),
                "more": dict(more),
            }
        ]:
            return LogHeader(kind, version, env, account, target, more)
        case _:
            return None
