"""What is copied from bucket to bucket: what the replication role may copy, under the copy's own key."""

from typing import Any

import pytest

from payinfra.local.faults import FaultRegistry, ObjectReplicationPause
from payinfra.local.server.patches.s3_replication import hold_copies
from tests.unit.local.patches.test_kms_permissions import bucket

ACCOUNT = "000000000000"
SOURCE, TARGET = "/payment-source", "/payment-target"
FROM, TO = f"arn:aws:s3:::{SOURCE[1:]}", f"arn:aws:s3:::{TARGET[1:]}"
NEEDED = [
    ("s3:GetReplicationConfiguration", FROM),
    ("s3:ListBucket", FROM),
    ("s3:GetObjectVersionForReplication", f"{FROM}/*"),
    ("s3:GetObjectVersionAcl", f"{FROM}/*"),
    ("s3:GetObjectVersionTagging", f"{FROM}/*"),
    ("s3:ReplicateObject", f"{TO}/*"),
    ("s3:ReplicateDelete", f"{TO}/*"),
]


def allowed(*but: str) -> list[dict[str, object]]:
    return [{"Action": action, "Resource": on} for action, on in NEEDED if action not in but]


def use(action: str, key: str, region: str) -> dict[str, object]:
    through = {"StringEquals": {"kms:ViaService": f"s3.{region}.amazonaws.com"}}
    return {"Action": action, "Resource": key, "Condition": through}


def replicating(world: Any, role: Any, source_key: str = "", target_key: str = "") -> None:
    """Two buckets, one in each region, of which the first is copied to the second."""
    bucket(world, source_key, name=SOURCE)
    where = "<LocationConstraint>us-west-2</LocationConstraint>"
    there = f"<CreateBucketConfiguration>{where}</CreateBucketConfiguration>".encode()
    assert world.call("s3", "PUT", TARGET, there, region="us-west-2").status == 200
    on = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    for name, region in ((SOURCE, "us-east-1"), (TARGET, "us-west-2")):
        assert world.call("s3", "PUT", f"{name}?versioning", on, region=region).status == 200
    encrypted = (
        f"<EncryptionConfiguration><ReplicaKmsKeyID>{target_key}</ReplicaKmsKeyID></EncryptionConfiguration>"
        if target_key
        else ""
    )
    selected = (
        "<SourceSelectionCriteria><SseKmsEncryptedObjects><Status>Enabled</Status></SseKmsEncryptedObjects>"
        "</SourceSelectionCriteria>"
        if target_key
        else ""
    )
    rule = (
        f"<ReplicationConfiguration><Role>{role.arn}</Role><Rule><ID>r</ID><Priority>1</Priority>"
        f"<Status>Enabled</Status><Filter><Prefix></Prefix></Filter>{selected}"
        "<DeleteMarkerReplication><Status>Enabled</Status></DeleteMarkerReplication>"
        f"<Destination><Bucket>{TO}</Bucket>{encrypted}</Destination></Rule></ReplicationConfiguration>"
    )
    assert world.call("s3", "PUT", f"{SOURCE}?replication", rule.encode()).status == 200


def status(world: Any) -> str:
    """How the replication of a new object ends."""
    assert world.call("s3", "PUT", f"{SOURCE}/a", b"x").status == 200
    return str(dict(world.call("s3", "HEAD", f"{SOURCE}/a").headers)["x-amz-replication-status"])


@pytest.mark.parametrize("missing", [None, *(action for action, _ in NEEDED[:-1])])
def test_an_object_is_copied_if_the_role_may(world: Any, role: Any, missing: str | None) -> None:
    replicating(world, role)
    role.may(*allowed(missing or ""))
    assert status(world) == ("FAILED" if missing else "COMPLETED")
    assert world.call("s3", "GET", f"{TARGET}/a", region="us-west-2").status == (404 if missing else 200)


def test_an_encrypted_one_takes_both_keys_and_is_copied_under_the_second(world: Any, role: Any) -> None:
    source, target = world.kms_key(), world.kms_key("us-west-2")
    replicating(world, role, source, target)
    decrypt, encrypt = use("kms:Decrypt", source, "us-east-1"), use("kms:Encrypt", target, "us-west-2")
    role.may(*allowed(), decrypt)
    assert status(world) == "FAILED"
    role.may(*allowed(), encrypt)
    assert status(world) == "FAILED"
    role.may(*allowed(), decrypt, encrypt)
    assert status(world) == "COMPLETED"
    named = "x-amz-server-side-encryption-aws-kms-key-id"
    assert dict(world.call("s3", "HEAD", f"{SOURCE}/a").headers)[named] == source
    copied = world.call("s3", "HEAD", f"{TARGET}/a", region="us-west-2")
    assert dict(copied.headers)[named] == target


def test_a_delete_marker_is_copied_if_the_role_may(world: Any, role: Any) -> None:
    replicating(world, role)
    role.may(*allowed())
    status(world)
    role.may(*allowed("s3:ReplicateDelete"))
    world.call("s3", "DELETE", f"{SOURCE}/a")
    assert world.call("s3", "GET", f"{TARGET}/a", region="us-west-2").status == 200
    role.may(*allowed())
    world.call("s3", "DELETE", f"{SOURCE}/a")
    assert world.call("s3", "GET", f"{TARGET}/a", region="us-west-2").status == 404


def test_what_no_rule_names_is_not_copied(world: Any, role: Any) -> None:
    bucket(world, "", name=SOURCE)
    assert world.call("s3", "PUT", f"{SOURCE}/a", b"x").status == 200
    assert "x-amz-replication-status" not in dict(world.call("s3", "HEAD", f"{SOURCE}/a").headers)
    assert world.call("s3", "DELETE", f"{SOURCE}/a").status == 204
    assert role.arn == f"arn:aws:iam::{ACCOUNT}:role/r"


def test_while_replication_is_paused_copies_wait_and_come_when_it_ends(world: Any, role: Any) -> None:
    replicating(world, role)
    role.may(*allowed())
    board = FaultRegistry()
    hold_copies(world.emulator, board)
    pause = board.inject(ObjectReplicationPause("us-east-1"))
    assert status(world) == "PENDING"
    assert world.call("s3", "PUT", f"{SOURCE}/gone", b"y").status == 200
    version = dict(world.call("s3", "HEAD", f"{SOURCE}/gone").headers)["x-amz-version-id"]
    assert world.call("s3", "DELETE", f"{SOURCE}/gone?versionId={version}").status == 204
    board.inject(ObjectReplicationPause("us-west-2"))
    assert world.call("s3", "GET", f"{TARGET}/a", region="us-west-2").status == 404
    board.clear(pause.fault_id)
    assert dict(world.call("s3", "HEAD", f"{SOURCE}/a").headers)["x-amz-replication-status"] == "COMPLETED"
    assert world.call("s3", "GET", f"{TARGET}/a", region="us-west-2").status == 200
    assert world.call("s3", "GET", f"{TARGET}/gone", region="us-west-2").status == 404
    board.clear()
    assert status(world) == "COMPLETED"
