"""The JSON that scripts rely on. Its schema is committed: `payinfra/report/schemas/findings-1.json`.

Within version 1 fields may be added, none is renamed, removed or given another meaning.
"""

import json

from payinfra.checks.outcome import Finding, Outcome, RuleResult, Waived
from payinfra.checks.verdicts import Kind, Severity
from payinfra.report.printable import no_command

SCHEMA = "payinfra/findings-1"
Json = str | int | bool | list["Json"] | dict[str, "Json"]


def render(outcome: Outcome, fail_on: Severity) -> str:
    """The outcome as one JSON document, in ASCII: whatever is not, control characters too, is escaped."""
    return no_command(json.dumps(as_json(outcome, fail_on), indent=2)) + "\n"


def as_json(outcome: Outcome, fail_on: Severity) -> dict[str, Json]:
    """The outcome as the document's content."""
    return {
        "schema": SCHEMA,
        "version": 1,
        "tool": outcome.tool,
        "fail_on": fail_on.value,
        "failed": bool(outcome.failing(fail_on)),
        "files": list(outcome.files),
        "findings": [finding_as_json(one) for one in outcome.findings],
        "waived": [_waived(one) for one in outcome.waived],
        "rules": [_rule(one) for one in outcome.rules],
        "summary": _summary(outcome),
        "notes": list(outcome.notes),
    }


def finding_as_json(finding: Finding) -> dict[str, Json]:
    """One finding."""
    return {
        "id": finding.id,
        "verdict": finding.verdict.value,
        "severity": finding.severity.value,
        "title": finding.title,
        "address": finding.address,
        "message": finding.message,
        "fix": finding.fix,
        "risk": finding.risk,
        "controls": list(finding.controls),
        "construct": finding.construct,
        "file": finding.file,
        "line": finding.line,
        "note": finding.note,
        "source": {"file": finding.source_file, "line": finding.source_line},
        "cause": list(finding.cause),
        "stopped": [{"id": one.id, "address": one.address} for one in finding.stopped],
    }


def _waived(waived: Waived) -> dict[str, Json]:
    return {
        "finding": finding_as_json(waived.finding),
        "reason": waived.reason,
        "owner": waived.owner,
        "expires": waived.expires,
    }


def _rule(result: RuleResult) -> dict[str, Json]:
    return {
        "id": result.rule.id,
        "title": result.rule.title,
        "severity": result.rule.severity.value,
        "verdict": result.verdict.value,
        "counts": {kind.value: result.counts.get(kind, 0) for kind in Kind},
        "message": result.message,
    }


def _summary(outcome: Outcome) -> dict[str, Json]:
    summary = outcome.summary
    return {
        **{kind.value: summary.counts.get(kind, 0) for kind in Kind},
        "checks": summary.checks,
        "evaluated": summary.evaluated,
        "waived": summary.waived,
        "resources": summary.resources,
        "ignored": list(summary.ignored),
        "skipped": [{"id": one.id, "reason": one.reason} for one in summary.skipped],
    }
