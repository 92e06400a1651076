"""Commands for what an account has once: its bootstrap, and the role for CI."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from payinfra.commands.options import ACCOUNT, with_settings
from payinfra.commands.session import FormatOption, stderr, stdout
from payinfra.core.errors import UsageProblem
from payinfra.report.formats import Format

if TYPE_CHECKING:
    from payinfra.account.trust import Trust
    from payinfra.clients.aws import Aws
    from payinfra.core.settings import Settings

app = typer.Typer()

DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Show what would change, without changing anything.")
]


@app.command()
@with_settings(ACCOUNT)
def bootstrap(
    settings: "Settings",
    *,
    drills: Annotated[
        bool, typer.Option("--drills", help="Also create the roles that failover drills on AWS need.")
    ] = False,
    with_boundary: Annotated[
        bool,
        typer.Option(
            "--with-boundary", help="Also create a permissions boundary for the roles of environments."
        ),
    ] = False,
    dry_run: DryRunOption = False,
    fmt: FormatOption = Format.TABLE,
) -> None:
    """Prepare an account: API Gateway's logging role and, with --state-bucket, Terraform's state bucket."""
    from payinfra.account import bootstrap as account
    from payinfra.account.changes import Changes
    from payinfra.report import account as report

    wanted = account.WantedAccount(
        settings.regions,
        settings.state_bucket,
        settings.state_region,
        boundary=with_boundary,
        drills=drills,
        prefix=settings.name_prefix,
    )
    changes = Changes(dry_run)
    number = account.bootstrap(wanted, _aws(settings), changes)
    report.changes(stdout(), changes, {"account": number}, fmt)


@app.command("ci-role")
@with_settings(ACCOUNT)
def ci_role(
    settings: "Settings",
    *,
    github: Annotated[
        str | None, typer.Option(metavar="ORG/REPO", help="Trust the workflows of this GitHub repository.")
    ] = None,
    gitlab: Annotated[
        str | None, typer.Option(metavar="GROUP/PROJECT", help="Trust the pipelines of this GitLab project.")
    ] = None,
    gitlab_host: Annotated[str, typer.Option(help="Host of the GitLab instance.")] = "gitlab.com",
    trust: Annotated[
        str | None, typer.Option(metavar="ARN", help="Trust this AWS account, role or user.")
    ] = None,
    subject: Annotated[
        list[str] | None,
        typer.Option(
            help="Trust only pipelines whose token's `sub` ends so after the repository; may be repeated."
        ),
    ] = None,
    env: Annotated[
        str | None,
        typer.Option(
            help="Limit the role to this environment, or with a trailing * to a prefix. Default: all."
        ),
    ] = None,
    boundary: Annotated[
        str | None,
        typer.Option(metavar="ARN", help="Require this permissions boundary on every role that is created."),
    ] = None,
    deploy: Annotated[bool, typer.Option("--deploy", help="Create or update the role.")] = False,
    dry_run: DryRunOption = False,
    fmt: FormatOption = Format.TABLE,
) -> None:
    """Print or create the least-privilege role that deploys, verifies, drills and destroys environments."""
    from payinfra.account import ci_role as roles
    from payinfra.account.changes import Changes
    from payinfra.account.extension_permissions import needs_of
    from payinfra.account.scope import PermissionScope
    from payinfra.deployment import dependencies
    from payinfra.report import account as report

    who = _trust(github, gitlab, gitlab_host, trust, tuple(subject or ()))
    bounded = {} if boundary is None else {"permissions_boundary": boundary}
    # A prefix such as `pr*` must be the start of a legal name; it has no settings of its own.
    named = {} if env is None else {"env": env.removesuffix("*").removesuffix("-")}
    chosen = type(settings).resolve(
        {**_given(settings), "env": settings.env, **named, **bounded}, folder=settings.project
    )
    aws = _aws(settings)
    reach = PermissionScope(
        account=aws.account(settings.primary_region),
        regions=settings.regions,
        env=env,
        domain=chosen.domain,
        hosted_zone_id=chosen.hosted_zone_id,
        state_bucket=chosen.state_bucket,
        state_region=chosen.state_region,
        state_kms_key=chosen.state_kms_key,
        state_key=chosen.state_key,
        boundary=chosen.permissions_boundary,
        prefix=chosen.name_prefix,
        failover_name=chosen.failover_name,
        latency_name=chosen.latency_name,
        layers=chosen.lambda_layers,
    )
    added = needs_of(chosen, dependencies.local_addresses(chosen))
    role = roles.describe(reach, who, added)
    if not deploy:
        report.role(stdout(), role, fmt)
        return
    changes = Changes(dry_run)
    roles.deploy(role, reach, who, aws, changes)
    report.changes(stdout(), changes, {"role_arn": role.arn}, fmt)


def _trust(
    github: str | None, gitlab: str | None, gitlab_host: str, trust: str | None, subjects: tuple[str, ...]
) -> "Trust":
    from payinfra.account import trust as who

    match github, gitlab, trust:
        case str(), None, None:
            return who.github(github, subjects)
        case None, str(), None:
            return who.gitlab(gitlab, gitlab_host, subjects)
        case None, None, str() if not subjects:
            return who.principal(trust)
    raise UsageProblem(
        "No trusted party was given for the role.",
        "Give one of --github ORG/REPO, --gitlab GROUP/PROJECT (both take --subject) or --trust ARN.",
    )


def _given(settings: "Settings") -> dict[str, object]:
    """The flags that the command was given, by field."""
    return {name: getattr(settings, name) for name, origin in settings.origins.items() if origin == "flag"}


def _aws(settings: "Settings") -> "Aws":
    """Clients of AWS or of the embedded AWS, which is started if it is not running."""
    from payinfra.clients.aws import PREPARES_ACCOUNT
    from payinfra.deployment import dependencies
    from payinfra.report.progress import watching

    endpoints = None
    if settings.is_local:
        with watching(stderr()) as watch:
            endpoints = dependencies.local_up(settings, watch.emit)
    return replace(dependencies.aws(settings, endpoints), purpose=PREPARES_ACCOUNT)
