"""What a rolling update must put back if it does not end: the version that an alias called before its step.

It is on the disk before the step changes anything, and is removed when the new version has proven that it
serves, or the alias calls the version before again. So where there is one at the beginning of a run, an
earlier run was cut off, by `kill -9` or a loss of power: everything else rolls back by itself.
"""

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.private_files import write_private


@dataclass(frozen=True)
class AliasChange:
    """One step of a rolling update.

    Attributes:
        region: where the function is.
        function: its name.
        alias: the alias that the region's API calls.
        before: the version that the alias called before the step.
        began: when, as ISO 8601 in UTC.
        deployed: the version that the step gave to the alias; empty until Terraform has told.
    """

    region: str
    function: str
    alias: str
    before: str
    began: str
    deployed: str = ""

    def __str__(self) -> str:
        return f"Alias {self.alias} of {self.function} in {self.region}"


@dataclass(frozen=True)
class RollbackJournal:
    """The step under way, in one file, which is there only as long as it is."""

    file: Path

    def begin(self, change: AliasChange) -> None:
        """Note a step before it begins.

        Raises:
            UsageProblem: the file cannot be written; the step must not begin.
        """
        write_private(self.file, json.dumps(asdict(change)), durable=True)

    def deployed(self, change: AliasChange, version: str) -> AliasChange:
        """Note the version that the alias calls now; the step, with it.

        Raises:
            UsageProblem: the file cannot be written.
        """
        known = replace(change, deployed=version)
        self.begin(known)
        return known

    def end(self) -> None:
        """Note that nothing is to be put back."""
        self.file.unlink(missing_ok=True)

    def read(self) -> AliasChange | None:
        """The step of an earlier run that did not end; None where there is none.

        Raises:
            EnvironmentUnusable: the file is there and cannot be understood.
        """
        from pydantic import TypeAdapter, ValidationError

        try:
            text = self.file.read_bytes()
            return TypeAdapter(AliasChange).validate_json(text, strict=True)
        except FileNotFoundError:
            return None
        except (OSError, ValidationError):
            raise EnvironmentUnusable(
                f"{self.file} cannot be read. It names the version to roll back to after an update that was "
                "cut off.",
                "Look which version each region's alias calls (`aws lambda get-alias`), correct it if need "
                "be, then remove the file.",
            ) from None


def now() -> str:
    """The time, as a step notes it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
