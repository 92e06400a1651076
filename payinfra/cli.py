"""The command line: one application of all commands, and every failure as a message and an exit code."""

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer._click.core import ParameterSource
from typer._click.exceptions import NoArgsIsHelpError
from typer._click.exceptions import UsageError as ClickUsageError

from payinfra.commands import (
    account,
    check,
    deploy,
    drill,
    drills,
    environments,
    evacuation,
    explain,
    load_worker,
    local,
    logs,
    open_page,
    pay,
    payments,
    project,
)
from payinfra.commands.help import GroupWithHelp, with_own_help
from payinfra.commands.session import say, stderr
from payinfra.core.errors import EnvironmentUnusable, ExitCode, Interrupted, PayinfraError, UsageProblem
from payinfra.core.project_folder import PROJECT_OPTION, PROJECT_VARIABLE
from payinfra.core.stop_signals import DeferredSignals, Escalation, StopRequested
from payinfra.core.streams import silence, tolerant_streams
from payinfra.report.formats import LOG_FORMAT_VARIABLE, QUIET_VARIABLE, LogFormat
from payinfra.report.printable import terminal_text


class Commands(GroupWithHelp):
    """All commands."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The global options. No variable stands for one that does something by itself, such as --version."""
        params: list[Any] = super().get_params(ctx)
        for one in params:
            if not one.expose_value or one.is_eager:
                one.allow_from_autoenv = False
        return params

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command; what the parser refuses is an error as every other, not one in a frame of its own.

        Raises:
            UsageProblem: a command or an option does not exist, or has a value that it does not take.
            SystemExit: the command has ended.
        """

        def run() -> Any:
            return super(Commands, self).main(
                args, prog_name, complete_var, False, windows_expand_args, **extra
            )

        if not standalone_mode:
            return run()
        try:
            code = run()
        except NoArgsIsHelpError as help_wanted:
            help_wanted.show()
            sys.exit(ExitCode.USAGE)
        except ClickUsageError as error:
            raise _refused(error) from None
        except typer.Abort:
            say("Nothing was done: no answer was given.")
            sys.exit(ExitCode.GATE_FAILED)
        sys.exit(code if isinstance(code, int) else ExitCode.DONE)


def _refused(error: ClickUsageError) -> UsageProblem:
    what = error.format_message()
    command = error.ctx.command_path if error.ctx else "payinfra"
    return UsageProblem(
        what if what.endswith((".", "?", ")")) else f"{what}.", f"`{command} --help` says what it takes."
    )


app = typer.Typer(
    name="payinfra",
    cls=Commands,
    help="Take a two-region AWS payments backend from flags to verified, and rehearse the loss of a region.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Each option has a variable of its own, PAYINFRA_COMMAND_OPTION; a setting has one for all commands.
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "PAYINFRA"},
)
for commands in (
    deploy,
    drill,
    drills,
    evacuation,
    load_worker,
    check,
    pay,
    logs,
    explain,
    open_page,
    payments,
    environments,
    project,
    local,
    account,
):
    app.add_typer(commands.app)
with_own_help(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        from payinfra.core.version import __version__

        typer.echo(f"payinfra {__version__}")
        raise typer.Exit


@app.callback()
def conversation(
    context: typer.Context,
    *,
    _version_only: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version),
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose",
            envvar="PAYINFRA_VERBOSE",
            help="Show each call to AWS and each run of Terraform on stderr.",
        ),
    ] = False,
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet",
            "-q",
            envvar=QUIET_VARIABLE,
            help="Say nothing on stderr but questions and errors. Results on stdout stay.",
        ),
    ] = False,
    project: Annotated[
        Path | None,
        typer.Option(
            "--project",
            envvar=PROJECT_VARIABLE,
            metavar="DIR",
            help="The project's folder. Default: the nearest one, from here upwards, with a payinfra.toml.",
            file_okay=False,
        ),
    ] = None,
    log_format: Annotated[
        LogFormat,
        typer.Option("--log-format", envvar=LOG_FORMAT_VARIABLE, help="Format of messages on stderr."),
    ] = LogFormat.TEXT,
) -> None:
    """Global options, which come before the command's name."""
    if verbose and quiet:
        raise UsageProblem("--verbose and --quiet exclude each other.", "Give one of them.")
    os.environ[LOG_FORMAT_VARIABLE] = log_format.value
    if quiet:
        os.environ[QUIET_VARIABLE] = "1"
    if project is not None:
        if context.get_parameter_source("project") is ParameterSource.COMMANDLINE:
            PROJECT_OPTION.set(str(project))
        os.environ[PROJECT_VARIABLE] = str(project.absolute())
    if verbose:
        from payinfra.report import log

        context.with_resource(log.logging_to(log.Verbose(log.JsonLines(), log_format)))


def main(run: Callable[[], object] = app) -> None:
    """The console script: every failure becomes one message and the right exit code.

    A signal that asks payinfra to stop ends the command in order, whichever command it is.
    """
    # A signal that comes again is told of, at most, and the same one once more ends the process at once.
    again = Escalation(say)
    with tolerant_streams(terminal_text), DeferredSignals(again) as signals:
        code = _exit_code(run, signals)
        again.code, again.done = code, True
        _flush()
        signals.received.clear()
    sys.exit(code)


def _exit_code(run: Callable[[], object], signals: DeferredSignals) -> int:
    try:
        with signals.interruptible():
            run()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else ExitCode.DONE
    except PayinfraError as error:
        _tell(error)
        return error.exit_code
    except (StopRequested, KeyboardInterrupt):
        _tell(Interrupted("Interrupted."), in_short=True)
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader of stdout has seen enough.
        silence(sys.stdout)
        return ExitCode.DONE
    except (OSError, RecursionError) as error:
        problem = _of_the_machine(error)
        if problem is None:
            return _bug()
        _tell(problem)
        return problem.exit_code
    except Exception:  # noqa: BLE001 - the one place where a bug is reported as what it is
        return _bug()
    return ExitCode.DONE


def _bug() -> int:
    traceback.print_exc()
    stderr().print("This is a bug in payinfra. Please report it with the lines above.")
    return ExitCode.BUG


def _of_the_machine(error: OSError | RecursionError) -> PayinfraError | None:
    """The failure in words where a full disk, a foreign or a senseless file causes it; None for a bug."""
    if isinstance(error, OSError):
        from payinfra.core.private_files import file_problem

        try:
            return file_problem(error)
        except OSError:
            return None
    innermost = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
    if innermost.parent.name not in _PARSERS:
        return None
    return EnvironmentUnusable(
        "A file or an answer is nested too deep to be read.",
        "Look at the files that the command was given and those of the work folder; move that one away.",
    )


_PARSERS = frozenset(("json", "tomllib"))
"""The folders of Python's own modules that read what others wrote, level by level."""


def _flush() -> None:
    """Write what is buffered: where that fails at Python's very end, it changes the exit code."""
    try:
        sys.stdout.flush()
    except OSError:
        silence(sys.stdout)


def _tell(error: PayinfraError, *, in_short: bool = False) -> None:
    """The last word of a command that failed."""
    from payinfra.report import log, results

    if log.log_format() is LogFormat.JSON:
        log.JsonLines().problem(error)
    elif in_short:
        stderr().print(error.what)
    else:
        results.problem(stderr(), error)
