"""Which region is nearest to a client.

Route 53 measures latency between networks and regions; here the distance over ground stands in for
it. The coordinates are those of the cities that AWS names its regions after, rounded to a degree.
"""

import ipaddress
import math
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final

# Route 53 answers TestDNSAnswer as for a resolver in us-east-1 unless told otherwise (API reference).
DEFAULT_CLIENT_REGION: Final = "us-east-1"

_COORDINATES: Final[Mapping[str, tuple[float, float]]] = {
    "af-south-1": (-34, 18),
    "ap-east-1": (22, 114),
    "ap-east-2": (25, 121),
    "ap-northeast-1": (36, 140),
    "ap-northeast-2": (38, 127),
    "ap-northeast-3": (35, 135),
    "ap-south-1": (19, 73),
    "ap-south-2": (17, 78),
    "ap-southeast-1": (1, 104),
    "ap-southeast-2": (-34, 151),
    "ap-southeast-3": (-6, 107),
    "ap-southeast-4": (-38, 145),
    "ap-southeast-5": (3, 102),
    "ap-southeast-6": (-37, 175),
    "ap-southeast-7": (14, 101),
    "ca-central-1": (46, -74),
    "ca-west-1": (51, -114),
    "eu-central-1": (50, 9),
    "eu-central-2": (47, 9),
    "eu-north-1": (59, 18),
    "eu-south-1": (45, 9),
    "eu-south-2": (42, -1),
    "eu-west-1": (53, -6),
    "eu-west-2": (52, 0),
    "eu-west-3": (49, 2),
    "il-central-1": (32, 35),
    "me-central-1": (24, 54),
    "me-south-1": (26, 51),
    "mx-central-1": (21, -100),
    "sa-east-1": (-24, -47),
    "us-east-1": (39, -77),
    "us-east-2": (40, -83),
    "us-west-1": (37, -122),
    "us-west-2": (46, -120),
}


# The addresses set aside for measuring networks, which no client on the internet has (RFC 2544, RFC 6890).
_CLIENTS: Final = ipaddress.ip_network("198.18.0.0/15")


def client_networks() -> dict[str, str]:
    """A network of clients in each region, by CIDR block: who says that it asks for one of them is there."""
    return {
        str(network): region
        for network, region in zip(_CLIENTS.subnets(new_prefix=24), sorted(_COORDINATES), strict=False)
    }


# Whoever watches the latency name asks for it with every question to a name server.
@cache
def client_in(region: str) -> str:
    """The address of a client in a region; it means that to the embedded AWS alone.

    Raises:
        KeyError: nobody knows where the region is.
    """
    networks = {region: ipaddress.ip_network(block) for block, region in client_networks().items()}
    return str(networks[region][1])


def distance(one: str, other: str) -> float:
    """Distance between two regions along the great circle, in radians; infinite where one is unknown."""
    if one == other:
        return 0.0
    if one not in _COORDINATES or other not in _COORDINATES:
        return math.inf
    (lat1, lon1), (lat2, lon2) = (
        (math.radians(lat), math.radians(lon)) for lat, lon in (_COORDINATES[one], _COORDINATES[other])
    )
    half = (
        math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    )
    return 2 * math.asin(math.sqrt(half))


def nearest_first(regions: Iterable[str], client_region: str) -> list[str]:
    """The regions, nearest to the client first; equally far ones by name, so that answers are stable."""
    return sorted(set(regions), key=lambda region: (distance(region, client_region), region))


class ClientLocations:
    """Tells the region that a client's network is nearest to.

    Args:
        networks: CIDR block to region, for example {"198.51.100.0/24": "us-west-2"}; the longest match
            wins.
        default: the region of every other client.

    Raises:
        ValueError: a key is not a CIDR block.
    """

    def __init__(
        self, networks: Mapping[str, str] | None = None, default: str = DEFAULT_CLIENT_REGION
    ) -> None:
        self._default = default
        self._networks = sorted(
            ((ipaddress.ip_network(block), region) for block, region in (networks or {}).items()),
            key=lambda entry: entry[0].prefixlen,
            reverse=True,
        )

    def region_of(self, client: str | None) -> str:
        """The region of a client's IP address; the default where it is absent or in no known block.

        Raises:
            ValueError: `client` is not an IP address.
        """
        if client is None:
            return self._default
        address = ipaddress.ip_address(client)
        return next((region for block, region in self._networks if address in block), self._default)
