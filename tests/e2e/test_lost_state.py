"""A state is lost while the environment serves: nothing is made twice, and what exists is adopted.

The folder of the shared environment is put aside and put back, so that the others find it as it was. How an
adopted environment is destroyed is told in test_destroy.py.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from payinfra.core.naming import STATE_KEY_ALIAS, tags
from tests.e2e.conftest import ENV, Deployment

WHERE = ("--env", ENV, "--local")
REFUSED = f"payinfra adopt --env {ENV} --local"


@pytest.fixture
def work_dir(deployment: Deployment, tmp_path: Path) -> Iterator[Path]:
    """The environment's work folder, of which a test may lose whatever it likes."""
    folder = deployment.project.folder / ".payinfra" / "local" / ENV
    aside = tmp_path / "aside"
    shutil.copytree(folder, aside, symlinks=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(aside, folder, symlinks=True)


def resources(state: Path) -> dict[str, dict[str, Any]]:
    """What a state knows: each address with its attributes."""
    return {
        f"{one['type']}.{one['name']}": one["instances"][0]["attributes"]
        for one in json.loads(state.read_text(encoding="utf-8"))["resources"]
        if one["mode"] == "managed"
    }


@pytest.mark.parametrize(
    "emptied", ["", '{"version": 4, "serial": 9, "lineage": "x", "resources": []}', None]
)
def test_nothing_is_made_twice_where_the_state_is_lost(
    deployment: Deployment, work_dir: Path, emptied: str | None
) -> None:
    state = work_dir / "terraform.tfstate"
    state.unlink()
    if emptied is not None:
        state.write_text(emptied, encoding="utf-8")
    for command in (("deploy", "--yes"), ("plan",), ("destroy", "--yes"), ("rotate-key", "--yes")):
        done = deployment.project.run(*command, *WHERE)
        assert done.returncode == 4, (command, done.stderr)
        assert REFUSED in done.stderr, command
        assert "Nothing was changed" in done.stderr
    tables = deployment.client("dynamodb").list_tables()["TableNames"]
    assert f"payment-{ENV}-payments" in tables


@pytest.mark.usefixtures("measured")
def test_a_removed_folder_is_made_again_from_what_exists(deployment: Deployment, work_dir: Path) -> None:
    deployment.calm()  # the deployment at the end verifies, and tests before this one rang alarms
    before, project = resources(work_dir / "terraform.tfstate"), deployment.project
    kms = deployment.client("kms", "secondary")
    pairs = [{"TagKey": name, "TagValue": value} for name, value in tags(ENV).items()]
    stray = kms.create_key(Description=f"payment-{ENV}: data", Tags=pairs)["KeyMetadata"]
    shutil.rmtree(work_dir)
    try:
        refused = project.run("deploy", *WHERE, "--yes")
        assert (refused.returncode, REFUSED in refused.stderr) == (4, True), refused.stderr
        adopted = project.run("adopt", *WHERE, "--yes", "--format", "json")
    finally:
        kms.schedule_key_deletion(KeyId=stray["KeyId"], PendingWindowInDays=7)
    assert adopted.returncode == 0, adopted.stderr
    said = json.loads(adopted.stdout)
    assert said["left_over"] == [stray["Arn"]], "what looks like a key of the stack is none, and is told"
    assert {one["address"] for one in said["adopted"]} == before.keys()
    assert said["plan"]["summary"] == {"add": 0, "change": 0, "destroy": 0}
    assert said["outputs"] == deployment.outputs
    assert said["refused"] == []

    after = resources(work_dir / "terraform.tfstate")
    assert {at: one["id"] for at, one in after.items()} == {at: one["id"] for at, one in before.items()}
    values = {one["value"] for at, one in after.items() if at.startswith("aws_api_gateway_api_key.")}
    assert values == {deployment.api_key("primary")}, "one key for both regions"
    assert deployment.api_key("primary") not in adopted.stdout + adopted.stderr

    deployed = project.run("deploy", *WHERE, "--yes", "--format", "json")
    assert deployed.returncode == 0, deployed.stderr[-3000:]
    result = json.loads(deployed.stdout)
    assert not result["plan"]["has_changes"]
    assert {payment["read_in"] for payment in result["payments"]} == {"us-east-1", "us-west-2"}


BUCKET = "e2e-states"


def test_with_the_state_in_a_bucket_an_empty_folder_is_enough(deployment: Deployment, work_dir: Path) -> None:
    project, s3 = deployment.project, deployment.client("s3")
    kept, key = (work_dir / "terraform.tfstate").read_bytes(), f"payinfra/payment-{ENV}/terraform.tfstate"
    where = (*WHERE, "--state-bucket", BUCKET)
    s3.create_bucket(Bucket=BUCKET)
    kms = deployment.client("kms")
    kms.create_alias(AliasName=STATE_KEY_ALIAS, TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])
    try:
        shutil.rmtree(work_dir)
        refused = project.run("destroy", *where, "--yes")
        assert refused.returncode == 4, refused.stderr
        assert f"s3://{BUCKET}/{key} knows nothing of it" in refused.stderr

        s3.put_object(Bucket=BUCKET, Key=key, Body=kept)
        for command in (
            ("status",),
            ("verify", "--only", "LIVE-DDB-*"),
            ("failover-drill", "--restore"),
            ("plan",),
            ("outputs",),
        ):
            shutil.rmtree(work_dir)
            done = project.run(*command, *where)
            assert done.returncode == 0, (command, done.stderr)
        assert "Plan: nothing to change." in project.run("plan", *where).stdout

        other = kept.replace(f'"Environment": "{ENV}"'.encode(), b'"Environment": "other"')
        s3.put_object(Bucket=BUCKET, Key=key, Body=other)
        foreign = project.run("destroy", *where, "--yes")
        assert foreign.returncode == 4, foreign.stderr
        assert f"is not of environment {ENV} but of other" in foreign.stderr
    finally:
        for one in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
            s3.delete_object(Bucket=BUCKET, Key=one["Key"])
        s3.delete_bucket(Bucket=BUCKET)
