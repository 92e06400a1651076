"""A drill's report for a terminal, and for a pipe, where nothing is folded, cut or padded."""

from collections.abc import Callable, Iterator
from functools import partial

from rich.cells import cell_len
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


def draw(report: DrillReport, width: int | None) -> RenderableType:
    """The report as something that rich prints: what matters most comes last, where a terminal stands.

    Args:
        report: the report.
        width: columns of the terminal; None for a pipe.
    """
    return Group(*_parts(report, _in_a_pipe if width is None else partial(_on_a_terminal, width)))


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


def _on_a_terminal(width: int, section: content.Section) -> Iterator[RenderableType]:
    """The table; its last column is listed below it where words would have to be broken."""
    last = len(section.columns) - 1
    below = last > 1 and last not in section.figures and _least_width(section) > width
    shown = section.columns[:last] if below else section.columns
    rows = Table(
        box=None, show_header=any(section.columns), pad_edge=False, padding=(0, 2, 0, 0), header_style="dim"
    )
    for number, column in enumerate(shown):
        right = number in section.figures
        rows.add_column(column, justify="right" if right else "left", no_wrap=right, overflow="fold")
    for row in section.rows:
        cells = row[: len(shown)] if shown else row
        rows.add_row(*(Text(visible(cell), style=_STYLED.get(cell, "")) for cell in cells))
    if section.rows:
        yield Padding(rows, (0, 0, 0, 2), expand=False)
    for row in section.rows if below else ():
        if row[last]:
            yield FoldedText(Text(f"  {visible(row[0])}: {visible(row[last])}"), 4)
    for sentence in section.sentences:
        yield Padding(Text(visible(sentence)), (0, 0, 0, 2), expand=False)


def _least_width(section: content.Section) -> int:
    """The columns of a terminal that the table takes where no word of it is broken."""
    cells = (section.columns, *section.rows)
    widths = [
        max(
            (cell_len(one) for row in cells for one in (row[at : at + 1] if right else row[at].split())),
            default=0,
        )
        for at, right in ((at, at in section.figures) for at in range(len(section.columns)))
    ]
    return 2 * len(widths) + sum(widths)
