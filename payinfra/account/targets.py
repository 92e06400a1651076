"""What a deploy role's actions are about: groups of resources, each with its ARNs and its conditions.

ARNs come from `payinfra.naming`. What AWS gives no name of one's own (customer keys, APIs, event source
mappings) is known by its tags; what has neither is all that remains as `*`. Resource types and condition
keys are those of the service authorization reference.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from payinfra.account.reach import Conditions, Reach
from payinfra.naming import (
    DRILL_FIS_ROLE,
    DRILL_SCHEDULE_GROUP,
    DRILL_SCHEDULER_ROLE,
    STATE_KEY_ALIAS,
    KeyPurpose,
    Parameter,
    canary_domain,
)


class Target(StrEnum):
    """A group of resources under one condition. The value is the statement's id."""

    TABLES = "Tables"
    FUNCTIONS = "Functions"
    STREAM_READERS = "StreamReaders"
    ANY_STREAM_READER = "AnyStreamReader"
    BUCKETS = "Buckets"
    OBJECTS = "Objects"
    KEYS = "Keys"
    NEW_KEYS = "NewKeys"
    KEY_ALIASES = "KeyAliases"
    KEYS_IN_USE = "KeysInUse"
    APIS = "Apis"
    NEW_APIS = "NewApis"
    API_LISTS = "ApiLists"
    API_SETTINGS = "ApiSettings"
    LOG_GROUPS = "LogGroups"
    EXECUTION_LOGS = "ExecutionLogs"
    ALARMS = "Alarms"
    DASHBOARDS = "Dashboards"
    TOPICS = "Topics"
    PARAMETERS = "Parameters"
    ZONES = "Zones"
    RECORDS = "Records"
    HEALTH_CHECKS = "HealthChecks"
    CERTIFICATES = "Certificates"
    NEW_CERTIFICATES = "NewCertificates"
    ROLES = "Roles"
    ROLES_TO_BOUND = "RolesToBound"
    ROLES_FOR_LAMBDA = "RolesForLambda"
    ROLES_FOR_S3 = "RolesForS3"
    ROLES_FOR_FIS = "RolesForFis"
    ROLES_FOR_SCHEDULER = "RolesForScheduler"
    SERVICE_LINKED = "ServiceLinkedRoles"
    EXPERIMENTS = "Experiments"
    SCHEDULES = "Schedules"
    STATE = "State"
    STATE_BUCKET = "StateBucket"
    STATE_KEYS = "StateKeys"
    WITHOUT_RESOURCE = "WithoutResource"


@dataclass(frozen=True)
class Limits:
    """The ARNs of a group, and what else must be so. None of them where the reach has no such thing."""

    resources: tuple[str, ...]
    conditions: Conditions = field(default_factory=dict)


_SERVICES_WITH_KEYS = ("dynamodb", "lambda", "s3", "ssm", "sns", "logs")
_LINKED = ("replication.dynamodb.amazonaws.com", "ops.apigateway.amazonaws.com", "fis.amazonaws.com")
"""Services that make a role of their own in the account when they are first used, on behalf of the caller."""


def limits(target: Target, reach: Reach) -> Limits:
    """The limits of a group of resources."""
    return _LIMITS[target](reach)


def _tables(reach: Reach) -> Limits:
    table = reach.arn("dynamodb", f"table/{reach.names.table}")
    return Limits((table, f"{table}/*"))


def _functions(reach: Reach) -> Limits:
    function = reach.arn("lambda", f"function:{reach.names.function}")
    return Limits((function, f"{function}:*"))


def _stream_readers(reach: Reach) -> Limits:
    return Limits(("*",), {"ArnLike": {"lambda:FunctionArn": _functions(reach).resources}})


def _buckets(reach: Reach, below: str = "") -> Limits:
    buckets = (reach.names.audit_bucket(region, reach.account) for region in reach.regions)
    return Limits(tuple(f"arn:aws:s3:::{bucket}{below}" for bucket in buckets))


def _keys_in_use(reach: Reach) -> Limits:
    found = reach.tagged("ResourceTag")
    through = [f"{service}.*.amazonaws.com" for service in _SERVICES_WITH_KEYS]
    like = {**found.get("StringLike", {}), "kms:ViaService": through}
    return Limits((reach.arn("kms", "key/*"),), {**found, "StringLike": like})


def _apis(*paths: str) -> tuple[str, ...]:
    return tuple(f"arn:aws:apigateway:*::/{path}" for path in paths)


_MADE_AT_THE_TOP = ("restapis", "apikeys", "usageplans", "domainnames")


def _below_apis(reach: Reach) -> Limits:
    return Limits(_apis(*(f"{kind}/*" for kind in _MADE_AT_THE_TOP), "tags/*"), reach.tagged("ResourceTag"))


def _log_groups(reach: Reach) -> Limits:
    groups = (reach.names.function_log_group, reach.names.access_log_group)
    arns = tuple(reach.arn("logs", f"log-group:{group}") for group in groups)
    return Limits((*arns, *(f"{arn}:*" for arn in arns)))


def _execution_logs(reach: Reach) -> Limits:
    """AWS dictates the name, which holds the API's id and nothing of the environment."""
    group = reach.arn("logs", f"log-group:{reach.names.execution_log_group('*')}")
    return Limits((group, f"{group}:*"))


def _zones(reach: Reach) -> Limits:
    return Limits(
        (f"arn:aws:route53:::hostedzone/{reach.hosted_zone_id or '*'}", "arn:aws:route53:::change/*")
    )


def _records(reach: Reach) -> Limits:
    """The names that may be written, and below them those with which a certificate proves its domain and a
    probe tries the zone."""
    served = (reach.names.failover_domain(reach.domain), reach.names.latency_domain(reach.domain))
    below = [f"*.{name}" for name in served] if reach.domain else [canary_domain(served[0], "*")]
    names = (*served, *below)
    return Limits(
        (f"arn:aws:route53:::hostedzone/{reach.hosted_zone_id or '*'}",),
        {"ForAllValues:StringLike": {"route53:ChangeResourceRecordSetsNormalizedRecordNames": names}},
    )


def _roles(reach: Reach) -> tuple[str, ...]:
    names = reach.names
    return tuple(
        reach.role(name(region))
        for region in reach.regions
        for name in (names.function_role, names.replication_role)
    )


def _roles_to_bound(reach: Reach) -> Limits:
    """What gives a role its power needs the boundary on that role, where one is asked for."""
    if reach.boundary is None:
        return Limits(_roles(reach))
    return Limits(_roles(reach), {"StringEquals": {"iam:PermissionsBoundary": reach.boundary}})


def _pass(roles: Callable[[Reach], tuple[str, ...]], service: str) -> Callable[[Reach], Limits]:
    return lambda reach: Limits(
        roles(reach), {"StringEquals": {"iam:PassedToService": f"{service}.amazonaws.com"}}
    )


def _service_linked(reach: Reach) -> Limits:
    return Limits(
        tuple(reach.role(f"aws-service-role/{service}/*") for service in _LINKED),
        {"StringEquals": {"iam:AWSServiceName": _LINKED}},
    )


def _state(reach: Reach) -> Limits:
    if reach.state_bucket is None:
        return Limits(())
    key = reach.state_key or reach.names.state_key
    # Beside the state lies its lock, `.tflock`.
    return Limits(tuple(f"arn:aws:s3:::{reach.state_bucket}/{key}{end}" for end in ("", ".tflock")))


def _state_keys(reach: Reach) -> Limits:
    if reach.state_bucket is None:
        return Limits(())
    return Limits(
        (reach.arn("kms", "key/*"),),
        {
            "StringLike": {"kms:ViaService": "s3.*.amazonaws.com"},
            "ForAnyValue:StringEquals": {"kms:ResourceAliases": STATE_KEY_ALIAS},
        },
    )


_LIMITS: Mapping[Target, Callable[[Reach], Limits]] = {
    Target.TABLES: _tables,
    Target.FUNCTIONS: _functions,
    Target.STREAM_READERS: _stream_readers,
    Target.ANY_STREAM_READER: lambda reach: Limits((reach.arn("lambda", "event-source-mapping:*"),)),
    Target.BUCKETS: _buckets,
    Target.OBJECTS: lambda reach: _buckets(reach, "/*"),
    Target.KEYS: lambda reach: Limits((reach.arn("kms", "key/*"),), reach.tagged("ResourceTag")),
    Target.NEW_KEYS: lambda reach: Limits(("*",), reach.tagged("RequestTag")),
    Target.KEY_ALIASES: lambda reach: Limits(
        tuple(reach.arn("kms", reach.names.key_alias(purpose)) for purpose in KeyPurpose)
    ),
    Target.KEYS_IN_USE: _keys_in_use,
    Target.APIS: _below_apis,
    Target.NEW_APIS: lambda reach: Limits(_apis(*_MADE_AT_THE_TOP), reach.tagged("RequestTag")),
    Target.API_LISTS: lambda _reach: Limits(_apis("restapis", "apikeys", "usageplans")),
    Target.API_SETTINGS: lambda _reach: Limits(_apis("account")),
    Target.LOG_GROUPS: _log_groups,
    Target.EXECUTION_LOGS: _execution_logs,
    Target.ALARMS: lambda reach: Limits((reach.arn("cloudwatch", f"alarm:{reach.names.alarm('*')}"),)),
    Target.DASHBOARDS: lambda reach: Limits(
        tuple(
            f"arn:aws:cloudwatch::{reach.account}:dashboard/{reach.names.dashboard(region)}"
            for region in reach.regions
        )
    ),
    Target.TOPICS: lambda reach: Limits((reach.arn("sns", reach.names.topic),)),
    Target.PARAMETERS: lambda reach: Limits(
        tuple(reach.arn("ssm", f"parameter{reach.names.parameter(what)}") for what in Parameter)
    ),
    Target.ZONES: _zones,
    Target.RECORDS: _records,
    Target.HEALTH_CHECKS: lambda _reach: Limits(("arn:aws:route53:::healthcheck/*",)),
    Target.CERTIFICATES: lambda reach: Limits(
        (reach.arn("acm", "certificate/*"),), reach.tagged("ResourceTag")
    ),
    Target.NEW_CERTIFICATES: lambda reach: Limits(("*",), reach.tagged("RequestTag")),
    Target.ROLES: lambda reach: Limits(_roles(reach)),
    Target.ROLES_TO_BOUND: _roles_to_bound,
    Target.ROLES_FOR_LAMBDA: _pass(
        lambda reach: tuple(reach.role(reach.names.function_role(region)) for region in reach.regions),
        "lambda",
    ),
    Target.ROLES_FOR_S3: _pass(
        lambda reach: tuple(reach.role(reach.names.replication_role(region)) for region in reach.regions),
        "s3",
    ),
    Target.ROLES_FOR_FIS: _pass(lambda reach: (reach.role(DRILL_FIS_ROLE),), "fis"),
    Target.ROLES_FOR_SCHEDULER: _pass(lambda reach: (reach.role(DRILL_SCHEDULER_ROLE),), "scheduler"),
    Target.SERVICE_LINKED: _service_linked,
    Target.EXPERIMENTS: lambda reach: Limits(
        (
            *(reach.arn("fis", f"{kind}/*") for kind in ("experiment-template", "experiment")),
            "arn:aws:fis:*::action/aws:dynamodb:global-table-pause-replication",
        )
    ),
    Target.SCHEDULES: lambda reach: Limits((reach.arn("scheduler", f"schedule/{DRILL_SCHEDULE_GROUP}/*"),)),
    Target.STATE: _state,
    Target.STATE_BUCKET: lambda reach: Limits(
        (f"arn:aws:s3:::{reach.state_bucket}",) if reach.state_bucket else ()
    ),
    Target.STATE_KEYS: _state_keys,
    Target.WITHOUT_RESOURCE: lambda _reach: Limits(("*",)),
}
