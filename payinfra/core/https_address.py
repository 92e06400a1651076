"""Where a region of the embedded AWS answers through TLS, as a value."""

from dataclasses import dataclass


@dataclass(frozen=True)
class HttpsAddress:
    """Where a region answers through TLS.

    Attributes:
        address: the IPv4 address to which the names of its custom domains lead in the embedded DNS.
        listens: `address:port` to connect to. It is another address where this machine lacks the first.
    """

    address: str
    listens: str
