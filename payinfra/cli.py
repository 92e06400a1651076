"""The command line: parse, build Settings, call the pipeline, render, exit. Nothing else prints or exits."""

import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar, assert_never

import typer
from rich.console import Console

from payinfra.checks.verdicts import Severity
from payinfra.errors import ExitCode, PayinfraError, UsageProblem
from payinfra.formats import FindingsFormat, Format
from payinfra.options import STACK, WHERE, settings_from, with_settings

if TYPE_CHECKING:
    from payinfra.checks.outcome import Outcome
    from payinfra.local.control import Control
    from payinfra.pipeline import Confirm, Pipeline
    from payinfra.report.progress import Watch
    from payinfra.settings import Settings
    from payinfra.terraform import Plan

app = typer.Typer(
    name="payinfra",
    help="Take a two-region AWS payments backend from flags to verified, and rehearse the loss of a region.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
local_app = typer.Typer(no_args_is_help=True, help="The embedded AWS on this machine.")
fault_app = typer.Typer(no_args_is_help=True, help="Faults of the embedded AWS.")
checks_app = typer.Typer(no_args_is_help=True, help="The policy checks that there are.")
app.add_typer(local_app, name="local")
app.add_typer(checks_app, name="checks")
local_app.add_typer(fault_app, name="fault")


class FaultKind(StrEnum):
    """What can be made to fail in the embedded AWS."""

    BLACKOUT = "region-blackout"
    DELAY = "replication-delay"
    PAUSE = "replication-pause"


T = TypeVar("T")

FormatOption = Annotated[Format, typer.Option("--format", help="How to write the result to stdout.")]
EagerOption = Annotated[
    bool, typer.Option("--eager-bindings", help="Import cdktf's AWS bindings whole, the ordinary, slow way.")
]
FailOnOption = Annotated[
    Severity, typer.Option(help="The severity from which a finding of the policy checks fails the gate.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
AllowDestroyOption = Annotated[
    bool, typer.Option("--allow-destroy", help="Let the plan delete or replace a table, bucket, key or zone.")
]


def _begin_bindings(arguments: Mapping[str, object]) -> None:
    """Start cdktf's runtime beside everything else that a command does first."""
    from payinfra import bindings

    bindings.begin(eager=bool(arguments["eager_bindings"]))


def main(run: Callable[[], object] = app) -> None:
    """The console script: every failure becomes one message and the right exit code."""
    try:
        run()
    except PayinfraError as error:
        from payinfra.report.results import problem

        problem(_stderr(), error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        _stderr().print("Interrupted.")
        sys.exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # Whoever read stdout has seen enough. What is still buffered must not fail at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(ExitCode.DONE)
    except Exception:  # noqa: BLE001 - the one place where a bug is reported as what it is
        traceback.print_exc()
        _stderr().print("This is a bug in payinfra. Please report it with the lines above.")
        sys.exit(ExitCode.BUG)


@app.command()
@with_settings(STACK, first=_begin_bindings)
def synth(
    settings: "Settings", *, fmt: FormatOption = Format.TABLE, eager_bindings: EagerOption = False
) -> None:
    """Build the stack's Terraform, and list its resources by service and region."""
    from payinfra.report import stages

    with _session(settings, eager=eager_bindings) as session:
        synthesized = session.pipeline.synth()
    stages.synthesized(_stdout(), synthesized, fmt)


@app.command()
@with_settings(STACK, first=_begin_bindings)
def plan(
    settings: "Settings",
    *,
    out: Annotated[Path | None, typer.Option(help="Keep the plan here, for `deploy --plan`.")] = None,
    allow_destroy: AllowDestroyOption = False,
    fail_on: FailOnOption = Severity.HIGH,
    fmt: FormatOption = Format.TABLE,
    eager_bindings: EagerOption = False,
) -> None:
    """Show what a deployment would change."""
    from payinfra.report import stages
    from payinfra.terraform import guard

    with _session(settings, eager=eager_bindings, fail_on=fail_on) as session:
        planned = session.pipeline.plan(out=out)
    stages.planned(_stdout(), planned, fmt)
    guard(planned, allow_destroy)


@app.command()
@with_settings(STACK, first=_begin_bindings)
def deploy(
    settings: "Settings",
    *,
    saved_plan: Annotated[
        Path | None, typer.Option("--plan", help="Apply this plan, made by `plan --out`.")
    ] = None,
    all_at_once: Annotated[
        bool, typer.Option("--all-at-once", help="Update both regions together, not the secondary first.")
    ] = False,
    yes: YesOption = False,
    allow_destroy: AllowDestroyOption = False,
    fail_on: FailOnOption = Severity.HIGH,
    fmt: FormatOption = Format.TABLE,
    eager_bindings: EagerOption = False,
) -> None:
    """Synthesize, check, plan, apply, and send a payment through each region."""
    from payinfra.report import stages

    _needs_a_person(yes, "deploy")
    with _session(settings, eager=eager_bindings, fail_on=fail_on) as session:
        deployed = session.pipeline.deploy(
            session.confirm(yes, "Apply this plan?"),
            allow_destroy=allow_destroy,
            saved_plan=saved_plan,
            all_at_once=all_at_once,
        )
    stages.deployed(_stdout(), deployed, settings, fmt)


@app.command()
@with_settings(STACK)
def verify(
    settings: "Settings",
    *,
    only: Annotated[list[str] | None, typer.Option(help="Only these ids, or globs of them.")] = None,
    skip: Annotated[list[str] | None, typer.Option(help="Not these ids; they are listed.")] = None,
    deadline: Annotated[
        float | None, typer.Option(min=0.1, help="Seconds that no probe may exceed. Each has its own.")
    ] = None,
    drift: Annotated[
        bool, typer.Option("--drift", help="Also ask Terraform what was changed outside of it.")
    ] = False,
    watch: Annotated[
        float | None, typer.Option(min=1.0, help="Again every so many seconds, until interrupted.")
    ] = None,
    fail_on: Annotated[
        Severity, typer.Option(help="The severity from which a failed probe fails the command.")
    ] = Severity.LOW,
    fmt: Annotated[
        FindingsFormat, typer.Option("--format", help="How to write the findings to stdout.")
    ] = FindingsFormat.TABLE,
    eager_bindings: EagerOption = False,
) -> None:
    """Probe what was deployed: that everything works, in both regions and between them."""
    from payinfra.checks.probes.results import VerifyRequest
    from payinfra.pipeline import Pipeline
    from payinfra.report import verify as report
    from payinfra.report.findings import rendering

    pipeline = Pipeline(settings, eager_bindings=eager_bindings)
    before: Outcome | None = None
    while True:
        with report.watching(_stderr()) as tell:
            request = VerifyRequest(tuple(only or ()), tuple(skip or ()), deadline, tell)
            outcome = pipeline.verify(request, drift=drift)
        if before is None or fmt is not FindingsFormat.TABLE:
            rendering.write(_stdout(), outcome, fmt, fail_on)
        else:
            report.changed(_stdout(), before, outcome)
        _to_job_summary(rendering.text(outcome, FindingsFormat.MARKDOWN, fail_on))
        if watch is None:
            raise typer.Exit(outcome.exit_code(fail_on))
        before = outcome
        time.sleep(watch)


@app.command()
@with_settings(WHERE)
def status(settings: "Settings", *, fmt: FormatOption = Format.TABLE) -> None:
    """Show on one screen how the environment is: regions, endpoints, health, alarms, the last deployment."""
    from payinfra.pipeline import Pipeline
    from payinfra.report import status as report

    report.write_status(_stdout(), Pipeline(settings).status(), fmt)


@app.command()
@with_settings(STACK, first=_begin_bindings)
def destroy(
    settings: "Settings",
    *,
    yes: YesOption = False,
    yes_really: Annotated[
        str | None, typer.Option(metavar="ENV", help="A protected environment's name, once more.")
    ] = None,
    fmt: FormatOption = Format.TABLE,
    eager_bindings: EagerOption = False,
) -> None:
    """Delete every resource of the environment."""
    from payinfra.report import stages

    _needs_a_person(yes, "destroy")
    if settings.protected and (not yes or yes_really != settings.env):
        raise UsageProblem(
            f"Environment {settings.env} is protected.",
            f"To destroy it and its data for good: --yes --yes-really {settings.env}.",
        )
    with _session(settings, eager=eager_bindings) as session:
        destroyed = session.pipeline.destroy(
            session.confirm(yes, f"Destroy {settings.env} and all its data?")
        )
    stages.destroyed(_stdout(), destroyed, settings, fmt)


@app.command()
@with_settings(WHERE)
def outputs(settings: "Settings", *, fmt: FormatOption = Format.TABLE) -> None:
    """Print what the last deployment put where."""
    from payinfra.report import stages

    with _session(settings) as session:
        found = session.pipeline.outputs()
    stages.outputs(_stdout(), found, fmt)


@app.command("settings")
@with_settings(STACK)
def show_settings(settings: "Settings", *, fmt: FormatOption = Format.TABLE) -> None:
    """Print every setting, and where its value came from."""
    from payinfra.report import stages

    stages.settings(_stdout(), settings, fmt)


@app.command()
def doctor(*, fmt: FormatOption = Format.TABLE) -> None:
    """Look at everything that payinfra needs of this machine, and say how to get what is missing."""
    from payinfra import doctor as examine
    from payinfra.report import stages

    findings = examine.examine()
    stages.diagnosis(_stdout(), findings, fmt)
    if any(not finding.good for finding in findings):
        raise typer.Exit(ExitCode.UNUSABLE_ENVIRONMENT)


@app.command()
def version(*, fmt: FormatOption = Format.TABLE) -> None:
    """Print the version."""
    from payinfra import __version__
    from payinfra.report import results

    if fmt is Format.JSON:
        results.write_json(_stdout(), {"version": __version__})
    else:
        results.write(_stdout(), f"payinfra {__version__}")


# -- the policy checks -------------------------------------------------------------------------------------


@app.command()
def check(
    *,
    env: Annotated[
        str | None, typer.Option(help="The environment to synthesize and judge, or whose it is.")
    ] = None,
    manifest: Annotated[
        list[Path] | None, typer.Option(help="Judge this cdk.tf.json or Terraform JSON; may be repeated.")
    ] = None,
    source: Annotated[
        Path | None, typer.Option(help="Judge the Python files below this folder as well.")
    ] = None,
    local: Annotated[bool, typer.Option("--local", help="Judge the stack for the embedded AWS.")] = False,
    protected: Annotated[
        bool | None,
        typer.Option("--protected/--ephemeral", help="What the manifests are for.", show_default=False),
    ] = None,
    fail_on: FailOnOption = Severity.HIGH,
    select: Annotated[list[str] | None, typer.Option(help="Only these ids, or globs of them.")] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="Not these ids; they are listed.")] = None,
    waivers: Annotated[Path | None, typer.Option(help="Default: payinfra-waivers.toml, where it is.")] = None,
    with_checkov: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Merge what this checkov finds, as advice.")
    ] = None,
    fmt: Annotated[
        FindingsFormat, typer.Option("--format", help="How to write the findings to stdout.")
    ] = FindingsFormat.TABLE,
) -> None:
    """Judge the synthesized Terraform against the payment policy."""
    from payinfra.checks.api import CheckRequest, run_checks
    from payinfra.report.findings import rendering

    manifests = tuple(manifest or ())
    if not manifests and source is None:
        settings = settings_from({"env": env, "target": local or None, "protected": protected})
        with _session(settings) as session:
            manifests = (session.pipeline.synth().folder / "cdk.tf.json",)
        env, protected = settings.env, settings.protected
    outcome = run_checks(
        CheckRequest(
            manifests=manifests,
            source=source,
            env=env,
            protected=protected,
            select=tuple(select or ()),
            ignore=tuple(ignore or ()),
            waivers=waivers,
            checkov=with_checkov,
        )
    )
    rendering.write(_stdout(), outcome, fmt, fail_on)
    raise typer.Exit(outcome.exit_code(fail_on))


@checks_app.command("list")
def checks_list(*, fmt: FormatOption = Format.TABLE) -> None:
    """Print every check."""
    from payinfra.checks import catalogue
    from payinfra.report.findings import rules

    known = catalogue.load()
    if fmt is Format.JSON:
        typer.echo(rules.render_json([rules.as_json(rule, known.types_of(rule.id)) for rule in known.rules]))
    else:
        _stdout().print(rules.listed(known.rules))


@checks_app.command("explain")
def checks_explain(
    check_id: Annotated[str, typer.Argument(metavar="ID", help="A check's id, such as PI-S3-001.")],
    *,
    fmt: FormatOption = Format.TABLE,
) -> None:
    """Print what one check wants, why, and how to mend what it finds."""
    from payinfra.checks import catalogue
    from payinfra.report.findings import rules

    known = catalogue.load()
    rule = known.rule(check_id)
    types = known.types_of(rule.id)
    typer.echo(
        rules.render_json([rules.as_json(rule, types)])
        if fmt is Format.JSON
        else rules.explained(rule, types)
    )


# -- the embedded AWS --------------------------------------------------------------------------------------

WorkRootOption = Annotated[
    Path, typer.Option("--work-root", envvar="PAYINFRA_WORK_ROOT", help="Folder of the embedded AWS's state.")
]
PrimaryOption = Annotated[str, typer.Option("--primary-region", envvar="PAYINFRA_PRIMARY_REGION")]
SecondaryOption = Annotated[str, typer.Option("--secondary-region", envvar="PAYINFRA_SECONDARY_REGION")]
WORK_ROOT = Path(".payinfra")


@local_app.command("up")
def local_up(
    *,
    work_root: WorkRootOption = WORK_ROOT,
    primary_region: PrimaryOption = "us-east-1",
    secondary_region: SecondaryOption = "us-west-2",
    time_scale: Annotated[
        float, typer.Option(min=1.0, max=1000.0, help="How many times faster than real its time runs.")
    ] = 1.0,
    fmt: FormatOption = Format.TABLE,
) -> None:
    """Start the embedded AWS, or find it running."""
    from payinfra.local import server
    from payinfra.local.endpoints import base_port
    from payinfra.report import local as report
    from payinfra.report.progress import watching
    from payinfra.tools import SERVER_FOLDER

    with watching(_stderr()) as watch:
        folder, regions = work_root / SERVER_FOLDER, (primary_region, secondary_region)
        server.up(folder, regions, base_port=base_port(os.environ), time_scale=time_scale, emit=watch.emit)
    report.status(_stdout(), server.status(work_root / SERVER_FOLDER), fmt)


@local_app.command("down")
def local_down(*, work_root: WorkRootOption = WORK_ROOT) -> None:
    """Stop the embedded AWS. What it holds is kept for the next start."""
    from payinfra.local import server
    from payinfra.tools import SERVER_FOLDER

    stopped = server.down(work_root / SERVER_FOLDER)
    _stderr().print("Stopped the embedded AWS." if stopped else "The embedded AWS is not running.")


@local_app.command("status")
def local_status(*, work_root: WorkRootOption = WORK_ROOT, fmt: FormatOption = Format.TABLE) -> None:
    """Print where the embedded AWS answers, and which faults are in place."""
    from payinfra.local import server
    from payinfra.report import local as report
    from payinfra.tools import SERVER_FOLDER

    found = server.status(work_root / SERVER_FOLDER)
    report.status(_stdout(), found, fmt)
    if found is None:
        raise typer.Exit(ExitCode.UNUSABLE_ENVIRONMENT)


@local_app.command("logs")
def local_logs(
    *,
    work_root: WorkRootOption = WORK_ROOT,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many of the last lines.")] = 50,
) -> None:
    """Print the last lines of the embedded AWS's log."""
    from payinfra.local import server
    from payinfra.tools import SERVER_FOLDER

    typer.echo(server.log_tail(work_root / SERVER_FOLDER, lines))


@fault_app.command("list")
def fault_list(*, work_root: WorkRootOption = WORK_ROOT, fmt: FormatOption = Format.TABLE) -> None:
    """Print the faults that are in place."""
    from payinfra.report import local as report

    report.faults(_stdout(), _control(work_root).list(), fmt)


@fault_app.command("inject")
def fault_inject(
    kind: Annotated[FaultKind, typer.Argument(help="What is to fail.")],
    *,
    region: Annotated[str | None, typer.Option(help="The region that answers nothing.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0.0, help="How late replication is.")] = None,
    jitter: Annotated[float, typer.Option(min=0.0, help="Give or take so many seconds.")] = 0.0,
    work_root: WorkRootOption = WORK_ROOT,
    fmt: FormatOption = Format.TABLE,
) -> None:
    """Make something fail until it is cleared."""
    from payinfra.local import faults
    from payinfra.report import local as report

    match kind:
        case FaultKind.BLACKOUT:
            fault: faults.Fault = faults.RegionBlackout(_given(region, "--region REGION", kind))
        case FaultKind.DELAY:
            fault = faults.ReplicationDelay(_given(seconds, "--seconds SECONDS", kind), jitter)
        case FaultKind.PAUSE:
            fault = faults.ReplicationPause()
        case _:
            assert_never(kind)
    report.faults(_stdout(), (_control(work_root).inject(fault),), fmt)


@fault_app.command("clear")
def fault_clear(
    fault_id: Annotated[str | None, typer.Argument(help="The fault's id.")] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Clear every fault.")] = False,
    work_root: WorkRootOption = WORK_ROOT,
    fmt: FormatOption = Format.TABLE,
) -> None:
    """End one fault, or all of them."""
    from payinfra.report import local as report

    if everything == (fault_id is not None):
        raise UsageProblem(
            "Which fault?", "Give one fault's id, or --all; `payinfra local fault list` shows them."
        )
    report.faults(_stdout(), _control(work_root).clear(fault_id), fmt)


# -- edges -------------------------------------------------------------------------------------------------


def _stdout() -> Console:
    return Console(soft_wrap=False)


def _stderr() -> Console:
    return Console(stderr=True)


@dataclass(frozen=True)
class _Session:
    """A pipeline, and the view on stderr that follows it."""

    pipeline: "Pipeline"
    watch: "Watch"

    def confirm(self, yes: bool, question: str) -> "Confirm":
        """Show the plan and ask, unless `--yes` was said."""

        def ask(planned: "Plan") -> bool:
            if yes:
                return True
            from payinfra.report import stages

            with self.watch.paused():
                stages.planned(_stderr(), planned, Format.TABLE)
                return typer.confirm(question, err=True)

        return ask


def _control(work_root: Path) -> "Control":
    from payinfra.local.control import Control
    from payinfra.tools import SERVER_FOLDER

    return Control.of((work_root / SERVER_FOLDER).absolute())


def _to_job_summary(markdown: str) -> None:
    """Append to the summary of a job of GitHub Actions, where this is one."""
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(markdown)


def _given(value: T | None, option: str, kind: FaultKind) -> T:
    if value is None:
        raise UsageProblem(f"{kind} needs {option}.", f"payinfra local fault inject {kind} {option}")
    return value


@contextmanager
def _session(
    settings: "Settings", *, eager: bool = False, fail_on: Severity = Severity.HIGH
) -> "Iterator[_Session]":
    from payinfra.pipeline import Pipeline
    from payinfra.report.findings import rendering
    from payinfra.report.progress import watching
    from payinfra.results import ChecksFailed, ProbesFailed

    try:
        with watching(_stderr()) as watch:
            yield _Session(Pipeline(settings, watch.emit, eager_bindings=eager, fail_on=fail_on), watch)
    except (ChecksFailed, ProbesFailed) as failed:
        rendering.write(_stderr(), failed.outcome, FindingsFormat.TABLE, failed.fail_on)
        raise


def _needs_a_person(yes: bool, command: str) -> None:
    if not yes and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageProblem(
            "There is no terminal to ask at.",
            f"Say --yes: payinfra {command} --yes … applies without asking.",
        )


if __name__ == "__main__":  # pragma: no cover
    main()
