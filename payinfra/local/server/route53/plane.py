"""The Route 53 data plane of the embedded AWS: probes, answers, and the calls that show both."""

import asyncio
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from payinfra.core.region_geography import ClientLocations, client_networks
from payinfra.local.server.aws_rules import Quota
from payinfra.local.server.route53 import api
from payinfra.local.server.route53.answers import (
    REFUSED,
    Circumstances,
    DnsAnswerSections,
    ResourceRecord,
    ResponseCode,
    answer,
    zone_for,
)
from payinfra.local.server.route53.api import Route53Response
from payinfra.local.server.route53.clock import EmulatorClock
from payinfra.local.server.route53.dns import DnsServer, Question
from payinfra.local.server.route53.endpoints import LOOPBACK, EndpointResolver, loopback
from payinfra.local.server.route53.health import HealthMonitor, HealthObservation
from payinfra.local.server.route53.probe import Prober, SocketProber
from payinfra.local.server.route53.state import HealthCheckType, Zone, ZoneReader, normal_name

Query = Mapping[str, Sequence[str]]

_HEALTH_CHECK: Final = re.compile(r"/2013-04-01/healthcheck/([^/]+)/(status|lastfailurereason)/?")
_NAME_SERVER: Final = re.compile(r"ns-\d+\.awsdns-\d+\.(com|net|org|co\.uk)\.")
_NAME_SERVER_TTL: Final = 172_800  # that of a zone's own NS record
_API_ROOT: Final = "/2013-04-01"
STATUS_QUOTA: Final = (4, 1.0)
"""GetHealthCheckStatus: four calls at once, then one a second, for all of an account's health checks together
(Route 53 developer guide, "Quotas", "Maximums on API requests")."""


class DataPlane:
    """Runs in the emulator's process and event loop.

    Args:
        zones: reads the emulator's Route 53.
        resolve: knows where the emulator serves an AWS name; health checks connect there, and an alias
            to an AWS resource is answered with that address, unless `aliased` has another.
        aliased: the address that an alias to an AWS resource is answered with; None where it has none.
        clock: time.
        time_scale: by how much intervals, limits and TTLs are divided (1 is real time).
        locations: where clients are, for latency records; without it each region has a network of its own
            (see `client_networks`), and all others are in us-east-1.
        prober: sends a health check's requests; sockets unless a test brings another.
        status_quota: how often GetHealthCheckStatus is answered; by default as AWS does, in real time.
        pick: chance for weighted records and more than eight multivalue records: one of 0 … n - 1.
    """

    def __init__(
        self,
        zones: ZoneReader,
        resolve: EndpointResolver,
        clock: EmulatorClock,
        time_scale: Callable[[], float],
        *,
        locations: ClientLocations | None = None,
        prober: Prober | None = None,
        pick: Callable[[int], int] = secrets.randbelow,
        status_quota: Quota | None = None,
        aliased: Callable[[str], str | None] = lambda _name: None,
    ) -> None:
        self._status_quota = status_quota or Quota(*STATUS_QUOTA, clock.monotonic)
        self._zones = zones
        self._resolve = resolve
        self._aliased = aliased
        self._locations = locations or ClientLocations(client_networks())
        self._pick = pick
        self._monitor = HealthMonitor(zones, prober or SocketProber(resolve), clock, time_scale)
        self._dns = DnsServer(self.answer, time_scale)
        self._probing: asyncio.Task[None] | None = None

    async def start(self, dns_port: int) -> int:
        """Begin to probe and to answer on 127.0.0.1, UDP and TCP; 0 takes any port. Returns the port.

        Raises:
            EnvironmentUnusable: the port is taken.
        """
        port = await self._dns.start(dns_port)
        self._probing = asyncio.create_task(self._monitor.run())
        return port

    async def stop(self) -> None:
        """Stop both; no request of a health checker is left in flight. Harmless if not started."""
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)
            self._probing = None
        await self._dns.stop()

    def observations(self) -> tuple[HealthObservation, ...]:
        """Every health check as CloudWatch's HealthCheckStatus and HealthCheckPercentageHealthy show it."""
        return self._monitor.observations()

    def answer(self, question: Question) -> DnsAnswerSections:
        """What a name server of Route 53 answers to a question.

        Raises:
            ValueError: the question's client is not an IP address.
        """
        if _NAME_SERVER.fullmatch(question.name):
            records = (ResourceRecord(question.name, "A", _NAME_SERVER_TTL, LOOPBACK),)
            return DnsAnswerSections(ResponseCode.NOERROR, records if question.type == "A" else ())
        zone = zone_for(self._zones.zones(), question.name)
        return REFUSED if zone is None else self._answer_in(zone, question)

    def _answer_in(self, zone: Zone, question: Question) -> DnsAnswerSections:
        around = Circumstances(
            is_healthy=self._monitor.view().is_healthy,
            client_region=self._locations.region_of(question.client),
            pick=self._pick,
            resource_addresses=self._resource_addresses,
        )
        return answer(zone, question.name, question.type, around)

    def _resource_addresses(self, name: str) -> tuple[str, ...]:
        if own := self._aliased(name):
            return (own,)
        address = self._resolve(name.rstrip("."), 443, "https")
        local = loopback(address.host if address else name)
        return (local,) if local else ()

    async def handle(
        self,
        method: str,
        path: str,
        query: Query,
        headers: Mapping[str, str],
        body: bytes,
    ) -> Route53Response | None:
        """Answer a Route 53 call that the emulator lacks; None for every other, which is the emulator's.

        Args:
            method: the HTTP method.
            path: the path without the query string.
            query: the query string as `urllib.parse.parse_qs` gives it.
            headers: of the request; nothing in them matters here.
            body: of the request, empty for these calls.
        """
        del headers, body
        if method != "GET":
            return None
        status = _HEALTH_CHECK.fullmatch(path)
        if status:
            return self._health_check(status[1], last_failure=status[2] == "lastfailurereason")
        match path.rstrip("/").removeprefix(_API_ROOT):
            case "/testdnsanswer":
                return self._test_dns_answer(query)
            case "/checkeripranges":
                return api.checker_ip_ranges((f"{LOOPBACK}/32",))
            case _:
                return None

    def _health_check(self, check_id: str, *, last_failure: bool) -> Route53Response:
        check = next((each for each in self._zones.health_checks() if each.id == check_id), None)
        if check is None:
            return api.error("NoSuchHealthCheck", f"No health check exists with the ID {check_id}.", 404)
        if check.type is HealthCheckType.CALCULATED:
            return api.error("InvalidInput", "A calculated health check has no health checkers.", 400)
        if last_failure:
            failures = self._monitor.failures(check_id)
            return api.observations("GetHealthCheckLastFailureReasonResponse", failures)
        if not self._status_quota.take():
            return api.error("Throttling", "Rate exceeded", 400)
        return api.observations("GetHealthCheckStatusResponse", self._monitor.reports(check_id))

    def _test_dns_answer(self, query: Query) -> Route53Response:
        zone_id, asked, rtype = (_first(query, key) for key in ("hostedzoneid", "recordname", "recordtype"))
        if not (zone_id and asked and rtype):
            return api.error("InvalidInput", "hostedzoneid, recordname and recordtype are required.", 400)
        zone = next((each for each in self._zones.zones() if each.id == zone_id.rpartition("/")[2]), None)
        if zone is None:
            return api.error("NoSuchHostedZone", f"No hosted zone exists with the ID {zone_id}.", 404)
        name = normal_name(asked)
        if zone.private or not zone.holds(name):
            return api.error(
                "InvalidInput", f"{asked} is not in a public hosted zone with the ID {zone_id}.", 400
            )
        # A client's subnet says more about where it is than its resolver does.
        client = _first(query, "edns0clientsubnetip") or _first(query, "resolverip")
        try:
            given = self._answer_in(zone, Question(name, rtype, client))
        except ValueError:
            return api.error("InvalidInput", f"{client} is not an IP address.", 400)
        return api.test_dns_answer(_name_server(zone), name, rtype, given)


def _first(query: Query, key: str) -> str | None:
    values = query.get(key, ())
    return values if isinstance(values, str) else next(iter(values), None)


def _name_server(zone: Zone) -> str:
    own = (record for record in zone.records if record.type == "NS" and record.name == zone.name)
    return next((value for record in own for value in record.values), LOOPBACK)
