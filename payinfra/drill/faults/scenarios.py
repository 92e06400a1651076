"""The scenarios: where they work, what they make of a drill, and which mutations they are made of."""

import math
from dataclasses import dataclass
from typing import assert_never

from payinfra.core.errors import UsageProblem
from payinfra.core.naming import DRILL_FIS_ROLE
from payinfra.core.outputs import Outputs, RegionOutputs
from payinfra.drill.faults.descriptions import DESCRIPTIONS
from payinfra.drill.faults.model import (
    Blackout,
    Fault,
    InvertHealthCheck,
    PauseReplication,
    RunPauseExperiment,
    SetConcurrency,
    SetTimeScale,
    role_arn,
)
from payinfra.drill.model import DrillRequest, Scenario

LONGEST_EXPERIMENT_MIN = 720
"""No FIS action lasts longer than twelve hours (FIS user guide); a replica that has been cut off for twenty
leaves its global table (DynamoDB developer guide)."""


@dataclass(frozen=True)
class Originals:
    """What is there before a drill, in the region that is to be lost.

    Attributes:
        inverted: whether its health check is inverted.
        concurrency: what is reserved for its function; None for nothing.
        time_scale: how fast the embedded AWS's time runs; 1 on AWS.
    """

    inverted: bool
    concurrency: int | None
    time_scale: float = 1.0


@dataclass(frozen=True)
class FaultContext:
    """Within what a drill's mutations are made.

    Attributes:
        drill: its id, of letters, digits and - . _
        on_aws: whether it is AWS, and not the embedded one.
        longest_s: what the drill may take at most, in seconds.
    """

    drill: str
    on_aws: bool
    longest_s: float


def check(request: DrillRequest, *, on_aws: bool) -> None:
    """See that the scenarios work here, and together.

    Raises:
        UsageProblem: one does not.
    """
    chosen = request.scenarios
    if not chosen or len(set(chosen)) < len(chosen):
        raise UsageProblem(
            "Each scenario is injected once.", "Give --scenario at least once, and none twice."
        )
    if on_aws and request.time_scale != 1.0:
        raise UsageProblem("Time on AWS runs as it does.", "Leave --time-scale out, or drill with --local.")
    for scenario in chosen:
        if on_aws and not DESCRIPTIONS[scenario].on_aws:
            raise UsageProblem(
                f"--scenario {scenario} works on the embedded AWS only: AWS lets nobody switch off a region.",
                f"Use --scenario {Scenario.LAMBDA_THROTTLE}, or drill with --local.",
            )
    failing = [one for one in chosen if one in _FAILING]
    if failing and Scenario.HEALTH_CHECK in chosen:
        raise UsageProblem(
            f"{Scenario.HEALTH_CHECK} and {failing[0]} cancel each other out: an inverted health check calls "
            "a region that fails healthy.",
            "Drill one after the other.",
        )


_FAILING = frozenset({Scenario.LAMBDA_THROTTLE, Scenario.REGION_OUTAGE})
"""The scenarios in which the health page does not answer as it should."""


def moves_name(request: DrillRequest) -> bool:
    """Whether the failover name is to lead to the other region: not where that is the one that is lost."""
    return not request.reverse and any(DESCRIPTIONS[one].switches for one in request.scenarios)


def lost_region(request: DrillRequest, outputs: Outputs) -> RegionOutputs:
    """The region that is made to fail."""
    return outputs.secondary if request.reverse else outputs.primary


def preparations(request: DrillRequest, originals: Originals, frame: FaultContext) -> tuple[Fault, ...]:
    """What is done before anything is measured, and undone last: the pace of the embedded AWS's time."""
    if frame.on_aws or request.time_scale == originals.time_scale:
        return ()
    return (SetTimeScale(request.time_scale, originals.time_scale),)


def mutations(
    request: DrillRequest, outputs: Outputs, originals: Originals, frame: FaultContext
) -> tuple[Fault, ...]:
    """What the scenarios inject, in the order of the request.

    A blackout is the last: a region that answers nothing takes no further call.

    Raises:
        UsageProblem: as `check`.
    """
    check(request, on_aws=frame.on_aws)
    lost = lost_region(request, outputs)
    ordered = sorted(request.scenarios, key=lambda one: one is Scenario.REGION_OUTAGE)
    return tuple(_mutation(scenario, lost, outputs, originals, frame) for scenario in ordered)


def _mutation(
    scenario: Scenario, lost: RegionOutputs, outputs: Outputs, originals: Originals, frame: FaultContext
) -> Fault:
    match scenario:
        case Scenario.HEALTH_CHECK:
            return InvertHealthCheck(lost.health_check_id, originals.inverted)
        case Scenario.LAMBDA_THROTTLE:
            return SetConcurrency(lost.region, lost.lambda_function_name, originals.concurrency)
        case Scenario.REPLICATION_PAUSE if frame.on_aws:
            # One minute more than the drill can take: its own end is for when nobody else ends it.
            minutes = min(math.ceil(frame.longest_s / 60) + 1, LONGEST_EXPERIMENT_MIN)
            role = role_arn(outputs, DRILL_FIS_ROLE)
            return RunPauseExperiment(lost.region, lost.dynamodb_table_arn, role, minutes, frame.drill)
        case Scenario.REPLICATION_PAUSE:
            return PauseReplication()
        case Scenario.REGION_OUTAGE:
            return Blackout(lost.region)
        case _:
            assert_never(scenario)
