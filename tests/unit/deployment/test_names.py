"""Where names lead."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import httpx
from botocore.exceptions import EndpointConnectionError
from dns.exception import Timeout
from dns.resolver import NXDOMAIN

from payinfra.clients.aws import Aws
from payinfra.clients.dns import DnsResponse, NameServer
from payinfra.core.outputs import Outputs
from payinfra.deployment.names import Delegation, delegation, look_up, name_servers
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
        data = self.answers.get(server)
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


ZONE, PARENT, ABOVE = "pay.shop.example", "shop.example", "example"


class WithZone(Aws):
    """Route 53, which names a zone and its servers."""

    zone = "pay.shop.example."

    def client(self, service: str, region: str) -> Any:
        answer = {"HostedZone": {"Name": self.zone}, "DelegationSet": {"NameServers": ["of-route53."]}}
        return SimpleNamespace(get_hosted_zone=lambda **_call: answer)


def delegated(delegated: bool) -> Outputs:
    with_names = declared(dns=replace(declared().dns, delegated=delegated, zone=ZONE))
    return replace(outputs(), declared_json=with_names.to_json())


def test_a_delegated_zones_servers_are_asked_for_in_dns() -> None:
    assert name_servers(delegated(True), WithZone(), Zone({}, ("of-dns",))) == (NameServer("of-dns"),)


@dataclass(frozen=True)
class Tree:
    """DNS from the root: each zone's servers, as its parent's server and a resolver give them."""

    parents: dict[str, tuple[str, ...] | None]
    resolved: dict[str, tuple[str, ...]]

    def servers(self, names: Sequence[str]) -> tuple[NameServer, ...]:
        return tuple(NameServer(name) for name in names)

    def ask(self, server: NameServer, name: str, kind: str) -> DnsResponse:
        assert kind == "NS"
        data = self.parents[server.address]
        if data is None:
            raise Timeout
        return DnsResponse("NOERROR", data, 60)

    def resolve(self, name: str, _kind: str) -> DnsResponse:
        if name not in self.resolved:
            raise NXDOMAIN
        return DnsResponse("NOERROR", self.resolved[name], 60)


def found(parents: dict[str, tuple[str, ...] | None], aws: Aws | None = None) -> Delegation | None:
    tree = Tree(parents, {PARENT: tuple(parents)})
    return delegation(delegated(True), aws or WithZone(), tree)


def test_a_zone_whose_parent_names_its_servers_is_well() -> None:
    well = found({"p1": ("of-route53",)})
    assert well == Delegation(ZONE, ("of-route53",), ("of-route53",))
    assert (well.problem, well.next_step) == ("", "")


class WithParentZone(WithZone):
    zone = "shop.example."


def test_of_a_domain_below_its_zone_the_zone_has_to_be_delegated() -> None:
    tree = Tree({"p1": ("of-route53",)}, {ABOVE: ("p1",)})
    assert delegation(delegated(True), WithParentZone(), tree) == Delegation(
        PARENT, ("of-route53",), ("of-route53",)
    )


def test_of_a_domain_below_its_zone_the_zones_servers_are_asked_without_a_control_plane() -> None:
    class Gone(Aws):
        def client(self, service: str, region: str) -> Any:
            raise EndpointConnectionError(endpoint_url="https://route53.amazonaws.com")

    tree = Tree({"s1": ()}, {PARENT: ("s1",)})
    assert name_servers(delegated(True), Gone(), tree) == (NameServer("s1"),)


def test_the_next_of_the_parents_servers_is_asked_where_one_is_silent() -> None:
    asked = found({"p1": None, "p2": ("of-route53",)})
    assert asked is not None
    assert asked.servers == ("of-route53",)


def test_a_zone_that_nobody_delegates_is_said_to_be_missing_with_what_to_add() -> None:
    missing = found({"p1": ()})
    assert missing is not None
    assert missing.problem == (
        f"{ZONE} is not delegated: its parent has no NS records for it, so no client finds it."
    )
    assert missing.next_step == (
        f"In the zone above {ZONE}, set the NS records of {ZONE} to exactly of-route53."
    )
    # Where it would lead is said all the same.
    tree = Tree({"p1": ()}, {PARENT: ("p1",), ZONE: ()})
    assert name_servers(delegated(True), WithZone(), tree) == (NameServer("of-route53"),)


def test_a_zone_that_is_delegated_to_another_ones_servers_is_said_to_be() -> None:
    strange = found({"p1": ("of-route53", "old")})
    assert strange is not None
    assert strange.problem == f"{ZONE} is delegated to old, which do not serve its hosted zone."
    assert strange.next_step.endswith("to exactly of-route53.")


class Silent(Aws):
    """Route 53's control plane is gone."""

    def client(self, service: str, region: str) -> Any:
        raise EndpointConnectionError(endpoint_url="https://route53")


def test_without_route_53_only_what_dns_says_is_judged() -> None:
    well = found({"p1": ("any",)}, Silent())
    assert well is not None
    assert (well.problem, well.own) == ("", ())
    missing = found({"p1": ()}, Silent())
    assert missing is not None
    assert "that its hosted zone names" in missing.next_step


def test_what_the_parent_does_not_say_is_not_known_and_mends_nothing() -> None:
    several: tuple[dict[str, tuple[str, ...] | None], ...] = ({"p1": None}, {})
    for parents in several:
        silent = found(parents)
        assert silent is not None
        assert silent.problem.startswith(f"Whether {ZONE} is delegated to its name servers is not known: ")
        assert silent.next_step == ""


def test_the_parent_may_be_further_up_and_a_resolver_stands_in_for_it() -> None:
    tree = Tree({"p1": ("of-route53",)}, {ABOVE: ("p1",)})
    asked = delegation(delegated(True), WithZone(), tree)
    assert asked is not None
    assert asked.servers == ("of-route53",)
    tree = Tree({"p1": None}, {PARENT: ("p1",), ZONE: ("of-dns",)})
    assert name_servers(delegated(True), WithZone(), tree) == (NameServer("of-dns"),)


def test_a_zone_of_the_environments_own_and_the_embedded_aws_have_no_parent() -> None:
    tree = Tree({}, {})
    assert delegation(delegated(False), WithZone(), tree) is None
    assert delegation(delegated(True), WithZone(ENDPOINTS), tree) is None


def test_route_53_names_those_of_a_zone_that_nobody_delegates_to() -> None:
    of_route53 = (NameServer("of-route53"),)
    assert name_servers(delegated(False), WithZone(), Zone({}, ("of-dns",))) == of_route53
    assert name_servers(delegated(True), WithZone(), Zone({})) == of_route53
    assert name_servers(delegated(True), WithZone(ENDPOINTS), Zone({}, ("of-dns",))) == of_route53
