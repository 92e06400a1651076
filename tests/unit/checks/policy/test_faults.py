"""Known single faults of two-region payments stacks, each found by its check."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from payinfra.checks.verdicts import Kind

if TYPE_CHECKING:
    from tests.unit.checks.policy.conftest import GoodStack

Statements = list[dict[str, Any]]
TABLE = "aws_dynamodb_table.ledger"
POLICY = "aws_iam_role_policy.primary_function.policy"
OTHER_API = "${aws_api_gateway_rest_api.secondary_api.id}.execute-api.us-west-2.amazonaws.com"


def first_actions(*actions: str) -> Callable[[Statements], None]:
    """Other actions in a policy's first statement."""
    return lambda statements: statements[0].update(Action=list(actions))


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "one provider for everything": (
        {"provider.aws": [{"alias": "primary", "region": "us-east-1"}]},
        "PI-REG-001",
    ),
    "no replica": ({f"{TABLE}.replica": ...}, "PI-DDB-001"),
    "the wrong stream": ({f"{TABLE}.stream_view_type": "NEW_IMAGE"}, "PI-DDB-002"),
    "no stream": ({f"{TABLE}.stream_enabled": False}, "PI-DDB-002"),
    "no recovery on the replica": ({f"{TABLE}.replica.0.point_in_time_recovery": False}, "PI-DDB-003"),
    "a table that can be deleted": ({f"{TABLE}.deletion_protection_enabled": False}, "PI-DDB-004"),
    "the primary's key on the replica": (
        {f"{TABLE}.replica.0.kms_key_arn": "${aws_kms_key.primary_data.arn}"},
        "PI-DDB-005",
    ),
    "all of DynamoDB": ({POLICY: first_actions("dynamodb:*")}, "PI-IAM-001"),
    "every resource": ({POLICY: lambda s: s[0].update(Resource="*")}, "PI-IAM-002"),
    "no indexes": ({POLICY: lambda s: s.pop(1)}, "PI-IAM-003"),
    "no key": ({POLICY: lambda s: s.pop(4)}, "PI-IAM-004"),
    "a misspelled action": ({POLICY: first_actions("dynamodb:GetItems")}, "PI-IAM-005"),
    "a role for anybody": (
        {"aws_iam_role.primary_function.assume_role_policy": lambda s: s[0].update(Principal={"AWS": "*"})},
        "PI-IAM-006",
    ),
    "an action that nothing needs": (
        {POLICY: lambda s: s[0]["Action"].append("dynamodb:DeleteItem")},
        "PI-IAM-007",
    ),
    "a public bucket": (
        {"aws_s3_bucket_public_access_block.primary_audit.block_public_policy": False},
        "PI-S3-001",
    ),
    "audit over plain HTTP": ({"aws_s3_bucket_policy.primary_audit": ...}, "PI-S3-002"),
    "audit in one region": ({"aws_s3_bucket_replication_configuration.primary_audit": ...}, "PI-S3-003"),
    "audit under AWS's key": (
        {
            "aws_s3_bucket_server_side_encryption_configuration.primary_audit.rule": {
                "apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}
            }
        },
        "PI-S3-004",
    ),
    "audit for ever": ({"aws_s3_bucket_lifecycle_configuration.primary_audit": ...}, "PI-S3-005"),
    "a key that never rotates": ({"aws_kms_key.primary_data.enable_key_rotation": False}, "PI-KMS-001"),
    "a key for everybody": (
        {"aws_kms_key.primary_data.policy": lambda s: s[0].update(Principal="*")},
        "PI-KMS-002",
    ),
    "a key that refuses the logs": ({"aws_kms_key.primary_audit.policy": lambda s: s.pop(1)}, "PI-KMS-003"),
    "logs for ever": ({"aws_cloudwatch_log_group.primary_function.retention_in_days": 0}, "PI-LOG-001"),
    "no log group": ({"aws_cloudwatch_log_group.primary_function": ...}, "PI-LOG-002"),
    "an API key in no usage plan": ({"aws_api_gateway_usage_plan_key.primary_join": ...}, "PI-API-001"),
    "a plan for no stage": ({"aws_api_gateway_usage_plan.primary_plan.api_stages": ...}, "PI-API-002"),
    "payments without a key": ({"aws_api_gateway_method.primary_post.api_key_required": False}, "PI-API-003"),
    "a gateway that may not call": ({"aws_lambda_permission.primary_api": ...}, "PI-API-004"),
    "no access log": ({"aws_api_gateway_stage.primary_prod.access_log_settings": ...}, "PI-API-005"),
    "bodies that nobody validates": (
        {"aws_api_gateway_method.primary_post.request_validator_id": ...},
        "PI-API-006",
    ),
    "another key in the other region": ({"aws_api_gateway_api_key.secondary_key.value": ...}, "PI-API-007"),
    "no throttling": ({"aws_api_gateway_usage_plan.primary_plan.throttle_settings": ...}, "PI-API-008"),
    "two primaries": (
        {"aws_route53_record.secondary_failover.failover_routing_policy.type": "PRIMARY"},
        "PI-DNS-001",
    ),
    "one set identifier": ({"aws_route53_record.secondary_failover.set_identifier": "primary"}, "PI-DNS-002"),
    "no health check": ({"aws_route53_record.primary_failover.health_check_id": ...}, "PI-DNS-003"),
    "a health check of the other region": (
        {"aws_route53_health_check.primary_check.fqdn": OTHER_API},
        "PI-DNS-004",
    ),
    "a health check of the shared name": (
        {"aws_route53_health_check.primary_check.fqdn": "pay.example.com"},
        "PI-DNS-004",
    ),
    "an answer for an hour": ({"aws_route53_record.primary_failover.ttl": 3600}, "PI-DNS-005"),
    "a handler that is not there": (
        {"aws_lambda_function.primary_function.handler": "index.handler"},
        "PI-LAM-001",
    ),
    "a secret in the environment": (
        {"aws_lambda_function.primary_function.environment.variables.API_KEY": "abcdef0123456789"},
        "PI-LAM-004",
    ),
    "an old runtime": ({"aws_lambda_function.primary_function.runtime": "python3.8"}, "PI-LAM-005"),
    "no alarm in the other region": ({"aws_cloudwatch_metric_alarm.secondary_errors": ...}, "PI-CW-001"),
    "an alarm that can never fire": (
        {"aws_cloudwatch_metric_alarm.primary_reads.dimensions.Region": "us-east-1"},
        "PI-CW-002",
    ),
    "a topic in clear": ({"aws_sns_topic.primary_alarms.kms_master_key_id": ...}, "PI-SNS-001"),
    "a secret as String": ({"aws_ssm_parameter.primary_key.type": "String"}, "PI-SSM-001"),
    "a name without environment": ({"aws_sns_topic.primary_alarms.name": "payment-alarms"}, "PI-NAM-001"),
    "uneven tags": ({"provider.aws.1.default_tags.0.tags.Project": ...}, "PI-TAG-001"),
    "a tag spelled twice": ({f"{TABLE}.tags": {"project": "payments"}}, "PI-TAG-002"),
    "an output without description": ({"output.api_endpoint.description": ...}, "PI-OUT-001"),
    "a region that was forgotten": ({"aws_lambda_function.secondary_function": ...}, "PI-REG-002"),
    "a smaller function in the other region": (
        {"aws_lambda_function.secondary_function.timeout": 3},
        "PI-REG-002",
    ),
    "a role that may do less in the other region": (
        {"aws_iam_role_policy.secondary_function.policy": first_actions("dynamodb:GetItem")},
        "PI-REG-002",
    ),
    "a topic of the other region": (
        {
            "aws_cloudwatch_metric_alarm.primary_errors.alarm_actions": [
                "${aws_sns_topic.secondary_alarms.arn}"
            ]
        },
        "PI-REG-003",
    ),
}


def test_there_are_at_least_thirty() -> None:
    assert len(FAULTS) >= 30


@pytest.mark.parametrize("fault", FAULTS)
def test_a_known_fault_is_found_by_its_check(world: "GoodStack", fault: str) -> None:
    changes, id_ = FAULTS[fault]
    stack = world.spoiled(changes)
    assert json.dumps(stack) != json.dumps(world.good)
    found = world.ask(id_, world.manifest(stack))
    assert [one for one in found if one.kind is Kind.FAIL and one.message], found


@pytest.mark.parametrize("fault", FAULTS)
def test_a_message_shows_no_secret(world: "GoodStack", fault: str) -> None:
    changes, id_ = FAULTS[fault]
    messages = " ".join(one.message for one in world.ask(id_, world.manifest(world.spoiled(changes))))
    assert "abcdef0123456789" not in messages
