"""Lists by status from the index of an embedded AWS, which pages as DynamoDB does."""

from collections.abc import Iterator
from typing import Any

import pytest

from handlers.payments.core import LATEST, Payment, payment_id
from handlers.payments.ledger import DynamoLedger
from handlers.payments.service import Index, Listing
from tests.functional.cli.conftest import Project
from tests.support import embedded

TABLE = "payments"
KEYS = {"payment_id": "S", "timestamp": "N", "status": "S"}


def keys(partition: str, sort: str) -> list[dict[str, str]]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A client of the table's region."""
    project = Project(tmp_path_factory.mktemp("index"))
    up = project.run("local", "up", "--format", "json")
    assert up.returncode == 0, up.stderr
    client = embedded.client(project.server, "dynamodb", "us-east-1")
    index = {
        "IndexName": "status-index",
        "KeySchema": keys("status", "timestamp"),
        "Projection": {"ProjectionType": "ALL"},
    }
    client.create_table(
        TableName=TABLE,
        KeySchema=keys("payment_id", "timestamp"),
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in KEYS.items()],
        GlobalSecondaryIndexes=[index],
        BillingMode="PAY_PER_REQUEST",
    )
    yield client
    project.run("local", "down")


def listed(ledger: DynamoLedger, status: str, limit: int) -> list[Payment]:
    """All pages of a list."""
    read: list[Payment] = []
    page = ledger.page(Listing(Index.STATUS, status, 1, LATEST), limit, None)
    while True:
        read += page.payments
        if page.last is None:
            return read
        page = ledger.page(Listing(Index.STATUS, status, 1, LATEST), limit, page.last)


def test_a_list_has_all_shards_and_what_an_earlier_version_recorded(table: Any) -> None:
    """Many of the same timestamp; whatever fits on a page."""
    spread, bare = DynamoLedger(table, table, TABLE), DynamoLedger(table, table, TABLE, False)
    made = [
        Payment(payment_id(f"order-{n}"), 1_000 + n * 7 % 10, n, "EUR", "c", "card", "f" * 64)
        for n in range(60)
    ]
    for number, payment in enumerate(made):
        (bare if number % 3 == 0 else spread).add(payment)
    for limit in (1, 7, 25, 100):
        read = listed(spread, "accepted", limit)
        assert sorted(read, key=lambda one: one.amount) == made
        assert [one.timestamp for one in read] == sorted(one.timestamp for one in made)
    assert all(spread.move(payment, "settled", None) for payment in made[:20])
    assert len(listed(spread, "accepted", 25)) == 40
    assert {one.payment_id for one in listed(spread, "settled", 7)} == {one.payment_id for one in made[:20]}
