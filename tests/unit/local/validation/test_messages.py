"""What SNS, SQS, Parameter Store and Certificate Manager refuse."""

from typing import Any

import pytest

from tests.unit.local.validation.conftest import Sdk

INVALID = "InvalidParameter"


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"Name": "a b"}, INVALID),
        ({"Name": "x" * 257}, INVALID),
        ({"Name": "t", "Attributes": {"Foo": "x"}}, INVALID),
        ({"Name": "t", "Attributes": {"FifoTopic": "true"}}, INVALID),
        ({"Name": "t", "Attributes": {"DisplayName": "other"}}, INVALID),
        ({"Name": "t", "Tags": [{"Key": "other", "Value": "b"}]}, INVALID),
        ({"Name": "t"}, ""),
    ],
)
def test_a_topic_is_made_once_and_as_it_can_be(sdk: Sdk, wanted: dict[str, Any], code: str) -> None:
    sdk.client("sns").create_topic(Name="t", Tags=[{"Key": "a", "Value": "b"}])
    assert sdk.refusal("sns", "create_topic", **wanted) == code


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"Message": ""}, INVALID),
        ({"Message": "m", "Subject": "two\nlines"}, INVALID),
        ({"Message": "m", "Subject": "x" * 101}, INVALID),
        ({"Message": "no json", "MessageStructure": "json"}, INVALID),
        ({"Message": '{"a": "b"}', "MessageStructure": "json"}, INVALID),
        ({"Message": '{"default": "b"}', "MessageStructure": "json", "Subject": "s"}, ""),
    ],
)
def test_a_message_says_something(sdk: Sdk, wanted: dict[str, Any], code: str) -> None:
    topic = sdk.client("sns").create_topic(Name="t")["TopicArn"]
    assert sdk.refusal("sns", "publish", TopicArn=topic, **wanted) == code


@pytest.mark.parametrize(
    ("protocol", "endpoint", "attributes", "code"),
    [
        ("pigeon", "x", {}, INVALID),
        ("email", "nobody", {}, INVALID),
        ("https", "ftp://x", {}, INVALID),
        ("sqs", "x", {}, INVALID),
        ("email", "a@example.com", {"FilterPolicy": "no json"}, INVALID),
        ("email", "a@example.com", {}, ""),
    ],
)
def test_somebody_subscribes(
    sdk: Sdk, protocol: str, endpoint: str, attributes: dict[str, str], code: str
) -> None:
    topic = sdk.client("sns").create_topic(Name="t")["TopicArn"]
    wanted = {"TopicArn": topic, "Protocol": protocol, "Endpoint": endpoint, "Attributes": attributes}
    assert sdk.refusal("sns", "subscribe", **wanted) == code


def test_codes_of_sns_are_its_models(sdk: Sdk) -> None:
    topic = sdk.client("sns").create_topic(Name="t")["TopicArn"]
    pending = sdk.refusal("sns", "unsubscribe", SubscriptionArn="pending confirmation")
    token = sdk.refusal("sns", "confirm_subscription", TopicArn=topic, Token="none")
    assert (pending, token) == (INVALID, INVALID)


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"QueueName": "a b"}, "InvalidParameterValue"),
        ({"QueueName": "q", "Attributes": {"Foo": "x"}}, "InvalidAttributeName"),
        ({"QueueName": "q", "Attributes": {"DelaySeconds": "5"}}, ""),
    ],
)
def test_a_queue_is_made_as_it_can_be(sdk: Sdk, wanted: dict[str, Any], code: str) -> None:
    assert sdk.refusal("sqs", "create_queue", **wanted) == code


def test_a_message_waits_a_quarter_of_an_hour(sdk: Sdk) -> None:
    queue = sdk.client("sqs").create_queue(QueueName="q")["QueueUrl"]
    wanted = {"QueueUrl": queue, "MessageBody": "m", "DelaySeconds": 901}
    assert sdk.refusal("sqs", "send_message", **wanted) == "InvalidParameterValue"


# ---- parameters -----------------------------------------------------------------------------------------

WRONG = "ValidationException"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, ""),
        ({"Name": "a/b"}, WRONG),
        ({"Name": "/a b"}, WRONG),
        ({"Name": "/a" * 16}, "HierarchyLevelLimitExceededException"),
        ({"Value": ""}, WRONG),
        ({"Value": "x" * 4097}, WRONG),
        ({"Value": "x" * 4097, "Tier": "Advanced"}, ""),
        ({"Policies": "[]"}, WRONG),
        ({"AllowedPattern": "("}, "InvalidAllowedPatternException"),
        ({"AllowedPattern": r"^\d+$"}, "ParameterPatternMismatchException"),
        ({"AllowedPattern": "^v$"}, ""),
        ({"Type": None}, WRONG),
        ({"Name": "/there", "Type": "SecureString", "Overwrite": True}, WRONG),
        ({"Name": "/there", "Type": None, "Overwrite": True}, ""),
        ({"KeyId": "alias/aws/ssm"}, WRONG),
        ({"Type": "SecureString", "KeyId": "none"}, "InvalidKeyId"),
        ({"Type": "SecureString", "KeyId": "alias/aws/ssm"}, ""),
        ({"Tags": [{"Key": "aws:a", "Value": "b"}]}, WRONG),
    ],
)
def test_a_parameter_is_put_as_it_can_be(sdk: Sdk, changes: dict[str, Any], code: str) -> None:
    sdk.client("ssm").put_parameter(Name="/there", Value="v", Type="String")
    wanted = {"Name": "/new", "Value": "v", "Type": "String", **changes}
    asked = {name: value for name, value in wanted.items() if value is not None}
    assert sdk.refusal("ssm", "put_parameter", **asked) == code


def test_parameters_are_asked_for_as_they_are_named(sdk: Sdk) -> None:
    assert sdk.refusal("ssm", "get_parameters", Names=["/a", "/a"]) == WRONG
    assert sdk.refusal("ssm", "get_parameters_by_path", Path="a") == WRONG
    tags = {"ResourceType": "Parameter", "ResourceId": "/none", "Tags": [{"Key": "a", "Value": "b"}]}
    assert sdk.refusal("ssm", "add_tags_to_resource", **tags) == "InvalidResourceId"


# ---- certificates ---------------------------------------------------------------------------------------


def test_a_certificate_is_for_a_whole_name(sdk: Sdk) -> None:
    assert sdk.refusal("acm", "request_certificate", DomainName="localhost") == WRONG
    tags = [{"Key": "aws:a", "Value": "b"}]
    wanted = {"DomainName": "pay.example.com", "Tags": tags}
    assert sdk.refusal("acm", "request_certificate", **wanted) == "InvalidTagException"
    arn = "arn:aws:acm:us-east-1:000000000000:key/x"
    assert sdk.refusal("acm", "describe_certificate", CertificateArn=arn) == "InvalidArnException"
