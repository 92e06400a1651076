"""What scenarios come to, where they work, and what is said of them."""

from dataclasses import replace

import pytest
from policy_sentry.querying.actions import get_actions_for_service

from payinfra.account.permissions import OPERATIONS, Operation
from payinfra.core.errors import UsageProblem
from payinfra.drill.faults.descriptions import DESCRIPTIONS, EVERY_DRILL, page
from payinfra.drill.faults.model import (
    Blackout,
    Fault,
    InvertHealthCheck,
    PauseReplication,
    RunPauseExperiment,
    SetConcurrency,
    SetTimeScale,
)
from payinfra.drill.faults.scenarios import (
    FaultContext,
    Originals,
    check,
    lost_region,
    moves_name,
    mutations,
    preparations,
)
from payinfra.drill.model import DrillRequest, Scenario
from tests.unit.checks.probes.conftest import outputs

EAST, WEST = "us-east-1", "us-west-2"
TABLE = "arn:aws:dynamodb:{}:123456789012:table/payment-demo-payments"
FUNCTION = "payment-demo-payments"
HERE = FaultContext("drill-1", on_aws=False, longest_s=200)
AWS = replace(HERE, on_aws=True)
BEFORE = Originals(inverted=False, concurrency=7, time_scale=1.0)
H, L, P, O = Scenario  # noqa: E741 - as short as a table wants them


def request(*scenarios: Scenario, reverse: bool = False, time_scale: float = 1.0) -> DrillRequest:
    return DrillRequest(scenarios, reverse=reverse, time_scale=time_scale)


@pytest.mark.parametrize(
    ("scenario", "frame", "primary", "secondary"),
    [
        (H, HERE, InvertHealthCheck("check-us-east-1", False), InvertHealthCheck("check-us-west-2", False)),
        (L, AWS, SetConcurrency(EAST, FUNCTION, 7), SetConcurrency(WEST, FUNCTION, 7)),
        (P, HERE, PauseReplication(), PauseReplication()),
        (O, HERE, Blackout(EAST), Blackout(WEST)),
    ],
)
def test_a_scenario_is_made_of_the_region_that_is_lost(
    scenario: Scenario, frame: FaultContext, primary: Fault, secondary: Fault
) -> None:
    assert mutations(request(scenario), outputs(), BEFORE, frame) == (primary,)
    assert mutations(request(scenario, reverse=True), outputs(), BEFORE, frame) == (secondary,)
    assert lost_region(request(scenario, reverse=True), outputs()).region == WEST


def test_originals_are_what_is_there() -> None:
    odd = Originals(inverted=True, concurrency=None)
    assert mutations(request(H), outputs(), odd, AWS) == (InvertHealthCheck("check-us-east-1", True),)
    assert mutations(request(L), outputs(), odd, AWS) == (SetConcurrency(EAST, FUNCTION, None),)


@pytest.mark.parametrize(("longest_s", "minutes"), [(200, 5), (60, 2), (61, 3), (1, 2), (1e9, 720)])
def test_on_aws_replication_is_paused_by_an_experiment_that_outlasts_the_drill(
    longest_s: float, minutes: int
) -> None:
    role = "arn:aws:iam::123456789012:role/payinfra-drill-fis"
    frame = replace(AWS, longest_s=longest_s)
    assert mutations(request(P, reverse=True), outputs(), BEFORE, frame) == (
        RunPauseExperiment(WEST, TABLE.format(WEST), role, minutes, "drill-1"),
    )


def test_a_region_goes_dark_last_because_it_takes_no_further_call() -> None:
    found = mutations(request(O, P, L), outputs(), BEFORE, HERE)
    assert [type(one) for one in found] == [PauseReplication, SetConcurrency, Blackout]


def test_the_pace_of_time_is_set_first_where_it_is_another() -> None:
    assert preparations(request(time_scale=20), BEFORE, HERE) == (SetTimeScale(20, 1),)
    assert preparations(request(time_scale=1), replace(BEFORE, time_scale=20), HERE) == (SetTimeScale(1, 20),)
    assert preparations(request(time_scale=20), replace(BEFORE, time_scale=20), HERE) == ()
    assert preparations(request(), BEFORE, AWS) == ()


@pytest.mark.parametrize(
    ("asked", "on_aws", "says"),
    [
        (request(O), True, "region-outage works on the embedded AWS only"),
        (request(H, time_scale=20), True, "Time on AWS runs as it does"),
        (request(), False, "Each scenario is injected once"),
        (request(L, L), False, "Each scenario is injected once"),
        (request(H, L), True, "health-check and lambda-throttle cancel each other out"),
        (request(O, H), False, "health-check and region-outage cancel each other out"),
    ],
)
def test_what_cannot_be_drilled_is_a_usage_problem(asked: DrillRequest, on_aws: bool, says: str) -> None:
    with pytest.raises(UsageProblem, match=says):
        check(asked, on_aws=on_aws)
    with pytest.raises(UsageProblem, match=says):
        mutations(asked, outputs(), BEFORE, AWS if on_aws else HERE)


@pytest.mark.parametrize("asked", [request(H, P), request(P, L, O, time_scale=20), request(O, reverse=True)])
def test_what_can_be_drilled_here_is_let_through(asked: DrillRequest) -> None:
    check(asked, on_aws=False)


@pytest.mark.parametrize("asked", [request(H, P), request(L, P), request(H, reverse=True)])
def test_what_can_be_drilled_on_aws_is_let_through(asked: DrillRequest) -> None:
    check(asked, on_aws=True)


def test_the_name_moves_where_a_health_check_of_the_primary_becomes_unhealthy() -> None:
    assert [moves_name(request(one)) for one in (H, L, P, O)] == [True, True, False, True]
    assert moves_name(request(P, O))
    assert not any(moves_name(request(one, reverse=True)) for one in Scenario)


# -- what people read --------------------------------------------------------------------------------------


def test_every_scenario_is_described_in_full() -> None:
    assert set(DESCRIPTIONS) == set(Scenario)
    text = page()
    for scenario, about in DESCRIPTIONS.items():
        section = text.split(f"\n## {scenario}\n")[1].split("\n## ")[0]
        for said in (about.title, about.steady_state, about.injection, about.restoration, *about.signals):
            assert said
            assert said in section
        assert bool(about.permissions) == about.on_aws == ("| who | may | on |" in section)


def test_permissions_are_actions_that_aws_knows() -> None:
    asked = [*EVERY_DRILL, *(one for about in DESCRIPTIONS.values() for one in about.permissions)]
    for action in {action for permission in asked for action in permission.actions}:
        service = action.split(":")[0]
        known = {each.lower() for each in get_actions_for_service(service)}
        assert action.lower() in known, action


def test_what_people_are_told_is_what_the_policy_for_ci_lets_through() -> None:
    told = [*EVERY_DRILL, *(one for about in DESCRIPTIONS.values() for one in about.permissions)]
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
