"""Hands on AWS and on the embedded AWS: what they change, put back, read back, try again, and say."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from payinfra.drill.faults.executor import AwsFaultExecutor, FaultFailed
from payinfra.drill.faults.model import (
    ArmWatchdog,
    Blackout,
    Fault,
    InvertHealthCheck,
    PauseReplication,
    RunPauseExperiment,
    SetConcurrency,
    SetTimeScale,
    describe,
)
from payinfra.local.faults import RegionBlackout, ReplicationDelay, ReplicationPause
from tests.support.drilled import EAST, HERE, WEST, Call, Refused, Trouble, World, WorldAws

TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/payment-demo-payments"
ROLE = "arn:aws:iam::123456789012:role/payinfra-drill-fis"
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

INVERT = InvertHealthCheck("hc-east", original=False)
LIMIT = SetConcurrency(EAST, "pay", None)
LIMIT_OF_7 = SetConcurrency(EAST, "pay", 7)
PAUSE = PauseReplication()
DARK = Blackout(EAST)
FAST = SetTimeScale(20.0, 1.0)
EXPERIMENT = RunPauseExperiment(EAST, TABLE, ROLE, 9, "drill-1")
WATCHDOG = ArmWatchdog(EAST, "drill-1-us-east-1", "pay", None, AT, ROLE)
WATCHDOG_OF_7 = ArmWatchdog(EAST, "drill-1-us-east-1", "pay", 7, AT, ROLE)
EMBEDDED = [PAUSE, DARK, FAST]
ON_AWS = [EXPERIMENT, WATCHDOG]
ANYWHERE = [INVERT, LIMIT]


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
def on_aws() -> WorldAws:
    return WorldAws.of()


@pytest.fixture(scope="module")
def embedded() -> WorldAws:
    return WorldAws.of(HERE)


@pytest.fixture
def time() -> Time:
    return Time()


Lay = Callable[[Fault], tuple[World, AwsFaultExecutor]]


@pytest.fixture
def lay(on_aws: WorldAws, embedded: WorldAws, time: Time) -> Lay:
    """A new world, and hands on it, where the mutation can be made."""

    def make(mutation: Fault) -> tuple[World, AwsFaultExecutor]:
        world = World()
        if mutation == LIMIT_OF_7:
            world.concurrency[EAST, "pay"] = 7
        aws = embedded if mutation in EMBEDDED else on_aws
        aws.world = world
        control = world.control() if mutation in EMBEDDED else None
        return world, AwsFaultExecutor(aws, control, 60.0, 300.0, time.now, time.sleep)

    return make


every_mutation = pytest.mark.parametrize(
    "mutation", [*ANYWHERE, LIMIT_OF_7, *EMBEDDED, *ON_AWS], ids=lambda one: one.kind
)


@every_mutation
def test_what_is_done_is_there_and_what_is_undone_is_as_before(mutation: Fault, lay: Lay) -> None:
    world, hands = lay(mutation)
    before = world.state()
    assert not hands.in_place(mutation)
    hands.do(mutation)
    assert hands.in_place(mutation)
    assert world.state() != before
    hands.undo(mutation)
    assert not hands.in_place(mutation)
    assert world.state() == before


@every_mutation
def test_doing_it_twice_and_undoing_it_twice_come_to_the_same(mutation: Fault, lay: Lay) -> None:
    world, hands = lay(mutation)
    before = world.state()
    hands.do(mutation)
    done = world.state()
    hands.do(mutation)
    assert world.state() == done
    hands.undo(mutation)
    asked = len(world.changes)
    hands.undo(mutation)
    assert (world.state(), len(world.changes)) == (before, asked)


def test_what_each_comes_to(lay: Lay) -> None:
    world, hands = lay(INVERT)
    hands.do(INVERT)
    assert world.checks == {"hc-east": {"Inverted": True, "version": 2}, "hc-west": {}}
    world, hands = lay(LIMIT_OF_7)
    hands.do(LIMIT_OF_7)
    assert world.concurrency == {(EAST, "pay"): 0}
    world, hands = lay(DARK)
    world.board.inject(RegionBlackout(WEST))
    hands.do(DARK)
    assert world.board.dark(EAST)
    hands.do(PAUSE)
    hands.do(FAST)
    assert (world.board.paused(), world.scale()) == (True, 20.0)
    hands.undo(DARK)
    hands.undo(PAUSE)
    assert [one.fault for one in world.board.list()] == [RegionBlackout(WEST)]


def test_a_health_check_that_was_inverted_is_inverted_again(lay: Lay) -> None:
    odd = InvertHealthCheck("hc-east", original=True)
    world, hands = lay(odd)
    world.checks["hc-east"]["Inverted"] = True
    hands.do(odd)
    assert world.checks["hc-east"]["Inverted"] is False
    hands.undo(odd)
    assert world.checks["hc-east"]["Inverted"] is True


def test_the_experiment_is_one_that_ends_by_itself(lay: Lay) -> None:
    world, hands = lay(EXPERIMENT)
    hands.do(EXPERIMENT)
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


def test_the_experiment_is_waited_for_and_its_template_goes_last(lay: Lay, time: Time) -> None:
    world, hands = lay(EXPERIMENT)
    world.starting, world.stopping = 6, 9
    hands.do(EXPERIMENT)
    assert world.changes == ["fis.CreateExperimentTemplate", "fis.StartExperiment"]
    assert time.slept
    hands.undo(EXPERIMENT)
    assert world.changes[2:] == ["fis.StopExperiment", "fis.DeleteExperimentTemplate"]
    assert (world.templates, world.experiments["EXP1"]["state"]["status"]) == ({}, "stopped")


def test_an_experiment_of_another_drill_is_left_alone(lay: Lay) -> None:
    world, hands = lay(EXPERIMENT)
    other = RunPauseExperiment(EAST, TABLE, ROLE, 9, "drill-2")
    hands.do(other)
    hands.do(EXPERIMENT)
    hands.undo(EXPERIMENT)
    assert not hands.in_place(EXPERIMENT)
    assert hands.in_place(other)
    assert world.experiments["EXP1"]["state"]["status"] == "running"


def test_an_experiment_that_fails_at_once_says_why_and_is_not_tried_again(lay: Lay, time: Time) -> None:
    world, hands = lay(EXPERIMENT)
    world.ends_as = "failed"
    with pytest.raises(FaultFailed) as failed:
        hands.do(EXPERIMENT)
    assert "is failed: So it is" in failed.value.what
    assert "bootstrap --drills" in failed.value.hint
    assert not failed.value.refused
    assert time.slept == []
    hands.undo(EXPERIMENT)
    assert world.templates == {}


def test_a_template_without_an_experiment_is_taken_away(lay: Lay) -> None:
    world, hands = lay(EXPERIMENT)
    world.before = denying("fis.StartExperiment")
    with pytest.raises(FaultFailed) as failed:
        hands.do(EXPERIMENT)
    # The template is there: that one call was refused does not mean that nothing has happened.
    assert not failed.value.refused
    assert hands.in_place(EXPERIMENT)
    hands.undo(EXPERIMENT)
    assert world.templates == {}


@pytest.mark.parametrize(
    ("mutation", "target", "asks"),
    [
        (WATCHDOG, "arn:aws:scheduler:::aws-sdk:lambda:deleteFunctionConcurrency", '{"FunctionName": "pay"}'),
        (
            WATCHDOG_OF_7,
            "arn:aws:scheduler:::aws-sdk:lambda:putFunctionConcurrency",
            '{"FunctionName": "pay", "ReservedConcurrentExecutions": 7}',
        ),
    ],
    ids=["no-original", "original"],
)
def test_the_watchdog_gives_the_function_back_once_and_is_gone(
    mutation: ArmWatchdog, target: str, asks: str, lay: Lay
) -> None:
    world, hands = lay(mutation)
    hands.do(mutation)
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
@pytest.mark.parametrize("mutation", [*ANYWHERE, *ON_AWS], ids=lambda one: one.kind)
def test_what_passes_is_tried_again_with_longer_and_longer_pauses(
    mutation: Fault, trouble: BaseException, lay: Lay, time: Time
) -> None:
    world, hands = lay(mutation)
    before = world.state()
    world.before = times(4, trouble)
    hands.do(mutation)
    assert time.slept == sorted(time.slept)
    assert len(time.slept) == 4
    world.before = times(4, trouble)
    hands.undo(mutation)
    assert world.state() == before


@pytest.mark.parametrize("mutation", [*ANYWHERE, *ON_AWS], ids=lambda one: one.kind)
def test_an_answer_that_is_lost_is_no_second_mutation(mutation: Fault, lay: Lay) -> None:
    world, hands = lay(mutation)
    before = world.state()
    lost = ReadTimeoutError(endpoint_url="https://aws")
    world.after = lambda call: lost if call.changes and world.changes.count(call.name) == 1 else None
    hands.do(mutation)
    assert (len(world.templates), len(world.experiments)) in ((0, 0), (1, 1))
    assert len(world.schedules) <= 1
    world.after = lambda call: lost if call.changes and world.changes.count(call.name) == 1 else None
    hands.undo(mutation)
    assert world.state() == before


@pytest.mark.parametrize("mutation", EMBEDDED, ids=lambda one: one.kind)
def test_an_embedded_aws_that_is_silent_for_a_moment_is_asked_again(mutation: Fault, lay: Lay) -> None:
    world, hands = lay(mutation)
    world.before = times(3, ConnectionRefusedError("nobody"))
    hands.do(mutation)
    assert hands.in_place(mutation)
    world.before = times(3, TimeoutError("nobody"))
    hands.undo(mutation)
    assert not hands.in_place(mutation)


def test_an_embedded_aws_that_stays_silent_is_named_with_what_to_do(lay: Lay, time: Time) -> None:
    world, hands = lay(DARK)
    world.before = times(10_000, ConnectionRefusedError("nobody"))
    with pytest.raises(FaultFailed) as failed:
        hands.undo(DARK)
    assert failed.value.what.startswith("Could not make it so that us-east-1 answers again: ")
    assert failed.value.reason == "The embedded AWS does not answer at http://127.0.0.1:4560"
    assert failed.value.hint == "Start it with `payinfra local up`."
    assert 60 <= time.at <= 66


def test_somebody_else_who_changes_the_check_meanwhile_is_not_run_over(lay: Lay) -> None:
    world, hands = lay(INVERT)
    meddled = False

    def meddle(call: Call) -> None:
        nonlocal meddled
        if call.name == "Route 53.UpdateHealthCheck" and not meddled:
            meddled = True
            world.checks["hc-east"] |= {"Disabled": True, "version": 5}

    world.before = meddle
    hands.do(INVERT)
    assert world.checks["hc-east"] == {"Inverted": True, "Disabled": True, "version": 6}
    assert world.changes == ["Route 53.UpdateHealthCheck"] * 2


def test_an_update_of_the_function_that_is_under_way_is_waited_for(lay: Lay, time: Time) -> None:
    world, hands = lay(LIMIT)
    world.before = times(2, Refused("ResourceConflictException", 409), "Lambda.Put")
    hands.do(LIMIT)
    assert len(time.slept) == 2


def test_a_change_that_does_not_show_is_asked_for_again_until_time_is_over(lay: Lay, time: Time) -> None:
    world, hands = lay(LIMIT)
    world.after = lambda call: world.concurrency.clear() if call.changes else None
    with pytest.raises(FaultFailed, match="it was asked for, and is not there"):
        hands.do(LIMIT)
    assert 60 <= time.at <= 66
    world.concurrency[EAST, "pay"] = 0
    world.after = lambda call: world.concurrency.update({(EAST, "pay"): 0})
    with pytest.raises(FaultFailed, match="it was asked for, and is not so"):
        hands.undo(LIMIT)


def test_an_experiment_has_longer(lay: Lay, time: Time) -> None:
    world, hands = lay(EXPERIMENT)
    world.starting = 10_000
    with pytest.raises(FaultFailed, match="experiment EXP1 is initiating"):
        hands.do(EXPERIMENT)
    assert 300 <= time.at <= 306


@pytest.mark.parametrize(
    ("mutation", "call"),
    [
        (INVERT, "Route 53.UpdateHealthCheck"),
        (LIMIT, "Lambda.PutFunctionConcurrency"),
        (WATCHDOG, "Scheduler.CreateSchedule"),
    ],
    ids=lambda one: one if isinstance(one, str) else one.kind,
)
def test_what_aws_refuses_has_not_happened_and_is_not_tried_again(
    mutation: Fault, call: str, lay: Lay, time: Time
) -> None:
    world, hands = lay(mutation)
    world.before = denying(call)
    with pytest.raises(FaultFailed) as failed:
        hands.do(mutation)
    assert failed.value.refused
    assert failed.value.what == f"Could not make it so that {describe(mutation).done}: {failed.value.reason}."
    assert failed.value.reason.startswith("access denied: the caller lacks ")
    assert time.slept == []


def test_what_was_refused_after_an_error_of_awss_own_may_have_happened(lay: Lay) -> None:
    world, hands = lay(LIMIT)
    ill, denied = times(1, Refused("ServiceException", 500)), denying("Lambda.PutFunctionConcurrency")
    world.before = lambda call: ill(call) or denied(call)
    with pytest.raises(FaultFailed, match="access denied") as failed:
        hands.do(LIMIT)
    assert not failed.value.refused


def test_what_was_refused_after_an_attempt_without_an_answer_may_have_happened(lay: Lay) -> None:
    world, hands = lay(LIMIT)

    def first_lost_then_denied(call: Call) -> BaseException | None:
        return ReadTimeoutError(endpoint_url="https://aws") if call.changes else None

    world.after = first_lost_then_denied
    denied = denying("Lambda.PutFunctionConcurrency")
    world.before = lambda call: denied(call) if len(world.changes) > 1 else None
    with pytest.raises(FaultFailed) as failed:
        hands.do(LIMIT)
    assert not failed.value.refused
    assert world.concurrency == {(EAST, "pay"): 0}


@pytest.mark.parametrize(
    ("mutation", "look"),
    [(INVERT, "Route 53.GetHealthCheck"), (LIMIT, "Lambda.GetFunctionConcurrency")],
    ids=lambda one: one if isinstance(one, str) else one.kind,
)
def test_what_cannot_be_read_back_is_not_called_done_or_restored(
    mutation: Fault, look: str, lay: Lay
) -> None:
    world, hands = lay(mutation)
    world.before = lambda call: denying(look)(call) if world.changes else None
    with pytest.raises(FaultFailed) as failed:
        hands.do(mutation)
    assert not failed.value.refused
    with pytest.raises(FaultFailed, match="Could not make it so that"):
        hands.undo(mutation)
    with pytest.raises(FaultFailed, match="Could not tell whether"):
        hands.in_place(mutation)


def test_a_schedule_that_cannot_be_told_or_deleted_is_not_called_gone(lay: Lay) -> None:
    world, hands = lay(WATCHDOG)
    hands.do(WATCHDOG)
    world.before = denying("Scheduler.DeleteSchedule")
    with pytest.raises(FaultFailed, match="schedule drill-1-us-east-1 in us-east-1 is gone"):
        hands.undo(WATCHDOG)
    world.before = denying("Scheduler.GetSchedule")
    with pytest.raises(FaultFailed):
        hands.in_place(WATCHDOG)


def test_a_schedule_that_ran_meanwhile_is_gone_by_itself(lay: Lay) -> None:
    world, hands = lay(WATCHDOG)
    hands.do(WATCHDOG)

    def it_runs(call: Call) -> None:
        if call.name == "Scheduler.DeleteSchedule":
            world.schedules.clear()

    world.before = it_runs
    hands.undo(WATCHDOG)
    assert not hands.in_place(WATCHDOG)


def test_a_conflict_over_no_schedule_is_no_schedule(lay: Lay) -> None:
    world, hands = lay(WATCHDOG)
    world.before = times(10_000, Refused("ConflictException", 409), "Scheduler.Create")
    with pytest.raises(FaultFailed, match="ConflictException"):
        hands.do(WATCHDOG)
    assert world.schedules == {}


def test_a_template_that_somebody_else_deletes_is_gone(lay: Lay) -> None:
    world, hands = lay(EXPERIMENT)
    hands.do(EXPERIMENT)

    def somebody(call: Call) -> None:
        if call.name == "fis.DeleteExperimentTemplate":
            world.templates.clear()

    world.before = somebody
    hands.undo(EXPERIMENT)
    assert not hands.in_place(EXPERIMENT)


def test_a_template_that_may_not_be_deleted_is_left_and_named(lay: Lay) -> None:
    world, hands = lay(EXPERIMENT)
    hands.do(EXPERIMENT)
    world.before = denying("fis.DeleteExperimentTemplate")
    with pytest.raises(FaultFailed, match="access denied"):
        hands.undo(EXPERIMENT)
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


@pytest.mark.parametrize("mutation", GONE, ids=lambda one: one.kind)
def test_what_is_gone_from_its_account_has_taken_the_mutation_with_it(mutation: Fault, lay: Lay) -> None:
    world, hands = lay(mutation)
    world.before = without_them
    ours = replace(hands, account=world.account)
    ours.undo(mutation)
    assert not ours.in_place(mutation)
    assert world.changes == []
    with pytest.raises(FaultFailed) as failed:
        ours.do(mutation)
    assert failed.value.refused


@pytest.mark.parametrize("account", ["", "999999999999"])
@pytest.mark.parametrize("mutation", GONE, ids=lambda one: one.kind)
def test_what_is_not_in_another_account_is_not_called_gone(mutation: Fault, account: str, lay: Lay) -> None:
    world, hands = lay(mutation)
    world.before = without_them
    with pytest.raises(FaultFailed):
        replace(hands, account=account).undo(mutation)
    with pytest.raises(FaultFailed):
        replace(hands, account=account).in_place(mutation)
    # Whose credentials these are is asked only where an account is named.
    assert any(call.name.startswith("STS") for call in world.calls) is bool(account)


def test_without_knowing_whose_credentials_these_are_nothing_is_called_gone(lay: Lay) -> None:
    world, hands = lay(INVERT)
    denied = denying("STS.GetCallerIdentity")
    world.before = lambda call: denied(call) or without_them(call)
    with pytest.raises(FaultFailed, match="does not accept the credentials"):
        replace(hands, account=world.account).undo(INVERT)


# -- what a target lacks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("mutation", ON_AWS, ids=lambda one: one.kind)
def test_the_embedded_aws_says_what_it_lacks(mutation: Fault, embedded: WorldAws) -> None:
    embedded.world = World()
    hands = AwsFaultExecutor(embedded, embedded.world.control())
    for attempt in (hands.do, hands.undo, hands.in_place):
        with pytest.raises(FaultFailed, match="the embedded AWS has no ") as failed:
            attempt(mutation)
        assert failed.value.refused
    assert embedded.world.calls == []


@pytest.mark.parametrize("mutation", EMBEDDED, ids=lambda one: one.kind)
def test_aws_has_no_faults_of_the_embedded_one(mutation: Fault, on_aws: WorldAws) -> None:
    with pytest.raises(FaultFailed, match="only the embedded AWS has such a fault"):
        AwsFaultExecutor(on_aws).do(mutation)


def test_a_region_that_the_embedded_aws_does_not_serve_is_refused(lay: Lay) -> None:
    world, hands = lay(DARK)
    with pytest.raises(FaultFailed, match="eu-west-1"):
        hands.do(Blackout("eu-west-1"))
    assert world.board.list() == ()


def test_other_faults_are_not_touched(lay: Lay) -> None:
    world, hands = lay(PAUSE)
    world.board.inject(ReplicationDelay(3.0))
    hands.do(PAUSE)
    assert world.board.list()[1].fault == ReplicationPause()
    hands.undo(PAUSE)
    assert [one.fault for one in world.board.list()] == [ReplicationDelay(3.0)]
