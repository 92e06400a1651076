"""A drill from a script: it passes, it is kept, and a protected environment wants its name."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from payinfra import DrillRequest, Scenario, Settings, UsageProblem, read_outputs, restore_drills, run_drill
from payinfra.core.events import Event
from payinfra.drill.model import PhaseEnded
from payinfra.drill.report_store import to_json
from tests.e2e.drill.conftest import ATTEMPTS, machine_was_busy

if TYPE_CHECKING:
    from tests.e2e.drill.conftest import Stage


@pytest.fixture
def settings(stage: "Stage", monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(stage.deployment.project.folder)
    return Settings.resolve({"env": stage.deployment.env, "target": "local"}, environ={})


REQUEST = DrillRequest(
    (Scenario.HEALTH_CHECK,), rate=2.0, warm_up_s=1.0, hold_s=1.0, in_a_row=2, time_scale=60.0
)


def test_a_drill_passes_and_is_kept(stage: "Stage", settings: Settings) -> None:
    phases: list[str] = []

    def tell(event: object) -> None:
        if isinstance(event, PhaseEnded):
            phases.append(event.phase.value)

    for _ in range(ATTEMPTS):
        report = run_drill(settings, REQUEST, tell=tell)
        if not machine_was_busy(json.loads(to_json(report))):
            break
        stage.deployment.calm()
    assert report.passed, (report.reasons, report.doubts)
    assert report.restoration.left == ()
    assert {"inject", "DNS switched", "restore", "reconcile"} <= set(phases)
    assert list(Path(settings.work_dir).rglob(f"{report.id}/*.html"))


def test_nothing_is_left_to_restore(settings: Settings) -> None:
    heard: list[Event] = []
    assert all(one.whole for one in restore_drills(settings, emit=heard.append))
    assert read_outputs(settings).environment_suffix == settings.env


def test_a_drill_that_makes_no_sense_is_refused(settings: Settings) -> None:
    with pytest.raises(UsageProblem):
        run_drill(settings, DrillRequest((Scenario.HEALTH_CHECK, Scenario.HEALTH_CHECK)))
