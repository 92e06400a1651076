"""The authoritative DNS server, on UDP and TCP of one loopback port."""

import asyncio
import logging
import socket
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, cast

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from payinfra.core.errors import EnvironmentUnusable
from payinfra.local.server.route53.answers import DnsAnswerSections, ResourceRecord
from payinfra.local.server.route53.endpoints import LOOPBACK

logger = logging.getLogger(__name__)

# RFC 1035 (4.2.1) without EDNS; with it, what DNS Flag Day 2020 found to pass everywhere.
_PLAIN_UDP: Final = 512
_EDNS_UDP: Final = 1232
_TCP: Final = 65535
_HEADER: Final = 12
_IDLE_SECONDS: Final = 10.0
_ATTEMPTS: Final = 8


@dataclass(frozen=True)
class Question:
    """What a client asks.

    Attributes:
        name: lower case, with the final dot.
        client: the address in the EDNS client subnet option (RFC 7871), where there is one.
    """

    name: str
    type: str
    client: str | None = None


Answerer = Callable[[Question], DnsAnswerSections]


def scaled_ttl(ttl: int, time_scale: float) -> int:
    """A TTL as clients get it: 60 s at a time scale of 20 is 3 s; never below 1 s unless it is 0."""
    return 0 if ttl == 0 else max(1, round(ttl / time_scale))


def respond(wire: bytes, answerer: Answerer, time_scale: float, *, udp: bool) -> bytes | None:
    """The response to one message, or None where silence is the answer.

    What cannot be parsed gets FORMERR, what cannot be answered because of a fault gets SERVFAIL; over
    UDP a response that is too long is cut and marked so that the client asks again over TCP.
    """
    if len(wire) < _HEADER or wire[2] & 0x80:
        return None  # too short to be answered, or itself a response
    try:
        query = dns.message.from_wire(wire)
        response = _respond(query, answerer, time_scale)
        return response.to_wire(max_size=_limit(query, udp=udp), prefer_truncation=True)
    except dns.exception.FormError as error:
        logger.debug("DNS: a malformed message", exc_info=error)
        return _bare(wire, dns.rcode.FORMERR)
    except Exception:
        logger.exception("DNS: a query could not be answered")
        return _bare(wire, dns.rcode.SERVFAIL)


def _bare(wire: bytes, code: dns.rcode.Rcode) -> bytes:
    opcode_and_rd = wire[2] & 0x79
    return wire[:2] + struct.pack("!BBHHHH", 0x80 | opcode_and_rd, int(code), 0, 0, 0, 0)


def _limit(query: dns.message.Message, *, udp: bool) -> int:
    if not udp:
        return _TCP
    return _PLAIN_UDP if query.edns < 0 else max(_PLAIN_UDP, min(query.payload, _EDNS_UDP))


def _respond(query: dns.message.Message, answerer: Answerer, time_scale: float) -> dns.message.Message:
    response = dns.message.make_response(query)
    subnet = next((each for each in query.options if isinstance(each, dns.edns.ECSOption)), None)
    if query.edns >= 0:
        # The scope says for which clients a cache may use the answer: here, that very subnet.
        options: list[dns.edns.Option] = []
        if subnet:
            options.append(dns.edns.ECSOption(subnet.address, subnet.srclen, subnet.srclen))
        response.use_edns(0, payload=_EDNS_UDP, options=options)
    refusal = _refusal(query)
    if refusal is not None:
        response.set_rcode(refusal)
        return response
    asked = query.question[0]
    answer = answerer(
        Question(
            name=asked.name.to_text().lower(),
            type=dns.rdatatype.to_text(asked.rdtype),
            client=subnet.address if subnet else None,
        )
    )
    response.set_rcode(dns.rcode.from_text(answer.code.value))
    if answer.authoritative:
        response.flags |= dns.flags.AA
    response.answer = _sections(answer.records, time_scale)
    response.authority = _sections(answer.authority, time_scale)
    return response


def _refusal(query: dns.message.Message) -> dns.rcode.Rcode | None:
    if query.edns > 0:
        return dns.rcode.BADVERS
    if query.opcode() != dns.opcode.QUERY:
        return dns.rcode.NOTIMP
    if len(query.question) != 1:
        return dns.rcode.FORMERR
    asked = query.question[0]
    if asked.rdclass != dns.rdataclass.IN:
        return dns.rcode.REFUSED
    # ANY, AXFR and their like: no client of payinfra asks them, and an incomplete answer would mislead.
    return dns.rcode.NOTIMP if dns.rdatatype.is_metatype(asked.rdtype) else None


def _sections(records: Iterable[ResourceRecord], time_scale: float) -> list[dns.rrset.RRset]:
    grouped = groupby(records, key=lambda each: (each.name, each.type, each.ttl))
    return [
        # Route 53 takes a name without its final dot to be complete, and so does this.
        dns.rrset.from_text_list(
            name,
            scaled_ttl(ttl, time_scale),
            "IN",
            rtype,
            [each.value for each in group],
            origin=dns.name.root,
            relativize=False,
        )
        for (name, rtype, ttl), group in grouped
    ]


class DnsServer:
    """Listens until stopped.

    Args:
        answerer: answers one question; whatever it raises becomes SERVFAIL.
        time_scale: by how much TTLs are divided, asked for with every answer.
    """

    def __init__(self, answerer: Answerer, time_scale: Callable[[], float]) -> None:
        self._answerer = answerer
        self._time_scale = time_scale
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None
        self._conversations: set[asyncio.Task[None]] = set()

    async def start(self, port: int) -> int:
        """Listen on UDP and TCP of a port of 127.0.0.1; 0 takes any. Returns the port.

        Raises:
            EnvironmentUnusable: the port is taken.
        """
        tcp, udp = bind_both([port] if port else [0] * _ATTEMPTS)
        self._tcp = await asyncio.start_server(self._converse, sock=tcp)
        loop = asyncio.get_running_loop()
        self._udp, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self.respond), sock=udp)
        bound: int = tcp.getsockname()[1]
        return bound

    async def stop(self) -> None:
        """Close both sockets and every conversation; harmless when nothing was started."""
        if self._udp is not None:
            self._udp.close()
        if self._tcp is not None:
            self._tcp.close()
        conversations = tuple(self._conversations)
        for conversation in conversations:
            conversation.cancel()
        await asyncio.gather(*conversations, return_exceptions=True)
        self._udp = self._tcp = None

    def respond(self, wire: bytes, *, udp: bool) -> bytes | None:
        """The response to one message."""
        return respond(wire, self._answerer, self._time_scale(), udp=udp)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._conversations.add(task)
        task.add_done_callback(self._conversations.discard)
        try:
            while True:
                async with asyncio.timeout(_IDLE_SECONDS):
                    (length,) = struct.unpack("!H", await reader.readexactly(2))
                    wire = await reader.readexactly(length)
                response = self.respond(wire, udp=False)
                if response is not None:
                    writer.write(struct.pack("!H", len(response)) + response)
                    await writer.drain()
        except (asyncio.IncompleteReadError, OSError) as error:
            logger.debug("DNS: a TCP client left", exc_info=error)
        finally:
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    _transport: asyncio.DatagramTransport

    def __init__(self, respond: Callable[..., bytes | None]) -> None:
        self._respond = respond

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        response = self._respond(data, udp=True)
        if response is not None:
            self._transport.sendto(response, addr)


def bind_both(ports: Sequence[int]) -> tuple[socket.socket, socket.socket]:
    """A TCP and a UDP socket on the same port of 127.0.0.1: the first of `ports` that is free on both.

    Raises:
        EnvironmentUnusable: none of them is.
    """
    for port in ports:
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            # So that a restart need not wait for the old connections' time-wait.
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tcp.bind((LOOPBACK, port))
            udp.bind((LOOPBACK, tcp.getsockname()[1]))
            tcp.listen()
        except OSError as error:
            tcp.close()
            udp.close()
            logger.debug("DNS: port %s is taken", port, exc_info=error)
        else:
            return tcp, udp
    raise EnvironmentUnusable(
        f"The embedded AWS's DNS server cannot listen on {LOOPBACK}, port {ports[0] or 'any'}: it is taken.",
        "End the program that uses the port, or choose another port.",
    )
