"""The names that clients use: payments through them, and the certificates that they show."""

from collections.abc import Sequence
from dataclasses import dataclass

from payinfra.checks.probes.apigateway import pay_twice
from payinfra.checks.probes.model import ProbeContext, RegionUnderTest, all_of, paired, regional
from payinfra.checks.probes.route53_zone import name_servers
from payinfra.checks.verdicts import Severity, Verdict, Verdicts
from payinfra.clients.aws_errors import NotYet
from payinfra.clients.dns import NameServer
from payinfra.clients.payments_api import PaymentsApi, read_api_key

CERTIFICATE_DAYS = 30


@paired(
    "LIVE-R53-006",
    title="A payment through the failover name and through the latency name is recorded",
    severity=Severity.CRITICAL,
    risk="Clients that use the names cannot pay, whatever the regions' own endpoints answer.",
    fix="See the other findings on names and on the API.",
    within_s=45,
)
def payments_through_the_names(live: ProbeContext) -> Verdicts:
    """DNS and HTTP: GET /health and POST /payments as a client of the name."""
    key = read_api_key(live.aws, live.sites[0].outputs)
    servers = live.dns.servers(name_servers(live))
    failover, latency = (
        _pay_through(live, name, servers, key)
        for name in (live.outputs.failover_domain, live.outputs.latency_domain)
    )
    if failover.region != live.outputs.primary_region:
        raise NotYet(f"{failover.name} is served by {failover.region}")
    return all_of(
        (*failover.faults, *latency.faults),
        f"{failover}, {latency}{_as_host(failover)}",
    )


def _as_host(served: "Served") -> str:
    """What a client must know that takes the name for the host, where the zone is not delegated."""
    if served.as_host is None:
        return ""
    return (
        f"; with the name itself as Host it answers {served.as_host}: without --domain the names serve "
        "rehearsals, not clients"
    )


@dataclass(frozen=True)
class Served:
    """What became of a payment through a name.

    Attributes:
        host: what was sent as Host: the name, or the endpoint that it leads to.
        region: the region that served.
        faults: what is wrong.
        as_host: the status for a client that sends the name itself as Host; None where all clients do.
    """

    name: str
    host: str
    region: str
    faults: tuple[str, ...]
    as_host: int | None

    def __str__(self) -> str:
        """What was asked for, and who served it."""
        return f"{self.name} by {self.region}, asked with Host {self.host}"


def _pay_through(live: ProbeContext, name: str, servers: Sequence[NameServer], key: str) -> Served:
    """Pay as a client of the name, twice.

    Raises:
        NotYet: the name has no answer, or the API behind it not the right one.
    """
    dns = live.declared.dns
    host = name if dns.delegated else _target(live, name, servers)
    base = live.aws.url(host)
    api = PaymentsApi(live.http, base + dns.payments_path, key, {"Host": host}, f"{name}: ")
    health = api.health()
    if health.status != 200:
        raise NotYet(f"{name}: the health page answered {health.said()}")
    region = str(health.fields().get("region"))
    site = next((one for one in live.sites if one.region == region), live.sites[0])
    faults, _ = pay_twice(live, site, api, name)
    # API Gateway knows the name only as a custom domain, which one without a domain of one's own has not.
    as_host = None if dns.delegated else live.http.ask("GET", base + dns.health_path, {"Host": name}).status
    return Served(name, host, region, tuple(faults), as_host)


def _target(live: ProbeContext, name: str, servers: Sequence[NameServer]) -> str:
    """The host that a name of a zone of its own leads to, as the zone's servers say."""
    answer = live.dns.ask(servers[0], name, "CNAME")
    if not answer.data:
        raise NotYet(f"{name} has no answer ({answer.code})")
    return answer.data[0]


@regional(
    "LIVE-TLS-001",
    title="The certificate is valid and has more than 30 days left",
    severity=Severity.HIGH,
    risk="Every client refuses to connect once it has expired.",
    fix="See why ACM does not renew it: its validation record must stay in the zone.",
)
def certificate_is_valid(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """TLS: a handshake with the regional endpoint, and with both names of one's own."""
    if live.aws.endpoints is not None and not live.declared.dns.delegated:
        return Verdict.not_applicable("the embedded AWS speaks TLS for a domain of one's own only")
    names = (live.outputs.failover_domain, live.outputs.latency_domain) if live.declared.dns.delegated else ()
    of_aws = site.declared.api.execute_host
    left = {host: live.tls.days_left(host, live.now()) for host in (of_aws, *names)}
    said = {
        host: f"the certificate of {host} has {days} days left"
        for host, days in left.items()
        if days <= CERTIFICATE_DAYS
    }
    if faults := [text for host, text in said.items() if host != of_aws or left[host] <= 0]:
        return Verdict.failed("; ".join(faults))
    # AWS renews its own, and nobody else can.
    return Verdict.warn(f"{said[of_aws]}: AWS has yet to renew it") if said else Verdict.passed()
