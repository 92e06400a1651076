"""What a load worker is told to do, and how it finds the API, with clients as the embedded generator has."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from payinfra.clients.aws import Aws, Endpoints
from payinfra.clients.dns import DnspythonDns, NameServer
from payinfra.core.canary_contract import PAYMENTS, CanaryContract
from payinfra.core.https_address import HttpsAddress
from payinfra.core.outputs import Outputs
from payinfra.drill.load import targets
from payinfra.drill.load.targets import FixedTarget, LoadClient, LoadTarget, TargetResolver

TOKEN_VARIABLE = "PAYINFRA_LOAD_TOKEN"  # noqa: S105 - the variable's name, not a token


@dataclass(frozen=True)
class ClientsByName:
    """Clients that ask for a name of the environment.

    Attributes:
        outputs: the environment's, as `Outputs.to_flat` has them.
        regions, global_url, https, authority: where the embedded AWS answers, as of `Endpoints`; on AWS
            `regions` is None.
        embedded_dns, on_behalf_of: as of `DnspythonDns`.
        servers: address and port of the zone's name servers.
        name: the name that clients ask for.
        pinned: the region to which every second payment goes past the name; empty for none.
        count: of the clients that ask for the name.
    """

    outputs: Mapping[str, str]
    regions: Mapping[str, str] | None
    global_url: str
    embedded_dns: str
    on_behalf_of: str
    servers: tuple[tuple[str, int], ...]
    name: str
    pinned: str
    count: int
    https: Mapping[str, HttpsAddress] = field(default_factory=dict)
    authority: str = ""

    def clients(self) -> tuple[LoadClient, ...]:
        """The clients, each with what it knows so far: nothing."""
        outputs = Outputs.from_flat(self.outputs)
        declared = outputs.declared
        here = (
            None
            if self.regions is None
            else Endpoints(self.regions, self.global_url, https=self.https, authority=self.authority)
        )
        aws = Aws(here)
        dns = DnspythonDns(self.embedded_dns, self.on_behalf_of)
        servers = tuple(NameServer(address, port) for address, port in self.servers)

        def resolving(age: float) -> TargetResolver:
            return targets.by_name(aws, outputs, declared, dns, servers, name=self.name, age=age)

        pinned = next((one for one in declared.regions if one.region == self.pinned), None)
        return targets.load_clients(
            resolving, None if pinned is None else targets.by_region(aws, pinned), self.count
        )


@dataclass(frozen=True)
class ClientsOfOneTarget:
    """One client of an address that never changes."""

    urls: tuple[str, ...]
    host: str
    region: str

    def clients(self) -> tuple[LoadClient, ...]:
        """The one client."""
        return (LoadClient(FixedTarget(LoadTarget(tuple(self.urls), self.host, self.region))),)

    @property
    def authority(self) -> str:
        """No other authority than the machine's is trusted."""
        return ""


@dataclass(frozen=True)
class LoadOrder:
    """What the workers of a drill do together. Times are seconds of real time, as of `Pace`.

    Attributes:
        rate: payments a second of all workers together.
        api_key: goes into a header and nowhere else.
        canary: what a payment of the environment looks like.
        worker, workers: which of how many this one is, from 0 on.
    """

    drill: str
    env: str
    rate: float
    time_out_s: float
    first_pause_s: float
    longest_pause_s: float
    retries: float
    resend_every: int
    resend_after_s: float
    api_key: str = field(repr=False)
    clients: ClientsByName | ClientsOfOneTarget
    worker: int = 0
    workers: int = 1
    canary: CanaryContract = PAYMENTS

    def to_json(self) -> dict[str, Any]:
        """The order as it is sent."""
        return asdict(self) | {"by_name": isinstance(self.clients, ClientsByName)}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """The order that was sent.

        Raises:
            TypeError, KeyError: it is none.
        """
        values = dict(found)
        how = ClientsByName if values.pop("by_name") else ClientsOfOneTarget
        given = dict(values.pop("clients"))
        if how is ClientsByName:
            given["servers"] = tuple((str(address), int(port)) for address, port in given["servers"])
            given["https"] = {region: HttpsAddress(**where) for region, where in given["https"].items()}
        else:
            given["urls"] = tuple(given["urls"])
        canary: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.pop("canary").items()
        }
        return cls(clients=how(**given), canary=CanaryContract(**canary), **values)
