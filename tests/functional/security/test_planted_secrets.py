"""Secrets planted where payinfra and Terraform see them: nothing that is written shows one."""

import json
import os
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.support.project import Done, Project

PLANTED = {
    "AWS_SECRET_ACCESS_KEY": "planted/secret+key/of/aws",
    "AWS_SESSION_TOKEN": 'planted"token\\with"quotes',
    "GITHUB_TOKEN": "ghs_planted_token_of_ci",
    "DEPLOY_PASSWORD": "planted pass word",
}
# A Terraform that tells everybody whatever it knows, as text and as JSON, and fails.
TALKATIVE = """
case "$1" in
    version) echo '{"terraform_version": "1.11.4"}'; exit 0 ;;
esac
env >&2
env
python3 -c 'import json, os; print(json.dumps({"@level": "error", "@message": str(dict(os.environ)),
    "type": "diagnostic", "diagnostic": {"severity": "error",
    "summary": "Error: " + os.environ["GITHUB_TOKEN"], "detail": " ".join(os.environ.values())}}))'
exit 1
"""


class Aws(BaseHTTPRequestHandler):
    """As much of AWS as comes before Terraform: who is calling, and the account's settings."""

    def do_POST(self) -> None:
        self.server.agents.append(self.headers["User-Agent"])  # type: ignore[attr-defined]  # set below
        body = (
            b'<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
            b"<GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/x</Arn><UserId>x</UserId>"
            b"<Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
        )
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amzn-requestid", "request-1")
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        """API Gateway's settings of the account, which a deployment looks for."""
        self.server.agents.append(self.headers["User-Agent"])  # type: ignore[attr-defined]  # set below
        body = b'{"cloudwatchRoleArn": "arn:aws:iam::123456789012:role/x"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Nothing: stderr is the test's."""


@dataclass(frozen=True)
class Run:
    """A run of a command, what it left, and the User-Agents of its calls to AWS."""

    folder: Path
    done: Done
    agents: list[str]


COMMANDS = {
    "text": ("plan",),
    "json": ("deploy", "--yes", "--summary", "summary.md"),
}


def run(folder: Path, fmt: str) -> Run:
    """One of the commands with everything planted, in that format of the log."""
    server = HTTPServer(("127.0.0.1", 0), Aws)
    agents: list[str] = []
    vars(server)["agents"] = agents
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        project = folder / "project"
        for each in (project, folder / "bin"):
            each.mkdir()
        terraform = folder / "bin" / "terraform"
        terraform.write_text(f"#!/bin/sh\n{TALKATIVE}")
        terraform.chmod(0o755)
        environ = PLANTED | {
            "PATH": f"{terraform.parent}:{os.environ['PATH']}",
            "AWS_ACCESS_KEY_ID": "AKIAPLANTED",
            "AWS_ENDPOINT_URL_STS": f"http://127.0.0.1:{server.server_port}",
            "AWS_ENDPOINT_URL_API_GATEWAY": f"http://127.0.0.1:{server.server_port}",
            "AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{server.server_port}",
            "AWS_REGION": "us-east-1",
            "PAYINFRA_RUN_ID": "build-7",
            "GITHUB_STEP_SUMMARY": str(project / "job.md"),
        }
        arguments = ("--verbose", "--log-format", fmt, *COMMANDS[fmt], "--env", "pr7", "--format", "json")
        return Run(project, Project(project, environ).run(*arguments), agents)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    return {fmt: run(tmp_path_factory.mktemp(fmt), fmt) for fmt in COMMANDS}


def shown(text: str) -> set[str]:
    """The planted secrets that a text has, plain or as JSON writes them."""
    return {name for name, value in PLANTED.items() if value in text or json.dumps(value)[1:-1] in text}


def terraform_log(run: Run) -> Path:
    (log,) = run.folder.rglob("terraform.log")
    return log


@pytest.mark.parametrize("fmt", COMMANDS)
def test_no_secret_is_written_anywhere(runs: dict[str, Run], fmt: str) -> None:
    done, folder = runs[fmt].done, runs[fmt].folder
    assert done.returncode == 3, done.stderr
    assert "(hidden)" in done.stderr, "Terraform's message was not shown at all"
    assert shown(done.stdout + done.stderr) == set()
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert {"terraform.log", "cdk.tf.json"} <= {path.name for path in written}
    assert ("summary.md" in {path.name for path in written}) is (fmt == "json")
    for path in written:
        assert shown(path.read_bytes().decode(errors="replace")) == set(), path


def test_the_log_would_have_shown_them(runs: dict[str, Run]) -> None:
    """The Terraform of this test does tell: its words are in the log, and only the secrets are not."""
    log = terraform_log(runs["text"])
    text = log.read_text()
    assert "GITHUB_TOKEN=(hidden)" in text
    assert "AWS_ACCESS_KEY_ID=AKIAPLANTED" in text
    assert log.stat().st_mode & 0o777 == 0o600


def test_one_id_goes_through_everything(runs: dict[str, Run]) -> None:
    lines = [json.loads(line) for line in runs["json"].done.stderr.splitlines()]
    assert {line["run"] for line in lines} == {"build-7"}
    assert lines[-1]["event"] == "failed"
    messages = [line["message"] for line in lines if line["event"] == "log"]
    assert "us-east-1 sts GetCallerIdentity: 200, request request-1" in messages
    assert all("run/build-7" in agent for agent in runs["json"].agents)
    assert runs["json"].agents
    log = terraform_log(runs["json"]).read_text().splitlines()
    assert "run/build-7" in next(line for line in log if "TF_APPEND_USER_AGENT" in line)
