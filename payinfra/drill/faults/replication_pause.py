"""The fault `replication-pause`: the regions stop seeing each other's payments, and both keep serving."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from payinfra.clients.aws import Endpoints
from payinfra.core.naming import DRILL_FIS_ROLE
from payinfra.drill.faults.actions import (
    CLEAR_FAULTS,
    ActionDescription,
    EmulatorFaultAction,
    FaultAction,
)
from payinfra.drill.faults.fis import (
    LONGEST_EXPERIMENT_MIN,
    RESTORATION,
    FisExperiment,
    live_experiments,
    minutes_for,
    permissions,
    targets_resource,
)
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
    customers_alarms,
    no_preconditions,
    no_watchdogs,
    role_arn,
)
from payinfra.drill.faults.registry import register
from payinfra.local.faults import ReplicationPause

if TYPE_CHECKING:
    from mypy_boto3_fis.type_defs import (
        CreateExperimentTemplateActionInputTypeDef,
        CreateExperimentTemplateTargetInputTypeDef,
    )

NAME = "replication-pause"
PAUSE_ACTION = "aws:dynamodb:global-table-pause-replication"
"""FIS's action that stops a global table's replication (FIS user guide, "AWS FIS actions reference")."""
RESOURCE_TYPE = "aws:dynamodb:global-table"


@dataclass(frozen=True)
class PauseReplication(EmulatorFaultAction):
    """Stop replication of global tables in the embedded AWS. It was not stopped before."""

    kind: ClassVar[str] = "pause-replication"

    @property
    def fault(self) -> ReplicationPause:
        """See `EmulatorFaultAction`."""
        return ReplicationPause()

    def describe(self, _endpoints: Endpoints | None = None, /) -> ActionDescription:
        """See `FaultAction`."""
        return ActionDescription(
            "replication of global tables is paused",
            "global tables are replicated again",
            CLEAR_FAULTS,
            ("fault replication-pause of the embedded AWS",),
        )


@dataclass(frozen=True)
class RunPauseExperiment(FisExperiment):
    """Stop replication to and from one region's table with AWS FIS.

    FIS denies the service that replicates global tables access to one region's table, by statements in the
    table's and its stream's policy that carry an end of their own, and takes them out when the experiment
    ends. Replication may go on for up to five minutes after the experiment has begun. Source: FIS user guide,
    "AWS FIS actions reference", aws:dynamodb:global-table-pause-replication.
    """

    region: str
    table_arn: str
    role_arn: str
    minutes: int
    drill: str
    stop_alarms: tuple[str, ...] = ()
    kind: ClassVar[str] = "run-pause-experiment"

    @property
    def summary(self) -> str:
        """See `FisExperiment`."""
        return "A failover drill pauses replication"

    @property
    def paused(self) -> str:
        """See `FisExperiment`."""
        return f"replication of {self.table_arn}"

    @property
    def call(self) -> str:
        """See `FisExperiment`."""
        return f"{PAUSE_ACTION} of {self.table_arn}"

    @property
    def targets(self) -> "Mapping[str, CreateExperimentTemplateTargetInputTypeDef]":
        """See `FisExperiment`."""
        return {
            "table": {
                "resourceType": RESOURCE_TYPE,
                "resourceArns": [self.table_arn],
                "selectionMode": "ALL",
            }
        }

    @property
    def actions(self) -> "Mapping[str, CreateExperimentTemplateActionInputTypeDef]":
        """See `FisExperiment`."""
        return {
            "pause": {
                "actionId": PAUSE_ACTION,
                "parameters": {"duration": f"PT{self.minutes}M"},
                "targets": {"Tables": "table"},
            }
        }


def _actions(context: FaultContext) -> tuple[FaultAction, ...]:
    if not context.on_aws:
        return (PauseReplication(),)
    minutes = minutes_for(context.longest_s)
    role = role_arn(context.outputs, DRILL_FIS_ROLE)
    lost = context.lost
    return (
        RunPauseExperiment(
            lost.region,
            lost.dynamodb_table_arn,
            role,
            minutes,
            context.drill,
            customers_alarms(context.outputs, lost.region),
        ),
    )


def _leftovers(search: FaultSearch) -> Iterator[FaultAction]:
    if ReplicationPause() in search.embedded_faults():
        yield PauseReplication()
    if search.clients.control is not None:
        return
    region, table = search.region.region, search.region.dynamodb_table_arn
    role = role_arn(search.outputs, DRILL_FIS_ROLE)
    for drill in live_experiments(search.clients.aws.fis(region), targets_resource(table)):
        yield RunPauseExperiment(region, table, role, LONGEST_EXPERIMENT_MIN, drill)


def _is_seen(sources: EvidenceSources, _actions: tuple[FaultAction, ...]) -> bool:
    return sources.is_separated()


REPLICATION_PAUSE = register(
    Fault(
        name=NAME,
        unavailable_on_aws="",
        health=HealthEffect.NONE,
        separates_regions=True,
        permissions=(
            *permissions(PAUSE_ACTION),
            RequiredPermission(
                (
                    "dynamodb:DescribeTable",
                    "dynamodb:GetResourcePolicy",
                    "dynamodb:PutResourcePolicy",
                    "dynamodb:DeleteResourcePolicy",
                    "tag:GetResources",
                ),
                "the environments' tables and their streams; `tag:GetResources` on `*`",
                f"the role `{DRILL_FIS_ROLE}`",
            ),
        ),
        preconditions=no_preconditions,
        actions=_actions,
        watchdogs=no_watchdogs,
        mark=FaultMark(
            MarkedKind.TABLE, lambda region: region.dynamodb_table_arn, lambda _state: "replicates"
        ),
        # AWS says that replication may go on for up to five minutes after the experiment has begun.
        leftovers=_leftovers,
        sign=FaultSign(
            what="a payment that stays in the region it was written in", is_seen=_is_seen, within_s=300.0
        ),
        alarms=FaultAlarms(must_ring=(), may_ring_in_survivor=("ReplicationLatency",)),
        documentation=FaultDocumentation(
            title="Stop the replication of payments between the regions.",
            steady_state="What is written in one region is read in the other.",
            injection=(
                f"On AWS an experiment of the fault injection service with the action `{PAUSE_ACTION}` on "
                "the region's table. It ends by itself one minute after the longest time that the drill may "
                "take, or when an alarm rings on the API's errors or latency in that region. AWS says that "
                "replication may go on for up to five minutes after it has begun: the drill waits until it "
                "has stopped, and holds from then on. On the embedded AWS the fault `replication-pause`."
            ),
            signals=(
                "Both regions keep serving, and no name changes.",
                "What is written in one region stays there.",
                "When it ends, the backlog drains; of two writes to one item the last one wins.",
            ),
            restoration=RESTORATION,
        ),
    )
)
