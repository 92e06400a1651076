"""One deployment, shared by all tests that only read or that put back what they change."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from payinfra.local.control import Control
from payinfra.local.endpoints import LocalEndpoints
from payinfra.tools import SERVER_FOLDER

PAYINFRA = Path(sys.executable).with_name("payinfra")
GLOBAL_SERVICES = ("iam", "route53", "sts")


ENV = "e2e"
DEPLOY = ("deploy", "--env", ENV, "--local", "--yes")


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    returncode: int
    stdout: str
    stderr: str
    seconds: float


@dataclass
class Project:
    """A folder in which payinfra runs, with an embedded AWS of its own."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """The caller's variables, without any that payinfra reads, and the project's own."""
        mine = {name: value for name, value in os.environ.items() if not name.startswith("PAYINFRA_")}
        return mine | {"PAYINFRA_LOCAL_PORT": "0", "COLUMNS": "140", "NO_COLOR": "1"} | self.environ

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start payinfra in a session of its own, so that a signal to it reaches nobody else."""
        return subprocess.Popen(
            [PAYINFRA, *arguments],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, timeout: float = 600) -> Done:
        """Run payinfra to its end."""
        began = time.monotonic()
        process = self.start(*arguments)
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        finally:
            process.kill()
        return Done(process.returncode, stdout, stderr, time.monotonic() - began)

    @property
    def server(self) -> Path:
        """The embedded AWS's folder."""
        return self.folder / ".payinfra" / SERVER_FOLDER

    @property
    def control(self) -> Control:
        """The embedded AWS's control."""
        return Control.of(self.server)


@dataclass(frozen=True)
class Deployment:
    """What stands: the project it was made in, and what the deployment said."""

    project: Project
    env: str
    outputs: dict[str, str]
    endpoints: LocalEndpoints
    deployed: Done

    @property
    def control(self) -> Control:
        """The embedded AWS's control."""
        return self.project.control

    def region(self, role: str) -> str:
        """The region that is `primary` or `secondary`."""
        return self.outputs[f"{role}_region"]

    def output(self, name: str, role: str) -> str:
        """A region's output."""
        return self.outputs[name if role == "primary" else f"secondary_{name}"]

    def client(self, service: str, role: str = "primary") -> Any:
        """A boto3 client in one of the two regions."""
        region = self.region(role)
        url = self.endpoints.global_url if service in GLOBAL_SERVICES else self.endpoints.regions[region]
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 3}),
        )

    def api_key(self, role: str) -> str:
        """The API key's value, as an operator reads it."""
        parameter = self.client("ssm", role).get_parameter(
            Name=self.output("api_key_parameter", role), WithDecryption=True
        )
        return str(parameter["Parameter"]["Value"])


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    project = Project(tmp_path_factory.mktemp("e2e"))
    try:
        done = project.run(*DEPLOY, "--format", "json")
        assert done.returncode == 0, done.stderr
        outputs = json.loads((project.folder / "cfn-outputs" / "flat-outputs.json").read_text())
        yield Deployment(project, ENV, outputs, project.control.status().endpoints, done)
    finally:
        project.run("destroy", "--env", ENV, "--local", "--yes")
        project.run("local", "down")
