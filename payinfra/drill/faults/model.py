"""What a fault is: everything that a drill, its report and its documentation ask of it.

A fault is one module of this package that registers one `Fault` (`payinfra.drill.faults.registry`). No
attribute of `Fault` has a default: a module that leaves one out is a type error.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from payinfra.core.naming import HEALTH_METRICS_REGION
from payinfra.core.outputs import DeclaredRegion, Outputs, RegionOutputs
from payinfra.drill.faults.actions import FaultAction, FaultClients
from payinfra.drill.faults.marks import PERMISSIONS, MarkedKind, MarkedResource, MarkResource, ResourceMark
from payinfra.drill.situation import FailedPrecondition, RegionState
from payinfra.local.faults import Fault as EmulatorFault

ROUTE53_REGION = HEALTH_METRICS_REGION
"""Where Route 53's control plane is (Route 53 developer guide, "Amazon Route 53 and AWS Regions")."""


CUSTOMERS_METRICS = frozenset({"5XXError", "Latency", "Errors"})
"""What customers notice: an alarm on one of these stops the drill where nothing was to fail."""


class HealthEffect(Enum):
    """What a fault does to the health check of the region that is lost."""

    NONE = auto()
    """It stays healthy."""
    SET_UNHEALTHY = auto()
    """It is told to be unhealthy; no checker has to find anything out."""
    EVACUATED = auto()
    """It stays healthy; the other region's page tells checkers that clients are kept away."""
    ANSWERS_ERRORS = auto()
    """Its checkers get errors at once."""
    ANSWERS_LATE = auto()
    """Its checkers wait for their time-out, though the region answers in the end."""
    ANSWERS_NOTHING = auto()
    """Its checkers wait for their time-out."""

    @property
    def fails_requests(self) -> bool:
        """Whether the region's clients notice as well."""
        return self in (
            HealthEffect.ANSWERS_ERRORS,
            HealthEffect.ANSWERS_LATE,
            HealthEffect.ANSWERS_NOTHING,
        )


@dataclass(frozen=True)
class FaultContext:
    """The drill for which a fault's actions are made.

    Attributes:
        drill: its id, of letters, digits and - . _
        on_aws: whether it is AWS, and not the embedded one.
        began: when it was prepared, in UTC.
        longest_s: what the drill may take at most, in seconds.
        ends_by: when a watchdog may lift the fault: later than the drill can take.
        outputs: of the environment.
        lost: of the region that is made to fail.
        state: what is there in that region before.
    """

    drill: str
    on_aws: bool
    began: datetime
    longest_s: float
    ends_by: datetime
    outputs: Outputs
    lost: RegionOutputs
    state: RegionState


@dataclass(frozen=True)
class FaultSearch:
    """A region in which a fault is looked for without a journal: what was declared, and what can be asked.

    Attributes:
        outputs: of the environment.
        region: of the region.
        declared: what was declared there.
        clients: try once.
        is_shared: whether a drill of another environment of the same embedded AWS runs: the faults of the
            embedded AWS itself may be that drill's.
        mark: what a drill has written on the resource about this fault; None where it bears no mark.
    """

    outputs: Outputs
    region: RegionOutputs
    declared: DeclaredRegion
    clients: FaultClients
    is_shared: bool = False
    mark: ResourceMark | None = None

    def embedded_faults(self) -> tuple[EmulatorFault, ...]:
        """The faults of the embedded AWS that may be this environment's; none on AWS."""
        if self.clients.control is None or self.is_shared:
            return ()
        return tuple(active.fault for active in self.clients.control.list())


@dataclass(frozen=True)
class RequiredPermission:
    """What must be allowed on AWS.

    Attributes:
        actions: as IAM writes them.
        on: the resource, in words or as the end of an ARN.
        who: who must be allowed.
    """

    actions: tuple[str, ...]
    on: str
    who: str = "whoever drills"


@dataclass(frozen=True, kw_only=True)
class FaultDocumentation:
    """A fault for a person, in Markdown.

    Attributes:
        title: what it does, in a sentence.
        steady_state: what must hold before, and again afterwards, beside what every drill asks for.
        injection: what is done.
        signals: what is to be seen while it lasts.
        restoration: what is put back, and what does so if nobody is left to.
    """

    title: str
    steady_state: str
    injection: str
    signals: tuple[str, ...]
    restoration: str


@dataclass(frozen=True)
class EvidenceSources:
    """What shows whether a fault is in effect. Each raises where it cannot be told.

    Attributes:
        health_page: the status with which the lost region's own health page answers; 0 where nothing answers.
        evacuation_page: the status with which the survivor's page on an evacuation answers; 0 likewise.
        is_active: whether an action's change is in place.
        is_separated: whether what is written in one region stays away from the other.
        copies_wait: whether audit objects that are written in the lost region stay there.
    """

    health_page: Callable[[], int]
    evacuation_page: Callable[[], int]
    is_active: Callable[[FaultAction], bool]
    is_separated: Callable[[], bool]
    copies_wait: Callable[[], bool]


@dataclass(frozen=True, kw_only=True)
class FaultSign:
    """What shows that a fault is in effect.

    Attributes:
        what: what is looked for, as a phrase.
        is_seen: looks once; it is given the fault's actions.
        within_s: how long it may take on AWS from the injection until it is seen, in seconds.
    """

    what: str
    is_seen: Callable[[EvidenceSources, tuple[FaultAction, ...]], bool]
    within_s: float


@dataclass(frozen=True, kw_only=True)
class FaultAlarms:
    """What a fault makes alarms do, by the metrics that they look at.

    Attributes:
        must_ring: on these the lost region's alarms have to ring.
        may_ring_in_survivor: on these the survivor's may; on all others they must not.
    """

    must_ring: tuple[str, ...]
    may_ring_in_survivor: tuple[str, ...]


@dataclass(frozen=True)
class FaultMark:
    """Where a fault leaves its mark, and what that says was there before.

    Attributes:
        resource: of a region that is lost: what bears the mark.
        original: what is there in that region before, of letters, digits and `-.:` only.
    """

    kind: MarkedKind
    resource: Callable[[RegionOutputs], str]
    original: Callable[[RegionState], str]

    def on(self, region: RegionOutputs) -> MarkedResource:
        """What bears the mark in a region."""
        return MarkedResource(self.kind, region.region, self.resource(region))

    def permission(self) -> RequiredPermission:
        """What it takes on AWS."""
        return RequiredPermission(PERMISSIONS[self.kind], _WORDS[self.kind])


_WORDS = {
    MarkedKind.HEALTH_CHECK: "the region's health check, for the mark",
    MarkedKind.FUNCTION: "the region's function, for the mark",
    MarkedKind.TABLE: "the region's table, for the mark",
}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Something that a drill can make fail.

    Attributes:
        name: as people type it, and as reports name it, for ever.
        unavailable_on_aws: why AWS does not have it, as a sentence; empty where it does.
        health: what it does to the lost region's health check, and with it to the names.
        separates_regions: whether the regions stop seeing each other's payments, or audit objects, while both
            serve.
        permissions: what it takes on AWS, beside what every drill takes.
        preconditions: what speaks against it in the region that is to be lost.
        actions: what is injected, in this order.
        watchdogs: what is armed before on AWS, and lifts the fault should the drill's process be gone.
        mark: where a tag says that a drill has this fault in place, or may have.
        leftovers: the actions by which what is there differs from what was declared, as this fault makes it
            differ; found without any journal, and rolled back to what was declared.
        sign: what shows that it is in effect.
        alarms: what it makes alarms do.
        documentation: what people read about it.
    """

    name: str
    unavailable_on_aws: str
    health: HealthEffect
    separates_regions: bool
    permissions: tuple[RequiredPermission, ...]
    preconditions: Callable[[RegionState], Iterator[FailedPrecondition]]
    actions: Callable[[FaultContext], tuple[FaultAction, ...]]
    watchdogs: Callable[[FaultContext], tuple[FaultAction, ...]]
    mark: FaultMark
    leftovers: Callable[[FaultSearch], Iterator[FaultAction]]
    sign: FaultSign
    alarms: FaultAlarms
    documentation: FaultDocumentation

    def marking(self, context: FaultContext) -> MarkResource:
        """The action that marks what it changes."""
        original = self.mark.original(context.state)
        return MarkResource(self.name, self.mark.on(context.lost), context.drill, context.began, original)

    @property
    def switches_names(self) -> bool:
        """Whether a health check becomes unhealthy, so that names drop the region."""
        return self.health is not HealthEffect.NONE

    @property
    def silences_region(self) -> bool:
        """Whether the region answers nothing, its alarms and control planes included."""
        return self.health is HealthEffect.ANSWERS_NOTHING

    @property
    def on_aws(self) -> bool:
        """Whether it works on AWS; all work on the embedded one."""
        return not self.unavailable_on_aws


def no_preconditions(_state: RegionState) -> Iterator[FailedPrecondition]:
    """Nothing beside what every drill asks for."""
    return iter(())


def no_watchdogs(_context: FaultContext) -> tuple[FaultAction, ...]:
    """None is needed: what is injected ends by itself, or harms nobody."""
    return ()


def customers_alarms(outputs: Outputs, region: str) -> tuple[str, ...]:
    """The ARNs of a region's alarms on what customers notice: errors and latency."""
    partition, account = outputs.primary.partition, outputs.primary.account
    return tuple(
        f"arn:{partition}:cloudwatch:{region}:{account}:alarm:{alarm.name}"
        for declared in outputs.declared.regions
        if declared.region == region
        for alarm in declared.alarms
        if alarm.metric in CUSTOMERS_METRICS
    )


def function_arn(region: RegionOutputs) -> str:
    """The ARN of a region's payments function."""
    return region.arn("lambda", f"function:{region.lambda_function_name}")


def role_arn(outputs: Outputs, role: str) -> str:
    """The ARN of a role in the environment's account."""
    partition, account = outputs.primary.partition, outputs.primary.account
    return f"arn:{partition}:iam::{account}:role/{role}"
