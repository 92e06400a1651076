"""Names in namespaces that environments share, for each type that has one."""

from typing import Any

import pytest

from payinfra.checks.verdicts import Kind
from tests.unit.checks.policy.test_unusual import worst

DEMO = {"aws": {"region": "eu-west-1", "default_tags": {"tags": {"Environment": "demo"}}}}
NAMED = [
    ("aws_athena_workgroup", "name"),
    ("aws_autoscaling_group", "name_prefix"),
    ("aws_backup_vault", "name"),
    ("aws_cloudfront_function", "name"),
    ("aws_cloudwatch_event_bus", "name"),
    ("aws_cloudwatch_log_resource_policy", "policy_name"),
    ("aws_cognito_user_pool_domain", "domain"),
    ("aws_db_instance", "identifier"),
    ("aws_dax_cluster", "cluster_name"),
    ("aws_ecr_repository", "name"),
    ("aws_ecs_task_definition", "family"),
    ("aws_elasticache_cluster", "cluster_id"),
    ("aws_elasticache_replication_group", "replication_group_id"),
    ("aws_key_pair", "key_name"),
    ("aws_kinesis_stream", "name"),
    ("aws_lb", "name"),
    ("aws_lb_target_group", "name"),
    ("aws_mq_broker", "broker_name"),
    ("aws_opensearch_domain", "domain_name"),
    ("aws_pipes_pipe", "name"),
    ("aws_rds_cluster", "cluster_identifier"),
    ("aws_rds_global_cluster", "global_cluster_identifier"),
    ("aws_scheduler_schedule", "name"),
    ("aws_sesv2_configuration_set", "configuration_set_name"),
    ("aws_wafv2_web_acl", "name"),
]


@pytest.mark.parametrize(("type_", "path"), NAMED, ids=[one[0] for one in NAMED])
@pytest.mark.parametrize(("name", "kind"), [("payments", Kind.FAIL), ("payments-demo", Kind.PASS)])
def test_what_environments_would_fight_over_has_the_environment_in_its_name(
    type_: str, path: str, name: str, kind: Kind
) -> None:
    assert worst("PI-NAM-001", {type_: {"x": {path: name}}}, provider=DEMO) is kind


@pytest.mark.parametrize(("name", "kind"), [("payments", Kind.FAIL), ("payments-demo", Kind.PASS)])
def test_an_access_point_for_more_than_one_region_is_named_in_its_details(name: str, kind: Kind) -> None:
    point = {"aws_s3control_multi_region_access_point": {"x": {"details": {"name": name}}}}
    assert worst("PI-NAM-001", point, provider=DEMO) is kind


@pytest.mark.parametrize(
    ("body", "kind"),
    [({"name_prefix": "pay-"}, Kind.NOT_APPLICABLE), ({}, Kind.FAIL), ({"name": "pay"}, Kind.FAIL)],
)
def test_a_prefix_of_six_letters_need_not_hold_the_environment(body: dict[str, Any], kind: Kind) -> None:
    assert worst("PI-NAM-001", {"aws_lb": {"x": body}}, provider=DEMO) is kind


@pytest.mark.parametrize(
    ("type_", "path", "dictated", "own"),
    [
        ("aws_cloudwatch_event_bus", "name", "aws.partner/example.com/pay", "pay"),
        ("aws_cognito_user_pool_domain", "domain", "login.shop.example", "login"),
        ("aws_iam_role", "name", "dms-vpc-role", "dms-role"),
        ("aws_ssm_document", "name", "SSM-SessionManagerRunShell", "Shell"),
    ],
)
def test_a_name_that_aws_or_dns_dictates_needs_no_environment(
    type_: str, path: str, dictated: str, own: str
) -> None:
    assert worst("PI-NAM-001", {type_: {"x": {path: dictated}}}, provider=DEMO) is Kind.NOT_APPLICABLE
    assert worst("PI-NAM-001", {type_: {"x": {path: own}}}, provider=DEMO) is Kind.FAIL


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("${random_password.p}", Kind.FAIL),
        ("${jsonencode(random_password.p)}", Kind.FAIL),
        ("${local.whole}", Kind.FAIL),
        ("${{for name, key in aws_api_gateway_api_key.k : name => key.value}}", Kind.FAIL),
        ("${values(aws_api_gateway_api_key.k)[*].value}", Kind.FAIL),
        ({"keys": ["${[for key in aws_api_gateway_api_key.k : key.value]}"]}, Kind.FAIL),
        ("${[for key in aws_api_gateway_api_key.k : key.id]}", Kind.PASS),
        ("${aws_sqs_queue.q}", Kind.PASS),
    ],
)
def test_an_output_shows_what_it_reads_of_a_whole_resource(value: object, kind: Kind) -> None:
    stack = {
        "random_password": {"p": {}},
        "aws_api_gateway_api_key": {"k": {"for_each": {"a": 1}, "name": "a"}},
        "aws_sqs_queue": {"q": {}},
    }
    output = {"o": {"value": value, "description": "What it is."}}
    assert worst("PI-OUT-001", stack, output=output, locals={"whole": "${random_password.p}"}) is kind


@pytest.mark.parametrize(("text", "kind"), [("  ", Kind.FAIL), ("", Kind.FAIL), ("The table.", Kind.PASS)])
def test_a_description_of_nothing_but_space_describes_nothing(text: str, kind: Kind) -> None:
    output = {"o": {"value": "1", "description": text}}
    assert worst("PI-OUT-001", {"aws_sqs_queue": {"q": {}}}, output=output) is kind
