"""The commands, after an apply that did not end well."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from payinfra.account.environments.tagged_resources import resource
from payinfra.checks.probes.results import VerifyRequest
from payinfra.core.errors import EnvironmentUnusable, ExitCode, GateFailed, Interrupted, ToolFailed
from payinfra.core.events import Notice, StageFinished
from payinfra.deployment.pipeline import Pipeline
from payinfra.terraform import (
    ChangeAction,
    Creation,
    Diagnostic,
    Kept,
    OutputValue,
    Plan,
    ResourceChange,
    TerraformFailed,
)
from tests.support.scripted_dependencies import with_dependencies
from tests.unit.deployment.recovery.conftest import TAGS, Stubbed
from tests.unit.deployment.test_pipeline import (
    STACK,
    ScriptedEnvironment,
    ScriptedTerraform,
    a_plan,
    empty,
    no,
    yes,
)

ROLE = Creation("aws_iam_role.x", "aws_iam_role", "aws.primary", "us-east-1", {"name": "r", "tags_all": TAGS})
COLLISION = TerraformFailed(
    "terraform apply failed",
    "",
    (Diagnostic("error", "creating IAM Role: EntityAlreadyExists", address=ROLE.address),),
)


@dataclass
class Unlucky(ScriptedTerraform):
    """Its applies fail as told, one after the other, then no more."""

    troubles: list[Exception] = field(default_factory=list)
    wanted: tuple[Creation, ...] = ()

    def creations(self, _plan: Path) -> tuple[Creation, ...]:
        return self.wanted

    def apply(self, plan: Path) -> Mapping[str, OutputValue]:
        outputs = super().apply(plan)
        if self.troubles:
            raise self.troubles.pop(0)
        return outputs


def a_role(file: Path) -> Plan:
    return Plan(file, 1, 0, 0, (ResourceChange(ROLE.address, ROLE.type, ChangeAction.CREATE),))


def adopting(file: Path) -> Plan:
    return Plan(file, 0, 0, 0, (ResourceChange(ROLE.address, ROLE.type, ChangeAction.IMPORT, import_id="r"),))


TABLE = resource("arn:aws:dynamodb:us-east-1:000000000000:table/payment-demo-payments", {}, "us-east-1")
STRAY = resource("arn:aws:kms:us-east-1:000000000000:key/stray", {"Environment": "demo"}, "us-east-1")


def unlucky(
    tmp_path: Path, *troubles: Exception, plans: Sequence[object]
) -> tuple[ScriptedEnvironment, Unlucky]:
    terraform = Unlucky(list(plans), troubles=list(troubles), wanted=(ROLE,))  # type: ignore[arg-type]  # of any kind
    return ScriptedEnvironment(tmp_path, terraform), terraform


def pipeline(world: ScriptedEnvironment, aws: Stubbed) -> Pipeline:
    return with_dependencies(world.pipeline(), aws=lambda _settings, _endpoints: aws)


def the_role(aws: Stubbed, *, created: datetime | None = None) -> None:
    role = {
        "Path": "/",
        "RoleName": "r",
        "RoleId": "AROA000000000000",
        "Arn": "arn:aws:iam::000000000000:role/r",
    }
    tags = [{"Key": name, "Value": value} for name, value in TAGS.items()]
    answer = role | {"CreateDate": created or datetime.now(UTC), "Tags": tags}
    aws.answers("iam", "get_role", {"Role": answer}, RoleName="r")


def test_what_was_lost_is_adopted_in_the_same_deployment(tmp_path: Path, aws: Stubbed) -> None:
    world, terraform = unlucky(tmp_path, COLLISION, plans=[a_role, a_role, adopting])
    the_role(aws)
    deployed = pipeline(world, aws).deploy(yes)
    assert terraform.calls == [
        *("init", "plan", "shown plan.tfplan", "apply plan.tfplan"),
        *("plan", "plan +r", "shown plan.tfplan", "apply plan.tfplan"),
    ]
    assert deployed.plan.adopts == 1
    details = {event.stage: event.detail for event in world.events if isinstance(event, StageFinished)}
    assert details["adopt"] == details["apply"] == "0 to add, 0 to change, 0 to destroy, 1 to adopt"


def test_adopting_is_asked_for(tmp_path: Path, aws: Stubbed) -> None:
    world, terraform = unlucky(tmp_path, COLLISION, plans=[a_role, a_role, adopting])
    the_role(aws)
    with pytest.raises(GateFailed, match="not confirmed"):
        pipeline(world, aws).deploy(lambda plan: not plan.adopts)
    assert terraform.calls.count("apply plan.tfplan") == 1


def test_what_was_agreed_to_is_not_asked_again_when_it_is_tried_again(tmp_path: Path, aws: Stubbed) -> None:
    both = (ResourceChange(ROLE.address, ROLE.type, ChangeAction.CREATE), *a_plan(tmp_path).changes)
    world, terraform = unlucky(tmp_path, COLLISION, plans=[lambda file: Plan(file, 2, 0, 0, both), a_plan])
    terraform.wanted = ()
    asked: list[Plan] = []

    def agree(plan: Plan) -> bool:
        asked.append(plan)
        return True

    pipeline(world, aws).deploy(agree)
    assert terraform.calls.count("apply plan.tfplan") == 2
    assert [plan.add for plan in asked] == [2]


def test_what_is_somebody_elses_stops_it_with_the_reason(tmp_path: Path, aws: Stubbed) -> None:
    world, terraform = unlucky(tmp_path, COLLISION, plans=[a_role, a_role])
    the_role(aws, created=datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(ToolFailed, match="before this environment was first deployed from here"):
        pipeline(world, aws).deploy(yes)
    assert terraform.calls.count("apply plan.tfplan") == 1


def test_the_next_deployment_finishes_and_adopts_before_it_applies(tmp_path: Path, aws: Stubbed) -> None:
    broken = TerraformFailed("terraform apply failed: no luck", "", ())
    world, terraform = unlucky(tmp_path, broken, plans=[a_role, a_role, adopting])
    with pytest.raises(TerraformFailed, match="no luck"):
        pipeline(world, aws).deploy(yes)
    terraform.calls.clear()
    terraform.kept = (Kept("aws_kms_key.x", "aws_kms_key", "aws.primary", tainted=True, attributes={}),)
    the_role(aws)
    pipeline(world, aws).deploy(yes)
    assert terraform.calls == [
        *("init", "untaint aws_kms_key.x", "plan", "plan +r"),
        *("shown plan.tfplan", "apply plan.tfplan"),
    ]
    terraform.calls.clear()
    terraform.plans = [empty]
    pipeline(world, aws).deploy(no)
    assert terraform.calls == ["init", "plan"], "one that ended well leaves nothing to look for"


def test_a_reviewed_plan_is_applied_as_it_was_reviewed(tmp_path: Path, aws: Stubbed) -> None:
    world, terraform = unlucky(tmp_path, COLLISION, plans=[a_role])
    saved = tmp_path / "saved.tfplan"
    saved.touch()
    with pytest.raises(TerraformFailed):
        pipeline(world, aws).deploy(yes, saved_plan=saved)
    assert terraform.calls == ["init", "show saved.tfplan", "shown saved.tfplan", "apply saved.tfplan"]


def test_destroy_takes_with_it_what_no_state_knows(tmp_path: Path, aws: Stubbed) -> None:
    broken = TerraformFailed("terraform apply failed: no luck", "", ())
    world, terraform = unlucky(tmp_path, broken, plans=[a_plan, a_plan, a_role, empty, a_role])
    with pytest.raises(TerraformFailed):
        pipeline(world, aws).deploy(yes)
    terraform.calls.clear()
    the_role(aws)
    aws.refuses("iam", "get_role", "NoSuchEntity")
    pipeline(world, aws).destroy(yes)
    assert terraform.calls == [
        "init",
        "plan -destroy",
        "apply plan.tfplan",
        "plan",
        "import r",
        "plan -destroy",
        "apply plan.tfplan",
        "plan",
    ]
    assert Notice("Adopting aws_iam_role.x: r was made by a deployment that was cut off.") in world.events
    terraform.plans, terraform.calls = [empty], []
    pipeline(world, aws).destroy(no, missing_ok=True)
    assert terraform.calls == ["init", "plan -destroy"], "nothing is remembered of what is gone"


def test_sweeping_is_bounded(tmp_path: Path, aws: Stubbed) -> None:
    broken = TerraformFailed("terraform apply failed: no luck", "", ())
    sweeps = [one for _ in range(3) for one in (a_role, a_plan)]
    world, terraform = unlucky(tmp_path, broken, plans=[a_plan, a_plan, *sweeps])
    with pytest.raises(TerraformFailed):
        pipeline(world, aws).deploy(yes)
    for _ in range(3):
        the_role(aws)
    pipeline(world, aws).destroy(yes)
    assert terraform.calls.count("import r") == 3
    assert terraform.plans == []


# -- a state that is lost ----------------------------------------------------------------------------


def lost(tmp_path: Path, *plans: object) -> tuple[ScriptedEnvironment, Unlucky]:
    """An environment that exists, and of which no state knows."""
    world, terraform = unlucky(tmp_path, plans=plans)
    world.existing = (TABLE,)
    stack = {**STACK, "resource": {"aws_iam_role": {"x": {"provider": "aws.primary", "name": "r"}}}}
    world.stack = stack
    return world, terraform


@pytest.mark.parametrize("command", ["deploy", "plan", "destroy"])
def test_nothing_is_planned_on_a_state_that_is_lost(tmp_path: Path, aws: Stubbed, command: str) -> None:
    world, terraform = lost(tmp_path)
    working = pipeline(world, aws)
    with pytest.raises(EnvironmentUnusable, match="knows nothing of it") as caught:
        working.plan() if command == "plan" else getattr(working, command)(yes)
    assert caught.value.exit_code is ExitCode.UNUSABLE_ENVIRONMENT
    assert "`payinfra adopt --env demo --local`" in caught.value.hint
    assert terraform.calls == ["init"]


def test_a_key_is_not_rotated_and_drift_not_looked_for_on_a_state_that_is_lost(
    tmp_path: Path, aws: Stubbed
) -> None:
    world, terraform = unlucky(tmp_path, plans=[a_plan])
    pipeline(world, aws).deploy(yes)
    world.existing = (TABLE,)
    terraform.calls.clear()
    with pytest.raises(EnvironmentUnusable, match="knows nothing"), pipeline(world, aws).locked("rotate-key"):
        raise AssertionError("there is nothing to work on")
    with pytest.raises(EnvironmentUnusable, match="knows nothing"):
        pipeline(world, aws).verify(VerifyRequest(), drift=True)
    assert "plan" not in terraform.calls


def test_an_adoption_imports_and_ends_with_an_empty_plan(tmp_path: Path, aws: Stubbed) -> None:
    world, terraform = lost(tmp_path, a_role, adopting, empty)
    the_role(aws)
    found = pipeline(world, aws).adopt(yes)
    assert terraform.calls == ["init", "plan", "plan +r", "apply plan.tfplan", "plan", "output"]
    assert [(one.address, one.id) for one in found.imports] == [(ROLE.address, "r")]
    assert (found.refused, found.exit_code) == ({}, ExitCode.DONE)
    assert found.outputs is not None
    assert world.stages == ["local", "synth", "init", "plan", "look", "import", "adopt", "plan"]
    assert pipeline(world, aws).outputs() == found.outputs
    assert not pipeline(world, aws).stages.guard(None).adopting.exists()


def test_what_is_not_of_the_stack_is_told_of_before_anybody_is_asked(tmp_path: Path, aws: Stubbed) -> None:
    world, terraform = lost(tmp_path, a_role, adopting)
    world.existing = (TABLE, STRAY)
    terraform.kept = (Kept("t.x", "t", "aws.primary", tainted=False, attributes={"arn": TABLE.arn}),)
    the_role(aws)
    with pytest.raises(GateFailed, match="Nothing was adopted"):
        pipeline(world, aws).adopt(no)
    assert Notice(f"Not of the stack, and left alone: {STRAY.arn}.") in world.events
    assert "apply plan.tfplan" not in terraform.calls
    terraform.plans = [empty, empty]
    found = pipeline(world, aws).adopt(no)
    assert (found.imports, found.left_over) == ((), (STRAY.arn,)), "there is nothing to ask about"


def test_where_nothing_exists_there_is_nothing_to_adopt(tmp_path: Path, aws: Stubbed) -> None:
    world, _ = lost(tmp_path, a_role)
    world.existing = ()
    aws.refuses("iam", "get_role", "NoSuchEntity")
    with pytest.raises(EnvironmentUnusable, match="Nothing of environment demo exists") as caught:
        pipeline(world, aws).adopt(yes)
    assert "payinfra deploy" in caught.value.hint


def test_an_adoption_of_a_part_is_not_done(tmp_path: Path, aws: Stubbed) -> None:
    world, terraform = lost(tmp_path, a_role, adopting, a_plan)
    world.existing, terraform.state = (), {}
    the_role(aws)
    found = pipeline(world, aws).adopt(yes)
    assert (found.outputs, found.exit_code) == (None, ExitCode.GATE_FAILED)


def test_an_adoption_that_was_cut_off_is_finished_before_anything_else(tmp_path: Path, aws: Stubbed) -> None:
    world, terraform = lost(tmp_path, a_role, adopting)
    terraform.troubles = [Interrupted("a signal")]
    the_role(aws)
    with pytest.raises(Interrupted):
        pipeline(world, aws).adopt(yes)
    terraform.kept = (Kept("t.x", "t", "aws.primary", tainted=False, attributes={}),)
    with pytest.raises(EnvironmentUnusable, match="An adoption of environment demo did not end"):
        pipeline(world, aws).deploy(yes)
    terraform.plans = [empty, empty]
    pipeline(world, aws).adopt(yes)
    terraform.plans = [empty]
    pipeline(world, aws).deploy(yes)


def test_a_destruction_that_leaves_something_says_so(tmp_path: Path, aws: Stubbed) -> None:
    world, _ = unlucky(tmp_path, plans=[a_plan, a_plan])
    pipeline(world, aws).deploy(yes)
    world.left = (STRAY,)
    with pytest.raises(GateFailed, match="1 resources under its name or tags are left") as caught:
        pipeline(world, aws).destroy(yes)
    assert STRAY.arn in caught.value.what
    assert not (pipeline(world, aws).settings.work_dir / "outputs.json").exists(), "it serves no more"
