"""The outputs of a deployment: the only contract between the stack and everything that runs after it.

Terraform's outputs are flat strings. `REGION_OUTPUTS` and `COMMON_OUTPUTS` name and describe them;
`Outputs` is their typed form; `Declared` is what the one output `declared` holds as JSON.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from payinfra.core.canary_contract import PAYMENTS, CanaryContract
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.json_text import parse_json
from payinfra.core.naming import Names

DECLARED_VERSION = 1
"""Raised when a field of `Declared` is renamed or removed, not when one is added."""

SECONDARY_PREFIX = "secondary_"

REGION_OUTPUTS: Mapping[str, str] = {
    "api_endpoint": "URL that payments are POSTed to",
    "api_key_id": "Id of the API key (not its value)",
    "api_key_parameter": "Name of the SecureString parameter that holds the API key's value",
    "dynamodb_table_name": "Name of the payments table",
    "dynamodb_table_arn": "ARN of the payments table",
    "s3_bucket_name": "Name of the audit bucket",
    "lambda_function_name": "Name of the payments function",
    "lambda_function_arn": "ARN of the payments function, without version or alias",
    "lambda_log_group_name": "Name of the payments function's log group",
    "kms_key_id": "Id of the customer key that encrypts the table",
    "sns_topic_arn": "ARN of the topic that alarms publish to",
    "health_check_id": "Id of the Route 53 health check on the API",
}
"""The outputs that each region has, with their descriptions; the secondary's begin with `secondary_`."""

COMMON_OUTPUTS: Mapping[str, str] = {
    "declared": "Everything else that verify and failover-drill need, as versioned JSON",
    "failover_domain": "Name that resolves to the healthy region, the primary by preference",
    "latency_domain": "Name that resolves to the nearest healthy region",
    "hosted_zone_id": "Id of the Route 53 zone that holds both names",
    "primary_region": "Region that serves unless it is unhealthy",
    "secondary_region": "Region that takes over",
    "environment_suffix": "Name of the environment",
}
"""The outputs that are there once, with their descriptions."""


@dataclass(frozen=True)
class RegionOutputs:
    """One region's outputs; REGION_OUTPUTS describes each field but `region`."""

    region: str
    api_endpoint: str
    api_key_id: str
    api_key_parameter: str
    dynamodb_table_name: str
    dynamodb_table_arn: str
    s3_bucket_name: str
    lambda_function_name: str
    lambda_function_arn: str
    lambda_log_group_name: str
    kms_key_id: str
    sns_topic_arn: str
    health_check_id: str

    @property
    def partition(self) -> str:
        """AWS's partition, such as `aws`.

        Raises:
            EnvironmentUnusable: the table's ARN is none.
        """
        return self._table_arn()[1]

    @property
    def account(self) -> str:
        """The account, as twelve digits.

        Raises:
            EnvironmentUnusable: the table's ARN is none.
        """
        return self._table_arn()[4]

    def arn(self, service: str, resource: str) -> str:
        """The ARN of one of the environment's resources in this region.

        Raises:
            EnvironmentUnusable: the table's ARN is none.
        """
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def _table_arn(self) -> list[str]:
        parts = self.dynamodb_table_arn.split(":", 5)
        if len(parts) != ARN_PARTS:
            said = f"The output `dynamodb_table_arn` of {self.region} is no ARN: {self.dynamodb_table_arn}."
            raise EnvironmentUnusable(said, _REDEPLOY)
        return parts


@dataclass(frozen=True)
class DeclaredAlarm:
    """An alarm that must exist, and the metric that it watches.

    Attributes:
        rule: how it judges, as `alarm_rule` writes it; None where an earlier version deployed it.
    """

    name: str
    namespace: str
    metric: str
    threshold: float
    rule: str | None = None


_COMPARISONS = {"GreaterThanOrEqualToThreshold": ">=", "LessThanThreshold": "<"}


def alarm_rule(
    *, statistic: str, comparison: str, period_s: int, periods: int, to_alarm: int, missing: str
) -> str:
    """How an alarm judges its metric, in few words: a parameter of 4 KB has those of all alarms.

    Args:
        comparison: CloudWatch's ComparisonOperator.
        periods: over how many of `period_s` seconds, of which `to_alarm` must be beyond the threshold.
        missing: what a period without data counts as.
    """
    operator = _COMPARISONS.get(comparison, comparison)
    return f"{statistic}{operator} {to_alarm}/{periods}x{period_s}s {missing}"


@dataclass(frozen=True)
class DeclaredFunction:
    """The payments function as declared.

    Attributes:
        reserved_concurrency: None where none is reserved.
        architecture: None where none is declared.
    """

    name: str
    alias: str
    code_sha256: str
    runtime: str
    handler: str
    memory_mb: int
    timeout_s: int
    reserved_concurrency: int | None
    role_name: str
    role_arn: str
    architecture: str | None = None


@dataclass(frozen=True)
class DeclaredApi:
    """The REST API as declared. `execute_host` is AWS's name of the default endpoint."""

    id: str
    name: str
    stage: str
    usage_plan_id: str
    execute_host: str


@dataclass(frozen=True)
class DeclaredKeys:
    """The ARNs of a region's customer keys."""

    data: str
    audit: str
    application: str


@dataclass(frozen=True)
class DeclaredLogGroups:
    """The names of a region's log groups."""

    function: str
    access: str
    execution: str


@dataclass(frozen=True)
class DeclaredParameters:
    """The names of a region's parameters. `api_key` is a SecureString, the others Strings."""

    table_name: str
    bucket_name: str
    endpoint: str
    api_key: str


@dataclass(frozen=True)
class DeclaredRegion:
    """What is deployed in one region."""

    region: str
    function: DeclaredFunction
    api: DeclaredApi
    keys: DeclaredKeys
    log_groups: DeclaredLogGroups
    parameters: DeclaredParameters
    alarms: tuple[DeclaredAlarm, ...]
    metric_filters: tuple[str, ...]
    dashboard: str
    replication_role_arn: str


@dataclass(frozen=True)
class DeclaredTable:
    """The global table. `indexes` are its global secondary indexes."""

    name: str
    indexes: tuple[str, ...]
    deletion_protection: bool


@dataclass(frozen=True)
class DeclaredHealth:
    """The health checks, their alarms, and the region of the alarms.

    Attributes:
        path: the path that a checker requests.
        interval_s: seconds between a checker's requests.
        threshold: how many results in a row change a checker's status.
        alarms: on the primary's and the secondary's check, in this order.
    """

    path: str
    interval_s: int
    threshold: int
    metrics_region: str
    topic_arn: str
    alarms: tuple[DeclaredAlarm, ...]


FOR_REHEARSALS = (
    "Without --domain the names serve rehearsals, not clients: "
    "API Gateway answers 403 to whoever sends one as Host."
)
"""What a reader of the names must know if there is no domain of one's own. API Gateway finds an API by
the Host header, and knows only regional endpoints and custom domain names (API Gateway developer guide,
"Custom domain names for public REST APIs")."""


@dataclass(frozen=True)
class DeclaredDns:
    """The names and how a client uses them.

    Attributes:
        delegated: whether the zone answers for a domain of one's own. If not, the names are CNAMEs that
            only the zone's own servers know, and a client takes the CNAME's target as host, Host header
            and SNI.
        ttl_s: of the CNAMEs, in seconds. Alias records, those of a delegated zone, have AWS's own: 60.
        payments_path: the path of payments below the name.
        health_path: the path of the health page below the name.
        set_identifiers: of the primary's and the secondary's records, in this order.
        certificates: the ARNs of the primary's and the secondary's certificate; none if not delegated.
    """

    zone: str
    delegated: bool
    ttl_s: int
    payments_path: str
    health_path: str
    set_identifiers: tuple[str, str]
    certificates: tuple[str, ...]


@dataclass(frozen=True)
class DeclaredEvacuation:
    """How a region is taken out of the names, and kept out, by the other one alone.

    Attributes:
        page: the path, below a region's own endpoint, that answers 200 while the other region is evacuated.
        parameter: the name of the parameter that holds a region's flag; the same in both.
        interval_s, threshold: of the health checks on those pages; `interval_s` in seconds.
        serving_checks: the ids of the calculated health checks that the primary's and the secondary's records
            carry, in this order.
        flag_checks: the ids of the inverted health checks that are in them, on the page of the other region.
        name_servers: of the zone, joined by commas; empty where the zone is delegated: DNS tells.
        failback: "manual" if the failover name stays in the region that it has moved to until somebody
            returns it; "automatic" if it returns by itself, as with earlier versions.
    """

    page: str
    parameter: str
    interval_s: int
    threshold: int
    serving_checks: tuple[str, str]
    flag_checks: tuple[str, str]
    name_servers: str
    failback: str = "automatic"


@dataclass(frozen=True)
class DeclaredRetention:
    """How long things are kept, in days. `object_lock` is None where objects are not locked."""

    logs: int
    audit: int
    audit_expiration: int
    glacier_after: int
    object_lock: int | None


@dataclass(frozen=True)
class DeclaredLimits:
    """The API's limits: requests a second, at once, and a day."""

    rate: float
    burst: int
    daily_quota: int


@dataclass(frozen=True)
class Declared:
    """Everything else that verify and the drill need; `regions` has the primary first.

    Attributes:
        extension: what the project's own extension of the stack declares, by name.
        own_canary: what a payment looks like; None for one of the shipped payments API.
    """

    version: int
    protected: bool
    regions: tuple[DeclaredRegion, DeclaredRegion]
    table: DeclaredTable
    health: DeclaredHealth
    dns: DeclaredDns
    retention: DeclaredRetention
    limits: DeclaredLimits
    tags: Mapping[str, str]
    alarm_email: str | None
    evacuation: DeclaredEvacuation | None = None
    """None where the environment was deployed by a version that could not evacuate."""
    extension: Mapping[str, object] = field(default_factory=dict)
    own_canary: CanaryContract | None = None

    @property
    def canary(self) -> CanaryContract:
        """What a payment looks like."""
        return self.own_canary or PAYMENTS

    def to_json(self) -> str:
        """The text of the output `declared`."""
        content = asdict(self)
        for name in ("extension", "own_canary"):
            if not content[name]:  # an environment without one has the same text as ever
                del content[name]
        for alarms in (content["health"]["alarms"], *(one["alarms"] for one in content["regions"])):
            for alarm in alarms:
                if alarm["rule"] is None:  # likewise
                    del alarm["rule"]
        for region in content["regions"]:
            if region["function"]["architecture"] is None:  # likewise
                del region["function"]["architecture"]
        return json.dumps(content, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read the output `declared`.

        Raises:
            EnvironmentUnusable: it is not JSON, of another version, or not whole.
        """
        from pydantic import TypeAdapter, ValidationError

        try:
            found = parse_json(text)
        except ValueError:
            raise EnvironmentUnusable("The output `declared` is not JSON.", _REDEPLOY) from None
        version = found.get("version") if isinstance(found, dict) else None
        if version != DECLARED_VERSION:
            raise EnvironmentUnusable(
                f"The output `declared` has version {version!r}; this payinfra reads {DECLARED_VERSION}.",
                _REDEPLOY,
            )
        try:
            return TypeAdapter(cls).validate_python(found)
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors(include_url=False)[0]["loc"])
            raise EnvironmentUnusable(f"The output `declared` has no valid {where}.", _REDEPLOY) from None


ARN_PARTS = 6
_REDEPLOY = "Deploy the environment with this version of payinfra."


@dataclass(frozen=True)
class Outputs:
    """A deployment's outputs, typed. Nothing in them is sensitive."""

    primary: RegionOutputs
    secondary: RegionOutputs
    failover_domain: str
    latency_domain: str
    hosted_zone_id: str
    environment_suffix: str
    declared_json: str

    @property
    def primary_region(self) -> str:
        """The region that serves unless it is unhealthy."""
        return self.primary.region

    @property
    def secondary_region(self) -> str:
        """The region that takes over."""
        return self.secondary.region

    @property
    def canary(self) -> CanaryContract:
        """What a payment looks like: as the shipped API's where another version deployed the environment."""
        try:
            return self.declared.canary
        except EnvironmentUnusable:
            return PAYMENTS

    @property
    def names(self) -> Names:
        """The physical names of the environment, with the prefix that it was deployed with."""
        ending = Names(self.environment_suffix, "").table
        return Names(self.environment_suffix, self.primary.dynamodb_table_name.removesuffix(ending))

    @property
    def regions(self) -> tuple[RegionOutputs, RegionOutputs]:
        """The primary, then the secondary."""
        return self.primary, self.secondary

    def other_than(self, region: str) -> RegionOutputs:
        """The region that is left when the one of this name is lost."""
        return self.secondary if region == self.primary_region else self.primary

    @property
    def declared(self) -> Declared:
        """The output `declared`, parsed at each call.

        Raises:
            EnvironmentUnusable: as `Declared.from_json`.
        """
        return Declared.from_json(self.declared_json)

    def records_check(self, region: str) -> str:
        """The id of the health check that a region's records carry.

        Raises:
            EnvironmentUnusable: as `Declared.from_json`.
        """
        evacuation, regions = self.declared.evacuation, [one.region for one in self.regions]
        if evacuation is None:
            return self.regions[regions.index(region)].health_check_id
        return evacuation.serving_checks[regions.index(region)]

    def to_flat(self) -> dict[str, str]:
        """The flat form, as in cfn-outputs/flat-outputs.json."""
        flat = {name: str(getattr(self.primary, name)) for name in REGION_OUTPUTS}
        flat |= {SECONDARY_PREFIX + name: str(getattr(self.secondary, name)) for name in REGION_OUTPUTS}
        return flat | {
            "declared": self.declared_json,
            "failover_domain": self.failover_domain,
            "latency_domain": self.latency_domain,
            "hosted_zone_id": self.hosted_zone_id,
            "primary_region": self.primary_region,
            "secondary_region": self.secondary_region,
            "environment_suffix": self.environment_suffix,
        }

    @classmethod
    def from_flat(cls, flat: Mapping[str, object]) -> Self:
        """Read the flat form. Outputs that this version does not know are ignored.

        Raises:
            EnvironmentUnusable: an output is missing or is no text.
        """
        texts = _texts(flat)
        missing = [name for name in _WANTED if name not in texts]
        if missing:
            raise EnvironmentUnusable(f"The environment's outputs lack {', '.join(missing)}.", _REDEPLOY)
        return cls(
            primary=_region(texts["primary_region"], texts, ""),
            secondary=_region(texts["secondary_region"], texts, SECONDARY_PREFIX),
            failover_domain=texts["failover_domain"],
            latency_domain=texts["latency_domain"],
            hosted_zone_id=texts["hosted_zone_id"],
            environment_suffix=texts["environment_suffix"],
            declared_json=texts["declared"],
        )

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a flat outputs file.

        Raises:
            EnvironmentUnusable: it cannot be read, is not a JSON object, or lacks an output.
        """
        try:
            flat = parse_json(path.read_bytes())
        except OSError as error:
            raise EnvironmentUnusable(
                f"{path} cannot be read: {error.strerror}.", "Deploy the environment first."
            ) from None
        except ValueError:
            raise EnvironmentUnusable(f"{path} is not JSON.", "Deploy the environment again.") from None
        if not isinstance(flat, dict):
            raise EnvironmentUnusable(f"{path} holds no JSON object.", "Deploy the environment again.")
        return cls.from_flat(flat)


_WANTED = (*REGION_OUTPUTS, *(SECONDARY_PREFIX + name for name in REGION_OUTPUTS), *COMMON_OUTPUTS)


def _texts(flat: Mapping[str, object]) -> dict[str, str]:
    return {name: value for name in _WANTED if isinstance(value := flat.get(name), str) and value}


def _region(region: str, texts: Mapping[str, str], prefix: str) -> RegionOutputs:
    return RegionOutputs(region=region, **{name: texts[prefix + name] for name in REGION_OUTPUTS})
