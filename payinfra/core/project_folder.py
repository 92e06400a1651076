"""Where the project is: the folder of payinfra.toml, which state, waivers and outputs are beside.

It is looked for upwards from where one stands, as git and uv look for theirs. Completion uses it, so that it
imports little.
"""

import os
import re
import shlex
from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path

from payinfra.core.errors import UsageProblem
from payinfra.core.setting_declarations import TOML_NAME

PROJECT_VARIABLE = "PAYINFRA_PROJECT"
"""Names the project's folder; `--project` sets it for the rest of the process."""

PROJECT_OPTION: ContextVar[str] = ContextVar("project_option", default="")
"""What `--project` was given on this command line; empty where a variable or the current folder says."""

_TO_TYPE = re.compile(r"(?<=`)payinfra (?=[a-z])")


def to_type(command: str) -> str:
    """A command line of payinfra as it must be typed here: with the `--project` that this one was given."""
    option = PROJECT_OPTION.get()
    rest = command.removeprefix("payinfra ")
    return f"payinfra --project {shlex.quote(option)} {rest}" if option and rest != command else command


def with_project(text: str) -> str:
    """A sentence whose commands, in backquotes, are each as `to_type` has it."""
    return _TO_TYPE.sub(to_type("payinfra x").removesuffix("x").replace("\\", "\\\\"), text)


def project_folder(environ: Mapping[str, str] = os.environ, here: Path | None = None) -> Path:
    """The folder that PAYINFRA_PROJECT names, else the nearest one upwards with a payinfra.toml, else here.

    A payinfra.toml above the current folder counts only if it belongs to the caller or to root: in a folder
    such as /tmp everybody could put one there for others.

    Args:
        environ: the variables.
        here: where to begin; None for the current folder.

    Returns:
        An absolute path, or `Path()` where it is the current folder, so that messages stay short.

    Raises:
        UsageProblem: the folder that was named does not exist.
    """
    if named := environ.get(PROJECT_VARIABLE):
        if not Path(named).is_dir():
            raise UsageProblem(
                f"There is no folder {named}.", "Give --project, or PAYINFRA_PROJECT, the project's folder."
            )
        return Path(named)
    start = Path.cwd() if here is None else here
    if (start / TOML_NAME).exists():
        return Path() if here is None else here
    for folder in start.parents:
        if _is_trusted(folder / TOML_NAME):
            return folder
    return Path() if here is None else here


def _is_trusted(file: Path) -> bool:
    with suppress(OSError):  # a folder that may not be looked into
        return file.is_file() and file.stat().st_uid in (os.geteuid(), 0)
    return False
