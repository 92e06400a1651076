"""The example of a company's project, from an empty folder to its destruction, with a drill between."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.project import Project

HERE = ("--env", "shop", "--local")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    project = Project(tmp_path)
    yield project
    project.run("destroy", *HERE, "--yes", "--if-exists")
    project.run("local", "down")


def test_a_company_adopts_it_without_a_fork(project: Project) -> None:
    assert project.run("init", "--example").returncode == 0
    done = project.run("deploy", *HERE, "--yes", "--format", "json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["verified"]["FAIL"] == result["verified"]["ERROR"] == 0
    flat = json.loads((project.folder / "cfn-outputs" / "flat-outputs.json").read_text())
    assert flat["dynamodb_table_name"] == "acme-shop-payments"
    assert flat["accepted_queue_primary"].endswith("/acme-shop-accepted")
    assert flat["accepted_queue_primary"] != flat["accepted_queue_secondary"]

    verified = project.run("verify", *HERE, "--only", "ACME-*", "--format", "json")
    assert verified.returncode == 0, verified.stderr
    assert {one["id"] for one in json.loads(verified.stdout)["rules"]} == {"ACME-SQS-101"}
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=project.folder,
        env=project.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr

    drilled = project.run("failover-drill", *HERE, "--yes", "--format", "json")
    assert drilled.returncode == 0, drilled.stderr

    infra = project.folder / "acme" / "infra.py"
    infra.write_text(infra.read_text().replace('"maxReceiveCount": 5', '"maxReceiveCount": 7'))
    changed = project.run("deploy", *HERE, "--yes", "--format", "json")
    assert changed.returncode == 0, changed.stderr
    assert json.loads(changed.stdout)["plan"]["summary"]["change"] == 2
    assert "Wave" in changed.stderr

    infra.write_text(infra.read_text().replace("KEPT_S = 14 * 24 * 60 * 60", "KEPT_S = 60"))
    refused = project.run("plan", *HERE)
    assert refused.returncode == 1
    assert "ACME-SQS-001" in refused.stdout + refused.stderr

    destroyed = project.run("destroy", *HERE, "--yes")
    assert destroyed.returncode == 0, destroyed.stderr
