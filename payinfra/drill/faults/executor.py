"""Injects a drill's actions and rolls them back, with retries, and sees that each has taken effect."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from botocore.exceptions import BotoCoreError, ClientError
from tenacity import Retrying, retry_if_exception, wait_exponential

from payinfra.checks.probes.failures import verdict_for
from payinfra.clients.aws import Aws
from payinfra.clients.aws_errors import NotYet, code_of, is_absent, is_transient
from payinfra.core.errors import EnvironmentUnusable, PayinfraError
from payinfra.drill.faults.actions import FaultAction, FaultClients
from payinfra.drill.faults.model import ROUTE53_REGION
from payinfra.local.control import Control

WITHIN_S = 60.0
"""How long something is retried, in seconds."""
SLOW_WITHIN_S = 300.0
"""The same for what takes AWS minutes to begin and to end, such as an experiment of FIS's."""
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 5.0
_CHANGED_MEANWHILE = re.compile(r"^(HealthCheckVersionMismatch|ResourceConflictException|ConflictException)$")
"""Somebody else changes the same thing: Route 53, Lambda, FIS and Scheduler, in their service models."""


class FaultFailed(EnvironmentUnusable):
    """An action could not be injected, rolled back or looked at.

    Args:
        what: was to be so, or to be told.
        reason: why not, in a phrase.
        hint: the next step.
        refused: whether it was refused to be injected, so that certainly nothing has happened.
    """

    def __init__(self, what: str, reason: str, hint: str, *, refused: bool = False) -> None:
        super().__init__(f"{what}: {reason}.", hint)
        self.reason = reason
        self.refused = refused


class FaultExecutor(Protocol):
    """Injects and rolls back. Everything may be asked for more than once and comes to the same."""

    def inject(self, action: FaultAction) -> None:
        """Inject it, and see that it is active.

        Raises:
            FaultFailed: it is not active, or may be; `refused` says that it is not.
        """
        ...

    def rollback(self, action: FaultAction) -> None:
        """Put back what was there before, and see that it is there.

        Raises:
            FaultFailed: what was there before is not there, or nobody knows.
        """
        ...

    def is_active(self, action: FaultAction) -> bool:
        """Whether something else is there than before the action.

        Raises:
            FaultFailed: nobody knows.
        """
        ...


@dataclass(frozen=True)
class AwsFaultExecutor:
    """Works on AWS or on the embedded one.

    Args:
        aws: where the environment is.
        control: of the embedded AWS; None on AWS.
        account: whose actions are rolled back, as twelve digits. What is not there any more in this account
            is not active; without it, or with another account's credentials, it cannot be told.
        within_s: how long something is retried, in seconds.
        slow_within_s: the same for what takes AWS minutes.
        clock: in seconds.
    """

    aws: Aws
    control: Control | None = None
    within_s: float = WITHIN_S
    slow_within_s: float = SLOW_WITHIN_S
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    account: str = ""

    def inject(self, action: FaultAction) -> None:
        """See `FaultExecutor`."""
        self._require_target(action)
        certain = action.one_call

        def attempt() -> None:
            nonlocal certain
            try:
                action.inject(self._clients)
            except ClientError as error:
                certain = certain and not is_transient(error)
                raise
            except Exception:
                certain = False
                raise
            certain = False
            if not action.is_active(self._clients):
                raise NotYet("it was asked for, and is not there")

        try:
            self._retry(attempt, action)
        except _FAILURES as error:
            what = f"Could not make it so that {action.describe().done}"
            raise FaultFailed(what, _reason(error), _hint(error), refused=certain) from None

    def rollback(self, action: FaultAction) -> None:
        """See `FaultExecutor`. Where the original is there already, nothing is changed."""
        self._require_target(action)

        def attempt() -> None:
            if not self._is_active(action):
                return
            action.rollback(self._clients)
            if self._is_active(action):
                raise NotYet("it was asked for, and is not so")

        try:
            self._retry(attempt, action)
        except _FAILURES as error:
            what = f"Could not make it so that {action.describe().undone}"
            raise FaultFailed(what, _reason(error), _hint(error)) from None

    def is_active(self, action: FaultAction) -> bool:
        """See `FaultExecutor`."""
        self._require_target(action)
        found = False

        def attempt() -> None:
            nonlocal found
            found = self._is_active(action)

        try:
            self._retry(attempt, action)
        except _FAILURES as error:
            what = f"Could not tell whether {action.describe().done}"
            raise FaultFailed(what, _reason(error), _hint(error)) from None
        return found

    @property
    def _clients(self) -> FaultClients:
        return FaultClients(self.aws, self.control)

    def _is_active(self, action: FaultAction) -> bool:
        try:
            return action.is_active(self._clients)
        except ClientError as error:
            # An environment that was destroyed meanwhile has taken with it what the drill did to it.
            if is_absent(error) and self.account and self.aws.account(ROUTE53_REGION) == self.account:
                return False
            raise

    def _retry(self, attempt: Callable[[], None], action: FaultAction) -> None:
        ends = self.clock() + (self.slow_within_s if action.takes_minutes else self.within_s)
        Retrying(
            retry=retry_if_exception(_passes),
            stop=lambda _state: self.clock() >= ends,
            wait=wait_exponential(multiplier=_FIRST_PAUSE_S, max=_LONGEST_PAUSE_S),
            sleep=self.sleep,
            reraise=True,
        )(attempt)

    def _require_target(self, action: FaultAction) -> None:
        """See that there is what the action works with, before anything is asked.

        Raises:
            FaultFailed: there is not.
        """
        if action.embedded_only and self.control is None:
            reason, where = "only the embedded AWS has such a fault", "of --local"
        elif action.aws_only_service and self.aws.endpoints is not None:
            reason, where = f"the embedded AWS has no {action.aws_only_service}", "on AWS"
        else:
            return
        raise FaultFailed(
            f"Could not make it so that {action.describe().done}",
            reason,
            f"Drill this on an environment {where}.",
            refused=True,
        )


_FAILURES = (NotYet, ClientError, BotoCoreError, PayinfraError)


def _passes(error: BaseException) -> bool:
    """Whether it is worth trying again: also where the embedded AWS's control port does not answer."""
    if isinstance(error, ClientError) and _CHANGED_MEANWHILE.search(code_of(error)):
        return True
    silent = isinstance(error, EnvironmentUnusable) and isinstance(error.__cause__, OSError)
    return silent or is_transient(error)


def _reason(error: Exception) -> str:
    match error:
        case PayinfraError():
            return error.what.rstrip(".")
        case NotYet():
            return str(error)
        case _:
            return verdict_for(error).message


def _hint(error: Exception) -> str:
    return (
        error.hint if isinstance(error, PayinfraError) else "See that the caller may do this, and try again."
    )
