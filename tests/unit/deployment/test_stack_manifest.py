"""Counting what a synthesized stack holds."""

import json
from pathlib import Path

from payinfra.deployment.stack_manifest import StackInventory, service_of


def test_resources_are_counted_by_service_and_region(tmp_path: Path) -> None:
    stack = {
        "provider": {
            "aws": [
                {"alias": "primary", "region": "us-east-1"},
                {"alias": "secondary", "region": "us-west-2"},
            ]
        },
        "resource": {
            "aws_kms_key": {"a": {"provider": "aws.primary"}, "b": {"provider": "aws.secondary"}},
            "aws_kms_alias": {"a": {"provider": "aws.primary"}},
            "aws_dynamodb_table": {"t": {"provider": "aws.primary"}},
        },
    }
    (tmp_path / "cdk.tf.json").write_text(json.dumps(stack))
    found = StackInventory.read(tmp_path / "cdk.tf.json")
    assert found.regions == ("us-east-1", "us-west-2")
    assert found.services == ("DynamoDB", "KMS")
    assert found.counts[("KMS", "us-east-1")] == 2
    assert found.counts[("KMS", "us-west-2")] == 1
    assert found.total == 4


def test_a_type_of_no_known_service_stands_for_itself() -> None:
    assert service_of("aws_wafv2_web_acl") == "aws_wafv2_web_acl"
    assert service_of("aws_route53_record") == "Route 53"
