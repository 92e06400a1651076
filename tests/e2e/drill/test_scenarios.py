"""Each scenario, from a steady state back to it: nothing lost, nothing twice."""

import json
from typing import TYPE_CHECKING

import pytest

from payinfra.local.faults import ReplicationPause
from tests.e2e.drill.conftest import SCALE, held, phases, until, verdict

if TYPE_CHECKING:
    from tests.e2e.drill.conftest import Stage

MOVED = {"health check unhealthy", "DNS switched", "other region serving", "DNS back"}


@pytest.mark.parametrize(
    ("arguments", "passed_through"),
    [
        (("--scenario", "health-check"), MOVED),
        (("--scenario", "lambda-throttle"), MOVED | {"first failure seen"}),
        (("--scenario", "region-outage"), MOVED | {"first failure seen"}),
        (("--scenario", "replication-pause"), {"hold", "replication caught up"}),
        (("--scenario", "audit-replication-pause"), {"hold", "replication caught up"}),
        (("--scenario", "region-outage", "--reverse"), MOVED | {"first failure seen"}),
        (("--scenario", "evacuation"), MOVED | {"return"}),
        (("--scenario", "replication-pause", "--scenario", "region-outage"), MOVED),
    ],
)
def test_no_payment_is_lost_and_everything_is_put_back(
    stage: "Stage", arguments: tuple[str, ...], passed_through: set[str]
) -> None:
    report = stage.conclusive(*arguments)
    assert verdict(report) == ("PASS", "PASS", [], [])
    assert passed_through <= set(phases(report))
    assert report["time_scale"] == SCALE
    assert report["command"].startswith(f"payinfra failover-drill --env {stage.deployment.env} --local ")
    counts = report["reconciliation"]["counts"]
    assert not {"lost", "duplicated", "diverged"} & {outcome for outcome, count in counts.items() if count}
    assert report["reconciliation"]["acknowledged"] > 10
    assert report["reconciliation"]["removed"] == report["reconciliation"]["sent"]


def test_a_key_that_was_acknowledged_where_nobody_answers_now_stays_one_payment(stage: "Stage") -> None:
    """Replication stops, the primary acknowledges, is lost, and the client asks the secondary again."""
    # What the primary has acknowledged meanwhile is not in the survivor: as many as that are allowed here.
    arguments = ("--scenario", "replication-pause", "--scenario", "region-outage", "--rpo", "1000")
    process = stage.reach("load", *arguments, "--warm-up", "4", "--hold", "6", "--format", "json")
    try:
        stage.deployment.control.inject(
            ReplicationPause()
        )  # The drill's own finds it in place, and lifts it.
        stdout, stderr = process.communicate(timeout=240)
    finally:
        process.kill()
        stage.deployment.control.clear()
    report = json.loads(stdout)
    assert report["survivor"]["missing"] > 0, stderr
    assert report["reconciliation"]["accepted_twice"] > 0
    counts = report["reconciliation"]["counts"]
    assert not {"lost", "duplicated", "diverged"} & {outcome for outcome, count in counts.items() if count}
    assert report["reconciliation"]["audit"]["missing"] == 0
    assert report["reconciliation"]["removed"] == report["reconciliation"]["sent"]
    assert held(report), verdict(report)


def test_a_secondary_that_fails_when_it_is_needed_ends_the_drill_and_all_is_put_back(stage: "Stage") -> None:
    function = stage.deployment.output("lambda_function_name", "secondary")
    client = stage.deployment.client("lambda", "secondary")
    process = stage.reach("hold", "--scenario", "region-outage", "--hold", "60", "--format", "json")
    try:
        client.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
        until(process, "restore")
        client.delete_function_concurrency(FunctionName=function)
        _, stderr = process.communicate(timeout=240)
    finally:
        process.kill()
        client.delete_function_concurrency(FunctionName=function)
    assert process.returncode == 1, stderr
    # Whichever is first: the errors that clients saw, or the alarms that tell of them.
    assert "does not carry the load" in stderr or "Customers noticed: " in stderr
