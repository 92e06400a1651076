"""A drill that is interrupted, or killed, at any phase: everything is put back, by it or by `--restore`."""

import signal
from typing import TYPE_CHECKING

import pytest

from tests.e2e.drill.conftest import until

if TYPE_CHECKING:
    from tests.e2e.drill.conftest import Stage

PHASES = (
    "lock",
    "record",
    "steady state",
    "load",
    "inject",
    "health check unhealthy",
    "DNS switched",
    "other region serving",
    "hold",
    "restore",
    "health check healthy",
    "DNS back",
    "replication caught up",
    "steady state again",
    "reconcile",
)
HARMFUL = ("lambda-throttle", "replication-pause", "region-outage")


def interrupted(stage: "Stage", phase: str, *arguments: str) -> None:
    process = stage.start(*arguments)
    try:
        until(process, phase)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=240)
    finally:
        process.kill()
    assert process.returncode == 130, stderr
    assert "Everything is as it was" in stderr


def killed(stage: "Stage", phase: str, *arguments: str) -> None:
    process = stage.start(*arguments)
    try:
        until(process, phase)
    finally:
        process.kill()
        process.communicate()
    restored = stage.restore()
    assert restored.returncode == 0, restored.stdout + restored.stderr
    again = stage.restore()
    assert (again.returncode, again.stdout) == (0, "Nothing to restore: every drill ended.\n")


@pytest.mark.parametrize("phase", PHASES)
def test_an_interrupted_drill_puts_everything_back_itself(stage: "Stage", phase: str) -> None:
    interrupted(stage, phase)


@pytest.mark.parametrize("phase", PHASES)
def test_a_killed_drill_is_restored_from_its_journal(stage: "Stage", phase: str) -> None:
    killed(stage, phase)


@pytest.mark.parametrize("phase", ["inject", "restore"])
@pytest.mark.parametrize("scenario", HARMFUL)
def test_what_does_harm_is_put_back_too(stage: "Stage", scenario: str, phase: str) -> None:
    interrupted(stage, phase, "--scenario", scenario)
    killed(stage, phase, "--scenario", scenario)


def test_a_verify_after_all_that_passes(stage: "Stage") -> None:
    done = stage.deployment.project.run("verify", "--env", stage.deployment.env, "--local")
    assert done.returncode == 0, done.stdout
