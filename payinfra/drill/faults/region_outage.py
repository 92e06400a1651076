"""The fault `region-outage`: a region of the embedded AWS answers nothing."""

from collections.abc import Iterator
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
from payinfra.local.faults import RegionBlackout

NAME = "region-outage"


@dataclass(frozen=True)
class Blackout(EmulatorFaultAction):
    """Let a region of the embedded AWS answer nothing. It answered before."""

    region: str
    kind: ClassVar[str] = "blackout"

    @property
    def fault(self) -> RegionBlackout:
        """See `EmulatorFaultAction`."""
        return RegionBlackout(self.region)

    def describe(self, _endpoints: Endpoints | None = None, /) -> ActionDescription:
        """See `FaultAction`."""
        return ActionDescription(
            f"{self.region} answers nothing",
            f"{self.region} answers again",
            CLEAR_FAULTS,
            (f"fault region-blackout of the embedded AWS: {self.region}",),
        )


def _actions(context: FaultContext) -> tuple[FaultAction, ...]:
    return (Blackout(context.lost.region),)


def _leftovers(search: FaultSearch) -> Iterator[FaultAction]:
    if RegionBlackout(search.region.region) in search.embedded_faults():
        yield Blackout(search.region.region)


def _is_seen(sources: EvidenceSources, _actions: tuple[FaultAction, ...]) -> bool:
    return sources.health_page() == 0


REGION_OUTAGE = register(
    Fault(
        name=NAME,
        unavailable_on_aws="AWS lets nobody switch off a region.",
        health=HealthEffect.ANSWERS_NOTHING,
        separates_regions=False,
        permissions=(),
        preconditions=no_preconditions,
        actions=_actions,
        watchdogs=no_watchdogs,
        # Route 53 is in no region: it takes the mark away also while the region is dark.
        mark=FaultMark(
            MarkedKind.HEALTH_CHECK, lambda region: region.health_check_id, lambda _state: "answers"
        ),
        leftovers=_leftovers,
        sign=FaultSign(what="silence of the region's own health page", is_seen=_is_seen, within_s=10.0),
        alarms=FaultAlarms(must_ring=("HealthCheckStatus",), may_ring_in_survivor=("ReplicationLatency",)),
        documentation=FaultDocumentation(
            title="Let the region answer nothing, neither its API nor AWS calls.",
            steady_state="The region answers.",
            injection="The fault `region-blackout`: connections are taken, and nothing is said on them.",
            signals=(
                "Payments through the region get no answer in time. Those that were under way when it went "
                "dark may or may not be recorded.",
                "The health check is unhealthy after threshold x (interval + the checkers' time-out).",
                "Replication to and from the region waits.",
                "The failover name leads to the other region. Payments without an answer are sent there "
                "again under the same key, and become one payment.",
            ),
            restoration="The fault is cleared. A restart of the embedded AWS clears it as well.",
        ),
    )
)
