"""One lever for each mutation: makes it, takes it back, and says whether anything but the original is there.

Levers try once, and raise what the client raises; `payinfra.drill.faults.executor` tries again.
"""

import json
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, ClassVar, Protocol

from botocore.exceptions import ClientError

from payinfra.clients.aws_errors import code_of, is_absent
from payinfra.core.naming import DRILL_SCHEDULE_GROUP
from payinfra.drill.faults.model import (
    NO_CONCURRENCY,
    ArmWatchdog,
    InvertHealthCheck,
    SetConcurrency,
    SetTimeScale,
)
from payinfra.local.control import Control
from payinfra.local.faults import Fault

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_route53 import Route53Client
    from mypy_boto3_route53.type_defs import HealthCheckTypeDef
    from mypy_boto3_scheduler import EventBridgeSchedulerClient

LIFT_WITHIN_S = 3600
"""How long EventBridge Scheduler goes on trying when Lambda does not take the call."""


class FaultAction(Protocol):
    """Makes one mutation and takes it back; each method may be called again."""

    one_call: ClassVar[bool]
    """Whether making it is one call, so that nothing has happened where that call is refused."""

    def make(self) -> None:
        """Make it."""
        ...

    def rollback(self) -> None:
        """Put back what was there before."""
        ...

    def made(self) -> bool:
        """Whether anything else is there than before."""
        ...


@dataclass(frozen=True)
class HealthCheckAction:
    """A health check of Route 53's."""

    client: "Route53Client"
    mutation: InvertHealthCheck
    one_call: ClassVar[bool] = True

    def make(self) -> None:
        """See `Lever`."""
        self._set(not self.mutation.original)

    def rollback(self) -> None:
        """See `Lever`."""
        self._set(self.mutation.original)

    def made(self) -> bool:
        """See `Lever`."""
        return self._inverted(self._check()) != self.mutation.original

    def _set(self, inverted: bool) -> None:
        check = self._check()
        if self._inverted(check) == inverted:
            return
        # The version makes Route 53 refuse when somebody else has changed the check since it was read.
        self.client.update_health_check(
            HealthCheckId=self.mutation.health_check_id,
            HealthCheckVersion=check["HealthCheckVersion"],
            Inverted=inverted,
        )

    def _check(self) -> "HealthCheckTypeDef":
        return self.client.get_health_check(HealthCheckId=self.mutation.health_check_id)["HealthCheck"]

    @staticmethod
    def _inverted(check: "HealthCheckTypeDef") -> bool:
        return check["HealthCheckConfig"].get("Inverted", False)


@dataclass(frozen=True)
class ConcurrencyAction:
    """A function's reserved concurrency."""

    client: "LambdaClient"
    mutation: SetConcurrency
    one_call: ClassVar[bool] = True

    def make(self) -> None:
        """See `Lever`."""
        self.client.put_function_concurrency(
            FunctionName=self.mutation.function, ReservedConcurrentExecutions=NO_CONCURRENCY
        )

    def rollback(self) -> None:
        """See `Lever`."""
        function, original = self.mutation.function, self.mutation.original
        if original is None:
            self.client.delete_function_concurrency(FunctionName=function)
        else:
            self.client.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=original)

    def made(self) -> bool:
        """See `Lever`."""
        found = self.client.get_function_concurrency(FunctionName=self.mutation.function)
        return found.get("ReservedConcurrentExecutions") != self.mutation.original


@dataclass(frozen=True)
class EmulatorFaultAction:
    """A fault of the embedded AWS."""

    control: Control
    fault: Fault
    one_call: ClassVar[bool] = True

    def make(self) -> None:
        """See `Lever`."""
        self.control.inject(self.fault)

    def rollback(self) -> None:
        """See `Lever`."""
        for active in self.control.list():
            if active.fault == self.fault:
                self.control.clear(active.fault_id)

    def made(self) -> bool:
        """See `Lever`."""
        return any(active.fault == self.fault for active in self.control.list())


@dataclass(frozen=True)
class TimeScaleAction:
    """How fast the embedded AWS's time runs."""

    control: Control
    mutation: SetTimeScale
    one_call: ClassVar[bool] = True

    def make(self) -> None:
        """See `Lever`."""
        self.control.set_time_scale(self.mutation.scale)

    def rollback(self) -> None:
        """See `Lever`."""
        self.control.set_time_scale(self.mutation.original)

    def made(self) -> bool:
        """See `Lever`."""
        return self.control.status().time_scale != self.mutation.original


@dataclass(frozen=True)
class ScheduleAction:
    """A one-time schedule that lifts a function's limit, and is gone once it has."""

    client: "EventBridgeSchedulerClient"
    mutation: ArmWatchdog
    one_call: ClassVar[bool] = True

    def make(self) -> None:
        """See `Lever`.

        A schedule of that name can only be the one that an attempt without an answer has made: the name has
        the drill's id in it.
        """
        mutation = self.mutation
        try:
            self.client.create_schedule(
                Name=mutation.name,
                GroupName=DRILL_SCHEDULE_GROUP,
                ClientToken=mutation.name,
                Description=f"Lifts a failover drill's limit of {mutation.function}",
                ScheduleExpression=f"at({mutation.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S})",
                ScheduleExpressionTimezone="UTC",
                FlexibleTimeWindow={"Mode": "OFF"},
                ActionAfterCompletion="DELETE",
                Target={
                    "Arn": _universal_target(mutation),
                    "RoleArn": mutation.role_arn,
                    "Input": json.dumps(_input(mutation)),
                    "RetryPolicy": {"MaximumEventAgeInSeconds": LIFT_WITHIN_S},
                },
            )
        except ClientError as error:
            if code_of(error) != "ConflictException" or not self.made():
                raise

    def rollback(self) -> None:
        """See `Lever`."""
        try:
            self.client.delete_schedule(Name=self.mutation.name, GroupName=DRILL_SCHEDULE_GROUP)
        except ClientError as error:
            if not is_absent(error):
                raise

    def made(self) -> bool:
        """See `Lever`."""
        try:
            self.client.get_schedule(Name=self.mutation.name, GroupName=DRILL_SCHEDULE_GROUP)
        except ClientError as error:
            if not is_absent(error):
                raise
            return False
        return True


def _universal_target(mutation: ArmWatchdog) -> str:
    """The call as EventBridge Scheduler names it (user guide, "Using universal targets")."""
    partition = mutation.role_arn.split(":")[1]
    call = "deleteFunctionConcurrency" if mutation.original is None else "putFunctionConcurrency"
    return f"arn:{partition}:scheduler:::aws-sdk:lambda:{call}"


def _input(mutation: ArmWatchdog) -> dict[str, str | int]:
    """The call's parameters."""
    if mutation.original is None:
        return {"FunctionName": mutation.function}
    return {"FunctionName": mutation.function, "ReservedConcurrentExecutions": mutation.original}
