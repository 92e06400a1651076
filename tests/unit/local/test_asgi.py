"""Whole requests and answers over ASGI."""

import asyncio

import pytest

from payinfra.local.server.asgi import (
    AsgiResponse,
    ClientGone,
    HttpRequest,
    Message,
    Receive,
    Scope,
    Send,
    answer,
    ask,
    read_request,
    send_response,
)


def receiving(*messages: Message) -> Receive:
    waiting = list(messages)

    async def receive() -> Message:
        return waiting.pop(0)

    return receive


SCOPE: Scope = {
    "type": "http",
    "method": "POST",
    "path": "/a b",
    "raw_path": b"/a%20b",
    "query_string": b"x=1&y=&x=2",
    "headers": [(b"Host", b"Example.COM:80"), (b"x-one", b"1")],
}


def test_a_request_is_read_whole() -> None:
    receive = receiving(
        {"type": "http.request", "body": b"ab", "more_body": True}, {"type": "http.request", "body": b"c"}
    )
    request = asyncio.run(read_request(SCOPE, receive))
    assert request == HttpRequest(
        "POST", "/a%20b", "x=1&y=&x=2", (("host", "Example.COM:80"), ("x-one", "1")), b"abc"
    )
    assert request.path == "/a b"
    assert request.query == {"x": "2", "y": ""}
    assert request.host == "example.com"
    assert request.header("x-two") == ""


def test_without_a_raw_path_the_path_serves() -> None:
    scope = {key: value for key, value in SCOPE.items() if key != "raw_path"}
    assert asyncio.run(read_request(scope, receiving({"type": "http.request"}))).raw_path == "/a b"


def test_a_client_that_hangs_up_early_is_told_apart() -> None:
    with pytest.raises(ClientGone):
        asyncio.run(read_request(SCOPE, receiving({"type": "http.disconnect"})))


def test_an_application_sees_the_request_and_then_the_clients_end() -> None:
    seen: list[object] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend(
            (scope["method"], scope["path"], scope["raw_path"], scope["query_string"], scope["headers"])
        )
        seen.extend(((await receive())["body"], (await receive())["type"]))
        await send({"type": "http.response.start", "status": 201, "headers": [(b"X-A", b"1")]})
        await send({"type": "http.response.body", "body": b"o", "more_body": True})
        await send({"type": "http.response.body", "body": b"k"})
        await send({"type": "http.response.trailers"})

    request = HttpRequest("PUT", "/c%2Fd", "q=1", (("h", "v"),), b"body")
    got = asyncio.run(ask(app, SCOPE, receiving({"type": "http.disconnect"}), request))
    assert seen == ["PUT", "/c/d", b"/c%2Fd", b"q=1", [(b"h", b"v")], b"body", "http.disconnect"]
    assert got == AsgiResponse(201, (("x-a", "1"),), b"ok")


def test_a_new_body_brings_its_length_and_if_asked_its_type() -> None:
    old = AsgiResponse(200, (("content-length", "9"), ("content-type", "text/xml"), ("x", "y")), b"123456789")
    assert old.with_body(b"12").headers == (("content-type", "text/xml"), ("x", "y"), ("content-length", "2"))
    assert dict(old.with_body(b"12", "text/plain").headers)["content-type"] == "text/plain"
    assert answer(404, b"{}") == AsgiResponse(
        404, (("content-length", "2"), ("content-type", "application/json")), b"{}"
    )


def test_an_answer_is_sent_whole() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(send_response(send, AsgiResponse(200, (("a", "b"),), b"c")))
    assert sent == [
        {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]},
        {"type": "http.response.body", "body": b"c", "more_body": False},
    ]
