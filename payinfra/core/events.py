"""What the stages say while they work: values that a reporter draws, so that nothing below the CLI prints."""

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
    """A stage of the pipeline began. `total` counts resources where it is known beforehand."""

    stage: str
    total: int | None = None


@dataclass(frozen=True)
class StageFinished:
    """A stage ended well. `seconds` is wall time; `detail` is one short phrase for a person."""

    stage: str
    seconds: float
    detail: str = ""


@dataclass(frozen=True)
class StageSkipped:
    """A stage was left out, and why."""

    stage: str
    reason: str


@dataclass(frozen=True)
class ResourceStarted:
    """Terraform began to work on one resource."""

    address: str
    action: Action


@dataclass(frozen=True)
class ResourceFinished:
    """Terraform ended its work on one resource, after `seconds` of wall time."""

    address: str
    action: Action
    seconds: float


@dataclass(frozen=True)
class ResourceFailed:
    """Terraform could not finish one resource."""

    address: str
    action: Action


@dataclass(frozen=True)
class Notice:
    """A sentence for the person who watches: something worth knowing that is no failure."""

    message: str


Event = (
    StageStarted | StageFinished | StageSkipped | ResourceStarted | ResourceFinished | ResourceFailed | Notice
)
Emit = Callable[[Event], None]


def ignore(_event: Event) -> None:
    """An `Emit` for callers that watch nothing."""
