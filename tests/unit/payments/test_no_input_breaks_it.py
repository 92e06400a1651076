"""Whatever is sent, the answer is below 500, is well formed and, for a payment, is the same again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.payments import validation

if TYPE_CHECKING:
    from tests.unit.payments.conftest import Reply, Site

SHARED = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
TEXT = st.text(max_size=30)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from([*cast("dict[str, object]", validation.load("payment")["properties"])])
PARAMETERS = st.sampled_from(["status", "customer_id", "from", "to", "limit", "cursor", "other"])
HEADERS = st.sampled_from(["Idempotency-Key", "Content-Type", "Origin", "X-Other", ""])


def judge(reply: Reply) -> None:
    assert reply.status < 500, reply.text
    if reply.status >= 400:
        assert reply.headers["Content-Type"] == "application/problem+json"
        assert {"type", "title", "status", "detail"} <= set(reply.json())


@SHARED
@given(changes=st.dictionaries(FIELDS | TEXT, JSON_VALUES, max_size=4), key=TEXT)
def test_any_body(site: Site, changes: dict[str, object], key: str) -> None:
    judge(site.pay(key))
    document = {**json.loads(body(site)), **changes}
    judge(site.pay("key", body=json.dumps(document)))


@SHARED
@given(
    text=st.text(max_size=200), is_base64=st.booleans(), headers=st.dictionaries(HEADERS, st.none() | TEXT)
)
def test_any_event(site: Site, text: str, is_base64: bool, headers: dict[str, str | None]) -> None:
    given_headers = {"Idempotency-Key": "k", "Content-Type": "application/json", **headers}
    event = {"httpMethod": "POST", "path": "/payments", "headers": given_headers, "body": text}
    judge(site.send({**event, "isBase64Encoded": is_base64}))


@SHARED
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "ODD"]),
    path=st.sampled_from(["/payments", "/health"]) | TEXT.map(lambda text: f"/payments/{text}") | TEXT,
    query=st.none() | st.dictionaries(PARAMETERS, st.none() | TEXT | st.integers().map(str), max_size=3),
)
def test_any_request(site: Site, method: str, path: str, query: dict[str, str | None] | None) -> None:
    judge(site.send({"httpMethod": method, "path": path, "queryStringParameters": query}))


@SHARED
@given(
    key=st.text(
        alphabet=st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=255
    ).filter(lambda key: not key.startswith('"')),
    amount=st.integers(1, 2**53 - 1),
    currency=st.sampled_from(["EUR", "USD", "JPY"]),
    shift=st.integers(-86_400_000, 86_400_000),
    description=st.none()
    | st.text(alphabet=st.characters(exclude_categories=["Cs", "Nd", "No"]), min_size=1, max_size=500),
)
def test_a_replay_is_the_first_answer(
    site: Site, key: str, amount: int, currency: str, shift: int, description: str | None
) -> None:
    site.region.reset()
    changes: dict[str, object] = {
        "amount": amount,
        "currency": currency,
        "timestamp": site.clock.now_ms + shift,
    }
    if description is not None:
        changes["description"] = description
    sent = json.dumps({**json.loads(body(site)), **changes})
    first = site.pay(key, body=sent)
    site.restart()
    again = site.pay(key, body=sent)
    shown = site.request("GET", f"/payments/{first.json()['payment_id']}")
    assert (first.status, again.status, shown.status) == (201, 200, 200)
    assert first.text == again.text == shown.text
    assert len(site.region.items()) == 2
    assert len(site.region.puts) == 1


def body(site: Site) -> str:
    return json.dumps(
        {
            "amount": 1,
            "currency": "EUR",
            "customer_id": "c",
            "payment_method": "wallet",
            "timestamp": site.clock.now_ms,
        }
    )
