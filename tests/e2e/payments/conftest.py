"""The payments API of the shared deployment, asked over HTTP in either region as a customer would."""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import httpx
import pytest

from scripts.conformance import documented
from tests.support.project import Done

if TYPE_CHECKING:
    from tests.e2e.conftest import Deployment

PATIENCE_S = 60.0
INSISTENCE_S = 240.0
# In flight; throttled; a dependency, or the function itself, too slow when 50 start at once on two cores.
MAY_BE_SENT_AGAIN = (409, 429, 503, 504)
Seen = TypeVar("Seen")
Item = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True)
class Api:
    """One region's API, with its key."""

    url: str
    key: str

    def post(self, idempotency_key: str, body: Mapping[str, object]) -> httpx.Response:
        headers = {"x-api-key": self.key, "Idempotency-Key": idempotency_key}
        return httpx.post(self.url, json=body, headers=headers, timeout=PATIENCE_S)

    def insist(self, idempotency_key: str, body: Mapping[str, object]) -> list[httpx.Response]:
        """What a client does that wants its payment: the same request until it is acknowledged; each answer.

        A client that is told to wait does so. One that gets no answer at all does not know whether it
        has paid, and sends the request again.
        """
        answers: list[httpx.Response] = []
        end = time.monotonic() + INSISTENCE_S
        while time.monotonic() < end:
            try:
                answers.append(self.post(idempotency_key, body))
            except httpx.TransportError:
                continue
            if answers[-1].status_code not in MAY_BE_SENT_AGAIN:
                break
            time.sleep(float(answers[-1].headers.get("Retry-After", "1")))
        return answers

    def get(self, path: str = "", query: Mapping[str, str] | None = None) -> httpx.Response:
        return httpx.get(self.url + path, params=query, headers={"x-api-key": self.key}, timeout=PATIENCE_S)

    def bare(self, method: str, url: str, **headers: str) -> httpx.Response:
        """A request without the key."""
        return httpx.request(method, url, headers=headers, timeout=PATIENCE_S)

    @property
    def health_url(self) -> str:
        return self.url.removesuffix("/payments") + "/health"


@dataclass(frozen=True)
class Shop:
    """Both regions' APIs and tables."""

    deployment: "Deployment"
    apis: Mapping[str, Api]

    def items(self, role: str, payment_id: str) -> list[Item]:
        """Everything that a region's table has under one id, claim first."""
        answer = self.deployment.client("dynamodb", role).query(
            TableName=self.deployment.output("dynamodb_table_name", role),
            KeyConditionExpression="payment_id = :id",
            ExpressionAttributeValues={":id": {"S": payment_id}},
            ConsistentRead=True,
        )
        return list(answer["Items"])

    def settled(self, role: str, payment_id: str) -> list[Item]:
        """The same, once replication has brought claim and payment, and both regions have the same."""
        both = ("primary", "secondary")
        self.until(
            lambda: [self.items(each, payment_id) for each in both],
            lambda found: len(found[0]) >= 2 and found[0] == found[1],
        )
        return self.items(role, payment_id)

    def objects(self, role: str, payment_id: str) -> list[str]:
        """The names of a payment's audit objects in a region's bucket."""
        client = self.deployment.client("s3", role)
        pages = client.get_paginator("list_objects_v2").paginate(
            Bucket=self.deployment.output("s3_bucket_name", role), Prefix="audit/"
        )
        return [
            found["Key"] for page in pages for found in page.get("Contents", ()) if payment_id in found["Key"]
        ]

    @staticmethod
    def until(look: Callable[[], Seen], good: Callable[[Seen], bool]) -> Seen:
        """Look until it is good, or give what was seen last."""
        end = time.monotonic() + PATIENCE_S
        while not good(seen := look()) and time.monotonic() < end:
            time.sleep(0.1)
        return seen

    def run(self, *arguments: str, assume: str = "") -> Done:
        """One of payinfra's commands about the deployment, as the account's root or as a role."""
        role = ("--assume-role", assume) if assume else ()
        return self.deployment.project.run(*arguments, "--env", self.deployment.env, "--local", *role)

    @contextmanager
    def as_operator(self) -> Iterator[str]:
        """A role that may do what docs/account.md says that those who decide about payments need; its ARN."""
        iam, name = self.deployment.client("iam"), f"operator-{uuid.uuid4().hex[:8]}"
        account = self.deployment.client("sts").get_caller_identity()["Account"]
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": account}}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        may = documented.of_operators(self.deployment.env, account)
        arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        iam.put_role_policy(RoleName=name, PolicyName="documented", PolicyDocument=json.dumps(may))
        try:
            yield arn
        finally:
            iam.delete_role_policy(RoleName=name, PolicyName="documented")
            iam.delete_role(RoleName=name)

    @contextmanager
    def denied(self, role: str, *actions: str) -> Iterator[None]:
        """For a while a region's function may not do this."""
        iam = self.deployment.client("iam", role)
        names = {
            "RoleName": f"payment-{self.deployment.env}-function-{self.deployment.region(role)}",
            "PolicyName": "denied",
        }
        statement = {"Effect": "Deny", "Action": list(actions), "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(**names, PolicyDocument=document)
        try:
            yield
        finally:
            iam.delete_role_policy(**names)

    def logged(self, role: str, text: str) -> list[str]:
        """The lines of a region's function that hold a text."""
        group = self.deployment.output("lambda_log_group_name", role)
        client = self.deployment.client("logs", role)
        pages = client.get_paginator("filter_log_events").paginate(logGroupName=group)
        return [event["message"] for page in pages for event in page["events"] if text in event["message"]]

    @staticmethod
    def at_once(ask: Callable[[int], list[httpx.Response]], count: int) -> list[list[httpx.Response]]:
        """All answers to `count` clients that ask at the same time."""
        with ThreadPoolExecutor(count) as clients:
            return list(clients.map(ask, range(count)))


@pytest.fixture(scope="session")
def shop(deployment: "Deployment") -> Iterator[Shop]:
    apis = {
        role: Api(deployment.output("api_endpoint", role), deployment.api_key(role))
        for role in ("primary", "secondary")
    }
    yield Shop(deployment, apis)
    deployment.control.clear()


@pytest.fixture
def key() -> str:
    """An Idempotency-Key that was never used."""
    return f"e2e-{uuid.uuid4()}"


@pytest.fixture
def body() -> dict[str, object]:
    """A valid payment, of a customer who has no other."""
    return {
        "amount": 4200,
        "currency": "EUR",
        "customer_id": f"customer-{uuid.uuid4()}",
        "payment_method": "card",
        "timestamp": time.time_ns() // 1_000_000,
    }
