"""What commands share: common options, stdout and stderr, and the display of a running pipeline."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from payinfra.checks.verdicts import Severity
from payinfra.core.errors import GateFailed, PayinfraError, UsageProblem
from payinfra.core.streams import silence
from payinfra.report.formats import FORMAT_VARIABLE, FindingsFormat, Format, PlanFormat

if TYPE_CHECKING:
    from rich.console import Console

    from payinfra.core.settings import Settings
    from payinfra.deployment.pipeline import Pipeline
    from payinfra.deployment.workspace import Confirm
    from payinfra.report.progress import ProgressWatch
    from payinfra.terraform import Plan

FormatOption = Annotated[
    Format, typer.Option("--format", envvar=FORMAT_VARIABLE, help="Format of the result on stdout.")
]
EagerOption = Annotated[
    bool,
    typer.Option("--eager-bindings", help="Import all of cdktf's AWS bindings, as usual and more slowly."),
]
FreshOption = Annotated[
    bool,
    typer.Option(
        "--fresh", help="Synthesize anew, also where nothing that the stack depends on has changed."
    ),
]
FailOnOption = Annotated[
    Severity, typer.Option(help="Lowest severity at which a finding of the policy checks fails the gate.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
AllowDestroyOption = Annotated[
    bool,
    typer.Option("--allow-destroy", help="Allow the plan to delete or replace a table, bucket, key or zone."),
]
SummaryOption = Annotated[
    Path | None,
    typer.Option(
        "--summary", help="Also write a summary to this file, as Markdown for a pull request comment."
    ),
]


def stdout() -> "Console":
    """The console for data. What is no terminal has room for every line."""
    return _console(stderr=False)


def stderr() -> "Console":
    """The console for everything that is not data."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> "Console":
    from payinfra.report.console import SafeConsole
    from payinfra.report.results import WIDE

    console = SafeConsole(stderr=stderr)
    if not console.is_terminal:
        console.size = console.size.__class__(WIDE, console.height)
    return console


def say(text: str) -> None:
    """Tell a person on stderr, in the form that the conversation there has."""
    from payinfra.core.events import Notice
    from payinfra.report.progress import notices

    notices(stderr())(Notice(text))


@contextmanager
def even_if_nobody_reads() -> Iterator[None]:
    """Write to stdout where the exit code must be told even if the reader has gone."""
    try:
        yield
    except BrokenPipeError:
        silence(sys.stdout)


@dataclass(frozen=True)
class Session:
    """A pipeline, and the display on stderr that follows it."""

    pipeline: "Pipeline"
    watch: "ProgressWatch"

    def confirm(self, yes: bool, question: str) -> "Confirm":
        """Show the plan and ask for confirmation, unless `--yes` was given."""

        def ask(planned: "Plan") -> bool:
            if yes:
                return True
            from payinfra.report import plan

            with self.watch.paused():
                plan.planned(stderr(), planned, PlanFormat.TABLE)
                return typer.confirm(question, err=True)

        return ask

    def agree(self, yes: bool, question: str) -> None:
        """Ask for confirmation, unless `--yes` was given.

        Raises:
            GateFailed: the person said no.
        """
        if yes:
            return
        with self.watch.paused():
            if not typer.confirm(question, err=True):
                raise GateFailed("Nothing was changed: the answer was no.")


def to_job_summary(markdown: str) -> None:
    """Append to the job summary, if this is a job of GitHub Actions."""
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(markdown)


@contextmanager
def summary_for(env: str, file: Path | None) -> Iterator[Callable[[str], None]]:
    """Provide a function that writes a summary to a file and to the job summary; an error is written too."""

    def write(markdown: str) -> None:
        from payinfra.core.private_files import write_private

        if file is not None:
            write_private(file, markdown)
        to_job_summary(markdown)

    try:
        yield write
    except PayinfraError as error:
        from payinfra.report import job_summary

        write(job_summary.failed(env, error))
        raise


@contextmanager
def session(
    settings: "Settings", *, eager: bool = False, fresh: bool = False, fail_on: Severity = Severity.HIGH
) -> "Iterator[Session]":
    """Display a pipeline on stderr; the findings of a failed gate are shown before its error is raised."""
    from payinfra.deployment.pipeline import Pipeline
    from payinfra.deployment.results import ChecksFailed, ProbesFailed
    from payinfra.report.findings import rendering
    from payinfra.report.progress import watching

    try:
        with watching(stderr()) as watch:
            pipeline = Pipeline(settings, watch.emit, eager_bindings=eager, fail_on=fail_on, fresh=fresh)
            yield Session(pipeline, watch)
    except (ChecksFailed, ProbesFailed) as failed:
        rendering.write(stderr(), failed.outcome, FindingsFormat.TABLE, failed.fail_on)
        raise


def needs_a_person(yes: bool, command: str) -> None:
    """Require a terminal to ask at, or `--yes`.

    Raises:
        UsageProblem: there is neither.
    """
    if not yes and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageProblem(
            "There is no terminal to ask for confirmation.",
            f"Add --yes: `payinfra {command} --yes …` applies without asking.",
        )


def needs_a_shared_state(settings: "Settings", command: str, environ: Mapping[str, str] = os.environ) -> None:
    """Require a state bucket in CI: a job's folder, and local state in it, are lost after the job.

    CI systems set the variable CI. Without its state, nobody could update or destroy what the job deployed.

    Raises:
        UsageProblem: it is a CI job on AWS without a state bucket.
    """
    in_ci = environ.get("CI", "").lower() in ("1", "true", "yes")
    if in_ci and not settings.is_local and settings.state_bucket is None:
        raise UsageProblem(
            f"In CI, `{command}` on AWS needs its state in a bucket: this job's folder is gone after it.",
            "Create the bucket once with `payinfra bootstrap --state-bucket NAME`, then run "
            f"`{settings.command(command)} --state-bucket NAME`, or set PAYINFRA_STATE_BUCKET in CI.",
        )
