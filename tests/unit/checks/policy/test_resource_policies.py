"""The policies of what other accounts may be let into: each type with its own property and actions."""

from typing import Any

import pytest

from payinfra.checks.verdicts import Kind
from tests.unit.checks.policy.test_unusual import ME, OWN, statement, text, worst

HOLDERS = [
    ("aws_backup_vault", "aws_backup_vault_policy", "backup_vault_name", "backup:CopyIntoBackupVault"),
    ("aws_cloudwatch_event_bus", "aws_cloudwatch_event_bus_policy", "event_bus_name", "events:PutEvents"),
    ("aws_dynamodb_table", "aws_dynamodb_resource_policy", "resource_arn", "dynamodb:GetItem"),
    ("aws_ecr_repository", "aws_ecr_repository_policy", "repository", "ecr:PutImage"),
    ("aws_kinesis_stream", "aws_kinesis_resource_policy", "resource_arn", "kinesis:PutRecord"),
]
ORGANIZATION = {"StringEquals": {"aws:PrincipalOrgID": "o-payments"}}


@pytest.mark.parametrize(("owner", "type_", "by", "action"), HOLDERS, ids=[one[0] for one in HOLDERS])
@pytest.mark.parametrize("reference", ["${%s.x.name}", "${%s.x.arn}", "elsewhere"])
@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"Principal": "*"}, Kind.FAIL),
        ({"Principal": {"AWS": ["*"]}}, Kind.FAIL),
        ({"NotPrincipal": {"AWS": ME}}, Kind.FAIL),
        ({"Principal": {"Service": "lambda.amazonaws.com"}}, Kind.FAIL),
        ({"Principal": {"Service": "lambda.amazonaws.com"}, "Condition": OWN}, Kind.PASS),
        ({"Principal": "*", "Condition": ORGANIZATION}, Kind.PASS),
        ({"Principal": {"AWS": f"arn:aws:iam::{ME}:root"}}, Kind.PASS),
        ({"Principal": {"AWS": "${aws_iam_role.r.arn}"}}, Kind.PASS),
        ({"Principal": {"AWS": "${var.reader}"}}, Kind.UNKNOWN),
        ({"Principal": {"AWS": "${var.reader}"}, "Condition": ORGANIZATION}, Kind.PASS),
    ],
)
def test_a_policy_is_closed_with_its_resource_and_by_itself(
    owner: str, type_: str, by: str, action: str, reference: str, fields: dict[str, Any], kind: Kind
) -> None:
    named = reference % owner if "%s" in reference else reference
    policy = {by: named, "policy": text(statement(Action=action, **fields))}
    assert worst("PI-POL-001", {owner: {"x": {"name": "x"}}, type_: {"p": policy}}) is kind


@pytest.mark.parametrize(("owner", "type_", "by", "action"), HOLDERS, ids=[one[0] for one in HOLDERS])
def test_what_reads_nothing_of_ours_may_be_for_everybody(
    owner: str, type_: str, by: str, action: str
) -> None:
    other = statement(Action=f"{action.partition(':')[0]}:NoSuchThing", Principal="*")
    policy = {by: "x", "policy": text(other)}
    assert worst("PI-POL-001", {type_: {"p": policy}}) is Kind.PASS
    assert worst("PI-POL-001", {owner: {"x": {"name": "x"}}}) is Kind.NOT_APPLICABLE


def condition(**fields: Any) -> dict[str, Any]:
    """A permission for everybody under a condition."""
    whole = {"key": "aws:PrincipalOrgID", "type": "StringEquals", "value": "o-payments", **fields}
    return {"principal": "*", "condition": whole}


@pytest.mark.parametrize(
    ("permission", "kind"),
    [
        ({"principal": "*"}, Kind.FAIL),
        ({"principal": "*", "action": "events:PutRule"}, Kind.FAIL),
        ({"principal": ME}, Kind.PASS),
        (condition(), Kind.PASS),
        (condition(type="StringLike", value="*"), Kind.FAIL),
        (condition(value="${aws_organizations_organization.o.id}"), Kind.PASS),
        (condition(key="${var.key}"), Kind.UNKNOWN),
        ({"principal": "*", "condition": "${var.condition}"}, Kind.UNKNOWN),
        ({}, Kind.UNKNOWN),
    ],
)
def test_a_permission_is_a_statement_of_its_buss_policy(permission: dict[str, Any], kind: Kind) -> None:
    by_itself = {"aws_cloudwatch_event_permission": {"p": permission}}
    assert worst("PI-POL-001", by_itself) is kind
    named = {**permission, "event_bus_name": "${aws_cloudwatch_event_bus.b.name}"}
    with_its_bus = {
        "aws_cloudwatch_event_bus": {"b": {"name": "b"}},
        "aws_cloudwatch_event_permission": {"p": named},
    }
    assert worst("PI-POL-001", with_its_bus) is kind
