"""What was deployed: it works in both regions, needs no change, and is nobody else's while it is in use."""

import json

import pytest

from tests.e2e.conftest import DEPLOY, Deployment
from tests.support.terminal import Terminal

pytestmark = pytest.mark.usefixtures("measured", "calmed")


@pytest.fixture(scope="module")
def calmed(deployment: Deployment) -> None:
    """No alarm rings for what tests before these did: a deployment verifies, and would say that it does."""
    deployment.calm()


def test_a_payment_went_through_each_region_and_was_read_in_the_other(deployment: Deployment) -> None:
    result = json.loads(deployment.deployed.stdout)
    assert result["plan"]["summary"]["add"] > 150
    assert {(payment["written_in"], payment["read_in"]) for payment in result["payments"]} == {
        ("us-east-1", "us-west-2"),
        ("us-west-2", "us-east-1"),
    }


def test_a_second_deployment_at_once_is_refused_with_who_holds_the_lock(deployment: Deployment) -> None:
    first = deployment.project.start(*DEPLOY)
    assert first.stderr is not None
    for line in first.stderr:
        if "synth" in line:
            break
    second = deployment.project.run(*DEPLOY)
    _output, said = first.communicate()
    assert first.returncode == 0, said
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
    addresses = {change["address"] for change in plan["changes"]}
    # What is published of a deployment says how long its logs are kept.
    published = {address for address in addresses if "published" in address}
    assert {address.split(".")[0] for address in addresses - published} == {"aws_cloudwatch_log_group"}
    assert len(published) == 2
    assert {change["action"] for change in plan["changes"]} == {"update"}
    assert plan["summary"]["destroy"] == 0


def test_a_person_is_shown_the_plan_and_may_say_no(deployment: Deployment) -> None:
    flags = ("--log-retention-days", "14")
    with Terminal(deployment.project, "deploy", "--env", deployment.env, "--local", *flags) as person:
        person.until("[y/N]")
        person.types("n\n")
        assert person.end() == 1
    assert "aws_cloudwatch_log_group" in person.said
    assert "Nothing was changed" in person.said


def test_the_outputs_are_the_contract_and_hold_no_secret(deployment: Deployment) -> None:
    shown = deployment.project.run("outputs", "--env", deployment.env, "--local", "--format", "json")
    marks = {"schema": "payinfra/outputs-1", "version": 1}
    assert json.loads(shown.stdout) == {**marks, **deployment.outputs}
    secret = deployment.api_key("primary")
    work = deployment.project.folder / ".payinfra" / "local" / deployment.env
    texts = [path for path in work.rglob("*") if path.suffix in (".json", ".log") and path.is_file()]
    assert texts
    assert [path for path in texts if secret in path.read_text(errors="replace")] == []
