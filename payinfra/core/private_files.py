"""Files of the work folder: written whole or not at all, and readable by their owner only."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from payinfra.core.errors import UsageProblem


def write_private(
    path: Path, text: str, *, durable: bool = False, sync: Callable[[int], object] = os.fsync
) -> None:
    """Replace a file in one step, with mode 0600.

    Args:
        durable: return only when the file is on the disk, so that it outlives a loss of power.
        sync: forces a file descriptor's data to the disk.

    Raises:
        UsageProblem: the folder cannot be made or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            if durable:
                file.flush()
                sync(file.fileno())
        Path(beside).replace(path)
        if durable:
            _sync_folder(path.parent, sync)
    except OSError as error:
        raise UsageProblem(
            f"{path} cannot be written: {error.strerror}.", "Make its folder writable, or run elsewhere."
        ) from None


def _sync_folder(folder: Path, sync: Callable[[int], object]) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)
