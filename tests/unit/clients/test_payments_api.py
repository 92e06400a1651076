"""Requests to the payments API, as its clients make them."""

import json

import httpx
import pytest

from handlers.payments import app
from payinfra.clients import canary
from payinfra.clients.aws_errors import NotYet
from payinfra.clients.http import HttpxHttp
from payinfra.clients.payments_api import (
    REGION_HEADER,
    REPLAYED_HEADER,
    PaymentRequest,
    PaymentsApi,
    health_url,
    payment_body,
    payment_id_of,
)
from payinfra.drill.load import payments as drill

URL = "https://api.example/prod/payments"
SECRET = "the-secret-key"


class Server:
    """Answers every request with one status, and keeps what was asked."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.requests: list[httpx.Request] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(self.status, json={"payment_id": "pay_1", "title": "as asked"})

    def api(self, key: str = SECRET, name: str = "", **headers: str) -> PaymentsApi:
        http = HttpxHttp(httpx.Client(transport=httpx.MockTransport(self.answer)))
        return PaymentsApi(http, URL, key, headers, name)


PAYMENT = PaymentRequest("key-1", payment_body("customer", 17, {"a": "b"}))


def test_a_payment_carries_its_keys_and_its_body() -> None:
    server = Server(201)
    assert server.api(Host="name.example").pay(PAYMENT).status == 201
    (request,) = server.requests
    assert (request.method, str(request.url)) == ("POST", URL)
    assert request.headers["x-api-key"] == SECRET
    assert request.headers["Idempotency-Key"] == "key-1"
    assert request.headers["Host"] == "name.example"
    assert json.loads(request.content) == {
        "amount": 1,
        "currency": "USD",
        "customer_id": "customer",
        "payment_method": "wallet",
        "timestamp": 17,
        "metadata": {"a": "b"},
    }


@pytest.mark.parametrize("status", [202, 403, 409, 500])
def test_a_payment_that_was_not_recorded_may_be_tried_again(status: int) -> None:
    with pytest.raises(NotYet, match=f"^by name: POST /payments with the key answered {status}: "):
        Server(status).api(name="by name: ").pay(PAYMENT)


def test_reading_a_payment_takes_the_key() -> None:
    server = Server()
    assert server.api().read("pay_1").fields()["payment_id"] == "pay_1"
    assert (str(server.requests[0].url), server.requests[0].headers["x-api-key"]) == (f"{URL}/pay_1", SECRET)
    with pytest.raises(NotYet, match="GET /payments/pay_1 answered 404"):
        Server(404).api().read("pay_1")
    assert Server(404).api().get("pay_1").status == 404


def test_without_a_key_none_is_sent() -> None:
    server = Server(403)
    api = server.api(key="")
    assert (api.post({}).status, api.health().status, api.get("x").status) == (403, 403, 403)
    assert all("x-api-key" not in request.headers for request in server.requests)
    assert [str(request.url) for request in server.requests] == [URL, health_url(URL), f"{URL}/x"]


def test_the_health_page_is_beside_the_payments() -> None:
    assert health_url(URL) == "https://api.example/prod/health"


def test_no_representation_shows_the_key() -> None:
    assert SECRET not in repr(Server().api())


def test_the_id_of_a_payment_is_the_one_that_the_drill_computes_too() -> None:
    assert PAYMENT.payment_id == payment_id_of("key-1") == drill.payment_id("key-1")


def test_the_headers_are_the_functions() -> None:
    assert set(app._EXPOSED) >= {REPLAYED_HEADER, "Location", REGION_HEADER, "Retry-After"}
    assert app.REGION_HEADER == REGION_HEADER


def test_a_canary_payment_is_its_environments() -> None:
    one = canary.payment("demo", "here", 17, {"canary": "run"})
    assert one.key == "payinfra-canary-here"
    assert one.body["customer_id"] == canary.customer("demo")
    assert one.body["metadata"] == {"canary": "run", "environment": "demo"}
    assert one == canary.payment("demo", "here", 17, {"canary": "run"})
