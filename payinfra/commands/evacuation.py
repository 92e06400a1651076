"""The commands for the day on which a region is lost: evacuate it, and return to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from payinfra.commands.options import WHERE, with_settings
from payinfra.commands.session import FormatOption, YesOption, needs_a_person, say, stderr, stdout
from payinfra.core.errors import EnvironmentUnusable, UsageProblem
from payinfra.report.formats import Format

if TYPE_CHECKING:
    from payinfra.clients.aws import Endpoints
    from payinfra.core.settings import Settings
    from payinfra.evacuation.survivor import Survivor

CONNECT_S, READ_S, ATTEMPTS = 3.0, 5.0, 2

app = typer.Typer()

REGION = Annotated[str, typer.Argument(metavar="REGION", help="The region, by its name.")]


@app.command()
@with_settings(WHERE)
def evacuate(
    settings: "Settings",
    region: REGION,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Even if the survivor's health page does not answer 200.")
    ] = False,
    yes: YesOption = False,
    fmt: FormatOption = Format.TABLE,
) -> None:
    """Move all clients out of a region and keep them out, through the other region alone."""
    from payinfra.core.user import user_name
    from payinfra.evacuation import evacuate as evacuation
    from payinfra.report import evacuation as report

    needs_a_person(yes, "evacuate")
    with survivor_of(settings, region, both=False) as survivor:
        planned = evacuation.plan(survivor)
        report.planned(stderr(), planned)
        # What stands already was decided: to wait for it takes nobody's consent. A drill's flag does not.
        if (planned.flag is None or planned.flag.drill) and not yes:
            typer.confirm(f"Evacuate {region}?", abort=True, err=True)
        done = evacuation.evacuate(survivor, planned, user_name(), say, force=force)
    report.evacuated(stdout(), done, settings.command(f"return {region}"), fmt)
    raise typer.Exit(done.exit_code)


@contextmanager
def survivor_of(settings: "Settings", region: str, *, both: bool) -> "Iterator[Survivor]":
    """The region that survives when `region` is evacuated, known from what is published there.

    Args:
        both: whether the evacuated region may be asked as well.

    Raises:
        UsageProblem: the environment is not in that region.
        EnvironmentUnusable: nothing is published at the survivor, or it cannot be asked.
    """
    from payinfra.clients import published_deployment
    from payinfra.deployment import dependencies
    from payinfra.evacuation.survivor import surviving

    if region not in settings.regions:
        raise UsageProblem(
            f"{region} is none of the environment's regions, {' and '.join(settings.regions)}.",
            "If the settings of this machine are not the deployment's, add --primary-region and "
            "--secondary-region.",
        )
    other = next(one for one in settings.regions if one != region)
    endpoints, scale = None, 1.0
    if settings.is_local:
        found = dependencies.running(settings)
        if found is None:
            raise EnvironmentUnusable("The embedded AWS is not running.", "Run `payinfra local up`.")
        endpoints, scale = (found if both else _only(found, other)), dependencies.time_scale(settings)
    aws = dependencies.aws(settings, endpoints).within(
        connect_timeout=CONNECT_S, read_timeout=READ_S, attempts=ATTEMPTS
    )
    published = published_deployment.read(aws, settings.env, other, settings.names)
    if published.peer_region != region:
        raise UsageProblem(
            f"{settings.env} is deployed in {published.region} and {published.peer_region}, not in {region}.",
            "Name one of these two.",
        )
    with surviving(aws, published, scale) as survivor:
        yield survivor


def _only(endpoints: "Endpoints", region: str) -> "Endpoints":
    """The embedded AWS as on the day on which nothing but one region answers."""
    from dataclasses import replace

    return replace(endpoints, regions={region: endpoints.regions[region]}, global_url="")


@app.command("return")
@with_settings(WHERE)
def return_(
    settings: "Settings",
    region: REGION,
    *,
    accept: Annotated[
        bool, typer.Option("--accept", help="Return even if payments are open; they are listed.")
    ] = False,
    within: Annotated[
        float, typer.Option(min=0, help="Minutes to wait for the region and for replication.")
    ] = 60.0,
    yes: YesOption = False,
    fmt: FormatOption = Format.TABLE,
) -> None:
    """Let clients back into an evacuated region, once it serves and the payments of both regions agree."""
    from payinfra.evacuation.returning import Waiting, bring_back
    from payinfra.report import evacuation as report

    needs_a_person(yes, "return")
    with survivor_of(settings, region, both=True) as survivor:
        if not yes and survivor.flag() is not None:
            typer.confirm(f"Return to {region}, once everything there is well?", abort=True, err=True)
        done = bring_back(survivor, Waiting(within * 60, say), accept=accept)
    report.returned(stdout(), done, settings.command(f"return {region} --accept"), fmt)
    raise typer.Exit(done.exit_code)
