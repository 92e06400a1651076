"""An environment's status: what is known is shown, and what is not is said to be unknown."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from payinfra.clients.aws import Aws
from payinfra.deployment.status import gather, region_status, written
from payinfra.drill.faults.journal import FaultJournal, Header
from payinfra.drill.report_store import save
from tests.unit.checks.probes.conftest import EAST, WEST, outputs
from tests.unit.report.drill.conftest import PERFECT

Reply = Callable[[], Mapping[str, Any]]


@dataclass(frozen=True)
class Answering(Aws):
    """Gives one answer to each operation."""

    health: Reply = dict
    alarms: Callable[[Sequence[str]], Mapping[str, Any]] = lambda _names: {}
    asked: list[tuple[str, str]] = field(default_factory=list)

    def client(self, service: str, region: str) -> Any:
        self.asked.append((service, region))
        return self

    def get_health_check_status(self, **_call: object) -> Mapping[str, Any]:
        return self.health()

    def describe_alarms(self, **call: Any) -> Mapping[str, Any]:
        return self.alarms(call["AlarmNames"])


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
    assert [region for service, region in aws.asked if service == "cloudwatch"] == [WEST, EAST]


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
    found = gather("demo", "local", outputs(), aws, tmp_path / "outputs.json")
    assert found.drill == PERFECT
    assert found.unrestored == ("20990101T000000Z-aaaa",)
