"""`payinfra failover-drill` as a command: what it shows, keeps and refuses, and what it cannot put back."""

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.drill.conftest import QUICK, until
from tests.support.terminal import Terminal

if TYPE_CHECKING:
    from tests.e2e.drill.conftest import Stage

pytestmark = pytest.mark.usefixtures("measured")


def test_the_report_is_kept_and_written_where_it_is_wanted(stage: "Stage", tmp_path: Path) -> None:
    page, summary = tmp_path / "drill.html", tmp_path / "summary.md"
    stage.deployment.project.environ["GITHUB_STEP_SUMMARY"] = str(summary)
    try:
        done = stage.passed("--report", str(page), "--format", "junit")
    finally:
        del stage.deployment.project.environ["GITHUB_STEP_SUMMARY"]
    assert done.stdout.startswith("<?xml")
    assert "health-check" in page.read_text(encoding="utf-8")
    assert "resilience" in summary.read_text(encoding="utf-8").lower()
    listed = stage.deployment.project.run("drills", "list", "--env", stage.deployment.env, "--local")
    assert "health-check" in listed.stdout
    shown = stage.deployment.project.run("drills", "show", "--env", stage.deployment.env, "--local")
    assert "PASS" in shown.stdout


def test_a_dry_run_shows_the_calls_and_makes_none(stage: "Stage") -> None:
    words = stage.words("--dry-run", "--scenario", "lambda-throttle")
    done = stage.deployment.project.run(*words)
    assert done.returncode == 0, done.stderr
    assert "lambda:PutFunctionConcurrency" in done.stdout
    assert "Predicted" in done.stdout


def test_a_person_is_shown_the_calls_and_may_say_no(stage: "Stage") -> None:
    with Terminal(stage.deployment.project, *stage.words()) as person:
        person.until("[y/N]")
        person.types("n\n")
        assert person.end() == 1
    assert "route53:UpdateHealthCheck" in person.said
    assert "Nothing was done" in person.said


def test_a_person_who_agrees_sees_the_drill_and_may_interrupt_it(stage: "Stage") -> None:
    with Terminal(stage.deployment.project, *stage.words(), *QUICK) as person:
        person.until("[y/N]")
        person.types("y\n")
        person.until("acknowledged")
        person.process.send_signal(signal.SIGINT)
        assert person.end() == 130
    assert "Everything is as it was" in person.said


def test_nobody_to_ask_is_a_usage_error(stage: "Stage") -> None:
    done = stage.deployment.project.run(*stage.words())
    assert done.returncode == 2
    assert "--yes" in done.stderr


def test_an_environment_that_is_not_steady_is_not_drilled(stage: "Stage") -> None:
    logs = stage.deployment.client("logs", "secondary")
    group = stage.deployment.output("lambda_log_group_name", "secondary")
    logs.put_retention_policy(logGroupName=group, retentionInDays=1)
    try:
        done = stage.drill()
    finally:
        logs.put_retention_policy(logGroupName=group, retentionInDays=7)
    assert done.returncode == 1
    assert "not in its steady state: LIVE-LOG-" in done.stderr
    assert "inject" not in done.stderr
    assert stage.restore().stdout == "Nothing to restore: every drill ended.\n"


def test_a_sabotaged_secondary_is_seen_before_anything_is_done(stage: "Stage") -> None:
    function = stage.deployment.output("lambda_function_name", "secondary")
    client = stage.deployment.client("lambda", "secondary")
    client.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    try:
        done = stage.drill()
    finally:
        client.delete_function_concurrency(FunctionName=function)
    assert done.returncode == 1
    assert "its reserved concurrency is 0" in done.stderr
    assert "inject" not in done.stderr


def drilled_while_nothing_answers(stage: "Stage", *, until_it_failed: bool = False) -> str:
    """What a drill said that could not restore: the embedded AWS stopped before it, and went on afterwards.

    Args:
        until_it_failed: it goes on once the drill has failed to restore, and may try again.
    """
    server = stage.deployment.control.status().endpoints.pid
    process = stage.reach("hold")
    try:
        os.kill(server, signal.SIGSTOP)
        if until_it_failed:
            until(process, "restore", failed=True)
            os.kill(server, signal.SIGCONT)
        _, stderr = process.communicate(timeout=240)
    finally:
        os.kill(server, signal.SIGCONT)
        process.kill()
    assert process.returncode == 5, stderr
    return stderr


def test_what_cannot_be_restored_is_named_and_restored_later(stage: "Stage") -> None:
    said, _, concluded = drilled_while_nothing_answers(stage).rpartition("error: ")
    assert "✗ restore" in said
    assert concluded.count("is disabled and inverted") == 1
    assert "failover-drill --restore" in concluded
    refused = stage.deployment.project.run("deploy", "--env", stage.deployment.env, "--local", "--yes")
    assert refused.returncode == 1
    assert "failover-drill --restore" in refused.stderr
    restored = stage.restore()
    assert restored.returncode == 0, restored.stderr
    assert "put back" in restored.stdout


def test_what_is_put_back_late_has_its_payments_read_by_a_restore(stage: "Stage") -> None:
    said = drilled_while_nothing_answers(stage, until_it_failed=True)
    assert "All was put back at a second attempt" in said
    restored = stage.restore()
    assert restored.returncode == 0, restored.stderr
    assert "Reading the drill's payments back" in restored.stderr
