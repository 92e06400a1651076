"""Where a name that a health check or an alias mentions is to be found on this machine."""

import ipaddress
from dataclasses import dataclass
from typing import Protocol

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Address:
    """A place to connect to.

    Attributes:
        host: an IP address or a name of this machine.
        port: the TCP port.
        tls: whether the server there speaks TLS (the emulator's ports do not, whatever the health
            check's scheme says).
    """

    host: str
    port: int
    tls: bool = False


class EndpointResolver(Protocol):
    """Knows which AWS names the emulator serves."""

    def __call__(self, host: str, port: int, scheme: str) -> Address | None:
        """Where `host` is served, or None to use the name as it is.

        Args:
            host: a name without the final dot, or an IP address.
            port: the port that the health check names.
            scheme: "http", "https" or "tcp".
        """
        ...


def loopback(host: str) -> str | None:
    """The loopback IP address that `host` means, or None when it is not on this machine.

    Names below `localhost` are loopback by RFC 6761, section 6.3; nothing else is looked up, because
    the embedded AWS never sends a packet to anywhere else.
    """
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return LOOPBACK
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return None
    return str(address) if address.is_loopback else None
