"""An environment's status: what is known is shown, and what is not is said to be unknown."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

from payinfra.clients.aws import Aws
from payinfra.clients.dns import DnsResponse, NameServer
from payinfra.core.evacuation import EvacuationFlag
from payinfra.core.outputs import DeclaredEvacuation
from payinfra.deployment.status import gather, region_status, written
from payinfra.drill.faults.journal import FaultJournal, Header
from payinfra.drill.report_store import save
from tests.unit.checks.probes.conftest import EAST, ENDPOINTS, HOSTS, WEST, declared, outputs
from tests.unit.report.drill.conftest import PERFECT

Reply = Callable[[], Mapping[str, Any]]


@dataclass(frozen=True)
class Answering(Aws):
    """Gives one answer to each operation."""

    health: Reply = dict
    alarms: Callable[[Sequence[str]], Mapping[str, Any]] = lambda _names: {}
    flag: str = "{}"
    asked: list[tuple[str, str]] = field(default_factory=list)

    def client(self, service: str, region: str) -> Any:
        self.asked.append((service, region))
        return self

    def get_health_check_status(self, **_call: object) -> Mapping[str, Any]:
        return self.health()

    def get_hosted_zone(self, **_call: object) -> Mapping[str, Any]:
        return {"DelegationSet": {"NameServers": ["ns1", "ns2"]}}

    def get_parameter(self, **_call: object) -> Mapping[str, Any]:
        return {"Parameter": {"Value": self.flag}}

    def describe_alarms(self, **call: Any) -> Mapping[str, Any]:
        return self.alarms(call["AlarmNames"])


@dataclass(frozen=True)
class Names:
    """Name servers that lead every name to one host."""

    host: str = HOSTS[EAST]

    def servers(self, names: Sequence[str]) -> tuple[NameServer, ...]:
        return tuple(NameServer(name) for name in names)

    def ask(self, _server: NameServer, _name: str, _kind: str) -> DnsResponse:
        return DnsResponse("NOERROR", (self.host,), 60)

    def resolve(self, _name: str, _kind: str) -> DnsResponse:
        return DnsResponse("NXDOMAIN", (), 0)


def denied(_names: Sequence[str]) -> Mapping[str, Any]:
    raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeAlarms")


def observed() -> Mapping[str, Any]:
    return {"HealthCheckObservations": [{"StatusReport": {"Status": "Success: 200"}}, {}]}


def all_ring(names: Sequence[str]) -> Mapping[str, Any]:
    ringing = [{"AlarmName": name, "StateValue": "ALARM"} for name in names]
    return {"MetricAlarms": [*ringing, {"AlarmName": "x"}]}


def test_health_and_alarms_are_counted() -> None:
    aws = Answering(health=observed, alarms=all_ring)
    found = region_status(aws, outputs(), outputs().primary, "primary")
    assert (found.region, found.healthy, found.checkers) == (EAST, 1, 2)
    assert found.ringing == ("errors", f"health-{EAST}")
    assert found.unknown == ()


def test_the_alarm_on_a_health_check_is_asked_for_where_its_metrics_are() -> None:
    aws = Answering(health=observed, alarms=all_ring)
    found = region_status(aws, outputs(), outputs().secondary, "secondary")
    assert found.ringing == ("errors", f"health-{WEST}")
    assert sorted(region for service, region in aws.asked if service == "cloudwatch") == [EAST, WEST]


def test_what_is_denied_is_unknown_and_hides_nothing_else() -> None:
    found = region_status(Answering(health=observed, alarms=denied), outputs(), outputs().primary, "primary")
    assert found.checkers == 2
    assert found.unknown[0].startswith("alarms: An error occurred (AccessDenied)")


def test_an_environment_that_was_not_deployed_from_here_has_no_date(tmp_path: Path) -> None:
    assert written(tmp_path / "outputs.json") is None
    (tmp_path / "outputs.json").write_text("{}")
    assert written(tmp_path / "outputs.json") is not None


def test_the_drills_beside_the_outputs_are_looked_at(tmp_path: Path) -> None:
    drills = tmp_path / "drills"
    save(PERFECT, drills / PERFECT.id)
    FaultJournal.begin(
        drills / "20990101T000000Z-aaaa",
        Header("20990101T000000Z-aaaa", "demo", "local", "0" * 12, ("a", "b"), (), PERFECT.began, "x"),
    )
    aws = Answering(health=observed, alarms=lambda _names: {"MetricAlarms": []})
    found = gather("demo", "local", outputs(), aws, tmp_path / "outputs.json", dns=Names())
    assert found.for_rehearsals, "the environment has no domain of its own"
    assert found.drill == PERFECT
    assert found.unrestored == ("20990101T000000Z-aaaa",)


def nothing_answers(_names: Sequence[str]) -> Mapping[str, Any]:
    raise ReadTimeoutError(endpoint_url="x")


def test_an_alarm_that_watches_payments_is_told_apart() -> None:
    found = region_status(
        Answering(health=observed, alarms=all_ring), outputs(), outputs().primary, "primary"
    )
    assert found.service_alarms == ("errors",)


def test_a_service_that_alone_does_not_answer_is_said_so() -> None:
    aws = Answering(health=observed, alarms=nothing_answers)
    found = region_status(aws, outputs(), outputs().secondary, "secondary")
    assert found.unknown == (
        f"alarms: {WEST} does not answer",
        f"alarms on its health: {EAST} does not answer",
    )


def test_regions_that_answer_nothing_are_said_once(tmp_path: Path) -> None:
    aws = Answering(ENDPOINTS, health=observed, alarms=nothing_answers)
    found = gather("demo", "local", outputs(), aws, tmp_path / "outputs.json", dns=Names())
    assert [each.answers for each in found.regions] == [False, False]
    on_health = f"alarms on its health: they are in {EAST}, which does not answer"
    assert [each.unknown for each in found.regions] == [(on_health,), (on_health,)]


def test_where_the_names_lead_is_asked_of_each_name_server(tmp_path: Path) -> None:
    aws = Answering(ENDPOINTS, health=observed, alarms=lambda _names: {"MetricAlarms": []})
    found = gather("demo", "local", outputs(), aws, tmp_path / "outputs.json", dns=Names(HOSTS[WEST]))
    assert found.failover.leads_to == (WEST,)
    assert [each.servers for each in found.names] == [2, 2]


def test_name_servers_that_are_not_known_are_said(tmp_path: Path) -> None:
    class NoZone(Answering):
        def get_hosted_zone(self, **_call: object) -> Mapping[str, Any]:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetHostedZone")

    aws = NoZone(ENDPOINTS, health=observed, alarms=lambda _names: {"MetricAlarms": []})
    found = gather("demo", "local", outputs(), aws, tmp_path / "outputs.json", dns=Names())
    assert found.failover.leads_to == ()
    assert "AccessDenied" in found.failover.unknown


def test_what_is_not_answered_in_time_is_unknown(tmp_path: Path) -> None:
    never = Event()

    def waits() -> Mapping[str, Any]:
        never.wait()
        return {}

    aws = Answering(ENDPOINTS, health=waits, alarms=lambda _names: {"MetricAlarms": []})
    found = gather("demo", "local", outputs(), aws, tmp_path / "outputs.json", dns=Names(), within_s=0.3)
    never.set()
    assert "health: Route 53 does not answer" in found.regions[0].unknown


EVACUATION = DeclaredEvacuation(
    "/prod/evacuation", "/payment-demo/evacuated", 30, 2, ("a", "b"), ("c", "d"), "ns1,ns2,ns3"
)


def test_each_regions_own_flag_is_read(tmp_path: Path) -> None:
    standing = EvacuationFlag(EAST, "2026-01-02T03:04:05+00:00", "alice")
    aws = Answering(ENDPOINTS, health=observed, alarms=lambda _names: {}, flag=standing.to_json())
    able = replace(outputs(), declared_json=declared(evacuation=EVACUATION).to_json())
    found = gather("demo", "local", able, aws, tmp_path / "outputs.json", dns=Names())
    assert [each.flag for each in found.regions] == [standing, standing]
    assert {service for service, _region in aws.asked} >= {"ssm"}
    assert found.failover.servers == 3
    ended = replace(standing, drill="drill-1", until="2026-01-02T03:10:00+00:00")
    aws = Answering(ENDPOINTS, health=observed, alarms=lambda _names: {}, flag=ended.to_json())
    found = gather("demo", "local", able, aws, tmp_path / "outputs.json", dns=Names())
    assert [each.flag for each in found.regions] == [None, None], "a drill's has ended by itself"
    before = gather("demo", "local", outputs(), aws, tmp_path / "outputs.json", dns=Names())
    assert [each.flag for each in before.regions] == [None, None]
