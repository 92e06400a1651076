"""Private files, and one command at a time on an environment."""

import errno
import fcntl
import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from payinfra.core.environment_lock import exclusive, holder, prepare_folder
from payinfra.core.errors import EnvironmentUnusable, ExitCode, UsageProblem
from payinfra.core.private_files import (
    file_problem,
    open_own,
    replace_file,
    require_own_content,
    write_private,
)
from payinfra.core.user import NO_HOME, home_folder, user_name


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


@pytest.fixture
def earlier(tmp_path: Path) -> dict[str, str]:
    """What a process that is gone wrote into the lock."""
    with exclusive(tmp_path, "drill"):
        pass
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    return {**json.loads((tmp_path / "lock").read_text()), "pid": gone.stdout.decode().strip()}


def test_an_earlier_holder_is_not_named_for_one_that_has_not_written_its_name_yet(
    tmp_path: Path, earlier: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def written_meanwhile(_seconds: float) -> None:
        (tmp_path / "lock").write_text(json.dumps({**earlier, "command": "payinfra deploy", "pid": "1"}))

    monkeypatch.setattr(time, "sleep", written_meanwhile)
    with exclusive(tmp_path, "deploy"):
        (tmp_path / "lock").write_text(json.dumps(earlier))
        with pytest.raises(EnvironmentUnusable) as caught, exclusive(tmp_path, "plan"):
            pass
        (tmp_path / "lock").write_text(json.dumps(earlier))
        assert "runs `payinfra deploy`" in holder(tmp_path)
    assert "runs `payinfra deploy`" in caught.value.what


def test_a_look_at_who_holds_the_lock_keeps_no_command_from_it(
    tmp_path: Path, earlier: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lock").write_text(json.dumps(earlier))
    look = os.open(tmp_path / "lock", os.O_RDWR)
    fcntl.flock(look, fcntl.LOCK_SH)
    monkeypatch.setattr(time, "sleep", lambda _seconds: os.close(look))
    with exclusive(tmp_path, "plan"):
        assert json.loads((tmp_path / "lock").read_text())["command"] == "payinfra plan"


def test_two_environments_do_not_disturb_each_other(tmp_path: Path) -> None:
    with exclusive(tmp_path / "a", "deploy"), exclusive(tmp_path / "b", "deploy"):
        assert (tmp_path / "b" / "lock").exists()


def link(path: Path, victim: Path) -> None:
    path.symlink_to(victim)


def hard_link(path: Path, victim: Path) -> None:
    path.hardlink_to(victim)


def folder(path: Path, _victim: Path) -> None:
    path.mkdir()


def pipe(path: Path, _victim: Path) -> None:
    os.mkfifo(path)


PLANTED = (link, hard_link, folder, pipe)
FLAGS = os.O_RDWR | os.O_CREAT | os.O_TRUNC


@pytest.mark.parametrize("plant", PLANTED)
def test_nothing_is_written_through_what_lies_in_a_files_place(
    tmp_path: Path, plant: Callable[[Path, Path], None]
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    work = tmp_path / "work"
    work.mkdir()
    plant(work / "lock", victim)
    with pytest.raises(OSError, match=r"it is|it has|Is a directory"):
        open_own(work / "lock", FLAGS)
    with (
        pytest.raises(EnvironmentUnusable, match="lock cannot") as caught,
        exclusive(work, "deploy"),
    ):
        pass
    assert "remove it" in caught.value.hint
    assert victim.read_text() == "precious"


def test_a_dangling_link_makes_no_file_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "made")
    with pytest.raises(OSError, match="symbolic link"):
        open_own(tmp_path / "lock", FLAGS)
    assert not (tmp_path / "made").exists()


def test_a_file_of_another_user_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("theirs")
    with pytest.raises(PermissionError, match=f"another user .uid {os.getuid()}"):
        open_own(tmp_path / "lock", FLAGS, user=lambda: os.getuid() + 1)
    assert (tmp_path / "lock").read_text() == "theirs"
    os.close(open_own(tmp_path / "lock", os.O_RDONLY, user=lambda: 0))  # the superuser may


def test_an_entry_of_another_user_keeps_a_command_from_the_folder(tmp_path: Path) -> None:
    (tmp_path / "terraform.tfstate").write_text("{}")
    with pytest.raises(EnvironmentUnusable, match="tfstate cannot be used: it belongs to another"):
        require_own_content(tmp_path, user=lambda: os.getuid() + 1)


@pytest.mark.parametrize("name", ["plan.tfplan", "terraform.tfstate", "logs", "synth/stacks/x/cdk.tf.json"])
def test_a_link_anywhere_in_the_work_folder_is_refused_before_terraform_writes(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "work" / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "work" / name).symlink_to(tmp_path / "victim")
    with (
        pytest.raises(EnvironmentUnusable, match=r"cannot be used: it is a symbolic link"),
        exclusive(tmp_path / "work", "deploy"),
    ):
        pass
    assert not (tmp_path / "victim").exists()


def test_terraforms_links_to_the_cache_of_providers_are_no_concern(tmp_path: Path) -> None:
    provider = tmp_path / "terraform" / "providers" / "aws"
    provider.parent.mkdir(parents=True)
    provider.symlink_to(tmp_path)
    require_own_content(tmp_path)


@pytest.mark.parametrize("depth", [0, 1])
def test_a_work_folder_that_is_a_link_is_refused(tmp_path: Path, depth: int) -> None:
    work = tmp_path / "local" / "pr1"
    planted = (work, work.parent)[depth]
    planted.parent.mkdir(exist_ok=True)
    planted.symlink_to(tmp_path)
    with pytest.raises(EnvironmentUnusable, match="it is a symbolic link"):
        prepare_folder(work)


def test_a_user_without_a_name_can_hold_the_lock() -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 4242")

    assert user_name(nameless) == f"uid {os.getuid()}"


def test_a_user_without_a_home_has_one_that_does_not_exist() -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    assert home_folder(homeless) == NO_HOME


def test_a_write_that_fails_names_the_file(tmp_path: Path) -> None:
    def parts() -> Iterator[bytes]:
        yield b"one"
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left") as caught:
        replace_file(tmp_path / "outputs.json", parts())
    assert caught.value.filename == str(tmp_path / "outputs.json")
    assert "outputs.json cannot be used: the disk is full" in file_problem(caught.value).what


def test_a_write_that_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    def parts() -> Iterator[bytes]:
        yield b"one"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace_file(tmp_path / "outputs.json", parts())
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_with_the_file_and_a_next_step(tmp_path: Path) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(
        EnvironmentUnusable, match=r"applied\.json cannot be used: the disk is full"
    ) as caught:
        write_private(tmp_path / "applied.json", "{}", durable=True, sync=full)
    assert "Free some space" in caught.value.hint


def test_what_neither_the_machine_nor_its_files_cause_stays_a_bug() -> None:
    with pytest.raises(OSError, match="Broken"):
        file_problem(OSError(errno.EPIPE, "Broken pipe"))


def test_who_holds_a_lock_can_be_asked_without_taking_it(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    assert holder(folder) == ""
    with exclusive(folder, "deploy"):
        assert holder(folder) == "", "this process itself"
        lock = folder / "lock"
        lock.write_text(json.dumps({**json.loads(lock.read_text()), "pid": "1"}))
        assert "runs `payinfra deploy` since" in holder(folder)
    assert holder(folder) == ""
    with exclusive(folder, "verify"):
        pass
