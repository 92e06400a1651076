"""DNS queries to a zone's name servers and to the machine's resolver."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import dns.edns
import dns.message
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
        """The records of a name, from one server."""

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
        return _answer(said, kind)

    def resolve(self, name: str, kind: str) -> DnsResponse:
        """See `Dns`. Of the embedded AWS's zones no resolver knows, so that its own server is asked."""
        if self.embedded:
            return self.ask(self.servers(())[0], name, kind)
        return _answer(self.resolver(name, kind), kind)


def _answer(message: dns.message.Message, kind: str) -> DnsResponse:
    wanted = dns.rdatatype.from_text(kind)
    sets = [each for each in message.answer if each.rdtype == wanted]
    data = tuple(sorted(str(record).rstrip(".") for each in sets for record in each))
    ttl = min((each.ttl for each in sets), default=0)
    return DnsResponse(dns.rcode.to_text(message.rcode()), data, ttl)
