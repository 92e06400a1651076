"""The flag of an evacuation: what the surviving region keeps, and its API's page shows to health checkers.

It is the value of one parameter of Parameter Store, `Names.parameter(Parameter.EVACUATED)`, as JSON. The
payments function of the region reads the same (handlers/payments/evacuation.py). Whatever else stands there
means that no region is evacuated: an unreadable flag moves nothing.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from payinfra.core.json_text import parse_json

BY_RULE = "the fail-back rule"
"""Who has set a flag that no person has set: the payments function of the standby, if fail-back is manual and
the failover name had moved there (handlers/payments/fail_back.py)."""
FAILOVER_METRIC = "FailoverSeen"
"""The metric whose alarm says that clients are led to its region, not that anything fails there
(handlers/payments/observe.py)."""
NOT_EVACUATED = "{}"
"""The value while no region is evacuated; a parameter cannot be empty."""


@dataclass(frozen=True)
class EvacuationFlag:
    """That a region is evacuated.

    Attributes:
        region: the region that clients are kept away from; never the one whose parameter this is.
        since: when it was evacuated, as ISO 8601 in UTC.
        by: who or what did it.
        drill: the id of the failover drill whose flag it is; empty for a real evacuation, which no drill and
            no restoration lifts.
        until: when a drill's flag ends by itself, as ISO 8601 in UTC; empty for one that stands until it is
            lifted.
    """

    region: str
    since: str
    by: str
    drill: str = ""
    until: str = ""

    def to_json(self) -> str:
        """The parameter's value."""
        said = {"region": self.region, "since": self.since, "by": self.by}
        drilled = {"drill": self.drill, "until": self.until}
        return json.dumps(said | {name: value for name, value in drilled.items() if value})

    def stands(self, now: datetime) -> bool:
        """Whether the flag evacuates its region at a moment, as the payments function judges it: a drill's
        ends by itself, and one whose end says no moment with a zone has ended.

        Args:
            now: with its zone.
        """
        if not self.until:
            return True
        try:
            end = datetime.fromisoformat(self.until)
        except ValueError:
            return False
        return end.tzinfo is not None and now < end

    @classmethod
    def from_json(cls, text: str) -> Self | None:
        """Read the parameter's value; None where it says of no region that it is evacuated."""
        try:
            found = parse_json(text)
        except ValueError:
            return None
        if not isinstance(found, dict) or not isinstance(region := found.get("region"), str) or not region:
            return None
        return cls(
            region,
            *(str(found.get(name, "")) for name in ("since", "by", "drill", "until")),
        )
