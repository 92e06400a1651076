"""What KMS refuses, and what services refuse whose keys are out of reach."""

import json
from typing import Any

import pytest

from tests.unit.local.validation.conftest import Sdk

KEY = {"AttributeName": "id", "KeyType": "HASH"}
ROOT = "arn:aws:iam::000000000000:root"
TABLE: dict[str, Any] = {
    "TableName": "payments",
    "KeySchema": [KEY],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}


def made(sdk: Sdk, **wanted: Any) -> str:
    return str(sdk.client("kms").create_key(**wanted)["KeyMetadata"]["KeyId"])


@pytest.mark.parametrize(
    ("operation", "wanted"),
    [
        ("disable_key", {}),
        ("enable_key", {}),
        ("enable_key_rotation", {}),
        ("schedule_key_deletion", {"PendingWindowInDays": 7}),
        ("tag_resource", {"Tags": [{"TagKey": "a", "TagValue": "b"}]}),
        ("untag_resource", {"TagKeys": ["a"]}),
        ("update_key_description", {"Description": "d"}),
    ],
)
def test_a_key_that_is_to_be_deleted_is_left_alone(sdk: Sdk, operation: str, wanted: Any) -> None:
    key = made(sdk)
    sdk.client("kms").schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert sdk.refusal("kms", operation, KeyId=key, **wanted) == "KMSInvalidStateException"
    assert sdk.refusal("kms", "cancel_key_deletion", KeyId=key) == ""
    assert sdk.refusal("kms", "cancel_key_deletion", KeyId=key) == "KMSInvalidStateException"


def test_it_gets_no_alias(sdk: Sdk) -> None:
    key, other = made(sdk), made(sdk)
    sdk.client("kms").create_alias(AliasName="alias/a", TargetKeyId=other)
    sdk.client("kms").schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    for operation, name in (("create_alias", "alias/b"), ("update_alias", "alias/a")):
        refused = sdk.refusal("kms", operation, AliasName=name, TargetKeyId=key)
        assert refused == "KMSInvalidStateException"


def test_a_disabled_key_does_not_rotate(sdk: Sdk) -> None:
    key = made(sdk)
    sdk.client("kms").disable_key(KeyId=key)
    assert sdk.refusal("kms", "enable_key_rotation", KeyId=key) == "DisabledException"


def test_keys_do_what_they_are_for(sdk: Sdk) -> None:
    key, signs = made(sdk), made(sdk, KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    sdk.client("kms").create_alias(AliasName="alias/a", TargetKeyId=key)
    refused = {
        sdk.refusal("kms", "enable_key_rotation", KeyId=signs): "UnsupportedOperationException",
        sdk.refusal("kms", "encrypt", KeyId=signs, Plaintext=b"x"): "InvalidKeyUsageException",
        sdk.refusal("kms", "update_alias", AliasName="alias/a", TargetKeyId=signs): "ValidationException",
        sdk.refusal("kms", "create_key", KeySpec="RSA_2048"): "ValidationException",
        sdk.refusal("kms", "create_key", KeyUsage="SIGN_VERIFY"): "ValidationException",
    }
    assert all(said == meant for said, meant in refused.items())


def test_a_replica_rotates_with_its_primary(sdk: Sdk) -> None:
    key = made(sdk, MultiRegion=True)
    sdk.client("kms").replicate_key(KeyId=key, ReplicaRegion="us-west-2")
    refused = sdk.refusal("kms", "enable_key_rotation", "us-west-2", KeyId=key)
    assert (refused, sdk.refusal("kms", "enable_key_rotation", KeyId=key)) == (
        "UnsupportedOperationException",
        "",
    )


@pytest.mark.parametrize(
    ("name", "code"),
    [("alias/aws/mine", "NotAuthorizedException"), ("alias/a b", "ValidationException"), ("alias/mine", "")],
)
def test_an_alias_has_a_name_of_ones_own(sdk: Sdk, name: str, code: str) -> None:
    assert sdk.refusal("kms", "create_alias", AliasName=name, TargetKeyId=made(sdk)) == code


def test_an_alias_stands_for_a_key(sdk: Sdk) -> None:
    sdk.client("kms").create_alias(AliasName="alias/a", TargetKeyId=made(sdk))
    refused = sdk.refusal("kms", "create_alias", AliasName="alias/b", TargetKeyId="alias/a")
    assert refused == "ValidationException"
    tags = [{"TagKey": "a", "TagValue": "b"}]
    assert sdk.refusal("kms", "tag_resource", KeyId="alias/a", Tags=tags) == "InvalidArnException"


def test_what_is_encrypted_is_opened_with_its_own_key(sdk: Sdk) -> None:
    kms, key, other = sdk.client("kms"), made(sdk), made(sdk)
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert sdk.refusal("kms", "decrypt", CiphertextBlob=blob, KeyId=other) == "IncorrectKeyException"
    assert sdk.refusal("kms", "decrypt", CiphertextBlob=blob, KeyId="none") == "NotFoundException"
    assert sdk.refusal("kms", "decrypt", CiphertextBlob=blob, KeyId=key) == ""
    assert sdk.refusal("kms", "decrypt", CiphertextBlob=blob) == ""


def test_what_is_encrypted_is_short(sdk: Sdk) -> None:
    key = made(sdk)
    assert sdk.refusal("kms", "encrypt", KeyId=key, Plaintext=b"x" * 4097) == "ValidationException"
    for wanted in ({}, {"KeySpec": "AES_256", "NumberOfBytes": 32}, {"NumberOfBytes": 2000}):
        assert sdk.refusal("kms", "generate_data_key", KeyId=key, **wanted) == "ValidationException"


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        ("{", "MalformedPolicyDocumentException"),
        ({"Principal": {"AWS": ROOT}, "Action": "kms:Decrypt"}, "MalformedPolicyDocumentException"),
        (
            {"Principal": {"AWS": f"{ROOT[:-4]}role/none"}, "Action": "kms:*"},
            "MalformedPolicyDocumentException",
        ),
        ({"Principal": {"AWS": ROOT}, "Action": "kms:Put*"}, ""),
    ],
)
def test_a_keys_policy_can_be_changed_later(sdk: Sdk, policy: Any, code: str) -> None:
    whole = (
        policy
        if isinstance(policy, str)
        else json.dumps({"Statement": {"Effect": "Allow", "Resource": "*", **policy}})
    )
    assert sdk.refusal("kms", "create_key", Policy=whole) == code
    assert (
        sdk.refusal("kms", "put_key_policy", KeyId=made(sdk), PolicyName="x", Policy=whole)
        == "NotFoundException"
    )


def test_a_grant_is_to_somebody(sdk: Sdk) -> None:
    wanted = {"KeyId": made(sdk), "Operations": ["Decrypt"]}
    assert sdk.refusal("kms", "create_grant", GranteePrincipal="nobody", **wanted) == "InvalidArnException"
    assert sdk.refusal("kms", "create_grant", GranteePrincipal=ROOT, **wanted) == ""


# ---- services that use a key ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "state", ["disabled", "to be deleted", "not there", "of another region", "asymmetric"]
)
def test_a_table_gets_a_key_that_can_be_used(sdk: Sdk, state: str) -> None:
    kms = sdk.client("kms", "us-west-2" if state == "of another region" else "us-east-1")
    asked = {"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"} if state == "asymmetric" else {}
    key = kms.create_key(**asked)["KeyMetadata"]["KeyId"]
    if state == "disabled":
        kms.disable_key(KeyId=key)
    if state == "to be deleted":
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    wanted = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": "none" if state == "not there" else key}
    assert sdk.refusal("dynamodb", "create_table", **TABLE, SSESpecification=wanted) == "ValidationException"


@pytest.mark.parametrize("operation", ["disable_key", "schedule_key_deletion"])
def test_nothing_is_read_under_a_key_that_is_out_of_reach(sdk: Sdk, operation: str) -> None:
    kms, key = sdk.client("kms"), made(sdk)
    encryption = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key}
    sdk.client("dynamodb").create_table(**TABLE, SSESpecification=encryption)
    sdk.client("ssm").put_parameter(Name="/s", Value="x", Type="SecureString", KeyId=key)
    sdk.client("s3").create_bucket(Bucket="audit")
    put = {"Bucket": "audit", "Key": "a", "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    sdk.client("s3").put_object(Body=b"x", **put)
    topic = sdk.client("sns").create_topic(Name="t", Attributes={"KmsMasterKeyId": key})["TopicArn"]
    getattr(kms, operation)(KeyId=key, **({} if operation == "disable_key" else {"PendingWindowInDays": 7}))
    item = {"TableName": "payments", "Key": {"id": {"S": "a"}}}
    assert sdk.refusal("dynamodb", "get_item", **item) == "ValidationException"
    transaction = [{"Delete": item}]
    assert sdk.refusal("dynamodb", "transact_write_items", TransactItems=transaction) == "ValidationException"
    assert sdk.refusal("ssm", "get_parameter", Name="/s", WithDecryption=True) == "InvalidKeyId"
    assert sdk.refusal("ssm", "get_parameters_by_path", Path="/", WithDecryption=True) == "InvalidKeyId"
    assert sdk.refusal("ssm", "get_parameter", Name="/s") == ""
    kind = "DisabledException" if operation == "disable_key" else "KMSInvalidStateException"
    assert sdk.refusal("s3", "get_object", Bucket="audit", Key="a") == f"KMS.{kind}"
    assert sdk.refusal("s3", "put_object", **put) == f"KMS.{kind}"
    assert sdk.refusal("s3", "head_object", Bucket="audit", Key="a") == ""
    said = "KMSDisabled" if operation == "disable_key" else "KMSInvalidState"
    assert sdk.refusal("sns", "publish", TopicArn=topic, Message="m") == said
