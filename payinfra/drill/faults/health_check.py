"""The fault `health-check`: Route 53 is told that a region is unhealthy, while the region keeps serving."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from payinfra.clients.aws import Endpoints
from payinfra.drill.faults.actions import ActionDescription, FaultAction, FaultClients, aws_cli
from payinfra.drill.faults.model import (
    ROUTE53_REGION,
    Fault,
    FaultContext,
    FaultDocumentation,
    HealthEffect,
    RequiredPermission,
    no_preconditions,
    no_watchdogs,
)
from payinfra.drill.faults.registry import register

if TYPE_CHECKING:
    from mypy_boto3_route53.type_defs import HealthCheckTypeDef

NAME = "health-check"


@dataclass(frozen=True)
class InvertHealthCheck(FaultAction):
    """Turn what a health check of Route 53 says into its opposite. `original`: whether it was inverted."""

    health_check_id: str
    original: bool
    kind: ClassVar[str] = "invert-health-check"

    def inject(self, clients: FaultClients) -> None:
        """Set the opposite."""
        self._set(clients, not self.original)

    def rollback(self, clients: FaultClients) -> None:
        """Set what was there before."""
        self._set(clients, self.original)

    def is_active(self, clients: FaultClients) -> bool:
        """Whether the opposite is set."""
        return _inverted(self._check(clients)) != self.original

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

    def _set(self, clients: FaultClients, inverted: bool) -> None:
        check = self._check(clients)
        if _inverted(check) == inverted:
            return
        # The version makes Route 53 refuse when somebody else has changed the check since it was read.
        clients.aws.route53(ROUTE53_REGION).update_health_check(
            HealthCheckId=self.health_check_id,
            HealthCheckVersion=check["HealthCheckVersion"],
            Inverted=inverted,
        )

    def _check(self, clients: FaultClients) -> "HealthCheckTypeDef":
        client = clients.aws.route53(ROUTE53_REGION)
        return client.get_health_check(HealthCheckId=self.health_check_id)["HealthCheck"]


def _inverted(check: "HealthCheckTypeDef") -> bool:
    return check["HealthCheckConfig"].get("Inverted", False)


def _said(inverted: bool) -> str:
    return "inverted" if inverted else "not inverted"


def _actions(context: FaultContext) -> tuple[FaultAction, ...]:
    return (InvertHealthCheck(context.lost.health_check_id, context.state.inverted),)


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
        ),
        preconditions=no_preconditions,
        actions=_actions,
        watchdogs=no_watchdogs,
        documentation=FaultDocumentation(
            title="Turn the region's health check into its opposite.",
            steady_state="The health check is healthy, enabled and not inverted.",
            injection="`UpdateHealthCheck` with `Inverted` true. The region keeps serving.",
            signals=(
                "Route 53 calls the region unhealthy as soon as the change has reached it.",
                "The alarm on the health check rings.",
                "The failover name leads to the other region, and payments follow as clients' answers "
                "expire.",
                "No payment fails: clients with an old answer are still served.",
            ),
            restoration="`UpdateHealthCheck` with the original value of `Inverted`, read back.",
        ),
    )
)
