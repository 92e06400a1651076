import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import replace

import pytest
from typing_extensions import Buffer

from payinfra.local.server.route53.endpoints import Address
from payinfra.local.server.route53.probe import CheckerResult, CheckerTimeouts, SocketProber, Streams, connect
from payinfra.local.server.route53.state import HealthCheckConfig, HealthCheckType

CHECK = HealthCheckConfig("hc-1", HealthCheckType.HTTP, fqdn="api.example.com", path="/prod/health")
EMULATOR = Address("127.0.0.1", 4566)
SHORT = CheckerTimeouts(0.01, 0.01, 0.01)


class Writer(asyncio.StreamWriter):
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent = b""
        self.closed = False

    def write(self, data: Buffer) -> None:
        self.sent += bytes(data)

    def close(self) -> None:
        self.closed = True

    def __del__(self, warnings: object = None) -> None:
        """There is no transport to warn about."""


class Socket:
    """A scripted endpoint: what it sends, or how it fails."""

    def __init__(self, *sends: bytes, ends: bool = True, fails: BaseException | None = None) -> None:
        self.sends = sends
        self.ends = ends
        self.fails = fails
        self.writer = Writer()
        self.opened: list[tuple[Address, ssl.SSLContext | None, str | None]] = []

    async def open(self, address: Address, tls: ssl.SSLContext | None, name: str | None) -> Streams:
        self.opened.append((address, tls, name))
        if self.fails:
            raise self.fails
        reader = asyncio.StreamReader()
        for data in self.sends:
            reader.feed_data(data)
        if self.ends:
            reader.feed_eof()
        return reader, self.writer


def probe(
    check: HealthCheckConfig,
    socket: Socket,
    at: Address | None = EMULATOR,
    asked: list[tuple[str, int, str]] | None = None,
) -> CheckerResult:
    def resolve(host: str, port: int, scheme: str) -> Address | None:
        if asked is not None:
            asked.append((host, port, scheme))
        return at

    return asyncio.run(SocketProber(resolve, socket.open).probe(check, SHORT))


def http(status: str, body: bytes = b"", *headers: str) -> bytes:
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}"))
    return head.encode() + b"\r\n" + body


# --- status ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "ok", "text"),
    [
        ("200 OK", True, "Success: HTTP Status Code 200, OK. Resolved IP: 127.0.0.1"),
        ("204 No Content", True, "Success: HTTP Status Code 204, No Content. Resolved IP: 127.0.0.1"),
        ("302 Found", True, "Success: HTTP Status Code 302, Found. Resolved IP: 127.0.0.1"),
        ("399 Odd", True, "Success: HTTP Status Code 399, Odd. Resolved IP: 127.0.0.1"),
        ("400 Bad Request", False, "Failure: HTTP Status Code 400, Bad Request. Resolved IP: 127.0.0.1"),
        ("503 ", False, "Failure: HTTP Status Code 503, Service Unavailable. Resolved IP: 127.0.0.1"),
        ("799 ", False, "Failure: HTTP Status Code 799, unknown. Resolved IP: 127.0.0.1"),
    ],
)
def test_a_status_of_2xx_or_3xx_is_healthy(status: str, ok: bool, text: str) -> None:
    assert probe(CHECK, Socket(http(status))) == CheckerResult(ok, text)


def test_an_interim_status_is_not_the_answer() -> None:
    assert probe(CHECK, Socket(b"HTTP/1.1 103 Early Hints\r\n\r\n", http("500 Oops"))).ok is False


def test_the_request_is_what_route_53_sends() -> None:
    socket = Socket(http("200 OK"))
    probe(CHECK, socket)
    lines = socket.writer.sent.decode().split("\r\n")
    assert lines[0] == "GET /prod/health HTTP/1.1"
    assert "Host: api.example.com" in lines
    assert any(line.startswith("User-Agent: Amazon-Route53-Health-Check-Service") for line in lines)
    assert socket.writer.closed


@pytest.mark.parametrize(
    ("check", "host"),
    [
        (replace(CHECK, port=80), "api.example.com"),
        (replace(CHECK, port=8080), "api.example.com:8080"),
        (replace(CHECK, type=HealthCheckType.HTTPS, port=443), "api.example.com"),
        (replace(CHECK, type=HealthCheckType.HTTPS, port=80), "api.example.com:80"),
        (replace(CHECK, fqdn=None, ip_address="127.0.0.5"), "127.0.0.5"),
    ],
)
def test_the_host_header_stays_the_health_checks_own(check: HealthCheckConfig, host: str) -> None:
    socket = Socket(http("200 OK"))
    probe(check, socket)
    assert f"\r\nHost: {host}\r\n" in socket.writer.sent.decode()


def test_a_path_without_a_slash_gets_one() -> None:
    socket = Socket(http("200 OK"))
    probe(replace(CHECK, path="health?x=1"), socket)
    assert socket.writer.sent.startswith(b"GET /health?x=1 HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("socket", "said"),
    [
        (Socket(ends=False), "did not answer with a status in time"),
        (Socket(), "broke the connection"),
        (Socket(b"SSH-2.0-OpenSSH_9\r\n"), "does not speak HTTP"),
        (Socket(fails=TimeoutError()), "Connection timed out"),
        (Socket(fails=ConnectionRefusedError()), "Connection refused"),
        (Socket(fails=OSError(113, "No route to host")), "No route to host"),
        (Socket(fails=ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong")), "SSL alert"),
    ],
)
def test_every_way_to_fail_is_told_apart(socket: Socket, said: str) -> None:
    result = probe(CHECK, socket)
    assert not result.ok
    assert result.status.startswith("Failure: ")
    assert said in result.status
    assert socket.writer.closed or socket.fails


def test_a_connection_that_is_never_made_times_out() -> None:
    async def hang(address: Address, tls: ssl.SSLContext | None, name: str | None) -> Streams:
        await asyncio.Event().wait()
        raise AssertionError

    prober = SocketProber(lambda host, port, scheme: Address("127.0.0.1", 1), hang)
    assert "timed out" in asyncio.run(prober.probe(CHECK, SHORT)).status


# --- string match ------------------------------------------------------------------------------

MATCH = replace(CHECK, type=HealthCheckType.HTTP_STR_MATCH, search_string="all well")


@pytest.mark.parametrize(
    ("sends", "ok"),
    [
        ([http("200 OK", b"we are all well here")], True),
        ([http("200 OK", b"All Well")], False),
        ([http("500 Oops", b"all well")], False),
        ([http("200 OK", b"x" * 5112 + b"all well")], True),
        ([http("200 OK", b"x" * 5113 + b"all well")], False),
        ([http("200 OK")], False),
        (
            [
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nall w\r\n",
                b"3\r\nell\r\n0\r\n\r\n",
            ],
            True,
        ),
    ],
)
def test_the_string_must_be_in_the_first_5120_bytes(sends: Sequence[bytes], ok: bool) -> None:
    assert probe(MATCH, Socket(*sends)).ok is ok


def test_a_body_that_never_comes_is_a_failure() -> None:
    result = probe(MATCH, Socket(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nall", ends=False))
    assert "did not send its body in time" in result.status


def test_a_match_without_a_string_is_content_with_any_body() -> None:
    assert probe(replace(MATCH, search_string=None), Socket(http("200 OK", b"x"))).ok


# --- where it goes -----------------------------------------------------------------------------


def test_tcp_is_content_with_a_connection() -> None:
    asked: list[tuple[str, int, str]] = []
    socket = Socket()
    result = probe(replace(CHECK, type=HealthCheckType.TCP, port=5432), socket, asked=asked)
    assert result.ok
    assert asked == [("api.example.com", 5432, "tcp")]
    assert socket.writer.sent == b""
    assert socket.writer.closed


@pytest.mark.parametrize(
    ("type_", "port", "asked"),
    [
        (HealthCheckType.HTTP, None, ("api.example.com", 80, "http")),
        (HealthCheckType.HTTPS, None, ("api.example.com", 443, "https")),
        (HealthCheckType.HTTPS_STR_MATCH, 8443, ("api.example.com", 8443, "https")),
    ],
)
def test_the_resolver_is_asked_with_the_checks_port_and_scheme(
    type_: HealthCheckType, port: int | None, asked: tuple[str, int, str]
) -> None:
    got: list[tuple[str, int, str]] = []
    probe(replace(CHECK, type=type_, port=port), Socket(http("200 OK")), asked=got)
    assert got == [asked]


def test_an_address_given_by_the_check_is_where_it_connects() -> None:
    socket = Socket(http("200 OK"))
    probe(replace(CHECK, ip_address="127.0.0.7", port=81), socket, at=None)
    assert socket.opened == [(Address("127.0.0.7", 81), None, "api.example.com")]


def test_https_goes_without_tls_to_the_emulators_plain_port() -> None:
    socket = Socket(http("200 OK"))
    probe(replace(CHECK, type=HealthCheckType.HTTPS), socket, at=Address("localhost", 4566))
    assert socket.opened == [(Address("127.0.0.1", 4566), None, "api.example.com")]


@pytest.mark.parametrize(("sni", "name"), [(True, "me.localhost"), (False, None)])
def test_tls_is_spoken_with_server_name_and_without_validation(sni: bool, name: str | None) -> None:
    socket = Socket(http("200 OK"))
    check = replace(CHECK, type=HealthCheckType.HTTPS, fqdn="me.localhost", enable_sni=sni)
    prober = SocketProber(lambda host, port, scheme: None, socket.open)

    async def twice() -> None:
        assert (await prober.probe(check, SHORT)).ok
        assert (await prober.probe(check, SHORT)).ok

    asyncio.run(twice())
    address, context, server_name = socket.opened[0]
    assert (address, server_name) == (Address("127.0.0.1", 443, tls=True), name)
    assert context is not None
    assert context.verify_mode is ssl.CERT_NONE
    assert not context.check_hostname
    assert socket.opened[1][1] is context


@pytest.mark.parametrize(
    ("check", "at"),
    [
        (CHECK, None),
        (replace(CHECK, ip_address="203.0.113.9"), None),
        (CHECK, Address("203.0.113.9", 80)),
        (replace(CHECK, fqdn=None), None),
    ],
)
def test_nothing_outside_this_machine_is_contacted(check: HealthCheckConfig, at: Address | None) -> None:
    socket = Socket(http("200 OK"))
    result = probe(check, socket, at=at)
    assert socket.opened == []
    named = check.ip_address or check.fqdn or "(no endpoint)"
    assert result.status.startswith(f"Failure: DNS resolution failed: {named} is not served")


# --- limits ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scale", "limits"),
    [
        (1, CheckerTimeouts(4, 2, 2)),
        (0.5, CheckerTimeouts(8, 4, 4)),
        (2, CheckerTimeouts(2, 1, 1)),
        (60, CheckerTimeouts(1, 1, 1)),
    ],
)
def test_limits_shrink_with_time_down_to_a_floor(scale: float, limits: CheckerTimeouts) -> None:
    assert CheckerTimeouts.at(scale) == limits


# --- real sockets ------------------------------------------------------------------------------


def test_real_sockets() -> None:
    async def scenario() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(4096)
            writer.write(http("200 OK", b"all well"))
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        prober = SocketProber(lambda host, port_, scheme: Address("127.0.0.1", port))
        assert (await prober.probe(MATCH, CheckerTimeouts())).ok
        over_tls = SocketProber(lambda host, port_, scheme: Address("127.0.0.1", port, tls=True))
        assert (await over_tls.probe(CHECK, CheckerTimeouts())).ok is False
        server.close()
        await server.wait_closed()
        assert "refused" in (await prober.probe(MATCH, CheckerTimeouts())).status

    asyncio.run(scenario())


@pytest.mark.parametrize("sni", [True, False])
def test_the_tls_handshake_names_the_server_only_when_told_to(sni: bool) -> None:
    hellos: list[bytes] = []

    async def scenario() -> None:
        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            hellos.append(await reader.read(4096))
            writer.close()

        server = await asyncio.start_server(refuse, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        prober = SocketProber(lambda host, port_, scheme: Address("127.0.0.1", port, tls=True))
        check = replace(CHECK, type=HealthCheckType.HTTPS, enable_sni=sni)
        assert not (await prober.probe(check, CheckerTimeouts())).ok
        server.close()

    asyncio.run(scenario())
    assert (b"api.example.com" in hellos[0]) is sni


def test_a_connection_without_tls_names_no_server() -> None:
    async def scenario() -> None:
        server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        reader, writer = await connect(Address("127.0.0.1", port), None, "name")
        assert await reader.read() == b""
        writer.close()
        server.close()

    asyncio.run(scenario())
