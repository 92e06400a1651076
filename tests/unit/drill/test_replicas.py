"""The table in each region, read and cleaned with the operator's credentials."""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from payinfra.checks.probes.model import ProbeContext
from payinfra.clients.aws import Aws
from payinfra.clients.aws_errors import NotYet
from payinfra.clients.retry import Deadline
from payinfra.core.outputs import Outputs, RegionOutputs
from payinfra.drill.load.payments import Maker
from payinfra.drill.replicas import CLAIM, StoredItem, TableReplica, caught_up, have_caught_up

EAST, WEST = "us-east-1", "us-west-2"
PAYMENT = Maker("dev", "x1").make(1, 1_800_000_000_000, 0.0)
STORED: Mapping[str, object] = {
    "payment_id": {"S": PAYMENT.payment_id},
    "timestamp": {"N": "1800000000000"},
    "amount": {"N": "1"},
    "currency": {"S": "USD"},
    "customer_id": {"S": "payinfra-drill-dev"},
    "payment_method": {"S": "wallet"},
    "metadata": {"M": {"drill": {"S": "x1"}}},
    "status": {"S": "accepted"},
}


def record(**changes: object) -> StoredItem:
    return StoredItem("1800000000000", json.dumps({**STORED, **changes}))


def test_a_record_says_what_was_sent_whatever_else_it_says() -> None:
    assert record().says(PAYMENT)
    assert record(fingerprint={"S": "f"}).says(PAYMENT)
    assert record().is_payment
    assert not StoredItem(CLAIM, record().content).is_payment


@pytest.mark.parametrize(
    "change",
    [
        {"amount": {"N": "2"}},
        {"timestamp": {"N": "1"}},
        {"customer_id": {"S": "other"}},
        {"metadata": {"M": {}}},
        {"metadata": {"M": {"drill": {"S": "x2"}}}},
        {"currency": {"S": "EUR"}},
        {"payment_method": None},
    ],
)
def test_anything_that_differs_is_another_payment(change: Mapping[str, object]) -> None:
    assert not record(**change).says(PAYMENT)


@dataclass
class Table:
    """DynamoDB in both regions: what is written in one is in the other once somebody has slept."""

    replicates: bool = True
    now: float = 0.0
    items: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)
    on_the_way: list[tuple[tuple[str, str, str], dict[str, Any] | None]] = field(default_factory=list)
    consistent: list[bool] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def sleep(self, seconds: float) -> None:
        with self.lock:
            self.now += seconds
            if self.replicates:
                for key, item in self.on_the_way:
                    self._set(key, item)
                self.on_the_way.clear()

    def write(self, region: str, key: tuple[str, str], item: dict[str, Any] | None) -> None:
        with self.lock:
            self._set((region, *key), item)
            self.on_the_way.append((((WEST if region == EAST else EAST), *key), item))

    def _set(self, key: tuple[str, str, str], item: dict[str, Any] | None) -> None:
        if item is None:
            self.items.pop(key, None)
        else:
            self.items[key] = item


@dataclass(frozen=True)
class Client:
    """A region's client of that table."""

    table: Table
    region: str

    def put_item(self, TableName: str, Item: dict[str, Any]) -> None:
        self.table.marks.append(Item["payment_id"]["S"])
        self.table.write(self.region, (Item["payment_id"]["S"], Item["timestamp"]["N"]), Item)

    def delete_item(self, TableName: str, Key: dict[str, Any]) -> None:
        self.table.write(self.region, (Key["payment_id"]["S"], Key["timestamp"]["N"]), None)

    def get_item(self, TableName: str, Key: dict[str, Any], ConsistentRead: bool) -> dict[str, Any]:
        found = self.table.items.get((self.region, Key["payment_id"]["S"], Key["timestamp"]["N"]))
        return {} if found is None else {"Item": found}

    def query(self, **asked: Any) -> dict[str, Any]:
        assert asked["TableName"] == "payments"
        self.table.consistent.append(asked["ConsistentRead"])
        wanted = asked["ExpressionAttributeValues"][":id"]["S"]
        items = [
            item
            for (region, id, _), item in self.table.items.items()
            if (region, id) == (self.region, wanted)
        ]
        return {"Items": items}


@dataclass(frozen=True)
class Embedded(Aws):
    """Clients of one table."""

    table: Table = field(default_factory=Table)

    def client(self, service: str, region: str) -> Any:
        return Client(self.table, region)


def region_outputs(region: str) -> RegionOutputs:
    return cast(RegionOutputs, SimpleNamespace(region=region, dynamodb_table_name="payments"))


def test_a_replica_reads_all_under_an_id_consistently_and_removes_item_by_item() -> None:
    aws = Embedded()
    id = PAYMENT.payment_id
    for timestamp in (CLAIM, "1800000000000"):
        item = {**STORED, "timestamp": {"N": timestamp}, "payment_id": {"S": id}}
        aws.table.write(EAST, (id, timestamp), item)
    replica = TableReplica(aws, region_outputs(EAST))
    claim, stored = replica.read(id)
    assert (claim.is_payment, stored.is_payment, stored.says(PAYMENT)) == (False, True, True)
    assert TableReplica(aws, region_outputs(WEST)).read(id) == ()
    replica.remove(id, stored)
    assert replica.read(id) == (claim,)
    assert all(aws.table.consistent)


def test_equal_items_are_equal_records_whatever_the_order_of_their_attributes() -> None:
    aws = Embedded()
    aws.table.items[EAST, "p", "1"] = dict(STORED)
    aws.table.items[WEST, "p", "1"] = dict(reversed(tuple(STORED.items())))
    here, there = (TableReplica(aws, region_outputs(region)).read("p") for region in (EAST, WEST))
    assert here == there


def live(table: Table) -> ProbeContext:
    outputs = SimpleNamespace(environment_suffix="dev", regions=(region_outputs(EAST), region_outputs(WEST)))
    nothing = cast(Any, None)
    return ProbeContext(
        aws=Embedded(table=table),
        outputs=cast(Outputs, outputs),
        declared=cast(Any, SimpleNamespace(regions=(None, None))),
        http=nothing,
        dns=nothing,
        tls=nothing,
        run="run",
        began=datetime(2026, 1, 2, tzinfo=UTC),
        patience=Deadline(0.0, lambda: table.now, table.sleep),
    )


def test_marks_cross_both_ways_and_are_removed() -> None:
    table = Table()
    crossings = caught_up(live(table), within_s=10.0)
    assert {(one.written_in, one.seen_in) for one in crossings} == {(EAST, WEST), (WEST, EAST)}
    assert all(0.0 < one.seconds < 10.0 for one in crossings)
    table.sleep(0.0)
    assert table.items == {}


def test_a_mark_that_does_not_arrive_is_told_when_the_time_is_over() -> None:
    table = Table(replicates=False)
    with pytest.raises(NotYet, match="is not there"):
        caught_up(live(table), within_s=5.0)
    assert 5.0 <= table.now < 15.0
    assert table.items == {}


def test_a_mark_of_an_earlier_call_is_not_taken_for_a_new_one() -> None:
    table = Table(replicates=False)
    for _ in range(2):
        with pytest.raises(NotYet):
            caught_up(live(table), within_s=1.0)
    assert len(set(table.marks)) == len(table.marks) >= 2


@pytest.mark.parametrize("replicates", [True, False])
def test_whether_marks_cross_in_time_is_a_yes_or_a_no(replicates: bool) -> None:
    assert have_caught_up(live(Table(replicates=replicates)), within_s=5.0) is replicates
