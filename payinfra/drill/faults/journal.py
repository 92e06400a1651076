"""The journal of a drill: what it was about to do, did and undid, on disk before the call that does it.

One JSON object a line. A line is synced to the disk before its writer goes on, so that whatever ends the
process, the journal names everything that may be in place. A last line that a kill cut short is passed over:
its writer had not gone on. Each line has a checksum, which covers the drill, the account, the environment and
the target as well: a line that was damaged, or comes from another journal, is not taken for one of this.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from payinfra.core.errors import EnvironmentUnusable, NotRestored
from payinfra.drill.faults.actions import FaultAction
from payinfra.drill.faults.registry import action_from_json, action_to_json

if TYPE_CHECKING:
    from pydantic import TypeAdapter

FILE = "journal.jsonl"
ASIDE = "journal.damaged"
VERSION = 2
"""Raised when lines change so that an older payinfra would restore wrongly."""
WITHOUT_CHECKSUMS = 1
"""The version whose lines had none. Its journals can still be restored."""
CHECKSUM_DIGITS = 16
"""Of a SHA-256, in hexadecimal: against damage, not against whoever can write the file."""

_BY_HAND = "Look into it, put back by hand what it names, then remove its folder."


class DamagedJournal(EnvironmentUnusable):
    """A journal, or a line of it, does not say any more what was written."""


@dataclass(frozen=True)
class Header:
    """What identifies a drill.

    Attributes:
        drill: its id, which is its folder's name.
        target: `aws` or `local`.
        account: twelve digits.
        regions: the primary, then the secondary.
        scenarios: their names, in the order of injection.
        began: in UTC.
        command: what was typed.
    """

    drill: str
    env: str
    target: str
    account: str
    regions: tuple[str, ...]
    scenarios: tuple[str, ...]
    began: datetime
    command: str


@dataclass(frozen=True)
class JournalEntry:
    """An action and what became of it. Neither `done` nor `undone`: it may have happened."""

    number: int
    action: FaultAction
    done: bool = False
    undone: bool = False


@dataclass(frozen=True)
class JournalContent:
    """What a journal says.

    Attributes:
        entries: in the order in which they were announced.
        notes: what was noted besides.
        closed: whether the drill has ended and left nothing behind.
        damaged: the numbers of the lines that say nothing any more, from 1 on.
    """

    header: Header
    entries: tuple[JournalEntry, ...]
    notes: tuple[str, ...]
    closed: bool
    damaged: tuple[int, ...] = ()

    @property
    def left(self) -> tuple[JournalEntry, ...]:
        """What is, or may be, in place."""
        return tuple(entry for entry in self.entries if not entry.undone)

    @property
    def open(self) -> bool:
        """Whether somebody must restore."""
        return not self.closed or bool(self.left)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class _OwnRecord:
    """What this process has written into a journal that it began: known also where the file is lost."""

    header: Header
    entries: dict[int, JournalEntry] = field(default_factory=dict)

    def content(self) -> JournalContent:
        return JournalContent(self.header, tuple(self.entries.values()), (), closed=False)


@dataclass(frozen=True)
class FaultJournal:
    """One drill's journal.

    Args:
        path: its file. `begin` and `reopen` make one.
        sync: forces a file descriptor's data to the disk.
    """

    path: Path
    now: Callable[[], datetime] = _now
    sync: Callable[[int], None] = field(default=os.fsync)
    _own: _OwnRecord | None = field(default=None, repr=False, compare=False)

    @classmethod
    def begin(
        cls,
        folder: Path,
        header: Header,
        *,
        now: Callable[[], datetime] = _now,
        sync: Callable[[int], None] = os.fsync,
    ) -> "FaultJournal":
        """Make the journal of a new drill; it is on disk, with its header, when this returns.

        Args:
            folder: the drill's own; made if it is not there, for its owner only.
            header: what identifies the drill.
            now: the wall clock.
            sync: forces a file descriptor's data to the disk.

        Raises:
            EnvironmentUnusable: the folder has a journal already, or it cannot be written.
        """
        journal = cls(folder / FILE, now, sync, _OwnRecord(header))
        beside = folder / f".{FILE}.new"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if journal.path.exists():
                raise EnvironmentUnusable(
                    f"{journal.path} is another drill's journal.", "Begin the drill again."
                )
            beside.unlink(missing_ok=True)
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                fields = {"line": "header", "version": VERSION, **_header_to_json(header)}
                _write(descriptor, _sealed(fields, _identity(fields)), sync)
            finally:
                os.close(descriptor)
            # Under its name the journal is never without its header.
            beside.replace(journal.path)
            for each in (folder, folder.parent, folder.parent.parent):
                _sync_folder(each, sync)
        except OSError as error:
            raise journal.unwritable(error) from None
        return journal

    @classmethod
    def reopen(
        cls,
        path: Path,
        *,
        now: Callable[[], datetime] = _now,
        sync: Callable[[int], None] = os.fsync,
    ) -> "FaultJournal":
        """Go on with the journal of a drill that did not end; a last line cut short is cut off.

        Raises:
            EnvironmentUnusable: it cannot be read or written, or is damaged.
        """
        journal = cls(path, now, sync)
        journal.read()
        try:
            whole = path.read_bytes()
            end = whole.rfind(b"\n") + 1
            if end < len(whole):
                with path.open("rb+") as file:
                    if _parsed(whole[end:]) is None:
                        file.truncate(end)
                    else:
                        file.seek(0, os.SEEK_END)
                        file.write(b"\n")
                    file.flush()
                    sync(file.fileno())
        except OSError as error:
            raise journal.unwritable(error) from None
        return journal

    def announce(self, action: FaultAction) -> int:
        """Write that the action is about to be injected, before it is; its number.

        Raises:
            EnvironmentUnusable: it cannot be written; nothing may be done then.
        """
        number = len(self.read().entries) + 1
        # A journal's lines are read by other versions too: the field keeps the name that it had.
        self._append("about to", number=number, mutation=action_to_json(action))
        self._remember(JournalEntry(number, action))
        return number

    def done(self, number: int) -> None:
        """Write that an action is injected.

        Raises:
            EnvironmentUnusable: it cannot be written.
        """
        self._change(number)
        self._append("done", number=number)

    def undone(self, number: int) -> None:
        """Write that what was there before an action is there again.

        Raises:
            EnvironmentUnusable: it cannot be written.
        """
        self._change(number, undone=True)
        self._append("undone", number=number)

    def note(self, what: str) -> None:
        """Write something that is no action.

        Raises:
            EnvironmentUnusable: it cannot be written.
        """
        self._append("note", what=what)

    def close(self) -> None:
        """Write that the drill has left nothing behind. Once more changes nothing.

        A journal that this process began and that somebody has removed needs no end: nobody will read it.

        Raises:
            NotRestored: something is, or may be, in place.
            EnvironmentUnusable: it cannot be written.
        """
        record = self.known()
        if record.left:
            raise NotRestored(
                f"{len(record.left)} of the drill's actions are not rolled back.", restore_hint(record.header)
            )
        if not (record.closed or self.is_lost):
            self._append("closed")

    def set_aside(self) -> Path:
        """Give a damaged journal another name, under which nobody takes it for one that is open; its path.

        Raises:
            EnvironmentUnusable: it cannot be renamed.
        """
        aside = self.path.with_name(ASIDE)
        try:
            return self.path.replace(aside)
        except OSError as error:
            raise self.unwritable(error) from None

    @property
    def is_lost(self) -> bool:
        """Whether this process began it, and its file is not there any more."""
        return self._own is not None and not self.path.exists()

    def known(self) -> JournalContent:
        """What the journal says, or what this process has written into it where that cannot be read any more.

        Raises:
            EnvironmentUnusable: as `read`, for a journal of another process.
        """
        try:
            return self.read()
        except EnvironmentUnusable:
            if self._own is None:
                raise
            return self._own.content()

    def read(self) -> JournalContent:
        """What the journal says now.

        Raises:
            EnvironmentUnusable: it cannot be read, or a line of it, other than the last, is damaged.
        """
        found = self.salvage()
        if found.damaged:
            raise self._damaged(found.damaged[0])
        return found

    def salvage(self) -> JournalContent:
        """What the journal says in spite of damage; its header at least must be whole.

        Raises:
            EnvironmentUnusable: it cannot be read, is another version's, or its header is damaged.
        """
        try:
            lines = self.path.read_bytes().split(b"\n")
        except OSError as error:
            raise EnvironmentUnusable(f"{self.path} cannot be read: {error.strerror}.", _BY_HAND) from None
        last = _parsed(lines[-1])
        found = [_parsed(line) for line in lines[:-1]] + ([last] if last is not None else [])
        return self._understood(found)

    def unwritable(self, error: OSError) -> EnvironmentUnusable:
        """The error that says that the journal cannot be written."""
        return EnvironmentUnusable(
            f"The drill's journal {self.path} cannot be written: {error.strerror}.",
            "Make room, or make its folder writable: nothing is done that it does not name.",
        )

    def _remember(self, entry: JournalEntry) -> None:
        if self._own is not None:
            self._own.entries[entry.number] = entry

    def _change(self, number: int, *, undone: bool = False) -> None:
        if self._own is not None:
            self._own.entries[number] = replace(self._own.entries[number], done=True, undone=undone)

    def _append(self, line: str, **fields: object) -> None:
        try:
            header = _parsed(self.path.read_bytes().partition(b"\n")[0]) or {}
        except OSError as error:
            raise self.unwritable(error) from None
        at = self.now().isoformat(timespec="milliseconds")
        text = _sealed({"line": line, "at": at, **fields}, _identity(header))
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            try:
                _write(descriptor, text, self.sync)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise self.unwritable(error) from None

    def _damaged(self, number: int) -> DamagedJournal:
        return DamagedJournal(f"Line {number} of the drill's journal {self.path} is damaged.", _BY_HAND)

    def _understood(self, lines: list[dict[str, object] | None]) -> JournalContent:
        first = lines[0] if lines else None
        header, sealed = self._header(first)
        identity = _identity(first or {})
        entries: dict[int, JournalEntry] = {}
        notes: list[str] = []
        damaged: list[int] = []
        closed = False
        for at, line in enumerate(lines[1:], start=2):
            if line is None or not _is_whole(line, identity, sealed=sealed):
                damaged.append(at)
                continue
            match line:
                case {"line": "about to", "number": int(number), "mutation": action}:
                    entries[number] = JournalEntry(number, action_from_json(action))
                    closed = False
                case {"line": "done", "number": int(number)} if number in entries:
                    entries[number] = replace(entries[number], done=True)
                case {"line": "undone", "number": int(number)} if number in entries:
                    entries[number] = replace(entries[number], undone=True)
                case {"line": "note", "what": str(what)}:
                    notes.append(what)
                case {"line": "closed"}:
                    closed = True
                case _:
                    damaged.append(at)
        return JournalContent(header, tuple(entries.values()), tuple(notes), closed, tuple(damaged))

    def _header(self, line: dict[str, object] | None) -> tuple[Header, bool]:
        """The header, and whether the journal's lines have checksums.

        Raises:
            EnvironmentUnusable: it is another version's, or damaged.
        """
        version = line.get("version") if line is not None and line.get("line") == "header" else None
        if line is None or not isinstance(version, int):
            raise self._damaged(1)
        if version not in (WITHOUT_CHECKSUMS, VERSION):
            raise EnvironmentUnusable(
                f"{self.path} is of version {version}; this payinfra reads {VERSION}.",
                "Restore with the version of payinfra that began the drill.",
            )
        header, sealed = _header_from_json(line), version != WITHOUT_CHECKSUMS
        if header is None or not _is_whole(line, _identity(line), sealed=sealed):
            raise self._damaged(1)
        return header, sealed


def open_journals(drills: Path) -> tuple[Path, ...]:
    """The journals, oldest first, of drills that may have left something in place.

    One that cannot be read, or is damaged, is among them.

    Args:
        drills: the folder that holds a folder for each drill; it need not be there.
    """
    return tuple(path for path in sorted(drills.glob(f"*/{FILE}")) if _is_open(path))


def _is_open(path: Path) -> bool:
    try:
        return FaultJournal(path).read().open
    except EnvironmentUnusable:
        return True


def restore_command(env: str, target: str) -> str:
    """What restores every drill of an environment that did not end."""
    local = " --local" if target == "local" else ""
    return f"payinfra failover-drill --restore --env {env}{local}"


def restore_hint(header: Header) -> str:
    """The next step after a drill that did not end."""
    return f"Put everything back with `{restore_command(header.env, header.target)}`."


def _sealed(fields: Mapping[str, object], identity: str) -> bytes:
    """A line with its checksum."""
    return _text({**fields, "sum": _checksum(fields, identity)}) + b"\n"


def _is_whole(line: Mapping[str, object], identity: str, *, sealed: bool) -> bool:
    """Whether a line is as it was written; without a checksum only where lines need none."""
    fields = {name: value for name, value in line.items() if name != "sum"}
    if "sum" not in line:
        return not sealed
    return line["sum"] == _checksum(fields, identity)


def _checksum(fields: Mapping[str, object], identity: str) -> str:
    return hashlib.sha256(identity.encode() + _text(fields)).hexdigest()[:CHECKSUM_DIGITS]


def _identity(header: Mapping[str, object]) -> str:
    """Which drill of which environment a header is of."""
    return "/".join(str(header.get(name, "")) for name in ("drill", "env", "target", "account"))


def _text(fields: Mapping[str, object]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()


def _parsed(line: bytes) -> dict[str, object] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _write(descriptor: int, text: bytes, sync: Callable[[int], None]) -> None:
    """Append whole, or not at all as far as the disk lets us."""
    before = os.fstat(descriptor).st_size
    try:
        rest = text
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        sync(descriptor)
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, before)
        raise


def _sync_folder(folder: Path, sync: Callable[[int], None]) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


@cache
def _header_adapter() -> "TypeAdapter[Header]":
    from pydantic import TypeAdapter

    return TypeAdapter(Header)


def _header_to_json(header: Header) -> dict[str, object]:
    fields: dict[str, object] = _header_adapter().dump_python(header, mode="json")
    return fields


def _header_from_json(line: dict[str, object]) -> Header | None:
    from pydantic import ValidationError

    try:
        return _header_adapter().validate_json(json.dumps(line), strict=True)
    except ValidationError:
        return None
