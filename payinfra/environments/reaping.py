"""Which environments are stale, and their end. Never a protected one, never one that is not known well."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase

from payinfra.environments.judging import age_s
from payinfra.environments.model import Census, Environment, Protection
from payinfra.errors import ExitCode, Interrupted, PayinfraError
from payinfra.settings import Settings


class Fate(StrEnum):
    """What became of an environment."""

    KEPT = "kept"
    STALE = "stale"
    DESTROYED = "destroyed"
    FAILED = "failed"


@dataclass(frozen=True)
class End:
    """What became of an environment, and why; `hint` is the next step where a person has to take it."""

    environment: Environment
    fate: Fate
    why: str
    hint: str = ""
    exit_code: ExitCode = ExitCode.DONE


@dataclass(frozen=True)
class Reaped:
    """What became of each environment. In a dry run, what would."""

    dry_run: bool
    ends: tuple[End, ...]

    @property
    def headline(self) -> str:
        """All of it in a sentence."""
        number = {fate: sum(1 for each in self.ends if each.fate is fate) for fate in Fate}
        if self.dry_run:
            stale = number[Fate.STALE]
            return (
                f"{stale} to destroy, {number[Fate.KEPT]} kept, {number[Fate.FAILED]} cannot be destroyed."
                + (" Nothing was done: say --yes." if stale else "")
            )
        return f"{number[Fate.DESTROYED]} destroyed, {number[Fate.KEPT]} kept, {number[Fate.FAILED]} failed."

    @property
    def exit_code(self) -> ExitCode:
        """That of the first failure; a dry run has none."""
        codes = (each.exit_code for each in self.ends if each.fate is Fate.FAILED)
        return ExitCode.DONE if self.dry_run else next(codes, ExitCode.DONE)


@dataclass(frozen=True)
class Rule:
    """What is stale: of a name that `pattern` matches, and older than so many seconds."""

    pattern: str
    older_than_s: float

    def is_about(self, environment: Environment) -> bool:
        """Whether it is of such a name. What is not known of others is of no concern."""
        return fnmatchcase(environment.name, self.pattern)


def why_kept(environment: Environment, rule: Rule, now: datetime) -> str:
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
    census: Census,
    rule: Rule,
    now: datetime,
    *,
    settings: Callable[[str], Settings],
    destroy: Callable[[Settings], int] | None,
) -> Iterator[End]:
    """The end of each environment, one after the other. A failure keeps nothing else from its end.

    Args:
        settings: those with which an environment can be destroyed; raises PayinfraError where it cannot.
        destroy: destroys one, and says how many resources that were; None for a dry run.

    Raises:
        Interrupted: a person interrupted; what comes after is not begun.
    """
    for environment in census.environments:
        if why := why_kept(environment, rule, now):
            yield End(environment, Fate.KEPT, why)
            continue
        try:
            found = settings(environment.name)
            if found.protected:
                yield End(environment, Fate.KEPT, "it is protected")
            elif destroy is None:
                yield End(environment, Fate.STALE, f"its state is in {_where(found)}")
            else:
                yield End(environment, Fate.DESTROYED, f"{destroy(found)} resources")
        except Interrupted:
            raise
        except PayinfraError as error:
            yield End(environment, Fate.FAILED, error.what, error.hint, error.exit_code)


def _where(settings: Settings) -> str:
    return f"bucket {settings.state_bucket}" if settings.state_bucket else f"folder {settings.work_dir}"
