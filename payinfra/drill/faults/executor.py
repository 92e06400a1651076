"""What makes a drill's mutations and undoes them: the only module of a drill that changes an environment."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, assert_never

from botocore.exceptions import BotoCoreError, ClientError
from tenacity import Retrying, retry_if_exception, wait_exponential

from payinfra.checks.probes.failures import verdict_for
from payinfra.clients.aws import Aws
from payinfra.clients.aws_errors import NotYet, code_of, is_absent, is_transient
from payinfra.core.errors import EnvironmentUnusable, PayinfraError
from payinfra.drill.faults.actions import (
    ConcurrencyAction,
    EmulatorFaultAction,
    FaultAction,
    HealthCheckAction,
    ScheduleAction,
    TimeScaleAction,
)
from payinfra.drill.faults.fis import ExperimentAction
from payinfra.drill.faults.model import (
    ROUTE53_REGION,
    ArmWatchdog,
    Blackout,
    Fault,
    InvertHealthCheck,
    PauseReplication,
    RunPauseExperiment,
    SetConcurrency,
    SetTimeScale,
    describe,
)
from payinfra.local.control import Control
from payinfra.local.faults import RegionBlackout
from payinfra.local.faults import ReplicationPause as PauseFault

WITHIN_S = 60.0
"""How long something is tried again, in seconds."""
EXPERIMENT_WITHIN_S = 300.0
"""The same for an experiment of FIS's, which takes its time to begin and to stop."""
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 5.0
_CHANGED_MEANWHILE = re.compile(r"^(HealthCheckVersionMismatch|ResourceConflictException|ConflictException)$")
"""Somebody else changes the same thing: Route 53, Lambda, FIS and Scheduler, in their service models."""


class FaultFailed(EnvironmentUnusable):
    """A mutation could not be made, undone or looked at.

    Args:
        what: was to be so, or to be told.
        reason: why not, in a phrase.
        hint: the next step.
        refused: whether it was refused to be made, so that certainly nothing has happened.
    """

    def __init__(self, what: str, reason: str, hint: str, *, refused: bool = False) -> None:
        super().__init__(f"{what}: {reason}.", hint)
        self.reason = reason
        self.refused = refused


class FaultExecutor(Protocol):
    """Makes and undoes. Everything may be asked for more than once and comes to the same."""

    def do(self, mutation: Fault) -> None:
        """Make it, and see that it is made.

        Raises:
            MutationFailed: it is not made, or may be; `refused` says that it is not.
        """
        ...

    def undo(self, mutation: Fault) -> None:
        """Put back what was there before, and see that it is there.

        Raises:
            MutationFailed: what was there before is not there, or nobody knows.
        """
        ...

    def in_place(self, mutation: Fault) -> bool:
        """Whether something else is there than before the mutation.

        Raises:
            MutationFailed: nobody knows.
        """
        ...


@dataclass(frozen=True)
class AwsFaultExecutor:
    """The real ones, on AWS or on the embedded one.

    Args:
        aws: where the environment is.
        control: of the embedded AWS; None on AWS.
        account: whose mutations are undone, as twelve digits. What is not there any more in this account is
            not in place; without it, or with another account's credentials, it cannot be told.
        within_s, experiment_within_s: how long something is tried again, in seconds.
        clock: in seconds.
    """

    aws: Aws
    control: Control | None = None
    within_s: float = WITHIN_S
    experiment_within_s: float = EXPERIMENT_WITHIN_S
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    account: str = ""

    def do(self, mutation: Fault) -> None:
        """See `Hands`."""
        lever = self._action(mutation)
        certain = lever.one_call

        def attempt() -> None:
            nonlocal certain
            try:
                lever.make()
            except ClientError as error:
                certain = certain and not is_transient(error)
                raise
            except Exception:
                certain = False
                raise
            certain = False
            if not lever.made():
                raise NotYet("it was asked for, and is not there")

        try:
            self._patiently(attempt, mutation)
        except _FAILURES as error:
            what = f"Could not make it so that {describe(mutation).done}"
            raise FaultFailed(what, _said(error), _hint(error), refused=certain) from None

    def undo(self, mutation: Fault) -> None:
        """See `Hands`. Where the original is there already, nothing is changed."""
        lever = self._action(mutation)

        def attempt() -> None:
            if not self._made(lever):
                return
            lever.rollback()
            if self._made(lever):
                raise NotYet("it was asked for, and is not so")

        try:
            self._patiently(attempt, mutation)
        except _FAILURES as error:
            what = f"Could not make it so that {describe(mutation).undone}"
            raise FaultFailed(what, _said(error), _hint(error)) from None

    def in_place(self, mutation: Fault) -> bool:
        """See `Hands`."""
        lever, found = self._action(mutation), False

        def look() -> None:
            nonlocal found
            found = self._made(lever)

        try:
            self._patiently(look, mutation)
        except _FAILURES as error:
            what = f"Could not tell whether {describe(mutation).done}"
            raise FaultFailed(what, _said(error), _hint(error)) from None
        return found

    def _made(self, lever: FaultAction) -> bool:
        try:
            return lever.made()
        except ClientError as error:
            # An environment that was destroyed meanwhile has taken with it what the drill did to it.
            if is_absent(error) and self.account and self.aws.account(ROUTE53_REGION) == self.account:
                return False
            raise

    def _patiently(self, attempt: Callable[[], None], mutation: Fault) -> None:
        of_fis = isinstance(mutation, RunPauseExperiment)
        ends = self.clock() + (self.experiment_within_s if of_fis else self.within_s)
        Retrying(
            retry=retry_if_exception(_passes),
            stop=lambda _state: self.clock() >= ends,
            wait=wait_exponential(multiplier=_FIRST_PAUSE_S, max=_LONGEST_PAUSE_S),
            sleep=self.sleep,
            reraise=True,
        )(attempt)

    def _action(self, mutation: Fault) -> FaultAction:
        match mutation:
            case InvertHealthCheck():
                return HealthCheckAction(self.aws.route53(ROUTE53_REGION), mutation)
            case SetConcurrency():
                return ConcurrencyAction(self.aws.functions(mutation.region), mutation)
            case PauseReplication():
                return EmulatorFaultAction(self._embedded(mutation), PauseFault())
            case Blackout():
                return EmulatorFaultAction(self._embedded(mutation), RegionBlackout(mutation.region))
            case SetTimeScale():
                return TimeScaleAction(self._embedded(mutation), mutation)
            case RunPauseExperiment():
                self._only_on_aws(mutation, "fault injection service")
                return ExperimentAction(self.aws.fis(mutation.region), mutation)
            case ArmWatchdog():
                self._only_on_aws(mutation, "EventBridge Scheduler that payinfra relies on")
                return ScheduleAction(self.aws.scheduler(mutation.region), mutation)
            case _:
                assert_never(mutation)

    def _embedded(self, mutation: Fault) -> Control:
        if self.control is None:
            raise FaultFailed(
                f"Could not make it so that {describe(mutation).done}",
                "only the embedded AWS has such a fault",
                "Drill this on an environment of --local.",
                refused=True,
            )
        return self.control

    def _only_on_aws(self, mutation: Fault, service: str) -> None:
        if self.aws.endpoints is not None:
            raise FaultFailed(
                f"Could not make it so that {describe(mutation).done}",
                f"the embedded AWS has no {service}",
                "Drill this on an environment on AWS.",
                refused=True,
            )


_FAILURES = (NotYet, ClientError, BotoCoreError, PayinfraError)


def _passes(error: BaseException) -> bool:
    """Whether it is worth trying again: also where the embedded AWS's control port does not answer."""
    if isinstance(error, ClientError) and _CHANGED_MEANWHILE.search(code_of(error)):
        return True
    silent = isinstance(error, EnvironmentUnusable) and isinstance(error.__cause__, OSError)
    return silent or is_transient(error)


def _said(error: Exception) -> str:
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
