"""The region that goes on: everything that an evacuation does is asked of it, or of name servers.

What is called: Parameter Store, CloudWatch and DynamoDB of the survivor; its API; DNS. Nothing in the
evacuated region, no control plane of Route 53, IAM or Lambda, and nothing global.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
from dns.exception import DNSException

from payinfra.checks.probes.model import ProbeContext
from payinfra.checks.probes.route53_zone import record_type
from payinfra.checks.probes.verify import around
from payinfra.clients import evacuation_flag
from payinfra.clients.aws import Aws
from payinfra.clients.dns import NameServer, servers_of_zone
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.evacuation import EvacuationFlag
from payinfra.core.outputs import DeclaredEvacuation, RegionOutputs
from payinfra.core.published import PublishedDeployment
from payinfra.drill.observers import DnsAnswer, FailoverDnsWatcher, drilled_name, region_of_answer
from payinfra.drill.prediction import EMBEDDED_PROPAGATION_S, PROPAGATION_S, flag_found_out_s, kept_s

NO_ANSWER = (DNSException, OSError, httpx.HTTPError, KeyError, ValueError)


@dataclass(frozen=True)
class Survivor:
    """The region that goes on while the other one is evacuated, or is to be.

    Attributes:
        live: the ways to ask it.
        published: what it says of the deployment.
        time_scale: of the embedded AWS; 1 on AWS.
    """

    live: ProbeContext
    published: PublishedDeployment
    time_scale: float = 1.0

    @property
    def env(self) -> str:
        """The environment."""
        return self.published.env

    @property
    def region(self) -> str:
        """The survivor."""
        return self.published.region

    @property
    def evacuated(self) -> str:
        """The other region."""
        return self.published.peer_region

    @property
    def outputs(self) -> RegionOutputs:
        """What the deployment gave out of the survivor."""
        return next(one for one in self.published.outputs.regions if one.region == self.region)

    @property
    def declared(self) -> DeclaredEvacuation:
        """How the environment is evacuated.

        Raises:
            EnvironmentUnusable: it was deployed by a version that could not evacuate.
        """
        found = self.live.declared.evacuation
        if found is None:
            raise EnvironmentUnusable(
                "The environment was deployed by a version of payinfra that could not evacuate a region.",
                "Deploy it with this version, on a day on which both regions work.",
            )
        return found

    def flag(self) -> EvacuationFlag | None:
        """The flag, where it names the other region. Raises as `evacuation_flag.read`."""
        found = evacuation_flag.read(self.live.aws, self.region, self.declared.parameter)
        return found if found is not None and found.region == self.evacuated else None

    def set_flag(self, flag: EvacuationFlag) -> None:
        """Set the flag. Raises as `evacuation_flag.write`."""
        evacuation_flag.write(self.live.aws, self.region, self.declared.parameter, flag)

    def lift_flag(self) -> None:
        """Lift the flag. Raises as `evacuation_flag.lift`."""
        evacuation_flag.lift(self.live.aws, self.region, self.declared.parameter)

    def page(self, name: str) -> str:
        """What a page of the survivor's API answers: `200`, another status, or why there is none.

        Args:
            name: `health` or `evacuation`.
        """
        endpoint = next(
            one.api_endpoint for one in self.published.outputs.regions if one.region == self.region
        )
        try:
            return str(self.live.http.ask("GET", f"{endpoint.removesuffix('/payments')}/{name}").status)
        except httpx.TransportError as error:
            return f"no answer ({type(error).__name__})"

    @property
    def moves_within_s(self) -> float:
        """From the flag to the name servers' answers, in seconds: threshold x interval of the health check on
        the survivor's page, the function's own memory of the flag, and what Route 53 takes."""
        propagation = PROPAGATION_S if self.live.is_aws else EMBEDDED_PROPAGATION_S
        return flag_found_out_s(self.declared, self.time_scale) + propagation

    @property
    def forgotten_within_s(self) -> float:
        """How long resolvers and clients keep the former answer, in seconds."""
        return kept_s(self.live.declared.dns, self.time_scale)

    def names(self) -> tuple[FailoverDnsWatcher, ...]:
        """Both names: the failover name, and the latency name as it is answered near the other region.

        Raises:
            EnvironmentUnusable: the zone's name servers cannot be found.
        """
        servers = self._name_servers()
        outputs = self.live.outputs
        try:
            near = drilled_name(self.live, self.evacuated, reverse=True)
        except OSError:
            # Without an address near the other region the name is asked for as from here.
            near = outputs.latency_domain, self.live.dns
        return tuple(
            FailoverDnsWatcher(
                dns,
                servers,
                name,
                record_type(self.live),
                region_of_answer(self.live.declared, name, endpoints=self.live.aws.endpoints),
            )
            for name, dns in ((outputs.failover_domain, self.live.dns), near)
        )

    def _name_servers(self) -> tuple[NameServer, ...]:
        hosts = tuple(one for one in self.declared.name_servers.split(",") if one)
        try:
            if not hosts:
                hosts = servers_of_zone(self.live.declared.dns.zone, self.live.dns)
            servers = self.live.dns.servers(hosts)
        except (DNSException, OSError, IndexError) as error:
            raise EnvironmentUnusable(
                f"The name servers of {self.live.declared.dns.zone} cannot be found: {error}.",
                "Look at this machine's resolver, or run the command on another machine.",
            ) from None
        if not servers:
            raise EnvironmentUnusable(
                f"{self.live.declared.dns.zone} has no name servers.", "Look at the domain's delegation."
            )
        return servers


def led_to(name: FailoverDnsWatcher) -> tuple[DnsAnswer, ...]:
    """Where each name server leads; none where one does not answer."""
    try:
        return name.ask()
    except NO_ANSWER:
        return ()


@contextmanager
def surviving(aws: Aws, published: PublishedDeployment, time_scale: float) -> Iterator[Survivor]:
    """The survivor, with connections of its own.

    Raises:
        EnvironmentUnusable: the published deployment is of another version.
    """
    with around(published.outputs, aws) as live:
        yield Survivor(live, published, time_scale)
