"""What the tests of the embedded AWS share: a clock that stands still, and ministack in this process."""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from payinfra.local.server import ministack as seam
from payinfra.local.server.asgi import AsgiResponse, HttpRequest, Message, Scope, ask
from payinfra.local.server.patches import registry

KEY = "000000000000"
ANYBODY = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}


@dataclass
class Ministack:
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
    ) -> AsgiResponse:
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
        request = HttpRequest(method, raw_path, query, tuple(sent.items()), raw)

        async def receive() -> Message:
            return {"type": "http.disconnect"}

        async def answer() -> AsgiResponse:
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

    def deployment(self, api: str) -> str:
        """The id of a deployment of an API, whose root is given a method for it."""
        listed = self.json("apigateway", "GET", f"/restapis/{api}/resources")["item"]
        root = next(one["id"] for one in listed if one["path"] == "/")
        method = f"/restapis/{api}/resources/{root}/methods/HEAD"
        self.json("apigateway", "PUT", method, {"authorizationType": "NONE"})
        self.json("apigateway", "PUT", f"{method}/integration", {"type": "MOCK"})
        return str(self.json("apigateway", "POST", f"/restapis/{api}/deployments", {})["id"])

    def certificate(self, name: str = "pay.example.com", region: str | None = None) -> str:
        """The ARN of a certificate that is issued."""
        headers = {
            "x-amz-target": "CertificateManager.RequestCertificate",
            "content-type": "application/x-amz-json-1.1",
        }
        made = self.call("acm", "POST", "/", {"DomainName": name}, headers, region)
        arn = str(json.loads(made.body)["CertificateArn"])
        with self.emulator.scope(KEY, region or self.region):
            self.emulator.service("acm")._certificates[arn]["Status"] = "ISSUED"
        return arn

    def query(self, service: str, parameters: str) -> str:
        """The XML of an answer to a call in the query protocol that must be a success."""
        headers = {"content-type": "application/x-www-form-urlencoded"}
        response = self.call(service, "POST", "/", parameters.encode(), headers)
        assert response.status == 200, response
        return response.body.decode()

    def kms_key(self, region: str | None = None, **policy: object) -> str:
        """The ARN of a new customer key, whose policy lets the account's policies speak if none is given."""
        statement = policy or {"Action": "kms:*"}
        whole = {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{KEY}:root"},
            "Resource": "*",
            **statement,
        }
        headers = {"x-amz-target": "TrentService.CreateKey", "content-type": "application/x-amz-json-1.1"}
        body = {"Policy": json.dumps({"Statement": [whole]}), "BypassPolicyLockoutSafetyCheck": True}
        made = self.call("kms", "POST", "/", body, headers, region)
        assert made.status == 200, made
        return str(json.loads(made.body)["KeyMetadata"]["Arn"])


@dataclass(frozen=True)
class Role:
    """A role where IAM is enforced. It may do what it was last allowed, and no more."""

    world: Ministack
    name: str = "r"

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{KEY}:role/{self.name}"

    def make(self) -> "Role":
        self._iam(Action="CreateRole", AssumeRolePolicyDocument=json.dumps(ANYBODY))
        return self

    def delete(self) -> None:
        self._iam(Action="DeleteRolePolicy", PolicyName="p")
        self._iam(Action="DeleteRole")

    def may(self, *statements: Mapping[str, object]) -> None:
        """From now on the role may do this."""
        document = {"Statement": [{"Effect": "Allow", "Resource": "*", **one} for one in statements]}
        self._iam(Action="PutRolePolicy", PolicyName="p", PolicyDocument=json.dumps(document))

    def call(
        self,
        service: str,
        method: str,
        path: str,
        body: object = b"",
        headers: Mapping[str, str] | None = None,
        region: str = "us-east-1",
    ) -> AsgiResponse:
        """An answer to the role."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = AWSRequest(method, f"http://127.0.0.1{path}", dict(headers or {}), raw)
        kind = S3SigV4Auth if service == "s3" else SigV4Auth
        kind(self._credentials(), service, region).add_auth(request)
        signed = {name.lower(): value for name, value in request.headers.items()}
        return self.world.call(service, method, path, raw, signed, region)

    def operation(self, target: str, body: object, region: str = "us-east-1") -> AsgiResponse:
        """An answer in one of the JSON protocols, to a target such as `DynamoDB_20120810.PutItem`."""
        services = {"DynamoDB_20120810": "dynamodb", "AmazonSSM": "ssm"}
        headers = {"x-amz-target": target, "content-type": "application/x-amz-json-1.1"}
        return self.call(services[target.split(".")[0]], "POST", "/", body, headers, region)

    def _iam(self, **parameters: str) -> None:
        self.world.query("iam", urlencode({"RoleName": self.name, **parameters}))

    def _credentials(self) -> Credentials:
        asked = {"Action": "AssumeRole", "RoleArn": self.arn, "RoleSessionName": "session"}
        answer = self.world.query("sts", urlencode(asked))
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
        found = [re.search(f"<{name}>(.+?)</{name}>", answer) for name in names]
        return Credentials(*(one[1] for one in found if one))


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
def world() -> Iterator[Ministack]:
    loaded = seam.load()
    registry.install(loaded)
    seam.let_the_port_decide_the_region(loaded)
    yield Ministack(loaded)
    loaded.restore()
    for name in seam.SERVICES:
        module = loaded.service(name)
        if hasattr(module, "reset"):
            module.reset()


@pytest.fixture
def role(world: Ministack) -> Role:
    """A role that may do nothing yet, where IAM is enforced."""
    world.emulator.replace(world.emulator.main, "AUTH", True)
    return Role(world).make()
