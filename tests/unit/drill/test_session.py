"""What is refused before a drill of a real environment, and what is said of what is left at its end."""

from dataclasses import replace
from pathlib import Path

import pytest

from payinfra.core.errors import EnvironmentUnusable, UsageProblem
from payinfra.core.outputs import DeclaredDns
from payinfra.drill.clock import Stop
from payinfra.drill.faults.actions import FaultClients
from payinfra.drill.faults.health_check import SetUnhealthy
from payinfra.drill.faults.model import EvidenceSources
from payinfra.drill.faults.registry import all_faults
from payinfra.drill.model import DrillRequest, Judgement, Restoration, Scenario
from payinfra.drill.observers import HealthCheckWatcher
from payinfra.drill.session import UNREAD, poll_intervals, prepared, with_left
from tests.support.drilled import FakeCloud
from tests.unit.checks.probes.conftest import declared, healthy, outputs
from tests.unit.drill.environments import place
from tests.unit.drill.faults.cases import CASES
from tests.unit.report.drill.conftest import PERFECT

DELEGATED = DeclaredDns("pay.example", True, 60, "/payments", "/health", ("p", "s"), ())


def test_a_domain_of_ones_own_is_not_drilled_where_nothing_serves_it(tmp_path: Path) -> None:
    found = replace(outputs(), declared_json=declared(dns=DELEGATED).to_json())
    with (
        pytest.raises(EnvironmentUnusable, match="an earlier version started it"),
        prepared(place(tmp_path, found=found), DrillRequest(), Stop(), "payinfra"),
    ):
        raise AssertionError("it was prepared")


def test_what_makes_no_sense_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    twice = DrillRequest((Scenario.REGION_OUTAGE, Scenario.REGION_OUTAGE))
    world = FakeCloud()
    with pytest.raises(UsageProblem), prepared(place(tmp_path, world), twice, Stop(), "payinfra"):
        raise AssertionError("it was prepared")
    assert world.calls == []


def test_polls_of_route_53_leave_half_of_the_accounts_rate_to_others() -> None:
    """Five calls a second, one of GetHealthCheckStatus (Route 53 developer guide, "Quotas")."""
    health, evidence = healthy(), healthy()
    live = health.live()
    HealthCheckWatcher(live.aws, live.sites[1].region, "check", 3).healthy()
    sources = EvidenceSources(
        health_page=lambda: 0,
        evacuation_page=lambda: 404,
        is_active=lambda action: action.is_active(FaultClients(evidence.live().aws)),
        is_separated=lambda: True,
        copies_wait=lambda: True,
    )
    for fault in all_faults():
        case = CASES[fault.name]
        if case.aws is not None and isinstance(case.aws[0], SetUnhealthy):
            fault.sign.is_seen(sources, case.aws)
    intervals = poll_intervals(1.0, on_aws=True)
    asked = [
        (operation, 1 / every_s)
        for fake, every_s in ((health, intervals.health_s), (evidence, intervals.evidence_s))
        for service, operation, _ in fake.calls
        if service == "route53"
    ]
    statuses = [share for operation, share in asked if operation == "get_health_check_status"]
    assert len(asked) == 3
    assert sum(share for _, share in asked) <= 5.0 / 2
    assert sum(statuses) <= 1.0 / 2


def test_what_is_left_at_the_very_end_is_in_the_report() -> None:
    assert with_left(PERFECT, Restoration(("all",), ())) is PERFECT
    found = with_left(PERFECT, Restoration((), ("time runs 20 times as fast",)))
    assert found.restored is Judgement.FAILED
    assert found.restoration.left == ("time runs 20 times as fast",)
    assert found.reasons[-1] == "time runs 20 times as fast"


def test_what_the_last_restoration_tried_again_is_said_once() -> None:
    first = Restoration((), ("health check: no answer",))
    stuck = replace(PERFECT, restoration=first, reasons=("It was slow.", *first.left))
    found = with_left(stuck, Restoration((), ("health check: no answer", "time runs 20 times as fast")))
    assert found.restoration.left == ("health check: no answer", "time runs 20 times as fast")
    assert found.reasons == ("It was slow.", *found.restoration.left)


def test_payments_are_still_to_be_read_where_all_was_put_back_at_the_second_attempt_only() -> None:
    stuck = replace(PERFECT, restoration=Restoration((), ("health check: no answer",)))
    found = with_left(stuck, Restoration(("health check",), ()))
    assert found.restored is Judgement.FAILED
    assert (found.restoration.undone, found.restoration.left) == (("health check",), (UNREAD,))
