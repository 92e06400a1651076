"""DNS queries to a zone's name servers and to the machine's resolver."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import dns.edns
import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.resolver

TIMEOUT_S = 2.0
DNS_PORT = 53


@dataclass(frozen=True)
class NameServer:
    """A name server, by address."""

    address: str
    port: int = DNS_PORT

    def __str__(self) -> str:
        """`address`, or `address:port` for another port than 53."""
        return self.address if self.port == DNS_PORT else f"{self.address}:{self.port}"


@dataclass(frozen=True)
class DnsResponse:
    """A DNS answer: its code (`NOERROR`), the records' data, and their TTL in seconds."""

    code: str
    data: tuple[str, ...]
    ttl_s: int


class Dns(Protocol):
    """DNS queries. Each raises dns.exception.DNSException or OSError when nothing answers."""

    def servers(self, names: Sequence[str]) -> tuple[NameServer, ...]:
        """The name servers with these host names."""

    def ask(self, server: NameServer, name: str, kind: str) -> DnsResponse:
        """The records of a name, from one server.

        A server of the parent zone answers a query for the NS records of a zone with a referral: the result
        then has the referral's records (RFC 1034, 4.3.2).
        """

    def resolve(self, name: str, kind: str) -> DnsResponse:
        """The records of a name, from the machine's resolver."""


Exchange = Callable[[dns.message.Message, NameServer], dns.message.Message]


def exchange(question: dns.message.Message, server: NameServer) -> dns.message.Message:
    """Send a query over UDP, or over TCP where the answer is truncated."""
    answer, _ = dns.query.udp_with_fallback(question, server.address, TIMEOUT_S, server.port)
    return answer


Resolver = Callable[[str, str], dns.message.Message]


def resolve(name: str, kind: str, resolver: dns.resolver.Resolver | None = None) -> dns.message.Message:
    """Resolve with the machine's resolver, or with another one."""
    asked = resolver or dns.resolver.get_default_resolver()
    return asked.resolve(name, kind, lifetime=TIMEOUT_S, raise_on_no_answer=False).response


@dataclass(frozen=True)
class DnspythonDns:
    """DNS queries with dnspython.

    Attributes:
        embedded: `address:port` of the embedded AWS's server, which stands for all; empty on AWS.
        on_behalf_of: the client address to send with queries (RFC 7871); empty for none.
    """

    embedded: str = ""
    on_behalf_of: str = ""
    exchange: Exchange = exchange
    resolver: Resolver = resolve

    def servers(self, names: Sequence[str]) -> tuple[NameServer, ...]:
        """See `Dns`."""
        if self.embedded:
            address, _, port = self.embedded.rpartition(":")
            return (NameServer(address, int(port)),)
        return tuple(NameServer(self.resolve(name, "A").data[0]) for name in names)

    def ask(self, server: NameServer, name: str, kind: str) -> DnsResponse:
        """See `Dns`."""
        options: list[dns.edns.Option] = []
        if self.on_behalf_of:
            options.append(dns.edns.ECSOption(self.on_behalf_of))
        said = self.exchange(dns.message.make_query(name, kind, options=options), server)
        answer = _answer(said, kind)
        return _referral(said, name, answer) if kind == "NS" and not answer.data else answer

    def resolve(self, name: str, kind: str) -> DnsResponse:
        """See `Dns`. No resolver knows the embedded AWS's zones, so this asks its own server."""
        if self.embedded:
            return self.ask(self.servers(())[0], name, kind)
        return _answer(self.resolver(name, kind), kind)


def _answer(message: dns.message.Message, kind: str) -> DnsResponse:
    wanted = dns.rdatatype.from_text(kind)
    sets = [each for each in message.answer if each.rdtype == wanted]
    data = tuple(sorted(str(record).rstrip(".") for each in sets for record in each))
    ttl = min((each.ttl for each in sets), default=0)
    return DnsResponse(dns.rcode.to_text(message.rcode()), data, ttl)


def _referral(message: dns.message.Message, zone: str, answer: DnsResponse) -> DnsResponse:
    """The name servers in a referral for the zone; `answer` if the message is no such referral."""
    owner = dns.name.from_text(zone)
    for each in message.authority:
        if each.rdtype == dns.rdatatype.NS and each.name == owner:
            return DnsResponse(
                answer.code, tuple(sorted(str(record).rstrip(".") for record in each)), each.ttl
            )
    return answer


def delegated_to(zone: str, dns_: Dns) -> tuple[str, ...]:
    """The names of the name servers that a zone's parent delegates it to; none if it does not.

    A resolver's answer would come from the zone's own servers. Clients follow the records of the parent.

    Raises:
        DNSException, OSError: none of the parent's name servers answers, or they are not known.
    """
    failure: Exception = OSError(f"the name servers of the parent of {zone} are not known")
    for host in _parents_servers(zone, dns_):
        try:
            return dns_.ask(dns_.servers((host,))[0], zone, "NS").data
        except (dns.exception.DNSException, OSError, IndexError) as error:
            failure = error if isinstance(error, OSError | dns.exception.DNSException) else failure
    raise failure


def servers_of_zone(name: str, dns_: Dns) -> tuple[str, ...]:
    """The names of the name servers of the zone that a name is in; none where DNS knows none.

    A domain may lie below its zone, such as `pay.example.com` in the zone `example.com`: only zones have NS
    records.

    Raises:
        DNSException, OSError: the resolver does not answer.
    """
    labels = name.rstrip(".").split(".")
    for start in range(len(labels)):
        try:
            found = dns_.resolve(".".join(labels[start:]), "NS").data
        except (dns.resolver.NXDOMAIN, dns.resolver.NoNameservers):
            continue
        if found:
            return found
    return ()


def _parents_servers(zone: str, dns_: Dns) -> tuple[str, ...]:
    """The names of the nearest parent zone's name servers."""
    _label, _, parent = zone.rstrip(".").partition(".")
    return servers_of_zone(parent, dns_) if parent else ()
