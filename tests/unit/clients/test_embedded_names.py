"""Requests to names that only the embedded AWS knows."""

import httpx
import pytest

from payinfra.clients.aws import Endpoints
from payinfra.clients.http import EmbeddedNames, embedded_certificate_end, trusting
from payinfra.core.https_address import HttpsAddress

HTTPS = {"us-west-2": HttpsAddress("127.0.0.2", "127.0.0.1:4569")}
HERE = Endpoints({}, "", "127.0.0.1:1", https=HTTPS)
OWN = "abc.execute-api.us-west-2.amazonaws.com"
ELSEWHERE = "abc.execute-api.us-east-1.amazonaws.com"


def test_a_request_goes_to_the_regions_port_and_keeps_its_name() -> None:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200)

    with httpx.Client(transport=EmbeddedNames(HERE, httpx.MockTransport(answer))) as client:
        assert client.post(f"https://{OWN}/payments", json={"a": 1}).status_code == 200
    (request,) = sent
    assert str(request.url) == "https://127.0.0.1:4569/payments"
    assert (request.headers["host"], request.extensions["sni_hostname"]) == (OWN, OWN)
    assert request.read() == b'{"a":1}'


def test_a_name_of_a_region_that_serves_none_is_not_connected_to() -> None:
    transport = EmbeddedNames(HERE, httpx.MockTransport(lambda _request: httpx.Response(200)))
    with httpx.Client(transport=transport) as client, pytest.raises(httpx.ConnectError, match=ELSEWHERE):
        client.get(f"https://{ELSEWHERE}/")
    with pytest.raises(OSError, match=ELSEWHERE):
        embedded_certificate_end(HERE, ELSEWHERE, 443)


def test_an_address_is_of_the_region_that_listens_for_it() -> None:
    assert (HERE.region_at("127.0.0.2"), HERE.region_at("127.0.0.9")) == ("us-west-2", None)
    assert HERE.listens("127.0.0.2") == "127.0.0.1:4569"


def test_an_authority_that_is_not_there_is_not_passed_over() -> None:
    with pytest.raises(OSError, match="No such file"):
        trusting("/no/such/authority.pem")
