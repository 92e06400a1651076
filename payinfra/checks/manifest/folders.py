"""Reads a folder of Terraform's files, in either syntax, as the one module that they are."""

from collections.abc import Mapping
from pathlib import Path

from payinfra.checks.manifest import hcl, reading
from payinfra.checks.manifest.configuration import Module, Source
from payinfra.checks.manifest.values import Json
from payinfra.core.errors import EnvironmentUnusable

_VALUES = ("terraform.tfvars", "terraform.tfvars.json")


def source_of(path: Path) -> Source:
    """One file: JSON, or Terraform's native syntax where its name ends with `.tf`.

    Raises:
        EnvironmentUnusable: it cannot be read.
    """
    text = reading.read_text(path)
    if path.suffix != ".tf":
        return Source(str(path), reading.parse(text, str(path)))
    try:
        document = hcl.parse(text)
    except hcl.NotHcl as problem:
        raise EnvironmentUnusable(f"{path} cannot be read: {problem}.", "See `terraform validate`.") from None
    return Source(str(path), document.root, document.lines)


def files_in(folder: Path) -> tuple[Path, ...]:
    """The files of the module in a folder, as Terraform takes them."""
    return tuple(
        sorted(
            path
            for path in folder.iterdir()
            if path.name.endswith((".tf", ".tf.json")) and not path.name.startswith(".") and path.is_file()
        )
    )


def module_of(folder: Path) -> Module | None:
    """The module in a folder; None where there is no file of one.

    Raises:
        EnvironmentUnusable: one of the files cannot be read.
    """
    files = files_in(folder) if folder.is_dir() else ()
    if not files:
        return None
    return Module([source_of(path) for path in files], folder, str(folder))


def values_in(folder: Path) -> dict[str, Json]:
    """The values that Terraform would take from the files of a folder by itself.

    Source: Terraform's "Input Variables", "Variable Definition Precedence".

    Raises:
        EnvironmentUnusable: one of the files cannot be read.
    """
    automatic = sorted((*folder.glob("*.auto.tfvars"), *folder.glob("*.auto.tfvars.json")))
    found: dict[str, Json] = {}
    for path in (*(folder / name for name in _VALUES), *automatic):
        if path.is_file():
            found |= values_of(path)
    return found


def values_of(path: Path) -> Mapping[str, Json]:
    """The values in one file, JSON where its name ends with `.json`.

    Raises:
        EnvironmentUnusable: it cannot be read.
    """
    text = reading.read_text(path)
    if path.suffix == ".json":
        return reading.parse(text, str(path))
    try:
        return hcl.attributes(text)
    except hcl.NotHcl as problem:
        raise EnvironmentUnusable(f"{path} cannot be read: {problem}.") from None
