"""`payinfra verify` and `payinfra status` as commands, on the shared deployment."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Deployment

pytestmark = pytest.mark.usefixtures("measured")


def test_a_fresh_deployment_was_verified_and_says_so(deployment: "Deployment") -> None:
    said = json.loads(deployment.deployed.stdout)
    assert said["verified"]["PASS"] > 70
    assert said["verified"]["FAIL"] == said["verified"]["ERROR"] == 0


def test_what_a_deployment_was_proven_with_is_gone(deployment: "Deployment") -> None:
    payments = json.loads(deployment.deployed.stdout)["payments"]
    assert len(payments) == 2
    for role in ("primary", "secondary"):
        for payment in payments:
            left = deployment.client("dynamodb", role).query(
                TableName=deployment.output("dynamodb_table_name", role),
                KeyConditionExpression="payment_id = :id",
                ExpressionAttributeValues={":id": {"S": payment["payment_id"]}},
            )
            assert left["Items"] == []
        names = objects(deployment, role)
        assert not [one for one in names for payment in payments if payment["payment_id"] in one]


def objects(deployment: "Deployment", role: str) -> set[str]:
    """The names of all versions of objects, and of all delete markers, in a region's audit bucket."""
    pages = deployment.client("s3", role).get_paginator("list_object_versions")
    found = pages.paginate(Bucket=deployment.output("s3_bucket_name", role))
    return {
        one["Key"] for page in found for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
    }


def test_it_passes_and_its_json_is_that_of_check(deployment: "Deployment", tmp_path: Path) -> None:
    deployment.calm()  # tests before this one drilled, and took a region away
    summary = tmp_path / "summary.md"
    deployment.project.environ["GITHUB_STEP_SUMMARY"] = str(summary)
    before = {role: objects(deployment, role) for role in ("primary", "secondary")}
    try:
        done = deployment.project.run("verify", "--env", deployment.env, "--local", "--format", "json")
    finally:
        del deployment.project.environ["GITHUB_STEP_SUMMARY"]
    outcome = json.loads(done.stdout)
    assert outcome["findings"] == [], done.stderr
    assert done.returncode == 0, done.stderr
    assert (outcome["schema"], outcome["tool"], outcome["failed"]) == ("payinfra/findings-1", "verify", False)
    assert "payinfra verify: passed" in summary.read_text()
    for role, known in before.items():
        assert objects(deployment, role) <= known


def test_a_failed_probe_is_exit_code_1_and_only_the_chosen_run(deployment: "Deployment") -> None:
    client, bucket = deployment.client("s3"), deployment.output("s3_bucket_name", "primary")
    before = client.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    client.delete_public_access_block(Bucket=bucket)
    try:
        done = deployment.project.run(
            *("verify", "--env", deployment.env, "--local", "--format", "json"),
            *("--only", "LIVE-S3-00[1-4]", "--skip", "LIVE-S3-004"),
        )
    finally:
        client.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=before)
    assert done.returncode == 1
    outcome = json.loads(done.stdout)
    assert [(one["id"], one["address"]) for one in outcome["findings"]] == [
        ("LIVE-S3-003", deployment.region("primary"))
    ]
    assert outcome["summary"]["ignored"] == ["LIVE-S3-004"]
    assert {rule["id"] for rule in outcome["rules"]} == {"LIVE-S3-001", "LIVE-S3-002", "LIVE-S3-003"}


@pytest.mark.parametrize(("arguments", "code"), [(("--only", "LIVE-NOPE-001"), 2), (("--skip", "LIVE-*"), 4)])
def test_what_would_probe_nothing_is_refused(
    deployment: "Deployment", arguments: tuple[str, str], code: int
) -> None:
    done = deployment.project.run("verify", "--env", deployment.env, "--local", *arguments)
    assert done.returncode == code
    assert done.stdout == ""


def test_what_was_changed_by_hand_is_drift(deployment: "Deployment") -> None:
    client, key = deployment.client("kms"), deployment.output("kms_key_id", "primary")
    client.disable_key_rotation(KeyId=key)
    try:
        done = deployment.project.run(
            *("verify", "--env", deployment.env, "--local", "--format", "json"),
            *("--only", "LIVE-SNS-001", "--drift"),
        )
    finally:
        client.enable_key_rotation(KeyId=key)
    assert done.returncode == 1
    (finding,) = json.loads(done.stdout)["findings"]
    assert (finding["id"], finding["address"].partition(".")[0]) == ("LIVE-DRIFT-001", "aws_kms_key")


def test_watching_goes_on_until_it_is_interrupted(deployment: "Deployment") -> None:
    def interrupt(process: object) -> None:
        assert isinstance(process, subprocess.Popen)
        process.send_signal(signal.SIGINT)

    process = deployment.project.start(
        *("verify", "--env", deployment.env, "--local", "--only", "LIVE-SNS-001", "--watch", "1")
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "nothing changed" in line:
            interrupt(process)
            break
    process.communicate(timeout=60)
    assert process.returncode == 130


def test_status_shows_both_regions(deployment: "Deployment") -> None:
    done = deployment.project.run("status", "--env", deployment.env, "--local", "--format", "json")
    assert done.returncode == 0, done.stderr
    status = json.loads(done.stdout)
    assert [one["role"] for one in status["regions"]] == ["primary", "secondary"]
    assert all(one["unknown"] == [] and one["checkers"] > 0 for one in status["regions"])
    assert status["deployed"]


PAGE = Path(__file__).parents[3] / "docs" / "verify.md"


def example() -> str:
    """The tests of one's own that the page about `verify` shows."""
    _, _, rest = PAGE.read_text(encoding="utf-8").partition("```python\n")
    return rest.partition("```")[0]


@pytest.mark.parametrize("by_variable", [False, True])
def test_a_test_of_ones_own_reaches_either_region(
    deployment: "Deployment", tmp_path: Path, by_variable: bool
) -> None:
    own = tmp_path / "test_own.py"
    own.write_text(example())
    root = deployment.project.folder
    file = {"PAYINFRA_OUTPUTS": str(root / "cfn-outputs" / "flat-outputs.json")} if by_variable else {}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", f"--rootdir={root}", str(own)],
        cwd=root,
        env=deployment.project.environment() | file,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
