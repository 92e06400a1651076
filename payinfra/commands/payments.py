"""Commands about recorded payments: their audit objects, and keys that stand for two of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from payinfra.commands.options import WHERE, with_settings
from payinfra.commands.session import FormatOption, YesOption, needs_a_person, session, stdout
from payinfra.core.errors import EnvironmentUnusable, UsageProblem
from payinfra.report.formats import Format

if TYPE_CHECKING:
    from payinfra.clients.aws import Aws
    from payinfra.core.outputs import Outputs, RegionOutputs
    from payinfra.core.settings import Settings

RECENT = timedelta(days=7)
UNDER_WAY = timedelta(minutes=1)
"""A payment that is younger may be without its audit object yet."""

app = typer.Typer()
audit_app = typer.Typer(no_args_is_help=True, help="The audit log of recorded payments.")
conflicts_app = typer.Typer(no_args_is_help=True, help="Idempotency keys that stand for two payments.")
app.add_typer(audit_app, name="audit")
app.add_typer(conflicts_app, name="conflicts")

FromOption = Annotated[
    str | None,
    typer.Option(
        "--from", help="Earliest payment: 2026-01-31 or 2026-01-31T08:00:00, UTC. Default 7 days ago."
    ),
]
ToOption = Annotated[
    str | None, typer.Option("--to", help="Latest payment, in the same forms. Default a minute ago.")
]
RegionOption = Annotated[
    str | None,
    typer.Option(
        "--region",
        metavar="primary|secondary|NAME",
        help="The region to ask. Default: the primary region.",
    ),
]


@audit_app.command("reconcile")
@with_settings(WHERE)
def reconcile(
    settings: "Settings",
    *,
    earliest: FromOption = None,
    latest: ToOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is missing.")] = False,
    fmt: FormatOption = Format.TABLE,
) -> None:
    """Compare the table's payments with the audit buckets, and write the objects that are missing."""
    from payinfra.payments import audit
    from payinfra.report import payments as report

    from_ms, to_ms = _span(earliest, latest)
    with _deciding(settings) as (outputs, aws):
        outcome = audit.reconcile(outputs, aws, from_ms, to_ms, write=not dry_run)
    report.reconciled(stdout(), outcome, fmt)
    raise typer.Exit(outcome.exit_code)


@conflicts_app.command("list")
@with_settings(WHERE)
def conflicts_list(
    settings: "Settings",
    *,
    earliest: FromOption = None,
    latest: ToOption = None,
    region: RegionOption = None,
    fmt: FormatOption = Format.TABLE,
) -> None:
    """Print the keys that cut-off regions gave to different payments, and those payments."""
    from payinfra.payments import conflicts
    from payinfra.report import payments as report

    from_ms, to_ms = _span(earliest, latest)
    with _deciding(settings) as (outputs, aws):
        found = conflicts.conflicts(aws, region_of(outputs, region), from_ms, to_ms)
    report.conflicts(stdout(), found, settings.command("conflicts resolve"), fmt)


@conflicts_app.command("resolve")
@with_settings(WHERE)
def conflicts_resolve(
    settings: "Settings",
    payment_id: Annotated[str, typer.Argument(metavar="PAYMENT_ID", help="The payment's id.")],
    *,
    keep: Annotated[
        str,
        typer.Option(
            "--keep", metavar="FINGERPRINT", help="The payment that counts: how its fingerprint begins."
        ),
    ],
    region: RegionOption = None,
    yes: YesOption = False,
    fmt: FormatOption = Format.TABLE,
) -> None:
    """Decide which payment a key stands for. The others are kept, and their clients are told of this one."""
    from payinfra.payments import conflicts
    from payinfra.report import payments as report

    needs_a_person(yes, "conflicts resolve")
    with session(settings) as view:
        view.agree(yes, f"Let the key of {payment_id} stand for the payment with fingerprint {keep}?")
    with _deciding(settings) as (outputs, aws):
        kept = conflicts.resolve(aws, region_of(outputs, region), payment_id, keep)
    report.resolved(stdout(), payment_id, kept, fmt)


@contextmanager
def deployed(settings: "Settings") -> "Iterator[tuple[Outputs, Aws]]":
    """What was deployed, and clients for it.

    Raises:
        EnvironmentUnusable: nothing was deployed, the embedded AWS is down, or AWS refuses or is silent.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    from payinfra.deployment import dependencies

    with session(settings) as view:
        outputs = view.pipeline.outputs()
    if settings.is_local and dependencies.running(settings) is None:
        raise EnvironmentUnusable("The embedded AWS is not running.", "Run `payinfra local up`.")
    # Outside the session: as long as that draws on a terminal, it takes what is written to stdout.
    try:
        yield outputs, dependencies.aws(settings, dependencies.local_addresses(settings))
    except (ClientError, BotoCoreError) as error:
        raise EnvironmentUnusable(
            f"AWS refused, or did not answer: {error}",
            f"See what stands: `{settings.command('status')}`.",
        ) from error


@contextmanager
def _deciding(settings: "Settings") -> "Iterator[tuple[Outputs, Aws]]":
    """The same, with clients that say that a person decides about payments."""
    from payinfra.clients.aws import FOR_PAYMENTS

    with deployed(settings) as (outputs, aws):
        yield outputs, replace(aws, purpose=FOR_PAYMENTS)


def region_of(outputs: "Outputs", name: str | None) -> "RegionOutputs":
    """The region that `--region` names: by its role, or as AWS does. The primary without one.

    Raises:
        UsageProblem: the environment is not there.
    """
    for role, region in zip(("primary", "secondary"), outputs.regions, strict=True):
        if name in (None, role, region.region):
            return region
    names = ", ".join(region.region for region in outputs.regions)
    raise UsageProblem(
        f"{outputs.environment_suffix} is not in {name}.",
        f"Give --region one of {names}, primary, secondary.",
    )


def _span(earliest: str | None, latest: str | None) -> tuple[int, int]:
    """Milliseconds since the epoch, both ends included.

    Raises:
        UsageProblem: a time is malformed, or the ends are the wrong way round.
    """
    now = datetime.now(UTC)
    to = _moment("--to", latest, now - UNDER_WAY, end=True)
    since = _moment("--from", earliest, to - RECENT, end=False)
    if since > to:
        raise UsageProblem("--from is after --to.", "Swap them.")
    return int(since.timestamp() * 1000), int(to.timestamp() * 1000)


def _moment(option: str, text: str | None, default: datetime, *, end: bool) -> datetime:
    if text is None:
        return default
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageProblem(
            f"{option} {text!r} is no time.", "Use 2026-01-31 or 2026-01-31T08:00:00; both are UTC."
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    # A day, as --to, is meant with all of it.
    return moment + timedelta(days=1, milliseconds=-1) if end and len(text) == len("2026-01-31") else moment
