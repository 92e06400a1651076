"""What the function's role may do and what it must not, by IAM's own judgement."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from payinfra.checks.probes.model import ProbeContext, RegionUnderTest, all_of, regional
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
        SimulatedCall(("ssm:GetParameter",), _parameter_arn(live, site)),
        SimulatedCall(("sns:Publish",), site.outputs.sns_topic_arn),
        SimulatedCall(("kms:Decrypt", "kms:GenerateDataKey"), keys.audit, "sns"),
        SimulatedCall(("kms:Decrypt",), keys.data, "dynamodb"),
        SimulatedCall(("kms:GenerateDataKey",), keys.audit, "s3"),
        SimulatedCall(("kms:Decrypt",), keys.application, "ssm"),
        SimulatedCall(("logs:CreateLogStream", "logs:PutLogEvents"), _log_stream_arn(site)),
        SimulatedCall(("dynamodb:ListStreams", "xray:PutTelemetryRecords", "xray:PutTraceSegments"), "*"),
    )


def forbidden(site: RegionUnderTest) -> tuple[SimulatedCall, ...]:
    """What the function must not do: above all, nothing in its peer's region and nothing that loses data."""
    table, keys = site.outputs.dynamodb_table_arn, site.declared.keys
    bucket = f"arn:aws:s3:::{site.outputs.s3_bucket_name}"
    return (
        SimulatedCall(("dynamodb:DeleteItem", "dynamodb:DeleteTable"), table),
        SimulatedCall(("s3:DeleteObject", "s3:GetObject"), f"{bucket}/audit/x"),
        SimulatedCall(("s3:PutBucketPolicy",), bucket),
        SimulatedCall(("kms:Decrypt", "kms:ScheduleKeyDeletion"), keys.data),
        SimulatedCall(("iam:PassRole",), site.declared.function.role_arn),
        SimulatedCall(("dynamodb:PutItem",), site.peer.dynamodb_table_arn),
        SimulatedCall(("s3:PutObject",), f"arn:aws:s3:::{site.peer.s3_bucket_name}/audit/x"),
    )


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
    refused = [one for one in _decisions(live, site, asks) if one.said != "allowed"]
    for one in refused:
        if one.said == "implicitDeny" and one.unknown_tags:
            raise NoData(
                f"{one.action} on {one.resource} depends on {', '.join(one.unknown_tags)}, "
                "which SimulatePrincipalPolicy does not look up"
            )
    return all_of(f"{one.action} on {one.resource} is {one.said}, needed is allowed" for one in refused)


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
        for one in _decisions(live, site, forbidden(site))
        if one.said == "allowed"
    )


@dataclass(frozen=True)
class SimulatedAnswer:
    """IAM's answer to one action: `allowed`, `implicitDeny` or `explicitDeny`, and what it was not told."""

    action: str
    resource: str
    said: str
    unknown_tags: tuple[str, ...] = ()


def _decisions(
    live: ProbeContext, site: RegionUnderTest, asks: tuple[SimulatedCall, ...]
) -> Iterator[SimulatedAnswer]:
    """IAM's answer to each action. A call with several resources would mix each with each.

    The simulator looks no tag up (IAM API reference, SimulatePrincipalPolicy): those of the keys, by which a
    permissions boundary may allow their use, are read first and passed as context.

    Raises:
        NoData: IAM says nothing of an action.
    """
    simulations = live.aws.iam(site.region).get_paginator("simulate_principal_policy")
    keys = set(asdict(site.declared.keys).values())
    tags = {arn: _tags(live, site, arn) for arn in keys & {ask.resource for ask in asks}}
    for ask in asks:
        context = {**tags.get(ask.resource, {})}
        if ask.via:
            context["kms:ViaService"] = f"{ask.via}.{site.region}.amazonaws.com"
        pages = simulations.paginate(
            PolicySourceArn=site.declared.function.role_arn,
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


def _tags(live: ProbeContext, site: RegionUnderTest, key: str) -> Mapping[str, str]:
    """A key's tags, as the condition keys that policies name them by."""
    pages = live.aws.kms(site.region).get_paginator("list_resource_tags").paginate(KeyId=key)
    return {f"aws:ResourceTag/{tag['TagKey']}": tag["TagValue"] for page in pages for tag in page["Tags"]}


def _unknown_tags(result: Mapping[str, Any]) -> tuple[str, ...]:
    missing = list(result.get("MissingContextValues", []))
    for one in result.get("ResourceSpecificResults", []):
        missing += one.get("MissingContextValues", [])
    return tuple(sorted({key for key in missing if key.lower().startswith("aws:resourcetag/")}))


def _parameter_arn(live: ProbeContext, site: RegionUnderTest) -> str:
    return site.outputs.arn("ssm", f"parameter{live.outputs.names.parameter(Parameter.CURSORS)}")


def _log_stream_arn(site: RegionUnderTest) -> str:
    return site.outputs.arn("logs", f"log-group:{site.outputs.lambda_log_group_name}:log-stream:x")
