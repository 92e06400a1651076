"""What a drill observes while it runs: Route 53's conclusion, and what the zone's name servers answer.

Each `Poller` polls in a thread of its own, so that one slow answer delays no other.
"""

import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import httpx

from payinfra.checks.probes.health_checks import HEALTHY_SHARE
from payinfra.checks.probes.model import ProbeContext
from payinfra.checks.probes.route53_zone import record_type
from payinfra.clients.aws import Aws, Endpoints
from payinfra.clients.dns import Dns, DnspythonDns, NameServer
from payinfra.clients.http import TIMEOUT_S
from payinfra.core.outputs import Declared
from payinfra.core.region_geography import client_in
from payinfra.core.run_id import user_agent
from payinfra.drill.clock import DrillClock

Seen = TypeVar("Seen")


@dataclass
class Poller(Generic[Seen]):
    """Polls something every `every_s` seconds, and remembers when the answer changed.

    Args:
        poll: gives what is there now. Where it raises, nothing was seen: the last sample stays.
        changed: told, in the poller's own thread, of each sample that differs from the one before.

    Attributes:
        polls: how often something was seen.
        polled_s: when that was last.
    """

    poll: Callable[[], Seen]
    clock: DrillClock
    every_s: float
    changed: Callable[[float, Seen], None]
    polls: int = 0
    polled_s: float = 0.0
    _samples: list[tuple[float, Seen]] = field(default_factory=list)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Start polling."""
        self._thread = threading.Thread(target=self._watch, name="drill-poller", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop polling; join the current poll."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def changes(self) -> tuple[tuple[float, Seen], ...]:
        """Each sample that differed from the one before, and when it was taken."""
        return tuple(self._samples)

    def now(self) -> Seen | None:
        """The latest sample; None while there is none."""
        samples = tuple(self._samples)
        return samples[-1][1] if samples else None

    def since(self, moment_s: float, wanted: Callable[[Seen], bool]) -> float | None:
        """When what is seen now became as wanted, at `moment_s` the earliest; None if it is not so now."""
        samples = tuple(self._samples)
        began: float | None = None
        for at_s, seen in samples:
            if not wanted(seen):
                began = None
            elif began is None:
                began = at_s
        return None if began is None else max(began, moment_s)

    def poll_once(self) -> None:
        """Poll once."""
        try:
            seen = self.poll()
        except Exception:  # noqa: BLE001 - whatever broke, nothing was seen; the phase's deadline judges
            return
        at_s = self.clock.elapsed()
        self.polls += 1
        self.polled_s = at_s
        if self._samples and self._samples[-1][1] == seen:
            return
        self._samples.append((at_s, seen))
        self.changed(at_s, seen)

    def _watch(self) -> None:
        while not self._stopped.is_set():
            self.poll_once()
            self._stopped.wait(self.every_s)


# -- Route 53's conclusion ---------------------------------------------------------------------------------


@dataclass
class CheckerState:
    """What one checker makes of the endpoint: it changes after `threshold` results that contradict."""

    healthy: bool = True
    contradictions: int = 0
    last: object = None

    def take(self, checked: object, ok: bool, threshold: int) -> None:
        """Count one result of the checker.

        Args:
            checked: when the checker looked; a result that was counted before is not counted again.
            ok: whether it found the endpoint healthy.
            threshold: how many results in a row change its mind.
        """
        if checked == self.last:
            return
        self.last = checked
        self.contradictions = 0 if ok == self.healthy else self.contradictions + 1
        if self.contradictions >= threshold:
            self.healthy, self.contradictions = ok, 0


@dataclass
class HealthCheckWatcher:
    """What Route 53 makes of a health check, found out from what it says of its checkers.

    The reports are each checker's latest result; what follows from several in a row is nowhere to be read, so
    they are followed here by Route 53's own rule. A disabled check counts as healthy, and an inverted one as
    the contrary of what it would be. Whoever begins to poll begins in the steady state.

    Args:
        through: the region whose client is used; Route 53 itself is global.
        threshold: results in a row that change a checker.
        begins_content: whether checkers succeed in the steady state; those of an evacuation's page fail then.
    """

    aws: Aws
    through: str
    health_check_id: str
    threshold: int
    begins_content: bool = True
    _states: dict[tuple[str, str], CheckerState] = field(default_factory=dict)

    def healthy(self) -> bool:
        """What it is now.

        Raises:
            ClientError, BotoCoreError: Route 53 does not say.
        """
        client = self.aws.route53(self.through)
        check = client.get_health_check(HealthCheckId=self.health_check_id)["HealthCheck"]
        config = check["HealthCheckConfig"]
        found = client.get_health_check_status(HealthCheckId=self.health_check_id)
        for one in found["HealthCheckObservations"]:
            report = one.get("StatusReport", {})
            checker = (one.get("Region", ""), one.get("IPAddress", ""))
            state = self._states.setdefault(checker, CheckerState(self.begins_content))
            good = report.get("Status", "").startswith("Success")
            state.take(report.get("CheckedTime"), good, self.threshold)
        states = self._states.values()
        content = self.begins_content
        if states:
            content = sum(one.healthy for one in states) / len(states) > HEALTHY_SHARE
        return (config.get("Disabled", False) or content) != config.get("Inverted", False)


# -- the name servers --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DnsAnswer:
    """What one name server answers: the region that this leads to, the answer's data and TTL in seconds."""

    server: str
    region: str
    data: tuple[str, ...]
    ttl_s: int

    def __str__(self) -> str:
        """As a person reads it."""
        where = self.region or "no region"
        return f"{self.server}: {', '.join(self.data) or 'no answer'} ({where}, TTL {self.ttl_s} s)"


@dataclass(frozen=True)
class FailoverDnsWatcher:
    """Asks every name server of the zone where a name leads.

    Attributes:
        kind: CNAME for the names of a zone of its own, A for those of a delegated one.
        region_of: which region an answer's data is; nothing where it is none.
    """

    dns: Dns
    servers: Sequence[NameServer]
    name: str
    kind: str
    region_of: "RegionOf"

    def ask(self) -> tuple[DnsAnswer, ...]:
        """One answer from each.

        Raises:
            DNSException, OSError: a server does not answer.
        """
        answers = []
        for server in self.servers:
            answer = self.dns.ask(server, self.name, self.kind)
            region = (self.region_of(answer.data[0]) if answer.data else None) or ""
            answers.append(DnsAnswer(str(server), region, answer.data, answer.ttl_s))
        return tuple(answers)


def all_lead_to(region: str) -> Callable[[tuple[DnsAnswer, ...]], bool]:
    """Whether every name server leads to a region."""
    return lambda answers: bool(answers) and all(answer.region == region for answer in answers)


# -- where an answer leads ---------------------------------------------------------------------------------

RegionOf = Callable[[str], str | None]


def drilled_name(live: ProbeContext, lost: str, *, reverse: bool) -> tuple[str, Dns]:
    """The name that a drill's clients use, and how they ask for it.

    It is the failover name; where the standby is lost, the latency name, as clients near the standby ask.
    """
    if not reverse:
        return live.outputs.failover_domain, live.dns
    near = address_in(lost) if live.is_aws else client_in(lost)
    endpoints = live.aws.endpoints
    return live.outputs.latency_domain, DnspythonDns(endpoints.dns if endpoints else "", on_behalf_of=near)


def dns_watcher(
    live: ProbeContext, servers: tuple[NameServer, ...], lost: str, *, reverse: bool
) -> FailoverDnsWatcher:
    """Watch the name that a drill's clients use."""
    name, dns = drilled_name(live, lost, reverse=reverse)
    return FailoverDnsWatcher(
        dns=dns,
        servers=servers,
        name=name,
        kind=record_type(live),
        region_of=region_of_answer(live.declared, name, endpoints=live.aws.endpoints),
    )


def region_of_answer(
    declared: Declared,
    name: str,
    ask: Callable[[str], str] | None = None,
    *,
    endpoints: Endpoints | None = None,
) -> RegionOf:
    """What tells the region of a record's data.

    The names of a zone of its own are CNAMEs of the regions' endpoints. A delegated one has addresses, which
    only whoever answers there can tell apart; the embedded AWS has one address for each region.

    Args:
        ask: the region that the health page at an address names.
        endpoints: of the embedded AWS; None for AWS.
    """
    if not declared.dns.delegated:
        return {one.api.execute_host: one.region for one in declared.regions}.get
    if endpoints is not None:
        return endpoints.region_at
    return _Addresses(ask or HealthPage(name, declared.dns.health_path).region).region


@dataclass
class _Addresses:
    """Asks each address once: it does not move to another region."""

    ask: Callable[[str], str]
    _known: dict[str, str] = field(default_factory=dict)

    def region(self, address: str) -> str:
        if address not in self._known:
            self._known[address] = self.ask(address)
        return self._known[address]


@dataclass(frozen=True)
class HealthPage:
    """The health page of a name, at whatever address.

    Args:
        transport: carries the request; the network's unless given.
    """

    name: str
    path: str
    transport: httpx.BaseTransport | None = None

    def region(self, address: str) -> str:
        """The region that serves at an address.

        Raises:
            httpx.TransportError: nothing answers there.
            KeyError, ValueError: the answer does not say.
        """
        with httpx.Client(transport=self.transport, timeout=TIMEOUT_S, trust_env=False) as client:
            answer = client.get(
                f"https://{address}{self.path}",
                headers={"Host": self.name, "User-Agent": user_agent()},
                extensions={"sni_hostname": self.name},
            )
            return str(answer.json()["region"])


def address_in(region: str, look_up: Callable[[str], str] = socket.gethostbyname) -> str:
    """An address in a region of AWS: that of one of AWS's own endpoints there.

    Raises:
        OSError: the machine's resolver does not give it.
    """
    return look_up(f"dynamodb.{region}.amazonaws.com")
