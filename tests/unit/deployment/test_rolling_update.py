"""What goes first in an update, and what happens to a wave that does not serve."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import httpx
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from payinfra.clients.aws import Aws
from payinfra.core.errors import EnvironmentUnusable, GateFailed, ToolFailed
from payinfra.core.events import Event, Notice
from payinfra.core.outputs import Outputs
from payinfra.core.settings import Settings, Target
from payinfra.deployment.dependencies import PipelineDependencies
from payinfra.deployment.lambda_alias import LambdaAlias
from payinfra.deployment.pipeline import Pipeline
from payinfra.deployment.rolling_update import Graph, Role, RolloutStep, announced, plan_rollout
from payinfra.terraform import (
    Change,
    ChangeAction,
    Import,
    Kept,
    OutputChange,
    OutputValue,
    Plan,
    Terraform,
)
from payinfra.terraform.jsonvalue import JsonValue
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
        },
    }


def updates(*addresses: str, action: ChangeAction = ChangeAction.UPDATE) -> Plan:
    changes = tuple(Change(address, address.partition(".")[0], action) for address in addresses)
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

    def get_alias(self, *, FunctionName: str, Name: str) -> dict[str, str]:  # noqa: N803 - boto3's names
        assert Name == "live"
        self.calls.append("get_alias")
        if self.fails_at == len(self.calls):
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "gone"}}, "GetAlias")
        return {"FunctionVersion": self.version}

    def update_alias(self, *, FunctionName: str, Name: str, FunctionVersion: str) -> None:  # noqa: N803
        assert (FunctionName, Name) in {
            ("p-lambda_function_name", "live"),
            ("s-lambda_function_name", "live"),
        }
        self.calls.append(f"update_alias {FunctionVersion}")
        self.version = FunctionVersion

    def get_parameter(self, **_request: object) -> dict[str, dict[str, str]]:
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


def test_a_region_is_silent_unless_its_health_page_says_200(regions: dict[str, Region]) -> None:
    assert live(regions).silent(outputs()) == ()
    regions["east"].bad_versions = ("1",)
    assert live(regions).silent(outputs()) == ("east",)
    del regions["west"]
    assert live(regions).silent(outputs()) == ("east", "west")


def test_verifying_asks_for_health_and_sends_a_payment_that_it_deletes(regions: dict[str, Region]) -> None:
    assert live(regions).verify(outputs().secondary, "demo") == "pay-1"
    assert regions["west"].calls == ["delete_item"]
    regions["west"].bad_versions = ("1",)
    with pytest.raises(
        GateFailed, match=r"west does not serve payments: GET .*/prod/health answered 500"
    ) as no:
        live(regions).verify(outputs().secondary, "demo")
    assert "s-lambda_log_group_name" in no.value.hint


def test_a_region_is_asked_by_clients_that_give_up_in_time() -> None:
    with LambdaAlias(Aws()).http() as client:
        assert client.timeout == httpx.Timeout(10.0)


def test_the_toolbox_looks_at_what_the_endpoints_lead_to() -> None:
    from payinfra.deployment import dependencies as dependencies_module

    assert dependencies_module.AWS_DEPENDENCIES.live(Aws(ENDPOINTS)).aws.endpoints is ENDPOINTS


def test_a_block_that_ends_well_leaves_the_new_version(regions: dict[str, Region]) -> None:
    with live(regions).rollback_on_failure(outputs().secondary, lambda _event: None):
        regions["west"].version = "2"
    assert regions["west"].version == "2"


def interrupted_after(region: Region, version: str) -> None:
    region.version = version
    raise KeyboardInterrupt


def unheard(event: Event) -> None:
    pytest.fail(f"said {event}")


def test_a_block_that_fails_goes_back_to_the_version_before(regions: dict[str, Region]) -> None:
    said: list[Event] = []
    with (
        pytest.raises(KeyboardInterrupt),
        live(regions).rollback_on_failure(outputs().secondary, said.append),
    ):
        interrupted_after(regions["west"], "2")
    assert regions["west"].version == "1"
    assert said == [Notice("Alias live of s-lambda_function_name in west points to version 1 again.")]


def test_a_block_that_failed_before_the_alias_moved_changes_nothing(regions: dict[str, Region]) -> None:
    with pytest.raises(ToolFailed), live(regions).rollback_on_failure(outputs().secondary, unheard):
        raise ToolFailed("Terraform failed")
    assert regions["west"].calls == ["get_alias", "get_alias"]


def test_a_way_back_that_is_shut_is_told_with_the_command_and_hides_no_failure(
    regions: dict[str, Region],
) -> None:
    said: list[Event] = []
    regions["west"].fails_at = 2
    with (
        pytest.raises(GateFailed, match="the cause"),
        live(regions).rollback_on_failure(outputs().secondary, said.append),
    ):
        raise GateFailed("the cause")
    (notice,) = said
    assert isinstance(notice, Notice)
    assert (
        "aws lambda update-alias --region west --function-name s-lambda_function_name --name live "
        "--function-version 1" in notice.message
    )


def test_without_a_way_back_there_is_no_way_forward(regions: dict[str, Region]) -> None:
    regions["west"].fails_at = 1
    with (
        pytest.raises(EnvironmentUnusable, match="no way back") as caught,
        live(regions).rollback_on_failure(outputs().secondary, unheard),
    ):
        pytest.fail("ran")
    assert "--all-at-once" in caught.value.hint


# -- the pipeline --------------------------------------------------------------------------------------------


@dataclass
class ShippingTerraform:
    """Plans what it is told; an apply publishes the next version in the regions whose alias it changes."""

    regions: Mapping[str, Region]
    first: Plan
    calls: list[str] = field(default_factory=list)
    later: dict[tuple[str, ...], Plan] = field(default_factory=dict)
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
            self.planned = updates(*CODE[::2])
        return self.later.get(tuple(targets), self.planned)

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
class World:
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
        dependencies = PipelineDependencies(
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
        )
        return Pipeline(
            settings,
            self.events.append,
            dependencies=dependencies,
            latest_outputs=self.folder / "latest.json",
        )

    def synthesize(self, settings: Settings, _endpoints: object, _eager: bool) -> Path:
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
    def notices(self) -> list[str]:
        return [event.message for event in self.events if isinstance(event, Notice)]


@pytest.fixture
def world(tmp_path: Path, regions: dict[str, Region]) -> World:
    plan = updates(FUNCTIONS[Role.PRIMARY], ALIASES[Role.PRIMARY], *SECONDARY_CODE)
    return World(tmp_path, regions, ShippingTerraform(regions, plan))


SECONDARY_FIRST = f"plan {' '.join(sorted(SECONDARY_CODE))}"


def test_an_update_of_what_serves_comes_in_two_waves_each_shown(world: World) -> None:
    deployed = world.serving().deploy(world.confirm)
    assert world.terraform.calls == ["plan", SECONDARY_FIRST, "apply", "plan", "apply"]
    assert len(world.shown) == 2
    assert deployed.plan.change == 4
    assert (world.regions["east"].version, world.regions["west"].version) == ("2", "2")
    assert world.notices[0].startswith("Wave 1 of 2, secondary: update aws_lambda_alias.secondary_alias")
    assert world.notices[1].startswith("Wave 2 of 2, primary: update aws_lambda_function.primary_function")


def test_a_bad_first_wave_goes_back_and_the_primary_never_hears_of_it(world: World) -> None:
    world.regions["west"].bad_versions = ("2",)
    with pytest.raises(GateFailed, match="west does not serve payments"):
        world.serving().deploy(world.confirm)
    assert world.terraform.calls == ["plan", SECONDARY_FIRST, "apply"]
    assert world.regions["west"].version == "1"
    assert world.regions["east"].calls == []


def test_a_bad_second_wave_goes_back_in_the_primary_alone(world: World) -> None:
    world.regions["east"].bad_versions = ("2",)
    with pytest.raises(GateFailed, match="east does not serve payments"):
        world.serving().deploy(world.confirm)
    assert (world.regions["east"].version, world.regions["west"].version) == ("1", "2")


def test_an_apply_that_fails_half_way_goes_back_too(world: World) -> None:
    world.terraform.crash = True
    with pytest.raises(ToolFailed):
        world.serving().deploy(world.confirm)
    assert world.regions["west"].version == "1"


def test_a_change_of_one_region_needs_no_second_plan_and_has_a_way_back(world: World) -> None:
    world.terraform.first = updates(*SECONDARY_CODE)
    world.regions["west"].bad_versions = ("2",)
    with pytest.raises(GateFailed):
        world.serving().deploy(world.confirm)
    assert world.terraform.calls == ["plan", "apply"]
    assert world.regions["west"].version == "1"


def test_a_wave_that_nobody_confirms_changes_nothing(world: World) -> None:
    with pytest.raises(GateFailed, match="Nothing was changed in the secondary"):
        world.serving().deploy(lambda _plan: False)
    assert "apply" not in world.terraform.calls


def test_the_guard_looks_at_each_waves_plan(world: World) -> None:
    lost = updates("aws_s3_bucket.secondary_audit", action=ChangeAction.REPLACE)
    world.terraform.later[tuple(sorted(SECONDARY_CODE))] = lost
    with pytest.raises(GateFailed, match="lose data"):
        world.serving().deploy(world.confirm)
    assert world.shown == []
    world.terraform.calls.clear()
    world.pipeline().deploy(world.confirm, allow_destroy=True)
    assert world.shown[0] is lost


@pytest.mark.parametrize("how", [{"all_at_once": True}, {"saved_plan": Path("kept.tfplan")}])
def test_all_at_once_and_a_reviewed_plan_are_one_wave(
    world: World, how: Mapping[str, object], tmp_path: Path
) -> None:
    deploy: Callable[..., object] = world.serving().deploy
    deploy(world.confirm, **how)
    assert world.terraform.calls[-1:] == ["apply"]
    assert SECONDARY_FIRST not in world.terraform.calls
    assert len(world.shown) == 1


def test_a_first_deployment_is_one_wave(world: World) -> None:
    world.pipeline().deploy(world.confirm)
    assert world.terraform.calls == ["plan", "apply"]
    assert world.notices == []


def test_what_another_machine_deployed_is_updated_in_waves_too(world: World) -> None:
    world.terraform.state = flat()
    world.pipeline(state_bucket="states").deploy(world.confirm)
    assert world.terraform.calls == ["plan", "output", SECONDARY_FIRST, "apply", "plan", "apply"]


def test_where_the_outputs_file_is_gone_the_state_tells_what_serves(world: World) -> None:
    world.terraform.state = flat()
    pipeline = world.pipeline()
    pipeline.settings.work_dir.mkdir(parents=True)
    (pipeline.settings.work_dir / "terraform.tfstate").write_text("{}")
    pipeline.deploy(world.confirm)
    assert SECONDARY_FIRST in world.terraform.calls


def test_an_empty_remote_state_is_a_first_deployment(world: World) -> None:
    world.pipeline(state_bucket="states").deploy(world.confirm)
    assert world.terraform.calls == ["plan", "output", "apply"]


def test_outputs_of_another_version_are_no_reason_to_stop(world: World) -> None:
    pipeline = world.serving()
    (pipeline.settings.work_dir / "outputs.json").write_text("{}")
    pipeline.deploy(world.confirm)
    assert world.terraform.calls == ["plan", "apply"]


def test_what_does_not_serve_in_both_regions_is_mended_in_one(world: World) -> None:
    world.regions["west"].bad_versions = ("1",)
    world.serving().deploy(world.confirm)
    assert world.terraform.calls == ["plan", "apply"]
    assert world.notices == ["No waves: west does not serve."]


def test_nothing_to_change_asks_no_region(world: World) -> None:
    world.terraform.first = Plan(Path("plan"), 0, 0, 0)
    world.regions.clear()
    world.serving().deploy(world.confirm)
    assert world.terraform.calls == ["plan"]
    assert world.notices == []


def test_outputs_alone_are_one_wave(world: World) -> None:
    world.terraform.first = Plan(
        Path("plan"), 0, 0, 0, outputs=(OutputChange("declared", ChangeAction.UPDATE, False),)
    )
    world.serving().deploy(world.confirm)
    assert world.terraform.calls == ["plan", "apply"]


def test_an_alias_that_cannot_be_read_stops_before_anything_changes(world: World) -> None:
    world.regions["west"].fails_at = 1
    with pytest.raises(EnvironmentUnusable, match="no way back"):
        world.serving().deploy(world.confirm)
    assert "apply" not in world.terraform.calls


def test_a_region_that_is_gone_is_no_way_back_either(regions: dict[str, Region]) -> None:
    class Unreachable(Region):
        def get_alias(self, **_request: str) -> dict[str, str]:
            raise EndpointConnectionError(endpoint_url="http://west")

    regions["west"] = Unreachable()
    with (
        pytest.raises(EnvironmentUnusable),
        live(regions).rollback_on_failure(outputs().secondary, lambda _event: None),
    ):
        pytest.fail("ran")
