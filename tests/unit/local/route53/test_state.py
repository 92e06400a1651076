"""The reader against the emulator's own Route 53, changed through its own calls."""

import asyncio
import importlib
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from typing import Protocol, cast

import pytest

from payinfra.local.server.route53.state import (
    AliasTarget,
    Failover,
    HealthCheckConfig,
    HealthCheckType,
    MinistackZones,
    RecordSet,
    Zone,
    normal_name,
)


class Emulator(Protocol):
    def reset(self) -> None: ...

    async def handle_request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, query_params: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str], bytes]: ...


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    module = cast("Emulator", importlib.import_module("ministack.services.route53"))
    module.reset()
    yield module
    module.reset()


def call(emulator: Emulator, method: str, path: str, body: str) -> str:
    status, _, answer = asyncio.run(
        emulator.handle_request(method, "/2013-04-01" + path, {}, body.encode(), {})
    )
    assert status < 300, answer
    return answer.decode()


def between(text: str, tag: str) -> str:
    return text.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]


def new_zone(emulator: Emulator, name: str, more: str = "") -> str:
    body = f"<R><Name>{name}</Name><CallerReference>{name}{more}</CallerReference>{more}</R>"
    return between(call(emulator, "POST", "/hostedzone", body), "Id").removeprefix("/hostedzone/")


def change(emulator: Emulator, zone_id: str, record: str) -> None:
    body = (
        "<R><ChangeBatch><Changes><Change><Action>UPSERT</Action>"
        f"<ResourceRecordSet>{record}</ResourceRecordSet></Change></Changes></ChangeBatch></R>"
    )
    call(emulator, "POST", f"/hostedzone/{zone_id}/rrset", body)


def new_check(emulator: Emulator, config: str, reference: str = "r") -> str:
    config = f"<HealthCheckConfig>{config}</HealthCheckConfig>"
    body = f"<R><CallerReference>{reference}</CallerReference>{config}</R>"
    return between(call(emulator, "POST", "/healthcheck", body), "Id")


def test_zones_come_with_their_own_records(emulator: Emulator) -> None:
    zone_id = new_zone(emulator, "Pay.Example")
    (zone,) = MinistackZones.in_process().zones()
    assert (zone.id, zone.name, zone.private) == (zone_id, "pay.example.", False)
    assert [record.type for record in zone.records] == ["SOA", "NS"]
    assert len(zone.records[1].values) == 4


def test_private_zones_are_marked(emulator: Emulator) -> None:
    new_zone(emulator, "in.example", "<VPC><VPCRegion>us-east-1</VPCRegion><VPCId>vpc-1</VPCId></VPC>")
    assert [zone.private for zone in MinistackZones.in_process().zones()] == [True]


def test_a_record_set_is_read_with_all_that_routes_it(emulator: Emulator) -> None:
    reader = MinistackZones.in_process()
    zone_id = new_zone(emulator, "pay.example")
    change(
        emulator,
        zone_id,
        "<Name>API.pay.example</Name><Type>CNAME</Type><SetIdentifier>p</SetIdentifier>"
        "<Failover>PRIMARY</Failover><TTL>60</TTL><HealthCheckId>hc</HealthCheckId>"
        "<ResourceRecords><ResourceRecord><Value>x.example.com</Value></ResourceRecord></ResourceRecords>",
    )
    (zone,) = reader.zones()
    assert zone.records[2] == RecordSet(
        name="api.pay.example.",
        type="CNAME",
        ttl=60,
        values=("x.example.com",),
        set_identifier="p",
        failover=Failover.PRIMARY,
        health_check_id="hc",
    )


def test_aliases_weights_regions_and_wildcards_are_read(emulator: Emulator) -> None:
    zone_id = new_zone(emulator, "pay.example")
    change(
        emulator,
        zone_id,
        "<Name>\\052.pay.example</Name><Type>A</Type><SetIdentifier>a</SetIdentifier><Weight>0</Weight>"
        "<AliasTarget><HostedZoneId>Z9</HostedZoneId><DNSName>D.example.com</DNSName>"
        "<EvaluateTargetHealth>true</EvaluateTargetHealth></AliasTarget>",
    )
    change(
        emulator,
        zone_id,
        "<Name>l.pay.example</Name><Type>A</Type><SetIdentifier>b</SetIdentifier><Region>us-west-2</Region>",
    )
    change(
        emulator,
        zone_id,
        "<Name>m.pay.example</Name><Type>A</Type><SetIdentifier>c</SetIdentifier>"
        "<MultiValueAnswer>true</MultiValueAnswer>",
    )
    (zone,) = MinistackZones.in_process().zones()
    assert zone.records[2:] == (
        RecordSet(
            "*.pay.example.",
            "A",
            set_identifier="a",
            weight=0,
            alias=AliasTarget("Z9", "d.example.com.", True),
        ),
        RecordSet("l.pay.example.", "A", set_identifier="b", region="us-west-2"),
        RecordSet("m.pay.example.", "A", set_identifier="c", multivalue=True),
    )


@pytest.mark.parametrize(
    "routing",
    [
        "<GeoLocation><CountryCode>DE</CountryCode></GeoLocation>",
        "<CidrRoutingConfig><CollectionId>c</CollectionId></CidrRoutingConfig>",
        "<Failover>TERTIARY</Failover>",
    ],
)
def test_a_policy_that_is_not_emulated_is_marked(emulator: Emulator, routing: str) -> None:
    zone_id = new_zone(emulator, "pay.example")
    change(
        emulator,
        zone_id,
        f"<Name>g.pay.example</Name><Type>A</Type><SetIdentifier>s</SetIdentifier>{routing}",
    )
    (zone,) = MinistackZones.in_process().zones()
    assert zone.records[2].unsupported_routing
    assert zone.records[2].failover is None


def test_a_health_check_is_read_with_awss_defaults(emulator: Emulator) -> None:
    check_id = new_check(emulator, "<Type>HTTPS</Type><FullyQualifiedDomainName>h</FullyQualifiedDomainName>")
    assert MinistackZones.in_process().health_checks() == (
        HealthCheckConfig(check_id, HealthCheckType.HTTPS, fqdn="h", interval=30, threshold=3, path="/"),
    )


def test_a_health_check_is_read_in_full_and_updates_are_seen_at_once(emulator: Emulator) -> None:
    reader = MinistackZones.in_process()
    check_id = new_check(
        emulator,
        "<Type>HTTP_STR_MATCH</Type><IPAddress>127.0.0.1</IPAddress><Port>8080</Port>"
        "<ResourcePath>/health</ResourcePath><SearchString>ok</SearchString>"
        "<RequestInterval>10</RequestInterval><FailureThreshold>2</FailureThreshold>"
        "<EnableSNI>false</EnableSNI>",
    )
    expected = HealthCheckConfig(
        check_id,
        HealthCheckType.HTTP_STR_MATCH,
        ip_address="127.0.0.1",
        port=8080,
        path="/health",
        search_string="ok",
        interval=10,
        threshold=2,
        enable_sni=False,
    )
    assert reader.health_checks() == (expected,)
    call(
        emulator,
        "POST",
        f"/healthcheck/{check_id}",
        "<R><Inverted>true</Inverted><Disabled>true</Disabled><FailureThreshold>5</FailureThreshold></R>",
    )
    (changed,) = reader.health_checks()
    assert (changed.inverted, changed.disabled, changed.threshold) == (True, True, 5)
    assert (expected.probed, changed.probed) == (True, False)


def test_regions_that_the_emulator_loses_are_not_taken_for_regions(emulator: Emulator) -> None:
    new_check(emulator, "<Type>TCP</Type><Regions><Region>us-east-1</Region></Regions>")
    (check,) = MinistackZones.in_process().health_checks()
    assert "" not in check.regions


def test_a_health_check_of_an_unknown_type_is_passed_over(emulator: Emulator) -> None:
    new_check(emulator, "<Type>PING</Type>", "1")
    new_check(emulator, "<Type>TCP</Type>", "2")
    assert [check.type for check in MinistackZones.in_process().health_checks()] == [HealthCheckType.TCP]


class Store:
    def __init__(self, content: Mapping[tuple[str, str], object]) -> None:
        self._content = content

    def to_dict(self) -> Mapping[tuple[str, str], object]:
        return self._content


class Scripted:
    """The emulator's state as it might be after a change of its inner workings."""

    def __init__(
        self,
        records: Mapping[tuple[str, str], object],
        checks: Mapping[tuple[str, str], object] | None = None,
    ) -> None:
        self._zones: Store = Store(
            {("1", "Z"): {"id": "Z", "name": "pay.example."}, ("2", "Y"): {"id": "Y", "name": "y."}}
        )
        self._records = Store(records)
        self._health_checks = Store(checks or {})
        self._lock = nullcontext()


def test_a_calculated_health_check_is_read_with_its_children_and_regions() -> None:
    config = {
        "Type": "CALCULATED",
        "HealthThreshold": 1,
        "ChildHealthChecks": ["a", "b"],
        "Regions": ["eu-west-1"],
        "InsufficientDataHealthStatus": "Unhealthy",
    }
    (check,) = MinistackZones(Scripted({}, {("1", "c"): {"id": "c", "config": config}})).health_checks()
    assert check == HealthCheckConfig(
        "c",
        HealthCheckType.CALCULATED,
        children=("a", "b"),
        health_threshold=1,
        regions=("eu-west-1",),
        insufficient_data="Unhealthy",
    )
    assert not check.probed


def test_zones_of_all_accounts_are_read_and_missing_records_are_none() -> None:
    assert MinistackZones(Scripted({})).zones() == (
        Zone("Z", "pay.example.", False, ()),
        Zone("Y", "y.", False, ()),
    )


def test_a_number_that_is_none_is_left_out() -> None:
    record = {"Name": "a.pay.example.", "Type": "A", "TTL": "soon", "Weight": None}
    zone, _ = MinistackZones(Scripted({("1", "Z"): [record]})).zones()
    assert zone.records == (RecordSet("a.pay.example.", "A"),)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("A.Example", "a.example."), ("a.example.", "a.example."), ("\\052.a", "*.a."), ("", ".")],
)
def test_names_are_compared_in_one_form(name: str, expected: str) -> None:
    assert normal_name(name) == expected
