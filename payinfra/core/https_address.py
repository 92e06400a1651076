"""Where a region of the embedded AWS answers through TLS, as a value."""

from dataclasses import dataclass


@dataclass(frozen=True)
class HttpsAddress:
    """Where a region answers through TLS.

    Attributes:
        address: the IPv4 address to which the names of its custom domains lead in the embedded DNS.
        listens: `address:port` to connect to; another address if this machine does not have the first one.
    """

    address: str
    listens: str
