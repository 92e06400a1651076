"""Which environment a command is about where its flags do not say."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from payinfra.core.deployed_environments import DeployedEnvironment, deployed_from, in_words
from payinfra.core.errors import UsageProblem
from payinfra.core.setting_declarations import TOML_NAME
from payinfra.core.settings import NoEnvironmentNamed, Settings

_ANY = "unnamed"


@dataclass(frozen=True)
class EnvironmentChoice:
    """The settings of the environment that was chosen, and why; empty where flags and variables say."""

    settings: Settings
    why: str = ""

    @property
    def in_words(self) -> str:
        """A sentence for a person."""
        return f"Environment {self.settings.env} on {in_words(self.settings.target)}: {self.why}."


def choose_environment(
    flags: Mapping[str, object], *, folder: Path = Path(), environ: Mapping[str, str] = os.environ
) -> EnvironmentChoice:
    """Take what flags, variables and payinfra.toml name; else the only one deployed from here, else the last.

    What is named without a target is taken from where it was deployed, if that is one target only. For
    commands that destroy nothing.

    Args:
        flags: as for `Settings.resolve`.
        folder: the project's folder.
        environ: as for `Settings.resolve`.

    Raises:
        UsageProblem: as `Settings.resolve`, and where nothing was named or deployed.
    """

    def resolve(**more: object) -> Settings:
        return Settings.resolve({**flags, **more}, folder=folder, environ=environ)

    def fits(one: DeployedEnvironment) -> bool:
        try:
            of_it = resolve(env=one.env)
        except UsageProblem:  # no environment that payinfra would deploy, or a fault in its own table
            return False
        return "target" not in of_it.origins or of_it.target == one.target

    try:
        named = resolve()
    except NoEnvironmentNamed:
        found = tuple(filter(fits, deployed_from(resolve(env=_ANY).work_root)))
        if not found:
            raise NoEnvironmentNamed(
                "No environment was named, and none was deployed from here.",
                "Name one with --env NAME, or deploy one: `payinfra deploy --env demo --local`.",
            ) from None
        last, *others = found
        why = "the only one that was deployed from here"
        if others:
            why = f"the last one that was deployed from here, after {', '.join(map(str, others))}"
        return EnvironmentChoice(resolve(env=last.env, target=last.target), why)
    by_file = named.origins["env"].startswith(TOML_NAME)
    why = f"{TOML_NAME} names it" if by_file else ""
    if "target" in named.origins:
        return EnvironmentChoice(named, why)
    found = tuple(one for one in deployed_from(named.work_root) if one.env == named.env)
    if len(found) != 1 or found[0].target == named.target:
        return EnvironmentChoice(named, why)
    where = "this is where it was deployed from here"
    return EnvironmentChoice(resolve(target=found[0].target), f"{why}, and {where}" if why else where)
