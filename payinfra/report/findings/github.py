"""GitHub's workflow commands: an annotation for each finding that fails the gate.

What does not fail it is in the other formats: GitHub shows ten annotations a step, and a notice that comes
with every pull request is read by nobody.

Source: GitHub Actions, "Workflow commands for GitHub Actions", and the escaping of its toolkit's
`packages/core/src/command.ts` (`%`, CR and LF in a message; `:` and `,` as well in a property).
"""

from payinfra.checks.outcome import Finding, Outcome
from payinfra.checks.verdicts import Severity
from payinfra.report.findings.places import in_repository
from payinfra.report.printable import visible


def render(outcome: Outcome, fail_on: Severity) -> str:
    """One line a finding; nothing where nothing fails."""
    return "".join(f"{_annotation(finding)}\n" for finding in outcome.failing(fail_on))


def _annotation(finding: Finding) -> str:
    properties = []
    file, line = finding.place
    if file:
        properties.append(f"file={_property(in_repository(file))}")
        if line:
            properties.append(f"line={line}")
    properties.append(f"title={_property(f'{finding.id} {finding.title}')}")
    where = f"{finding.address}: " if finding.address else ""
    parts = [f"{where}{finding.message}", f"Fix: {finding.fix}", finding.note]
    told = ". ".join(part.rstrip(".") for part in parts if part)
    return f"::error {','.join(properties)}::{_message(f'{finding.verdict} {finding.severity}: {told}')}"


def _message(text: str) -> str:
    return visible(text).replace("%", "%25")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
