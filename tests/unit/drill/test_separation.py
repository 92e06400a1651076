"""Whether the regions are cut off from each other, as the load's own payments show."""

from collections.abc import Iterator, Sequence

import pytest

from payinfra.clients.aws_errors import NoData
from payinfra.drill.audit_objects import AuditObject
from payinfra.drill.load.payments import payment_id
from payinfra.drill.model import Attempt, Result
from payinfra.drill.replicas import CLAIM, StoredItem
from payinfra.drill.separation import HeldObjects, Separation

EAST, WEST = "us-east-1", "us-west-2"


def attempt(key: str, at_s: float, region: str, result: Result = Result.ACKNOWLEDGED) -> Attempt:
    return Attempt(key, 1, at_s, 0.5, region, 201, result)


ATTEMPTS = (
    attempt("old-east", 1.0, EAST),
    attempt("east", 8.0, EAST),
    attempt("both", 8.4, EAST),
    attempt("west", 8.0, WEST),
    attempt("both", 8.5, WEST),
    attempt("late-east", 9.4, EAST),
    attempt("failed", 8.4, EAST, Result.FAILED),
)


class Table:
    """A table that has some payments."""

    def __init__(self, *keys: str) -> None:
        self.ids = {payment_id(key) for key in keys}

    def read(self, payment_id: str) -> tuple[StoredItem, ...]:
        claim = StoredItem(CLAIM, "{}")
        return (claim, StoredItem("1", "{}")) if payment_id in self.ids else (claim,)

    def remove(self, payment_id: str, record: StoredItem) -> None:
        raise AssertionError("looking removes nothing")


def separation(east: Table, west: Table, attempts: tuple[Attempt, ...] = ATTEMPTS) -> Separation:
    return Separation(lambda: attempts, {EAST: east, WEST: west}, lambda: 10.0, settle_s=1.0)


def test_the_latest_that_has_had_time_to_arrive_is_looked_for_in_the_other_region() -> None:
    assert separation(Table("east"), Table("west", "old-east", "late-east")).is_separated()


@pytest.mark.parametrize(("east", "west"), [(("west",), ()), ((), ("east",)), (("west",), ("east",))])
def test_one_that_arrived_shows_that_replication_works(east: tuple[str, ...], west: tuple[str, ...]) -> None:
    assert not separation(Table(*east), Table(*west)).is_separated()


def test_without_a_payment_that_could_tell_nothing_is_said() -> None:
    with pytest.raises(NoData, match="us-west-2 has acknowledged nothing that could tell"):
        separation(Table(), Table(), ATTEMPTS[:2]).is_separated()


class Bucket:
    """An audit bucket that has the objects of some payments."""

    def __init__(self, *keys: str) -> None:
        self.keys = keys

    def pages(self, prefix: str) -> Iterator[Sequence[AuditObject]]:
        assert prefix == "test/c/"
        yield ()
        yield tuple(AuditObject(f"{prefix}1/{payment_id(key)}-1.json", "v") for key in self.keys)

    def remove(self, objects: Sequence[AuditObject]) -> tuple[str, ...]:
        raise AssertionError("looking removes nothing")


def held(east: Bucket, west: Bucket) -> HeldObjects:
    return HeldObjects(lambda: ATTEMPTS, EAST, east, west, "test/c/", lambda: 10.0, settle_s=1.0)


def test_an_audit_object_that_should_have_been_copied_shows_that_copies_wait() -> None:
    both = Bucket("old-east", "east", "late-east")
    assert held(both, Bucket("old-east")).wait()
    assert not held(both, Bucket("east")).wait()
    assert held(Bucket("old-east"), Bucket("east")).wait(), "the newer one is not written yet"


def test_without_an_audit_object_that_could_tell_nothing_is_said() -> None:
    with pytest.raises(NoData, match="us-east-1 has written no audit object that could tell"):
        held(Bucket("late-east"), Bucket()).wait()
