"""Lists by status: the shards of a status and what earlier versions recorded are one list."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.aws_in_process import TABLE
from handlers.payments import aws, core, validation
from handlers.payments.core import LATEST, STATUS_SHARDS, Payment, payment_id
from handlers.payments.cursors import PARTITIONS, Position, seal, signing_key
from handlers.payments.ledger import DynamoLedger, payment_item
from handlers.payments.service import Index, Listing

if TYPE_CHECKING:
    from tests.unit.payments.conftest import Reply, Site

ACCEPTED = Listing(Index.STATUS, "accepted", 1, LATEST)


def ledger(site: Site, *, spread: bool = True) -> DynamoLedger:
    return DynamoLedger(site.clients.table, site.clients.health, TABLE, spread)


def paid(key: str, timestamp: int) -> Payment:
    return Payment(payment_id(key), timestamp, 1, "EUR", "customer-7", "card", f"{timestamp:064x}")


def statuses(site: Site) -> list[str]:
    """The attribute of the items that have it, in order of their timestamps."""
    items = sorted(site.region.items().items(), key=lambda one: one[0][1])
    return [item["status"]["S"] for _, item in items if "status" in item]


def amounts(reply: Reply) -> list[int]:
    assert reply.status == 200, reply.text
    return [one["amount"] for one in cast("list[dict[str, int]]", reply.json()["payments"])]


@dataclass(frozen=True)
class Pages:
    """A list that was read to its end."""

    timestamps: list[int]
    ids: list[str]
    sizes: list[int]


def walked(site: Site, listing: Listing, limit: int, after: Position | None = None) -> Pages:
    read = Pages([], [], [])
    while True:
        page = ledger(site).page(listing, limit, after)
        read.timestamps.extend(one.timestamp for one in page.payments)
        read.ids.extend(one.payment_id for one in page.payments)
        read.sizes.append(len(page.payments))
        after = page.last
        if after is None:
            return read


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    written=st.lists(st.tuples(st.integers(1, 6), st.booleans()), max_size=40),
    limit=st.integers(1, 40),
    fits=st.integers(1, 40),
)
def test_every_payment_is_on_one_page_and_in_order(
    site: Site, written: list[tuple[int, bool]], limit: int, fits: int
) -> None:
    """Of earlier versions and of this one, many of one timestamp, however little fits in an answer."""
    site.region.reset()
    made = [(paid(f"order-{place}", at), spread) for place, (at, spread) in enumerate(written)]
    for payment, spread in made:
        ledger(site, spread=spread).add(payment)
    site.region.fits = fits
    read = walked(site, ACCEPTED, limit)
    assert read.timestamps == sorted(read.timestamps)
    assert sorted(read.ids) == sorted(payment.payment_id for payment, _ in made)
    assert max(read.sizes) <= limit
    if fits >= limit:
        assert [size for size in read.sizes[:-1] if size < limit] == []
    span = replace(ACCEPTED, earliest=2, latest=4)
    wanted = sorted(payment.payment_id for payment, _ in made if 2 <= payment.timestamp <= 4)
    assert sorted(walked(site, span, limit).ids) == wanted


def test_a_shard_follows_from_the_id_in_every_version_and_region() -> None:
    found = [payment_item(paid(f"order-{place}", 1))["status"]["S"] for place in range(5)]
    assert found == ["accepted#0", "accepted#8", "accepted#4", "accepted#0", "accepted#8"]


def test_the_shards_fill_evenly() -> None:
    sizes = Counter(payment_item(paid(f"order-{place}", 1))["status"]["S"] for place in range(10_000))
    assert len(sizes) == STATUS_SHARDS
    assert max(sizes.values()) < 1_150


def test_a_page_asks_each_partition_once(site: Site) -> None:
    for place in range(200):
        ledger(site).add(paid(f"order-{place}", place + 1))
    site.region.calls.clear()
    page = ledger(site).page(ACCEPTED, 25, None)
    assert [one.timestamp for one in page.payments] == list(range(1, 26))
    assert site.region.calls == ["Query"] * (STATUS_SHARDS + 1)


def test_a_page_of_one_partition_asks_that_one_twice(site: Site) -> None:
    for place in range(200):
        ledger(site, spread=False).add(paid(f"order-{place}", place + 1))
    site.region.calls.clear()
    page = ledger(site).page(ACCEPTED, 25, None)
    assert [one.timestamp for one in page.payments] == list(range(1, 26))
    assert site.region.calls == ["Query"] * (STATUS_SHARDS + 2)


def test_payments_of_an_earlier_version_are_listed_and_settled(site: Site) -> None:
    site.restart(spread_statuses=False)
    old = site.pay("old", amount=1)
    site.restart(spread_statuses=True)
    site.pay("new", amount=2, timestamp=site.clock.now_ms + 1)
    assert statuses(site) == ["accepted", "accepted#9"]
    query = {"status": "accepted"}
    assert amounts(site.request("GET", "/payments", query=query)) == [1, 2]
    shown = site.request("GET", f"/payments/{old.json()['payment_id']}").json()
    assert shown["status"] == "accepted"
    moved = site.operate(
        operation="move", payment_id=old.json()["payment_id"], status="settled", reference="batch-1"
    )
    assert cast("dict[str, str]", moved["payment"])["status"] == "settled"
    assert amounts(site.request("GET", "/payments", query=query)) == [2]
    assert amounts(site.request("GET", "/payments", query={"status": "settled"})) == [1]
    assert statuses(site) == ["settled#0", "accepted#9"]


def test_where_statuses_are_not_spread_all_are_read_and_moved(site: Site) -> None:
    made = site.pay("new", amount=2)
    site.restart(spread_statuses=False)
    assert amounts(site.request("GET", "/payments", query={"status": "accepted"})) == [2]
    site.operate(
        operation="move", payment_id=made.json()["payment_id"], status="settled", reference="batch-1"
    )
    assert amounts(site.request("GET", "/payments", query={"status": "settled"})) == [2]
    assert statuses(site) == ["settled"]


def test_a_cursor_of_an_earlier_version_goes_on(site: Site) -> None:
    """It stands in the partition that had all payments; the shards go on from its timestamp."""
    old = [paid(f"old-{at}", at) for at in (5, 6, 7)]
    new = [paid(f"new-{at}", at) for at in (4, 5, 6, 7)]
    for payments, spread in ((old, False), (new, True)):
        for payment in payments:
            ledger(site, spread=spread).add(payment)
    read = walked(site, ACCEPTED, 2, Position(6, (("", old[1].payment_id),)))
    assert read.timestamps == [6, 7, 7]
    assert set(read.ids) == {new[2].payment_id, new[3].payment_id, old[2].payment_id}


def test_lists_of_a_customer_are_one_partition(site: Site) -> None:
    for place in range(30):
        site.pay(f"order-{place}", timestamp=site.clock.now_ms + place)
    site.region.calls.clear()
    site.request("GET", "/payments", query={"customer_id": "customer-7"})
    assert site.region.calls == ["Query", "GetParameter"]


def test_the_longest_cursor_may_be_sent_back() -> None:
    passed = tuple((name, payment_id(name)) for name in sorted(PARTITIONS))
    longest = seal(signing_key("k"), "list", Position(LATEST, passed))
    schema = cast("dict[str, dict[str, dict[str, int]]]", validation.load("query"))
    assert len(longest) <= schema["properties"]["cursor"]["maxLength"]


def test_one_shard_that_does_not_answer_is_no_shorter_list(site: Site) -> None:
    site.pay()
    asked = 0

    def third_fails(operation: str) -> None:
        nonlocal asked
        asked += operation == "Query"
        if asked == 3:
            site.region.refuse("Query", "ThrottlingException")
            site.region.before(operation)

    site.region.before = third_fails
    assert site.request("GET", "/payments", query={"status": "accepted"}).status == 503


def test_all_partitions_keep_a_connection() -> None:
    config = aws.connect("eu-west-1").table.meta.config
    assert attrgetter("max_pool_connections")(config) == len(PARTITIONS)


@pytest.mark.parametrize("status", core.TRANSITIONS)
def test_no_status_has_the_mark(status: str) -> None:
    assert "#" not in status
