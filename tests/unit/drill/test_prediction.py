"""What a drill should take, in seconds."""

from dataclasses import replace

import pytest

from payinfra.core.outputs import DeclaredDns, DeclaredHealth
from payinfra.drill.model import DrillRequest, Phase, Scenario
from payinfra.drill.prediction import predict, request_timeout_s
from tests.unit.drill.faults.cases import EVACUATION

HEALTH = DeclaredHealth("/prod/health", 10, 3, "us-east-1", "topic", ())


def dns(ttl_s: int = 60, *, delegated: bool = False) -> DeclaredDns:
    return DeclaredDns("zone", delegated, ttl_s, "/payments", "/health", ("p", "s"), ())


def request(*scenarios: Scenario, reverse: bool = False, time_scale: float = 1.0) -> DrillRequest:
    return DrillRequest(scenarios, reverse=reverse, time_scale=time_scale, rate=5.0)


def test_an_outage_is_found_out_after_threshold_times_interval_and_time_to_fail() -> None:
    found = predict(request(Scenario.REGION_OUTAGE), HEALTH, dns(), on_aws=False)
    assert found.phases[Phase.UNHEALTHY] == 1 + 3 * (10 + 2)
    assert found.phases[Phase.SWITCHED] == 1
    assert found.phases[Phase.SERVING] == 60 + 5
    assert found.recovery_s == 37 + 1 + 65
    assert (found.switches, found.recovers) == (True, True)
    assert found.earliest_s == 20


@pytest.mark.parametrize(
    ("scenario", "in_a_row", "seconds"),
    [
        (Scenario.REGION_OUTAGE, 10, 10),
        (Scenario.REGION_OUTAGE, 100, 20),
        (Scenario.REPLICATION_PAUSE, 100, 40),
    ],
)
def test_the_load_lasts_until_enough_payments_can_have_got_through_the_name(
    scenario: Scenario, in_a_row: int, seconds: float
) -> None:
    found = predict(replace(request(scenario), in_a_row=in_a_row), HEALTH, dns(), on_aws=False)
    assert found.phases[Phase.LOAD] == seconds


def test_a_throttled_function_fails_at_once_so_only_the_intervals_count() -> None:
    found = predict(request(Scenario.LAMBDA_THROTTLE), HEALTH, dns(), on_aws=True)
    assert found.phases[Phase.UNHEALTHY] == 10 + 30
    assert found.phases[Phase.FIRST_FAILURE] == pytest.approx(5.2)


def test_an_inverted_check_waits_for_no_checker() -> None:
    found = predict(request(Scenario.HEALTH_CHECK), HEALTH, dns(), on_aws=True)
    assert found.phases[Phase.UNHEALTHY] == 10
    assert found.phases[Phase.HEALTHY] == 10
    assert (found.recovers, found.earliest_s) == (False, 0)
    assert Phase.FIRST_FAILURE not in found.phases


def test_time_that_runs_faster_shortens_what_scales_and_nothing_else() -> None:
    found = predict(request(Scenario.REGION_OUTAGE, time_scale=10), HEALTH, dns(), on_aws=False)
    assert found.phases[Phase.UNHEALTHY] == 1 + 3 * (1 + 1)
    assert found.phases[Phase.SERVING] == 6 + 3
    assert (request_timeout_s(1), request_timeout_s(10)) == (5, 3)


@pytest.mark.parametrize(
    ("ttl_s", "delegated", "kept"), [(60, False, 60), (0, False, 0), (5, False, 5), (5, True, 60)]
)
def test_resolvers_keep_an_answer_for_its_ttl_and_an_alias_for_aws_own(
    ttl_s: int, delegated: bool, kept: int
) -> None:
    found = predict(request(Scenario.HEALTH_CHECK), HEALTH, dns(ttl_s, delegated=delegated), on_aws=True)
    assert found.phases[Phase.SERVING] == kept + 5


def test_paused_replication_moves_nobody() -> None:
    found = predict(request(Scenario.REPLICATION_PAUSE), HEALTH, dns(), on_aws=False)
    assert (found.switches, found.recovers, found.recovery_s) == (False, False, 0)
    assert set(found.phases) == {
        Phase.TAKES_EFFECT,
        Phase.LOAD,
        Phase.HOLD,
        Phase.CAUGHT_UP,
        Phase.STEADY_AFTER,
    }


def test_losing_the_secondary_moves_the_latency_names_clients() -> None:
    found = predict(request(Scenario.REGION_OUTAGE, reverse=True), HEALTH, dns(), on_aws=False)
    assert found == predict(request(Scenario.REGION_OUTAGE), HEALTH, dns(), on_aws=False)
    assert found.losing_s == 7 + 10 + 5.2 + 37 + 1 + 65 + 30
    assert found.whole_s == found.losing_s + 31 + 1 + 10 + 305


@pytest.mark.parametrize(
    ("scenario", "on_aws", "seconds"),
    [
        (Scenario.REPLICATION_PAUSE, True, 300),
        (Scenario.HEALTH_CHECK, True, 60),
        (Scenario.REGION_OUTAGE, False, 7),
    ],
)
def test_a_fault_has_the_time_that_it_takes_to_be_seen(
    scenario: Scenario, on_aws: bool, seconds: float
) -> None:
    found = predict(request(scenario), HEALTH, dns(), on_aws=on_aws)
    assert found.phases[Phase.TAKES_EFFECT] == seconds


def test_a_slow_machine_has_longer_to_answer() -> None:
    found = predict(request(Scenario.REGION_OUTAGE), HEALTH, dns(), on_aws=False, slow_s=12.0)
    assert found.request_timeout_s == 12
    assert found.phases[Phase.SERVING] == 60 + 12
    quick = request(Scenario.REGION_OUTAGE, time_scale=10.0)
    assert predict(quick, HEALTH, dns(), on_aws=False).phases[Phase.SERVING] < 10
    found = predict(quick, HEALTH, dns(), on_aws=False, slow_s=12.0)
    assert found.phases[Phase.SERVING] == 12 + 12  # an answer is kept long enough to send within it


def test_alarms_that_ring_later_than_everything_else_are_waited_for() -> None:
    found = predict(request(Scenario.LAMBDA_THROTTLE), HEALTH, dns(), on_aws=True)
    until_lifted = found.recovery_s + 30
    assert found.waiting_until(until_lifted) == found
    assert found.waiting_until(until_lifted + 50).phases[Phase.ALARMS] == pytest.approx(50)


def test_alarms_may_ring_for_as_long_as_they_look_back() -> None:
    for on_aws, scale, seconds in ((True, 1.0, 300.0), (False, 1.0, 305.0), (False, 10.0, 30.5)):
        found = predict(request(Scenario.HEALTH_CHECK, time_scale=scale), HEALTH, dns(), on_aws=on_aws)
        assert found.phases[Phase.STEADY_AFTER] == seconds


def test_an_evacuated_region_is_found_out_by_the_page_of_the_other_one() -> None:
    found = predict(request(Scenario.EVACUATION), HEALTH, dns(), on_aws=True, evacuation=EVACUATION)
    # The function's memory of the flag, 2 x (30 s + 1 s for the answer), and Route 53's propagation.
    assert found.phases[Phase.UNHEALTHY] == found.phases[Phase.HEALTHY] == 10 + 2 + 62
    assert (found.switches, found.recovers, found.evacuates) == (True, True, True)
    assert found.earliest_s == 30
    assert Phase.FIRST_FAILURE not in found.phases
    assert found.recovery_s == 74 + 10 + 65
    # The drill's flag, which ends by itself, has to outlast the return.
    assert found.losing_s > found.recovery_s + found.phases[Phase.RETURN]


def test_a_region_that_is_dark_and_evacuated_is_found_out_by_whichever_is_first() -> None:
    both = request(Scenario.EVACUATION, Scenario.REGION_OUTAGE)
    found = predict(both, HEALTH, dns(), on_aws=False, evacuation=EVACUATION)
    assert found.phases[Phase.UNHEALTHY] == 1 + 3 * (10 + 2)
    assert found.phases[Phase.HEALTHY] == 1 + 2 + 62
    assert (found.earliest_s, found.recovers) == (20, True)
    told = request(Scenario.EVACUATION, Scenario.HEALTH_CHECK)
    assert predict(told, HEALTH, dns(), on_aws=False, evacuation=EVACUATION).earliest_s == 0
