"""SARIF 2.1.0, as GitHub code scanning and editors read it.

Source: OASIS "Static Analysis Results Interchange Format (SARIF) Version 2.1.0", sections 3.27 (result),
3.28 (location), 3.33 (logicalLocation), 3.35 (suppression), 3.49 (reportingDescriptor); `security-severity`
is GitHub's own property, a number from 0 to 10 as text.
"""

import hashlib
import json
from collections.abc import Iterable
from importlib.metadata import metadata
from pathlib import PurePath
from urllib.parse import quote

from payinfra.checks.outcome import GATING, Finding, Outcome, Waived
from payinfra.checks.verdicts import Kind, Rule, Severity
from payinfra.core.version import __version__
from payinfra.report.findings.document import Json
from payinfra.report.findings.places import in_repository
from payinfra.report.printable import no_command, visible

SCHEMA_URI = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
}
_SCORES = {Severity.CRITICAL: "9.5", Severity.HIGH: "8.0", Severity.MEDIUM: "5.0", Severity.LOW: "2.0"}


def render(outcome: Outcome, fail_on: Severity) -> str:
    """The outcome as one SARIF log. Waived findings are in it as suppressed results."""
    rules = _rules(outcome)
    order = {id: number for number, id in enumerate(rules)}
    fingerprints = _Fingerprints(several_files=len(outcome.files) > 1)
    results: list[Json] = [
        *(_result(one, order, fingerprints) for one in outcome.findings),
        *(
            _result(one.finding, order, fingerprints) | {"suppressions": [_suppression(one)]}
            for one in outcome.waived
        ),
    ]
    log: Json = {
        "$schema": SCHEMA_URI,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "payinfra",
                        "version": __version__,
                        "semanticVersion": __version__,
                        **_information(metadata("payinfra").get_all("Project-URL") or ()),
                        "rules": list(rules.values()),
                    }
                },
                "automationDetails": {"id": f"payinfra/{outcome.tool}/"},
                "columnKind": "unicodeCodePoints",
                "invocations": [
                    {
                        "executionSuccessful": True,
                        "exitCode": int(outcome.exit_code(fail_on)),
                        "toolExecutionNotifications": [
                            {"level": "note", "message": {"text": visible(note)}} for note in outcome.notes
                        ],
                    }
                ],
                "results": results,
            }
        ],
    }
    return no_command(json.dumps(log, indent=2)) + "\n"


def _rules(outcome: Outcome) -> dict[str, Json]:
    """Every rule that ran, and after them those of another tool that findings name, by id."""
    rules = {rule.id: _descriptor(rule) for rule in (result.rule for result in outcome.rules)}
    for one in (*outcome.findings, *(one.finding for one in outcome.waived)):
        if one.id not in rules:
            rules[one.id] = _descriptor(one)
    return rules


def _descriptor(of: Rule | Finding) -> Json:
    tags: list[Json] = ["security", *map(visible, of.controls)]
    return {
        "id": visible(of.id),
        "name": visible(of.id),
        "shortDescription": {"text": visible(of.title)},
        "fullDescription": {"text": visible(of.risk)},
        "help": {"text": visible(of.fix)},
        "defaultConfiguration": {"level": _LEVELS[of.severity]},
        "properties": {"security-severity": _SCORES[of.severity], "tags": tags},
    }


def level_of(finding: Finding) -> str:
    """`error`, `warning` or `note`. What was not judged is an error: an analysis that saw nothing is no pass.

    SARIF's kind `open` would say it more exactly, but demands the level `none`, which readers hide.
    """
    if finding.verdict in GATING:
        return "error"
    return "note" if finding.verdict is Kind.WARN else _LEVELS[finding.severity]


def _result(finding: Finding, order: dict[str, int], fingerprints: "_Fingerprints") -> dict[str, Json]:
    text = ". ".join(visible(part).rstrip(".") for part in (finding.message, finding.note) if part)
    return {
        "ruleId": visible(finding.id),
        "ruleIndex": order[finding.id],
        "kind": "fail",
        "level": level_of(finding),
        "message": {"text": f"{text or visible(finding.title)}. Fix: {visible(finding.fix)}"},
        "locations": _locations(finding),
        "partialFingerprints": _partial(fingerprints.of(finding)),
        "properties": {"verdict": finding.verdict.value, "severity": finding.severity.value},
    }


def _partial(fingerprint: str) -> Json:
    # GitHub tells alerts apart by `primaryLocationLineHash`. Left to itself it takes the text of the line,
    # which is the same for all findings of a synthesized file, and another when a line above it changes.
    return {"primaryLocationLineHash": f"{fingerprint}:1", "payinfra/v1": fingerprint}


def _information(project_urls: Iterable[str]) -> dict[str, Json]:
    """Where a person can read about the tool, by what its package says; nothing where it says nothing.

    SARIF wants an absolute URI there, or none: a name that nobody can open helps no reader.
    """
    addresses = (url.rpartition(", ")[2] for url in project_urls)
    found = next((one for one in addresses if one.startswith(("https://", "http://"))), "")
    return {"informationUri": found} if found else {}


def _locations(finding: Finding) -> list[Json]:
    location: dict[str, Json] = {}
    file, line = finding.place
    if file:
        location["physicalLocation"] = {
            "artifactLocation": {"uri": _uri(in_repository(file))},
            # The file's first line where no line is known: code scanning drops results without one.
            "region": {"startLine": max(line, 1)},
        }
    names: list[Json] = []
    if finding.address:
        names.append({"fullyQualifiedName": visible(finding.address), "kind": "resource"})
    if finding.construct:
        names.append({"fullyQualifiedName": visible(finding.construct), "kind": "module"})
    if names:
        location["logicalLocations"] = names
    return [location] if location else []


def _uri(file: str) -> str:
    path = PurePath(file)
    if path.is_absolute():
        return "file://" + quote(path.as_posix(), errors="replace")
    return quote(path.as_posix(), errors="replace")


def _suppression(waived: Waived) -> Json:
    return {
        "kind": "external",
        "status": "accepted",
        "justification": visible(f"{waived.reason} ({waived.owner}, until {waived.expires})"),
    }


class _Fingerprints:
    """The same for the same finding in every run: neither message, nor line, nor order of others is in it."""

    def __init__(self, *, several_files: bool) -> None:
        self._several_files = several_files
        self._seen: dict[tuple[str, ...], int] = {}

    def of(self, finding: Finding) -> str:
        # The file of a synthesized stack has the environment's name in its path: a finding is the same in the
        # environment of each pull request.
        file = in_repository(finding.file) if self._several_files or not finding.address else ""
        key = (finding.id, file, finding.address)
        number = self._seen.get(key, 0)
        self._seen[key] = number + 1
        text = json.dumps([*key, number])
        return hashlib.sha256(text.encode()).hexdigest()[:32]
