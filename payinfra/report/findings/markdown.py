"""Markdown, for a pull request's comment or a job's summary."""

import re

from payinfra.checks.outcome import Finding, Outcome
from payinfra.checks.verdicts import Severity
from payinfra.report.findings.counts import counted
from payinfra.report.findings.places import in_repository
from payinfra.report.printable import visible

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~])")


def render(outcome: Outcome, fail_on: Severity) -> str:
    """A heading with the verdict, a table of the findings, worst first, and the counts."""
    failing = outcome.failing(fail_on)
    lines = [f"## payinfra {plain(outcome.tool)}: {'failed' if failing else 'passed'}", ""]
    if outcome.findings:
        lines += [
            "| verdict | severity | check | where | what | fix |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        lines += [_row(finding) for finding in outcome.findings]
    else:
        lines.append("No findings.")
    if outcome.waived:
        lines += ["", "Waived:", ""]
        lines += [
            f"- {plain(f'{one.finding.id} {one.finding.address}')}: {plain(one.reason)}"
            f" ({plain(one.owner)}, until {plain(one.expires)})"
            for one in outcome.waived
        ]
    lines += ["", *(f"{plain(line)}  " for line in counted(outcome))]
    return "\n".join(lines) + "\n"


def plain(text: str) -> str:
    """A text in which Markdown and HTML see nothing but text, on one line."""
    shown = visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # The sign of a mention, written so that nobody is called by a resource's name.
    return _SPECIAL.sub(r"\\\1", shown).replace("@", "&#64;")


def _row(finding: Finding) -> str:
    where = finding.address or finding.file
    file, line = finding.place
    if line:
        place = f"{in_repository(file)}:{line}"
        where = place if finding.line else f"{where} ({place})"
    what = f"{finding.message} ({finding.note})" if finding.note else finding.message
    cells = (
        finding.verdict.value,
        finding.severity.value,
        f"{finding.id} {finding.title}",
        where,
        what,
        finding.fix,
    )
    return f"| {' | '.join(plain(cell) for cell in cells)} |"
