"""Results as tables for people and as JSON for scripts. What goes to stdout is only ever a result.

What may be copied is never cut into pieces. On a terminal a table that is too wide is folded between words,
and drawn as lines where even that does not do. In a pipe it is a line a row, with tabs between the cells, and
nothing is folded, cut or padded, however wide.
"""

from collections.abc import Iterable, Mapping, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from payinfra.core.errors import PayinfraError
from payinfra.core.project_folder import to_type, with_project
from payinfra.report.folding import FoldedText
from payinfra.report.printable import json_text, visible, visible_lines

Row = Sequence[str]

WIDE = 100_000
"""Columns of what is no terminal: wide enough that nothing is ever folded to fit."""

_HEADED = len("error: ")
_UNITS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"))


class UnfoldedLines:
    """Lines that stay whole: where one is too long for a terminal, the terminal may fold it."""

    def __init__(self, lines: Iterable[Text]) -> None:
        self.lines = tuple(lines)

    def __rich_console__(self, _console: Console, _options: ConsoleOptions) -> RenderResult:
        for line in self.lines:
            whole = line.copy()
            whole.no_wrap, whole.overflow = True, "ignore"
            yield whole


class TabbedRows:
    """A line a row, with tabs between the cells: what a table is in a pipe."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows = tuple(tuple(row) for row in rows)

    def __rich_console__(self, _console: Console, _options: ConsoleOptions) -> RenderResult:
        for row in self.rows:
            for place, cell in enumerate(row):
                if place:
                    yield Segment("\t")
                yield Segment(visible(cell))
            yield Segment.line()


class ResultTable(Table):
    """A table whose cells are text, never markup, and whose words are never broken."""

    def __init__(self, columns: Sequence[str], rows: Iterable[Row], title: str | None) -> None:
        super().__init__(
            box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False
        )
        self.names = tuple(columns)
        self.cells = tuple(tuple(row) for row in rows)
        for name in self.names:
            self.add_column(name, overflow="fold")
        for row in self.cells:
            self.add_row(*(Text(visible_lines(cell)) for cell in row))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not console.is_terminal:
            yield from self._tabbed()
            return
        widths = self.fitting_widths(console)
        if widths is None:
            yield from self._as_lines()
            return
        for column, width in zip(self.columns, widths, strict=True):
            column.width = width
        yield from super().__rich_console__(console, options)

    def fitting_widths(self, console: Console) -> list[int] | None:
        """The width of each column, folded between words only; None where the console is too narrow."""
        shown = [(name, *(row[at] for row in self.cells)) for at, name in enumerate(self.names)]
        whole = [max(cell_len(line) for cell in cells for line in _lines(cell)) for cells in shown]
        words = [max(map(cell_len, " ".join(cells).split()), default=0) for cells in shown]
        least = [
            wide if column.no_wrap else min(word, wide)
            for column, wide, word in zip(self.columns, whole, words, strict=True)
        ]
        options = console.options.update(width=WIDE)
        # What a column was given when it was drawn before says nothing of what it needs.
        for column in self.columns:
            column.width = None
        space = console.width - (Measurement.get(console, options, self).maximum - sum(whole))
        if sum(least) > space:
            return None
        widths = [max(low, min(wide, space)) for low, wide in zip(least, whole, strict=True)]
        while sum(widths) > space:
            widest = max((at for at in range(len(widths)) if widths[at] > least[at]), key=widths.__getitem__)
            widths[widest] -= 1
        return widths

    def _tabbed(self) -> RenderResult:
        if isinstance(self.title, str):
            yield Segment(visible(self.title))
            yield Segment.line()
        yield TabbedRows((self.names, *self.cells))

    def _as_lines(self) -> Iterable[FoldedText]:
        """A line for each row of two columns; else a line for each cell, with its column's name."""
        if isinstance(self.title, str):
            yield FoldedText(Text(visible(self.title), style="bold"))
        if len(self.names) <= 2:
            indent = max(cell_len(visible(row[0])) for row in self.cells)
            for first, *rest in self.cells:
                gap = " " * (indent - cell_len(visible(first)) + 2)
                yield FoldedText(Text(gap.join(map(visible, (first, *rest)))), indent + 2)
            return
        indent = max(map(cell_len, self.names))
        for row in self.cells:
            for name, cell in zip(self.names, row, strict=True):
                if cell:
                    named = Text.assemble((f"{name:<{indent}}  ", "bold"), visible(cell))
                    yield FoldedText(named, indent + 2)
            yield FoldedText(Text(""))


def table(columns: Sequence[str], rows: Iterable[Row], *, title: str | None = None) -> ResultTable:
    """A plain table; the cells are text, never markup."""
    return ResultTable(columns, rows, title)


def write_json(console: Console, value: Mapping[str, object] | Sequence[object]) -> None:
    """One JSON document on stdout, never wrapped or coloured."""
    console.file.write(json_text(value) + "\n")


def write(console: Console, *parts: RenderableType) -> None:
    """Tables and sentences on stdout."""
    for part in parts:
        if isinstance(part, Group):
            write(console, *part.renderables)
        elif isinstance(part, Text):
            console.print(FoldedText(part), soft_wrap=True)
        else:
            console.print(part, soft_wrap=_is_too_wide(console, part))


def _is_too_wide(console: Console, part: RenderableType) -> bool:
    """Whether the console would have to break something that may be copied."""
    match part:
        case UnfoldedLines() | FoldedText() | TabbedRows():
            return True
        case ResultTable():
            return not console.is_terminal or part.fitting_widths(console) is None
        case _:
            return False


def _lines(cell: str) -> list[str]:
    return visible_lines(cell).split("\n")


def problem(console: Console, error: PayinfraError) -> None:
    """An error on stderr: what went wrong, then the next step."""
    what, hint = (visible_lines(with_project(text)) for text in (error.what, error.hint))
    console.print(FoldedText(Text.assemble(("error: ", "bold red"), what), _HEADED), soft_wrap=True)
    if hint:
        console.print(FoldedText(Text.assemble(("next:  ", "bold"), hint), _HEADED), soft_wrap=True)


def next_commands(commands: Iterable[tuple[str, str]]) -> UnfoldedLines:
    """Commands that a person may want to try next, each alone on its line, below what it does."""
    return UnfoldedLines(
        line
        for command, purpose in commands
        for line in (Text(f"  # {purpose}", style="dim"), Text(f"  {to_type(command)}", style="cyan"))
    )


def in_numbers(counts: Mapping[str, int]) -> str:
    """What there is how many of, on a line: `aws_sfn_state_machine x 2`; empty for nothing."""
    return ", ".join(f"{visible(what)} x {number}" for what, number in counts.items())


def age(seconds: float | None) -> str:
    """The largest unit that a span has at least one of; `unknown` for None."""
    if seconds is None:
        return "unknown"
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"
