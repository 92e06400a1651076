"""What goes wrong in mid-apply loses nothing: the next deployment converges.

One environment of its own meets four blows, each in the midst of the calls that make things: payinfra is
killed, then interrupted, then the state loses everything that could have been under way, and while that is
being adopted the embedded AWS is killed.
"""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from payinfra.core.events import ignore
from payinfra.core.settings import Settings
from payinfra.deployment import dependencies
from payinfra.deployment.recovery.import_ids import LOOKUPS
from payinfra.local.lifecycle import WaitClock
from payinfra.stacks import stack_folder
from tests.e2e.conftest import Done, Project

ENV = "luck"
WHERE = ("--env", ENV, "--local")
DEPLOY = ("deploy", *WHERE, "--yes")
REGIONS = ("us-east-1", "us-west-2")
PARENTS = {f"aws_api_gateway_{name}" for name in ("rest_api", "resource", "api_key", "usage_plan")}
LOST = LOOKUPS.keys() - PARENTS - {"aws_route53_zone"}
"""What can all be found in one go. What is part of something that was lost needs one more plan, and so on."""
Act = Callable[[Project, "subprocess.Popen[str]"], None]


def kill(_project: Project, process: "subprocess.Popen[str]") -> None:
    process.kill()


def interrupt(_project: Project, process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGINT)


def kill_the_emulator(project: Project, _process: "subprocess.Popen[str]") -> None:
    os.kill(project.control.status().endpoints.pid, signal.SIGKILL)


@dataclass(frozen=True)
class Story:
    """What each deployment said, in order, and `lost`: what the state was made to forget between them."""

    project: Project
    killed: Done
    interrupted: Done
    lost: tuple[str, ...]
    emulator_killed: Done
    deployed: Done


def strike(project: Project, act: Act, after: int) -> Done:
    """Deploy, and do something once this apply has made `after` resources."""
    log = project.folder / ".payinfra" / "local" / ENV / "logs" / "terraform.log"

    def applies() -> list[str]:
        return log.read_text(encoding="utf-8").split(": terraform apply") if log.exists() else [""]

    before = len(applies())
    process = project.start(*DEPLOY)

    def under_way() -> bool:
        assert process.poll() is None, "it ended before it was struck"
        parts = applies()
        return len(parts) > before and parts[-1].count('"type":"apply_complete"') >= after

    try:
        assert WaitClock().until(under_way, 240)
        act(project, process)
        stdout, stderr = process.communicate(timeout=240)
    finally:
        process.kill()
    return Done(process.returncode, stdout, stderr, 0)


def lose(project: Project) -> tuple[str, ...]:
    """Let the state forget what it has of these types, as if it had never known them."""
    settings = Settings.resolve({"env": ENV, "target": "local"}, folder=project.folder, environ={})
    folder = stack_folder(settings.work_dir / "synth", settings)
    terraform = dependencies.terraform(settings, folder, ignore)
    return terraform.forget([one.address for one in terraform.resources() if one.type in LOST])


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    project = Project(tmp_path_factory.mktemp("luck"), measured=False)
    try:
        yield Story(
            project,
            strike(project, kill, 40),
            strike(project, interrupt, 20),
            lose(project),
            strike(project, kill_the_emulator, 20),
            project.run(*DEPLOY, "--format", "json"),
        )
    finally:
        project.run("local", "down")  # and all that it holds


def test_after_all_of_it_a_deployment_converges(story: Story) -> None:
    assert story.deployed.returncode == 0, story.deployed.stderr
    result = json.loads(story.deployed.stdout)
    assert {payment["read_in"] for payment in result["payments"]} == set(REGIONS)


def test_what_no_state_knew_was_adopted(story: Story) -> None:
    kinds = {address.partition(".")[0] for address in story.lost}
    assert {"aws_s3_bucket", "aws_kms_key", "aws_iam_role"} <= kinds
    said = story.emulator_killed.stderr
    assert [address for address in story.lost if f"Adopting {address}: " not in said] == []
    assert "is left over" not in said


def test_a_kill_takes_only_payinfra_with_it(story: Story) -> None:
    assert story.killed.returncode == -signal.SIGKILL
    assert "is in use" not in story.interrupted.stderr


def test_an_interrupt_reaches_terraform_once_and_is_reported(story: Story) -> None:
    assert story.interrupted.returncode == 130
    assert "waiting for Terraform to end and release its lock" in story.interrupted.stderr
    assert "Run the same command again" in story.interrupted.stderr
    assert "Traceback" not in story.interrupted.stderr


def test_an_emulator_killed_in_mid_apply_is_said_with_the_next_step(story: Story) -> None:
    done = story.emulator_killed
    assert done.returncode in (3, 4)
    assert "error:" in done.stderr
    assert "next:" in done.stderr
    assert "Traceback" not in done.stderr


def test_then_there_is_nothing_to_change(story: Story) -> None:
    done = story.project.run("plan", *WHERE, "--format", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["summary"] == {"add": 0, "change": 0, "destroy": 0}
