"""Space that is reserved on the disk while Terraform changes something, and released when the disk is full.

Terraform overwrites its state after each resource and at the end (Terraform 1.11,
`internal/states/statemgr/filesystem.go`). On a full disk only a part of the state is written, and the file
`errored.tfstate`, in which Terraform saves it otherwise, is empty: what was made is then known nowhere.
"""

import contextlib
import ctypes
import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.private_files import open_own, replace_file

SIZE = 16 << 20
"""Bytes: a state of this stack takes 0.7 MB, and the log of an apply about the same."""

LOW = 1 << 20
"""Bytes. With less free space, the reserve is released, because one of the next writes may fail."""

_FULL = frozenset((errno.ENOSPC, errno.EDQUOT))
_ONE_MB = bytes(1 << 20)
_KEEP_SIZE = 1


def free_bytes(folder: Path) -> int:
    """How many bytes this user may still write to the disk of a folder."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def keep_room(descriptor: int, size: int) -> None:
    """Reserve space after the end of a file that grows, on Linux.

    The file's size does not change (fallocate(2), FALLOC_FL_KEEP_SIZE). If the space cannot be reserved,
    nothing happens.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).fallocate(descriptor, _KEEP_SIZE, ctypes.c_longlong(0), ctypes.c_longlong(size))


def _allocated(descriptor: int, size: int) -> bool:
    """Whether the space could be reserved without writing it; not every system and file system can.

    Raises:
        OSError: the disk has not so much left.
    """
    if sys.platform != "linux":
        return False
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError as error:
        if error.errno in _FULL:
            raise
        return False
    return True


class DiskReserve:
    """A file that takes space.

    Attributes:
        was_needed: the disk became full while the space was kept.
    """

    def __init__(
        self, path: Path, told: Callable[[], None], free: Callable[[Path], int] = free_bytes
    ) -> None:
        """Take nothing yet.

        Args:
            path: the file.
            told: called once, when the space is given up.
            free: how many bytes may still be written to the disk that a folder is on.
        """
        self.was_needed = False
        self._held = False
        self._path = path
        self._told = told
        self._free = free

    @contextmanager
    def held(self, size: int = SIZE) -> Iterator[None]:
        """Keep the space while inside.

        Args:
            size: how much, in bytes.

        Raises:
            EnvironmentUnusable: the disk has not so much left.
        """
        try:
            self._take(size)
            self._held = True
            yield
        finally:
            self._held = False
            self._path.unlink(missing_ok=True)

    def _take(self, size: int) -> None:
        try:
            with os.fdopen(open_own(self._path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY), "wb") as file:
                if not _allocated(file.fileno(), size):
                    for _ in range(0, size, len(_ONE_MB)):
                        file.write(_ONE_MB)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            raise EnvironmentUnusable(
                f"The disk of {self._path.parent} is full: "
                f"{size >> 20} MB must be free for Terraform's state.",
                "Free some space on that disk, then run the same command again. "
                "Terraform has changed nothing.",
            ) from None

    def become(self, path: Path, content: str) -> None:
        """Write a file that is needed into the space that was reserved for it.

        Raises:
            OSError: the space was released before, and the disk is full again.
        """
        if not self._held:
            replace_file(path, content)
            return
        is_full = self._free(self._path.parent) < LOW
        with self._path.open("r+b") as file:
            file.write(content.encode())
            file.truncate()
            file.flush()
            os.fsync(file.fileno())
        self._path.replace(path)
        self._held = False
        if is_full:
            self._give_up()

    def watch(self) -> None:
        """Release the space if the disk is almost full."""
        if self._held and self._free(self._path.parent) < LOW:
            self._give_up()

    def write(self, action: Callable[[], object]) -> None:
        """Write something that may be lost, unlike the state: on a full disk it is dropped.

        Raises:
            OSError: it fails for another reason than a full disk.
        """
        try:
            action()
        except OSError as error:
            if error.errno not in _FULL:
                raise
            if self._held:
                self._give_up()

    def _give_up(self) -> None:
        self.was_needed = True
        self._held = False
        self._path.unlink(missing_ok=True)
        self._told()
