"""The errors that end a command, each with what happened, what to do next and an exit code."""

from collections.abc import Iterable
from difflib import get_close_matches
from enum import IntEnum


class ExitCode(IntEnum):
    """What a process of payinfra exits with; scripts and CI rely on these numbers."""

    DONE = 0
    GATE_FAILED = 1
    USAGE = 2
    TERRAFORM_FAILED = 3
    UNUSABLE_ENVIRONMENT = 4
    NOT_RESTORED = 5
    BUG = 70
    INTERRUPTED = 130


class PayinfraError(Exception):
    """A failure that a person can act on.

    Args:
        what: one sentence that says what went wrong, and where.
        hint: the next step to take; empty where there is none.
    """

    exit_code = ExitCode.BUG

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


class GateFailed(PayinfraError):
    """A gate failed: a finding at or above the threshold, the plan guard, a probe or a drill."""

    exit_code = ExitCode.GATE_FAILED


class UsageProblem(PayinfraError):
    """A flag, a variable or payinfra.toml has a value that is not allowed."""

    exit_code = ExitCode.USAGE


class ToolFailed(PayinfraError):
    """Synthesis or Terraform failed."""

    exit_code = ExitCode.TERRAFORM_FAILED


class EnvironmentUnusable(PayinfraError):
    """The environment cannot be used: credentials, registry, embedded AWS or a lock."""

    exit_code = ExitCode.UNUSABLE_ENVIRONMENT


class NotRestored(PayinfraError):
    """A drill's fault is still in place."""

    exit_code = ExitCode.NOT_RESTORED


class Interrupted(PayinfraError):
    """A person interrupted the command, which has cleaned up."""

    exit_code = ExitCode.INTERRUPTED


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or empty where no known name is close."""
    near = get_close_matches(wrong, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
