"""The fault `health-check`: Route 53 is told that a region is unhealthy, while the region keeps serving."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from payinfra.clients.aws import Endpoints
from payinfra.core.naming import DRILL_SCHEDULER_ROLE
from payinfra.drill.faults.actions import ActionDescription, FaultAction, FaultClients, aws_cli
from payinfra.drill.faults.marks import MarkedKind
from payinfra.drill.faults.model import (
    ROUTE53_REGION,
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
    no_preconditions,
    role_arn,
)
from payinfra.drill.faults.registry import register
from payinfra.drill.faults.watchdog import RollbackSchedule, schedule_permissions
from payinfra.drill.situation import RegionState

if TYPE_CHECKING:
    from mypy_boto3_route53.type_defs import HealthCheckTypeDef

NAME = "health-check"


@dataclass(frozen=True)
class SetUnhealthy(FaultAction):
    """Disable a health check of Route 53 and invert it: it is unhealthy, whatever its endpoint does.

    An inverted check that is still enabled would call its region healthy as soon as that really fails, and
    send clients there. Disabled it is taken for healthy, and inverted that makes it unhealthy (Route 53
    developer guide, "Values that you specify when you create or update health checks"): a real outage during
    a drill leaves the names on the region that works.

    Attributes:
        inverted, disabled: what the check was before.
    """

    health_check_id: str
    inverted: bool
    disabled: bool
    kind: ClassVar[str] = "set-unhealthy"

    def inject(self, clients: FaultClients) -> None:
        """Disable and invert."""
        _update(clients, self.health_check_id, inverted=True, disabled=True)

    def rollback(self, clients: FaultClients) -> None:
        """Set what was there before."""
        _update(clients, self.health_check_id, inverted=self.inverted, disabled=self.disabled)

    def is_active(self, clients: FaultClients) -> bool:
        """Whether anything else is set than before."""
        check = _check(clients, self.health_check_id)
        return (_inverted(check), _disabled(check)) != (self.inverted, self.disabled)

    def describe(self, endpoints: Endpoints | None = None) -> ActionDescription:
        """See `FaultAction`."""
        check = self.health_check_id
        flags = f"--{'' if self.inverted else 'no-'}inverted --{'' if self.disabled else 'no-'}disabled"
        update = f"route53 update-health-check --health-check-id {check} {flags}"
        return ActionDescription(
            f"health check {check} is disabled and inverted: unhealthy, whatever its endpoint does",
            f"health check {check} is {_enabled(self.disabled)} and {_said(self.inverted)} again",
            aws_cli(endpoints, "route53", ROUTE53_REGION, update),
            (f"route53:UpdateHealthCheck {check}: Disabled True, Inverted True",),
        )


@dataclass(frozen=True)
class InvertHealthCheck(FaultAction):
    """Turn what a health check says into its opposite, as drills of earlier versions did.

    No drill does so any more; a journal may still have it. `original`: whether it was inverted.
    """

    health_check_id: str
    original: bool
    kind: ClassVar[str] = "invert-health-check"

    def inject(self, clients: FaultClients) -> None:
        """Set the opposite."""
        _update(clients, self.health_check_id, inverted=not self.original)

    def rollback(self, clients: FaultClients) -> None:
        """Set what was there before."""
        _update(clients, self.health_check_id, inverted=self.original)

    def is_active(self, clients: FaultClients) -> bool:
        """Whether the opposite is set."""
        return _inverted(_check(clients, self.health_check_id)) != self.original

    def describe(self, endpoints: Endpoints | None = None) -> ActionDescription:
        """See `FaultAction`."""
        check, flag = self.health_check_id, "--inverted" if self.original else "--no-inverted"
        update = f"route53 update-health-check --health-check-id {check} {flag}"
        return ActionDescription(
            f"health check {check} is {_said(not self.original)}",
            f"health check {check} is {_said(self.original)} again",
            aws_cli(endpoints, "route53", ROUTE53_REGION, update),
            (f"route53:UpdateHealthCheck {check}: Inverted {not self.original}",),
        )


@dataclass(frozen=True)
class ScheduleHealthCheck(RollbackSchedule):
    """Make an EventBridge schedule that puts a health check back, whatever becomes of the drill.

    Attributes:
        inverted, disabled: what is set again.
    """

    region: str
    name: str
    health_check_id: str
    inverted: bool
    disabled: bool
    at: datetime
    role_arn: str
    kind: ClassVar[str] = "schedule-health-check"

    @property
    def summary(self) -> str:
        """See `RollbackSchedule`."""
        return f"Puts health check {self.health_check_id} back after a failover drill"

    @property
    def call(self) -> str:
        """See `RollbackSchedule`."""
        return "route53:updateHealthCheck"

    @property
    def input(self) -> Mapping[str, str | int]:
        """See `RollbackSchedule`."""
        return {
            "HealthCheckId": self.health_check_id,
            "Inverted": self.inverted,
            "Disabled": self.disabled,
        }

    def guards(self, other: FaultAction) -> bool:
        """Whether the other is the change that it takes back."""
        return isinstance(other, SetUnhealthy) and other.health_check_id == self.health_check_id

    def describe(self, endpoints: Endpoints | None = None) -> ActionDescription:
        """See `FaultAction`."""
        return self.described(
            f"sets health check {self.health_check_id} {_enabled(self.disabled)} and {_said(self.inverted)}",
            endpoints,
        )


def _update(
    clients: FaultClients, health_check_id: str, *, inverted: bool, disabled: bool | None = None
) -> None:
    check = _check(clients, health_check_id)
    wanted = _disabled(check) if disabled is None else disabled
    if (_inverted(check), _disabled(check)) == (inverted, wanted):
        return
    # The version makes Route 53 refuse when somebody else has changed the check since it was read.
    clients.aws.route53(ROUTE53_REGION).update_health_check(
        HealthCheckId=health_check_id,
        HealthCheckVersion=check["HealthCheckVersion"],
        Inverted=inverted,
        Disabled=wanted,
    )


def _check(clients: FaultClients, health_check_id: str) -> "HealthCheckTypeDef":
    client = clients.aws.route53(ROUTE53_REGION)
    return client.get_health_check(HealthCheckId=health_check_id)["HealthCheck"]


def _inverted(check: "HealthCheckTypeDef") -> bool:
    return check["HealthCheckConfig"].get("Inverted", False)


def _disabled(check: "HealthCheckTypeDef") -> bool:
    return check["HealthCheckConfig"].get("Disabled", False)


def _enabled(disabled: bool) -> str:
    return "disabled" if disabled else "enabled"


def _said(inverted: bool) -> str:
    return "inverted" if inverted else "not inverted"


def _actions(context: FaultContext) -> tuple[FaultAction, ...]:
    state = context.state
    return (SetUnhealthy(context.lost.health_check_id, state.inverted, state.disabled),)


def _watchdogs(context: FaultContext) -> tuple[FaultAction, ...]:
    state, region = context.state, context.lost.region
    return (
        ScheduleHealthCheck(
            region,
            f"{context.drill}-health",
            context.lost.health_check_id,
            state.inverted,
            state.disabled,
            context.ends_by,
            role_arn(context.outputs, DRILL_SCHEDULER_ROLE),
        ),
    )


def _original(state: RegionState) -> str:
    return f"{_enabled(state.disabled)}.{_said(state.inverted).replace(' ', '-')}"


def _leftovers(search: FaultSearch) -> Iterator[FaultAction]:
    check = _check(search.clients, search.region.health_check_id)
    if _inverted(check) or _disabled(check):  # Neither is ever declared.
        yield SetUnhealthy(search.region.health_check_id, inverted=False, disabled=False)


def _is_seen(sources: EvidenceSources, actions: tuple[FaultAction, ...]) -> bool:
    return all(sources.is_active(action) for action in actions)


HEALTH_CHECK = register(
    Fault(
        name=NAME,
        unavailable_on_aws="",
        health=HealthEffect.SET_UNHEALTHY,
        separates_regions=False,
        permissions=(
            RequiredPermission(
                ("route53:GetHealthCheck", "route53:UpdateHealthCheck"), "the region's health check"
            ),
            *schedule_permissions(("route53:UpdateHealthCheck",), "the environments' health checks"),
        ),
        preconditions=no_preconditions,
        actions=_actions,
        watchdogs=_watchdogs,
        mark=FaultMark(MarkedKind.HEALTH_CHECK, lambda region: region.health_check_id, _original),
        leftovers=_leftovers,
        sign=FaultSign(what="the health check disabled and inverted", is_seen=_is_seen, within_s=60.0),
        # Whether a disabled check still has the metric that the alarm looks at, AWS does not say.
        alarms=FaultAlarms(must_ring=(), may_ring_in_survivor=()),
        documentation=FaultDocumentation(
            title="Tell Route 53 that the region is unhealthy, while it keeps serving.",
            steady_state="The health check is healthy, enabled and not inverted.",
            injection=(
                "`UpdateHealthCheck` with `Disabled` and `Inverted` true: the check is unhealthy, whatever "
                "the region does. It keeps serving. A real outage meanwhile, or after the drill was killed, "
                "leaves the names on the region that works."
            ),
            signals=(
                "Route 53 calls the region unhealthy as soon as the change has reached it.",
                "The alarm on the health check may ring.",
                "The failover name leads to the other region, and payments follow as clients' answers "
                "expire.",
                "No payment fails: clients with an old answer are still served.",
            ),
            restoration=(
                "`UpdateHealthCheck` with the original values of `Disabled` and `Inverted`, read back. On "
                "AWS an EventBridge schedule, armed before the injection, does the same after the longest "
                "time that the drill may take."
            ),
        ),
    )
)
