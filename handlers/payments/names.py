"""Where the failover name leads now, according to the zone's own name servers. DNS is a data plane.

A resolver's answer may be as old as the record's TTL, and would say after a return that the name still leads
here. The zone's name servers cache nothing. This module has only the part of DNS that it needs (RFC 1035).
"""

import ipaddress
import re
import secrets
import socket
import ssl
import struct
from collections.abc import Callable, Sequence
from http.client import HTTPException, HTTPSConnection
from pathlib import Path

A, NS, CNAME = 1, 2, 5
"""The types of records that are asked for (RFC 1035, 3.2.2)."""
TIMEOUT_S = 0.4
"""How long the function waits for one name server, or for the region at one address, in seconds."""
ENOUGH_SERVERS = 2
"""At least this many name servers, or all if the zone has fewer, must name this region, and none another."""
ADDRESSES_KEPT = 64
"""How many addresses, with their regions, a container remembers at most."""
_PORT = 53
_UDP_MAX = 512
_JUMPS_MAX = 16
_RESOLVERS = Path("/etc/resolv.conf")

Exchange = Callable[[bytes, tuple[str, int]], bytes]
"""Sends a question to an address and port, and gives the answer; raises OSError where none comes."""


class FailoverName:
    """The failover name, asked for at its zone's name servers.

    Args:
        name: the name that follows the healthy region.
        region: this region.
        servers: the name servers' names, or `address:port`; none for a zone that its parent delegates: the
            machine's resolver is asked for them.
        zone: the domain, at the top of a delegated zone or below it; empty for the environment's own zone, in
            which the name is a CNAME of an endpoint.
        region_at: which region answers for the name at an address; raises OSError where none does.
    """

    def __init__(
        self,
        name: str,
        region: str,
        servers: Sequence[str],
        zone: str = "",
        *,
        exchange: Exchange | None = None,
        address_of: Callable[[str], str] = socket.gethostbyname,
        region_at: Callable[[str, str], str] | None = None,
        resolvers: Callable[[], Sequence[str]] | None = None,
    ) -> None:
        self._name = name
        self._region = region
        self._servers = tuple(servers)
        self._zone = zone
        self._exchange = exchange or ask_by_udp
        self._address_of = address_of
        self._region_at = region_at or serving_region
        self._resolvers = resolvers or machine_resolvers
        self._addresses: dict[str, tuple[str, int]] = {}
        self._regions: dict[str, str] = {}

    def leads_here(self) -> bool:
        """Whether the name leads to this region. No answer means no."""
        kind = A if self._zone else CNAME
        servers = self._name_servers()
        agreed = 0
        for server in servers:
            try:
                data = self._ask(self._address(server), self._name, kind)
            except (OSError, ValueError):
                continue
            if not data or not all(self._is_here(one) for one in data):
                return False
            agreed += 1
        return 0 < agreed >= min(ENOUGH_SERVERS, len(servers))

    def _name_servers(self) -> Sequence[str]:
        if self._servers or not self._zone:
            return self._servers
        for resolver in self._resolvers():
            try:
                self._servers = self._of_zone((resolver, _PORT))
            except (OSError, ValueError):
                continue
            break
        return self._servers

    def _of_zone(self, resolver: tuple[str, int]) -> tuple[str, ...]:
        """The name servers of the zone that the domain is in: the domain may lie below it.

        Raises OSError where no answer comes, and ValueError where it is none.
        """
        labels = self._zone.rstrip(".").split(".")
        for start in range(len(labels)):
            if found := self._ask(resolver, ".".join(labels[start:]), NS, recursive=True):
                return found
        return ()

    def _address(self, server: str) -> tuple[str, int]:
        """Raises OSError where the server's name has no address."""
        if server not in self._addresses:
            host, _, port = server.partition(":")
            self._addresses[server] = (self._address_of(host), int(port or _PORT))
        return self._addresses[server]

    def _ask(
        self, address: tuple[str, int], name: str, kind: int, *, recursive: bool = False
    ) -> tuple[str, ...]:
        """Raises OSError where no answer comes, and ValueError where it is none."""
        number = secrets.randbelow(1 << 16)
        return answer_of(
            self._exchange(question_of(number, name, kind, recursive=recursive), address), number, kind
        )

    def _is_here(self, data: str) -> bool:
        if not self._zone:
            return re.fullmatch(rf"[a-z0-9]+\.execute-api\.{self._region}\.amazonaws\.com", data) is not None
        if data not in self._regions:
            try:
                region = self._region_at(data, self._name)
            except (OSError, HTTPException):
                return False
            if not region:
                return False
            if len(self._regions) >= ADDRESSES_KEPT:
                self._regions.clear()
            self._regions[data] = region
        return self._regions[data] == self._region


def question_of(number: int, name: str, kind: int, *, recursive: bool = False) -> bytes:
    """A DNS message that asks for a name's records."""
    labels = b"".join(bytes((len(label),)) + label for label in name.rstrip(".").encode("ascii").split(b"."))
    return (
        struct.pack("!6H", number, 0x0100 if recursive else 0, 1, 0, 0, 0)
        + labels
        + b"\0\0"
        + bytes((kind, 0, 1))
    )


def answer_of(message: bytes, number: int, kind: int) -> tuple[str, ...]:
    """The data of the records of one type in a DNS message that answers the question `number`.

    Raises:
        ValueError: it is no such answer, an error, or cut off.
    """
    try:
        named, flags, questions, answers = struct.unpack_from("!4H", message)
        # An answer, not cut off, without an error: QR, TC and RCODE (RFC 1035, 4.1.1).
        if named != number or flags & 0x820F != 0x8000:
            raise ValueError("it does not answer the question")
        place = 12
        for _ in range(questions):
            place = _read_name(message, place)[1] + 4
        found = []
        for _ in range(answers):
            place = _read_name(message, place)[1]
            type_, _, _, length = struct.unpack_from("!HHIH", message, place)
            place += 10
            if type_ == kind:
                found.append(_data(message, place, length, kind))
            place += length
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ValueError("it is cut off, or not DNS") from error
    return tuple(sorted(found))


def _data(message: bytes, place: int, length: int, kind: int) -> str:
    if kind == A:
        return str(ipaddress.IPv4Address(message[place : place + length]))
    return _read_name(message, place)[0]


def _read_name(message: bytes, place: int) -> tuple[str, int]:
    """A name, in lower case, and where it ends; a pointer leads to the rest of one (RFC 1035, 4.1.4)."""
    labels: list[str] = []
    end = 0
    for _ in range(_JUMPS_MAX * 8):
        length = message[place]
        if length >= 0xC0:
            end = end or place + 2
            place = (length & 0x3F) << 8 | message[place + 1]
        elif length == 0:
            return ".".join(labels).lower(), end or place + 1
        else:
            labels.append(message[place + 1 : place + 1 + length].decode("ascii"))
            place += 1 + length
    raise ValueError("its names lead in a circle")


def ask_by_udp(message: bytes, address: tuple[str, int]) -> bytes:
    """Send a question and wait for the answer of that address. Raises OSError where none comes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(TIMEOUT_S)
        asking.connect(address)
        asking.send(message)
        return asking.recv(_UDP_MAX)


def machine_resolvers() -> tuple[str, ...]:
    """The addresses of the machine's resolvers; none where it does not say."""
    try:
        lines = _RESOLVERS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return ()
    return tuple(
        words[1] for line in lines if (words := line.split())[:1] == ["nameserver"] and ":" not in words[1]
    )


def serving_region(address: str, name: str) -> str:
    """The region that answers at an address for a name, as its answers say.

    Raises:
        OSError, HTTPException: nothing answers there that has a certificate of the name.
    """
    context = ssl.create_default_context()
    with (
        socket.create_connection((address, 443), TIMEOUT_S) as plain,
        context.wrap_socket(plain, server_hostname=name) as secure,
    ):
        connection = HTTPSConnection(name, timeout=TIMEOUT_S)
        connection.sock = secure
        # Not the page `/evacuation`: this is asked while that page is being made.
        connection.request("GET", "/health")
        return connection.getresponse().headers.get("Payment-Region", "")
