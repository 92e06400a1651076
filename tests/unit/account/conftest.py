"""An account of ministack's in this process, asked by real clients of boto3 without a socket."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders

from payinfra.clients.aws import Aws, Endpoints
from payinfra.core.access_key import AccessKey
from tests.unit.local.conftest import Ministack, world

__all__ = ["world"]

ACCOUNT = "000000000000"
REGIONS = ("us-east-1", "us-west-2")
ENDPOINTS = Endpoints(
    dict.fromkeys(REGIONS, "http://127.0.0.1:1"),
    "http://127.0.0.1:1",
    # ministack itself, without what payinfra has in front of it, takes an account's number for its root.
    access_key=AccessKey(ACCOUNT, "-"),
)


class _Raw(io.BytesIO):
    def stream(self) -> Iterator[bytes]:
        yield self.read()


@dataclass(frozen=True)
class InProcess(Aws):
    """Clients whose requests ministack answers where they are sent from.

    Attributes:
        worlds: the last of them answers. Clients take long to make, so one set of them serves all tests.
    """

    worlds: list[Ministack] = field(default_factory=list)

    def client(self, service: str, region: str) -> Any:
        """A client that is answered by the world, for the region that it is for."""
        made = super().client(service, region)
        made.meta.events.register("before-send", self._answer(region), unique_id=f"{id(self)}")
        return made

    def _session(self, region: str) -> boto3.session.Session:
        """The role's session is asked for here, where its request can be answered too."""
        if self.role_arn is None:
            return super()._session(region)
        sts = InProcess(self.endpoints, worlds=self.worlds).sts(region)
        found = sts.assume_role(RoleArn=self.role_arn, RoleSessionName="test")["Credentials"]
        return boto3.session.Session(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])

    def _answer(self, region: str) -> Any:
        def answer(request: AWSPreparedRequest, **_: object) -> AWSResponse:
            url = urlsplit(request.url)
            sent = {key.lower(): _text(value) for key, value in request.headers.items()}
            headers = {"host": url.netloc, **sent}
            path = url.path + (f"?{url.query}" if url.query else "")
            found = self.worlds[-1].call(
                "-", request.method or "", path, _bytes(request.body), headers, region
            )
            shown = HTTPHeaders.from_pairs(found.headers)
            return AWSResponse(request.url, found.status, shown, _Raw(found.body))

        return answer


def _bytes(body: object) -> bytes:
    match body:
        case str():
            return body.encode()
        case bytes() | bytearray():
            return bytes(body)
        case io.IOBase():
            return bytes(body.read())
    return b""


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


@pytest.fixture(scope="session")
def clients() -> InProcess:
    return InProcess(ENDPOINTS)


@pytest.fixture
def aws(clients: InProcess, world: Ministack) -> Iterator[InProcess]:
    """The account's own credentials; nothing is enforced."""
    clients.worlds.append(world)
    yield clients
    world.emulator.service("scheduler").reset()


@pytest.fixture
def enforced(aws: InProcess, world: Ministack) -> InProcess:
    """The same with IAM enforced, as the server has it."""
    world.emulator.replace(world.emulator.main, "AUTH", True)
    return aws
