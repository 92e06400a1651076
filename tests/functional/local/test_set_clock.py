"""The machine's clock is set back by an hour while the embedded AWS runs."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from payinfra.local.server.process import CLOCK_LOOK_S
from tests.support import embedded
from tests.support.project import Project
from tests.support.settable_clock import SettableClock

HOUR_S = 3600.0
WITHIN_S = 30.0
NOTICED_S = 6 * CLOCK_LOOK_S
"""By then the server has looked at the clock. Put forward and back between two looks, it was never set."""


@pytest.fixture
def clock(tmp_path: Path) -> SettableClock:
    return SettableClock(tmp_path / "clock")


@pytest.fixture
def project(tmp_path: Path, clock: SettableClock) -> Iterator[Project]:
    project = Project(tmp_path / "project", program=clock.program, measured=False)
    project.folder.mkdir()
    try:
        started = project.run("local", "up")
        assert started.returncode == 0, started.stderr
        yield project
    finally:
        project.run("local", "down")


def throttled_api(project: Project) -> str:
    """The URL of an API that takes one request a second."""
    gateway = embedded.client(project.server, "apigateway")
    api = gateway.create_rest_api(name="a")["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    method: dict[str, Any] = {"restApiId": api, "resourceId": root, "httpMethod": "GET"}
    gateway.put_method(**method, authorizationType="NONE")
    gateway.put_method_response(**method, statusCode="200")
    gateway.put_integration(
        **method, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'}
    )
    gateway.put_integration_response(**method, statusCode="200")
    gateway.create_deployment(restApiId=api, stageName="prod")
    limits = [
        {"op": "replace", "path": f"/*/*/throttling/{name}", "value": "1"}
        for name in ("rateLimit", "burstLimit")
    ]
    gateway.update_stage(restApiId=api, stageName="prod", patchOperations=limits)
    east = embedded.endpoints_of(project.server).regions["us-east-1"]
    return f"{east}/_aws/execute-api/{api}/prod/"


def until_it_says(status: int, url: str, pause_s: float = 0) -> None:
    """Ask until the answer has this status."""
    ends = time.monotonic() + WITHIN_S
    while (said := httpx.get(url).status_code) != status:
        assert time.monotonic() < ends, f"it goes on answering {said}"
        time.sleep(pause_s)


def test_an_api_that_throttles_answers_again_at_once_once_the_clock_was_put_back(
    project: Project, clock: SettableClock
) -> None:
    url = throttled_api(project)
    clock.set(HOUR_S)
    time.sleep(NOTICED_S)
    until_it_says(httpx.codes.TOO_MANY_REQUESTS, url)
    clock.set(0.0)
    until_it_says(httpx.codes.OK, url, pause_s=0.2)
    said_by_payinfra = project.run("local", "status")
    assert said_by_payinfra.returncode == 0, said_by_payinfra.stderr
