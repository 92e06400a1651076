"""What probes ask is asked as AWS's service models have it, and its errors are read as it sends them.

The calls whose answers the embedded AWS cannot give go through real clients here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore import xform_name
from botocore.model import OperationModel
from botocore.session import get_session
from botocore.stub import Stubber
from botocore.validate import validate_parameters

from payinfra.checks.probes.runner import ProbeClock, Task
from payinfra.checks.probes.verify import load
from payinfra.checks.verdicts import Kind, Verdict
from payinfra.clients.aws import Aws
from tests.unit.checks.probes.conftest import EAST, NOW, FakeEnv, bucket, declared, region_outputs


@pytest.fixture(scope="module")
def operations() -> Mapping[tuple[str, str], OperationModel]:
    """AWS's operations, by service and by the name of a client's method."""
    session = get_session()
    services = ("apigateway", "cloudwatch", "dynamodb", "iam", "kms", "lambda", "logs", "route53", "s3")
    models = {name: session.get_service_model(name) for name in (*services, "sns", "ssm")}
    return {
        (name, xform_name(operation)): model.operation_model(operation)
        for name, model in models.items()
        for operation in model.operation_names
    }


@pytest.mark.parametrize("delegated", [False, True])
@pytest.mark.parametrize("on_aws", [False, True])
def test_every_call_is_one_that_aws_takes(
    fake: FakeEnv, operations: Mapping[tuple[str, str], OperationModel], on_aws: bool, delegated: bool
) -> None:
    fake.declared = declared(dns=replace(declared().dns, delegated=delegated), alarm_email="ops@example.com")
    if on_aws:
        fake.endpoints = None
    fake.failing()
    assert len(fake.parameters) > 100
    for service, operation, parameters in fake.parameters:
        shape = operations[service, operation].input_shape
        assert shape is not None
        validate_parameters(parameters, shape)


@dataclass(frozen=True)
class Answered(Aws):
    """A real client on AWS, whose answers a stub gives."""

    one: Any = None

    def client(self, service: str, region: str) -> Any:
        return self.one

    def s3_without_tls(self, region: str) -> Any:
        return self.one


def asked(fake: FakeEnv, id: str, client: Any) -> Verdict:
    """What a probe says of the primary region."""
    (probe,) = (each for each in load() if each.rule.id == id)
    live = replace(fake.live(), aws=Answered(one=client))
    task = Task(probe, live.sites[0], EAST, probe.within_s)
    (verdict,) = task.ask(live, ProbeClock(fake.time.now, fake.time.sleep))
    return verdict


def a_client(service: str) -> Any:
    return boto3.client(service, region_name=EAST, aws_access_key_id="x", aws_secret_access_key="x")


ROLE = {"cloudwatchRoleArn": "arn:aws:iam::123456789012:role/payinfra-apigateway-logs"}


@pytest.mark.parametrize(("account", "kind"), [(ROLE, Kind.PASS), ({}, Kind.WARN)])
def test_the_account_may_let_api_gateway_log(fake: FakeEnv, account: dict[str, str], kind: Kind) -> None:
    client = a_client("apigateway")
    with Stubber(client) as stub:
        stub.add_response("get_account", account, {})
        assert asked(fake, "LIVE-API-008", client).kind is kind


def test_a_refusal_of_aws_names_the_permission_that_is_missing(fake: FakeEnv) -> None:
    client = a_client("apigateway")
    denied = "User: arn:aws:iam::1:user/ci is not authorized to perform: apigateway:GET on resource: x"
    with Stubber(client) as stub:
        stub.add_client_error("get_account", "AccessDeniedException", denied, 403)
        said = asked(fake, "LIVE-API-008", client)
    assert (said.kind, said.message) == (
        Kind.ERROR,
        "access denied: the caller lacks apigateway:GET (AccessDeniedException)",
    )
    assert "Allow the caller this action" in said.remedy


def test_throttling_that_ends_is_waited_for_and_other_throttling_is_an_error(fake: FakeEnv) -> None:
    client = a_client("apigateway")
    with Stubber(client) as stub:
        for _ in range(3):
            stub.add_client_error("get_account", "TooManyRequestsException", "Too Many Requests", 429)
        stub.add_response("get_account", ROLE, {})
        assert asked(fake, "LIVE-API-008", client).kind is Kind.PASS
        for _ in range(50):
            stub.add_client_error("get_account", "TooManyRequestsException", "Too Many Requests", 429)
        said = asked(fake, "LIVE-API-008", client)
    assert (said.kind, said.message) == (
        Kind.ERROR,
        "GetAccount answered TooManyRequestsException: Too Many Requests",
    )


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [("AccessDenied", 403, Kind.PASS), ("PermanentRedirect", 301, Kind.ERROR)],
)
def test_plain_http_is_denied_by_the_buckets_policy(
    fake: FakeEnv, code: str, status: int, kind: Kind
) -> None:
    client = a_client("s3")
    with Stubber(client) as stub:
        stub.add_client_error(
            "list_objects_v2", code, "x", status, None, {"Bucket": bucket(EAST), "MaxKeys": 1}
        )
        assert asked(fake, "LIVE-S3-005", client).kind is kind
        stub.add_response("list_objects_v2", {"KeyCount": 0}, {"Bucket": bucket(EAST), "MaxKeys": 1})
        assert asked(fake, "LIVE-S3-005", client).kind is Kind.FAIL


def test_a_subscription_is_pending_until_it_is_confirmed(fake: FakeEnv) -> None:
    fake.declared = declared(alarm_email="ops@example.com")
    client, topic = a_client("sns"), region_outputs(EAST).sns_topic_arn
    with Stubber(client) as stub:
        for arn, kind in (("PendingConfirmation", Kind.WARN), (f"{topic}:1", Kind.PASS)):
            one = {"Endpoint": "ops@example.com", "Protocol": "email", "SubscriptionArn": arn}
            stub.add_response("list_subscriptions_by_topic", {"Subscriptions": [one]}, {"TopicArn": topic})
            assert asked(fake, "LIVE-SNS-002", client).kind is kind
        stub.assert_no_pending_responses()


def test_checkers_that_have_not_asked_for_long_are_no_knowledge(fake: FakeEnv) -> None:
    client = a_client("route53")
    report = {"Status": "Success: HTTP Status Code 200, OK", "CheckedTime": NOW - timedelta(minutes=6)}
    stale = {"Region": "us-east-1", "IPAddress": "192.0.2.1", "StatusReport": report}
    with Stubber(client) as stub:
        for _ in range(100):
            stub.add_response("get_health_check_status", {"HealthCheckObservations": [stale]})
        said = asked(fake, "LIVE-R53-002", client)
    assert (said.kind, "none of 1 checkers has asked" in said.message) == (Kind.ERROR, True)
