"""The items of all tables, in a file that each write is appended to.

A snapshot of a table takes the longer the more it holds, and what was written after the last one would be
lost in a kill. An appended line costs the same each time, and is there as soon as the write is answered:
the system keeps it when the process is killed.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from payinfra.core.json_text import parse_json
from payinfra.local.server.ministack import Emulator

ROOM = 4
"""The file is rewritten once it has this many lines for each item, and at least `FEW` lines."""

FEW = 10_000

Line = tuple[str, str, str, object]
"""A table's id, an item's partition and sort, and the item; None for a delete."""


@dataclass
class ItemJournal:
    """The file. Lines that were cut short by a kill are passed over."""

    path: Path
    lines: int = 0
    _file: TextIOWrapper | None = field(default=None, repr=False)

    def append(self, line: Line) -> None:
        """Adds one write."""
        if self._file is None:
            self._file = self.path.open("a", encoding="utf-8")
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        self.lines += 1

    def read(self) -> Iterator[Line]:
        """All writes, oldest first."""
        if not self.path.exists():
            return
        with self.path.open(encoding="utf-8") as file:
            for text in file:
                try:
                    table, partition, sort, item = parse_json(text)
                except ValueError:
                    continue
                self.lines += 1
                yield table, partition, sort, item

    def rewrite(self, lines: Iterator[Line]) -> None:
        """Begins anew with these."""
        beside = self.path.with_suffix(".new")
        self.close()
        self.lines = 0
        with beside.open("w", encoding="utf-8") as file:
            for line in lines:
                file.write(json.dumps(line) + "\n")
                self.lines += 1
        beside.replace(self.path)

    def close(self) -> None:
        """Closes the file; the next write opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None


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

    def restore(self) -> None:
        """Puts the items back into the tables that ministack has restored, by the tables' ids."""
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
        self.tidy()

    def tidy(self) -> None:
        """Rewrites the file when most of its lines are history."""
        if self.journal.lines > max(FEW, ROOM * sum(1 for _ in self._live())):
            self.rewrite()

    def rewrite(self) -> None:
        """Rewrites the file with what the tables hold."""
        self.journal.rewrite(self._live())

    def _live(self) -> Iterator[Line]:
        for table in list(self.dynamodb._tables.all_values()):
            for partition, items in list(table["items"].items()):
                for sort, item in list(items.items()):
                    yield table["TableId"], partition, sort, item


def of_emulator(emulator: Emulator, path: Path) -> StoredItems:
    """The items of ministack's tables."""
    return StoredItems(emulator, ItemJournal(path))
