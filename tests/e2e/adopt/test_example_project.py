"""The example of a company's project, from the wheel, deployed by the role that `ci-role` makes for it.

IAM is enforced, so whatever the role lacks for the project's own resources stops the command that needs it.
"""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from payinfra.local.lifecycle import RECORD_VARIABLE
from tests.e2e.conftest import Deployment
from tests.e2e.drill.conftest import Stage
from tests.support import embedded
from tests.support.project import Done, Project
from tests.support.wheel import build, install

ENV = "shop"
HERE = ("--env", ENV, "--local")
OPERATOR = "arn:aws:iam::000000000000:root"


@dataclass(frozen=True)
class Company:
    """Who adopts payinfra: a folder, and the role that CI works as."""

    project: Project
    role: str

    def as_ci(self, command: str, *more: str) -> Done:
        """A command as CI runs it."""
        return self.project.run(command, *HERE, "--assume-role", self.role, *more)

    def queues(self) -> Any:
        """SQS, with the credentials of the role."""
        server, region = self.project.server, "us-east-1"
        sts = embedded.client(server, "sts")
        session = sts.assume_role(RoleArn=self.role, RoleSessionName="test")["Credentials"]
        return boto3.client(
            "sqs",
            region_name=region,
            endpoint_url=embedded.endpoints_of(server).url("sqs", region),
            aws_access_key_id=session["AccessKeyId"],
            aws_secret_access_key=session["SecretAccessKey"],
            aws_session_token=session["SessionToken"],
        )

    def own_tests(self) -> "subprocess.CompletedProcess[str]":
        """The project's tests, by the pytest that is installed beside payinfra."""
        python = self.project.program.with_name("python")
        return subprocess.run(
            [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
            cwd=self.project.folder,
            env=self.project.environment(),
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    extras = ("local", "terraform")
    program = install(build(tmp_path / "dist"), tmp_path / "venv", extras=extras, beside=("pytest",))
    (tmp_path / "empty").mkdir()
    # `make conformance` puts what is recorded to the role of a project without an extension.
    project = Project(tmp_path / "empty", {RECORD_VARIABLE: ""}, program=program)
    try:
        assert project.run("init", "--example").returncode == 0
        made = project.run("ci-role", *HERE, "--trust", OPERATOR, "--deploy", "--format", "json")
        assert made.returncode == 0, made.stderr
        yield Company(project, json.loads(made.stdout)["role_arn"])
    finally:
        project.run("local", "down")


def test_a_company_adopts_it_without_a_fork(company: Company) -> None:
    project = company.project
    done = company.as_ci("deploy", "--yes", "--format", "json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["verified"]["FAIL"] == result["verified"]["ERROR"] == result["verified"]["UNKNOWN"] == 0
    flat = json.loads((project.folder / "cfn-outputs" / "flat-outputs.json").read_text())
    assert flat["dynamodb_table_name"] == "acme-shop-payments"
    assert flat["accepted_queue_primary"].endswith("/acme-shop-accepted")
    assert flat["accepted_queue_primary"] != flat["accepted_queue_secondary"]

    with pytest.raises(ClientError, match=r"not authorized to perform: sqs:CreateQueue"):
        company.queues().create_queue(QueueName="acme-prod-accepted")
    with pytest.raises(ClientError, match=r"not authorized to perform: sqs:SendMessage"):
        company.queues().send_message(QueueUrl=flat["accepted_queue_primary"], MessageBody="none")

    verified = company.as_ci("verify", "--only", "ACME-*", "--format", "json")
    assert verified.returncode == 0, verified.stderr
    assert {one["id"] for one in json.loads(verified.stdout)["rules"]} == {"ACME-SQS-101"}
    tested = company.own_tests()
    assert tested.returncode == 0, tested.stdout + tested.stderr

    deployment = Deployment(project, ENV, flat, project.control.status().endpoints, done)
    deployment.calm()
    drilled = Stage(deployment).passed("--assume-role", company.role, "--format", "json")
    report = json.loads(drilled.stdout)
    assert (report["resilience"], report["restored"]) == ("PASS", "PASS")

    infra = project.folder / "acme" / "infra.py"
    named = 'name=region.name("accepted-failed"),'
    infra.write_text(infra.read_text().replace(named, f"{named} delay_seconds=1,"))
    changed = company.as_ci("deploy", "--yes", "--format", "json")
    assert changed.returncode == 0, changed.stderr
    changes = json.loads(changed.stdout)["plan"]["changes"]
    assert {one["address"] for one in changes} == {
        f"aws_sqs_queue.{role}_accepted_failed" for role in ("primary", "secondary")
    }
    assert "Wave" in changed.stderr

    infra.write_text(infra.read_text().replace("KEPT_S = 14 * 24 * 60 * 60", "KEPT_S = 60"))
    refused = company.as_ci("deploy", "--yes")
    assert refused.returncode == 1
    assert "ACME-SQS-001" in refused.stdout + refused.stderr

    destroyed = company.as_ci("destroy", "--yes", "--format", "json")
    assert destroyed.returncode == 0, destroyed.stderr
    assert json.loads(destroyed.stdout)["destroyed"] == result["plan"]["summary"]["add"]
