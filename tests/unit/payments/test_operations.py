"""What operators and a settlement worker ask by invoking the function, and how events are told apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import pytest

from handlers.payments import handler, operations

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from tests.unit.payments.conftest import Site


def move(
    site: Site, payment_id: object, status: str = "settled", reference: str = "batch-1"
) -> dict[str, object]:
    return site.operate(operation="move", payment_id=payment_id, status=status, reference=reference)


def problem(answer: dict[str, object]) -> tuple[object, object]:
    """The status and the kind of a refusal."""
    document = cast("dict[str, object]", answer["problem"])
    assert document["request_id"] == "invocation-1"
    return document["status"], str(document["type"]).removeprefix("urn:problem:payments:")


class TestMove:
    @pytest.mark.parametrize("status", ["settled", "failed"])
    def test_an_accepted_payment_is_settled_or_fails(self, site: Site, status: str) -> None:
        made = site.pay()
        assert move(site, made.json()["payment_id"], status) == {"payment": made.json() | {"status": status}}
        listed = site.request("GET", "/payments", query={"status": status})
        assert listed.json()["payments"] == [made.json() | {"status": status}]
        assert site.request("GET", "/payments", query={"status": "accepted"}).json()["payments"] == []

    def test_to_ask_again_changes_nothing(self, site: Site) -> None:
        payment_id = site.pay().json()["payment_id"]
        first = move(site, payment_id)
        before = site.region.items()
        site.region.calls.clear()
        assert move(site, payment_id) == first
        assert site.region.items() == before
        assert site.region.calls == ["Query"]

    @pytest.mark.parametrize(
        ("status", "reference"),
        [("settled", "batch-2"), ("failed", "batch-1"), ("accepted", "batch-1"), ("refunded", "batch-1")],
    )
    def test_no_arrow_leads_there(self, site: Site, status: str, reference: str) -> None:
        payment_id = site.pay().json()["payment_id"]
        move(site, payment_id)
        before = site.region.items()
        assert problem(move(site, payment_id, status, reference)) == (422, "no-transition")
        assert site.region.items() == before

    def test_of_two_workers_one_wins(self, site: Site) -> None:
        payment_id = site.pay().json()["payment_id"]

        def race(operation: str) -> None:
            if operation == "UpdateItem":
                site.region.allow()
                move(site, payment_id, "failed", "rival")

        site.region.before = race
        assert problem(move(site, payment_id)) == (422, "no-transition")
        assert site.request("GET", f"/payments/{payment_id}").json()["status"] == "failed"

    def test_two_attempts_of_one_worker_are_one(self, site: Site) -> None:
        payment_id = site.pay().json()["payment_id"]

        def race(operation: str) -> None:
            if operation == "UpdateItem":
                site.region.allow()
                move(site, payment_id)

        site.region.before = race
        answer = cast("dict[str, dict[str, object]]", move(site, payment_id))
        assert answer["payment"]["status"] == "settled"

    def test_what_is_not_there(self, site: Site) -> None:
        for payment_id in ("pay_" + "0" * 40, "pay_1"):
            assert problem(move(site, payment_id)) == (404, "payment-not-found")

    def test_a_table_that_does_not_answer(self, site: Site) -> None:
        payment_id = site.pay().json()["payment_id"]
        site.region.refuse("UpdateItem", "ThrottlingException")
        assert problem(move(site, payment_id)) == (503, "unavailable")
        line = site.lines()[-1]
        assert (line["route"], line["dependency"], line["status"]) == ("operation", "table", 503)


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"operation": "refund"},
        {"operation": None},
        {"operation": "move", "payment_id": "p", "status": "settled"},
        {"operation": "move", "payment_id": "p", "status": "settled", "reference": ""},
        {"operation": "move", "payment_id": "p", "status": "settled", "reference": "x" * 129},
        {"operation": "audit", "payment_ids": ["p"] * 101},
        {"operation": "audit", "payment_ids": "p"},
        {"operation": "resolve", "payment_id": "p"},
    ],
)
def test_what_is_no_operation(site: Site, event: dict[str, object]) -> None:
    assert problem(site.operate(**event)) == (400, "malformed-body")
    assert site.region.calls == []


def test_nothing_of_the_gateway_or_a_stream_is_an_operation() -> None:
    assert operations.is_operation({"operation": "audit"})
    for event in ({}, {"operation": "audit", "httpMethod": "POST"}, {"operation": "audit", "Records": []}):
        assert not operations.is_operation(event)


@dataclass
class Context:
    """The part of Lambda's context that is asked for."""

    aws_request_id: str = "invocation-1"


def test_the_handler_performs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "TABLE_NAME",
        "AUDIT_BUCKET",
        "AUDIT_KEY_ARN",
        "CURSOR_SECRET_PARAMETER",
        "EVACUATED_PARAMETER",
        "PEER_REGION",
        "ENVIRONMENT",
    ):
        monkeypatch.setenv(name, "x")
    for name, value in (
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "k"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
    ):
        monkeypatch.setenv(name, value)
    handler.application.cache_clear()
    answer = handler.handle({"operation": "refund"}, cast("LambdaContext", Context()))
    assert problem(answer) == (400, "malformed-body")
    handler.application.cache_clear()
