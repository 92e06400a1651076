"""The failover drill as a command."""

import shlex
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from payinfra.commands import completion
from payinfra.commands.options import WHERE, with_settings
from payinfra.commands.session import (
    YesOption,
    even_if_nobody_reads,
    needs_a_person,
    say,
    session,
    stderr,
    stdout,
    to_job_summary,
)
from payinfra.core.errors import GateFailed, Interrupted, NotRestored, UsageProblem
from payinfra.drill.model import DrillRequest, LoadEngine
from payinfra.report.formats import FORMAT_VARIABLE, DrillFormat

if TYPE_CHECKING:
    from payinfra.core.settings import Settings
    from payinfra.core.stop_signals import DeferredSignals
    from payinfra.drill.clock import Stop
    from payinfra.drill.environment import DrillEnvironment
    from payinfra.drill.model import DrillReport

app = typer.Typer()

DEFAULTS = DrillRequest()
MOST_A_SECOND = 500.0
"""What the embedded generator can send …"""
MOST_WITH_WORKERS = 100_000.0
"""… and a bound for a slip of the finger, with workers."""
SECOND = 1.0
PERCENT = 100.0


class DrillCommand(TyperCommand):
    """A command whose help names every fault. They are imported when the command is used, not before."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The command's parameters, with the faults' names in place of a type."""
        params: list[Any] = super().get_params(ctx)
        for one in params:
            if one.name == "scenario":
                one.metavar = f"[{'|'.join(completion.faults(''))}]"
        return params


@app.command("failover-drill", cls=DrillCommand)
@with_settings(WHERE, found=True)
def failover_drill(
    settings: "Settings",
    *,
    scenario: Annotated[
        list[str] | None,
        typer.Option(
            autocompletion=completion.faults,
            envvar="PAYINFRA_DRILL_SCENARIO",
            help="What is made to fail; may be repeated. Default health-check.",
            show_default=False,
        ),
    ] = None,
    reverse: Annotated[
        bool, typer.Option("--reverse", envvar="PAYINFRA_DRILL_REVERSE", help="Lose the secondary instead.")
    ] = False,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            max=MOST_WITH_WORKERS,
            envvar="PAYINFRA_DRILL_RATE",
            help="Payments a second to send. Default: 5, or with --local what the machine can carry.",
            show_default=False,
        ),
    ] = DEFAULTS.rate,
    rto: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            envvar="PAYINFRA_DRILL_RTO",
            help="Seconds within which the other region must serve every client. Default: what is predicted.",
        ),
    ] = None,
    rpo: Annotated[
        int,
        typer.Option(
            min=0,
            envvar="PAYINFRA_DRILL_RPO",
            help="Acknowledged payments that the survivor may lack at the failover.",
        ),
    ] = DEFAULTS.rpo,
    rpo_seconds: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            envvar="PAYINFRA_DRILL_RPO_SECONDS",
            help="Seconds before the loss within which the oldest of these must have been acknowledged.",
        ),
    ] = DEFAULTS.rpo_s,
    unacknowledged: Annotated[
        int,
        typer.Option(
            min=0,
            envvar="PAYINFRA_DRILL_UNACKNOWLEDGED",
            help="Payments that may never be acknowledged.",
        ),
    ] = DEFAULTS.unacknowledged,
    first_attempt: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=100.0,
            envvar="PAYINFRA_DRILL_FIRST_ATTEMPT",
            help="Percent of payments that must succeed at the first attempt while the survivor serves.",
        ),
    ] = DEFAULTS.first_attempt * PERCENT,
    latency: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            envvar="PAYINFRA_DRILL_LATENCY",
            help="Seconds that the 95th percentile of latency may take while the survivor serves. Default: "
            "three times what it was before, and 1 at least.",
        ),
    ] = DEFAULTS.latency_s,
    warm_up: Annotated[
        float,
        typer.Option(
            min=SECOND,
            envvar="PAYINFRA_DRILL_WARM_UP",
            help="Seconds of payments, at least, before anything fails.",
        ),
    ] = DEFAULTS.warm_up_s,
    hold: Annotated[
        float,
        typer.Option(
            min=SECOND,
            envvar="PAYINFRA_DRILL_HOLD",
            help="Seconds for which the other region serves before the fault is taken away.",
        ),
    ] = DEFAULTS.hold_s,
    in_a_row: Annotated[
        int,
        typer.Option(
            min=1, envvar="PAYINFRA_DRILL_IN_A_ROW", help="Payments in a row that count as serving."
        ),
    ] = DEFAULTS.in_a_row,
    time_scale: Annotated[
        float,
        typer.Option(
            min=1.0,
            max=1000.0,
            envvar="PAYINFRA_DRILL_TIME_SCALE",
            help="How many times faster than real the embedded AWS's time runs.",
        ),
    ] = DEFAULTS.time_scale,
    load: Annotated[
        LoadEngine,
        typer.Option(
            envvar="PAYINFRA_DRILL_LOAD",
            help="What sends the payments: payinfra's own generator, or Locust's in processes of their own.",
        ),
    ] = DEFAULTS.load,
    workers: Annotated[
        int,
        typer.Option(
            min=1, max=1000, envvar="PAYINFRA_DRILL_WORKERS", help="Processes of Locust that send payments."
        ),
    ] = DEFAULTS.workers,
    listen: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT",
            envvar="PAYINFRA_DRILL_LISTEN",
            help="Start none of them here: wait on this loopback address for `payinfra load-worker`.",
        ),
    ] = DEFAULTS.listen,
    locustfile: Annotated[
        Path | None,
        typer.Option(
            envvar="PAYINFRA_DRILL_LOCUSTFILE",
            help="Users of your own for Locust, which subclass payinfra's PaymentUser.",
        ),
    ] = DEFAULTS.locustfile,
    yes: YesOption = False,
    yes_really: Annotated[
        str | None, typer.Option(metavar="ENV", help="A protected environment's name, once more.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show every call that would be made, and make none.")
    ] = False,
    restore: Annotated[
        bool, typer.Option("--restore", help="Put back what a drill that did not end has left.")
    ] = False,
    report: Annotated[
        list[Path] | None,
        typer.Option(
            envvar="PAYINFRA_DRILL_REPORT",
            help="Write the report here as well, as its ending says: .html, .md, .json, .xml (JUnit).",
        ),
    ] = None,
    fmt: Annotated[
        DrillFormat,
        typer.Option("--format", envvar=FORMAT_VARIABLE, help="How to write the report to stdout."),
    ] = DrillFormat.TABLE,
) -> None:
    """Lose a region on purpose, measure it, lose no payment, and put everything back."""
    from payinfra.drill.clock import Stop
    from payinfra.drill.faults.registry import fault_named
    from payinfra.drill.signals import heeded

    files = tuple((file, format_of(file)) for file in report or ())
    if not (dry_run or restore):
        needs_a_person(yes, "failover-drill")
    request = DrillRequest(
        scenarios=tuple(fault_named(name).name for name in scenario or DEFAULTS.scenarios),
        reverse=reverse,
        rate=rate,
        rto_s=rto,
        rpo=rpo,
        rpo_s=rpo_seconds,
        unacknowledged=unacknowledged,
        first_attempt=first_attempt / PERCENT,
        latency_s=latency,
        warm_up_s=warm_up,
        hold_s=hold,
        in_a_row=in_a_row,
        time_scale=time_scale,
        load=load,
        workers=workers,
        listen=listen,
        locustfile=locustfile,
    )
    if load is LoadEngine.EMBEDDED:
        refuse_for_the_embedded_generator(request)
    if restore:
        restore_all(settings, fmt)
        return
    with session(settings) as view:
        environment = view.pipeline.drill_environment()
    stop = Stop()
    with heeded(stop, say) as signals:
        with refusals_of(stop):
            found = _drill(
                environment, request, stop, signals, dry_run=dry_run, yes=yes, yes_really=yes_really
            )
        if found is not None:
            _hand_out(found, fmt, files, environment)
            judge(found, stop)


@contextmanager
def refusals_of(stop: "Stop") -> Iterator[None]:
    """Let a drill that does not begin end as interrupted where a signal had asked for its end meanwhile.

    Raises:
        Interrupted: a signal came before the drill was refused.
        GateFailed: the drill was refused.
    """
    try:
        yield
    except GateFailed as refused:
        if not stop.wanted:
            raise
        raise Interrupted("The drill was interrupted before it began.") from refused


def refuse_for_the_embedded_generator(request: DrillRequest) -> None:
    """Refuse what only workers can do.

    Raises:
        UsageProblem: the rate is too high, or it is said how there are workers.
    """
    if request.payments_a_second > MOST_A_SECOND:
        raise UsageProblem(
            f"payinfra's own generator sends {MOST_A_SECOND:g} payments a second at most.",
            "Add --load locust, and as many --workers as that takes.",
        )
    if request.listen or request.locustfile is not None or request.workers != DEFAULTS.workers:
        raise UsageProblem(
            "--workers, --listen and --locustfile are for a load of Locust's.", "Add --load locust."
        )


def _drill(
    environment: "DrillEnvironment",
    request: DrillRequest,
    stop: "Stop",
    signals: "DeferredSignals",
    *,
    dry_run: bool,
    yes: bool,
    yes_really: str | None,
) -> "DrillReport | None":
    """Prepare, ask, and run; nothing where only the calls were wanted."""
    from payinfra.drill import session as session_module
    from payinfra.report.drill import live, preview

    command = command_line(environment, request)
    if not dry_run:
        allow(environment.env, protected=environment.outputs.declared.protected, yes_really=yes_really)
    if yes and not dry_run:
        with (
            live.watching(stderr()) as tell,
            session_module.prepared(environment, request, stop, command, tell) as prepared,
        ):
            return session_module.run(prepared, tell)
    with ExitStack() as until_the_end:
        with signals.interruptible():
            prepared = until_the_end.enter_context(
                session_module.prepared(environment, request, stop, command)
            )
            out = stdout() if dry_run else stderr()
            preview.write_preview(out, prepared.header, prepared.calls, prepared.prediction)
            if dry_run:
                return None
            with prepared.clock.standing():
                if not typer.confirm("Begin the drill?", err=True):
                    raise GateFailed("Nothing was done: the drill was not confirmed.")
        with live.watching(stderr()) as tell:
            return session_module.run(prepared, tell)


def allow(env: str, *, protected: bool, yes_really: str | None) -> None:
    """Let a protected environment be drilled only by who names it once more.

    Raises:
        UsageProblem: it was not named, or another one was.
    """
    if yes_really is not None and yes_really != env:
        raise UsageProblem(f"--yes-really says {yes_really}; the environment is {env}.")
    if protected and yes_really is None:
        raise UsageProblem(f"Environment {env} is protected.", f"To drill it: --yes-really {env}.")


def _hand_out(
    found: "DrillReport",
    fmt: DrillFormat,
    files: tuple[tuple[Path, DrillFormat], ...],
    environment: "DrillEnvironment",
) -> None:
    """The report to the drill's folder, to stdout, to the files that were asked for, to the job's summary.

    What is not restored is said without waiting for pages to be drawn: `drills show` draws them later.
    """
    from payinfra.drill import report_store
    from payinfra.report.drill import rendering

    folder = environment.drills / found.id
    report_store.save(found, folder)
    with even_if_nobody_reads():
        rendering.write(stdout(), found, fmt)
    to_job_summary(rendering.text(found, DrillFormat.MARKDOWN))
    if not found.restoration.left:
        rendering.write_pages(folder, found)
        for file, how in files:
            rendering.write_file(file, found, how)


def judge(found: "DrillReport", stop: "Stop") -> None:
    """End as the drill has.

    Raises:
        NotRestored: something is not as it was, whatever else happened.
        Interrupted: a signal ended it, and everything is as it was.
        GateFailed: a verdict is FAIL or INCONCLUSIVE.
    """
    from payinfra.drill.faults.journal import restore_command
    from payinfra.drill.session import what_is_left

    if left := what_is_left(found):
        raise NotRestored(
            f"Not everything is as it was: {' '.join(left)}",
            f"Put it back with `{restore_command(found.env, found.target)}`.",
        )
    if stop.wanted:
        raise Interrupted("The drill was interrupted. Everything is as it was.")
    if found.reasons:
        raise GateFailed(f"The drill failed: {' '.join(found.reasons)}")
    if not found.passed:
        steps = dict.fromkeys(doubt.next_step for doubt in found.doubts if doubt.next_step)
        raise GateFailed(
            f"The drill is inconclusive: {' '.join(doubt.what for doubt in found.doubts)}", " ".join(steps)
        )


def restore_all(settings: "Settings", fmt: DrillFormat) -> None:
    """Put back what drills have left. A signal does not cut that short: it ends the command afterwards.

    Raises:
        NotRestored, Interrupted: as for `put_back`.
        EnvironmentUnusable: the environment was never deployed from here, cannot be reached, or is in use.
    """
    from payinfra.drill.clock import Stop
    from payinfra.drill.signals import heeded

    stop = Stop()
    with heeded(stop, say):
        with session(settings) as view:
            environment = view.pipeline.drill_environment()
        put_back(environment, fmt, stop)


def put_back(environment: "DrillEnvironment", fmt: DrillFormat, stop: "Stop") -> None:
    """Put back what drills have left, and say what that came to.

    Raises:
        NotRestored: something is not as it was.
        Interrupted: a signal asked for the end, and everything is as it was.
    """
    from payinfra.drill import restoration
    from payinfra.report.drill import restored

    found = restoration.restore_all(environment, say)
    with even_if_nobody_reads():
        restored.write_restored(stdout(), found, fmt)
    if not all(one.whole for one in found):
        raise NotRestored(
            "Not everything is as it was.", "Mend what is named above, then run the same command again."
        )
    if stop.wanted:
        raise Interrupted("The restoration was interrupted, and went on to its end. Everything is as it was.")


def command_line(environment: "DrillEnvironment", request: DrillRequest) -> str:
    """What repeats a drill: nothing that is as by default."""
    words = [f"payinfra failover-drill --env {environment.env}"]
    if not environment.on_aws:
        words.append("--local")
    if request.scenarios != DEFAULTS.scenarios:
        words += (f"--scenario {scenario}" for scenario in request.scenarios)
    if request.reverse:
        words.append("--reverse")
    figures: tuple[tuple[str, float | None, float | None], ...] = (
        ("rate", request.rate, DEFAULTS.rate),
        ("rto", request.rto_s, DEFAULTS.rto_s),
        ("rpo", request.rpo, DEFAULTS.rpo),
        ("rpo-seconds", request.rpo_s, DEFAULTS.rpo_s),
        ("unacknowledged", request.unacknowledged, DEFAULTS.unacknowledged),
        ("first-attempt", request.first_attempt * PERCENT, DEFAULTS.first_attempt * PERCENT),
        ("latency", request.latency_s, DEFAULTS.latency_s),
        ("warm-up", request.warm_up_s, DEFAULTS.warm_up_s),
        ("hold", request.hold_s, DEFAULTS.hold_s),
        ("in-a-row", request.in_a_row, DEFAULTS.in_a_row),
        ("time-scale", request.time_scale, DEFAULTS.time_scale),
    )
    words += (f"--{name} {value:g}" for name, value, default in figures if value != default)
    if request.load is not DEFAULTS.load:
        words.append(f"--load {request.load} --workers {request.workers}")
        if request.listen:
            words.append(f"--listen {request.listen}")
        if request.locustfile is not None:
            words.append(f"--locustfile {shlex.quote(str(request.locustfile))}")
    return " ".join(words)


_ENDINGS = {
    ".html": DrillFormat.HTML,
    ".md": DrillFormat.MARKDOWN,
    ".json": DrillFormat.JSON,
    ".xml": DrillFormat.JUNIT,
}


def format_of(file: Path) -> DrillFormat:
    """What kind of report a file's ending asks for.

    Raises:
        UsageProblem: it ends in nothing that is known.
    """
    try:
        return _ENDINGS[file.suffix.lower()]
    except KeyError:
        raise UsageProblem(
            f"What kind of report is {file.name}?", f"Let it end in {', '.join(_ENDINGS)}."
        ) from None
