"""Hostile files in a checkout, read by the real command: nothing runs, is written, or moves a terminal."""

import json
from pathlib import Path

import pytest

from tests.support.project import Project

ESCAPE, BIDI = "\x1b", "\u202e"
ATTACKS = {
    "shell": "$(touch ../pwned); `touch ../pwned`",
    "terraform": '${file(\\"/etc/passwd\\")}%{ if true }x%{ endif }',
    "terminal": "\\u001b[2J\\u001b]0;owned\\u0007\\u202e",
    "path": "../../../outside",
}


def around(project: Project) -> set[Path]:
    """Everything in the project's folder and beside it."""
    return {path for path in project.folder.parent.rglob("*") if ".payinfra" not in path.parts}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "checkout").mkdir()
    return Project(tmp_path / "checkout")


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=list(ATTACKS))
@pytest.mark.parametrize(
    "line",
    ['env = "{0}"', 'env = "pr1"\nowner = "{0}$"', 'env = "pr1"\n[environments."{0}"]\n"{0}" = "{0}"'],
    ids=["environment", "tag", "table"],
)
def test_a_hostile_payinfra_toml_is_a_usage_error(project: Project, attack: str, line: str) -> None:
    (project.folder / "payinfra.toml").write_text(line.replace("{0}", attack))
    before = around(project)
    done = project.run("synth")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert ESCAPE not in done.stderr
    assert BIDI not in done.stderr
    assert around(project) == before
    assert not (project.folder / ".payinfra").exists()


def stack(name: str) -> str:
    """A manifest with one public bucket of that name."""
    return json.dumps(
        {
            "provider": {"aws": [{"region": "us-east-1"}]},
            "resource": {"aws_s3_bucket": {"x": {"bucket": name, "tags": {"Owner": name}}}},
        }
    )


@pytest.mark.parametrize("fmt", ["table", "json", "sarif", "junit", "github", "markdown"])
def test_a_hostile_manifest_and_waiver_move_no_terminal(project: Project, fmt: str) -> None:
    name = f"{ESCAPE}[2J{BIDI}$(touch ../pwned)${{file('/etc/passwd')}}"
    (project.folder / "cdk.tf.json").write_text(stack(name))
    (project.folder / "payinfra-waivers.toml").write_text(
        '[[waiver]]\nid = "PI-S3-*"\naddress = "*"\nowner = "\\u001b[2J\\u202e"\n'
        'reason = "${file(\\"/etc/passwd\\")} <b>@team</b>"\nexpires = 2999-01-01\n'
    )
    before = around(project)
    done = project.run("check", "--manifest", "cdk.tf.json", "--format", fmt)
    assert done.returncode == 1, done.stderr
    assert ESCAPE not in done.stdout + done.stderr
    assert BIDI not in done.stdout + done.stderr
    assert "root:" not in done.stdout
    assert around(project) == before
