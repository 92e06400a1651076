"""Where what cannot be processed goes: of queues, and of mappings whose source is not known."""

import json
from typing import Any

import pytest

from payinfra.checks.verdicts import Kind
from tests.unit.checks.policy.test_unusual import worst


@pytest.mark.parametrize(("name", "kind"), [("pay", Kind.FAIL), ("pay-dead", Kind.PASS)])
def test_a_queue_is_not_its_own_dead_letter_queue(name: str, kind: Kind) -> None:
    redrive = {"deadLetterTargetArn": f"arn:aws:sqs:eu-west-1:111122223333:{name}", "maxReceiveCount": 3}
    queue = {"name": "pay", "redrive_policy": json.dumps(redrive)}
    assert worst("PI-SQS-003", {"aws_sqs_queue": {"q": queue}}) is kind


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"event_source_arn": "${var.source}", "starting_position": "LATEST"}, Kind.FAIL),
        ({"event_source_arn": "${var.source}"}, Kind.NOT_APPLICABLE),
        ({"event_source_arn": "${aws_msk_serverless_cluster.m.arn}"}, Kind.FAIL),
        (
            {"starting_position": "LATEST", "document_db_event_source_config": {"database_name": "pay"}},
            Kind.NOT_APPLICABLE,
        ),
    ],
)
def test_a_source_that_has_a_beginning_is_a_stream(fields: dict[str, Any], kind: Kind) -> None:
    assert worst("PI-LAM-008", {"aws_lambda_event_source_mapping": {"m": fields}}) is kind


@pytest.mark.parametrize(
    ("type_", "value", "kind"),
    [
        ("String", "${ephemeral.random_password.p.result}", Kind.FAIL),
        ("String", "eu-west-1", Kind.NOT_APPLICABLE),
        ("SecureString", "${ephemeral.random_password.p.result}", Kind.PASS),
    ],
)
def test_a_value_that_is_kept_out_of_the_state_is_secret(type_: str, value: str, kind: Kind) -> None:
    key = {"key_id": "${aws_kms_key.k.arn}"} if type_ == "SecureString" else {}
    parameter = {"name": "/pay/region", "type": type_, "value_wo": value, **key}
    stack = {"aws_ssm_parameter": {"p": parameter}, "aws_kms_key": {"k": {}}}
    assert worst("PI-SSM-001", stack, provider={"aws": {"region": "eu-west-1"}}) is kind
