"""GitHub's workflow commands: an annotation for each finding.

Source: GitHub Actions, "Workflow commands for GitHub Actions", and the escaping of its toolkit's
`packages/core/src/command.ts` (`%`, CR and LF in a message; `:` and `,` as well in a property).
"""

from payinfra.checks.outcome import Finding, Outcome
from payinfra.checks.verdicts import Kind, Severity
from payinfra.report.printable import visible


def render(outcome: Outcome, fail_on: Severity) -> str:
    """One line a finding, then one for each note; nothing where there is neither."""
    lines = [_annotation(finding, fail_on) for finding in outcome.findings]
    lines += [f"::notice title=payinfra {outcome.tool}::{_message(note)}" for note in outcome.notes]
    return "".join(f"{line}\n" for line in lines)


def _annotation(finding: Finding, fail_on: Severity) -> str:
    properties = []
    if finding.file:
        properties.append(f"file={_property(finding.file)}")
        if finding.line:
            properties.append(f"line={finding.line}")
    properties.append(f"title={_property(f'{finding.id} {finding.title}')}")
    where = f"{finding.address}: " if finding.address else ""
    parts = [f"{where}{finding.message}", f"Fix: {finding.fix}", finding.note]
    told = ". ".join(part.rstrip(".") for part in parts if part)
    command = _command(finding, fail_on)
    return f"::{command} {','.join(properties)}::{_message(f'{finding.verdict} {finding.severity}: {told}')}"


def _command(finding: Finding, fail_on: Severity) -> str:
    if finding.fails(fail_on):
        return "error"
    return "notice" if finding.verdict is Kind.WARN else "warning"


def _message(text: str) -> str:
    return visible(text).replace("%", "%25")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
