"""Other spellings of the same thing, good and bad, with the verdicts that AWS's behaviour wants."""

import json
from typing import Any

import pytest

from payinfra.checks.policy.json_schemas import schema_refuses
from payinfra.checks.redaction import HIDDEN
from payinfra.checks.secret_recognition import look_of, names_secret, without_looks
from payinfra.checks.verdicts import Kind
from tests.unit.checks.policy.test_rare import BOTH
from tests.unit.checks.policy.test_unusual import COGNITO, ME, OWN, reader, statement, text, web, worst


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"principal": "events.amazonaws.com", "source_arn": "arn:aws:events:*:*:rule/*"}, Kind.FAIL),
        ({"principal": "events.amazonaws.com", "source_arn": f"arn:aws:events:*:{ME}:rule/*"}, Kind.PASS),
        ({"principal": "s3.amazonaws.com", "source_arn": "arn:aws:s3:::*"}, Kind.FAIL),
        ({"principal": "s3.amazonaws.com", "source_arn": "arn:aws:s3:::pay-*"}, Kind.PASS),
        (
            {"principal": "s3.amazonaws.com", "source_arn": "arn:aws:s3:::*", "source_account": ME},
            Kind.PASS,
        ),
        ({"principal": "*", "source_arn": "arn:aws:sns:*:*:*"}, Kind.FAIL),
        (
            {
                "principal": "apigateway.amazonaws.com",
                "source_arn": "${aws_api_gateway_rest_api.a.execution_arn}/*/*",
            },
            Kind.PASS,
        ),
        (
            {
                "principal": "events.amazonaws.com",
                "source_arn": "arn:aws:events:eu-west-1:${data.aws_caller_identity.me.account_id}:rule/*",
            },
            Kind.PASS,
        ),
    ],
)
def test_a_source_arn_of_any_account_names_no_caller(fields: dict[str, Any], kind: Kind) -> None:
    permission = {"function_name": "f", "action": "lambda:InvokeFunction", **fields}
    assert worst("PI-LAM-006", {"aws_lambda_permission": {"p": permission}}) is kind


@pytest.mark.parametrize(
    ("query", "alarm", "kind"),
    [
        ({}, {"comparison_operator": "LessThanThreshold", "threshold": 0}, Kind.FAIL),
        ({"stat": "SampleCount", "metric_name": "Duration"}, {}, Kind.FAIL),
        ({"stat": "Average"}, {"threshold": 2}, Kind.FAIL),
        ({"period": 86_400}, {}, Kind.FAIL),
        ({}, {}, Kind.PASS),
    ],
)
def test_an_alarm_whose_only_metric_is_a_query_is_weighed_as_any_other(
    query: dict[str, Any], alarm: dict[str, Any], kind: Kind
) -> None:
    metric = {"namespace": "AWS/Lambda", "metric_name": "Errors", "stat": "Sum", "period": 60, **query}
    metric["dimensions"] = {"FunctionName": "pay"}
    whole = {
        "comparison_operator": "GreaterThanOrEqualToThreshold",
        "threshold": 1,
        "evaluation_periods": 1,
        "metric_query": [{"id": "m", "return_data": True, "metric": [metric]}],
        **alarm,
    }
    assert worst("PI-CW-002", {"aws_cloudwatch_metric_alarm": {"a": whole}}) is kind
    computed = [{"id": "e", "expression": "m * 100", "return_data": True}, {"id": "m", "metric": [metric]}]
    assert worst(
        "PI-CW-002", {"aws_cloudwatch_metric_alarm": {"a": {**whole, "metric_query": computed}}}
    ) in (
        Kind.PASS,
        Kind.NOT_APPLICABLE,
    )


TOPIC = "${aws_sns_topic.t.arn}"
SUBSCRIPTION = {"protocol": "email", "endpoint": "on-call@example.com"}


@pytest.mark.parametrize(
    ("others", "kind"),
    [
        ({}, Kind.WARN),
        ({"aws_sns_topic_subscription": {"s": {**SUBSCRIPTION, "topic_arn": TOPIC}}}, Kind.PASS),
        (
            {
                "aws_sns_topic_subscription": {
                    "s": {**SUBSCRIPTION, "topic_arn": f"arn:aws:sns:eu-west-1:{ME}:t"}
                }
            },
            Kind.PASS,
        ),
        ({"aws_sns_topic_subscription": {"s": {**SUBSCRIPTION, "topic_arn": TOPIC, "count": 0}}}, Kind.WARN),
        ({"aws_chatbot_slack_channel_configuration": {"c": {"sns_topic_arns": [TOPIC]}}}, Kind.PASS),
        ({"aws_ssm_parameter": {"p": {"type": "String", "value": TOPIC}}}, Kind.PASS),
        ({"pagerduty_service_integration": {"p": {"topic": TOPIC}}}, Kind.PASS),
        ({"aws_cloudwatch_event_target": {"t": {"rule": "r", "arn": TOPIC}}}, Kind.WARN),
        ({"aws_lambda_permission": {"p": {"function_name": "f", "source_arn": TOPIC}}}, Kind.WARN),
        ({"aws_sqs_queue_policy": {"p": {"queue_url": "q", "policy": TOPIC}}}, Kind.WARN),
    ],
)
def test_who_only_publishes_to_a_topic_or_lets_it_in_does_not_listen(
    others: dict[str, Any], kind: Kind
) -> None:
    watched = {
        name: {
            "alarm_name": name,
            "namespace": "AWS/Lambda",
            "metric_name": metric,
            "dimensions": {"FunctionName": "${aws_lambda_function.f.function_name}"},
            "alarm_actions": [TOPIC],
            "treat_missing_data": "notBreaching",
        }
        for name, metric in (("errors", "Errors"), ("duration", "Duration"))
    }
    resources = {
        "aws_lambda_function": {"f": {"function_name": "f"}},
        "aws_sns_topic": {"t": {"name": "t"}},
        "aws_cloudwatch_metric_alarm": watched,
        **others,
    }
    home = {"aws": {"region": "eu-west-1"}}
    assert worst("PI-CW-001", resources, provider=home) is kind


@pytest.mark.parametrize(
    "type_", ["aws_kms_key", "aws_kms_replica_key", "aws_kms_external_key", "aws_kms_replica_external_key"]
)
def test_every_kind_of_key_has_a_policy_that_may_let_everybody_in(type_: str) -> None:
    anybody = text(statement(Principal="*", Action="kms:*", Resource="*"))
    own = text(statement(Principal={"AWS": f"arn:aws:iam::{ME}:root"}, Action="kms:*", Resource="*"))
    assert worst("PI-KMS-002", {type_: {"k": {"policy": anybody}}}) is Kind.FAIL
    assert worst("PI-KMS-002", {type_: {"k": {"policy": own}}}) is Kind.PASS
    assert worst("PI-KMS-002", {type_: {"k": {"policy": own, "deletion_window_in_days": 3}}}) is Kind.FAIL


@pytest.mark.parametrize("name", ["arn", "name", "target_key_arn"])
def test_a_disabled_key_that_is_used_by_its_alias_is_used(name: str) -> None:
    resources: dict[str, Any] = {
        "aws_kms_key": {"k": {"is_enabled": False}},
        "aws_kms_alias": {"a": {"name": "alias/pay", "target_key_id": "${aws_kms_key.k.key_id}"}},
    }
    assert worst("PI-KMS-003", resources) is Kind.NOT_APPLICABLE
    resources["aws_sqs_queue"] = {"q": {"kms_master_key_id": f"${{aws_kms_alias.a.{name}}}"}}
    assert worst("PI-KMS-003", resources) is Kind.FAIL


@pytest.mark.parametrize(
    ("protocol", "authorization", "kind"),
    [
        ("REST", "CUSTOM", Kind.PASS),
        ("REST", "COGNITO_USER_POOLS", Kind.PASS),
        ("REST", "JWT", Kind.UNKNOWN),
        ("HTTP", "JWT", Kind.PASS),
        ("HTTP", "CUSTOM", Kind.PASS),
        ("HTTP", "COGNITO_USER_POOLS", Kind.UNKNOWN),
        ("WEBSOCKET", "CUSTOM", Kind.PASS),
        ("WEBSOCKET", "JWT", Kind.UNKNOWN),
    ],
)
def test_each_type_of_api_has_kinds_of_authorization_of_its_own(
    protocol: str, authorization: str, kind: Kind
) -> None:
    resources: dict[str, Any]
    if protocol == "REST":
        resources = {
            "aws_api_gateway_rest_api": {"a": {"name": "a"}},
            "aws_api_gateway_resource": {
                "r": {
                    "rest_api_id": "${aws_api_gateway_rest_api.a.id}",
                    "parent_id": "${aws_api_gateway_rest_api.a.root_resource_id}",
                    "path_part": "payments",
                }
            },
            "aws_api_gateway_method": {
                "m": {
                    "rest_api_id": "${aws_api_gateway_rest_api.a.id}",
                    "resource_id": "${aws_api_gateway_resource.r.id}",
                    "http_method": "POST",
                    "authorization": authorization,
                    "authorizer_id": "abc123",
                }
            },
        }
    else:
        route = "$connect" if protocol == "WEBSOCKET" else "POST /payments"
        resources = {
            "aws_apigatewayv2_api": {"a": {"protocol_type": protocol}},
            "aws_apigatewayv2_route": {
                "r": {
                    "api_id": "${aws_apigatewayv2_api.a.id}",
                    "route_key": route,
                    "authorization_type": authorization,
                    "authorizer_id": "abc123",
                }
            },
        }
    assert worst("PI-API-003", resources) is kind


def called(permission: dict[str, Any], uri: str = "invoke_arn") -> dict[str, Any]:
    """An API in eu-west-1 that calls a function for POST /payments on the stage v1, and who may call it."""
    of = {"rest_api_id": "${aws_api_gateway_rest_api.a.id}"}
    root = "${aws_api_gateway_rest_api.a.root_resource_id}"
    there = {**of, "resource_id": "${aws_api_gateway_resource.payments.id}", "http_method": "POST"}
    return {
        "aws_lambda_function": {"f": {"function_name": "f"}},
        "aws_api_gateway_rest_api": {"a": {"name": "a"}},
        "aws_api_gateway_resource": {
            "payments": {**of, "parent_id": root, "path_part": "payments"},
            "refunds": {**of, "parent_id": root, "path_part": "refunds"},
        },
        "aws_api_gateway_method": {"m": {**there, "authorization": "AWS_IAM"}},
        "aws_api_gateway_integration": {
            "i": {**there, "type": "AWS_PROXY", "uri": f"${{aws_lambda_function.f.{uri}}}"}
        },
        "aws_api_gateway_stage": {
            "v1": {**of, "stage_name": "v1"},
            "other": {"rest_api_id": "elsewhere1", "stage_name": "v2"},
        },
        "aws_lambda_permission": {
            "p": {
                "function_name": "${aws_lambda_function.f.function_name}",
                "action": "lambda:InvokeFunction",
                "principal": "apigateway.amazonaws.com",
                "source_arn": f"{EXECUTION}/*/*",
                **permission,
            }
        },
    }


EXECUTION = "${aws_api_gateway_rest_api.a.execution_arn}"
ID = "${aws_api_gateway_rest_api.a.id}"


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        (f"{EXECUTION}/*/POST${{aws_api_gateway_resource.payments.path}}", Kind.PASS),
        (f"{EXECUTION}/*/POST${{aws_api_gateway_resource.refunds.path}}", Kind.FAIL),
        (f"{EXECUTION}/${{aws_api_gateway_stage.v1.stage_name}}/POST/payments", Kind.PASS),
        (f"{EXECUTION}/${{aws_api_gateway_stage.other.stage_name}}/POST/payments", Kind.FAIL),
        (f"{EXECUTION}/*/${{aws_api_gateway_method.m.http_method}}/payments", Kind.PASS),
        (f"arn:aws:execute-api:eu-west-1:{ME}:{ID}/*/POST/payments", Kind.PASS),
        (f"arn:aws:execute-api:*:{ME}:{ID}/*/POST/payments", Kind.PASS),
        (f"arn:aws:execute-api:${{data.aws_region.r.name}}:{ME}:{ID}/*/POST/payments", Kind.PASS),
        (f"arn:aws:execute-api:eu-central-1:{ME}:{ID}/*/POST/payments", Kind.FAIL),
        (f"arn:aws:apigateway:eu-west-1:{ME}:{ID}/*/POST/payments", Kind.FAIL),
    ],
)
def test_what_a_permissions_source_names_is_written_out(source: str, kind: Kind) -> None:
    home = {"aws": {"region": "eu-west-1"}}
    assert worst("PI-API-004", called({"source_arn": source}), provider=home) is kind


@pytest.mark.parametrize(
    ("permission", "kind"),
    [
        ({}, Kind.FAIL),
        ({"qualifier": "${aws_lambda_function.f.version}"}, Kind.PASS),
        ({"function_name": "${aws_lambda_function.f.qualified_arn}"}, Kind.PASS),
    ],
)
def test_a_version_is_called_with_a_permission_of_its_own(permission: dict[str, Any], kind: Kind) -> None:
    assert worst("PI-API-004", called(permission, "qualified_invoke_arn")) is kind


def test_a_resource_that_format_spells_is_the_one_it_names() -> None:
    source = '${format("%s/*/*", aws_api_gateway_rest_api.a.execution_arn)}'
    assert worst("PI-API-004", called({"source_arn": source})) is Kind.PASS
    source = '${format("%s/*/GET/%s", aws_api_gateway_rest_api.a.execution_arn, "payments")}'
    assert worst("PI-API-004", called({"source_arn": source})) is Kind.FAIL


@pytest.mark.parametrize(
    ("property_", "kind"),
    [("source_json", Kind.FAIL), ("override_json", Kind.FAIL), ("policy_id", Kind.PASS)],
)
def test_documents_are_taken_from_the_deprecated_properties_too(property_: str, kind: Kind) -> None:
    narrow = {"actions": ["dynamodb:GetItem"], "resources": ["arn:aws:dynamodb:eu-west-1:1:table/pay"]}
    documents = {
        "wide": {"statement": [{"actions": ["*"], "resources": ["*"]}]},
        "whole": {"statement": [narrow], property_: "${data.aws_iam_policy_document.wide.json}"},
    }
    policy = {"p": {"policy": "${data.aws_iam_policy_document.whole.json}"}}
    data = {"aws_iam_policy_document": documents}
    assert worst("PI-IAM-001", {"aws_iam_policy": policy}, data=data) is kind


@pytest.mark.parametrize(
    ("resource", "kind"),
    [
        ("arn:aws:dynamodb:*", Kind.FAIL),
        ("arn:aws:dynamodb:eu-west-1:*", Kind.FAIL),
        ("arn:aws:*", Kind.FAIL),
        ("arn:*", Kind.FAIL),
        ("arn:aws:dynamodb:eu-west-1", Kind.PASS),  # which IAM refuses
        ("${aws_dynamodb_table.t.arn}*", Kind.PASS),
    ],
)
def test_a_star_at_the_end_reaches_beyond_the_colons_of_an_arn(resource: str, kind: Kind) -> None:
    policy = text(statement(Action="dynamodb:GetItem", Resource=resource))
    assert worst("PI-IAM-002", {"aws_iam_policy": {"p": {"policy": policy}}}) is kind


@pytest.mark.parametrize(
    ("action", "condition", "kind"),
    [
        ("ec2:StopInstances", {"StringEquals": {"ec2:ResourceTag/Team": "pay"}}, Kind.PASS),
        (
            "secretsmanager:GetSecretValue",
            {"StringEquals": {"secretsmanager:ResourceTag/Team": "pay"}},
            Kind.PASS,
        ),
        ("ec2:StopInstances", {"StringLike": {"ec2:ResourceTag/Team": "*"}}, Kind.FAIL),
        ("ec2:StopInstances", {"StringNotEquals": {"ec2:ResourceTag/Team": "pay"}}, Kind.FAIL),
        ("kms:Decrypt", {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/pay"}}, Kind.PASS),
        ("kms:Decrypt", {"ForAllValues:StringEquals": {"kms:ResourceAliases": "alias/pay"}}, Kind.FAIL),
        ("kms:Decrypt", {"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}, Kind.FAIL),
    ],
)
def test_tags_and_aliases_narrow_every_resource_down(
    action: str, condition: dict[str, Any], kind: Kind
) -> None:
    policy = text(statement(Action=action, Resource="*", Condition=condition))
    assert worst("PI-IAM-002", {"aws_iam_policy": {"p": {"policy": policy}}}) is kind


def answer(kind: str, region: str, **fields: Any) -> dict[str, Any]:
    """One of two answers for pay.shop.example."""
    return {
        "zone_id": "${aws_route53_zone.z.zone_id}",
        "name": "pay.shop.example",
        "type": "CNAME",
        "set_identifier": kind,
        "failover_routing_policy": {"type": kind},
        "records": [f"abc.execute-api.{region}.amazonaws.com"],
        **fields,
    }


@pytest.mark.parametrize(
    ("other", "kind"),
    [
        ({}, Kind.PASS),
        ({"zone_id": "${aws_route53_zone.z.id}"}, Kind.PASS),
        ({"zone_id": "${aws_route53_zone.other.id}"}, Kind.FAIL),
        ({"name": "Pay.Shop.Example."}, Kind.PASS),
        ({"name": "pay"}, Kind.PASS),
        ({"name": "pay.${aws_route53_zone.z.name}"}, Kind.PASS),
        ({"name": "pay2"}, Kind.FAIL),
    ],
)
def test_two_answers_are_for_one_name_however_it_is_written(other: dict[str, Any], kind: Kind) -> None:
    zones = {"z": {"name": "shop.example"}, "other": {"name": "other.example"}}
    answers = {"a": answer("PRIMARY", "eu-west-1"), "b": answer("SECONDARY", "eu-central-1", **other)}
    assert worst("PI-DNS-001", {"aws_route53_zone": zones, "aws_route53_record": answers}) is kind


@pytest.mark.parametrize(
    "name", ["pay.shop.example", "PAY.shop.example.", "${aws_route53_record.a.fqdn}", "pay.${local.zone}"]
)
def test_a_check_of_the_name_that_fails_over_is_seen_however_it_is_written(name: str) -> None:
    check = {"type": "HTTPS", "fqdn": name, "port": 443, "resource_path": "/health"}
    resources = {
        "aws_route53_zone": {"z": {"name": "shop.example"}},
        "aws_route53_record": {"a": answer("PRIMARY", "eu-west-1", name="pay")},
        "aws_route53_health_check": {"h": check},
    }
    assert worst("PI-DNS-004", resources, locals={"zone": "shop.example"}) is Kind.FAIL


@pytest.mark.parametrize(("region", "kind"), [("eu-west-1", Kind.FAIL), ("eu-central-1", Kind.PASS)])
def test_a_check_looks_for_an_alarm_where_it_is(region: str, kind: Kind) -> None:
    check = {
        "type": "CLOUDWATCH_METRIC",
        "cloudwatch_alarm_name": "${aws_cloudwatch_metric_alarm.a.alarm_name}",
        "cloudwatch_alarm_region": region,
    }
    resources = {
        "aws_cloudwatch_metric_alarm": {"a": {"alarm_name": "errors"}},
        "aws_route53_health_check": {"h": check},
    }
    found = worst("PI-DNS-004", resources, provider={"aws": {"region": "eu-central-1"}})
    assert found is kind or (kind is Kind.PASS and found is Kind.NOT_APPLICABLE)


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("PGPASSWORD", True),
        ("DBPASS", True),
        ("clientsecret", True),
        ("DB_CREDS", True),
        ("/pay/db/password/current", True),
        ("/pay/passwords/ledger", True),
        ("/pay/password/max-length", False),
        ("/pay/secrets-manager/ledger", False),
        ("/pay/token/ttl", False),
        ("/pay/db-credentials/port", False),
        ("/pay/password/hint", False),
        ("/pay/public-key/current", False),
        ("PARTITION_KEY", False),
        ("MAX_TOKENS", False),
    ],
)
def test_a_name_is_a_secrets_however_it_is_put_together(name: str, secret: bool) -> None:
    assert names_secret(name) is secret


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ('{"user": "pay", "password": "hunter22"}', Kind.FAIL),
        ('${jsonencode({user = "pay", db = [{password = "hunter22"}]})}', Kind.FAIL),
        ('{"password_arn": "arn:aws:secretsmanager:eu-west-1:1:secret:x"}', Kind.NOT_APPLICABLE),
        ('{"password": "{{resolve:ssm:/pay/db}}"}', Kind.NOT_APPLICABLE),
        ('{"user": "pay"', Kind.NOT_APPLICABLE),
        ("Bearer 0123456789abcdef0123456789abcdef", Kind.FAIL),
        ("Basic cGF5Omh1bnRlcjIy", Kind.FAIL),
        ("Basic authentication-v2", Kind.NOT_APPLICABLE),
        ("Bearer tokens are refused", Kind.NOT_APPLICABLE),
        ("${aws_cognito_user_pool_client.c.client_secret}", Kind.FAIL),
        ("${aws_cognito_user_pool_client.c.id}", Kind.NOT_APPLICABLE),
    ],
)
def test_a_plain_parameter_may_hold_a_secret_among_others(value: str, kind: Kind) -> None:
    parameter = {"p": {"name": "/pay/x", "type": "String", "value": value}}
    assert worst("PI-SSM-001", {"aws_ssm_parameter": parameter}) is kind


def test_a_parameter_is_named_by_what_is_known_of_its_name() -> None:
    def plain(name: str) -> Kind:
        parameter = {"p": {"name": name, "type": "String", "value": "hunter22"}}
        return worst("PI-SSM-001", {"aws_ssm_parameter": parameter}, variable={"env": {}, "secret": {}})

    assert plain("/pay/${var.env}/db-password") is Kind.FAIL
    assert plain("/pay/${var.secret}") is Kind.NOT_APPLICABLE


def test_a_functions_variable_may_hold_a_secret_among_others() -> None:
    variables: dict[str, str] = {}
    function = {"kms_key_arn": "${aws_kms_key.k.arn}", "environment": [{"variables": variables}]}
    resources = {"aws_kms_key": {"k": {}}, "aws_lambda_function": {"f": function}}
    home = {"aws": {"region": "eu-west-1"}}
    for value, kind in (('{"password": "hunter22"}', Kind.FAIL), ('{"host": "db"}', Kind.PASS)):
        variables["DB"] = value
        assert worst("PI-LAM-004", resources, provider=home) is kind


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("postgres://pay@db.internal:5432/pay", Kind.PASS),
        ("postgresql://db-1:5432,db-2:5432/pay", Kind.PASS),
        ("rediss://sessions.internal:6379/0", Kind.PASS),
        ("postgres://pay:hunter22x@db.internal:5432/pay", Kind.FAIL),
        ("postgres://db.internal/pay?user=pay&pass=hunter22x", Kind.FAIL),
    ],
)
def test_an_address_without_a_password_is_no_secret_whatever_its_name(address: str, kind: Kind) -> None:
    function = {
        "kms_key_arn": "${aws_kms_key.k.arn}",
        "environment": [{"variables": {"DATABASE_DSN": address}}],
    }
    resources = {"aws_kms_key": {"k": {}}, "aws_lambda_function": {"f": function}}
    assert worst("PI-LAM-004", resources, provider={"aws": {"region": "eu-west-1"}}) is kind


@pytest.mark.parametrize(
    ("resources", "kind"),
    [
        ({"aws_s3_account_public_access_block": {"a": {}}}, Kind.PASS),
        ({"aws_wafv2_ip_set": {"a": {"scope": "CLOUDFRONT"}}}, Kind.PASS),
        ({"aws_wafv2_ip_set": {"a": {"scope": "REGIONAL"}}}, Kind.FAIL),
        ({"aws_route53recoverycontrolconfig_cluster": {"c": {"name": "c"}}}, Kind.PASS),
        ({"aws_backup_global_settings": {"g": {}}}, Kind.PASS),
        ({"aws_vpc_ipam": {"i": {"operating_regions": [{"region_name": "eu-west-1"}]}}}, Kind.PASS),
        (
            {
                "aws_dynamodb_table": {"t": {"name": "t"}},
                "aws_dynamodb_table_item": {"i": {"table_name": "${aws_dynamodb_table.t.name}"}},
            },
            Kind.PASS,
        ),
        (
            {
                "aws_cloudwatch_log_group": {"g": {"name": "/aws/route53/shop.example"}},
                "aws_route53_query_log": {
                    "q": {"zone_id": "z", "cloudwatch_log_group_arn": "${aws_cloudwatch_log_group.g.arn}"}
                },
            },
            Kind.PASS,
        ),
        (
            {
                "aws_kms_key": {"k": {"customer_master_key_spec": "ECC_NIST_P256"}},
                "aws_route53_key_signing_key": {"k": {"key_management_service_arn": "${aws_kms_key.k.arn}"}},
            },
            Kind.PASS,
        ),
        ({"aws_cloudwatch_log_group": {"g": {"name": "/pay"}}}, Kind.FAIL),
    ],
)
def test_what_serves_the_whole_account_or_the_zone_stands_once(resources: dict[str, Any], kind: Kind) -> None:
    placed = {
        type_: {name: {"provider": "aws.home", **body} for name, body in bodies.items()}
        for type_, bodies in resources.items()
    }
    found = worst("PI-REG-002", placed, **BOTH)
    assert found is kind or (kind is Kind.PASS and found is Kind.NOT_APPLICABLE)


@pytest.mark.parametrize(
    ("resources", "kind"),
    [
        (
            {
                "aws_cloudwatch_event_bus": {"b": {}},
                "aws_cloudwatch_event_endpoint": {
                    "e": {"event_bus": [{"event_bus_arn": "${aws_cloudwatch_event_bus.b.arn}"}]}
                },
            },
            Kind.PASS,
        ),
        (
            {
                "aws_dsql_cluster": {"c": {}},
                "aws_dsql_cluster_peering": {"p": {"clusters": ["${aws_dsql_cluster.c.arn}"]}},
            },
            Kind.PASS,
        ),
        (
            {
                "aws_kms_key": {"k": {}},
                "aws_efs_replication_configuration": {
                    "r": {"destination": [{"region": "eu-central-1", "kms_key_id": "${aws_kms_key.k.arn}"}]}
                },
            },
            Kind.PASS,
        ),
        (
            {
                "aws_cognito_user_pool": {"u": {}},
                "aws_api_gateway_authorizer": {"a": {"provider_arns": ["${aws_cognito_user_pool.u.arn}"]}},
            },
            Kind.PASS,
        ),
        (
            {
                "aws_cognito_user_pool": {"u": {}},
                "aws_apigatewayv2_authorizer": {
                    "a": {"jwt_configuration": [{"issuer": "https://${aws_cognito_user_pool.u.endpoint}"}]}
                },
            },
            Kind.PASS,
        ),
        (
            {
                "aws_vpc_endpoint_service": {"s": {}},
                "aws_vpc_endpoint": {"e": {"service_name": "${aws_vpc_endpoint_service.s.service_name}"}},
            },
            Kind.PASS,
        ),
        (
            {
                "aws_cloudwatch_event_bus": {"b": {}},
                "aws_cloudwatch_event_archive": {
                    "a": {"event_source_arn": "${aws_cloudwatch_event_bus.b.arn}"}
                },
            },
            Kind.FAIL,
        ),
    ],
)
def test_what_pairs_two_regions_by_nature_may_name_the_other(resources: dict[str, Any], kind: Kind) -> None:
    first, second = resources
    placed = {
        first: {name: {"provider": "aws.away", **body} for name, body in resources[first].items()},
        second: {name: {"provider": "aws.home", **body} for name, body in resources[second].items()},
    }
    assert worst("PI-REG-003", placed, **BOTH) is kind


@pytest.mark.parametrize("region", ["eu-west-1", "eu-central-1"])
def test_an_arn_inside_a_nested_block_is_of_the_own_region(region: str) -> None:
    key = f"arn:aws:kms:{region}:{ME}:key/11111111-2222-3333-4444-555555555555"
    default = {"apply_server_side_encryption_by_default": [{"kms_master_key_id": key}]}
    encryption = {"provider": "aws.home", "bucket": "b", "rule": [default]}
    resources = {"aws_s3_bucket_server_side_encryption_configuration": {"e": encryption}}
    assert worst("PI-REG-003", resources, **BOTH) is (Kind.PASS if region == "eu-west-1" else Kind.FAIL)
    replica = {"region": "eu-central-1", "kms_key_id": key}
    secret = {"provider": "aws.home", "name": "s", "replica": [replica]}
    assert worst("PI-REG-003", {"aws_secretsmanager_secret": {"s": secret}}, **BOTH) is Kind.PASS


@pytest.mark.parametrize(
    ("schema", "refuses"),
    [
        ('{"nullable": true, "example": {"amount": 1}, "xml": {"name": "payment"}}', False),
        ('{"readOnly": true, "writeOnly": false, "deprecated": true, "externalDocs": {}}', False),
        ('{"uniqueItems": false}', False),
        ('{"uniqueItems": true}', True),
        ('{"nullable": true, "type": "object"}', True),
    ],
)
def test_what_only_describes_a_body_refuses_none(schema: str, refuses: bool) -> None:
    assert schema_refuses(schema) is refuses


@pytest.mark.parametrize(
    ("test", "value", "kind"),
    [
        ("ForAnyValue:StringLike", "authenticated", Kind.PASS),
        ("StringNotEquals", "unauthenticated", Kind.PASS),
        ("ForAnyValue:StringLike", "unauthenticated", Kind.WARN),
        ("ForAnyValue:StringLike", "*authenticated", Kind.WARN),
        ("ForAllValues:StringLike", "authenticated", Kind.WARN),
        ("ForAnyValue:StringLikeIfExists", "authenticated", Kind.WARN),
    ],
)
def test_guests_of_an_identity_pool_are_kept_out_by_what_amr_says(test: str, value: str, kind: Kind) -> None:
    pool = {"StringEquals": {f"{COGNITO}:aud": "eu-west-1:11111111-2222-3333-4444-555555555555"}}
    asked: dict[str, Any] = {test: {f"{COGNITO}:amr": value}}
    assert worst("PI-IAM-006", web(COGNITO, {**pool, **asked})) is kind


@pytest.mark.parametrize(
    ("resource", "kind"),
    [
        (f"arn:aws:kms:eu-west-1:{ME}:key/*", Kind.PASS),
        (f"arn:aws:kms:*:{ME}:key/*", Kind.PASS),
        ("arn:aws:kms:${data.aws_region.r.name}:${data.aws_caller_identity.me.account_id}:key/*", Kind.PASS),
        (f"arn:aws:kms:eu-west-1:{ME}:key/${{aws_kms_key.k.key_id}}", Kind.PASS),
        (f"arn:aws:kms:eu-west-1:{ME}:key/${{aws_kms_key.other.key_id}}", Kind.FAIL),
        (f"arn:aws:kms:eu-central-1:{ME}:key/*", Kind.FAIL),
        (f"arn:aws:kms:eu-west-1:{ME}:alias/pay", Kind.FAIL),
        ("${aws_kms_key.other.arn}", Kind.FAIL),
        ("${aws_s3_bucket.b.arn}", Kind.FAIL),
    ],
)
def test_a_role_may_use_a_key_by_any_arn_that_fits_it(resource: str, kind: Kind) -> None:
    allow = statement(Action=["kms:Decrypt", "kms:GenerateDataKey"], Resource=resource)
    keys: dict[str, Any] = {"k": {}, "other": {}}
    home = {"aws": {"region": "eu-west-1"}}
    assert worst("PI-IAM-004", reader(allow, aws_kms_key=keys), provider=home) is kind


@pytest.mark.parametrize(
    ("tables", "joined", "kind"),
    [
        (("home", "away"), ("eu-west-1", "eu-central-1"), Kind.PASS),
        (("home", "away"), ("eu-west-1",), Kind.FAIL),
        (("home", "away"), (), Kind.FAIL),
        (("home",), ("eu-west-1", "eu-central-1"), Kind.FAIL),  # AWS joins tables that are there
    ],
)
def test_two_tables_of_one_name_may_be_joined(
    tables: tuple[str, ...], joined: tuple[str, ...], kind: Kind
) -> None:
    replicas = [{"region_name": region} for region in joined]
    resources = {
        "aws_dynamodb_table": {side: {"provider": f"aws.{side}", "name": "pay"} for side in tables},
        "aws_dynamodb_global_table": {"g": {"provider": "aws.home", "name": "pay", "replica": replicas}},
    }
    assert worst("PI-DDB-001", resources, **BOTH) is kind


ALL = "http://acs.amazonaws.com/groups/global/AllUsers"
OWNER = "${data.aws_canonical_user_id.me.id}"


@pytest.mark.parametrize(
    ("grantee", "kind"),
    [
        ({"type": "Group", "uri": ALL}, Kind.FAIL),
        ({"type": "CanonicalUser", "id": OWNER}, Kind.PASS),
        (
            {
                "type": "CanonicalUser",
                "id": "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be",
            },
            Kind.FAIL,
        ),
        ({"type": "AmazonCustomerByEmail", "email_address": "other@example.com"}, Kind.FAIL),
        ({"type": "${var.type}"}, Kind.UNKNOWN),
    ],
)
def test_an_acl_that_is_written_as_grants_is_one(grantee: dict[str, Any], kind: Kind) -> None:
    policy = {"owner": [{"id": OWNER}], "grant": [{"permission": "READ", "grantee": [grantee]}]}
    acl = {"a": {"bucket": "${aws_s3_bucket.b.id}", "access_control_policy": [policy]}}
    assert worst("PI-S3-007", {"aws_s3_bucket": {"b": {"bucket": "b"}}, "aws_s3_bucket_acl": acl}) is kind


def test_grants_of_a_bucket_itself_are_its_acl() -> None:
    grant = {"type": "Group", "permissions": ["READ"], "uri": ALL}
    assert worst("PI-S3-007", {"aws_s3_bucket": {"b": {"bucket": "b", "grant": [grant]}}}) is Kind.FAIL


@pytest.mark.parametrize(("api", "kind"), [("a", Kind.PASS), ("other", Kind.FAIL)])
def test_a_plan_names_a_stage_of_the_api_that_it_names(api: str, kind: Kind) -> None:
    stage = {
        "api_id": f"${{aws_api_gateway_rest_api.{api}.id}}",
        "stage": "${aws_api_gateway_stage.v.stage_name}",
    }
    resources = {
        "aws_api_gateway_rest_api": {"a": {"name": "a"}, "other": {"name": "other"}},
        "aws_api_gateway_stage": {
            "v": {"rest_api_id": "${aws_api_gateway_rest_api.a.id}", "stage_name": "v1"}
        },
        "aws_api_gateway_usage_plan": {"p": {"api_stages": [stage]}},
    }
    assert worst("PI-API-002", resources) is kind


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("dynamodb:Query", Kind.PASS),
        ("dynamodb:Scan", Kind.PASS),
        ("dynamodb:*", Kind.PASS),
        ("dynamodb:PutItem", Kind.FAIL),
        ("dynamodb:GetItem", Kind.FAIL),
    ],
)
def test_an_index_is_used_by_reading_it(action: str, kind: Kind) -> None:
    table = "${aws_dynamodb_table.t.arn}"
    rights = text(
        statement(Action="dynamodb:PutItem", Resource=table),
        statement(Action=action, Resource=f"{table}/index/*"),
    )
    resources = {
        "aws_dynamodb_table": {"t": {"name": "t", "global_secondary_index": [{"name": "by-status"}]}},
        "aws_iam_role": {"r": {"name": "r", "assume_role_policy": "{}"}},
        "aws_iam_role_policy": {"p": {"role": "${aws_iam_role.r.id}", "policy": rights}},
        "aws_lambda_function": {"f": {"function_name": "f", "role": "${aws_iam_role.r.arn}"}},
    }
    assert worst("PI-IAM-003", resources) is kind


@pytest.mark.parametrize(
    ("type_", "path", "action", "uses", "kind"),
    [
        ("aws_secretsmanager_secret", "kms_key_id", "secretsmanager:GetSecretValue", [], Kind.FAIL),
        (
            "aws_secretsmanager_secret",
            "kms_key_id",
            "secretsmanager:GetSecretValue",
            ["kms:Decrypt"],
            Kind.PASS,
        ),
        ("aws_secretsmanager_secret", "kms_key_id", "secretsmanager:DescribeSecret", [], Kind.NOT_APPLICABLE),
        (
            "aws_secretsmanager_secret",
            "description",
            "secretsmanager:GetSecretValue",
            [],
            Kind.NOT_APPLICABLE,
        ),
        ("aws_sqs_queue", "kms_master_key_id", "sqs:ReceiveMessage", [], Kind.FAIL),
        ("aws_sqs_queue", "kms_master_key_id", "sqs:ReceiveMessage", ["kms:Decrypt"], Kind.PASS),
        ("aws_sqs_queue", "kms_master_key_id", "sqs:SendMessage", ["kms:Decrypt"], Kind.FAIL),
        (
            "aws_sqs_queue",
            "kms_master_key_id",
            "sqs:SendMessage",
            ["kms:Decrypt", "kms:GenerateDataKey*"],
            Kind.PASS,
        ),
    ],
)
def test_queues_and_secrets_under_a_key_need_it_too(
    type_: str, path: str, action: str, uses: list[str], kind: Kind
) -> None:
    statements = [statement(Action=action, Resource=f"${{{type_}.x.arn}}")]
    statements += [statement(Action=uses, Resource="${aws_kms_key.k.arn}")] if uses else []
    resources = {
        "aws_kms_key": {"k": {}},
        type_: {"x": {"name": "x", path: "${aws_kms_key.k.arn}"}},
        "aws_iam_role": {"r": {"name": "r", "assume_role_policy": "{}"}},
        "aws_iam_role_policy": {"p": {"role": "${aws_iam_role.r.id}", "policy": text(*statements)}},
    }
    assert worst("PI-IAM-004", resources, provider={"aws": {"region": "eu-west-1"}}) is kind


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ('${jsonencode({user = "pay", password = random_password.x.result})}', Kind.PASS),
        ('${jsonencode({user="pay",password=random_password.x.result})}', Kind.PASS),
        ("${var.driver};Server=db;Password=hunter22", Kind.FAIL),
        ('${format("Server=%s;Password=hunter22", aws_db_instance.d.address)}', Kind.FAIL),
        ("Server=db;Password=${random_password.x.result}", Kind.FAIL),
    ],
)
def test_what_an_expression_gives_a_name_is_no_connection_string(value: str, kind: Kind) -> None:
    version = {"secret_id": "s", "secret_string": value}
    assert worst("PI-SEC-003", {"aws_secretsmanager_secret_version": {"v": version}}) is kind


def test_the_key_of_a_connection_is_a_secret() -> None:
    def connection(value: str) -> dict[str, Any]:
        by_key = [{"api_key": [{"key": "x-api-key", "value": value}]}]
        return {"aws_cloudwatch_event_connection": {"c": {"auth_parameters": by_key}}}

    assert worst("PI-SEC-003", connection("hunter22hunter22")) is Kind.FAIL
    assert worst("PI-SEC-003", connection("${random_password.x.result}")) is Kind.PASS


@pytest.mark.parametrize(
    "secret",
    [
        "sk_sbox_" + "a2b3" * 7,
        "live_" + "aB3d" * 8,
        "FLWSECK_TEST-" + "a1b2c3d4" * 4 + "-X",
        "access-production-11111111-2222-3333-4444-555555555555",
        "key-" + "0123456789abcdef" * 2,
        "NRAK-" + "A1B2C3D4E" * 3,
        "hf_" + "aBcDeF" * 6,
        "dapi" + "0123456789abcdef" * 2,
        "jdbc:oracle:thin:pay/hunter22@db.internal:1521/pay",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----",
    ],
)
def test_the_keys_of_many_services_are_known_by_their_look(secret: str) -> None:
    assert look_of(secret)
    assert HIDDEN in without_looks(f"x {secret} y", HIDDEN)


@pytest.mark.parametrize(
    "harmless",
    [
        "test_the_health_of_every_region_is_seen_by_its_check",
        "access-control-allow-origin",
        "key-value",
        "pk_live_9fK2mQ7xT4vB8nL1cR5y",
        "jdbc:oracle:thin:@db.internal:1521/pay",
        "jdbc:oracle:thin:pay/${var.password}@db",
        "-----BEGIN PGP PUBLIC KEY BLOCK-----",
    ],
)
def test_what_only_resembles_a_key_is_none(harmless: str) -> None:
    assert look_of(harmless) == ""


@pytest.mark.parametrize(
    ("action", "resource", "kind"),
    [
        ("dynamodb:Query", "${aws_dynamodb_table.t.arn}/index/*", Kind.FAIL),
        ("dynamodb:*", "*", Kind.FAIL),
        ("dynamodb:Query", "${aws_dynamodb_table.t.arn}/index/other", Kind.PASS),
        ("dynamodb:DeleteItem", "*", Kind.PASS),
    ],
)
def test_an_index_that_a_deny_forbids_is_not_allowed(action: str, resource: str, kind: Kind) -> None:
    table = "${aws_dynamodb_table.t.arn}"
    rights = text(
        statement(Action="dynamodb:Query", Resource=[table, f"{table}/index/*"]),
        statement("Deny", Action=action, Resource=resource),
    )
    resources = {
        "aws_dynamodb_table": {"t": {"name": "t", "global_secondary_index": [{"name": "by-status"}]}},
        "aws_iam_role": {"r": {"name": "r", "assume_role_policy": "{}"}},
        "aws_iam_role_policy": {"p": {"role": "${aws_iam_role.r.id}", "policy": rights}},
        "aws_lambda_function": {"f": {"function_name": "f", "role": "${aws_iam_role.r.arn}"}},
    }
    assert worst("PI-IAM-003", resources) is kind


BUCKET = {"aws_s3_bucket": {"b": {"bucket": "pay"}}}
BLOCKS = ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")
CLOSED = dict.fromkeys(BLOCKS, True)


@pytest.mark.parametrize(
    ("others", "kind"),
    [
        ({"aws_s3_account_public_access_block": {"a": CLOSED}}, Kind.WARN),
        ({"aws_s3_account_public_access_block": {"a": CLOSED | {"block_public_acls": False}}}, Kind.FAIL),
        (
            {
                "aws_s3_account_public_access_block": {"a": CLOSED},
                "aws_s3_bucket_public_access_block": {"b": {"bucket": "pay", "block_public_acls": True}},
            },
            Kind.WARN,
        ),
    ],
)
def test_the_accounts_public_access_block_holds_for_every_bucket(others: dict[str, Any], kind: Kind) -> None:
    assert worst("PI-S3-001", {**BUCKET, **others}) is kind


WITHOUT_TLS = {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"Action": "s3:*", "Condition": {"bool": {"AWS:SecureTransport": ["False"]}}}, Kind.PASS),
        ({"Action": "s3:*", "Condition": {"StringNotEquals": {"aws:SecureTransport": "true"}}}, Kind.PASS),
        ({"Action": "s3:*", "Condition": {"Null": {"aws:SecureTransport": "true"}}}, Kind.FAIL),
        ({"Action": "s3:*", "Condition": {"Bool": {"aws:SecureTransport": "true"}}}, Kind.FAIL),
        ({"NotAction": "s3:ListAllMyBuckets", "Condition": WITHOUT_TLS}, Kind.PASS),
        ({"Action": "s3:Get*", "Condition": WITHOUT_TLS}, Kind.FAIL),
        ({"Action": "s3:*", "Condition": WITHOUT_TLS | OWN}, Kind.FAIL),
        ({"Action": "s3:*"}, Kind.FAIL),
        (
            {"Action": "s3:*", "Condition": WITHOUT_TLS, "Resource": None, "NotResource": "arn:aws:s3:::x"},
            Kind.PASS,
        ),
        (
            {
                "Action": "s3:*",
                "Condition": WITHOUT_TLS,
                "Resource": None,
                "NotResource": "arn:aws:s3:::pay/*",
            },
            Kind.FAIL,
        ),
    ],
)
def test_a_deny_of_requests_without_tls_is_evaluated(fields: dict[str, Any], kind: Kind) -> None:
    deny = statement(
        "Deny", **{"Principal": "*", "Resource": ["arn:aws:s3:::pay", "arn:aws:s3:::pay/*"], **fields}
    )
    policy = {"aws_s3_bucket_policy": {"p": {"bucket": "pay", "policy": text(deny)}}}
    assert worst("PI-S3-002", {**BUCKET, **policy}) is kind


@pytest.mark.parametrize(("store", "kind"), [("cks-1234567890abcdef0", Kind.NOT_APPLICABLE), ("", Kind.FAIL)])
def test_a_key_of_a_custom_key_store_does_not_rotate(store: str, kind: Kind) -> None:
    assert worst("PI-KMS-001", {"aws_kms_key": {"k": {"custom_key_store_id": store}}}) is kind


def test_a_log_group_for_delivery_keeps_lines_for_two_days() -> None:
    assert (
        worst("PI-LOG-001", {"aws_cloudwatch_log_group": {"g": {"log_group_class": "DELIVERY"}}}) is Kind.WARN
    )


@pytest.mark.parametrize(
    ("metric", "dimensions", "alarm", "kind"),
    [
        ("5xx", ("ApiId",), {}, Kind.PASS),
        ("5xx", ("ApiId", "Stage"), {}, Kind.PASS),
        ("5xx", ("ApiName",), {}, Kind.FAIL),
        ("5xx", ("ApiId",), {"statistic": "Average", "threshold": 5}, Kind.FAIL),
        ("5XXError", ("ApiId",), {}, Kind.FAIL),
        ("Count", ("ApiId",), {}, Kind.PASS),
        ("Latency", ("ApiId", "Stage"), {"statistic": "Average"}, Kind.PASS),
        ("IntegrationLatency", ("ApiId", "Stage", "Method", "Resource"), {"statistic": "p99"}, Kind.PASS),
        ("ExecutionError", ("ApiId", "Stage", "Route"), {}, Kind.PASS),
        ("ExecutionError", ("ApiName",), {}, Kind.FAIL),
    ],
)
def test_each_kind_of_api_has_metrics_by_dimensions_of_its_own(
    metric: str, dimensions: tuple[str, ...], alarm: dict[str, Any], kind: Kind
) -> None:
    whole = {
        "namespace": "AWS/ApiGateway",
        "metric_name": metric,
        "dimensions": dict.fromkeys(dimensions, "x"),
        "statistic": "Sum",
        "comparison_operator": "GreaterThanThreshold",
        "threshold": 1,
        "evaluation_periods": 1,
        "period": 60,
        **alarm,
    }
    assert worst("PI-CW-002", {"aws_cloudwatch_metric_alarm": {"a": whole}}) is kind


@pytest.mark.parametrize(
    "metric", ["AsyncEventAge", "AsyncEventsDropped", "DeadLetterErrors", "DestinationDeliveryFailures"]
)
@pytest.mark.parametrize(("dimension", "kind"), [("FunctionName", Kind.PASS), ("Function", Kind.FAIL)])
def test_what_becomes_of_asynchronous_calls_is_a_metric_of_the_function(
    metric: str, dimension: str, kind: Kind
) -> None:
    alarm = {
        "namespace": "AWS/Lambda",
        "metric_name": metric,
        "dimensions": {dimension: "pay"},
        "statistic": "Maximum",
        "comparison_operator": "GreaterThanThreshold",
        "threshold": 0,
        "evaluation_periods": 1,
        "period": 60,
    }
    assert worst("PI-CW-002", {"aws_cloudwatch_metric_alarm": {"a": alarm}}) is kind


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("aws_db_instance", Kind.FAIL),
        ("aws_ecr_repository", Kind.FAIL),
        ("aws_lb", Kind.FAIL),
        ("aws_sfn_state_machine", Kind.FAIL),
        ("aws_route", Kind.NOT_APPLICABLE),
        ("aws_autoscaling_group", Kind.NOT_APPLICABLE),
    ],
)
def test_whatever_takes_tags_by_the_providers_schema_has_them(type_: str, kind: Kind) -> None:
    assert worst("PI-TAG-001", {type_: {"x": {"name": "x"}}}) is kind


@pytest.mark.parametrize(
    ("path", "kind"), [("/live/health?deep=1", Kind.PASS), ("/live/payments?health", Kind.UNKNOWN)]
)
def test_what_a_check_asks_for_ends_at_the_question_mark(path: str, kind: Kind) -> None:
    check = {"type": "HTTPS", "fqdn": "a1b2c3.execute-api.eu-west-1.amazonaws.com", "resource_path": path}
    assert worst("PI-DNS-004", {"aws_route53_health_check": {"c": check}}) is kind


def task(*variables: dict[str, str], key: str = "environment") -> dict[str, Any]:
    """A task of ECS with these variables."""
    return {"aws_ecs_task_definition": {"t": {"container_definitions": json.dumps([{key: list(variables)}])}}}


def build(**variable: str) -> dict[str, Any]:
    """A project of CodeBuild with one variable."""
    return {"aws_codebuild_project": {"p": {"environment": [{"environment_variable": [variable]}]}}}


def service(variables: dict[str, str]) -> dict[str, Any]:
    """A service of App Runner with these variables."""
    image = {"image_configuration": {"runtime_environment_variables": variables}}
    return {"aws_apprunner_service": {"s": {"source_configuration": {"image_repository": image}}}}


@pytest.mark.parametrize(
    ("resources", "kind"),
    [
        (task({"name": "DB_PASSWORD", "value": "hunter2222"}), Kind.FAIL),
        (task({"name": "DB_HOST", "value": "hunter2222"}), Kind.PASS),
        (task({"name": "DB_PASSWORD", "valueFrom": "arn:aws:secretsmanager:x"}, key="secrets"), Kind.PASS),
        (build(name="DB_PASSWORD", value="hunter2222"), Kind.FAIL),
        (build(name="DB_PASSWORD", value="hunter2222", type="PLAINTEXT"), Kind.FAIL),
        (build(name="DB_PASSWORD", value="db-password", type="PARAMETER_STORE"), Kind.PASS),
        (build(name="DB_PASSWORD", value="${aws_secretsmanager_secret.s.arn}"), Kind.PASS),
        (service({"DB_PASSWORD": "hunter2222"}), Kind.FAIL),
        (service({"DB_PASSWORD_PARAMETER": "hunter2222"}), Kind.PASS),
        ({"aws_ecs_task_definition": {"t": {"container_definitions": "no JSON"}}}, Kind.PASS),
        (
            {
                "aws_ecs_task_definition": {
                    "t": {
                        "container_definitions": '${jsonencode([{environment = [{name = "DB_PASSWORD", '
                        'value = "hunter2222"}]}])}'
                    }
                }
            },
            Kind.FAIL,
        ),
        (
            {
                "aws_db_parameter_group": {
                    "g": {"parameter": [{"name": "password_encryption", "value": "md5"}]}
                }
            },
            Kind.PASS,
        ),
    ],
)
def test_a_programs_variables_hold_no_secret(resources: dict[str, Any], kind: Kind) -> None:
    assert worst("PI-SEC-003", resources) is kind


BOX = "${aws_sqs_queue.q.arn}"
INDEXED = {
    "aws_dynamodb_table": {"t": {"name": "ledger", "global_secondary_index": [{"name": "by-day"}]}},
    "aws_iam_role": {"r": {"name": "r"}},
    "aws_lambda_function": {
        "f": {"role": "${aws_iam_role.r.arn}", "environment": {"variables": {"TABLE": "ledger"}}}
    },
}


@pytest.mark.parametrize(
    ("resource", "kind"),
    [
        ("*", Kind.PASS),
        ("arn:aws:dynamodb:*", Kind.PASS),
        ("arn:aws:dynamodb:eu-west-1:111122223333:table/*", Kind.PASS),
        ("arn:aws:dynamodb:*:*:table/led*", Kind.PASS),
        ("arn:aws:dynamodb:*:*:table/*/index/by-*", Kind.PASS),
        ("arn:aws:dynamodb:*:*:table/*/index/by-week", Kind.FAIL),
        ("arn:aws:dynamodb:*:*:table/ledge?", Kind.FAIL),
        ("arn:aws:dynamodb:*:*:table/other*", Kind.FAIL),
        ("arn:aws:s3:::*", Kind.FAIL),
    ],
)
def test_a_pattern_that_fits_a_table_may_fit_its_indexes(resource: str, kind: Kind) -> None:
    policy = text(statement(Action="dynamodb:Query", Resource=resource))
    granted = {"aws_iam_role_policy": {"p": {"role": "${aws_iam_role.r.id}", "policy": policy}}}
    assert worst("PI-IAM-003", {**INDEXED, **granted}) is kind


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("AmazonDynamoDBFullAccess", Kind.PASS),
        ("AmazonDynamoDBReadOnlyAccess", Kind.UNKNOWN),
        ("NoSuchPolicy", Kind.UNKNOWN),
        ("service-role/AWSLambdaBasicExecutionRole", Kind.FAIL),
    ],
)
def test_a_policy_of_aws_may_allow_the_indexes(name: str, kind: Kind) -> None:
    arn = f"arn:aws:iam::aws:policy/{name}"
    attached = {
        "aws_iam_role_policy_attachment": {"a": {"role": "${aws_iam_role.r.name}", "policy_arn": arn}}
    }
    assert worst("PI-IAM-003", {**INDEXED, **attached}) is kind


@pytest.mark.parametrize(("attribute", "kind"), [("target_key_arn", Kind.PASS), ("arn", Kind.FAIL)])
def test_a_role_may_use_a_key_by_its_alias_as_far_as_that_is_the_keys_arn(attribute: str, kind: Kind) -> None:
    policy = text(
        statement(Action="dynamodb:GetItem", Resource="${aws_dynamodb_table.t.arn}"),
        statement(Action="kms:Decrypt", Resource=f"${{aws_kms_alias.a.{attribute}}}"),
    )
    encryption = {"enabled": True, "kms_key_arn": "${aws_kms_key.k.arn}"}
    resources = {
        "aws_kms_key": {"k": {}},
        "aws_kms_alias": {"a": {"name": "alias/pay", "target_key_id": "${aws_kms_key.k.id}"}},
        "aws_dynamodb_table": {"t": {"name": "ledger", "server_side_encryption": encryption}},
        "aws_iam_role": {"r": {"name": "r"}},
        "aws_iam_role_policy": {"p": {"role": "${aws_iam_role.r.id}", "policy": policy}},
    }
    assert worst("PI-IAM-004", resources) is kind


@pytest.mark.parametrize(("stage", "kind"), [("live", Kind.PASS), ("prod", Kind.FAIL)])
@pytest.mark.parametrize("type_", ["aws_api_gateway_stage", "aws_api_gateway_deployment"])
def test_a_plan_names_a_stage_that_its_api_has(type_: str, stage: str, kind: Kind) -> None:
    api = "${aws_api_gateway_rest_api.a.id}"
    resources = {
        "aws_api_gateway_rest_api": {"a": {"name": "a"}},
        type_: {"s": {"rest_api_id": api, "stage_name": "live"}},
        "aws_api_gateway_usage_plan": {"p": {"api_stages": [{"api_id": api, "stage": stage}]}},
    }
    assert worst("PI-API-002", resources) is kind
    unknown = resources | {type_: {"s": {"rest_api_id": api, "stage_name": "${var.stage}"}}}
    assert worst("PI-API-002", unknown) is Kind.PASS


@pytest.mark.parametrize(("other", "kind"), [("x" * 30, Kind.PASS), ("y" * 30, Kind.FAIL)])
def test_two_literals_are_one_value_where_they_are_equal(other: str, kind: Kind) -> None:
    regions = {"aws": [{"alias": "a", "region": "eu-west-1"}, {"alias": "b", "region": "us-east-1"}]}
    keys = {"a": {"provider": "aws.a", "value": "x" * 30}, "b": {"provider": "aws.b", "value": other}}
    assert worst("PI-API-007", {"aws_api_gateway_api_key": keys}, provider=regions) is kind


@pytest.mark.parametrize(
    ("sender", "service"),
    [
        (
            {"aws_cloudwatch_event_target": {"t": {"arn": "x", "dead_letter_config": {"arn": BOX}}}},
            "events.amazonaws.com",
        ),
        (
            {
                "aws_sns_topic_subscription": {
                    "s": {"endpoint": "x", "redrive_policy": f'{{"deadLetterTargetArn": "{BOX}"}}'}
                }
            },
            "sns.amazonaws.com",
        ),
    ],
)
def test_who_sends_dead_letters_may_use_the_key_of_their_queue(sender: dict[str, Any], service: str) -> None:
    own = statement(Principal={"AWS": f"arn:aws:iam::{ME}:root"}, Action="kms:*", Resource="*")
    send = statement(
        Principal={"Service": service}, Action=["kms:Decrypt", "kms:GenerateDataKey*"], Resource="*"
    )
    for statements, kind in (((own,), Kind.FAIL), ((own, send), Kind.PASS)):
        resources = {
            "aws_kms_key": {"k": {"policy": text(*statements)}},
            "aws_sqs_queue": {"q": {"name": "q", "kms_master_key_id": "${aws_kms_key.k.id}"}},
            **sender,
        }
        home = {"aws": {"region": "eu-west-1"}}
        assert worst("PI-KMS-003", resources, provider=home) is kind


@pytest.mark.parametrize(
    ("test", "source", "kind"),
    [
        ("ArnEquals", "${aws_sns_topic.t.arn}", Kind.PASS),
        ("ArnEquals", f"arn:aws:sns:eu-west-1:{ME}:orders", Kind.PASS),
        ("ArnLike", f"arn:aws:sns:*:{ME}:*", Kind.PASS),
        ("ArnEquals", "${aws_sns_topic.other.arn}", Kind.FAIL),
        ("ArnLike", f"arn:aws:sqs:eu-west-1:{ME}:*", Kind.FAIL),
    ],
)
def test_a_key_may_admit_a_service_for_one_sender_only(test: str, source: str, kind: Kind) -> None:
    own = statement(Principal={"AWS": f"arn:aws:iam::{ME}:root"}, Action="kms:*", Resource="*")
    send = statement(
        Principal={"Service": "sns.amazonaws.com"},
        Action=["kms:Decrypt", "kms:GenerateDataKey"],
        Resource="*",
        Condition={test: {"aws:SourceArn": source}},
    )
    outsiders = {
        "StringNotEqualsIfExists": {"aws:PrincipalAccount": ME},
        "BoolIfExists": {"aws:PrincipalIsAWSService": "false"},
    }
    perimeter = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "kms:*",
        "Resource": "*",
        "Condition": outsiders,
    }
    resources = {
        "aws_kms_key": {"k": {"policy": text(own, send, perimeter)}},
        "aws_sqs_queue": {"q": {"name": "q", "kms_master_key_id": "${aws_kms_key.k.id}"}},
        "aws_sns_topic": {"t": {"name": "orders"}, "other": {"name": "refunds"}},
        "aws_sns_topic_subscription": {
            "s": {
                "topic_arn": "${aws_sns_topic.t.arn}",
                "protocol": "sqs",
                "endpoint": "${aws_sqs_queue.q.arn}",
            }
        },
    }
    assert worst("PI-KMS-003", resources, provider={"aws": {"region": "eu-west-1"}}) is kind


@pytest.mark.parametrize(
    ("rule", "source", "kind"),
    [
        ({}, f"arn:aws:events:eu-west-1:{ME}:rule/placed", Kind.PASS),
        ({"event_bus_name": "orders"}, f"arn:aws:events:eu-west-1:{ME}:rule/orders/placed", Kind.PASS),
        ({"event_bus_name": "orders"}, f"arn:aws:events:eu-west-1:{ME}:rule/placed", Kind.FAIL),
        ({"event_bus_name": "orders"}, "${aws_cloudwatch_event_rule.r.arn}", Kind.PASS),
        ({"name": "${var.what}"}, f"arn:aws:events:eu-west-1:{ME}:rule/placed", Kind.UNKNOWN),
    ],
)
def test_a_rule_sends_under_its_own_arn(rule: dict[str, Any], source: str, kind: Kind) -> None:
    own = statement(Principal={"AWS": f"arn:aws:iam::{ME}:root"}, Action="kms:*", Resource="*")
    send = statement(
        Principal={"Service": "events.amazonaws.com"},
        Action=["kms:Decrypt", "kms:GenerateDataKey"],
        Resource="*",
        Condition={"ArnEquals": {"aws:SourceArn": source}},
    )
    resources = {
        "aws_kms_key": {"k": {"policy": text(own, send)}},
        "aws_sns_topic": {"t": {"name": "t", "kms_master_key_id": "${aws_kms_key.k.id}"}},
        "aws_cloudwatch_event_rule": {"r": {"name": "placed", **rule}},
        "aws_cloudwatch_event_target": {
            "t": {"rule": "${aws_cloudwatch_event_rule.r.name}", "arn": "${aws_sns_topic.t.arn}"}
        },
    }
    home = {"aws": {"region": "eu-west-1"}}
    assert worst("PI-KMS-003", resources, provider=home, variable={"what": {}}) is kind


@pytest.mark.parametrize(
    ("day", "kind"),
    [
        ("2020-01-01T00:00:00Z", Kind.FAIL),
        ("2040-01-01", Kind.PASS),
        ("some day", Kind.UNKNOWN),
        ("${var.day}", Kind.UNKNOWN),
        ("", Kind.PASS),
    ],
)
def test_audit_objects_that_go_on_a_day_go_whatever_their_age(day: str, kind: Kind) -> None:
    rule = {"status": "Enabled", "expiration": [{"date": day}]}
    resources = {
        "aws_s3_bucket": {"audit": {"bucket": "audit"}},
        "aws_s3_bucket_lifecycle_configuration": {"l": {"bucket": "audit", "rule": [rule]}},
    }
    assert worst("PI-S3-006", resources) is kind


@pytest.mark.parametrize(("place", "kind"), [("header", Kind.PASS), ("query", Kind.FAIL)])
def test_a_documents_key_is_asked_for_in_the_header(place: str, kind: Kind) -> None:
    scheme = {"type": "apiKey", "name": "x-api-key", "in": place}
    document = {
        "openapi": "3.0.1",
        "paths": {"/payments": {"post": {"security": [{"key": []}]}}},
        "components": {"securitySchemes": {"key": scheme}},
    }
    resources = {"aws_api_gateway_rest_api": {"a": {"name": "a", "body": json.dumps(document)}}}
    assert worst("PI-API-003", resources) is kind


@pytest.mark.parametrize(
    ("arn", "kind"),
    [
        ("${aws_dynamodb_table.t.arn}", Kind.PASS),
        (f"arn:aws:dynamodb:eu-west-1:{ME}:table/ledger", Kind.PASS),
        (f"arn:aws:dynamodb:ap-south-1:{ME}:table/ledger", Kind.FAIL),
        (f"arn:aws:dynamodb:eu-west-1:{ME}:table/other-ledger", Kind.FAIL),
        ("${var.table}", Kind.UNKNOWN),
    ],
)
def test_a_replica_of_its_own_names_its_table_by_any_arn(arn: str, kind: Kind) -> None:
    regions = {"aws": [{"alias": "a", "region": "eu-west-1"}, {"alias": "b", "region": "us-east-1"}]}
    resources = {
        "aws_dynamodb_table": {"t": {"provider": "aws.a", "name": "ledger"}},
        "aws_dynamodb_table_replica": {"r": {"provider": "aws.b", "global_table_arn": arn}},
    }
    assert worst("PI-DDB-001", resources, provider=regions) is kind


@pytest.mark.parametrize("replica", ["s", "copy_of_the_vault"])
@pytest.mark.parametrize(
    ("far", "kind"), [("${aws_kms_replica_key.%s.arn}", Kind.PASS), ("${%s}", Kind.FAIL)]
)
def test_each_regions_half_of_a_key_is_its_own(replica: str, far: str, kind: Kind) -> None:
    key, third = "${aws_kms_key.p.arn}", "aws_kms_key.unrelated.arn"
    other = {"provider": "aws.away", "kms_master_key_id": far % (replica if kind is Kind.PASS else third)}
    resources = {
        "aws_kms_key": {
            "p": {"provider": "aws.home", "multi_region": True, "enable_key_rotation": True},
            "unrelated": {"provider": "aws.away"},
            "opposite": {"provider": "aws.home"},
        },
        "aws_kms_replica_key": {replica: {"provider": "aws.away", "primary_key_arn": key}},
        "aws_sqs_queue": {
            "near": {"provider": "aws.home", "name": "q", "kms_master_key_id": key},
            "far": {"name": "q", **other},
        },
    }
    assert worst("PI-REG-002", resources, **BOTH) is kind


@pytest.mark.parametrize(
    ("replica", "kind"), [({"replica": [{"region": "eu-central-1"}]}, Kind.PASS), ({}, Kind.FAIL)]
)
def test_what_belongs_to_a_replicated_secret_is_replicated_with_it(
    replica: dict[str, Any], kind: Kind
) -> None:
    own = {"provider": "aws.home", "secret_id": "${aws_secretsmanager_secret.s.id}"}
    policy = {"provider": "aws.home", "secret_arn": "${aws_secretsmanager_secret.s.arn}", "policy": "{}"}
    queues = {"near": {"provider": "aws.home", "name": "q"}, "far": {"provider": "aws.away", "name": "q"}}
    resources = {
        "aws_secretsmanager_secret": {"s": {"provider": "aws.home", "name": "s", **replica}},
        "aws_secretsmanager_secret_version": {"v": {**own, "secret_string": "${random_password.p.result}"}},
        "aws_secretsmanager_secret_rotation": {"r": {**own, "rotation_rules": [{}]}},
        "aws_secretsmanager_secret_policy": {"p": policy},
        "aws_sqs_queue": queues,
    }
    assert worst("PI-REG-002", resources, **BOTH) is kind
