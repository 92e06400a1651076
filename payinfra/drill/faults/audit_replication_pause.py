"""The fault `audit-replication-pause`: S3 copies no audit object out of the region; payments go on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from payinfra.clients.aws import Endpoints
from payinfra.core.naming import DRILL_FIS_ROLE, PROJECT
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
from payinfra.local.faults import ObjectReplicationPause

if TYPE_CHECKING:
    from mypy_boto3_fis.type_defs import (
        CreateExperimentTemplateActionInputTypeDef,
        CreateExperimentTemplateTargetInputTypeDef,
        ExperimentTypeDef,
    )

NAME = "audit-replication-pause"
PAUSE_ACTION = "aws:s3:bucket-pause-replication"
"""FIS's action that stops S3's replication to one region (FIS user guide, "AWS FIS actions reference")."""
RESOURCE_TYPE = "aws:s3:bucket"
WITHIN_S = 3600.0
"""Objects that exist may go on being copied for up to an hour after the action has begun (same source)."""
_LABEL = "-audit"


@dataclass(frozen=True)
class PauseCopies(EmulatorFaultAction):
    """Let S3 of the embedded AWS copy no object out of a region. It copied before."""

    region: str
    kind: ClassVar[str] = "pause-copies"

    @property
    def fault(self) -> ObjectReplicationPause:
        """See `EmulatorFaultAction`."""
        return ObjectReplicationPause(self.region)

    def describe(self, endpoints: Endpoints | None = None) -> ActionDescription:  # noqa: ARG002 - no AWS call
        """See `FaultAction`."""
        return ActionDescription(
            f"S3 copies no object from {self.region}",
            f"S3 copies objects from {self.region} again",
            CLEAR_FAULTS,
            (f"fault object-replication-pause of the embedded AWS: {self.region}",),
        )


@dataclass(frozen=True)
class RunBucketExperiment(FisExperiment):
    """Stop the replication out of one region's audit bucket with AWS FIS.

    The action takes its targets by tags only, so it finds every bucket of the environment in the region; it
    is limited to rules whose destination is the other region's audit bucket. What is written meanwhile is
    copied when the experiment has ended.

    Attributes:
        env: the environment, as its buckets' tags have it.
        other: the region that objects are copied to.
        destination: the audit bucket there.
    """

    region: str
    env: str
    other: str
    destination: str
    role_arn: str
    minutes: int
    drill: str
    stop_alarms: tuple[str, ...] = ()
    kind: ClassVar[str] = "run-bucket-experiment"

    @property
    def label(self) -> str:
        """See `FisExperiment`."""
        return f"{self.drill}{_LABEL}"

    @property
    def summary(self) -> str:
        """See `FisExperiment`."""
        return "A failover drill pauses the replication of audit objects"

    @property
    def paused(self) -> str:
        """See `FisExperiment`."""
        return f"S3's copies from {self.region} to {self.destination}"

    @property
    def call(self) -> str:
        """See `FisExperiment`."""
        return f"{PAUSE_ACTION} to {self.destination}"

    @property
    def targets(self) -> "Mapping[str, CreateExperimentTemplateTargetInputTypeDef]":
        """See `FisExperiment`."""
        return {
            "bucket": {
                "resourceType": RESOURCE_TYPE,
                "resourceTags": {"Environment": self.env, "Project": PROJECT},
                "selectionMode": "ALL",
            }
        }

    @property
    def actions(self) -> "Mapping[str, CreateExperimentTemplateActionInputTypeDef]":
        """See `FisExperiment`."""
        return {
            "pause": {
                "actionId": PAUSE_ACTION,
                "parameters": {
                    "duration": f"PT{self.minutes}M",
                    "region": self.other,
                    "destinationBuckets": self.destination,
                },
                "targets": {"Buckets": "bucket"},
            }
        }


def _actions(context: FaultContext) -> tuple[FaultAction, ...]:
    outputs, lost = context.outputs, context.lost
    if not context.on_aws:
        return (PauseCopies(lost.region),)
    other = outputs.other_than(lost.region)
    return (
        RunBucketExperiment(
            lost.region,
            outputs.environment_suffix,
            other.region,
            other.s3_bucket_name,
            role_arn(outputs, DRILL_FIS_ROLE),
            minutes_for(context.longest_s),
            context.drill,
            customers_alarms(outputs, lost.region),
        ),
    )


def _leftovers(search: FaultSearch) -> Iterator[FaultAction]:
    outputs, region = search.outputs, search.region.region
    if ObjectReplicationPause(region) in search.embedded_faults():
        yield PauseCopies(region)
    if search.clients.control is not None:
        return
    other = outputs.other_than(region)

    def concerns(found: "ExperimentTypeDef") -> bool:
        return any(
            action.get("parameters", {}).get("destinationBuckets") == other.s3_bucket_name
            for action in found.get("actions", {}).values()
        )

    for label in live_experiments(search.clients.aws.fis(region), concerns):
        yield RunBucketExperiment(
            region,
            outputs.environment_suffix,
            other.region,
            other.s3_bucket_name,
            role_arn(outputs, DRILL_FIS_ROLE),
            LONGEST_EXPERIMENT_MIN,
            label.removesuffix(_LABEL),
        )


def _is_seen(sources: EvidenceSources, actions: tuple[FaultAction, ...]) -> bool:  # noqa: ARG001 - the data
    return sources.copies_wait()


AUDIT_REPLICATION_PAUSE = register(
    Fault(
        name=NAME,
        unavailable_on_aws="",
        health=HealthEffect.NONE,
        separates_regions=True,
        permissions=(
            *permissions(PAUSE_ACTION),
            RequiredPermission(
                (
                    "s3:PauseReplication",
                    "s3:GetReplicationConfiguration",
                    "s3:PutReplicationConfiguration",
                    "s3:ListAllMyBuckets",
                    "tag:GetResources",
                ),
                "the environments' audit buckets, the second and third for such a pause only; the last two "
                "on `*`",
                f"the role `{DRILL_FIS_ROLE}`",
            ),
        ),
        preconditions=no_preconditions,
        actions=_actions,
        watchdogs=no_watchdogs,
        # S3 replaces all tags of a bucket at once: the table of the region bears the mark.
        mark=FaultMark(
            MarkedKind.TABLE, lambda region: region.dynamodb_table_arn, lambda _state: "replicates"
        ),
        leftovers=_leftovers,
        sign=FaultSign(
            what="an audit object that stays in the region it was written in",
            is_seen=_is_seen,
            within_s=WITHIN_S,
        ),
        alarms=FaultAlarms(must_ring=(), may_ring_in_survivor=()),
        documentation=FaultDocumentation(
            title="Stop S3's replication of audit objects out of the region.",
            steady_state="What is written into the region's audit bucket is copied to the other one.",
            injection=(
                f"On AWS an experiment of the fault injection service with the action `{PAUSE_ACTION}` on "
                "the environment's buckets in the region, for rules that lead to the other audit bucket. It "
                "ends by itself one minute after the longest time that the drill may take, or when an alarm "
                "rings on the API's errors or latency in that region. AWS says that objects may go on being "
                "copied for up to an hour after it has begun: the drill waits until one stays, and holds "
                "from then on. On the embedded AWS the fault `object-replication-pause`."
            ),
            signals=(
                "Both regions keep serving, payments replicate, and no name changes.",
                "Audit objects that are written in the region stay there.",
                "When it ends they are copied. Each payment has its object in both buckets in the end.",
            ),
            restoration=RESTORATION,
        ),
    )
)
