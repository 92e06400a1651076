"""Which format of a drill's report is drawn by what, and the files that a drill leaves behind."""

from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from payinfra.core.private_files import write_private
from payinfra.drill import report_store
from payinfra.drill.model import DrillReport
from payinfra.report.drill import junit, markdown
from payinfra.report.formats import DrillFormat

if TYPE_CHECKING:
    from rich.console import Console


def write(console: "Console", report: DrillReport, how: DrillFormat) -> None:
    """Write a report to the console's file: a table drawn, anything else as text that parses."""
    if how is DrillFormat.TABLE:
        from payinfra.report import results
        from payinfra.report.drill import text as table

        results.write(console, table.draw(report, console.width if console.is_terminal else None))
    else:
        console.file.write(text(report, how))


def text(report: DrillReport, how: DrillFormat) -> str:
    """A report in one of the formats that are text.

    Raises:
        ValueError: the table, which only a console can lay out.
    """
    match how:
        case DrillFormat.JSON:
            return report_store.to_json(report)
        case DrillFormat.MARKDOWN:
            return markdown.render(report)
        case DrillFormat.JUNIT:
            return junit.render(report)
        case DrillFormat.HTML:
            from payinfra.report.drill import html

            return html.render(report)
        case DrillFormat.TABLE:
            raise ValueError("a table is drawn on a console")
        case _:
            assert_never(how)


def write_file(file: Path, report: DrillReport, how: DrillFormat) -> None:
    """Write a report to a file, readable by its owner only. A table is as in a pipe.

    Raises:
        UsageProblem: the file cannot be written.
    """
    if how is DrillFormat.TABLE:
        from payinfra.report import results
        from payinfra.report.console import SafeConsole

        paper = SafeConsole(file=StringIO(), width=results.WIDE, color_system=None, force_terminal=False)
        with paper.capture() as laid_out:
            write(paper, report, how)
        write_private(file, laid_out.get())
    else:
        write_private(file, text(report, how))


def write_reports(folder: Path, report: DrillReport) -> tuple[Path, ...]:
    """Leave report.json, report.md and report.html in a drill's folder, readable by their owner only.

    The JSON comes first: it alone is read again, and a drawing that fails must not cost it.

    Raises:
        UsageProblem: the folder cannot be made or written.
    """
    return (report_store.save(report, folder), *write_pages(folder, report))


def write_pages(folder: Path, report: DrillReport) -> tuple[Path, ...]:
    """Leave report.md and report.html in a drill's folder. Raises as `write_reports` does."""
    written = []
    for how, name in ((DrillFormat.MARKDOWN, "report.md"), (DrillFormat.HTML, "report.html")):
        write_file(folder / name, report, how)
        written.append(folder / name)
    return tuple(written)
