"""`payinfra check` over plans and files: what is judged, what is refused, and that no secret is shown."""

import json
import subprocess
from pathlib import Path

import pytest

from payinfra.core.errors import ExitCode
from tests.functional.cli.conftest import Project

SECRET = "correct-horse-battery-staple"


def plan(folder: Path, **after: object) -> Path:
    """A plan of one bucket without a public access block."""
    resource = {"mode": "managed", "type": "aws_s3_bucket", "name": "audit"}
    change = {
        "actions": ["create"],
        "after": {"bucket": "audit", **after},
        "after_unknown": {},
        "after_sensitive": dict.fromkeys(after, True),
    }
    document = {
        "format_version": "1.2",
        "resource_changes": [{**resource, "address": "aws_s3_bucket.audit", "change": change}],
        "configuration": {
            "root_module": {
                "resources": [{**resource, "expressions": {name: {} for name in ("bucket", *after)}}]
            }
        },
    }
    file = folder / "plan.json"
    file.write_text(json.dumps(document))
    return file


def test_a_plan_points_into_the_files_beside_it(project: Project) -> None:
    subprocess.run(["git", "init", "-q", str(project.folder)], check=True)
    (project.folder / "main.tf").write_text('\nresource "aws_s3_bucket" "audit" {\n  bucket = "audit"\n}\n')
    plan(project.folder)

    done = project.run("check", "--plan", "plan.json", "--select", "PI-S3-001", "--format", "github")

    assert done.returncode == ExitCode.GATE_FAILED
    (line,) = done.stdout.splitlines()
    assert line.startswith("::error file=main.tf,line=2,title=PI-S3-001 ")


@pytest.mark.parametrize("how", ["table", "json", "sarif", "junit", "github", "markdown"])
def test_a_sensitive_value_of_a_plan_is_in_no_format(project: Project, how: str) -> None:
    plan(project.folder, bucket=SECRET, policy=f'{{"Statement": [{{"Sid": "{SECRET}"}}]}}')

    done = project.run("check", "--plan", "plan.json", "--format", how)

    assert done.returncode == ExitCode.GATE_FAILED
    assert SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"format_version": "1.2", "planned', "It seems to be cut off."),
        ('{"format_version": "9.0", "planned_values": {}}', "has the format version 9.0"),
        ('{"version": 4, "serial": 1, "lineage": "x", "resources": []}', "is a state, not a plan."),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "is nested too deeply to be read."),
        (f'{{"password": "{SECRET}", ', "is no JSON"),
    ],
)
def test_what_is_no_plan_is_one_message(project: Project, text: str, said: str) -> None:
    (project.folder / "plan.json").write_text(text)

    done = project.run("check", "--plan", "plan.json")

    assert done.returncode == ExitCode.UNUSABLE_ENVIRONMENT
    assert done.stdout == ""
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stderr


def test_files_of_a_folder_are_one_module_and_variables_can_be_given(project: Project) -> None:
    block: dict[str, object] = {"bucket": "${aws_s3_bucket.audit.id}", "count": "${var.closed ? 1 : 0}"}
    block |= dict.fromkeys(
        ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"), True
    )
    (project.folder / "a.tf.json").write_text(
        '{"resource": {"aws_s3_bucket": {"audit": {"bucket": "audit"}}}}'
    )
    (project.folder / "b.tf.json").write_text(
        json.dumps(
            {
                "variable": {"closed": {"type": "bool", "default": True}},
                "resource": {"aws_s3_bucket_public_access_block": {"audit": block}},
            }
        )
    )

    def verdicts(*more: str) -> list[str]:
        done = project.run("check", "--manifest", ".", "--select", "PI-S3-001", "--format", "json", *more)
        return [one["verdict"] for one in json.loads(done.stdout)["findings"]]

    (project.folder / "given.tfvars").write_text("closed = false\n")
    assert verdicts() == ["UNKNOWN"]
    assert verdicts("--var", "closed=true") == []
    assert verdicts("--var-file", "given.tfvars") == ["FAIL"]


@pytest.mark.parametrize("given", [SECRET, f"={SECRET}"])
def test_a_variable_without_a_name_is_refused_and_not_repeated(project: Project, given: str) -> None:
    done = project.run("check", "--manifest", ".", "--var", given)

    assert done.returncode == ExitCode.USAGE
    assert "--var NAME=VALUE" in done.stderr
    assert SECRET not in done.stderr
