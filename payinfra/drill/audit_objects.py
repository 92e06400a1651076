"""The audit objects of a drill's payments: every acknowledged one has left one, in both regions' buckets.

The function keeps them apart from customers' (ADR 6), and they are removed with the payments: nobody
who reads the audit log is misled by a drill, and whoever drills may remove no customer's audit object.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from payinfra.clients.retry import Deadline
from payinfra.core.naming import objects_of_tests
from payinfra.drill.load.payments import DrillPayment, customer
from payinfra.drill.model import AuditObjectCounts

if TYPE_CHECKING:
    from payinfra.clients.aws import Aws
    from payinfra.core.outputs import RegionOutputs

EXAMPLES = 20
_REMOVED_AT_ONCE = 1000
"""How many objects DeleteObjects takes."""


@dataclass(frozen=True)
class AuditObject:
    """A version of an object, or the marker of its deletion."""

    key: str
    version: str
    is_marker: bool = False

    @property
    def payment_id(self) -> str:
        """The payment that it is about: `test/CUSTOMER/TIMESTAMP/pay_…-….json`."""
        return self.key.rpartition("/")[2].partition("-")[0]


@dataclass(frozen=True)
class LeftOverObjects:
    """How many audit objects were removed, and the keys of those that could not be."""

    removed: int
    left: tuple[str, ...]


class AuditStore(Protocol):
    """A region's audit bucket. Everything raises ClientError or BotoCoreError where AWS does not do it."""

    def pages(self, prefix: str) -> Iterator[Sequence[AuditObject]]:
        """Every version under a prefix, a page at a time."""
        ...

    def remove(self, objects: Sequence[AuditObject]) -> tuple[str, ...]:
        """Remove versions for good; the keys of those that could not be."""
        ...


@dataclass(frozen=True)
class S3AuditStore:
    """The real thing, with the operator's credentials.

    Attributes:
        locked: whether objects are locked, in governance mode.
    """

    aws: "Aws"
    outputs: "RegionOutputs"
    locked: bool

    def pages(self, prefix: str) -> Iterator[Sequence[AuditObject]]:
        """See `AuditStore`. Needs s3:ListBucketVersions."""
        pages = self.aws.s3(self.outputs.region).get_paginator("list_object_versions")
        for page in pages.paginate(Bucket=self.outputs.s3_bucket_name, Prefix=prefix):
            versions = page.get("Versions", [])
            markers = page.get("DeleteMarkers", [])
            yield (
                *(AuditObject(one.get("Key", ""), one.get("VersionId", "")) for one in versions),
                *(AuditObject(one.get("Key", ""), one.get("VersionId", ""), True) for one in markers),
            )

    def remove(self, objects: Sequence[AuditObject]) -> tuple[str, ...]:
        """See `AuditStore`. Needs s3:DeleteObjectVersion, and where objects are locked
        s3:BypassGovernanceRetention (S3 user guide, "Locking objects with Object Lock")."""
        client, left = self.aws.s3(self.outputs.region), list[str]()
        for first in range(0, len(objects), _REMOVED_AT_ONCE):
            some = objects[first : first + _REMOVED_AT_ONCE]
            answer = client.delete_objects(
                Bucket=self.outputs.s3_bucket_name,
                Delete={
                    "Objects": [{"Key": one.key, "VersionId": one.version} for one in some],
                    "Quiet": True,
                },
                BypassGovernanceRetention=self.locked,
            )
            left += (error.get("Key", "") for error in answer.get("Errors", []))
        return tuple(left)


def reconcile_audit(
    payments: Sequence[DrillPayment],
    acknowledged: frozenset[str],
    buckets: tuple[AuditStore, AuditStore],
    *,
    within_s: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> AuditObjectCounts:
    """Look for the audit object of every acknowledged payment, and remove those of all payments.

    Args:
        acknowledged: keys of the payments that must have left one.
        within_s: how long an object may take to be in both buckets, in seconds.

    Raises:
        ClientError, BotoCoreError: a bucket could not be read.
    """
    deadline = Deadline(clock() + within_s, clock, sleep)
    wanted = {one.payment_id for one in payments if one.key in acknowledged}
    found = [_found(payments, bucket, deadline) for bucket in buckets]
    pauses = deadline.pauses()
    while not all(_kept(some) >= wanted for some in found) and pauses.wait():
        found = [_found(payments, bucket, deadline) for bucket in buckets]
    here, there = (_kept(some) & wanted for some in found)
    missing = sorted(wanted - here - there)
    removed, left = 0, list[str]()
    for bucket, some in zip(buckets, found, strict=True):
        not_removed = deadline.poll(partial(bucket.remove, some)) if some else ()
        left += not_removed
        removed += len(some) - len(not_removed)
    return AuditObjectCounts(
        expected=len(wanted),
        in_both=len(here & there),
        in_one=len(here ^ there),
        missing=len(missing),
        examples=tuple(missing[:EXAMPLES]),
        removed=removed,
        not_removed=tuple(sorted(set(left))),
    )


def _kept(objects: Iterable[AuditObject]) -> set[str]:
    """The payments that have an object."""
    return {one.payment_id for one in objects if not one.is_marker}


def remove_left_over(env: str, buckets: tuple[AuditStore, AuditStore], within_s: float) -> LeftOverObjects:
    """Remove all audit objects of an environment's drills from both buckets.

    Args:
        within_s: how long a bucket may take to answer, in seconds.

    Raises:
        ClientError, BotoCoreError: a bucket could not be read.
    """
    deadline, removed, left = Deadline.within(within_s), 0, list[str]()
    for bucket in buckets:
        found = deadline.poll(partial(_listed, bucket, objects_of_tests(customer(env))))
        not_removed = deadline.poll(partial(bucket.remove, found)) if found else ()
        left += not_removed
        removed += len(found) - len(not_removed)
    return LeftOverObjects(removed, tuple(sorted(set(left))))


def _found(
    payments: Sequence[DrillPayment], bucket: AuditStore, deadline: Deadline
) -> tuple[AuditObject, ...]:
    """Every version of every object of these payments in a bucket."""
    wanted = frozenset(one.payment_id for one in payments)
    prefixes = sorted({objects_of_tests(json.loads(one.body)["customer_id"]) for one in payments})
    return tuple(
        one
        for prefix in prefixes
        for one in deadline.poll(partial(_listed, bucket, prefix))
        if one.payment_id in wanted
    )


def _listed(bucket: AuditStore, prefix: str) -> tuple[AuditObject, ...]:
    return tuple(one for page in bucket.pages(prefix) for one in page)
