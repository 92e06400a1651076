"""The audit buckets, row by row."""

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.synth.stacks.conftest import Synthesized

PLACES = ("primary", "secondary")


def statements(policy: str) -> dict[str, Any]:
    return {one["Sid"]: one for one in json.loads(policy)["Statement"]}


def test_bucket_names_end_in_the_account(every: "Synthesized") -> None:
    for place, region in zip(PLACES, every.settings.regions, strict=True):
        bucket = every.of("s3_bucket")[f"{place}_audit_bucket"]["bucket"]
        account = f"${{data.aws_caller_identity.{place}_account.account_id}}"
        assert bucket == f"payment-{every.settings.env}-audit-{region}-{account}"


@pytest.mark.parametrize("place", PLACES)
def test_buckets_are_closed_owned_versioned_and_encrypted(local: "Synthesized", place: str) -> None:
    closed = local.of("s3_bucket_public_access_block")[f"{place}_audit_public_access"]
    for block in (
        "block_public_acls",
        "block_public_policy",
        "ignore_public_acls",
        "restrict_public_buckets",
    ):
        assert closed[block] is True
    owned = local.of("s3_bucket_ownership_controls")[f"{place}_audit_ownership"]
    assert owned["rule"] == {"object_ownership": "BucketOwnerEnforced"}
    versioned = local.of("s3_bucket_versioning")[f"{place}_audit_versioning"]
    assert versioned["versioning_configuration"] == {"status": "Enabled"}
    encrypted = local.of("s3_bucket_server_side_encryption_configuration")[f"{place}_audit_encryption"]
    assert encrypted["rule"] == [
        {
            "apply_server_side_encryption_by_default": {
                "sse_algorithm": "aws:kms",
                "kms_master_key_id": f"${{aws_kms_key.{place}_keys_audit_key.arn}}",
            },
            "bucket_key_enabled": True,
        }
    ]


@pytest.mark.parametrize("place", PLACES)
def test_buckets_are_reached_by_tls_only(local: "Synthesized", place: str) -> None:
    policy = local.of("s3_bucket_policy")[f"{place}_audit_policy"]["policy"]
    arn = f"${{aws_s3_bucket.{place}_audit_bucket.arn}}"
    assert statements(policy)["TlsOnly"] == {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": ["s3:*"],
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


@pytest.mark.parametrize(("variant", "expires"), [("local", 31), ("protected", 400)])
def test_objects_move_to_glacier_and_expire(
    variant: str, expires: int, request: pytest.FixtureRequest
) -> None:
    stack: Synthesized = request.getfixturevalue(variant)
    for lifecycle in stack.pair("s3_bucket_lifecycle_configuration", "audit_lifecycle"):
        (rule,) = lifecycle["rule"]
        assert rule["status"] == "Enabled"
        assert rule["filter"] == [{"prefix": ""}]
        assert rule["transition"] == [{"days": 30, "storage_class": "GLACIER"}]
        assert rule["expiration"] == [{"days": expires}]
        assert rule["noncurrent_version_expiration"] == [
            {"noncurrent_days": stack.settings.audit_retention_days}
        ]
        assert rule["abort_incomplete_multipart_upload"] == [{"days_after_initiation": 7}]
        # Or no audit object, all being small, would ever move.
        assert lifecycle["transition_default_minimum_object_size"] == "varies_by_storage_class"


@pytest.mark.parametrize(("kept", "expires"), [(1, 31), (30, 31), (31, 31), (32, 32), (365, 365)])
@pytest.mark.usefixtures("synthesized")
def test_an_object_never_expires_before_it_moved(kept: int, expires: int) -> None:
    # Here, because the module brings the bindings, which the fixture makes load on demand.
    from payinfra.stacks.audit_bucket import expiration_days

    assert expiration_days(kept) == expires


def test_copies_go_both_ways_with_the_key_of_where_they_arrive(local: "Synthesized") -> None:
    for place, other in (PLACES, PLACES[::-1]):
        copying = local.of("s3_bucket_replication_configuration")[f"{place}_replication_configuration"]
        assert copying["bucket"] == f"${{aws_s3_bucket.{place}_audit_bucket.bucket}}"
        assert copying["role"] == f"${{aws_iam_role.{place}_replication_role.arn}}"
        (rule,) = copying["rule"]
        assert (rule["status"], rule["filter"]) == ("Enabled", {"prefix": ""})
        assert rule["delete_marker_replication"] == {"status": "Enabled"}
        assert rule["source_selection_criteria"] == {
            "replica_modifications": {"status": "Enabled"},
            "sse_kms_encrypted_objects": {"status": "Enabled"},
        }
        assert rule["destination"] == {
            "bucket": f"${{aws_s3_bucket.{other}_audit_bucket.arn}}",
            "storage_class": "STANDARD",
            "encryption_configuration": {
                "replica_kms_key_id": f"${{aws_kms_key.{other}_keys_audit_key.arn}}"
            },
        }
        assert set(copying["depends_on"]) == {
            f"aws_s3_bucket_versioning.{place}_audit_versioning",
            f"aws_s3_bucket_versioning.{other}_audit_versioning",
            f"aws_iam_role_policy.{place}_replication_policy",
        }


def test_the_replication_role_reads_here_and_writes_there(local: "Synthesized") -> None:
    here, there = (f"${{aws_s3_bucket.{place}_audit_bucket.arn}}" for place in PLACES)
    role, _ = local.pair("iam_role", "replication_role")
    trust = json.loads(role["assume_role_policy"])["Statement"][0]
    assert trust["Principal"] == {"Service": "s3.amazonaws.com"}
    account = "${data.aws_caller_identity.primary_account.account_id}"
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": account}}
    policy, _ = local.pair("iam_role_policy", "replication_policy")
    found = statements(policy["policy"])
    assert found["ReadBucket"]["Resource"] == [here]
    assert found["ReadVersions"]["Resource"] == [f"{here}/*"]
    assert found["WriteCopies"]["Resource"] == [f"{there}/*"]
    assert found["DecryptAtSource"]["Resource"] == ["${aws_kms_key.primary_keys_audit_key.arn}"]
    assert found["EncryptAtDestination"]["Resource"] == ["${aws_kms_key.secondary_keys_audit_key.arn}"]
    assert found["EncryptAtDestination"]["Condition"] == {
        "StringEquals": {"kms:ViaService": "s3.us-west-2.amazonaws.com"}
    }


def test_objects_are_locked_only_where_asked_for(local: "Synthesized", protected: "Synthesized") -> None:
    assert not local.of("s3_bucket_object_lock_configuration")
    assert not any(bucket["object_lock_enabled"] for bucket in local.of("s3_bucket").values())
    assert all(bucket["object_lock_enabled"] for bucket in protected.of("s3_bucket").values())
    for lock in protected.pair("s3_bucket_object_lock_configuration", "audit_lock"):
        assert lock["rule"] == {"default_retention": {"mode": "GOVERNANCE", "days": 30}}
