"""Findings that somebody answers for: `payinfra-waivers.toml`.

    [[waiver]]
    id = "PI-LOG-001"
    address = "aws_cloudwatch_log_group.*"
    reason = "Kept for 30 days, audit copies go to the bucket."
    owner = "payments team"
    expires = 2026-12-31

`address` is a glob over the finding's address (a file for a source check; empty for a whole manifest, which
only `*` fits). A waiver holds through the day it names. One that lacks a field, has a bad or past date or
an unknown id holds nothing: the finding stays, and says why. ERROR cannot be waived: nothing was judged.
"""

import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from fnmatch import fnmatchcase
from pathlib import Path

from payinfra.checks.outcome import Finding, Waived
from payinfra.checks.verdicts import Kind
from payinfra.core.errors import EnvironmentUnusable, did_you_mean

FILE_NAME = "payinfra-waivers.toml"
_FIELDS = ("id", "address", "reason", "owner", "expires")
_WAIVABLE = frozenset({Kind.FAIL, Kind.WARN, Kind.UNKNOWN})


@dataclass(frozen=True)
class Waiver:
    """One entry of the file.

    Attributes:
        number: its place in the file, from 1.
        broken: why it holds nothing; empty where it holds.
    """

    number: int
    id: str
    address: str
    reason: str
    owner: str
    expires: str
    broken: str = ""

    @property
    def label(self) -> str:
        """How a message names it."""
        return f"waiver {self.number} ({self.id or 'no id'}, {self.address or 'no address'})"

    def fits(self, finding: Finding) -> bool:
        """Whether it covers the finding; an entry without address covers every one of its id."""
        return self.id == finding.id and (not self.address or fnmatchcase(finding.address, self.address))


@dataclass(frozen=True)
class Applied:
    """Findings after the waivers: those that stay, those that are waived, and what to tell a person."""

    findings: tuple[Finding, ...]
    waived: tuple[Waived, ...]
    notes: tuple[str, ...]


def load(path: Path, known: Collection[str], today: date) -> tuple[Waiver, ...]:
    """Read the file.

    Args:
        path: the file.
        known: every id that there is.
        today: the date by which a waiver has run out or not.

    Raises:
        EnvironmentUnusable: it cannot be read or is no TOML.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) and problem.strerror else "no UTF-8 text"
        raise EnvironmentUnusable(f"The waivers file {path} cannot be read: {reason}.") from None
    return parse(text, str(path), known, today)


def parse(text: str, file: str, known: Collection[str], today: date) -> tuple[Waiver, ...]:
    """Read the file's text. Raises as `load` does."""
    try:
        document: dict[str, object] = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        raise EnvironmentUnusable(f"The waivers file {file} is no TOML: {problem}.") from None
    unknown = sorted(document.keys() - {"waiver"})
    entries = document.get("waiver", [])
    if unknown or not isinstance(entries, list):
        what = f"has {unknown[0]!r}" if unknown else "has a waiver that is no [[waiver]]"
        raise EnvironmentUnusable(f"The waivers file {file} {what}.", "Write each one as a [[waiver]] table.")
    return tuple(_waiver(number, entry, known, today) for number, entry in enumerate(entries, start=1))


def apply(
    findings: Iterable[Finding], waivers: tuple[Waiver, ...], ran: Collection[str] | None = None
) -> Applied:
    """Take out the findings that a waiver holds, and note on the others why theirs does not.

    Args:
        findings: all findings.
        waivers: all entries of the file.
        ran: the ids that ran; a waiver of another id is not called unused. None for all.
    """
    stay: list[Finding] = []
    waived: list[Waived] = []
    used: set[int] = set()
    for finding in findings:
        fitting = [one for one in waivers if one.fits(finding)]
        holding = [one for one in fitting if not one.broken and finding.verdict in _WAIVABLE]
        used.update(one.number for one in fitting)
        if holding:
            first = holding[0]
            waived.append(Waived(finding, first.reason, first.owner, first.expires))
        elif fitting:
            why = fitting[0].broken or f"{finding.verdict} cannot be waived"
            stay.append(replace(finding, note=f"{fitting[0].label} does not hold: {why}"))
        else:
            stay.append(finding)
    notes = [f"{one.label} does not hold: {one.broken}" for one in waivers if one.broken]
    notes += [
        f"{one.label} is not used: no finding fits it"
        for one in waivers
        if not one.broken and one.number not in used and (ran is None or one.id in ran)
    ]
    return Applied(tuple(stay), tuple(waived), tuple(notes))


def _waiver(number: int, entry: object, known: Collection[str], today: date) -> Waiver:
    if not isinstance(entry, Mapping):
        return Waiver(number, "", "", "", "", "", "it is no table")
    texts = {field: _text(entry.get(field)) for field in _FIELDS}
    found = Waiver(number, texts["id"], texts["address"], texts["reason"], texts["owner"], texts["expires"])
    return replace(found, broken=_broken(texts, sorted(map(str, entry.keys() - set(_FIELDS))), known, today))


def _broken(texts: Mapping[str, str], unknown: list[str], known: Collection[str], today: date) -> str:
    missing = [field for field in _FIELDS if not texts[field]]
    if missing:
        return f"it has no {' and no '.join(missing)}"
    if unknown:
        return f"it has the unknown field {unknown[0]!r}"
    if texts["id"] not in known:
        return f"there is no check {texts['id']}{did_you_mean(texts['id'], known)}"
    try:
        expires = date.fromisoformat(texts["expires"])
    except ValueError:
        return f"{texts['expires']!r} is not a date such as 2026-12-31"
    return f"it ran out on {expires.isoformat()}" if expires < today else ""


def _text(value: object) -> str:
    """A field as text; a TOML date as ISO 8601; anything else counts as missing."""
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return value.strip() if isinstance(value, str) else ""
