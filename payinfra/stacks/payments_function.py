"""The payments function of a region: log group, role, function, a published version behind an alias."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from cdktf_cdktf_provider_aws.lambda_alias import LambdaAlias
from cdktf_cdktf_provider_aws.lambda_event_source_mapping import (
    LambdaEventSourceMapping,
    LambdaEventSourceMappingDestinationConfig,
    LambdaEventSourceMappingDestinationConfigOnFailure,
    LambdaEventSourceMappingFilterCriteria,
    LambdaEventSourceMappingFilterCriteriaFilter,
)
from cdktf_cdktf_provider_aws.lambda_function import (
    LambdaFunction,
    LambdaFunctionEnvironment,
    LambdaFunctionTracingConfig,
)

from payinfra.core.naming import AUDIT_PREFIX, FUNCTION_ALIAS, TEST_PREFIX, Parameter
from payinfra.stacks.audit_bucket import AuditBucket
from payinfra.stacks.component import Scope, StackComponent
from payinfra.stacks.iam_documents import StatementProps, document, service_trust
from payinfra.stacks.kms_keys import RegionKeySet
from payinfra.stacks.payments_table import table_arn
from payinfra.stacks.region_context import RegionContext

HANDLER = "payments.handler.handle"
POWERTOOLS_SERVICE = "payments"
STREAM_BATCH = 100
STREAM_RETRIES = -1
"""Until a record is too old: whatever the audit log refuses today it may take in an hour."""
STREAM_MAX_AGE_S = 22 * 60 * 60
"""Less than DynamoDB keeps a stream's records: Lambda says what it gives up, and the stream would not."""

RESERVED_VARIABLES = frozenset(
    (
        *("ENVIRONMENT", "TABLE_NAME", "AUDIT_BUCKET", "AUDIT_KEY_ARN", "CURSOR_SECRET_PARAMETER"),
        *("LOG_LEVEL", "POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE"),
        *("CORS_ORIGINS", "KEEP_SOURCE_IP", "EVACUATED_PARAMETER", "PEER_REGION", "PRIMARY_REGION"),
        "SPREAD_STATUSES",
        *("FAILOVER_DOMAIN", "FAIL_BACK", "FAILOVER_NAME", "FAILOVER_ZONE", "NAME_SERVERS"),
        "REGION_ENDPOINTS",
    )
)
"""The function's variables that payinfra sets."""
FURTHER_SID = "Further"
"""What the ids of the statements that a project adds begin with."""


@dataclass(frozen=True)
class CodeProps:
    """What the function runs.

    Attributes:
        zip_name: the zip's path, relative to the synthesized stack's folder.
        sha256: its SHA-256, in base64 as Lambda writes it.
    """

    zip_name: str
    sha256: str


@dataclass(frozen=True)
class ManualFailBackProps:
    """How the failover name is kept in the region that it has moved to.

    Attributes:
        name: the failover name.
        zone: the name's zone, if its parent delegates it; else empty.
        name_servers: those of the zone, joined by commas; empty if it is delegated, because DNS has them.
        endpoints: where the primary and the secondary region of the embedded AWS answer, joined by a comma;
            empty on AWS.
    """

    name: str
    zone: str
    name_servers: str
    endpoints: str


@dataclass(frozen=True)
class PaymentsFunctionProps:
    """The payments function.

    Attributes:
        runtime: as Lambda names it, such as `python3.11`.
        architecture: `x86_64` or `arm64`; None to declare none, which Lambda takes for `x86_64` where the
            function is new (Lambda API reference, CreateFunction).
        memory_mb, timeout_s: its size and how long one call may take, in seconds.
        reserved_concurrency: how many calls at once are kept for it; None for the account's common pool.
        cors_origins: the origins whose pages may call the API; none for same origin only.
        table_name: the table's.
        stream_arn: of the table's stream in this region.
        topic_arn: where Lambda says which records of the stream it gives up.
        peer_region: the other region, of which the function says whether it is evacuated.
        primary_region: the region that serves unless it is unhealthy.
        failover_domain: the name that follows the healthy region; None where requests do not carry it.
        keep_source_ip: whether the addresses that payments come from are kept with them.
        spread_statuses: whether the payments of a status are spread over several partitions of its index.
        layers: the ARNs of its layers in this region.
        fail_back: how the failover name is kept in the region that it has moved to; None if it returns by
            itself.
    """

    place: RegionContext
    code: CodeProps
    keys: RegionKeySet
    audit: AuditBucket
    table_name: str
    stream_arn: str
    topic_arn: str
    peer_region: str
    primary_region: str
    failover_domain: str | None
    runtime: str
    architecture: str | None
    memory_mb: int
    timeout_s: int
    reserved_concurrency: int | None
    log_retention_days: int
    cors_origins: tuple[str, ...]
    keep_source_ip: bool
    spread_statuses: bool = True
    layers: tuple[str, ...] = ()
    fail_back: ManualFailBackProps | None = None


class PaymentsFunction(StackComponent):
    """The payments function and what it needs.

    Attributes:
        alias: what the API calls.
        function_name, function_arn: the function's, without version.
        role_name, role_arn: the role's.
        log_group_name: where it logs.
    """

    def __init__(self, scope: Scope, id_: str, *, props: PaymentsFunctionProps) -> None:
        super().__init__(scope, id_)
        place, names, provider = props.place, props.place.names, props.place.provider
        # The group comes first, by its derived name: the role may not create one, so that no late line
        # brings back a group that was destroyed.
        group = CloudwatchLogGroup(
            *self.at("log-group"),
            provider=provider,
            name=names.function_log_group,
            retention_in_days=props.log_retention_days,
            kms_key_id=props.keys.audit.arn,
        )
        role = IamRole(
            *self.at("role"),
            provider=provider,
            name=names.function_role(place.region),
            description=f"The payments function in {place.region}",
            permissions_boundary=place.permissions_boundary,
            # That what reads the stream says which function it reads for, AWS does not document.
            assume_role_policy=service_trust(
                "lambda.amazonaws.com", {"StringEquals": {"aws:SourceAccount": place.account}}
            ),
        )
        self._props, self._group_arn = props, group.arn
        self._policy = IamRolePolicy(
            *self.at("policy"),
            provider=provider,
            name=names.function_policy,
            role=role.name,
            policy=_permissions(props, group.arn),
        )
        self._function = function = LambdaFunction(
            *self.at("function"),
            provider=provider,
            function_name=names.function,
            description="Records payments, each once",
            role=role.arn,
            runtime=props.runtime,
            # Without the argument, the provider leaves a function's architecture as it is.
            architectures=[props.architecture] if props.architecture else None,
            handler=HANDLER,
            layers=list(props.layers) or None,
            filename=props.code.zip_name,
            source_code_hash=props.code.sha256,
            memory_size=props.memory_mb,
            timeout=props.timeout_s,
            reserved_concurrent_executions=props.reserved_concurrency,
            publish=True,
            kms_key_arn=props.keys.application.arn,
            environment=LambdaFunctionEnvironment(variables=_environment(props)),
            tracing_config=LambdaFunctionTracingConfig(mode="Active"),
            depends_on=[group, self._policy],
        )
        self.alias = LambdaAlias(
            *self.at("alias"),
            provider=provider,
            name=FUNCTION_ALIAS,
            description="The version that the API calls",
            function_name=function.function_name,
            function_version=function.version,
        )
        # Payments that this region recorded, for their audit objects; and changes, for states and for the
        # last writer of two cut-off regions winning over the other.
        LambdaEventSourceMapping(
            *self.at("stream"),
            provider=provider,
            event_source_arn=props.stream_arn,
            function_name=self.alias.arn,
            starting_position="TRIM_HORIZON",
            filter_criteria=LambdaEventSourceMappingFilterCriteria(
                filter=[
                    LambdaEventSourceMappingFilterCriteriaFilter(pattern=json.dumps(pattern))
                    for pattern in _records(place.region)
                ]
            ),
            batch_size=STREAM_BATCH,
            bisect_batch_on_function_error=True,
            maximum_retry_attempts=STREAM_RETRIES,
            maximum_record_age_in_seconds=STREAM_MAX_AGE_S,
            function_response_types=["ReportBatchItemFailures"],
            destination_config=LambdaEventSourceMappingDestinationConfig(
                on_failure=LambdaEventSourceMappingDestinationConfigOnFailure(destination_arn=props.topic_arn)
            ),
        )
        self.function_name = function.function_name
        self.function_arn = function.arn
        self.role_name = role.name
        self.role_arn = role.arn
        self.log_group_name = group.name

    def extend(self, variables: Mapping[str, str], statements: tuple[StatementProps, ...]) -> None:
        """Give the function further variables, and its role further permissions."""
        if variables:
            self._function.put_environment(variables={**_environment(self._props), **variables})
        if statements:
            self._policy.policy = _permissions(self._props, self._group_arn, statements)


def _records(region: str) -> tuple[dict[str, object], ...]:
    """The records that the function is handed (Lambda developer guide, "Using event filtering with a DynamoDB
    event source"). What replication brings is the other region's to audit."""
    recorded_here = {"NewImage": {"receipt": {"M": {"region": {"S": [region]}}}}}
    return ({"eventName": ["MODIFY"]}, {"eventName": ["INSERT"], "dynamodb": recorded_here})


def _environment(props: PaymentsFunctionProps) -> dict[str, str]:
    names = props.place.names
    variables = {
        "ENVIRONMENT": names.env,
        "TABLE_NAME": props.table_name,
        "AUDIT_BUCKET": props.audit.name,
        "AUDIT_KEY_ARN": props.audit.key_arn,
        "CURSOR_SECRET_PARAMETER": names.parameter(Parameter.CURSORS),
        "EVACUATED_PARAMETER": names.parameter(Parameter.EVACUATED),
        "PEER_REGION": props.peer_region,
        "PRIMARY_REGION": props.primary_region,
        "LOG_LEVEL": "INFO",
        "POWERTOOLS_SERVICE_NAME": POWERTOOLS_SERVICE,
        "POWERTOOLS_METRICS_NAMESPACE": names.metric_namespace,
    }
    if props.failover_domain:
        variables["FAILOVER_DOMAIN"] = props.failover_domain
    if props.fail_back:
        variables |= _fail_back(props.fail_back)
    if props.cors_origins:
        variables["CORS_ORIGINS"] = ",".join(props.cors_origins)
    if props.keep_source_ip:
        variables["KEEP_SOURCE_IP"] = "true"
    if not props.spread_statuses:
        variables["SPREAD_STATUSES"] = "false"
    return variables


def _fail_back(manual: ManualFailBackProps) -> dict[str, str]:
    """The variables, the same in both regions. By PRIMARY_REGION the function knows its part."""
    more = {
        "FAILOVER_ZONE": manual.zone,
        "NAME_SERVERS": manual.name_servers,
        "REGION_ENDPOINTS": manual.endpoints,
    }
    said = {"FAIL_BACK": "manual", "FAILOVER_NAME": manual.name}
    return said | {name: value for name, value in more.items() if value}


def _flag_statements(props: PaymentsFunctionProps, flag: str) -> tuple[StatementProps, ...]:
    """Reading the region's own flag; where fail-back is manual, also setting it, and reading the other's."""
    read, own = ("ssm:GetParameter",), "EvacuationFlag"
    if props.fail_back is None:
        return (StatementProps(own, read, (flag,)),)
    name = props.place.names.parameter(Parameter.EVACUATED)
    peer = f"arn:aws:ssm:{props.peer_region}:{props.place.account}:parameter{name}"
    return (
        StatementProps(own, (*read, "ssm:PutParameter"), (flag,)),
        StatementProps("PeerFlag", read, (peer,)),
    )


def _permissions(
    props: PaymentsFunctionProps, log_group_arn: str, further: tuple[StatementProps, ...] = ()
) -> str:
    """Exactly what the function's code does, and the keys of what it touches."""
    place, keys = props.place, props.keys
    table = table_arn(place, props.table_name)
    secret, flag = (
        place.arn("ssm", f"parameter{place.names.parameter(what)}")
        for what in (Parameter.CURSORS, Parameter.EVACUATED)
    )
    return document(
        StatementProps("Table", ("dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"), (table,)),
        StatementProps("Indexes", ("dynamodb:Query",), (f"{table}/index/*",)),
        StatementProps(
            "Stream",
            ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"),
            (props.stream_arn,),
        ),
        # Neither this one nor X-Ray's name resources (service authorization reference).
        StatementProps("Streams", ("dynamodb:ListStreams",), ("*",)),
        StatementProps(
            "Audit",
            ("s3:PutObject",),
            (f"{props.audit.arn}/{AUDIT_PREFIX}*", f"{props.audit.arn}/{TEST_PREFIX}*"),
        ),
        # By Lambda, of records of the stream that it gives up, and with the topic's key.
        StatementProps("GivenUp", ("sns:Publish",), (props.topic_arn,)),
        _with_key("TopicKey", ("kms:Decrypt", "kms:GenerateDataKey"), keys.audit.arn, place, "sns"),
        StatementProps("CursorSecret", ("ssm:GetParameter",), (secret,)),
        *_flag_statements(props, flag),
        _with_key("TableKey", ("kms:Decrypt",), keys.data.arn, place, "dynamodb"),
        # Whole objects are written, and never read: only parts and downloads take kms:Decrypt (S3 user guide,
        # "Using server-side encryption with AWS KMS keys", "Multipart upload API and permissions").
        _with_key("AuditKey", ("kms:GenerateDataKey",), keys.audit.arn, place, "s3"),
        # Through Lambda: a grant opens the environment too, but not for a role that was made anew.
        _with_key("ApplicationKey", ("kms:Decrypt",), keys.application.arn, place, "ssm", "lambda"),
        StatementProps("Log", ("logs:CreateLogStream", "logs:PutLogEvents"), (f"{log_group_arn}:*",)),
        StatementProps("Trace", ("xray:PutTelemetryRecords", "xray:PutTraceSegments"), ("*",)),
        *(replace(one, sid=f"{FURTHER_SID}{one.sid}") for one in further),
    )


def _with_key(
    sid: str, actions: tuple[str, ...], key_arn: str, place: RegionContext, *services: str
) -> StatementProps:
    """The use of a key, through these services only."""
    return StatementProps(
        sid,
        actions,
        (key_arn,),
        condition={
            "StringEquals": {
                "kms:ViaService": [f"{service}.{place.region}.amazonaws.com" for service in services]
            }
        },
    )
