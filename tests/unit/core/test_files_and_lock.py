"""Private files, and one command at a time on an environment."""

import errno
import json
import os
import stat
from pathlib import Path

import pytest

from payinfra.core.environment_lock import exclusive, prepare_folder
from payinfra.core.errors import EnvironmentUnusable, ExitCode, UsageProblem
from payinfra.core.private_files import replace_file, write_private


def test_a_written_file_is_whole_and_its_owners_only(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "outputs.json"
    write_private(path, "one")
    write_private(path, "two")
    assert path.read_text() == "two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["outputs.json"]


def test_a_durable_file_is_on_the_disk_before_it_has_its_name_and_so_is_its_folder(tmp_path: Path) -> None:
    path, seen = tmp_path / "journal.json", list[str]()

    def sync(descriptor: int) -> None:
        what = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        seen.append(f"{what}, {'named' if path.exists() else 'nameless'}")

    write_private(path, "one", durable=True, sync=sync)
    assert seen == ["file, nameless", "folder, named"]
    assert path.read_text() == "one"


def test_a_failed_replacement_leaves_the_file_as_it_was_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "outputs.json"
    replace_file(path, "one")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        replace_file(path, "two", durable=True, sync=full)
    assert path.read_text() == "one"
    assert [entry.name for entry in tmp_path.iterdir()] == ["outputs.json"]


def test_a_symbolic_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("of somebody else")
    (tmp_path / "outputs.json").symlink_to(other)
    replace_file(tmp_path / "outputs.json", b"\x00\xff")
    assert other.read_text() == "of somebody else"
    assert (tmp_path / "outputs.json").read_bytes() == b"\x00\xff"


def test_a_file_in_the_way_of_the_folder_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageProblem, match="cannot be written"):
        write_private(tmp_path / "file" / "outputs.json", "x")


def test_the_work_folder_is_private(tmp_path: Path) -> None:
    prepare_folder(tmp_path / "work")
    assert (tmp_path / "work").stat().st_mode & 0o777 == 0o700


def test_a_work_folder_that_cannot_be_made_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageProblem, match="Cannot create") as caught:
        prepare_folder(tmp_path / "file" / "work")
    assert "--work-root" in caught.value.hint


def test_a_work_folder_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="Cannot write"):
        prepare_folder(tmp_path, may_write=lambda _folder: False)


def test_the_second_command_is_refused_and_told_who_holds_the_lock(tmp_path: Path) -> None:
    with (
        exclusive(tmp_path, "deploy"),
        pytest.raises(EnvironmentUnusable) as caught,
        exclusive(tmp_path, "plan"),
    ):
        pass
    assert "runs `payinfra deploy`" in caught.value.what
    assert f"process {os.getpid()} on" in caught.value.what
    assert caught.value.exit_code is ExitCode.UNUSABLE_ENVIRONMENT


def test_the_lock_ends_with_its_block_even_when_that_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="boom"), exclusive(tmp_path, "deploy"):
        raise RuntimeError("boom")
    with exclusive(tmp_path, "plan"):
        assert json.loads((tmp_path / "lock").read_text())["command"] == "payinfra plan"


def test_a_holder_that_wrote_nothing_yet_is_still_a_holder(tmp_path: Path) -> None:
    with exclusive(tmp_path, "deploy"):
        (tmp_path / "lock").write_text("")
        with pytest.raises(EnvironmentUnusable, match="another process holds"), exclusive(tmp_path, "plan"):
            pass


def test_two_environments_do_not_disturb_each_other(tmp_path: Path) -> None:
    with exclusive(tmp_path / "a", "deploy"), exclusive(tmp_path / "b", "deploy"):
        assert (tmp_path / "b" / "lock").exists()
