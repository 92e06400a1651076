"""What S3 refuses of buckets, their configurations and their objects."""

from typing import Any

import pytest

from tests.unit.local.validation.conftest import Sdk, trust

MALFORMED, ARGUMENT, REQUEST = "MalformedXML", "InvalidArgument", "InvalidRequest"


def bucket(sdk: Sdk, name: str = "audit", *, versioned: bool = False, **more: Any) -> None:
    client = sdk.client("s3")
    client.create_bucket(Bucket=name, **more)
    if versioned:
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})


@pytest.mark.parametrize("name", ["xn--audit", "sthree-audit", "audit-s3alias"])
def test_some_names_are_reserved(sdk: Sdk, name: str) -> None:
    assert sdk.refusal("s3", "create_bucket", Bucket=name) == "InvalidBucketName"


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({}, ""),
        ({"Key": "x" * 1025}, "KeyTooLongError"),
        ({"ServerSideEncryption": "AES256", "SSEKMSKeyId": "x"}, ARGUMENT),
        ({"ObjectLockMode": "GOVERNANCE"}, ARGUMENT),
        ({"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": "2020-01-01T00:00:00Z"}, ARGUMENT),
        ({"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": "2999-01-01T00:00:00Z"}, ""),
    ],
)
def test_an_object_is_put_as_it_can_be(sdk: Sdk, wanted: dict[str, Any], code: str) -> None:
    bucket(sdk, ObjectLockEnabledForBucket="true")
    assert sdk.refusal("s3", "put_object", **{"Bucket": "audit", "Key": "a", "Body": b"x", **wanted}) == code


def move(days: int, name: str) -> dict[str, Any]:
    return {"Days": days, "StorageClass": name}


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ([], MALFORMED),
        ([{}], REQUEST),
        ([{"Expiration": {"Days": 1}}] * 2, ARGUMENT),
        ([{"Expiration": {"Days": 1}, "ID": "x" * 256}], ARGUMENT),
        ([{"Expiration": {"Days": 1}, "Filter": None}], MALFORMED),
        ([{"Expiration": {"Days": 1, "Date": "2030-01-01T00:00:00Z"}}], MALFORMED),
        ([{"Expiration": {"Date": "2030-01-01T01:00:00Z"}}], ARGUMENT),
        ([{"Expiration": {"Days": 30}, "Transitions": [move(90, "GLACIER")]}], ARGUMENT),
        ([{"Transitions": [move(1, "STANDARD_IA")]}], ARGUMENT),
        ([{"Transitions": [move(90, "DEEP_ARCHIVE"), move(100, "GLACIER")]}], ARGUMENT),
        (
            [
                {
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                    "Filter": {"Tag": {"Key": "a", "Value": "b"}},
                }
            ],
            REQUEST,
        ),
        ([{"Expiration": {"Days": 91}, "Transitions": [move(90, "GLACIER")]}], ""),
    ],
)
def test_a_lifecycles_steps_follow_each_other(sdk: Sdk, rules: list[dict[str, Any]], code: str) -> None:
    bucket(sdk)
    whole = [{"ID": "a", "Status": "Enabled", "Filter": {"Prefix": ""}, **one} for one in rules]
    asked = {"Rules": [{key: value for key, value in one.items() if value is not None} for one in whole]}
    wanted = {"Bucket": "audit", "LifecycleConfiguration": asked}
    assert sdk.refusal("s3", "put_bucket_lifecycle_configuration", **wanted) == code


ROLE = "arn:aws:iam::000000000000:role/copies"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, ""),
        ({"Destination": {"Bucket": "arn:aws:s3:::none"}}, REQUEST),
        ({"Destination": {"Bucket": "arn:aws:s3:::audit"}}, REQUEST),
        ({"DeleteMarkerReplication": None}, REQUEST),
        (
            {"Filter": {"Tag": {"Key": "a", "Value": "b"}}, "DeleteMarkerReplication": {"Status": "Enabled"}},
            REQUEST,
        ),
    ],
)
def test_objects_are_copied_to_another_bucket(sdk: Sdk, changes: dict[str, Any], code: str) -> None:
    sdk.client("iam").create_role(
        RoleName="copies", AssumeRolePolicyDocument=trust({"Service": "s3.amazonaws.com"})
    )
    for name in ("audit", "copy"):
        bucket(sdk, name, versioned=True)
    rule = {"ID": "a", "Status": "Enabled", "Priority": 0, "Filter": {"Prefix": ""}, **changes}
    rule = {
        "DeleteMarkerReplication": {"Status": "Disabled"},
        "Destination": {"Bucket": "arn:aws:s3:::copy"},
        **rule,
    }
    kept = {name: value for name, value in rule.items() if value is not None}

    def said(role: str, *rules: dict[str, Any]) -> str:
        wanted = {"Bucket": "audit", "ReplicationConfiguration": {"Role": role, "Rules": list(rules)}}
        return sdk.refusal("s3", "put_bucket_replication", **wanted)

    assert said(ROLE, kept) == code
    assert said("nobody", kept) == ARGUMENT
    assert said(ROLE, kept, {**kept, "ID": "b"}) == REQUEST
    if not code:
        suspended = {"Bucket": "audit", "VersioningConfiguration": {"Status": "Suspended"}}
        assert sdk.refusal("s3", "put_bucket_versioning", **suspended) == "InvalidBucketState"


def test_a_locked_bucket_keeps_its_versions(sdk: Sdk) -> None:
    bucket(sdk, ObjectLockEnabledForBucket="true")
    suspended = {"Bucket": "audit", "VersioningConfiguration": {"Status": "Suspended"}}
    assert sdk.refusal("s3", "put_bucket_versioning", **suspended) == "InvalidBucketState"
    for days, code in ((0, ARGUMENT), (36_501, ARGUMENT), (1, "")):
        rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": days}}
        lock = {"ObjectLockEnabled": "Enabled", "Rule": rule}
        refused = sdk.refusal(
            "s3", "put_object_lock_configuration", Bucket="audit", ObjectLockConfiguration=lock
        )
        assert refused == code


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["a", "a"], "InvalidTag"),
        (["aws:a"], "InvalidTag"),
        ([f"a{one}" for one in range(51)], "BadRequest"),
        (["a"], ""),
    ],
)
def test_a_buckets_tags_are_ones_own(sdk: Sdk, names: list[str], code: str) -> None:
    bucket(sdk)
    tags = {"TagSet": [{"Key": one, "Value": "b"} for one in names]}
    assert sdk.refusal("s3", "put_bucket_tagging", Bucket="audit", Tagging=tags) == code


def test_a_policy_has_20_kb(sdk: Sdk) -> None:
    bucket(sdk)
    assert sdk.refusal("s3", "put_bucket_policy", Bucket="audit", Policy="x" * 20_481) == "PolicyTooLarge"
