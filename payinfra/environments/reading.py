"""Reads what an account has of tagged resources. The calls read only; each may be made from any thread."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from payinfra.aws import Aws
from payinfra.environments.model import Facts, Kind, Resource
from payinfra.errors import EnvironmentUnusable
from payinfra.naming import PROJECT

_KINDS: Mapping[tuple[str, str], Kind] = {
    ("acm", "certificate"): Kind.CERTIFICATE,
    ("apigateway", "restapis"): Kind.API,
    ("cloudwatch", "alarm"): Kind.ALARM,
    ("dynamodb", "table"): Kind.TABLE,
    ("kms", "key"): Kind.KEY,
    ("lambda", "function"): Kind.FUNCTION,
    ("logs", "log-group"): Kind.LOG_GROUP,
    ("route53", "healthcheck"): Kind.HEALTH_CHECK,
    ("route53", "hostedzone"): Kind.ZONE,
    ("s3", ""): Kind.BUCKET,
    ("sns", ""): Kind.TOPIC,
    ("ssm", "parameter"): Kind.PARAMETER,
}
"""By service and resource type, as ARNs have them (Service Authorization Reference, resource types)."""

_PENDING = ("PendingDeletion", "PendingReplicaDeletion")


def tagged(aws: Aws, region: str) -> tuple[Resource, ...]:
    """Everything of the project in a region; what is global is listed in us-east-1 only.

    Raises botocore's errors, and EnvironmentUnusable for a region that the embedded AWS does not serve.
    """
    if aws.endpoints is not None and region not in aws.endpoints.regions:
        raise EnvironmentUnusable("the embedded AWS does not serve this region")
    pages = aws.client("resourcegroupstaggingapi", region).get_paginator("get_resources")
    wanted = [{"Key": "Project", "Values": [PROJECT]}]
    return tuple(
        resource(str(one["ResourceARN"]), {tag["Key"]: tag["Value"] for tag in one["Tags"]}, region)
        for page in pages.paginate(TagFilters=wanted)
        for one in page["ResourceTagMappingList"]
    )


def resource(arn: str, tags: Mapping[str, str], asked: str) -> Resource:
    """What an ARN names, listed in the region `asked`."""
    _, _, service, region, _, path = (arn.split(":", 5) + [""] * 6)[:6]
    if service in ("s3", "sns"):
        type_, name = "", path
    elif service in ("lambda", "logs", "cloudwatch"):
        type_, _, name = path.partition(":")
    else:
        type_, _, name = path.removeprefix("/").partition("/")
    kind = _KINDS.get((service, type_), Kind.OTHER)
    if kind is Kind.API and "/" in name:  # a stage
        kind = Kind.OTHER
    return Resource(arn, kind, region or ("" if service == "route53" else asked), name, tags)


def key(aws: Aws, found: Resource) -> Facts:
    """A customer key: it goes on carrying its tags for the days that it waits to be deleted."""
    shown = aws.kms(found.region).describe_key(KeyId=found.name)["KeyMetadata"]
    return Facts(born=_utc(shown.get("CreationDate")), departing=shown.get("KeyState") in _PENDING)


def table(aws: Aws, found: Resource) -> Facts:
    """A region's replica of the table."""
    client = aws.dynamodb(found.region)
    shown = client.describe_table(TableName=found.name)["Table"]
    backups = client.describe_continuous_backups(TableName=found.name)["ContinuousBackupsDescription"]
    recovery = backups.get("PointInTimeRecoveryDescription", {})
    return Facts(
        born=_utc(shown.get("CreationDateTime")),
        deletion_protected=shown.get("DeletionProtectionEnabled", False),
        recoverable=recovery.get("PointInTimeRecoveryStatus") == "ENABLED",
    )


def api(aws: Aws, found: Resource) -> Facts:
    """A REST API."""
    return Facts(
        born=_utc(aws.apigateway(found.region).get_rest_api(restApiId=found.name).get("createdDate"))
    )


def _utc(moment: Any) -> datetime | None:
    return moment.astimezone(UTC) if isinstance(moment, datetime) else None
