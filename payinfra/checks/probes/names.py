"""Route 53: health checks, records, what the zone's own servers answer, and payments through the names."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from payinfra.checks.probes import canaries
from payinfra.checks.probes.dns import DnsAnswer, NameServer
from payinfra.checks.probes.gateway import api_key
from payinfra.checks.probes.model import (
    Live,
    NotYet,
    Severity,
    Site,
    Verdict,
    Verdicts,
    all_of,
    differences,
    paired,
    regional,
)

if TYPE_CHECKING:
    from mypy_boto3_route53.type_defs import ResourceRecordSetOutputTypeDef, ResourceRecordSetTypeDef

HEALTHY_SHARE = 0.18
"""A health check is healthy while more than this share of checkers says so (Route 53 developer guide)."""
FRESH = timedelta(minutes=5)
CERTIFICATE_DAYS = 30
_REDEPLOY = "Deploy again: it was changed outside Terraform."


@regional(
    "LIVE-R53-001",
    title="The health check is enabled, not inverted, and asks as declared",
    severity=Severity.CRITICAL,
    risk="Clients are sent to a region that is down, or away from one that works.",
    fix=_REDEPLOY,
)
def health_check_is_as_declared(live: Live, site: Site) -> Verdicts:
    """Route 53: GetHealthCheck."""
    health = live.declared.health
    found = live.aws.route53(site.region).get_health_check(HealthCheckId=site.outputs.health_check_id)
    config = found["HealthCheck"]["HealthCheckConfig"]
    return all_of(
        differences(
            (
                ("Disabled", config.get("Disabled", False), False),
                ("Inverted", config.get("Inverted", False), False),
                ("type", config.get("Type"), "HTTPS"),
                ("name", config.get("FullyQualifiedDomainName"), site.declared.api.execute_host),
                ("path", config.get("ResourcePath"), health.path),
                ("interval in s", config.get("RequestInterval"), health.interval_s),
                ("threshold", config.get("FailureThreshold"), health.threshold),
            )
        )
    )


@regional(
    "LIVE-R53-002",
    title="More than 18 % of Route 53's checkers find the region healthy, and did so lately",
    severity=Severity.CRITICAL,
    risk="Route 53 answers with the other region, or does not notice when this one fails.",
    fix="Ask the health page of the region; see what GetHealthCheckLastFailureReason says.",
    within_s=60,
)
def checkers_find_it_healthy(live: Live, site: Site) -> Verdicts:
    """Route 53: GetHealthCheckStatus."""
    found = live.aws.route53(site.region).get_health_check_status(HealthCheckId=site.outputs.health_check_id)
    reports = [one.get("StatusReport", {}) for one in found["HealthCheckObservations"]]
    oldest = live.now() - FRESH
    fresh = [one for one in reports if "CheckedTime" in one and one["CheckedTime"] >= oldest]
    if not fresh:
        raise NotYet(f"none of {len(reports)} checkers has asked within {FRESH.seconds // 60} minutes")
    healthy = [one for one in fresh if one.get("Status", "").startswith("Success")]
    share = len(healthy) / len(fresh)
    said = f"{len(healthy)} of {len(fresh)} checkers say healthy"
    if share <= HEALTHY_SHARE:
        raise NotYet(said)
    return Verdict.passed(said)


@paired(
    "LIVE-R53-003",
    title="The failover pair and the latency pair are as declared, each record with its health check",
    severity=Severity.CRITICAL,
    risk="Clients do not follow the healthy region.",
    fix=_REDEPLOY,
)
def records_are_as_declared(live: Live) -> Verdicts:
    """Route 53: ListResourceRecordSets."""
    pages = live.aws.route53(live.outputs.primary_region).get_paginator("list_resource_record_sets")
    records = [
        record
        for page in pages.paginate(HostedZoneId=live.outputs.hosted_zone_id)
        for record in page["ResourceRecordSets"]
    ]
    return all_of(
        (
            *_pair_faults(live, records, live.outputs.failover_domain, failover=True),
            *_pair_faults(live, records, live.outputs.latency_domain, failover=False),
        )
    )


def _pair_faults(
    live: Live, records: Sequence["ResourceRecordSetOutputTypeDef"], name: str, *, failover: bool
) -> Iterator[str]:
    mine = {record.get("SetIdentifier"): record for record in records if record["Name"].rstrip(".") == name}
    for site, identifier, role in zip(
        live.sites, live.declared.dns.set_identifiers, ("PRIMARY", "SECONDARY"), strict=True
    ):
        record = mine.pop(identifier, None)
        if record is None:
            yield f"{name} has no record {identifier}"
            continue
        policy = (
            ("role", record.get("Failover"), role)
            if failover
            else ("region", record.get("Region"), site.region)
        )
        compared: list[tuple[str, object, object]] = [
            policy,
            ("health check", record.get("HealthCheckId"), site.outputs.health_check_id),
        ]
        if not live.declared.dns.delegated:
            values = tuple(one["Value"].rstrip(".") for one in record.get("ResourceRecords", []))
            compared += [
                ("TTL", record.get("TTL"), live.declared.dns.ttl_s),
                ("target", values, (site.declared.api.execute_host,)),
            ]
        yield from (f"{name} {identifier}: {phrase}" for phrase in differences(compared))
    yield from (f"{name} has a record {identifier} that was not declared" for identifier in mine)


@paired(
    "LIVE-R53-004",
    title="The zone's own name servers give the primary region for the failover name",
    severity=Severity.CRITICAL,
    risk="Clients are served by the standby region, or by none.",
    fix="See the health checks and the records; Route 53 takes up to a minute to spread a change.",
    within_s=45,
)
def name_servers_give_the_primary(live: Live) -> Verdicts:
    """DNS: every name server of the zone, for both names."""
    answers = [
        (name, server, live.dns.ask(server, name, record_type(live)))
        for server in live.dns.servers(name_servers(live))
        for name in (live.outputs.failover_domain, live.outputs.latency_domain)
    ]
    faults: list[str] = []
    for name, server, answer in answers:
        wanted = live.sites[:1] if name == live.outputs.failover_domain else live.sites
        faults += (f"{server}: {phrase}" for phrase in _answer_faults(live, name, answer, wanted))
    if faults:
        raise NotYet("; ".join(faults))
    return Verdict.passed(f"{len(answers)} answers")


def record_type(live: Live) -> str:
    """What the names are: aliases answer as addresses, the names of a zone of its own as CNAMEs."""
    return "A" if live.declared.dns.delegated else "CNAME"


def name_servers(live: Live) -> tuple[str, ...]:
    """The names of the zone's own servers."""
    zone = live.aws.route53(live.outputs.primary_region).get_hosted_zone(Id=live.outputs.hosted_zone_id)
    return tuple(zone.get("DelegationSet", {}).get("NameServers", ()))


def _answer_faults(live: Live, name: str, answer: DnsAnswer, sites: Sequence[Site]) -> Iterator[str]:
    if answer.code != "NOERROR" or not answer.data:
        yield f"{name} has no answer ({answer.code})"
    elif not live.declared.dns.delegated and answer.data[0] not in [
        site.declared.api.execute_host for site in sites
    ]:
        yield f"{name} leads to {', '.join(answer.data)}, not to {' or '.join(one.region for one in sites)}"


@paired(
    "LIVE-R53-005",
    title="The machine's resolver agrees with the zone's name servers",
    severity=Severity.HIGH,
    risk="Clients do not find the name that the zone's servers know.",
    fix="Delegate the zone from its parent: its name servers are in the hosted zone.",
    within_s=75,
)
def resolver_agrees(live: Live) -> Verdicts:
    """DNS: the machine's resolver, where the zone is delegated."""
    if not live.declared.dns.delegated:
        return Verdict.not_applicable("the zone is not delegated")
    if not live.is_aws:
        return Verdict.not_applicable("nobody delegates a zone to the embedded AWS")
    server = live.dns.servers(name_servers(live))[0]
    for name in (live.outputs.failover_domain, live.outputs.latency_domain):
        theirs, ours = live.dns.ask(server, name, "A"), live.dns.resolve(name, "A")
        if not ours.data or (ours.data != theirs.data and name == live.outputs.failover_domain):
            raise NotYet(f"the resolver gives {', '.join(ours.data) or ours.code} for {name}")
    return Verdict.passed()


@paired(
    "LIVE-R53-006",
    title="A payment through the failover name and through the latency name is recorded",
    severity=Severity.CRITICAL,
    risk="Clients that use the names cannot pay, whatever the regions' own endpoints answer.",
    fix="See the other findings on names and on the API.",
    within_s=45,
)
def payments_through_the_names(live: Live) -> Verdicts:
    """DNS and HTTP: GET /health and POST /payments as a client of the name."""
    if live.declared.dns.delegated and not live.is_aws:
        return Verdict.not_applicable(
            "the embedded AWS has one address for all regions: ports tell them apart"
        )
    served = [
        _pay_through(live, name) for name in (live.outputs.failover_domain, live.outputs.latency_domain)
    ]
    return Verdict.passed(", ".join(f"{name} by {region}" for name, region in served))


def _pay_through(live: Live, name: str) -> tuple[str, str]:
    """The name, and the region that served it.

    Raises:
        NotYet: the name has no answer, or the API behind it not the right one.
    """
    dns = live.declared.dns
    host = name if dns.delegated else _target(live, name)
    base = live.aws.url(host)
    headers: Mapping[str, str] = {"Host": host}
    health = live.http.ask("GET", base + dns.health_path, headers)
    if health.status != 200:
        raise NotYet(f"{name}: the health page answered {health.said()}")
    region = str(health.fields().get("region"))
    canary = canaries.payment(live, name)
    asked = {"x-api-key": api_key(live, live.sites[0]), "Idempotency-Key": canary.key, **headers}
    answer = live.http.ask("POST", base + dns.payments_path, asked, canary.body)
    if answer.status not in (200, 201):
        raise NotYet(f"{name}: POST /payments with the key answered {answer.said()}")
    site = next((one for one in live.sites if one.region == region), live.sites[0])
    canaries.remove_payment(live, site, str(answer.fields().get("payment_id", "")))
    return name, region


def _target(live: Live, name: str) -> str:
    """The host that a name of a zone of its own leads to, as the zone's servers say."""
    answer = live.dns.ask(live.dns.servers(name_servers(live))[0], name, "CNAME")
    if not answer.data:
        raise NotYet(f"{name} has no answer ({answer.code})")
    return answer.data[0]


@paired(
    "LIVE-R53-007",
    title="A change of the zone is INSYNC and reaches its name servers",
    severity=Severity.HIGH,
    risk="What is changed in the zone, to move clients by hand say, does not reach them.",
    fix="See whether AWS reports trouble with Route 53, or names below the failover name are delegated.",
    # Most changes are INSYNC within a minute (Route 53 API reference, GetChange).
    within_s=150,
)
def a_change_reaches_the_name_servers(live: Live) -> Verdicts:
    """Route 53: ChangeResourceRecordSets, GetChange; DNS: every name server of the zone."""
    client, record = live.aws.route53(live.outputs.primary_region), canaries.record(live)
    change = canaries.change_record(live, "UPSERT", record)
    asked = live.patience.clock()
    try:

        def insync() -> float:
            status = client.get_change(Id=change)["ChangeInfo"]["Status"]
            if status != "INSYNC":
                raise NotYet(f"the change is {status}")
            return live.patience.clock() - asked

        took_s = live.patience.poll(insync)
        servers = live.dns.servers(name_servers(live))
        live.patience.poll(lambda: _have(live, servers, record))
    finally:
        live.patience.poll(lambda: canaries.remove_record(live, record))
    return Verdict.passed(f"INSYNC after {took_s:.1f} s, and known to {len(servers)} name servers")


def _have(live: Live, servers: Sequence[NameServer], record: "ResourceRecordSetTypeDef") -> None:
    """Nothing where each server gives the record as it was written.

    Raises:
        NotYet: one of them does not.
    """
    name, wanted = record["Name"], tuple(one["Value"] for one in record.get("ResourceRecords", []))
    answers = [(server, live.dns.ask(server, name, "TXT")) for server in servers]
    faults = [
        f"{server} gives {', '.join(answer.data) or 'nothing'} for {name} ({answer.code})"
        for server, answer in answers
        if answer.data != wanted
    ]
    if faults:
        raise NotYet("; ".join(faults))


@regional(
    "LIVE-TLS-001",
    title="The certificate is valid and has more than 30 days left",
    severity=Severity.HIGH,
    risk="Every client refuses to connect once it has expired.",
    fix="See why ACM does not renew it: its validation record must stay in the zone.",
)
def certificate_is_valid(live: Live, site: Site) -> Verdicts:
    """TLS: a handshake with the regional endpoint, and with both names of one's own."""
    if not live.is_aws:
        return Verdict.not_applicable("the embedded AWS speaks plain HTTP")
    faults: list[str] = []
    names = (live.outputs.failover_domain, live.outputs.latency_domain) if live.declared.dns.delegated else ()
    for host in (site.declared.api.execute_host, *names):
        left = live.tls.days_left(host, live.now())
        if left <= CERTIFICATE_DAYS:
            faults.append(f"the certificate of {host} has {left} days left")
    return all_of(faults)
