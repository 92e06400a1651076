"""What drills came to, kept as files: one folder a drill, and what their recovery times come to over time.

Within a version fields may be added to the document; none is renamed, removed or given another meaning. Its
schema is committed: `payinfra/report/schemas/drill-2.json`. Reports of version 1 can still be read.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from pydantic import TypeAdapter, ValidationError

from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.private_files import write_private
from payinfra.drill.model import REPORT_VERSION, DrillReport

FILE = "report.json"
SCHEMA = f"payinfra/drill-{REPORT_VERSION}"
SCHEMA_BEFORE = "payinfra/drill-1"
_RENAMED_SINCE_1 = {"reckoning": "reconciliation"}


class UnreadableReport(EnvironmentUnusable):
    """A file is not the report of a drill, or of another version."""


@dataclass(frozen=True)
class SkippedReport:
    """A drill whose report cannot be read, and why: a phrase without a full stop."""

    id: str
    reason: str


@dataclass(frozen=True)
class Past:
    """The drills of an environment.

    Attributes:
        drills: oldest first.
        skipped: those that were drilled but cannot be read.
    """

    drills: tuple[DrillReport, ...]
    skipped: tuple[SkippedReport, ...] = ()


@dataclass(frozen=True)
class Trend:
    """Recovery times of drills that can be compared: of the same fault, at the same scale of time.

    Attributes:
        kind: what they have in common, in words.
        measured_s: oldest first; drills without a recovery time are left out. Never empty.
        predicted_s: what was predicted for the latest one.
    """

    kind: str
    measured_s: tuple[float, ...]
    predicted_s: float

    @property
    def latest_s(self) -> float:
        """The latest recovery time."""
        return self.measured_s[-1]

    @property
    def usual_s(self) -> float | None:
        """The median of those before the latest; None where it is the first."""
        earlier = self.measured_s[:-1]
        return median(earlier) if earlier else None


# -- JSON --------------------------------------------------------------------------------------------------


def to_json(report: DrillReport) -> str:
    """The report as one JSON document, in ASCII: whatever is not, control characters too, is escaped."""
    fields = TypeAdapter(DrillReport).dump_python(report, mode="json")
    return json.dumps({"schema": SCHEMA, "passed": report.passed, **fields}, indent=2) + "\n"


def from_json(text: str) -> DrillReport:
    """The report that a document holds. What a later payinfra added to it is passed over.

    Raises:
        UnreadableReport: it is no report, or one of another version.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise UnreadableReport(f"it is not JSON: {error}") from None
    said = document.get("schema") if isinstance(document, dict) else None
    if said == SCHEMA_BEFORE:
        document = {_RENAMED_SINCE_1.get(name, name): value for name, value in document.items()}
        document["version"] = REPORT_VERSION
    elif said != SCHEMA:
        raise UnreadableReport(
            f"its schema is {said!r}, and this version reads {SCHEMA!r}",
            "Read it with the version of payinfra that wrote it.",
        )
    try:
        return TypeAdapter(DrillReport).validate_json(json.dumps(document), strict=True)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(map(str, fault["loc"]))
        raise UnreadableReport(f"{where}: {fault['msg']}", "Mend the file, or move it away.") from None


def schema() -> dict[str, object]:
    """The JSON schema of what `to_json` writes, in which every field is required."""
    adapter = TypeAdapter(DrillReport)
    found: dict[str, Any] = adapter.json_schema(mode="serialization")
    values: dict[str, Any] = found["$defs"]
    for value in (found, *values.values()):
        if "properties" in value:
            value["required"] = list(value["properties"])
            for one in value["properties"].values():
                one.pop("default", None)
                one.pop("title", None)
        if value is not found:
            value.pop("title", None)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:payinfra:drill:{REPORT_VERSION}",
        "title": f"What a drill of payinfra failover-drill came to, version {REPORT_VERSION}",
        "description": (
            "Fields may be added within this version; none is renamed, removed or given another meaning. "
            "Times within the drill are seconds of real time since it began; latencies are seconds."
        ),
        "type": "object",
        "required": ["schema", "passed", *found["required"]],
        "properties": {
            "schema": {"const": SCHEMA},
            "passed": {"type": "boolean", "description": "Whether both verdicts are PASS."},
            **found["properties"],
            "version": {"const": REPORT_VERSION},
        },
        "$defs": values,
    }


# -- files -------------------------------------------------------------------------------------------------


def save(report: DrillReport, folder: Path) -> Path:
    """Write the report as JSON into a drill's folder, readable by its owner only.

    Raises:
        UsageProblem: the folder cannot be made or written.
    """
    file = folder / FILE
    write_private(file, to_json(report))
    return file


def past(drills: Path) -> Past:
    """The drills that left a folder in `drills`; none where that is not there."""
    read: list[DrillReport] = []
    skipped: list[SkippedReport] = []
    for folder in _folders(drills):
        found = _read(folder)
        if isinstance(found, SkippedReport):
            skipped.append(found)
        else:
            read.append(found)
    return Past(tuple(sorted(read, key=lambda report: report.began)), tuple(skipped))


def latest(drills: Path) -> DrillReport | None:
    """The latest drill whose report can be read, without reading those before it."""
    found = (_read(folder) for folder in reversed(_folders(drills)))
    return next((one for one in found if isinstance(one, DrillReport)), None)


def _folders(drills: Path) -> list[Path]:
    """A drill's id begins with its time: the order of names is that of time."""
    if not drills.is_dir():
        return []
    return sorted(folder for folder in drills.iterdir() if folder.is_dir())


def _read(folder: Path) -> DrillReport | SkippedReport:
    try:
        return from_json((folder / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return SkippedReport(
            folder.name, "it has no report: it is under way, or was killed before it wrote one"
        )
    except (OSError, UnicodeDecodeError) as error:
        return SkippedReport(folder.name, f"{FILE} cannot be read: {error}")
    except UnreadableReport as error:
        return SkippedReport(folder.name, f"{FILE}: {error}")


# -- over time ---------------------------------------------------------------------------------------------


def kind_of(report: DrillReport) -> str:
    """What was drilled, in words: drills of one kind can be compared."""
    words = [" + ".join(report.scenarios)]
    if report.reverse:
        words.append("reversed")
    if report.time_scale != 1:
        words.append(f"time x {report.time_scale:g}")
    return ", ".join(words)


def trends(reports: Iterable[DrillReport]) -> tuple[Trend, ...]:
    """The recovery times of each kind of drill, for reports in the order of time."""
    return tuple(_trends(tuple(reports)))


def _trends(reports: tuple[DrillReport, ...]) -> Iterator[Trend]:
    for kind in dict.fromkeys(kind_of(report) for report in reports):
        recoveries = [report.recovery for report in reports if kind_of(report) == kind]
        measured = [each.measured_s for each in recoveries if each.measured_s is not None]
        if measured:
            yield Trend(kind, tuple(measured), recoveries[-1].predicted_s)
