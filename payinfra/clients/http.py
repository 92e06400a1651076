"""HTTP requests, and the expiry of TLS certificates."""

import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import httpx

from payinfra.core.json_text import parse_json
from payinfra.core.run_id import user_agent

if TYPE_CHECKING:
    from payinfra.clients.aws import Endpoints

TIMEOUT_S = 5.0


@dataclass(frozen=True)
class HttpResponse:
    """An HTTP response; `seconds` is the time from the request to the response's last byte."""

    status: int
    headers: Mapping[str, str]
    text: str
    seconds: float

    def fields(self) -> Mapping[str, object]:
        """The JSON object in the body; empty for any other body."""
        try:
            found = parse_json(self.text)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def said(self) -> str:
        """The status and the beginning of the body, for a person."""
        return f"{self.status}: {self.text[:160]}"


class Http(Protocol):
    """HTTP requests."""

    def ask(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, body: object = None
    ) -> HttpResponse:
        """Send a request.

        Raises:
            httpx.TransportError: nothing answered.
        """


@dataclass(frozen=True)
class HttpxHttp:
    """HTTP requests with httpx. TLS certificates are verified."""

    client: httpx.Client

    def ask(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, body: object = None
    ) -> HttpResponse:
        """See `Http`."""
        began = time.monotonic()
        response = self.client.request(method, url, headers=dict(headers or {}), json=body)
        return HttpResponse(response.status_code, response.headers, response.text, time.monotonic() - began)


def trusting(authority: str = "") -> ssl.SSLContext:
    """A context that verifies certificates with the machine's authorities and that of a file, if given."""
    context = ssl.create_default_context()
    if authority:
        context.load_verify_locations(authority)
    return context


@dataclass(frozen=True)
class EmbeddedNames(httpx.BaseTransport):
    """Sends requests over TLS to names that only the embedded AWS's DNS server knows.

    The name stays in Host and SNI, and a new connection needs a certificate for it.

    Attributes:
        endpoints: where the DNS server is, and the ports for the addresses that it gives.
        transport: carries the requests.
    """

    endpoints: "Endpoints"
    transport: httpx.BaseTransport

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """See `httpx.BaseTransport`.

        Raises:
            httpx.ConnectError: the name has no address, or that of no region.
        """
        name = request.url.host
        listens = embedded_address(self.endpoints, name)
        if listens is None:
            raise httpx.ConnectError(f"{name} has no address of the embedded AWS's", request=request)
        host, port = listens
        return self.transport.handle_request(
            httpx.Request(
                request.method,
                request.url.copy_with(host=host, port=port),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": name},
            )
        )

    def close(self) -> None:
        """See `httpx.BaseTransport`."""
        self.transport.close()


def embedded_address(endpoints: "Endpoints", name: str) -> tuple[str, int] | None:
    """Where the embedded AWS serves a name through TLS: a region's own endpoint, or an address from its DNS.

    Returns:
        Address and port; None if it does not serve the name.
    """
    from dns.exception import DNSException

    from payinfra.clients.aws import execute_api_region
    from payinfra.clients.dns import DnspythonDns

    if region := execute_api_region(name):
        found = endpoints.https[region].listens if region in endpoints.https else None
    else:
        dns = DnspythonDns(endpoints.dns)
        try:
            data = dns.ask(dns.servers(())[0], name, "A").data
        except (DNSException, OSError):
            data = ()
        found = endpoints.listens(data[0]) if data and endpoints.region_at(data[0]) else None
    if found is None:
        return None
    host, _, port = found.rpartition(":")
    return host, int(port)


def make_client(timeout_s: float = TIMEOUT_S, endpoints: "Endpoints | None" = None) -> httpx.Client:
    """A client for many threads, which follows no redirect.

    It uses the proxies of the environment, as boto3 does, but none for this machine and its embedded AWS.

    Args:
        endpoints: of the embedded AWS, whose names it finds; None for AWS.
    """
    limits = httpx.Limits(max_connections=64)
    mounts: dict[str, httpx.BaseTransport | None] = dict.fromkeys(("all://127.0.0.1", "all://localhost"))
    if endpoints is not None and endpoints.https:
        inner = httpx.HTTPTransport(verify=trusting(endpoints.authority), limits=limits)
        mounts["https://"] = EmbeddedNames(endpoints, inner)
    return httpx.Client(timeout=timeout_s, limits=limits, mounts=mounts, headers={"User-Agent": user_agent()})


class Tls(Protocol):
    """TLS certificates."""

    def days_left(self, host: str, now: datetime) -> int:
        """Whole days until the host's certificate expires.

        Raises:
            OSError: nothing answers, or the certificate is not valid for the host.
        """


def certificate_end(host: str, port: int, context: ssl.SSLContext | None = None, *, address: str = "") -> str:
    """When a host's certificate expires, in OpenSSL's format; chain and name are verified.

    Args:
        address: where to connect to; the host unless given.
    """
    context = context or ssl.create_default_context()
    with (
        socket.create_connection((address or host, port), timeout=TIMEOUT_S) as plain,
        context.wrap_socket(plain, server_hostname=host) as secured,
    ):
        return str((secured.getpeercert() or {}).get("notAfter", ""))


def embedded_certificate_end(endpoints: "Endpoints", name: str, _port: int) -> str:
    """When the embedded AWS's certificate for a name expires, in the format of `certificate_end`.

    Raises:
        OSError: it does not serve the name through TLS, or the certificate is not valid for it.
    """
    where = embedded_address(endpoints, name)
    if where is None:
        raise OSError(f"{name} has no address of the embedded AWS's")
    return certificate_end(name, where[1], trusting(endpoints.authority), address=where[0])


@dataclass(frozen=True)
class RealTls:
    """TLS certificates, read by a handshake."""

    port: int = 443
    handshake: Callable[[str, int], str] = certificate_end

    def days_left(self, host: str, now: datetime) -> int:
        """See `Tls`."""
        ends = ssl.cert_time_to_seconds(self.handshake(host, self.port))
        return (datetime.fromtimestamp(ends, UTC) - now).days
