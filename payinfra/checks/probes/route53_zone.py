"""Route 53's zone: its records, what its own name servers and a resolver answer, and a change of it."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from payinfra.checks.probes import canaries
from payinfra.checks.probes.model import ProbeContext, RegionUnderTest, all_of, differences, paired
from payinfra.checks.verdicts import Severity, Verdict, Verdicts
from payinfra.clients import canary
from payinfra.clients.aws_errors import NotYet
from payinfra.clients.dns import DnsResponse, NameServer

if TYPE_CHECKING:
    from mypy_boto3_route53.type_defs import (
        AliasTargetTypeDef,
        ResourceRecordSetOutputTypeDef,
        ResourceRecordSetTypeDef,
    )


@paired(
    "LIVE-R53-003",
    title="The failover pair and the latency pair are as declared, each record with its health check",
    severity=Severity.CRITICAL,
    risk="Clients do not follow the healthy region.",
    fix="Deploy again: it was changed outside Terraform.",
)
def records_are_as_declared(live: ProbeContext) -> Verdicts:
    """Route 53: ListResourceRecordSets; API Gateway: GetDomainName, for where aliases lead."""
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
    live: ProbeContext, records: Sequence["ResourceRecordSetOutputTypeDef"], name: str, *, failover: bool
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
        compared = (
            policy,
            ("health check", record.get("HealthCheckId"), live.outputs.records_check(site.region)),
            *(
                _alias(live, site, name, record)
                if live.declared.dns.delegated
                else _cname(live, site, record)
            ),
        )
        yield from (f"{name} {identifier}: {phrase}" for phrase in differences(compared))
    yield from (f"{name} has a record {identifier} that was not declared" for identifier in mine)


Compared = tuple[str, object, object]
"""What is compared, what it is, and what it was declared to be."""


def _cname(
    live: ProbeContext, site: RegionUnderTest, record: "ResourceRecordSetOutputTypeDef"
) -> tuple[Compared, ...]:
    """A CNAME leads to the endpoint of its region."""
    values = tuple(one["Value"].rstrip(".") for one in record.get("ResourceRecords", []))
    return (
        ("type", record["Type"], "CNAME"),
        ("TTL", record.get("TTL"), live.declared.dns.ttl_s),
        ("target", values, (site.declared.api.execute_host,)),
    )


def _alias(
    live: ProbeContext, site: RegionUnderTest, name: str, record: "ResourceRecordSetOutputTypeDef"
) -> tuple[Compared, ...]:
    """An alias leads to the custom domain of its region, and follows the health of that as well."""
    nowhere: AliasTargetTypeDef = {"HostedZoneId": "", "DNSName": "", "EvaluateTargetHealth": False}
    alias = record.get("AliasTarget", nowhere)
    domain = live.aws.apigateway(site.region).get_domain_name(domainName=name)
    return (
        ("type", record["Type"], "A"),
        ("target", alias["DNSName"].rstrip("."), domain.get("regionalDomainName")),
        ("target's zone", alias["HostedZoneId"], domain.get("regionalHostedZoneId")),
        ("following its target's health", alias["EvaluateTargetHealth"], True),
    )


@paired(
    "LIVE-R53-004",
    title="The zone's own name servers give the primary region for the failover name",
    severity=Severity.CRITICAL,
    risk="Clients are served by the standby region, or by none.",
    fix="See the health checks and the records; Route 53 takes up to a minute to spread a change.",
    within_s=45,
)
def name_servers_give_the_primary(live: ProbeContext) -> Verdicts:
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


def record_type(live: ProbeContext) -> str:
    """What the names are: aliases answer as addresses, the names of a zone of its own as CNAMEs."""
    return "A" if live.declared.dns.delegated else "CNAME"


def name_servers(live: ProbeContext) -> tuple[str, ...]:
    """The names of the zone's own servers."""
    zone = live.aws.route53(live.outputs.primary_region).get_hosted_zone(Id=live.outputs.hosted_zone_id)
    return tuple(zone.get("DelegationSet", {}).get("NameServers", ()))


def _answer_faults(
    live: ProbeContext, name: str, answer: DnsResponse, sites: Sequence[RegionUnderTest]
) -> Iterator[str]:
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
def resolver_agrees(live: ProbeContext) -> Verdicts:
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
    "LIVE-R53-007",
    title="A change of the zone is INSYNC and reaches its name servers",
    severity=Severity.HIGH,
    risk="What is changed in the zone, to move clients by hand say, does not reach them.",
    fix="See whether AWS reports trouble with Route 53, or names below the failover name are delegated.",
    # Most changes are INSYNC within a minute (Route 53 API reference, GetChange).
    within_s=150,
)
def a_change_reaches_the_name_servers(live: ProbeContext) -> Verdicts:
    """Route 53: ChangeResourceRecordSets, GetChange; DNS: every name server of the zone."""
    client, zone_id = live.aws.route53(live.outputs.primary_region), live.outputs.hosted_zone_id
    record = canaries.record(live)
    change = canary.write_record(client, zone_id, record)
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
        live.patience.poll(lambda: canary.remove_record(client, zone_id, record))
    return Verdict.passed(f"INSYNC after {took_s:.1f} s, and known to {len(servers)} name servers")


def _have(live: ProbeContext, servers: Sequence[NameServer], record: "ResourceRecordSetTypeDef") -> None:
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
