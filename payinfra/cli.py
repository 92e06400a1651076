"""The command line: one application of all commands, and every failure as a message and an exit code."""

import os
import sys
import traceback
from collections.abc import Callable

import typer

from payinfra.commands import account, checking, drill, drills, local, machine, stages, team
from payinfra.commands.edges import stderr
from payinfra.errors import ExitCode, PayinfraError

app = typer.Typer(
    name="payinfra",
    help="Take a two-region AWS payments backend from flags to verified, and rehearse the loss of a region.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for commands in (stages, drill, drills, checking, team, machine, local, account):
    app.add_typer(commands.app)


def main(run: Callable[[], object] = app) -> None:
    """The console script: every failure becomes one message and the right exit code."""
    try:
        run()
    except PayinfraError as error:
        from payinfra.report.results import problem

        problem(stderr(), error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        stderr().print("Interrupted.")
        sys.exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # Whoever read stdout has seen enough. What is still buffered must not fail at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(ExitCode.DONE)
    except Exception:  # noqa: BLE001 - the one place where a bug is reported as what it is
        traceback.print_exc()
        stderr().print("This is a bug in payinfra. Please report it with the lines above.")
        sys.exit(ExitCode.BUG)


if __name__ == "__main__":  # pragma: no cover
    main()
