"""What drills once said that was not true: each of these passed, or failed, and must not any more."""

from dataclasses import replace
from pathlib import Path

import pytest

from payinfra.drill.faults.actions import FaultAction, FaultClients
from payinfra.drill.faults.health_check import InvertHealthCheck, SetUnhealthy
from payinfra.drill.model import DrillReport, DrillRequest, Judgement, PaymentOutcome
from payinfra.local.server.route53.probe import CheckerResult
from tests.support.drilled import FakeCloudAws
from tests.support.sabotage import REQUEST, causes
from tests.support.simulation import Damage, drill
from tests.unit.local.route53.test_health import BAD, CHECK, OK, CheckedEndpoints


def drilled(
    damage: Damage, folder: Path, scenario: str = "region-outage", request: DrillRequest = REQUEST
) -> DrillReport:
    return drill(damage, folder, scenario=scenario, request=request)[0]


def test_what_replication_had_not_brought_when_the_region_was_lost_is_counted(tmp_path: Path) -> None:
    report = drilled(Damage(replication_s=10.0), tmp_path)
    assert report.resilience is Judgement.FAILED
    assert report.survivor is not None
    assert report.survivor.missing > report.survivor.acknowledged * 0.9
    assert report.survivor.oldest_s == pytest.approx(6.0, abs=1.0)
    # It came back with the region, which is another line.
    assert report.reconciliation is not None
    assert report.reconciliation.count(PaymentOutcome.RECORDED) > 0
    assert not any("in no region" in reason for reason in report.reasons)


def test_a_recovery_point_in_payments_and_in_seconds_may_be_allowed(tmp_path: Path) -> None:
    late = Damage(replication_s=1.0)
    allowed = replace(REQUEST, rpo=20, rpo_s=2.0)
    assert drilled(late, tmp_path / "a", request=allowed).resilience is Judgement.PASSED
    few = drilled(late, tmp_path / "b", request=replace(allowed, rpo=1))
    assert any("not in the survivor at the failover (RPO)" in one for one in few.reasons)
    short = drilled(late, tmp_path / "c", request=replace(allowed, rpo_s=0.2))
    assert any("age of the oldest of these (RPO)" in one for one in short.reasons)


def test_payments_without_audit_objects_are_counted(tmp_path: Path) -> None:
    report = drilled(Damage(audit_fails_in="us-west-2"), tmp_path)
    assert report.resilience is Judgement.FAILED
    assert report.reconciliation is not None
    assert report.reconciliation.audit is not None
    assert report.reconciliation.audit.missing > 50


def test_a_pause_that_was_lifted_a_second_later_proves_nothing(tmp_path: Path) -> None:
    report = drilled(Damage(lifted_after_s=2.5), tmp_path, "replication-pause")
    assert report.resilience is Judgement.INCONCLUSIVE
    assert any("lifted early" in one for one in causes(report))


def test_one_payment_that_was_never_acknowledged_is_one_too_many(tmp_path: Path) -> None:
    refused = Damage(refuses=100)
    report = drilled(refused, tmp_path / "a")
    assert report.resilience is Judgement.FAILED
    assert any(reason.startswith("never acknowledged: ") for reason in report.reasons)
    assert drilled(
        refused, tmp_path / "b", request=replace(REQUEST, unacknowledged=5, first_attempt=0.9)
    ).passed


def test_a_survivor_that_serves_a_quarter_does_not_serve(tmp_path: Path) -> None:
    report = drilled(Damage(survivor_fails=0.77), tmp_path)
    assert report.resilience is Judgement.FAILED


def test_a_name_that_had_left_before_the_fault_did_not_switch_in_no_time(tmp_path: Path) -> None:
    report = drilled(Damage(name_left_at_s=3.0), tmp_path)
    assert report.resilience is Judgement.INCONCLUSIVE
    assert report.recovery.measured_s is None
    assert not any(mark.what == "us-east-1 answers nothing" for mark in report.marks)


@pytest.mark.parametrize(
    "slow",
    [Damage(survivor_fails=0.3), Damage(survivor_latency_s=2.5), Damage(finds_out_late_s=20.0)],
)
def test_a_busy_machine_never_fails_a_backend(slow: Damage, tmp_path: Path) -> None:
    assert drilled(slow, tmp_path / "quiet").resilience is Judgement.FAILED
    busy = drilled(replace(slow, waiting=0.95), tmp_path / "busy")
    assert busy.resilience is Judgement.INCONCLUSIVE
    assert any("The machine was busy" in one for one in causes(busy))


def test_a_busy_machine_is_named_where_the_region_did_not_lead(tmp_path: Path) -> None:
    gone = Damage(name_left_at_s=3.0)
    for folder, damage, names_it in (("quiet", gone, False), ("busy", replace(gone, waiting=0.95), True)):
        said = causes(drilled(damage, tmp_path / folder))
        assert said[0].startswith("The name did not lead to us-east-1")
        assert any("The machine was busy" in one for one in said) is names_it


@pytest.mark.parametrize("scenario", ["region-outage", "lambda-throttle"])
def test_the_recovery_time_does_not_depend_on_the_warm_up(scenario: str, tmp_path: Path) -> None:
    slow = replace(REQUEST, rate=5.0)
    found = [
        drilled(Damage(), tmp_path / f"{warm_up}", scenario, replace(slow, warm_up_s=warm_up)).recovery
        for warm_up in (4.0, 6.5, 9.0, 13.0)
    ]
    for figure in ("p50_s", "p95_s", "measured_s"):
        times = [getattr(one, figure) for one in found]
        assert max(times) <= 1.1 * min(times), (figure, times)


def test_a_switch_under_a_region_that_serves_is_no_recovery(tmp_path: Path) -> None:
    report = drilled(Damage(), tmp_path, "health-check")
    assert report.passed
    assert (report.recovery.measured_s, report.recovery.is_recovery) == (None, False)
    assert report.recovery.recovered == report.recovery.clients > 0


def found_healthy(action: FaultAction, *, endpoint: CheckerResult) -> bool:
    """What Route 53 makes of a region's check a minute after an action, while the region answers so."""
    aws = FakeCloudAws.of()
    action.inject(FaultClients(aws))
    is_set = aws.world.checks["hc-east"]
    check = replace(CHECK, inverted=is_set.get("Inverted", False), disabled=is_set.get("Disabled", False))
    route53 = CheckedEndpoints(check)
    route53.endpoint.result = endpoint

    async def a_minute() -> None:
        await route53.clock.advance(60)

    route53.run(a_minute)
    return route53.healthy()


@pytest.mark.parametrize("endpoint", [OK, BAD])
def test_a_real_outage_during_a_drill_or_after_its_kill_leaves_the_name_on_the_healthy_region(
    endpoint: CheckerResult,
) -> None:
    assert not found_healthy(SetUnhealthy("hc-east", False, False), endpoint=endpoint)


def test_an_inverted_check_called_what_is_dead_healthy() -> None:
    """As drills of earlier versions left it: what the test above would say of them."""
    assert found_healthy(InvertHealthCheck("hc-east", original=False), endpoint=BAD)
