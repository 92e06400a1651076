"""A plan as a person reviews it: each attribute before and after, where it is, and no secret."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from payinfra.account import costs
from payinfra.deployment.plan_review import with_costs, with_review, within
from payinfra.deployment.stack_manifest import StackFile
from payinfra.terraform import AttributeChange, ChangeAction, Plan, ResourceChange, ReviewedChange
from payinfra.terraform.jsonvalue import JsonValue

PLAN = Plan(Path("plan"), 0, 1, 0)
REGIONS = {"aws_lambda_function.primary_f": "us-east-1"}


def shown(
    before: JsonValue,
    after: JsonValue,
    *,
    actions: tuple[str, ...] = ("update",),
    kind: str = "aws_lambda_function",
    more: Mapping[str, JsonValue] = MappingProxyType({}),
) -> JsonValue:
    change = {"actions": actions, "before": before, "after": after, **more}
    address = f"{kind}.primary_f"
    return {"resource_changes": [{"address": address, "mode": "managed", "type": kind, "change": change}]}


def attributes(document: JsonValue) -> list[AttributeChange]:
    (one,) = with_review(PLAN, document, REGIONS).reviewed
    return list(one.attributes)


def test_each_attribute_that_differs_is_told_before_and_after() -> None:
    before: JsonValue = {"memory": 512, "name": "f", "env": [{"variables": {"A": "1", "B": "2"}}], "tags": {}}
    after: JsonValue = {
        "memory": 1024,
        "name": "f",
        "env": [{"variables": {"A": "1", "B": "3"}}],
        "tags": None,
    }
    assert attributes(shown(before, after)) == [
        AttributeChange("env[0].variables.B", "2", "3"),
        AttributeChange("memory", 512, 1024),
    ]


def test_what_only_the_apply_tells_is_told_so() -> None:
    found = attributes(shown({"arn": "a", "n": 1}, {"n": 1}, more={"after_unknown": {"arn": True}}))
    assert found == [AttributeChange("arn", "a", known=False)]


def test_policies_are_compared_statement_by_statement() -> None:
    before = '{"Statement": [{"Action": "s3:GetObject", "Effect": "Allow"}]}'
    after = '{"Statement": [{"Effect": "Allow", "Action": "s3:*"}]}'
    assert attributes(shown({"policy": before}, {"policy": after})) == [
        AttributeChange("policy.Statement[0].Action", "s3:GetObject", "s3:*")
    ]
    assert attributes(shown({"policy": "{x"}, {"policy": after})) == [AttributeChange("policy", "{x", after)]


@pytest.mark.parametrize(
    ("before", "after", "marks"),
    [
        ({"value": "hush-1"}, {"value": "hush-2"}, {"after_sensitive": {"value": True}}),
        ({"value": "hush-1"}, {"value": "hush-2"}, {"before_sensitive": {"value": True}}),
        ({"v": [{"a": "hush-1"}]}, {"v": []}, {"before_sensitive": {"v": [{"a": True}]}}),
        ({"value": "hush-1"}, {}, {"after_sensitive": {"value": True}, "after_unknown": {"value": True}}),
        ({"variables": {"API_SECRET": "hush-1"}}, {"variables": {"API_SECRET": "hush-2"}}, {}),
        ({"text": "password=hush-1hush"}, {"text": "password=hush-2hush"}, {}),
    ],
)
def test_what_is_sensitive_is_said_to_differ_and_never_shown(
    before: JsonValue, after: JsonValue, marks: dict[str, JsonValue]
) -> None:
    (found,) = attributes(shown(before, after, more=marks))
    assert found.sensitive
    assert (found.before, found.after) == (None, None)


def test_what_is_sensitive_and_stays_is_no_change() -> None:
    same: JsonValue = {"value": "hush"}
    assert attributes(shown(same, same, more={"after_sensitive": {"value": True}})) == []


def test_why_it_is_replaced_is_marked() -> None:
    made_anew = shown(
        {"name": "a", "x": 1},
        {"name": "b", "x": 2},
        actions=("delete", "create"),
        more={"replace_paths": [["name"]]},
    )
    assert [(one.path, one.replaces) for one in attributes(made_anew)] == [("name", True), ("x", False)]


def test_a_change_is_in_the_region_of_its_provider_or_of_its_arn() -> None:
    here = with_review(PLAN, shown({}, {"a": 1}), REGIONS).reviewed
    assert [one.region for one in here] == ["us-east-1"]
    gone = shown({"arn": "arn:aws:sns:us-west-2:1:t"}, None, actions=("delete",), kind="aws_sns_topic")
    (one,) = with_review(PLAN, gone, REGIONS).reviewed
    assert (one.region, one.action, one.attributes) == ("us-west-2", ChangeAction.DELETE, ())
    nowhere = shown({}, {"a": 1}, kind="aws_sns_topic")
    assert [one.region for one in with_review(PLAN, nowhere, {}).reviewed] == [""]


def test_what_does_not_change_is_not_listed() -> None:
    assert with_review(PLAN, shown({}, {}, actions=("no-op",)), REGIONS).reviewed == ()


def test_the_first_plan_is_known_by_what_stands() -> None:
    assert with_review(PLAN, {}, {}).first
    resources: JsonValue = [{"mode": "data"}]
    assert with_review(PLAN, {"prior_state": {"values": {"root_module": {"resources": resources}}}}, {}).first
    resources = [{"mode": "managed"}]
    stands: JsonValue = {"prior_state": {"values": {"root_module": {"resources": resources}}}}
    assert not with_review(PLAN, stands, {}).first


def test_a_part_has_the_review_of_its_part() -> None:
    one, other = (ReviewedChange(name, "t", ChangeAction.UPDATE, "here") for name in "ab")
    whole = Plan(Path("plan"), 0, 2, 0, reviewed=(one, other))
    part = Plan(Path("plan"), 0, 1, 0, (ResourceChange("b", "t", ChangeAction.UPDATE),))
    assert within(part, whole).reviewed == (other,)
    assert within(part, part) is part


def test_costs_are_those_of_what_stands_and_of_what_would(tmp_path: Path) -> None:
    def values(interval: int) -> dict[str, JsonValue]:
        return {"type": "HTTPS", "resource_path": "/prod/health", "request_interval": interval}

    def resource(interval: int) -> JsonValue:
        return {
            "mode": "managed",
            "type": "aws_route53_health_check",
            "values": values(interval),
        }

    check = {"provider": "aws.primary", **values(30)}
    document = {
        "provider": {"aws": [{"alias": "primary", "region": "us-east-1"}]},
        "resource": {"aws_route53_health_check": {"primary": check}},
    }
    (tmp_path / "cdk.tf.json").write_text(json.dumps(document))
    stack = StackFile.read(tmp_path / "cdk.tf.json")
    same = with_costs(PLAN, stack).costs
    assert same is not None
    assert same.now == same.then
    resources: JsonValue = [resource(10), {"mode": "data", "type": "aws_kms_key"}]
    shown_: JsonValue = {"prior_state": {"values": {"root_module": {"resources": resources}}}}
    changing = Plan(Path("plan"), 0, 1, 0, (ResourceChange("a", "t", ChangeAction.UPDATE),))
    faster = with_costs(changing, stack, shown_).costs
    assert faster is not None
    assert faster.then == same.then
    # Checked from all of Route 53's eight regions.
    assert faster.now == pytest.approx(20.1, abs=0.1)
    assert faster.then == pytest.approx(7.4, abs=0.1)


def test_fewer_regions_to_check_from_cost_less() -> None:
    """Six checkers cause 6.73 a month where sixteen cause 17.61, beside 2.50 for the health check."""
    check = {"type": "HTTPS", "resource_path": "/prod/health", "request_interval": 10}
    three = check | {"regions": ["us-west-1", "eu-west-1", "sa-east-1"]}
    dearer, cheaper, empty = (
        costs.of_resources([("aws_route53_health_check", one)])
        for one in (check, three, check | {"regions": []})
    )
    assert cheaper == pytest.approx(2.50 + 6.73, abs=0.011)
    assert dearer == empty == pytest.approx(2.50 + 17.61, abs=0.011)


def test_what_an_extension_adds_and_has_no_known_price_is_counted(tmp_path: Path) -> None:
    block = {"provider": "aws.primary"}
    both = {"primary_x": block, "secondary_x": block}
    kinds = ("aws_sqs_queue", "aws_kms_key", "aws_sfn_state_machine", "aws_backup_plan")
    document = {
        "//": {"payinfra": {"types": [*kinds[:3], "aws_sns_topic_subscription"]}},
        "provider": {"aws": [{"alias": "primary", "region": "us-east-1"}]},
        "resource": dict.fromkeys(kinds, both),
    }
    (tmp_path / "cdk.tf.json").write_text(json.dumps(document))
    found = with_costs(PLAN, StackFile.read(tmp_path / "cdk.tf.json")).costs
    assert found is not None
    assert found.not_priced == {"aws_sfn_state_machine": 2}
    assert found.then == 2.0, "its keys are priced as all keys are"
    changing = Plan(Path("plan"), 0, 1, 0, (ResourceChange("a", "t", ChangeAction.UPDATE),))
    changed = with_costs(changing, StackFile.read(tmp_path / "cdk.tf.json"), {}).costs
    assert changed is not None
    assert changed.not_priced == found.not_priced
