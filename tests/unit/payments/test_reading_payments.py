"""GET: one payment, lists of payments, health, and what is not there."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, cast

import pytest
from botocore.exceptions import ReadTimeoutError

from handlers.payments import __version__, handler

if TYPE_CHECKING:
    from tests.unit.payments.conftest import Clock, Reply, Site


def listed(reply: Reply) -> list[int]:
    """The amounts of a list's payments, in order."""
    assert reply.status == 200, reply.text
    return [payment["amount"] for payment in cast("list[dict[str, int]]", reply.json()["payments"])]


def failing(reply: Reply) -> dict[str, str]:
    assert (reply.status, reply.headers["Content-Type"]) == (422, "application/problem+json")
    return {error["field"]: error["detail"] for error in cast("list[dict[str, str]]", reply.json()["errors"])}


def fill(site: Site, count: int) -> None:
    """Payments of amounts 1, 2, 3 …, each a millisecond after the other."""
    for amount in range(1, count + 1):
        site.pay(f"order-{amount}", amount=amount, timestamp=site.clock.now_ms + amount)


class TestOne:
    def test_is_what_was_answered_to_its_maker(self, site: Site) -> None:
        made = site.pay(description="A book", metadata={"a": "1"})
        shown = site.request("GET", f"/payments/{made.json()['payment_id']}")
        assert (shown.status, shown.text) == (200, made.text)

    @pytest.mark.parametrize("payment_id", ["pay_" + "0" * 40, "pay_1", "4111111111111111", "health"])
    def test_is_not_there(self, site: Site, payment_id: str) -> None:
        missing = site.request("GET", f"/payments/{payment_id}")
        assert missing.status == 404
        assert missing.json()["type"] == "urn:problem:payments:payment-not-found"
        assert f"/{payment_id}" not in site.log.getvalue()

    def test_a_claim_is_no_payment(self, sites: tuple[Site, Site]) -> None:
        primary, secondary = sites
        made = primary.pay()
        primary.region.deliver(secondary.region, count=1)
        assert secondary.request("GET", f"/payments/{made.json()['payment_id']}").status == 404

    def test_a_payment_is_shown_before_its_claim_arrives(self, sites: tuple[Site, Site]) -> None:
        primary, secondary = sites
        made = primary.pay()
        primary.region.outbox.reverse()
        primary.region.deliver(secondary.region, count=1)
        assert secondary.request("GET", f"/payments/{made.json()['payment_id']}").text == made.text


class TestList:
    def test_by_status_in_order_of_time_without_claims(self, site: Site) -> None:
        fill(site, 3)
        reply = site.request("GET", "/payments", query={"status": "accepted"})
        assert listed(reply) == [1, 2, 3]
        assert "next_cursor" not in reply.json()

    def test_by_customer(self, site: Site) -> None:
        site.pay("a", customer_id="x", amount=1)
        site.pay("b", customer_id="y", amount=2)
        assert listed(site.request("GET", "/payments", query={"customer_id": "y"})) == [2]

    def test_bounds_are_inclusive(self, site: Site) -> None:
        fill(site, 5)
        query = {"status": "accepted", "from": str(site.clock.now_ms + 2), "to": str(site.clock.now_ms + 4)}
        assert listed(site.request("GET", "/payments", query=query)) == [2, 3, 4]

    def test_never_scans_and_needs_no_secret_for_one_page(self, site: Site) -> None:
        site.request("GET", "/payments", query={"status": "accepted"})
        assert set(site.region.calls) == {"Query"}

    def test_pages_go_on_where_the_last_one_ended_in_either_region(self, sites: tuple[Site, Site]) -> None:
        primary, secondary = sites
        fill(primary, 5)
        primary.region.deliver(secondary.region)
        seen: list[int] = []
        query = {"customer_id": "customer-7", "limit": "2"}
        for asked in (primary, secondary, primary):
            reply = asked.request("GET", "/payments", query=query)
            seen += listed(reply)
            cursor = reply.json().get("next_cursor")
            if isinstance(cursor, str):
                query["cursor"] = cursor
        assert seen == [1, 2, 3, 4, 5]
        assert cursor is None

    def test_a_page_has_25_payments(self, site: Site) -> None:
        fill(site, 26)
        assert len(listed(site.request("GET", "/payments", query={"status": "accepted"}))) == 25

    def test_the_secret_is_read_once_in_five_minutes(self, site: Site, clock: Clock) -> None:
        fill(site, 2)
        query = {"status": "accepted", "limit": "1"}
        for _ in range(2):
            site.request("GET", "/payments", query=query)
        assert site.region.calls.count("GetParameter") == 1
        clock.now_ms += 5 * 60 * 1000
        site.request("GET", "/payments", query=query)
        assert site.region.calls.count("GetParameter") == 2

    def test_a_cursor_of_another_list_is_refused(self, site: Site) -> None:
        fill(site, 2)
        first = site.request("GET", "/payments", query={"status": "accepted", "limit": "1"})
        cursor = str(first.json()["next_cursor"])
        refused = site.request("GET", "/payments", query={"customer_id": "customer-7", "cursor": cursor})
        assert failing(refused) == {"cursor": "must be next_cursor of an answer to this list"}

    def test_a_cursor_of_another_secret_is_refused(self, site: Site) -> None:
        fill(site, 2)
        first = site.request("GET", "/payments", query={"status": "accepted", "limit": "1"})
        site.region.sealing = "rotated"
        site.restart()
        query = {"status": "accepted", "limit": "1", "cursor": str(first.json()["next_cursor"])}
        assert list(failing(site.request("GET", "/payments", query=query))) == ["cursor"]

    @pytest.mark.parametrize(
        ("query", "wrong"),
        [
            ({}, {"status": "exactly one of status and customer_id must be there"}),
            (
                {"status": "accepted", "customer_id": "c"},
                {"status": "exactly one of status and customer_id must be there"},
            ),
            ({"status": "lost"}, {"status": "must be one of accepted, settled, failed"}),
            ({"customer_id": ""}, {"customer_id": "must have at least 1 character"}),
            (
                {"customer_id": "4111111111111111"},
                {"customer_id": "must not contain what looks like a card number"},
            ),
            ({"status": "accepted", "limit": "0"}, {"limit": "must be at least 1"}),
            ({"status": "accepted", "limit": "101"}, {"limit": "must be at most 100"}),
            ({"status": "accepted", "limit": "²"}, {"limit": "must be an integer"}),
            ({"status": "accepted", "from": "-1"}, {"from": "must be an integer"}),
            ({"status": "accepted", "to": "9" * 18}, {"to": "must be at most 253402300799999"}),
            ({"status": "accepted", "from": "5", "to": "4"}, {"from": "must not be after to"}),
            ({"status": "accepted", "cursor": "?"}, {"cursor": "must have letters, digits, - and _ only"}),
            ({"status": "accepted", "form": "1"}, {"(parameter 2)": "is not a known parameter"}),
            (
                {"status": "accepted", "limit": "x", "to": "0"},
                {"limit": "must be an integer", "to": "must be at least 1"},
            ),
        ],
    )
    def test_a_query_that_makes_no_sense(
        self, site: Site, query: dict[str, str], wrong: dict[str, str]
    ) -> None:
        assert failing(site.request("GET", "/payments", query=query)) == wrong
        assert site.region.calls == []

    def test_both_forms_of_a_query_are_one(self, site: Site) -> None:
        fill(site, 2)
        several = {"status": ["accepted"], "limit": ["1"]}
        event = {
            "httpMethod": "GET",
            "path": "/payments",
            "queryStringParameters": {"status": "accepted", "limit": "1", "odd": None},
            "multiValueQueryStringParameters": several,
        }
        assert listed(site.send(event)) == [1]

    def test_a_parameter_that_is_there_twice(self, site: Site) -> None:
        several = {"status": ["accepted", "accepted"], "limit": ["1"], "odd": None}
        event = {"httpMethod": "GET", "path": "/payments", "multiValueQueryStringParameters": several}
        assert failing(site.send(event)) == {"status": "must be there once"}


class TestHealth:
    def test_says_where_and_which(self, site: Site) -> None:
        reply = site.request("GET", "/health")
        assert reply.status == 200
        assert reply.json() == {
            "status": "ok",
            "region": "us-east-1",
            "version": __version__,
            "checks": {"table": "ok", "write": "ok", "audit": "unseen"},
        }
        assert site.region.calls == ["PutItem", "Query"]

    def test_a_table_that_never_answers(self, site: Site) -> None:
        """Not even a time-out comes: the name does not resolve, say."""
        answered = threading.Event()
        site.region.before = lambda _operation: cast(None, answered.wait())
        app = handler.compose(site.config, site.clients, site.observer)
        answer = app.answer({"httpMethod": "GET", "path": "/health"})
        assert not answered.is_set()
        answered.set()
        assert answer["statusCode"] == 503
        assert site.lines()[-1]["reason"] == "Overdue"

    def test_a_table_out_of_reach(self, site: Site) -> None:
        def silent(_operation: str) -> None:
            raise ReadTimeoutError(endpoint_url="https://secret-endpoint.example")

        site.region.before = silent
        reply = site.request("GET", "/health")
        assert (reply.status, reply.headers["Retry-After"]) == (503, "2")
        assert reply.headers["Content-Type"] == "application/problem+json"
        assert reply.json()["checks"] == {"table": "unreachable"}
        assert reply.json()["region"] == "us-east-1"
        assert "secret-endpoint" not in reply.text


class TestDependencies:
    @pytest.mark.parametrize("operation", ["Query", "TransactWriteItems"])
    def test_throttling_is_503_with_retry_after(self, site: Site, operation: str) -> None:
        site.region.refuse(operation, "ThrottlingException")
        reply = site.pay()
        assert (reply.status, reply.headers["Retry-After"]) == (503, "2")
        assert reply.json()["type"] == "urn:problem:payments:unavailable"
        line = site.lines()[-1]
        assert (line["dependency"], line["reason"], line["outcome"]) == (
            "table",
            "ThrottlingException",
            "unavailable",
        )
        assert line["events"] == ["DependencyUnavailable"]

    def test_a_transaction_cancelled_for_another_reason(self, site: Site) -> None:
        site.region.refuse(
            "TransactWriteItems", "TransactionCanceledException", reasons=("ThrottlingError", "None")
        )
        assert site.pay().status == 503

    def test_a_restored_payment_that_cannot_be_written(self, sites: tuple[Site, Site]) -> None:
        primary, secondary = sites
        primary.pay()
        primary.region.deliver(secondary.region, count=1)
        secondary.region.refuse("PutItem", "InternalServerError", status=500)
        assert secondary.pay().status == 503

    def test_a_list_and_its_secret(self, site: Site) -> None:
        fill(site, 2)
        query = {"status": "accepted", "limit": "1"}
        site.region.refuse("GetParameter", "AccessDeniedException")
        assert site.request("GET", "/payments", query=query).status == 503
        assert site.lines()[-1]["dependency"] == "parameter"
        site.region.refuse("Query", "AccessDeniedException")
        assert site.request("GET", "/payments", query=query).status == 503
        assert site.lines()[-1]["dependency"] == "table"

    def test_every_problem_names_its_request(self, site: Site) -> None:
        refused = [site.pay(amount=0), site.request("GET", "/nowhere"), site.request("PUT", "/payments")]
        site.region.refuse("Query", "ThrottlingException")
        refused += [site.pay(), site.request("GET", "/health")]
        site.region.before = lambda _operation: cast(None, 1 // 0)
        refused.append(site.pay())
        assert [reply.status for reply in refused] == [422, 404, 405, 503, 503, 500]
        assert {reply.json()["request_id"] for reply in refused} == {"request-1"}
        assert {reply.headers["Cache-Control"] for reply in refused} == {"no-store"}

    def test_neither_names_nor_arns_reach_the_client(self, site: Site) -> None:
        site.region.refuse("Query", "AccessDeniedException")
        text = site.pay().text
        for inside in ("arn:", "table", "AccessDenied", "Traceback", site.config.audit_bucket + "-"):
            assert inside not in text


class TestRoutes:
    @pytest.mark.parametrize(
        ("method", "path", "allowed"),
        [
            ("PUT", "/payments", "GET, POST"),
            ("OPTIONS", "/payments", "GET, POST"),
            ("POST", "/payments/pay_1", "GET"),
            ("HEAD", "/payments", "GET, POST"),
            ("DELETE", "/payments/pay_1", "GET"),
            ("POST", "/health", "GET"),
        ],
    )
    def test_a_method_that_is_not_known(self, site: Site, method: str, path: str, allowed: str) -> None:
        site.restart(cors_origins=())
        refused = site.request(method, path)
        assert (refused.status, refused.headers["Allow"]) == (405, allowed)
        assert refused.json()["type"] == "urn:problem:payments:method-not-allowed"

    @pytest.mark.parametrize("path", ["/", "/payment", "/payments/a/b", "", "/healthy"])
    def test_a_path_that_is_not_known(self, site: Site, path: str) -> None:
        refused = site.request("GET", path)
        assert refused.status == 404
        assert refused.headers["Content-Type"] == "application/problem+json"

    @pytest.mark.parametrize("origin", ["https://shop.example", "https://desk.example"])
    def test_pages_of_configured_origins_may_read_answers(self, site: Site, origin: str) -> None:
        for path, status in (("/health", 200), ("/nowhere", 404)):
            reply = site.request("GET", path, headers={"Origin": origin})
            assert reply.status == status
            assert reply.headers["Access-Control-Allow-Origin"] == origin
            exposed = reply.headers["Access-Control-Expose-Headers"].split(",")
            assert {"Idempotent-Replayed", "Payment-Region"} <= {name.strip() for name in exposed}

    def test_preflight(self, site: Site) -> None:
        reply = site.request("OPTIONS", "/payments", headers={"Origin": "https://shop.example"})
        assert reply.status == 204
        assert "POST" in reply.headers["Access-Control-Allow-Methods"]
        sent = reply.headers["Access-Control-Allow-Headers"].split(",")
        assert set(sent) == {"Content-Type", "Idempotency-Key", "X-Api-Key"}
        assert reply.text == ""
        assert "Content-Type" not in reply.headers

    def test_other_pages_may_not(self, site: Site) -> None:
        reply = site.request("GET", "/health", headers={"Origin": "https://elsewhere.example"})
        assert not [name for name in reply.headers if name.startswith("Access-Control")]

    def test_by_default_no_page_may(self, site: Site) -> None:
        site.restart(cors_origins=())
        reply = site.request("GET", "/health", headers={"Origin": "https://shop.example"})
        assert not [name for name in reply.headers if name.startswith("Access-Control")]


class TestWhoServed:
    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/health", 200),
            ("GET", "/payments/pay_1", 404),
            ("POST", "/payments", 400),
            ("PUT", "/payments", 405),
            ("GET", "/nowhere", 404),
            ("OPTIONS", "/payments", 204),
        ],
    )
    def test_every_answer_names_its_region(
        self, sites: tuple[Site, Site], method: str, path: str, status: int
    ) -> None:
        for site in sites:
            reply = site.request(method, path, headers={"Origin": "https://shop.example"})
            assert (reply.status, reply.headers["Payment-Region"]) == (status, site.region.name)

    def test_a_payment_and_its_replay_elsewhere_differ_in_nothing_else(
        self, sites: tuple[Site, Site]
    ) -> None:
        primary, secondary = sites
        first = primary.pay()
        primary.region.deliver(secondary.region)
        again = secondary.pay()
        assert (first.headers["Payment-Region"], again.headers["Payment-Region"]) == (
            primary.region.name,
            secondary.region.name,
        )
        assert again.text == first.text


class TestBugs:
    def test_a_bug_is_a_problem_without_a_trace(self, site: Site) -> None:
        def broken(_operation: str) -> None:
            raise ZeroDivisionError("4111111111111111")

        site.region.before = broken
        reply = site.pay()
        assert reply.status == 500
        assert reply.json()["type"] == "urn:problem:payments:unexpected"
        assert "ZeroDivision" not in reply.text
        line = site.lines()[-1]
        assert (line["exception"], line["level"], line["events"]) == (
            "ZeroDivisionError",
            "ERROR",
            ["RequestsFailed"],
        )
        assert "broken" in json.dumps(line["frames"])
        assert "4111111111111111" not in site.log.getvalue()

    def test_an_event_of_no_gateway(self, site: Site) -> None:
        reply = site.send({"version": "2.0"})
        assert (reply.status, reply.headers["Content-Type"]) == (500, "application/problem+json")
        assert reply.headers["Payment-Region"] == site.region.name
        assert site.lines()[-1]["exception"] == "KeyError"
