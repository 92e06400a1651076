"""What is known of the environments of an account. All of it was read from the account itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ResourceKind(StrEnum):
    """What a resource is."""

    ALARM = "alarm"
    API = "API"
    BUCKET = "bucket"
    CERTIFICATE = "certificate"
    FUNCTION = "function"
    HEALTH_CHECK = "health check"
    KEY = "key"
    LOG_GROUP = "log group"
    PARAMETER = "parameter"
    TABLE = "table"
    TOPIC = "topic"
    ZONE = "hosted zone"
    OTHER = "other"


class State(StrEnum):
    """Whether an environment has what a deployment makes."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    UNKNOWN = "unknown"


class Protection(StrEnum):
    """Whether an environment may be thrown away."""

    EPHEMERAL = "ephemeral"
    PROTECTED = "protected"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class TaggedResource:
    """A resource that carries the project's tags.

    Attributes:
        region: where it is; empty for what is global.
        name: what its ARN ends in, without its type.
    """

    arn: str
    kind: ResourceKind
    region: str
    name: str
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Facts:
    """What one resource says of itself.

    Attributes:
        born: when it was made, in UTC; None where it does not tell.
        departing: whether it is only waiting to be deleted.
        gone: whether it is not there any more, though it was listed.
        deletion_protected: whether it refuses to be deleted.
        recoverable: whether it can be put back to any point in time, which is paid for.
    """

    born: datetime | None = None
    departing: bool = False
    gone: bool = False
    deletion_protected: bool = False
    recoverable: bool = False


@dataclass(frozen=True)
class Cost:
    """Resources of an environment that cost money while nothing happens, and how many there are."""

    what: str
    count: int


@dataclass(frozen=True)
class Environment:
    """An environment.

    Attributes:
        owner: the value of the Owner tag; empty where there is none.
        regions: where it serves, by name.
        lacks: what a whole environment has and this one has not.
        born: when its oldest resource was made, in UTC; None where no resource tells.
        resources: how many there are that AWS lists by tag. Roles, aliases and records are not among them.
        costs: those that cost money while idle.
        unknown: what could not be found out, and why.
    """

    name: str
    owner: str
    regions: tuple[str, ...]
    state: State
    lacks: tuple[str, ...]
    protection: Protection
    born: datetime | None
    resources: int
    costs: tuple[Cost, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class EnvironmentInventory:
    """The environments of an account, by name.

    Attributes:
        asked: the regions that were asked.
        departing: how many keys of environments that are gone wait to be deleted.
        unknown: the regions that did not answer, and why.
    """

    account: str
    target: str
    asked: tuple[str, ...]
    environments: tuple[Environment, ...]
    departing: int
    unknown: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether everything that was asked was answered."""
        return not self.unknown and not any(each.unknown for each in self.environments)
