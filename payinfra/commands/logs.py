"""The command for the logs of a deployed environment."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from payinfra.commands.options import WHERE, with_settings
from payinfra.commands.payments import deployed, region_of
from payinfra.commands.session import FormatOption, say, stdout
from payinfra.report.formats import Format

if TYPE_CHECKING:
    from payinfra.core.settings import Settings

app = typer.Typer()


@app.command()
@with_settings(WHERE, found=True)
def logs(
    settings: "Settings",
    *,
    region: Annotated[
        str | None,
        typer.Option("--region", metavar="primary|secondary|NAME", help="Only this region. Default: both."),
    ] = None,
    since: Annotated[str, typer.Option(help="How far back: 15m, 12h, 3d, 2w.")] = "15m",
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes, until interrupted.")
    ] = False,
    access: Annotated[
        bool, typer.Option("--access", help="The API's access log instead of the function's log.")
    ] = False,
    fmt: FormatOption = Format.TABLE,
) -> None:
    """Print what the payments function logged, in both regions, by time."""
    from payinfra.account.environments import durations
    from payinfra.payments import log_events
    from payinfra.report import logs as report

    since_ms = int((time.time() - durations.seconds(since)) * 1000)
    with deployed(settings) as (outputs, aws):
        chosen = (region_of(outputs, region),) if region else outputs.regions
        groups = (
            {one.region: one.log_groups.access for one in outputs.declared.regions}
            if access
            else {one.region: one.lambda_log_group_name for one in outputs.regions}
        )
        sources = [
            log_events.LogSource(one.region, groups[one.region], aws.logs(one.region)) for one in chosen
        ]
        if follow:
            report.events(stdout(), log_events.follow(sources, since_ms, sleep=time.sleep, tell=say), fmt)
        elif not report.events(stdout(), log_events.read(sources, since_ms), fmt):
            say(f"Nothing was logged in the last {since}. Look further back: --since 1d.")
