import asyncio
import random
import socket
import struct
from collections.abc import Callable, Coroutine

import dns.asyncquery
import dns.asyncresolver
import dns.edns
import dns.flags
import dns.message
import dns.nameserver
import dns.opcode
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payinfra.core.errors import EnvironmentUnusable
from payinfra.local.server.route53.answers import REFUSED, DnsAnswerSections, ResourceRecord, ResponseCode
from payinfra.local.server.route53.dns import DnsServer, Question, bind_both, respond, scaled_ttl

# A busy machine may take its time over one example.
QUICK = settings(deadline=None, max_examples=60)
CNAME = ResourceRecord("api.pay.example.", "CNAME", 60, "abc.execute-api.us-east-1.amazonaws.com")
SOA = ResourceRecord(
    "pay.example.", "SOA", 900, "ns-1.awsdns-1.com. host.amazon.com. 1 7200 900 1209600 86400"
)


def answerer(question: Question) -> DnsAnswerSections:
    match question.name:
        case "api.pay.example.":
            return DnsAnswerSections(ResponseCode.NOERROR, (CNAME,))
        case "some.pay.example." | "many.pay.example.":
            last_one = 60 if question.name.startswith("some") else 120
            records = (
                ResourceRecord(question.name, "A", 60, f"192.0.2.{last}") for last in range(1, last_one)
            )
            return DnsAnswerSections(ResponseCode.NOERROR, tuple(records))
        case "broken.pay.example.":
            return DnsAnswerSections(
                ResponseCode.NOERROR, (ResourceRecord(question.name, "A", 60, "not an address"),)
            )
        case "crash.pay.example.":
            raise RuntimeError("a bug")
        case "where.pay.example.":
            return DnsAnswerSections(
                ResponseCode.NOERROR, (ResourceRecord(question.name, "TXT", 60, f'"{question.client}"'),)
            )
        case "other.example.":
            return REFUSED
        case _:
            return DnsAnswerSections(ResponseCode.NXDOMAIN, (), (SOA,))


def exchange(query: dns.message.Message, *, scale: float = 1, udp: bool = True) -> dns.message.Message:
    wire = respond(query.to_wire(), answerer, scale, udp=udp)
    assert wire is not None
    response = dns.message.from_wire(wire)
    assert query.is_response(response)
    return response


def query(name: str, rtype: str = "A", *, use_edns: bool = False) -> dns.message.Message:
    return dns.message.make_query(name, rtype, use_edns=use_edns)


def bad(rcode: dns.rcode.Rcode) -> Callable[[bytes | None], None]:
    def check(wire: bytes | None) -> None:
        assert wire is not None
        # A response (0x80) with the query's wish for recursion (0x01), the code, and four empty sections.
        assert wire[2:] == bytes([0x81, rcode]) + bytes(8)

    return check


# --- one message -------------------------------------------------------------------------------


def test_an_answer_is_authoritative_and_offers_no_recursion() -> None:
    response = exchange(query("api.pay.example"))
    assert response.rcode() == dns.rcode.NOERROR
    assert response.flags & dns.flags.AA
    assert not response.flags & dns.flags.RA
    assert [str(rrset) for rrset in response.answer] == [
        "api.pay.example. 60 IN CNAME abc.execute-api.us-east-1.amazonaws.com."
    ]
    assert response.edns < 0


def test_the_case_of_the_question_does_not_matter_and_is_kept() -> None:
    response = exchange(query("API.Pay.example"))
    assert response.answer[0].name.to_text() == "API.Pay.example."


def test_no_such_name_carries_the_soa() -> None:
    response = exchange(query("none.pay.example"))
    assert response.rcode() == dns.rcode.NXDOMAIN
    assert [(rrset.rdtype, rrset.ttl) for rrset in response.authority] == [(dns.rdatatype.SOA, 900)]


def test_other_peoples_names_are_refused_without_authority() -> None:
    response = exchange(query("other.example"))
    assert response.rcode() == dns.rcode.REFUSED
    assert not response.flags & dns.flags.AA


@pytest.mark.parametrize(
    ("ttl", "scale", "expected"),
    [(60, 1, 60), (60, 20, 3), (60, 1000, 1), (60, 0.5, 120), (0, 20, 0), (1, 2, 1)],
)
def test_ttls_are_divided_by_the_time_scale(ttl: int, scale: float, expected: int) -> None:
    assert scaled_ttl(ttl, scale) == expected


def test_the_answers_ttls_are_scaled() -> None:
    assert exchange(query("api.pay.example"), scale=20).answer[0].ttl == 3
    assert exchange(query("none.pay.example"), scale=20).authority[0].ttl == 45


def test_over_udp_a_long_answer_is_cut_and_marked_over_tcp_it_is_whole() -> None:
    plain = exchange(query("many.pay.example"))
    assert plain.flags & dns.flags.TC
    whole = exchange(query("many.pay.example"), udp=False)
    assert not whole.flags & dns.flags.TC
    assert len(whole.answer[0]) == 119


@pytest.mark.parametrize(("name", "cut"), [("some.pay.example", False), ("many.pay.example", True)])
def test_edns_carries_more_up_to_what_passes_everywhere(name: str, cut: bool) -> None:
    assert exchange(query("some.pay.example")).flags & dns.flags.TC
    asked = query(name, use_edns=True)
    asked.use_edns(0, payload=4096)
    assert bool(exchange(asked).flags & dns.flags.TC) is cut


def test_a_tiny_edns_payload_counts_as_512() -> None:
    asked = query("many.pay.example", use_edns=True)
    asked.use_edns(0, payload=100)
    assert exchange(asked).flags & dns.flags.TC


def test_the_clients_subnet_is_heard_and_returned_with_its_scope() -> None:
    asked = query("where.pay.example", "TXT")
    asked.use_edns(0, options=[dns.edns.ECSOption("198.51.100.0", 24)])
    response = exchange(asked)
    assert str(response.answer[0][0]) == '"198.51.100.0"'
    assert [str(option) for option in response.options] == ["ECS 198.51.100.0/24 scope/24"]


def test_without_a_subnet_edns_is_still_answered_in_kind() -> None:
    response = exchange(query("where.pay.example", "TXT", use_edns=True))
    assert response.edns == 0
    assert response.options == ()
    assert str(response.answer[0][0]) == '"None"'


def with_opcode() -> dns.message.Message:
    asked = query("api.pay.example")
    asked.set_opcode(dns.opcode.STATUS)
    return asked


def with_version() -> dns.message.Message:
    asked = query("api.pay.example")
    asked.use_edns(1)
    return asked


def with_two_questions() -> dns.message.Message:
    asked = query("api.pay.example")
    asked.question += query("other.example").question
    return asked


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (with_opcode(), dns.rcode.NOTIMP),
        (with_version(), dns.rcode.BADVERS),
        (query("api.pay.example", "ANY"), dns.rcode.NOTIMP),
        (dns.message.make_query("api.pay.example", "TXT", "CH"), dns.rcode.REFUSED),
        (with_two_questions(), dns.rcode.FORMERR),
    ],
)
def test_what_is_not_served_is_said_so(asked: dns.message.Message, code: dns.rcode.Rcode) -> None:
    wire = respond(asked.to_wire(), answerer, 1, udp=True)
    assert wire is not None
    assert dns.message.from_wire(wire).rcode() == code


@pytest.mark.parametrize("name", ["broken.pay.example", "crash.pay.example"])
def test_a_fault_is_servfail(name: str) -> None:
    bad(dns.rcode.SERVFAIL)(respond(query(name).to_wire(), answerer, 1, udp=True))


def test_a_message_that_cannot_be_parsed_is_a_format_error_with_its_id() -> None:
    wire = query("api.pay.example").to_wire()[:-3]
    response = respond(wire, answerer, 1, udp=True)
    bad(dns.rcode.FORMERR)(response)
    assert response is not None
    assert response[:2] == wire[:2]


def test_responses_and_scraps_are_met_with_silence() -> None:
    response = dns.message.make_response(query("api.pay.example")).to_wire()
    assert respond(response, answerer, 1, udp=True) is None
    assert respond(b"\x00" * 11, answerer, 1, udp=True) is None
    assert respond(b"", answerer, 1, udp=True) is None


def test_a_bare_header_is_a_format_error() -> None:
    response = respond(b"\x00" * 12, answerer, 1, udp=True)
    assert response is not None
    assert dns.message.from_wire(response).rcode() == dns.rcode.FORMERR


@QUICK
@given(st.binary(max_size=80))
def test_no_bytes_whatever_raise(noise: bytes) -> None:
    assert is_an_answer_or_none(respond(noise, answerer, 1, udp=True), noise)


def is_an_answer_or_none(response: bytes | None, asked: bytes) -> bool:
    """Whether what came back is a response to what was asked, and can be parsed; or silence."""
    if response is None:
        return True
    parsed = dns.message.from_wire(response)
    return bool(parsed.flags & dns.flags.QR) and response[:2] == asked[:2]


@QUICK
@given(st.randoms(use_true_random=False), st.integers(1, 6))
def test_no_damaged_query_raises(chance: random.Random, damages: int) -> None:
    asked = query("where.pay.example", "TXT")
    asked.use_edns(0, options=[dns.edns.ECSOption("198.51.100.0", 24)])
    wire = bytearray(asked.to_wire())
    for _ in range(damages):
        wire[chance.randrange(len(wire))] = chance.randrange(256)
    assert is_an_answer_or_none(respond(bytes(wire), answerer, 1, udp=True), bytes(wire))


# --- the server --------------------------------------------------------------------------------


def serve(scenario: Callable[[int], Coroutine[None, None, None]]) -> None:
    async def whole() -> None:
        server = DnsServer(answerer, lambda: 20)
        port = await server.start(0)
        try:
            await scenario(port)
        finally:
            await server.stop()

    asyncio.run(whole())


def test_a_real_resolver_is_answered_over_udp_and_tcp_of_one_port() -> None:
    async def scenario(port: int) -> None:
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = [dns.nameserver.Do53Nameserver("127.0.0.1", port)]
        for tcp in (False, True):
            found = await resolver.resolve("api.pay.example", "CNAME", tcp=tcp, lifetime=5)
            assert [str(each) for each in found] == ["abc.execute-api.us-east-1.amazonaws.com."]
            assert found.rrset is not None
            assert found.rrset.ttl == 3

    serve(scenario)


def test_a_cut_answer_is_fetched_over_tcp() -> None:
    async def scenario(port: int) -> None:
        response, by_tcp = await dns.asyncquery.udp_with_fallback(
            query("many.pay.example"), "127.0.0.1", timeout=5, port=port
        )
        assert by_tcp
        assert len(response.answer[0]) == 119

    serve(scenario)


def test_noise_does_not_end_the_server() -> None:
    async def scenario(port: int) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as noisy:
            noisy.sendto(b"\xff" * 40, ("127.0.0.1", port))
            noisy.sendto(b"\x00" * 5, ("127.0.0.1", port))
        response = await dns.asyncquery.udp(query("api.pay.example"), "127.0.0.1", timeout=5, port=port)
        assert response.answer

    serve(scenario)


def framed(wire: bytes) -> bytes:
    return struct.pack("!H", len(wire)) + wire


def test_one_tcp_connection_serves_many_questions_and_survives_a_bad_one() -> None:
    async def scenario(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(framed(b"\x00" * 4))
        for name in ("api.pay.example", "none.pay.example"):
            writer.write(framed(query(name).to_wire()))
        codes = []
        for _ in range(2):
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            codes.append(dns.message.from_wire(await reader.readexactly(length)).rcode())
        assert codes == [dns.rcode.NOERROR, dns.rcode.NXDOMAIN]
        writer.write(framed(b"cut")[:4])
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()

    serve(scenario)


def test_stopping_ends_open_conversations_and_frees_the_port() -> None:
    async def scenario() -> None:
        server = DnsServer(answerer, lambda: 1)
        await server.stop()  # nothing started: harmless
        port = await server.start(0)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(framed(query("api.pay.example").to_wire()))
        assert await reader.readexactly(2)
        await server.stop()
        await reader.read()
        assert reader.at_eof()
        writer.close()
        assert await server.start(port) == port
        await server.stop()

    asyncio.run(scenario())


def test_a_taken_port_is_said_to_be_taken() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        taken = other.getsockname()[1]
        with pytest.raises(EnvironmentUnusable, match=f"port {taken}") as caught:
            asyncio.run(DnsServer(answerer, lambda: 1).start(taken))
        assert caught.value.hint
        tcp, udp = bind_both([taken, 0])
        assert tcp.getsockname()[1] == udp.getsockname()[1] != taken
        tcp.close()
        udp.close()
