"""Alarms that leave it to composite alarms to tell somebody."""

from typing import Any

import pytest

from payinfra.checks.verdicts import Kind
from tests.unit.checks.policy.test_unusual import worst

ACTION = ["arn:aws:sns:eu-west-1:111122223333:alarms"]
ERRORS, SLOW = (f"${{aws_cloudwatch_metric_alarm.{name}.alarm_name}}" for name in ("errors", "slow"))
BOTH = f"ALARM({ERRORS}) OR ALARM({SLOW})"


def alarm(metric: str, **fields: Any) -> dict[str, Any]:
    """An alarm on a metric of the function."""
    return {
        "alarm_name": f"pay {metric}",
        "namespace": "AWS/Lambda",
        "metric_name": metric,
        "dimensions": {"FunctionName": "pay"},
        "treat_missing_data": "notBreaching",
        **fields,
    }


@pytest.mark.parametrize(
    ("own", "composites", "kind"),
    [
        ({}, {}, Kind.FAIL),
        ({"alarm_actions": ACTION}, {}, Kind.PASS),
        ({}, {"all": {"alarm_rule": BOTH, "alarm_actions": ACTION}}, Kind.PASS),
        ({"alarm_actions": []}, {"all": {"alarm_rule": BOTH, "alarm_actions": ACTION}}, Kind.PASS),
        ({}, {"all": {"alarm_rule": BOTH, "alarm_actions": []}}, Kind.FAIL),
        ({}, {"all": {"alarm_rule": BOTH, "alarm_actions": ACTION, "actions_enabled": False}}, Kind.FAIL),
        (
            {},
            {"all": {"alarm_rule": 'ALARM("pay Errors") OR ALARM(pay Duration)', "alarm_actions": ACTION}},
            Kind.PASS,
        ),
        ({}, {"all": {"alarm_rule": 'ALARM("other")', "alarm_actions": ACTION}}, Kind.FAIL),
        (
            {},
            {
                "inner": {"alarm_name": "inner", "alarm_rule": BOTH},
                "outer": {"alarm_name": "outer", "alarm_rule": 'ALARM("inner")', "alarm_actions": ACTION},
            },
            Kind.PASS,
        ),
        (
            {},
            {
                "a": {"alarm_name": "a", "alarm_rule": f'{BOTH} OR ALARM("b")'},
                "b": {"alarm_name": "b", "alarm_rule": 'ALARM("a")'},
            },
            Kind.FAIL,
        ),
    ],
)
def test_a_composite_alarm_tells_for_those_that_its_rule_names(
    own: dict[str, Any], composites: dict[str, Any], kind: Kind
) -> None:
    stack = {
        "aws_lambda_function": {"f": {"function_name": "pay"}},
        "aws_cloudwatch_metric_alarm": {"errors": alarm("Errors", **own), "slow": alarm("Duration", **own)},
        "aws_cloudwatch_composite_alarm": composites,
    }
    assert worst("PI-CW-001", stack, provider={"aws": {"region": "eu-west-1"}}) is kind
