"""HTTP requests, and the expiry of TLS certificates."""

import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import httpx

from payinfra.core.json_text import parse_json
from payinfra.core.run_id import user_agent

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


def make_client(timeout_s: float = TIMEOUT_S) -> httpx.Client:
    """A client for many threads, which follows no redirect.

    It uses the proxies of the environment, as boto3 does, but none for this machine and its embedded AWS.
    """
    return httpx.Client(
        timeout=timeout_s,
        limits=httpx.Limits(max_connections=64),
        mounts=dict.fromkeys(("all://127.0.0.1", "all://localhost")),
        headers={"User-Agent": user_agent()},
    )


class Tls(Protocol):
    """TLS certificates."""

    def days_left(self, host: str, now: datetime) -> int:
        """Whole days until the host's certificate expires.

        Raises:
            OSError: nothing answers, or the certificate is not valid for the host.
        """


def certificate_end(host: str, port: int, context: ssl.SSLContext | None = None) -> str:
    """When a host's certificate expires, in OpenSSL's format; chain and name are verified."""
    context = context or ssl.create_default_context()
    with (
        socket.create_connection((host, port), timeout=TIMEOUT_S) as plain,
        context.wrap_socket(plain, server_hostname=host) as secured,
    ):
        return str((secured.getpeercert() or {}).get("notAfter", ""))


@dataclass(frozen=True)
class RealTls:
    """TLS certificates, read by a handshake."""

    port: int = 443
    handshake: Callable[[str, int], str] = certificate_end

    def days_left(self, host: str, now: datetime) -> int:
        """See `Tls`."""
        ends = ssl.cert_time_to_seconds(self.handshake(host, self.port))
        return (datetime.fromtimestamp(ends, UTC) - now).days
