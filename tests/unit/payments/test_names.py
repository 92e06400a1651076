"""Where the failover name leads: asked at name servers, in as much of DNS as that takes."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from handlers.payments import names
from handlers.payments.names import CNAME, NS, A, FailoverName, answer_of, question_of

NAME, ZONE, HERE = "pay-failover.example.com", "example.com", "us-west-2"
ENDPOINT = "abc123.execute-api.{}.amazonaws.com."
Answers = Mapping[str, tuple[str, ...] | None]


def answered(message: bytes, *data: str, kind: str = "CNAME", code: int = 0) -> bytes:
    """What a name server answers, written by a library that is not the function's."""
    question = dns.message.from_wire(message)
    said = dns.message.make_response(question)
    said.set_rcode(dns.rcode.Rcode(code))
    if data:
        said.answer = [dns.rrset.from_text(question.question[0].name, 60, "IN", kind, *data)]
    return said.to_wire()


class Zone:
    """Name servers by address, each with the region that it answers with; None for one that is silent."""

    def __init__(self, answers: Answers, kind: str = "CNAME") -> None:
        self.answers = answers
        self.kind = kind
        self.asked: list[tuple[str, int]] = []

    def __call__(self, message: bytes, address: tuple[str, int]) -> bytes:
        self.asked.append(address)
        data = self.answers[address[0]]
        if data is None:
            raise TimeoutError
        kind = dns.message.from_wire(message).question[0].rdtype
        return answered(message, *data, kind="NS" if kind == NS else self.kind)


def endpoint(region: str) -> tuple[str, ...]:
    return (ENDPOINT.format(region),)


def own(zone: Zone) -> FailoverName:
    return FailoverName(NAME, HERE, tuple(zone.answers), exchange=zone, address_of=str)


@pytest.mark.parametrize(
    ("answers", "here"),
    [
        ({"1": endpoint(HERE)}, True),
        ({"1": endpoint(HERE), "2": endpoint(HERE), "3": endpoint(HERE), "4": None}, True),
        ({"1": endpoint("us-east-1"), "2": endpoint("us-east-1")}, False),
        ({"1": endpoint(HERE), "2": endpoint("us-east-1")}, False),
        ({"1": endpoint(HERE), "2": None, "3": None, "4": None}, False),
        ({"1": None}, False),
        ({"1": ()}, False),
        ({"1": ("d.execute-api.us-west-2.amazonaws.com.evil.example.",)}, False),
        ({}, False),
    ],
)
def test_the_name_leads_here_where_two_servers_say_so_and_none_denies_it(
    answers: Answers, here: bool
) -> None:
    assert own(Zone(answers)).leads_here() is here


def test_a_server_may_have_a_port_and_is_looked_up_once() -> None:
    zone, looked_up = Zone({"9": endpoint(HERE)}), []

    def address_of(host: str) -> str:
        looked_up.append(host)
        return "9"

    name = FailoverName(NAME, HERE, ("ns.example:5353",), exchange=zone, address_of=address_of)
    assert name.leads_here()
    assert name.leads_here()
    assert (zone.asked, looked_up) == ([("9", 5353)] * 2, ["ns.example"])


def test_a_server_without_an_address_says_nothing() -> None:
    def nobody(_host: str) -> str:
        raise OSError

    assert not FailoverName(NAME, HERE, ("ns.example",), address_of=nobody).leads_here()


def delegated(
    zone: Zone, region_at: Callable[[str, str], str], resolvers: tuple[str, ...] = ("9", "8")
) -> FailoverName:
    return FailoverName(
        NAME,
        HERE,
        (),
        ZONE,
        exchange=zone,
        address_of=lambda host: host.partition(".")[0],
        region_at=region_at,
        resolvers=lambda: resolvers,
    )


def test_of_a_delegated_zone_a_resolver_names_the_servers_and_an_address_its_region() -> None:
    zone = Zone({"9": None, "8": ("1.", "2."), "1": ("192.0.2.7",), "2": ("192.0.2.7",)}, kind="A")
    asked: list[tuple[str, str]] = []

    def region_at(address: str, name: str) -> str:
        asked.append((address, name))
        return HERE

    name = delegated(zone, region_at)
    assert name.leads_here()
    assert name.leads_here()
    assert asked == [("192.0.2.7", NAME)], "each address once"
    assert [address for address, _ in zone.asked] == ["9", "8", "1", "2", "1", "2"]


@pytest.mark.parametrize("answer", ["us-east-1", "", None])
def test_an_address_of_another_region_or_of_nobody_is_not_here(answer: str | None) -> None:
    asked: list[str] = []

    def region_at(address: str, _name: str) -> str:
        asked.append(address)
        if answer is None:
            raise OSError
        return answer

    name = delegated(Zone({"9": ("1.",), "1": ("192.0.2.7",)}, kind="A"), region_at, ("9",))
    assert not name.leads_here()
    assert not name.leads_here()
    assert len(asked) == (1 if answer else 2), "what is not known is asked again"


def test_addresses_are_forgotten_before_they_are_too_many() -> None:
    many = tuple(f"192.0.2.{number}" for number in range(names.ADDRESSES_KEPT + 1))
    assert delegated(Zone({"9": ("1.",), "1": many}, kind="A"), lambda *_: HERE, ("9",)).leads_here()


def test_a_domain_below_its_zone_is_asked_for_at_the_zones_servers() -> None:
    parent = ZONE.partition(".")[2]

    def exchange(message: bytes, _address: tuple[str, int]) -> bytes:
        question = dns.message.from_wire(message).question[0]
        if question.rdtype != NS:
            return answered(message, "192.0.2.7", kind="A")
        return answered(message, *(("1.",) if question.name.to_text() == f"{parent}." else ()), kind="NS")

    name = FailoverName(
        NAME,
        HERE,
        (),
        ZONE,
        exchange=exchange,
        address_of=str,
        region_at=lambda *_: HERE,
        resolvers=lambda: "9",
    )
    assert name.leads_here()


def test_a_zone_that_nobody_knows_leads_nowhere() -> None:
    assert not delegated(Zone({"9": None, "8": None}), lambda *_: HERE).leads_here()
    assert not delegated(Zone({}), lambda *_: HERE, ()).leads_here()


def test_a_question_is_one_that_a_name_server_understands() -> None:
    for recursive in (False, True):
        asked = dns.message.from_wire(question_of(7, f"{NAME}.", A, recursive=recursive))
        assert (asked.id, asked.question[0].to_text()) == (7, f"{NAME}. IN A")
        assert bool(asked.flags & dns.flags.RD) is recursive


def test_an_answer_is_read_with_its_compressed_names() -> None:
    message = answered(question_of(7, NAME, CNAME), f"X.{ZONE}.")
    assert answer_of(message, 7, CNAME) == (f"x.{ZONE}",)
    assert answer_of(message, 7, A) == ()


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\0\7\x80\0\0\1\0\1",
        question_of(7, NAME, CNAME),
        answered(question_of(8, NAME, CNAME), *endpoint(HERE)),
        answered(question_of(7, NAME, CNAME), code=2),
        struct.pack("!6H", 7, 0x8200, 0, 0, 0, 0),
        struct.pack("!6H", 7, 0x8000, 0, 1, 0, 0) + b"\xc0\x0c",
        struct.pack("!6H", 7, 0x8000, 0, 1, 0, 0) + b"\1\xff\0" + b"\0" * 10,
        struct.pack("!6H", 7, 0x8000, 0, 1, 0, 0) + b"\0" + struct.pack("!HHIH", A, 1, 60, 3) + b"\1\2\3",
    ],
)
def test_anything_else_is_no_answer(message: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        answer_of(message, 7, A)


@pytest.fixture
def server() -> Iterator[tuple[str, int]]:
    """A name server on loopback, which answers one question."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listening.bind(("127.0.0.1", 0))

    def serve() -> None:
        message, client = listening.recvfrom(512)
        listening.sendto(answered(message, *endpoint(HERE)), client)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listening.getsockname()
    thread.join(5)
    listening.close()


def test_a_question_goes_over_the_network(server: tuple[str, int]) -> None:
    address, port = server
    assert FailoverName(NAME, HERE, (f"{address}:{port}",)).leads_here()


def test_the_machine_says_who_resolves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "resolv.conf"
    monkeypatch.setattr(names, "_RESOLVERS", file)
    assert names.machine_resolvers() == ()
    file.write_text(
        "# by hand\nsearch example.com\nnameserver 192.0.2.1\nnameserver fd00::1\nnameserver 192.0.2.2\n"
    )
    assert names.machine_resolvers() == ("192.0.2.1", "192.0.2.2")


def test_nobody_at_an_address_is_an_error() -> None:
    with pytest.raises(OSError):  # noqa: PT011 - whichever the machine gives
        names.serving_region("127.0.0.1", NAME)
