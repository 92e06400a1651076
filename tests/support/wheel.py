"""The wheel, built from these sources and installed where there is what it asks for, and no more."""

import subprocess
import sys
import venv
from collections.abc import Iterable
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


def build(into: Path) -> Path:
    """Build the wheel as pip would, without network."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", into],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (wheel,) = into.glob("payinfra-*.whl")
    return wheel


def required(wheel_metadata: Distribution, extras: Iterable[str]) -> dict[str, Distribution]:
    """Everything that the wheel asks for, and what that asks for in turn, by name."""
    found: dict[str, Distribution] = {}
    todo = [(line, frozenset(extras)) for line in wheel_metadata.requires or ()]
    while todo:
        line, chosen = todo.pop()
        wanted = Requirement(line)
        if wanted.marker and not any(wanted.marker.evaluate({"extra": extra}) for extra in (*chosen, "")):
            continue
        name = canonicalize_name(wanted.name)
        if name not in found or wanted.extras:
            found[name] = distribution(name)
            todo += [(each, frozenset(wanted.extras)) for each in found[name].requires or ()]
    return found


def install(wheel: Path, into: Path, *, extras: tuple[str, ...] = (), beside: tuple[str, ...] = ()) -> Path:
    """Make a virtual environment with the wheel and links to what it requires; the command in it.

    The links spare a download of 800 MB. Whatever the wheel does not ask for cannot be imported there.

    Args:
        extras: those of the wheel's extras that are asked for.
        beside: what a user has installed beside payinfra, such as `pytest`.
    """
    venv.create(into, with_pip=False, symlinks=True)
    python = into / "bin" / "python"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "--python",
            python,
            "install",
            "--quiet",
            "--no-deps",
            "--no-index",
            wheel,
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    (site,) = (into / "lib").glob("python*/site-packages")
    (metadata,) = Distribution.discover(name="payinfra", path=[str(site)])
    linked = required(metadata, extras)
    for name in beside:
        linked |= {name: distribution(name)} | required(distribution(name), ())
    for each in linked.values():
        for file in each.files or ():
            top = file.parts[0]
            source = Path(str(each.locate_file(top)))
            if top != ".." and not (site / top).exists():
                (site / top).symlink_to(source)
    return into / "bin" / "payinfra"
