"""Other spellings of the same thing, good and bad, with the verdicts that AWS's behaviour wants."""

from typing import Any

import pytest

from payinfra.checks.verdicts import Kind
from tests.unit.checks.policy.test_unusual import ME, worst


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"principal": "events.amazonaws.com", "source_arn": "arn:aws:events:*:*:rule/*"}, Kind.FAIL),
        ({"principal": "events.amazonaws.com", "source_arn": f"arn:aws:events:*:{ME}:rule/*"}, Kind.PASS),
        ({"principal": "s3.amazonaws.com", "source_arn": "arn:aws:s3:::*"}, Kind.FAIL),
        ({"principal": "s3.amazonaws.com", "source_arn": "arn:aws:s3:::pay-*"}, Kind.PASS),
        (
            {"principal": "s3.amazonaws.com", "source_arn": "arn:aws:s3:::*", "source_account": ME},
            Kind.PASS,
        ),
        ({"principal": "*", "source_arn": "arn:aws:sns:*:*:*"}, Kind.FAIL),
        (
            {
                "principal": "apigateway.amazonaws.com",
                "source_arn": "${aws_api_gateway_rest_api.a.execution_arn}/*/*",
            },
            Kind.PASS,
        ),
        (
            {
                "principal": "events.amazonaws.com",
                "source_arn": "arn:aws:events:eu-west-1:${data.aws_caller_identity.me.account_id}:rule/*",
            },
            Kind.PASS,
        ),
    ],
)
def test_a_source_arn_of_any_account_names_no_caller(fields: dict[str, Any], kind: Kind) -> None:
    permission = {"function_name": "f", "action": "lambda:InvokeFunction", **fields}
    assert worst("PI-LAM-006", {"aws_lambda_permission": {"p": permission}}) is kind
