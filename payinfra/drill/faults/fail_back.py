"""Switches the fail-back rule off while a drill runs.

Where fail-back is manual, the standby keeps a name that has moved to it. A drill restores the region and
waits for the name to return, so the rule must not keep it. The note that switches it off expires, also if the
drill is killed.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from payinfra.clients import evacuation_flag
from payinfra.clients.aws import Endpoints
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.evacuation import NOT_EVACUATED, EvacuationFlag
from payinfra.core.json_text import parse_json
from payinfra.drill.faults.actions import ActionDescription, FaultAction, FaultClients, aws_cli
from payinfra.drill.faults.model import FaultContext

COMES_BACK = timedelta(minutes=10)
"""How long the name may take to return after the last fault is lifted: twice ten health checks of 30 s."""


@dataclass(frozen=True)
class HoldFailBack(FaultAction):
    """Write into the survivor's flag that the fail-back rule is to set none for a while.

    Attributes:
        survivor: the region whose rule is held off.
        parameter: the flag's, in Parameter Store.
        drill: who holds it off.
        until: when that ends by itself, in UTC.
    """

    survivor: str
    parameter: str
    drill: str
    until: datetime
    kind: ClassVar[str] = "hold-fail-back"

    @property
    def value(self) -> str:
        """What is written."""
        until = self.until.astimezone(UTC).isoformat(timespec="seconds")
        return json.dumps({"held_until": until, "drill": self.drill})

    def inject(self, clients: FaultClients) -> None:
        """Hold it off. A flag that has ended by itself, of a drill that was killed, is written over.

        Raises:
            EnvironmentUnusable: a region is evacuated.
        """
        found = EvacuationFlag.from_json(self._read(clients))
        if found is not None and found.stands(datetime.now(UTC)):
            raise EnvironmentUnusable(
                f"{found.region} is evacuated since {found.since}, by {found.by}: its names have moved.",
                "Run `payinfra return` first, then drill.",
            )
        self._write(clients, self.value)

    def rollback(self, clients: FaultClients) -> None:
        """Remove the note, unless something else has been written meanwhile."""
        if self.is_active(clients):
            self._write(clients, NOT_EVACUATED)

    def is_active(self, clients: FaultClients) -> bool:
        """Whether this drill holds it off."""
        try:
            found = parse_json(self._read(clients))
        except ValueError:
            return False
        return isinstance(found, dict) and "held_until" in found and found.get("drill") == self.drill

    def describe(self, endpoints: Endpoints | None = None) -> ActionDescription:
        """See `FaultAction`."""
        put = f"ssm put-parameter --name {self.parameter} --type String --overwrite --value '{NOT_EVACUATED}'"
        until = f"{self.until.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        return ActionDescription(
            f"drill {self.drill} holds the fail-back rule in {self.survivor} off, "
            f"until {until} at the latest",
            f"drill {self.drill} does not hold the fail-back rule in {self.survivor} off",
            aws_cli(endpoints, "ssm", self.survivor, put),
            (f"ssm:PutParameter {self.parameter} in {self.survivor}: held off until {until}",),
        )

    def _read(self, clients: FaultClients) -> str:
        return clients.aws.ssm(self.survivor).get_parameter(Name=self.parameter)["Parameter"]["Value"]

    def _write(self, clients: FaultClients, value: str) -> None:
        evacuation_flag.put(clients.aws, self.survivor, self.parameter, value)


def hold_fail_back(context: FaultContext) -> tuple[HoldFailBack, ...]:
    """The action for a drill that loses the primary region; none if names return by themselves."""
    evacuation, outputs = context.outputs.declared.evacuation, context.outputs
    if evacuation is None or evacuation.failback != "manual" or context.lost != outputs.primary:
        return ()
    return (
        HoldFailBack(
            outputs.secondary_region, evacuation.parameter, context.drill, context.ends_by + COMES_BACK
        ),
    )
