import json
import os
import signal
import stat
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from payinfra.core.errors import EnvironmentUnusable, ExitCode, GateFailed, Interrupted, UsageProblem
from payinfra.core.events import Event, Notice, ResourceFinished, ResourceStarted
from payinfra.terraform import (
    Binary,
    ChangeAction,
    Import,
    LostReplica,
    StopTimeouts,
    Terraform,
    TerraformFailed,
    guard,
)
from payinfra.terraform.events import OutputValue
from payinfra.terraform.leftover_process import LeftoverProcess, Process, identify, recorded
from payinfra.terraform.lockfile import PLACED, SHIPPED

Scripted = Callable[..., Binary]
Calls = Callable[[], list[dict[str, object]]]
TABLE = "aws_dynamodb_table.payments"


def message(kind: str, **content: object) -> list[str]:
    return ["out", json.dumps({"type": kind, "@timestamp": "2026-01-02T03:04:05.000000Z", **content})]


def hook(kind: str, action: str = "create") -> list[str]:
    return message(kind, hook={"resource": {"addr": TABLE}, "action": action})


def planned(action: str) -> list[str]:
    resource = {"addr": TABLE, "resource_type": "aws_dynamodb_table"}
    return message("planned_change", change={"resource": resource, "action": action})


def failed(summary: str, detail: str = "") -> list[list[str | int]]:
    diagnostic = {"severity": "error", "summary": summary, "detail": detail}
    return [[*message("diagnostic", diagnostic=diagnostic)], ["exit", 1]]


class Setup:
    """A Terraform in a work folder of its own, and what it emitted."""

    def __init__(self, folder: Path, scripted: Scripted) -> None:
        self.folder = folder / "stack"
        self.data = folder / "work/terraform"
        self.log = folder / "work/logs/terraform.log"
        self.cache = folder / "cache"
        self.events: list[Event] = []
        self.environment = {"PATH": os.environ["PATH"]}
        self.on_event: Callable[[Event], None] = lambda _event: None
        self.patience: StopTimeouts | None = None
        self._home = folder / "home"
        self._scripted = scripted
        self.folder.mkdir()

    def terraform(self, script: dict[str, Sequence[Sequence[str | int]]], *, cache: bool = True) -> Terraform:
        def emit(event: Event) -> None:
            self.events.append(event)
            self.on_event(event)

        return Terraform(
            binary=self._scripted(script),
            folder=self.folder,
            data_dir=self.data,
            log=self.log,
            environment=self.environment,
            emit=emit,
            provider_cache=self.cache if cache else None,
            home=self._home,
            patience=self.patience,
            add_on=self._home,
        )

    def notices(self) -> list[str]:
        return [event.message for event in self.events if isinstance(event, Notice)]


@pytest.fixture
def setup(tmp_path: Path, scripted: Scripted) -> Setup:
    return Setup(tmp_path, scripted)


# -- init ------------------------------------------------------------------------------------------


def test_init_places_the_lock_and_runs_in_the_stacks_folder(setup: Setup, calls: Calls) -> None:
    providers = {"terraform": {"required_providers": {"aws": {"source": "aws"}}}}
    (setup.folder / "cdk.tf.json").write_text(json.dumps(providers))
    setup.terraform({}).init()
    (call,) = calls()
    assert call["argv"] == ["init", "-json", "-input=false", "-no-color", "-lockfile=readonly"]
    assert call["cwd"] == str(setup.folder)
    assert (setup.folder / PLACED).read_bytes() == SHIPPED.read_bytes()


def test_terraform_gets_a_scrubbed_environment(setup: Setup, calls: Calls) -> None:
    setup.environment |= {
        "TF_CLI_ARGS_plan": "-target=x",
        "TF_CLI_CONFIG_FILE": "/absent",
        "TF_LOG": "WARN",
    }
    setup.terraform({}).init()
    (call,) = calls()
    environment = call["env"]
    assert isinstance(environment, dict)
    assert environment["TF_DATA_DIR"] == str(setup.data)
    assert environment["TF_CLI_CONFIG_FILE"] == str(setup.data / "payinfra.tfrc")
    assert environment["TF_IN_AUTOMATION"] == "1"
    assert environment["TF_LOG"] == "WARN"
    assert "TF_CLI_ARGS_plan" not in environment
    assert setup.notices() == [
        "TF_CLI_ARGS_plan is set and not used: payinfra decides what Terraform is asked."
    ]


def test_the_provider_cache_is_shared_and_optional(setup: Setup) -> None:
    setup.terraform({}).init()
    assert str(setup.cache) in (setup.data / "payinfra.tfrc").read_text()
    setup.terraform({}, cache=False).init()
    assert "plugin_cache_dir" not in (setup.data / "payinfra.tfrc").read_text()


def test_what_was_initialised_is_not_initialised_again(setup: Setup, calls: Calls) -> None:
    setup.terraform({}).init()
    setup.terraform({}).init()
    assert len(calls()) == 1
    (setup.folder / "cdk.tf.json").write_text('{"terraform": {"backend": {"s3": {}}}}')
    setup.terraform({}).init()
    assert len(calls()) == 2


def test_after_a_failure_the_next_init_runs(setup: Setup, calls: Calls, tmp_path: Path) -> None:
    terraform = setup.terraform({"plan": failed("Required plugins are not installed")})
    terraform.init()
    with pytest.raises(TerraformFailed):
        terraform.plan(tmp_path / "p")
    terraform.init()
    assert [str(call["argv"]).split("'")[1] for call in calls()] == ["init", "plan", "init"]


def test_two_inits_take_turns_at_the_cache(setup: Setup, tmp_path: Path) -> None:
    """The second starts only when the first is done, so neither sees the other's start without its end."""
    order: list[str] = []
    first = setup.terraform({"init": [["out", "up"]]})
    second = setup.terraform({"init": [["out", "up"]]})
    inside = threading.Event()

    def hold() -> None:
        with first._cache_to_itself():
            inside.set()
            order.append("first in")
            threads[1].join(0.05)
            order.append("first out")

    def enter() -> None:
        inside.wait()
        with second._cache_to_itself():
            order.append("second in")

    threads = [threading.Thread(target=hold), threading.Thread(target=enter)]
    for thread in reversed(threads):
        thread.start()
    for thread in threads:
        thread.join()
    assert order == ["first in", "first out", "second in"]


def test_an_unreachable_registry_cannot_be_used(setup: Setup) -> None:
    terraform = setup.terraform(
        {"init": failed("Failed to query available provider packages", "could not connect to registry")}
    )
    with pytest.raises(EnvironmentUnusable, match="no mirror serves it"):
        terraform.init()


def test_a_mirror_that_is_none_is_refused_before_terraform_starts(setup: Setup, calls: Calls) -> None:
    setup.environment["PAYINFRA_PROVIDER_MIRROR"] = "/absent"
    with pytest.raises(UsageProblem):
        setup.terraform({}).init()
    assert calls() == []


# -- plan ------------------------------------------------------------------------------------------


def test_a_plan_is_read_from_the_events_alone(setup: Setup, calls: Calls, tmp_path: Path) -> None:
    outputs = {"endpoint": {"sensitive": False, "action": "create"}}
    terraform = setup.terraform(
        {
            "plan": [
                planned("create"),
                message("change_summary", changes={"add": 1, "change": 0, "remove": 0}),
                message("outputs", outputs=outputs),
            ]
        }
    )
    out = tmp_path / "saved.tfplan"
    plan = terraform.plan(out)
    assert (plan.add, plan.change, plan.destroy) == (1, 0, 0)
    assert [change.address for change in plan.changes] == [TABLE]
    assert [output.name for output in plan.outputs] == ["endpoint"]
    assert plan.file == out
    assert [call["argv"] for call in calls()] == [
        ["plan", "-json", "-input=false", "-no-color", f"-out={out}"]
    ]


def test_a_plan_takes_its_options(setup: Setup, calls: Calls, tmp_path: Path) -> None:
    out = tmp_path / "p"
    terraform = setup.terraform({})
    terraform.plan(out, destroy=True, targets=["a.b"], replace=["c.d", "e.f"])
    refreshed = terraform.plan(out, refresh_only=True)
    common = ["plan", "-json", "-input=false", "-no-color", f"-out={out}"]
    assert [call["argv"] for call in calls()] == [
        [*common, "-destroy", "-target=a.b", "-replace=c.d", "-replace=e.f"],
        [*common, "-refresh-only"],
    ]
    assert refreshed.refresh_only


def test_a_plan_takes_in_what_exists(setup: Setup, calls: Calls, tmp_path: Path) -> None:
    resource = {"addr": TABLE, "resource_type": "aws_dynamodb_table"}
    change = {"resource": resource, "action": "update", "importing": {"id": "payment-a-payments"}}
    blocks = tmp_path / "blocks.json"
    script: dict[str, Sequence[Sequence[str | int]]] = {
        "plan": [
            ["copy", str(setup.folder / "imports.tf.json"), str(blocks)],
            message("planned_change", change=change),
        ],
        "show": [["out", "{}"]],
    }
    plan = setup.terraform(script).plan(tmp_path / "p", imports=[Import(TABLE, "payment-a-payments")])
    assert json.loads(blocks.read_text()) == {"import": [{"to": TABLE, "id": "payment-a-payments"}]}
    assert [(one.action, one.import_id) for one in plan.changes] == [
        (ChangeAction.UPDATE, "payment-a-payments")
    ]
    assert list(setup.folder.glob("*.tf.json")) == [], "the saved plan carries the blocks"


def test_a_plan_can_leave_everything_as_it_is(setup: Setup, tmp_path: Path) -> None:
    override = tmp_path / "override.json"
    placed = setup.folder / "unchanged_override.tf.json"
    setup.terraform({"plan": [["copy", str(placed), str(override)]]}).plan(tmp_path / "p", unchanged=[TABLE])
    ignored = {"lifecycle": {"ignore_changes": "all"}}
    assert json.loads(override.read_text()) == {"resource": {"aws_dynamodb_table": {"payments": ignored}}}
    assert list(setup.folder.glob("*.tf.json")) == []


def test_blocks_that_a_killed_run_left_are_not_planned_again(setup: Setup, tmp_path: Path) -> None:
    left = setup.folder / "imports.tf.json"
    left.write_text("{}")
    setup.terraform({"plan": [["absent", str(left)]]}).plan(tmp_path / "p")
    assert not left.exists()


def test_a_plan_that_fails_leaves_no_blocks(setup: Setup, tmp_path: Path) -> None:
    terraform = setup.terraform({"plan": failed("Cannot import non-existent remote object")})
    with pytest.raises(TerraformFailed, match="non-existent"):
        terraform.plan(tmp_path / "p", imports=[Import(TABLE, "gone")])
    assert list(setup.folder.glob("*.tf.json")) == []


def test_a_table_that_loses_a_replica_is_found_and_refused(
    setup: Setup, calls: Calls, tmp_path: Path
) -> None:
    shown = {
        "resource_changes": [
            {
                "address": TABLE,
                "type": "aws_dynamodb_table",
                "change": {
                    "actions": ["update"],
                    "before": {"replica": [{"region_name": "us-west-2"}]},
                    "after": {"replica": []},
                },
            }
        ]
    }
    terraform = setup.terraform({"plan": [planned("update")], "show": [["out", json.dumps(shown)]]})
    plan = terraform.plan(tmp_path / "p")
    assert plan.lost_replicas == (LostReplica(TABLE, "us-west-2"),)
    with pytest.raises(GateFailed, match="would lose its replica in us-west-2"):
        guard(plan)
    assert len(calls()) == 2


def test_a_saved_plan_is_shown(setup: Setup, tmp_path: Path) -> None:
    change = {"address": TABLE, "type": "aws_dynamodb_table", "change": {"actions": ["delete"]}}
    terraform = setup.terraform({"show": [["out", json.dumps({"resource_changes": [change]})]]})
    plan = terraform.show(tmp_path / "p")
    assert plan.file == tmp_path / "p"
    assert [one.action for one in plan.changes] == [ChangeAction.DELETE]


def test_the_plan_that_was_shown_last_is_remembered_until_it_changes(
    setup: Setup, calls: Calls, tmp_path: Path
) -> None:
    file = tmp_path / "p"
    file.write_text("one")
    terraform = setup.terraform({"show": [["out", '{"a": 1}']]})
    assert terraform.shown(file) == terraform.shown(file) == {"a": 1}
    assert len(calls()) == 1
    os.utime(file, ns=(1, 1))
    terraform.shown(file)
    assert len(calls()) == 2


def test_a_file_that_is_no_plan_fails(setup: Setup, tmp_path: Path) -> None:
    terraform = setup.terraform({"show": [["err", "\n╷\n│ Error: not\n│ a plan\n╵"], ["exit", 1]]})
    with pytest.raises(TerraformFailed, match="terraform show failed: Error: not a plan"):
        terraform.show(tmp_path / "p")


def test_a_held_lock_is_an_unusable_environment(setup: Setup, tmp_path: Path) -> None:
    detail = "Lock Info:\n  Who:       ana@laptop\n  Operation: OperationTypeApply\n"
    terraform = setup.terraform({"plan": failed("Error acquiring the state lock", detail)})
    with pytest.raises(EnvironmentUnusable, match="ana@laptop") as caught:
        terraform.plan(tmp_path / "p")
    assert caught.value.exit_code is ExitCode.UNUSABLE_ENVIRONMENT


# -- apply -----------------------------------------------------------------------------------------


def test_apply_emits_resources_and_returns_the_outputs(setup: Setup, calls: Calls, tmp_path: Path) -> None:
    outputs = {"endpoint": {"sensitive": False, "type": "string", "value": "https://example.org"}}
    terraform = setup.terraform(
        {"apply": [hook("apply_start"), hook("apply_complete"), message("outputs", outputs=outputs)]}
    )
    assert terraform.apply(tmp_path / "p") == {
        "endpoint": OutputValue("https://example.org", False, "string")
    }
    assert [type(event) for event in setup.events] == [ResourceStarted, ResourceFinished]
    assert calls()[0]["argv"] == ["apply", "-json", "-input=false", "-no-color", str(tmp_path / "p")]


def test_a_failing_apply_names_the_error_and_the_log(setup: Setup, tmp_path: Path) -> None:
    terraform = setup.terraform({"apply": failed("creating S3 Bucket", "AccessDenied")})
    with pytest.raises(TerraformFailed) as caught:
        terraform.apply(tmp_path / "p")
    assert caught.value.what == "terraform apply failed: creating S3 Bucket: AWS denies a permission."
    assert str(setup.log) in caught.value.hint


def test_the_log_has_every_line_and_is_for_its_owner_only(setup: Setup, tmp_path: Path) -> None:
    terraform = setup.terraform({"plan": [["out", "one"]], "apply": [["err", "two"]]})
    terraform.plan(tmp_path / "p")
    terraform.apply(tmp_path / "p")
    lines = setup.log.read_text().splitlines()
    assert [line.split(": ")[-1] for line in lines] == ["terraform plan", "one", "terraform apply", "two"]
    assert stat.S_IMODE(setup.log.stat().st_mode) == 0o600
    assert list(setup.log.parent.iterdir()) == [setup.log], "no output file stays behind"


def test_credentials_reach_neither_log_nor_error(setup: Setup, tmp_path: Path) -> None:
    setup.environment["AWS_SECRET_ACCESS_KEY"] = "abcdefgh12345678"
    terraform = setup.terraform({"apply": failed("denied", "signed with abcdefgh12345678")})
    with pytest.raises(TerraformFailed) as caught:
        terraform.apply(tmp_path / "p")
    assert "abcdefgh" not in caught.value.what
    assert "(hidden)" in caught.value.what
    assert "abcdefgh" not in setup.log.read_text()


QUOTED = '{"resource": {"aws_ssm_parameter": {"api_key": {"value": "the-key-in-the-state"}}}}'


def test_what_is_quoted_of_the_stack_reaches_neither_log_nor_error(setup: Setup, tmp_path: Path) -> None:
    snippet = {"context": 'provider "aws"', "code": QUOTED, "start_line": 1, "values": []}
    diagnostic = {"severity": "error", "summary": "no account", "detail": "asked STS", "snippet": snippet}
    in_a_box = ["err", f"│    1: {QUOTED}"]
    terraform = setup.terraform(
        {"apply": [[*message("diagnostic", diagnostic=diagnostic)], in_a_box, ["exit", 1]]}
    )
    with pytest.raises(TerraformFailed) as caught:
        terraform.apply(tmp_path / "p")
    said = setup.log.read_text()
    assert caught.value.what == "terraform apply failed: no account: asked STS"
    assert "no account" in said
    assert "the-key-in-the-state" not in said + caught.value.hint


def test_what_only_speaks_of_a_snippet_is_logged_as_it_is(setup: Setup, tmp_path: Path) -> None:
    said = '{"@message":"aws_x.snippet: Creating...","type":"apply_start"}'
    setup.terraform({"apply": [["out", said]]}).apply(tmp_path / "p")
    assert said in setup.log.read_text().splitlines()


def test_an_answer_that_quotes_the_stack_is_told_without_it(setup: Setup) -> None:
    terraform = setup.terraform({"output": [["err", f"Error: no backend\n\n   1: {QUOTED}"], ["exit", 1]]})
    with pytest.raises(TerraformFailed) as caught:
        terraform.outputs()
    assert "no backend" in caught.value.what
    assert "the-key-in-the-state" not in caught.value.what


# -- interrupts ------------------------------------------------------------------------------------


def interruptible(*after: list[str]) -> dict[str, Sequence[Sequence[str | int]]]:
    return {"apply": [hook("apply_start"), ["hear", "INT"], *after, ["exit", 1]]}


def test_an_interrupt_reaches_terraform_and_is_reported(setup: Setup, tmp_path: Path) -> None:
    def press(event: Event) -> None:
        if isinstance(event, ResourceStarted):
            os.kill(os.getpid(), signal.SIGINT)

    setup.on_event = press
    terraform = setup.terraform(interruptible(hook("apply_complete")))
    with pytest.raises(Interrupted) as caught:
        terraform.apply(tmp_path / "p")
    assert caught.value.exit_code is ExitCode.INTERRUPTED
    assert caught.value.what == "Interrupted: terraform apply has ended and released its lock."
    assert setup.notices() == [
        f"Interrupted: waiting for Terraform to end and release its lock. It is still working on {TABLE}."
    ]


def test_a_second_interrupt_says_what_is_going_on(setup: Setup, tmp_path: Path) -> None:
    def press(event: Event) -> None:
        if isinstance(event, ResourceStarted | ResourceFinished):
            os.kill(os.getpid(), signal.SIGINT)
        if isinstance(event, Notice) and "has been told" in event.message:
            (child,) = setup.data.glob("running/*.json")
            os.kill(int(child.stem), signal.SIGUSR1)

    setup.on_event = press
    terraform = setup.terraform(interruptible(hook("apply_complete"), ["hear", "USR1"]))
    with pytest.raises(Interrupted):
        terraform.apply(tmp_path / "p")
    assert setup.notices()[1] == (
        "Terraform has been told and is ending; stopping it by force could lose track of resources."
    )


def test_force_is_announced_and_its_consequence_told(setup: Setup, tmp_path: Path) -> None:
    setup.patience = StopTimeouts(terminate_after=0.0, kill_after=0.0)
    setup.on_event = lambda event: terraform.interrupt() if isinstance(event, ResourceStarted) else None
    terraform = setup.terraform({"apply": [hook("apply_start"), ["hear", "USR1"]]})
    with pytest.raises(Interrupted, match="stopped by force") as caught:
        terraform.apply(tmp_path / "p")
    assert "may exist that the state does not know" in caught.value.hint
    assert "Terraform did not end in time and is stopped by force." in setup.notices()


def test_after_an_interrupt_nothing_more_is_started(setup: Setup, calls: Calls) -> None:
    terraform = setup.terraform({})
    terraform.interrupt()
    with pytest.raises(Interrupted, match="before terraform init"):
        terraform.init()
    assert calls() == []


# -- what earlier runs left ------------------------------------------------------------------------


def test_a_state_that_could_not_be_saved_is_brought_in_first(
    setup: Setup, calls: Calls, tmp_path: Path
) -> None:
    errored = setup.folder / "errored.tfstate"
    errored.write_text("{}")
    setup.terraform({}).plan(tmp_path / "p")
    assert calls()[0]["argv"] == ["state", "push", "-no-color", str(errored)]
    assert not errored.exists()
    assert (setup.folder / "errored.tfstate.pushed").exists(), "nothing is thrown away"
    assert setup.notices() == ["The state that an earlier run could not save was brought in."]


def test_a_part_of_a_state_gives_way_to_the_whole_one(setup: Setup, tmp_path: Path) -> None:
    backend = {"backend": {"local": {"path": "terraform.tfstate"}}}
    (setup.folder / "cdk.tf.json").write_text(json.dumps({"terraform": backend}))
    state = setup.folder / "terraform.tfstate"
    state.write_text('{"version": 4, "resour')
    (setup.folder / "errored.tfstate").write_text("{}")
    setup.terraform({}).plan(tmp_path / "p")
    assert not state.exists()
    assert state.with_name("terraform.tfstate.damaged").exists(), "nothing is thrown away"


def test_a_whole_state_stays_where_it_is(setup: Setup, tmp_path: Path) -> None:
    backend = {"backend": {"local": {"path": "terraform.tfstate"}}}
    (setup.folder / "cdk.tf.json").write_text(json.dumps({"terraform": backend}))
    (setup.folder / "terraform.tfstate").write_text("{}")
    (setup.folder / "errored.tfstate").write_text("{}")
    setup.terraform({}).plan(tmp_path / "p")
    assert (setup.folder / "terraform.tfstate").exists()


def test_a_state_that_terraform_could_only_print_is_kept_and_not_logged(setup: Setup, tmp_path: Path) -> None:
    dump = {"@message": "Emergency state dump", "state": {"version": 4, "lineage": "a-lineage"}}
    said: list[list[str | int]] = [["out", json.dumps(dump)], ["exit", 1]]
    terraform = setup.terraform({"apply": said})
    with pytest.raises(TerraformFailed, match="terraform apply failed") as told:
        terraform.apply(tmp_path / "p")
    assert json.loads((setup.folder / "errored.tfstate").read_text()) == dump["state"]
    assert "errored.tfstate" in told.value.hint
    assert "a-lineage" not in terraform.log.read_text()


def test_an_empty_last_resort_is_brought_in_nowhere(setup: Setup, calls: Calls, tmp_path: Path) -> None:
    (setup.folder / "errored.tfstate").touch()
    setup.terraform({}).plan(tmp_path / "p")
    assert "push" not in str(calls())


def test_a_state_that_cannot_be_brought_in_stops_everything(
    setup: Setup, calls: Calls, tmp_path: Path
) -> None:
    errored = setup.folder / "errored.tfstate"
    errored.write_text("{}")
    terraform = setup.terraform({"state push": [["err", "serial is older"], ["exit", 1]]})
    with pytest.raises(EnvironmentUnusable, match="serial is older"):
        terraform.apply(tmp_path / "p")
    assert errored.exists()
    assert len(calls()) == 1


def test_a_run_waits_for_the_terraform_of_a_killed_one(
    setup: Setup, scripted: Scripted, tmp_path: Path
) -> None:
    gone = Process(2**22 + 1, "1")  # above the kernel's highest process number
    child = identify(os.getpid())
    output = tmp_path / "output"
    record = LeftoverProcess(child, gone, output)
    terraform = setup.terraform({})
    with recorded(setup.data / "running", record):

        def end(_event: Event) -> None:
            (setup.data / "running" / f"{child.pid}.json").unlink()

        setup.on_event = end
        terraform.plan(tmp_path / "p")
    assert setup.notices() == [
        f"An earlier run was killed; waiting until its Terraform has saved its state (process {child.pid})."
    ]


def test_waiting_for_a_killed_run_is_bounded(setup: Setup, calls: Calls, tmp_path: Path) -> None:
    terraform = setup.terraform({})
    terraform.orphan_wait_s = 0.0
    with (
        recorded(
            setup.data / "running",
            LeftoverProcess(identify(os.getpid()), Process(2**22 + 1, "1"), tmp_path),
        ),
        pytest.raises(EnvironmentUnusable, match="still at work"),
    ):
        terraform.plan(tmp_path / "p")
    assert calls() == []


# -- the state by hand -----------------------------------------------------------------------------


def test_what_exists_is_adopted_one_by_one(setup: Setup, calls: Calls) -> None:
    setup.terraform({}).adopt([Import(TABLE, "payment-a-payments"), Import("c.d", "7")])
    assert [call["argv"] for call in calls()] == [
        ["import", "-input=false", "-no-color", TABLE, "payment-a-payments"],
        ["import", "-input=false", "-no-color", "c.d", "7"],
    ]


def test_what_does_not_exist_cannot_be_adopted(setup: Setup, calls: Calls) -> None:
    script: dict[str, Sequence[Sequence[str | int]]] = {
        "import": [["err", "Error: Cannot import non-existent remote object"], ["exit", 1]]
    }
    with pytest.raises(TerraformFailed, match="import failed with exit code 1: Error: Cannot import non-ex"):
        setup.terraform(script).adopt([Import(TABLE, "gone"), Import("c.d", "7")])
    assert len(calls()) == 1


def test_a_held_lock_keeps_what_exists_from_being_adopted(setup: Setup) -> None:
    lines = ("│ Error: Error acquiring the state lock", "│ Lock Info:", "│   Who:       ana@laptop")
    script: dict[str, Sequence[Sequence[str | int]]] = {
        "import": [*(["err", line] for line in lines), ["exit", 1]]
    }
    with pytest.raises(EnvironmentUnusable, match="ana@laptop"):
        setup.terraform(script).adopt([Import(TABLE, "there")])


def test_marks_are_taken_off_one_by_one(setup: Setup, calls: Calls) -> None:
    setup.terraform({}).untaint([TABLE, "c.d"])
    assert [call["argv"] for call in calls()] == [
        ["untaint", "-no-color", TABLE],
        ["untaint", "-no-color", "c.d"],
    ]
    said: list[list[str | int]] = [["err", "Error: Resource instance c.d is not tainted"], ["exit", 1]]
    with pytest.raises(TerraformFailed, match="terraform untaint failed: Error: Resource instance"):
        setup.terraform({"untaint": said}).untaint(["c.d"])


def test_the_state_is_read(setup: Setup) -> None:
    instance = {"status": "tainted", "attributes": {"id": "payment-a-payments"}}
    table = {"mode": "managed", "type": "aws_dynamodb_table", "name": "payments", "instances": [instance]}
    found = setup.terraform({"state pull": [["out", json.dumps({"resources": [table]})]]}).resources()
    assert [(one.address, one.id, one.tainted) for one in found] == [(TABLE, "payment-a-payments", True)]
    assert setup.terraform({}).resources() == ()
    assert not setup.log.exists()
    with pytest.raises(TerraformFailed, match="terraform state pull failed: no access"):
        setup.terraform({"state pull": [["err", "no access"], ["exit", 1]]}).resources()


def test_what_a_plan_would_create_is_read(setup: Setup, calls: Calls, tmp_path: Path) -> None:
    change = {"actions": ["create"], "after": {"name": "payment-a-payments"}}
    shown = {"resource_changes": [{"address": TABLE, "type": "aws_dynamodb_table", "change": change}]}
    found = setup.terraform({"show": [["out", json.dumps(shown)]]}).creations(tmp_path / "p")
    assert [(one.address, one.value("name")) for one in found] == [(TABLE, "payment-a-payments")]
    assert calls()[0]["argv"] == ["show", "-no-color", "-json", str(tmp_path / "p")]


# -- forgetting ------------------------------------------------------------------------------------


KNOWN: list[list[str | int]] = [["out", TABLE], ["out", 'c.d["e"]']]


def test_what_the_state_has_is_forgotten_in_one_go(setup: Setup, calls: Calls) -> None:
    terraform = setup.terraform({"state list": KNOWN})
    assert terraform.forget([TABLE, "never.made", 'c.d["e"]']) == (TABLE, 'c.d["e"]')
    assert calls()[-1]["argv"] == ["state", "rm", "-no-color", TABLE, 'c.d["e"]']


def test_what_the_state_does_not_have_needs_no_forgetting(setup: Setup, calls: Calls) -> None:
    assert setup.terraform({"state list": KNOWN}).forget(["never.made"]) == ()
    assert [call["argv"] for call in calls()] == [["state", "list", "-no-color"]]


def test_a_state_that_cannot_be_written_is_said(setup: Setup) -> None:
    said: list[list[str | int]] = [["err", "╷\n│ Error: no space left\n╵"], ["exit", 1]]
    with pytest.raises(TerraformFailed, match="terraform state rm failed: Error: no space left"):
        setup.terraform({"state list": KNOWN, "state rm": said}).forget([TABLE])


def test_a_held_lock_keeps_resources_from_being_forgotten(setup: Setup) -> None:
    box = "│ Error: Error acquiring the state lock\n│ Lock Info:\n│   ID:        7\n│   Who:       ana@laptop"
    with pytest.raises(EnvironmentUnusable, match="ana@laptop") as caught:
        setup.terraform({"state list": KNOWN, "state rm": [["err", box], ["exit", 1]]}).forget([TABLE])
    assert "payinfra unlock 7" in caught.value.hint


def test_forgetting_waits_for_what_a_killed_run_left(setup: Setup, calls: Calls, tmp_path: Path) -> None:
    terraform = setup.terraform({})
    terraform.orphan_wait_s = 0.0
    with (
        recorded(
            setup.data / "running",
            LeftoverProcess(identify(os.getpid()), Process(2**22 + 1, "1"), tmp_path),
        ),
        pytest.raises(EnvironmentUnusable, match="still at work"),
    ):
        terraform.forget([TABLE])
    assert calls() == []


# -- questions -------------------------------------------------------------------------------------


def test_outputs_come_with_sensitive_values_that_no_log_sees(setup: Setup) -> None:
    printed = {"key": {"sensitive": True, "type": "string", "value": "hunter2"}}
    terraform = setup.terraform({"output": [["out", json.dumps(printed)]]})
    assert terraform.outputs()["key"].value == "hunter2"
    assert not setup.log.exists()


def test_the_state_is_listed(setup: Setup) -> None:
    assert setup.terraform({"state list": [["out", "a.b"], ["out", 'c.d["e"]']]}).state_list() == (
        "a.b",
        'c.d["e"]',
    )
    assert setup.terraform({}).state_list() == ()
    no_state: list[list[str | int]] = [["err", "No state file was found!"], ["exit", 1]]
    assert setup.terraform({"state list": no_state}).state_list() == ()
    with pytest.raises(TerraformFailed, match="state list failed: it does not say why"):
        setup.terraform({"state list": [["exit", 3]]}).state_list()


def test_questions_are_asked_without_colour(setup: Setup, calls: Calls, tmp_path: Path) -> None:
    terraform = setup.terraform(
        {"show": [["out", "{}"]], "output": [["out", "{}"]], "validate": [["out", "{}"]]}
    )
    terraform.show(tmp_path / "p")
    terraform.outputs()
    terraform.validate()
    terraform.state_list()
    assert [call["argv"] for call in calls()] == [
        ["show", "-no-color", "-json", str(tmp_path / "p")],
        ["output", "-no-color", "-json"],
        ["validate", "-no-color", "-json"],
        ["state", "list", "-no-color"],
    ]


def test_schemas_are_read_and_a_failure_is_named(setup: Setup) -> None:
    schema = '{"provider_schemas": {}}'
    assert setup.terraform({"providers schema": [["out", schema]]}).providers_schema() == {
        "provider_schemas": {}
    }
    with pytest.raises(TerraformFailed, match="terraform providers schema failed"):
        setup.terraform({"providers schema": [["exit", 1]]}).providers_schema()


def test_validation_gives_what_is_wrong(setup: Setup) -> None:
    printed = {"valid": False, "diagnostics": [{"severity": "error", "summary": "no such argument"}]}
    terraform = setup.terraform({"validate": [["out", json.dumps(printed)], ["exit", 1]]})
    assert [one.summary for one in terraform.validate()] == ["no such argument"]
    with pytest.raises(TerraformFailed, match="not initialised"):
        setup.terraform({"validate": [["err", "not initialised"], ["exit", 1]]}).validate()


def test_a_question_that_is_never_answered_ends(setup: Setup) -> None:
    terraform = setup.terraform({"state list": [["hear", "INT"]]})
    terraform.question_timeout_s = 0.01
    with pytest.raises(TerraformFailed, match="did not answer within"):
        terraform.state_list()


def test_the_home_folder_is_the_environments(setup: Setup, scripted: Scripted, tmp_path: Path) -> None:
    home = tmp_path / "from-environment"
    home.mkdir()
    (home / ".terraformrc").write_text("disable_checkpoint = true")
    Terraform(
        binary=scripted({}),
        folder=setup.folder,
        data_dir=setup.data,
        log=setup.log,
        environment={"HOME": str(home)},
        add_on=tmp_path / "absent",
    ).init()
    assert not (setup.data / "payinfra.tfrc").exists(), "the person's own configuration is in use"


# -- values --------------------------------------------------------------------------------------------


def test_what_a_plan_would_do_to_what_exists_is_read_value_by_value(setup: Setup, tmp_path: Path) -> None:
    change = {"before": {"size": 1}, "after": {"size": 2}}
    shown = {"resource_changes": [{"mode": "managed", "address": TABLE, "type": "t", "change": change}]}
    (found,) = setup.terraform({"show": [["out", json.dumps(shown)]]}).planned_changes(tmp_path / "p")
    assert (found.address, found.differences()) == (TABLE, (("size",),))


STATE = {
    "version": 4,
    "serial": 3,
    "resources": [
        {
            "mode": "managed",
            "type": "aws_dynamodb_table",
            "name": "payments",
            "instances": [{"attributes": {"id": "t"}}],
        }
    ],
}


def test_attributes_are_pushed_as_the_next_version_of_the_state(
    setup: Setup, calls: Calls, tmp_path: Path
) -> None:
    pushed = tmp_path / "pushed.json"
    file = setup.data / f"state.{os.getpid()}.json"
    setup.data.mkdir(parents=True)
    script: dict[str, Sequence[Sequence[str | int]]] = {
        "state pull": [["out", json.dumps(STATE)]],
        "state push": [["copy", str(file), str(pushed)]],
    }
    setup.terraform(script).set_attributes({TABLE: {"stream": True}})
    written = json.loads(pushed.read_text())
    assert written["serial"] == 4
    assert written["resources"][0]["instances"][0]["attributes"] == {"id": "t", "stream": True}
    assert [call["argv"] for call in calls()] == [
        ["state", "pull", "-no-color"],
        ["state", "push", "-no-color", str(file)],
    ]
    assert not file.exists(), "a state holds secrets"


def test_a_state_that_is_locked_or_cannot_be_read_is_not_written(setup: Setup) -> None:
    setup.data.mkdir(parents=True)
    locked = setup.terraform(
        {
            "state pull": [["out", json.dumps(STATE)]],
            "state push": [["err", "Error acquiring the state lock"], ["exit", 1]],
        }
    )
    with pytest.raises(EnvironmentUnusable, match="cannot be locked"):
        locked.set_attributes({TABLE: {}})
    assert list(setup.data.glob("state.*")) == []
    with pytest.raises(TerraformFailed, match="state pull failed: no such bucket"):
        setup.terraform({"state pull": [["err", "no such bucket"], ["exit", 1]]}).set_attributes({})
