"""What goes first in an update, and what happens to a wave that does not serve."""

import json
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import httpx
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from handlers.payments.recording import LOOK_EVERY_MS, LOOKS_TO_RECOVER
from payinfra.checks.probes.results import VerifyRequest
from payinfra.clients.aws import Aws
from payinfra.core.errors import EnvironmentUnusable, GateFailed, Interrupted, PayinfraError, ToolFailed
from payinfra.core.events import Event, Notice, StageFinished
from payinfra.core.outputs import Outputs
from payinfra.core.settings import Settings, Target
from payinfra.core.stop_signals import STOP_SIGNALS, StopRequested
from payinfra.deployment.dependencies import SynthesisMode
from payinfra.deployment.lambda_alias import RECOVERS_WITHIN_S, LambdaAlias
from payinfra.deployment.pipeline import Pipeline
from payinfra.deployment.pipeline_dependencies import AWS_DEPENDENCIES
from payinfra.deployment.rollback_journal import AliasChange, RollbackJournal
from payinfra.deployment.rolling_update import Graph, Role, RolloutStep, announced, plan_rollout
from payinfra.terraform import (
    ChangeAction,
    Import,
    Kept,
    OutputChange,
    OutputValue,
    Plan,
    ResourceChange,
    Terraform,
)
from payinfra.terraform.jsonvalue import JsonValue
from tests.support.scripted_dependencies import ScriptedDependencies
from tests.support.signals import heard, send
from tests.unit.deployment.test_pipeline import BINARY, CLEAN, ENDPOINTS, values

TABLE, KEY = "aws_dynamodb_table.table", "aws_kms_key.primary_key"
FUNCTIONS = {role: f"aws_lambda_function.{role}_function" for role in Role}
ALIASES = {role: f"aws_lambda_alias.{role}_alias" for role in Role}
DASHBOARD = "aws_cloudwatch_dashboard.secondary_dashboard"
TOPIC = "aws_sns_topic.global_topic"


def stack() -> dict[str, object]:
    """Two functions on one table; the secondary's dashboard shows the primary's function."""

    def function(role: str) -> dict[str, object]:
        return {
            "provider": f"aws.{role}",
            "environment": {
                "variables": {
                    "TABLE": "${aws_dynamodb_table.table.name}",
                    "WHO": f"${{data.aws_id.{role}.id}}",
                }
            },
        }

    def alias(role: str) -> dict[str, object]:
        return {
            "provider": f"aws.{role}",
            "function_version": f"${{aws_lambda_function.{role}_function.version}}",
        }

    shown = json.dumps({"function": "${aws_lambda_function.primary_function.function_name}"})
    return {
        "provider": {"aws": [{"alias": role, "region": f"{role}-1"} for role in (*Role, "global")]},
        "data": {"aws_id": {role: {"provider": f"aws.{role}"} for role in Role}},
        "resource": {
            "aws_kms_key": {"primary_key": {"provider": "aws.primary"}},
            "aws_dynamodb_table": {
                "table": {"provider": "aws.primary", "kms": "${aws_kms_key.primary_key.arn}"}
            },
            "aws_lambda_function": {f"{role}_function": function(role) for role in Role},
            "aws_lambda_alias": {f"{role}_alias": alias(role) for role in Role},
            "aws_cloudwatch_dashboard": {
                "secondary_dashboard": {"provider": "aws.secondary", "dashboard_body": shown}
            },
            "aws_sns_topic": {"global_topic": {"provider": "aws.global"}},
            "aws_ssm_parameter": {
                f"{role}_published": {"provider": f"aws.{role}", "value": "${jsonencode(local.outer)}"}
                for role in Role
            },
        },
        "locals": {
            "outer": {"all": "${local.inner}"},
            "inner": [f"${{aws_lambda_alias.{role}_alias.arn}}" for role in Role],
        },
    }


def updates(*addresses: str, action: ChangeAction = ChangeAction.UPDATE) -> Plan:
    changes = tuple(ResourceChange(address, address.partition(".")[0], action) for address in addresses)
    return Plan(Path("plan"), 0, len(changes), 0, changes)


@pytest.fixture
def graph(tmp_path: Path) -> Graph:
    file = tmp_path / "cdk.tf.json"
    file.write_text(json.dumps(stack()))
    return Graph.read(file)


SECONDARY_CODE = (FUNCTIONS[Role.SECONDARY], ALIASES[Role.SECONDARY])
CODE = (*FUNCTIONS.values(), *ALIASES.values())


# -- what goes first -----------------------------------------------------------------------------------------


def test_new_code_reaches_the_secondary_first(graph: Graph) -> None:
    first, second = plan_rollout(graph, updates(*CODE))
    assert first == RolloutStep(Role.SECONDARY, tuple(sorted(SECONDARY_CODE)))
    assert second == RolloutStep(Role.PRIMARY)


def test_what_shows_the_primary_waits_for_the_primary(graph: Graph) -> None:
    first, _second = plan_rollout(graph, updates(*CODE, DASHBOARD))
    assert DASHBOARD not in first.targets


@pytest.mark.parametrize("role", list(Role))
def test_what_refers_to_both_regions_through_a_local_value_waits(graph: Graph, role: Role) -> None:
    published = [f"aws_ssm_parameter.{each}_published" for each in Role]
    first, second = plan_rollout(graph, updates(*CODE, *published), role)
    assert set(first.targets) == {FUNCTIONS[role], ALIASES[role]}
    assert second.targets == ()


def test_what_shows_the_primary_does_not_wait_where_the_primary_stays_as_it_is(graph: Graph) -> None:
    first, _second = plan_rollout(graph, updates(DASHBOARD, *SECONDARY_CODE, TOPIC))
    assert DASHBOARD in first.targets


def test_what_the_secondary_needs_to_serve_does_not_hold_it_back(graph: Graph) -> None:
    first, _second = plan_rollout(graph, updates(*CODE, TABLE, KEY))
    assert first.targets == tuple(sorted(SECONDARY_CODE))


@pytest.mark.parametrize("addresses", [(TABLE,), (TABLE, KEY), (TOPIC,), (FUNCTIONS[Role.PRIMARY],), ()])
def test_what_is_global_or_the_primarys_alone_is_one_wave(graph: Graph, addresses: tuple[str, ...]) -> None:
    assert plan_rollout(graph, updates(*addresses)) == (RolloutStep(Role.PRIMARY),)


@pytest.mark.parametrize("addresses", [SECONDARY_CODE, (*SECONDARY_CODE, TABLE), (DASHBOARD,)])
def test_what_the_secondary_alone_needs_is_one_wave(graph: Graph, addresses: tuple[str, ...]) -> None:
    assert plan_rollout(graph, updates(*addresses)) == (RolloutStep(Role.SECONDARY),)


def test_what_has_left_the_stack_goes_last(graph: Graph) -> None:
    gone = updates("aws_sns_topic.secondary_old", action=ChangeAction.DELETE)
    plan = replace(gone, changes=(*gone.changes, *updates(*SECONDARY_CODE).changes))
    assert plan_rollout(graph, plan)[0].targets == tuple(sorted(SECONDARY_CODE))
    assert len(plan_rollout(graph, plan)) == 2


def test_one_of_many_is_known_by_its_resource(graph: Graph) -> None:
    assert plan_rollout(graph, updates(f"{DASHBOARD}[0]")) == (RolloutStep(Role.SECONDARY),)


def test_reading_is_no_change(graph: Graph) -> None:
    assert plan_rollout(graph, updates("data.aws_id.secondary", action=ChangeAction.READ)) == (
        RolloutStep(Role.PRIMARY),
    )


@pytest.mark.parametrize("role", list(Role))
def test_either_region_can_go_first(graph: Graph, role: Role) -> None:
    first, second = plan_rollout(graph, updates(*CODE, TOPIC), role)
    assert first == RolloutStep(role, (ALIASES[role], FUNCTIONS[role]))
    assert second == RolloutStep(role.other)


def test_what_is_global_waits_for_the_region_that_goes_last(graph: Graph) -> None:
    assert plan_rollout(graph, updates(TOPIC), Role.PRIMARY) == (RolloutStep(Role.SECONDARY),)
    assert plan_rollout(graph, updates(FUNCTIONS[Role.PRIMARY]), Role.PRIMARY) == (RolloutStep(Role.PRIMARY),)


def test_the_graph_finds_what_is_needed_at_any_distance(graph: Graph) -> None:
    needed = graph.closure([ALIASES[Role.SECONDARY]])
    assert needed == {*SECONDARY_CODE, TABLE, KEY, "data.aws_id.secondary"}


def test_a_wave_is_announced_with_what_it_changes_up_to_a_dozen() -> None:
    assert announced(updates(TABLE, KEY)) == f"update {TABLE}, update {KEY}"
    many = announced(updates(*(f"aws_kms_key.k{number}" for number in range(14))))
    assert many.endswith("update aws_kms_key.k11, and 2 more")
    assert announced(updates()) == "outputs only"


# -- the function behind the API -----------------------------------------------------------------------------


@dataclass
class Region:
    """A region's function and API."""

    version: str = "1"
    bad_versions: tuple[str, ...] = ()
    calls: list[str] = field(default_factory=list)
    fails_at: int = 0
    keys_fail: bool = False
    error: str = "ResourceNotFoundException"
    meanwhile: Callable[[], None] = lambda: None

    def get_alias(self, *, FunctionName: str, Name: str) -> dict[str, str]:
        assert Name == "live"
        self.calls.append("get_alias")
        if self.fails_at == self.calls.count("get_alias"):
            raise ClientError({"Error": {"Code": self.error, "Message": "gone"}}, "GetAlias")
        return {"FunctionVersion": self.version}

    def update_alias(self, *, FunctionName: str, Name: str, FunctionVersion: str) -> None:
        assert (FunctionName, Name) in {
            ("p-lambda_function_name", "live"),
            ("s-lambda_function_name", "live"),
        }
        self.meanwhile()
        self.calls.append(f"update_alias {FunctionVersion}")
        self.version = FunctionVersion

    def get_parameter(self, **_request: object) -> dict[str, dict[str, str]]:
        if self.keys_fail:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetParameter")
        return {"Parameter": {"Value": "the-secret-key"}}

    def query(self, **asked: object) -> dict[str, list[object]]:
        assert asked["ExpressionAttributeValues"] == {":id": {"S": "pay-1"}}
        return {"Items": [{"payment_id": {"S": "pay-1"}, "timestamp": {"N": "0"}}]}

    def delete_item(self, **_asked: object) -> None:
        self.calls.append("delete_item")

    def answer(self, request: httpx.Request) -> httpx.Response:
        if self.version in self.bad_versions:
            return httpx.Response(500, json={"title": "broken"})
        if request.method == "POST":
            return httpx.Response(201, json={"payment_id": "pay-1"})
        return httpx.Response(200, json={"payment_id": "pay-1"})


@dataclass(frozen=True)
class TwoRegions(Aws):
    """Scripted regions, by name."""

    scripted: Mapping[str, Region] = field(default_factory=dict)

    def client(self, service: str, region: str) -> Region:
        assert service in ("lambda", "ssm", "dynamodb")
        return self.scripted[region]


@pytest.fixture
def regions() -> dict[str, Region]:
    return {"east": Region(), "west": Region()}


def live(regions: Mapping[str, Region]) -> LambdaAlias:
    def answer(request: httpx.Request) -> httpx.Response:
        region = regions.get(request.url.host)
        if region is None:
            raise httpx.ConnectError("refused", request=request)
        return region.answer(request)

    return LambdaAlias(
        TwoRegions(scripted=regions),
        http=lambda: httpx.Client(transport=httpx.MockTransport(answer)),
        serves_within_s=0.0,
        recovers_within_s=0.0,
    )


def flat() -> dict[str, OutputValue]:
    return values() | {
        name: OutputValue(value, False, "string")
        for name, value in {
            "primary_region": "east",
            "secondary_region": "west",
            "api_endpoint": "http://east/prod/payments",
            "secondary_api_endpoint": "http://west/prod/payments",
        }.items()
    }


def outputs() -> Outputs:
    return Outputs.from_flat({name: value.value for name, value in flat().items()})


def test_a_region_is_silent_unless_it_takes_a_payment(regions: dict[str, Region]) -> None:
    assert live(regions).silent(outputs()) == ()
    assert regions["east"].calls == ["delete_item"]
    regions["east"].bad_versions = ("1",)
    assert live(regions).silent(outputs()) == ("east",)
    del regions["west"]
    assert live(regions).silent(outputs()) == ("east", "west")


def test_what_cannot_be_found_out_does_not_serve(regions: dict[str, Region]) -> None:
    regions["west"].keys_fail = True
    assert live(regions).silent(outputs()) == ("west",)
    with pytest.raises(GateFailed, match=r"Whether west serves payments cannot be found out: .*AccessDenied"):
        live(regions).verify(outputs().secondary, outputs())


def test_verifying_asks_for_health_and_sends_a_payment_that_it_deletes(regions: dict[str, Region]) -> None:
    assert live(regions).verify(outputs().secondary, outputs()) == "pay-1"
    assert regions["west"].calls == ["delete_item"]
    regions["west"].bad_versions = ("1",)
    with pytest.raises(
        GateFailed, match=r"west does not serve payments: GET .*/prod/health answered 500"
    ) as no:
        live(regions).verify(outputs().secondary, outputs())
    assert "s-lambda_log_group_name" in no.value.hint


def test_a_region_is_asked_by_clients_that_give_up_in_time() -> None:
    with LambdaAlias(Aws()).http() as client:
        assert client.timeout == httpx.Timeout(10.0)


def test_the_alias_is_looked_at_where_the_endpoints_lead_to() -> None:
    assert AWS_DEPENDENCIES.live(Aws(ENDPOINTS)).aws.endpoints is ENDPOINTS


# -- rolling back --------------------------------------------------------------------------------------------

ALIAS = "Alias live of s-lambda_function_name in west"


@dataclass
class Step:
    """A step of an update in the secondary, around a block that the test plays."""

    regions: dict[str, Region]
    journal: RollbackJournal
    said: list[Event] = field(default_factory=list)

    def around(self) -> AbstractContextManager[Callable[[], None]]:
        return live(self.regions).rollback_on_failure(outputs().secondary, self.said.append, self.journal)

    @property
    def west(self) -> Region:
        return self.regions["west"]


@pytest.fixture
def step(regions: dict[str, Region], tmp_path: Path) -> Step:
    return Step(regions, RollbackJournal(tmp_path / "rolling-update.json"))


def test_a_block_that_ends_well_leaves_the_new_version_and_no_journal(step: Step) -> None:
    with step.around() as moved:
        begun = step.journal.read()
        assert begun is not None
        assert (begun.region, begun.function, begun.alias) == ("west", "s-lambda_function_name", "live")
        assert (begun.before, begun.deployed) == ("1", "")
        assert step.journal.file.stat().st_mode & 0o077 == 0
        step.west.version = "2"
        moved()
        assert step.journal.read() == replace(begun, deployed="2")
    assert step.west.version == "2"
    assert step.journal.read() is None
    assert step.said == []


def test_where_the_new_version_cannot_be_read_the_journal_names_the_former_one(step: Step) -> None:
    step.west.fails_at = 2
    with step.around() as moved:
        moved()
        begun = step.journal.read()
        assert begun is not None
        assert begun.deployed == ""


def failing(step: Step, failure: BaseException) -> None:
    with step.around() as moved:
        step.west.version = "2"
        moved()
        raise failure


@pytest.mark.parametrize("kind", [KeyboardInterrupt, GateFailed, SystemExit])
def test_a_block_that_fails_goes_back_to_the_version_before(step: Step, kind: type[BaseException]) -> None:
    with pytest.raises(kind):
        failing(step, kind("the cause"))
    assert step.west.version == "1"
    assert step.said == [Notice(f"{ALIAS} points to version 1 again.")]
    assert step.journal.read() is None


def interrupted(step: Step, number: signal.Signals) -> None:
    with step.around() as moved:
        step.west.version = "2"
        moved()
        send(number)
        pytest.fail("ran on")


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_every_signal_goes_back_and_no_second_one_cuts_that_short(step: Step, number: signal.Signals) -> None:
    step.west.meanwhile = lambda: send(number)
    with heard() as last, pytest.raises(StopRequested):
        interrupted(step, number)
    assert last == [number], "whoever began it decides how it ends"
    assert step.west.version == "1"
    assert step.said == [
        Notice("The update is being rolled back. That is not cut short: it ends by itself."),
        Notice(f"{ALIAS} points to version 1 again."),
    ]
    assert step.journal.read() is None


def test_a_signal_during_the_rollback_of_a_failure_waits_for_its_end(step: Step) -> None:
    step.west.meanwhile = lambda: send(signal.SIGHUP)
    with heard() as last, pytest.raises(GateFailed, match="the cause"):
        failing(step, GateFailed("the cause"))
    assert (last, step.west.version) == ([], "1")


def test_a_signal_as_a_step_ends_well_undoes_nothing(step: Step) -> None:
    class Slow(RollbackJournal):
        def end(self) -> None:
            send(signal.SIGTERM)
            super().end()

    step.journal = Slow(step.journal.file)
    with heard() as last, step.around() as moved:
        step.west.version = "2"
        moved()
    assert (last, step.west.version, step.said) == ([signal.SIGTERM], "2", [])


def test_a_block_that_failed_before_the_alias_moved_changes_nothing(step: Step) -> None:
    with pytest.raises(ToolFailed), step.around():
        raise ToolFailed("Terraform failed")
    assert step.west.calls == ["get_alias", "get_alias"]
    assert step.said == []
    assert step.journal.read() is None


@pytest.mark.parametrize("kind", [GateFailed, ToolFailed])
def test_a_way_back_that_is_shut_is_told_with_the_command_and_hides_no_failure(
    step: Step, kind: type[PayinfraError]
) -> None:
    step.west.fails_at = 3
    with pytest.raises(kind, match="the cause"):
        failing(step, kind("the cause"))
    (notice,) = step.said
    assert isinstance(notice, Notice)
    assert (
        "aws lambda update-alias --region west --function-name s-lambda_function_name --name live "
        "--function-version 1" in notice.message
    )
    assert step.journal.read() is not None, "the next run tries again"


@pytest.mark.parametrize("kind", [KeyboardInterrupt, Interrupted])
def test_an_interrupt_is_not_said_to_have_put_back_what_it_has_not(
    step: Step, kind: type[BaseException]
) -> None:
    step.west.fails_at = 3
    with pytest.raises(GateFailed, match="interrupted, and not rolled back") as caught:
        failing(step, kind("the cause"))
    assert "aws lambda update-alias --region west" in caught.value.hint


def test_without_a_way_back_there_is_no_way_forward(step: Step) -> None:
    step.west.fails_at = 1
    with pytest.raises(EnvironmentUnusable, match="no way back") as caught, step.around():
        pytest.fail("ran")
    assert "--all-at-once" in caught.value.hint


def test_a_function_that_is_gone_is_made_anew_with_nothing_to_go_back_to(step: Step) -> None:
    step.west.fails_at = 1
    with live(step.regions).rollback_on_failure(
        outputs().secondary, unheard, step.journal, serves=False
    ) as moved:
        moved()
        assert step.journal.read() is None


def test_only_what_is_gone_needs_no_way_back(step: Step) -> None:
    step.west.fails_at, step.west.error = 1, "AccessDeniedException"
    with (
        pytest.raises(EnvironmentUnusable, match="no way back"),
        live(step.regions).rollback_on_failure(outputs().secondary, unheard, step.journal, serves=False),
    ):
        pytest.fail("ran")


def unheard(event: Event) -> None:
    pytest.fail(f"said {event}")


def test_a_region_that_is_gone_is_no_way_back_either(step: Step) -> None:
    step.regions["west"] = Unreachable()
    with pytest.raises(EnvironmentUnusable, match="no way back"), step.around():
        pytest.fail("ran")


class Unreachable(Region):
    """A region whose Lambda does not answer."""

    def get_alias(self, **_request: str) -> dict[str, str]:
        raise EndpointConnectionError(endpoint_url="http://west")


# -- what an earlier run has left ----------------------------------------------------------------------------


def cut_off(deployed: str = "2") -> AliasChange:
    return AliasChange("west", "s-lambda_function_name", "live", "1", "2026-01-02T03:04:05+00:00", deployed)


@pytest.mark.parametrize(
    ("called", "deployed", "ends", "said"),
    [
        ("2", "2", "1", "points to version 1 again."),
        ("2", "", "1", "points to version 1 again."),
        ("1", "2", "1", "points to version 1, as before the update."),
        ("3", "2", "3", "points to version 3, which that update did not deploy. It stays."),
    ],
)
def test_what_an_update_that_was_cut_off_has_deployed_is_rolled_back(
    regions: dict[str, Region], called: str, deployed: str, ends: str, said: str
) -> None:
    regions["west"].version = called
    assert live(regions).roll_back_cut_off(cut_off(deployed)) == f"{ALIAS} {said}"
    assert regions["west"].version == ends


def test_a_function_that_is_gone_needs_no_rollback(regions: dict[str, Region]) -> None:
    regions["west"].fails_at = 1
    assert live(regions).roll_back_cut_off(cut_off()) == f"{ALIAS} is gone."


@pytest.mark.parametrize("west", [Region(fails_at=1, error="AccessDeniedException"), Unreachable()])
def test_a_rollback_that_fails_names_the_command(west: Region) -> None:
    with pytest.raises(EnvironmentUnusable, match="could not be pointed back to version 1") as caught:
        live({"west": west}).roll_back_cut_off(cut_off())
    assert "aws lambda update-alias --region west" in caught.value.hint


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"region": 1}', "\x00"])
def test_a_journal_that_cannot_be_understood_is_no_reason_to_go_on(step: Step, text: str) -> None:
    step.journal.file.write_text(text)
    with pytest.raises(EnvironmentUnusable, match=r"rolling-update\.json cannot be read") as caught:
        step.journal.read()
    assert "aws lambda get-alias" in caught.value.hint


# -- the pipeline --------------------------------------------------------------------------------------------


@dataclass
class ShippingTerraform:
    """Plans what it is told; an apply publishes the next version in the regions whose alias it changes."""

    regions: Mapping[str, Region]
    first: Plan
    calls: list[str] = field(default_factory=list)
    later: dict[tuple[str, ...], Plan] = field(default_factory=dict)
    then: tuple[str, ...] = CODE[::2]
    waited: Callable[[], None] = lambda: None
    crash: bool = False
    state: Mapping[str, OutputValue] = field(default_factory=dict)
    binary = BINARY

    def init(self) -> None:
        self.planned = self.first

    def shown(self, _plan: Path) -> JsonValue:
        return {}

    def plan(
        self,
        out: Path,
        *,
        destroy: bool = False,
        targets: Sequence[str] = (),
        imports: Sequence[Import] = (),
    ) -> Plan:
        assert not destroy
        assert not imports
        self.calls.append(" ".join(["plan", *targets]))
        out.write_text("the plan")
        if targets:
            self.planned = updates(*targets)
        elif len(self.calls) > 1:
            self.planned = updates(*self.then)
        return self.later.get(tuple(targets), self.planned)

    def wait_for_orphans(self) -> None:
        self.waited()

    def resources(self) -> tuple[Kept, ...]:
        return ()

    def show(self, _file: Path) -> Plan:
        return self.first

    def outputs(self) -> Mapping[str, OutputValue]:
        self.calls.append("output")
        return self.state

    def apply(self, _plan: Path) -> Mapping[str, OutputValue]:
        moved = {change.address for change in self.planned.changes}
        for role, name in ((Role.PRIMARY, "east"), (Role.SECONDARY, "west")):
            if ALIASES[role] in moved:
                self.regions[name].version = str(int(self.regions[name].version) + 1)
        self.calls.append("apply")
        if self.crash:
            raise ToolFailed("Terraform failed")
        return flat()


@dataclass
class UpdatedEnvironment:
    """An environment that serves, and what an update of it would change."""

    folder: Path
    regions: dict[str, Region]
    terraform: ShippingTerraform
    events: list[Event] = field(default_factory=list)
    shown: list[Plan] = field(default_factory=list)

    def pipeline(self, **flags: str) -> Pipeline:
        settings = Settings.resolve(
            {"env": "demo", "target": Target.LOCAL, **flags}, folder=self.folder, environ={}
        )
        dependencies = ScriptedDependencies(
            account=lambda _settings: "123456789012",
            local_up=lambda _settings, _emit: ENDPOINTS,
            local_addresses=lambda _settings: ENDPOINTS,
            synthesize=self.synthesize,
            check=lambda _settings, _folder: CLEAN,
            check_plan=lambda _settings, _folder, _shown: CLEAN,
            terraform=lambda _settings, _folder, _emit: cast(Terraform, self.terraform),
            smoke_test=lambda _outputs, _aws: (),
            verify=lambda _outputs, _aws, _request: replace(CLEAN, tool="verify"),
            live=lambda _aws: live(self.regions),
            control=lambda _settings: None,
        )
        return Pipeline(
            settings,
            self.events.append,
            dependencies=dependencies,
            latest_outputs=self.folder / "latest.json",
        )

    def synthesize(self, settings: Settings, _endpoints: object, _mode: SynthesisMode) -> Path:
        folder = settings.work_dir / "synth"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cdk.tf.json").write_text(json.dumps(stack()))
        return folder

    def serving(self) -> Pipeline:
        """The pipeline, with the outputs of an earlier deployment."""
        pipeline = self.pipeline()
        pipeline.settings.work_dir.mkdir(parents=True)
        (pipeline.settings.work_dir / "outputs.json").write_text(json.dumps(outputs().to_flat()))
        return pipeline

    def confirm(self, plan: Plan) -> bool:
        self.shown.append(plan)
        return True

    @property
    def rollback_journal(self) -> RollbackJournal:
        """The environment's."""
        return RollbackJournal(self.pipeline().settings.work_dir / "rolling-update.json")

    @property
    def notices(self) -> list[str]:
        return [event.message for event in self.events if isinstance(event, Notice)]


@pytest.fixture
def world(tmp_path: Path, regions: dict[str, Region]) -> UpdatedEnvironment:
    plan = updates(FUNCTIONS[Role.PRIMARY], ALIASES[Role.PRIMARY], *SECONDARY_CODE)
    return UpdatedEnvironment(tmp_path, regions, ShippingTerraform(regions, plan))


SECONDARY_FIRST = f"plan {' '.join(sorted(SECONDARY_CODE))}"


def test_an_update_of_what_serves_comes_in_two_plans_each_shown(world: UpdatedEnvironment) -> None:
    deployed = world.serving().deploy(world.confirm)
    assert world.terraform.calls == ["plan", SECONDARY_FIRST, "apply", "plan", "apply"]
    assert len(world.shown) == 2
    assert deployed.plan.change == 4
    assert (world.regions["east"].version, world.regions["west"].version) == ("2", "2")
    assert world.notices[0].startswith("Wave 1 of 2, secondary: update aws_lambda_alias.secondary_alias")
    assert world.notices[1].startswith("Wave 2 of 2, primary: update aws_lambda_function.primary_function")


def test_a_bad_first_wave_goes_back_and_the_primary_never_hears_of_it(world: UpdatedEnvironment) -> None:
    world.regions["west"].bad_versions = ("2",)
    with pytest.raises(GateFailed, match="west does not serve payments"):
        world.serving().deploy(world.confirm)
    assert world.terraform.calls == ["plan", SECONDARY_FIRST, "apply"]
    assert (world.regions["west"].version, world.regions["east"].version) == ("1", "1")
    assert "get_alias" not in world.regions["east"].calls
    assert not world.rollback_journal.file.exists()


def test_a_bad_second_wave_goes_back_in_the_primary_alone(world: UpdatedEnvironment) -> None:
    world.regions["east"].bad_versions = ("2",)
    with pytest.raises(GateFailed, match="east does not serve payments"):
        world.serving().deploy(world.confirm)
    assert (world.regions["east"].version, world.regions["west"].version) == ("1", "2")


def test_an_apply_that_fails_half_way_goes_back_too(world: UpdatedEnvironment) -> None:
    world.terraform.crash = True
    with pytest.raises(ToolFailed):
        world.serving().deploy(world.confirm)
    assert world.regions["west"].version == "1"


def test_a_change_of_one_region_needs_no_second_plan_and_has_a_way_back(world: UpdatedEnvironment) -> None:
    world.terraform.first = updates(*SECONDARY_CODE)
    world.regions["west"].bad_versions = ("2",)
    with pytest.raises(GateFailed):
        world.serving().deploy(world.confirm)
    assert world.terraform.calls == ["plan", "apply"]
    assert world.regions["west"].version == "1"


def test_a_wave_that_nobody_confirms_changes_nothing(world: UpdatedEnvironment) -> None:
    with pytest.raises(GateFailed, match="Nothing was changed in the secondary"):
        world.serving().deploy(lambda _plan: False)
    assert "apply" not in world.terraform.calls


def test_the_guard_looks_at_each_regions_plan(world: UpdatedEnvironment) -> None:
    lost = updates("aws_s3_bucket.secondary_audit", action=ChangeAction.REPLACE)
    world.terraform.later[tuple(sorted(SECONDARY_CODE))] = lost
    with pytest.raises(GateFailed, match="lose data"):
        world.serving().deploy(world.confirm)
    assert world.shown == []
    world.terraform.calls.clear()
    world.pipeline().deploy(world.confirm, allow_destroy=True)
    assert world.shown[0] == lost


@pytest.mark.parametrize("how", [{"all_at_once": True}, {"saved_plan": Path("kept.tfplan")}])
def test_all_at_once_and_a_reviewed_plan_are_one_wave(
    world: UpdatedEnvironment, how: Mapping[str, object], tmp_path: Path
) -> None:
    deploy: Callable[..., object] = world.serving().deploy
    deploy(world.confirm, **how)
    assert world.terraform.calls[-1:] == ["apply"]
    assert SECONDARY_FIRST not in world.terraform.calls
    assert len(world.shown) == 1


def test_a_first_deployment_is_one_wave(world: UpdatedEnvironment) -> None:
    world.pipeline().deploy(world.confirm)
    assert world.terraform.calls == ["plan", "apply"]
    assert world.notices == []


def test_what_another_machine_deployed_is_updated_region_by_region_too(world: UpdatedEnvironment) -> None:
    world.terraform.state = flat()
    world.pipeline(state_bucket="states").deploy(world.confirm)
    assert world.terraform.calls == ["plan", "output", SECONDARY_FIRST, "apply", "plan", "apply"]


def test_where_the_outputs_file_is_gone_the_state_tells_what_serves(world: UpdatedEnvironment) -> None:
    world.terraform.state = flat()
    pipeline = world.pipeline()
    pipeline.settings.work_dir.mkdir(parents=True)
    (pipeline.settings.work_dir / "terraform.tfstate").write_text("{}")
    pipeline.deploy(world.confirm)
    assert SECONDARY_FIRST in world.terraform.calls


def test_an_empty_remote_state_is_a_first_deployment(world: UpdatedEnvironment) -> None:
    world.pipeline(state_bucket="states").deploy(world.confirm)
    assert world.terraform.calls == ["plan", "output", "apply"]


def test_outputs_of_another_version_are_no_reason_to_stop(world: UpdatedEnvironment) -> None:
    pipeline = world.serving()
    (pipeline.settings.work_dir / "outputs.json").write_text("{}")
    pipeline.deploy(world.confirm)
    assert world.terraform.calls == ["plan", "apply"]
    assert world.notices[0].startswith("Both regions are updated together: ")


PRIMARY_FIRST = f"plan {ALIASES[Role.PRIMARY]} {FUNCTIONS[Role.PRIMARY]}"
PRIMARY_ALONE = (FUNCTIONS[Role.PRIMARY], ALIASES[Role.PRIMARY])


def test_a_secondary_that_does_not_serve_goes_first_and_is_proven_before_the_primary(
    world: UpdatedEnvironment,
) -> None:
    world.regions["west"].bad_versions = ("1",)
    world.serving().deploy(world.confirm)
    assert world.terraform.calls == ["plan", SECONDARY_FIRST, "apply", "plan", "apply"]
    assert world.notices[0] == "west does not serve. It is updated first, and east once it serves again."


def test_a_primary_that_does_not_serve_goes_first_and_is_proven_before_the_secondary(
    world: UpdatedEnvironment,
) -> None:
    world.regions["east"].bad_versions = ("1",)
    world.terraform.then = SECONDARY_CODE
    world.serving().deploy(world.confirm)
    assert world.terraform.calls == ["plan", PRIMARY_FIRST, "apply", "plan", "apply"]
    assert (world.regions["east"].version, world.regions["west"].version) == ("2", "2")


@pytest.mark.parametrize(("silent", "other"), [("west", "east"), ("east", "west")])
def test_a_release_that_brings_no_region_back_reaches_only_that_one(
    world: UpdatedEnvironment, silent: str, other: str
) -> None:
    world.regions[silent].bad_versions = ("1", "2")
    with pytest.raises(GateFailed, match=f"{silent} does not serve payments"):
        world.serving().deploy(world.confirm)
    assert (world.regions[silent].version, world.regions[other].version) == ("1", "1")


def test_where_neither_region_serves_one_is_mended_and_proven_before_the_other(
    world: UpdatedEnvironment,
) -> None:
    for region in world.regions.values():
        region.bad_versions = ("1",)
    world.serving().deploy(world.confirm)
    assert world.terraform.calls == ["plan", SECONDARY_FIRST, "apply", "plan", "apply"]


@pytest.mark.parametrize(
    ("silent", "serving", "changes"), [("west", "east", PRIMARY_ALONE), ("east", "west", SECONDARY_CODE)]
)
def test_the_only_region_that_serves_is_not_changed(
    world: UpdatedEnvironment, silent: str, serving: str, changes: tuple[str, ...]
) -> None:
    world.regions[silent].bad_versions = ("1",)
    world.terraform.first = updates(*changes)
    with pytest.raises(
        GateFailed, match=f"{silent} does not serve payments, and this would change {serving}, the only"
    ) as caught:
        world.serving().deploy(world.confirm)
    assert caught.value.exit_code == 1
    assert "--allow-single-region" in caught.value.hint
    assert world.shown == []
    assert "apply" not in world.terraform.calls


def test_the_only_region_that_serves_is_changed_where_that_is_allowed(world: UpdatedEnvironment) -> None:
    world.regions["west"].bad_versions = ("1",)
    world.terraform.first = updates(*PRIMARY_ALONE)
    world.serving().deploy(world.confirm, allow_single_region=True)
    assert world.regions["east"].version == "2"


@pytest.mark.parametrize("how", [{"all_at_once": True}, {"saved_plan": Path("kept.tfplan")}])
def test_all_at_once_and_a_reviewed_plan_spare_the_only_region_too(
    world: UpdatedEnvironment, how: Mapping[str, object]
) -> None:
    deploy: Callable[..., object] = world.serving().deploy
    world.regions["west"].bad_versions = ("1",)
    with pytest.raises(GateFailed, match="the only region that does"):
        deploy(world.confirm, **how)
    assert "apply" not in world.terraform.calls
    deploy(world.confirm, **how, allow_single_region=True)
    assert "apply" in world.terraform.calls


def test_all_at_once_may_change_the_region_that_does_not_serve(world: UpdatedEnvironment) -> None:
    world.regions["west"].bad_versions = ("1",)
    world.terraform.first = updates(*SECONDARY_CODE)
    world.serving().deploy(world.confirm, all_at_once=True)
    assert world.regions["west"].version == "2"


def test_where_neither_region_serves_all_at_once_is_as_good_as_any(world: UpdatedEnvironment) -> None:
    for region in world.regions.values():
        region.bad_versions = ("1",)
    world.serving().deploy(world.confirm, all_at_once=True)
    details = [event.detail for event in world.events if isinstance(event, StageFinished)]
    assert "neither region" in details


def test_a_region_that_falls_silent_meanwhile_keeps_the_other_from_its_wave(
    world: UpdatedEnvironment,
) -> None:
    def confirm(_plan: Plan) -> bool:
        world.regions["west"].bad_versions = ("2",) if world.regions["west"].version == "2" else ()
        return True

    with pytest.raises(GateFailed, match=r"west does not serve payments, .* answered 500"):
        world.serving().deploy(confirm)
    assert (world.regions["east"].version, world.regions["west"].version) == ("1", "2")


def test_what_an_update_that_was_cut_off_has_left_is_rolled_back_before_anything_else(
    world: UpdatedEnvironment,
) -> None:
    pipeline = world.serving()
    world.rollback_journal.begin(cut_off())
    world.regions["west"].version = "2"
    world.regions["west"].bad_versions = ("2", "3")
    world.terraform.waited = lambda: world.regions["west"].calls.append("waited")
    with pytest.raises(GateFailed, match="west does not serve payments"):
        pipeline.deploy(world.confirm)
    assert world.regions["west"].calls[:3] == ["waited", "get_alias", "update_alias 1"]
    assert (world.regions["east"].version, world.regions["west"].version) == ("1", "1")
    assert world.notices[0] == f"An update was cut off. {ALIAS} is rolled back to version 1."
    rolled_back = [event for event in world.events if isinstance(event, StageFinished)][1]
    assert (rolled_back.stage, rolled_back.detail) == ("roll back", f"{ALIAS} points to version 1 again.")
    assert world.rollback_journal.read() is None


def test_a_rollback_that_fails_stops_the_deployment_and_is_tried_again(world: UpdatedEnvironment) -> None:
    pipeline = world.serving()
    world.rollback_journal.begin(cut_off())
    world.regions["west"] = Unreachable()
    with pytest.raises(EnvironmentUnusable, match="could not be pointed back"):
        pipeline.deploy(world.confirm)
    assert world.terraform.calls == []
    assert world.rollback_journal.read() == cut_off()


def test_what_was_cut_off_is_told_by_plan_verify_and_a_drill(world: UpdatedEnvironment) -> None:
    pipeline = world.serving()
    world.rollback_journal.begin(cut_off())
    for command in (
        pipeline.plan,
        pipeline.drill_environment,
        lambda: pipeline.verify(VerifyRequest()),
    ):
        world.events.clear()
        command()
        (said,) = world.notices
        assert f"{ALIAS} may point to a version that was not verified" in said
        assert "`payinfra deploy --env demo --local`: it rolls back to version 1 first" in said
    world.rollback_journal.file.write_text("?")
    world.events.clear()
    pipeline.verify(VerifyRequest())
    assert "cannot be read" in world.notices[0]


def test_a_function_that_was_deleted_is_made_anew(world: UpdatedEnvironment) -> None:
    world.regions["west"].bad_versions = ("1",)
    world.regions["west"].fails_at = 1
    world.serving().deploy(world.confirm)
    assert (world.regions["east"].version, world.regions["west"].version) == ("2", "2")


def test_a_first_deployment_that_never_ended_well_is_no_update(world: UpdatedEnvironment) -> None:
    world.terraform.state = flat()
    pipeline = world.pipeline()
    pipeline.settings.work_dir.mkdir(parents=True)
    for name in ("terraform.tfstate", "begun"):
        (pipeline.settings.work_dir / name).write_text("{}")
    pipeline.deploy(world.confirm)
    assert world.terraform.calls == ["plan", "apply"]


def test_nothing_to_change_asks_no_region(world: UpdatedEnvironment) -> None:
    world.terraform.first = Plan(Path("plan"), 0, 0, 0)
    world.regions.clear()
    world.serving().deploy(world.confirm)
    assert world.terraform.calls == ["plan"]
    assert world.notices == []


def test_outputs_alone_are_one_wave(world: UpdatedEnvironment) -> None:
    world.terraform.first = Plan(
        Path("plan"), 0, 0, 0, outputs=(OutputChange("declared", ChangeAction.UPDATE, False),)
    )
    world.serving().deploy(world.confirm)
    assert world.terraform.calls == ["plan", "apply"]


def test_an_alias_that_cannot_be_read_stops_before_anything_changes(world: UpdatedEnvironment) -> None:
    world.regions["west"].fails_at = 1
    with pytest.raises(EnvironmentUnusable, match="no way back"):
        world.serving().deploy(world.confirm)
    assert "apply" not in world.terraform.calls


def test_a_region_that_recovers_is_given_the_time_that_its_health_page_takes() -> None:
    assert LOOKS_TO_RECOVER * LOOK_EVERY_MS / 1000 < RECOVERS_WITHIN_S
