"""Payments whose log is lost: found by their customer, in pages, and removed with their claims."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber

from payinfra.clients.aws import Aws
from payinfra.clients.retry import Deadline
from payinfra.drill.load.payments import DrillPayment
from payinfra.drill.marked_payments import find, remove
from payinfra.drill.replicas import CLAIM, StoredItem
from tests.support.clocks import SetClock
from tests.unit.checks.probes.conftest import outputs

AT = 1_767_322_000_000


@dataclass
class Table:
    """One region's replica, and its index, which forgets `late` looks later."""

    items: dict[str, list[StoredItem]] = field(default_factory=dict)
    keeps: bool = False

    def read(self, payment_id: str) -> tuple[StoredItem, ...]:
        return tuple(self.items.get(payment_id, ()))

    def remove(self, payment_id: str, record: StoredItem) -> None:
        if not self.keeps:
            self.items[payment_id].remove(record)

    def found(self) -> Iterator[DrillPayment]:
        for payment_id, items in self.items.items():
            for item in items:
                if item.is_payment:
                    yield DrillPayment("", payment_id, json.dumps({"timestamp": int(item.timestamp)}), 0.0)


def table(*ids: str, keeps: bool = False) -> Table:
    return Table({one: [StoredItem(CLAIM, "{}"), StoredItem(str(AT), "{}")] for one in ids}, keeps)


def removed(tables: Sequence[Table], look: Any = None) -> tuple[list[str], tuple[str, ...], SetClock]:
    clock = SetClock()
    found = remove(
        look or (lambda: tuple(one for each in tables for one in each.found())),
        tables,
        Deadline(10.0, clock.elapsed, clock.wait),
    )
    return [one.payment_id for one in found.payments], found.left, clock


def test_what_either_region_has_is_removed_from_both_with_its_claims() -> None:
    here, there = table("pay_1", "pay_2"), table("pay_2", "pay_3")
    ids, left, _ = removed((here, there))
    assert (sorted(ids), left) == (["pay_1", "pay_2", "pay_3"], ())
    assert [items for each in (here, there) for items in each.items.values() if items] == []


def test_where_there_is_none_nothing_is_asked_of_the_table() -> None:
    assert removed((table(),))[:2] == ([], ())


def test_what_cannot_be_removed_is_named_when_the_time_is_over() -> None:
    ids, left, clock = removed((table("pay_1", keeps=True),))
    assert (ids, left) == (["pay_1"], ("pay_1",))
    assert clock.at == pytest.approx(10.0)


def test_a_table_that_does_not_answer_for_a_moment_is_asked_again() -> None:
    here, failures = table("pay_1"), [EndpointConnectionError(endpoint_url="https://aws")]

    def look() -> tuple[DrillPayment, ...]:
        if failures:
            raise failures.pop()
        return tuple(here.found())

    assert removed((here,), look)[:2] == (["pay_1"], ())


def test_they_are_found_by_the_customer_that_all_drills_of_an_environment_have() -> None:
    aws = Aws()
    region = outputs().primary
    asked = {
        "TableName": region.dynamodb_table_name,
        "IndexName": "customer-index",
        "KeyConditionExpression": "customer_id = :customer",
        "ExpressionAttributeValues": {":customer": {"S": "payinfra-drill-demo"}},
    }
    pages = [
        {"payment_id": {"S": "pay_1"}, "timestamp": {"N": str(AT)}},
        {"payment_id": {"S": "pay_2"}, "timestamp": {"N": str(AT + 1)}},
    ]
    with Stubber(aws.dynamodb(region.region)) as stub:
        more = {"LastEvaluatedKey": {"payment_id": {"S": "x"}}}
        stub.add_response("query", {"Items": pages[:1], **more}, asked)
        stub.add_response(
            "query", {"Items": pages[1:]}, {**asked, "ExclusiveStartKey": {"payment_id": {"S": "x"}}}
        )
        found = tuple(find(aws, region, "demo"))
    assert [(one.payment_id, json.loads(one.body)["timestamp"]) for one in found] == [
        ("pay_1", AT),
        ("pay_2", AT + 1),
    ]
