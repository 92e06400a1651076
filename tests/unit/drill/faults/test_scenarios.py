"""What a drill's faults come to together, where they work, and what is said of them."""

from dataclasses import replace
from pathlib import Path

import pytest
from policy_sentry.querying.actions import get_actions_for_service

from payinfra.account.permissions import OPERATIONS, Operation
from payinfra.core.errors import UsageProblem
from payinfra.drill.faults.actions import FaultAction, HoldTimeScale
from payinfra.drill.faults.health_check import SetUnhealthy
from payinfra.drill.faults.lambda_throttle import SetConcurrency
from payinfra.drill.faults.marks import MarkResource
from payinfra.drill.faults.model import FaultContext
from payinfra.drill.faults.page import EVERY_DRILL, page
from payinfra.drill.faults.region_outage import Blackout
from payinfra.drill.faults.registry import all_faults, fault_named
from payinfra.drill.faults.replication_pause import PauseReplication, RunPauseExperiment
from payinfra.drill.faults.scenarios import (
    check,
    fails_requests,
    injections,
    lost_region,
    observable_sign,
    preparations,
    sends_to_both,
    switches_names,
    watchdogs,
)
from payinfra.drill.model import DrillRequest
from payinfra.drill.situation import RegionState, Situation
from tests.unit.checks.probes.conftest import outputs
from tests.unit.drill.faults.cases import CASES, EAST, ERRORS_ALARM, FUNCTION, ROLE, TABLE, WEST, context

BEFORE = Situation(
    "123456789012",
    (
        RegionState(EAST, False, False, 7, "demo", "demo"),
        RegionState(WEST, True, False, None, "demo", "demo"),
    ),
)
H, L, P, O = "health-check", "lambda-throttle", "replication-pause", "region-outage"  # noqa: E741 - short
E, S = "evacuation", "survivor-capacity"
DISTURBED = ("dynamodb-delay", "dynamodb-denial", "dynamodb-errors", "dynamodb-throttling", "lambda-errors")


def actions(asked: DrillRequest, within: FaultContext) -> tuple[FaultAction, ...]:
    """Everything that is injected, in order."""
    return tuple(action for one in injections(asked, within) for action in one.actions)


def request(*scenarios: str, reverse: bool = False, time_scale: float = 1.0) -> DrillRequest:
    return DrillRequest(scenarios, reverse=reverse, time_scale=time_scale)


def test_the_region_that_is_lost_is_the_one_that_was_asked_for() -> None:
    assert lost_region(request(H), outputs()).region == EAST
    assert lost_region(request(H, reverse=True), outputs()).region == WEST
    assert actions(request(L), context(reverse=True)) == (SetConcurrency(WEST, FUNCTION, 7),)
    assert BEFORE.lost_region(reverse=False).region == EAST
    assert BEFORE.lost_region(reverse=True).region == WEST


def test_originals_are_what_is_there() -> None:
    odd = replace(context(), state=RegionState(EAST, True, False, None, "demo", "demo"))
    assert actions(request(H), odd) == (SetUnhealthy("check-us-east-1", True, False),)
    assert actions(request(L), odd) == (SetConcurrency(EAST, FUNCTION, None),)


@pytest.mark.parametrize(("longest_s", "minutes"), [(200, 5), (60, 2), (61, 3), (1, 2), (1e9, 720)])
def test_on_aws_replication_is_paused_by_an_experiment_that_outlasts_the_drill(
    longest_s: float, minutes: int
) -> None:
    there = context(on_aws=True, reverse=True, longest_s=longest_s)
    assert actions(request(P, reverse=True), there) == (
        RunPauseExperiment(
            WEST, TABLE.format(WEST), ROLE.format("fis"), minutes, "drill-1", (ERRORS_ALARM.format(WEST),)
        ),
    )


def test_a_region_goes_dark_last_because_it_takes_no_further_call() -> None:
    found = actions(request(O, P, L), context())
    assert [type(one) for one in found] == [PauseReplication, SetConcurrency, Blackout]


def test_watchdogs_are_armed_on_aws_only() -> None:
    assert watchdogs(request(P, L), context(on_aws=True)) == CASES[L].watchdogs
    assert watchdogs(request(L), context()) == ()
    # EventBridge Scheduler takes no longer name than 64; a drill's id has 21 characters, a region's name 14.
    (name,) = (one.describe().done.split()[1] for one in CASES[L].watchdogs)
    assert name == "drill-1-us-east-1"
    assert len("20260102T030405Z-1a2b") + 1 + 14 <= 64


def test_the_pace_of_time_is_asked_for_first_on_the_embedded_aws() -> None:
    for scale in (1.0, 20.0):  # Also as fast as real: another drill must not make it run faster meanwhile.
        held = preparations(request(time_scale=scale), "demo/d", context())
        assert held[0] == HoldTimeScale(scale, "demo/d")
    on_aws = preparations(request(), "demo/d", context(on_aws=True))
    assert not any(isinstance(one, HoldTimeScale) for one in on_aws)


@pytest.mark.parametrize("on_aws", [False, True])
def test_what_is_changed_is_marked_before_with_the_drill_and_what_was_there(on_aws: bool) -> None:
    *_, mark = preparations(request(L), "demo/d", context(on_aws=on_aws))
    assert isinstance(mark, MarkResource)
    assert (mark.fault, mark.drill, mark.original) == (L, "drill-1", "7")
    assert mark.resource.id.endswith(":function:payment-demo-payments")
    assert str(mark.mark) == "drill=drill-1 since=2026-01-02T03:04:05Z original=7"


@pytest.mark.parametrize(
    ("asked", "on_aws", "says"),
    [
        (request(O), True, "region-outage works on the embedded AWS only"),
        (request(H, time_scale=20), True, "Time on AWS runs as it does"),
        (request(), False, "Each scenario is injected once"),
        (request(L, L), False, "Each scenario is injected once"),
        (request("power-cut"), False, "There is no scenario 'power-cut'"),
    ],
)
def test_what_cannot_be_drilled_is_a_usage_problem(asked: DrillRequest, on_aws: bool, says: str) -> None:
    with pytest.raises(UsageProblem, match=says):
        check(asked, on_aws=on_aws)
    with pytest.raises(UsageProblem, match=says):
        actions(asked, context(on_aws=on_aws))


def test_what_does_not_work_on_aws_is_answered_with_what_does() -> None:
    with pytest.raises(UsageProblem) as refused:
        check(request(O), on_aws=True)
    assert refused.value.what.endswith("AWS lets nobody switch off a region.")
    assert refused.value.hint == "Use --scenario lambda-throttle, or drill with --local."


@pytest.mark.parametrize(
    "asked", [request(H, P), request(H, O), request(P, L, O, time_scale=20), request(O, reverse=True)]
)
def test_what_can_be_drilled_here_is_let_through(asked: DrillRequest) -> None:
    check(asked, on_aws=False)


@pytest.mark.parametrize("asked", [request(H, P), request(H, L), request(L, P), request(H, reverse=True)])
def test_what_can_be_drilled_on_aws_is_let_through(asked: DrillRequest) -> None:
    check(asked, on_aws=True)


def test_names_switch_where_a_health_check_becomes_unhealthy() -> None:
    assert [switches_names(request(one)) for one in (H, L, P, O, E)] == [True, True, False, True, True]
    assert switches_names(request(P, O))


def test_clients_have_to_recover_where_the_region_really_fails() -> None:
    assert [fails_requests(request(one)) for one in (H, L, P, O, E)] == [False, True, False, True, False]
    assert fails_requests(request(H, L))


def test_a_dependency_that_fails_moves_the_name_and_a_weak_survivor_does_not() -> None:
    assert [switches_names(request(one)) and fails_requests(request(one)) for one in DISTURBED] == [True] * 5
    assert not switches_names(request(S))
    assert switches_names(request(S, O))


def test_the_silence_of_a_region_stands_for_whatever_else_is_done_to_it() -> None:
    evacuation, health, throttle, outage, pause = (fault_named(one) for one in (E, H, L, O, P))
    assert observable_sign(pause, (pause, throttle)) is pause.sign
    assert observable_sign(pause, (pause, outage)) is outage.sign
    assert observable_sign(throttle, (throttle, outage)) is outage.sign
    assert observable_sign(outage, (pause, outage)) is outage.sign
    # What Route 53 was told can be asked all the same, and so can the survivor.
    assert observable_sign(health, (health, outage)) is health.sign
    assert observable_sign(evacuation, (evacuation, outage)) is evacuation.sign


def test_payments_go_to_both_regions_where_they_are_cut_off_from_each_other() -> None:
    assert [sends_to_both(request(one)) for one in (H, L, P, O)] == [False, False, True, False]


# -- what people read --------------------------------------------------------------------------------------


def test_every_fault_is_described_in_full() -> None:
    text = page()
    for fault in all_faults():
        about = fault.documentation
        section = text.split(f"\n## {fault.name}\n")[1].split("\n## ")[0]
        for said in (about.title, about.steady_state, about.injection, about.restoration, *about.signals):
            assert said
            assert said in section
        assert bool(fault.permissions) == fault.on_aws == ("| who | may | on |" in section)


def test_the_committed_page_is_what_the_faults_say() -> None:
    assert page() in (Path(__file__).parents[4] / "docs" / "scenarios.md").read_text(encoding="utf-8")


def test_permissions_are_actions_that_aws_knows() -> None:
    asked = [*EVERY_DRILL, *(one for fault in all_faults() for one in fault.permissions)]
    for action in {action for permission in asked for action in permission.actions}:
        service = action.split(":")[0]
        known = {each.lower() for each in get_actions_for_service(service)}
        assert action.lower() in known, action


def test_what_people_are_told_is_what_the_policy_for_ci_lets_through() -> None:
    told = [*EVERY_DRILL, *(one for fault in all_faults() for one in fault.permissions)]
    drills = {action for one in told if one.who == "whoever drills" for action in one.actions}
    needs = [OPERATIONS[one] for one in (Operation.DRILL, Operation.VERIFY)]
    allowed = {action for need in needs for actions in need.values() for action in actions}
    # Whoever drills an account's first time makes FIS's own role; CI may find it made.
    assert drills - {"iam:CreateServiceLinkedRole"} <= allowed


def test_the_page_names_the_roles_and_the_command_that_makes_them() -> None:
    text = page()
    assert "payinfra-drill-fis" in text
    assert "payinfra-drill-scheduler" in text
    assert "`payinfra bootstrap --drills`" in text
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
