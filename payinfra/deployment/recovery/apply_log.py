"""Remembers, beside the environment, when it was first applied and whether an apply was ever cut off."""

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.private_files import write_private


@dataclass(frozen=True)
class ApplyLogEntry:
    """What the journal says.

    Attributes:
        first: when the environment's first apply began, as ISO 8601 with a zone.
        open: an apply began, and none has ended well since.
        cut_off: that was so before another apply began, or an apply failed; stands until all is destroyed.
        ended: an apply has ended well; stands until all is destroyed.
    """

    first: str
    open: bool = False
    cut_off: bool = False
    ended: bool = False


@dataclass(frozen=True)
class ApplyLog:
    """The journal in one file, which need not be there."""

    file: Path

    def begin(self, now: datetime) -> None:
        """Note that an apply begins."""
        before = self._read() or ApplyLogEntry(now.isoformat())
        self._write(replace(before, open=True, cut_off=before.cut_off or before.open))

    def end(self) -> None:
        """Note that it has ended well."""
        if before := self._read():
            self._write(replace(before, open=False, ended=True))

    def forget(self) -> None:
        """Forget everything: the environment is gone."""
        self.file.unlink(missing_ok=True)

    @property
    def is_open(self) -> bool:
        """Whether the last apply did not end well, or is under way."""
        entry = self._read()
        return entry is not None and entry.open

    @property
    def was_cut_off(self) -> bool:
        """Whether any apply since the environment was last destroyed did not end well."""
        entry = self._read()
        return entry is not None and (entry.open or entry.cut_off)

    @property
    def never_ended(self) -> bool:
        """Whether applies began, and none has ended well since the environment was last destroyed."""
        entry = self._read()
        return entry is not None and not entry.ended

    @property
    def first(self) -> datetime | None:
        """When the environment's first apply began; None where that is not known."""
        entry = self._read()
        return datetime.fromisoformat(entry.first).astimezone(UTC) if entry else None

    def _read(self) -> ApplyLogEntry | None:
        """What the file says; None where there is none.

        It is written whole, so one that says something else was damaged by somebody else.

        Raises:
            EnvironmentUnusable: it is damaged or cannot be read.
        """
        from pydantic import TypeAdapter, ValidationError

        try:
            entry = TypeAdapter(ApplyLogEntry).validate_json(self.file.read_bytes(), strict=True)
            datetime.fromisoformat(entry.first)
        except FileNotFoundError:
            return None
        except OSError as error:
            why = error.strerror or str(error)
        except (ValidationError, ValueError):
            why = "it is not as payinfra writes it"
        else:
            return entry
        raise EnvironmentUnusable(
            f"{self.file}, which tells what earlier deployments have left unfinished, is damaged: {why}.",
            "Move it away, then run the same command again: where something is left that the state does not "
            "know, the command says so, and `payinfra adopt` takes it in.",
        )

    def _write(self, entry: ApplyLogEntry) -> None:
        write_private(self.file, json.dumps(asdict(entry)))
