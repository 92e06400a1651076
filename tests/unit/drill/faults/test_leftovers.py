"""Faults that are found without a journal: by what was declared and what is there."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from payinfra.drill.faults.actions import FaultClients
from payinfra.drill.faults.executor import AwsFaultExecutor
from payinfra.drill.faults.leftovers import Leftovers, find, put_back
from payinfra.drill.faults.marks import KEY, MarkResource
from payinfra.drill.faults.registry import all_faults, fault_named
from payinfra.drill.model import Restoration
from payinfra.drill.situation import RegionState
from payinfra.local.faults import RegionBlackout, ReplicationDelay
from tests.support.clocks import SetClock
from tests.support.drilled import EAST, HERE, WEST, Call, FakeCloud, FakeCloudAws, Refused, no_trouble
from tests.unit.checks.probes.conftest import declared, outputs
from tests.unit.drill.faults.cases import CASES, context, evacuable

FUNCTION = "payment-demo-payments"
EVERY = [(name, on_aws) for name, case in CASES.items() for on_aws in (False, True) if case.aws or not on_aws]


class Site:
    """An environment of `outputs` on one target."""

    def __init__(self, *, on_aws: bool = False) -> None:
        self.world = FakeCloud(checks={"check-us-east-1": {}, "check-us-west-2": {}})
        # The function of cases.py has a limit of 7, and so it is declared.
        self.world.concurrency = {(region, FUNCTION): 7 for region in (EAST, WEST)}
        there = self.world

        class Here(FakeCloudAws):
            """Also with other time-outs it is this world's."""

            world = there

        self.aws = Here(None if on_aws else HERE)
        self.control = None if on_aws else self.world.control()
        self.clients = FaultClients(self.aws, self.control)
        regions = tuple(
            replace(one, function=replace(one.function, reserved_concurrency=7)) for one in declared().regions
        )
        self.outputs = evacuable(regions=regions)
        clock = SetClock()
        self.executor = AwsFaultExecutor(
            self.aws, self.control, account=self.world.account, clock=clock.elapsed, sleep=clock.wait
        )

    def found(self, *, is_shared: bool = False) -> Leftovers:
        return find(self.outputs, self.clients, is_shared=is_shared)

    def put_back(self) -> Restoration:
        return put_back(self.found, self.executor, lambda _said: None, lambda action: action.describe())


@pytest.mark.parametrize(("name", "on_aws"), EVERY)
def test_every_fault_is_found_and_put_back_without_its_journal(name: str, on_aws: bool) -> None:
    site = Site(on_aws=on_aws)
    before = site.world.state()
    fault = next(one for one in all_faults() if one.name == name)
    for action in fault.actions(context(on_aws=on_aws)):
        site.executor.inject(action)
    assert site.world.state() != before
    restored = site.put_back()
    assert restored.left == ()
    assert restored.undone
    assert site.world.state() == before


@pytest.mark.parametrize(("name", "on_aws"), EVERY)
def test_every_fault_is_found_by_its_mark_alone_with_the_drill_and_put_back(name: str, on_aws: bool) -> None:
    site = Site(on_aws=on_aws)
    before = site.world.state()
    fault = fault_named(name)
    site.executor.inject(fault.marking(context(on_aws=on_aws)))
    (found,) = site.found().actions
    assert isinstance(found, MarkResource)
    assert (found.fault, found.drill) == (name, "drill-1")
    assert site.put_back().left == ()
    assert site.world.state() == before


def test_what_the_mark_says_was_there_is_put_back_and_not_what_was_declared() -> None:
    site = Site()
    site.world.concurrency[EAST, FUNCTION] = 3  # somebody's own choice, made after the deployment
    state = RegionState(EAST, False, False, 3, "demo", "demo")
    fault = fault_named("lambda-throttle")
    drill = replace(context(), state=state)
    for action in (fault.marking(drill), *fault.actions(drill)):
        site.executor.inject(action)
    assert site.put_back().left == ()
    assert site.world.concurrency[EAST, FUNCTION] == 3
    nothing = replace(drill, state=replace(state, concurrency=None))
    for action in (fault.marking(nothing), *fault.actions(nothing)):
        site.executor.inject(action)
    assert site.put_back().left == ()
    assert (EAST, FUNCTION) not in site.world.concurrency


def test_a_mark_stays_until_the_fault_is_gone_that_it_tells_of() -> None:
    site = Site()
    fault = fault_named("health-check")
    for action in (fault.marking(context()), *fault.actions(context())):
        site.executor.inject(action)
    site.world.before = denied("UpdateHealthCheck")
    restored = site.put_back()
    assert len(restored.left) == 2
    assert "it stays until all else is put back" in restored.left[1]
    assert list(site.world.tags["check-us-east-1"]) == [f"{KEY}health-check"]
    site.world.before = no_trouble
    assert site.put_back().left == ()
    assert site.world.tags["check-us-east-1"] == {}


def test_a_mark_that_nobody_can_read_is_found_and_removed() -> None:
    site = Site()
    site.world.tags["check-us-west-2"] = {f"{KEY}region-outage": "?", "Environment": "demo"}
    (found,) = site.found().actions
    assert isinstance(found, MarkResource)
    assert found.drill == "unknown"
    assert site.put_back().left == ()
    assert site.world.tags["check-us-west-2"] == {"Environment": "demo"}


@pytest.mark.parametrize("on_aws", [False, True])
def test_where_everything_is_as_declared_nothing_is_done(on_aws: bool) -> None:
    site = Site(on_aws=on_aws)
    assert site.put_back() == Restoration((), ())
    assert site.world.changes == []


def test_what_no_drill_does_is_left_to_whoever_did_it() -> None:
    site = Site()
    site.world.concurrency[EAST, FUNCTION] = 3
    site.world.board.inject(ReplicationDelay(5.0))
    site.world.scale.hold("other/d", 20)
    assert site.found() == Leftovers((), ())


def test_no_concurrency_is_no_fault_where_it_is_declared() -> None:
    site = Site()
    regions = tuple(
        replace(one, function=replace(one.function, reserved_concurrency=0)) for one in declared().regions
    )
    site.outputs = replace(outputs(), declared_json=declared(regions=regions).to_json())
    site.world.concurrency = {(region, FUNCTION): 0 for region in (EAST, WEST)}
    assert site.found() == Leftovers((), ())


def test_the_time_that_a_drill_of_this_environment_asks_for_is_found() -> None:
    site = Site()
    site.world.scale.hold("demo/d", 20)
    assert site.put_back().undone == ("the drill demo/d does not set the embedded AWS's time scale any more",)
    assert site.world.scale() == 1.0


def test_experiments_that_are_somebody_elses_are_left_alone() -> None:
    site = Site(on_aws=True)
    fault = next(one for one in all_faults() if one.name == "replication-pause")
    (action,) = fault.actions(context(on_aws=True))
    site.executor.inject(action)
    (experiment,) = site.world.experiments.values()
    experiment["targets"]["table"]["resourceArns"] = ["arn:aws:dynamodb:us-east-1:123456789012:table/other"]
    assert site.found() == Leftovers((), ())
    experiment["tags"] = {}
    assert site.found() == Leftovers((), ())


def denied(name: str) -> Callable[[Call], BaseException | None]:
    return lambda call: Refused("AccessDenied", 403) if name in call.name else None


def test_what_cannot_be_looked_at_is_not_restored() -> None:
    site = Site()
    site.world.before = denied("GetFunctionConcurrency")
    restored = site.put_back()
    assert len(restored.left) == 2
    assert restored.left[0].startswith("Whether lambda-throttle is in place in us-east-1 cannot be told: ")


def test_an_embedded_aws_that_does_not_answer_is_not_restored() -> None:
    site = Site()
    site.world.before = lambda call: OSError("nobody") if call.name.startswith("Get ") else None
    assert any("How the embedded AWS is set cannot be told" in one for one in site.put_back().left)


def test_other_credentials_say_nothing_about_the_environment() -> None:
    site = Site(on_aws=True)
    site.world.account = "999999999999"
    (said,) = site.put_back().left
    assert "the credentials are account 999999999999's" in said
    site.world.before = lambda _call: EndpointConnectionError(endpoint_url="https://sts")
    (said,) = site.put_back().left
    assert said.startswith("Whether a fault is in place cannot be told: ")


def test_an_environment_that_was_destroyed_has_no_fault() -> None:
    site = Site()
    site.world.checks = {}
    assert site.found() == Leftovers((), ())


def test_what_cannot_be_rolled_back_is_named_with_what_mends_it() -> None:
    site = Site()
    site.world.checks["check-us-east-1"] = {"Inverted": True, "Disabled": True}
    site.world.before = denied("UpdateHealthCheck")
    (said,) = site.put_back().left
    assert said.startswith("Not restored: health check check-us-east-1 is disabled and inverted")
    assert "Mend it with: aws route53 update-health-check" in said


def test_what_comes_back_is_not_restored() -> None:
    site = Site()
    dark: Any = RegionBlackout(EAST)
    site.world.board.inject(dark)

    def again(call: Call) -> BaseException | None:
        if call.name.startswith("Delete "):
            site.world.board.inject(dark)
        return None

    site.world.after = again
    restored = site.put_back()
    assert restored.left
    assert "us-east-1 answers nothing" in restored.left[0]


def test_a_fault_that_hides_another_is_lifted_first() -> None:
    site = Site()
    site.world.board.inject(RegionBlackout(EAST))
    site.world.concurrency[EAST, FUNCTION] = 0

    def silent(call: Call) -> BaseException | None:
        dark = site.world.board.dark(EAST) and call.region == EAST and call.name.startswith("Lambda")
        return EndpointConnectionError(endpoint_url="https://east") if dark else None

    site.world.before = silent
    restored = site.put_back()
    assert restored.left == ()
    assert restored.undone == (
        "us-east-1 answers again",
        f"function {FUNCTION} in us-east-1 has a reserved concurrency of 7 again",
    )
