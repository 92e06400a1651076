"""What can be made to fail in the embedded AWS, and the board that says what is failing now.

Values only: the server acts on them, `control` carries them over the wire. Faults live in the server's
memory. A restart of the server clears them all, so that a lost drill cannot leave a region dark for ever.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import assert_never

from payinfra.core.errors import UsageProblem

Json = Mapping[str, object]


@dataclass(frozen=True)
class RegionBlackout:
    """The region's port takes connections and answers nothing; replication to and from it waits."""

    region: str


@dataclass(frozen=True)
class ReplicationDelay:
    """Writes to a global table reach the other regions `seconds` later, give or take `jitter` seconds.

    Both are seconds of emulated time: the server divides them by its time scale.
    """

    seconds: float
    jitter: float = 0.0


@dataclass(frozen=True)
class ReplicationPause:
    """Writes to global tables stay in their region until the pause is cleared."""


@dataclass(frozen=True)
class ObjectReplicationPause:
    """What S3 would copy from the buckets of a region waits until the pause is cleared."""

    region: str


@dataclass(frozen=True)
class ServiceThrottling:
    """Every call of one service in a region is refused as one too many; callers retry as they do on AWS."""

    region: str
    service: str


@dataclass(frozen=True)
class ServiceDelay:
    """Every call of one service in a region is answered `seconds` of real time later."""

    region: str
    service: str
    seconds: float


@dataclass(frozen=True)
class ServiceDenial:
    """Every call of one service in a region is refused: nobody may make it."""

    region: str
    service: str


@dataclass(frozen=True)
class ServiceErrors:
    """So many of a hundred calls of one service in a region are answered with an error of the service's own.

    Which ones follows from their number alone, evenly spread: of any hundred in a row exactly so many.
    """

    region: str
    service: str
    percent: int


Fault = (
    RegionBlackout
    | ReplicationDelay
    | ReplicationPause
    | ObjectReplicationPause
    | ServiceThrottling
    | ServiceDelay
    | ServiceDenial
    | ServiceErrors
)
SERVICES = ("dynamodb", "kms", "lambda", "s3", "sns", "ssm")
"""Those that can be disturbed, as requests are signed for them; of Lambda also what API Gateway invokes."""
LONGEST_DELAY_S = 60.0


@dataclass(frozen=True)
class ActiveFault:
    """A fault that is in place: `fault_id` clears it, `since` is an ISO 8601 time in UTC."""

    fault_id: str
    fault: Fault
    since: str


def kind(fault: Fault) -> str:
    """The fault's name as people type it and as it travels: `region-blackout`, and so on."""
    match fault:
        case RegionBlackout():
            return "region-blackout"
        case ReplicationDelay():
            return "replication-delay"
        case ReplicationPause():
            return "replication-pause"
        case ObjectReplicationPause():
            return "object-replication-pause"
        case ServiceThrottling():
            return "service-throttling"
        case ServiceDelay():
            return "service-delay"
        case ServiceDenial():
            return "service-denial"
        case ServiceErrors():
            return "service-errors"
        case _:
            assert_never(fault)


def describe(fault: Fault) -> str:
    """One short phrase for a person."""
    match fault:
        case RegionBlackout(region):
            return f"{region} answers nothing"
        case ReplicationDelay(seconds, jitter):
            spread = f", give or take {jitter:g} s" if jitter else ""
            return f"replication takes {seconds:g} s{spread}"
        case ReplicationPause():
            return "replication is paused"
        case ObjectReplicationPause(region):
            return f"S3 copies no object from {region}"
        case ServiceThrottling(region, service):
            return f"{service} in {region} throttles every call"
        case ServiceDelay(region, service, seconds):
            return f"{service} in {region} answers {seconds:g} s late"
        case ServiceDenial(region, service):
            return f"{service} in {region} denies every call"
        case ServiceErrors(region, service, percent):
            return f"{service} in {region} fails {percent} of a hundred calls"
        case _:
            assert_never(fault)


def to_json(fault: Fault) -> dict[str, object]:
    """The fault as the control port carries it."""
    match fault:
        case RegionBlackout(region) | ObjectReplicationPause(region):
            return {"kind": kind(fault), "region": region}
        case ReplicationDelay(seconds, jitter):
            return {"kind": kind(fault), "seconds": seconds, "jitter": jitter}
        case ReplicationPause():
            return {"kind": kind(fault)}
        case ServiceThrottling(region, service) | ServiceDenial(region, service):
            return {"kind": kind(fault), "region": region, "service": service}
        case ServiceErrors(region, service, percent):
            return {"kind": kind(fault), "region": region, "service": service, "percent": percent}
        case ServiceDelay(region, service, seconds):
            return {"kind": kind(fault), "region": region, "service": service, "seconds": seconds}
        case _:
            assert_never(fault)


def from_json(value: object) -> Fault:
    """Read what `to_json` wrote.

    Raises:
        UsageProblem: the value is no fault, or its numbers are not usable.
    """
    match value:
        case {"kind": "region-blackout", "region": str(region)} if region:
            return RegionBlackout(region)
        case {"kind": "replication-delay", "seconds": int() | float() as seconds, **rest}:
            jitter = rest.get("jitter", 0.0)
            if isinstance(jitter, int | float) and 0 <= jitter <= seconds < float("inf"):
                return ReplicationDelay(float(seconds), float(jitter))
            raise UsageProblem("A replication delay needs 0 <= jitter <= seconds.", "Give both in seconds.")
        case {"kind": "replication-pause"}:
            return ReplicationPause()
        case {"kind": "object-replication-pause", "region": str(region)} if region:
            return ObjectReplicationPause(region)
        case {"kind": "service-throttling", "region": str(region), "service": str(service)} if region:
            return ServiceThrottling(region, _service(service))
        case {"kind": "service-denial", "region": str(region), "service": str(service)} if region:
            return ServiceDenial(region, _service(service))
        case {
            "kind": "service-errors",
            "region": str(region),
            "service": str(service),
            "percent": int(percent),
        } if region:
            if 1 <= percent <= 100:
                return ServiceErrors(region, _service(service), percent)
            raise UsageProblem("A service fails 1 to 100 of a hundred calls.", "Give that as a whole number.")
        case {
            "kind": "service-delay",
            "region": str(region),
            "service": str(service),
            "seconds": int() | float() as seconds,
        } if region:
            if 0 < seconds <= LONGEST_DELAY_S:
                return ServiceDelay(region, _service(service), float(seconds))
            raise UsageProblem(
                f"A service answers more than 0 s and at most {LONGEST_DELAY_S:g} s late.",
                "Give that in seconds.",
            )
        case _:
            raise UsageProblem(
                "That is no fault of the embedded AWS.",
                "Known: region-blackout (region), replication-delay (seconds, jitter), replication-pause, "
                "object-replication-pause (region), service-throttling (region, service), "
                "service-delay (region, service, seconds), "
                "service-denial (region, service), service-errors (region, service, percent).",
            )


def _service(name: str) -> str:
    if name not in SERVICES:
        raise UsageProblem(f"The service {name!r} cannot be disturbed.", f"Known: {', '.join(SERVICES)}.")
    return name


def _same_place(one: Fault, other: Fault) -> bool:
    """Whether the second takes the first one's place: there is one of a kind for what it disturbs."""

    def disturbed(fault: Fault) -> tuple[object, ...]:
        match fault:
            case RegionBlackout(region) | ObjectReplicationPause(region):
                return (region,)
            case (
                ServiceThrottling(region, service)
                | ServiceDelay(region, service)
                | ServiceDenial(region, service)
                | ServiceErrors(region, service)
            ):
                return (region, service)
            case ReplicationDelay() | ReplicationPause():
                return ()
            case _:
                assert_never(fault)

    return type(one) is type(other) and disturbed(one) == disturbed(other)


@dataclass
class FaultRegistry:
    """The faults in place, in the order in which they were injected. Used on the server's event loop only.

    Args:
        now: the wall clock, for `ActiveFault.since`.
    """

    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    _active: dict[str, ActiveFault] = field(default_factory=dict)
    _listeners: list[Callable[[], None]] = field(default_factory=list)
    _made: int = 0
    _calls: dict[ServiceErrors, int] = field(default_factory=dict)

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each change."""
        self._listeners.append(listener)

    def list(self) -> tuple[ActiveFault, ...]:
        """The faults in place."""
        return tuple(self._active.values())

    def inject(self, fault: Fault) -> ActiveFault:
        """Inject a fault. The same fault again is the one already there; a new delay replaces the old."""
        for active in self.list():
            if active.fault == fault:
                return active
            if _same_place(active.fault, fault):
                del self._active[active.fault_id]
        self._made += 1
        since = self.now().isoformat(timespec="milliseconds")
        made = ActiveFault(f"fault-{self._made}", fault, since)
        self._active[made.fault_id] = made
        self._tell()
        return made

    def clear(self, fault_id: str | None = None) -> tuple[ActiveFault, ...]:
        """Remove one fault, or all, and return what was removed."""
        gone = [active for active in self.list() if fault_id in (None, active.fault_id)]
        for active in gone:
            del self._active[active.fault_id]
        if gone:
            self._tell()
        return tuple(gone)

    def dark(self, region: str) -> bool:
        """Whether the region is blacked out."""
        return RegionBlackout(region) in self._faults()

    def paused(self) -> bool:
        """Whether replication of global tables is paused."""
        return ReplicationPause() in self._faults()

    def holds_copies(self, region: str) -> bool:
        """Whether what S3 would copy from a region's buckets waits."""
        return ObjectReplicationPause(region) in self._faults()

    def delay(self) -> ReplicationDelay:
        """The replication delay in place; none is a delay of zero seconds."""
        return next((f for f in self._faults() if isinstance(f, ReplicationDelay)), ReplicationDelay(0.0))

    def throttles(self, region: str, service: str) -> bool:
        """Whether a service refuses every call."""
        return ServiceThrottling(region, service) in self._faults()

    def denies(self, region: str, service: str) -> bool:
        """Whether a service lets nobody call it."""
        return ServiceDenial(region, service) in self._faults()

    def fails(self, region: str, service: str) -> bool:
        """Whether this call of a service is one of those that fail. Each call is asked about once."""
        for fault in self._faults():
            if isinstance(fault, ServiceErrors) and (fault.region, fault.service) == (region, service):
                before = self._calls.get(fault, 0)
                self._calls[fault] = before + 1
                return (before + 1) * fault.percent // 100 > before * fault.percent // 100
        return False

    def lateness(self, region: str, service: str) -> float:
        """By how many seconds a service answers late."""
        return sum(
            fault.seconds
            for fault in self._faults()
            if isinstance(fault, ServiceDelay) and (fault.region, fault.service) == (region, service)
        )

    def _faults(self) -> tuple[Fault, ...]:
        return tuple(active.fault for active in self._active.values())

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()
