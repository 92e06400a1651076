"""A case for each fault: what it injects on each target. A test fails where a fault has none."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from payinfra.core.outputs import DeclaredEvacuation, Outputs
from payinfra.drill.faults.actions import FaultAction
from payinfra.drill.faults.audit_replication_pause import PauseCopies, RunBucketExperiment
from payinfra.drill.faults.dependency import DelayService, DenyService, FailService, ThrottleService
from payinfra.drill.faults.evacuation import EvacuateRegion
from payinfra.drill.faults.health_check import ScheduleHealthCheck, SetUnhealthy
from payinfra.drill.faults.lambda_throttle import ArmWatchdog, SetConcurrency
from payinfra.drill.faults.model import FaultContext
from payinfra.drill.faults.region_outage import Blackout
from payinfra.drill.faults.replication_pause import PauseReplication, RunPauseExperiment
from payinfra.drill.situation import RegionState
from tests.unit.checks.probes.conftest import declared, outputs

EAST, WEST = "us-east-1", "us-west-2"
FUNCTION = "payment-demo-payments"
TABLE = "arn:aws:dynamodb:{}:123456789012:table/payment-demo-payments"
ROLE = "arn:aws:iam::123456789012:role/payinfra-drill-{}"
ERRORS_ALARM = "arn:aws:cloudwatch:{}:123456789012:alarm:errors"
ENDS_BY = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FLAG = "/payment-demo/evacuated"
EVACUATION = DeclaredEvacuation(
    "/prod/evacuation", FLAG, 30, 2, ("serving-e", "serving-w"), ("flag-e", "flag-w"), "ns-1.example"
)


def evacuable(**changes: Any) -> Outputs:
    """The environment of `outputs`, of a version that can evacuate a region."""
    whole = declared(evacuation=EVACUATION, **changes)
    return replace(outputs(), declared_json=whole.to_json())


@dataclass(frozen=True)
class FaultCase:
    """What a fault comes to when the primary of `outputs` is lost, with a limit of 7 on its function.

    Attributes:
        embedded: its actions on the embedded AWS.
        aws: the same on AWS; None where it does not work there.
        watchdogs: what is armed before on AWS.
    """

    embedded: tuple[FaultAction, ...]
    aws: tuple[FaultAction, ...] | None
    watchdogs: tuple[FaultAction, ...] = ()


def context(*, on_aws: bool = False, reverse: bool = False, longest_s: float = 200.0) -> FaultContext:
    """A drill of the environment of `outputs`."""
    found = evacuable()
    lost = found.secondary if reverse else found.primary
    return FaultContext(
        drill="drill-1",
        on_aws=on_aws,
        began=ENDS_BY,
        longest_s=longest_s,
        ends_by=ENDS_BY,
        outputs=found,
        lost=lost,
        state=RegionState(lost.region, False, False, 7, "demo", "demo"),
    )


_UNHEALTHY = (SetUnhealthy("check-us-east-1", False, False),)
_PUT_BACK = ScheduleHealthCheck(
    EAST, "drill-1-health", "check-us-east-1", False, False, ENDS_BY, ROLE.format("scheduler")
)
_LIMITED = (SetConcurrency(EAST, FUNCTION, 7),)
_WATCHDOG = ArmWatchdog(EAST, "drill-1-us-east-1", FUNCTION, 7, ENDS_BY, ROLE.format("scheduler"))
_DISTURBED: dict[str, FaultAction] = {
    "dynamodb-denial": DenyService(EAST, "dynamodb"),
    "dynamodb-throttling": ThrottleService(EAST, "dynamodb"),
    "dynamodb-delay": DelayService(EAST, "dynamodb", 10.0),
    "dynamodb-errors": FailService(EAST, "dynamodb", 90),
    "lambda-errors": FailService(EAST, "lambda", 100),
    "survivor-capacity": FailService(WEST, "lambda", 90),
}
_EVACUATED = (EvacuateRegion(EAST, WEST, FLAG, "drill-1", ENDS_BY, ENDS_BY),)
_COPIES = RunBucketExperiment(
    EAST,
    "demo",
    WEST,
    outputs().secondary.s3_bucket_name,
    ROLE.format("fis"),
    5,
    "drill-1",
    (ERRORS_ALARM.format(EAST),),
)
CASES = {
    "audit-replication-pause": FaultCase((PauseCopies(EAST),), (_COPIES,)),
    **{name: FaultCase((action,), None) for name, action in _DISTURBED.items()},
    "evacuation": FaultCase(_EVACUATED, _EVACUATED),
    "health-check": FaultCase(_UNHEALTHY, _UNHEALTHY, (_PUT_BACK,)),
    "lambda-throttle": FaultCase(_LIMITED, _LIMITED, (_WATCHDOG,)),
    "region-outage": FaultCase((Blackout(EAST),), None),
    "replication-pause": FaultCase(
        (PauseReplication(),),
        (
            RunPauseExperiment(
                EAST, TABLE.format(EAST), ROLE.format("fis"), 5, "drill-1", (ERRORS_ALARM.format(EAST),)
            ),
        ),
    ),
}
