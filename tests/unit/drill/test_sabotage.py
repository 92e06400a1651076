"""Damaged deployments: a drill names what is wrong with each, and passes the one that is whole."""

from pathlib import Path

import pytest

from payinfra.drill.model import Judgement
from tests.support.sabotage import SABOTAGES, UNDAMAGED, Sabotage, causes, kept, run
from tests.support.simulation import Damage

RECORDED = {(one.where, one.what, one.scenario): one for one in kept()}


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda one: one.name)
def test_a_damaged_deployment_never_passes_and_the_cause_is_named(sabotage: Sabotage, tmp_path: Path) -> None:
    report, outcome = run(sabotage, tmp_path)
    verdict = report.restored if sabotage.restored else report.resilience
    assert verdict.value == sabotage.verdict, causes(report)
    assert outcome.cause, causes(report)
    assert not report.passed
    if verdict is Judgement.INCONCLUSIVE:
        assert any(doubt.next_step for doubt in report.doubts)
    # docs/scenarios.md shows what is kept: `python -m scripts.sabotage` keeps it anew.
    assert RECORDED[sabotage.where, sabotage.what, sabotage.scenario] == outcome


@pytest.mark.parametrize("scenario", UNDAMAGED)
def test_an_undamaged_deployment_passes(scenario: str, tmp_path: Path) -> None:
    report, outcome = run(Sabotage("nothing", "nothing", Damage(), "", scenario=scenario), tmp_path)
    assert report.passed, causes(report)
    assert (outcome.resilience, outcome.restoration) == ("PASS", "PASS")
    assert all(objective.met is not False for objective in report.objectives)


def test_there_are_enough_of_them_in_each_part() -> None:
    parts = {one.where for one in SABOTAGES}
    assert {"survivor", "routing", "audit", "replication", "alarms", "capacity"} <= parts
    assert len(SABOTAGES) >= 25
    assert len(kept()) == len(SABOTAGES)
