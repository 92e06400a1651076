"""The events that stages emit while they run. Only reporters print them."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """What Terraform does with one resource."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    READ = "read"


@dataclass(frozen=True)
class StageStarted:
    """A stage began. `total` is the number of resources, where it is known in advance."""

    stage: str
    total: int | None = None


@dataclass(frozen=True)
class StageFinished:
    """A stage succeeded. `seconds` is wall time; `detail` is one short phrase for a person."""

    stage: str
    seconds: float
    detail: str = ""


@dataclass(frozen=True)
class StageSkipped:
    """A stage was skipped, with the reason."""

    stage: str
    reason: str


@dataclass(frozen=True)
class ResourceStarted:
    """Terraform began to work on a resource."""

    address: str
    action: Action


@dataclass(frozen=True)
class ResourceFinished:
    """Terraform finished a resource after `seconds` of wall time."""

    address: str
    action: Action
    seconds: float


@dataclass(frozen=True)
class ResourceFailed:
    """Terraform failed on a resource."""

    address: str
    action: Action


@dataclass(frozen=True)
class Notice:
    """A sentence for the person who watches, about something that is no failure."""

    message: str


Event = (
    StageStarted | StageFinished | StageSkipped | ResourceStarted | ResourceFinished | ResourceFailed | Notice
)
Emit = Callable[[Event], None]


def ignore(_event: Event) -> None:
    """An `Emit` for callers that watch nothing."""
