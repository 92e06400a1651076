"""Where, on this machine, an AWS name is served: what health checks and DNS answers go by."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from payinfra.core.https_address import HttpsAddress
from payinfra.local.server.route53.endpoints import Address

_REGIONAL = re.compile(r"[a-z0-9.-]+\.([a-z0-9-]+)\.amazonaws\.com", re.IGNORECASE)


class AwsNames:
    """Resolves `{anything}.{region}.amazonaws.com`, which holds every endpoint that is a region's own.

    Args:
        urls: region to the URL of its port; looked at on every call.
    """

    def __init__(self, urls: Mapping[str, str]) -> None:
        self._urls = urls

    def __call__(self, host: str, port: int, scheme: str) -> Address | None:
        """The region's port, which speaks plain HTTP; None for a name that is no region's."""
        del port, scheme  # a region has one port here, and no TLS on it
        found = _REGIONAL.fullmatch(host.rstrip("."))
        url = self._urls.get(found.group(1).lower()) if found else None
        if url is None:
            return None
        where = urlsplit(url)
        return Address(where.hostname or "", where.port or 0)


class AliasAddresses:
    """The addresses of what an alias record leads to: each region's own, where custom domains are served.

    Args:
        https: region to where it is served; looked at on every call.
    """

    def __init__(self, https: Mapping[str, HttpsAddress]) -> None:
        self._https = https

    def __call__(self, host: str) -> str | None:
        """The address of the region's port with TLS; None where there is no such port, or no such region."""
        found = _REGIONAL.fullmatch(host.rstrip("."))
        where = self._https.get(found.group(1).lower()) if found else None
        return where.address if where else None
