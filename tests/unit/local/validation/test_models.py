"""Requests that break their operation's model are refused in the words of each service."""

from typing import Any

import pytest

from tests.unit.local.validation.conftest import Sdk, trust


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "code"),
    [
        ("acm", "request_certificate", {"DomainName": "a b"}, "ValidationException"),
        ("apigateway", "get_api_keys", {"limit": "many"}, "BadRequestException"),
        ("cloudwatch", "put_metric_alarm", {"AlarmName": "a"}, "ValidationError"),
        ("dynamodb", "list_tables", {"Limit": 101}, "ValidationException"),
        ("iam", "create_role", {"RoleName": "a b", "AssumeRolePolicyDocument": trust()}, "ValidationError"),
        ("kms", "enable_key_rotation", {"KeyId": "k", "RotationPeriodInDays": 10}, "ValidationException"),
        ("lambda", "create_function", {"FunctionName": "a b"}, "ValidationException"),
        ("logs", "create_log_group", {"logGroupName": "a b"}, "InvalidParameterException"),
        ("route53", "create_hosted_zone", {"Name": "x.example"}, "InvalidInput"),
        ("ssm", "get_parameters", {"Names": [f"/p{one}" for one in range(11)]}, "ValidationException"),
        (
            "sts",
            "assume_role",
            {"RoleArn": "arn:aws:iam::000000000000:role/r", "RoleSessionName": "a"},
            "ValidationError",
        ),
    ],
)
def test_a_request_that_breaks_its_model_is_refused(
    sdk: Sdk, service: str, operation: str, parameters: dict[str, Any], code: str
) -> None:
    assert sdk.refusal(service, operation, **parameters) == code


def test_a_runtime_that_is_none_has_a_code_of_its_own(sdk: Sdk) -> None:
    wanted = {
        "FunctionName": "f",
        "Role": "arn:aws:iam::000000000000:role/r",
        "Runtime": "python9",
        "Handler": "h.f",
        "Code": {"ZipFile": b"x"},
    }
    assert sdk.refusal("lambda", "create_function", **wanted) == "InvalidParameterValueException"


def test_what_a_model_does_not_know_is_ignored(sdk: Sdk) -> None:
    headers = {"x-amz-target": "AmazonSSM.DescribeParameters", "content-type": "application/x-amz-json-1.1"}
    assert sdk.world.call("ssm", "POST", "/", {"Foo": {"Bar": 1}}, headers).status == 200


def test_what_is_no_call_at_all_is_left_to_ministack(sdk: Sdk) -> None:
    headers = {"x-amz-target": "AmazonSSM.Nonsense", "content-type": "application/x-amz-json-1.1"}
    answer = sdk.world.call("ssm", "POST", "/", {}, headers)
    assert b"validation error" not in answer.body
