"""JUnit XML: a test suite for the run, a test case for each rule that passed and for each finding.

There is no standard; this keeps to what Jenkins, GitLab and GitHub's actions all read: `failure` for FAIL,
`error` for UNKNOWN and ERROR, `skipped` for what did not run, was waived, or lies below the threshold.
"""

from xml.etree.ElementTree import Element, SubElement

from payinfra.checks.outcome import Finding, Outcome
from payinfra.checks.verdicts import Kind, Severity
from payinfra.report import junit
from payinfra.report.findings.places import in_repository
from payinfra.report.printable import visible

_PASSING = frozenset({Kind.PASS, Kind.NOT_APPLICABLE})


def render(outcome: Outcome, fail_on: Severity) -> str:
    """The outcome as one XML document."""
    suite = junit.suite(f"payinfra {outcome.tool}")
    for result in outcome.rules:
        if result.verdict in _PASSING:
            case = _case(suite, result.rule.id, result.rule.title)
            if result.verdict is Kind.NOT_APPLICABLE:
                SubElement(case, "skipped", message="not applicable")
    for finding in outcome.findings:
        _finding(suite, finding, fail_on)
    for waived in outcome.waived:
        case = _case(suite, waived.finding.id, _name(waived.finding))
        why = f"waived by {waived.owner} until {waived.expires}: {waived.reason}"
        SubElement(case, "skipped", message=visible(why))
    for skipped in outcome.summary.skipped:
        SubElement(_case(suite, skipped.id, skipped.id), "skipped", message=visible(skipped.reason))
    for id in outcome.summary.ignored:
        SubElement(_case(suite, id, id), "skipped", message="ignored on request")
    if outcome.notes:
        SubElement(suite, "system-out").text = "\n".join(visible(note) for note in outcome.notes)
    return junit.document(suite)


def _finding(suite: Element, finding: Finding, fail_on: Severity) -> None:
    file, line = finding.place
    case = _case(suite, finding.id, _name(finding), file, line)
    message = visible(finding.message)
    match finding.verdict:
        case Kind.UNKNOWN | Kind.ERROR:
            told = SubElement(case, "error", message=message, type=finding.verdict.value)
        case Kind.FAIL if finding.fails(fail_on):
            told = SubElement(case, "failure", message=message, type=finding.severity.value)
        case _:
            told = SubElement(case, "skipped", message=f"{finding.verdict} {finding.severity}: {message}")
    lines = [f"fix: {finding.fix}", f"risk: {finding.risk}", finding.note]
    told.text = "\n".join(visible(line) for line in lines if line)


def _name(finding: Finding) -> str:
    return f"{finding.title} ({finding.address})" if finding.address else finding.title


def _case(suite: Element, id: str, name: str, file: str = "", line: int = 0) -> Element:
    case = junit.case(suite, id, name)
    if file:
        case.set("file", visible(in_repository(file)))
        if line:
            case.set("line", str(line))
    return case
