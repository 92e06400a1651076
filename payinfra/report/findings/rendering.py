"""Which format is drawn by what. Only the table needs rich, so only the table imports it."""

from typing import IO, TYPE_CHECKING, assert_never

from payinfra.checks.outcome import Outcome
from payinfra.checks.verdicts import Severity
from payinfra.core.streams import write_commands
from payinfra.report.findings import document, github, junit, markdown, sarif
from payinfra.report.formats import FindingsFormat

if TYPE_CHECKING:
    from rich.console import Console


def write(console: "Console", outcome: Outcome, how: FindingsFormat, fail_on: Severity) -> None:
    """Write an outcome to the console's file: a table drawn, anything else as text that parses."""
    if how is FindingsFormat.TABLE:
        from payinfra.report.findings import table

        # The table folds between words by itself, and only on a terminal.
        console.print(table.draw(outcome, fail_on), soft_wrap=True)
    else:
        write_text(console.file, outcome, how, fail_on)


def write_text(file: IO[str], outcome: Outcome, how: FindingsFormat, fail_on: Severity) -> None:
    """Write an outcome in one of the formats that are text. Raises as `text` does."""
    said = text(outcome, how, fail_on)
    if how is FindingsFormat.GITHUB:
        write_commands(file, said)
    else:
        file.write(said)


def text(outcome: Outcome, how: FindingsFormat, fail_on: Severity) -> str:
    """An outcome in one of the formats that are text.

    Raises:
        ValueError: the table, which only a console can lay out.
    """
    match how:
        case FindingsFormat.JSON:
            return document.render(outcome, fail_on)
        case FindingsFormat.SARIF:
            return sarif.render(outcome, fail_on)
        case FindingsFormat.JUNIT:
            return junit.render(outcome, fail_on)
        case FindingsFormat.GITHUB:
            return github.render(outcome, fail_on)
        case FindingsFormat.MARKDOWN:
            return markdown.render(outcome, fail_on)
        case FindingsFormat.TABLE:
            raise ValueError("a table is drawn on a console")
        case _:
            assert_never(how)
