"""The little of ASGI that the embedded AWS needs: whole requests and whole answers."""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, unquote

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class HttpRequest:
    """A request as it came. `raw_path` is still percent-encoded; header names are lower case."""

    method: str
    raw_path: str
    query_string: str = ""
    headers: Headers = ()
    body: bytes = b""

    @property
    def path(self) -> str:
        """The path, decoded."""
        return unquote(self.raw_path)

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters; of one given twice, the last."""
        return dict(parse_qsl(self.query_string, keep_blank_values=True))

    def header(self, name: str) -> str:
        """A header's value, empty where it is absent."""
        return next((value for key, value in self.headers if key == name), "")

    @property
    def host(self) -> str:
        """The host that the client asked for, lower case, without its port."""
        return self.header("host").rsplit(":", 1)[0].lower()


@dataclass(frozen=True)
class AsgiResponse:
    """A whole answer."""

    status: int
    headers: Headers = ()
    body: bytes = b""

    def with_body(self, body: bytes, content_type: str | None = None) -> "AsgiResponse":
        """The same answer with another body, its length and, if given, its type adjusted."""
        dropped = {"content-length"} | ({"content-type"} if content_type else set())
        kept = tuple((key, value) for key, value in self.headers if key not in dropped)
        added = (
            ("content-length", str(len(body))),
            *((("content-type", content_type),) if content_type else ()),
        )
        return replace(self, headers=(*kept, *added), body=body)


def answer(status: int, body: bytes, content_type: str = "application/json") -> AsgiResponse:
    """A whole answer with its length."""
    return AsgiResponse(status).with_body(body, content_type)


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    return tuple((key.decode("latin-1").lower(), value.decode("latin-1")) for key, value in headers)


class ClientGone(Exception):
    """The client hung up before its request was complete."""


def request_head(scope: Scope) -> HttpRequest:
    """The request as far as it is known before its body is read."""
    raw_path = scope.get("raw_path") or scope["path"].encode()
    return HttpRequest(
        method=scope["method"],
        raw_path=raw_path.decode("latin-1"),
        query_string=scope.get("query_string", b"").decode("latin-1"),
        headers=_decoded(scope.get("headers", ())),
    )


async def read_body(receive: Receive) -> bytes:
    """Read the whole body of a request.

    Raises:
        ClientGone: the connection ended first.
    """
    parts: list[bytes] = []
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def read_request(scope: Scope, receive: Receive) -> HttpRequest:
    """Read the whole request.

    Raises:
        ClientGone: the connection ended first.
    """
    return replace(request_head(scope), body=await read_body(receive))


@dataclass
class _Collected:
    status: int = 500
    headers: Headers = ()
    body: list[bytes] = field(default_factory=list)


async def ask(app: App, scope: Scope, receive: Receive, request: HttpRequest) -> AsgiResponse:
    """Give an application a request that was already read, and collects the whole answer.

    `scope` supplies what `request` does not hold (client, scheme); `receive` is asked only once the body
    has been taken, which is how the application learns that the client hung up.
    """
    inner: Scope = {
        **scope,
        "method": request.method,
        "path": request.path,
        "raw_path": request.raw_path.encode("latin-1"),
        "query_string": request.query_string.encode("latin-1"),
        "headers": [(k.encode("latin-1"), v.encode("latin-1")) for k, v in request.headers],
    }
    given = False

    async def receive_again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": request.body, "more_body": False}

    got = _Collected()

    async def collect(message: Message) -> None:
        if message["type"] == "http.response.start":
            got.status = message["status"]
            got.headers = _decoded(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            got.body.append(message.get("body", b""))

    await app(inner, receive_again, collect)
    return AsgiResponse(got.status, got.headers, b"".join(got.body))


async def send_response(send: Send, response: AsgiResponse) -> None:
    """Send a whole answer."""
    headers = [(key.encode("latin-1"), value.encode("latin-1")) for key, value in response.headers]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body, "more_body": False})
