"""What is rare in stacks: each part of a check that only such a stack reaches, with its verdict."""

from typing import Any

import pytest

from payinfra.checks.manifest import Manifest
from payinfra.checks.redaction import HIDDEN, Redactor
from payinfra.checks.secret_recognition import look_of
from payinfra.checks.verdicts import Kind
from tests.unit.checks.policy.test_unusual import (
    github,
    reader,
    record,
    role,
    statement,
    text,
    topic,
    web,
    worst,
)

HOME, AWAY = {"alias": "home", "region": "eu-west-1"}, {"alias": "away", "region": "eu-central-1"}
BOTH: dict[str, Any] = {"provider": {"aws": [HOME, AWAY]}}
PYTHON = {"runtime": "python3.12", "handler": "app.handler"}


@pytest.mark.parametrize(
    ("filename", "kind"),
    [
        ("${data.archive_file.one.output_path}", Kind.WARN),
        ("${data.archive_file.two.output_path}", Kind.WARN),
        ("${local_file.zip.filename}", Kind.UNKNOWN),
        ("nowhere.zip", Kind.FAIL),
    ],
)
def test_a_zip_that_the_plan_makes_is_no_missing_zip(filename: str, kind: Kind) -> None:
    archives = {"archive_file": {"one": {"output_path": "not-there.zip"}, "two": {}}}
    resources = {
        "aws_lambda_function": {"f": {**PYTHON, "filename": filename}},
        "local_file": {"zip": {"filename": "made-elsewhere.zip"}},
    }
    assert worst("PI-LAM-001", resources, data=archives) is kind


@pytest.mark.parametrize(
    ("parameter", "kind"),
    [
        ({"type": "String", "value": "Server=db;Password=hunter2-hunter2"}, Kind.FAIL),
        ({"type": "String", "value": "Server=db;Password=${DB_PASSWORD}"}, Kind.UNKNOWN),
        ({"type": "String", "value": "sk-short = none of it"}, Kind.NOT_APPLICABLE),
        ({"type": "String", "insecure_value": "whsec_9fK2mQ7xT4vB8nL1"}, Kind.FAIL),
    ],
)
def test_what_a_plain_parameter_holds_is_looked_at(parameter: dict[str, Any], kind: Kind) -> None:
    assert worst("PI-SSM-001", {"aws_ssm_parameter": {"p": {"name": "/pay/x", **parameter}}}) is kind


def test_a_placeholder_is_no_password() -> None:
    assert look_of("Server=db;Password=hunter2") == "a password in a connection string"
    for harmless in ("Server=db;Password=%s", "postgres://till:<password>@db/till", "a=b", "sk-a = b"):
        assert look_of(harmless) == ""


def test_secrets_in_lists_and_behind_locals_are_hidden() -> None:
    root: dict[str, Any] = {
        "locals": {"all": ["first-of-them", "second-of-them"], "map": {"a": ["third-of-them"]}},
        "resource": {
            "aws_elasticache_user": {"u": {"passwords": "${local.all}"}},
            "aws_memorydb_user": {"u": {"authentication_mode": [{"passwords": ["fourth-of-them", 12345]}]}},
            "aws_ecs_task_definition": {"t": {"secrets": [{"name": "DB_PASSWORD", "valueFrom": "fifth"}]}},
        },
    }
    said = "first-of-them second-of-them fourth-of-them DB_PASSWORD"
    cleaned = Redactor.of(Manifest.from_json(root)).clean(said)
    assert cleaned == f"{HIDDEN} {HIDDEN} {HIDDEN} DB_PASSWORD"


def test_a_queue_whose_redrive_policy_is_not_known_is_not_judged() -> None:
    queue = {"aws_sqs_queue": {"q": {"redrive_policy": "${var.redrive}"}}}
    assert worst("PI-SQS-003", queue) is Kind.UNKNOWN
    assert worst("PI-SQS-003", {"aws_sqs_queue": {"q": {"redrive_policy": ["a"]}}}) is Kind.UNKNOWN
    assert (
        worst("PI-SQS-003", {"aws_sqs_queue": {"q": {"redrive_policy": '{"maxReceiveCount": 3}'}}})
        is Kind.FAIL
    )


def test_the_policy_of_a_queue_elsewhere_is_judged_by_itself() -> None:
    policy = text(statement(Action="sqs:SendMessage", Principal="*", Resource="*"))
    queue_policy = {"p": {"queue_url": "https://sqs.eu-west-1.amazonaws.com/1/q", "policy": policy}}
    alone = {"aws_sqs_queue_policy": queue_policy}
    assert worst("PI-SQS-002", alone) is Kind.FAIL
    owned = {"p": {"queue_url": "${aws_sqs_queue.q.id}", "policy": policy}}
    with_queue = {"aws_sqs_queue": {"q": {}}, "aws_sqs_queue_policy": owned}
    assert worst("PI-SQS-002", with_queue) is Kind.FAIL
    other = {"aws_sqs_queue": {"q": {"name": "other"}}, **alone}
    assert worst("PI-SQS-002", other) is Kind.FAIL


@pytest.mark.parametrize(
    ("endpoint", "kind"),
    [
        ("*@acme.example", Kind.PASS),
        ("*@*", Kind.FAIL),
        ("https://*/hook", Kind.FAIL),
        ("https://a.example/*", Kind.PASS),
    ],
)
def test_who_may_subscribe_is_told_by_the_endpoints_host(endpoint: str, kind: Kind) -> None:
    one = statement(
        Action="sns:Subscribe", Principal="*", Condition={"StringLike": {"sns:Endpoint": endpoint}}
    )
    assert worst("PI-SNS-002", topic(one)) is kind


def test_saml_and_opaque_subjects_are_judged_by_what_is_literal() -> None:
    saml = "arn:aws:iam::111122223333:saml-provider/office"
    assert worst("PI-IAM-006", web(saml, {"StringEquals": {"SAML:aud": "https://signin.aws"}})) is Kind.PASS
    github_aud = {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"}
    subject = {"token.actions.githubusercontent.com:sub": "${var.owner}*"}
    bound = {"StringEquals": github_aud, "StringLike": subject}
    assert worst("PI-IAM-006", github(bound)) in (Kind.PASS, Kind.UNKNOWN)


def test_a_narrow_policy_of_aws_is_no_needless_right() -> None:
    arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    attached = {"a": {"role": "${aws_iam_role.r.name}", "policy_arn": arn}}
    lambda_trust = statement(Action="sts:AssumeRole", Principal={"Service": "lambda.amazonaws.com"})
    resources = {**role(lambda_trust), "aws_iam_role_policy_attachment": attached}
    assert worst("PI-IAM-007", resources) in (Kind.PASS, Kind.NOT_APPLICABLE)


def test_without_indexes_it_does_not_matter_what_a_role_elsewhere_may() -> None:
    function = {"f": {"role": "arn:aws:iam::111122223333:role/elsewhere"}}
    table: dict[str, Any] = {"t": {"name": "t"}}
    resources = {"aws_lambda_function": function, "aws_dynamodb_table": table}
    assert worst("PI-IAM-003", resources) is Kind.NOT_APPLICABLE
    table["t"]["global_secondary_index"] = [{"name": "by-status"}]
    assert worst("PI-IAM-003", resources) is Kind.UNKNOWN
    assert worst("PI-IAM-003", resources | {"aws_lambda_function": {"f": {}}}) is Kind.FAIL


def test_a_role_of_another_service_is_not_compared() -> None:
    machine = {"m": {"role_arn": "${aws_iam_role.r.arn}"}}
    assert worst("PI-IAM-007", reader(aws_sfn_state_machine=machine)) is Kind.WARN


def test_a_replica_of_a_key_is_the_other_regions_key() -> None:
    resources = {
        "aws_kms_key": {"k": {"provider": "aws.home", "multi_region": True, "enable_key_rotation": True}},
        "aws_kms_replica_key": {
            "k": {"provider": "aws.away", "primary_key_arn": "${aws_kms_key.k.arn}", "description": "replica"}
        },
    }
    assert worst("PI-REG-002", resources, **BOTH) is Kind.PASS


def test_an_ephemeral_database_needs_no_last_snapshot() -> None:
    database = {"aws_db_instance": {"d": {"backup_retention_period": 7, "skip_final_snapshot": True}}}
    tagged = {"provider": {"aws": {"default_tags": [{"tags": {"Environment": "pr7"}}]}}}
    assert worst("PI-BAK-001", database, **tagged) is Kind.PASS
    assert worst("PI-BAK-001", database) is Kind.FAIL


def test_any_tag_of_a_selection_is_enough_and_any_selection() -> None:
    database: dict[str, Any] = {"d": {"backup_retention_period": 0, "tags": {"Backup": "yes"}}}
    other = {"key": "Team", "value": "x"}
    selections = {
        "odd": {"selection_tag": "${var.tags}"},
        "other": {"selection_tag": [other]},
        "own": {"selection_tag": [other, {"key": "Backup", "value": "yes"}]},
    }
    resources = {"aws_db_instance": database, "aws_backup_selection": selections}
    assert worst("PI-BAK-001", resources) is Kind.PASS
    del selections["own"]
    assert worst("PI-BAK-001", resources) is Kind.UNKNOWN
    del selections["odd"]
    assert worst("PI-BAK-001", resources) is Kind.FAIL


def test_a_check_of_a_percentage_knows_that_it_ends_at_a_hundred() -> None:
    alarm = {
        "namespace": "AWS/Route53",
        "metric_name": "HealthCheckPercentageHealthy",
        "statistic": "Average",
        "comparison_operator": "GreaterThanThreshold",
        "threshold": 100,
        "dimensions": {"HealthCheckId": "x"},
        "provider": "aws.us",
    }
    provider = {"aws": [{"alias": "us", "region": "us-east-1"}]}
    assert worst("PI-CW-002", {"aws_cloudwatch_metric_alarm": {"a": alarm}}, provider=provider) is Kind.FAIL
    alarm |= {"comparison_operator": "LessThanThreshold"}
    assert worst("PI-CW-002", {"aws_cloudwatch_metric_alarm": {"a": alarm}}, provider=provider) is Kind.PASS


@pytest.mark.parametrize("namespace", ["AWS/RDS", "AWS/EC2", "AWS/ECS", "AWS/ApplicationELB", "AWS/Kinesis"])
def test_a_metric_without_the_dimensions_of_its_service_never_comes(namespace: str) -> None:
    alarm = {"namespace": namespace, "metric_name": "Any", "statistic": "Sum", "threshold": 1}
    alarm |= {"comparison_operator": "GreaterThanThreshold", "dimensions": {"Colour": "blue"}}
    assert worst("PI-CW-002", {"aws_cloudwatch_metric_alarm": {"a": alarm}}) is Kind.FAIL


def test_a_log_group_is_found_by_the_functions_own_configuration() -> None:
    group = {"g": {"name": "pay"}, "odd": {"name": "${var.name}"}}
    function = {
        "f": {"function_name": "f", "logging_config": [{"log_group": "${aws_cloudwatch_log_group.g.id}"}]}
    }
    resources = {"aws_cloudwatch_log_group": group, "aws_lambda_function": function}
    assert worst("PI-LOG-002", resources) is Kind.PASS
    bucket = {"f": {"function_name": "f", "logging_config": [{"log_group": "${aws_s3_bucket.b.id}"}]}}
    assert worst("PI-LOG-002", {**resources, "aws_lambda_function": bucket, "aws_s3_bucket": {"b": {}}}) in (
        Kind.UNKNOWN,
        Kind.FAIL,
    )


def test_a_schema_that_refers_to_itself_takes_every_body() -> None:
    from tests.unit.checks.policy.test_openapi import BODIES, VALIDATORS, document, kinds, operation

    circle: dict[str, Any] = {"definitions": {"a": {"$ref": "#/definitions/a"}}}
    assert kinds(BODIES, document(operation({"$ref": "#/definitions/a"}), **VALIDATORS, **circle)) <= {
        Kind.FAIL,
        Kind.UNKNOWN,
    }


def test_a_routes_integration_is_found_among_others() -> None:
    resources: dict[str, Any] = {
        "aws_apigatewayv2_api": {"a": {"protocol_type": "HTTP"}},
        "aws_lambda_function": {"f": {"function_name": "f"}},
        "aws_apigatewayv2_integration": {
            "i": {
                "api_id": "${aws_apigatewayv2_api.a.id}",
                "integration_type": "AWS_PROXY",
                "integration_uri": "${aws_lambda_function.f.invoke_arn}",
            }
        },
        "aws_apigatewayv2_route": {
            "other": {"route_key": "GET /x", "target": "integrations/abc"},
            "own": {"route_key": "GET /y", "target": "integrations/${aws_apigatewayv2_integration.i.id}"},
        },
        "aws_apigatewayv2_stage": {"s": {"api_id": "${aws_apigatewayv2_api.a.id}", "name": "$default"}},
        "aws_lambda_permission": {
            "p": {
                "function_name": "${aws_lambda_function.f.function_name}",
                "principal": "apigateway.amazonaws.com",
                "action": "lambda:InvokeFunction",
                "source_arn": "${aws_apigatewayv2_api.a.execution_arn}/*/GET/y",
            }
        },
    }
    assert worst("PI-API-004", resources) is Kind.PASS
    resources["aws_apigatewayv2_route"]["own"]["route_key"] = "${var.key}"
    assert worst("PI-API-004", resources) is Kind.UNKNOWN
    resources["aws_apigatewayv2_integration"]["i"]["api_id"] = "${var.api}"
    resources["aws_apigatewayv2_route"]["own"]["route_key"] = "GET /y"
    assert worst("PI-API-004", resources) in (Kind.UNKNOWN, Kind.FAIL)


def test_an_answer_that_leads_through_a_check_of_its_own_region_is_followed() -> None:
    resources = {
        "aws_route53_record": {
            "a": record(
                "${aws_cloudfront_distribution.d.domain_name}",
                set_identifier="a",
                failover_routing_policy=[{"type": "PRIMARY"}],
            ),
            "odd": {
                "name": "${var.name}",
                "type": "A",
                "set_identifier": "x",
                "weighted_routing_policy": [{}],
            },
        },
        "aws_cloudfront_distribution": {"d": {}},
        "aws_route53_health_check": {
            "h": {"fqdn": "pay.example.com", "type": "HTTPS", "resource_path": "/health"}
        },
    }
    for id_ in ("PI-DNS-001", "PI-DNS-003", "PI-DNS-004"):
        assert worst(id_, resources) is not Kind.ERROR


def test_what_only_denies_grants_nothing() -> None:
    from payinfra.checks.manifest import Statement
    from payinfra.checks.policy.permissions import grants

    allow = Statement(actions=("s3:Get*",))
    assert grants(allow, "s3:GetObject")
    assert not grants(Statement(effect="Deny", actions=("s3:Get*",)), "s3:GetObject")
    assert grants(Statement(not_actions=("s3:Put*",)), "s3:GetObject")
    assert not grants(Statement(not_actions=("s3:Get*",)), "s3:GetObject")


@pytest.mark.parametrize(
    ("resource", "kind"),
    [
        ("arn:aws:dynamodb:eu-west-1:1:table/*/index/*", Kind.FAIL),
        ("arn:aws:dynamodb:eu-west-1:1:table/ledger/index/*", Kind.PASS),
        ("arn:aws:dynamodb:eu-west-1:1:table*", Kind.FAIL),
        ("arn:aws:dynamodb:eu-west-1:1:other/*", Kind.PASS),
        ("arn:aws:dynamodb::1:table/*", Kind.PASS),
        ("not an ARN*", Kind.PASS),
        ("????", Kind.FAIL),
    ],
)
def test_a_pattern_is_wide_by_the_forms_that_aws_knows(resource: str, kind: Kind) -> None:
    policy = text(statement(Action="dynamodb:Query", Resource=resource))
    assert worst("PI-IAM-002", {"aws_iam_policy": {"p": {"policy": policy}}}) is kind


def test_checks_of_checks_and_records_of_records_end() -> None:
    child = "${aws_route53_health_check.b.id}"
    checks = {
        "a": {"type": "CALCULATED", "child_healthchecks": [child]},
        "b": {"type": "CALCULATED", "child_healthchecks": ["${aws_route53_health_check.a.id}"]},
        "c": {"type": "HTTPS", "fqdn": "${aws_route53_record.b.fqdn}", "resource_path": "/health"},
    }
    answers = {
        key: record(
            f"${{aws_route53_record.{other}.fqdn}}",
            set_identifier=key,
            health_check_id=f"${{aws_route53_health_check.{check}.id}}",
            failover_routing_policy=[{"type": kind}],
        )
        for key, other, check, kind in (("a", "b", "a", "PRIMARY"), ("b", "a", "c", "SECONDARY"))
    }
    resources = {"aws_route53_record": answers, "aws_route53_health_check": checks}
    for id_ in ("PI-DNS-001", "PI-DNS-002", "PI-DNS-003", "PI-DNS-004"):
        assert worst(id_, resources) is not Kind.ERROR, id_
