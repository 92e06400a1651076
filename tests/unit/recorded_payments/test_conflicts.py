"""Keys in conflict are listed with their payments; how its fingerprint begins tells which one is meant."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from payinfra.core.errors import UsageProblem
from payinfra.payments.conflicts import Conflict, conflict, conflicts, resolve
from payinfra.report import payments as report
from payinfra.report.formats import Format
from tests.unit.recorded_payments.conftest import AT_MS, EAST, item, payment_id

if TYPE_CHECKING:
    from tests.unit.recorded_payments.conftest import RecordedRegions

ONE, OTHER = "a" * 64, "ab" * 32
MARK = {"conflict": {"BOOL": True}}
RECEIPT = {"receipt": {"M": {"region": {"S": EAST}}}}


def claim(number: int, fingerprint: str) -> dict[str, Any]:
    return {
        "payment_id": {"S": payment_id(number)},
        "timestamp": {"N": "0"},
        "fingerprint": {"S": fingerprint},
    }


def displaced(number: int, fingerprint: str) -> dict[str, Any]:
    """A payment that another one, of the same timestamp, has replaced."""
    return {
        "payment_id": {"S": payment_id(number)},
        "timestamp": {"N": "-17"},
        "fingerprint": {"S": fingerprint},
        "payment": {"M": item(number, fingerprint)},
    }


@pytest.fixture
def torn(world: RecordedRegions) -> RecordedRegions:
    """One key in conflict, and one payment that is not."""
    world.places[EAST].items = [
        item(1),
        claim(2, ONE),
        displaced(2, OTHER),
        item(2, ONE, **MARK, **RECEIPT),
    ]
    return world


def found(world: RecordedRegions) -> tuple[Conflict, ...]:
    return conflicts(world.aws, world.outputs.primary, AT_MS, AT_MS + 1000)


def test_it_is_listed_with_both_payments(torn: RecordedRegions) -> None:
    (one,) = found(torn)
    assert one.payment_id == payment_id(2)
    assert [(each.fingerprint, each.holds_key, each.region) for each in one.payments] == [
        (ONE, True, EAST),
        (OTHER, False, "unknown"),
    ]


def test_what_was_decided_is_in_its_place_and_aside_and_is_one_payment(world: RecordedRegions) -> None:
    world.places[EAST].items = [claim(2, ONE), displaced(2, ONE), item(2, ONE)]
    assert [
        each.holds_key for each in conflict(world.aws, world.outputs.primary, payment_id(2)).payments
    ] == [True]


def test_it_is_decided_by_how_a_fingerprint_begins(torn: RecordedRegions) -> None:
    assert resolve(torn.aws, torn.outputs.primary, payment_id(2), "abab") == OTHER
    assert torn.places[EAST].asked == [
        {"operation": "resolve", "payment_id": payment_id(2), "fingerprint": OTHER}
    ]


@pytest.mark.parametrize(
    ("number", "beginning", "says"),
    [(2, "a", "2 payments"), (2, "b", "0 payments"), (3, "a", "0 payments")],
)
def test_but_not_by_a_guess(torn: RecordedRegions, number: int, beginning: str, says: str) -> None:
    with pytest.raises(UsageProblem) as refused:
        resolve(torn.aws, torn.outputs.primary, payment_id(number), beginning)
    assert refused.value.what.startswith(says)
    assert ("There is no such payment." in refused.value.hint) == (number == 3)
    assert torn.places[EAST].asked == []


def shown(found: tuple[Conflict, ...], fmt: Format) -> str:
    file = io.StringIO()
    report.conflicts(Console(file=file, width=300), found, "payinfra conflicts resolve --env demo", fmt)
    return file.getvalue()


def test_the_report(torn: RecordedRegions) -> None:
    text = shown(found(torn), Format.TABLE)
    assert "1250 EUR" in text
    assert ONE[:16] in text
    assert "payinfra conflicts resolve --env demo PAYMENT_ID --keep FINGERPRINT" in text
    (one,) = json.loads(shown(found(torn), Format.JSON))["conflicts"]
    assert [each["fingerprint"] for each in one["payments"]] == [ONE, OTHER]
    assert "No key is in conflict." in shown((), Format.TABLE)


@pytest.mark.parametrize("fmt", Format)
def test_the_decision_is_said(fmt: Format) -> None:
    file = io.StringIO()
    report.resolved(Console(file=file, width=200), "pay_1", ONE, fmt)
    assert ONE in file.getvalue()
