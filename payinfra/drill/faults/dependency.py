"""Faults of what the region's function needs: DynamoDB denies, throttles, is late or fails; Lambda fails.

They exist on the embedded AWS only, one scenario for each. A fault of what no payment needs (S3, SSM, KMS for
other keys) moves no name: `payinfra local fault inject` makes these, and docs/scenarios.md says what follows.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from payinfra.clients.aws import Endpoints
from payinfra.drill.faults.actions import CLEAR_FAULTS, ActionDescription, EmulatorFaultAction, FaultAction
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
    no_preconditions,
    no_watchdogs,
)
from payinfra.drill.faults.registry import register
from payinfra.local import faults as emulator_faults
from payinfra.local.faults import ServiceDelay, ServiceDenial, ServiceErrors, ServiceThrottling

FAILS = 400
LATE_S = 10.0
"""Longer than the function waits for DynamoDB, however fast the embedded AWS's time runs."""
FAILING = 90
"""Of a hundred calls. The AWS SDK retries, so that a few failures go unnoticed."""
WITHIN_S = 30.0
ServiceFault = ServiceDenial | ServiceDelay | ServiceErrors | ServiceThrottling


class DisturbService(EmulatorFaultAction):
    """A fault of one service of the embedded AWS, in one region."""

    @property
    @abstractmethod
    def fault(self) -> ServiceFault:
        """What the embedded AWS is told."""

    def describe(self, _endpoints: Endpoints | None = None, /) -> ActionDescription:
        """See `FaultAction`."""
        fault = self.fault
        return ActionDescription(
            emulator_faults.describe(fault),
            f"{fault.service} in {fault.region} answers as before",
            CLEAR_FAULTS,
            (f"fault {emulator_faults.kind(fault)} of the embedded AWS: {fault.service} in {fault.region}",),
        )


@dataclass(frozen=True)
class DenyService(DisturbService):
    """Let a service of the embedded AWS deny every call in a region. It denied none before."""

    region: str
    service: str
    kind: ClassVar[str] = "deny-service"

    @property
    def fault(self) -> ServiceDenial:
        """See `EmulatorFaultAction`."""
        return ServiceDenial(self.region, self.service)


@dataclass(frozen=True)
class ThrottleService(DisturbService):
    """Let a service of the embedded AWS throttle every call in a region. It throttled none before."""

    region: str
    service: str
    kind: ClassVar[str] = "throttle-service"

    @property
    def fault(self) -> ServiceThrottling:
        """See `EmulatorFaultAction`."""
        return ServiceThrottling(self.region, self.service)


@dataclass(frozen=True)
class DelayService(DisturbService):
    """Let a service of the embedded AWS answer `seconds` late in a region. It was not late before."""

    region: str
    service: str
    seconds: float
    kind: ClassVar[str] = "delay-service"

    @property
    def fault(self) -> ServiceDelay:
        """See `EmulatorFaultAction`."""
        return ServiceDelay(self.region, self.service, self.seconds)


@dataclass(frozen=True)
class FailService(DisturbService):
    """Let a service of the embedded AWS fail `percent` of its calls in a region. None failed before."""

    region: str
    service: str
    percent: int
    kind: ClassVar[str] = "fail-service"

    @property
    def fault(self) -> ServiceErrors:
        """See `EmulatorFaultAction`."""
        return ServiceErrors(self.region, self.service, self.percent)


Disturbance = Callable[[str], DisturbService]
"""The action for a region."""


def _in_place(action: DisturbService, search: FaultSearch) -> Iterator[FaultAction]:
    if action.fault in search.embedded_faults():
        yield action


def _is_seen(sources: EvidenceSources, _actions: tuple[FaultAction, ...]) -> bool:
    status = sources.health_page()
    return status == 0 or status >= FAILS


def _fault(
    name: str,
    title: str,
    does: str,
    disturbance: Disturbance,
    signals: tuple[str, ...],
    *,
    health: HealthEffect = HealthEffect.ANSWERS_ERRORS,
) -> Fault:
    def actions(context: FaultContext) -> tuple[FaultAction, ...]:
        return (disturbance(context.lost.region),)

    def leftovers(search: FaultSearch) -> Iterator[FaultAction]:
        return _in_place(disturbance(search.region.region), search)

    return Fault(
        name=name,
        unavailable_on_aws="AWS lets nobody disturb a service of its own.",
        health=health,
        separates_regions=False,
        permissions=(),
        preconditions=no_preconditions,
        actions=actions,
        watchdogs=no_watchdogs,
        mark=FaultMark(
            MarkedKind.HEALTH_CHECK, lambda region: region.health_check_id, lambda _state: "answers"
        ),
        leftovers=leftovers,
        sign=FaultSign(
            what="an error from the region's own health page, or none", is_seen=_is_seen, within_s=WITHIN_S
        ),
        alarms=FaultAlarms(must_ring=("HealthCheckStatus",), may_ring_in_survivor=("ReplicationLatency",)),
        documentation=FaultDocumentation(
            title=title,
            steady_state="The region's health page says that a payment could be recorded.",
            injection=f"The fault {does} in the region.",
            signals=(
                *signals,
                "The health check is unhealthy after threshold x interval, and its alarm rings.",
                "The failover name leads to the other region. Payments without an answer are acknowledged "
                "there, under the key that they were sent with.",
            ),
            restoration="The fault is cleared. A restart of the embedded AWS clears it as well.",
        ),
    )


_UNAVAILABLE = ("The health page answers 503, since no payment could be recorded; payments do likewise.",)
DYNAMODB_DENIAL = register(
    _fault(
        "dynamodb-denial",
        "Let DynamoDB deny every call in the region.",
        "`service-denial` of DynamoDB",
        lambda region: DenyService(region, "dynamodb"),
        _UNAVAILABLE,
    )
)
DYNAMODB_THROTTLING = register(
    _fault(
        "dynamodb-throttling",
        "Let DynamoDB throttle every call in the region.",
        "`service-throttling` of DynamoDB",
        lambda region: ThrottleService(region, "dynamodb"),
        _UNAVAILABLE,
    )
)
DYNAMODB_DELAY = register(
    _fault(
        "dynamodb-delay",
        "Let DynamoDB answer too late in the region.",
        f"`service-delay` of DynamoDB by {LATE_S:g} s, longer than the function waits,",
        lambda region: DelayService(region, "dynamodb", LATE_S),
        _UNAVAILABLE,
        health=HealthEffect.ANSWERS_LATE,
    )
)
DYNAMODB_ERRORS = register(
    _fault(
        "dynamodb-errors",
        f"Let DynamoDB fail {FAILING} % of its calls in the region.",
        f"`service-errors` of DynamoDB, {FAILING} of a hundred calls,",
        lambda region: FailService(region, "dynamodb", FAILING),
        _UNAVAILABLE,
    )
)
LAMBDA_ERRORS = register(
    _fault(
        "lambda-errors",
        "Let every call of the region's function fail.",
        "`service-errors` of Lambda, all calls,",
        lambda region: FailService(region, "lambda", 100),
        ("The API answers 502 to payments, and for the health page.",),
    )
)


# -- the survivor ------------------------------------------------------------------------------------------


def _weaken_survivor(context: FaultContext) -> tuple[FaultAction, ...]:
    survivor = context.outputs.other_than(context.lost.region).region
    return (FailService(survivor, "lambda", FAILING),)


def _weakened(search: FaultSearch) -> Iterator[FaultAction]:
    return _in_place(FailService(search.region.region, "lambda", FAILING), search)


def _is_weak(sources: EvidenceSources, actions: tuple[FaultAction, ...]) -> bool:
    return all(sources.is_active(action) for action in actions)


SURVIVOR_CAPACITY = register(
    Fault(
        name="survivor-capacity",
        unavailable_on_aws="Deploy the survivor with a tenth of its --reserved-concurrency, then drill.",
        health=HealthEffect.NONE,
        separates_regions=False,
        permissions=(),
        preconditions=no_preconditions,
        actions=_weaken_survivor,
        watchdogs=no_watchdogs,
        mark=FaultMark(
            MarkedKind.HEALTH_CHECK, lambda region: region.health_check_id, lambda _state: "whole"
        ),
        leftovers=_weakened,
        sign=FaultSign(what="the embedded AWS's fault in the survivor", is_seen=_is_weak, within_s=WITHIN_S),
        alarms=FaultAlarms(must_ring=(), may_ring_in_survivor=("5XXError", "Errors", "Throttles")),
        documentation=FaultDocumentation(
            title="Leave the region that is to survive 10 % of its capacity.",
            steady_state="The survivor's function runs whenever it is called.",
            injection=(
                "The fault `service-errors` of Lambda in the survivor: of ten calls it runs one. Together "
                "with a scenario that loses the other region it shows that a drill finds a survivor that is "
                "too small."
            ),
            signals=(
                "No name moves, and payments get through, as long as the other region serves. The drill "
                "fails all the same: the survivor's health page fails with the rest, and its alarm rings.",
                "With `--scenario region-outage` beside it, most payments fail at the survivor, and the "
                "drill does: the survivor does not carry the load.",
            ),
            restoration="The fault is cleared. A restart of the embedded AWS clears it as well.",
        ),
    )
)
