"""The fault `lambda-throttle`: the region's payments function may not run."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from payinfra.clients.aws import Endpoints
from payinfra.core.naming import DRILL_SCHEDULER_ROLE
from payinfra.drill.faults.actions import ActionDescription, FaultAction, FaultClients, aws_cli
from payinfra.drill.faults.marks import MarkedKind
from payinfra.drill.faults.model import (
    EvidenceSources,
    Fault,
    FaultAlarms,
    FaultContext,
    FaultDocumentation,
    FaultMark,
    FaultSearch,
    FaultSign,
    HealthEffect,
    RequiredPermission,
    function_arn,
    no_preconditions,
    role_arn,
)
from payinfra.drill.faults.registry import register
from payinfra.drill.faults.watchdog import RollbackSchedule, schedule_permissions
from payinfra.drill.situation import NO_CONCURRENCY, RegionState

NAME = "lambda-throttle"
_NONE_RESERVED = "none"
TOO_MANY_REQUESTS = 429
"""How Lambda refuses; through a REST API this reaches callers as a 500."""


@dataclass(frozen=True)
class SetConcurrency(FaultAction):
    """Reserve no concurrency for a function. `original`: what was reserved before; None for nothing."""

    region: str
    function: str
    original: int | None
    kind: ClassVar[str] = "set-concurrency"

    def inject(self, clients: FaultClients) -> None:
        """Reserve nothing: Lambda then refuses every invocation."""
        clients.aws.functions(self.region).put_function_concurrency(
            FunctionName=self.function, ReservedConcurrentExecutions=NO_CONCURRENCY
        )

    def rollback(self, clients: FaultClients) -> None:
        """Reserve what was reserved before."""
        client = clients.aws.functions(self.region)
        if self.original is None:
            client.delete_function_concurrency(FunctionName=self.function)
        else:
            client.put_function_concurrency(
                FunctionName=self.function, ReservedConcurrentExecutions=self.original
            )

    def is_active(self, clients: FaultClients) -> bool:
        """Whether something else is reserved than before."""
        found = clients.aws.functions(self.region).get_function_concurrency(FunctionName=self.function)
        return found.get("ReservedConcurrentExecutions") != self.original

    def describe(self, endpoints: Endpoints | None = None) -> ActionDescription:
        """See `FaultAction`."""
        where = f"function {self.function} in {self.region}"
        return ActionDescription(
            f"{where} may not run: its reserved concurrency is {NO_CONCURRENCY}",
            f"{where} has {_reserved(self.original)} again",
            aws_cli(endpoints, "lambda", self.region, _reserve(self.function, self.original)),
            (f"lambda:PutFunctionConcurrency {self.function} in {self.region}: {NO_CONCURRENCY}",),
        )


@dataclass(frozen=True)
class ArmWatchdog(RollbackSchedule):
    """Make an EventBridge schedule that puts a function's concurrency back, whatever becomes of the drill.

    Attributes:
        function: the function whose limit is lifted.
        original: what is reserved for it again; None for nothing.
    """

    region: str
    name: str
    function: str
    original: int | None
    at: datetime
    role_arn: str
    kind: ClassVar[str] = "arm-watchdog"

    @property
    def summary(self) -> str:
        """See `RollbackSchedule`."""
        return f"Lifts a failover drill's limit of {self.function}"

    @property
    def call(self) -> str:
        """See `RollbackSchedule`."""
        operation = "deleteFunctionConcurrency" if self.original is None else "putFunctionConcurrency"
        return f"lambda:{operation}"

    @property
    def input(self) -> Mapping[str, str | int]:
        """See `RollbackSchedule`."""
        if self.original is None:
            return {"FunctionName": self.function}
        return {"FunctionName": self.function, "ReservedConcurrentExecutions": self.original}

    def guards(self, other: FaultAction) -> bool:
        """Whether the other is the limit that it lifts."""
        return (
            isinstance(other, SetConcurrency)
            and other.region == self.region
            and other.function == self.function
        )

    def describe(self, endpoints: Endpoints | None = None) -> ActionDescription:
        """See `FaultAction`."""
        return self.described(f"gives function {self.function} {_reserved(self.original)}", endpoints)


def _reserved(concurrency: int | None) -> str:
    return "no reserved concurrency" if concurrency is None else f"a reserved concurrency of {concurrency}"


def _reserve(function: str, concurrency: int | None) -> str:
    if concurrency is None:
        return f"lambda delete-function-concurrency --function-name {function}"
    return (
        f"lambda put-function-concurrency --function-name {function} "
        f"--reserved-concurrent-executions {concurrency}"
    )


def _actions(context: FaultContext) -> tuple[FaultAction, ...]:
    lost = context.lost
    return (SetConcurrency(lost.region, lost.lambda_function_name, context.state.concurrency),)


def _watchdogs(context: FaultContext) -> tuple[FaultAction, ...]:
    lost, role = context.lost, role_arn(context.outputs, DRILL_SCHEDULER_ROLE)
    return (
        ArmWatchdog(
            lost.region,
            f"{context.drill}-{lost.region}",
            lost.lambda_function_name,
            context.state.concurrency,
            context.ends_by,
            role,
        ),
    )


def _original(state: RegionState) -> str:
    return _NONE_RESERVED if state.concurrency is None else str(state.concurrency)


def _leftovers(search: FaultSearch) -> Iterator[FaultAction]:
    region, function = search.region.region, search.region.lambda_function_name
    declared = search.declared.function.reserved_concurrency
    if search.mark and search.mark.original.isdecimal():
        declared = int(search.mark.original)
    elif search.mark and search.mark.original == _NONE_RESERVED:
        declared = None
    client = search.clients.aws.functions(region)
    found = client.get_function_concurrency(FunctionName=function).get("ReservedConcurrentExecutions")
    # Any other figure is somebody's own choice, and no drill's.
    if found == NO_CONCURRENCY != declared:
        yield SetConcurrency(region, function, declared)


def _is_seen(sources: EvidenceSources, _actions: tuple[FaultAction, ...]) -> bool:
    return sources.health_page() >= TOO_MANY_REQUESTS


LAMBDA_THROTTLE = register(
    Fault(
        name=NAME,
        unavailable_on_aws="",
        health=HealthEffect.ANSWERS_ERRORS,
        separates_regions=False,
        permissions=(
            RequiredPermission(
                (
                    "lambda:GetFunctionConcurrency",
                    "lambda:PutFunctionConcurrency",
                    "lambda:DeleteFunctionConcurrency",
                ),
                "the region's function",
            ),
            *schedule_permissions(
                ("lambda:PutFunctionConcurrency", "lambda:DeleteFunctionConcurrency"),
                "the environments' functions",
            ),
        ),
        preconditions=no_preconditions,
        actions=_actions,
        watchdogs=_watchdogs,
        mark=FaultMark(MarkedKind.FUNCTION, function_arn, _original),
        leftovers=_leftovers,
        sign=FaultSign(what="an error from the region's own health page", is_seen=_is_seen, within_s=30.0),
        alarms=FaultAlarms(must_ring=("HealthCheckStatus", "Throttles"), may_ring_in_survivor=()),
        documentation=FaultDocumentation(
            title="Take all concurrency away from the region's payments function.",
            steady_state="The function has the concurrency that was declared, and not 0.",
            injection="`PutFunctionConcurrency` with 0: Lambda refuses every call, and the API answers 500.",
            signals=(
                "Payments through the region and its health page fail at once.",
                "The health check is unhealthy after threshold x interval, and its alarm rings.",
                "The alarms on throttles and on 5xx ring.",
                "The failover name leads to the other region. Payments without an answer are acknowledged "
                "there, under the key that they were sent with.",
            ),
            restoration=(
                "`PutFunctionConcurrency` with the original value, or `DeleteFunctionConcurrency` where "
                "nothing was reserved, read back. On AWS an EventBridge schedule, armed before the "
                "injection, does the same after the longest time that the drill may take; the report says "
                "whether it was armed."
            ),
        ),
    )
)
