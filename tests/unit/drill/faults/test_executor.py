"""The executor on AWS and on the embedded AWS: what it changes, rolls back, reads back, retries, and says."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from payinfra.drill.faults.actions import FaultAction, HoldTimeScale, SetTimeScale
from payinfra.drill.faults.executor import AwsFaultExecutor, FaultFailed
from payinfra.drill.faults.health_check import InvertHealthCheck, ScheduleHealthCheck, SetUnhealthy
from payinfra.drill.faults.lambda_throttle import ArmWatchdog, SetConcurrency
from payinfra.drill.faults.region_outage import Blackout
from payinfra.drill.faults.replication_pause import PauseReplication, RunPauseExperiment
from payinfra.drill.faults.watchdog import RollbackSchedule
from payinfra.local.faults import RegionBlackout, ReplicationDelay, ReplicationPause
from tests.support.drilled import EAST, HERE, WEST, Call, FakeCloud, FakeCloudAws, Refused, Trouble

TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/payment-demo-payments"
ROLE = "arn:aws:iam::123456789012:role/payinfra-drill-fis"
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

INVERT = InvertHealthCheck("hc-east", original=False)
UNHEALTHY = SetUnhealthy("hc-east", inverted=False, disabled=False)
PUT_BACK = ScheduleHealthCheck(EAST, "drill-1-health", "hc-east", False, False, AT, ROLE)
LIMIT = SetConcurrency(EAST, "pay", None)
LIMIT_OF_7 = SetConcurrency(EAST, "pay", 7)
PAUSE = PauseReplication()
DARK = Blackout(EAST)
FAST = SetTimeScale(20.0, 1.0)
EXPERIMENT = RunPauseExperiment(EAST, TABLE, ROLE, 9, "drill-1")
WATCHDOG = ArmWatchdog(EAST, "drill-1-us-east-1", "pay", None, AT, ROLE)
WATCHDOG_OF_7 = ArmWatchdog(EAST, "drill-1-us-east-1", "pay", 7, AT, ROLE)
HELD = HoldTimeScale(20.0, "demo/drill-1")
EMBEDDED = [PAUSE, DARK, FAST, HELD]
ON_AWS = [EXPERIMENT, WATCHDOG, PUT_BACK]
ANYWHERE = [INVERT, UNHEALTHY, LIMIT]


@dataclass
class Time:
    """A clock that only sleeping moves."""

    at: float = 0.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


@pytest.fixture(scope="module")
def on_aws() -> FakeCloudAws:
    return FakeCloudAws.of()


@pytest.fixture(scope="module")
def embedded() -> FakeCloudAws:
    return FakeCloudAws.of(HERE)


@pytest.fixture
def time() -> Time:
    return Time()


Lay = Callable[[FaultAction], tuple[FakeCloud, AwsFaultExecutor]]


@pytest.fixture
def set_up(on_aws: FakeCloudAws, embedded: FakeCloudAws, time: Time) -> Lay:
    """A new world, and an executor on it, where the action can be injected."""

    def make(action: FaultAction) -> tuple[FakeCloud, AwsFaultExecutor]:
        world = FakeCloud()
        if action == LIMIT_OF_7:
            world.concurrency[EAST, "pay"] = 7
        aws = embedded if action in EMBEDDED else on_aws
        aws.world = world
        control = world.control() if action in EMBEDDED else None
        return world, AwsFaultExecutor(aws, control, 60.0, 300.0, time.now, time.sleep)

    return make


every_action = pytest.mark.parametrize(
    "action", [*ANYWHERE, LIMIT_OF_7, *EMBEDDED, *ON_AWS], ids=lambda one: one.kind
)


@every_action
def test_what_is_done_is_there_and_what_is_undone_is_as_before(action: FaultAction, set_up: Lay) -> None:
    world, executor = set_up(action)
    before = world.state()
    assert not executor.is_active(action)
    executor.inject(action)
    assert executor.is_active(action)
    assert world.state() != before
    executor.rollback(action)
    assert not executor.is_active(action)
    assert world.state() == before


@every_action
def test_doing_it_twice_and_undoing_it_twice_come_to_the_same(action: FaultAction, set_up: Lay) -> None:
    world, executor = set_up(action)
    before = world.state()
    executor.inject(action)
    done = world.state()
    executor.inject(action)
    assert world.state() == done
    executor.rollback(action)
    asked = len(world.changes)
    executor.rollback(action)
    assert (world.state(), len(world.changes)) == (before, asked)


def test_what_each_comes_to(set_up: Lay) -> None:
    world, executor = set_up(INVERT)
    executor.inject(INVERT)
    assert world.checks == {"hc-east": {"Inverted": True, "Disabled": False, "version": 2}, "hc-west": {}}
    world, executor = set_up(UNHEALTHY)
    executor.inject(UNHEALTHY)
    assert world.checks["hc-east"] == {"Inverted": True, "Disabled": True, "version": 2}
    world, executor = set_up(LIMIT_OF_7)
    executor.inject(LIMIT_OF_7)
    assert world.concurrency == {(EAST, "pay"): 0}
    world, executor = set_up(DARK)
    world.board.inject(RegionBlackout(WEST))
    executor.inject(DARK)
    assert world.board.dark(EAST)
    executor.inject(PAUSE)
    executor.inject(FAST)
    assert (world.board.paused(), world.scale()) == (True, 20.0)
    executor.rollback(DARK)
    executor.rollback(PAUSE)
    assert [one.fault for one in world.board.list()] == [RegionBlackout(WEST)]


def test_a_health_check_that_was_inverted_is_inverted_again(set_up: Lay) -> None:
    odd = InvertHealthCheck("hc-east", original=True)
    world, executor = set_up(odd)
    world.checks["hc-east"]["Inverted"] = True
    executor.inject(odd)
    assert world.checks["hc-east"]["Inverted"] is False
    executor.rollback(odd)
    assert world.checks["hc-east"]["Inverted"] is True


def test_the_experiment_is_one_that_ends_by_itself(set_up: Lay) -> None:
    world, executor = set_up(EXPERIMENT)
    executor.inject(EXPERIMENT)
    (template,) = world.templates.values()
    asked = template["asked"]
    assert asked["roleArn"] == ROLE
    assert asked["tags"] == {"PayinfraDrill": "drill-1"}
    assert asked["stopConditions"] == [{"source": "none"}]
    assert asked["targets"] == {
        "table": {
            "resourceType": "aws:dynamodb:global-table",
            "resourceArns": [TABLE],
            "selectionMode": "ALL",
        }
    }
    assert asked["actions"] == {
        "pause": {
            "actionId": "aws:dynamodb:global-table-pause-replication",
            "parameters": {"duration": "PT9M"},
            "targets": {"Tables": "table"},
        }
    }
    (experiment,) = world.experiments.values()
    assert experiment["tags"] == {"PayinfraDrill": "drill-1"}
    assert experiment["state"]["status"] == "running"


def test_an_experiment_stops_when_customers_notice(set_up: Lay) -> None:
    alarms = ("arn:aws:cloudwatch:us-east-1:123456789012:alarm:5xx", "arn:aws:cloudwatch:::alarm:latency")
    watched = replace(EXPERIMENT, stop_alarms=alarms)
    world, executor = set_up(watched)
    executor.inject(watched)
    (template,) = world.templates.values()
    assert template["asked"]["stopConditions"] == [
        {"source": "aws:cloudwatch:alarm", "value": arn} for arn in alarms
    ]


def test_the_experiment_is_waited_for_and_its_template_goes_last(set_up: Lay, time: Time) -> None:
    world, executor = set_up(EXPERIMENT)
    world.starting, world.stopping = 6, 9
    executor.inject(EXPERIMENT)
    assert world.changes == ["fis.CreateExperimentTemplate", "fis.StartExperiment"]
    assert time.slept
    executor.rollback(EXPERIMENT)
    assert world.changes[2:] == ["fis.StopExperiment", "fis.DeleteExperimentTemplate"]
    assert (world.templates, world.experiments["EXP1"]["state"]["status"]) == ({}, "stopped")


def test_an_experiment_of_another_drill_is_left_alone(set_up: Lay) -> None:
    world, executor = set_up(EXPERIMENT)
    other = RunPauseExperiment(EAST, TABLE, ROLE, 9, "drill-2")
    executor.inject(other)
    executor.inject(EXPERIMENT)
    executor.rollback(EXPERIMENT)
    assert not executor.is_active(EXPERIMENT)
    assert executor.is_active(other)
    assert world.experiments["EXP1"]["state"]["status"] == "running"


def test_an_experiment_that_fails_at_once_says_why_and_is_not_tried_again(set_up: Lay, time: Time) -> None:
    world, executor = set_up(EXPERIMENT)
    world.ends_as = "failed"
    with pytest.raises(FaultFailed) as failed:
        executor.inject(EXPERIMENT)
    assert "is failed: So it is" in failed.value.what
    assert "bootstrap --drills" in failed.value.hint
    assert not failed.value.refused
    assert time.slept == []
    executor.rollback(EXPERIMENT)
    assert world.templates == {}


def test_a_template_without_an_experiment_is_taken_away(set_up: Lay) -> None:
    world, executor = set_up(EXPERIMENT)
    world.before = denying("fis.StartExperiment")
    with pytest.raises(FaultFailed) as failed:
        executor.inject(EXPERIMENT)
    # The template is there: that one call was refused does not mean that nothing has happened.
    assert not failed.value.refused
    assert executor.is_active(EXPERIMENT)
    executor.rollback(EXPERIMENT)
    assert world.templates == {}


@pytest.mark.parametrize(
    ("action", "target", "asks"),
    [
        (WATCHDOG, "arn:aws:scheduler:::aws-sdk:lambda:deleteFunctionConcurrency", '{"FunctionName": "pay"}'),
        (
            PUT_BACK,
            "arn:aws:scheduler:::aws-sdk:route53:updateHealthCheck",
            '{"HealthCheckId": "hc-east", "Inverted": false, "Disabled": false}',
        ),
        (
            WATCHDOG_OF_7,
            "arn:aws:scheduler:::aws-sdk:lambda:putFunctionConcurrency",
            '{"FunctionName": "pay", "ReservedConcurrentExecutions": 7}',
        ),
    ],
    ids=["no-original", "health-check", "original"],
)
def test_the_watchdog_gives_the_function_back_once_and_is_gone(
    action: RollbackSchedule, target: str, asks: str, set_up: Lay
) -> None:
    world, executor = set_up(action)
    executor.inject(action)
    (made,) = world.schedules.values()
    assert made["Target"]["Arn"] == target
    assert made["Target"]["Input"] == asks
    assert made["Target"]["RoleArn"] == ROLE
    assert made["ScheduleExpression"] == "at(2026-01-02T03:04:05)"
    assert made["ScheduleExpressionTimezone"] == "UTC"
    assert made["ActionAfterCompletion"] == "DELETE"
    assert made["GroupName"] == "payinfra-drill"


# -- trouble -----------------------------------------------------------------------------------------------


def times(count: int, error: BaseException, name: str = "") -> Trouble:
    """Trouble for the first `count` calls, of that name where there is one."""
    left = [count]

    def trouble(call: Call) -> BaseException | None:
        if left[0] and call.name.startswith(name):
            left[0] -= 1
            return error
        return None

    return trouble


def denying(name: str) -> Trouble:
    message = f"User: arn:aws:iam::123456789012:user/u is not authorized to perform: {name}"
    return lambda call: Refused("AccessDeniedException", 403, message) if call.name == name else None


PASSING = [
    Refused("Throttling"),
    Refused("ServiceUnavailable", 503),
    EndpointConnectionError(endpoint_url="https://aws"),
    ReadTimeoutError(endpoint_url="https://aws"),
]


@pytest.mark.parametrize("trouble", PASSING, ids=str)
@pytest.mark.parametrize("action", [*ANYWHERE, *ON_AWS], ids=lambda one: one.kind)
def test_what_passes_is_tried_again_with_longer_and_longer_pauses(
    action: FaultAction, trouble: BaseException, set_up: Lay, time: Time
) -> None:
    world, executor = set_up(action)
    before = world.state()
    world.before = times(4, trouble)
    executor.inject(action)
    assert time.slept == sorted(time.slept)
    assert len(time.slept) == 4
    world.before = times(4, trouble)
    executor.rollback(action)
    assert world.state() == before


@pytest.mark.parametrize("action", [*ANYWHERE, *ON_AWS], ids=lambda one: one.kind)
def test_an_answer_that_is_lost_is_no_second_action(action: FaultAction, set_up: Lay) -> None:
    world, executor = set_up(action)
    before = world.state()
    lost = ReadTimeoutError(endpoint_url="https://aws")
    world.after = lambda call: lost if call.changes and world.changes.count(call.name) == 1 else None
    executor.inject(action)
    assert (len(world.templates), len(world.experiments)) in ((0, 0), (1, 1))
    assert len(world.schedules) <= 1
    world.after = lambda call: lost if call.changes and world.changes.count(call.name) == 1 else None
    executor.rollback(action)
    assert world.state() == before


@pytest.mark.parametrize("action", EMBEDDED, ids=lambda one: one.kind)
def test_an_embedded_aws_that_is_silent_for_a_moment_is_asked_again(action: FaultAction, set_up: Lay) -> None:
    world, executor = set_up(action)
    world.before = times(3, ConnectionRefusedError("nobody"))
    executor.inject(action)
    assert executor.is_active(action)
    world.before = times(3, TimeoutError("nobody"))
    executor.rollback(action)
    assert not executor.is_active(action)


def test_an_embedded_aws_that_stays_silent_is_named_with_what_to_do(set_up: Lay, time: Time) -> None:
    world, executor = set_up(DARK)
    world.before = times(10_000, ConnectionRefusedError("nobody"))
    with pytest.raises(FaultFailed) as failed:
        executor.rollback(DARK)
    assert failed.value.what.startswith("Could not make it so that us-east-1 answers again: ")
    assert failed.value.reason == "The embedded AWS does not answer at http://127.0.0.1:4560"
    assert failed.value.hint == "Start it with `payinfra local up`."
    assert 60 <= time.at <= 66


def test_somebody_else_who_changes_the_check_meanwhile_is_not_run_over(set_up: Lay) -> None:
    world, executor = set_up(INVERT)
    meddled = False

    def meddle(call: Call) -> None:
        nonlocal meddled
        if call.name == "Route 53.UpdateHealthCheck" and not meddled:
            meddled = True
            world.checks["hc-east"] |= {"Disabled": True, "version": 5}

    world.before = meddle
    executor.inject(INVERT)
    assert world.checks["hc-east"] == {"Inverted": True, "Disabled": True, "version": 6}
    assert world.changes == ["Route 53.UpdateHealthCheck"] * 2


def test_an_update_of_the_function_that_is_under_resolver_is_waited_for(set_up: Lay, time: Time) -> None:
    world, executor = set_up(LIMIT)
    world.before = times(2, Refused("ResourceConflictException", 409), "Lambda.Put")
    executor.inject(LIMIT)
    assert len(time.slept) == 2


def test_a_change_that_does_not_show_is_asked_for_again_until_time_is_over(set_up: Lay, time: Time) -> None:
    world, executor = set_up(LIMIT)
    world.after = lambda call: world.concurrency.clear() if call.changes else None
    with pytest.raises(FaultFailed, match="it was asked for, and is not there"):
        executor.inject(LIMIT)
    assert 60 <= time.at <= 66
    world.concurrency[EAST, "pay"] = 0
    world.after = lambda call: world.concurrency.update({(EAST, "pay"): 0})
    with pytest.raises(FaultFailed, match="it was asked for, and is not so"):
        executor.rollback(LIMIT)


def test_an_experiment_has_longer(set_up: Lay, time: Time) -> None:
    world, executor = set_up(EXPERIMENT)
    world.starting = 10_000
    with pytest.raises(FaultFailed, match="experiment EXP1 is initiating"):
        executor.inject(EXPERIMENT)
    assert 300 <= time.at <= 306


@pytest.mark.parametrize(
    ("action", "call"),
    [
        (INVERT, "Route 53.UpdateHealthCheck"),
        (LIMIT, "Lambda.PutFunctionConcurrency"),
        (WATCHDOG, "Scheduler.CreateSchedule"),
    ],
    ids=lambda one: one if isinstance(one, str) else one.kind,
)
def test_what_aws_refuses_has_not_happened_and_is_not_tried_again(
    action: FaultAction, call: str, set_up: Lay, time: Time
) -> None:
    world, executor = set_up(action)
    world.before = denying(call)
    with pytest.raises(FaultFailed) as failed:
        executor.inject(action)
    assert failed.value.refused
    assert failed.value.what == f"Could not make it so that {action.describe().done}: {failed.value.reason}."
    assert failed.value.reason.startswith("access denied: the caller lacks ")
    assert time.slept == []


def test_what_was_refused_after_an_error_of_awss_own_may_have_happened(set_up: Lay) -> None:
    world, executor = set_up(LIMIT)
    ill, denied = times(1, Refused("ServiceException", 500)), denying("Lambda.PutFunctionConcurrency")
    world.before = lambda call: ill(call) or denied(call)
    with pytest.raises(FaultFailed, match="access denied") as failed:
        executor.inject(LIMIT)
    assert not failed.value.refused


def test_what_was_refused_after_an_attempt_without_an_answer_may_have_happened(set_up: Lay) -> None:
    world, executor = set_up(LIMIT)

    def first_lost_then_denied(call: Call) -> BaseException | None:
        return ReadTimeoutError(endpoint_url="https://aws") if call.changes else None

    world.after = first_lost_then_denied
    denied = denying("Lambda.PutFunctionConcurrency")
    world.before = lambda call: denied(call) if len(world.changes) > 1 else None
    with pytest.raises(FaultFailed) as failed:
        executor.inject(LIMIT)
    assert not failed.value.refused
    assert world.concurrency == {(EAST, "pay"): 0}


@pytest.mark.parametrize(
    ("action", "look"),
    [(INVERT, "Route 53.GetHealthCheck"), (LIMIT, "Lambda.GetFunctionConcurrency")],
    ids=lambda one: one if isinstance(one, str) else one.kind,
)
def test_what_cannot_be_read_back_is_not_called_done_or_restored(
    action: FaultAction, look: str, set_up: Lay
) -> None:
    world, executor = set_up(action)
    world.before = lambda call: denying(look)(call) if world.changes else None
    with pytest.raises(FaultFailed) as failed:
        executor.inject(action)
    assert not failed.value.refused
    with pytest.raises(FaultFailed, match="Could not make it so that"):
        executor.rollback(action)
    with pytest.raises(FaultFailed, match="Could not tell whether"):
        executor.is_active(action)


def test_a_schedule_that_cannot_be_told_or_deleted_is_not_called_gone(set_up: Lay) -> None:
    world, executor = set_up(WATCHDOG)
    executor.inject(WATCHDOG)
    world.before = denying("Scheduler.DeleteSchedule")
    with pytest.raises(FaultFailed, match="schedule drill-1-us-east-1 in us-east-1 is gone"):
        executor.rollback(WATCHDOG)
    world.before = denying("Scheduler.GetSchedule")
    with pytest.raises(FaultFailed):
        executor.is_active(WATCHDOG)


def test_a_schedule_that_ran_meanwhile_is_gone_by_itself(set_up: Lay) -> None:
    world, executor = set_up(WATCHDOG)
    executor.inject(WATCHDOG)

    def it_runs(call: Call) -> None:
        if call.name == "Scheduler.DeleteSchedule":
            world.schedules.clear()

    world.before = it_runs
    executor.rollback(WATCHDOG)
    assert not executor.is_active(WATCHDOG)


def test_a_conflict_over_no_schedule_is_no_schedule(set_up: Lay) -> None:
    world, executor = set_up(WATCHDOG)
    world.before = times(10_000, Refused("ConflictException", 409), "Scheduler.Create")
    with pytest.raises(FaultFailed, match="ConflictException"):
        executor.inject(WATCHDOG)
    assert world.schedules == {}


def test_a_template_that_somebody_else_deletes_is_gone(set_up: Lay) -> None:
    world, executor = set_up(EXPERIMENT)
    executor.inject(EXPERIMENT)

    def somebody(call: Call) -> None:
        if call.name == "fis.DeleteExperimentTemplate":
            world.templates.clear()

    world.before = somebody
    executor.rollback(EXPERIMENT)
    assert not executor.is_active(EXPERIMENT)


def test_a_template_that_may_not_be_deleted_is_left_and_named(set_up: Lay) -> None:
    world, executor = set_up(EXPERIMENT)
    executor.inject(EXPERIMENT)
    world.before = denying("fis.DeleteExperimentTemplate")
    with pytest.raises(FaultFailed, match="access denied"):
        executor.rollback(EXPERIMENT)
    assert world.experiments["EXP1"]["state"]["status"] == "stopped"


# -- what is not there any more ------------------------------------------------------------------------------

GONE = [InvertHealthCheck("hc-gone", original=False), SetConcurrency(EAST, "gone", None)]


def without_them(call: Call) -> BaseException | None:
    """The environment is destroyed."""
    if call.name.startswith("Route 53"):
        return Refused("NoSuchHealthCheck", 404, "No health check exists.")
    if call.name.startswith("Lambda"):
        return Refused("ResourceNotFoundException", 404, "Function not found.")
    return None


@pytest.mark.parametrize("action", GONE, ids=lambda one: one.kind)
def test_what_is_gone_from_its_account_has_taken_the_action_with_it(action: FaultAction, set_up: Lay) -> None:
    world, executor = set_up(action)
    world.before = without_them
    ours = replace(executor, account=world.account)
    ours.rollback(action)
    assert not ours.is_active(action)
    assert world.changes == []
    with pytest.raises(FaultFailed) as failed:
        ours.inject(action)
    assert failed.value.refused


@pytest.mark.parametrize("account", ["", "999999999999"])
@pytest.mark.parametrize("action", GONE, ids=lambda one: one.kind)
def test_what_is_not_in_another_account_is_not_called_gone(
    action: FaultAction, account: str, set_up: Lay
) -> None:
    world, executor = set_up(action)
    world.before = without_them
    with pytest.raises(FaultFailed):
        replace(executor, account=account).rollback(action)
    with pytest.raises(FaultFailed):
        replace(executor, account=account).is_active(action)
    # Whose credentials these are is asked only where an account is named.
    assert any(call.name.startswith("STS") for call in world.calls) is bool(account)


def test_without_knowing_whose_credentials_these_are_nothing_is_called_gone(set_up: Lay) -> None:
    world, executor = set_up(INVERT)
    denied = denying("STS.GetCallerIdentity")
    world.before = lambda call: denied(call) or without_them(call)
    with pytest.raises(FaultFailed, match="credentials"):
        replace(executor, account=world.account).rollback(INVERT)


# -- what a target lacks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ON_AWS, ids=lambda one: one.kind)
def test_the_embedded_aws_says_what_it_lacks(action: FaultAction, embedded: FakeCloudAws) -> None:
    embedded.world = FakeCloud()
    executor = AwsFaultExecutor(embedded, embedded.world.control())
    for attempt in (executor.inject, executor.rollback, executor.is_active):
        with pytest.raises(FaultFailed, match="the embedded AWS has no ") as failed:
            attempt(action)
        assert failed.value.refused
    assert embedded.world.calls == []


@pytest.mark.parametrize("action", EMBEDDED, ids=lambda one: one.kind)
def test_aws_has_no_faults_of_the_embedded_one(action: FaultAction, on_aws: FakeCloudAws) -> None:
    with pytest.raises(FaultFailed, match="only the embedded AWS has such a fault"):
        AwsFaultExecutor(on_aws).inject(action)


def test_a_region_that_the_embedded_aws_does_not_serve_is_refused(set_up: Lay) -> None:
    world, executor = set_up(DARK)
    with pytest.raises(FaultFailed, match="eu-west-1"):
        executor.inject(Blackout("eu-west-1"))
    assert world.board.list() == ()


def test_other_faults_are_not_touched(set_up: Lay) -> None:
    world, executor = set_up(PAUSE)
    world.board.inject(ReplicationDelay(3.0))
    executor.inject(PAUSE)
    assert world.board.list()[1].fault == ReplicationPause()
    executor.rollback(PAUSE)
    assert [one.fault for one in world.board.list()] == [ReplicationDelay(3.0)]
