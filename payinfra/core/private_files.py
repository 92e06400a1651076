"""Files that are written whole or not at all, and that only their owner may read."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from payinfra.core.errors import UsageProblem


def replace_file(
    path: Path,
    content: str | bytes | Iterable[bytes],
    *,
    durable: bool = False,
    sync: Callable[[int], object] = os.fsync,
) -> None:
    """Replace a file in one step, with mode 0600. Its folder has to be there.

    Args:
        path: the file; a symbolic link is replaced, not followed.
        content: the whole of it, or its parts in their order; text is written as UTF-8.
        durable: return only when the file is on the disk, so that it outlives a loss of power.
        sync: forces a file descriptor's data to the disk.

    Raises:
        OSError: the file cannot be written; it is as it was before.
    """
    whole = content.encode() if isinstance(content, str) else content
    descriptor, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines([whole] if isinstance(whole, bytes) else whole)
            if durable:
                file.flush()
                sync(file.fileno())
        Path(beside).replace(path)
    except BaseException:
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
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content, durable=durable, sync=sync)
    except OSError as error:
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
