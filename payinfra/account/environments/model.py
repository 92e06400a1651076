"""What is known about the environments of an account, as read from the account."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ResourceKind(StrEnum):
    """The kind of a resource."""

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
    """Whether an environment is complete."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    UNKNOWN = "unknown"


class Protection(StrEnum):
    """Whether an environment is protected."""

    EPHEMERAL = "ephemeral"
    PROTECTED = "protected"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class TaggedResource:
    """A resource that carries the project's tags.

    Attributes:
        region: empty for a global resource.
        name: the end of its ARN, without the type.
    """

    arn: str
    kind: ResourceKind
    region: str
    name: str
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Facts:
    """Facts about one resource.

    Attributes:
        born: when it was created, in UTC; None where unknown.
        departing: whether it is scheduled for deletion.
        gone: whether it no longer exists, though it was listed.
        deletion_protected: whether deletion protection is on.
        recoverable: whether it has point-in-time recovery, which costs money.
    """

    born: datetime | None = None
    departing: bool = False
    gone: bool = False
    deletion_protected: bool = False
    recoverable: bool = False


@dataclass(frozen=True)
class Cost:
    """A kind of resource that costs money while idle, and how many the environment has."""

    what: str
    count: int


@dataclass(frozen=True)
class Environment:
    """An environment.

    Attributes:
        owner: the value of the Owner tag; empty where there is none.
        regions: where it serves, by name.
        lacks: what a complete environment has and this one does not.
        born: when its oldest resource was created, in UTC; None where unknown.
        resources: how many AWS lists by tag, which leaves out roles, aliases and records.
        costs: those that cost money while idle.
        unknown: what could not be read, and why.
        not_priced: those besides whose price is not known, as ARNs name service and type.
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
    not_priced: tuple[Cost, ...] = ()


@dataclass(frozen=True)
class EnvironmentInventory:
    """The environments of an account, by name.

    Attributes:
        asked: the regions that were read.
        departing: how many keys of destroyed environments wait for deletion.
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
        """Whether everything could be read."""
        return not self.unknown and not any(each.unknown for each in self.environments)
