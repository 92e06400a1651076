"""One request of one health checker, over a real socket that never leaves this machine."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Protocol

import h11

from payinfra.local.server.route53.endpoints import Address, EndpointResolver, loopback
from payinfra.local.server.route53.state import HealthCheckConfig, HealthCheckType

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[Address, ssl.SSLContext | None, str | None], Awaitable[Streams]]

# "How Amazon Route 53 determines whether a health check is healthy" (Developer Guide) gives these.
CONNECT_SECONDS: Final = 4.0
STATUS_SECONDS: Final = 2.0
BODY_SECONDS: Final = 2.0
SEARCHED_BYTES: Final = 5120
# However fast time runs, a real function behind a real socket needs some real time to answer.
FLOOR_SECONDS: Final = 1.0

_TLS_TYPES = frozenset({HealthCheckType.HTTPS, HealthCheckType.HTTPS_STR_MATCH})
_MATCH_TYPES = frozenset({HealthCheckType.HTTP_STR_MATCH, HealthCheckType.HTTPS_STR_MATCH})


@dataclass(frozen=True)
class CheckerTimeouts:
    """How long a checker waits, in real seconds, for the connection (with TLS), status and body."""

    connect: float = CONNECT_SECONDS
    status: float = STATUS_SECONDS
    body: float = BODY_SECONDS

    @classmethod
    def at(cls, time_scale: float) -> "CheckerTimeouts":
        """AWS's limits divided by the time scale, but none below FLOOR_SECONDS."""

        def scaled(seconds: float) -> float:
            return max(seconds / time_scale, FLOOR_SECONDS)

        return cls(scaled(CONNECT_SECONDS), scaled(STATUS_SECONDS), scaled(BODY_SECONDS))


@dataclass(frozen=True)
class CheckerResult:
    """What one request found; the text is worded as in Route 53's status reports."""

    ok: bool
    status: str


class Prober(Protocol):
    """Sends one request."""

    async def probe(self, check: HealthCheckConfig, limits: CheckerTimeouts) -> CheckerResult:
        """Find out whether the endpoint of `check` is well; never raises for what the endpoint does."""
        ...


async def connect(address: Address, tls: ssl.SSLContext | None, server_name: str | None) -> Streams:
    """Open a TCP connection, with TLS when a context is given."""
    return await asyncio.open_connection(
        address.host, address.port, ssl=tls, server_hostname=(server_name or "") if tls else None
    )


class SocketProber:
    """Probes over sockets.

    Args:
        resolve: knows where the emulator serves an AWS name.
        open_streams: opens the connection; tests script it.
    """

    def __init__(self, resolve: EndpointResolver, open_streams: Connect = connect) -> None:
        self._resolve = resolve
        self._open = open_streams
        self._tls: ssl.SSLContext | None = None

    async def probe(self, check: HealthCheckConfig, limits: CheckerTimeouts) -> CheckerResult:
        """Connect, ask and judge as a Route 53 health checker does."""
        address = self._address(check)
        if isinstance(address, CheckerResult):
            return address
        context = self._context() if address.tls else None
        name = check.fqdn if check.enable_sni else None
        try:
            async with asyncio.timeout(limits.connect):
                reader, writer = await self._open(address, context, name)
        except TimeoutError:
            return _failure("Connection timed out. The endpoint or the connection to it is down.")
        except ssl.SSLError as error:
            return _failure(f"SSL alert: {error}.")
        except ConnectionRefusedError:
            return _failure("Connection refused. Nothing listens at the endpoint's port.")
        except OSError as error:
            return _failure(f"The connection could not be made: {error}.")
        try:
            if check.type is HealthCheckType.TCP:
                return CheckerResult(
                    True, f"Success: TCP connection established. Resolved IP: {address.host}"
                )
            return await _ask(check, address, reader, writer, limits)
        except (OSError, h11.ProtocolError) as error:
            return _failure(f"The endpoint broke the connection or does not speak HTTP: {error}.")
        finally:
            writer.close()

    def _address(self, check: HealthCheckConfig) -> Address | CheckerResult:
        host = (check.ip_address or check.fqdn or "").rstrip(".")
        port = check.port or (443 if check.type in _TLS_TYPES else 80)
        if check.type is HealthCheckType.TCP:
            scheme = "tcp"
        else:
            scheme = "https" if check.type in _TLS_TYPES else "http"
        # A name that the emulator serves is served under its name whatever address goes with it.
        found = self._resolve(host, port, scheme) or Address(host, port, tls=scheme == "https")
        local = loopback(found.host)
        if local is None:
            return _failure(
                f"DNS resolution failed: {host or '(no endpoint)'} is not served by the embedded AWS, "
                "which contacts nothing outside this machine."
            )
        return Address(local, found.port, found.tls)

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            # Route 53 does not validate certificates (Developer Guide, the note on HTTPS health checks).
            self._tls = ssl.create_default_context()
            self._tls.check_hostname = False
            self._tls.verify_mode = ssl.CERT_NONE
        return self._tls


async def _ask(
    check: HealthCheckConfig,
    address: Address,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    limits: CheckerTimeouts,
) -> CheckerResult:
    http = h11.Connection(h11.CLIENT)
    headers = [
        ("Host", _host_header(check)),
        ("User-Agent", f"Amazon-Route53-Health-Check-Service (ref {check.id})"),
        ("Accept", "*/*"),
        ("Connection", "close"),
    ]
    path = check.path if check.path.startswith("/") else f"/{check.path}"
    request = http.send(h11.Request(method="GET", target=path, headers=headers))
    writer.write((request or b"") + (http.send(h11.EndOfMessage()) or b""))
    try:
        async with asyncio.timeout(limits.status):
            response = await _response(http, reader)
    except TimeoutError:
        return _failure("The endpoint did not answer with a status in time.")
    described = f"HTTP Status Code {response.status_code}, {_reason(response)}. Resolved IP: {address.host}"
    if not HTTPStatus.OK <= response.status_code < HTTPStatus.BAD_REQUEST:
        return _failure(described)
    if check.type not in _MATCH_TYPES:
        return CheckerResult(True, f"Success: {described}")
    try:
        async with asyncio.timeout(limits.body):
            found = await _search(http, reader, (check.search_string or "").encode())
    except TimeoutError:
        return _failure("The endpoint did not send its body in time.")
    if not found:
        return _failure(f"The search string was not found in the first {SEARCHED_BYTES} bytes. {described}")
    return CheckerResult(True, f"Success: {described}")


def _host_header(check: HealthCheckConfig) -> str:
    host = check.fqdn or check.ip_address or ""
    usual = 443 if check.type in _TLS_TYPES else 80
    return host if check.port in (None, usual) else f"{host}:{check.port}"


def _reason(response: h11.Response) -> str:
    if response.reason:
        return bytes(response.reason).decode("latin-1")
    try:
        return HTTPStatus(response.status_code).phrase
    except ValueError:
        return "unknown"


async def _response(http: h11.Connection, reader: asyncio.StreamReader) -> h11.Response:
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await reader.read(4096))
        elif isinstance(event, h11.Response):
            return event  # others are interim responses; at the end of the stream h11 raises


async def _search(http: h11.Connection, reader: asyncio.StreamReader, wanted: bytes) -> bool:
    body = b""
    while len(body) < SEARCHED_BYTES:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await reader.read(4096))
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        else:
            break
        if wanted in body[:SEARCHED_BYTES]:
            return True
    return wanted in body[:SEARCHED_BYTES]


def _failure(text: str) -> CheckerResult:
    return CheckerResult(False, f"Failure: {text}")
