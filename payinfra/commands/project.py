"""Commands for this machine and this project: doctor, init, version, completion."""

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from payinfra.commands.options import ACCOUNT, with_settings
from payinfra.commands.session import FormatOption, stdout
from payinfra.core.errors import ExitCode
from payinfra.core.project_files import Ci
from payinfra.core.project_folder import PROJECT_VARIABLE
from payinfra.report.formats import Format

if TYPE_CHECKING:
    from payinfra.core.settings import Settings

app = typer.Typer()


@app.command()
@with_settings(ACCOUNT)
def doctor(settings: "Settings", *, fmt: FormatOption = Format.TABLE) -> None:
    """Check everything that payinfra needs, and show how to fix what is missing.

    Without --local or --aws, both targets are checked, and the command succeeds if one of them can be used.
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
        typer.Option(help="CI system to write workflow files for; may be repeated. Default: github."),
    ] = None,
    example: Annotated[
        bool,
        typer.Option(
            "--example",
            help="Write a company's project too: extension, function, canary, check, probe, tests.",
        ),
    ] = False,
    image: Annotated[
        bool,
        typer.Option("--image", help="Write a Dockerfile too: an image for CI that needs no set-up."),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show what would be written, without writing anything."),
    ] = False,
    fmt: FormatOption = Format.TABLE,
) -> None:
    """Write payinfra.toml, the waivers file and workflow files into this folder, and add to .gitignore.

    Existing files are not changed.
    """
    from payinfra.core import project_files
    from payinfra.report import scaffold as report
    from payinfra.stacks.lambda_zip import HANDLER_PACKAGE, handlers_folder

    # Not the folder that is found upwards: a project may be begun below another one.
    folder = Path(os.environ.get(PROJECT_VARIABLE) or "")
    shipped = handlers_folder() / HANDLER_PACKAGE if example else None
    steps = project_files.write(folder, ci or [Ci.GITHUB], dry_run=dry_run, example=shipped, image=image)
    report.written(stdout(), steps, fmt, dry_run=dry_run)


class Shell(StrEnum):
    """A shell that completes options and their values."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


@app.command("completion")
def print_completion(
    shell: Annotated[Shell, typer.Argument(help="The shell.")],
) -> None:
    """Print what lets a shell complete commands, options, environments and ids.

    For bash, in ~/.bashrc: eval "$(payinfra completion bash)"
    """
    # Typer's own function, which finds no shell by itself here: none has to be running.
    from typer._completion_shared import get_completion_script

    typer.echo(
        get_completion_script(prog_name="payinfra", complete_var="_PAYINFRA_COMPLETE", shell=shell.value)
    )


@app.command()
def version(*, fmt: FormatOption = Format.TABLE) -> None:
    """Print the version."""
    from payinfra.core.version import __version__
    from payinfra.report import results
    from payinfra.report.documents import document

    if fmt is Format.JSON:
        results.write_json(stdout(), document("version", {"version": __version__}))
    else:
        results.write(stdout(), f"payinfra {__version__}")
