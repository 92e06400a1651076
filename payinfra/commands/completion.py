"""Shell completion of option values. Nothing here raises: a shell could not show an error."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from payinfra.core.deployed_environments import begun_in, configured_in, deployed_from, work_root_of
from payinfra.core.errors import UsageProblem
from payinfra.core.project_folder import project_folder
from payinfra.core.setting_declarations import REGIONS

Complete = Callable[[str], list[str]]


def environments(incomplete: str) -> list[str]:
    """The environments of the project that one stands in."""
    try:
        return environments_of(project_folder(), incomplete)
    except UsageProblem:
        return []


def environments_of(folder: Path, incomplete: str) -> list[str]:
    """The environments that a project's payinfra.toml names, and those that were deployed from its folder."""
    root = work_root_of(folder)
    deployed = {one.env for one in deployed_from(root)}
    return _beginning(incomplete, deployed | begun_in(root) | configured_in(folder))


def regions(incomplete: str) -> list[str]:
    """The regions that payinfra knows."""
    return _beginning(incomplete, REGIONS)


def terraforms(incomplete: str) -> list[str]:
    """What may run as Terraform."""
    from payinfra.terraform import Engine

    return _beginning(incomplete, frozenset(kind.value for kind in Engine))


def check_ids(incomplete: str) -> list[str]:
    """The ids of all checks of manifests and of source files."""
    from payinfra.checks import catalogue

    return _beginning(incomplete, catalogue.load().ids)


def faults(incomplete: str) -> list[str]:
    """The names of what a drill can make fail."""
    from payinfra.drill.faults.registry import all_faults

    return _beginning(incomplete, tuple(fault.name for fault in all_faults()))


def probe_ids(incomplete: str) -> list[str]:
    """The ids of all probes."""
    from payinfra.checks.probes import verify

    return _beginning(incomplete, frozenset(probe.rule.id for probe in verify.load()))


def all_ids(incomplete: str) -> list[str]:
    """The ids of all checks and probes."""
    return sorted((*check_ids(incomplete), *probe_ids(incomplete)))


FIELDS: Mapping[str, Complete] = {
    "env": environments,
    "primary_region": regions,
    "secondary_region": regions,
    "state_region": regions,
    "terraform": terraforms,
}
"""By setting."""


def _beginning(incomplete: str, among: Sequence[str] | set[str] | frozenset[str]) -> list[str]:
    return sorted(one for one in among if one.startswith(incomplete))
