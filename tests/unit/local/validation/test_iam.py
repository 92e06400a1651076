"""What IAM and STS refuse beside policies that are none."""

import json
from typing import Any

import pytest

from tests.unit.local.conftest import Ministack, Role
from tests.unit.local.validation.conftest import Sdk, policy, trust

LONG = policy(Resource=[f"arn:aws:s3:::{'x' * 60}{one}" for one in range(100)])


def role(sdk: Sdk, name: str = "r", **wanted: Any) -> str:
    made = sdk.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust("*"), **wanted)
    return str(made["Role"]["Arn"])


def test_names_differ_by_more_than_their_case(sdk: Sdk) -> None:
    role(sdk, "pays")
    wanted = {"RoleName": "PAYS", "AssumeRolePolicyDocument": trust()}
    assert sdk.refusal("iam", "create_role", **wanted) == "EntityAlreadyExists"


def test_policies_are_as_long_as_iam_lets_them_be(sdk: Sdk) -> None:
    role(sdk)
    assert sdk.refusal("iam", "create_policy", PolicyName="p", PolicyDocument=LONG) == "LimitExceeded"
    put = {"RoleName": "r", "PolicyDocument": LONG}
    assert sdk.refusal("iam", "put_role_policy", PolicyName="one", **put) == ""
    assert sdk.refusal("iam", "put_role_policy", PolicyName="one", **put) == ""
    assert sdk.refusal("iam", "put_role_policy", PolicyName="two", **put) == "LimitExceeded"
    sdk.client("iam").create_user(UserName="u")
    asked = {"UserName": "u", "PolicyName": "p", "PolicyDocument": LONG}
    assert sdk.refusal("iam", "put_user_policy", **asked) == "LimitExceeded"
    wanted = {"RoleName": "s", "AssumeRolePolicyDocument": trust(Sid="x" * 2100)}
    assert sdk.refusal("iam", "create_role", **wanted) == "LimitExceeded"


def test_a_role_has_ten_policies_that_are_there(sdk: Sdk) -> None:
    role(sdk)
    iam, none = sdk.client("iam"), "arn:aws:iam::000000000000:policy/none"
    assert sdk.refusal("iam", "attach_role_policy", RoleName="r", PolicyArn=none) == "NoSuchEntity"
    said = []
    for number in range(11):
        arn = iam.create_policy(PolicyName=f"p{number}", PolicyDocument=policy())["Policy"]["Arn"]
        said.append(sdk.refusal("iam", "attach_role_policy", RoleName="r", PolicyArn=arn))
    assert said == [""] * 10 + ["LimitExceeded"]


def test_versions_of_a_policy_go_first(sdk: Sdk) -> None:
    iam = sdk.client("iam")
    arn = iam.create_policy(PolicyName="p", PolicyDocument=policy())["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy(Sid="a"))
    assert sdk.refusal("iam", "delete_policy", PolicyArn=arn) == "DeleteConflict"


def test_a_user_has_two_keys(sdk: Sdk) -> None:
    sdk.client("iam").create_user(UserName="u")
    said = [sdk.refusal("iam", "create_access_key", UserName="u") for _ in range(3)]
    assert said == ["", "", "LimitExceeded"]


def test_a_provider_speaks_https(sdk: Sdk) -> None:
    wanted = {"Url": "http://x.example", "ThumbprintList": ["a" * 40]}
    assert sdk.refusal("iam", "create_open_id_connect_provider", **wanted) == "InvalidInput"


@pytest.mark.parametrize(
    "tags",
    [
        [{"Key": "aws:a", "Value": "b"}],
        [{"Key": "a", "Value": "b"}, {"Key": "A", "Value": "b"}],
    ],
)
def test_tags_are_ones_own_and_differ(sdk: Sdk, tags: list[dict[str, str]]) -> None:
    role(sdk)
    assert sdk.refusal("iam", "tag_role", RoleName="r", Tags=tags) == "InvalidInput"


def test_a_session_is_as_long_as_its_role_allows(sdk: Sdk) -> None:
    wanted = {"RoleArn": role(sdk), "RoleSessionName": "session"}
    assert sdk.refusal("sts", "assume_role", DurationSeconds=3601, **wanted) == "ValidationError"
    assert sdk.refusal("sts", "assume_role", Policy="x", **wanted) == "MalformedPolicyDocument"
    assert sdk.refusal("sts", "assume_role", DurationSeconds=3600, Policy=policy(), **wanted) == ""


def test_a_session_of_a_session_lasts_an_hour(sdk: Sdk, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {"RoleArn": role(sdk, MaxSessionDuration=7200), "RoleSessionName": "session"}
    assert sdk.refusal("sts", "assume_role", DurationSeconds=7200, **wanted) == ""
    session = "arn:aws:sts::000000000000:assumed-role/r/session"
    sdk.world.emulator.replace(sdk.world.emulator.core("iam_evaluator"), "caller_arn", lambda: session)
    assert sdk.refusal("sts", "assume_role", DurationSeconds=7200, **wanted) == "ValidationError"


# ---- what a call takes beside its own action ------------------------------------------------------------

TABLE: dict[str, Any] = {
    "TableName": "payments",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}
TAGS = [{"Key": "Environment", "Value": "dev"}]


def test_what_is_made_with_tags_takes_the_permission_to_tag_it(world: Ministack, role: Role) -> None:
    def make(name: str, **more: Any) -> int:
        wanted = {**TABLE, "TableName": name, **more}
        return role.operation("DynamoDB_20120810.CreateTable", wanted).status

    role.may({"Action": "dynamodb:CreateTable"})
    assert (make("plain"), make("tagged", Tags=TAGS)) == (200, 403)
    named = {"StringEquals": {"aws:RequestTag/Environment": "dev"}}
    role.may({"Action": "dynamodb:CreateTable"}, {"Action": "dynamodb:TagResource", "Condition": named})
    assert make("tagged", Tags=TAGS) == 200
    assert make("other", Tags=[{"Key": "Environment", "Value": "prod"}]) == 403


def test_a_key_is_tagged_with_permission_on_keys(world: Ministack, role: Role) -> None:
    headers = {"x-amz-target": "TrentService.CreateKey", "content-type": "application/x-amz-json-1.1"}

    def make() -> int:
        body = {"Tags": [{"TagKey": "a", "TagValue": "b"}]}
        return role.call("kms", "POST", "/", body, headers).status

    role.may({"Action": "kms:CreateKey"})
    refused = make()
    role.may({"Action": "kms:CreateKey"}, {"Action": "kms:TagResource", "Resource": "arn:aws:kms:*:*:key/*"})
    assert (refused, make()) == (403, 200)


@pytest.mark.parametrize(
    ("headers", "action"),
    [
        ({"x-amz-tagging": "a=b"}, "s3:PutObjectTagging"),
        ({"x-amz-object-lock-legal-hold": "ON"}, "s3:PutObjectLegalHold"),
    ],
)
def test_an_object_that_is_put_with_more_takes_more(
    world: Ministack, role: Role, headers: dict[str, str], action: str
) -> None:
    lock = {"x-amz-bucket-object-lock-enabled": "true"}
    assert world.call("s3", "PUT", "/audit", b"", lock).status == 200
    role.may({"Action": "s3:PutObject"})
    refused = role.call("s3", "PUT", "/audit/a", b"x", headers).status
    role.may({"Action": ["s3:PutObject", action]})
    assert (refused, role.call("s3", "PUT", "/audit/a", b"x", headers).status) == (403, 200)


LEADING = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["mine"]}}


@pytest.mark.parametrize(
    ("operation", "wanted"),
    [
        ("GetItem", {"Key": {"id": {"S": "KEY"}}}),
        ("PutItem", {"Item": {"id": {"S": "KEY"}}}),
        (
            "Query",
            {"KeyConditionExpression": "#i = :i", "ExpressionAttributeNames": {"#i": "id"}}
            | {"ExpressionAttributeValues": {":i": {"S": "KEY"}}},
        ),
        ("BatchGetItem", {"RequestItems": {"payments": {"Keys": [{"id": {"S": "KEY"}}]}}}),
        ("BatchWriteItem", {"RequestItems": {"payments": [{"PutRequest": {"Item": {"id": {"S": "KEY"}}}}]}}),
        (
            "TransactWriteItems",
            {"TransactItems": [{"Put": {"TableName": "payments", "Item": {"id": {"S": "KEY"}}}}]},
        ),
    ],
)
def test_policies_know_the_leading_keys(
    world: Ministack, role: Role, operation: str, wanted: dict[str, Any]
) -> None:
    world.dynamodb("CreateTable", **TABLE)
    role.may({"Action": "dynamodb:*", "Condition": LEADING})

    def said(key: str) -> int:
        body = json.loads(json.dumps(wanted).replace("KEY", key))
        named = {} if "RequestItems" in body or "TransactItems" in body else {"TableName": "payments"}
        return role.operation(f"DynamoDB_20120810.{operation}", {**named, **body}).status

    assert (said("mine"), said("yours")) == (200, 403)


def test_who_may_not_list_is_not_told_what_is_not_there(world: Ministack, role: Role) -> None:
    assert world.call("s3", "PUT", "/audit").status == 200
    role.may({"Action": "s3:GetObject"})
    assert [role.call("s3", method, "/audit/none").status for method in ("GET", "HEAD")] == [403, 403]
    role.may({"Action": ["s3:GetObject", "s3:ListBucket"]})
    assert [role.call("s3", method, "/audit/none").status for method in ("GET", "HEAD")] == [404, 404]


def test_a_policy_may_keep_all_others_out(world: Ministack, role: Role) -> None:
    assert world.call("s3", "PUT", "/audit").status == 200
    assert world.call("s3", "PUT", "/audit/a", b"x").status == 200
    role.may({"Action": "s3:GetObject"})
    statuses = []
    for spared in (f"{role.arn}", "arn:aws:iam::000000000000:root"):
        denied = {"Effect": "Deny", "NotPrincipal": {"AWS": spared}, "Action": "s3:GetObject"}
        whole = {"Statement": [{**denied, "Resource": "arn:aws:s3:::audit/*"}]}
        assert world.call("s3", "PUT", "/audit?policy", json.dumps(whole).encode()).status < 300
        statuses.append(role.call("s3", "GET", "/audit/a").status)
    assert statuses == [200, 403]
