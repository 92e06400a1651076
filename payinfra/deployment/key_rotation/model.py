"""How far the rotation of an API key has come. Nothing here holds a key's value."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Stage(StrEnum):
    """How far a rotation has come.

    SETTLED: one key is valid. BEGUN: another is being made, and the command that makes it has not ended.
    OVERLAP: the new key is the API's, and the former one is still valid.
    """

    SETTLED = "settled"
    BEGUN = "begun"
    OVERLAP = "overlap"


@dataclass(frozen=True)
class ClientKey:
    """An API key of a region: its id, and when it was made, in UTC (None where that is not told)."""

    id: str
    created: datetime | None


@dataclass(frozen=True)
class RegionKeys:
    """A region's API keys, by their names: the API's own, the one that will be, the one that was."""

    region: str
    current: ClientKey | None
    following: ClientKey | None
    former: ClientKey | None

    @property
    def stage(self) -> Stage:
        """How far this region has come."""
        if self.following is not None or self.current is None:
            return Stage.BEGUN
        return Stage.SETTLED if self.former is None else Stage.OVERLAP

    @property
    def taking_over(self) -> ClientKey | None:
        """The key that is taking another's place, or has taken it."""
        if self.following is not None:
            return self.following
        return self.current if self.former is not None else None


@dataclass(frozen=True)
class Rotation:
    """How far it has come in both regions, the primary first."""

    env: str
    regions: tuple[RegionKeys, ...]

    @property
    def stage(self) -> Stage:
        """BEGUN where any region is, else OVERLAP where any region is."""
        stages = {each.stage for each in self.regions}
        return next((stage for stage in (Stage.BEGUN, Stage.OVERLAP) if stage in stages), Stage.SETTLED)


@dataclass(frozen=True)
class RemovedKeys:
    """The former keys that were removed: region to id."""

    env: str
    keys: Mapping[str, str]
