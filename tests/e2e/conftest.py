"""One deployment, shared by all tests that only read or that put back what they change."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from botocore.config import Config
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from payinfra.drill.prediction import ALARMS_LOOK_BACK_S
from payinfra.local.control import Control
from payinfra.local.endpoints import LocalEndpoints
from payinfra.local.server.time_scale import FASTEST
from tests.support import embedded
from tests.support.project import Done, Project

__all__ = ["DEPLOY", "ENV", "Deployment", "Done", "Project"]

LONGEST = (
    *("test_bad_luck.py", "test_wheel_deploys.py", "test_damage.py", "test_destroy.py"),
    *("test_example_project.py", "test_fail_back.py", "test_slow_rules.py", "test_lost_state.py"),
)
"""Files that take minutes: none may be left to one worker while the others have nothing to do."""
DRILLS = "drill"
"""The folder of the tests that drill."""
HURRY = 20.0
"""By how much time runs faster where a health check or an alarm must change its mind."""
CALM_WITHIN_S = 180.0
SERVES_WITHIN_S = 60.0
FEW, SURE = 5, 30
"""So many good answers of a health page in a row are enough; and so many, once one was bad: they are not from
one lucky container."""
FORGOTTEN_S = 1.1 * ALARMS_LOOK_BACK_S / FASTEST
"""In real time, at the fastest: after it no alarm looks back on what was before."""
ENV = "e2e"
MARKS = frozenset({"schema", "version"})
"""What `outputs` says of its own form in JSON, beside the outputs."""
DEPLOY = ("deploy", "--env", ENV, "--local", "--yes")


@dataclass
class Deployment:
    """What stands: the project it was made in, and what the deployment said."""

    project: Project
    env: str
    outputs: Mapping[str, str]
    endpoints: LocalEndpoints
    deployed: Done

    @property
    def control(self) -> Control:
        """The embedded AWS's control."""
        return self.project.control

    def read_outputs(self) -> None:
        """Read the outputs again, for a test that changed one: the others share the deployment."""
        done = self.project.run("outputs", "--env", self.env, "--local", "--format", "json")
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        self.outputs = {name: value for name, value in answer.items() if name not in MARKS}

    def region(self, role: str) -> str:
        """The region that is `primary` or `secondary`."""
        return self.outputs[f"{role}_region"]

    def output(self, name: str, role: str) -> str:
        """A region's output."""
        return self.outputs[name if role == "primary" else f"secondary_{name}"]

    def client(self, service: str, role: str = "primary") -> Any:
        """A boto3 client in one of the two regions."""
        return self._client(service, role, attempts=3)

    def patient_client(self, service: str, role: str = "primary") -> Any:
        """The same for operations of which few a second are answered."""
        return self._client(service, role, attempts=10)

    def _client(self, service: str, role: str, attempts: int) -> Any:
        config = Config(
            s3={"addressing_style": "path"}, retries={"total_max_attempts": attempts, "mode": "standard"}
        )
        return embedded.client(self.project.server, service, self.region(role), config)

    def api_key(self, role: str) -> str:
        """The API key's value, as an operator reads it."""
        parameter = self.client("ssm", role).get_parameter(
            Name=self.output("api_key_parameter", role), WithDecryption=True
        )
        return str(parameter["Parameter"]["Value"])

    @contextmanager
    def in_a_hurry(self, scale: float = HURRY) -> Iterator[None]:
        """Time runs so many times as fast as real, and as real afterwards."""
        self.control.set_time_scale(scale)
        try:
            yield
        finally:
            self.control.set_time_scale(1.0)

    def ringing(self) -> list[str]:
        """The alarms in ALARM, in either region."""
        return [
            alarm["AlarmName"]
            for role in ("primary", "secondary")
            for alarm in self.client("cloudwatch", role).describe_alarms(StateValue="ALARM")["MetricAlarms"]
        ]

    def serving(self, role: str) -> bool:
        """Wait until a region's health page answers 200, and goes on to; whether it does.

        A container that could not write for a while needs three good writes, ten seconds apart, to say that
        it can again (`handlers.payments.recording`). Until then the page's 503 ring the API's alarm.
        """
        url = self.output("api_endpoint", role).removesuffix("/payments") + "/health"
        end, good, wanted = time.monotonic() + SERVES_WITHIN_S, 0, FEW
        while good < wanted and time.monotonic() < end:
            try:
                answers = httpx.get(url, timeout=10).status_code == httpx.codes.OK
            except httpx.TransportError:
                answers = False
            good, wanted = (good + 1, wanted) if answers else (0, SURE)
            if wanted == SURE:
                time.sleep(0.1)
        return good >= wanted

    def calm(self) -> None:
        """Wait until no alarm rings, or can begin to ring, for what was done before."""
        for role in ("primary", "secondary"):
            assert self.serving(role), f"the health page of the {role} region keeps answering 503"
        with self.in_a_hurry(FASTEST):
            time.sleep(FORGOTTEN_S)
        # A health check may have to change its mind first, and its alarm needs a metric each minute.
        with self.in_a_hurry():
            polls = Retrying(
                retry=retry_if_result(bool), stop=stop_after_delay(CALM_WITHIN_S), wait=wait_fixed(0.2)
            )
            polls(self.ringing)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files come first, and drills last: beside a deployment they would measure that."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    if item.path.name in LONGEST:
        return LONGEST.index(item.path.name)
    return len(LONGEST) + (DRILLS in item.path.parts)


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    project = Project(tmp_path_factory.mktemp("e2e"), measured=False)
    try:
        done = project.run(*DEPLOY, "--format", "json")
        assert done.returncode == 0, done.stderr
        outputs = json.loads((project.folder / "cfn-outputs" / "flat-outputs.json").read_text())
        yield Deployment(project, ENV, outputs, project.control.status().endpoints, done)
    finally:
        # Everything is in the folder, and nobody looks at it again: test_destroy.py destroys.
        project.run("local", "down")


@pytest.fixture
def measured(deployment: Deployment) -> Iterator[None]:
    """Coverage follows a test's commands. Most are not followed: their times would not be true."""
    deployment.project.measured = True
    yield
    deployment.project.measured = False
