"""Where names lead."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import httpx
from dns.exception import Timeout

from payinfra.clients.aws import Aws
from payinfra.clients.dns import DnsResponse, NameServer
from payinfra.core.outputs import Outputs
from payinfra.deployment.names import look_up, name_servers
from tests.unit.checks.probes.conftest import ENDPOINTS, declared, outputs

FIRST, SECOND = NameServer("192.0.2.1"), NameServer("192.0.2.2")
REGIONS = {"east.host": "us-east-1", "west.host": "us-west-2"}


@dataclass(frozen=True)
class Zone:
    """Name servers, of which each gives one answer or none; and a resolver."""

    answers: dict[NameServer, tuple[str, ...] | None]
    delegated_to: tuple[str, ...] = ()

    def servers(self, names: Sequence[str]) -> tuple[NameServer, ...]:
        return tuple(NameServer(name) for name in names)

    def ask(self, server: NameServer, _name: str, _kind: str) -> DnsResponse:
        data = self.answers[server]
        if data is None:
            raise Timeout
        return DnsResponse("NOERROR" if data else "NXDOMAIN", data, 60)

    def resolve(self, _name: str, _kind: str) -> DnsResponse:
        return DnsResponse("NOERROR", self.delegated_to, 60)


def asked(zone: Zone, region_of: Any = REGIONS.get) -> Any:
    return look_up("failover.x", "CNAME", tuple(zone.answers), zone, region_of)


def test_name_servers_that_agree_name_one_region() -> None:
    found = asked(Zone({FIRST: ("east.host",), SECOND: ("east.host",)}))
    assert (found.leads_to, found.servers, found.ttl_s, found.unknown) == (("us-east-1",), 2, 60, "")


def test_name_servers_that_differ_name_both() -> None:
    assert asked(Zone({FIRST: ("east.host",), SECOND: ("west.host",)})).leads_to == ("us-east-1", "us-west-2")


def test_one_that_does_not_answer_hides_no_other() -> None:
    found = asked(Zone({FIRST: None, SECOND: ("west.host",)}))
    assert (found.leads_to, found.servers) == (("us-west-2",), 1)
    assert found.unknown.startswith("192.0.2.1 does not answer")


def test_an_answer_that_is_no_regions_is_said() -> None:
    assert asked(Zone({FIRST: ("elsewhere",)})).unknown == (
        "192.0.2.1 answers elsewhere, which is no region's"
    )
    assert asked(Zone({FIRST: ()})).unknown == "192.0.2.1 answers NXDOMAIN, which is no region's"


def test_an_address_where_nobody_answers_is_no_regions() -> None:
    def region_of(_address: str) -> str:
        raise httpx.ConnectTimeout("silence")

    assert asked(Zone({FIRST: ("192.0.2.9",)}), region_of).leads_to == ()


class WithZone(Aws):
    """Route 53, which names a zone's servers."""

    def client(self, service: str, region: str) -> Any:
        answer = {"DelegationSet": {"NameServers": ["of-route53"]}}
        return SimpleNamespace(get_hosted_zone=lambda **_call: answer)


def delegated(delegated: bool) -> Outputs:
    with_names = declared(dns=replace(declared().dns, delegated=delegated))
    return replace(outputs(), declared_json=with_names.to_json())


def test_a_delegated_zones_servers_are_asked_for_in_dns() -> None:
    assert name_servers(delegated(True), WithZone(), Zone({}, ("of-dns",))) == (NameServer("of-dns"),)


def test_route_53_names_those_of_a_zone_that_nobody_delegates_to() -> None:
    of_route53 = (NameServer("of-route53"),)
    assert name_servers(delegated(False), WithZone(), Zone({}, ("of-dns",))) == of_route53
    assert name_servers(delegated(True), WithZone(), Zone({})) == of_route53
    assert name_servers(delegated(True), WithZone(ENDPOINTS), Zone({}, ("of-dns",))) == of_route53
