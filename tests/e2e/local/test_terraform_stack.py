"""A real Terraform with the real provider makes every kind of resource on the embedded AWS, and finds nothing
to change afterwards; the API then answers as on AWS, with and without faults."""

import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from payinfra.local import lifecycle
from payinfra.local.control import Control
from payinfra.local.endpoints import LocalEndpoints
from payinfra.local.faults import RegionBlackout, ReplicationDelay, ReplicationPause
from payinfra.local.lifecycle import RECORD_VARIABLE
from payinfra.terraform.binary import find_binary
from payinfra.terraform.environment import with_access_key
from payinfra.terraform.runner import Terraform

EAST, WEST = "us-east-1", "us-west-2"
STACK = Path(__file__).with_name("stack")
TABLE = "payment-e2e-payments"
DOMAIN = "payments.e2e.example.com"
WAIT = lifecycle.WaitClock()


@dataclass
class Deployed:
    """The stack, and its API as a client sees it."""

    folder: Path
    endpoints: LocalEndpoints
    terraform: Terraform
    outputs: dict[str, Any] = field(default_factory=dict)

    @property
    def control(self) -> Control:
        return Control.of(self.folder)

    def host(self, region: str) -> str:
        api = self.outputs["primary_api" if region == EAST else "secondary_api"]
        return f"{api}.execute-api.{region}.amazonaws.com"

    def call(
        self, region: str, method: str, path: str, host: str = "", timeout: float = 20.0, **more: Any
    ) -> httpx.Response:
        headers = {
            "host": host or self.host(region),
            "x-api-key": self.outputs["api_key"],
            **more.pop("headers", {}),
        }
        url = self.endpoints.regions[region] + path
        with httpx.Client(trust_env=False, timeout=timeout) as client:
            return client.request(method, url, headers=headers, **more)

    def pay(self, region: str, key: str) -> httpx.Response:
        headers = {"Idempotency-Key": key}
        return self.call(region, "POST", "/prod/payments", json={"amount": 1}, headers=headers)

    def held(self, region: str, key: str) -> bool:
        return self.call(region, "GET", f"/prod/payments/{key}").status_code == 200


def variables(endpoints: LocalEndpoints) -> str:
    return json.dumps(
        {
            "primary_url": endpoints.regions[EAST],
            "secondary_url": endpoints.regions[WEST],
            "global_url": endpoints.global_url,
            "code": "code.zip",
        }
    )


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    # `make conformance` puts what is recorded to the role for CI, which is printed for payinfra's own stack.
    with pytest.MonkeyPatch.context() as here:
        here.setenv(RECORD_VARIABLE, "")
        yield from _applied(tmp_path_factory.mktemp("local") / ".server")


def _applied(folder: Path) -> Iterator[Deployed]:
    work = folder.parent / "stack"
    shutil.copytree(STACK, work)
    with zipfile.ZipFile(work / "code.zip", "w") as code:
        code.write(work / "handler.py", "handler.py")
    try:
        endpoints = lifecycle.up(folder, (EAST, WEST), base_port=0)
        key = lifecycle.access_key(folder)
        terraform = Terraform(
            binary=find_binary(),
            folder=work,
            data_dir=folder.parent / "data",
            log=folder.parent / "terraform.log",
            environment=with_access_key(os.environ, key.access_key_id, key.secret_access_key),
        )
        (work / "endpoints.auto.tfvars.json").write_text(variables(endpoints))
        terraform.init()
        plan = work / "first.plan"
        terraform.plan(plan)
        outputs = terraform.apply(plan)
        yield Deployed(folder, endpoints, terraform, {name: output.value for name, output in outputs.items()})
    finally:
        lifecycle.down(folder)


@pytest.fixture(autouse=True)
def _no_fault_is_left(deployed: Deployed) -> Iterator[None]:
    yield
    deployed.control.clear()


def test_a_second_plan_is_empty(deployed: Deployed, tmp_path: Path) -> None:
    assert deployed.terraform.plan(tmp_path / "second.plan").changes == ()


def test_the_state_survives_a_kill_and_the_plan_stays_empty(deployed: Deployed, tmp_path: Path) -> None:
    assert deployed.pay(EAST, "before-the-kill").status_code == 201
    state = deployed.folder / "state" / "lambda.json"
    assert WAIT.until(state.exists, 10)
    os.kill(server_pid(deployed), 9)
    assert WAIT.until(lambda: lifecycle.status(deployed.folder) is None, 10)
    again = lifecycle.up(deployed.folder, (EAST, WEST), base_port=0)
    assert again.regions == deployed.endpoints.regions
    assert deployed.held(EAST, "before-the-kill")
    assert deployed.held(WEST, "before-the-kill")
    assert deployed.terraform.plan(tmp_path / "third.plan").changes == ()


def server_pid(deployed: Deployed) -> int:
    return deployed.control.status().endpoints.pid


def test_each_regions_api_answers_at_its_names(deployed: Deployed) -> None:
    for region in (EAST, WEST):
        at_its_name = deployed.call(region, "GET", "/prod/health")
        assert at_its_name.json() == {"region": region, "domain": deployed.host(region)}
        by_path = f"/_aws/execute-api/{deployed.host(region).split('.')[0]}/prod/health"
        assert deployed.call(region, "GET", by_path, host="127.0.0.1").json()["region"] == region
        at_the_domain = deployed.call(region, "GET", "/health", host=DOMAIN)
        assert at_the_domain.json() == {"region": region, "domain": DOMAIN}


def test_the_same_key_opens_both_regions_and_no_key_opens_none(deployed: Deployed) -> None:
    for region in (EAST, WEST):
        assert deployed.pay(region, f"key-{region}").status_code == 201
        assert (
            deployed.call(region, "GET", "/prod/payments/x", headers={"x-api-key": "no"}).status_code == 403
        )


def test_the_gateway_refuses_before_the_function_does(deployed: Deployed) -> None:
    bad = deployed.call(
        EAST, "POST", "/prod/payments", json={"amount": "x"}, headers={"Idempotency-Key": "k"}
    )
    assert (bad.status_code, bad.json()["title"]) == (400, "Invalid request body")
    assert deployed.call(EAST, "GET", "/prod/nowhere").status_code == 403
    assert deployed.call(EAST, "GET", "/prod/health", host="attacker.example").status_code == 403


def test_a_payment_is_read_in_the_other_region(deployed: Deployed) -> None:
    assert deployed.pay(EAST, "from-the-east").json()["region"] == EAST
    assert deployed.pay(WEST, "from-the-west").json()["region"] == WEST
    assert deployed.held(WEST, "from-the-east")
    assert deployed.held(EAST, "from-the-west")


def test_replication_is_paused_delayed_and_resumed(deployed: Deployed) -> None:
    deployed.control.inject(ReplicationPause())
    deployed.pay(EAST, "paused")
    assert not deployed.held(WEST, "paused")
    assert deployed.control.status().pending_writes == 1
    deployed.control.clear()
    assert deployed.held(WEST, "paused")
    deployed.control.inject(ReplicationDelay(1.0, 0.2))
    deployed.pay(EAST, "delayed")
    assert not deployed.held(WEST, "delayed")
    assert WAIT.until(lambda: deployed.held(WEST, "delayed"), 5)


def test_a_lost_region_answers_nothing_and_the_other_goes_on(deployed: Deployed) -> None:
    deployed.control.inject(RegionBlackout(EAST))
    with pytest.raises(httpx.ReadTimeout):
        deployed.call(EAST, "GET", "/prod/health", timeout=1)
    assert deployed.pay(WEST, "while-the-east-is-lost").status_code == 201
    assert deployed.control.status().pending_writes == 1
    deployed.control.clear()
    assert deployed.held(EAST, "while-the-east-is-lost")


@pytest.fixture
def functions(deployed: Deployed, client_of: Any) -> Any:
    return client_of(deployed.folder, "lambda", EAST)


def test_a_throttled_function_is_the_gateways_500(deployed: Deployed, functions: Any) -> None:
    name = deployed.outputs["function"]
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    try:
        throttled = deployed.call(EAST, "GET", "/prod/health")
        assert (throttled.status_code, throttled.json()["title"]) == (500, "Internal server error")
    finally:
        functions.delete_function_concurrency(FunctionName=name)
    assert deployed.call(EAST, "GET", "/prod/health").status_code == 200


def test_a_function_that_fails_tells_the_caller_nothing(deployed: Deployed) -> None:
    failed = deployed.call(EAST, "GET", "/prod/payments/fail")
    assert failed.status_code == 502
    assert "secret" not in failed.text


def test_without_permission_the_api_may_not_call_the_function(deployed: Deployed, functions: Any) -> None:
    name = {"FunctionName": deployed.outputs["function"], "Qualifier": "live"}
    statement = json.loads(functions.get_policy(**name)["Policy"])["Statement"][0]
    functions.remove_permission(**name, StatementId=statement["Sid"])
    try:
        assert deployed.call(EAST, "GET", "/prod/health").status_code == 500
    finally:
        functions.add_permission(
            **name,
            StatementId=statement["Sid"],
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=statement["Condition"]["ArnLike"]["AWS:SourceArn"],
        )
    assert deployed.call(EAST, "GET", "/prod/health").status_code == 200


def test_a_role_without_the_right_is_denied(deployed: Deployed, client_of: Any) -> None:
    iam = client_of(deployed.folder, "iam", EAST)
    role, policy = f"payment-e2e-function-{EAST}", "payments"
    kept = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    iam.delete_role_policy(RoleName=role, PolicyName=policy)
    try:
        assert deployed.pay(EAST, "denied").status_code == 502
    finally:
        iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(kept))
    assert deployed.pay(EAST, "allowed").status_code == 201


def test_audit_objects_reach_the_other_regions_bucket(deployed: Deployed, client_of: Any) -> None:
    deployed.pay(EAST, "audited")
    s3 = client_of(deployed.folder, "s3", WEST)
    bucket = deployed.outputs["buckets"][1]

    def copied() -> bool:
        found = s3.list_objects_v2(Bucket=bucket, Prefix="payments/audited").get("Contents", [])
        return len(found) == 1

    assert WAIT.until(copied, 5)


def test_the_functions_log_holds_what_it_wrote(deployed: Deployed, client_of: Any) -> None:
    deployed.call(EAST, "GET", "/prod/health")
    logs = client_of(deployed.folder, "logs", EAST)
    group = f"/aws/lambda/{deployed.outputs['function']}"
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
    lines = [event for page in pages for event in page["events"]]
    assert any('"/health"' in line["message"] for line in lines)
