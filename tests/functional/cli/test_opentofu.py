"""What payinfra passes to OpenTofu, which has a registry, and so a lock and mirrors, of its own."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from payinfra.terraform import lockfile
from payinfra.terraform.mirror import platform_name
from tests.support.project import Done, Project

REGISTRY = "registry.opentofu.org"

# An OpenTofu that notes what it was asked, what it could read, and says that nothing is to be changed.
TOFU = """#!{python} -IS
import json, os, pathlib, sys
asked = sys.argv[1:]
if asked == ["version", "-json"]:
    print(json.dumps({{"terraform_version": "1.10.6", "platform": "any"}}))
    sys.exit()
config = pathlib.Path(os.environ["TF_CLI_CONFIG_FILE"])
stack = json.loads(pathlib.Path("cdk.tf.json").read_text())
note = {{
    "asked": asked,
    "config": config.read_text(),
    "environment": dict(os.environ),
    "locked": os.path.exists(".terraform.lock.hcl"),
    "source": stack["terraform"]["required_providers"]["aws"]["source"],
}}
with open({notes!r}, "a") as notes:
    notes.write(json.dumps(note) + "\\n")
for option in asked:
    if option.startswith("-out="):
        pathlib.Path(option.removeprefix("-out=")).write_text("a plan")
        changes = {{"add": 0, "change": 0, "remove": 0, "import": 0, "operation": "plan"}}
        print(json.dumps({{"type": "change_summary", "@message": "Plan", "changes": changes}}))
"""
WRONG = '#!/bin/sh\necho \'{"terraform_version": "1.11.4"}\'\ntouch was-started\n'


@dataclass(frozen=True)
class Machine:
    """A project on a machine that has a Terraform and, where it was put there, an OpenTofu on PATH."""

    project: Project

    @property
    def folder(self) -> Path:
        return self.project.folder

    def put(self, name: str, text: str) -> None:
        program = self.folder / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(text)
        program.chmod(0o755)

    def mirror(self, registry: str) -> None:
        """A mirror of a registry, which holds the provider, and which a variable names."""
        mirror = self.folder / "mirror"
        (mirror / registry / lockfile.PROVIDER / lockfile.VERSION / platform_name()).mkdir(parents=True)
        self.project.environ["PAYINFRA_PROVIDER_MIRROR"] = str(mirror)

    def plan(self, *more: str) -> Done:
        return self.project.run("plan", "--env", "pr1", "--local", "--format", "json", *more)

    def notes(self) -> list[Mapping[str, Any]]:
        return [json.loads(line) for line in (self.folder / "notes").read_text().splitlines()]


@pytest.fixture
def machine(project: Project) -> Machine:
    found = Machine(project)
    found.put("terraform", WRONG)
    project.environ |= {
        "PATH": f"{found.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "TF_CLI_CONFIG_FILE": str(found.folder / "none"),
    }
    return found


@pytest.fixture
def opentofu(machine: Machine) -> Machine:
    machine.put("tofu", TOFU.format(python=sys.executable, notes=str(machine.folder / "notes")))
    return machine


def test_opentofu_is_asked_as_terraform_would_be_but_with_its_own_registry_and_no_lock(
    opentofu: Machine,
) -> None:
    opentofu.mirror(REGISTRY)
    done = opentofu.plan("--terraform", "tofu")
    assert done.returncode == 0, done.stderr
    assert "tofu 1.10.6" in done.stderr
    assert json.loads(done.stdout)["summary"] == {"add": 0, "change": 0, "destroy": 0}
    assert not (opentofu.folder / "was-started").exists()

    init, plan = opentofu.notes()
    assert init["asked"] == ["init", "-json", "-input=false", "-no-color"]
    assert plan["asked"][:2] == ["plan", "-json"]
    assert [note["locked"] for note in (init, plan)] == [False, False]
    assert init["source"] in ("aws", "hashicorp/aws"), "without a host, which each resolves by itself"
    for note in (init, plan):
        assert f'include = ["{REGISTRY}/hashicorp/aws"]' in note["config"]
        assert f'exclude = ["{REGISTRY}/hashicorp/aws"]' in note["config"]
        assert "registry.terraform.io" not in note["config"]
        assert note["environment"]["TF_IN_AUTOMATION"] == "1"
        assert note["environment"]["TF_DATA_DIR"] == str(
            opentofu.folder / ".payinfra" / "local" / "pr1" / "terraform"
        )

    # A lock that Terraform left in the folder is of the other registry, and OpenTofu's to rewrite.
    (stack,) = (opentofu.folder / ".payinfra/local/pr1/synth/stacks").iterdir()
    (stack / lockfile.PLACED).write_bytes(lockfile.SHIPPED.read_bytes())
    opentofu.project.environ["PAYINFRA_TERRAFORM"] = "tofu"
    assert opentofu.plan().returncode == 0
    again = opentofu.notes()[2]
    assert (again["asked"], again["locked"]) == (init["asked"], True)


def test_terraforms_mirror_is_none_for_opentofu(opentofu: Machine) -> None:
    opentofu.mirror(lockfile.REGISTRY)
    done = opentofu.plan("--terraform", "tofu")
    assert done.returncode == 2
    assert f"holds no folder named {REGISTRY}" in done.stderr
    assert "tofu providers mirror" in done.stderr
    assert not (opentofu.folder / "notes").exists()


def test_the_doctor_looks_at_what_would_run(opentofu: Machine) -> None:
    opentofu.mirror(REGISTRY)
    done = opentofu.project.run("doctor", "--local", "--terraform", "tofu", "--format", "json")
    found = {each["name"]: each for each in json.loads(done.stdout)["findings"]}
    assert found["Terraform"]["found"] == "tofu 1.10.6 (Mozilla Public License 2.0)"
    assert (found["AWS provider"]["good"], found["AWS provider"]["found"]) == (
        True,
        f"mirror in {opentofu.folder / 'mirror'}",
    )
    refused = opentofu.project.run("doctor", "--local", "--terraform", "terraform", "--format", "json")
    found = {each["name"]: each for each in json.loads(refused.stdout)["findings"]}
    assert "holds no folder named registry.terraform.io" in found["AWS provider"]["found"]
