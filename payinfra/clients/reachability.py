"""Which regions answer nothing at all: found out without credentials, in a few seconds.

A region is silent where none of several services says anything over HTTP. A refusal is an answer: it comes
from the region. That one service is silent makes no region silent.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from payinfra.clients.aws import Aws
from payinfra.clients.side_by_side import ask_all
from payinfra.core.run_id import user_agent

if TYPE_CHECKING:
    import httpx

ANSWERS_WITHIN_S = 4.0
"""How long a region may take to say anything: ten times what a far one takes on a bad line."""
ASKED_SERVICES = ("dynamodb", "lambda", "monitoring")
"""The endpoints that are asked, by their first label (AWS general reference, "Service endpoints and quotas").
They are what payments and their alarms stand on."""
_CLIENT_NAMES = {"monitoring": "cloudwatch"}


@dataclass(frozen=True)
class Reachability:
    """Finds out which regions answer.

    Args:
        aws: knows the endpoints.
        within_s: seconds that a region may take, tries included.
        transport: carries the requests; the network's unless given.
    """

    aws: Aws
    within_s: float = ANSWERS_WITHIN_S
    transport: "Callable[[], httpx.BaseTransport] | None" = None

    def silent(self, regions: Sequence[str]) -> tuple[str, ...]:
        """Those of the regions that answer nothing, in the given order. All are asked at once."""
        urls = sorted({(region, url) for region in regions for url in self._urls(region)})
        answered = ask_all({each: partial(self._answers, each[1]) for each in urls}, self.within_s)
        speaking = {region for (region, _url), answer in answered.items() if answer is True}
        return tuple(region for region in regions if region not in speaking)

    def _urls(self, region: str) -> tuple[str, ...]:
        endpoints = self.aws.endpoints
        if endpoints is not None:
            return (endpoints.regions[region],) if region in endpoints.regions else ()
        names = (_CLIENT_NAMES.get(service, service) for service in ASKED_SERVICES)
        return tuple(self.aws.client(name, region).meta.endpoint_url for name in names)

    def _answers(self, url: str) -> bool:
        """Whether anything comes back, whatever it is.

        Raises:
            httpx.TransportError: nothing does.
        """
        import httpx

        with httpx.Client(
            timeout=self.within_s,
            headers={"User-Agent": user_agent()},
            # No proxy leads to this machine and its embedded AWS.
            mounts=dict.fromkeys(("all://127.0.0.1", "all://localhost")),
            transport=None if self.transport is None else self.transport(),
        ) as client:
            client.get(url)
        return True
