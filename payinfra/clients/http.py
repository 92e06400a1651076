"""HTTP to the payments API, as a client of it: by URL, or through a name and the host that it leads to."""

import json
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import httpx

from payinfra.core.run_id import user_agent

TIMEOUT_S = 5.0


@dataclass(frozen=True)
class HttpResponse:
    """An HTTP answer; `seconds` from the request's start to its last byte."""

    status: int
    headers: Mapping[str, str]
    text: str
    seconds: float

    def fields(self) -> Mapping[str, object]:
        """The body's JSON object; empty where the body is something else."""
        try:
            found = json.loads(self.text)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def said(self) -> str:
        """The status and the beginning of the body, for a person."""
        return f"{self.status}: {self.text[:160]}"


class Http(Protocol):
    """Asks over HTTP."""

    def ask(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, body: object = None
    ) -> HttpResponse:
        """One request.

        Raises:
            httpx.TransportError: nothing answered.
        """


@dataclass(frozen=True)
class HttpxHttp:
    """The real thing. TLS certificates are verified."""

    client: httpx.Client

    def ask(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, body: object = None
    ) -> HttpResponse:
        """One request; see `Http`."""
        began = time.monotonic()
        response = self.client.request(method, url, headers=dict(headers or {}), json=body)
        return HttpResponse(response.status_code, response.headers, response.text, time.monotonic() - began)


def make_client(timeout_s: float = TIMEOUT_S) -> httpx.Client:
    """A client for many threads, which follows no redirect.

    It takes proxies from the environment as boto3 does, but none to this machine, where the embedded AWS is.
    """
    return httpx.Client(
        timeout=timeout_s,
        limits=httpx.Limits(max_connections=64),
        mounts=dict.fromkeys(("all://127.0.0.1", "all://localhost")),
        headers={"User-Agent": user_agent()},
    )


class Tls(Protocol):
    """Looks at certificates."""

    def days_left(self, host: str, now: datetime) -> int:
        """Whole days for which the host's certificate is still valid.

        Raises:
            OSError: nothing answers, or the certificate is not valid for the host.
        """


def certificate_end(host: str, port: int, context: ssl.SSLContext | None = None) -> str:
    """When the certificate of a host ends, in OpenSSL's words; chain and name are verified."""
    context = context or ssl.create_default_context()
    with (
        socket.create_connection((host, port), timeout=TIMEOUT_S) as plain,
        context.wrap_socket(plain, server_hostname=host) as secured,
    ):
        return str((secured.getpeercert() or {}).get("notAfter", ""))


@dataclass(frozen=True)
class RealTls:
    """The real thing."""

    port: int = 443
    handshake: Callable[[str, int], str] = certificate_end

    def days_left(self, host: str, now: datetime) -> int:
        """See `Tls`."""
        ends = ssl.cert_time_to_seconds(self.handshake(host, self.port))
        return (datetime.fromtimestamp(ends, UTC) - now).days
