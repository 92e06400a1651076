"""The stack of one region alone, and what the pipeline does with it."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from payinfra.checks.probes.results import VerifyRequest
from payinfra.checks.verdicts import Severity
from payinfra.core.errors import EnvironmentUnusable, GateFailed, UsageProblem
from payinfra.core.events import Notice
from payinfra.core.outputs import Outputs, RegionOutputs
from payinfra.core.settings import Settings
from payinfra.deployment import surviving
from payinfra.deployment.lambda_alias import LambdaAlias
from payinfra.deployment.pipeline import Pipeline
from payinfra.deployment.results import ProbesFailed
from payinfra.deployment.rollback_journal import AliasChange, RollbackJournal
from payinfra.deployment.rolling_update import Role
from payinfra.stacks.embedded_endpoints import config_file
from payinfra.terraform import ChangeAction, Kept, Plan, ResourceChange
from payinfra.terraform.jsonvalue import JsonValue, at
from payinfra.terraform.runner import ERRORED_STATE
from tests.support.outputs import flat_outputs
from tests.support.scripted_dependencies import with_dependencies
from tests.unit.checks.probes.conftest import outputs
from tests.unit.deployment.test_pipeline import ScriptedEnvironment, ScriptedTerraform, found, no, values, yes

EAST, WEST = "us-east-1", "us-west-2"
FUNCTION, ALARM = "aws_lambda_function.secondary_f", "aws_cloudwatch_metric_alarm.secondary_a"
PARAMETER, TABLE = "aws_ssm_parameter.primary_secret", "aws_dynamodb_table.table"


def stack() -> dict[str, JsonValue]:
    """A function in each region, and what the secondary's needs from elsewhere."""
    return {
        "terraform": {"backend": {"local": {"path": "x"}}},
        "provider": {
            "aws": [{"alias": "primary", "region": EAST}, {"alias": "secondary", "region": WEST}],
        },
        "data": {"aws_caller_identity": {"secondary_account": {"provider": "aws.secondary"}}},
        "resource": {
            "aws_dynamodb_table": {"table": {"provider": "aws.primary"}},
            "aws_ssm_parameter": {"primary_secret": {"provider": "aws.primary"}},
            "aws_iam_role": {"secondary_role": {"provider": "aws.secondary"}},
            "aws_lambda_function": {
                "primary_f": {"provider": "aws.primary"},
                "secondary_f": {
                    "provider": "aws.secondary",
                    "role": "${aws_iam_role.secondary_role.arn}",
                    "table": "${one(aws_dynamodb_table.table.replica[*].name)}",
                    "account": ["${data.aws_caller_identity.secondary_account.account_id}"],
                    "secret": "${aws_ssm_parameter.primary_secret.value}",
                    "whole": "${aws_ssm_parameter.primary_secret}",
                    "memory": 512,
                    "depends_on": ["aws_iam_role.secondary_role", "aws_sns_topic.secondary_t"],
                },
            },
            "aws_sns_topic": {"secondary_t": {"provider": "aws.secondary"}},
            "aws_cloudwatch_metric_alarm": {
                "secondary_a": {"provider": "aws.secondary", "of": "${aws_lambda_function.secondary_f.name}"}
            },
        },
        "output": {
            "declared": {
                "value": json.dumps({"regions": [{"region": EAST, "n": 9}, {"region": WEST, "n": 9}]})
            },
            "name": {"value": "${aws_lambda_function.secondary_f.name}", "description": "its name"},
        },
    }


def known(address: str, *sensitive: str, **attributes: JsonValue) -> Kept:
    kind = address.removeprefix("data.").partition(".")[0]
    return Kept(address, kind, "aws.primary", False, attributes, frozenset(sensitive))


STATE = (
    known(TABLE, replica=[{"name": "payments"}]),
    known(PARAMETER, "value", value="a${secret}%{x}"),
    known("aws_iam_role.secondary_role", arn="arn:role"),
    known("data.aws_caller_identity.secondary_account", account_id="123456789012"),
    known(FUNCTION, name="f"),
)


def recorded() -> Outputs:
    before = {"regions": [{"region": EAST, "n": 1}, {"region": WEST, "n": 1}]}
    return replace(outputs(), declared_json=json.dumps(before))


def cut(
    state: tuple[Kept, ...] = STATE, whole: dict[str, JsonValue] | None = None
) -> surviving.SurvivingStack:
    return surviving.cut_down(whole or stack(), "aws.secondary", state, recorded(), WEST)


def test_what_is_of_the_region_alone_is_left_and_targeted() -> None:
    assert cut().targets == (ALARM, FUNCTION, "aws_sns_topic.secondary_t")
    assert cut().left_out == ()
    document = cut().document
    assert "data" not in document
    assert at(document, "resource", "aws_iam_role") is at(document, "resource", "aws_dynamodb_table") is None
    assert document["terraform"] == stack()["terraform"]
    assert document["provider"] == stack()["provider"]


def test_what_is_needed_from_elsewhere_is_what_the_state_knows() -> None:
    function = at(cut().document, "resource", "aws_lambda_function", "secondary_f")
    assert function == {
        "provider": "aws.secondary",
        "role": "${local.elsewhere_aws_iam_role_secondary_role.arn}",
        "table": "${one(local.elsewhere_aws_dynamodb_table_table.replica[*].name)}",
        "account": ["${local.elsewhere_data_aws_caller_identity_secondary_account.account_id}"],
        "secret": "${sensitive(local.elsewhere_aws_ssm_parameter_primary_secret.value)}",
        "whole": "${local.elsewhere_aws_ssm_parameter_primary_secret}",
        "memory": 512,
        "depends_on": ["aws_sns_topic.secondary_t"],
    }
    values = at(cut().document, "locals")
    assert at(values, "elsewhere_aws_dynamodb_table_table") == {"replica": [{"name": "payments"}]}
    assert at(values, "elsewhere_aws_ssm_parameter_primary_secret") == {"value": "a$${secret}%%{x}"}


def test_locals_are_written_and_what_they_need_is_needed() -> None:
    published = {"secret": "${aws_ssm_parameter.primary_secret.value}", "declared": "no JSON"}
    whole = {**stack(), "locals": {"published": published}}
    resources = {**cast(dict[str, JsonValue], stack()["resource"])}
    resources["aws_ssm_parameter"] = {
        "primary_secret": {"provider": "aws.primary"},
        "secondary_p": {"provider": "aws.secondary", "value": "${jsonencode(local.published)}"},
    }
    whole["resource"] = resources
    parameter = "aws_ssm_parameter.secondary_p"
    assert parameter in cut(whole=whole).targets
    assert at(cut(whole=whole).document, "locals", "published", "secret") == (
        "${sensitive(local.elsewhere_aws_ssm_parameter_primary_secret.value)}"
    )
    without = tuple(one for one in STATE if one.address != PARAMETER)
    assert parameter in cut(without, whole).left_out
    assert at(cut(without, whole).document, "locals", "published") is None


def test_references_within_the_region_stay() -> None:
    alarm = at(cut().document, "resource", "aws_cloudwatch_metric_alarm", "secondary_a", "of")
    assert alarm == "${aws_lambda_function.secondary_f.name}"
    assert at(cut().document, "output", "name") == at(stack(), "output", "name")


def test_secrets_are_in_no_repr() -> None:
    assert "a$${secret}" not in repr(cut())


def test_what_needs_something_that_does_not_exist_waits_for_a_whole_deployment() -> None:
    without = tuple(one for one in STATE if one.address not in ("aws_iam_role.secondary_role", FUNCTION))
    found = cut(without)
    assert found.targets == ("aws_sns_topic.secondary_t",)
    assert found.left_out == (ALARM, FUNCTION)
    assert at(found.document, "output", "name") is None


def test_the_other_region_stays_declared_as_it_was_deployed() -> None:
    declared = json.loads(str(at(cut().document, "output", "declared", "value")))
    assert declared["regions"] == [{"region": EAST, "n": 1}, {"region": WEST, "n": 9}]


@pytest.mark.parametrize("text", ["no JSON", "[]"])
def test_what_is_declared_stays_where_it_cannot_be_read(text: str) -> None:
    whole = {**stack(), "output": {"declared": {"value": text}}}
    assert at(cut(whole=whole).document, "output", "declared", "value") == text
    alone = surviving.cut_down(stack(), "aws.secondary", STATE, None, WEST)
    assert at(alone.document, "output", "declared") == at(stack(), "output", "declared")


def test_an_empty_state_is_refused() -> None:
    with pytest.raises(EnvironmentUnusable, match="knows nothing"):
        cut(())


def test_a_region_is_named_by_its_role_or_its_name() -> None:
    assert (
        surviving.role_of("secondary", (EAST, WEST))
        is surviving.role_of(WEST, (EAST, WEST))
        is Role.SECONDARY
    )
    assert surviving.role_of("primary", (EAST, WEST)) is Role.PRIMARY
    with pytest.raises(UsageProblem, match="not in eu-west-1"):
        surviving.role_of("eu-west-1", (EAST, WEST))


def test_a_plan_that_reaches_further_is_refused() -> None:
    def plan(address: str) -> Plan:
        change = ResourceChange(address, address.partition(".")[0], ChangeAction.UPDATE)
        return Plan(Path("plan"), 0, 1, 0, (change,))

    surviving.require_own(plan(FUNCTION), cut(), EAST)
    surviving.require_own(plan(f"{FUNCTION}[0]"), cut(), EAST)
    with pytest.raises(GateFailed, match=TABLE):
        surviving.require_own(plan(TABLE), cut(), EAST)


def test_the_folder_is_the_owners_and_is_gone_afterwards(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    (whole / "payments.zip").write_bytes(b"zip")
    (whole / config_file(EAST)).write_text("[default]")
    with surviving.placed(tmp_path, whole, cut()) as folder:
        assert surviving.read(folder) == cut().document
        assert (folder / config_file(EAST)).read_text() == "[default]", (
            "without it the provider would ask AWS"
        )
        assert (folder / surviving.STACK_FILE).stat().st_mode & 0o077 == 0
        assert (folder / "payments.zip").read_bytes() == b"zip"
    assert not folder.exists()


def test_a_state_that_could_not_be_saved_is_brought_in_by_the_next_whole_run(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    with surviving.placed(tmp_path, whole, cut()) as folder:
        (folder / ERRORED_STATE).write_text("the state")
    assert not (folder / surviving.STACK_FILE).exists()
    surviving.bring_unsaved_state(tmp_path, whole)
    assert (whole / ERRORED_STATE).read_text() == "the state"
    surviving.bring_unsaved_state(tmp_path, whole)


def state_in(**flags: object) -> Settings:
    return Settings.resolve({"env": "demo", "target": "aws", **flags}, folder=Path(), environ={})


def test_a_state_in_the_region_that_is_gone_is_taken_from_its_replica() -> None:
    with pytest.raises(EnvironmentUnusable, match=f"bucket states in {EAST}") as caught:
        surviving.state_risk(state_in(state_bucket="states"), WEST, EAST)
    assert f"--state-bucket states-replica --state-region {WEST}" in caught.value.hint
    assert "may lack what was written in the minutes before" in caught.value.hint


def test_a_replica_is_used_with_what_it_risks_and_the_way_back() -> None:
    told = surviving.state_risk(state_in(state_bucket="states-replica", state_region=WEST), WEST, EAST)
    assert "may lack what was written" in told
    key = "payinfra/payment-demo/terraform.tfstate"
    assert f"aws s3 cp s3://states-replica/{key} s3://states/{key} --source-region {WEST}" in told


def test_a_state_that_is_nearer_risks_nothing() -> None:
    assert surviving.state_risk(state_in(), WEST, EAST) == ""
    assert surviving.state_risk(state_in(state_bucket="states"), EAST, WEST) == ""
    assert surviving.state_risk(state_in(state_bucket="states", state_region=WEST), WEST, EAST) == ""


# -- the pipeline ------------------------------------------------------------------------------------------


class OneRegion(ScriptedTerraform):
    """A Terraform that knows a state."""

    def known(self) -> tuple[Kept, ...]:
        return STATE


@dataclass
class Live:
    """What the regions' APIs call."""

    asked: list[str] = field(default_factory=list)
    serves: bool = True

    @contextmanager
    def rollback_on_failure(
        self, region: RegionOutputs, _emit: object, journal: RollbackJournal
    ) -> Iterator[Callable[[], None]]:
        self.asked.append(f"rollback {region.region} {journal.file.name}")
        yield lambda: None

    def verify(self, region: RegionOutputs, _env: str) -> str:
        self.asked.append(f"verify {region.region}")
        if not self.serves:
            raise GateFailed("it does not serve")
        return "pay-1"

    def roll_back_cut_off(self, change: AliasChange) -> str:
        self.asked.append(f"roll back {change.region}")
        return "done"


@dataclass
class Surroundings(ScriptedEnvironment):
    """An environment that stands, of which one region is left."""

    live: Live = field(default_factory=Live)
    silent: tuple[str, ...] = ()

    def pipeline(self) -> Pipeline:
        return with_dependencies(
            super().pipeline(),
            live=lambda _aws: cast(LambdaAlias, self.live),
            silent=lambda _settings, _endpoints: self.silent,
            account_in=lambda _settings, region: f"of {region}",
        )

    def deploy(self, confirm: Callable[[Plan], bool] = yes, region: str = WEST) -> Any:
        return self.pipeline().deploy_surviving(region, confirm)

    @property
    def work_dir(self) -> Path:
        return self.pipeline().settings.work_dir


def of_the_region(file: Path) -> Plan:
    return Plan(file, 0, 1, 0, (ResourceChange(FUNCTION, "aws_lambda_function", ChangeAction.UPDATE),))


def nothing(file: Path) -> Plan:
    return Plan(file, 0, 0, 0, ())


def elsewhere(file: Path) -> Plan:
    return Plan(file, 0, 1, 0, (ResourceChange(TABLE, "aws_dynamodb_table", ChangeAction.UPDATE),))


@pytest.fixture
def around(tmp_path: Path) -> Surroundings:
    flat = flat_outputs(environment_suffix="demo", primary_region=EAST, secondary_region=WEST)
    made = Surroundings(tmp_path, OneRegion([of_the_region]), stack=cast(Mapping[str, object], stack()))
    made.work_dir.mkdir(parents=True)
    (made.work_dir / "outputs.json").write_text(json.dumps(flat))
    made.terraform.state = {
        **values(),
        **{name: replace(values()[name], value=text) for name, text in flat.items()},
    }
    return made


def test_one_region_is_planned_applied_proven_and_verified(around: Surroundings) -> None:
    deployed = around.deploy()
    assert around.stages == [
        *(
            "local",
            "synth",
            "check",
            "init",
            "init",
            f"plan {WEST}",
            f"apply {WEST}",
            "verify secondary",
            "verify",
        ),
    ]
    assert f"plan {ALARM} {FUNCTION} aws_sns_topic.secondary_t" in around.terraform.calls
    assert around.live.asked == [f"rollback {WEST} surviving-update.json", f"verify {WEST}"]
    assert around.requests == [VerifyRequest(regions=(WEST,), gone=(EAST,))]
    assert deployed.proofs == ()
    assert not (around.work_dir / surviving.FOLDER).exists()


def test_nothing_to_change_is_no_apply(around: Surroundings) -> None:
    around.terraform.plans = [nothing]
    around.deploy(no)
    assert around.live.asked == []
    assert around.requests != []


def test_a_person_may_say_no(around: Surroundings) -> None:
    with pytest.raises(GateFailed, match="not confirmed"):
        around.deploy(no)
    assert around.live.asked == []


def test_a_plan_for_more_than_the_region_is_not_applied(around: Surroundings) -> None:
    around.terraform.plans = [elsewhere]
    with pytest.raises(GateFailed, match="not of the surviving region alone"):
        around.deploy()
    assert around.live.asked == []


def test_probes_that_fail_fail_the_deployment(around: Surroundings) -> None:
    around.verified = found(Severity.HIGH)
    with pytest.raises(ProbesFailed) as caught:
        around.deploy()
    assert f"verify --region {WEST}" in caught.value.hint


def test_a_region_that_does_not_serve_afterwards_fails_it(around: Surroundings) -> None:
    around.live.serves = False
    with pytest.raises(GateFailed, match="does not serve"):
        around.deploy()


def test_an_environment_that_was_not_deployed_from_here_has_no_survivor(around: Surroundings) -> None:
    (around.work_dir / "outputs.json").unlink()
    with pytest.raises(EnvironmentUnusable, match="was not deployed from this folder"):
        around.deploy()


def test_what_must_wait_is_named(around: Surroundings) -> None:
    around.stack = json.loads(json.dumps(stack()).replace("primary_secret", "primary_new"))
    around.terraform.plans = [nothing]
    around.deploy()
    assert Notice(f"Waits for {EAST} and a whole deployment: {FUNCTION}.") in around.events


def change(region: str) -> AliasChange:
    return AliasChange(region, "f", "live", "1", "now")


def test_an_update_that_was_cut_off_is_rolled_back_in_the_region_alone(around: Surroundings) -> None:
    whole = RollbackJournal(around.work_dir / "rolling-update.json")
    whole.begin(change(EAST))
    alone = RollbackJournal(around.work_dir / "surviving-update.json")
    alone.begin(change(WEST))
    around.deploy()
    assert around.live.asked[0] == f"roll back {WEST}"
    assert whole.read() is not None
    assert alone.read() is None


@pytest.mark.parametrize("command", ["plan", "deploy", "destroy", "adopt", "verify --drift"])
def test_what_needs_both_regions_says_so_before_terraform(around: Surroundings, command: str) -> None:
    around.silent = (EAST,)
    pipeline = around.pipeline()
    run: dict[str, Callable[[], object]] = {
        "plan": pipeline.plan,
        "deploy": lambda: pipeline.deploy(yes),
        "destroy": lambda: pipeline.destroy(yes),
        "adopt": lambda: pipeline.adopt(yes),
        "verify --drift": lambda: pipeline.verify(VerifyRequest(), drift=True),
    }
    with pytest.raises(EnvironmentUnusable, match=f"{EAST} does not answer, and `{command}` needs") as caught:
        run[command]()
    assert around.terraform.calls == []
    assert "payinfra status --env demo" in caught.value.hint
    assert (f"deploy --surviving {WEST}" in caught.value.hint) is (command in ("plan", "deploy"))


def test_with_no_region_left_the_network_is_looked_at(around: Surroundings) -> None:
    around.silent = (EAST, WEST)
    with pytest.raises(EnvironmentUnusable, match=f"Neither region answers: {EAST} and {WEST}"):
        around.pipeline().plan()
