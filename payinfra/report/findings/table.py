"""Findings for a terminal: grouped by check, worst first, each group with its fix."""

from collections.abc import Iterator
from itertools import groupby

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from payinfra.checks.outcome import GATING, Finding, Outcome
from payinfra.checks.verdicts import Kind, Severity
from payinfra.report.findings.counts import counted
from payinfra.report.printable import visible

_STYLES = {
    Severity.CRITICAL: "bold red",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
}


def draw(outcome: Outcome, fail_on: Severity) -> RenderableType:
    """The outcome as something that rich prints."""
    return Group(*_parts(outcome, fail_on))


def _parts(outcome: Outcome, fail_on: Severity) -> Iterator[RenderableType]:
    several_files = len(outcome.files) > 1
    for _, group in groupby(outcome.findings, key=lambda one: (one.verdict, one.severity, one.id)):
        yield from _group(tuple(group), several_files)
    for waived in outcome.waived:
        who = f"{waived.reason} ({waived.owner}, until {waived.expires})"
        yield Text.assemble(
            ("waived ", "dim"), visible(f"{waived.finding.id} {waived.finding.address}: {who}")
        )
    for line in counted(outcome):
        yield Text(visible(line), style="dim")
    yield _verdict(outcome, fail_on)


def _group(findings: tuple[Finding, ...], several_files: bool) -> Iterator[RenderableType]:
    first = findings[0]
    style = _style(first)
    yield Text.assemble(
        (f"{first.verdict} {first.severity}", style),
        "  ",
        (visible(first.id), "bold"),
        "  ",
        visible(first.title),
    )
    rows = Table.grid(padding=(0, 2))
    rows.add_column(overflow="fold")
    rows.add_column(overflow="fold")
    for finding in findings:
        rows.add_row(Text(_where(finding, several_files)), Text(visible(finding.message)))
        if finding.note:
            rows.add_row("", Text(visible(finding.note), style="yellow"))
    yield Padding(rows, (0, 0, 0, 2), expand=False)
    yield Padding(Text.assemble(("fix: ", "bold green"), visible(first.fix)), (0, 0, 0, 2), expand=False)
    yield Text("")


def _where(finding: Finding, several_files: bool) -> str:
    if finding.line:
        return visible(f"{finding.file}:{finding.line}")
    if several_files and finding.address and finding.address != finding.file:
        return visible(f"{finding.file} {finding.address}")
    return visible(finding.address or finding.file)


def _style(finding: Finding) -> str:
    if finding.verdict in GATING:
        return "bold magenta"
    return "dim" if finding.verdict is Kind.WARN else _STYLES[finding.severity]


def _verdict(outcome: Outcome, fail_on: Severity) -> Text:
    failing = len(outcome.failing(fail_on))
    if failing:
        what = "1 finding stops" if failing == 1 else f"{failing} findings stop"
        return Text(f"{outcome.tool} failed: {what} the gate at {fail_on}", style="bold red")
    return Text(f"{outcome.tool} passed at {fail_on}", style="bold green")
