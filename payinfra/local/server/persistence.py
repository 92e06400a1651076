"""The state of the embedded AWS on disk: written a moment after each change, whole, one file a service.

ministack writes its state when it ends in an orderly way. A killed server must find its state too, so it
is written here while the server runs. What was made less than a second before a kill may be lost; an item
that was written to a table is not.
"""

import hashlib
import json
import re
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.json_text import parse_json
from payinfra.core.private_files import replace_file
from payinfra.local.server.ministack import Emulator
from payinfra.local.server.replication import ItemKey, ItemVersion, Replicator, Write

QUIET_S = 0.5
"""Seconds from a change to the writing of it."""

SHARE = 10
"""Writing may take this part of the server's time: after a long write comes a pause of ten times that."""

TRIES = 50
"""So often a service's state is looked through, at the most, until nothing is added to it meanwhile."""

State = Callable[[], object]


@dataclass
class Snapshots:
    """Writes the services' state.

    Args:
        folder: one JSON file for each service, and beside it a copy, with the suffix `.copy`.
        services: what gives each service's state; None means that it has none to write.
        encode: turns one service's name and state into the file's text.
    """

    folder: Path
    services: Callable[[], Mapping[str, State]]
    encode: Callable[[str, object], str]
    _written: dict[str, str] = field(default_factory=dict)
    _touched: bool = False

    def touch(self) -> None:
        """Report that something may have changed."""
        self._touched = True

    @property
    def touched(self) -> bool:
        """Whether there may be something to write."""
        return self._touched

    def save(self, whole: Mapping[str, State] | None = None) -> tuple[str, ...]:
        """Write what differs from what was written last; return the names of those services.

        Args:
            whole: takes the place of `services` for some of them.
        """
        self._touched = False
        changed: list[str] = []
        for name, state_of in {**self.services(), **(whole or {})}.items():
            text = self._text(name, state_of)
            if text is None:
                continue
            digest = hashlib.sha256(text.encode()).hexdigest()
            if self._written.get(name) != digest:
                keep(self.folder / f"{name}.json", text)
                self._written[name] = digest
                changed.append(name)
        return tuple(changed)

    def _text(self, name: str, state_of: State) -> str | None:
        """The text of one service's state; None where it has none to write.

        Functions, and what reads streams, change some of it in threads of their own, and Python gives up
        looking through a dictionary that another thread adds to.
        """
        for _ in range(TRIES - 1):
            with suppress(RuntimeError):
                return self._text_now(name, state_of)
        return self._text_now(name, state_of)

    def _text_now(self, name: str, state_of: State) -> str | None:
        state = state_of()
        return None if state is None else self.encode(name, state)


def keep(path: Path, text: str) -> None:
    """Write a file of the state in one step, then a copy of it, each whole at any moment."""
    replace_file(path, text)
    replace_file(_copy(path), text)


def _copy(path: Path) -> Path:
    return path.with_suffix(".copy")


def sealed(version: object, payload: str) -> str:
    """A service's state as ministack reads it, with a checksum over it.

    Args:
        version: of ministack's format.
        payload: the state, as JSON.
    """
    head = json.dumps({"__ministack_format__": version, CHECKSUM: _digest(payload.encode())})
    return f'{head[:-1]}, "payload": {payload}}}'


def _digest(payload: bytes) -> str:
    return f"{zlib.crc32(payload):08x}"


def is_whole(content: bytes) -> bool:
    """Whether a file of the state is as it was written; one of an earlier version, if it is JSON at all."""
    found = _SEALED.match(content)
    if found is not None:
        return content.endswith(b"}") and _digest(content[found.end() : -1]) == found[1].decode()
    try:
        parse_json(content)
    except ValueError:
        return False
    return CHECKSUM.encode() not in content[:LONGEST_HEAD]


def mend(folder: Path) -> tuple[str, ...]:
    """Put, in the place of each damaged or missing file of the state, its copy.

    A service whose state cannot be read would begin empty, and whoever relies on it would not notice.

    Returns:
        What a person has to know of it, a sentence for each file.

    Raises:
        EnvironmentUnusable: the copy is damaged too, or there is none.
    """
    said = []
    names = {path.stem for suffix in ("json", "copy") for path in folder.glob(f"*.{suffix}")}
    for path in (folder / f"{name}.json" for name in sorted(names)):
        copy = _copy(path)
        if path.exists() and is_whole(path.read_bytes()):
            continue
        if not (copy.exists() and is_whole(copy.read_bytes())):
            raise EnvironmentUnusable(
                f"The state {path} of the embedded AWS is damaged, and no copy of it is whole.",
                f"Put back a copy of it. Or begin anew: remove {folder.parent} and the folders of the "
                "environments that live there.",
            )
        damaged = path.with_suffix(".damaged")
        if path.exists():
            path.replace(damaged)
            why = f"was damaged and is kept as {damaged.name}"
        else:
            why = "was missing"
        replace_file(path, copy.read_bytes())
        said.append(f"The state {path} {why}. Its copy is used: it is as old, or a second older.")
    return tuple(said)


CHECKSUM = "payinfra_crc32"
LONGEST_HEAD = 100
"""Bytes of a file of the state in which its checksum is, if it has one."""
_SEALED = re.compile(rb'\{"__ministack_format__": [^,{}]+, "payinfra_crc32": "([0-9a-f]{8})", "payload": ')


def of_emulator(emulator: Emulator, folder: Path) -> Snapshots:
    """The snapshots of ministack's services, in the format that ministack itself reads at its start.

    Without what grows with every request: the items of tables have a file of their own (see `items`), and
    log lines and metrics are written at an orderly end only.
    """
    persistence = emulator.core("persistence")
    lean = {
        "dynamodb": lambda: tables_without_items(emulator.service("dynamodb")),
        "cloudwatch_logs": lambda: logs_without_events(emulator.service("cloudwatch_logs")),
        "cloudwatch": lambda: _of(emulator.service("cloudwatch"), *_WATCH),
    }

    def encode(name: str, state: object) -> str:
        payload = json.dumps(state, default=persistence._json_default)
        return sealed(persistence._state_format_version(name), payload)

    def services() -> Mapping[str, State]:
        found: Mapping[str, State] = emulator.main._build_persistence_save_dict()
        return {**found, **lean}

    return Snapshots(folder, services, encode)


def at_an_orderly_end(emulator: Emulator) -> Mapping[str, State]:
    """The state of those services whose snapshots leave something out, with all that they hold."""
    return {name: emulator.service(name).get_state for name in ("cloudwatch_logs", "cloudwatch")}


_WATCH = ("alarms", "composite_alarms", "composite_triggers", "dashboards", "resource_tags")
_LOGS = ("destinations", "resource_policies", "log_group_policies", "metric_filters")
_TABLES = (
    *("tags", "ttl_settings", "pitr_settings", "kinesis_destinations", "contributor_insights", "backups"),
    *("resource_policies", "exports", "imports"),
)


def _of(service: Any, *names: str) -> dict[str, object]:
    return {name: getattr(service, f"_{name}") for name in names}


def _each(store: Any, edit: Callable[[dict[str, Any]], dict[str, Any]]) -> object:
    """A store of ministack's with each of its entries edited."""
    edited = type(store)()
    for (account, region, name), entry in store.all_items():
        edited.set_scoped(account, region, name, edit(entry))
    return edited


def tables_without_items(dynamodb: Any) -> dict[str, object]:
    """The tables with all but their items."""
    left_out = {"items", dynamodb._INDEX_MEMBERS}

    def bare(table: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in table.items() if key not in left_out} | {"items": {}}

    return {**_of(dynamodb, *_TABLES), "tables": _each(dynamodb._tables, bare)}


def logs_without_events(logs: Any) -> dict[str, object]:
    """The log groups without their streams."""
    return {
        **_of(logs, *_LOGS),
        "log_groups": _each(logs._log_groups, lambda group: {**group, "streams": {}}),
    }


def writes_to_json(replicator: Replicator) -> dict[str, object]:
    """The writes that are on their way, so that a restart of the server loses none."""
    return {
        "pending": [
            [*_key(w.key), w.version.at_ns, w.version.region, w.target, w.item, w.due]
            for w in replicator.pending()
        ],
        "versions": [
            [*_key(key), region, version.at_ns, version.region]
            for key, region, version in replicator.versions()
        ],
    }


def restore_writes(replicator: Replicator, value: object) -> None:
    """Read what `writes_to_json` wrote; nothing if it is something else."""
    match value:
        case {"pending": list(pending), "versions": list(versions)}:
            replicator.restore(
                [
                    Write(ItemKey(account, table, pk, sk), ItemVersion(at, origin), target, item, due)
                    for account, table, pk, sk, at, origin, target, item, due in pending
                ],
                [
                    (ItemKey(account, table, pk, sk), region, ItemVersion(at, origin))
                    for account, table, pk, sk, region, at, origin in versions
                ],
            )


def _key(key: ItemKey) -> tuple[str, str, str, str]:
    return key.account, key.table, key.partition, key.sort
