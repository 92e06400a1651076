"""Commands for past drills."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from payinfra.commands.options import WHERE, with_settings
from payinfra.commands.session import FormatOption, stdout
from payinfra.core.errors import EnvironmentUnusable, UsageProblem, did_you_mean
from payinfra.drill.environment import FOLDER
from payinfra.report.formats import FORMAT_VARIABLE, DrillFormat, Format

if TYPE_CHECKING:
    from payinfra.core.settings import Settings
    from payinfra.drill.model import DrillReport

LATEST = "latest"

app = typer.Typer()
drills_app = typer.Typer(no_args_is_help=True, help="List and show past drills.")
app.add_typer(drills_app, name="drills")


@drills_app.command("list")
@with_settings(WHERE, found=True)
def drills_list(settings: "Settings", *, fmt: FormatOption = Format.TABLE) -> None:
    """List the environment's drills and the trend of its recovery time."""
    from rich.text import Text

    from payinfra.drill import report_store
    from payinfra.report.drill.history import write_history
    from payinfra.report.results import write

    found = report_store.past(settings.work_dir / FOLDER)
    if not found.drills and not found.skipped and fmt is Format.TABLE:
        write(stdout(), Text(_none_yet(settings)))
        return
    write_history(stdout(), found, fmt)


@drills_app.command("show")
@with_settings(WHERE, found=True)
def drills_show(
    settings: "Settings",
    drill: Annotated[str, typer.Argument(metavar="ID", help="Id of a drill, or `latest`.")] = LATEST,
    *,
    fmt: Annotated[
        DrillFormat, typer.Option("--format", envvar=FORMAT_VARIABLE, help="Format of the report.")
    ] = DrillFormat.TABLE,
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of stdout.")] = None,
) -> None:
    """Print the report of a drill, or draw it: `--format html --out drill.html`."""
    from payinfra.report.drill import rendering

    report = _found(settings, drill)
    if out is None:
        rendering.write(stdout(), report, fmt)
    else:
        rendering.write_file(out, report, fmt)


def _found(settings: "Settings", drill: str) -> "DrillReport":
    from payinfra.drill import report_store

    folder = settings.work_dir / FOLDER
    if drill == LATEST:
        if report := report_store.latest(folder):
            return report
        raise EnvironmentUnusable(
            f"Environment {settings.env} has no drill reports.",
            f"Run one: `{settings.command('failover-drill')}`.",
        )
    found = report_store.past(folder)
    for report in found.drills:
        if report.id == drill:
            return report
    for skipped in found.skipped:
        if skipped.id == drill:
            raise EnvironmentUnusable(
                f"Drill {drill} cannot be shown: {skipped.reason}.",
                f"List the others with `{settings.command('drills list')}`.",
            )
    known = did_you_mean(drill, (report.id for report in found.drills))
    raise UsageProblem(
        f"Environment {settings.env} has no drill {drill!r}{known}.",
        f"List its drills with `{settings.command('drills list')}`.",
    )


def _none_yet(settings: "Settings") -> str:
    return f"No drill of {settings.env} yet. Run one: `{settings.command('failover-drill')}`"
