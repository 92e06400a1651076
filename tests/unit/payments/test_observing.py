"""Each request leaves one log line and one set of metrics, and neither holds the body."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

import pytest

if TYPE_CHECKING:
    from tests.unit.payments.conftest import Site


def emitted(text: str) -> list[dict[str, object]]:
    """The metrics in embedded metric format that were written to standard output."""
    return [json.loads(line) for line in text.splitlines()]


def test_one_line_for_a_request(site: Site) -> None:
    made = site.pay(description="very private", metadata={"secret-name": "secret-value"})
    (line,) = site.lines()
    assert {
        name: line[name] for name in ("route", "outcome", "status", "correlation_id", "region", "level")
    } == {
        "route": "POST /payments",
        "outcome": "accepted",
        "status": 201,
        "correlation_id": "request-1",
        "region": "us-east-1",
        "level": "INFO",
    }
    assert line["payment_id"] == made.json()["payment_id"]
    assert line["environment"] == "test"
    for private in ("very private", "secret-name", "secret-value", "customer-7", "order-1", "1250"):
        assert private not in json.dumps(line)


def test_nothing_of_one_request_is_in_the_line_of_the_next(site: Site) -> None:
    site.pay()
    site.request("GET", "/payments", query={"status": "accepted"})
    assert set(site.lines()[1]).isdisjoint({"payment_id", "outcome", "events"})


@pytest.mark.parametrize(("page", "status"), [("/health", 200), ("/evacuation", 404)])
def test_checkers_leave_no_line_and_no_metrics_where_they_are_told_what_they_always_are(
    site: Site, capsys: pytest.CaptureFixture[str], page: str, status: int
) -> None:
    assert site.request("GET", page).status == status
    assert site.lines() == []
    assert emitted(capsys.readouterr().out) == []
    site.pay()
    assert [line["route"] for line in site.lines()] == ["POST /payments"]


def test_a_refusal_names_its_kind(site: Site) -> None:
    site.pay(amount=0)
    assert (site.lines()[0]["outcome"], site.lines()[0]["problem"]) == ("refused", "validation")


@pytest.mark.parametrize("request_context", [None, {}, {"requestId": 7}, "text"])
def test_a_request_without_an_id(site: Site, request_context: object) -> None:
    site.send({"httpMethod": "GET", "path": "/nowhere", "requestContext": request_context})
    assert site.lines()[0]["correlation_id"] == "unknown"


def test_metrics_by_region(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.pay()
    site.pay()
    site.pay(amount=3)
    site.request("GET", "/nowhere")
    sets = emitted(capsys.readouterr().out)
    counted = [sorted({"PaymentsAccepted", "PaymentsReplayed", "PaymentsRefused"} & set(one)) for one in sets]
    assert counted == [["PaymentsAccepted"], ["PaymentsReplayed"], ["PaymentsRefused"], []]
    for one in sets:
        (directive,) = cast("dict[str, list[dict[str, object]]]", one["_aws"])["CloudWatchMetrics"]
        assert directive["Namespace"] == "Payments"
        assert directive["Dimensions"] == [["environment", "region", "service"]]
        assert (one["environment"], one["region"]) == ("test", "us-east-1")
        assert one["RequestLatency"]
