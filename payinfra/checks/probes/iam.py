"""What the function's role may do and what it must not, by IAM's own judgement."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from payinfra.checks.manifest.policies import Principal
from payinfra.checks.probes.live_policies import NeededAccess, refused, statements_of, strangers
from payinfra.checks.probes.model import ProbeContext, RegionUnderTest, all_of, regional
from payinfra.checks.probes.tags import key_tags
from payinfra.checks.verdicts import Severity, Verdicts
from payinfra.clients.aws_errors import NoData
from payinfra.core.naming import AUDIT_PREFIX, INDEXES, TEST_PREFIX, Parameter


@dataclass(frozen=True)
class SimulatedCall:
    """A question to IAM: may the role do `actions` on `resource`, and through which service, for a key."""

    actions: tuple[str, ...]
    resource: str
    via: str = ""


def needed(live: ProbeContext, site: RegionUnderTest, stream_arn: str) -> tuple[SimulatedCall, ...]:
    """What the function does, and Lambda in its name."""
    table, keys = site.outputs.dynamodb_table_arn, site.declared.keys
    return (
        SimulatedCall(("dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"), table),
        *(SimulatedCall(("dynamodb:Query",), f"{table}/index/{index}") for index in INDEXES),
        SimulatedCall(
            ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"), stream_arn
        ),
        *(
            SimulatedCall(("s3:PutObject",), f"arn:aws:s3:::{site.outputs.s3_bucket_name}/{prefix}x")
            for prefix in (AUDIT_PREFIX, TEST_PREFIX)
        ),
        SimulatedCall(("ssm:GetParameter",), _parameter_arn(live, site, Parameter.CURSORS)),
        *_flag_calls(live, site),
        SimulatedCall(("sns:Publish",), site.outputs.sns_topic_arn),
        SimulatedCall(("kms:Decrypt", "kms:GenerateDataKey"), keys.audit, "sns"),
        SimulatedCall(("kms:Decrypt",), keys.data, "dynamodb"),
        SimulatedCall(("kms:GenerateDataKey",), keys.audit, "s3"),
        SimulatedCall(("kms:Decrypt",), keys.application, "ssm"),
        SimulatedCall(("logs:CreateLogStream", "logs:PutLogEvents"), _log_stream_arn(site)),
        SimulatedCall(("dynamodb:ListStreams", "xray:PutTelemetryRecords", "xray:PutTraceSegments"), "*"),
    )


def _flag_calls(live: ProbeContext, site: RegionUnderTest) -> tuple[SimulatedCall, ...]:
    """Reading the flag of an evacuation; where fail-back is manual, also setting it."""
    evacuation = live.declared.evacuation
    if evacuation is None:
        return ()
    more = ("ssm:PutParameter",) if evacuation.failback == "manual" else ()
    flag = _parameter_arn(live, site, Parameter.EVACUATED)
    return (SimulatedCall(("ssm:GetParameter", *more), flag),)


def forbidden(live: ProbeContext, site: RegionUnderTest) -> tuple[SimulatedCall, ...]:
    """What the function must not do: nothing in its peer's region, nothing that loses data, and nothing that
    makes it more than it is."""
    table, keys = site.outputs.dynamodb_table_arn, site.declared.keys
    bucket = f"arn:aws:s3:::{site.outputs.s3_bucket_name}"
    of_table = _of(
        "dynamodb", "BatchWriteItem", "DeleteItem", "DeleteTable", "PutResourcePolicy", "UpdateTable"
    )
    of_bucket = _of("s3", "PutBucketPolicy", "PutLifecycleConfiguration", "PutReplicationConfiguration")
    of_key = _of("kms", "CreateGrant", "Decrypt", "DisableKey", "PutKeyPolicy", "ScheduleKeyDeletion")
    of_role = _of("iam", "AttachRolePolicy", "PassRole", "PutRolePolicy", "UpdateAssumeRolePolicy")
    of_function = _of("lambda", "AddPermission", "UpdateFunctionCode", "UpdateFunctionConfiguration")
    anywhere = ("iam:CreateUser", "secretsmanager:GetSecretValue", "sts:AssumeRole")
    return (
        SimulatedCall(of_table, table),
        SimulatedCall(("s3:DeleteObject", "s3:GetObject"), f"{bucket}/audit/x"),
        SimulatedCall(of_bucket, bucket),
        SimulatedCall(of_key, keys.data),
        SimulatedCall(of_role, site.declared.function.role_arn),
        SimulatedCall(of_function, site.outputs.lambda_function_arn),
        SimulatedCall(("ssm:PutParameter",), _parameter_arn(live, site, Parameter.API_KEY)),
        SimulatedCall(anywhere, "*"),
        SimulatedCall(("dynamodb:PutItem",), site.peer.dynamodb_table_arn),
        SimulatedCall(("s3:PutObject",), f"arn:aws:s3:::{site.peer.s3_bucket_name}/audit/x"),
    )


def _of(service: str, *actions: str) -> tuple[str, ...]:
    return tuple(f"{service}:{action}" for action in actions)


@regional(
    "LIVE-IAM-001",
    title="The function's role allows what the function does",
    severity=Severity.HIGH,
    risk="Payments fail with a 5xx.",
    fix="Deploy again: the role was changed outside Terraform.",
)
def role_allows_what_is_needed(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """IAM: SimulatePrincipalPolicy; DynamoDB: DescribeTable, for the stream's ARN; KMS: ListResourceTags."""
    table = live.aws.dynamodb(site.region).describe_table(TableName=site.outputs.dynamodb_table_name)
    asks = needed(live, site, table["Table"].get("LatestStreamArn", ""))
    return all_of(_refusals(_decisions(live, site, asks)))


@regional(
    "LIVE-IAM-002",
    title="The function's role allows nothing that it must not do",
    severity=Severity.CRITICAL,
    risk="Whoever takes the function over takes the payments with it.",
    fix="Deploy again: the role was changed outside Terraform.",
)
def role_allows_nothing_else(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """IAM: SimulatePrincipalPolicy; KMS: ListResourceTags."""
    return all_of(
        f"{one.action} on {one.resource} is allowed"
        for one in _decisions(live, site, forbidden(live, site))
        if one.said == "allowed"
    )


@regional(
    "LIVE-IAM-003",
    title="The roles of the function and of replication trust their service alone",
    severity=Severity.CRITICAL,
    risk="Others take the role on, and with it the payments; or the service cannot, and nothing works.",
    fix="Deploy again: the role was changed outside Terraform.",
)
def roles_trust_their_service(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """IAM: GetRole."""
    client = live.aws.iam(site.region)
    faults: list[str] = []
    for arn, service in (
        (site.declared.function.role_arn, "lambda.amazonaws.com"),
        (site.declared.replication_role_arn, "s3.amazonaws.com"),
    ):
        name = arn.rpartition("/")[2]
        document: object = client.get_role(RoleName=name)["Role"].get("AssumeRolePolicyDocument", {})
        statements = statements_of(document if isinstance(document, str) else json.dumps(document))
        context = {"aws:sourceaccount": site.outputs.account}
        others = sorted(
            {
                principal.id
                for statement in statements
                if statement.allows
                for principal in (*statement.principals, *statement.not_principals)
                if principal != Principal("Service", service)
            }
        )
        said = (
            *refused(statements, [NeededAccess(service, "sts:AssumeRole", context=context)]),
            *strangers(statements, site.outputs.account),
            *(f"{other} may take it on" for other in others),
        )
        faults += (f"{name}: {phrase}" for phrase in dict.fromkeys(said))
    return all_of(faults)


@regional(
    "LIVE-IAM-004",
    title="The replication role copies, and does nothing else",
    severity=Severity.HIGH,
    risk="Audit records of a region are lost with it, or whoever gets the role reads or deletes them.",
    fix="Deploy again: the role was changed outside Terraform. Detach policies that nobody declared.",
    needs_peer=True,
)
def replication_role_copies(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """IAM: SimulatePrincipalPolicy, ListRolePolicies, ListAttachedRolePolicies; KMS: ListResourceTags."""
    role, names, client = site.declared.replication_role_arn, live.outputs.names, live.aws.iam(site.region)
    faults = _refusals(_decisions(live, site, _copying(site), role))
    name = role.rpartition("/")[2]
    inline = [
        policy
        for page in client.get_paginator("list_role_policies").paginate(RoleName=name)
        for policy in page["PolicyNames"]
    ]
    attached = [
        policy.get("PolicyName", "")
        for page in client.get_paginator("list_attached_role_policies").paginate(RoleName=name)
        for policy in page["AttachedPolicies"]
    ]
    others = (policy for policy in (*inline, *attached) if policy != names.replication_policy)
    return all_of((*faults, *(f"it has the policy {policy}, which was not declared" for policy in others)))


def _copying(site: RegionUnderTest) -> tuple[SimulatedCall, ...]:
    """What S3 does in the name of the role (S3 user guide, "Setting up permissions for live replication")."""
    here, there = (f"arn:aws:s3:::{one.s3_bucket_name}" for one in (site.outputs, site.peer))
    source = _of("s3", "GetObjectVersionForReplication", "GetObjectVersionAcl", "GetObjectVersionTagging")
    return (
        SimulatedCall(_of("s3", "GetReplicationConfiguration", "ListBucket"), here),
        SimulatedCall(source, f"{here}/{AUDIT_PREFIX}x"),
        SimulatedCall(_of("s3", "ReplicateDelete", "ReplicateObject"), f"{there}/{AUDIT_PREFIX}x"),
        SimulatedCall(("kms:Decrypt",), site.declared.keys.audit, "s3"),
        SimulatedCall(_of("kms", "Encrypt", "GenerateDataKey"), site.peer_declared.keys.audit, "s3"),
    )


@dataclass(frozen=True)
class SimulatedAnswer:
    """IAM's answer to one action: `allowed`, `implicitDeny` or `explicitDeny`, and what it was not told."""

    action: str
    resource: str
    said: str
    unknown_tags: tuple[str, ...] = ()


def _refusals(answers: Iterable[SimulatedAnswer]) -> list[str]:
    """A phrase for each needed action that is not allowed.

    Raises:
        NoData: one is refused for want of something that the simulator was not told.
    """
    denied = [one for one in answers if one.said != "allowed"]
    for one in denied:
        if one.said == "implicitDeny" and one.unknown_tags:
            raise NoData(
                f"{one.action} on {one.resource} depends on {', '.join(one.unknown_tags)}, "
                "which SimulatePrincipalPolicy does not look up"
            )
    return [f"{one.action} on {one.resource} is {one.said}, needed is allowed" for one in denied]


def _decisions(
    live: ProbeContext, site: RegionUnderTest, asks: tuple[SimulatedCall, ...], role_arn: str = ""
) -> Iterator[SimulatedAnswer]:
    """IAM's answer to each action of a role, the function's if none is named.

    A call with several resources would mix each with each.

    The simulator looks no tag up (IAM API reference, SimulatePrincipalPolicy): those of the keys, by which a
    permissions boundary may allow their use, are read first and passed as context.

    Raises:
        NoData: IAM says nothing of an action.
    """
    simulations = live.aws.iam(site.region).get_paginator("simulate_principal_policy")
    asked = {ask.resource for ask in asks}
    tags = {
        arn: _tags(live, region, arn)
        for region, keys in ((site.region, site.declared.keys), (site.peer.region, site.peer_declared.keys))
        for arn in set(asdict(keys).values()) & asked
    }
    for ask in asks:
        context = {**tags.get(ask.resource, {})}
        if ask.via:
            context["kms:ViaService"] = f"{ask.via}.{_region_of(ask.resource)}.amazonaws.com"
        pages = simulations.paginate(
            PolicySourceArn=role_arn or site.declared.function.role_arn,
            ActionNames=list(ask.actions),
            ResourceArns=[ask.resource],
            ContextEntries=[
                {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
                for key, value in context.items()
            ],
        )
        said = {one["EvalActionName"]: one for page in pages for one in page.get("EvaluationResults", [])}
        for action in ask.actions:
            if action not in said:
                raise NoData(f"SimulatePrincipalPolicy says nothing of {action} on {ask.resource}")
            result = said[action]
            yield SimulatedAnswer(action, ask.resource, result["EvalDecision"], _unknown_tags(result))


def _region_of(arn: str) -> str:
    return arn.split(":")[3]


def _tags(live: ProbeContext, region: str, key: str) -> Mapping[str, str]:
    """A key's tags, as the condition keys that policies name them by."""
    return {f"aws:ResourceTag/{name}": value for name, value in key_tags(live, region, key).items()}


def _unknown_tags(result: Mapping[str, Any]) -> tuple[str, ...]:
    missing = list(result.get("MissingContextValues", []))
    for one in result.get("ResourceSpecificResults", []):
        missing += one.get("MissingContextValues", [])
    return tuple(sorted({key for key in missing if key.lower().startswith("aws:resourcetag/")}))


def _parameter_arn(live: ProbeContext, site: RegionUnderTest, what: Parameter) -> str:
    return site.outputs.arn("ssm", f"parameter{live.outputs.names.parameter(what)}")


def _log_stream_arn(site: RegionUnderTest) -> str:
    return site.outputs.arn("logs", f"log-group:{site.outputs.lambda_log_group_name}:log-stream:x")
