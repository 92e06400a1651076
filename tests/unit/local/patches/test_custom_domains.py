"""A custom domain of API Gateway says whether it can be used."""

import json

import pytest

from payinfra.local.server.asgi import AsgiResponse, HttpRequest
from payinfra.local.server.patches.api_gateway import domain_is_available

DOMAIN = json.dumps({"domainName": "pay.example.com"}).encode()


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/domainnames/pay.example.com"), ("POST", "/domainnames")]
)
def test_a_domain_is_available_once_it_is_there(method: str, path: str) -> None:
    answer = domain_is_available(HttpRequest(method, path), AsgiResponse(200, (), DOMAIN), "us-east-1")
    assert json.loads(answer.body) == {"domainName": "pay.example.com", "domainNameStatus": "AVAILABLE"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/domainnames", b'{"item": []}'),
        ("/domainnames/none", b'{"message": "Invalid domain name identifier specified"}'),
        ("/restapis/a", DOMAIN),
    ],
)
def test_nothing_else_is_touched(path: str, body: bytes) -> None:
    given = AsgiResponse(200, (), body)
    assert domain_is_available(HttpRequest("GET", path), given, "us-east-1") is given
