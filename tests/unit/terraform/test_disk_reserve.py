"""Space that is kept while Terraform changes something, and given up when the disk is full."""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from payinfra.core.errors import EnvironmentUnusable
from payinfra.terraform.disk_reserve import LOW, DiskReserve, free_bytes, keep_room


class Disk:
    """A disk whose free space the test sets; what was said about it."""

    def __init__(self, folder: Path, free: int = 10 * LOW) -> None:
        self.path = folder / "reserve"
        self.free = free
        self.told = 0
        self.reserve = DiskReserve(self.path, self.tell, lambda _folder: self.free)

    def tell(self) -> None:
        self.told += 1


def failing(number: int) -> Callable[[], object]:
    def write() -> None:
        raise OSError(number, "no")

    return write


def test_it_takes_the_space_while_something_changes(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    with disk.reserve.held(5 << 20):
        disk.reserve.watch()
        assert disk.path.stat().st_size == 5 << 20
        assert disk.path.stat().st_blocks * 512 >= 5 << 20
    assert (disk.path.exists(), disk.told) == (False, 0)


def test_where_space_cannot_be_reserved_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(*_asked: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "no")

    monkeypatch.setattr("os.posix_fallocate", unsupported)
    disk = Disk(tmp_path)
    with disk.reserve.held(2 << 20):
        assert disk.path.stat().st_blocks * 512 >= 2 << 20


def test_a_disk_that_is_full_already_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.posix_fallocate", lambda *_asked: failing(errno.ENOSPC)())
    disk = Disk(tmp_path)
    with pytest.raises(EnvironmentUnusable) as caught, disk.reserve.held(2 << 20):
        raise AssertionError("nothing may be changed")
    assert caught.value.what == f"The disk of {tmp_path} is full: 2 MB must be free for Terraform's state."
    assert caught.value.hint.startswith("Free some space on that disk")
    assert not disk.path.exists()


def test_another_reason_why_the_space_cannot_be_taken_is_raised(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), Disk(tmp_path / "gone").reserve.held(1 << 20):
        raise AssertionError("nothing may be changed")


def test_it_gives_the_space_up_once_when_the_disk_is_nearly_full(tmp_path: Path) -> None:
    disk = Disk(tmp_path, free=LOW - 1)
    with disk.reserve.held(1 << 20):
        for _ in range(2):
            disk.reserve.watch()
        assert (disk.path.exists(), disk.told) == (False, 1)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_it_gives_the_space_up_when_a_line_of_the_log_cannot_be_written(tmp_path: Path, number: int) -> None:
    disk = Disk(tmp_path)
    with disk.reserve.held(1 << 20):
        for _ in range(2):
            disk.reserve.write(failing(number))
        assert (disk.path.exists(), disk.told) == (False, 1)


def test_another_failure_of_the_log_is_raised(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    with disk.reserve.held(1 << 20), pytest.raises(OSError, match="no"):
        disk.reserve.write(failing(errno.EIO))
    assert disk.told == 0


def test_outside_nothing_is_given_up(tmp_path: Path) -> None:
    disk = Disk(tmp_path, free=0)
    disk.reserve.watch()
    disk.reserve.write(failing(errno.ENOSPC))
    assert disk.told == 0


def test_free_space_is_that_of_the_disk(tmp_path: Path) -> None:
    assert free_bytes(tmp_path) > 0


@pytest.mark.parametrize(("free", "is_full"), [(0, True), (10 * LOW, False)])
def test_what_is_needed_takes_the_space_that_was_kept(tmp_path: Path, free: int, is_full: bool) -> None:
    disk = Disk(tmp_path, free=free)
    with disk.reserve.held(1 << 20):
        disk.reserve.become(tmp_path / "errored.tfstate", "{}")
        assert (tmp_path / "errored.tfstate").read_text() == "{}"
        assert (disk.path.exists(), disk.told, disk.reserve.was_needed) == (False, is_full, is_full)
        disk.reserve.become(tmp_path / "errored.tfstate", "[]")
    assert (tmp_path / "errored.tfstate").read_text() == "[]"


def test_room_behind_a_files_end_leaves_its_size(tmp_path: Path) -> None:
    with (tmp_path / "output").open("ab", buffering=0) as file:
        keep_room(file.fileno(), 1 << 20)
        file.write(b"a line")
    assert (tmp_path / "output").read_bytes() == b"a line"
