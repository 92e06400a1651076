import json
from pathlib import Path

import pytest

from payinfra.terraform import Binary, Engine, EngineVersion
from payinfra.terraform.initialised import (
    BACKEND,
    fingerprint,
    forget,
    forget_stale_note,
    is_current,
    remember,
)

BINARY = Binary(Engine.TERRAFORM, ("/bin/terraform",), EngineVersion(1, 11, 4, "1.11.4"))
NEWER = Binary(Engine.TERRAFORM, ("/bin/terraform",), EngineVersion(1, 12, 0, "1.12.0"))


def stack(folder: Path, backend: str = "local", **more: object) -> None:
    content = {"terraform": {"backend": {backend: {}}}, "resource": {}, **more}
    (folder / "cdk.tf.json").write_text(json.dumps(content))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    stack(tmp_path)
    return tmp_path


def test_the_same_stack_has_the_same_fingerprint_whatever_its_resources(folder: Path) -> None:
    before = fingerprint(folder, BINARY, {})
    stack(folder, resource={"aws_s3_bucket": {"audit": {}}})
    assert before is not None
    assert fingerprint(folder, BINARY, {}) == before


def test_what_init_depends_on_changes_the_fingerprint(folder: Path) -> None:
    config = folder / "payinfra.tfrc"
    config.write_text("one")
    environment = {"TF_CLI_CONFIG_FILE": str(config)}
    seen = {
        fingerprint(folder, BINARY, {}),
        fingerprint(folder, NEWER, {}),
        fingerprint(folder, BINARY, environment),
    }
    config.write_text("another mirror")
    seen.add(fingerprint(folder, BINARY, environment))
    (folder / ".terraform.lock.hcl").write_text("lock")
    seen.add(fingerprint(folder, BINARY, {}))
    stack(folder, backend="s3")
    seen.add(fingerprint(folder, BINARY, {}))
    assert len(seen) == 6


def test_what_cannot_be_told_has_no_fingerprint(folder: Path) -> None:
    stack(folder, module={"network": {"source": "./network"}})
    assert fingerprint(folder, BINARY, {}) is None
    stack(folder)
    (folder / "broken.tf.json").write_text("{")
    assert fingerprint(folder, BINARY, {}) is None
    (folder / "broken.tf.json").unlink()
    (folder / "errored.tfstate").write_text("no configuration")
    assert fingerprint(folder, BINARY, {}) is not None
    (folder / "extra.tf").write_text('resource "x" "y" {}')
    assert fingerprint(folder, BINARY, {}) is None


def test_it_is_current_once_remembered_and_until_forgotten(tmp_path: Path) -> None:
    assert not is_current(tmp_path, "mark")
    remember(tmp_path, "mark")
    assert is_current(tmp_path, "mark")
    assert not is_current(tmp_path, "other")
    assert not is_current(tmp_path, None)
    forget(tmp_path)
    assert not is_current(tmp_path, "mark")
    remember(tmp_path, None)
    assert not is_current(tmp_path, None)


def test_it_is_not_current_when_terraforms_note_of_the_backend_is_gone(tmp_path: Path) -> None:
    (tmp_path / "terraform.tfstate").write_text("{}")
    remember(tmp_path, "mark")
    assert is_current(tmp_path, "mark")
    (tmp_path / "terraform.tfstate").unlink()
    assert not is_current(tmp_path, "mark")


def test_it_is_not_current_when_a_provider_is_gone(tmp_path: Path) -> None:
    package = tmp_path / "mirror"
    package.mkdir()
    (package / "terraform-provider-aws").touch()
    version = tmp_path / "providers/registry.terraform.io/hashicorp/aws/5.100.0"
    version.mkdir(parents=True)
    (version / "linux_amd64").symlink_to(package)
    remember(tmp_path, "mark")
    assert is_current(tmp_path, "mark")
    (package / "terraform-provider-aws").unlink()
    assert not is_current(tmp_path, "mark"), "an empty folder is no provider"
    package.rmdir()
    assert not is_current(tmp_path, "mark"), "nor is a link that dangles"


def note(folder: Path, text: str) -> Path:
    """Terraform's note of where the state is kept."""
    file = folder / BACKEND
    file.write_text(text)
    return file


@pytest.mark.parametrize("damaged", ["", '{"version": 3, "backe', "\0\0\0"])
def test_a_damaged_note_is_not_current_and_is_forgotten(tmp_path: Path, damaged: str) -> None:
    note(tmp_path, LOCAL_NOTE)
    remember(tmp_path, "mark")
    assert is_current(tmp_path, "mark")
    found = note(tmp_path, damaged)
    assert not is_current(tmp_path, "mark")
    forget_stale_note(tmp_path, tmp_path)
    assert not found.exists()


LOCAL_NOTE = json.dumps(
    {"version": 3, "backend": {"type": "local", "config": {"path": "/former/terraform.tfstate"}}}
)
S3_NOTE = json.dumps({"version": 3, "backend": {"type": "s3", "config": {"bucket": "states"}}})


@pytest.mark.parametrize(
    ("noted", "stack", "stays"),
    [(LOCAL_NOTE, "local", False), (LOCAL_NOTE, "s3", True), (S3_NOTE, "local", True), (S3_NOTE, "s3", True)],
)
def test_a_project_that_was_moved_has_its_state_in_its_own_folder(
    tmp_path: Path, noted: str, stack: str, stays: bool
) -> None:
    (tmp_path / "cdk.tf.json").write_text(json.dumps({"terraform": {"backend": {stack: {}}}}))
    found = note(tmp_path, noted)
    forget_stale_note(tmp_path, tmp_path)
    assert found.exists() is stays
