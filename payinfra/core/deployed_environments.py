"""The environments that are known in a project: deployed from it, or named in its payinfra.toml.

Imports little: completion uses it.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from payinfra.core.errors import did_you_mean
from payinfra.core.setting_declarations import BY_NAME, TOML_NAME

TARGETS = tuple(str(one) for one in BY_NAME["target"].choices)
OUTPUTS_FILE = "outputs.json"
"""In an environment's work folder, from the end of its first deployment until it is destroyed."""


BEGUN_FILE = "begun"
"""The same, from the first apply of a first deployment until an apply has ended well."""


def in_words(target: str) -> str:
    """Where an environment is, for a person."""
    return "the embedded AWS" if target == "local" else "AWS"


@dataclass(frozen=True)
class DeployedEnvironment:
    """An environment that was deployed from here and not destroyed since. `at_s` is when, since 1970."""

    env: str
    target: str
    at_s: float

    def __str__(self) -> str:
        """Its name and where it is."""
        return f"{self.env} on {in_words(self.target)}"


def deployed_from(work_root: Path) -> tuple[DeployedEnvironment, ...]:
    """The environments with outputs below a work folder, the last one first."""
    found = []
    for target in TARGETS:
        for file in work_root.glob(f"{target}/*/{OUTPUTS_FILE}"):
            try:
                found.append(DeployedEnvironment(file.parent.name, target, file.stat().st_mtime))
            except OSError:  # destroyed just now
                continue
    return tuple(sorted(found, key=lambda one: (-one.at_s, one.env, one.target)))


def begun_in(work_root: Path) -> frozenset[str]:
    """The environments whose first deployment did not end."""
    return frozenset(file.parent.name for file in work_root.glob(f"*/*/{BEGUN_FILE}"))


def configured_in(folder: Path) -> frozenset[str]:
    """The environments that a project's payinfra.toml has tables for, or names; none if it cannot be read."""
    try:
        found = tomllib.loads((folder / TOML_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return frozenset()
    tables, named = found.get("environments", {}), found.get("env")
    names = set(tables) if isinstance(tables, dict) else set()
    return frozenset(names | ({named} if isinstance(named, str) else set()))


def work_root_of(folder: Path) -> Path:
    """A project's work folder, as its payinfra.toml has it; the default where that cannot be read."""
    try:
        named = tomllib.loads((folder / TOML_NAME).read_text(encoding="utf-8")).get("work_root")
    except (OSError, ValueError):
        named = None
    return folder / (named if isinstance(named, str) else str(BY_NAME["work_root"].default))


def deployed_above(folder: Path, env: str, target: str) -> Path | None:
    """The nearest folder above a project's that an environment was deployed from; None if there is none.

    Args:
        folder: the project's.
        env: the environment's name.
        target: where it was deployed to.
    """
    return next(
        (
            parent
            for parent in folder.resolve().parents
            if (work_root_of(parent) / target / env / OUTPUTS_FILE).is_file()
        ),
        None,
    )


def known_ones(
    wrong: str, target: str, deployed: Iterable[DeployedEnvironment], configured: Iterable[str]
) -> str:
    """A hint for a user who named an environment that was not deployed: which ones there are.

    Args:
        wrong: the name.
        target: where it was looked for.
        deployed: what was deployed from here.
        configured: what payinfra.toml names.

    Returns:
        A sentence or two; empty where no other environment is known.
    """
    known = tuple(deployed)
    elsewhere = [one for one in known if one.env == wrong and one.target != target]
    if elsewhere:
        flag = "--local" if elsewhere[0].target == "local" else "--aws"
        return f"It was deployed from here on {in_words(elsewhere[0].target)}: add {flag}."
    others = [str(one) for one in known]
    others += sorted(set(configured) - {one.env for one in known} - {wrong})
    if not others:
        return ""
    names = {one.env for one in known} | (set(configured) - {wrong})
    near = did_you_mean(wrong, sorted(names)).removeprefix("; ")
    guess = f"{near[0].upper()}{near[1:]} " if near else ""
    return f"{guess}Known here: {', '.join(others)}."
