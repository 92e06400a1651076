"""Findings for a terminal: failures first, then warnings, then the counts, then what could not be judged.

A finding is one line, with its address whole. Where that is too long for a terminal it is folded between
words, and never cut into pieces that nobody can copy or search for.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from rich.console import Group, RenderableType
from rich.text import Text

from payinfra.checks.outcome import GATING, Finding, Outcome
from payinfra.checks.verdicts import Kind, Severity
from payinfra.report.findings.counts import counted, several
from payinfra.report.folding import FoldedText
from payinfra.report.printable import visible

_STYLES = {
    Severity.CRITICAL: "bold red",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
}
_VERDICT = 7
_SEVERITY = 8
_INDENT = 4


def draw(outcome: Outcome, fail_on: Severity) -> RenderableType:
    """The outcome as something that rich prints."""
    return Group(*_parts(outcome, fail_on))


def _parts(outcome: Outcome, fail_on: Severity) -> Iterator[RenderableType]:
    failed = [one for one in outcome.findings if one.verdict is Kind.FAIL]
    warned = [one for one in outcome.findings if one.verdict is Kind.WARN]
    opened = [one for one in outcome.findings if one.verdict in GATING]
    files = len(outcome.files) > 1
    yield from listed(failed, files)
    yield from listed(warned, files)
    for waived in outcome.waived:
        who = f"{waived.reason} ({waived.owner}, until {waived.expires})"
        yield _line(("waived ", "dim"), visible(f"{waived.finding.id} {waived.finding.address}: {who}"))
    for line in counted(outcome):
        yield _line((visible(line), "dim"))
    if opened:
        yield _line("")
        yield _line(("Not judged:", "bold"))
        yield from listed(opened, files)
    yield _verdict(outcome, fail_on)


def listed(findings: Sequence[Finding], several_files: bool = False) -> Iterator[FoldedText]:
    """One line a finding, and below them how to mend each kind."""
    for finding in findings:
        where = visible(_where(finding, several_files))
        told = visible(finding.message)
        source, line = finding.place
        behind = f" ({source}:{line})" if line and not where.endswith(f":{line}") else ""
        yield _line(
            (f"{finding.verdict:<{_VERDICT}} {finding.severity:<{_SEVERITY}}", _style(finding)),
            " ",
            (visible(finding.id), "bold"),
            f"  {where}  {told}",
            (visible(behind), "dim"),
        )
        if finding.note:
            yield _line((f"{'':{_VERDICT}} {visible(finding.note)}", "yellow"))
    fixes = dict.fromkeys((one.id, one.fix) for one in findings)
    for id, group in groupby(fixes, key=lambda one: one[0]):
        for _, fix in group:
            yield _line(("fix", "bold green"), f" {visible(id)}: {visible(fix)}")
    if findings:
        yield _line("")


def _line(*parts: str | tuple[str, str]) -> FoldedText:
    """One line, with what a terminal must fold moved in."""
    return FoldedText(Text.assemble(*parts), _INDENT)


def _where(finding: Finding, several_files: bool) -> str:
    if finding.line:
        return f"{finding.file}:{finding.line}"
    if several_files and finding.address and finding.address != finding.file:
        return f"{finding.file} {finding.address}"
    return finding.address or finding.file


def _style(finding: Finding) -> str:
    if finding.verdict in GATING:
        return "bold magenta"
    return "dim" if finding.verdict is Kind.WARN else _STYLES[finding.severity]


def _verdict(outcome: Outcome, fail_on: Severity) -> FoldedText:
    failing = outcome.failing(fail_on)
    if not failing:
        return _line((f"Passed: no failure of severity {fail_on} or above.", "bold green"))
    return _line((f"Failed: {' and '.join(_reasons(failing, fail_on))}.", "bold red"))


def _reasons(failing: Iterable[Finding], fail_on: Severity) -> Iterator[str]:
    ones = tuple(failing)
    failed = sum(one.verdict is Kind.FAIL for one in ones)
    if failed:
        yield f"{several(failed, 'failure')} of severity {fail_on} or above"
    if len(ones) > failed:
        yield f"{several(len(ones) - failed, 'finding')} not judged"
