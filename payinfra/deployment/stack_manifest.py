"""Our own cdk.tf.json, as far as the pipeline must know it before Terraform does.

Anybody's file, with all that may be wrong in one, is read by `payinfra.checks.manifest`.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from payinfra.core.json_text import parse_json

OF_EXTENSION = "payinfra"
"""Where the comment of the file says what the project's extension has added."""

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
    ("aws_sqs_", "SQS"),
)


@dataclass(frozen=True)
class ManifestBlock:
    """A resource or a data source.

    Attributes:
        address: `aws_kms_key.data`, with `data.` in front for a data source.
        type: `aws_kms_key`.
        provider: `aws.primary`.
        text: its configuration as JSON.
    """

    address: str
    type: str
    provider: str
    text: str


@dataclass(frozen=True)
class StackFile:
    """What a synthesized stack holds.

    Attributes:
        regions: each provider's region, by its address.
        local_values: the text of each local value, by its address.
        added: the types of resources that the project's extension has added.
    """

    regions: Mapping[str, str]
    resources: tuple[ManifestBlock, ...]
    data: tuple[ManifestBlock, ...]
    local_values: Mapping[str, str] = field(default_factory=dict)
    added: tuple[str, ...] = ()

    @property
    def billable(self) -> Iterator[tuple[str, Mapping[str, object]]]:
        """Each resource's type and its arguments."""
        for one in self.resources:
            yield one.type, parse_json(one.text)

    @property
    def places(self) -> Mapping[str, str]:
        """Each resource's region, by its address."""
        known = (one for one in self.resources if one.provider in self.regions)
        return {one.address: self.regions[one.provider] for one in known}

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read one of our own cdk.tf.json files, in which every resource names its provider."""
        content = parse_json(file.read_bytes())

        def blocks(section: str, prefix: str = "") -> tuple[ManifestBlock, ...]:
            return tuple(
                ManifestBlock(f"{prefix}{kind}.{name}", kind, block["provider"], json.dumps(block))
                for kind, named in content.get(section, {}).items()
                for name, block in named.items()
            )

        providers = content["provider"]["aws"]
        regions = {f"aws.{provider['alias']}": provider["region"] for provider in providers}
        local_values = {
            f"local.{name}": json.dumps(value) for name, value in content.get("locals", {}).items()
        }
        noted = content.get("//", {}).get(OF_EXTENSION, {})
        return cls(
            regions,
            blocks("resource"),
            blocks("data", "data."),
            local_values,
            tuple(noted.get("types", ())),
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
