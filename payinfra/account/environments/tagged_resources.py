"""Lists and describes the tagged resources of an account. All calls only read, from any thread."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from payinfra.account.environments.model import Facts, ResourceKind, TaggedResource
from payinfra.clients.aws import Aws
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.naming import PROJECT

_KINDS: Mapping[tuple[str, str], ResourceKind] = {
    ("acm", "certificate"): ResourceKind.CERTIFICATE,
    ("apigateway", "restapis"): ResourceKind.API,
    ("cloudwatch", "alarm"): ResourceKind.ALARM,
    ("dynamodb", "table"): ResourceKind.TABLE,
    ("kms", "key"): ResourceKind.KEY,
    ("lambda", "function"): ResourceKind.FUNCTION,
    ("logs", "log-group"): ResourceKind.LOG_GROUP,
    ("route53", "healthcheck"): ResourceKind.HEALTH_CHECK,
    ("route53", "hostedzone"): ResourceKind.ZONE,
    ("s3", ""): ResourceKind.BUCKET,
    ("sns", ""): ResourceKind.TOPIC,
    ("ssm", "parameter"): ResourceKind.PARAMETER,
}
"""By service and resource type, as ARNs have them (Service Authorization Reference, resource types)."""

_PENDING = ("PendingDeletion", "PendingReplicaDeletion")


def tagged(aws: Aws, region: str) -> tuple[TaggedResource, ...]:
    """List the project's resources in a region. Global resources are listed in us-east-1 only.

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


def resource(arn: str, tags: Mapping[str, str], asked: str) -> TaggedResource:
    """The resource with this ARN, which was listed in the region `asked`."""
    _, _, service, region, _, path = (arn.split(":", 5) + [""] * 6)[:6]
    if service in ("s3", "sns"):
        type_, name = "", path
    elif service in ("lambda", "logs", "cloudwatch"):
        type_, _, name = path.partition(":")
    else:
        type_, _, name = path.removeprefix("/").partition("/")
    kind = _KINDS.get((service, type_), ResourceKind.OTHER)
    if kind is ResourceKind.API and "/" in name:  # a stage
        kind = ResourceKind.OTHER
    return TaggedResource(arn, kind, region or ("" if service == "route53" else asked), name, tags)


def key(aws: Aws, found: TaggedResource) -> Facts:
    """Describe a customer key. It keeps its tags while it waits for deletion."""
    shown = aws.kms(found.region).describe_key(KeyId=found.name)["KeyMetadata"]
    return Facts(born=_utc(shown.get("CreationDate")), departing=shown.get("KeyState") in _PENDING)


def table(aws: Aws, found: TaggedResource) -> Facts:
    """Describe a region's replica of the table."""
    client = aws.dynamodb(found.region)
    shown = client.describe_table(TableName=found.name)["Table"]
    backups = client.describe_continuous_backups(TableName=found.name)["ContinuousBackupsDescription"]
    recovery = backups.get("PointInTimeRecoveryDescription", {})
    return Facts(
        born=_utc(shown.get("CreationDateTime")),
        deletion_protected=shown.get("DeletionProtectionEnabled", False),
        recoverable=recovery.get("PointInTimeRecoveryStatus") == "ENABLED",
    )


def api(aws: Aws, found: TaggedResource) -> Facts:
    """Describe a REST API."""
    return Facts(
        born=_utc(aws.apigateway(found.region).get_rest_api(restApiId=found.name).get("createdDate"))
    )


def _utc(moment: Any) -> datetime | None:
    return moment.astimezone(UTC) if isinstance(moment, datetime) else None
