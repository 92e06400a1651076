"""What the survivor alone had of what the lost region had acknowledged."""

import pytest
from botocore.exceptions import EndpointConnectionError

from payinfra.drill.load.payments import payment_id
from payinfra.drill.model import Attempt, Result
from payinfra.drill.replicas import CLAIM, StoredItem
from payinfra.drill.survivor import EXAMPLES, acknowledged_before, read_survivor

EAST, WEST = "us-east-1", "us-west-2"
KEPT = StoredItem("1767322000000", "{}")


def attempt(key: str, at_s: float, region: str = EAST, *, good: bool = True) -> Attempt:
    result = Result.ACKNOWLEDGED if good else Result.SILENT
    return Attempt(key, 1, at_s, 0.5, region if good else "", 201 if good else 0, result)


class Table:
    """A table that has some payments."""

    def __init__(self, *keys: str, claims: tuple[str, ...] = ()) -> None:
        self.items = {payment_id(key): (KEPT,) for key in keys}
        self.items |= {payment_id(key): (StoredItem(CLAIM, "{}"),) for key in claims}
        self.failures = 0

    def read(self, payment_id: str) -> tuple[StoredItem, ...]:
        if self.failures:
            self.failures -= 1
            raise EndpointConnectionError(endpoint_url="https://aws")
        return self.items.get(payment_id, ())

    def remove(self, payment_id: str, record: StoredItem) -> None:
        raise AssertionError("a reading removes nothing")


def read(acknowledged: dict[str, float], table: Table) -> tuple[int, float, tuple[str, ...]]:
    found = read_survivor(
        acknowledged, table, region=WEST, loss_s=20.0, elapsed=lambda: 31.0, sleep=lambda _s: None
    )
    assert (found.region, found.at_s, found.acknowledged) == (WEST, 31.0, len(acknowledged))
    return found.missing, found.oldest_s, found.examples


def test_what_counts_is_what_the_lost_region_alone_had_acknowledged_before() -> None:
    attempts = [
        attempt("early", 1.0),
        attempt("early", 5.0),
        attempt("late", 19.6),
        attempt("elsewhere", 2.0),
        attempt("elsewhere", 3.0, WEST),
        attempt("west", 2.0, WEST),
        attempt("silent", 2.0, good=False),
    ]
    assert acknowledged_before(attempts, EAST, 20.0) == {"early": 1.5}


def test_nothing_is_missing_where_the_survivor_has_it_all() -> None:
    assert read({"a": 3.0, "b": 4.0}, Table("a", "b")) == (0, 0.0, ())


def test_what_is_missing_has_the_age_of_the_oldest() -> None:
    found = read({"a": 3.0, "b": 4.0, "c": 18.0}, Table("a", claims=("b",)))
    assert found == (2, 16.0, (payment_id("b"), payment_id("c")))


def test_a_few_examples_are_enough() -> None:
    missing, _, examples = read({f"key-{at}": float(at) for at in range(50)}, Table())
    assert (missing, len(examples)) == (50, EXAMPLES)


def test_a_survivor_that_fails_for_a_moment_is_asked_again() -> None:
    table = Table("a")
    table.failures = 1
    now = iter([31.0] * 4 + [32.0] * 50)
    found = read_survivor(
        {"a": 3.0}, table, region=WEST, loss_s=20.0, elapsed=lambda: next(now), sleep=lambda _s: None
    )
    assert found.missing == 0


def test_a_survivor_that_does_not_answer_is_not_called_whole() -> None:
    table = Table("a")
    table.failures = 10_000
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds + 1.0

    with pytest.raises(EndpointConnectionError):
        read_survivor({"a": 3.0}, table, region=WEST, loss_s=20.0, elapsed=lambda: now[0], sleep=sleep)
