"""Corners that need more than one change, and what the messages say."""

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from policy_sentry.querying.actions import get_action_data, get_actions_for_service

from payinfra.checks.manifest import Manifest, Statement
from payinfra.checks.policy.iam_reference import misfits, read_service
from payinfra.checks.policy.permissions import like
from payinfra.checks.verdicts import Kind

if TYPE_CHECKING:
    from tests.unit.checks.policy.conftest import GoodStack

TABLE = "aws_dynamodb_table.ledger"
ROLE = "aws_iam_role_policy.primary_function.policy"
VAR = "${var.what}"
ELSEWHERE = "${aws_ssm_parameter.primary_table.value}"
MANAGED = "aws_iam_role.primary_function.managed_policy_arns"


def statement(number: int, **values: Any) -> Any:
    """Other values in one statement of a policy."""
    return lambda statements: statements[number].update(values)


def test_whether_an_environment_is_protected_may_be_unknown(world: "GoodStack") -> None:
    changes: dict[str, Any] = {f"{TABLE}.deletion_protection_enabled": False}
    for number in (0, 1):
        changes[f"provider.aws.{number}.default_tags"] = ...
    assert world.kinds("PI-DDB-004", changes, env=None, protected=None) == {Kind.UNKNOWN: 1}
    del changes[f"{TABLE}.deletion_protection_enabled"]
    assert world.kinds("PI-DDB-004", changes, env=None, protected=None) == {Kind.PASS: 1}


def test_without_an_environment_no_name_can_be_judged(world: "GoodStack") -> None:
    changes = {f"provider.aws.{number}.default_tags": ... for number in (0, 1)}
    kinds = world.kinds("PI-NAM-001", changes, env=None, protected=None)
    assert set(kinds) == {Kind.UNKNOWN}


def third_region(**more: Any) -> dict[str, Any]:
    """A provider for what is global."""
    return {
        "provider.aws": [
            {"alias": "primary", "region": "us-east-1"},
            {"alias": "secondary", "region": "us-west-2"},
            {"alias": "global", "region": "eu-west-1"},
        ],
        **more,
    }


def test_a_region_for_what_is_global_serves_nothing(world: "GoodStack") -> None:
    topic = {"aws_sns_topic.health": {"provider": "aws.global", "name": "payment-demo-health"}}
    assert world.kinds("PI-DDB-001", third_region(**topic)) == {Kind.PASS: 1}
    assert set(world.kinds("PI-REG-002", third_region(**topic))) == {Kind.PASS}
    bucket = {"aws_s3_bucket.third": {"provider": "aws.global", "bucket": "payment-demo-third"}}
    assert world.kinds("PI-DDB-001", third_region(**bucket)) == {Kind.FAIL: 1}
    assert world.kinds("PI-REG-002", third_region(**bucket))[Kind.FAIL]


def test_three_regions_of_which_none_serves_are_all_looked_at(world: "GoodStack") -> None:
    changes = third_region(resource={"aws_dynamodb_table": {"t": {"provider": "aws.primary"}}})
    assert world.kinds("PI-DDB-001", changes) == {Kind.FAIL: 1}


def test_a_key_may_be_named_through_what_is_no_key(world: "GoodStack") -> None:
    path = f"{TABLE}.server_side_encryption.kms_key_arn"
    assert world.kinds("PI-DDB-005", {path: "${aws_ssm_parameter.primary_table.value}"}) == {Kind.UNKNOWN: 1}
    alias = {"provider": "aws.primary", "target_key_id": "${aws_ssm_parameter.primary_table.value}"}
    assert world.kinds("PI-DDB-005", {path: "${aws_kms_alias.x.arn}", "aws_kms_alias.x": alias}) == {
        Kind.PASS: 1
    }


def test_a_log_group_may_be_named_through_something_else(world: "GoodStack") -> None:
    changes = {
        "aws_lambda_function.primary_function.logging_config": {
            "log_group": "/aws/lambda/payment-demo-api",
            "note": "${aws_sns_topic.primary_alarms.name}",
        }
    }
    assert world.kinds("PI-LOG-002", changes) == {Kind.PASS: 2}


def test_replicas_of_their_own_need_their_keys_too(world: "GoodStack") -> None:
    replica = {
        "provider": "aws.secondary",
        "global_table_arn": "${aws_dynamodb_table.ledger.arn}",
        "kms_key_arn": "${aws_kms_key.secondary_data.arn}",
    }
    changes = {f"{TABLE}.replica": ..., "aws_dynamodb_table_replica.west": replica}
    assert set(world.kinds("PI-IAM-004", changes)) == {Kind.PASS}
    changes["aws_iam_role_policy.secondary_function.policy"] = lambda statements: statements.pop(4)
    found = world.ask("PI-IAM-004", world.manifest(world.spoiled(changes)))
    assert any("aws_kms_key.secondary_data" in one.message for one in found)


def test_replication_of_a_bucket_that_is_made_elsewhere_needs_no_key_of_it(world: "GoodStack") -> None:
    changes = {
        "aws_s3_bucket_replication_configuration.primary_audit.bucket": ELSEWHERE,
        "aws_s3_bucket_replication_configuration.primary_audit.rule": VAR,
        "aws_iam_role_policy.primary_copies.policy": lambda statements: statements.clear(),
    }
    found = world.ask("PI-IAM-004", world.manifest(world.spoiled(changes)))
    assert [one.kind for one in found if one.address == "aws_iam_role.primary_copies"] == [
        Kind.NOT_APPLICABLE
    ]


def test_a_destination_may_be_named_through_something_else(world: "GoodStack") -> None:
    path = "aws_s3_bucket_replication_configuration.primary_audit.rule.0.destination.bucket"
    assert world.kinds("PI-S3-003", {path: "${aws_ssm_parameter.primary_table.value}"})[Kind.UNKNOWN]


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({MANAGED: VAR}, Kind.UNKNOWN),
        ({MANAGED: ["${aws_sns_topic.primary_alarms.arn}"]}, Kind.UNKNOWN),
        ({"aws_lambda_function.primary_function.role": "${aws_sns_topic.primary_alarms.arn}"}, Kind.UNKNOWN),
        ({MANAGED: ["${aws_iam_policy.own.arn}"],
          "aws_iam_policy.own": {"policy": '{"Statement": []}'}}, Kind.PASS),
        ({"aws_iam_role_policy_attachment.own": {
            "role": "${aws_iam_role.primary_function.name}", "policy_arn": "${aws_iam_policy.own.arn}"},
          "aws_iam_policy.own": {"policy": '{"Statement": []}'}}, Kind.PASS),
    ],
)  # fmt: skip
def test_policies_reach_a_role_in_many_ways(world: "GoodStack", changes: dict[str, Any], kind: Kind) -> None:
    spoiled = world.spoiled({ROLE: lambda statements: statements.pop(1), **changes})
    found = world.ask("PI-IAM-003", world.manifest(spoiled))
    assert (found[0].kind is Kind.UNKNOWN) == (kind is Kind.UNKNOWN)


def test_what_aws_wrote_is_not_taken_for_a_policy_of_the_indexes(world: "GoodStack") -> None:
    changes = {
        ROLE: lambda statements: statements.pop(1),
        MANAGED: ["arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"],
    }
    assert world.kinds("PI-IAM-003", changes)[Kind.FAIL] == 1


def test_a_policy_that_may_be_the_roles_is_not_ignored(world: "GoodStack") -> None:
    other = {"role": VAR, "policy": '{"Statement": []}'}
    changes = {ROLE: lambda statements: statements.pop(1), "aws_iam_role_policy.other": other}
    assert world.kinds("PI-IAM-003", changes)[Kind.UNKNOWN]


def test_an_allow_of_all_but_a_few_actions_grants_the_rest(world: "GoodStack") -> None:
    rest = {"Effect": "Allow", "NotAction": ["iam:*"], "Resource": "*"}
    changes = {ROLE: lambda statements: (statements.pop(4), statements.append(rest))}
    assert Kind.FAIL not in world.kinds("PI-IAM-004", changes)


def test_a_key_policy_that_denies_the_role_does_not_let_it_in(world: "GoodStack") -> None:
    deny = {"Effect": "Deny", "Action": "kms:*", "Principal": {"AWS": "${aws_iam_role.primary_function.arn}"}}
    changes = {
        ROLE: lambda statements: statements.pop(4),
        "aws_kms_key.primary_data.policy": lambda statements: statements.append(deny),
    }
    assert world.kinds("PI-IAM-004", changes)[Kind.FAIL]


def test_permissions_name_functions_through_aliases_and_what_is_lost(world: "GoodStack") -> None:
    path = "aws_lambda_permission.primary_api.function_name"
    assert set(world.kinds("PI-API-004", {path: "${aws_lambda_alias.primary_live.function_name}"})) <= {
        Kind.PASS,
        Kind.NOT_APPLICABLE,
    }
    assert world.kinds("PI-API-004", {path: "${aws_lambda_function.lost.function_name}"})[Kind.FAIL]


def test_a_key_value_may_come_from_something_else_in_the_file(world: "GoodStack") -> None:
    changes: dict[str, Any] = {
        f"aws_api_gateway_api_key.{side}_key.value": "${random_password.key.result}"
        for side in ("primary", "secondary")
    }
    changes["random_password.key"] = {"length": 40}
    assert world.kinds("PI-API-007", changes) == {Kind.PASS: 1}


def test_data_sources_of_other_regions_do_not_count_as_crossing(world: "GoodStack") -> None:
    changes = {
        "data.aws_region.west": {"provider": "aws.secondary"},
        "aws_lambda_function.primary_function.description": "${data.aws_region.west.name}",
        "aws_lambda_function.primary_function.layers": ["${data.aws_region.west.name}"],
    }
    assert Kind.FAIL not in world.kinds("PI-REG-003", changes)


def test_twins_without_a_common_name_are_paired_by_likeness(world: "GoodStack") -> None:
    keys = {
        "aws_kms_key.ours": {"provider": "aws.primary", "description": "a", "multi_region": True},
        "aws_kms_key.theirs": {"provider": "aws.secondary", "description": "a", "multi_region": True},
    }
    assert set(world.kinds("PI-REG-002", keys)) == {Kind.PASS}
    keys["aws_kms_key.theirs"]["multi_region"] = False
    found = [
        one for one in world.ask("PI-REG-002", world.manifest(world.spoiled(keys))) if one.kind is Kind.FAIL
    ]
    assert [one.address for one in found] == ["aws_kms_key.theirs"]
    assert found[0].message == "differs from aws_kms_key.ours in multi_region"


def test_each_region_names_the_one_table_in_its_own_way(world: "GoodStack") -> None:
    changes = {
        "aws_lambda_event_source_mapping.primary_stream": {
            "provider": "aws.primary",
            "event_source_arn": "${aws_dynamodb_table.ledger.stream_arn}",
        },
        "aws_lambda_event_source_mapping.secondary_stream": {
            "provider": "aws.secondary",
            "event_source_arn": "${one(aws_dynamodb_table.ledger.replica[*].stream_arn)}",
        },
    }
    assert set(world.kinds("PI-REG-002", changes)) == {Kind.PASS}


@pytest.mark.parametrize(
    "service", ["dynamodb", "s3", "kms", "logs", "xray", "ssm", "sqs", "a4b", "resource-explorer"]
)
def test_the_reference_says_what_the_package_says(service: str) -> None:
    actions = get_actions_for_service(service)
    assert actions
    for action in actions:
        name = action.partition(":")[2]
        said = {str(one["resource_arn_format"]) for one in get_action_data(service, name)[service]}
        resource = said.copy().pop()
        example = resource.replace("${", "").replace("}", "")
        statement = Statement(actions=(action,), resources=(example,))
        assert list(misfits(statement, Manifest.from_json({}))) == [], action


def test_a_reference_of_another_layout_is_not_guessed_at(tmp_path: Path) -> None:
    file = tmp_path / "iam-definition.json"
    file.write_text('{"s3": {"actions": []}}')
    with pytest.raises(LookupError, match="not laid out"):
        read_service(file, "s3")


def test_an_unknown_action_gets_the_nearest_name(world: "GoodStack") -> None:
    found = list(misfits(Statement(actions=("dynamodb:PutItm",)), world.manifest(world.good)))
    assert found == ["there is no action dynamodb:PutItm; did you mean 'dynamodb:PutItem'?"]


def test_patterns_are_those_of_iam() -> None:
    assert like("kms:Generate*", "kms:generatedatakey")
    assert like("s3:?etObject", "s3:GetObject")
    assert not like("a.c", "abc")
    assert not like("[ab]", "a")


def test_importing_the_package_loads_no_check() -> None:
    code = (
        "import sys, payinfra.checks.policy as p; print([m for m in sys.modules if m.startswith(p.__name__)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['payinfra.checks.policy']"


def test_the_catalogue_loads_neither_cdktf_nor_boto3_nor_policy_sentry() -> None:
    code = (
        "import sys, importlib\n"
        "from payinfra.checks import policy\n"
        "[importlib.import_module(f'payinfra.checks.policy.{one}') for one in policy.MODULES]\n"
        "print([one for one in ('cdktf', 'boto3', 'policy_sentry', 'pydantic') if one in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
