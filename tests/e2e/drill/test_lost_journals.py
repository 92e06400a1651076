"""A drill that was killed and whose files are lost is found by what it has left in the environment."""

import shutil
from typing import TYPE_CHECKING

import pytest

from payinfra.core.environment_lock import exclusive

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.drill.conftest import Stage


def killed(stage: "Stage", scenario: str) -> "Path":
    """Kill a drill while its fault is held; its folder."""
    process = stage.reach("hold", "--scenario", scenario, "--hold", "60")
    process.kill()
    process.communicate()
    drills = stage.deployment.project.folder / ".payinfra" / "local" / stage.deployment.env / "drills"
    return max(drills.iterdir())


@pytest.mark.parametrize(
    "scenario", ["health-check", "lambda-throttle", "replication-pause", "region-outage"]
)
def test_a_fault_is_found_and_put_back_without_the_journal(stage: "Stage", scenario: str) -> None:
    drill = killed(stage, scenario)
    shutil.rmtree(drill)
    where = ("--env", stage.deployment.env, "--local")
    for command in (("verify", *where, "--only", "LIVE-KMS-001"), ("status", *where)):
        seen = stage.deployment.project.run(*command)
        assert seen.returncode == 5, seen.stdout + seen.stderr
        said = " ".join(seen.stdout.split())
        assert "failover-drill --restore" in said
        assert f"mark of drill {drill.name}" in said
    restored = stage.restore()
    assert restored.returncode == 0, restored.stdout + restored.stderr
    assert "without a journal: restored" in restored.stdout
    assert "of drills are removed" in restored.stdout
    assert stage.restore().stdout == "Nothing to restore: every drill ended.\n"
    stage.verify()


def test_a_damaged_journal_hides_nothing(stage: "Stage") -> None:
    journal = killed(stage, "lambda-throttle") / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"version"', b'"vers'))
    restored = stage.restore()
    assert restored.returncode == 0, restored.stdout + restored.stderr
    assert "nothing differs from what was declared" in " ".join(restored.stdout.split())
    assert stage.restore().stdout == "Nothing to restore: every drill ended.\n"
    stage.verify()


def test_a_fault_that_may_be_another_drills_is_left_and_said_with_exit_5(stage: "Stage") -> None:
    shutil.rmtree(killed(stage, "region-outage"))
    with exclusive(stage.deployment.project.server / "drill", "failover-drill --env other --local"):
        restored = stage.restore()
        refused = stage.drill()
    assert restored.returncode == 5, restored.stdout + restored.stderr
    assert "whose fault it is cannot be told" in " ".join(restored.stdout.split())
    assert refused.returncode == 4
    assert "This embedded AWS is in use: " in refused.stderr
    assert stage.restore().returncode == 0
    stage.verify()
