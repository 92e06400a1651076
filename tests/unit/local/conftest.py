"""What the tests of the embedded AWS share: a clock that stands still, and ministack in this process."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from payinfra.local import emulator as seam
from payinfra.local.asgi import Message, Request, Response, Scope, ask
from payinfra.local.corrections import registry

KEY = "000000000000"


@dataclass
class World:
    """ministack in this process, asked as over the wire, in a region of one's choice."""

    emulator: seam.Emulator
    region: str = "us-east-1"

    def call(
        self,
        service: str,
        method: str,
        path: str,
        body: object = b"",
        headers: dict[str, str] | None = None,
        region: str | None = None,
    ) -> Response:
        """One answer, corrected as the server corrects it."""
        where = region or self.region
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        signed = f"AWS4-HMAC-SHA256 Credential={KEY}/20260101/{where}/{service}/aws4_request, Signature=x"
        raw_path, _, query = path.partition("?")
        sent = {
            "host": "127.0.0.1",
            "authorization": signed,
            "content-length": str(len(raw)),
            **(headers or {}),
        }
        request = Request(method, raw_path, query, tuple(sent.items()), raw)

        async def receive() -> Message:
            return {"type": "http.disconnect"}

        async def answer() -> Response:
            seam.serving.set(where)
            scope: Scope = {"type": "http", "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 1)}
            response = await ask(self.emulator.application, scope, receive, request)
            for correct in registry.ANSWERS:
                response = correct(request, response, where)
            return response

        return asyncio.run(answer())

    def json(
        self, service: str, method: str, path: str, body: object = b"", region: str | None = None
    ) -> Any:
        """The JSON of an answer that must be a success."""
        response = self.call(service, method, path, body, {"content-type": "application/json"}, region)
        assert response.status < 300, response
        return json.loads(response.body or b"{}")

    def dynamodb(self, operation: str, region: str | None = None, **arguments: object) -> Any:
        """The answer to a DynamoDB operation that must succeed."""
        headers = {
            "x-amz-target": f"DynamoDB_20120810.{operation}",
            "content-type": "application/x-amz-json-1.0",
        }
        response = self.call("dynamodb", "POST", "/", arguments, headers, region)
        assert response.status == 200, response
        return json.loads(response.body)

    def query(self, service: str, parameters: str) -> str:
        """The XML of an answer to a call in the query protocol that must be a success."""
        headers = {"content-type": "application/x-www-form-urlencoded"}
        response = self.call(service, "POST", "/", parameters.encode(), headers)
        assert response.status == 200, response
        return response.body.decode()


@dataclass
class Clock:
    """A clock that moves when it is told to; in seconds."""

    now: float = 1_000_000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world() -> Iterator[World]:
    loaded = seam.load()
    registry.install(loaded)
    seam.let_the_port_decide_the_region(loaded)
    yield World(loaded)
    loaded.restore()
    for name in seam.SERVICES:
        module = loaded.service(name)
        if hasattr(module, "reset"):
            module.reset()
