"""Files that are written whole or not at all, and that only their owner may read.

A file of the work folder is this user's own and has one name. A symbolic link, a hard link, a file of another
user, a folder or a device in its place is refused: through it, something else would be overwritten.
"""

import contextlib
import errno
import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from payinfra.core.errors import EnvironmentUnusable, PayinfraError, UsageProblem

ROOT_USER = 0
UNSEEN = ("terraform/providers", "objects", "tmp")
"""Folders in a work folder that are not looked at: Terraform links its providers from the cache, and the
embedded AWS keeps the bodies of objects, which may be many, and unpacks functions."""

OF_THE_MACHINE = frozenset(
    (
        *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE),
        *(errno.EACCES, errno.EPERM, errno.ELOOP, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG),
    )
)
"""Errors of files that the machine or its files cause, and no defect of payinfra."""

_FULL = frozenset((errno.ENOSPC, errno.EDQUOT))


def open_own(path: Path, flags: int, user: Callable[[], int] = os.geteuid) -> int:
    """Open a file of the work folder, of mode 0600 if it is made now, and nothing else in its place.

    Args:
        path: the file.
        flags: as of `os.open`; what they would truncate is truncated only when the file has proven its own.
        user: whose it has to be; the superuser may open those of others.

    Returns:
        The descriptor, which the caller closes.

    Raises:
        OSError: it cannot be opened; is a symbolic link (ELOOP), a folder (EISDIR), no regular file or one
            with several names (EINVAL), or another user's (EPERM). `strerror` says so in words.
    """
    safe = flags & ~os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        descriptor = os.open(path, safe, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a symbolic link", str(path)) from None
        raise
    try:
        _require_own(path, os.fstat(descriptor), user())
        if flags & os.O_TRUNC:
            os.ftruncate(descriptor, 0)
        os.set_blocking(descriptor, True)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _require_own(path: Path, found: os.stat_result, user: int) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise OSError(errno.EISDIR, "it is a folder", str(path))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    if found.st_nlink > 1:
        raise OSError(errno.EINVAL, "it has a second name, a hard link", str(path))
    if foreign := _foreign(found, user):
        raise OSError(errno.EPERM, foreign, str(path))


def _foreign(found: os.stat_result, user: int) -> str:
    """Whose it is instead, in words; empty where it is this user's, or this is the superuser."""
    if found.st_uid == user or user == ROOT_USER:
        return ""
    return f"it belongs to another user (uid {found.st_uid})"


def require_own_content(folder: Path, user: Callable[[], int] = os.geteuid) -> None:
    """Refuse a work folder through whose entries something else would be written.

    Terraform opens its files itself, so they are looked at before it starts.

    Raises:
        EnvironmentUnusable: an entry is a symbolic link or another user's.
        OSError: the folder cannot be read.
    """
    for path, found in _entries(folder, frozenset(folder / name for name in UNSEEN)):
        wrong = "it is a symbolic link" if stat.S_ISLNK(found.st_mode) else _foreign(found, user())
        if wrong:
            raise not_own(path, wrong)


def _entries(folder: Path, unseen: frozenset[Path]) -> Iterator[tuple[Path, os.stat_result]]:
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda one: one.name)
    for entry in entries:
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:  # removed meanwhile by the command that has the folder
            continue
        path = Path(entry.path)
        yield path, status
        if path not in unseen and stat.S_ISDIR(status.st_mode):
            with contextlib.suppress(FileNotFoundError):
                yield from _entries(path, unseen)


def not_own(path: Path, why: str) -> EnvironmentUnusable:
    """The error for an entry of the work folder that is not this user's own file."""
    return EnvironmentUnusable(
        f"{path} cannot be used: {why}.",
        "Look what put it there, and remove it; or choose another work folder with --work-root FOLDER.",
    )


def file_problem(error: OSError) -> PayinfraError:
    """What a person can do about a file that cannot be read or written.

    Raises:
        OSError: `error` itself, where neither the machine nor its files cause it.
    """
    where = f"{os.fsdecode(error.filename)} cannot be used" if error.filename else "A file cannot be written"
    why = error.strerror or "the system does not say why"
    if error.errno in _FULL:
        return EnvironmentUnusable(
            f"{where}: the disk is full.",
            "Free some space on that disk, then run the same command again. What was deployed is still "
            "there, and so is what is known of it: a file of the work folder is replaced as a whole, "
            "or not at all.",
        )
    if error.errno not in OF_THE_MACHINE and error.errno != errno.EINVAL:
        raise error
    return EnvironmentUnusable(f"{where}: {why}.", "Mend that, then run the same command again.")


def replace_file(
    path: Path,
    content: str | bytes | Iterable[bytes],
    *,
    durable: bool = False,
    sync: Callable[[int], object] = os.fsync,
) -> None:
    """Replace a file in one step, with mode 0600. Its folder has to be there.

    Args:
        path: the file; a symbolic link is replaced, not followed, and a folder is refused.
        content: the whole of it, or its parts in their order; text is written as UTF-8.
        durable: return only when the file is on the disk, so that it outlives a loss of power.
        sync: forces a file descriptor's data to the disk.

    Raises:
        OSError: the file cannot be written; it is as it was before.
    """
    whole = content.encode() if isinstance(content, str) else content
    if path.is_dir() and not path.is_symlink():
        raise OSError(errno.EISDIR, "it is a folder", str(path))
    descriptor, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines([whole] if isinstance(whole, bytes) else whole)
            if durable:
                file.flush()
                sync(file.fileno())
        Path(beside).replace(path)
    except BaseException as error:
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # A write that fails names no file.
        with contextlib.suppress(OSError):
            Path(beside).unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent, sync)


def write_private(
    path: Path, content: str | bytes, *, durable: bool = False, sync: Callable[[int], object] = os.fsync
) -> None:
    """Replace a file of the work folder as `replace_file` does, and make its folder where it is missing.

    Raises:
        UsageProblem: the folder cannot be made or written.
        EnvironmentUnusable: the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content, durable=durable, sync=sync)
    except OSError as error:
        if error.errno in _FULL:
            raise file_problem(OSError(error.errno, error.strerror, str(path))) from None
        raise UsageProblem(
            f"{path} cannot be written: {error.strerror}.", "Make its folder writable, or run elsewhere."
        ) from None


def sync_folder(folder: Path, sync: Callable[[int], object] = os.fsync) -> None:
    """Force a folder's entries to the disk: a new file's name is on it only then."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)
