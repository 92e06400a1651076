"""Lets one command at a time work on an environment on this machine. A remote state has its own lock."""

import fcntl
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from payinfra.core.errors import EnvironmentUnusable, UsageProblem
from payinfra.core.json_text import parse_json
from payinfra.core.private_files import file_problem, not_own, open_own, require_own_content
from payinfra.core.user import user_name

LOOKS = 50
PAUSE_S = 0.02
"""How often, and how much later each time, a lock is looked at whose holder has not written its name yet."""


def _may_write(folder: Path) -> bool:
    return os.access(folder, os.W_OK | os.X_OK)


def prepare_folder(folder: Path, may_write: Callable[[Path], bool] = _may_write) -> None:
    """Create a work folder that only its owner may read.

    Raises:
        UsageProblem: it cannot be made or written.
        EnvironmentUnusable: it, or the folder around it, is a symbolic link.
    """
    for one in (folder.parent, folder):
        if one.is_symlink():
            raise not_own(one, "it is a symbolic link")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageProblem(f"Cannot create the work folder {folder}: {error.strerror}.", _ELSEWHERE) from None
    if not may_write(folder):
        raise UsageProblem(f"Cannot write to the work folder {folder}.", _ELSEWHERE)


_ELSEWHERE = "Choose another with --work-root FOLDER, or change its permissions."


@contextmanager
def exclusive(folder: Path, command: str, what: str = "The environment") -> Iterator[None]:
    """Hold the folder's lock for as long as the block runs.

    The lock is the kernel's, so it ends with the process however that ends.

    Args:
        what: what the lock is for, as the beginning of a sentence.

    Raises:
        EnvironmentUnusable: another process holds it; the message says who, since when and what it does.
            Or the folder has a symbolic link or another user's file, or the disk is full.
        UsageProblem: the folder cannot be written.
    """
    prepare_folder(folder)
    path = folder / "lock"
    try:
        descriptor = open_own(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise not_own(path, error.strerror or str(error)) from None
    try:
        if who := _taken(descriptor, fcntl.LOCK_EX, path):
            raise EnvironmentUnusable(
                f"{what} is in use: {who}.", "Wait until it is done. The lock ends with its process."
            )
        try:
            require_own_content(folder)
            os.ftruncate(descriptor, 0)
            os.write(descriptor, json.dumps(_self(command)).encode())
        except OSError as error:
            raise file_problem(OSError(error.errno, error.strerror, error.filename or str(path))) from None
        yield
    finally:
        os.close(descriptor)


def holder(folder: Path) -> str:
    """Which other process holds the folder's lock, since when and for what, as a clause; empty for none.

    What cannot be opened or read is held by nobody that could be named. Nothing is changed.
    """
    path = folder / "lock"
    try:
        descriptor = open_own(path, os.O_RDWR)
    except (OSError, EnvironmentUnusable):
        return ""
    try:
        who = _taken(descriptor, fcntl.LOCK_SH, path)
        return "" if f"(process {os.getpid()} on {socket.gethostname()})" in who else who
    finally:
        os.close(descriptor)


def _taken(descriptor: int, mode: int, path: Path) -> str:
    """Take the lock; who has it, if another process has.

    A process that has just taken it has not written its name yet: what is there may be an earlier holder's.
    And one that only looks who holds it has it for a moment.
    """
    for _ in range(LOOKS):
        try:
            fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            if who := _holder(path):
                return who
            time.sleep(PAUSE_S)
        else:
            return ""
    return f"another process holds {path}"


def _self(command: str) -> dict[str, str]:
    return {
        "command": f"payinfra {command}",
        "user": user_name(),
        "host": socket.gethostname(),
        "pid": str(os.getpid()),
        "since": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
    }


def _holder(path: Path) -> str:
    """Who wrote its name into the lock and lives, as a clause; empty for nobody."""
    try:
        who = parse_json(path.read_text(encoding="utf-8"))
        if who["host"] == socket.gethostname() and _is_gone(int(who["pid"])):
            return ""
        process = f"process {who['pid']} on {who['host']}"
        return f"{who['user']} runs `{who['command']}` since {who['since']} ({process})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # another user's
        return False
    return False
