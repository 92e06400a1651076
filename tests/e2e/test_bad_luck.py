"""What goes wrong in mid-apply leaves nothing lost, and a second deployment converges."""

import json

import pytest

from tests.e2e.conftest import DEPLOY, Deployment


def test_a_deployment_after_a_kill_an_interrupt_and_a_dead_emulator_converges(deployment: Deployment) -> None:
    done = deployment.history["deployed"]
    assert done.returncode == 0
    result = json.loads(done.stdout)
    assert result["plan"]["summary"]["destroy"] >= 0
    assert {payment["read_in"] for payment in result["payments"]} == {"us-east-1", "us-west-2"}


def test_killed_payinfra_takes_nothing_with_it(deployment: Deployment) -> None:
    assert deployment.history["payinfra killed"].returncode == -9
    interrupted = deployment.history["interrupted"]
    assert "is in use" not in interrupted.stderr
    assert "already exists" not in interrupted.stderr


def test_an_interrupt_reaches_terraform_once_and_is_reported(deployment: Deployment) -> None:
    done = deployment.history["interrupted"]
    assert done.returncode == 130
    assert "waiting for Terraform to end and release its lock" in done.stderr
    assert "Run the same command again" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_emulator_killed_in_mid_apply_is_said_with_the_next_step(deployment: Deployment) -> None:
    done = deployment.history["emulator killed"]
    assert done.returncode in (3, 4)
    assert "error:" in done.stderr
    assert "next:" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_deployment_at_once_is_refused_with_who_holds_the_lock(deployment: Deployment) -> None:
    first = deployment.project.start(*DEPLOY)
    assert first.stderr is not None
    for line in first.stderr:
        if "synth" in line:
            break
    second = deployment.project.run(*DEPLOY)
    first.communicate()
    assert first.returncode == 0
    assert second.returncode == 4
    assert "payinfra deploy" in second.stderr
    assert f"process {first.pid} on" in second.stderr


@pytest.mark.parametrize("command", ["plan", "deploy"])
def test_what_stands_needs_no_change(deployment: Deployment, command: str) -> None:
    yes = ("--yes",) if command == "deploy" else ()
    done = deployment.project.run(command, "--env", deployment.env, "--local", "--format", "json", *yes)
    assert done.returncode == 0
    plan = json.loads(done.stdout)
    plan = plan.get("plan", plan)
    assert plan["summary"] == {"add": 0, "change": 0, "destroy": 0}
    assert plan["changes"] == []


def test_one_flag_plans_exactly_its_change(deployment: Deployment) -> None:
    flags = ("--log-retention-days", "14", "--format", "json")
    done = deployment.project.run("plan", "--env", deployment.env, "--local", *flags)
    plan = json.loads(done.stdout)
    assert {change["type"] for change in plan["changes"]} == {"aws_cloudwatch_log_group"}
    assert {change["action"] for change in plan["changes"]} == {"update"}
    assert plan["summary"]["destroy"] == 0


def test_the_outputs_are_the_contract_and_hold_no_secret(deployment: Deployment) -> None:
    shown = deployment.project.run("outputs", "--env", deployment.env, "--local", "--format", "json")
    assert json.loads(shown.stdout) == deployment.outputs
    secret = deployment.api_key("primary")
    work = deployment.project.folder / ".payinfra" / "local" / deployment.env
    texts = [path for path in work.rglob("*") if path.suffix in (".json", ".log") and path.is_file()]
    assert texts
    assert [path for path in texts if secret in path.read_text(errors="replace")] == []
