"""The audit objects of a drill's payments: counted in both buckets, and removed from both."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from payinfra.clients.aws import Aws
from payinfra.drill.audit_objects import (
    AuditObject,
    LeftOverObjects,
    S3AuditStore,
    reconcile_audit,
    remove_left_over,
)
from payinfra.drill.load.payments import DrillPayment, Maker
from payinfra.drill.model import AuditObjectCounts
from tests.support.clocks import SetClock
from tests.unit.checks.probes.conftest import outputs

OF_DRILLS = "test/payinfra-drill-demo/"
PAYMENTS = tuple(Maker("demo", "x1").make(number, 1_767_322_000_000 + number, 0.0) for number in range(6))
KEYS = frozenset(payment.key for payment in PAYMENTS[:5])


def stored(payment: DrillPayment, version: str = "v1") -> AuditObject:
    return AuditObject(f"{OF_DRILLS}1767322000000/{payment.payment_id}-abc.json", version)


@dataclass
class Bucket:
    """A bucket of versions; `appear` come when it is listed again."""

    objects: list[AuditObject]
    appear: list[AuditObject] = field(default_factory=list)
    locked: bool = False
    failures: int = 0
    asked: list[str] = field(default_factory=list)

    def pages(self, prefix: str) -> Iterator[Sequence[AuditObject]]:
        if self.failures:
            self.failures -= 1
            raise EndpointConnectionError(endpoint_url="https://aws")
        first = prefix not in self.asked
        self.asked.append(prefix)
        yield [one for one in self.objects if one.key.startswith(prefix)]
        if first:
            self.objects += self.appear
            self.appear = []

    def remove(self, objects: Sequence[AuditObject]) -> tuple[str, ...]:
        if self.locked:
            return tuple(one.key for one in objects)
        self.objects = [one for one in self.objects if one not in objects]
        return ()


def reconcile(here: Bucket, there: Bucket, **more: Any) -> AuditObjectCounts:
    clock = SetClock()
    return reconcile_audit(
        PAYMENTS, KEYS, (here, there), within_s=10.0, clock=clock.elapsed, sleep=clock.wait, **more
    )


def every() -> list[AuditObject]:
    return [stored(payment) for payment in PAYMENTS]


def test_every_acknowledged_payment_has_left_one_in_both_and_none_is_left() -> None:
    here, there = Bucket(every()), Bucket(every())
    assert reconcile(here, there) == AuditObjectCounts(5, 5, 0, 0, removed=12)
    assert (here.objects, there.objects) == ([], [])


def test_what_is_replicated_late_is_waited_for() -> None:
    here, there = Bucket(every()), Bucket(every()[:2], every()[2:])
    assert reconcile(here, there).in_both == 5


def test_what_is_missing_and_what_is_in_one_bucket_only_are_told_apart() -> None:
    here, there = Bucket(every()[:3]), Bucket(every()[2:4])
    found = reconcile(here, there)
    assert (found.in_both, found.in_one, found.missing) == (1, 3, 1)
    assert found.examples == (PAYMENTS[4].payment_id,)


def test_a_marker_of_a_deletion_is_no_object_and_is_removed_as_well() -> None:
    marker = replace(stored(PAYMENTS[0], "v2"), is_marker=True)
    here, there = Bucket([marker, *every()[1:]]), Bucket([*every()[1:]])
    found = reconcile(here, there)
    assert (found.missing, found.removed) == (1, 11)


def test_another_drills_objects_and_customers_are_left_alone() -> None:
    another = AuditObject(f"{OF_DRILLS}1767322000000/pay_other-x.json", "v")
    here, there = Bucket([*every(), another]), Bucket(every())
    assert reconcile(here, there).in_both == 5
    assert here.objects == [another]
    assert set(here.asked) == set(there.asked) == {OF_DRILLS}


def test_all_that_drills_have_left_is_removed_and_nothing_of_customers() -> None:
    customers = AuditObject(f"audit/2026/01/02/{PAYMENTS[0].payment_id}-abc.json", "v")
    here, there = Bucket([*every(), customers]), Bucket([])
    assert remove_left_over("demo", (here, there), 1.0) == LeftOverObjects(6, ())
    assert here.objects == [customers]
    locked = Bucket(every()[:1], locked=True)
    assert remove_left_over("demo", (locked, there), 1.0) == LeftOverObjects(0, (every()[0].key,))


def test_what_cannot_be_removed_is_named_once() -> None:
    found = reconcile(Bucket(every(), locked=True), Bucket(every(), locked=True))
    assert found.removed == 0
    assert found.not_removed == tuple(sorted(one.key for one in every()))


def test_a_bucket_that_fails_for_a_moment_is_asked_again_and_one_that_stays_silent_is_not_called_empty() -> (
    None
):
    assert reconcile(Bucket(every(), failures=2), Bucket(every())).in_both == 5
    with pytest.raises(EndpointConnectionError):
        reconcile(Bucket(every(), failures=10_000), Bucket(every()))


# -- S3 ----------------------------------------------------------------------------------------------------


@dataclass
class S3:
    """What S3 answers."""

    pages: list[dict[str, Any]]
    errors: list[dict[str, str]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)

    def get_paginator(self, operation: str) -> Any:
        assert operation == "list_object_versions"
        return self

    def paginate(self, **asked: Any) -> list[dict[str, Any]]:
        self.asked.append(asked)
        return self.pages

    def delete_objects(self, **asked: Any) -> dict[str, Any]:
        self.asked.append(asked)
        return {"Errors": self.errors} if self.errors else {}


@dataclass(frozen=True)
class AwsOf(Aws):
    s3_client: S3 = field(default_factory=lambda: S3([]))

    def client(self, service: str, region: str) -> Any:
        assert (service, region) == ("s3", "us-east-1")
        return self.s3_client


def bucket(client: S3, *, locked: bool = False) -> S3AuditStore:
    return S3AuditStore(AwsOf(s3_client=client), outputs().primary, locked)


def test_versions_and_markers_are_read_a_page_at_a_time() -> None:
    client = S3(
        [
            {"Versions": [{"Key": "audit/a", "VersionId": "1"}]},
            {"DeleteMarkers": [{"Key": "audit/b", "VersionId": "2"}]},
            {},
        ]
    )
    assert list(bucket(client).pages("audit/")) == [
        (AuditObject("audit/a", "1"),),
        (AuditObject("audit/b", "2", True),),
        (),
    ]
    assert client.asked == [{"Bucket": outputs().primary.s3_bucket_name, "Prefix": "audit/"}]


def test_a_thousand_are_removed_at_once_and_what_s3_keeps_is_named() -> None:
    client = S3([], errors=[{"Key": "audit/7", "Code": "AccessDenied"}])
    objects = [AuditObject(f"audit/{at}", "v") for at in range(1500)]
    assert bucket(client).remove(objects) == ("audit/7", "audit/7")
    assert [len(asked["Delete"]["Objects"]) for asked in client.asked] == [1000, 500]
    assert client.asked[0]["Delete"]["Objects"][0] == {"Key": "audit/0", "VersionId": "v"}
    assert client.asked[0]["BypassGovernanceRetention"] is False


def test_locked_versions_are_removed_past_their_retention() -> None:
    client = S3([])
    assert bucket(client, locked=True).remove([AuditObject("test/0", "v")]) == ()
    assert client.asked[0]["BypassGovernanceRetention"] is True
