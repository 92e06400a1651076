"""What a synthesized stack holds: resources counted by service and region."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from payinfra.deployment.stack_manifest import StackFile

_SERVICES = (
    ("aws_api_gateway_", "API Gateway"),
    ("aws_acm_", "ACM"),
    ("aws_lambda_", "Lambda"),
    ("aws_dynamodb_", "DynamoDB"),
    ("aws_route53_", "Route 53"),
    ("aws_s3_", "S3"),
    ("aws_cloudwatch_", "CloudWatch"),
    ("aws_iam_", "IAM"),
    ("aws_kms_", "KMS"),
    ("aws_ssm_", "SSM"),
    ("aws_sns_", "SNS"),
)


@dataclass(frozen=True)
class StackInventory:
    """How many resources each service has in each region."""

    regions: tuple[str, ...]
    counts: Mapping[tuple[str, str], int]

    @property
    def total(self) -> int:
        """All resources."""
        return sum(self.counts.values())

    @property
    def services(self) -> tuple[str, ...]:
        """The services that have resources, by name."""
        return tuple(sorted({service for service, _region in self.counts}))

    @classmethod
    def read(cls, file: Path) -> "StackInventory":
        """Count the resources of one of our own cdk.tf.json files."""
        stack = StackFile.read(file)
        counts = Counter((service_of(one.type), stack.regions[one.provider]) for one in stack.resources)
        return cls(tuple(dict.fromkeys(stack.regions.values())), counts)


def service_of(resource_type: str) -> str:
    """The service that a Terraform resource type belongs to; the type itself where it is not one of ours."""
    return next((name for prefix, name in _SERVICES if resource_type.startswith(prefix)), resource_type)
