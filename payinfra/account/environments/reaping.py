"""Destroys stale environments, but never a protected one or one with unknown facts."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase

from payinfra.account.environments.classify import age_s
from payinfra.account.environments.model import Environment, EnvironmentInventory, Protection
from payinfra.core.errors import ExitCode, Interrupted, PayinfraError
from payinfra.core.settings import Settings


class ReapDecision(StrEnum):
    """What happens to an environment."""

    KEPT = "kept"
    STALE = "stale"
    DESTROYED = "destroyed"
    FAILED = "failed"


@dataclass(frozen=True)
class ReapResult:
    """What happened to an environment, and why; `hint` is a person's next step, if there is one."""

    environment: Environment
    fate: ReapDecision
    why: str
    hint: str = ""
    exit_code: ExitCode = ExitCode.DONE


@dataclass(frozen=True)
class Reaped:
    """What happened to each environment, or in a dry run would happen."""

    dry_run: bool
    ends: tuple[ReapResult, ...]

    @property
    def headline(self) -> str:
        """The result in one sentence."""
        number = {fate: sum(1 for each in self.ends if each.fate is fate) for fate in ReapDecision}
        if self.dry_run:
            stale = number[ReapDecision.STALE]
            return (
                f"{stale} to destroy, {number[ReapDecision.KEPT]} kept, "
                f"{number[ReapDecision.FAILED]} cannot be destroyed."
                + (" Nothing was done: add --yes." if stale else "")
            )
        return (
            f"{number[ReapDecision.DESTROYED]} destroyed, {number[ReapDecision.KEPT]} kept, "
            f"{number[ReapDecision.FAILED]} failed."
        )

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the first failure; a dry run has none."""
        codes = (each.exit_code for each in self.ends if each.fate is ReapDecision.FAILED)
        return ExitCode.DONE if self.dry_run else next(codes, ExitCode.DONE)


@dataclass(frozen=True)
class StaleRule:
    """Which environments are stale: those whose name matches `pattern` and whose age exceeds a limit."""

    pattern: str
    older_than_s: float

    def is_about(self, environment: Environment) -> bool:
        """Whether the name matches. Others are ignored, whatever is unknown about them."""
        return fnmatchcase(environment.name, self.pattern)


def why_kept(environment: Environment, rule: StaleRule, now: datetime) -> str:
    """Why an environment is not stale; empty where it is."""
    age = age_s(environment, now)
    if not rule.is_about(environment):
        return f"its name does not match {rule.pattern}"
    if environment.protection is Protection.PROTECTED:
        return "it is protected"
    if environment.protection is Protection.UNKNOWN:
        return "whether it is protected is not known"
    if age is None:
        return "its age is not known"
    return "" if age > rule.older_than_s else "it is younger"


def reap(
    inventory: EnvironmentInventory,
    rule: StaleRule,
    now: datetime,
    *,
    settings: Callable[[str], Settings],
    destroy: Callable[[Settings], int] | None,
) -> Iterator[ReapResult]:
    """Destroy the stale environments, one after the other. A failure does not stop the others.

    Args:
        settings: the settings to destroy an environment with; raises PayinfraError where there are none.
        destroy: destroys one and returns its number of resources; None for a dry run.

    Raises:
        Interrupted: a person interrupted; no other environment is begun.
    """
    for environment in inventory.environments:
        if why := why_kept(environment, rule, now):
            yield ReapResult(environment, ReapDecision.KEPT, why)
            continue
        try:
            found = settings(environment.name)
            if found.protected:
                yield ReapResult(environment, ReapDecision.KEPT, "it is protected")
            elif destroy is None:
                yield ReapResult(environment, ReapDecision.STALE, f"its state is in {_where(found)}")
            else:
                yield ReapResult(environment, ReapDecision.DESTROYED, f"{destroy(found)} resources")
        except Interrupted:
            raise
        except PayinfraError as error:
            yield ReapResult(environment, ReapDecision.FAILED, error.what, error.hint, error.exit_code)


def _where(settings: Settings) -> str:
    return f"bucket {settings.state_bucket}" if settings.state_bucket else f"folder {settings.work_dir}"
