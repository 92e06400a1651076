"""Each scenario, from a steady state back to it: nothing lost, nothing twice."""

from typing import TYPE_CHECKING

import pytest

from tests.e2e.drill.conftest import SCALE, phases, report_of, until, verdict

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
        (("--scenario", "region-outage", "--reverse"), MOVED | {"first failure seen"}),
        (("--scenario", "replication-pause", "--scenario", "region-outage"), MOVED),
    ],
)
def test_no_payment_is_lost_and_everything_is_put_back(
    stage: "Stage", arguments: tuple[str, ...], passed_through: set[str]
) -> None:
    done = stage.drill(*arguments, "--format", "json")
    assert done.returncode == 0, done.stderr
    report = report_of(done)
    assert verdict(report) == ("PASS", "PASS", [], [])
    assert passed_through <= set(phases(report))
    assert report["time_scale"] == SCALE
    counts = report["reconciliation"]["counts"]
    assert not {"lost", "duplicated", "diverged"} & {outcome for outcome, count in counts.items() if count}
    assert report["reconciliation"]["acknowledged"] > 10
    assert report["reconciliation"]["removed"] == report["reconciliation"]["sent"]


def test_a_key_that_was_acknowledged_where_nobody_answers_now_stays_one_payment(stage: "Stage") -> None:
    """Replication is paused, the primary acknowledges, is lost, and the client asks the secondary again."""
    arguments = ("--scenario", "replication-pause", "--scenario", "region-outage", "--rate", "10")
    report = report_of(stage.drill(*arguments, "--hold", "6", "--format", "json"))
    assert report["reconciliation"]["resent"] > 0
    assert report["reconciliation"]["counts"].get("duplicated", 0) == 0
    assert verdict(report) == ("PASS", "PASS", [], [])


def test_a_secondary_that_fails_when_it_is_needed_ends_the_drill_and_all_is_put_back(stage: "Stage") -> None:
    function = stage.deployment.output("lambda_function_name", "secondary")
    client = stage.deployment.client("lambda", "secondary")
    process = stage.start("--scenario", "region-outage", "--hold", "60", "--format", "json")
    try:
        until(process, "hold")
        client.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
        until(process, "restore")
        client.delete_function_concurrency(FunctionName=function)
        _, stderr = process.communicate(timeout=240)
    finally:
        process.kill()
        client.delete_function_concurrency(FunctionName=function)
    assert process.returncode == 1, stderr
    assert "does not carry the load" in stderr
