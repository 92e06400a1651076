"""Secrets planted where payinfra and Terraform see them: nothing that is written shows one."""

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.support.project import Project

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


class Sts(BaseHTTPRequestHandler):
    """Says who is calling, as STS does."""

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
        body = b'{"cloudwatchRoleArn": "arn:aws:iam::123456789012:role/x"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Nothing: stderr is the test's."""


@pytest.fixture
def sts() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Sts)
    vars(server)["agents"] = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def leaky(tmp_path: Path, sts: HTTPServer) -> Project:
    folder, programs = tmp_path / "project", tmp_path / "bin"
    for each in (folder, programs):
        each.mkdir()
    terraform = programs / "terraform"
    terraform.write_text(f"#!/bin/sh\n{TALKATIVE}")
    terraform.chmod(0o755)
    environ = PLANTED | {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "AWS_ACCESS_KEY_ID": "AKIAPLANTED",
        "AWS_ENDPOINT_URL_STS": f"http://127.0.0.1:{sts.server_port}",
        "AWS_ENDPOINT_URL_API_GATEWAY": f"http://127.0.0.1:{sts.server_port}",
        "AWS_REGION": "us-east-1",
        "PAYINFRA_RUN_ID": "build-7",
        "GITHUB_STEP_SUMMARY": str(folder / "job.md"),
    }
    return Project(folder, environ)


def shown(text: str) -> set[str]:
    """The planted secrets that a text has, plain or as JSON writes them."""
    return {name for name, value in PLANTED.items() if value in text or json.dumps(value)[1:-1] in text}


@pytest.mark.parametrize(
    ("fmt", "command"),
    [("text", ("plan",)), ("json", ("deploy", "--yes", "--summary", "summary.md"))],
    ids=["plan", "deploy"],
)
def test_no_secret_is_written_anywhere(leaky: Project, fmt: str, command: tuple[str, ...]) -> None:
    done = leaky.run("--verbose", "--log-format", fmt, *command, "--env", "pr7", "--format", "json")
    assert done.returncode == 3, done.stderr
    assert "(hidden)" in done.stderr, "Terraform's message was not shown at all"
    assert shown(done.stdout + done.stderr) == set()
    written = [
        path for path in leaky.folder.rglob("*") if path.is_file() and "bin-terraform" not in path.parts
    ]
    assert any(path.name == "terraform.log" for path in written)
    for path in written:
        assert shown(path.read_bytes().decode(errors="replace")) == set(), path


def test_the_log_would_have_shown_them(leaky: Project) -> None:
    """The Terraform of this test does tell: its words are in the log, and only the secrets are not."""
    leaky.run("plan", "--env", "pr7")
    (log,) = leaky.folder.rglob("terraform.log")
    text = log.read_text()
    assert "GITHUB_TOKEN=(hidden)" in text
    assert "AWS_ACCESS_KEY_ID=AKIAPLANTED" in text
    assert log.stat().st_mode & 0o777 == 0o600


def test_one_id_goes_through_everything(leaky: Project, sts: HTTPServer) -> None:
    done = leaky.run("--verbose", "--log-format", "json", "plan", "--env", "pr7")
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert {line["run"] for line in lines} == {"build-7"}
    assert [line["event"] for line in lines][-1] == "failed"
    messages = [line["message"] for line in lines if line["event"] == "log"]
    assert "us-east-1 sts GetCallerIdentity: 200, request request-1" in messages
    assert "run/build-7" in vars(sts)["agents"][0]
    (log,) = leaky.folder.rglob("terraform.log")
    assert "run/build-7" in next(
        line for line in log.read_text().splitlines() if "TF_APPEND_USER_AGENT" in line
    )
