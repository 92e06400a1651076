"""The audit objects of a drill's payments: every acknowledged one has left one, in both regions' buckets.

They are removed with the payments: nobody who reads the audit log is misled by a drill.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from payinfra.clients.retry import FIRST_PAUSE_S, LONGEST_PAUSE_S, Deadline
from payinfra.drill.load.payments import Payment
from payinfra.drill.model import AuditObjectCounts

if TYPE_CHECKING:
    from payinfra.clients.aws import Aws
    from payinfra.core.outputs import RegionOutputs

EXAMPLES = 20
AT_ONCE = 16
MOST_PAGES = 5
"""A day's objects are listed as long as they are few; of a busy day each payment's are asked for."""
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
        """The payment that it is about: `audit/2026/01/02/pay_…-….json`."""
        return self.key.rpartition("/")[2].partition("-")[0]


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
    """The real thing, with the operator's credentials."""

    aws: "Aws"
    outputs: "RegionOutputs"

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
        """See `AuditStore`. Needs s3:DeleteObjectVersion."""
        client, left = self.aws.s3(self.outputs.region), list[str]()
        for first in range(0, len(objects), _REMOVED_AT_ONCE):
            some = objects[first : first + _REMOVED_AT_ONCE]
            answer = client.delete_objects(
                Bucket=self.outputs.s3_bucket_name,
                Delete={
                    "Objects": [{"Key": one.key, "VersionId": one.version} for one in some],
                    "Quiet": True,
                },
            )
            left += (error.get("Key", "") for error in answer.get("Errors", []))
        return tuple(left)


def reconcile_audit(
    payments: Sequence[Payment],
    acknowledged: frozenset[str],
    buckets: tuple[AuditStore, AuditStore],
    *,
    within_s: float,
    removes: bool = True,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> AuditObjectCounts:
    """Look for the audit object of every acknowledged payment, and remove those of all payments.

    Args:
        acknowledged: keys of the payments that must have left one.
        within_s: how long an object may take to be in both buckets, in seconds.
        removes: whether objects are removed: not where they are locked.

    Raises:
        ClientError, BotoCoreError: a bucket could not be read.
    """
    deadline = Deadline(clock() + within_s, clock, sleep)
    wanted = {one.payment_id for one in payments if one.key in acknowledged}
    found = [_found(payments, bucket, deadline) for bucket in buckets]
    pause = FIRST_PAUSE_S
    while deadline.left_s > 0 and not all(_kept(some) >= wanted for some in found):
        deadline.sleep(min(pause, deadline.left_s))
        pause = min(2 * pause, LONGEST_PAUSE_S)
        found = [_found(payments, bucket, deadline) for bucket in buckets]
    here, there = (_kept(some) & wanted for some in found)
    missing = sorted(wanted - here - there)
    removed, left = 0, list[str]()
    if removes:
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


def _found(payments: Sequence[Payment], bucket: AuditStore, deadline: Deadline) -> tuple[AuditObject, ...]:
    """Every version of every object of these payments in a bucket."""
    days: dict[str, list[str]] = {}
    for payment in payments:
        days.setdefault(_day(payment), []).append(payment.payment_id)
    return tuple(one for day, ids in days.items() for one in _of_day(day, ids, bucket, deadline))


def _of_day(day: str, ids: Sequence[str], bucket: AuditStore, deadline: Deadline) -> tuple[AuditObject, ...]:
    wanted = frozenset(ids)

    def first_pages() -> list[Sequence[AuditObject]]:
        return list(islice(bucket.pages(day), MOST_PAGES + 1))

    pages = deadline.poll(first_pages)
    if len(pages) <= MOST_PAGES:
        return tuple(one for page in pages for one in page if one.payment_id in wanted)

    def of_payment(payment_id: str) -> list[AuditObject]:
        return [one for page in bucket.pages(f"{day}{payment_id}") for one in page]

    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="drill-audit") as pool:
        asked = pool.map(lambda payment_id: deadline.poll(partial(of_payment, payment_id)), ids)
        return tuple(one for objects in asked for one in objects)


def _day(payment: Payment) -> str:
    """The prefix of the payment's audit object, which is named after the payment's day (ADR 6)."""
    sent: Mapping[str, int] = json.loads(payment.body)
    return f"audit/{datetime.fromtimestamp(sent['timestamp'] / 1000, UTC):%Y/%m/%d}/"
