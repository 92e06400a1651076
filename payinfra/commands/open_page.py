"""The command that opens a page about an environment: the last drill's report, or AWS's console."""

import sys
import webbrowser
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from payinfra.commands.options import WHERE, with_settings
from payinfra.commands.payments import RegionOption, region_of
from payinfra.commands.session import say, session
from payinfra.core.errors import EnvironmentUnusable, UsageProblem
from payinfra.drill.environment import FOLDER

if TYPE_CHECKING:
    from payinfra.core.settings import Settings

app = typer.Typer()


class PageKind(StrEnum):
    """A page that can be opened."""

    REPORT = "report"
    CONSOLE = "console"


@app.command("open")
@with_settings(WHERE, found=True)
def open_page(
    settings: "Settings",
    page: Annotated[
        PageKind, typer.Argument(help="The last drill's report, or the dashboard in AWS's console.")
    ] = PageKind.REPORT,
    *,
    region: RegionOption = None,
) -> None:
    """Print the address of a page about the environment and, on a terminal, open it in the browser."""
    url = _report(settings) if page is PageKind.REPORT else _console(settings, region)
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()
    if sys.stdout.isatty() and not webbrowser.open(url):
        say("No browser was found to open it with.")


def _report(settings: "Settings") -> str:
    """The page of the last drill, drawn anew.

    Raises:
        EnvironmentUnusable: there was no drill.
    """
    from payinfra.drill import report_store
    from payinfra.report.drill import rendering

    folder = settings.work_dir / FOLDER
    report = report_store.latest(folder)
    if report is None:
        raise EnvironmentUnusable(
            f"Environment {settings.env} has no drill reports.",
            f"Run one: `{settings.command('failover-drill')}`.",
        )
    pages = rendering.write_pages(folder / report.id, report)
    return next(page for page in pages if page.suffix == ".html").resolve().as_uri()


def _console(settings: "Settings", region: str | None) -> str:
    """The environment's dashboard in AWS's console.

    Raises:
        UsageProblem: the environment is not on AWS, or not in the region.
    """
    if settings.is_local:
        raise UsageProblem(
            "The embedded AWS has no console.",
            f"`{settings.command('status')}` and `{settings.command('outputs')}` show what is there.",
        )
    with session(settings) as view:
        outputs = view.pipeline.outputs()
    where = region_of(outputs, region).region
    dashboard = next(one.dashboard for one in outputs.declared.regions if one.region == where)
    console = f"https://{where}.console.aws.amazon.com/cloudwatch/home?region={where}"
    return f"{console}#dashboards/dashboard/{dashboard}"
