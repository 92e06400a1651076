"""Commands for the environments of an account: list, reap, rotate their API keys."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from payinfra.commands.options import ACCOUNT, STACK, with_settings
from payinfra.commands.session import FormatOption, YesOption, needs_a_person, session, stderr, stdout
from payinfra.core.errors import EnvironmentUnusable, ExitCode, UsageProblem
from payinfra.report.formats import Format

if TYPE_CHECKING:
    from payinfra.account.environments.model import EnvironmentInventory
    from payinfra.clients.aws import Aws
    from payinfra.core.outputs import Outputs
    from payinfra.core.settings import Settings
    from payinfra.deployment.key_rotation.keys import ApiKeys

app = typer.Typer()

CONNECT_S, READ_S, ATTEMPTS = 3.0, 4.0, 2

YES = Annotated[bool, typer.Option("--yes", "-y", help="Do it. Without --yes, only show what would be done.")]


@app.command()
@with_settings(ACCOUNT)
def envs(settings: "Settings", *, fmt: FormatOption = Format.TABLE) -> None:
    """List the environments of the account: age, owner, regions, state, idle costs."""
    from payinfra.report import environments as report

    _, found = _inventory(settings)
    report.inventory(stdout(), found, datetime.now(UTC), fmt)
    if not found.is_whole:
        raise typer.Exit(ExitCode.UNUSABLE_ENVIRONMENT)


@app.command()
@with_settings(ACCOUNT)
def reap(
    settings: "Settings",
    *,
    older_than: Annotated[
        str,
        typer.Option(help="Minimum age of a stale environment: 90m, 12h, 3d, 2w."),
    ] = "3d",
    pattern: Annotated[str, typer.Option(help="Only environments whose name matches this pattern.")] = "*",
    yes: YES = False,
    fmt: FormatOption = Format.TABLE,
) -> None:
    """Destroy stale ephemeral environments, and never a protected one."""
    from payinfra.account.environments import durations, reaping
    from payinfra.account.environments.state_settings import States
    from payinfra.deployment.pipeline import Pipeline
    from payinfra.report import environments as report
    from payinfra.report.progress import watching

    rule = reaping.StaleRule(pattern, durations.seconds(older_than))
    aws, found = _inventory(settings)
    now = datetime.now(UTC)
    with watching(stderr()) as watch:
        destroy = (lambda one: Pipeline(one, watch.emit).reap()) if yes else None
        states = States(aws, _resolving(settings))
        ends = reaping.reap(found, rule, now, settings=states.settings, destroy=destroy)
        outcome = reaping.Reaped(not yes, tuple(ends))
    report.reaped(stdout(), outcome, now, fmt)
    if not replace(found, environments=tuple(filter(rule.is_about, found.environments))).is_whole:
        raise typer.Exit(outcome.exit_code or ExitCode.UNUSABLE_ENVIRONMENT)
    raise typer.Exit(outcome.exit_code)


@app.command("rotate-key")
@with_settings(STACK)
def rotate_key(
    settings: "Settings",
    *,
    finish: Annotated[
        bool, typer.Option("--finish", help="Remove the former key. Clients that still use it are refused.")
    ] = False,
    show: Annotated[
        bool,
        typer.Option(
            "--status", envvar="PAYINFRA_ROTATE_KEY_STATUS", help="Only show the state of a rotation."
        ),
    ] = False,
    yes: YesOption = False,
    fmt: FormatOption = Format.TABLE,
) -> None:
    """Rotate the API key without an outage: both keys are valid until --finish removes the former one."""
    from payinfra.core.environment_lock import exclusive
    from payinfra.deployment.key_rotation import rotate
    from payinfra.deployment.key_rotation.keys import ApiKeys
    from payinfra.report import rotation as report

    if finish and show:
        raise UsageProblem("--finish and --status exclude each other.", "Give one of them.")
    if show:
        with session(settings) as view:
            outputs = view.pipeline.outputs()
        report.rotation(stdout(), _keys(settings, outputs).look(), settings, fmt)
        return
    needs_a_person(yes, "rotate-key")
    with session(settings) as view:
        if finish:
            outputs = view.pipeline.outputs()
            keys = _keys(settings, outputs)
            view.agree(yes, "Remove the former API key? Clients that still use it are refused.")
            with exclusive(settings.work_dir, "rotate-key"):
                removed = rotate.finish(outputs, keys)
            report.removed(stdout(), removed, fmt)
            return
        view.agree(yes, f"Create a new API key for {settings.env}, beside the one in use?")
        with view.pipeline.locked("rotate-key") as environment:
            rotation = rotate.begin(environment, ApiKeys(environment.outputs, environment.aws))
    report.rotation(stdout(), rotation, settings, fmt)


def _keys(settings: "Settings", outputs: "Outputs") -> "ApiKeys":
    """The API keys of a deployed environment. Starts nothing."""
    from payinfra.deployment import dependencies
    from payinfra.deployment.key_rotation.keys import ApiKeys

    return ApiKeys(outputs, dependencies.aws(settings, dependencies.local_addresses(settings)))


def _inventory(settings: "Settings") -> "tuple[Aws, EnvironmentInventory]":
    """What the account has, and the clients that it was asked with."""
    from payinfra.account.environments.inventory import list_environments

    aws = _account(settings)
    regions = settings.regions if aws.endpoints is None else tuple(aws.endpoints.regions)
    resolve = _resolving(settings)

    def is_protected(env: str) -> bool:
        try:
            return resolve({"env": env}).protected
        except UsageProblem:  # payinfra allows no such name, so that it is not one to destroy
            return True

    return aws, list_environments(
        aws,
        account=aws.account(settings.primary_region),
        target=settings.target.value,
        regions=regions,
        protected_by_settings=is_protected,
    )


def _account(settings: "Settings") -> "Aws":
    """Clients of AWS or of the running embedded AWS, with short time-outs for regions that are down."""
    from payinfra.clients.aws import Aws, Endpoints
    from payinfra.deployment import dependencies

    def quick(endpoints: Endpoints | None = None) -> Aws:
        known = dependencies.aws(settings, endpoints)
        return replace(known, connect_timeout=CONNECT_S, read_timeout=READ_S, attempts=ATTEMPTS)

    if not settings.is_local:
        return quick()
    endpoints = dependencies.running(settings)
    if endpoints is None:
        raise EnvironmentUnusable("The embedded AWS is not running.", "Run `payinfra local up`.")
    return quick(endpoints)


def _resolving(settings: "Settings") -> "Callable[[Mapping[str, object]], Settings]":
    """Settings of one environment, with the flags that this command was given."""
    flags = {name: getattr(settings, name) for name, origin in settings.origins.items() if origin == "flag"}
    return lambda more: type(settings).resolve({**flags, **more})
