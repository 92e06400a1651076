"""What a function's variables hold of other resources."""

import pytest

from payinfra.checks.verdicts import Kind
from tests.unit.checks.policy.test_unusual import worst


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("${jsonencode(random_password.p)}", Kind.FAIL),
        ("${random_password.p.result}", Kind.FAIL),
        ("${jsonencode([for key in aws_api_gateway_api_key.k : key.value])}", Kind.FAIL),
        ('${join(",", [for key in aws_api_gateway_api_key.k : key.id])}', Kind.PASS),
        ("${jsonencode(aws_sqs_queue.q)}", Kind.PASS),
    ],
)
def test_a_variable_holds_what_it_reads_of_a_whole_resource(value: str, kind: Kind) -> None:
    environment = {"variables": {"SETTINGS": value}}
    stack = {
        "aws_lambda_function": {"f": {"environment": environment, "kms_key_arn": "${aws_kms_key.k.arn}"}},
        "aws_kms_key": {"k": {}},
        "random_password": {"p": {}},
        "aws_api_gateway_api_key": {"k": {"for_each": {"a": 1}, "name": "a"}},
        "aws_sqs_queue": {"q": {}},
    }
    assert worst("PI-LAM-004", stack, provider={"aws": {"region": "eu-west-1"}}) is kind
