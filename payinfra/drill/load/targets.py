"""How a drill's clients find the API: as an ordinary caching resolver does, or by a region's own endpoint."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from dns.exception import DNSException

if TYPE_CHECKING:
    from payinfra.checks.probes.model import ProbeContext
    from payinfra.clients.aws import Aws
    from payinfra.clients.dns import Dns, NameServer
    from payinfra.core.outputs import Declared, DeclaredRegion, Outputs

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


TargetOf = Callable[[tuple[str, ...]], LoadTarget]
"""Where the data of a name's records leads."""


class CachingResolver:
    """The target of a name, whose answer is kept for its TTL and no longer.

    Args:
        servers: the zone's own; the next one is asked where one does not answer.
        kind: the type of the name's records.
        target_of: makes a target of the records' data, of which there is some.
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
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._dns = dns
        self._servers = tuple(servers)
        self._name = name
        self._kind = kind
        self._target_of = target_of
        self._failure_ttl_s = failure_ttl_s
        self._clock = clock
        self._asking = threading.Lock()
        self._kept: tuple[float, LoadTarget | str] = (float("-inf"), "it was not asked for")

    def known(self) -> LoadTarget | None:
        """See `TargetResolver`."""
        until, found = self._kept
        return found if isinstance(found, LoadTarget) and self._clock() < until else None

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
                return began + answer.ttl_s, self._target_of(answer.data)
            said = f"{server} says {answer.code} and no {self._kind}"
        return self._clock() + self._failure_ttl_s, said


def target_resolvers(
    live: "ProbeContext", servers: Sequence["NameServer"], *, to_both: bool
) -> tuple[TargetResolver, ...]:
    """Where payments are sent, in turn: the failover name, or that and the secondary's own endpoint."""
    name = by_name(live.aws, live.outputs, live.declared, live.dns, servers)
    return (name, by_region(live.aws, live.sites[1].declared)) if to_both else (name,)


def by_name(
    aws: "Aws",
    outputs: "Outputs",
    declared: "Declared",
    dns: "Dns",
    servers: Sequence["NameServer"],
    *,
    failure_ttl_s: float = FAILURE_TTL_S,
) -> CachingResolver:
    """The target of ordinary clients: the failover name, as the zone's own name servers give it.

    A zone that is not delegated gives the name of a regional endpoint, which stands in for the name in
    everything. A delegated one gives addresses, which do not tell their region.

    Args:
        servers: `dns.servers` of the zone's name servers.
        failure_ttl_s: real seconds for which a failed query is not repeated.
    """
    name, path = outputs.failover_domain, declared.dns.payments_path
    regions = {one.api.execute_host: one.region for one in declared.regions}

    def to_host(data: tuple[str, ...]) -> LoadTarget:
        return LoadTarget((aws.url(data[0]) + path,), data[0], regions.get(data[0], ""))

    def to_addresses(data: tuple[str, ...]) -> LoadTarget:
        return LoadTarget(tuple(f"https://{address}{path}" for address in data), name, "")

    kind, target_of = ("A", to_addresses) if declared.dns.delegated else ("CNAME", to_host)
    return CachingResolver(dns, servers, name, kind, target_of, failure_ttl_s=failure_ttl_s)


def by_region(aws: "Aws", region: "DeclaredRegion") -> FixedTarget:
    """A region's own endpoint, past all names."""
    host = region.api.execute_host
    return FixedTarget(LoadTarget((f"{aws.url(host)}/{region.api.stage}/payments",), host, region.region))
