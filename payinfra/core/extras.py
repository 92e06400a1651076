"""How to install what an optional part of payinfra needs.

payinfra is on no package index, so `pip install 'payinfra[local]'` finds nothing. The packages of an extra
are on one: the command names the requirements that the installed payinfra declares for the extra.
"""

import importlib.metadata
import importlib.util
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from enum import StrEnum

DISTRIBUTION = "payinfra"


class Extra(StrEnum):
    """An optional part of payinfra, as pyproject.toml names it."""

    LOCAL = "local"
    TERRAFORM = "terraform"
    LOCUST = "locust"
    IAM = "iam"


def install_command(
    extra: Extra,
    requires: Callable[[str], Sequence[str] | None] = importlib.metadata.requires,
    python: str = sys.executable,
    has_pip: bool | None = None,
) -> str:
    """Return the command that installs what an extra brings, to be copied into a shell.

    Args:
        extra: the optional part.
        requires: gives the requirements that a distribution declares, as the core metadata specification's
            Requires-Dist has them (packaging.python.org).
        python: the interpreter that runs payinfra.
        has_pip: whether that interpreter has pip; None looks. uv makes environments without it.
    """
    wanted = [
        found[1].strip()
        for line in requires(DISTRIBUTION) or ()
        if (found := re.fullmatch(rf"([^;]+);.*\bextra == ['\"]{extra}['\"].*", line))
    ]
    if has_pip is None:
        has_pip = importlib.util.find_spec("pip") is not None
    pip = (python, "-m", "pip", "install") if has_pip else ("uv", "pip", "install", "--python", python)
    return shlex.join((*pip, *wanted))
