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
