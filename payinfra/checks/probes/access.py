"""What the function's role may do and what it must not, by IAM's own judgement."""

from collections.abc import Iterator
from dataclasses import dataclass

from payinfra.checks.probes.model import Live, Severity, Site, Verdicts, all_of, regional


@dataclass(frozen=True)
class Ask:
    """One question to IAM: may the role do `action` on `resource`, and through which service, for a key."""

    action: str
    resource: str
    via: str = ""


def needed(site: Site) -> tuple[Ask, ...]:
    """What the function does."""
    table, keys = site.outputs.dynamodb_table_arn, site.declared.keys
    parameter = _parameter_arn(site)
    return (
        Ask("dynamodb:PutItem", table),
        Ask("dynamodb:Query", table),
        Ask("dynamodb:Query", f"{table}/index/status-index"),
        Ask("s3:PutObject", f"arn:aws:s3:::{site.outputs.s3_bucket_name}/audit/x"),
        Ask("ssm:GetParameter", parameter),
        Ask("kms:Decrypt", keys.data, "dynamodb"),
        Ask("kms:GenerateDataKey", keys.audit, "s3"),
        Ask("kms:Decrypt", keys.application, "ssm"),
        Ask("logs:PutLogEvents", _log_stream_arn(site)),
    )


def forbidden(site: Site) -> tuple[Ask, ...]:
    """What the function must not do: above all, nothing in its peer's region and nothing that loses data."""
    table, keys = site.outputs.dynamodb_table_arn, site.declared.keys
    bucket = f"arn:aws:s3:::{site.outputs.s3_bucket_name}"
    return (
        Ask("dynamodb:DeleteItem", table),
        Ask("dynamodb:DeleteTable", table),
        Ask("s3:DeleteObject", f"{bucket}/audit/x"),
        Ask("s3:GetObject", f"{bucket}/audit/x"),
        Ask("s3:PutBucketPolicy", bucket),
        Ask("kms:ScheduleKeyDeletion", keys.data),
        Ask("kms:Decrypt", keys.data),
        Ask("iam:PassRole", site.declared.function.role_arn),
        Ask("dynamodb:PutItem", site.peer.dynamodb_table_arn),
    )


@regional(
    "LIVE-IAM-001",
    title="The function's role allows what the function does",
    severity=Severity.HIGH,
    risk="Payments fail with a 5xx.",
    fix="Deploy again: the role was changed outside Terraform.",
)
def role_allows_what_is_needed(live: Live, site: Site) -> Verdicts:
    """IAM: SimulatePrincipalPolicy."""
    return all_of(
        f"{ask.action} on {ask.resource} is {decision}, needed is allowed"
        for ask, decision in _decisions(live, site, needed(site))
        if decision != "allowed"
    )


@regional(
    "LIVE-IAM-002",
    title="The function's role allows nothing that it must not do",
    severity=Severity.CRITICAL,
    risk="Whoever takes the function over takes the payments with it.",
    fix="Deploy again: the role was changed outside Terraform.",
)
def role_allows_nothing_else(live: Live, site: Site) -> Verdicts:
    """IAM: SimulatePrincipalPolicy."""
    return all_of(
        f"{ask.action} on {ask.resource} is allowed"
        for ask, decision in _decisions(live, site, forbidden(site))
        if decision == "allowed"
    )


def _decisions(live: Live, site: Site, asks: tuple[Ask, ...]) -> Iterator[tuple[Ask, str]]:
    """IAM's answer to each. Several in one call would mix each action with each resource."""
    client = live.aws.iam(site.region)
    for ask in asks:
        via = [f"{ask.via}.{site.region}.amazonaws.com"] if ask.via else []
        answer = client.simulate_principal_policy(
            PolicySourceArn=site.declared.function.role_arn,
            ActionNames=[ask.action],
            ResourceArns=[ask.resource],
            ContextEntries=[
                {"ContextKeyName": "kms:ViaService", "ContextKeyValues": via, "ContextKeyType": "string"}
            ]
            if via
            else [],
        )
        decisions = [one["EvalDecision"] for one in answer.get("EvaluationResults", [])]
        yield ask, decisions[0] if decisions else "not answered"


def _parameter_arn(site: Site) -> str:
    region, account = site.outputs.dynamodb_table_arn.split(":")[3:5]
    return f"arn:aws:ssm:{region}:{account}:parameter{site.outputs.api_key_parameter}"


def _log_stream_arn(site: Site) -> str:
    region, account = site.outputs.dynamodb_table_arn.split(":")[3:5]
    return f"arn:aws:logs:{region}:{account}:log-group:{site.outputs.lambda_log_group_name}:log-stream:x"
