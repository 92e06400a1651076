"""A drill's report for a terminal, and for a pipe, where nothing is folded, cut or padded."""

from collections.abc import Callable, Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from payinfra.drill.model import DrillReport, Judgement
from payinfra.report.drill import content
from payinfra.report.folding import FoldedText
from payinfra.report.printable import visible
from payinfra.report.results import TabbedRows, next_commands

DrawSection = Callable[[content.Section], Iterator[RenderableType]]

_STYLES = {
    Judgement.PASSED: "bold green",
    Judgement.FAILED: "bold red",
    Judgement.INCONCLUSIVE: "bold yellow",
}
_STYLED = {"MISSED": "red", "met": "green", "LEFT": "bold red"}


def draw(report: DrillReport, *, is_terminal: bool) -> RenderableType:
    """The report as something that rich prints: what matters most comes last, where a terminal stands."""
    return Group(*_parts(report, _on_a_terminal if is_terminal else _in_a_pipe))


def _parts(report: DrillReport, drawn: DrawSection) -> Iterator[RenderableType]:
    asked, happened, *_ = content.overview(report)
    for section in (*content.sections(report), asked, happened):
        yield Text(section.title, style="bold")
        yield from drawn(section)
        yield Text("")
    yield Text.assemble(
        ("resilience ", "bold"),
        (report.resilience.value, _STYLES[report.resilience]),
        ("   restoration ", "bold"),
        (report.restored.value, _STYLES[report.restored]),
    )
    for reason in content.why(report):
        yield Text(f"  {visible(reason)}", style="red")
    if any(doubt.next_step for doubt in report.doubts):
        yield Text("")
        steps = dict.fromkeys(doubt.next_step for doubt in report.doubts if doubt.next_step)
        yield from (Text(f"  {visible(step)}") for step in steps)
    yield Text("\nNext:")
    yield next_commands((visible(command), purpose) for command, purpose in content.next_steps(report))


def _in_a_pipe(section: content.Section) -> Iterator[RenderableType]:
    heading = (section.columns,) if any(section.columns) else ()
    if section.rows:
        yield TabbedRows((*heading, *section.rows))
    yield from (FoldedText(Text(visible(sentence))) for sentence in section.sentences)


def _on_a_terminal(section: content.Section) -> Iterator[RenderableType]:
    rows = Table(
        box=None, show_header=any(section.columns), pad_edge=False, padding=(0, 2, 0, 0), header_style="dim"
    )
    for number, column in enumerate(section.columns):
        right = number in section.figures
        rows.add_column(column, justify="right" if right else "left", no_wrap=right, overflow="fold")
    for row in section.rows:
        rows.add_row(*(Text(visible(cell), style=_STYLED.get(cell, "")) for cell in row))
    if section.rows:
        yield Padding(rows, (0, 0, 0, 2), expand=False)
    for sentence in section.sentences:
        yield Padding(Text(visible(sentence)), (0, 0, 0, 2), expand=False)
