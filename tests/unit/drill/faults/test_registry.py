"""Every fault: that it is whole, has its cases, and that a name or a journal line that is wrong says so."""

from dataclasses import MISSING, fields, replace

import pytest

from payinfra.clients.aws import Aws
from payinfra.core.errors import UsageProblem
from payinfra.drill.faults.actions import ACTION_KINDS, EmulatorFaultAction, FaultClients
from payinfra.drill.faults.evacuation import EvacuateRegion
from payinfra.drill.faults.fis import FisExperiment
from payinfra.drill.faults.model import Fault, FaultDocumentation, HealthEffect
from payinfra.drill.faults.registry import all_faults, fault_named, register, switches_names
from payinfra.drill.model import Scenario
from tests.unit.drill.faults.cases import CASES, context

every_fault = pytest.mark.parametrize("fault", all_faults(), ids=lambda one: one.name)


@every_fault
def test_a_fault_has_a_case(fault: Fault) -> None:
    assert fault.name in CASES, f"tests/unit/drill/faults/cases.py has no case of {fault.name}"


@every_fault
def test_a_fault_injects_what_its_case_says(fault: Fault) -> None:
    case = CASES[fault.name]
    assert fault.actions(context()) == case.embedded
    assert fault.on_aws is (case.aws is not None)
    if case.aws is not None:
        assert fault.actions(context(on_aws=True)) == case.aws
        assert fault.watchdogs(context(on_aws=True)) == case.watchdogs


@every_fault
def test_what_a_watchdog_lifts_is_what_the_fault_injects(fault: Fault) -> None:
    on_aws = context(on_aws=True)
    for watchdog in fault.watchdogs(on_aws):
        assert [action for action in fault.actions(on_aws) if watchdog.guards(action)]
        assert not any(watchdog.guards(action) for action in fault.actions(context(reverse=True)))


@every_fault
def test_every_fault_on_aws_ends_although_its_process_is_killed(fault: Fault) -> None:
    on_aws = context(on_aws=True)
    for action in fault.actions(on_aws) if fault.on_aws else ():
        by_itself = isinstance(action, FisExperiment) and 60 * action.minutes > on_aws.longest_s
        by_itself = by_itself or (isinstance(action, EvacuateRegion) and action.until == on_aws.ends_by)
        assert by_itself or any(one.guards(action) for one in fault.watchdogs(on_aws))


def test_a_fault_that_leaves_something_out_is_no_fault() -> None:
    # Without a default, a type checker and Python itself refuse a module that leaves one out.
    for of in (Fault, FaultDocumentation):
        assert [one.name for one in fields(of) if one.default is not MISSING] == []
        assert [one.name for one in fields(of) if one.default_factory is not MISSING] == []
        assert all(one.kw_only for one in fields(of))


def test_those_that_ship_can_be_named_in_a_typed_program() -> None:
    assert {scenario.value for scenario in Scenario} <= {fault.name for fault in all_faults()}


def test_a_name_is_used_once() -> None:
    with pytest.raises(ValueError, match="the fault health-check is registered twice"):
        register(replace(fault_named("health-check"), health=HealthEffect.NONE))


def test_the_journal_knows_an_action_by_one_name() -> None:
    assert ACTION_KINDS["blackout"].kind == "blackout"
    with pytest.raises(ValueError, match="the action blackout is defined twice"):
        type("Second", (EmulatorFaultAction,), {"kind": "blackout"})


def test_a_wrong_name_is_answered_with_the_right_one() -> None:
    with pytest.raises(
        UsageProblem, match="no scenario 'region-outrage'; did you mean 'region-outage'"
    ) as no:
        fault_named("region-outrage")
    assert "evacuation, health-check, lambda-errors, lambda-throttle, region-outage" in no.value.hint


def test_a_fault_of_another_version_makes_no_name_switch() -> None:
    assert switches_names(["region-outage", "of-the-future"])
    assert not switches_names(["replication-pause", "of-the-future"])


def test_an_action_of_the_embedded_aws_finds_no_control_port_on_aws() -> None:
    with pytest.raises(ValueError, match="AWS has no control port"):
        FaultClients(Aws()).embedded  # noqa: B018 - what it raises is looked at
