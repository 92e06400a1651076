"""POST /payments: recorded once, answered the same each time, refused with a reason."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import pytest

if TYPE_CHECKING:
    from tests.unit.payments.conftest import Clock, Reply, Site

DAY_MS = 24 * 60 * 60 * 1000


def fields(reply: Reply) -> dict[str, str]:
    """The failing fields of a problem."""
    errors = reply.json()["errors"]
    assert isinstance(errors, list)
    return {error["field"]: error["detail"] for error in errors}


def kind(reply: Reply) -> str:
    """The kind of a problem, after checking that it is one."""
    document = reply.json()
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert document["status"] == reply.status
    assert document["title"]
    assert document["detail"]
    return str(document["type"]).removeprefix("urn:problem:payments:")


def test_a_payment_is_recorded_and_shown(site: Site) -> None:
    reply = site.pay(description="A book", metadata={"order": "17"})
    assert reply.status == 201
    document = reply.json()
    payment_id = document.pop("payment_id")
    assert document == {
        "status": "accepted",
        "amount": 1250,
        "currency": "EUR",
        "customer_id": "customer-7",
        "payment_method": "card",
        "timestamp": site.clock.now_ms,
        "description": "A book",
        "metadata": {"order": "17"},
    }
    assert reply.headers["Location"] == f"payments/{payment_id}"
    assert reply.headers["Cache-Control"] == "no-store"
    assert "Idempotent-Replayed" not in reply.headers


def test_a_new_payment_costs_a_read_a_transaction_and_an_object(site: Site) -> None:
    site.pay()
    assert site.region.calls == ["Query", "TransactWriteItems", "PutObject"]


def test_a_replay_costs_one_read(site: Site) -> None:
    first = site.pay()
    site.region.calls.clear()
    again = site.pay()
    assert site.region.calls == ["Query"]
    assert (again.status, again.text) == (200, first.text)
    assert again.headers["Idempotent-Replayed"] == "true"


def test_the_table_holds_a_claim_and_the_payment_and_who_received_it(site: Site) -> None:
    site.pay(description="A book", metadata={"order": "17"})
    (claim_key, claim), (payment_key, payment) = sorted(site.region.items().items())
    assert claim_key[0] == payment_key[0]
    assert (claim_key[1], payment_key[1]) == (0, site.clock.now_ms)
    assert set(claim) == {"payment_id", "timestamp", "fingerprint"}
    assert set(payment) == set(claim) | {
        "amount", "currency", "customer_id", "payment_method", "status", "description", "metadata", "receipt"
    }  # fmt: skip
    assert claim["fingerprint"] == payment["fingerprint"]


def test_two_regions_write_the_same_items_and_objects(sites: tuple[Site, Site], clock: Clock) -> None:
    primary, secondary = sites
    first = primary.pay(metadata={"b": "2", "a": "1"})
    clock.now_ms += 60_000
    other = secondary.pay(metadata={"a": "1", "b": "2"})
    assert (first.status, other.status) == (201, 201)
    assert first.json() == other.json()
    assert primary.region.objects == secondary.region.objects
    assert without_receipts(primary) == without_receipts(secondary)
    primary.region.deliver(secondary.region)
    secondary.region.deliver(primary.region)
    assert primary.region.items() == secondary.region.items()


def without_receipts(site: Site) -> dict[tuple[str, int], dict[str, object]]:
    """What is in the table but for who received it, and when: only that differs between the regions."""
    return {
        key: {name: value for name, value in item.items() if name != "receipt"}
        for key, item in site.region.items().items()
    }


def test_order_of_members_and_white_space_make_no_other_body(site: Site) -> None:
    first = site.pay()
    spread = json.dumps(dict(reversed(first_body(site).items())), indent=3)
    again = site.pay(body=spread.replace("1250", "1250.0"))
    assert (again.status, again.text) == (200, first.text)


def first_body(site: Site) -> dict[str, object]:
    document = site.pay().json()
    return {name: value for name, value in document.items() if name not in ("payment_id", "status")}


def test_the_same_key_with_another_body_is_refused(site: Site) -> None:
    site.pay()
    refused = site.pay(amount=1251)
    assert (refused.status, kind(refused)) == (422, "idempotency-key-reused")
    payment_id = site.pay().json()["payment_id"]
    assert refused.json()["payment_id"] == payment_id
    assert f"GET payments/{payment_id}" in str(refused.json()["detail"])
    assert "timestamp" not in str(refused.json()["detail"])
    assert len(site.region.items()) == 2


def test_the_same_key_with_another_timestamp_is_another_body(site: Site) -> None:
    site.pay()
    payment_id = site.pay().json()["payment_id"]
    refused = site.pay(timestamp=site.clock.now_ms + 1)
    assert (refused.status, kind(refused)) == (422, "idempotency-key-reused")
    detail = str(refused.json()["detail"])
    assert "differs in its timestamp only" in detail
    assert f"GET payments/{payment_id}" in detail
    assert "a new key makes a second payment" in detail


def test_a_replay_is_answered_however_late(site: Site, clock: Clock) -> None:
    first = site.pay()
    clock.now_ms += 400 * DAY_MS
    again = site.pay(timestamp=first.json()["timestamp"])
    assert (again.status, again.text) == (200, first.text)


@pytest.mark.parametrize("distance", [-DAY_MS, DAY_MS])
def test_a_day_away_is_taken(site: Site, distance: int) -> None:
    assert site.pay(timestamp=site.clock.now_ms + distance).status == 201


@pytest.mark.parametrize("distance", [-DAY_MS - 1, DAY_MS + 1])
def test_more_than_a_day_away_is_refused(site: Site, distance: int) -> None:
    refused = site.pay(timestamp=site.clock.now_ms + distance)
    assert refused.status == 422
    assert fields(refused) == {"/timestamp": "must be at most 24 hours away from now"}
    assert site.region.items() == {}


class TestInFlight:
    def test_the_one_who_loses_the_race_replays(self, site: Site) -> None:
        rival = site.container()

        def race(operation: str) -> None:
            if operation == "TransactWriteItems":
                site.region.before = lambda _operation: None
                rival.make("order-1", body_of(site))

        site.region.before = race
        reply = site.pay()
        assert reply.status == 200
        assert reply.headers["Idempotent-Replayed"] == "true"
        assert len(site.region.items()) == 2

    def test_while_another_attempt_is_under_way(self, site: Site) -> None:
        site.region.refuse(
            "TransactWriteItems", "TransactionCanceledException", reasons=("TransactionConflict",)
        )
        reply = site.pay()
        assert (reply.status, kind(reply)) == (409, "in-flight")
        assert reply.headers["Retry-After"] == "1"


def body_of(site: Site, **changes: object) -> bytes:
    body = {
        "amount": 1250,
        "currency": "EUR",
        "customer_id": "customer-7",
        "payment_method": "card",
        "timestamp": site.clock.now_ms,
    }
    return json.dumps({**body, **changes}).encode()


class TestCutOffRegions:
    def test_a_retry_at_the_other_region_makes_no_second_payment(self, sites: tuple[Site, Site]) -> None:
        primary, secondary = sites
        first, retried = primary.pay(), secondary.pay()
        primary.region.deliver(secondary.region)
        secondary.region.deliver(primary.region)
        assert (first.status, retried.status) == (201, 201)
        assert first.text == retried.text
        assert primary.region.items() == secondary.region.items()
        assert len(primary.region.items()) == 2
        for site in (primary, secondary):
            site.follow()
            assert "IdempotencyConflict" not in site.log.getvalue()

    def test_a_claim_that_arrived_first_is_completed(self, sites: tuple[Site, Site]) -> None:
        primary, secondary = sites
        first = primary.pay()
        primary.region.deliver(secondary.region, count=1)
        retried = secondary.pay()
        assert (retried.status, retried.text) == (200, first.text)
        assert without_receipts(secondary) == without_receipts(primary)

    def test_a_payment_that_arrives_while_it_is_restored(self, sites: tuple[Site, Site]) -> None:
        primary, secondary = sites
        first = primary.pay()
        primary.region.deliver(secondary.region, count=1)

        def arrive(operation: str) -> None:
            if operation == "PutItem":
                primary.region.deliver(secondary.region)

        secondary.region.before = arrive
        assert secondary.pay().text == first.text

    def test_a_payment_that_arrived_first_is_replayed_and_guarded(self, sites: tuple[Site, Site]) -> None:
        primary, secondary = sites
        first = primary.pay()
        primary.region.outbox.reverse()
        primary.region.deliver(secondary.region, count=1)
        assert secondary.pay().text == first.text
        assert secondary.pay(amount=3).status == 422

    def test_a_claim_whose_payment_was_overwritten_is_no_replay(self, sites: tuple[Site, Site]) -> None:
        primary, secondary = sites
        primary.pay(amount=1)
        secondary.pay(amount=2)
        secondary.region.outbox.reverse()
        secondary.region.deliver(primary.region, count=1)  # the payment, and not yet its claim
        reply = primary.pay(amount=1)
        assert (reply.status, kind(reply)) == (409, "conflicting-records")
        assert "Retry-After" not in reply.headers


class TestAudit:
    def test_one_object_says_what_was_recorded(self, site: Site) -> None:
        reply = site.pay(timestamp=site.clock.now_ms)
        ((name, record),) = site.region.objects.items()
        assert name.startswith(f"audit/2027/01/15/{reply.json()['payment_id']}-")
        assert json.loads(record)["payment"] == reply.json()
        (put,) = site.region.puts
        assert put["x-amz-server-side-encryption"] == "aws:kms"
        assert put["x-amz-server-side-encryption-aws-kms-key-id"] == site.config.audit_key_arn
        assert put["if-none-match"] == "*"

    def test_the_payment_stands_without_it_and_a_replay_writes_it(self, site: Site) -> None:
        site.region.refuse("PutObject", "InternalError", status=500)
        first = site.pay()
        assert first.status == 201
        assert site.region.objects == {}
        assert site.lines()[-1]["events"] == ["AuditWriteFailed", "PaymentsAccepted"]
        assert site.lines()[-1]["audit"] == "InternalError"
        site.region.allow()
        assert site.pay().text == first.text
        assert len(site.region.objects) == 1

    def test_the_health_page_tells_of_it_and_moves_nobody(self, site: Site) -> None:
        def said() -> tuple[int, object]:
            reply = site.request("GET", "/health")
            return reply.status, cast("dict[str, object]", reply.json()["checks"])["audit"]

        assert said() == (200, "unseen")
        site.pay()
        assert said() == (200, "ok")
        site.region.refuse("PutObject", "AccessDenied", status=403)
        site.pay(key="another-key-of-this-test")
        assert said() == (200, "failing")
        site.region.allow()
        site.pay(key="a-third-key-of-this-test")
        assert said() == (200, "ok")

    def test_a_new_container_writes_no_second_version(self, site: Site) -> None:
        site.pay()
        site.restart()
        site.region.calls.clear()
        assert site.pay().status == 200
        assert site.region.calls == ["Query", "PutObject"]
        assert len(site.region.puts) == 1
        site.region.calls.clear()
        site.pay()
        assert site.region.calls == ["Query"]

    def test_two_writers_at_once_are_no_failure(self, site: Site) -> None:
        site.region.refuse("PutObject", "ConditionalRequestConflict", status=409)
        assert site.pay().status == 201
        assert site.lines()[-1]["events"] == ["PaymentsAccepted"]
        site.region.allow()
        site.pay()
        assert len(site.region.objects) == 1

    def test_only_so_many_are_remembered(self, site: Site) -> None:
        site.restart(remembered=1)
        site.pay("order-1")
        site.pay("order-2")
        site.region.calls.clear()
        site.pay("order-2")
        assert site.region.calls == ["Query"]
        site.pay("order-1")
        assert site.region.calls == ["Query", "Query", "PutObject"]


class TestKey:
    @pytest.mark.parametrize(
        "key",
        [
            "", " ", "a b", "é", "x" * 256, "line\nbreak", "tab\t", '"', '""', '"a', '"a" ', '"a b"', '"a"b',
            '"a"b"', '"a\\b"', '"' + "x" * 256 + '"', "4111111111111111", "order-4111-1111-1111-1111",
            '"4111111111111111"',
        ],
    )  # fmt: skip
    def test_unusable(self, site: Site, key: str) -> None:
        refused = site.pay(key)
        assert (refused.status, kind(refused)) == (400, "idempotency-key")
        assert list(fields(refused)) == ["Idempotency-Key"]
        assert site.region.calls == []
        assert "4111" not in refused.text + site.log.getvalue()

    @pytest.mark.parametrize("key", ["x", "~!#", "x" * 255, '"' + "x" * 255 + '"', 'a"b', "a,b"])
    def test_usable(self, site: Site, key: str) -> None:
        assert site.pay(key).status == 201

    def test_missing(self, site: Site) -> None:
        refused = site.request("POST", "/payments", headers={"Content-Type": "application/json"}, body="{}")
        assert (refused.status, kind(refused)) == (400, "idempotency-key")

    def test_two_different_ones(self, site: Site) -> None:
        refused = site.send(
            event(site, multi={"idempotency-key": ["a", "b"], "Content-Type": ["application/json"]})
        )
        assert (refused.status, kind(refused)) == (400, "idempotency-key")

    @pytest.mark.parametrize(
        ("bare", "quoted"), [("order-1", '"order-1"'), ('a"b', '"a\\"b"'), ("a\\b", '"a\\\\b"')]
    )
    def test_in_quotes_or_not_it_is_one_key(self, site: Site, bare: str, quoted: str) -> None:
        first = site.pay(bare)
        again = site.pay(quoted)
        assert (first.status, again.status, again.text) == (201, 200, first.text)

    @pytest.mark.parametrize("values", [["k", "k"], ["k", '"k"'], ["k, k"], ['"k",\t"k"']])
    def test_repeated_with_the_same_value_it_is_one(self, site: Site, values: list[str]) -> None:
        first = site.pay("k")
        multi = {"Idempotency-Key": values, "Content-Type": ["application/json", "application/json"]}
        assert site.send(event(site, multi=multi)).text == first.text
        joined = {"Idempotency-Key": ", ".join(values), "Content-Type": "application/json, Application/JSON"}
        body = body_of(site).decode()
        assert site.request("POST", "/payments", headers=joined, body=body).text == first.text

    @pytest.mark.parametrize("values", [["a", "b"], ["a, b"]])
    def test_repeated_with_another_value_it_is_none(self, site: Site, values: list[str]) -> None:
        refused = site.send(event(site, multi={**headers(), "Idempotency-Key": values}))
        assert (refused.status, kind(refused)) == (400, "idempotency-key")

    def test_the_id_follows_from_the_key_alone(self, site: Site) -> None:
        one = site.pay("order-1").json()["payment_id"]
        other = site.pay("order-2").json()["payment_id"]
        assert one != other
        assert one == "pay_" + hashlib.sha256(b"payment\x00order-1").hexdigest()[:40]


def event(site: Site, *, multi: Mapping[str, list[str]], body: str | None = None) -> dict[str, object]:
    return {
        "httpMethod": "POST",
        "path": "/payments",
        "headers": None,
        "multiValueHeaders": multi,
        "body": body_of(site).decode() if body is None else body,
        "isBase64Encoded": False,
    }


class TestBody:
    @pytest.mark.parametrize(
        "body",
        [
            "", "{", "nul", "[]", "1", '"text"', "null", '{"amount": 1, "amount": 2}', '{"amount": NaN}',
            '{"amount": Infinity}', '{"amount": ' + "9" * 5000 + "}", "[" * 20_000, '{"a":' * 10_000,
        ],
    )  # fmt: skip
    def test_malformed(self, site: Site, body: str) -> None:
        refused = site.pay(body=body)
        assert (refused.status, kind(refused)) == (400, "malformed-body")
        assert site.region.calls == []

    @pytest.mark.parametrize("amount", ["1250.0", "1.25e3", "12500e-1", "1250." + "0" * 400])
    def test_the_same_amount_in_other_words(self, site: Site, amount: str) -> None:
        first = site.pay()
        assert site.pay(body=body_of(site).decode().replace("1250", amount)).text == first.text

    @pytest.mark.parametrize(
        "amount", ["1250.0000000000000001", "1249.9999999999999999", "0.1", "1e-400", "1250.5e0", "1e401"]
    )
    def test_no_amount_is_rounded(self, site: Site, amount: str) -> None:
        refused = site.pay(body=body_of(site).decode().replace("1250", amount))
        assert (refused.status, fields(refused)) == (422, {"/amount": "must be an integer"})

    def test_a_large_amount_is_exact(self, site: Site) -> None:
        made = site.pay(body=body_of(site).decode().replace("1250", "9007199254740991.0"))
        assert made.json()["amount"] == 2**53 - 1

    @pytest.mark.parametrize("encoding", ["gzip", "br", "GZIP, identity", "unheard-of"])
    def test_encoded(self, site: Site, encoding: str) -> None:
        refused = site.send(event(site, multi={**headers(), "Content-Encoding": [encoding]}))
        assert (refused.status, kind(refused)) == (415, "unsupported-content-encoding")
        assert refused.headers["Accept-Encoding"] == "identity"
        assert encoding not in refused.text

    @pytest.mark.parametrize("encoding", ["identity", "Identity", ""])
    def test_encoded_as_it_is(self, site: Site, encoding: str) -> None:
        assert site.send(event(site, multi={**headers(), "Content-Encoding": [encoding]})).status == 201

    def test_not_unicode(self, site: Site) -> None:
        raw = base64.b64encode(b'{"amount": "\xff"}').decode()
        sent = {**event(site, multi=headers(), body=raw), "isBase64Encoded": True}
        refused = site.send(sent)
        assert (refused.status, kind(refused)) == (400, "malformed-body")

    def test_base64(self, site: Site) -> None:
        raw = base64.b64encode(body_of(site)).decode()
        assert site.send({**event(site, multi=headers(), body=raw), "isBase64Encoded": True}).status == 201

    @pytest.mark.parametrize("raw", ["a", "\ud800"])
    def test_undecodable(self, site: Site, raw: str) -> None:
        for is_base64 in (True, False):
            sent = {**event(site, multi=headers(), body=raw), "isBase64Encoded": is_base64}
            assert kind(site.send(sent)) == "malformed-body"

    def test_64_kib_and_no_more(self, site: Site) -> None:
        body = body_of(site).decode()
        assert site.pay(body=body + " " * (65536 - len(body))).status == 201
        refused = site.pay(body=body + " " * (65537 - len(body)))
        assert (refused.status, kind(refused)) == (413, "too-large")

    @pytest.mark.parametrize(
        "content_type",
        [
            "application/json",
            "Application/JSON; charset=UTF-8",
            'application/json; charset="utf-8"',
            "application/json;",
        ],
    )
    def test_declared_as_json(self, site: Site, content_type: str) -> None:
        assert site.send(event(site, multi={**headers(), "Content-Type": [content_type]})).status == 201

    @pytest.mark.parametrize(
        "content_type", ["text/plain", "", "application/json; charset=latin-1", "application/jsonp", "json"]
    )
    def test_declared_as_something_else(self, site: Site, content_type: str) -> None:
        refused = site.send(event(site, multi={**headers(), "Content-Type": [content_type]}))
        assert (refused.status, kind(refused)) == (415, "unsupported-media-type")

    def test_declared_as_nothing(self, site: Site) -> None:
        refused = site.send(event(site, multi={"Idempotency-Key": ["k"]}))
        assert refused.status == 415

    def test_every_failing_field_is_named(self, site: Site) -> None:
        refused = site.pay(
            body=json.dumps(
                {
                    "amount": 0,
                    "currency": "eur",
                    "customer_id": "customer 7\n",
                    "payment_method": "cash",
                    "description": "x" * 501,
                    "metadata": {"ok": "fine", "n" * 41: "x", "number": 3, "a/b~c": "v" * 501},
                    "extra/field~": 1,
                }
            )
        )
        assert (refused.status, kind(refused)) == (422, "validation")
        assert fields(refused) == {
            "/amount": "must be at least 1",
            "/currency": "must be one of the codes that the API's document lists",
            "/customer_id": "must have 1 to 64 letters, digits and characters of _ . : - "
            "and begin with a letter or digit",
            "/payment_method": "must be one of card, bank_transfer, wallet",
            "/timestamp": "is required",
            "/description": "must have at most 500 characters",
            "/metadata (name of entry 2)": "must have at most 40 characters",
            "/metadata (value of entry 3)": "must be a string",
            "/metadata (value of entry 4)": "must have at most 500 characters",
            "(member 7)": "is not a known field",
        }

    @pytest.mark.parametrize(
        ("field", "value", "detail"),
        [
            ("amount", "1", "must be an integer"),
            ("amount", True, "must be an integer"),
            ("amount", 1.5, "must be an integer"),
            ("amount", 1e300, "must be at most 9007199254740991"),
            ("amount", 4111111111111111, "must not contain what looks like a card number"),
            ("amount", 2**53, "must be at most 9007199254740991"),
            ("currency", "XXX", "must be one of the codes that the API's document lists"),
            ("currency", None, "must be a string"),
            ("description", "", "must have at least 1 character"),
            ("metadata", [], "must be an object"),
            ("metadata", {str(n): "" for n in range(21)}, "must have at most 20 entries"),
            ("description", "\ud800", "must be Unicode text; it has half of a surrogate pair"),
            ("description", "4111 1111 1111 1111", "must not contain what looks like a card number"),
        ],
    )
    def test_one_failing_field(self, site: Site, field: str, value: object, detail: str) -> None:
        refused = site.pay(body=body_of(site, **{field: value}).decode())
        assert refused.status == 422
        assert fields(refused) == {f"/{field}": detail}
        assert refused.json()["detail"] == "One field is not valid."
        assert site.region.calls == []

    @pytest.mark.parametrize("metadata", [{"card": "4111111111111111"}, {"4111111111111111": "card"}])
    def test_card_numbers_in_metadata_are_refused_and_not_repeated(
        self, site: Site, metadata: dict[str, str]
    ) -> None:
        refused = site.pay(metadata=metadata)
        assert refused.status == 422
        assert "card number" in refused.text
        assert "4111" not in refused.text + site.log.getvalue()
        assert site.region.calls == []

    def test_empty_metadata_is_kept_and_is_not_the_same_as_none(self, site: Site) -> None:
        first = site.pay(metadata={})
        assert first.json()["metadata"] == {}
        assert site.pay(metadata={}).text == first.text
        assert site.pay().status == 422


def headers() -> dict[str, list[str]]:
    return {"Idempotency-Key": ["k"], "Content-Type": ["application/json"]}
