"""The items of all tables, in a file that each write is appended to.

A snapshot of a table takes the longer the more it holds, and what was written after the last one would be
lost in a kill. An appended line costs the same each time, and is there as soon as the write is answered:
the system keeps it when the process is killed.

Each line has a checksum (see `payinfra.core.append_log`). A line that is not as it was written is left out
and said; whatever whole record is in it, behind the half of another, counts.
"""

import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from payinfra.core.append_log import AppendLog, LogHeader, decode
from payinfra.core.json_text import parse_json
from payinfra.local.emulator_environment import ACCOUNT
from payinfra.local.server.ministack import Emulator

ROOM = 4
"""The file is rewritten once it has this many lines for each item, and at least `FEW` lines."""

FEW = 10_000

NAMED = 5
"""How many damaged lines are named."""

HEADER = LogHeader("items", 1, "", ACCOUNT, "local")

Line = tuple[str, str, str, object]
"""A table's id, an item's partition and sort, and the item; None for a delete."""


@dataclass
class ItemJournal:
    """The file.

    Attributes:
        lines: how many writes it has.
        damaged: the numbers of the lines, counted from 1, that `read` could make nothing of.
        torn: how many bytes at its end are a write that was cut off, and so never answered.
        copy: where the file as it was found lies, if it was damaged.
    """

    path: Path
    lines: int = 0
    damaged: list[int] = field(default_factory=list)
    torn: int = 0
    copy: Path | None = None
    _clean: bool = False
    _log: AppendLog | None = field(default=None, repr=False)
    _writing: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def append(self, line: Line) -> None:
        """Add one write."""
        with self._writing:
            if self._log is None:
                self._log = self._open()
            self._log.append(line, durable=False)
            self.lines += 1

    def _open(self) -> AppendLog:
        if not self.path.exists():
            return AppendLog.create(self.path, HEADER)
        return AppendLog.open(self.path, legacy=True)

    def read(self) -> Iterator[Line]:
        """All writes, oldest first; those of earlier versions, which had no checksum, too."""
        self.damaged.clear()
        self.torn, self._clean = 0, True
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                text = raw.rstrip(b"\n")
                line = _line(text)
                if line is None and number == 1 and _is_header(text):
                    continue
                if line is None and not raw.endswith(b"\n"):
                    self.torn = len(raw)
                    continue
                if line is None:
                    self.damaged.append(number)
                    line = _line_within(text)
                if line is not None:
                    self.lines += 1
                    self._clean &= raw.endswith(b"\n") and _has_checksum(text)
                    yield line

    @property
    def needs_rewriting(self) -> bool:
        """Whether `read` found anything that is not as this version writes it."""
        return not self._clean or bool(self.damaged or self.torn)

    def keep_copy(self) -> None:
        """Keep the file as it was found, beside it."""
        self.copy = self.path.with_name(f"{self.path.name}.damaged")
        self.copy.unlink(missing_ok=True)
        shutil.copyfile(self.path, self.copy)

    def rewrite(self, lines: Iterator[Line]) -> None:
        """Start over with these, in one step. What is written meanwhile waits, and comes after them."""
        counted = 0

        def counting() -> Iterator[Line]:
            nonlocal counted
            for line in lines:
                counted += 1
                yield line

        with self._writing:
            if self._log is None:
                self._log = AppendLog.replace(self.path, HEADER, counting())
            else:
                self._log.rewrite(HEADER, counting())
            self.lines = counted

    def close(self) -> None:
        """Close the file; the next write opens it again."""
        with self._writing:
            if self._log is not None:
                self._log.close()
                self._log = None


def _line(text: bytes) -> Line | None:
    """The write on a line; None where it is something else."""
    try:
        match decode(text) if _has_checksum(text) else parse_json(text):
            case [str(table), str(partition), str(sort), item]:
                return table, partition, sort, item
    except ValueError:
        pass
    return None


def _line_within(text: bytes) -> Line | None:
    """The write behind half of another: an earlier version went on in the line that a kill had cut off."""
    for begin in (_CHECKSUM, b'["'):
        at = text.find(begin, 1)
        while at > 0:
            if line := _line(text[at:]):
                return line
            at = text.find(begin, at + 1)
    return None


def _has_checksum(text: bytes) -> bool:
    return text.startswith(_CHECKSUM)


def _is_header(text: bytes) -> bool:
    try:
        match decode(text):
            case {"kind": HEADER.kind}:
                return True
    except ValueError:
        pass
    return False


_CHECKSUM = b'{"crc32":'


@dataclass
class StoredItems:
    """Keeps ministack's items in a journal."""

    emulator: Emulator
    journal: ItemJournal

    @property
    def dynamodb(self) -> Any:
        """The service that holds them."""
        return self.emulator.service("dynamodb")

    def record(self) -> None:
        """From now on each write to any table is appended. A new replica begins with a copy of all items."""
        original_set, original_remove = self.dynamodb._set_item, self.dynamodb._remove_item

        def set_item(table: Any, partition: str, sort: str, item: Any) -> Any:
            before = original_set(table, partition, sort, item)
            self.journal.append((table["TableId"], partition, sort, item))
            return before

        def remove_item(table: Any, partition: str, sort: str) -> Any:
            before = original_remove(table, partition, sort)
            if before is not None:
                self.journal.append((table["TableId"], partition, sort, None))
            return before

        original_create = self.dynamodb._create_replica

        def create_replica(name: str, table: Any, region: str) -> None:
            original_create(name, table, region)
            self.rewrite()

        for name, value in (
            ("_set_item", set_item),
            ("_remove_item", remove_item),
            ("_create_replica", create_replica),
        ):
            self.emulator.replace(self.dynamodb, name, value)

    def restore(self) -> str:
        """Put the items back into the tables that ministack has restored, by the tables' ids.

        Returns:
            What a person has to know of it; empty where the file was as it should be.
        """
        tables = {table["TableId"]: table for table in self.dynamodb._tables.all_values()}
        for table_id, partition, sort, item in self.journal.read():
            table = tables.get(table_id)
            if table is None:
                continue
            if item is None:
                table["items"].get(partition, {}).pop(sort, None)
            else:
                table["items"].setdefault(partition, {})[sort] = item
        for table in tables.values():
            for partition in [key for key, value in table["items"].items() if not value]:
                del table["items"][partition]
            self.dynamodb._items_replaced(table)
        if self.journal.needs_rewriting:
            if self.journal.damaged:
                self.journal.keep_copy()
            self.rewrite()
        self.tidy()
        return self._damage()

    def _damage(self) -> str:
        journal = self.journal
        if not journal.damaged:
            return ""
        more = " and more" if len(journal.damaged) > NAMED else ""
        numbers = ", ".join(map(str, journal.damaged[:NAMED])) + more
        return (
            f"The items' log {journal.path} was damaged in {len(journal.damaged)} of its lines ({numbers}): "
            "the writes in them may be lost, all others were restored. The log as it was found is kept as "
            f"{journal.copy}."
        )

    def tidy(self) -> None:
        """Rewrite the file when most of its lines are history."""
        if self.journal.lines > max(FEW, ROOM * sum(1 for _ in self._live())):
            self.rewrite()

    def rewrite(self) -> None:
        """Rewrite the file with what the tables hold."""
        self.journal.rewrite(self._live())

    def _live(self) -> Iterator[Line]:
        for table in list(self.dynamodb._tables.all_values()):
            for partition, items in list(table["items"].items()):
                for sort, item in list(items.items()):
                    yield table["TableId"], partition, sort, item


def of_emulator(emulator: Emulator, path: Path) -> StoredItems:
    """The items of ministack's tables."""
    return StoredItems(emulator, ItemJournal(path))
