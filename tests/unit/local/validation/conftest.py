"""Calls by their service and operation, as an SDK sends them to the embedded AWS."""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.unit.local.conftest import Ministack

AS_THEY_ARE = Config(parameter_validation=False, retries={"max_attempts": 0})


class Body(io.BytesIO):
    """An answer's body, which botocore reads in pieces."""

    def stream(self, *_sizes: object, **_more: object) -> Iterator[bytes]:
        yield self.read()


@dataclass
class Sdk:
    """boto3's clients, whose requests go to ministack in this process."""

    world: Ministack

    def client(self, service: str, region: str = "us-east-1") -> Any:
        made: Any = boto3.client(
            service,
            region_name=region,
            config=AS_THEY_ARE,
            endpoint_url="http://127.0.0.1:1",
            aws_access_key_id="000000000000",
            aws_secret_access_key="x",
        )
        made.meta.events.register("before-send", self._send(service, region))
        return made

    def refusal(self, service: str, operation: str, region: str = "us-east-1", /, **parameters: Any) -> str:
        """The code that an SDK reads from the refusal of a call; empty where it is done."""
        try:
            getattr(self.client(service, region), operation)(**parameters)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return ""

    def _send(self, service: str, region: str) -> Callable[..., Any]:
        def send(request: Any, **_more: object) -> Any:
            url = urlsplit(request.url)
            path = f"{url.path or '/'}{'?' + url.query if url.query else ''}"
            body = request.body or b""
            body = body.read() if hasattr(body, "read") else body
            raw = body.encode() if isinstance(body, str) else bytes(body)
            headers = {
                str(name).lower(): value.decode() if isinstance(value, bytes) else str(value)
                for name, value in request.headers.items()
            }
            headers.pop("host", None)
            answer = self.world.call(service, request.method, path, raw, headers, region)
            told = HTTPHeaders()
            for name, value in answer.headers:
                told[name] = value
            return AWSResponse(request.url, answer.status, told, Body(answer.body))

        return send


@pytest.fixture
def sdk(world: Ministack) -> Sdk:
    return Sdk(world)


def policy(**changes: object) -> str:
    """An identity's policy with something changed in its statement; None takes something away."""
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", **changes}
    kept = {name: value for name, value in statement.items() if value is not None}
    return json.dumps({"Version": "2012-10-17", "Statement": [kept]})


def trust(principal: object = None, **changes: object) -> str:
    """A role's trust policy."""
    named = {"Service": "lambda.amazonaws.com"} if principal is None else principal
    return policy(**{"Resource": None, "Principal": named, "Action": "sts:AssumeRole", **changes})
