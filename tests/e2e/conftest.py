"""One deployment, made the hard way and shared by all tests that only read.

On its way it meets what goes wrong in practice: payinfra is killed in mid-apply, then interrupted, then the
embedded AWS itself is killed. What each of these left behind is recorded here and judged in
`test_bad_luck.py`; the deployment that stands in the end is the one that all other tests use.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from payinfra.local.control import Control
from payinfra.local.endpoints import LocalEndpoints
from payinfra.local.server import Watch
from payinfra.tools import SERVER_FOLDER

PAYINFRA = Path(sys.executable).with_name("payinfra")
GLOBAL_SERVICES = ("iam", "route53", "sts")


ENV = "e2e"
DEPLOY = ("deploy", "--env", ENV, "--local", "--yes")
Act = Callable[[subprocess.Popen[str]], None]


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

    def run_until(self, line: str, act: "Act", *arguments: str) -> Done:
        """Run payinfra, and do something to it once its stderr has a line that holds `line`."""
        began = time.monotonic()
        process = self.start(*arguments)
        assert process.stderr is not None
        seen = []
        for said in process.stderr:
            seen.append(said)
            if line in said:
                act(process)
                break
        stdout, rest = process.communicate(timeout=600)
        return Done(process.returncode, stdout, "".join(seen) + rest, time.monotonic() - began)

    def once_waiting(self, act: Act) -> Act:
        """Does something once the apply that has begun has waited for a resource for ten seconds."""
        log = self.folder / ".payinfra" / "local" / ENV / "logs" / "terraform.log"
        begun = log.read_text(encoding="utf-8").count(": terraform apply\n") if log.exists() else 0

        def waits() -> bool:
            parts = log.read_text(encoding="utf-8").split(": terraform apply\n")
            return len(parts) > begun + 1 and '"type":"apply_progress"' in parts[-1]

        def run(process: subprocess.Popen[str]) -> None:
            assert Watch().until(waits, 120)
            act(process)

        return run

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
    """What stands: the project it was made in, and what each command on the way said."""

    project: Project
    env: str
    outputs: dict[str, str]
    endpoints: LocalEndpoints
    history: dict[str, Done]

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


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)


def interrupt(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    project = Project(tmp_path_factory.mktemp("e2e"))

    def kill_the_emulator(_process: subprocess.Popen[str]) -> None:
        os.kill(project.control.status().endpoints.pid, signal.SIGKILL)

    try:
        # Each blow falls while Terraform only waits (for the zone, for lifecycles to settle): a call that is
        # under way at that moment may have made what no state will ever know of.
        waiting = "created aws_api_gateway_usage_plan_key.secondary"
        history = {
            "payinfra killed": project.run_until(waiting, kill, *DEPLOY),
            "interrupted": project.run_until("> apply", project.once_waiting(interrupt), *DEPLOY),
            "emulator killed": project.run_until("> apply", project.once_waiting(kill_the_emulator), *DEPLOY),
            "deployed": project.run(*DEPLOY, "--format", "json"),
        }
        last = history["deployed"]
        assert last.returncode == 0, last.stderr
        outputs = json.loads((project.folder / "cfn-outputs" / "flat-outputs.json").read_text())
        yield Deployment(project, ENV, outputs, project.control.status().endpoints, history)
    finally:
        project.run("destroy", "--env", ENV, "--local", "--yes")
        project.run("local", "down")
