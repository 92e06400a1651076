"""The faults that a drill asks for: whether they work here and together, and what is injected for them."""

from dataclasses import dataclass

from payinfra.core.errors import UsageProblem
from payinfra.core.outputs import Outputs, RegionOutputs
from payinfra.drill.faults.actions import FaultAction, HoldTimeScale
from payinfra.drill.faults.fail_back import hold_fail_back
from payinfra.drill.faults.model import Fault, FaultContext, FaultSign, HealthEffect
from payinfra.drill.faults.registry import all_faults, fault_named
from payinfra.drill.model import DrillRequest


def chosen_faults(request: DrillRequest) -> tuple[Fault, ...]:
    """The faults, in the order of the request.

    Raises:
        UsageProblem: there is no such fault.
    """
    return tuple(fault_named(name) for name in request.scenarios)


def check(request: DrillRequest, *, on_aws: bool) -> None:
    """See that the faults work here, and together.

    Raises:
        UsageProblem: one does not.
    """
    if not request.scenarios or len(set(request.scenarios)) < len(request.scenarios):
        raise UsageProblem(
            "Each scenario is injected once.", "Give --scenario at least once, and none twice."
        )
    if on_aws and request.time_scale != 1.0:
        raise UsageProblem("Time on AWS runs as it does.", "Leave --time-scale out, or drill with --local.")
    chosen = chosen_faults(request)
    for fault in chosen:
        if on_aws and fault.unavailable_on_aws:
            similar = (one.name for one in all_faults() if one.on_aws and one.health.fails_requests)
            raise UsageProblem(
                f"--scenario {fault.name} works on the embedded AWS only: {fault.unavailable_on_aws}",
                f"Use --scenario {next(similar)}, or drill with --local.",
            )


def sends_to_both(request: DrillRequest) -> bool:
    """Whether payments go to both regions in turn: cut off from each other, both must serve."""
    return any(fault.separates_regions for fault in chosen_faults(request))


def switches_names(request: DrillRequest) -> bool:
    """Whether a health check becomes unhealthy, so that names drop the region."""
    return any(fault.switches_names for fault in chosen_faults(request))


def evacuates(request: DrillRequest) -> bool:
    """Whether the lost region is evacuated, so that a return ends the drill."""
    return any(fault.health is HealthEffect.EVACUATED for fault in chosen_faults(request))


def fails_requests(request: DrillRequest) -> bool:
    """Whether the lost region's clients are to notice, so that they have to recover."""
    return any(fault.health.fails_requests for fault in chosen_faults(request))


def lost_region(request: DrillRequest, outputs: Outputs) -> RegionOutputs:
    """The region that is made to fail."""
    return outputs.secondary if request.reverse else outputs.primary


def preparations(request: DrillRequest, holder: str, context: FaultContext) -> tuple[FaultAction, ...]:
    """What is done before anything is measured, and undone last: the pace of the embedded AWS's time, what
    holds the fail-back rule off, marks.

    Args:
        holder: the drill, as others that drill on the same embedded AWS are told.
    """
    marks = tuple(fault.marking(context) for fault in chosen_faults(request))
    held = hold_fail_back(context) if switches_names(request) else ()
    return (*held, *marks) if context.on_aws else (HoldTimeScale(request.time_scale, holder), *held, *marks)


@dataclass(frozen=True)
class Injection:
    """A fault and what is injected for it."""

    fault: Fault
    actions: tuple[FaultAction, ...]


def injections(request: DrillRequest, context: FaultContext) -> tuple[Injection, ...]:
    """What is injected, in the order of the request.

    A region that answers nothing comes last: it takes no further call.

    Raises:
        UsageProblem: as `check`.
    """
    check(request, on_aws=context.on_aws)
    ordered = sorted(chosen_faults(request), key=lambda one: one.silences_region)
    return tuple(Injection(fault, fault.actions(context)) for fault in ordered)


def observable_sign(fault: Fault, together: tuple[Fault, ...]) -> FaultSign:
    """What shows that a fault is in effect beside others.

    Nobody can look into a region that answers nothing: its silence stands for whatever else is done to it.
    Route 53 and the survivor's flag can be asked in any case.
    """
    silencing = next((one for one in together if one.silences_region), None)
    if silencing is None or fault.health in (HealthEffect.SET_UNHEALTHY, HealthEffect.EVACUATED):
        return fault.sign
    return silencing.sign


def watchdogs(request: DrillRequest, context: FaultContext) -> tuple[FaultAction, ...]:
    """What is armed before: on AWS only."""
    if not context.on_aws:
        return ()
    return tuple(one for fault in chosen_faults(request) for one in fault.watchdogs(context))
