"""The function's role, from the inside: IAM is enforced, so an action that is taken away is missed.

Each action of the deployed policy is taken away by itself, and something that worked with it no longer does.
An action whose loss breaks nothing does not belong in the policy.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from payinfra.core.outputs import Declared
from payinfra.local.faults import ReplicationPause
from tests.e2e.conftest import Deployment
from tests.e2e.stack.conftest import Seen

ROLE = "secondary"
"""The region whose role is tried. The regions' policies differ in nothing but the region."""
CLAIM_RANGE = "0"
"""Where a payment's claim stands in the table. One that another body's replaces is told as a conflict."""
TOLD_WITHIN_S = 10.0
READ_AGAIN_S = 2.5
"""By then a stream's reader, which looks at its role each second, says what it finds now."""
TRIES = 3
"""On a busy machine it may say it later."""
STOPPED = "PROBLEM: Lambda cannot access the stream"
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
        """Asked of the unpublished version, in an environment that is new and holds no secret from before."""
        functions, name = self.seen.client("lambda"), self.seen.output("lambda_function_name")
        timeout = functions.get_function_configuration(FunctionName=name)["Timeout"]
        functions.update_function_configuration(FunctionName=name, Timeout=timeout)
        functions.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
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
        answer = functions.invoke(FunctionName=name, Payload=json.dumps(event))
        return bool(json.loads(answer["Payload"].read())["statusCode"] == 200)

    def writes_its_log(self) -> bool:
        since = time.time_ns() // 1_000_000
        assert self.pay(self.customer()).status_code == 201
        pages = (
            self.seen.client("logs")
            .get_paginator("filter_log_events")
            .paginate(logGroupName=self.seen.output("lambda_log_group_name"), startTime=since)
        )
        return any(event["timestamp"] >= since for page in pages for event in page["events"])

    def leaves_a_trace(self) -> bool:
        since = datetime.now(UTC)
        assert self.pay(self.customer()).status_code == 201
        until = datetime.now(UTC) + timedelta(seconds=1)
        found = self.seen.client("xray").get_trace_summaries(StartTime=since, EndTime=until)
        return bool(found["TraceSummaries"])

    def may_be_mapped_to_the_stream(self) -> bool:
        """A second reader of the stream, which is never switched on."""
        functions = self.seen.client("lambda")
        try:
            made = functions.create_event_source_mapping(
                EventSourceArn=str(self.table()["LatestStreamArn"]),
                FunctionName=self.seen.output("lambda_function_name"),
                StartingPosition="LATEST",
                Enabled=False,
            )
        except functions.exceptions.InvalidParameterValueException:
            return False
        functions.delete_event_source_mapping(UUID=made["UUID"])
        return True

    def tells_of_conflicts(self) -> bool:
        """What the stream is read for: a key that has come to stand for another body.

        Whichever region's reader is first tells of it, and the other one stays silent. So nothing is
        replicated meanwhile: this region's alone can know.
        """
        control = self.seen.deployment.control
        control.inject(ReplicationPause())
        try:
            return self._tells_of_conflicts()
        finally:
            control.clear()

    def _tells_of_conflicts(self) -> bool:
        payment_id = f"conflict-{uuid.uuid4()}"
        key = {"payment_id": {"S": payment_id}, "timestamp": {"N": CLAIM_RANGE}}
        ledger, name = self.seen.client("dynamodb"), self.seen.output("dynamodb_table_name")
        try:
            for fingerprint in ("one", "another"):
                ledger.put_item(TableName=name, Item=key | {"fingerprint": {"S": fingerprint}})
            began = time.monotonic()
            while time.monotonic() - began < TOLD_WITHIN_S:
                if self.logged(payment_id):
                    return True
                if (
                    time.monotonic() - began > READ_AGAIN_S
                    and self.reader()["LastProcessingResult"] == STOPPED
                ):
                    return False
                time.sleep(0.1)
            return False
        finally:
            ledger.delete_item(TableName=name, Key=key)

    # -- asking ---------------------------------------------------------------------------------------------

    def logged(self, text: str) -> bool:
        pages = (
            self.seen.client("logs")
            .get_paginator("filter_log_events")
            .paginate(logGroupName=self.seen.output("lambda_log_group_name"))
        )
        return any(text in event["message"] for page in pages for event in page["events"])

    def table(self) -> dict[str, Any]:
        name = self.seen.output("dynamodb_table_name")
        described: dict[str, Any] = self.seen.client("dynamodb").describe_table(TableName=name)["Table"]
        return described

    def reader(self) -> dict[str, Any]:
        """What reads the table's stream for the function."""
        found = self.seen.client("lambda").list_event_source_mappings(
            EventSourceArn=str(self.table()["LatestStreamArn"])
        )
        (mapping,) = found["EventSourceMappings"]
        return dict(mapping)

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


STREAM = (Backend.may_be_mapped_to_the_stream, Backend.tells_of_conflicts)
Works = Callable[[Backend], bool]
MISSED: Mapping[tuple[str, str], tuple[Works, ...]] = {
    ("Table", "dynamodb:PutItem"): (Backend.pays,),
    ("Table", "dynamodb:Query"): (Backend.pays, Backend.reads, Backend.is_healthy),
    ("Indexes", "dynamodb:Query"): (Backend.lists_by_customer, Backend.lists_by_status),
    ("Stream", "dynamodb:DescribeStream"): STREAM,
    ("Stream", "dynamodb:GetRecords"): STREAM,
    ("Stream", "dynamodb:GetShardIterator"): STREAM,
    ("Streams", "dynamodb:ListStreams"): STREAM,
    ("Audit", "s3:PutObject"): (Backend.audits,),
    ("CursorSecret", "ssm:GetParameter"): (Backend.turns_pages,),
    ("TableKey", "kms:Decrypt"): (Backend.pays, Backend.reads, Backend.lists_by_status, *STREAM),
    ("AuditKey", "kms:GenerateDataKey"): (Backend.audits,),
    ("ApplicationKey", "kms:Decrypt"): (Backend.turns_pages,),
    ("Log", "logs:CreateLogStream"): (Backend.writes_its_log,),
    ("Log", "logs:PutLogEvents"): (Backend.writes_its_log,),
    ("Trace", "xray:PutTelemetryRecords"): (Backend.leaves_a_trace,),
    ("Trace", "xray:PutTraceSegments"): (Backend.leaves_a_trace,),
}
"""What is missed when an action of a statement is taken away."""

UNTRIED = {
    ("EvacuationFlag", "ssm:GetParameter"),
    ("Table", "dynamodb:UpdateItem"),
    ("GivenUp", "sns:Publish"),
    ("TopicKey", "kms:Decrypt"),
    ("TopicKey", "kms:GenerateDataKey"),
}
"""What no request of a client needs: moving a payment's status or putting it right, and the news of records
of the stream that were given up. Tests of the function and of the embedded AWS's permissions have them; those
of an evacuation have its flag, without which no name moves."""


@pytest.fixture
def backend(deployment: Deployment, declared: Declared) -> Backend:
    return Backend(Seen(deployment, ROLE, declared), deployment.api_key(ROLE))


def test_every_action_of_the_role_is_tried(backend: Backend) -> None:
    granted = [
        (statement["Sid"], action)
        for statement in backend.policy["Statement"]
        for action in statement["Action"]
    ]
    assert len(granted) == len(set(granted))
    assert set(granted) == set(MISSED) | UNTRIED


@pytest.mark.parametrize(("sid", "action"), list(MISSED))
def test_an_action_that_is_taken_away_is_missed(backend: Backend, sid: str, action: str) -> None:
    for works in MISSED[sid, action]:
        with backend.without(sid, action):
            assert not works(backend), f"{works.__name__} does not need {action}"
        # What reads the stream may not have looked again since it was refused.
        assert any(works(backend) for _ in range(TRIES)), f"{works.__name__} needs more than the policy gives"


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
