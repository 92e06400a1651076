"""What goes wrong in mid-apply loses nothing, and an update that is cut off spreads no bad release.

One environment of its own meets four blows, each in the midst of the calls that make things: payinfra is
killed, then interrupted, then the state loses everything that could have been under way, and while that is
being adopted the embedded AWS is killed. Then it stands, and a handler that raises is on its way to both
regions while signals, kills and a lost journal come between. The tests stand in the order of the story.
"""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from payinfra.core.events import ignore
from payinfra.core.settings import Settings
from payinfra.deployment import dependencies
from payinfra.deployment.recovery.import_ids import LOOKUPS
from payinfra.local.lifecycle import WaitClock
from payinfra.stacks import stack_folder
from payinfra.stacks.lambda_zip import handlers_folder
from tests.e2e.conftest import Deployment, Done, Project

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


# -- updates with a handler that raises ----------------------------------------------------------------------

ROLES = ("primary", "secondary")
RAISES = """

def handle(event, context):
    raise RuntimeError("a bad release")
"""
STOPPING_ALREADY = "· Stopping already. The same signal once more ends payinfra without cleaning up.\n"
JOURNAL = Path(".payinfra") / "local" / ENV / "rolling-update.json"


@dataclass(frozen=True)
class Update:
    """An environment that serves, and a bad release for it.

    Attributes:
        handlers: the folder of the bad release.
        before: the versions that the regions' APIs call.
    """

    deployment: Deployment
    handlers: Path
    before: dict[str, str]

    @property
    def journal(self) -> Path:
        return self.deployment.project.folder / JOURNAL

    def versions(self) -> dict[str, str]:
        return versions(self.deployment)

    def run(self, *more: str) -> Done:
        return self.deployment.project.run(*DEPLOY, "--handlers", str(self.handlers), *more)

    def strike(self, number: signal.Signals) -> Done:
        """Begin the update, and send a signal while the secondary, which has the release, is verified."""
        process = self.deployment.project.start(*DEPLOY, "--handlers", str(self.handlers))
        read: list[str] = []
        try:
            assert process.stderr is not None
            for line in process.stderr:
                read.append(line)
                if line.startswith("> verify secondary"):
                    process.send_signal(number)
            process.wait(240)
        finally:
            process.kill()
            process.communicate()
        return Done(process.returncode, "", "".join(read), 0)

    def assert_all_is_as_before(self) -> None:
        assert self.versions() == self.before
        assert not self.journal.exists()
        assert [health(self.deployment, role) for role in ROLES] == [200, 200]


def versions(deployment: Deployment) -> dict[str, str]:
    """The version that each region's API calls."""
    return {
        role: deployment.client("lambda", role).get_alias(
            FunctionName=deployment.output("lambda_function_name", role), Name="live"
        )["FunctionVersion"]
        for role in ROLES
    }


def health(deployment: Deployment, role: str) -> int:
    url = deployment.output("api_endpoint", role).removesuffix("/payments")
    return httpx.get(f"{url}/health", timeout=30).status_code


@pytest.fixture(scope="module")
def update(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Update:
    handlers = tmp_path_factory.mktemp("bad")
    package = handlers / "payments"
    shutil.copytree(handlers_folder() / "payments", package, ignore=shutil.ignore_patterns("__pycache__"))
    with (package / "handler.py").open("a", encoding="utf-8") as handler:
        handler.write(RAISES)
    project = story.project
    outputs = json.loads((project.folder / "cfn-outputs" / "flat-outputs.json").read_text())
    deployment = Deployment(project, ENV, outputs, project.control.status().endpoints, story.deployed)
    return Update(deployment, handlers, versions(deployment))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_the_secondary_is_verified_rolls_it_back(
    update: Update, number: signal.Signals
) -> None:
    struck = update.strike(number)
    assert struck.returncode == 130, struck.stderr
    assert f"points to version {update.before['secondary']} again" in struck.stderr
    # Nothing may follow it but the answer to a further signal.
    assert struck.stderr.removesuffix(STOPPING_ALREADY).endswith("Interrupted.\n"), struck.stderr[-1500:]
    update.assert_all_is_as_before()


@pytest.fixture(scope="module")
def killed(update: Update) -> bytes:
    """The journal of an update that was killed, and is nowhere but here."""
    assert update.strike(signal.SIGKILL).returncode == -signal.SIGKILL
    journal = update.journal.read_bytes()
    update.journal.unlink()
    return journal


def test_a_killed_update_leaves_a_bad_release_and_a_journal_that_names_it(
    update: Update, killed: bytes
) -> None:
    left = json.loads(killed)
    assert (left["region"], left["before"]) == ("us-west-2", update.before["secondary"])
    assert left["deployed"] == update.versions()["secondary"] != update.before["secondary"]


@pytest.mark.usefixtures("killed")
def test_with_the_journal_lost_the_only_region_that_serves_is_spared(update: Update) -> None:
    refused = update.run()
    assert refused.returncode == 1, refused.stderr
    assert "would change us-east-1, the only region that does" in refused.stderr
    assert "--allow-single-region" in refused.stderr
    assert update.versions()["primary"] == update.before["primary"]
    assert health(update.deployment, "primary") == 200


def test_with_the_journal_the_same_command_rolls_back_first_and_never_reaches_the_primary(
    update: Update, killed: bytes
) -> None:
    update.journal.write_bytes(killed)
    again = update.run()
    assert again.returncode == 1, again.stderr
    said = again.stderr
    assert said.index("An update was cut off") < said.index("> roll back") < said.index("> synth")
    assert "us-west-2 does not serve payments" in said
    assert "> apply primary" not in said
    update.assert_all_is_as_before()
