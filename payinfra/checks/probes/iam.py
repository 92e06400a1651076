"""What the function's role may do and what it must not, by IAM's own judgement."""

from collections.abc import Iterator
from dataclasses import dataclass

from payinfra.checks.probes.model import ProbeContext, RegionUnderTest, all_of, regional
from payinfra.checks.verdicts import Severity, Verdicts
from payinfra.clients.aws_errors import NoData
from payinfra.core.naming import INDEXES, Parameter


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
        SimulatedCall(("s3:PutObject",), f"arn:aws:s3:::{site.outputs.s3_bucket_name}/audit/x"),
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
    """IAM: SimulatePrincipalPolicy; DynamoDB: DescribeTable, for the stream's ARN."""
    table = live.aws.dynamodb(site.region).describe_table(TableName=site.outputs.dynamodb_table_name)
    asks = needed(live, site, table["Table"].get("LatestStreamArn", ""))
    return all_of(
        f"{action} on {ask.resource} is {decision}, needed is allowed"
        for ask, action, decision in _decisions(live, site, asks)
        if decision != "allowed"
    )


@regional(
    "LIVE-IAM-002",
    title="The function's role allows nothing that it must not do",
    severity=Severity.CRITICAL,
    risk="Whoever takes the function over takes the payments with it.",
    fix="Deploy again: the role was changed outside Terraform.",
)
def role_allows_nothing_else(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """IAM: SimulatePrincipalPolicy."""
    return all_of(
        f"{action} on {ask.resource} is allowed"
        for ask, action, decision in _decisions(live, site, forbidden(site))
        if decision == "allowed"
    )


def _decisions(
    live: ProbeContext, site: RegionUnderTest, asks: tuple[SimulatedCall, ...]
) -> Iterator[tuple[SimulatedCall, str, str]]:
    """IAM's answer to each action. A call with several resources would mix each with each.

    Raises:
        NoData: IAM says nothing of an action.
    """
    client = live.aws.iam(site.region)
    for ask in asks:
        via = [f"{ask.via}.{site.region}.amazonaws.com"] if ask.via else []
        answer = client.simulate_principal_policy(
            PolicySourceArn=site.declared.function.role_arn,
            ActionNames=list(ask.actions),
            ResourceArns=[ask.resource],
            ContextEntries=[
                {"ContextKeyName": "kms:ViaService", "ContextKeyValues": via, "ContextKeyType": "string"}
            ]
            if via
            else [],
        )
        said = {one["EvalActionName"]: one["EvalDecision"] for one in answer.get("EvaluationResults", [])}
        for action in ask.actions:
            if action not in said:
                raise NoData(f"SimulatePrincipalPolicy says nothing of {action} on {ask.resource}")
            yield ask, action, said[action]


def _parameter_arn(live: ProbeContext, site: RegionUnderTest) -> str:
    region, account = site.outputs.dynamodb_table_arn.split(":")[3:5]
    name = live.outputs.names.parameter(Parameter.CURSORS)
    return f"arn:aws:ssm:{region}:{account}:parameter{name}"


def _log_stream_arn(site: RegionUnderTest) -> str:
    region, account = site.outputs.dynamodb_table_arn.split(":")[3:5]
    return f"arn:aws:logs:{region}:{account}:log-group:{site.outputs.lambda_log_group_name}:log-stream:x"
