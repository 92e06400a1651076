"""Bootstrapping makes what the account should have, mends what is otherwise, and then leaves it alone."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from payinfra.account.bootstrap import WantedAccount, bootstrap
from payinfra.account.changes import Changes
from payinfra.account.gateway_logs import ROLE_POLICY
from payinfra.core.naming import (
    API_LOGS_ROLE,
    DRILL_FIS_ROLE,
    DRILL_SCHEDULE_GROUP,
    DRILL_SCHEDULER_ROLE,
    STATE_REPLICATION_ROLE,
)
from payinfra.stacks.iam_documents import StatementProps, document, service_trust
from tests.unit.account.conftest import ACCOUNT, REGIONS, InProcess

EAST, WEST = REGIONS
BUCKETS = {EAST: "our-states", WEST: "our-states-replica"}
ALL = WantedAccount(REGIONS, "our-states", boundary=True, drills=True)


def made(aws: InProcess, wanted: WantedAccount = ALL, *, dry_run: bool = False) -> list[str]:
    changes = Changes(dry_run)
    assert bootstrap(wanted, aws, changes) == ACCOUNT
    return changes.said


def test_api_gateway_may_write_logs_in_both_regions(aws: InProcess) -> None:
    made(aws, WantedAccount(REGIONS))
    for region in REGIONS:
        assert aws.apigateway(region).get_account()["cloudwatchRoleArn"].endswith(f":role/{API_LOGS_ROLE}")
    (attached,) = aws.iam(EAST).list_attached_role_policies(RoleName=API_LOGS_ROLE)["AttachedPolicies"]
    assert attached["PolicyArn"] == ROLE_POLICY
    trust: Any = aws.iam(EAST).get_role(RoleName=API_LOGS_ROLE)["Role"]["AssumeRolePolicyDocument"]
    assert trust["Statement"][0]["Principal"] == {"Service": "apigateway.amazonaws.com"}


def test_a_role_that_api_gateway_has_already_stays(aws: InProcess) -> None:
    trusted = {
        "Effect": "Allow",
        "Principal": {"Service": "apigateway.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    trust = json.dumps({"Version": "2012-10-17", "Statement": [trusted]})
    theirs = aws.iam(EAST).create_role(RoleName="theirs", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    operation: Any = {"op": "replace", "path": "/cloudwatchRoleArn", "value": theirs}
    aws.apigateway(EAST).update_account(patchOperations=[operation])
    assert f"let API Gateway in {WEST} write logs as {API_LOGS_ROLE}" in made(aws, WantedAccount(REGIONS))
    assert aws.apigateway(EAST).get_account()["cloudwatchRoleArn"] == theirs


@pytest.mark.parametrize("region", REGIONS)
def test_the_state_is_versioned_encrypted_closed_and_its_owners(aws: InProcess, region: str) -> None:
    made(aws)
    s3, bucket = aws.s3(region), BUCKETS[region]
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    key = aws.kms(region).describe_key(KeyId="alias/payinfra-state")["KeyMetadata"]["Arn"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    assert region in key
    assert aws.kms(region).get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]
    closed = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert list(closed.values()) == [True] * 4
    (owner,) = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    assert owner == {"ObjectOwnership": "BucketOwnerEnforced"}
    (refusal,) = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    assert (refusal["Effect"], refusal["Action"]) == ("Deny", ["s3:*"])
    assert refusal["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert refusal["Resource"] == [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]


def test_what_is_written_to_the_state_bucket_is_in_the_other_region_too(aws: InProcess) -> None:
    made(aws)
    aws.s3(EAST).put_object(Bucket="our-states", Key="payinfra/x", Body=b"state")
    copy = aws.s3(WEST).get_object(Bucket="our-states-replica", Key="payinfra/x")
    assert copy["Body"].read() == b"state"


def test_the_state_may_be_in_the_secondary_region(aws: InProcess) -> None:
    said = made(aws, WantedAccount(REGIONS, "our-states", WEST))
    assert f"create bucket our-states in {WEST}" in said
    assert f"create bucket our-states-replica in {EAST}" in said


def test_a_second_time_changes_nothing(aws: InProcess) -> None:
    assert made(aws)
    assert made(aws) == []


def test_a_dry_run_says_every_change_and_makes_none(aws: InProcess) -> None:
    said = made(aws, dry_run=True)
    assert said == made(aws, dry_run=True)
    assert not aws.s3(EAST).list_buckets()["Buckets"]
    assert not aws.apigateway(EAST).get_account().get("cloudwatchRoleArn")
    assert "create bucket our-states in us-east-1" in said
    # S3 closes new buckets by itself, which a dry run does not count on.
    assert set(made(aws)) <= set(said)


MENDED: dict[str, Callable[[InProcess], object]] = {
    # S3 lets nobody suspend the versions of a bucket whose objects it copies.
    "bucket our-states-replica: keep every version": lambda aws: aws.s3(WEST).put_bucket_versioning(
        Bucket="our-states-replica", VersioningConfiguration={"Status": "Suspended"}
    ),
    "bucket our-states: block all public access": lambda aws: aws.s3(EAST).delete_public_access_block(
        Bucket="our-states"
    ),
    "bucket our-states: disable ACLs: the bucket owner owns every object": lambda aws: aws.s3(
        EAST
    ).delete_bucket_ownership_controls(Bucket="our-states"),
    "bucket our-states-replica: refuse requests without TLS": lambda aws: aws.s3(WEST).delete_bucket_policy(
        Bucket="our-states-replica"
    ),
    "bucket our-states: encrypt with alias/payinfra-state": lambda aws: aws.s3(EAST).delete_bucket_encryption(
        Bucket="our-states"
    ),
    f"bucket our-states: copy to our-states-replica in {WEST}": lambda aws: aws.s3(
        EAST
    ).delete_bucket_replication(Bucket="our-states"),
    f"rotate key alias/payinfra-state in {EAST} every year": lambda aws: aws.kms(EAST).disable_key_rotation(
        KeyId=aws.kms(EAST).describe_key(KeyId="alias/payinfra-state")["KeyMetadata"]["KeyId"]
    ),
    f"write policy {DRILL_FIS_ROLE} of role {DRILL_FIS_ROLE}": lambda aws: aws.iam(EAST).delete_role_policy(
        RoleName=DRILL_FIS_ROLE, PolicyName=DRILL_FIS_ROLE
    ),
    f"change policy {DRILL_FIS_ROLE} of role {DRILL_FIS_ROLE}": lambda aws: aws.iam(EAST).put_role_policy(
        RoleName=DRILL_FIS_ROLE,
        PolicyName=DRILL_FIS_ROLE,
        PolicyDocument=document(StatementProps("Other", ("s3:GetObject",), ("*",))),
    ),
    f"change who may assume role {DRILL_SCHEDULER_ROLE}": lambda aws: aws.iam(EAST).update_assume_role_policy(
        RoleName=DRILL_SCHEDULER_ROLE, PolicyDocument=service_trust("lambda.amazonaws.com", {})
    ),
    f"create schedule group {DRILL_SCHEDULE_GROUP} in {WEST}": lambda aws: aws.scheduler(
        WEST
    ).delete_schedule_group(Name=DRILL_SCHEDULE_GROUP),
}


@pytest.mark.parametrize("change", MENDED)
def test_what_was_changed_by_hand_is_mended_and_nothing_else(aws: InProcess, change: str) -> None:
    made(aws)
    MENDED[change](aws)
    assert made(aws) == [change]
    assert made(aws) == []


def test_without_drills_there_are_no_roles_for_them(aws: InProcess) -> None:
    assert not [what for what in made(aws, WantedAccount(REGIONS, "our-states")) if "drill" in what]


def test_s3_copies_states_on_behalf_of_this_account_only(aws: InProcess) -> None:
    """It may not name the bucket when it takes the role on: AWS documents that for other calls of S3's."""
    made(aws)
    role: Any = aws.iam(EAST).get_role(RoleName=STATE_REPLICATION_ROLE)["Role"]
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "s3.amazonaws.com"}
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


def test_the_drills_roles_are_for_their_services_on_behalf_of_this_account_only(aws: InProcess) -> None:
    made(aws)
    for role, service in ((DRILL_FIS_ROLE, "fis"), (DRILL_SCHEDULER_ROLE, "scheduler")):
        trust: Any = aws.iam(EAST).get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
        (statement,) = trust["Statement"]
        assert statement["Principal"] == {"Service": f"{service}.amazonaws.com"}
        assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}
        assert f":{ACCOUNT}:" in statement["Condition"]["ArnLike"]["aws:SourceArn"]
    policy: Any = aws.iam(EAST).get_role_policy(
        RoleName=DRILL_SCHEDULER_ROLE, PolicyName=DRILL_SCHEDULER_ROLE
    )
    limits, checks = policy["PolicyDocument"]["Statement"]
    assert limits["Action"] == ["lambda:DeleteFunctionConcurrency", "lambda:PutFunctionConcurrency"]
    assert limits["Resource"] == [f"arn:aws:lambda:*:{ACCOUNT}:function:payment-*-payments"]
    assert checks["Action"] == ["route53:UpdateHealthCheck"]
    assert checks["Resource"] == ["arn:aws:route53:::healthcheck/*"]


def test_a_boundary_is_made_where_it_is_asked_for(aws: InProcess) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:policy/payinfra-boundary"
    assert "create policy payinfra-boundary" not in made(aws, WantedAccount(REGIONS))
    assert made(aws, WantedAccount(REGIONS, boundary=True)) == ["create policy payinfra-boundary"]
    assert aws.iam(EAST).get_policy(PolicyArn=arn)["Policy"]["PolicyName"] == "payinfra-boundary"


def test_fis_changes_replication_rules_of_audit_buckets_only_to_pause_them(aws: InProcess) -> None:
    """FIS user guide, "Use condition keys for aws:s3:bucket-pause-replication"."""
    made(aws)
    found: Any = aws.iam(EAST).get_role_policy(RoleName=DRILL_FIS_ROLE, PolicyName=DRILL_FIS_ROLE)
    statements = {one["Sid"]: one for one in found["PolicyDocument"]["Statement"]}
    rules = statements["PauseRules"]
    assert set(rules["Action"]) == {"s3:GetReplicationConfiguration", "s3:PutReplicationConfiguration"}
    assert rules["Condition"] == {"BoolIfExists": {"s3:isReplicationPauseRequest": "true"}}
    for sid in ("PauseRules", "PauseCopies"):
        assert f"arn:aws:s3:::payment-*-audit-*-{ACCOUNT}" in json.dumps(statements[sid]["Resource"])
        assert json.dumps(statements[sid]["Resource"]).count("arn:") == 1
