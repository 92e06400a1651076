"""Drills of the shared deployment, in a time that runs fast; each leaves everything as it was."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from tests.e2e.conftest import Deployment, Done

SCALE = 20.0
QUICK = ("--time-scale", f"{SCALE:g}", "--rate", "3", "--warm-up", "1.5", "--hold", "2", "--in-a-row", "5")
CALM_WITHIN_S = 60.0


@dataclass(frozen=True)
class Stage:
    """The deployment as a place of drills."""

    deployment: Deployment

    def words(self, *arguments: str) -> tuple[str, ...]:
        return ("failover-drill", "--env", self.deployment.env, "--local", *arguments)

    def drill(self, *arguments: str) -> Done:
        """A drill that nobody interrupts."""
        return self.deployment.project.run(*self.words("--yes", *QUICK, *arguments), timeout=300)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return self.deployment.project.start(*self.words("--yes", *QUICK, *arguments))

    def restore(self) -> Done:
        return self.deployment.project.run(*self.words("--restore"), timeout=300)

    def situation(self) -> dict[str, Any]:
        """Everything that a drill may have changed, and the payments that it may have left."""
        found: dict[str, Any] = {}
        for role in ("primary", "secondary"):
            function = self.deployment.output("lambda_function_name", role)
            reserved = self.deployment.client("lambda", role).get_function_concurrency(FunctionName=function)
            check = self.deployment.client("route53").get_health_check(
                HealthCheckId=self.deployment.output("health_check_id", role)
            )["HealthCheck"]["HealthCheckConfig"]
            items = self.deployment.client("dynamodb", role).query(
                TableName=self.deployment.output("dynamodb_table_name", role),
                IndexName="customer-index",
                KeyConditionExpression="customer_id = :customer",
                ExpressionAttributeValues={":customer": {"S": f"payinfra-drill-{self.deployment.env}"}},
            )["Items"]
            found[role] = {
                "concurrency": reserved.get("ReservedConcurrentExecutions"),
                "inverted": check.get("Inverted", False),
                "disabled": check.get("Disabled", False),
                "payments": [item["payment_id"]["S"] for item in items],
            }
        status = self.deployment.control.status()
        return found | {"faults": status.faults, "time_scale": status.time_scale}

    def ringing(self) -> list[str]:
        return [
            alarm["AlarmName"]
            for role in ("primary", "secondary")
            for alarm in self.deployment.client("cloudwatch", role).describe_alarms(StateValue="ALARM")[
                "MetricAlarms"
            ]
        ]

    def calm(self) -> None:
        """Wait until no alarm rings for what a drill that was cut short has done."""
        self.deployment.control.set_time_scale(100.0)
        try:
            polls = Retrying(
                retry=retry_if_result(bool), stop=stop_after_delay(CALM_WITHIN_S), wait=wait_fixed(0.5)
            )
            polls(self.ringing)
        finally:
            self.deployment.control.set_time_scale(1.0)


@pytest.fixture
def stage(deployment: Deployment) -> Iterator[Stage]:
    """The place, which must be after a test as it was before."""
    found = Stage(deployment)
    if found.ringing():  # for what other tests have done
        found.calm()
    before = found.situation()
    yield found
    assert found.situation() == before
    found.calm()


def until(process: "subprocess.Popen[str]", phase: str) -> list[str]:
    """Read a drill's stderr until a phase begins; what was read."""
    read: list[str] = []
    assert process.stderr is not None
    for line in process.stderr:
        read.append(line)
        if line.startswith(f"> {phase}"):
            return read
    raise AssertionError(f"{phase} never began:\n{''.join(read)}")


def report_of(done: Done) -> dict[str, Any]:
    """The report that a drill wrote to stdout as JSON."""
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def phases(report: dict[str, Any]) -> Sequence[str]:
    """The phases that a drill went through."""
    return [phase["phase"] for phase in report["phases"]]
