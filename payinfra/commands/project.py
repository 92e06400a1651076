"""What payinfra needs of this machine, and what it is."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from payinfra.commands.options import ACCOUNT, with_settings
from payinfra.commands.session import FormatOption, stdout
from payinfra.core.errors import ExitCode
from payinfra.core.project_files import Ci
from payinfra.report.formats import Format

if TYPE_CHECKING:
    from payinfra.core.settings import Settings

app = typer.Typer()


@app.command()
@with_settings(ACCOUNT)
def doctor(settings: "Settings", *, fmt: FormatOption = Format.TABLE) -> None:
    """Look at everything that payinfra needs, and say how to get what is missing.

    Without --local or --aws both are looked at, and what only one of them needs does not fail the other.
    """
    from payinfra.doctor.findings import BOTH
    from payinfra.doctor.machine import examine
    from payinfra.report import doctor as report

    targets = (settings.target,) if "target" in settings.origins else BOTH
    found = examine(settings, targets)
    report.diagnosis(stdout(), found, fmt)
    if not found.good:
        raise typer.Exit(ExitCode.UNUSABLE_ENVIRONMENT)


@app.command()
def init(
    *,
    ci: Annotated[
        list[Ci] | None,
        typer.Option(help="Whose CI to write workflow files for. Default github."),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say what would be written, and write nothing."),
    ] = False,
    fmt: FormatOption = Format.TABLE,
) -> None:
    """Write payinfra.toml, the waivers file and workflow files into this folder, and add to .gitignore.

    What is there already is left alone.
    """
    from payinfra.core import project_files
    from payinfra.report import scaffold as report

    steps = project_files.write(Path(), ci or [Ci.GITHUB], dry_run=dry_run)
    report.written(stdout(), steps, fmt, dry_run=dry_run)


@app.command()
def version(*, fmt: FormatOption = Format.TABLE) -> None:
    """Print the version."""
    from payinfra.core.version import __version__
    from payinfra.report import results

    if fmt is Format.JSON:
        results.write_json(stdout(), {"version": __version__})
    else:
        results.write(stdout(), f"payinfra {__version__}")
