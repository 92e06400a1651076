"""Policy documents that AWS does not take, wherever they are put."""

import json
from typing import Any

import pytest

from payinfra.local.server.validation.policies import PolicyKind, problems
from tests.unit.local.validation.conftest import Sdk, policy, trust

ROLE = "arn:aws:iam::000000000000:role"


@pytest.mark.parametrize(
    "document",
    [
        "no json",
        "[]",
        '{"Version": "2012-10-17"}',
        '{"Version": "2012-10-17", "Statement": []}',
        '{"Version": "2012-10-17", "Statement": [7]}',
        '{"Version": "2020-01-01", "Statement": {}}',
        '{"Statement": {}, "Foo": 1}',
        policy(Effect="allow"),
        policy(Foo="x"),
        policy(Sid="a b"),
        policy(Action=None),
        policy(Action=[]),
        policy(NotAction="s3:*"),
        policy(Action="GetObject"),
        policy(Resource=None),
        policy(Resource="a-bucket"),
        policy(Resource="arn:foo:s3:::x"),
        policy(NotResource="*"),
        policy(Principal="*"),
        policy(Condition="x"),
        policy(Condition={"Foo": {"aws:x": "y"}}),
        policy(Condition={"NullIfExists": {"aws:x": "true"}}),
        policy(Condition={"StringEquals": "x"}),
        json.dumps({"Statement": [json.loads(policy(Sid="a"))["Statement"][0]] * 2}),
    ],
)
def test_what_is_no_policy_is_refused(sdk: Sdk, document: str) -> None:
    assert next(problems(document, PolicyKind.IDENTITY))
    sdk.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=trust())
    put = {"RoleName": "r", "PolicyName": "p", "PolicyDocument": document}
    assert sdk.refusal("iam", "put_role_policy", **put) == "MalformedPolicyDocument"
    wanted = {"PolicyName": "p", "PolicyDocument": document}
    assert sdk.refusal("iam", "create_policy", **wanted) == "MalformedPolicyDocument"


@pytest.mark.parametrize(
    "document",
    [
        policy(),
        policy(Action="*", Resource=["arn:aws:s3:::a", "arn:*:sqs:*:*:${aws:username}"]),
        policy(
            Sid="",
            Condition={"ForAnyValue:StringLikeIfExists": {"aws:TagKeys": ["a"]}, "Null": {"a": "true"}},
        ),
    ],
)
def test_what_is_a_policy_is_taken(document: str) -> None:
    assert list(problems(document, PolicyKind.IDENTITY)) == []


@pytest.mark.parametrize(
    "document",
    [
        policy(),
        trust(Resource="*"),
        trust(Action="s3:GetObject"),
        trust({"Foo": "x"}),
        trust({"Service": "nonsense"}),
        trust({"AWS": f"{ROLE}/*"}),
        trust({"AWS": f"{ROLE}/none"}),
        trust({"AWS": "nobody"}),
    ],
)
def test_what_trusts_nobody_is_refused(sdk: Sdk, document: str) -> None:
    wanted = {"RoleName": "r", "AssumeRolePolicyDocument": document}
    assert sdk.refusal("iam", "create_role", **wanted) == "MalformedPolicyDocument"
    sdk.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=trust())
    changed = {"RoleName": "r", "PolicyDocument": document}
    assert sdk.refusal("iam", "update_assume_role_policy", **changed) == "MalformedPolicyDocument"


def test_a_role_that_is_there_is_trusted(sdk: Sdk) -> None:
    sdk.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=trust())
    wanted = {"RoleName": "s", "AssumeRolePolicyDocument": trust({"AWS": f"{ROLE}/r"})}
    assert sdk.refusal("iam", "create_role", **wanted) == ""


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Principal": None}, "MalformedPolicy"),
        ({"Principal": {"AWS": f"{ROLE}/none"}}, "MalformedPolicy"),
        ({"Resource": "arn:aws:s3:::other/*"}, "MalformedPolicy"),
        ({"Action": "sqs:SendMessage"}, "MalformedPolicy"),
        ({"Effect": "Maybe"}, "MalformedPolicy"),
        ({}, ""),
    ],
)
def test_a_buckets_policy_is_about_it(sdk: Sdk, changes: dict[str, Any], code: str) -> None:
    sdk.client("s3").create_bucket(Bucket="audit")
    whole = {"Effect": "Deny", "Principal": "*", "Resource": "arn:aws:s3:::audit/*", **changes}
    assert sdk.refusal("s3", "put_bucket_policy", Bucket="audit", Policy=policy(**whole)) == code


def test_a_topics_and_a_queues_policy_are_policies(sdk: Sdk) -> None:
    topic = sdk.client("sns").create_topic(Name="t")["TopicArn"]
    for document in (
        "x",
        policy(Principal="*", Action="sns:*", Resource=topic),
        policy(Principal="*", Resource=topic),
    ):
        put = {"TopicArn": topic, "AttributeName": "Policy", "AttributeValue": document}
        assert sdk.refusal("sns", "set_topic_attributes", **put) == "InvalidParameter"
    refused = sdk.refusal("sqs", "create_queue", QueueName="q", Attributes={"Policy": "x"})
    assert refused == "InvalidAttributeValue"
