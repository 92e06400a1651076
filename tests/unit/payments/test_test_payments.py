"""Payments of canaries and drills: worth nothing, in nobody's list, and audited apart from customers'."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

import pytest

from handlers.payments import core
from payinfra.clients import canary
from payinfra.core.naming import AUDIT_PREFIX, objects_of_tests
from payinfra.drill.load import payments as drills

if TYPE_CHECKING:
    from tests.unit.payments.conftest import Reply, Site

CUSTOMERS = (canary.customer("demo"), drills.customer("demo"))


def pay_test(site: Site, customer: str = CUSTOMERS[0]) -> Reply:
    return site.pay("test-1", amount=1, customer_id=customer)


def listed(reply: Reply) -> list[object]:
    assert reply.status == 200, reply.text
    return [one["payment_id"] for one in cast("list[dict[str, object]]", reply.json()["payments"])]


@pytest.mark.parametrize("customer", CUSTOMERS)
def test_it_is_a_payment_to_whoever_makes_it(site: Site, customer: str) -> None:
    made = pay_test(site, customer)
    assert made.status == 201
    again = pay_test(site, customer)
    assert (again.status, again.text) == (200, made.text)
    shown = site.request("GET", f"/payments/{made.json()['payment_id']}")
    assert shown.text == made.text
    assert shown.json()["status"] == "accepted"


@pytest.mark.parametrize("customer", CUSTOMERS)
def test_it_is_in_no_list_but_its_own_customers(site: Site, customer: str) -> None:
    test, payment = pay_test(site, customer).json(), site.pay(amount=1, customer_id="payinfra").json()
    by_status = site.request("GET", "/payments", query={"status": "accepted"})
    assert listed(by_status) == [payment["payment_id"]]
    assert listed(site.request("GET", "/payments", query={"customer_id": customer})) == [test["payment_id"]]


def test_it_is_worth_nothing_so_that_it_hides_nothing(site: Site) -> None:
    refused = site.pay(amount=2, customer_id=CUSTOMERS[0])
    assert refused.status == 422
    assert refused.json()["errors"] == [
        {"field": "/amount", "detail": "must be 1, because this customer's payments are tests"}
    ]
    assert site.region.objects == {}


@pytest.mark.parametrize("status", [core.SETTLED, core.FAILED])
def test_it_is_never_settled(site: Site, status: str) -> None:
    answer = site.operate(
        operation="move", payment_id=pay_test(site).json()["payment_id"], status=status, reference="batch-1"
    )
    assert cast("dict[str, object]", answer["problem"])["status"] == 422
    assert "UpdateItem" not in site.region.calls


@pytest.mark.parametrize("customer", CUSTOMERS)
def test_its_audit_object_is_where_it_is_looked_for_and_removed(site: Site, customer: str) -> None:
    made = pay_test(site, customer).json()
    ((name, record),) = site.region.objects.items()
    assert name.startswith(f"{objects_of_tests(customer)}{made['timestamp']}/{made['payment_id']}-")
    assert json.loads(record)["payment"] == made


def test_a_customers_audit_object_is_never_among_those(site: Site) -> None:
    for number, customer in enumerate(("payinfra", "payinfra-canary", "x-payinfra-drill-demo", "customer-7")):
        site.pay(f"order-{number}", customer_id=customer)
    assert len(site.region.objects) == 4
    assert all(name.startswith(AUDIT_PREFIX) for name in site.region.objects)


def test_what_a_request_could_not_write_the_stream_writes_while_the_test_is_there(site: Site) -> None:
    site.region.refuse("PutObject", "AccessDenied", status=403)
    pay_test(site)
    site.region.allow()
    site.restart()
    site.follow()
    assert len(site.region.objects) == 1


def test_the_stream_writes_nothing_of_a_test_that_has_been_removed(site: Site) -> None:
    pay_test(site)
    site.restart()
    changes = site.region.changes
    site.region.reset()
    site.region.changes = changes
    site.follow()
    assert site.region.objects == {}


def test_both_regions_keep_it_alike(sites: tuple[Site, Site]) -> None:
    primary, secondary = sites
    made = pay_test(primary)
    primary.region.deliver(secondary.region)
    assert pay_test(secondary).text == made.text
    assert primary.region.objects == secondary.region.objects


def test_it_counts_as_no_customers_payment(site: Site) -> None:
    pay_test(site)
    pay_test(site)
    assert [(line["outcome"], line["events"]) for line in site.lines()] == [
        ("tested", ["TestPayments"]),
        ("tested", ["TestPayments"]),
    ]
