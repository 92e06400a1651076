"""Who runs payinfra. In a container a user may have a number only: no name, and no home folder."""

import getpass
import os
from collections.abc import Callable
from pathlib import Path

NO_HOME = Path("/nonexistent")
"""What Debian gives as home to users that have none; it does not exist."""


def user_name(ask: Callable[[], str] = getpass.getuser) -> str:
    """The user's name, or `uid 1234` where the system knows none."""
    try:
        return ask()
    except (KeyError, OSError):  # the former before Python 3.13
        return f"uid {os.getuid()}"


def home_folder(ask: Callable[[], Path] = Path.home) -> Path:
    """The user's home folder, or one that does not exist where the system knows none."""
    try:
        return ask()
    except RuntimeError:
        return NO_HOME
