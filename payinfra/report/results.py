"""Results as tables for people and as JSON for scripts. What goes to stdout is only ever a result."""

from collections.abc import Iterable, Mapping, Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from payinfra.core.errors import PayinfraError
from payinfra.report.printable import json_text, visible_lines

Row = Sequence[str]

_UNITS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"))


def table(columns: Sequence[str], rows: Iterable[Row], *, title: str | None = None) -> Table:
    """A plain table; the cells are text, never markup."""
    drawn = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False)
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(visible_lines(cell)) for cell in row))
    return drawn


def write_json(console: Console, value: Mapping[str, object] | Sequence[object]) -> None:
    """One JSON document on stdout, never wrapped or coloured."""
    console.file.write(json_text(value) + "\n")


def write(console: Console, *parts: RenderableType) -> None:
    """Tables and sentences on stdout."""
    console.print(Group(*parts))


def problem(console: Console, error: PayinfraError) -> None:
    """An error on stderr: what went wrong, then the next step."""
    console.print(Text.assemble(("error: ", "bold red"), visible_lines(error.what)), soft_wrap=True)
    if error.hint:
        console.print(Text.assemble(("next:  ", "bold"), visible_lines(error.hint)), soft_wrap=True)


def next_commands(commands: Iterable[tuple[str, str]]) -> Table:
    """Commands that a person may want to try next, each with what it does."""
    grid = Table.grid(padding=(0, 2))
    for command, purpose in commands:
        grid.add_row(Text(f"  {command}", style="cyan"), Text(purpose, style="dim"))
    return grid


def age(seconds: float | None) -> str:
    """The largest unit that a span has at least one of; `unknown` for None."""
    if seconds is None:
        return "unknown"
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"
