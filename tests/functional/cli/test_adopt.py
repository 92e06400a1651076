"""An environment whose state is lost, from the command line.

Terraform is scripted, and the embedded AWS has a table of the environment.
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.cli.conftest import Project
from tests.functional.cli.test_team import make_table

# A Terraform that knows of nothing and finds nothing to do.
TERRAFORM = """#!{python} -IS
import json, pathlib, sys
asked = sys.argv[1:]
if asked == ["version", "-json"]:
    print(json.dumps({{"terraform_version": "1.11.4", "platform": "any"}}))
elif asked[0] in ("output", "show"):
    print("{{}}")
for option in asked:
    if option.startswith("-out="):
        pathlib.Path(option.removeprefix("-out=")).write_text("a plan")
        changes = {{"add": 0, "change": 0, "remove": 0, "import": 0, "operation": "plan"}}
        print(json.dumps({{"type": "change_summary", "@message": "Plan", "changes": changes}}))
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("lost")
    program = folder / "bin" / "terraform"
    program.parent.mkdir()
    program.write_text(TERRAFORM.format(python=sys.executable))
    program.chmod(0o755)
    project = Project(folder, {"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"})
    up = project.run("local", "up")
    assert up.returncode == 0, up.stderr
    make_table(project, "pr9")
    yield project
    project.run("local", "down")


@pytest.mark.parametrize("command", [("deploy", "--yes"), ("plan",), ("destroy", "--yes")])
def test_what_exists_is_not_worked_on_with_an_empty_state(served: Project, command: tuple[str, ...]) -> None:
    done = served.run(*command, "--env", "pr9", "--local")
    assert done.returncode == 4, done.stderr
    assert "table/payment-pr9-payments" in done.stderr
    assert "payinfra adopt --env pr9 --local" in done.stderr
    assert done.stdout == ""


def test_what_does_not_exist_is_planned(served: Project) -> None:
    done = served.run("plan", "--env", "pr8", "--local", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["summary"] == {"add": 0, "change": 0, "destroy": 0}


def test_an_adoption_asks(served: Project) -> None:
    done = served.run("adopt", "--env", "pr9", "--local")
    assert done.returncode == 2
    assert "--yes" in done.stderr


def test_what_is_not_of_the_stack_is_listed_and_left_alone(served: Project) -> None:
    done = served.run("adopt", "--env", "pr9", "--local", "--yes", "--format", "json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    (arn,) = said["left_over"]
    assert arn.endswith(":table/payment-pr9-payments")
    assert (said["adopted"], said["refused"], said["outputs"]) == ([], [], None)
    table = served.run("adopt", "--env", "pr9", "--local", "--yes").stdout
    assert "Delete by hand what nothing needs" in table


def test_nothing_is_adopted_of_what_does_not_exist(served: Project) -> None:
    done = served.run("adopt", "--env", "pr7", "--local", "--yes")
    assert done.returncode == 4
    assert "Nothing of environment pr7 exists" in done.stderr


def test_a_copied_folder_is_refused(served: Project, tmp_path: Path) -> None:
    attributes = {"arn": "arn:aws:kms:us-east-1:000000000000:key/k", "tags_all": {"Environment": "pr9"}}
    key = {"mode": "managed", "type": "aws_kms_key", "name": "k", "instances": [{"attributes": attributes}]}
    folder = served.folder / ".payinfra" / "local" / "pr6"
    folder.mkdir(parents=True)
    (folder / "terraform.tfstate").write_text(json.dumps({"resources": [key]}))
    for command in ("deploy", "adopt", "destroy"):
        done = served.run(command, "--env", "pr6", "--local", "--yes")
        assert done.returncode == 4, done.stderr
        assert "is not of environment pr6 but of pr9" in done.stderr
