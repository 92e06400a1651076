"""Which regions answer nothing."""

from types import SimpleNamespace
from typing import Any

import httpx

from payinfra.clients.aws import Aws, Endpoints
from payinfra.clients.reachability import Reachability

LOCAL = Aws(Endpoints({"us-east-1": "http://127.0.0.1:1", "us-west-2": "http://127.0.0.1:2"}, "http://g"))


class OfAws(Aws):
    """AWS, whose endpoints have their usual names."""

    def client(self, service: str, region: str) -> Any:
        return SimpleNamespace(meta=SimpleNamespace(endpoint_url=f"https://{service}.{region}.amazonaws.com"))


def answering(*hosts: str) -> httpx.MockTransport:
    """Answers, with a refusal, for these hosts; the others are silent."""

    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.netloc.decode() in hosts:
            return httpx.Response(403)
        raise httpx.ReadTimeout("silence", request=request)

    return httpx.MockTransport(handle)


def silent(aws: Aws, *hosts: str) -> tuple[str, ...]:
    return Reachability(aws, 5.0, lambda: answering(*hosts)).silent(("us-east-1", "us-west-2"))


def test_a_refusal_is_an_answer() -> None:
    assert silent(OfAws(), "lambda.us-east-1.amazonaws.com", "lambda.us-west-2.amazonaws.com") == ()


def test_a_region_is_silent_where_none_of_its_services_answers() -> None:
    assert silent(OfAws(), "dynamodb.us-west-2.amazonaws.com") == ("us-east-1",)
    assert silent(OfAws()) == ("us-east-1", "us-west-2")


def test_cloudwatch_alone_is_enough() -> None:
    assert silent(OfAws(), "cloudwatch.us-east-1.amazonaws.com") == ("us-west-2",)


def test_the_embedded_aws_has_one_endpoint_a_region() -> None:
    reach = Reachability(LOCAL, 5.0, lambda: answering("127.0.0.1:2"))
    assert reach.silent(("us-east-1", "us-west-2")) == ("us-east-1",)


def test_a_region_that_the_embedded_aws_does_not_serve_is_silent() -> None:
    assert Reachability(LOCAL, 5.0, lambda: answering()).silent(("eu-west-1",)) == ("eu-west-1",)


def test_a_port_where_nobody_listens_is_silence() -> None:
    assert Reachability(LOCAL, 2.0).silent(("us-east-1",)) == ("us-east-1",)
