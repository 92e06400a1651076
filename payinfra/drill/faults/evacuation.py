"""The fault `evacuation`: a region that serves is evacuated, as `payinfra evacuate` does, and returned to.

The flag names the drill and expires. A flag that a person has set names no drill: no drill replaces it, and
neither a rollback nor a restoration removes it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from payinfra.clients import evacuation_flag
from payinfra.clients.aws import Endpoints
from payinfra.clients.aws_errors import NotYet
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.evacuation import NOT_EVACUATED, EvacuationFlag
from payinfra.core.outputs import DeclaredEvacuation, Outputs
from payinfra.drill.faults.actions import ActionDescription, FaultAction, FaultClients, aws_cli
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
    no_preconditions,
    no_watchdogs,
)
from payinfra.drill.faults.registry import register

NAME = "evacuation"
BY = "failover-drill"
"""Who has set a drill's flag, as `status` shows it."""
SHOWN = 200
"""What the page answers while the other region is evacuated."""
NOT_SHOWN = 404
"""What it answers while the other region is not."""


@dataclass(frozen=True)
class EvacuateRegion(FaultAction):
    """Set the flag of an evacuation at the survivor. None stood there before.

    Attributes:
        region: the region that is evacuated.
        survivor: the region that keeps the flag.
        parameter: the flag's, in Parameter Store.
        drill: whose flag it is.
        since, until: when it was prepared, and when it ends by itself, in UTC.
    """

    region: str
    survivor: str
    parameter: str
    drill: str
    since: datetime
    until: datetime
    kind: ClassVar[str] = "evacuate-region"

    @property
    def flag(self) -> EvacuationFlag:
        """What is set."""
        since, until = (one.astimezone(UTC).isoformat(timespec="seconds") for one in (self.since, self.until))
        return EvacuationFlag(self.region, since, BY, self.drill, until)

    def inject(self, clients: FaultClients) -> None:
        """Set the flag. One that has ended by itself, of a drill that was killed, is written over.

        Raises:
            EnvironmentUnusable: the region is evacuated already, by a person or by another drill.
        """
        found = self._standing(clients)
        if found is not None and found.drill != self.drill and found.stands(datetime.now(UTC)):
            raise EnvironmentUnusable(
                f"{self.region} is evacuated since {found.since}, by {found.by}: a drill takes nothing over.",
                "Run `payinfra return` first, then drill.",
            )
        evacuation_flag.put(clients.aws, self.survivor, self.parameter, self.flag.to_json())

    def rollback(self, clients: FaultClients) -> None:
        """Lift the flag, if it still is this drill's."""
        if self.is_active(clients):
            evacuation_flag.put(clients.aws, self.survivor, self.parameter, NOT_EVACUATED)

    def is_active(self, clients: FaultClients) -> bool:
        """Whether this drill's flag stands."""
        found = self._standing(clients)
        return found is not None and found.drill == self.drill

    def describe(self, endpoints: Endpoints | None = None) -> ActionDescription:
        """See `FaultAction`."""
        put = f"ssm put-parameter --name {self.parameter} --type String --overwrite --value '{NOT_EVACUATED}'"
        where = f"{self.parameter} in {self.survivor}"
        return ActionDescription(
            f"{self.region} is evacuated for drill {self.drill}: its flag stands in {self.survivor}",
            f"no flag of drill {self.drill} evacuates {self.region}",
            aws_cli(endpoints, "ssm", self.survivor, put),
            (f"ssm:PutParameter {where}: {self.region}, until {self.until.astimezone(UTC):%H:%M:%S} UTC",),
        )

    def _standing(self, clients: FaultClients) -> EvacuationFlag | None:
        found = evacuation_flag.look(clients.aws, self.survivor, self.parameter)
        return found if found is not None and found.region == self.region else None


def declared_in(outputs: Outputs) -> DeclaredEvacuation:
    """How the environment is evacuated.

    Raises:
        EnvironmentUnusable: it was deployed by a version that could not evacuate.
    """
    found = outputs.declared.evacuation
    if found is None:
        raise EnvironmentUnusable(
            "The environment was deployed by a version of payinfra that could not evacuate a region.",
            "Deploy it with this version, then drill.",
        )
    return found


def _actions(context: FaultContext) -> tuple[FaultAction, ...]:
    lost = context.lost.region
    return (
        EvacuateRegion(
            lost,
            context.outputs.other_than(lost).region,
            declared_in(context.outputs).parameter,
            context.drill,
            context.began,
            context.ends_by,
        ),
    )


def _leftovers(search: FaultSearch) -> Iterator[FaultAction]:
    evacuation, lost = search.outputs.declared.evacuation, search.region.region
    if evacuation is None:
        return
    survivor = search.outputs.other_than(lost).region
    # If that region is silent, the error names it, so that callers who know that can leave it out.
    found = evacuation_flag.read(search.clients.aws, survivor, evacuation.parameter)
    if found is None or found.region != lost or not found.drill:
        return  # A flag that names no drill is a real evacuation's.
    yield EvacuateRegion(
        lost, survivor, evacuation.parameter, found.drill, _moment(found.since), _moment(found.until)
    )


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _is_seen(sources: EvidenceSources, actions: tuple[FaultAction, ...]) -> bool:
    """A page that is late, or cannot read the flag now, does not say that the region is not evacuated.

    Raises:
        NotYet: the page says neither.
    """
    status = sources.evacuation_page()
    if status not in (SHOWN, NOT_SHOWN):
        raise NotYet(f"the survivor's page answers {status or 'nothing'}")
    return status == SHOWN and all(sources.is_active(action) for action in actions)


EVACUATION = register(
    Fault(
        name=NAME,
        unavailable_on_aws="",
        health=HealthEffect.EVACUATED,
        separates_regions=False,
        permissions=(
            RequiredPermission(
                ("ssm:GetParameter", "ssm:PutParameter"), "the flag's parameter, in the region that survives"
            ),
            RequiredPermission(
                (
                    *("dynamodb:PutItem", "dynamodb:GetItem", "dynamodb:Scan", "s3:ListBucket"),
                    "cloudwatch:GetMetricStatistics",
                ),
                "the tables, the audit buckets and `*`, in both regions: what `payinfra return` looks at",
            ),
        ),
        preconditions=no_preconditions,
        actions=_actions,
        # The flag expires. A watchdog could remove a flag that a person has set meanwhile.
        watchdogs=no_watchdogs,
        mark=FaultMark(
            MarkedKind.HEALTH_CHECK, lambda region: region.health_check_id, lambda _state: "serves"
        ),
        leftovers=_leftovers,
        sign=FaultSign(
            what="the survivor's page that says so, and the drill's flag", is_seen=_is_seen, within_s=30.0
        ),
        alarms=FaultAlarms(must_ring=(), may_ring_in_survivor=()),
        documentation=FaultDocumentation(
            title="Evacuate the region as `payinfra evacuate` does, live on the survivor, and return.",
            steady_state="No region is evacuated, and the region serves.",
            injection=(
                "`PutParameter` of the flag in the survivor, the one change that `payinfra evacuate` makes. "
                "The flag names the drill, and the payments function follows it only until two minutes "
                "after the longest time that the drill may take. The region goes on "
                "serving whoever still asks it."
            ),
            signals=(
                "The survivor's page `/evacuation` answers 200, and Route 53's checkers see it.",
                "Both names lead to the survivor within threshold x interval of that check, and stay there "
                "although the region's own health check is healthy.",
                "No payment fails: clients that hold the old DNS answer are still served.",
                "The time from the flag until the survivor served the last client is the RTO.",
            ),
            restoration=(
                "As `payinfra return`: the region's probes pass, marks cross both ways, ten times the "
                "greatest recent latency of replication passes, the payments of both regions agree; then "
                "the flag is lifted. If the return refuses, the drill fails, and its flag is lifted all the "
                "same. After a kill `--restore` lifts the flag if it still names that drill. If a person "
                "evacuates the region during a drill, that flag replaces the drill's, and only `payinfra "
                "return` lifts it. A drill's flag that nobody lifts expires."
            ),
        ),
    )
)
