"""A change that a drill makes to an environment: how it is injected, rolled back and recognised.

An action is a frozen value: what is to be done, and what was there before. The drill's journal keeps it, so
that another process can roll it back; nothing in it is sensitive. Actions try once and raise what the client
raises; `payinfra.drill.faults.executor` retries.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from payinfra.clients.aws import Endpoints

if TYPE_CHECKING:
    from payinfra.clients.aws import Aws
    from payinfra.local.control import Control
    from payinfra.local.faults import Fault as EmulatorFault

CLEAR_FAULTS = "payinfra local fault clear --all"

ACTION_KINDS: dict[str, "type[FaultAction]"] = {}
"""Every action by its name in the journal. Defining the class adds it."""


@dataclass(frozen=True)
class ActionDescription:
    """An action for a person.

    Attributes:
        done: what is so once it is injected, without a full stop.
        undone: what is so once it is rolled back.
        by_hand: the command, or commands, that roll it back without a drill's journal.
        calls: what is asked of AWS, or of the embedded one's control port, to inject it.
    """

    done: str
    undone: str
    by_hand: str
    calls: tuple[str, ...]


@dataclass(frozen=True)
class FaultClients:
    """What actions work with.

    Attributes:
        aws: clients of the environment's account.
        control: of the embedded AWS; None on AWS.
    """

    aws: "Aws"
    control: "Control | None" = None

    @property
    def embedded(self) -> "Control":
        """The embedded AWS's control. The executor lets no action get here that has none.

        Raises:
            ValueError: this is AWS: a bug.
        """
        if self.control is None:
            raise ValueError("AWS has no control port")
        return self.control


class FaultAction(ABC):
    """One change to an environment. Each method may be called again and comes to the same.

    Attributes:
        kind: its name in the journal, for ever.
        one_call: whether injecting is one call, so that nothing has happened where that call is refused.
        takes_minutes: whether it takes AWS minutes rather than seconds to begin and to end.
        embedded_only: whether only the embedded AWS can do it.
        aws_only_service: a service of AWS's that it needs and the embedded AWS lacks; empty for none.
    """

    kind: ClassVar[str]
    one_call: ClassVar[bool] = True
    takes_minutes: ClassVar[bool] = False
    embedded_only: ClassVar[bool] = False
    aws_only_service: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        """Make the action known to readers of a journal.

        Raises:
            ValueError: another action has its name: a bug.
        """
        kind = vars(cls).get("kind")
        if kind is None:
            return
        if kind in ACTION_KINDS:
            raise ValueError(f"the action {kind} is defined twice")
        ACTION_KINDS[kind] = cls

    @abstractmethod
    def inject(self, clients: FaultClients) -> None:
        """Do it."""

    @abstractmethod
    def rollback(self, clients: FaultClients) -> None:
        """Put back what was there before."""

    @abstractmethod
    def is_active(self, clients: FaultClients) -> bool:
        """Whether anything else is there than before."""

    @abstractmethod
    def describe(self, endpoints: Endpoints | None = None, /) -> ActionDescription:
        """Put it into words.

        Args:
            endpoints: where the embedded AWS answers, for the commands; None for AWS itself.
        """

    def guards(self, _other: "FaultAction", /) -> bool:
        """Whether it rolls the other action back if nobody else does, and must outlive it."""
        return False


class EmulatorFaultAction(FaultAction):
    """A fault of the embedded AWS."""

    embedded_only: ClassVar[bool] = True

    @property
    @abstractmethod
    def fault(self) -> "EmulatorFault":
        """What the embedded AWS is told."""

    def inject(self, clients: FaultClients) -> None:
        """Put the fault in place."""
        clients.embedded.inject(self.fault)

    def rollback(self, clients: FaultClients) -> None:
        """Clear this fault and no other."""
        for active in clients.embedded.list():
            if active.fault == self.fault:
                clients.embedded.clear(active.fault_id)

    def is_active(self, clients: FaultClients) -> bool:
        """Whether the fault is in place."""
        return any(active.fault == self.fault for active in clients.embedded.list())


@dataclass(frozen=True)
class HoldTimeScale(FaultAction):
    """Run the embedded AWS's time `scale` times as fast as real, until the last drill that asks for it ends.

    The server keeps who asks, and its own pace: drills of several environments do not put back each other's.

    Attributes:
        holder: the drill, with its environment.
    """

    scale: float
    holder: str
    kind: ClassVar[str] = "hold-time-scale"
    embedded_only: ClassVar[bool] = True

    def inject(self, clients: FaultClients) -> None:
        """Ask for the scale."""
        clients.embedded.hold_time_scale(self.holder, self.scale)

    def rollback(self, clients: FaultClients) -> None:
        """Ask for it no more."""
        clients.embedded.release_time_scale(self.holder)

    def is_active(self, clients: FaultClients) -> bool:
        """Whether this drill asks for a scale."""
        return self.holder in clients.embedded.status().time_scale_holds

    def describe(self, _endpoints: Endpoints | None = None, /) -> ActionDescription:
        """See `FaultAction`."""
        return ActionDescription(
            f"the embedded AWS's time runs {_pace(self.scale)} for the drill {self.holder}",
            f"the drill {self.holder} does not set the embedded AWS's time scale any more",
            "payinfra local down; payinfra local up",
            (f"time scale of the embedded AWS: {self.scale:g}",),
        )


@dataclass(frozen=True)
class SetTimeScale(FaultAction):
    """Set the time scale of the embedded AWS, as drills of earlier versions did.

    No drill does so any more; a journal may still have it. `original`: how fast time ran before.
    """

    scale: float
    original: float
    kind: ClassVar[str] = "set-time-scale"
    embedded_only: ClassVar[bool] = True

    def inject(self, clients: FaultClients) -> None:
        """Set the new scale."""
        clients.embedded.set_time_scale(self.scale)

    def rollback(self, clients: FaultClients) -> None:
        """Set the scale that was there before."""
        clients.embedded.set_time_scale(self.original)

    def is_active(self, clients: FaultClients) -> bool:
        """Whether time runs at another scale than before."""
        return clients.embedded.status().time_scale != self.original

    def describe(self, _endpoints: Endpoints | None = None, /) -> ActionDescription:
        """See `FaultAction`."""
        return ActionDescription(
            f"the embedded AWS's time runs {_pace(self.scale)}",
            f"the embedded AWS's time runs {_pace(self.original)} again",
            f"payinfra local down; payinfra local up --time-scale {self.original:g}",
            (f"time scale of the embedded AWS: {self.scale:g}",),
        )


def aws_cli(endpoints: Endpoints | None, service: str, region: str, command: str) -> str:
    """A command of the AWS CLI's, as it must be typed for the embedded AWS or for AWS."""
    if endpoints is None:
        return f"aws {command} --region {region}"
    aws = f"aws {command} --region {region} --endpoint-url {endpoints.url(service, region)}"
    # In a shell of its own: the person's credentials stay what they are.
    return f'(eval "$(payinfra local env)" && {aws})'


def _pace(scale: float) -> str:
    return "as fast as real" if scale == 1 else f"{scale:g} times as fast as real"
