"""Writes the files of a project that uses payinfra, and never overwrites one."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from pathlib import Path

from payinfra.core.errors import UsageProblem
from payinfra.core.private_files import open_own
from payinfra.core.setting_declarations import TOML_NAME, toml_file

IGNORED = (".payinfra/", "cfn-outputs/")
"""What git must ignore: state holds secrets, and outputs are those of the last deployment only."""

GITIGNORE = ".gitignore"
IMAGE = "Dockerfile"
"""The recipe of an image for CI, in the project and, below `image`, among the templates."""
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT


class Ci(StrEnum):
    """The CI system that workflow files are written for."""

    GITHUB = "github"
    GITLAB = "gitlab"
    NONE = "none"


class Deed(StrEnum):
    """What happened to a file."""

    WRITTEN = "written"
    ADDED_TO = "added to"
    LEFT = "left alone"


@dataclass(frozen=True)
class Step:
    """What happened to one file, or would in a dry run; `why` tells a person."""

    path: Path
    deed: Deed
    why: str


_ALWAYS: Mapping[str, str] = {
    TOML_NAME: TOML_NAME,
    "payinfra-waivers.toml": "payinfra-waivers.toml",
}
_WORKFLOWS: Mapping[Ci, Mapping[str, str]] = {
    Ci.GITHUB: {".github/workflows/payinfra.yml": "github/payinfra.yml"},
    Ci.GITLAB: {".gitlab-ci.yml": "gitlab/gitlab-ci.yml"},
    Ci.NONE: {},
}
"""File in the project to its template."""


def template(name: str) -> str:
    """A template that comes with payinfra; the settings file is made from their declarations."""
    if name == TOML_NAME:
        return toml_file()
    return (
        resources.files("payinfra.core").joinpath("templates", *name.split("/")).read_text(encoding="utf-8")
    )


def write(
    folder: Path,
    ci: Sequence[Ci],
    *,
    dry_run: bool = False,
    example: Path | None = None,
    image: bool = False,
) -> tuple[Step, ...]:
    """Write the files that do not exist, and add the missing lines to .gitignore.

    Args:
        folder: the project's.
        ci: the systems to write workflow files for.
        dry_run: write nothing.
        example: the package of the shipped function, to write the example of a company's project as well.
        image: write the recipe of an image for CI as well.

    Raises:
        UsageProblem: a file cannot be written, or .gitignore cannot be read.
    """
    wanted = {**_ALWAYS, **{path: name for each in ci for path, name in _WORKFLOWS[each].items()}}
    if image:
        wanted[IMAGE] = f"image/{IMAGE}"
    texts = {path: template(name) for path, name in wanted.items()}
    if example is not None:
        from payinfra.core.example_project import FILES, function_files

        texts |= {path: template(name) for path, name in FILES.items()} | dict(function_files(example))
    steps = [_file(folder / path, text, dry_run=dry_run) for path, text in texts.items()]
    return (*steps, _ignoring(folder / GITIGNORE, dry_run=dry_run))


def _file(path: Path, text: str, *, dry_run: bool) -> Step:
    if path.exists() or path.is_symlink():
        return Step(path, Deed.LEFT, "it exists already")
    if not dry_run:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open(
                "x", encoding="utf-8"
            ) as file:  # never overwrite a file, not even one that was made just now
                file.write(text)
        except OSError as error:
            raise _unwritable(path, error) from None
    return Step(path, Deed.WRITTEN, "it did not exist")


def _ignoring(path: Path, *, dry_run: bool) -> Step:
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise UsageProblem(
            f"{path} cannot be read: {error}.", f"Add {' and '.join(IGNORED)} to it yourself."
        ) from None
    there = {line.strip().lstrip("/").rstrip("/") for line in text.splitlines()}
    missing = [each for each in IGNORED if each.rstrip("/") not in there]
    if not missing:
        return Step(path, Deed.LEFT, f"it has {' and '.join(IGNORED)} already")
    if not dry_run:
        begin = "\n" if text and not text.endswith("\n") else ""
        try:
            with os.fdopen(open_own(path, _APPEND), "a", encoding="utf-8") as file:
                file.write(begin + "".join(f"{each}\n" for each in missing))
        except OSError as error:
            raise _unwritable(path, error) from None
    return Step(path, Deed.ADDED_TO if text else Deed.WRITTEN, " and ".join(missing))


def _unwritable(path: Path, error: OSError) -> UsageProblem:
    return UsageProblem(
        f"{path} cannot be written: {error.strerror}.", "Make its folder writable, or run elsewhere."
    )
