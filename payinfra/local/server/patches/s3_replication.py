"""How S3 copies objects to another bucket in the name of a replication role, as on AWS."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from payinfra.local.faults import FaultRegistry
from payinfra.local.server.ministack import Emulator
from payinfra.local.server.patches.kms_permissions import SSE_KEY, CustomerKeys
from payinfra.local.server.patches.permission_checks import PermissionCheck, Refusal, asks_the_role

SESSION = "s3-replication"
FROM_BUCKET = ("s3:GetReplicationConfiguration", "s3:ListBucket")
FROM_OBJECT = ("s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging")


def install(emulator: Emulator) -> None:
    """Apply the patches."""
    s3 = emulator.service("s3")
    copies = Copies(s3, CustomerKeys(emulator), asks_the_role(emulator), emulator.core("responses"))
    emulator.replace(s3, "_maybe_replicate", copies.of_objects(s3._maybe_replicate))
    emulator.replace(
        s3,
        "_maybe_replicate_delete_marker",
        copies.of_delete_markers(s3._maybe_replicate_delete_marker),
    )


class Copies:
    """Copies that a bucket's replication rules ask for.

    AWS: S3 reads the source and writes the copy as the replication role, which needs permissions on both
    buckets (S3 user guide, "Setting up permissions for live replication"); an object under a customer's key
    takes kms:Decrypt on that key, through S3 in the source's region, and the copy is encrypted under the
    rule's key, which takes kms:Encrypt through S3 in the copy's (S3 user guide, "Replicating encrypted
    objects"). An object that may not be copied says that its replication failed.
    """

    def __init__(self, s3: Any, keys: CustomerKeys, refusal: Refusal, responses: Any) -> None:
        self.s3, self.keys, self.refusal, self.responses = s3, keys, refusal, responses

    def of_objects(self, original: Callable[..., None]) -> Callable[..., None]:
        """Copy an object if the role may, with the copy's own key."""

        def copy(bucket: str, name: str, record: dict[str, Any], data: Any, tags: Any = None) -> None:
            rule, role = self.s3._replication_rule_for(bucket, name, tags)
            if rule is None:
                return
            if self.refusal(role, SESSION, self.asks(bucket, name, record, rule)):
                record["replication_status"] = "FAILED"
                return
            kept = record.get("preserved_headers") or {}
            if SSE_KEY in kept and (key := key_of_copies(rule)):
                record["preserved_headers"] = {**kept, SSE_KEY: key}
            try:
                original(bucket, name, record, data, tags)
            finally:
                record["preserved_headers"] = kept

        return copy

    def asks(
        self, bucket: str, name: str, record: Mapping[str, Any], rule: Mapping[str, Any]
    ) -> Iterator[PermissionCheck]:
        """What copying an object takes."""
        region, account = self.region_of(bucket), self.responses.get_account_id()
        source = f"arn:aws:s3:::{bucket}"
        target = str(rule["Destination"]["Bucket"])
        for action in FROM_BUCKET:
            yield PermissionCheck(action, source, region)
        for action in FROM_OBJECT:
            yield PermissionCheck(action, f"{source}/{name}", region)
        there = self.region_of(target.rpartition(":")[2])
        yield PermissionCheck("s3:ReplicateObject", f"{target}/{name}", there)
        held = self.s3._stored_sse_headers(record).get(SSE_KEY, "")
        for key, action, arn, where in (
            (held, "kms:Decrypt", source, region),
            (held and key_of_copies(rule), "kms:Encrypt", target, there),
        ):
            context = {"aws:s3:arn": f"{arn}/{name}"}
            yield from self.keys.through("s3", key, (action,), region=where, account=account, context=context)

    def of_delete_markers(self, original: Callable[[str, str], None]) -> Callable[[str, str], None]:
        """Copy a delete marker if the role may."""

        def copy(bucket: str, name: str) -> None:
            found = self.s3._bucket_replication.get(bucket) or {}
            for rule in found.get("Rules", ()):
                target = str(rule["Destination"]["Bucket"])
                ask = PermissionCheck("s3:ReplicateDelete", f"{target}/{name}", self.region_of(bucket))
                if self.refusal(found["Role"], SESSION, [ask]):
                    return
            original(bucket, name)

        return copy

    def region_of(self, bucket: str) -> str:
        """A bucket's region."""
        found = self.s3._buckets.get(bucket) or {}
        return str(found.get("region") or self.responses.get_region())


def hold_copies(emulator: Emulator, board: FaultRegistry) -> None:
    """Lets a pause of S3's replication hold copies back."""
    s3 = emulator.service("s3")
    responses = emulator.core("responses")
    held = HeldCopies(s3, responses.get_account_id, board, s3._maybe_replicate)
    emulator.replace(s3, "_maybe_replicate", held.copy)
    board.on_change(held.release)


@dataclass
class HeldCopies:
    """Copies that wait while S3's replication out of their region is paused.

    AWS: an object whose copy is still to come is PENDING, and what was written meanwhile is copied once the
    pause is over (S3 user guide, "Getting replication status information", "Pausing or stopping
    replication"). What waits is kept in memory: a restart of the server ends the pause and copies nothing.

    Args:
        account: that of the request at hand.
        original: copies an object at once.
    """

    s3: Any
    account: Callable[[], str]
    board: FaultRegistry
    original: Callable[..., None]
    _waiting: list[tuple[str, str, str, dict[str, Any], Any, Any]] = field(default_factory=list)

    def copy(self, bucket: str, name: str, record: dict[str, Any], data: Any, tags: Any = None) -> None:
        """Copies an object, now or once the pause is over."""
        rule, _ = self.s3._replication_rule_for(bucket, name, tags)
        if rule is None or not self.board.holds_copies(self._region(bucket)):
            self.original(bucket, name, record, data, tags)
            return
        record["replication_status"] = "PENDING"
        self._waiting.append((self.account(), bucket, name, record, data, tags))

    def release(self) -> None:
        """Copies what no pause holds back any more, oldest first."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            account, bucket, name, record, data, tags = one
            with self.s3._in_account(account):
                if self.board.holds_copies(self._region(bucket)):
                    self._waiting.append(one)
                    continue
                versions = [
                    each
                    for each in self.s3._object_versions.get((bucket, name)) or ()
                    if each["version_id"] == record.get("version_id")
                ]
                if not versions:  # It was removed meanwhile: there is nothing to copy.
                    continue
                self.original(bucket, name, record, data, tags)
                for each in versions:
                    each["replication_status"] = record["replication_status"]

    def _region(self, bucket: str) -> str:
        return str((self.s3._buckets.get(bucket) or {}).get("region", ""))


def key_of_copies(rule: Mapping[str, Any]) -> str:
    """The key under which a rule's copies lie; empty where it names none."""
    encryption = rule["Destination"].get("EncryptionConfiguration") or {}
    return str(encryption.get("ReplicaKmsKeyID", ""))
