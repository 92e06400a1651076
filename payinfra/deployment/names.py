"""Where an environment's names lead now, as the zone's own name servers say."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from payinfra.clients.dns import Dns, NameServer, delegated_to, servers_of_zone
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


@dataclass(frozen=True)
class Delegation:
    """The name servers that a domain's parent delegates it to.

    Attributes:
        zone: the domain's zone.
        servers: the names of those name servers; none where the parent does not delegate it.
        own: the names of the hosted zone's name servers; none where Route 53's control plane does not say.
        unknown: why the delegation is not known; empty where it is.
    """

    zone: str
    servers: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    unknown: str = ""

    @property
    def problem(self) -> str:
        """What is wrong, in a sentence; empty where nothing is, or nothing is known to be."""
        if self.unknown:
            return f"Whether {self.zone} is delegated to its name servers is not known: {self.unknown}."
        if not self.servers:
            return (
                f"{self.zone} is not delegated: its parent has no NS records for it, so no client finds it."
            )
        strange = sorted(set(self.servers) - set(self.own)) if self.own else ()
        if strange:
            return f"{self.zone} is delegated to {', '.join(strange)}, which do not serve its hosted zone."
        return ""

    @property
    def next_step(self) -> str:
        """What corrects it, in a sentence; empty where nothing has to be corrected."""
        if self.unknown or not self.problem:
            return ""
        own = ", ".join(self.own) or "that its hosted zone names (Route 53 console, or GetHostedZone)"
        return f"In the zone above {self.zone}, set the NS records of {self.zone} to exactly {own}."


def delegation(outputs: Outputs, aws: "Aws", dns: Dns) -> Delegation | None:
    """The delegation of a domain of one's own; None for a zone that nobody has to delegate."""
    from botocore.exceptions import BotoCoreError, ClientError
    from dns.exception import DNSException

    declared = outputs.declared.dns
    if not declared.delegated or aws.endpoints is not None:
        return None
    try:
        hosted = _hosted(outputs, aws)
    except (BotoCoreError, ClientError):
        hosted = ZoneInRoute53(declared.zone)
    # A domain may lie below its zone: the zone is what has to be delegated.
    zone = hosted.name or declared.zone
    try:
        servers = delegated_to(zone, dns)
    except (DNSException, OSError) as error:
        return Delegation(zone, unknown=str(error) or type(error).__name__)
    return Delegation(zone, servers, tuple(sorted(hosted.servers)))


@dataclass(frozen=True)
class ZoneInRoute53:
    """A hosted zone as Route 53's control plane describes it; names without their last dot."""

    name: str
    servers: tuple[str, ...] = ()


def _hosted(outputs: Outputs, aws: "Aws") -> ZoneInRoute53:
    """Raises BotoCoreError, ClientError where Route 53's control plane does not say."""
    found = aws.route53(outputs.primary_region).get_hosted_zone(Id=outputs.hosted_zone_id)
    servers = found.get("DelegationSet", {}).get("NameServers", ())
    name = found.get("HostedZone", {}).get("Name", "")
    return ZoneInRoute53(name.rstrip(".").lower(), tuple(one.rstrip(".").lower() for one in servers))


def name_servers(outputs: Outputs, aws: "Aws", dns: Dns) -> tuple[NameServer, ...]:
    """The name servers that clients use.

    For a delegated zone they are those that its parent names, else those that a resolver finds. Those of a
    zone that nobody delegates are in the outputs. None of this needs a control plane. Route 53's is asked if
    an earlier version deployed the environment, or if the domain is delegated to nobody: it may lie below its
    zone. Where that control plane does not say, the zone that the domain is in is taken.

    Raises:
        DNSException, OSError: DNS does not say.
        BotoCoreError, ClientError: Route 53's control plane does not say.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    declared, evacuation = outputs.declared.dns, outputs.declared.evacuation
    delegated = declared.delegated and aws.endpoints is None
    if delegated and (found := _delegated(declared.zone, dns)):
        return dns.servers(found)
    if evacuation is not None and evacuation.name_servers:
        return dns.servers(evacuation.name_servers.split(","))
    try:
        return dns.servers(_hosted(outputs, aws).servers)
    except (BotoCoreError, ClientError):
        if delegated and (found := servers_of_zone(declared.zone, dns)):
            return dns.servers(found)
        raise


def _delegated(zone: str, dns: Dns) -> tuple[str, ...]:
    """Raises DNSException, OSError where neither the parent nor a resolver says."""
    from dns.exception import DNSException

    try:
        return delegated_to(zone, dns)
    except (DNSException, OSError):
        return servers_of_zone(zone, dns)


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
