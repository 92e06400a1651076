"""Commands for the stages of a deployment, and for the status of an environment."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from payinfra.checks.verdicts import Severity
from payinfra.commands import completion
from payinfra.commands.options import STACK, WHERE, with_settings
from payinfra.commands.payments import region_of
from payinfra.commands.session import (
    AllowDestroyOption,
    EagerOption,
    FailOnOption,
    FormatOption,
    FreshOption,
    SummaryOption,
    YesOption,
    needs_a_person,
    needs_a_shared_state,
    session,
    stderr,
    stdout,
    summary_for,
    to_job_summary,
)
from payinfra.core.errors import ExitCode, UsageProblem
from payinfra.report.formats import FORMAT_VARIABLE, FindingsFormat, Format, PlanFormat
from payinfra.report.printable import visible

if TYPE_CHECKING:
    from payinfra.checks.outcome import Outcome
    from payinfra.core.settings import Settings
    from payinfra.terraform import Plan

app = typer.Typer()


@app.command()
@with_settings(STACK)
def synth(
    settings: "Settings",
    *,
    fmt: FormatOption = Format.TABLE,
    fresh: FreshOption = False,
    eager_bindings: EagerOption = False,
) -> None:
    """Build the stack's Terraform, and list its resources by service and region."""
    from payinfra.report import deploy as deploy_module

    with session(settings, eager=eager_bindings, fresh=fresh) as view:
        synthesized = view.pipeline.synth()
    deploy_module.synthesized(stdout(), synthesized, fmt)


@app.command()
@with_settings(STACK)
def plan(
    settings: "Settings",
    *,
    out: Annotated[
        Path | None, typer.Option(help="Write the plan to this file, for `deploy --plan`.")
    ] = None,
    allow_destroy: AllowDestroyOption = False,
    fail_on: FailOnOption = Severity.HIGH,
    full: Annotated[
        bool,
        typer.Option("--full", help="Show each resource by itself, whole values, and what is only read."),
    ] = False,
    fmt: Annotated[
        PlanFormat, typer.Option("--format", envvar=FORMAT_VARIABLE, help="Format of the plan on stdout.")
    ] = PlanFormat.TABLE,
    fresh: FreshOption = False,
    eager_bindings: EagerOption = False,
) -> None:
    """Show what a deployment would change, by region and service, with each value before and after."""
    from payinfra.report import plan as report
    from payinfra.terraform import guard

    with session(settings, eager=eager_bindings, fresh=fresh, fail_on=fail_on) as view:
        planned = view.pipeline.plan(out=out)
    report.planned(stdout(), planned, fmt, full=full)
    guard(planned, allow_destroy)


@app.command()
@with_settings(STACK)
def deploy(
    settings: "Settings",
    *,
    saved_plan: Annotated[
        Path | None,
        typer.Option("--plan", envvar="PAYINFRA_DEPLOY_PLAN", help="Apply this plan file from `plan --out`."),
    ] = None,
    all_at_once: Annotated[
        bool,
        typer.Option("--all-at-once", help="Update both regions at once instead of the secondary first."),
    ] = False,
    allow_single_region: Annotated[
        bool,
        typer.Option("--allow-single-region", help="Change a region even while the other does not serve."),
    ] = False,
    surviving: Annotated[
        str | None,
        typer.Option(
            "--surviving",
            metavar="REGION",
            help="Change what stands in this region alone, with no call to the other one.",
        ),
    ] = None,
    yes: YesOption = False,
    allow_destroy: AllowDestroyOption = False,
    fail_on: FailOnOption = Severity.HIGH,
    summary: SummaryOption = None,
    fmt: FormatOption = Format.TABLE,
    fresh: FreshOption = False,
    eager_bindings: EagerOption = False,
) -> None:
    """Synthesize, check, plan, apply, and send a payment through each region."""
    from payinfra.deployment.results import PROBES_FAIL_ON
    from payinfra.report import deploy as deploy_module
    from payinfra.report import job_summary

    needs_a_person(yes, "deploy")
    needs_a_shared_state(settings, "deploy")
    if surviving and (saved_plan or all_at_once or allow_single_region):
        raise UsageProblem(
            "--surviving makes a plan of its own, for one region.",
            "Leave out --plan, --all-at-once and --allow-single-region.",
        )
    with summary_for(settings.env, summary) as summarize:
        with session(settings, eager=eager_bindings, fresh=fresh, fail_on=fail_on) as view:
            confirm = view.confirm(yes, "Apply this plan?")
            deployed = (
                view.pipeline.deploy_surviving(surviving, confirm, allow_destroy=allow_destroy)
                if surviving
                else view.pipeline.deploy(
                    confirm,
                    allow_destroy=allow_destroy,
                    saved_plan=saved_plan,
                    all_at_once=all_at_once,
                    allow_single_region=allow_single_region,
                )
            )
        summarize(job_summary.deployed(settings.env, deployed, PROBES_FAIL_ON))
    deploy_module.deployed(stdout(), deployed, settings, fmt)


@app.command()
@with_settings(STACK, found=True)
def verify(
    settings: "Settings",
    *,
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="Run only these ids or globs; may be repeated.", autocompletion=completion.probe_ids
        ),
    ] = None,
    skip: Annotated[
        list[str] | None,
        typer.Option(
            help="Skip these ids or globs (reported as skipped); may be repeated.",
            autocompletion=completion.probe_ids,
        ),
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(
            metavar="primary|secondary|NAME",
            help="Look at this region only, within 15 s, whatever the other one does.",
        ),
    ] = None,
    deadline: Annotated[
        float | None,
        typer.Option(min=0.1, help="Maximum seconds for each probe. Default: each probe's own deadline."),
    ] = None,
    drift: Annotated[
        bool, typer.Option("--drift", help="Also ask Terraform for changes made outside of it.")
    ] = False,
    watch: Annotated[
        float | None, typer.Option(min=1.0, help="Repeat every N seconds until interrupted.")
    ] = None,
    fail_on: Annotated[
        Severity, typer.Option(help="Lowest severity at which a failed probe fails the command.")
    ] = Severity.LOW,
    fmt: Annotated[
        FindingsFormat,
        typer.Option("--format", envvar=FORMAT_VARIABLE, help="Format of the findings on stdout."),
    ] = FindingsFormat.TABLE,
    eager_bindings: EagerOption = False,
) -> None:
    """Probe the deployed environment, in both regions and between them."""
    from payinfra.checks.probes.drill_faults import is_left
    from payinfra.checks.probes.results import VerifyRequest
    from payinfra.checks.probes.verify import chosen_probes
    from payinfra.deployment.pipeline import Pipeline
    from payinfra.report import verify as report
    from payinfra.report.findings import rendering
    from payinfra.report.progress import notices

    # Before anything is asked of the environment: a name that is wrong stays wrong.
    chosen_probes(VerifyRequest(tuple(only or ()), tuple(skip or ()), project=settings.project))
    pipeline = Pipeline(settings, notices(stderr()), eager_bindings=eager_bindings)
    regions = (region_of(pipeline.outputs(), region).region,) if region else ()
    before: Outcome | None = None
    while True:
        with report.watching(stderr()) as tell:
            request = VerifyRequest(tuple(only or ()), tuple(skip or ()), deadline, tell, regions)
            outcome = pipeline.verify(request, drift=drift)
        if before is None or fmt is not FindingsFormat.TABLE:
            rendering.write(stdout(), outcome, fmt, fail_on)
        else:
            report.changed(stdout(), before, outcome)
        to_job_summary(rendering.text(outcome, FindingsFormat.MARKDOWN, fail_on))
        if watch is None:
            raise typer.Exit(ExitCode.NOT_RESTORED if is_left(outcome) else outcome.exit_code(fail_on))
        before = outcome
        time.sleep(watch)


@app.command()
@with_settings(WHERE, found=True)
def status(settings: "Settings", *, fmt: FormatOption = Format.TABLE) -> None:
    """Show the status of the environment: regions, endpoints, health, alarms, last deployment and drill."""
    from payinfra.deployment.pipeline import Pipeline
    from payinfra.report import status as report
    from payinfra.report.progress import notices

    found = Pipeline(settings, notices(stderr())).status()
    report.write_status(stdout(), found, fmt)
    if found.in_place:
        raise typer.Exit(ExitCode.NOT_RESTORED)


@app.command()
@with_settings(STACK)
def destroy(
    settings: "Settings",
    *,
    yes: YesOption = False,
    yes_really: Annotated[
        str | None, typer.Option(metavar="ENV", help="Name of the protected environment, to confirm.")
    ] = None,
    if_exists: Annotated[
        bool, typer.Option("--if-exists", help="End well, too, where there is no such environment.")
    ] = False,
    summary: SummaryOption = None,
    fmt: FormatOption = Format.TABLE,
    fresh: FreshOption = False,
    eager_bindings: EagerOption = False,
) -> None:
    """Delete every resource of the environment."""
    from payinfra.report import deploy as deploy_module
    from payinfra.report import job_summary

    needs_a_person(yes, "destroy")
    needs_a_shared_state(settings, "destroy")
    is_named = yes and yes_really == settings.env
    _needs_its_name(settings.env, settings.protected and not is_named)
    with summary_for(settings.env, summary) as summarize:
        with session(settings, eager=eager_bindings, fresh=fresh) as view:
            ask = view.confirm(yes, f"Destroy {settings.env} and all its data?")

            def confirm(plan: "Plan") -> bool:
                _needs_its_name(settings.env, bool(plan.protected) and not is_named)
                return ask(plan)

            destroyed = view.pipeline.destroy(confirm, missing_ok=if_exists)
        summarize(job_summary.destroyed(settings.env, destroyed))
    deploy_module.destroyed(stdout(), destroyed, settings, fmt)


def _needs_its_name(env: str, is_refused: bool) -> None:
    if is_refused:
        raise UsageProblem(
            f"Environment {env} is protected.",
            f"To destroy it and its data permanently, add --yes --yes-really {env}.",
        )


@app.command()
@with_settings(STACK)
def adopt(
    settings: "Settings",
    *,
    yes: YesOption = False,
    fmt: FormatOption = Format.TABLE,
    fresh: FreshOption = False,
    eager_bindings: EagerOption = False,
) -> None:
    """Import an environment whose Terraform state is lost into a new state. Changes nothing on AWS.

    Give the flags that the environment was deployed with. What bears its tags or name and is not in the stack
    is listed and left alone.
    """
    from payinfra.report import deploy as deploy_module

    needs_a_person(yes, "adopt")
    needs_a_shared_state(settings, "adopt")
    with session(settings, eager=eager_bindings, fresh=fresh) as view:
        adopted = view.pipeline.adopt(view.confirm(yes, f"Take these into the state of {settings.env}?"))
    deploy_module.adopted(stdout(), adopted, settings, fmt)
    raise typer.Exit(adopted.exit_code)


@app.command()
@with_settings(STACK)
def unlock(
    settings: "Settings",
    lock: Annotated[str, typer.Argument(help="Id of the lock, as the message about it gives it.")],
    *,
    yes: YesOption = False,
    eager_bindings: EagerOption = False,
) -> None:
    """Release the lock of the Terraform state that a run which is gone has left.

    Only where no run can be under way: two at once can lose track of resources.
    """
    needs_a_person(yes, "unlock")
    with session(settings, eager=eager_bindings) as view:
        view.agree(yes, f"Release the lock {lock} of {settings.env}? No run may be under way.")
        released = view.pipeline.unlock(lock)
    there = f"The lock {visible(lock)} of {settings.env} is released."
    typer.echo(
        there if released else "Nothing to release: the lock of a state in a folder ends with its run."
    )


@app.command()
@with_settings(WHERE, found=True)
def outputs(
    settings: "Settings",
    *,
    everything: Annotated[
        bool, typer.Option("--all", envvar="PAYINFRA_OUTPUTS_ALL", help="Every output, ids and ARNs too.")
    ] = False,
    fmt: FormatOption = Format.TABLE,
) -> None:
    """Print what the last deployment made: endpoints, names, and with --all every output."""
    from payinfra.report import deploy as deploy_module

    with session(settings) as view:
        found = view.pipeline.outputs()
    deploy_module.outputs(stdout(), found, fmt, everything=everything)


@app.command("settings")
@with_settings(STACK)
def show_settings(settings: "Settings", *, fmt: FormatOption = Format.TABLE) -> None:
    """Print every setting with its value and source."""
    from payinfra.report import deploy as deploy_module

    deploy_module.settings(stdout(), settings, fmt)
