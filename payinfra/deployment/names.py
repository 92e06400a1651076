"""Where an environment's names lead now, as the zone's own name servers say."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from payinfra.clients.dns import Dns, NameServer
from payinfra.core.outputs import Outputs

if TYPE_CHECKING:
    from payinfra.clients.aws import Aws
    from payinfra.drill.observers import RegionOf


@dataclass(frozen=True)
class NameStatus:
    """A name that clients use.

    Attributes:
        leads_to: the regions that its answers lead to; several where the name servers differ.
        answers: the records' data, as the name servers give it.
        ttl_s: for how many seconds resolvers keep an answer.
        servers: how many name servers have answered.
        unknown: why it is not known, or not of every server; empty where it is.
    """

    name: str
    leads_to: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    ttl_s: int = 0
    servers: int = 0
    unknown: str = ""


def name_servers(outputs: Outputs, aws: "Aws", dns: Dns) -> tuple[NameServer, ...]:
    """The zone's own name servers.

    A delegated zone's are asked for in DNS, and those of a zone that nobody delegates to are in the outputs:
    neither needs a control plane. Route 53's is asked where an earlier version deployed.

    Raises:
        DNSException, OSError: DNS does not say.
        BotoCoreError, ClientError: Route 53's control plane does not say.
    """
    declared, evacuation = outputs.declared.dns, outputs.declared.evacuation
    delegated = declared.delegated and aws.endpoints is None
    if delegated and (found := dns.resolve(declared.zone, "NS").data):
        return dns.servers(found)
    if evacuation is not None and evacuation.name_servers:
        return dns.servers(evacuation.name_servers.split(","))
    zone = aws.route53(outputs.primary_region).get_hosted_zone(Id=outputs.hosted_zone_id)
    return dns.servers(zone.get("DelegationSet", {}).get("NameServers", ()))


def look_up(
    name: str, kind: str, servers: Sequence[NameServer], dns: Dns, region_of: "RegionOf"
) -> NameStatus:
    """Ask every name server for a name.

    Args:
        kind: `A` or `CNAME`.
        region_of: which region an answer's data is; nothing where it is none, or nobody there says.
    """
    from dns.exception import DNSException

    found = NameStatus(name)
    regions: dict[str, None] = {}
    for server in servers:
        try:
            answer = dns.ask(server, name, kind)
        except (DNSException, OSError) as error:
            found = replace(found, unknown=f"{server} does not answer: {error}")
            continue
        found = replace(found, answers=answer.data, ttl_s=answer.ttl_s, servers=found.servers + 1)
        if region := _region(answer.data, region_of):
            regions[region] = None
        else:
            said = ", ".join(answer.data) or answer.code
            found = replace(found, unknown=f"{server} answers {said}, which is no region's")
    return replace(found, leads_to=tuple(regions))


def _region(data: Sequence[str], region_of: "RegionOf") -> str:
    import httpx

    for each in data:
        try:
            if region := region_of(each):
                return region
        except (httpx.HTTPError, KeyError, ValueError):  # nobody at that address says which region it is
            continue
    return ""
