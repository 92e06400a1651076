"""What payinfra needs of this machine, and what it is."""

import typer

from payinfra.commands.edges import FormatOption, stdout
from payinfra.errors import ExitCode
from payinfra.formats import Format

app = typer.Typer()


@app.command()
def doctor(*, fmt: FormatOption = Format.TABLE) -> None:
    """Look at everything that payinfra needs of this machine, and say how to get what is missing."""
    from payinfra import doctor as examine
    from payinfra.report import stages

    findings = examine.examine()
    stages.diagnosis(stdout(), findings, fmt)
    if any(not finding.good for finding in findings):
        raise typer.Exit(ExitCode.UNUSABLE_ENVIRONMENT)


@app.command()
def version(*, fmt: FormatOption = Format.TABLE) -> None:
    """Print the version."""
    from payinfra import __version__
    from payinfra.report import results

    if fmt is Format.JSON:
        results.write_json(stdout(), {"version": __version__})
    else:
        results.write(stdout(), f"payinfra {__version__}")
