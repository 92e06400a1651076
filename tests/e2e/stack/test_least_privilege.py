"""The function's role, from the inside: IAM is enforced, so an action that is taken away is missed.

Each action of the deployed policy is taken away by itself, and something that worked with it no longer does.
An action whose loss breaks nothing does not belong in the policy.

Some actions are not asked of the role by the embedded AWS, because the work is done inside of it and not
through the role: `UNSEEN` says which and why. Of these, the test holds what can be held: that the statement
names exactly the thing that the service would ask for, as that thing is found deployed.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import httpx
import pytest

from payinfra.outputs import Declared
from tests.e2e.conftest import Deployment
from tests.e2e.stack.conftest import Seen

ROLE = "secondary"
"""The region whose role is tried. The regions' policies differ in nothing but the region."""
Policy = dict[str, Any]


@dataclass(frozen=True)
class Backend:
    """One region's routes, and its role's policy."""

    seen: Seen
    key: str

    # -- what works while the role may do everything that it should ----------------------------------------

    def pays(self) -> bool:
        return self.pay(self.customer()).status_code == 201

    def is_healthy(self) -> bool:
        return httpx.get(f"{self.url.removesuffix('/payments')}/health", timeout=30).status_code == 200

    def reads(self) -> bool:
        return self.get(f"/{self.pay(self.customer()).json().get('payment_id')}").status_code == 200

    def lists_by_customer(self) -> bool:
        return self.get(f"?customer_id={self.customer()}").status_code == 200

    def lists_by_status(self) -> bool:
        return self.get("?status=accepted").status_code == 200

    def audits(self) -> bool:
        payment_id = self.pay(self.customer()).json().get("payment_id", "none")
        pages = (
            self.seen.client("s3")
            .get_paginator("list_objects_v2")
            .paginate(Bucket=self.seen.output("s3_bucket_name"), Prefix="audit/")
        )
        return any(payment_id in each["Key"] for page in pages for each in page.get("Contents", ()))

    def turns_pages(self) -> bool:
        """Asked of the unpublished version, whose container holds no secret from before."""
        customer = self.customer()
        for _payment in range(2):
            assert self.pay(customer).status_code == 201
        event = {
            "httpMethod": "GET",
            "path": "/payments",
            "resource": "/payments",
            "headers": {},
            "queryStringParameters": {"customer_id": customer, "limit": "1"},
            "multiValueQueryStringParameters": {"customer_id": [customer], "limit": ["1"]},
            "pathParameters": None,
            "body": None,
            "isBase64Encoded": False,
            "requestContext": {"requestId": str(uuid.uuid4()), "stage": "prod", "identity": {}},
        }
        answer = self.seen.client("lambda").invoke(
            FunctionName=self.seen.output("lambda_function_name"), Payload=json.dumps(event)
        )
        return bool(json.loads(answer["Payload"].read())["statusCode"] == 200)

    # -- asking ---------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return self.seen.output("api_endpoint")

    @staticmethod
    def customer() -> str:
        return f"customer-{uuid.uuid4()}"

    def pay(self, customer: str) -> httpx.Response:
        body = {
            "amount": 4200,
            "currency": "EUR",
            "customer_id": customer,
            "payment_method": "card",
            "timestamp": time.time_ns() // 1_000_000,
        }
        headers = {"x-api-key": self.key, "Idempotency-Key": str(uuid.uuid4())}
        return httpx.post(self.url, json=body, headers=headers, timeout=30)

    def get(self, rest: str) -> httpx.Response:
        return httpx.get(self.url + rest, headers={"x-api-key": self.key}, timeout=30)

    # -- the policy -----------------------------------------------------------------------------------------

    @property
    def policy_name(self) -> str:
        names = self.seen.client("iam").list_role_policies(RoleName=self.seen.here.function.role_name)
        (name,) = names["PolicyNames"]
        return str(name)

    @property
    def policy(self) -> Policy:
        answer = self.seen.client("iam").get_role_policy(
            RoleName=self.seen.here.function.role_name, PolicyName=self.policy_name
        )
        document: Policy = answer["PolicyDocument"]
        return document

    def put(self, policy: Policy) -> None:
        self.seen.client("iam").put_role_policy(
            RoleName=self.seen.here.function.role_name,
            PolicyName=self.policy_name,
            PolicyDocument=json.dumps(policy),
        )

    @contextmanager
    def without(self, sid: str, action: str) -> Iterator[None]:
        """The policy lacks one action of one statement; afterwards it is what it was."""
        whole = self.policy
        rest = [
            statement | {"Action": [each for each in statement["Action"] if each != action]}
            if statement["Sid"] == sid
            else statement
            for statement in whole["Statement"]
        ]
        try:
            self.put(whole | {"Statement": [statement for statement in rest if statement["Action"]]})
            yield
        finally:
            self.put(whole)


Works = Callable[[Backend], bool]
MISSED: Mapping[tuple[str, str], tuple[Works, ...]] = {
    ("Table", "dynamodb:PutItem"): (Backend.pays,),
    ("Table", "dynamodb:Query"): (Backend.pays, Backend.reads, Backend.is_healthy),
    ("Indexes", "dynamodb:Query"): (Backend.lists_by_customer, Backend.lists_by_status),
    ("Audit", "s3:PutObject"): (Backend.audits,),
    ("CursorSecret", "ssm:GetParameter"): (Backend.turns_pages,),
}
"""What is missed when an action of a statement is taken away."""


def table(seen: Seen) -> dict[str, Any]:
    described: dict[str, Any] = seen.client("dynamodb").describe_table(
        TableName=seen.output("dynamodb_table_name")
    )["Table"]
    return described


def table_key(seen: Seen) -> str:
    return str(table(seen)["SSEDescription"]["KMSMasterKeyArn"])


def stream(seen: Seen) -> str:
    return str(table(seen)["LatestStreamArn"])


def bucket_key(seen: Seen) -> str:
    found = seen.client("s3").get_bucket_encryption(Bucket=seen.output("s3_bucket_name"))
    (rule,) = found["ServerSideEncryptionConfiguration"]["Rules"]
    return str(rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"])


def function_key(seen: Seen) -> str:
    found = seen.client("lambda").get_function_configuration(FunctionName=seen.output("lambda_function_name"))
    return str(found["KMSKeyArn"])


def log_stream(seen: Seen) -> str:
    prefix = seen.output("lambda_log_group_name")
    (group,) = (
        each
        for each in seen.client("logs").describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]
        if each["logGroupName"] == prefix
    )
    return f"{str(group['arn']).removesuffix(':*')}:log-stream:2026/01/01/[1]abc"


def anything(_seen: Seen) -> str:
    return "*"


INSIDE = "the embedded AWS encrypts and decrypts inside a service, without asking the caller's role"
POLLER = "the embedded AWS reads the stream for the function itself"
UNSEEN: Mapping[tuple[str, str], tuple[str, Callable[[Seen], str]]] = {
    ("Stream", "dynamodb:DescribeStream"): (POLLER, stream),
    ("Stream", "dynamodb:GetRecords"): (POLLER, stream),
    ("Stream", "dynamodb:GetShardIterator"): (POLLER, stream),
    ("Streams", "dynamodb:ListStreams"): (POLLER, anything),
    ("TableKey", "kms:Decrypt"): (INSIDE, table_key),
    ("AuditKey", "kms:Decrypt"): (INSIDE, bucket_key),
    ("AuditKey", "kms:GenerateDataKey"): (INSIDE, bucket_key),
    ("ApplicationKey", "kms:Decrypt"): (INSIDE, function_key),
    ("Log", "logs:CreateLogStream"): ("the embedded AWS writes the function's log itself", log_stream),
    ("Log", "logs:PutLogEvents"): ("the embedded AWS writes the function's log itself", log_stream),
    ("Trace", "xray:PutTelemetryRecords"): ("the embedded AWS has no X-Ray", anything),
    ("Trace", "xray:PutTraceSegments"): ("the embedded AWS has no X-Ray", anything),
}
"""Actions whose loss the embedded AWS does not notice: why, and what AWS would ask for."""


@pytest.fixture
def backend(deployment: Deployment, declared: Declared) -> Backend:
    return Backend(Seen(deployment, ROLE, declared), deployment.api_key(ROLE))


def test_every_action_of_the_role_is_tried_or_explained(backend: Backend) -> None:
    granted = [
        (statement["Sid"], action)
        for statement in backend.policy["Statement"]
        for action in statement["Action"]
    ]
    assert len(granted) == len(set(granted))
    assert set(granted) == set(MISSED) | set(UNSEEN)


@pytest.mark.parametrize(("sid", "action"), list(MISSED))
def test_an_action_that_is_taken_away_is_missed(backend: Backend, sid: str, action: str) -> None:
    for works in MISSED[sid, action]:
        with backend.without(sid, action):
            assert not works(backend), f"{works.__name__} does not need {action}"
        assert works(backend), f"{works.__name__} needs more than the policy gives"


@pytest.mark.parametrize(("sid", "action"), list(UNSEEN))
def test_an_action_that_is_not_asked_of_the_role_names_what_the_service_asks_for(
    backend: Backend, sid: str, action: str
) -> None:
    _why, asked_for = UNSEEN[sid, action]
    (statement,) = (each for each in backend.policy["Statement"] if each["Sid"] == sid)
    asked = asked_for(backend.seen)
    assert [pattern for pattern in statement["Resource"] if fnmatchcase(asked.replace("[", "("), pattern)]
    if action.startswith("kms:"):
        services = statement["Condition"]["StringEquals"]["kms:ViaService"]
        assert all(service.endswith(f".{backend.seen.region}.amazonaws.com") for service in services)
    with backend.without(sid, action):
        assert backend.pays(), "it is missed after all: let it be tried as the others are"


def test_nothing_but_the_policy_lets_the_function_in(backend: Backend) -> None:
    """Were a route open without any policy, the tests above would show nothing."""
    whole = backend.policy
    only_traces = [each for each in whole["Statement"] if each["Sid"] == "Trace"]
    try:
        backend.put(whole | {"Statement": only_traces})
        assert not backend.pays()
        assert not backend.is_healthy()
        assert not backend.lists_by_customer()
    finally:
        backend.put(whole)
    assert backend.pays()
