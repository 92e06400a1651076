"""Synth and check as processes: what they print, and what a script can read."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.functional.cli.conftest import Project


@pytest.fixture(scope="module")
def synthesized(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, dict[str, object]]:
    project = Project(tmp_path_factory.mktemp("project"))
    done = project.run("synth", "--env", "pr7", "--format", "json")
    assert done.returncode == 0, done.stderr
    return project, json.loads(done.stdout)


def manifest(synthesized: tuple[Project, dict[str, object]]) -> Path:
    project, result = synthesized
    return project.folder / str(result["folder"]) / "cdk.tf.json"


def test_synth_lists_the_resources_a_service_a_region(synthesized: tuple[Project, dict[str, object]]) -> None:
    project, result = synthesized
    table = project.run("synth", "--env", "pr7").stdout
    assert "service\tus-east-1\tus-west-2" in table.splitlines()
    assert f"{result['total']} resources in" in table
    resources = json.loads(manifest(synthesized).read_text())["resource"]
    assert sum(len(each) for each in resources.values()) == result["total"]


def test_eager_and_lazy_bindings_synthesize_the_same(synthesized: tuple[Project, dict[str, object]]) -> None:
    project, _ = synthesized
    lazy = manifest(synthesized).read_bytes()
    # Coverage would follow the import of 2,100 submodules.
    eager = replace(project, measured=False).run("synth", "--env", "pr7", "--eager-bindings")
    assert eager.returncode == 0, eager.stderr
    assert manifest(synthesized).read_bytes() == lazy


def test_what_has_not_changed_is_synthesized_once(synthesized: tuple[Project, dict[str, object]]) -> None:
    project, _ = synthesized
    before = manifest(synthesized).read_bytes()
    used = "Nothing that the stack depends on has changed"
    again = project.run("--verbose", "synth", "--env", "pr7")
    assert (again.returncode, used in again.stderr) == (0, True), again.stderr
    anew = project.run("--verbose", "synth", "--env", "pr7", "--fresh")
    assert (anew.returncode, used in anew.stderr) == (0, False), anew.stderr
    assert manifest(synthesized).read_bytes() == before


def test_the_stack_passes_its_own_policy(synthesized: tuple[Project, dict[str, object]]) -> None:
    project, _ = synthesized
    done = project.run("check", "--env", "pr7", "--fail-on", "low", "--format", "json")
    assert done.returncode == 0, done.stdout
    outcome = json.loads(done.stdout)
    assert {finding["verdict"] for finding in outcome["findings"]} <= {"WARN"}


def test_a_manifest_needs_no_environment(synthesized: tuple[Project, dict[str, object]]) -> None:
    project, _ = synthesized
    done = project.run("check", "--manifest", str(manifest(synthesized)))
    assert done.returncode == 0, done.stdout
    assert "Passed: no failure of severity high or above." in done.stdout


def test_judging_a_manifest_loads_nothing_heavy(synthesized: tuple[Project, dict[str, object]]) -> None:
    heavy = (
        "cdktf",
        "jsii",
        "boto3",
        "botocore",
        "httpx",
        "rich",
        "payinfra.core.settings",
        "payinfra.deployment.pipeline",
    )
    script = (
        "import sys\nfrom payinfra.cli import main\ntry:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    arguments = ("check", "--manifest", str(manifest(synthesized)), "--format", "json")
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["tool"] == "check"
    assert done.stderr.strip() == "[]"


def test_what_is_a_throwaway_environment_is_the_projects_to_say(
    synthesized: tuple[Project, dict[str, object]], tmp_path: Path
) -> None:
    """A table that can be deleted is a finding in a protected environment only."""
    file = manifest(synthesized).resolve()
    judged = ("check", "--manifest", str(file), "--env", "pr7", "--select", "PI-DDB-004")

    def findings(*more: str) -> list[str]:
        outcome = json.loads(here.run(*judged, "--format", "json", *more).stdout)
        return [finding["id"] for finding in outcome["findings"]]

    here = Project(tmp_path)
    assert findings() == []
    assert findings("--ephemeral-patterns", "test*") == ["PI-DDB-004"]
    here.environ["PAYINFRA_EPHEMERAL_PATTERNS"] = "test*"
    assert findings() == ["PI-DDB-004"]
    here.environ.clear()
    (tmp_path / "payinfra.toml").write_text('ephemeral_patterns = ["test*"]\n')
    assert findings() == ["PI-DDB-004"]
    assert findings("--ephemeral-patterns", "pr*") == []


def test_a_faulty_manifest_fails_the_gate(synthesized: tuple[Project, dict[str, object]]) -> None:
    project, _ = synthesized
    stack = json.loads(manifest(synthesized).read_text())
    stack["resource"].pop("aws_s3_bucket_public_access_block")
    faulty = manifest(synthesized).with_name("faulty.tf.json")
    faulty.write_text(json.dumps(stack))
    done = project.run("check", "--manifest", str(faulty), "--format", "json")
    assert done.returncode == 1
    failed = {
        finding["id"] for finding in json.loads(done.stdout)["findings"] if finding["verdict"] == "FAIL"
    }
    assert "PI-S3-001" in failed


def test_nothing_to_check_is_an_unusable_environment(project: Project) -> None:
    empty = project.folder / "empty.tf.json"
    empty.write_text("{}")
    done = project.run("check", "--manifest", str(empty))
    assert done.returncode == 4
    assert "Traceback" not in done.stderr


def test_checks_are_listed_and_explained(project: Project) -> None:
    assert "PI-S3-001" in project.run("checks", "list").stdout
    listed = json.loads(project.run("checks", "list", "--format", "json").stdout)["checks"]
    assert len(listed) > 40
    assert "public_access_block" in project.run("checks", "explain", "pi-s3-001").stdout
    assert json.loads(project.run("checks", "explain", "PI-S3-001", "--format", "json").stdout)["checks"]
    unknown = project.run("checks", "explain", "PI-S3-01")
    assert unknown.returncode == 2
    assert "did you mean" in unknown.stderr


def test_a_companys_own_checks_and_probes_are_listed_documented_and_explained(project: Project) -> None:
    project.run("init", "--example")
    assert "ACME-SQS-001" in project.run("checks", "list").stdout
    own = project.run("checks", "list", "--own", "--format", "json")
    assert [one["id"] for one in json.loads(own.stdout)["checks"]] == ["ACME-SQS-001", "ACME-SQS-101"]
    page = project.run("checks", "list", "--own", "--format", "markdown").stdout
    assert "### ACME-SQS-101\n" in page
    assert "PI-S3-001" not in page
    whole = project.run("checks", "list", "--format", "markdown").stdout
    assert "### PI-S3-001\n" in whole
    assert "### ACME-SQS-001\n" in whole
    assert "checks/queues.py:" in project.run("explain", "ACME-SQS-101").stdout


def test_the_doctor_says_what_there_is_for_each_target(project: Project) -> None:
    project.environ |= {"HTTPS_PROXY": "http://127.0.0.1:1", "NO_PROXY": ""}  # no way to AWS
    done = project.run("doctor")
    assert (done.returncode, "ministack" in done.stdout) == (0, True)
    assert "AWS cannot be used yet." in done.stdout

    aws = project.run("doctor", "--aws", "--format", "json")
    assert aws.returncode == 4
    said = json.loads(aws.stdout)
    assert said["targets"] == {"aws": False}
    assert [each["name"] for each in said["findings"] if not each["good"]] == ["AWS network"]

    project.environ["PAYINFRA_PROVIDER_MIRROR"] = str(project.folder)
    local = project.run("doctor", "--local", "--format", "json")
    assert local.returncode == 4
    said = json.loads(local.stdout)
    assert [each["name"] for each in said["findings"] if not each["good"]] == ["AWS provider"]


def test_a_local_synth_needs_no_running_server(project: Project) -> None:
    project.environ["PAYINFRA_LOCAL_PORT"] = "7560"
    assert project.run("synth", "--env", "demo", "--local").returncode == 0
    assert not (project.folder / ".payinfra" / "local" / ".server" / "endpoints.json").exists()


def test_too_old_a_terraform_is_said_with_the_next_step(project: Project) -> None:
    old = project.folder / "bin" / "terraform"
    old.parent.mkdir()
    old.write_text('#!/bin/sh\necho \'{"terraform_version": "1.5.7"}\'\n')
    old.chmod(0o755)
    project.environ["PATH"] = str(old.parent)
    done = project.run("plan", "--env", "demo", "--local")
    assert done.returncode == 4
    assert "1.5.7" in done.stderr
    assert "next:" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_credentials_are_said_before_terraform_starts(project: Project) -> None:
    nowhere = {
        "AWS_SHARED_CREDENTIALS_FILE": "none",
        "AWS_CONFIG_FILE": "none",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    project.environ |= nowhere | {"HOME": str(project.folder)}
    done = project.run("plan", "--env", "pr7")
    assert done.returncode == 4
    assert "No AWS credentials found." in done.stderr
    assert "AWS_PROFILE" in done.stderr


def test_check_takes_the_target_and_the_flags_of_the_stack(project: Project) -> None:
    judged = project.run("check", "--env", "prod", "--aws", "--lambda-memory-mb", "1024", "--format", "json")
    assert judged.returncode == 0, judged.stderr
    stack = (
        project.folder / ".payinfra" / "aws" / "prod" / "synth" / "stacks" / "payment-prod" / "cdk.tf.json"
    )
    functions = json.loads(stack.read_text())["resource"]["aws_lambda_function"]
    assert {one["memory_size"] for one in functions.values()} == {1024}
    mixed = project.run("check", "--manifest", "x", "--lambda-memory-mb", "1024")
    assert mixed.returncode == 2
    assert "--lambda-memory-mb is about the stack" in mixed.stderr
