"""What an environment is like before a drill, and what may prevent one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

NO_CONCURRENCY = 0
"""The reserved concurrency with which Lambda refuses every invocation."""


@dataclass(frozen=True)
class RegionState:
    """One region before a drill.

    Attributes:
        inverted, disabled: of its health check.
        concurrency: what is reserved for its function; None for nothing.
        table_env, function_env: their tag `Environment`; empty where they have none.
    """

    region: str
    inverted: bool
    disabled: bool
    concurrency: int | None
    table_env: str
    function_env: str


@dataclass(frozen=True)
class Situation:
    """An environment before a drill.

    Attributes:
        account: whose credentials these are, as twelve digits.
        regions: the primary, then the secondary.
        ringing: the declared alarms that ring, each as `name in region`.
        missing: the declared alarms that are not there, likewise.
        journals: of drills that may have left something in place.
        faults: what fails in the embedded AWS, each in a phrase; none on AWS.
        time_scale_holds: which drills ask for a time scale of the embedded AWS, and for which; none on AWS.
        used_today: requests that the API's keys have made today.
        evacuated: the regions that are evacuated, whose names lead elsewhere whatever a drill does.
    """

    account: str
    regions: tuple[RegionState, RegionState]
    ringing: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    journals: tuple[Path, ...] = ()
    faults: tuple[str, ...] = ()
    time_scale_holds: Mapping[str, float] = field(default_factory=dict)
    used_today: int = 0
    evacuated: tuple[str, ...] = ()

    def lost_region(self, *, reverse: bool) -> RegionState:
        """The region that is to be lost, as it is now."""
        return self.regions[1 if reverse else 0]


@dataclass(frozen=True)
class FailedPrecondition:
    """Why a drill may not begin, in a sentence, and the next step."""

    what: str
    hint: str
