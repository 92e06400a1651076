"""Commands for the embedded AWS."""

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar, assert_never

import typer

from payinfra.commands.options import NO_ENVIRONMENT, settings_from
from payinfra.commands.session import FormatOption, stderr, stdout
from payinfra.core.errors import ExitCode, UsageProblem
from payinfra.report.formats import Format, VariablesFormat

if TYPE_CHECKING:
    from payinfra.core.settings import Settings
    from payinfra.local.control import Control

app = typer.Typer()
local_app = typer.Typer(no_args_is_help=True, help="Run the embedded AWS on this machine.")
fault_app = typer.Typer(no_args_is_help=True, help="Inject and clear faults in the embedded AWS.")
app.add_typer(local_app, name="local")
local_app.add_typer(fault_app, name="fault")


class FaultKind(StrEnum):
    """The faults of the embedded AWS."""

    BLACKOUT = "region-blackout"
    DELAY = "replication-delay"
    PAUSE = "replication-pause"
    OBJECT_PAUSE = "object-replication-pause"
    THROTTLING = "service-throttling"
    SERVICE_DELAY = "service-delay"
    DENIAL = "service-denial"
    ERRORS = "service-errors"


T = TypeVar("T")

WorkRootOption = Annotated[
    Path | None,
    typer.Option(
        "--work-root",
        envvar="PAYINFRA_WORK_ROOT",
        help="Folder of the embedded AWS's state. Default: that of the project.",
    ),
]
PrimaryOption = Annotated[
    str | None,
    typer.Option("--primary-region", envvar="PAYINFRA_PRIMARY_REGION", help="A region to serve."),
]
SecondaryOption = Annotated[
    str | None,
    typer.Option("--secondary-region", envvar="PAYINFRA_SECONDARY_REGION", help="Another region to serve."),
]


def _settings(work_root: Path | None, **more: str | None) -> "Settings":
    """The project's settings: where its embedded AWS is, and which regions that serves."""
    return settings_from({"env": NO_ENVIRONMENT, "work_root": work_root, **more})


def _folder(work_root: Path | None) -> Path:
    from payinfra.deployment.dependencies import server_folder

    return server_folder(_settings(work_root))


@local_app.command("up")
def local_up(
    *,
    work_root: WorkRootOption = None,
    primary_region: PrimaryOption = None,
    secondary_region: SecondaryOption = None,
    time_scale: Annotated[
        float, typer.Option(min=1.0, max=1000.0, help="How many times faster than real time its time runs.")
    ] = 1.0,
    fmt: FormatOption = Format.TABLE,
) -> None:
    """Start the embedded AWS, or reuse the running one."""
    from payinfra.deployment.dependencies import server_folder
    from payinfra.local import lifecycle
    from payinfra.local.endpoints import base_port
    from payinfra.report import local as report
    from payinfra.report.progress import watching

    settings = _settings(work_root, primary_region=primary_region, secondary_region=secondary_region)
    folder, port = server_folder(settings), base_port(os.environ)
    with watching(stderr()) as watch:
        lifecycle.up(folder, settings.regions, base_port=port, time_scale=time_scale, emit=watch.emit)
    report.status(stdout(), lifecycle.status(folder), fmt)


@local_app.command("down")
def local_down(*, work_root: WorkRootOption = None) -> None:
    """Stop the embedded AWS. Its state is kept."""
    from payinfra.local import lifecycle

    stopped = lifecycle.down(_folder(work_root))
    stderr().print("Stopped the embedded AWS." if stopped else "The embedded AWS is not running.")


@local_app.command("status")
def local_status(*, work_root: WorkRootOption = None, fmt: FormatOption = Format.TABLE) -> None:
    """Print the endpoints and active faults of the embedded AWS."""
    from payinfra.local import lifecycle
    from payinfra.report import local as report

    found = lifecycle.status(_folder(work_root))
    report.status(stdout(), found, fmt)
    if found is None:
        raise typer.Exit(ExitCode.UNUSABLE_ENVIRONMENT)


@local_app.command("env")
def local_env(
    *,
    work_root: WorkRootOption = None,
    region: Annotated[
        str | None,
        typer.Option(
            envvar="PAYINFRA_PRIMARY_REGION",
            help="The region that tools work in by default. Default: the primary one.",
        ),
    ] = None,
    # Not PAYINFRA_FORMAT: a shell evaluates what is printed.
    fmt: Annotated[
        VariablesFormat,
        typer.Option("--format", envvar="PAYINFRA_LOCAL_ENV_FORMAT", help="How to write the variables."),
    ] = VariablesFormat.SHELL,
) -> None:
    """Print the embedded AWS's credentials and endpoints for a shell.

    `eval "$(payinfra local env)"` lets the AWS CLI and every SDK work on it.
    """
    from payinfra.core.errors import EnvironmentUnusable
    from payinfra.deployment.dependencies import server_folder
    from payinfra.local import lifecycle
    from payinfra.local.control import START_HINT
    from payinfra.local.variables import variables
    from payinfra.report import local as report

    settings = _settings(work_root)
    folder = server_folder(settings)
    found = lifecycle.status(folder)
    if found is None:
        raise EnvironmentUnusable("The embedded AWS is not running.", START_HINT)
    key, where = lifecycle.access_key(folder), region or settings.primary_region
    report.variables(stdout(), variables(found.endpoints, key, where), fmt)


@local_app.command("zone")
def local_zone(
    domain: Annotated[str, typer.Argument(help="The domain, such as pay.test.", show_default=False)],
    *,
    work_root: WorkRootOption = None,
    fmt: FormatOption = Format.TABLE,
) -> None:
    """Print the id of a domain's hosted zone in the embedded AWS, which is made where there is none.

    Pass it to `deploy --local --domain pay.test --hosted-zone-id ID`, as you pass the id of your zone on AWS.
    """
    from payinfra.deployment import dependencies
    from payinfra.deployment.local_domains import hosted_zone
    from payinfra.report import local as report
    from payinfra.report.progress import watching

    settings = _settings(work_root, target="local")
    with watching(stderr()) as watch:
        endpoints = dependencies.local_up(settings, watch.emit)
    report.zone(stdout(), hosted_zone(dependencies.aws(settings, endpoints), domain), fmt)


@local_app.command("trust")
def local_trust(*, work_root: WorkRootOption = None, fmt: FormatOption = Format.TABLE) -> None:
    """Print how to trust and reach the custom domains of the embedded AWS."""
    from payinfra.deployment import dependencies
    from payinfra.deployment.local_domains import custom_domains
    from payinfra.local import lifecycle
    from payinfra.local.control import Control
    from payinfra.report import local as report

    settings = _settings(work_root, target="local")
    folder = dependencies.server_folder(settings)
    control = Control.of(folder.absolute())
    if not control.status().endpoints.https:
        control.serve_https()
    here = control.status().endpoints
    aws = dependencies.aws(settings, dependencies.endpoints_of(here, lifecycle.access_key(folder)))
    report.trust(stdout(), here, custom_domains(aws, tuple(here.regions)), fmt)


@local_app.command("logs")
def local_logs(
    *,
    work_root: WorkRootOption = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="Number of lines.")] = 50,
) -> None:
    """Print the end of the embedded AWS's log."""
    from payinfra.local import lifecycle

    typer.echo(lifecycle.log_tail(_folder(work_root), lines))


@local_app.command("rules")
def local_rules(
    wanted: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME=VALUE]...", help="Rules to set.", show_default=False)
    ] = None,
    *,
    reset: Annotated[
        bool, typer.Option("--reset", envvar="PAYINFRA_LOCAL_RULES_RESET", help="Turn every rule off again.")
    ] = False,
    work_root: WorkRootOption = None,
    fmt: FormatOption = Format.TABLE,
) -> None:
    """Show or set the rules of AWS's that the embedded AWS keeps only when told to.

    They take time, or differ between accounts. They hold until `--reset` or until the embedded AWS ends.
    """
    from payinfra.local.aws_rules import parse_rules
    from payinfra.report import local as report

    asked, control = parse_rules(wanted or []), _control(work_root)
    if reset:
        control.reset_rules()
    report.rules(stdout(), control.set_rules(asked) if asked else control.rules(), fmt)


@fault_app.command("list")
def fault_list(*, work_root: WorkRootOption = None, fmt: FormatOption = Format.TABLE) -> None:
    """List the active faults."""
    from payinfra.report import local as report

    report.faults(stdout(), _control(work_root).list(), fmt)


@fault_app.command("inject")
def fault_inject(
    kind: Annotated[FaultKind, typer.Argument(help="The fault.")],
    *,
    region: Annotated[str | None, typer.Option(help="Region to disturb.")] = None,
    service: Annotated[
        str | None, typer.Option(help="Service to throttle, slow down or deny, or that fails.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.0, help="Seconds by which replication or a service is delayed.")
    ] = None,
    percent: Annotated[
        int | None, typer.Option(min=1, max=100, help="Of a hundred calls of the service, those that fail.")
    ] = None,
    jitter: Annotated[float, typer.Option(min=0.0, help="Random variation of the delay, in seconds.")] = 0.0,
    work_root: WorkRootOption = None,
    fmt: FormatOption = Format.TABLE,
) -> None:
    """Inject a fault that lasts until it is cleared."""
    from payinfra.local import faults
    from payinfra.report import local as report

    match kind:
        case FaultKind.BLACKOUT:
            fault: faults.Fault = faults.RegionBlackout(_given(region, "--region REGION", kind))
        case FaultKind.DELAY:
            fault = faults.ReplicationDelay(_given(seconds, "--seconds SECONDS", kind), jitter)
        case FaultKind.PAUSE:
            fault = faults.ReplicationPause()
        case FaultKind.OBJECT_PAUSE:
            fault = faults.ObjectReplicationPause(_given(region, "--region REGION", kind))
        case FaultKind.THROTTLING:
            fault = faults.ServiceThrottling(*_service(region, service, kind))
        case FaultKind.SERVICE_DELAY:
            late = _given(seconds, "--seconds SECONDS", kind)
            fault = faults.ServiceDelay(*_service(region, service, kind), late)
        case FaultKind.DENIAL:
            fault = faults.ServiceDenial(*_service(region, service, kind))
        case FaultKind.ERRORS:
            share = _given(percent, "--percent PERCENT", kind)
            fault = faults.ServiceErrors(*_service(region, service, kind), share)
        case _:
            assert_never(kind)
    report.faults(stdout(), (_control(work_root).inject(fault),), fmt)


@fault_app.command("clear")
def fault_clear(
    fault_id: Annotated[str | None, typer.Argument(help="Id of the fault.")] = None,
    *,
    everything: Annotated[
        bool, typer.Option("--all", envvar="PAYINFRA_LOCAL_FAULT_CLEAR_ALL", help="Clear every fault.")
    ] = False,
    work_root: WorkRootOption = None,
    fmt: FormatOption = Format.TABLE,
) -> None:
    """Clear one fault or all."""
    from payinfra.report import local as report

    if everything == (fault_id is not None):
        raise UsageProblem(
            "No fault was named.", "Give the id of a fault or --all. `payinfra local fault list` lists them."
        )
    report.faults(stdout(), _control(work_root).clear(fault_id), fmt)


def _control(work_root: Path | None) -> "Control":
    from payinfra.local.control import Control

    return Control.of(_folder(work_root).absolute())


def _service(region: str | None, service: str | None, kind: FaultKind) -> tuple[str, str]:
    return _given(region, "--region REGION", kind), _given(service, "--service SERVICE", kind)


def _given(value: T | None, option: str, kind: FaultKind) -> T:
    if value is None:
        raise UsageProblem(f"{kind} needs {option}.", f"payinfra local fault inject {kind} {option}")
    return value
