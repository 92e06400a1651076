"""What drills have left is found without a journal, and alarms that ring only because of one are said."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from payinfra.checks.outcome import Outcome
from payinfra.checks.probes import drill_faults
from payinfra.checks.probes.results import ProbeResult, outcome
from payinfra.checks.probes.verify import load
from payinfra.checks.verdicts import Verdict
from payinfra.deployment.left_faults import look, still_ringing
from payinfra.drill.faults.registry import all_faults, fault_named
from tests.unit.drill.faults.cases import CASES, context
from tests.unit.drill.faults.test_leftovers import Site

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DRILL = "20260102T025900Z-abcd"


@pytest.mark.parametrize("name", [fault.name for fault in all_faults()])
def test_every_fault_is_named_with_its_drill_and_nothing_is_changed(name: str) -> None:
    site = Site()
    fault = fault_named(name)
    for action in (fault.marking(context()), *fault.actions(context())):
        site.executor.inject(action)
    there = site.world.state()
    found = look(site.outputs, site.aws, site.control, is_shared=False)
    assert found.unknown == ()
    assert any(CASES[name].embedded[0].describe().done.lower() in one.lower() for one in found.in_place)
    assert any(
        f"the mark of drill drill-1 ({name}) since 2026-01-02 03:04:05 UTC" in one for one in found.in_place
    )
    assert site.world.state() == there


def test_a_region_that_is_dark_without_a_drills_mark_is_not_a_drills() -> None:
    site = Site()
    fault = fault_named("region-outage")
    for action in fault.actions(context()):
        site.executor.inject(action)
    assert look(site.outputs, site.aws, site.control, is_shared=False).in_place == ()
    site.executor.inject(fault_named("health-check").marking(context()))
    (said,) = look(site.outputs, site.aws, site.control, is_shared=False).in_place
    assert "answers nothing" not in said, "another scenario's mark says nothing of the darkness"
    site.executor.inject(fault.marking(context()))
    found = look(site.outputs, site.aws, site.control, is_shared=False)
    assert any("us-east-1 answers nothing, as a drill makes it" in one.lower() for one in found.in_place)


def test_where_nothing_is_left_nothing_is_named() -> None:
    site = Site()
    found = look(site.outputs, site.aws, site.control, is_shared=False)
    assert (found.in_place, found.unknown) == ((), ())


def test_a_fault_fails_the_probe_and_what_cannot_be_told_does_not_pass() -> None:
    left = outcome((drill_faults.judge("a, b", ("It is there.",), (), 0.1),))
    assert drill_faults.is_left(left)
    unclear = outcome((drill_faults.judge("a, b", (), ("It cannot be told.",), 0.1),))
    assert not drill_faults.is_left(unclear)
    assert unclear.exit_code(drill_faults.DRILL_FAULTS.severity) == 1
    assert outcome((drill_faults.judge("a, b", (), (), 0.1),)).findings == ()


def ringing(id: str = "LIVE-CW-002") -> Outcome:
    (rule,) = (probe.rule for probe in load() if probe.rule.id == id)
    return outcome((ProbeResult(rule, "us-east-1", (Verdict.failed("errors rings"),), 0.1),))


@pytest.fixture
def drills(tmp_path: Path) -> Path:
    journal = tmp_path / "drills" / DRILL / "journal.jsonl"
    journal.parent.mkdir(parents=True)
    journal.write_text("{}")
    os.utime(journal, (NOW.timestamp(), NOW.timestamp()))
    return tmp_path / "drills"


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_what_rings_soon_after_a_drill_may_ring_because_of_it(drills: Path) -> None:
    said = still_ringing(ringing(), drills, lambda: after(200))
    assert f"only because of drill {DRILL}, which last changed something at 03:04:05 UTC" in said
    assert said.endswith("Run the same again after 03:09:05 UTC.")


@pytest.mark.parametrize("seconds", [301, -3600])
def test_what_rings_later_or_before_a_clock_was_set_is_not_the_drills(drills: Path, seconds: float) -> None:
    assert still_ringing(ringing(), drills, lambda: after(seconds)) == ""


def test_without_a_drill_or_an_alarm_nothing_is_said(drills: Path, tmp_path: Path) -> None:
    assert still_ringing(ringing(), tmp_path / "none", lambda: NOW) == ""
    assert still_ringing(ringing("LIVE-KMS-001"), drills, lambda: NOW) == ""
