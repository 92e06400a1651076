"""The resources of a deploy role's statements: ARN patterns and conditions for each group of resources.

ARNs come from `payinfra.core.naming`. Resources without a name of their own (customer keys, APIs, event
source mappings) are limited by their tags; only what has neither is `*`. Resource types and condition keys
are those of the service authorization reference.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from payinfra.account.scope import Conditions, PermissionScope
from payinfra.core.naming import (
    DRILL_FIS_ROLE,
    DRILL_SCHEDULE_GROUP,
    DRILL_SCHEDULER_ROLE,
    TEST_PREFIX,
    KeyPurpose,
    Parameter,
    canary_domain,
)


class ArnGroup(StrEnum):
    """A group of resources under one condition. The value is the statement's id."""

    TABLES = "Tables"
    FUNCTIONS = "Functions"
    STREAM_READERS = "StreamReaders"
    ANY_STREAM_READER = "AnyStreamReader"
    LAYERS = "Layers"
    BUCKETS = "Buckets"
    OBJECTS = "Objects"
    TEST_OBJECTS = "TestObjects"
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
class ArnLimits:
    """The ARNs of a group and the conditions on them. No ARNs where the scope has no such resource."""

    resources: tuple[str, ...]
    conditions: Conditions = field(default_factory=dict)


_SERVICES_WITH_KEYS = ("dynamodb", "lambda", "s3", "ssm", "sns", "logs")
_LINKED = ("replication.dynamodb.amazonaws.com", "ops.apigateway.amazonaws.com", "fis.amazonaws.com")
"""Services that create a service-linked role on first use, on behalf of the caller."""


def limits(target: ArnGroup, reach: PermissionScope) -> ArnLimits:
    """The limits of a group of resources."""
    return _LIMITS[target](reach)


def _tables(reach: PermissionScope) -> ArnLimits:
    table = reach.arn("dynamodb", f"table/{reach.names.table}")
    return ArnLimits((table, f"{table}/*"))


def _functions(reach: PermissionScope) -> ArnLimits:
    function = reach.arn("lambda", f"function:{reach.names.function}")
    return ArnLimits((function, f"{function}:*"))


def _stream_readers(reach: PermissionScope) -> ArnLimits:
    return ArnLimits(("*",), {"ArnLike": {"lambda:FunctionArn": _functions(reach).resources}})


def _buckets(reach: PermissionScope, below: str = "") -> ArnLimits:
    buckets = (reach.names.audit_bucket(region, reach.account) for region in reach.regions)
    return ArnLimits(tuple(f"arn:aws:s3:::{bucket}{below}" for bucket in buckets))


def _keys_in_use(reach: PermissionScope) -> ArnLimits:
    found = reach.tagged("ResourceTag")
    through = [f"{service}.*.amazonaws.com" for service in _SERVICES_WITH_KEYS]
    like = {**found.get("StringLike", {}), "kms:ViaService": through}
    return ArnLimits((reach.arn("kms", "key/*"),), {**found, "StringLike": like})


def _apis(*paths: str) -> tuple[str, ...]:
    return tuple(f"arn:aws:apigateway:*::/{path}" for path in paths)


_MADE_AT_THE_TOP = ("restapis", "apikeys", "usageplans", "domainnames")


def _below_apis(reach: PermissionScope) -> ArnLimits:
    return ArnLimits(
        _apis(*(f"{kind}/*" for kind in _MADE_AT_THE_TOP), "tags/*"), reach.tagged("ResourceTag")
    )


def _log_groups(reach: PermissionScope) -> ArnLimits:
    groups = (reach.names.function_log_group, reach.names.access_log_group)
    arns = tuple(reach.arn("logs", f"log-group:{group}") for group in groups)
    return ArnLimits((*arns, *(f"{arn}:*" for arn in arns)))


def _execution_logs(reach: PermissionScope) -> ArnLimits:
    """AWS chooses the name: it has the API's id, and not the environment's name."""
    group = reach.arn("logs", f"log-group:{reach.names.execution_log_group('*')}")
    return ArnLimits((group, f"{group}:*"))


def _zones(reach: PermissionScope) -> ArnLimits:
    return ArnLimits(
        (f"arn:aws:route53:::hostedzone/{reach.hosted_zone_id or '*'}", "arn:aws:route53:::change/*")
    )


def _records(reach: PermissionScope) -> ArnLimits:
    """The record names that may be written, including those that validate certificates and test the zone."""
    served = (reach.names.failover_domain(reach.domain), reach.names.latency_domain(reach.domain))
    below = [f"*.{name}" for name in served] if reach.domain else [canary_domain(served[0], "*")]
    names = (*served, *below)
    return ArnLimits(
        (f"arn:aws:route53:::hostedzone/{reach.hosted_zone_id or '*'}",),
        {"ForAllValues:StringLike": {"route53:ChangeResourceRecordSetsNormalizedRecordNames": names}},
    )


def _roles(reach: PermissionScope) -> tuple[str, ...]:
    names = reach.names
    return tuple(
        reach.role(name(region))
        for region in reach.regions
        for name in (names.function_role, names.replication_role)
    )


def _roles_to_bound(reach: PermissionScope) -> ArnLimits:
    """Roles whose permissions may be changed: only with the boundary, where one is required."""
    if reach.boundary is None:
        return ArnLimits(_roles(reach))
    return ArnLimits(_roles(reach), {"StringEquals": {"iam:PermissionsBoundary": reach.boundary}})


def _pass(
    roles: Callable[[PermissionScope], tuple[str, ...]], service: str
) -> Callable[[PermissionScope], ArnLimits]:
    return lambda reach: ArnLimits(
        roles(reach), {"StringEquals": {"iam:PassedToService": f"{service}.amazonaws.com"}}
    )


def _service_linked(reach: PermissionScope) -> ArnLimits:
    return ArnLimits(
        tuple(reach.role(f"aws-service-role/{service}/*") for service in _LINKED),
        {"StringEquals": {"iam:AWSServiceName": _LINKED}},
    )


def _state(reach: PermissionScope) -> ArnLimits:
    if reach.state_bucket is None:
        return ArnLimits(())
    key = reach.state_key or reach.names.state_key
    # The state's lock is beside it, with the suffix `.tflock`.
    return ArnLimits(tuple(f"arn:aws:s3:::{reach.state_bucket}/{key}{end}" for end in ("", ".tflock")))


def _state_keys(reach: PermissionScope) -> ArnLimits:
    if reach.state_bucket is None:
        return ArnLimits(())
    through_s3: dict[str, dict[str, str | Sequence[str]]] = {
        "StringLike": {"kms:ViaService": "s3.*.amazonaws.com"}
    }
    named = reach.state_kms_key
    _, found, alias = named.rpartition("alias/")
    if not found:
        return ArnLimits(
            (named if named.startswith("arn:") else reach.arn("kms", f"key/{named}"),), through_s3
        )
    return ArnLimits(
        (reach.arn("kms", "key/*"),),
        {**through_s3, "ForAnyValue:StringEquals": {"kms:ResourceAliases": f"alias/{alias}"}},
    )


_LIMITS: Mapping[ArnGroup, Callable[[PermissionScope], ArnLimits]] = {
    ArnGroup.TABLES: _tables,
    ArnGroup.FUNCTIONS: _functions,
    ArnGroup.STREAM_READERS: _stream_readers,
    ArnGroup.ANY_STREAM_READER: lambda reach: ArnLimits((reach.arn("lambda", "event-source-mapping:*"),)),
    # Layers of a project's own, whoever's account they are in: they say who may use them.
    ArnGroup.LAYERS: lambda reach: ArnLimits(reach.layers),
    ArnGroup.BUCKETS: _buckets,
    ArnGroup.OBJECTS: lambda reach: _buckets(reach, "/*"),
    ArnGroup.TEST_OBJECTS: lambda reach: _buckets(reach, f"/{TEST_PREFIX}*"),
    ArnGroup.KEYS: lambda reach: ArnLimits((reach.arn("kms", "key/*"),), reach.tagged("ResourceTag")),
    ArnGroup.NEW_KEYS: lambda reach: ArnLimits(("*",), reach.tagged("RequestTag")),
    ArnGroup.KEY_ALIASES: lambda reach: ArnLimits(
        tuple(reach.arn("kms", reach.names.key_alias(purpose)) for purpose in KeyPurpose)
    ),
    ArnGroup.KEYS_IN_USE: _keys_in_use,
    ArnGroup.APIS: _below_apis,
    ArnGroup.NEW_APIS: lambda reach: ArnLimits(
        _apis(*_MADE_AT_THE_TOP, "tags/*"), reach.tagged("RequestTag")
    ),
    ArnGroup.API_LISTS: lambda _reach: ArnLimits(_apis("restapis", "apikeys", "usageplans", "domainnames")),
    ArnGroup.API_SETTINGS: lambda _reach: ArnLimits(_apis("account")),
    ArnGroup.LOG_GROUPS: _log_groups,
    ArnGroup.EXECUTION_LOGS: _execution_logs,
    ArnGroup.ALARMS: lambda reach: ArnLimits((reach.arn("cloudwatch", f"alarm:{reach.names.alarm('*')}"),)),
    ArnGroup.DASHBOARDS: lambda reach: ArnLimits(
        tuple(
            f"arn:aws:cloudwatch::{reach.account}:dashboard/{reach.names.dashboard(region)}"
            for region in reach.regions
        )
    ),
    ArnGroup.TOPICS: lambda reach: ArnLimits((reach.arn("sns", reach.names.topic),)),
    ArnGroup.PARAMETERS: lambda reach: ArnLimits(
        tuple(reach.arn("ssm", f"parameter{reach.names.parameter(what)}") for what in Parameter)
    ),
    ArnGroup.ZONES: _zones,
    ArnGroup.RECORDS: _records,
    ArnGroup.HEALTH_CHECKS: lambda _reach: ArnLimits(("arn:aws:route53:::healthcheck/*",)),
    ArnGroup.CERTIFICATES: lambda reach: ArnLimits(
        (reach.arn("acm", "certificate/*"),), reach.tagged("ResourceTag")
    ),
    ArnGroup.NEW_CERTIFICATES: lambda reach: ArnLimits(("*",), reach.tagged("RequestTag")),
    ArnGroup.ROLES: lambda reach: ArnLimits(_roles(reach)),
    ArnGroup.ROLES_TO_BOUND: _roles_to_bound,
    ArnGroup.ROLES_FOR_LAMBDA: _pass(
        lambda reach: tuple(reach.role(reach.names.function_role(region)) for region in reach.regions),
        "lambda",
    ),
    ArnGroup.ROLES_FOR_S3: _pass(
        lambda reach: tuple(reach.role(reach.names.replication_role(region)) for region in reach.regions),
        "s3",
    ),
    ArnGroup.ROLES_FOR_FIS: _pass(lambda reach: (reach.role(DRILL_FIS_ROLE),), "fis"),
    ArnGroup.ROLES_FOR_SCHEDULER: _pass(lambda reach: (reach.role(DRILL_SCHEDULER_ROLE),), "scheduler"),
    ArnGroup.SERVICE_LINKED: _service_linked,
    ArnGroup.EXPERIMENTS: lambda reach: ArnLimits(
        (
            *(reach.arn("fis", f"{kind}/*") for kind in ("experiment-template", "experiment")),
            "arn:aws:fis:*::action/aws:dynamodb:global-table-pause-replication",
            "arn:aws:fis:*::action/aws:s3:bucket-pause-replication",
        )
    ),
    ArnGroup.SCHEDULES: lambda reach: ArnLimits(
        (reach.arn("scheduler", f"schedule/{DRILL_SCHEDULE_GROUP}/*"),)
    ),
    ArnGroup.STATE: _state,
    ArnGroup.STATE_BUCKET: lambda reach: ArnLimits(
        (f"arn:aws:s3:::{reach.state_bucket}",) if reach.state_bucket else ()
    ),
    ArnGroup.STATE_KEYS: _state_keys,
    ArnGroup.WITHOUT_RESOURCE: lambda _reach: ArnLimits(("*",)),
}
