"""What drills have left in an environment, also where no journal says so, and what rings because of it."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from payinfra.checks.outcome import Outcome
from payinfra.clients.aws import Aws
from payinfra.core.outputs import Outputs
from payinfra.drill.faults import leftovers, region_outage
from payinfra.drill.faults.actions import FaultAction, FaultClients
from payinfra.drill.faults.journal import FILE
from payinfra.drill.faults.marks import MarkResource
from payinfra.drill.faults.region_outage import Blackout
from payinfra.drill.prediction import ALARMS_LOOK_BACK_S
from payinfra.local.control import Control

ALARM_PROBES = frozenset({"LIVE-CW-002", "LIVE-CW-003"})
"""The probes that fail while an alarm rings."""
CONNECT_S = 2.0
READ_S = 3.0


@dataclass(frozen=True)
class LeftFaults:
    """What one look found.

    Attributes:
        in_place: what drills have left, each in a sentence.
        unknown: what could not be looked at, each in a sentence.
        seconds: how long the look took.
    """

    in_place: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    seconds: float = 0.0

    def not_of(self, regions: Iterable[str]) -> tuple[str, ...]:
        """What could not be looked at, without what is of these regions: that they do not answer is said."""
        return tuple(one for one in self.unknown if not any(region in one for region in regions))


def look(outputs: Outputs, aws: Aws, control: Control | None, *, is_shared: bool) -> LeftFaults:
    """Hold what was declared against what is there, and read the marks on the resources. Changes nothing.

    Args:
        control: of the embedded AWS; None on AWS.
        is_shared: whether a drill of another environment of the same embedded AWS runs.
    """
    began = time.monotonic()
    quick = aws.within(connect_timeout=CONNECT_S, read_timeout=READ_S, attempts=1)
    found = leftovers.find(outputs, FaultClients(quick, control), is_shared=is_shared)
    marks = [one for one in found.actions if isinstance(one, MarkResource)]
    changes = [one for one in found.actions if not isinstance(one, MarkResource)]
    # Marks of Route 53's are read whether or not a region answers: one that is dark without any was lost as
    # on the day, and that it does not answer is said elsewhere.
    drilled = {mark.resource.id for mark in marks if mark.fault == region_outage.NAME}
    checks = {region.region: region.health_check_id for region in outputs.regions}
    changes = [one for one in changes if not isinstance(one, Blackout) or checks.get(one.region) in drilled]
    words = (*map(_in_words, changes), *map(_marked, marks))
    return LeftFaults(words, found.unknown, time.monotonic() - began)


def _in_words(action: FaultAction) -> str:
    what = action.describe().done
    return f"{what[:1].upper()}{what[1:]}, as a drill makes it."


def _marked(mark: MarkResource) -> str:
    was = f"; before: {mark.original}" if mark.original else ""
    return (
        f"{mark.resource.id} in {mark.resource.region} bears the mark of drill {mark.drill} ({mark.fault}) "
        f"since {mark.since:%Y-%m-%d %H:%M:%S} UTC{was}."
    )


def _utc_now() -> datetime:
    return datetime.now(UTC)


def still_ringing(outcome: Outcome, drills: Path, now: Callable[[], datetime] = _utc_now) -> str:
    """That alarms may ring because of a drill that is over, in a sentence; empty where none does.

    Args:
        outcome: what the probes said.
        drills: the folder that holds a folder for each drill; it need not be there.
        now: the wall clock, which the files' times are held against.
    """
    if not any(one.id in ALARM_PROBES for one in outcome.findings):
        return ""
    journals = [
        (datetime.fromtimestamp(path.stat().st_mtime, UTC), path) for path in drills.glob(f"*/{FILE}")
    ]
    if not journals:
        return ""
    ended, journal = max(journals)
    until = ended + timedelta(seconds=ALARMS_LOOK_BACK_S)
    if not ended - timedelta(seconds=ALARMS_LOOK_BACK_S) <= now() <= until:
        return ""
    return (
        f"Alarms look back {ALARMS_LOOK_BACK_S / 60:g} minutes. What rings may ring only because of drill "
        f"{journal.parent.name}, which last changed something at {ended:%H:%M:%S} UTC. Run the same again "
        f"after {until:%H:%M:%S} UTC."
    )
