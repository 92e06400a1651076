"""The steps of an adoption: one plan that imports, what that leaves out, and a plan by the stack alone."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from payinfra.clients.aws import Aws
from payinfra.core.errors import EnvironmentUnusable, ToolFailed
from payinfra.deployment.recovery.adopting import ROUNDS, Adoption
from payinfra.deployment.recovery.matching import Matched
from payinfra.terraform import (
    ChangeAction,
    Creation,
    Import,
    Kept,
    OutputValue,
    Plan,
    PlannedChange,
    ResourceChange,
)
from payinfra.terraform.jsonvalue import JsonValue
from payinfra.terraform.plan import OutputChange
from tests.unit.deployment.recovery.conftest import PROVIDER, REGION

API, POLICY, ROLE = "aws_api_gateway_rest_api.a", "aws_iam_role_policy.p", "aws_iam_role.r"
VALIDATION = "aws_acm_certificate_validation.v"
STACK = {
    "provider": {"aws": [{"alias": "primary", "region": REGION}]},
    "resource": {
        "aws_api_gateway_rest_api": {"a": {"provider": PROVIDER}},
        "aws_iam_role": {"r": {"provider": PROVIDER}},
        "aws_iam_role_policy": {"p": {"provider": PROVIDER, "role": "${aws_iam_role.r.name}"}},
        "aws_acm_certificate_validation": {"v": {"provider": PROVIDER}},
    },
}


def change(address: str, action: ChangeAction, import_id: str = "") -> ResourceChange:
    return ResourceChange(address, address.partition(".")[0], action, "", import_id)


def plan(*changes: ResourceChange, outputs: bool = False) -> Plan:
    more = (OutputChange("o", ChangeAction.UPDATE, sensitive=False),) if outputs else ()
    return Plan(Path("p"), 0, 0, 0, changes=changes, outputs=more)


def bucket(force_destroy: bool | None) -> PlannedChange:
    after = {"force_destroy": True}
    return PlannedChange("aws_s3_bucket.b", "aws_s3_bucket", {"force_destroy": force_destroy}, after)


UPDATE = change("aws_s3_bucket.b", ChangeAction.UPDATE)


@dataclass
class Terraform:
    """Does as told, and remembers what it was asked."""

    plans: list[Plan] = field(default_factory=list)
    planned: list[PlannedChange] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    asked: list[Mapping[str, Any]] = field(default_factory=list)

    def resources(self) -> tuple[Kept, ...]:
        return ()

    def creations(self, _plan: Path) -> tuple[Creation, ...]:
        return ()

    def planned_changes(self, _plan: Path) -> tuple[PlannedChange, ...]:
        return tuple(self.planned)

    def adopt(self, imports: Sequence[Import]) -> None:
        self.calls += [f"import {one.address}" for one in imports]

    def set_attributes(self, values: Mapping[str, Mapping[str, JsonValue]]) -> None:
        self.calls.append(f"set {json.dumps(values)}")

    def apply(self, _plan: Path) -> Mapping[str, OutputValue]:
        self.calls.append("apply")
        return {}

    def plan(self, stage: str, **more: Any) -> Plan:
        self.calls.append(stage)
        self.asked.append(more)
        return self.plans.pop(0)


@pytest.fixture
def terraform() -> Terraform:
    return Terraform()


@pytest.fixture
def adoption(tmp_path: Path, terraform: Terraform) -> Adoption:
    file = tmp_path / "cdk.tf.json"
    file.write_text(json.dumps(STACK))
    return Adoption(terraform, Aws(), file, terraform.plan)


def matched(*addresses: str) -> Matched:
    return Matched(tuple(Import(address, f"id of {address}") for address in addresses), {})


def wanted(*addresses: str) -> list[Creation]:
    return [Creation(address, address.partition(".")[0], PROVIDER, REGION, {}) for address in addresses]


# -- the import --------------------------------------------------------------------------------------


def test_all_that_exists_is_imported_by_one_plan_that_changes_nothing(
    adoption: Adoption, terraform: Terraform
) -> None:
    imports = (change(API, ChangeAction.IMPORT, "id"), change(ROLE, ChangeAction.IMPORT, "id"))
    terraform.plans = [
        plan(*imports, change("data.d.x", ChangeAction.READ), change(VALIDATION, ChangeAction.CREATE))
    ]
    terraform.planned = [PlannedChange(ROLE, "aws_iam_role", {"arn": "arn:r"}, {"arn": "arn:r"})]
    found = adoption.import_plan(matched(API, ROLE), wanted(API, ROLE, VALIDATION))
    assert found.plan.adopts == 2
    assert found.identifiers == {"arn:r"}
    (asked,) = terraform.asked
    assert asked["targets"] == (), "all there is"
    assert asked["imports"] == matched(API, ROLE).imports
    assert set(asked["unchanged"]) == {API, ROLE, POLICY, VALIDATION}
    adoption.take_in(found)
    assert terraform.calls == ["import", "apply"]


def test_what_needs_something_that_does_not_exist_is_imported_by_itself(
    adoption: Adoption, terraform: Terraform
) -> None:
    terraform.plans = [plan(change(API, ChangeAction.IMPORT, "id"))]
    found = adoption.import_plan(matched(API, POLICY), wanted(API, ROLE, POLICY))
    assert [one.address for one in found.plan.changes] == [API, POLICY]
    assert found.plan.adopts == 2
    (asked,) = terraform.asked
    assert asked["targets"] == (API,)
    adoption.take_in(found)
    assert terraform.calls == ["import", "apply", f"import {POLICY}"]


def test_where_all_needs_something_that_does_not_exist_nothing_is_planned(
    adoption: Adoption, terraform: Terraform
) -> None:
    found = adoption.import_plan(matched(POLICY), wanted(ROLE, POLICY))
    assert found.plan.adopts == 1
    adoption.take_in(found)
    assert terraform.calls == [f"import {POLICY}"]


@pytest.mark.parametrize(
    "impure",
    [
        change(API, ChangeAction.UPDATE, "id"),
        change(ROLE, ChangeAction.CREATE),
        change(ROLE, ChangeAction.DELETE),
        change(ROLE, ChangeAction.REPLACE),
    ],
)
def test_an_import_that_would_change_anything_is_not_applied(
    adoption: Adoption, terraform: Terraform, impure: ResourceChange
) -> None:
    terraform.plans = [plan(impure)]
    with pytest.raises(ToolFailed, match=rf"would change {impure.address}"):
        adoption.import_plan(matched(API), wanted(API))


# -- what an import leaves out -----------------------------------------------------------------------


def test_what_an_import_leaves_out_is_written_and_a_plan_tells_the_rest(
    adoption: Adoption, terraform: Terraform
) -> None:
    terraform.plans = [plan(UPDATE), plan()]
    terraform.planned = [bucket(None)]
    assert not adoption.settle().has_changes
    written = 'set {"aws_s3_bucket.b": {"force_destroy": true}}'
    assert terraform.calls == ["plan", written, "plan"]
    assert terraform.asked == [{}, {}], "by the stack alone"


def test_what_differs_is_left_to_the_next_deployment(adoption: Adoption, terraform: Terraform) -> None:
    terraform.plans = [plan(UPDATE, change("data.d.x", ChangeAction.READ))]
    terraform.planned = [bucket(True)]
    assert adoption.settle().has_changes
    assert terraform.calls == ["plan"]


def test_outputs_that_follow_are_written_by_an_apply_of_nothing_else(
    adoption: Adoption, terraform: Terraform
) -> None:
    terraform.plans = [plan(change("data.d.x", ChangeAction.READ), outputs=True), plan()]
    assert not adoption.settle().has_changes
    assert terraform.calls == ["plan", "apply", "plan"]


def test_outputs_are_not_applied_beside_a_change(adoption: Adoption, terraform: Terraform) -> None:
    terraform.plans = [plan(UPDATE, outputs=True)]
    terraform.planned = [bucket(True)]
    assert adoption.settle().has_changes
    assert "apply" not in terraform.calls


def test_writing_is_bounded(adoption: Adoption, terraform: Terraform) -> None:
    terraform.plans = [plan(UPDATE)] * (ROUNDS + 1)
    terraform.planned = [bucket(None)]
    assert adoption.settle().has_changes
    assert terraform.plans == []


def test_an_aws_that_does_not_answer_is_said_with_the_way_on(
    adoption: Adoption, terraform: Terraform
) -> None:
    class Refusing(Aws):
        def client(self, _service: str, _region: str) -> Any:
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "ListTagsOfResource")

    def table(propagate: bool) -> dict[str, JsonValue]:
        return {"replica": [{"region_name": REGION, "arn": "arn", "propagate_tags": propagate}]}

    terraform.plans = [plan(UPDATE)]
    terraform.planned = [
        PlannedChange("aws_dynamodb_table.t", "aws_dynamodb_table", table(False), table(True))
    ]
    refused = Adoption(terraform, Refusing(), adoption.stack, terraform.plan)
    with pytest.raises(EnvironmentUnusable, match="AccessDenied") as caught:
        refused.settle()
    assert "goes on from here" in caught.value.hint


def test_what_exists_is_matched_with_what_the_state_knows(adoption: Adoption) -> None:
    assert adoption.match(()) == Matched((), {})
