"""How a drill's clients find the API: as an ordinary caching resolver does, or by a region's own endpoint."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

from dns.exception import DNSException

if TYPE_CHECKING:
    from payinfra.clients.aws import Aws
    from payinfra.clients.dns import Dns, NameServer
    from payinfra.core.outputs import Declared, DeclaredRegion, Outputs

FEWEST_CLIENTS, MOST_CLIENTS = 5, 20
MOVING_SHARE = 0.7
"""The share of a load that clients may take which send because their answer has just changed."""
FAILURE_TTL_S = 1.0
"""How long a failed query is not repeated; RFC 9520 (3.2) asks resolvers for one second at least."""


class NameUnresolved(Exception):
    """The name leads nowhere now: its message says why."""


@dataclass(frozen=True)
class LoadTarget:
    """Where payments are sent.

    Attributes:
        urls: what may be connected to, each with the path of payments; all serve the same.
        host: Host header and, over TLS, the name that the certificate must have.
        region: the region that it is in; empty where it cannot be known.
    """

    urls: tuple[str, ...]
    host: str
    region: str


class TargetResolver(Protocol):
    """Says where the API is found. Safe for any thread."""

    def known(self) -> LoadTarget | None:
        """Where it leads, as far as that is known without asking anybody."""

    def find(self) -> LoadTarget:
        """Where it leads; waits for an answer where one is needed.

        Raises:
            NameUnresolved: it leads nowhere.
        """

    def failed(self) -> None:
        """Be told that a connection to where it leads has failed."""


@dataclass(frozen=True)
class FixedTarget:
    """A target that never changes: a region's own endpoint."""

    target: LoadTarget

    def known(self) -> LoadTarget:
        """See `TargetResolver`."""
        return self.target

    def find(self) -> LoadTarget:
        """See `TargetResolver`."""
        return self.target

    def failed(self) -> None:
        """See `TargetResolver`. It leads nowhere else."""


@dataclass
class KeptConnection:
    """The target of a client that asks once, and again only when its connection has failed."""

    resolver: TargetResolver
    _target: LoadTarget | None = None

    def known(self) -> LoadTarget | None:
        """See `TargetResolver`. However long ago it was asked."""
        return self._target

    def find(self) -> LoadTarget:
        """See `TargetResolver`."""
        self._target = self.resolver.find()
        return self._target

    def failed(self) -> None:
        """See `TargetResolver`."""
        self._target = None


class ClientKind(Enum):
    """How a client of the load finds the API."""

    RESOLVES = auto()
    """It asks for the name again once its answer has expired."""
    KEEPS_CONNECTION = auto()
    """It asks again only when its connection has failed."""
    PINNED = auto()
    """It knows a region's own endpoint and no name."""


@dataclass(frozen=True)
class LoadClient:
    """A client of the load."""

    resolver: TargetResolver
    kind: ClientKind = ClientKind.RESOLVES


TargetOf = Callable[[tuple[str, ...]], LoadTarget]
"""Where the data of a name's records leads."""


class CachingResolver:
    """The target of a name, whose answer is kept for its TTL and no longer.

    Args:
        servers: the zone's own; the next one is asked where one does not answer.
        kind: the type of the name's records.
        target_of: makes a target of the records' data, of which there is some.
        age: how old the first answer is already, as a share of its TTL, 0 to 1: a client that others share
            a resolver with gets what that has kept for a while.
        least_ttl_s: how long an answer with a TTL is kept at least, in seconds: on a machine so slow that
            nothing could be sent within it.
        clock: seconds, steadily growing.
    """

    def __init__(
        self,
        dns: "Dns",
        servers: Sequence["NameServer"],
        name: str,
        kind: str,
        target_of: TargetOf,
        *,
        failure_ttl_s: float = FAILURE_TTL_S,
        age: float = 0.0,
        least_ttl_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._dns = dns
        self._servers = tuple(servers)
        self._name = name
        self._kind = kind
        self._target_of = target_of
        self._failure_ttl_s = failure_ttl_s
        self._age = age
        self._least_ttl_s = least_ttl_s
        self._ttl_s = 0.0
        self._clock = clock
        self._asking = threading.Lock()
        self._kept: tuple[float, LoadTarget | str] = (float("-inf"), "it was not asked for")

    def known(self) -> LoadTarget | None:
        """See `TargetResolver`."""
        until, found = self._kept
        return found if isinstance(found, LoadTarget) and self._clock() < until else None

    @property
    def refresh_in_s(self) -> float | None:
        """Seconds until the answer expires; None where there is none that is kept."""
        until, found = self._kept
        return max(0.0, until - self._clock()) if isinstance(found, LoadTarget) and self._ttl_s else None

    def refresh(self) -> None:
        """Ask again as the answer expires, whether or not anything is to be sent just then.

        The next answer expires a whole TTL after this one, however late the question was: a client keeps its
        place among those that ask one after the other.
        """
        with self._asking:
            expired, _ = self._kept
            until, found = self._ask()
            on_time = isinstance(found, LoadTarget) and self._clock() < expired + self._ttl_s
            self._kept = (expired + self._ttl_s if on_time else until), found

    def failed(self) -> None:
        """See `TargetResolver`. What it was told holds for its TTL, whatever fails there."""

    def find(self) -> LoadTarget:
        """See `TargetResolver`. One caller asks; the others wait for what it gets."""
        with self._asking:
            if self._clock() >= self._kept[0]:
                self._kept = self._ask()
            found = self._kept[1]
        if isinstance(found, LoadTarget):
            return found
        raise NameUnresolved(f"{self._name}: {found}")

    def _ask(self) -> tuple[float, LoadTarget | str]:
        said = "it has no name servers"
        for server in self._servers:
            began = self._clock()
            try:
                answer = self._dns.ask(server, self._name, self._kind)
            except (DNSException, OSError) as error:
                said = f"{server} does not answer: {type(error).__name__}"
                continue
            if answer.code == "NOERROR" and answer.data:
                self._ttl_s = max(answer.ttl_s, self._least_ttl_s) if answer.ttl_s else 0.0
                left = self._ttl_s * (1.0 - self._age)
                self._age = 0.0
                return began + left, self._target_of(answer.data)
            said = f"{server} says {answer.code} and no {self._kind}"
        return self._clock() + self._failure_ttl_s, said


def client_count(rate: float, ttl_s: float) -> int:
    """How many clients share a load: so few that each can send as soon as its answer has changed.

    Args:
        rate: payments a second of them all.
        ttl_s: how long an answer is kept, in real seconds.
    """
    return max(FEWEST_CLIENTS, min(MOST_CLIENTS, round(MOVING_SHARE * rate * ttl_s)))


def load_clients(
    resolving: Callable[[float], TargetResolver], pinned: TargetResolver | None, count: int
) -> tuple[LoadClient, ...]:
    """The clients that payments take in turn.

    Their answers expire one after the other, evenly over the TTL: whatever moment the name is switched at,
    some client has just asked and another is about to. One in ten keeps its connection and never asks.

    Args:
        resolving: makes a client's resolver; given how old its first answer is, as a share of the TTL.
        pinned: where every second payment goes past the name; None where all go by it.
        count: of the clients that ask for the name.
    """
    named = [LoadClient(resolving(at / count)) for at in range(count)]
    keeping = [
        LoadClient(KeptConnection(resolving(0.0)), ClientKind.KEEPS_CONNECTION)
        for _ in range(max(1, count // 10))
    ]
    clients = [*named, *keeping]
    if pinned is None:
        return tuple(clients)
    by_endpoint = LoadClient(pinned, ClientKind.PINNED)
    return tuple(one for client in clients for one in (client, by_endpoint))


def by_name(
    aws: "Aws",
    outputs: "Outputs",
    declared: "Declared",
    dns: "Dns",
    servers: Sequence["NameServer"],
    *,
    name: str = "",
    age: float = 0.0,
    least_ttl_s: float = 0.0,
    failure_ttl_s: float = FAILURE_TTL_S,
) -> CachingResolver:
    """The target of ordinary clients: the failover name, as the zone's own name servers give it.

    A zone that is not delegated gives the name of a regional endpoint, which stands in for the name in
    everything. A delegated one gives addresses, which do not tell their region.

    Args:
        servers: `dns.servers` of the zone's name servers.
        name: the name; the failover name unless given.
        age, least_ttl_s: as in `CachingResolver`.
        failure_ttl_s: real seconds for which a failed query is not repeated.
    """
    name, path = name or outputs.failover_domain, declared.dns.payments_path
    regions = {one.api.execute_host: one.region for one in declared.regions}

    def to_host(data: tuple[str, ...]) -> LoadTarget:
        return LoadTarget((aws.url(data[0]) + path,), data[0], regions.get(data[0], ""))

    def to_addresses(data: tuple[str, ...]) -> LoadTarget:
        return LoadTarget(tuple(aws.address_url(address) + path for address in data), name, "")

    kind, target_of = ("A", to_addresses) if declared.dns.delegated else ("CNAME", to_host)
    return CachingResolver(
        dns,
        servers,
        name,
        kind,
        target_of,
        failure_ttl_s=failure_ttl_s,
        age=age,
        least_ttl_s=least_ttl_s,
    )


def by_region(aws: "Aws", region: "DeclaredRegion") -> FixedTarget:
    """A region's own endpoint, past all names."""
    host = region.api.execute_host
    return FixedTarget(LoadTarget((f"{aws.url(host)}/{region.api.stage}/payments",), host, region.region))
