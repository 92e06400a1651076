"""What was asked beside what was measured, one line each."""

from typing import Any

import pytest

from payinfra.drill.model import (
    Attempt,
    DrillRequest,
    Objective,
    PaymentOutcome,
    Reconciliation,
    RecoveryTime,
    Result,
    SurvivorReading,
)
from payinfra.drill.objectives import objectives

FOUND = Reconciliation(10, 9, {PaymentOutcome.LOST: 1})


def attempt(seconds: float = 0.1, *, number: int = 1, client: int = 0, good: bool = True) -> Attempt:
    result = Result.ACKNOWLEDGED if good else Result.FAILED
    return Attempt("k", number, 1.0, seconds, "west", 201, result, client=client)


def asked(request: DrillRequest | None = None, **changes: Any) -> dict[str, Objective]:
    given: dict[str, Any] = {
        "recovery": RecoveryTime(100.0, 100.0, 90.0),
        "survivor": SurvivorReading("west", 30.0, 50, 3, 2.5),
        "judges_survivor": True,
        "reconciliation": FOUND,
        "before": [attempt()],
        "while_survivor_served": [attempt()] * 9 + [attempt(good=False)],
        "keeping_clients": frozenset(),
    }
    found = objectives(request or DrillRequest(), **(given | changes))
    return {one.name.partition(" (")[0]: one for one in found}


def test_each_has_its_measure_and_its_limit() -> None:
    found = asked(DrillRequest(rpo=2, rpo_s=2.0, unacknowledged=1, first_attempt=0.95))
    assert [(one.measured, one.objective, one.met) for one in found.values()] == [
        (90.0, 100.0, True),
        (3.0, 2.0, False),
        (2.5, 2.0, False),
        (1.0, 2.0, True),
        (1.0, 1.0, True),
        (0.9, 0.95, False),
        (0.1, 1.0, True),
    ]
    assert [name for name, one in found.items() if not one.timed] == [
        "acknowledged and not in the survivor at the failover",
        "age of the oldest of these",
        "acknowledged and in no region in the end",
    ]


def test_what_nobody_has_to_do_is_no_objective() -> None:
    found = asked(recovery=None, judges_survivor=False)
    assert not any("RTO" in name or "survivor at the failover" in name for name in found)


def test_what_was_not_measured_is_not_met() -> None:
    found = asked(survivor=None, reconciliation=None, while_survivor_served=[])
    assert [one.met for one in found.values()] == [True, None, None, None, None, None, None]


@pytest.mark.parametrize(
    ("before_s", "asked_s", "limit"), [(0.1, None, 1.0), (0.8, None, 2.4), (0.8, 0.5, 0.5)]
)
def test_a_survivor_may_be_slower_than_before_within_reason(
    before_s: float, asked_s: float | None, limit: float
) -> None:
    found = asked(DrillRequest(latency_s=asked_s), before=[attempt(before_s)])
    measured = found["95th percentile of latency while the survivor served"]
    assert measured.objective == pytest.approx(limit)


def test_without_a_measure_from_before_the_floor_holds() -> None:
    found = asked(before=[])
    assert found["95th percentile of latency while the survivor served"].objective == 1.0


def test_retries_and_clients_that_keep_their_connection_say_nothing_about_first_attempts() -> None:
    served = [attempt(), attempt(number=2, good=False), attempt(client=7, good=False)]
    found = asked(while_survivor_served=served, keeping_clients=frozenset({7}))
    assert found["acknowledged at the first attempt while the survivor served"].measured == 1.0
