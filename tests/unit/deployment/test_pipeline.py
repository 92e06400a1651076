"""The stages in their order, with a scripted Terraform and a scripted world."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from payinfra.account.environments.model import TaggedResource
from payinfra.checks.outcome import Finding, Outcome, summarize
from payinfra.checks.probes.results import ProbeResult, VerifyRequest
from payinfra.checks.verdicts import Kind, Severity
from payinfra.clients.aws import Aws, Endpoints
from payinfra.core.environment_lock import exclusive
from payinfra.core.errors import EnvironmentUnusable, GateFailed, ToolFailed
from payinfra.core.events import Event, Notice, StageFinished, StageSkipped, StageStarted
from payinfra.core.naming import STATUS_SHARDS
from payinfra.core.outputs import Outputs
from payinfra.core.setting_declarations import BY_NAME
from payinfra.core.settings import Settings, Target
from payinfra.deployment.dependencies import SynthesisMode
from payinfra.deployment.guidance import beyond_the_index
from payinfra.deployment.key_rotation.orphaned_keys import OrphanedKey, OrphanedKeys
from payinfra.deployment.left_faults import LeftFaults
from payinfra.deployment.pipeline import Pipeline
from payinfra.deployment.results import ChecksFailed, ProbesFailed
from payinfra.deployment.smoke_test import SmokeTestResult
from payinfra.drill.faults.journal import FaultJournal, Header
from payinfra.terraform import (
    Binary,
    ChangeAction,
    Creation,
    EngineVersion,
    Import,
    Kept,
    OutputValue,
    Plan,
    PlannedChange,
    ResourceChange,
    Terraform,
)
from payinfra.terraform import Engine as TerraformKind
from payinfra.terraform.jsonvalue import JsonValue
from payinfra.terraform.plan import OutputChange
from tests.support.outputs import flat_outputs
from tests.support.scripted_dependencies import ScriptedDependencies, with_dependencies

ENDPOINTS = Endpoints(
    {"us-east-1": "http://127.0.0.1:1", "us-west-2": "http://127.0.0.1:2"}, "http://127.0.0.1:3"
)

BINARY = Binary(TerraformKind.TERRAFORM, ("terraform",), EngineVersion(1, 11, 4, "1.11.4"))
STACK = {
    "provider": {"aws": [{"alias": "primary", "region": "us-east-1"}]},
    "resource": {"aws_kms_key": {"data": {"provider": "aws.primary"}}},
}


def values() -> dict[str, OutputValue]:
    outputs = {name: OutputValue(value, False, "string") for name, value in flat_outputs().items()}
    return outputs | {"a_secret": OutputValue("hush", True, "string")}


def a_plan(file: Path, *, type_: str = "aws_kms_alias", action: ChangeAction = ChangeAction.CREATE) -> Plan:
    return Plan(file, 1, 0, 0, (ResourceChange(f"{type_}.x", type_, action),))


def an_update(file: Path) -> Plan:
    return Plan(file, 0, 1, 0, (ResourceChange("aws_kms_key.x", "aws_kms_key", ChangeAction.UPDATE),))


def a_deletion(file: Path) -> Plan:
    table = ResourceChange("aws_dynamodb_table.kept", "aws_dynamodb_table", ChangeAction.DELETE)
    return Plan(file, 0, 0, 1, (table,))


CLEAN = Outcome("check", (), (), (), summarize(()))
VERIFIED = replace(CLEAN, tool="verify")


def found(severity: Severity, kind: Kind = Kind.FAIL) -> Outcome:
    finding = Finding(
        "PI-S3-001", kind, severity, "Buckets are private", "aws_s3_bucket.x", "it is not", "", ""
    )
    return replace(CLEAN, findings=(finding,))


@dataclass
class ScriptedTerraform:
    """Does as told, and remembers what it was asked."""

    plans: list[Callable[[Path], Plan]]
    calls: list[str] = field(default_factory=list)
    state: Mapping[str, OutputValue] | None = None
    breaks: bool = False
    kept: tuple[Kept, ...] = ()
    unchanged: tuple[str, ...] = ()
    binary: Binary = BINARY
    before: JsonValue = None
    """What AWS says of the one table that a plan deletes."""

    def init(self) -> None:
        self.calls.append("init")

    def plan(
        self,
        out: Path,
        *,
        destroy: bool = False,
        targets: Sequence[str] = (),
        imports: Sequence[Import] = (),
        unchanged: Sequence[str] = (),
    ) -> Plan:
        self.unchanged = tuple(unchanged)
        adopted = (f"+{one.id}" for one in imports)
        self.calls.append(" ".join(["plan", *(["-destroy"] if destroy else []), *targets, *adopted]))
        out.write_text("the plan")
        return self.plans.pop(0)(out)

    def shown(self, plan: Path) -> JsonValue:
        self.calls.append(f"shown {plan.name}")
        change: JsonValue = {"actions": ["delete"], "before": self.before}
        table: JsonValue = {"address": "aws_dynamodb_table.kept", "change": change}
        return {"planned": plan.name, **({"resource_changes": [table]} if self.before else {})}

    def show(self, file: Path) -> Plan:
        self.calls.append(f"show {file.name}")
        return self.plans.pop(0)(file)

    def apply(self, plan: Path) -> Mapping[str, OutputValue]:
        self.calls.append(f"apply {plan.name}")
        if self.breaks:
            raise ToolFailed("terraform apply failed")
        return values()

    def resources(self) -> tuple[Kept, ...]:
        return self.kept

    def untaint(self, addresses: Sequence[str]) -> None:
        self.calls.append(" ".join(["untaint", *addresses]))

    def adopt(self, imports: Sequence[Import]) -> None:
        self.calls.append(" ".join(["import", *(one.id for one in imports)]))

    def creations(self, _plan: Path) -> tuple[Creation, ...]:
        return ()

    def planned_changes(self, _plan: Path) -> tuple[PlannedChange, ...]:
        return ()

    def wait_for_orphans(self) -> None:
        self.calls.append("wait")

    def force_unlock(self, lock: str) -> None:
        self.calls.append(f"force-unlock {lock}")

    def outputs(self) -> Mapping[str, OutputValue]:
        self.calls.append("output")
        return values() if self.state is None else self.state


@dataclass
class LeftKeys:
    """API keys that a rotation left, and how many of them there were when they were removed."""

    keys: tuple[OrphanedKey, ...] = ()
    removed: list[tuple[OrphanedKey, ...]] = field(default_factory=list)

    def look(self) -> tuple[OrphanedKey, ...]:
        return self.keys

    def remove(self) -> tuple[OrphanedKey, ...]:
        self.removed.append(self.keys)
        return self.keys


@dataclass
class ScriptedEnvironment:
    """One environment with scripted surroundings."""

    folder: Path
    terraform: ScriptedTerraform
    protections: list[bool] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    target: Target = Target.LOCAL
    protected: bool = False
    rate: float = 100.0
    spread: bool = True
    reserved: int | None = None
    proven_with: list[Endpoints | None] = field(default_factory=list)
    outcome: Outcome = CLEAN
    account_lacks: str = ""
    verified: Outcome = VERIFIED
    requests: list[VerifyRequest] = field(default_factory=list)
    orphaned_keys: LeftKeys = field(default_factory=LeftKeys)
    zone_refuses: str = ""
    existing: tuple[TaggedResource, ...] = ()
    left: tuple[TaggedResource, ...] = ()
    stack: Mapping[str, object] = field(default_factory=lambda: STACK)
    may_exist: bool = True
    plan_outcome: Outcome = CLEAN
    late: tuple[str, ...] = ()
    protected_after: list[tuple[str, bool]] = field(default_factory=list)
    late_asked: list[tuple[bool, bool]] = field(default_factory=list)
    judged: list[tuple[str, str, JsonValue]] = field(default_factory=list)

    def pipeline(self) -> Pipeline:
        settings = Settings.resolve(
            {
                "env": "demo",
                "target": self.target,
                "protected": self.protected,
                "api_rate_limit": self.rate,
                "spread_statuses": self.spread,
                "reserved_concurrency": self.reserved,
            },
            folder=self.folder,
            environ={},
        )
        dependencies = ScriptedDependencies(
            account=lambda _settings: "123456789012",
            preflight=self.preflight,
            local_up=lambda _settings, _emit: ENDPOINTS,
            local_addresses=lambda _settings: ENDPOINTS,
            synthesize=self.synthesize,
            check=lambda _settings, _folder: self.outcome,
            check_plan=self.check_plan,
            terraform=lambda _settings, _folder, _emit: cast(Terraform, self.terraform),
            smoke_test=self.smoke_test,
            verify=self.verify,
            control=lambda _settings: None,
            orphaned_keys=lambda _settings, _endpoints: cast(OrphanedKeys, self.orphaned_keys),
            clear_zone=lambda settings, _endpoints: (
                self.zone_refuses and f"{self.zone_refuses} {settings.env}"
            ),
            existing=lambda _settings, _endpoints: self.existing,
            remaining=lambda _settings, _endpoints: self.left,
            late_log_groups=self.late_log_groups,
            may_exist=lambda _settings, _endpoints: self.may_exist,
            set_protection=self.set_protection,
        )
        latest = self.folder / "cfn-outputs" / "flat-outputs.json"
        return Pipeline(settings, self.events.append, dependencies=dependencies, latest_outputs=latest)

    def late_log_groups(
        self, _settings: Settings, _endpoints: Endpoints | None, destroyed: bool, known: Outputs | None
    ) -> tuple[str, ...]:
        self.late_asked.append((destroyed, known is not None))
        return self.late

    def set_protection(
        self, _settings: Settings, _endpoints: Endpoints | None, wanted: bool
    ) -> tuple[str, ...]:
        self.protected_after.append((self.terraform.calls[-1], wanted))
        return ("us-west-2",) if wanted else ()

    def check_plan(self, settings: Settings, folder: Path, shown: JsonValue) -> Outcome:
        self.judged.append((settings.env, folder.name, shown))
        return self.plan_outcome

    def preflight(self, _settings: Settings) -> str:
        if self.account_lacks:
            raise EnvironmentUnusable(self.account_lacks)
        return "all there"

    def synthesize(self, settings: Settings, _endpoints: Endpoints | None, _mode: SynthesisMode) -> Path:
        self.protections.append(settings.protected)
        folder = settings.work_dir / "synth"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cdk.tf.json").write_text(json.dumps(self.stack))
        return folder

    def smoke_test(self, _outputs: Outputs, aws: Aws) -> tuple[SmokeTestResult, ...]:
        self.proven_with.append(aws.endpoints)
        return (SmokeTestResult("us-east-1", "us-west-2", "pay-1", 0.1),)

    def verify(self, _outputs: Outputs, _aws: Aws, request: VerifyRequest) -> Outcome:
        self.requests.append(request)
        return self.verified

    @property
    def stages(self) -> list[str]:
        return [event.stage for event in self.events if isinstance(event, StageFinished)]


@pytest.fixture
def world(tmp_path: Path) -> ScriptedEnvironment:
    return ScriptedEnvironment(tmp_path, ScriptedTerraform([a_plan]))


def yes(_plan: Plan) -> bool:
    return True


def no(_plan: Plan) -> bool:
    return False


def drifted(file: Path) -> Plan:
    key = ResourceChange("aws_kms_key.x", "aws_kms_key", ChangeAction.UPDATE)
    others = (
        ResourceChange("aws_sns_topic.y", "aws_sns_topic", ChangeAction.UPDATE),
        ResourceChange("data.z", "z", ChangeAction.READ),
    )
    return Plan(file, 0, 2, 0, (key, *others))


def other_outputs(file: Path) -> Plan:
    return Plan(file, 0, 0, 0, outputs=(OutputChange("api_endpoint", ChangeAction.UPDATE, False),))


def empty(file: Path) -> Plan:
    return Plan(file, 0, 0, 0)


def test_deploy_goes_through_the_stages_in_order(world: ScriptedEnvironment) -> None:
    deployed = world.pipeline().deploy(yes)
    assert world.stages == [
        *("local", "synth", "check", "init", "plan", "check plan", "apply", "prove", "verify")
    ]
    assert world.terraform.calls == ["init", "plan", "shown plan.tfplan", "apply plan.tfplan"]
    assert world.judged == [("demo", "synth", {"planned": "plan.tfplan"})]
    assert deployed.proofs[0].payment_id == "pay-1"
    assert world.proven_with == [ENDPOINTS]


def test_each_stage_says_in_a_phrase_what_it_came_to(world: ScriptedEnvironment) -> None:
    world.pipeline().deploy(yes)
    details = {event.stage: event.detail for event in world.events if isinstance(event, StageFinished)}
    assert details["local"].startswith("us-east-1 on http://127.0.0.1:1")
    assert details["synth"] == "1 resources"
    assert details["check"] == "0 checks, 0 findings"
    assert details["init"] == "terraform 1.11.4"
    assert details["plan"] == details["apply"] == "1 to add, 0 to change, 0 to destroy"
    totals = {event.stage: event.total for event in world.events if isinstance(event, StageStarted)}
    assert totals["apply"] == 1


def test_a_failed_probe_fails_a_deployment_that_stands(world: ScriptedEnvironment) -> None:
    world.verified = replace(found(Severity.LOW), tool="verify")
    with pytest.raises(ProbesFailed, match="is deployed, but 1 finding") as caught:
        world.pipeline().deploy(yes)
    assert caught.value.outcome is world.verified
    assert caught.value.hint == "Mend what is named above, then `payinfra verify --env demo --local`."
    assert (world.pipeline().settings.work_dir / "outputs.json").exists()


def test_verify_probes_what_stands_as_it_is_asked_to(world: ScriptedEnvironment) -> None:
    world.pipeline().deploy(yes)
    request = VerifyRequest(only=("LIVE-S3-*",))
    assert world.pipeline().verify(request) is world.verified
    project = world.pipeline().settings.project
    assert world.requests == [replace(one, project=project) for one in (VerifyRequest(), request)]
    assert world.terraform.calls[-1] == "apply plan.tfplan"


def test_drift_is_a_finding_for_each_resource_that_was_changed(world: ScriptedEnvironment) -> None:
    world.terraform.plans.append(drifted)
    world.pipeline().deploy(yes)
    told: list[ProbeResult] = []
    outcome = world.pipeline().verify(VerifyRequest(tell=told.append), drift=True)
    assert world.terraform.calls[-2:] == ["init", "plan"]
    assert [(one.id, one.address) for one in outcome.findings] == [
        ("LIVE-DRIFT-001", "aws_kms_key.x"),
        ("LIVE-DRIFT-001", "aws_sns_topic.y"),
    ]
    assert outcome.findings[0].message.endswith("Terraform would update it")
    assert [result.rule.id for result in told] == ["LIVE-DRIFT-001"]


def test_without_drift_the_probe_of_it_passes(world: ScriptedEnvironment) -> None:
    world.terraform.plans.append(empty)
    world.pipeline().deploy(yes)
    outcome = world.pipeline().verify(VerifyRequest(), drift=True)
    assert (outcome.findings, outcome.summary.counts[Kind.PASS]) == ((), 1)


def test_outputs_alone_are_drift_too(world: ScriptedEnvironment) -> None:
    world.terraform.plans.append(other_outputs)
    world.pipeline().deploy(yes)
    outcome = world.pipeline().verify(VerifyRequest(), drift=True)
    assert [one.address for one in outcome.findings] == ["output api_endpoint"]


def test_status_is_of_what_was_deployed(world: ScriptedEnvironment) -> None:
    with pytest.raises(EnvironmentUnusable, match="not deployed from this folder"):
        world.pipeline().status()
    world.pipeline().deploy(yes)
    status = world.pipeline().status()
    assert (status.env, status.target, status.failover_domain) == ("demo", "local", "p-failover_domain")
    assert status.deployed is not None


def test_a_finding_at_the_threshold_stops_before_terraform(world: ScriptedEnvironment) -> None:
    world.outcome = found(Severity.HIGH)
    with pytest.raises(ChecksFailed, match="1 finding at or above high") as caught:
        world.pipeline().deploy(yes)
    assert caught.value.outcome is world.outcome
    assert world.terraform.calls == []


@pytest.mark.parametrize("command", ["deploy", "plan"])
def test_a_finding_of_the_plan_stops_before_anything_is_applied(
    world: ScriptedEnvironment, command: str
) -> None:
    world.plan_outcome = found(Severity.HIGH)
    pipeline = world.pipeline()
    with pytest.raises(ChecksFailed, match="1 finding at or above high") as caught:
        pipeline.plan() if command == "plan" else pipeline.deploy(yes)
    assert caught.value.outcome is world.plan_outcome
    assert not [call for call in world.terraform.calls if call.startswith("apply")]


def test_a_plan_of_nothing_is_not_judged_again(world: ScriptedEnvironment) -> None:
    world.terraform.plans = [lambda file: Plan(file, 0, 0, 0)]
    world.terraform.state = values()
    world.pipeline().deploy(yes)
    assert world.judged == []
    assert "check plan" not in world.stages


def test_a_finding_below_the_threshold_is_counted_and_passes(world: ScriptedEnvironment) -> None:
    world.outcome = found(Severity.MEDIUM)
    world.pipeline().deploy(yes)
    assert "apply plan.tfplan" in world.terraform.calls


def test_what_could_not_be_judged_stops_whatever_the_threshold(world: ScriptedEnvironment) -> None:
    world.outcome = found(Severity.LOW, Kind.UNKNOWN)
    with pytest.raises(ChecksFailed):
        world.pipeline().plan()


def test_outputs_are_kept_private_twice_and_hold_no_secret(world: ScriptedEnvironment) -> None:
    pipeline = world.pipeline()
    pipeline.deploy(yes)
    own, latest = pipeline.settings.work_dir / "outputs.json", pipeline.latest_outputs
    assert own.read_bytes() == latest.read_bytes()
    assert own.stat().st_mode & 0o777 == 0o600
    assert "hush" not in own.read_text()
    assert json.loads(own.read_text())["api_endpoint"] == "p-api_endpoint"


def test_a_deployment_that_changes_nothing_asks_nobody_and_says_so(world: ScriptedEnvironment) -> None:
    world.terraform.plans = [a_plan, empty]
    world.pipeline().deploy(yes)
    world.events.clear()
    deployed = world.pipeline().deploy(no)
    assert StageSkipped("apply", "nothing to change") in world.events
    assert not deployed.plan.has_changes
    assert "apply" not in world.stages


def test_where_the_outputs_file_is_gone_the_state_has_them(world: ScriptedEnvironment) -> None:
    world.terraform.plans = [empty]
    assert world.pipeline().deploy(no).outputs.failover_domain == "p-failover_domain"
    assert "output" in world.terraform.calls


def test_a_plan_that_nobody_confirms_changes_nothing(world: ScriptedEnvironment) -> None:
    with pytest.raises(GateFailed, match="Nothing was changed"):
        world.pipeline().deploy(no)
    assert "apply plan.tfplan" not in world.terraform.calls


@pytest.mark.parametrize("kind", ["aws_dynamodb_table", "aws_s3_bucket", "aws_kms_key", "aws_route53_zone"])
def test_the_guard_stops_a_plan_that_loses_data_before_anybody_is_asked(
    world: ScriptedEnvironment, kind: str
) -> None:
    world.terraform.plans = [lambda file: a_plan(file, type_=kind, action=ChangeAction.DELETE)]
    with pytest.raises(GateFailed, match=f"{kind}.x"):
        world.pipeline().deploy(lambda _plan: pytest.fail("asked"))


def test_allow_destroy_lets_it_pass(world: ScriptedEnvironment) -> None:
    world.terraform.plans = [lambda file: a_plan(file, type_="aws_s3_bucket", action=ChangeAction.DELETE)]
    world.pipeline().deploy(yes, allow_destroy=True)
    assert "apply plan.tfplan" in world.terraform.calls


def test_a_saved_plan_is_applied_as_it_is(world: ScriptedEnvironment, tmp_path: Path) -> None:
    kept = tmp_path / "kept.tfplan"
    world.terraform.plans = [a_plan, a_plan]
    world.pipeline().plan(out=kept)
    assert kept.stat().st_mode & 0o777 == 0o600
    world.terraform.calls.clear()
    world.pipeline().deploy(yes, saved_plan=kept)
    assert world.terraform.calls == [*("init", "show kept.tfplan", "shown kept.tfplan", "apply kept.tfplan")]


def test_plan_applies_nothing(world: ScriptedEnvironment) -> None:
    assert world.pipeline().plan().add == 1
    assert world.terraform.calls == ["init", "plan", "shown plan.tfplan"]


def test_synth_needs_no_terraform(world: ScriptedEnvironment) -> None:
    assert world.pipeline().synth().inventory.total == 1
    assert world.terraform.calls == []


def test_on_aws_nothing_local_is_started(world: ScriptedEnvironment) -> None:
    world.target = Target.AWS
    world.pipeline().deploy(yes)
    assert world.stages[0] == "account"
    assert "local" not in world.stages
    assert world.proven_with == [None]


@pytest.mark.parametrize(
    ("spread", "rate", "warned"),
    [(False, 1_000.0, False), (False, 1_001.0, True), (True, 1_001.0, False), (True, 10_000.0, False)],
)
def test_a_limit_that_the_status_index_cannot_keep_is_warned_of(
    world: ScriptedEnvironment, spread: bool, rate: float, warned: bool
) -> None:
    world.rate, world.spread = rate, spread
    world.pipeline().deploy(yes)
    said = [event.message for event in world.events if isinstance(event, Notice)]
    assert any("status-index takes about 1,000 new payments a second" in one for one in said) is warned


def test_the_warning_follows_from_the_shards() -> None:
    assert beyond_the_index(3_000, shards=3) == ""
    assert "takes about 3,000 new payments a second" in beyond_the_index(3_001, shards=3)
    assert "Set api_rate_limit to 3000" in beyond_the_index(3_001, shards=3)
    assert "Leave out spread_statuses = false" in beyond_the_index(1_001, shards=1)


def test_no_api_may_accept_more_than_the_shards_take() -> None:
    most = BY_NAME["api_rate_limit"].most
    assert most is not None
    assert beyond_the_index(most, STATUS_SHARDS) == ""


class NewAccount(Aws):
    """An account whose functions run ten times at once, in all, and that has none yet."""

    def client(self, service: str, region: str) -> Any:
        assert service == "lambda", region
        return self

    def get_account_settings(self) -> Mapping[str, object]:
        return {"AccountLimit": {"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10}}

    def get_function_concurrency(self, *, FunctionName: str) -> Mapping[str, object]:
        assert FunctionName
        return {}


@pytest.mark.parametrize("target", Target)
def test_a_concurrency_for_which_there_is_no_room_is_refused_before_anything_is_made(
    world: ScriptedEnvironment, target: Target
) -> None:
    """On the embedded AWS too, which has such an account where it is told to."""
    world.target, world.reserved = target, 5
    pipeline = with_dependencies(world.pipeline(), aws=lambda _settings, _endpoints: NewAccount())
    with pytest.raises(
        EnvironmentUnusable, match="reserving 5 would leave 5 unreserved, and Lambda keeps 10"
    ):
        pipeline.deploy(yes)
    assert (world.terraform.calls, world.protections) == ([], []), "nothing was even synthesized"


def test_on_aws_what_the_account_lacks_stops_a_deployment_but_no_destruction(
    world: ScriptedEnvironment,
) -> None:
    world.target, world.account_lacks = Target.AWS, "there is no role"
    with pytest.raises(EnvironmentUnusable, match="there is no role"):
        world.pipeline().deploy(yes)
    assert world.terraform.calls == []
    world.pipeline().destroy(yes)
    assert "preflight" not in world.stages
    world.account_lacks = ""
    world.terraform.plans = [a_plan]
    world.pipeline().deploy(yes)
    assert world.stages.count("preflight") == 1


def test_nothing_is_asked_of_an_account_that_is_embedded(world: ScriptedEnvironment) -> None:
    world.account_lacks = "there is no role"
    world.pipeline().deploy(yes)
    assert "preflight" not in world.stages


@pytest.mark.parametrize("command", ["synth", "plan", "deploy", "destroy"])
def test_a_second_command_on_the_environment_is_refused(world: ScriptedEnvironment, command: str) -> None:
    pipeline = world.pipeline()
    run: dict[str, Callable[[], object]] = {
        "synth": pipeline.synth,
        "plan": pipeline.plan,
        "deploy": lambda: pipeline.deploy(yes),
        "destroy": lambda: pipeline.destroy(yes),
    }
    with exclusive(pipeline.settings.work_dir, "deploy"), pytest.raises(EnvironmentUnusable, match="in use"):
        run[command]()


def test_destroy_deletes_everything_and_forgets_the_outputs(world: ScriptedEnvironment) -> None:
    world.terraform.plans = [a_plan, a_deletion]
    world.pipeline().deploy(yes)
    pipeline = world.pipeline()
    assert pipeline.destroy(yes).plan.destroy == 1
    asked = ["init", "plan -destroy", "shown plan.tfplan", "apply plan.tfplan"]
    assert world.terraform.calls[-4:] == asked
    assert not (pipeline.settings.work_dir / "outputs.json").exists()
    assert not pipeline.latest_outputs.exists()


def test_one_of_many_is_destroyed_without_a_question_and_named(world: ScriptedEnvironment) -> None:
    world.pipeline().deploy(yes)
    world.terraform.plans = [lambda file: Plan(file, 0, 0, 3)]
    assert world.pipeline().reap() == 3
    assert Notice("Destroying demo.") in world.events


def test_a_zone_that_cannot_be_cleared_keeps_nothing_from_being_destroyed(world: ScriptedEnvironment) -> None:
    world.zone_refuses = "no"
    world.terraform.plans = [a_plan]
    world.pipeline().destroy(yes)
    assert Notice("no demo") in world.events
    assert "apply plan.tfplan" in world.terraform.calls


def test_the_other_region_s_replica_is_protected_after_the_apply_and_freed_before_it_is_deleted(
    world: ScriptedEnvironment,
) -> None:
    world.protected = True
    world.pipeline().deploy(yes)
    assert world.protected_after == [("apply plan.tfplan", True)]
    said = [event.message for event in world.events if isinstance(event, Notice)]
    assert "The table's deletion protection is on in us-west-2 as well." in said
    world.terraform.plans = [a_plan, an_update, a_plan]
    world.pipeline().destroy(yes)
    assert world.protected_after[1:] == [("apply plan.tfplan", False)]
    calls = [one for one in world.terraform.calls if one.startswith("apply")]
    assert len(calls) == 3, "the release is applied before, the destruction after"


def test_an_ephemeral_environment_s_replicas_are_not_protected(world: ScriptedEnvironment) -> None:
    world.pipeline().deploy(yes)
    assert world.protected_after == [("apply plan.tfplan", False)]


def test_log_groups_that_late_lines_make_again_are_removed_after_a_destruction_and_said(
    world: ScriptedEnvironment,
) -> None:
    world.pipeline().deploy(yes)
    assert world.late_asked == []  # the plan makes no log group
    world.late = ("/aws/apigateway/x in us-east-1",)
    world.terraform.plans = [a_plan]
    world.pipeline().destroy(yes)
    assert world.late_asked == [(True, True)]
    said = [event.message for event in world.events if isinstance(event, Notice)]
    assert any("late lines had made again: /aws/apigateway/x in us-east-1" in text for text in said)


def test_log_groups_that_late_lines_made_again_are_removed_before_theirs_are_made(
    world: ScriptedEnvironment,
) -> None:
    makes = partial(a_plan, type_="aws_cloudwatch_log_group")
    world.terraform = ScriptedTerraform([makes])
    with pytest.raises(GateFailed):
        world.pipeline().deploy(no)
    assert world.late_asked == []
    world.terraform = ScriptedTerraform([makes])
    world.pipeline().deploy(yes)
    assert world.late_asked == [(False, False)]


def test_destroy_leaves_the_latest_outputs_of_another_environment(world: ScriptedEnvironment) -> None:
    pipeline = world.pipeline()
    pipeline.deploy(yes)
    pipeline.latest_outputs.write_text("{}")
    world.terraform.plans = [empty]
    pipeline.destroy(yes)
    assert pipeline.latest_outputs.exists()


def test_destroying_what_is_not_there_asks_nobody_and_is_no_success(world: ScriptedEnvironment) -> None:
    world.terraform.plans = [empty]
    with pytest.raises(EnvironmentUnusable, match="There is nothing to destroy") as caught:
        world.pipeline().destroy(lambda _plan: pytest.fail("asked"))
    assert caught.value.exit_code == 4
    assert world.terraform.calls == ["init", "plan -destroy"]


def test_a_mistyped_destruction_is_answered_before_anything_is_synthesized(
    world: ScriptedEnvironment,
) -> None:
    world.may_exist = False
    neighbour(world, "local", "demos")
    pipeline = world.pipeline()
    with pytest.raises(EnvironmentUnusable, match="There is nothing to destroy") as caught:
        pipeline.destroy(lambda _plan: pytest.fail("asked"))
    assert caught.value.hint == "Did you mean 'demos'? Known here: demos on the embedded AWS."
    assert world.terraform.calls == []
    assert world.stages == []
    assert not pipeline.settings.work_dir.exists()


def test_what_may_exist_elsewhere_is_looked_for_and_destroyed_at_one_start(
    world: ScriptedEnvironment,
) -> None:
    world.terraform.plans = [empty]
    pipeline = with_dependencies(
        world.pipeline(), may_exist=lambda _settings, endpoints: endpoints() == ENDPOINTS
    )
    with pytest.raises(EnvironmentUnusable, match="There is nothing to destroy"):
        pipeline.destroy(lambda _plan: pytest.fail("asked"))
    assert world.stages.count("local") == 1


def test_what_may_be_missing_may_be_missing(world: ScriptedEnvironment) -> None:
    world.terraform.plans = [empty]
    destroyed = world.pipeline().destroy(lambda _plan: pytest.fail("asked"), missing_ok=True)
    assert destroyed.plan.destroy == 0


def test_what_was_deployed_from_here_and_is_gone_already_is_destroyed(world: ScriptedEnvironment) -> None:
    world.pipeline().deploy(yes)
    world.terraform.plans = [empty]
    assert world.pipeline().destroy(lambda _plan: pytest.fail("asked")).plan.destroy == 0


def neighbour(world: ScriptedEnvironment, target: str, env: str) -> None:
    file = world.folder / ".payinfra" / target / env / "outputs.json"
    file.parent.mkdir(parents=True)
    file.touch()


def test_an_environment_that_was_deployed_from_a_folder_above_is_answered_with_that_folder(
    world: ScriptedEnvironment,
) -> None:
    env = world.pipeline().settings.env
    above = world.folder.parent
    file = above / ".payinfra" / "local" / env / "outputs.json"
    with pytest.raises(EnvironmentUnusable) as before:
        world.pipeline().outputs()
    file.parent.mkdir(parents=True)
    file.touch()
    with pytest.raises(EnvironmentUnusable) as after:
        world.pipeline().outputs()
    shutil.rmtree(above / ".payinfra")
    assert "deploy" in before.value.hint
    assert after.value.hint == (
        f"It was deployed from {above.resolve()}. "
        f"Run the same command there, or with `--project {above.resolve()}`."
    )


def test_a_mistyped_environment_is_answered_with_the_known_ones(world: ScriptedEnvironment) -> None:
    neighbour(world, "local", "demos")
    neighbour(world, "aws", "prod")
    (world.folder / "payinfra.toml").write_text("[environments.staging]\n")
    with pytest.raises(
        EnvironmentUnusable, match="not deployed from this folder to the embedded AWS"
    ) as caught:
        world.pipeline().outputs()
    assert caught.value.hint.startswith("Did you mean 'demos'? Known here: ")
    assert "demos on the embedded AWS" in caught.value.hint
    assert "prod on AWS" in caught.value.hint
    assert "staging" in caught.value.hint
    assert "deploy" not in caught.value.hint


def test_an_environment_that_is_on_the_other_target_says_which(world: ScriptedEnvironment) -> None:
    neighbour(world, "aws", "demo")
    with pytest.raises(EnvironmentUnusable) as caught:
        world.pipeline().outputs()
    assert caught.value.hint == "It was deployed from here on AWS: add --aws."


def test_a_shared_state_that_is_empty_is_no_environment(world: ScriptedEnvironment) -> None:
    pipeline = world.pipeline()
    pipeline.settings.work_dir.mkdir(parents=True)
    (pipeline.settings.work_dir / "terraform.tfstate").write_text("{}")
    world.terraform.state = {}
    with pytest.raises(EnvironmentUnusable, match="not deployed from this folder"):
        pipeline.outputs()


FORMER = OrphanedKey("us-east-1", "k1", "payment-demo-client-former")


def test_destroy_removes_the_keys_of_a_rotation_that_was_under_way_and_names_them(
    world: ScriptedEnvironment,
) -> None:
    world.orphaned_keys.keys = (FORMER,)
    world.terraform.plans = [a_plan]
    world.pipeline().destroy(yes)
    assert world.orphaned_keys.removed == [(FORMER,)]
    said = [event.message for event in world.events if isinstance(event, Notice)]
    assert said == ["Removed what a rotation had left: payment-demo-client-former (k1) in us-east-1."]


def test_destroying_again_removes_what_an_earlier_destruction_left(world: ScriptedEnvironment) -> None:
    world.orphaned_keys.keys = (FORMER,)
    world.terraform.plans = [empty]

    def asked(_plan: Plan) -> bool:
        said = [event.message for event in world.events if isinstance(event, Notice)]
        assert said == [
            "A rotation left API keys that open nothing: payment-demo-client-former (k1) in us-east-1."
        ]
        return True

    world.pipeline().destroy(asked)
    assert world.orphaned_keys.removed == [(FORMER,)]


@pytest.mark.parametrize("plan", ["a_plan", "empty"])
def test_no_key_is_removed_that_nobody_confirmed(world: ScriptedEnvironment, plan: str) -> None:
    world.orphaned_keys.keys = (FORMER,)
    world.terraform.plans = [{"a_plan": a_plan, "empty": empty}[plan]]
    with pytest.raises(GateFailed, match="Nothing was destroyed"):
        world.pipeline().destroy(no)
    assert world.orphaned_keys.removed == []


def test_a_destruction_that_nobody_confirms_destroys_nothing(world: ScriptedEnvironment) -> None:
    with pytest.raises(GateFailed, match="Nothing was destroyed"):
        world.pipeline().destroy(no)
    assert world.terraform.calls == ["init", "plan -destroy"]


def test_a_protected_environment_is_released_before_it_is_destroyed(world: ScriptedEnvironment) -> None:
    world.protected = True
    world.terraform.plans = [a_plan, an_update, a_plan]
    world.pipeline().destroy(yes)
    asked = ["plan -destroy", "plan", "apply plan.tfplan", "plan -destroy", "apply plan.tfplan"]
    assert world.terraform.calls == ["init", *asked]
    assert world.protections == [False]


def asked_of(terraform: ScriptedTerraform) -> list[str]:
    """What Terraform was asked, but for what it has put out."""
    return [call for call in terraform.calls if call != "output"]


def test_what_aws_protects_is_released_whatever_the_settings_say(world: ScriptedEnvironment) -> None:
    world.terraform.before = {"deletion_protection_enabled": True}
    world.terraform.plans = [a_deletion, an_update, a_deletion]
    asked: list[Plan] = []

    def remember(plan: Plan) -> bool:
        asked.append(plan)
        return True

    world.pipeline().destroy(remember)
    assert [plan.protected for plan in asked] == [("aws_dynamodb_table.kept",)]
    calls = ["plan -destroy", "shown plan.tfplan", "plan", "apply plan.tfplan", "plan -destroy"]
    assert asked_of(world.terraform) == ["init", *calls, "apply plan.tfplan"]


@pytest.mark.parametrize("before", [{}, {"deletion_protection_enabled": False}, None])
def test_what_aws_does_not_protect_is_deleted_at_once(
    world: ScriptedEnvironment, before: dict[str, JsonValue] | None
) -> None:
    world.terraform.before = before
    world.terraform.plans = [a_deletion]
    world.pipeline().destroy(lambda plan: not plan.protected)
    assert asked_of(world.terraform) == ["init", "plan -destroy", "shown plan.tfplan", "apply plan.tfplan"]


def test_what_aws_protects_is_not_reaped(world: ScriptedEnvironment) -> None:
    world.terraform.before = {"deletion_protection_enabled": True}
    world.terraform.plans = [a_deletion]
    with pytest.raises(GateFailed, match="deployed as protected"):
        world.pipeline().reap()
    assert asked_of(world.terraform) == ["init", "plan -destroy", "shown plan.tfplan"]


def test_what_is_released_already_is_not_released_again(world: ScriptedEnvironment) -> None:
    world.protected = True
    world.terraform.plans = [a_plan, empty, a_plan]
    world.pipeline().destroy(yes)
    assert world.terraform.calls == ["init", "plan -destroy", "plan", "plan -destroy", "apply plan.tfplan"]


def test_releasing_what_was_deployed_half_way_makes_nothing(world: ScriptedEnvironment) -> None:
    world.protected = True
    half = ResourceChange("aws_kms_key.there", "aws_kms_key", ChangeAction.UPDATE)
    missing = ResourceChange("aws_sns_topic.missing", "aws_sns_topic", ChangeAction.CREATE)
    world.terraform.plans = [
        a_plan,
        lambda file: Plan(file, 1, 1, 0, (half, missing)),
        lambda file: Plan(file, 0, 1, 0, (half,)),
        a_plan,
    ]
    world.pipeline().destroy(yes)
    assert world.terraform.calls[2:5] == ["plan", "plan aws_kms_key.there", "apply plan.tfplan"]


def test_where_nothing_that_is_there_is_protected_nothing_is_released(world: ScriptedEnvironment) -> None:
    world.protected = True
    world.terraform.plans = [a_plan, a_plan, a_plan]
    world.pipeline().destroy(yes)
    assert world.terraform.calls == ["init", "plan -destroy", "plan", "plan -destroy", "apply plan.tfplan"]


def test_nobody_confirming_keeps_a_protected_environment_protected(world: ScriptedEnvironment) -> None:
    world.protected = True
    with pytest.raises(GateFailed, match="Nothing was destroyed"):
        world.pipeline().destroy(no)
    assert not any(call.startswith("apply") for call in world.terraform.calls)


def test_outputs_come_from_the_file(world: ScriptedEnvironment) -> None:
    world.pipeline().deploy(yes)
    world.terraform.calls.clear()
    assert world.pipeline().outputs().failover_domain == "p-failover_domain"
    assert world.terraform.calls == []


def test_outputs_come_from_the_state_where_the_file_is_gone(world: ScriptedEnvironment) -> None:
    pipeline = world.pipeline()
    pipeline.settings.work_dir.mkdir(parents=True)
    (pipeline.settings.work_dir / "terraform.tfstate").write_text("{}")
    assert pipeline.outputs().failover_domain == "p-failover_domain"
    assert (pipeline.settings.work_dir / "outputs.json").exists()


def notices(world: ScriptedEnvironment) -> str:
    return " ".join(event.message for event in world.events if isinstance(event, Notice))


@pytest.mark.parametrize("damaged", ["", '{"primary', "\0", "[" * 100_000, "[]"])
def test_damaged_outputs_are_read_anew_from_the_state_and_that_is_said(
    world: ScriptedEnvironment, damaged: str
) -> None:
    pipeline = world.pipeline()
    pipeline.deploy(yes)
    file = pipeline.settings.work_dir / "outputs.json"
    whole = file.read_text()
    file.write_text(damaged)
    (pipeline.settings.work_dir / "terraform.tfstate").write_text("{}")
    assert pipeline.outputs().failover_domain == "p-failover_domain"
    assert file.read_text() == whole
    assert file.with_name("outputs.json.unusable").read_text() == damaged
    assert "is damaged" in notices(world)


def test_another_environments_outputs_are_read_anew_from_the_state(world: ScriptedEnvironment) -> None:
    pipeline = world.pipeline()
    pipeline.deploy(yes)
    file = pipeline.settings.work_dir / "outputs.json"
    foreign = json.loads(file.read_text()) | {"dynamodb_table_name": "payment-other-payments"}
    file.write_text(json.dumps(foreign))
    (pipeline.settings.work_dir / "terraform.tfstate").write_text("{}")
    assert pipeline.outputs().primary.dynamodb_table_name != "payment-other-payments"
    assert "is not of environment demo but of other" in notices(world)


def test_damaged_outputs_without_a_state_say_how_to_go_on(world: ScriptedEnvironment) -> None:
    pipeline = world.pipeline()
    pipeline.settings.work_dir.mkdir(parents=True)
    (pipeline.settings.work_dir / "outputs.json").write_text("{")
    with pytest.raises(EnvironmentUnusable, match="is damaged") as caught:
        pipeline.outputs()
    assert "payinfra adopt --env demo --local" in caught.value.hint


class BrokenState(ScriptedTerraform):
    """Its state cannot be read."""

    def resources(self) -> tuple[Kept, ...]:
        raise ToolFailed("terraform show failed.")


def publishing(world: ScriptedEnvironment) -> tuple[Pipeline, Outputs]:
    """A pipeline of an environment that has published itself, and what it has published."""
    pipeline, told = world.pipeline(), Outputs.from_flat(flat_outputs())
    return with_dependencies(pipeline, published=lambda _settings, _endpoints: told), told


FOREIGN = json.dumps(flat_outputs() | {"dynamodb_table_name": "payment-other-payments"})


@pytest.mark.parametrize("damaged", ["", "{", FOREIGN])
def test_outputs_of_no_use_without_a_state_are_read_anew_from_what_was_published(
    world: ScriptedEnvironment, damaged: str
) -> None:
    pipeline, told = publishing(world)
    file = pipeline.settings.work_dir / "outputs.json"
    file.parent.mkdir(parents=True)
    file.write_text(damaged)
    assert pipeline.outputs() == told
    assert Outputs.read(file) == told
    assert "It is read anew from what was published" in notices(world)


def test_an_empty_folder_knows_what_was_published(world: ScriptedEnvironment) -> None:
    pipeline, told = publishing(world)
    assert pipeline.outputs() == told
    assert "the outputs are those that it has published" in notices(world)
    # As before: whether the environment was deployed from here, other commands ask this file.
    assert not (pipeline.settings.work_dir / "outputs.json").exists()


def test_a_state_that_cannot_be_read_hides_no_outputs_that_were_published(world: ScriptedEnvironment) -> None:
    world.terraform = BrokenState([])
    pipeline, told = publishing(world)
    pipeline.settings.work_dir.mkdir(parents=True)
    (pipeline.settings.work_dir / "terraform.tfstate").write_text("{")
    assert pipeline.outputs() == told
    assert "The outputs are those that it has published." in notices(world)


def test_a_lock_in_a_folder_ends_with_its_process(world: ScriptedEnvironment) -> None:
    assert not world.pipeline().unlock("4c58")
    assert "force-unlock 4c58" not in world.terraform.calls


def test_a_lock_in_a_bucket_is_released(world: ScriptedEnvironment) -> None:
    pipeline = world.pipeline()
    shared = pipeline.settings.model_copy(update={"state_bucket": "our-states"})
    assert replace(pipeline, settings=shared).unlock("4c58")
    assert world.terraform.calls[-1] == "force-unlock 4c58"


def test_the_licence_of_the_embedded_terraform_is_told_once(world: ScriptedEnvironment) -> None:
    world.terraform.binary = replace(BINARY, kind=TerraformKind.EMBEDDED)
    world.pipeline().plan()
    assert notices(world).count("Business Source License") == 1
    world.terraform.plans = [a_plan]
    world.pipeline().plan()
    assert notices(world).count("Business Source License") == 1


def test_outputs_of_what_was_never_deployed_say_how_to_deploy(world: ScriptedEnvironment) -> None:
    with pytest.raises(EnvironmentUnusable, match="not deployed from this folder") as caught:
        world.pipeline().outputs()
    assert caught.value.hint == "Run `payinfra deploy --env demo --local`."


def half_made(file: Path) -> Plan:
    return Plan(
        file, 1, 0, 1, (ResourceChange("aws_kms_key.x", "aws_kms_key", ChangeAction.REPLACE, "tainted"),)
    )


def test_what_a_first_deployment_left_half_made_is_made_anew(world: ScriptedEnvironment) -> None:
    world.terraform.plans = [half_made]
    world.terraform.state = {"api_endpoint": OutputValue("p", False, "string")}
    world.pipeline().deploy(yes)
    assert "apply plan.tfplan" in world.terraform.calls


def test_what_is_tainted_in_an_environment_that_serves_is_guarded(world: ScriptedEnvironment) -> None:
    world.terraform.plans = [half_made]
    with pytest.raises(GateFailed, match=r"aws_kms_key\.x would be deleted"):
        world.pipeline().deploy(yes)


def test_an_environment_with_outputs_of_its_own_is_not_asked_again(world: ScriptedEnvironment) -> None:
    world.terraform.plans = [a_plan, half_made]
    world.pipeline().deploy(yes)
    with pytest.raises(GateFailed, match=r"aws_kms_key\.x would be deleted"):
        world.pipeline().deploy(yes, all_at_once=True)
    assert "output" not in world.terraform.calls


def test_a_first_deployment_that_was_cut_off_is_remembered_until_one_ends_well(
    world: ScriptedEnvironment,
) -> None:
    world.terraform.plans = [a_plan, half_made]
    world.terraform.breaks = True
    with pytest.raises(ToolFailed):
        world.pipeline().deploy(yes)
    (world.pipeline().settings.work_dir / "terraform.tfstate").write_text("{}")
    world.terraform.breaks = False
    world.pipeline().deploy(yes)
    assert world.terraform.calls[-1] == "apply plan.tfplan"
    assert not (world.pipeline().settings.work_dir / "begun").exists()


# -- drills ------------------------------------------------------------------------------------------------


def begin_drill(world: ScriptedEnvironment) -> FaultJournal:
    folder = world.pipeline().settings.work_dir / "drills" / "20260102T030405Z-abcd"
    regions = ("us-east-1", "us-west-2")
    return FaultJournal.begin(
        folder, Header(folder.name, "demo", "local", "1" * 12, regions, (), datetime.now(UTC), "payinfra")
    )


def test_a_drill_takes_place_where_the_environment_stands(world: ScriptedEnvironment) -> None:
    pipeline = world.pipeline()
    pipeline.deploy(yes)
    place = pipeline.drill_environment()
    assert (place.env, place.target, place.on_aws) == ("p-environment_suffix", "local", True)
    assert place.drills == pipeline.settings.work_dir / "drills"
    request = VerifyRequest(only=("LIVE-S3-*",))
    assert place.verify(request) is world.verified
    assert world.requests[-1] == replace(request, project=pipeline.settings.project)


def test_nothing_is_deployed_while_a_drill_may_have_left_something(world: ScriptedEnvironment) -> None:
    journal = begin_drill(world)
    with pytest.raises(GateFailed, match="20260102T030405Z-abcd") as caught:
        world.pipeline().deploy(yes)
    assert "payinfra failover-drill --restore --env demo --local" in caught.value.hint
    assert world.terraform.calls == []
    journal.close()
    world.pipeline().deploy(yes)


def test_verify_says_that_a_drill_may_have_left_something(world: ScriptedEnvironment) -> None:
    world.pipeline().deploy(yes)
    begin_drill(world)
    world.pipeline().verify(VerifyRequest())
    (said,) = (event.message for event in world.events if isinstance(event, Notice))
    assert "20260102T030405Z-abcd" in said
    assert "failover-drill --restore" in said


@pytest.mark.parametrize("ask", ["verify", "status"])
def test_a_drill_that_is_running_is_said_with_who_runs_it_and_is_not_to_be_restored(
    world: ScriptedEnvironment, ask: str
) -> None:
    pipeline = world.pipeline()
    pipeline.deploy(yes)
    begin_drill(world)
    world.events.clear()
    with held_by_another(pipeline.settings.work_dir, "failover-drill"):
        pipeline.verify(VerifyRequest()) if ask == "verify" else pipeline.status()
    (said,) = (event.message for event in world.events if isinstance(event, Notice))
    assert said.startswith("ada runs `payinfra failover-drill` since 20")
    assert "--restore" not in said


@contextmanager
def held_by_another(folder: Path, command: str) -> Iterator[None]:
    """Another process's lock, as far as can be seen."""
    with exclusive(folder, command):
        lock = folder / "lock"
        lock.write_text(json.dumps({**json.loads(lock.read_text()), "pid": "1", "user": "ada"}))
        yield


# -- what drills have left ---------------------------------------------------------------------------


def left(*in_place: str, unknown: tuple[str, ...] = ()) -> Callable[..., LeftFaults]:
    return lambda *_asked: LeftFaults(in_place, unknown)


def looking(world: ScriptedEnvironment, look: Callable[..., LeftFaults | None]) -> Pipeline:
    return with_dependencies(world.pipeline(), left_faults=look)


@pytest.mark.parametrize("only", [(), ("LIVE-KMS-001",)])
def test_verify_names_what_a_drill_left_also_where_few_probes_are_asked_for(
    world: ScriptedEnvironment, only: tuple[str, ...]
) -> None:
    world.pipeline().deploy(yes)
    outcome = looking(world, left("It is dark.")).verify(VerifyRequest(only=only))
    assert [(one.id, one.message) for one in outcome.findings] == [("LIVE-DRILL-001", "It is dark.")]


def test_verify_says_that_nothing_is_left_only_where_all_is_asked_for(world: ScriptedEnvironment) -> None:
    world.pipeline().deploy(yes)
    outcome = looking(world, left()).verify(VerifyRequest())
    assert [one.rule.id for one in outcome.rules][-1] == "LIVE-DRILL-001"
    assert looking(world, left()).verify(VerifyRequest(only=("LIVE-KMS-001",))) is world.verified


def test_nothing_is_deployed_over_what_a_drill_left_without_a_journal(world: ScriptedEnvironment) -> None:
    world.pipeline().deploy(yes)
    calls = list(world.terraform.calls)
    with pytest.raises(GateFailed, match=r"left something in place\. It is dark\.") as refused:
        looking(world, left("It is dark.")).deploy(yes)
    assert "failover-drill --restore --env demo --local" in refused.value.hint
    assert world.terraform.calls == calls
    world.terraform.plans.append(empty)
    looking(world, left(unknown=("Nobody knows.",))).deploy(yes)


def test_status_has_what_a_drill_left(world: ScriptedEnvironment) -> None:
    world.pipeline().deploy(yes)
    found = looking(world, left("It is dark.", unknown=("Nobody knows.",))).status()
    assert (found.in_place, found.unclear) == (("It is dark.",), ("Nobody knows.",))


def test_what_a_drill_that_runs_has_in_place_is_its_own(world: ScriptedEnvironment) -> None:
    world.pipeline().deploy(yes)
    found = looking(world, left("It is dark."))
    folder = found.settings.work_dir
    with held_by_another(folder, "failover-drill"):
        assert found.verify(VerifyRequest()).findings == ()
        assert found.status().in_place == ()
    with held_by_another(folder, "deploy"):
        assert found.status().in_place == ("It is dark.",)
