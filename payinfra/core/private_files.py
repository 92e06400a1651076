"""Files of the work folder: written whole or not at all, and readable by their owner only."""

import os
import tempfile
from pathlib import Path

from payinfra.core.errors import UsageProblem


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, with mode 0600.

    Raises:
        UsageProblem: the folder cannot be made or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(beside).replace(path)
    except OSError as error:
        raise UsageProblem(
            f"{path} cannot be written: {error.strerror}.", "Make its folder writable, or run elsewhere."
        ) from None
