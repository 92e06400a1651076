"""Probes while they run: a table that fills in on a terminal, a line for each finding anywhere else."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from payinfra.checks.outcome import Outcome
from payinfra.checks.probes.results import ProbeResult, Tell, tell_nobody
from payinfra.checks.verdicts import Kind
from payinfra.report import log
from payinfra.report.folding import FoldedText
from payinfra.report.formats import LogFormat
from payinfra.report.results import write

_STYLES = {
    Kind.PASS: "green",
    Kind.NOT_APPLICABLE: "dim",
    Kind.WARN: "yellow",
    Kind.FAIL: "red",
    Kind.UNKNOWN: "bold magenta",
    Kind.ERROR: "bold magenta",
}
_MARKS = {
    Kind.PASS: "✓",
    Kind.NOT_APPLICABLE: "-",
    Kind.WARN: "!",
    Kind.FAIL: "✗",
    Kind.UNKNOWN: "?",
    Kind.ERROR: "✗",
}
_WORST_FIRST = (Kind.ERROR, Kind.FAIL, Kind.UNKNOWN, Kind.WARN, Kind.PASS, Kind.NOT_APPLICABLE)


def worst(result: ProbeResult) -> Kind:
    """The worst of a result's verdicts."""
    kinds = {verdict.kind for verdict in result.verdicts}
    return next(kind for kind in _WORST_FIRST if kind in kinds)


def line(result: ProbeResult) -> Text:
    """A result on one line."""
    kind = worst(result)
    said = "; ".join(dict.fromkeys(verdict.message for verdict in result.verdicts if verdict.message))
    return Text.assemble(
        (f"{_MARKS[kind]} {kind.value:<5}", _STYLES[kind]),
        f" {result.rule.id:<13} {result.where}",
        (f"  {said or result.rule.title}", "dim"),
    )


class ProbeGrid:
    """The results so far, one row a probe and one column a place."""

    def __init__(self) -> None:
        self._seen: list[ProbeResult] = []

    def take(self, result: ProbeResult) -> None:
        """Follow one result."""
        self._seen.append(result)

    def __rich__(self) -> RenderableType:
        seen = tuple(self._seen)
        regions = sorted({each.where for each in seen if ", " not in each.where})
        table = Table.grid(padding=(0, 2))
        for heading in ("", "", *regions):
            table.add_column(heading, no_wrap=True)
        table.add_row("", "", *(Text(region, style="bold") for region in regions))
        for id in sorted({each.rule.id for each in seen}):
            mine = {each.where: each for each in seen if each.rule.id == id}
            both = next((each for where, each in mine.items() if ", " in where), None)
            cells = [_cell(mine.get(region, both)) for region in regions]
            title = next(iter(mine.values())).rule.title
            table.add_row(Text(id, style="bold"), Text(title, overflow="ellipsis"), *cells)
        return table


def _cell(result: ProbeResult | None) -> Text:
    if result is None:
        return Text("…", style="dim")
    kind = worst(result)
    return Text(f"{_MARKS[kind]} {result.seconds:.1f} s", style=_STYLES[kind])


@contextmanager
def watching(console: Console) -> Iterator[Tell]:
    """Where results are told to while probes run: on a terminal a table, else what is not quiet, by lines.

    As JSON where log lines are: each result, whatever it is. Nothing where the person wants quiet.
    """
    if log.is_quiet():
        yield tell_nobody
        return
    if log.log_format() is LogFormat.JSON:
        yield lambda result: _json(log.JsonLines(), result)
        return
    if not console.is_terminal or console.is_dumb_terminal:
        yield lambda result: _plain(console, result)
        return
    board = ProbeGrid()
    with Live(board, console=console, refresh_per_second=8, transient=True, vertical_overflow="crop"):
        yield board.take


def _json(lines: log.JsonLines, result: ProbeResult) -> None:
    kind = worst(result)
    level = "info" if kind in (Kind.PASS, Kind.NOT_APPLICABLE) else "warning"
    fields = {
        "id": result.rule.id,
        "where": result.where,
        "verdict": kind.value,
        "seconds": round(result.seconds, 3),
        "message": "; ".join(
            dict.fromkeys(verdict.message for verdict in result.verdicts if verdict.message)
        ),
    }
    lines.line(level, "probe", fields)


def _plain(console: Console, result: ProbeResult) -> None:
    if worst(result) not in (Kind.PASS, Kind.NOT_APPLICABLE):
        console.print(line(result), soft_wrap=True)


def changed(console: Console, before: Outcome, after: Outcome) -> None:
    """Write what is new, gone or different; a single line where nothing is."""
    lines = changes(before, after) or [Text("nothing changed", style="dim")]
    write(console, *(FoldedText(line, 4) for line in lines))


def changes(before: Outcome, after: Outcome) -> Sequence[Text]:
    """What is new, gone or different from one run to the next, a line each."""
    old = {(one.id, one.address): one for one in before.findings}
    new = {(one.id, one.address): one for one in after.findings}
    lines: list[Text] = []
    for key, finding in new.items():
        known = old.get(key)
        if known is None or (known.verdict, known.message) != (finding.verdict, finding.message):
            said = f"{finding.id} {finding.address}: {finding.message}"
            lines.append(Text.assemble((f"{finding.verdict.value:<6}", _STYLES[finding.verdict]), said))
    for key, finding in old.items():
        if key not in new:
            passed = Text.assemble((f"{'PASS':<6}", "green"), f"{finding.id} {finding.address}")
            lines.append(passed)
    return lines
