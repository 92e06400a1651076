"""The whole data plane: calls as boto3 makes and reads them, DNS, and probes over real sockets."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypedDict, cast

import boto3
import botocore.session
import dns.asyncquery
import dns.message
import pytest
from botocore.parsers import create_parser

from payinfra.core.region_geography import ClientLocations
from payinfra.local.server.aws_rules import Quota
from payinfra.local.server.route53.answers import ResponseCode
from payinfra.local.server.route53.api import Route53Response
from payinfra.local.server.route53.clock import SystemClock
from payinfra.local.server.route53.dns import Question
from payinfra.local.server.route53.endpoints import Address
from payinfra.local.server.route53.plane import STATUS_QUOTA, DataPlane
from payinfra.local.server.route53.probe import CheckerResult, CheckerTimeouts
from payinfra.local.server.route53.state import (
    AliasTarget,
    Failover,
    HealthCheckConfig,
    HealthCheckType,
    RecordSet,
    Zone,
)

APEX = "pay.example."
SOA = RecordSet(APEX, "SOA", 900, ("ns-1.awsdns-1.com. host.amazon.com. 1 7200 900 1209600 86400",))
NS = RecordSet(APEX, "NS", 172800, ("ns-1.awsdns-1.com.", "ns-4.awsdns-4.co.uk."))
EAST = HealthCheckConfig(
    "east", HealthCheckType.HTTPS, fqdn="east.example", port=443, path="/prod/health", interval=10
)
WEST = replace(EAST, id="west", fqdn="west.example")


def cname(name: str, value: str, check: str, **more: str) -> RecordSet:
    return RecordSet(
        name,
        "CNAME",
        60,
        (value,),
        set_identifier=check,
        health_check_id=check,
        failover=Failover(more["failover"]) if "failover" in more else None,
        region=more.get("region"),
    )


ZONE = Zone(
    "Z1",
    APEX,
    False,
    (
        SOA,
        NS,
        cname("api." + APEX, "east.example", "east", failover="PRIMARY"),
        cname("api." + APEX, "west.example", "west", failover="SECONDARY"),
        cname("fast." + APEX, "east.example", "east", region="us-east-1"),
        cname("fast." + APEX, "west.example", "west", region="us-west-2"),
        RecordSet("own." + APEX, "A", alias=AliasTarget("ZAPI", "d-1.example.", True)),
        RecordSet("lost." + APEX, "A", alias=AliasTarget("ZAPI", "d-2.example.", True)),
        RecordSet("here." + APEX, "A", alias=AliasTarget("ZAPI", "d-3.localhost.", True)),
    ),
)


class ServedZone:
    """What the emulator holds and serves."""

    def __init__(self) -> None:
        self.ports: dict[str, int] = {"d-1.example": 4566}
        self.checks: tuple[HealthCheckConfig, ...] = (EAST, WEST)
        self.hosted: tuple[Zone, ...] = (
            ZONE,
            replace(ZONE, id="ZP", private=True),
            Zone("ZE", "bare.", False, ()),
        )

    def zones(self) -> tuple[Zone, ...]:
        return self.hosted

    def health_checks(self) -> tuple[HealthCheckConfig, ...]:
        return self.checks

    def resolve(self, host: str, port: int, scheme: str) -> Address | None:
        return Address("127.0.0.1", self.ports[host]) if host in self.ports else None


class Content:
    """A prober that finds all well."""

    async def probe(self, check: HealthCheckConfig, limits: CheckerTimeouts) -> CheckerResult:
        ok = check.id == "east"
        return CheckerResult(
            ok, "Success: HTTP Status Code 200, OK" if ok else "Failure: Connection refused."
        )


def plane_of(world: ServedZone, locations: ClientLocations | None = None) -> DataPlane:
    return DataPlane(
        world,
        world.resolve,
        SystemClock(),
        lambda: 100.0,
        locations=locations,
        prober=Content(),
        pick=lambda _: 0,
    )


def get(plane: DataPlane, path: str, query: Mapping[str, Sequence[str]] | None = None) -> Route53Response:
    response = asyncio.run(plane.handle("GET", path, query or {}, {}, b""))
    assert response is not None
    return response


class Report(TypedDict):
    Status: str
    CheckedTime: datetime


class Observed(TypedDict):
    Region: str
    IPAddress: str
    StatusReport: Report


class Failed(TypedDict):
    Code: str
    Message: str
    Type: str


class Parsed(TypedDict):
    """What botocore makes of the answers, all calls together."""

    HealthCheckObservations: list[Observed]
    CheckerIpRanges: list[str]
    Nameserver: str
    RecordName: str
    RecordType: str
    RecordData: list[str]
    ResponseCode: str
    Protocol: str
    Error: Failed


def parsed(operation: str, response: Route53Response) -> Parsed:
    """The response as botocore, and so boto3, reads it."""
    model = botocore.session.get_session().get_service_model("route53")
    shape = model.operation_model(operation).output_shape
    assert shape is not None
    raw = {"status_code": response.status, "headers": dict(response.headers), "body": response.body}
    return cast("Parsed", create_parser("rest-xml").parse(raw, shape))


async def probed_once(plane: DataPlane) -> None:
    await plane.start(0)
    while len(plane.observations()) < 2 or not await _has_reports(plane):
        await asyncio.sleep(0)


async def _has_reports(plane: DataPlane) -> bool:
    response = await plane.handle("GET", "/2013-04-01/healthcheck/west/status", {}, {}, b"")
    return response is not None and b"<HealthCheckObservation>" in response.body


# --- calls -------------------------------------------------------------------------------------


def test_the_status_is_read_by_boto3_with_region_address_and_time() -> None:
    async def scenario() -> tuple[Route53Response | None, ...]:
        plane = plane_of(ServedZone())
        try:
            await probed_once(plane)
            return tuple(
                [
                    await plane.handle("GET", f"/2013-04-01/healthcheck/{check}/{call}", {}, {}, b"")
                    for check, call in (
                        ("east", "status"),
                        ("east", "lastfailurereason"),
                        ("west", "lastfailurereason"),
                    )
                ]
            )
        finally:
            await plane.stop()

    status, no_failure, failure = asyncio.run(scenario())
    assert status
    assert no_failure
    assert failure
    (seen,) = parsed("GetHealthCheckStatus", status)["HealthCheckObservations"]
    assert (seen["Region"], seen["IPAddress"]) == ("us-east-1", "127.0.0.1")
    assert seen["StatusReport"]["Status"] == "Success: HTTP Status Code 200, OK"
    age = datetime.now(UTC) - seen["StatusReport"]["CheckedTime"]
    assert 0 <= age.total_seconds() < 60
    assert parsed("GetHealthCheckLastFailureReason", no_failure)["HealthCheckObservations"] == []
    (failed,) = parsed("GetHealthCheckLastFailureReason", failure)["HealthCheckObservations"]
    assert failed["StatusReport"]["Status"] == "Failure: Connection refused."


def test_an_unknown_health_check_is_no_such_health_check() -> None:
    response = get(plane_of(ServedZone()), "/2013-04-01/healthcheck/none/status")
    assert response.status == 404
    assert parsed("GetHealthCheckStatus", response)["Error"]["Code"] == "NoSuchHealthCheck"


def test_the_status_is_told_four_times_at_once_and_then_once_a_second() -> None:
    now = [0.0]
    quota = Quota(*STATUS_QUOTA, lambda: now[0])
    plane = DataPlane(
        ServedZone(), ServedZone().resolve, SystemClock(), lambda: 1.0, prober=Content(), status_quota=quota
    )
    asked = [get(plane, f"/2013-04-01/healthcheck/{check}/status") for check in ("east", "west") * 3]
    assert [one.status for one in asked] == [200, 200, 200, 200, 400, 400]
    assert parsed("GetHealthCheckStatus", asked[-1])["Error"]["Code"] == "Throttling"
    assert get(plane, "/2013-04-01/healthcheck/none/status").status == 404
    now[0] += 1.0
    asked = [get(plane, "/2013-04-01/healthcheck/east/status") for _ in range(2)]
    assert [one.status for one in asked] == [200, 400]


def test_a_calculated_check_has_no_status() -> None:
    world = ServedZone()
    world.checks = (HealthCheckConfig("sum", HealthCheckType.CALCULATED),)
    response = get(plane_of(world), "/2013-04-01/healthcheck/sum/status")
    assert response.status == 400
    assert parsed("GetHealthCheckStatus", response)["Error"]["Code"] == "InvalidInput"


def test_the_checkers_come_from_this_machine() -> None:
    response = get(plane_of(ServedZone()), "/2013-04-01/checkeripranges")
    assert parsed("GetCheckerIpRanges", response)["CheckerIpRanges"] == ["127.0.0.1/32"]


def dns_answer(plane: DataPlane, **query: str) -> Route53Response:
    return get(plane, "/2013-04-01/testdnsanswer", {key: [value] for key, value in query.items()})


def test_a_test_answer_is_what_dns_answers() -> None:
    response = dns_answer(
        plane_of(ServedZone()), hostedzoneid="Z1", recordname="API.pay.example", recordtype="A"
    )
    answer = parsed("TestDNSAnswer", response)
    assert (answer["Nameserver"], answer["RecordName"]) == ("ns-1.awsdns-1.com", "api.pay.example")
    assert (answer["RecordType"], answer["RecordData"]) == ("A", ["east.example"])
    assert (answer["ResponseCode"], answer["Protocol"]) == ("NOERROR", "UDP")


def test_a_test_answer_follows_an_inverted_health_check_at_once() -> None:
    world = ServedZone()
    plane = plane_of(world)
    world.checks = (replace(EAST, inverted=True), WEST)
    response = dns_answer(plane, hostedzoneid="Z1", recordname="api.pay.example", recordtype="CNAME")
    assert parsed("TestDNSAnswer", response)["RecordData"] == ["west.example"]


def test_a_test_answer_of_nothing_is_nxdomain() -> None:
    response = dns_answer(
        plane_of(ServedZone()), hostedzoneid="/hostedzone/Z1", recordname="no.pay.example", recordtype="A"
    )
    assert parsed("TestDNSAnswer", response)["ResponseCode"] == "NXDOMAIN"


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        ({}, "east.example"),
        ({"resolverip": "198.51.100.1"}, "west.example"),
        ({"resolverip": "203.0.113.1", "edns0clientsubnetip": "198.51.100.1"}, "west.example"),
        ({"resolverip": "198.51.100.1", "edns0clientsubnetip": "203.0.113.1"}, "east.example"),
    ],
)
def test_a_test_answer_depends_on_where_the_client_is(client: dict[str, str], expected: str) -> None:
    plane = plane_of(ServedZone(), ClientLocations({"198.51.100.0/24": "us-west-2"}))
    response = dns_answer(
        plane, hostedzoneid="Z1", recordname="fast.pay.example", recordtype="CNAME", **client
    )
    assert parsed("TestDNSAnswer", response)["RecordData"] == [expected]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({}, 400, "InvalidInput"),
        ({"hostedzoneid": "Z1", "recordname": "api.pay.example"}, 400, "InvalidInput"),
        ({"hostedzoneid": "Z9", "recordname": "api.pay.example", "recordtype": "A"}, 404, "NoSuchHostedZone"),
        ({"hostedzoneid": "ZP", "recordname": "api.pay.example", "recordtype": "A"}, 400, "InvalidInput"),
        ({"hostedzoneid": "Z1", "recordname": "example.com", "recordtype": "A"}, 400, "InvalidInput"),
        (
            {"hostedzoneid": "Z1", "recordname": "api.pay.example", "recordtype": "A", "resolverip": "x"},
            400,
            "InvalidInput",
        ),
    ],
)
def test_bad_questions_get_route_53s_errors(query: dict[str, str], status: int, code: str) -> None:
    response = dns_answer(plane_of(ServedZone()), **query)
    assert (response.status, parsed("TestDNSAnswer", response)["Error"]["Code"]) == (status, code)


def test_a_query_of_plain_texts_is_understood() -> None:
    plane = plane_of(ServedZone())
    query = {"hostedzoneid": "Z1", "recordname": "api.pay.example", "recordtype": "CNAME"}
    response = get(plane, "/2013-04-01/testdnsanswer", query)
    assert parsed("TestDNSAnswer", response)["RecordData"] == ["east.example"]


def test_a_zone_without_name_servers_names_this_machine() -> None:
    response = dns_answer(plane_of(ServedZone()), hostedzoneid="ZE", recordname="bare", recordtype="A")
    assert parsed("TestDNSAnswer", response)["Nameserver"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/2013-04-01/healthcheck/east"),
        ("POST", "/2013-04-01/healthcheck/east/status"),
        ("GET", "/2013-04-01/hostedzone"),
        ("GET", "/"),
        ("GET", "/2013-04-01/healthcheck/a/b/status"),
    ],
)
def test_every_other_call_is_the_emulators(method: str, path: str) -> None:
    assert asyncio.run(plane_of(ServedZone()).handle(method, path, {}, {}, b"")) is None


# --- answers -----------------------------------------------------------------------------------


def test_aliases_answer_the_address_at_which_the_emulator_serves_the_resource() -> None:
    plane = plane_of(ServedZone())
    for name, expected in (("own.", ["127.0.0.1"]), ("lost.", []), ("here.", ["127.0.0.1"])):
        given = plane.answer(Question(name + APEX, "A"))
        assert [record.value for record in given.records] == expected


def test_a_resource_outside_this_machine_has_no_address() -> None:
    world = ServedZone()
    plane = DataPlane(
        world, lambda host, port, scheme: Address("203.0.113.1", 443), SystemClock(), lambda: 1.0
    )
    assert plane.answer(Question("own." + APEX, "A")).records == ()


@pytest.mark.parametrize("name", ["ns-1.awsdns-1.com.", "ns-4.awsdns-4.co.uk.", "ns-1912.awsdns-47.net."])
def test_the_name_servers_of_delegation_sets_are_here(name: str) -> None:
    plane = plane_of(ServedZone())
    assert [record.value for record in plane.answer(Question(name, "A")).records] == ["127.0.0.1"]
    assert plane.answer(Question(name, "AAAA")).records == ()


def test_names_of_no_zone_are_refused() -> None:
    assert plane_of(ServedZone()).answer(Question("east.example.", "A")).code is ResponseCode.REFUSED


# --- over real sockets -------------------------------------------------------------------------


class Api:
    """A local HTTP server with a health path."""

    def __init__(self) -> None:
        self.status = "200 OK"
        self.hosts: set[str] = set()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.hosts.add(request.partition("Host: ")[2].partition("\r\n")[0])
        writer.write(f"HTTP/1.1 {self.status}\r\nContent-Length: 0\r\n\r\n".encode())
        writer.close()


async def until_dns_says(port: int, expected: str) -> int:
    """Ask the server over UDP until it answers `expected`; returns the TTL."""
    async with asyncio.timeout(20):
        while True:
            asked = dns.message.make_query("api.pay.example", "CNAME")
            response = await dns.asyncquery.udp(asked, "127.0.0.1", timeout=5, port=port)
            if str(response.answer[0][0]) == expected:
                return response.answer[0].ttl


def test_dns_follows_the_real_health_of_real_endpoints() -> None:
    world = ServedZone()

    async def scenario() -> None:
        east, west = Api(), Api()
        servers = [await asyncio.start_server(api, "127.0.0.1", 0) for api in (east, west)]
        world.ports = {
            name: server.sockets[0].getsockname()[1]
            for name, server in zip(("east.example", "west.example"), servers, strict=True)
        }
        plane = DataPlane(world, world.resolve, SystemClock(), lambda: 200.0)
        port = await plane.start(0)
        try:
            assert await until_dns_says(port, "east.example.") == 1
            east.status = "503 Service Unavailable"
            await until_dns_says(port, "west.example.")
            assert {each.health_check_id: each.healthy for each in plane.observations()} == {
                "east": False,
                "west": True,
            }
            west.status = "500 Oops"
            await until_dns_says(port, "east.example.")
            west.status = "200 OK"
            await until_dns_says(port, "west.example.")
            east.status = "200 OK"
            await until_dns_says(port, "east.example.")
            assert (east.hosts, west.hosts) == ({"east.example"}, {"west.example"})
        finally:
            await plane.stop()
            for server in servers:
                server.close()

    asyncio.run(scenario())


def test_boto3_itself_reads_the_calls_over_http() -> None:
    async def scenario() -> None:
        plane = plane_of(ServedZone())
        await probed_once(plane)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
            response = await plane.handle("GET", path.partition("?")[0], {}, {}, b"")
            assert response is not None
            head = f"HTTP/1.1 {response.status} X\r\nContent-Length: {len(response.body)}\r\n"
            writer.write(
                head.encode() + b"Content-Type: text/xml\r\nConnection: close\r\n\r\n" + response.body
            )
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        client = boto3.client(
            "route53",
            region_name="us-east-1",
            endpoint_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        try:
            status = await asyncio.to_thread(client.get_health_check_status, HealthCheckId="east")
            assert status["HealthCheckObservations"][0]["StatusReport"]["Status"].startswith("Success")
            with pytest.raises(client.exceptions.NoSuchHealthCheck):
                await asyncio.to_thread(client.get_health_check_status, HealthCheckId="none")
        finally:
            server.close()
            await plane.stop()

    asyncio.run(scenario())


def test_stopping_ends_the_probes() -> None:
    counted: list[float] = []

    class Counting(SystemClock):
        async def sleep(self, seconds: float) -> None:
            counted.append(seconds)
            await asyncio.sleep(0)

    async def scenario() -> None:
        world = ServedZone()
        plane = DataPlane(world, world.resolve, Counting(), lambda: 1.0, prober=Content())
        await plane.start(0)
        while not counted:
            await asyncio.sleep(0)
        await plane.stop()
        steps = len(counted)
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(counted) == steps

    asyncio.run(scenario())


def test_stopping_what_was_never_started_is_harmless() -> None:
    asyncio.run(plane_of(ServedZone()).stop())
