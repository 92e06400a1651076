"""What becomes of messages, events and records that fail, and how often a secret changes."""

import json
from typing import Any

import pytest

from payinfra.checks.manifest import Unreadable
from payinfra.checks.policy.schedules import longest_days_between
from payinfra.checks.verdicts import Kind
from tests.unit.checks.policy.test_unusual import worst

QUEUE, ARN = "${aws_sqs_queue.q.arn}", "arn:aws:sqs:eu-west-1:111122223333:q"
ELSEWHERE = "arn:aws:sqs:eu-west-1:111122223333:letters"


def redrive(target: str | None) -> str:
    """A redrive policy."""
    return json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": 5})


@pytest.mark.parametrize(
    ("others", "kind"),
    [
        ({"aws_scheduler_schedule": {"s": {"target": {"arn": QUEUE}}}}, Kind.FAIL),
        (
            {"aws_scheduler_schedule": {"s": {"target": {"dead_letter_config": {"arn": QUEUE}}}}},
            Kind.NOT_APPLICABLE,
        ),
        (
            {
                "aws_lambda_function_event_invoke_config": {
                    "i": {"destination_config": {"on_success": {"destination": QUEUE}}}
                }
            },
            Kind.FAIL,
        ),
        (
            {
                "aws_sqs_queue_redrive_allow_policy": {
                    "a": {
                        "queue_url": "${aws_sqs_queue.q.id}",
                        "redrive_allow_policy": json.dumps({"redrivePermission": "denyAll"}),
                    }
                }
            },
            Kind.FAIL,
        ),
        (
            {
                "aws_sqs_queue_redrive_policy": {
                    "r": {"queue_url": "elsewhere", "redrive_policy": redrive(ARN)}
                }
            },
            Kind.NOT_APPLICABLE,
        ),
        (
            {
                "aws_sqs_queue_redrive_policy": {
                    "r": {"queue_url": "${aws_sqs_queue.q.id}", "redrive_policy": redrive(ELSEWHERE)}
                }
            },
            Kind.PASS,
        ),
        (
            {
                "aws_sqs_queue_redrive_policy": {
                    "r": {"queue_url": "${aws_sqs_queue.q.id}", "redrive_policy": "{}"}
                }
            },
            Kind.FAIL,
        ),
    ],
)
def test_a_queue_takes_dead_letters_where_one_is_told_to_send_them(
    others: dict[str, Any], kind: Kind
) -> None:
    assert worst("PI-SQS-003", {"aws_sqs_queue": {"q": {"name": "q"}}, **others}) is kind


@pytest.mark.parametrize("policy", [redrive(None), redrive(""), "[1]", "no JSON: deadLetterTargetArn"])
def test_a_redrive_policy_without_a_queue_is_none(policy: str) -> None:
    assert worst("PI-SQS-003", {"aws_sqs_queue": {"q": {"redrive_policy": policy}}}) is Kind.FAIL


@pytest.mark.parametrize(
    ("mapping", "kind"),
    [
        ({"event_source_arn": "arn:aws:mq:eu-west-1:1:broker:b:x"}, Kind.NOT_APPLICABLE),
        ({"event_source_arn": "arn:aws:kafka:eu-west-1:1:cluster/c"}, Kind.FAIL),
        ({"self_managed_event_source": {"endpoints": {}}}, Kind.FAIL),
        (
            {
                "self_managed_event_source": {"endpoints": {}},
                "destination_config": {"on_failure": {"destination_arn": ELSEWHERE}},
            },
            Kind.PASS,
        ),
        (
            {"event_source_arn": "arn:aws:kinesis:eu-west-1:1:stream/s", "maximum_retry_attempts": 3},
            Kind.FAIL,
        ),
    ],
)
def test_a_record_is_kept_where_its_source_knows_a_destination(mapping: dict[str, Any], kind: Kind) -> None:
    assert worst("PI-LAM-008", {"aws_lambda_event_source_mapping": {"m": mapping}}) is kind


@pytest.mark.parametrize(
    "service", ["codecommit", "config", "events", "iot", "logs", "logs.eu-west-1", "s3", "ses", "sns"]
)
@pytest.mark.parametrize(
    "name",
    [
        "${aws_lambda_function.f.function_name}",
        "${aws_lambda_alias.a.function_name}",
        "pay",
        "arn:aws:lambda:eu-west-1:111122223333:function:pay",
    ],
)
def test_services_call_without_waiting_by_any_name_of_a_function(service: str, name: str) -> None:
    function = {"function_name": "pay"}
    resources = {
        "aws_lambda_function": {"f": function},
        "aws_lambda_alias": {
            "a": {"function_name": "${aws_lambda_function.f.function_name}", "name": "live"}
        },
        "aws_lambda_permission": {"p": {"function_name": name, "principal": f"{service}.amazonaws.com"}},
    }
    assert worst("PI-LAM-008", resources) is Kind.FAIL
    for where, kind in (("on_failure", Kind.PASS), ("on_success", Kind.FAIL)):
        sent = {"function_name": name, "destination_config": {where: {"destination": ELSEWHERE}}}
        asked = resources | {"aws_lambda_function_event_invoke_config": {"i": sent}}
        assert worst("PI-LAM-008", asked) is kind


@pytest.mark.parametrize("service", ["apigateway", "elasticloadbalancing", "cognito-idp"])
def test_who_waits_for_the_answer_keeps_the_event(service: str) -> None:
    permission = {"function_name": "pay", "principal": f"{service}.amazonaws.com"}
    resources = {
        "aws_lambda_function": {"f": {"function_name": "pay"}},
        "aws_lambda_permission": {"p": permission},
    }
    assert worst("PI-LAM-008", resources) is Kind.NOT_APPLICABLE


def test_a_principal_that_is_not_known_may_be_everybody() -> None:
    permission = {"function_name": "pay", "principal": "${var.caller}"}
    assert worst("PI-LAM-006", {"aws_lambda_permission": {"p": permission}}) is Kind.UNKNOWN
    role = permission | {"principal": "${aws_iam_role.r.arn}"}
    assert worst("PI-LAM-006", {"aws_lambda_permission": {"p": role}}) is Kind.PASS


@pytest.mark.parametrize(
    ("schedule", "days"),
    [
        ("rate(30 days)", 30),
        ("rate(1 day)", 1),
        ("rate(12 hours)", 0.5),
        ("cron(0 16 1,15 * ? *)", 30),
        ("cron(0 8 1 */3 ? *)", 90),
        ("cron(0 8 1 JAN,APR,JUL,OCT ? *)", 90),
        ("cron(0 8 1 1-12/2 ? *)", 60),
        ("cron(0 8 1 2/6 ? *)", 180),
        ("cron(0 8 1 1 ? *)", 360),
        ("cron(0 8 1 3-5 ? *)", 300),
    ],
)
def test_a_schedule_says_how_long_it_waits(schedule: str, days: float) -> None:
    assert longest_days_between(schedule) == days
    kind = Kind.PASS if days <= 90 else Kind.FAIL
    rotation = {
        "secret_id": "${aws_secretsmanager_secret.s.id}",
        "rotation_rules": {"schedule_expression": schedule},
    }
    resources = {
        "aws_secretsmanager_secret": {"s": {"name": "s"}},
        "aws_secretsmanager_secret_rotation": {"r": rotation},
    }
    assert worst("PI-SEC-002", resources) is kind


@pytest.mark.parametrize(
    "schedule", ["daily", "cron(0 8 1 * ? 2030)", "cron(0 8 1 13 ? *)", "cron(0 8 1 1/x ? *)", "rate(1 week)"]
)
def test_a_schedule_that_cannot_be_read_is_not_known(schedule: str) -> None:
    assert isinstance(longest_days_between(schedule), Unreadable)


@pytest.mark.parametrize("type_", ["aws_sqs_queue", "aws_sns_topic"])
def test_an_empty_key_is_none(type_: str) -> None:
    id_ = "PI-SQS-001" if type_ == "aws_sqs_queue" else "PI-SNS-001"
    body = {"kms_master_key_id": "", "sqs_managed_sse_enabled": False}
    assert worst(id_, {type_: {"x": body}}) is Kind.FAIL
