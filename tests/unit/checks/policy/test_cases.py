"""Every check passes the good stack, and fails, does not know or leaves alone a spoiled one."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from payinfra.checks import policy
from payinfra.checks.model import gather
from payinfra.checks.verdicts import Kind
from tests.unit.checks.policy.case import VAR, Case, Changes, added, gone, statement, without
from tests.unit.checks.policy.further_cases import FURTHER

if TYPE_CHECKING:
    from tests.unit.checks.policy.conftest import GoodStack

TABLE = "aws_dynamodb_table.ledger"
REPLICA = f"{TABLE}.replica.0"
BUCKET = "primary_audit"
FUNCTION = "aws_lambda_function.primary_function"
ROLE = "aws_iam_role_policy.primary_function.policy"
DATA_KEY, AUDIT_KEY = "aws_kms_key.primary_data", "aws_kms_key.primary_audit"
GROUP = "aws_cloudwatch_log_group.primary_function"
METHOD = "aws_api_gateway_method.primary_post"
MODEL = "aws_api_gateway_model.primary_payment"
PERMISSION = "aws_lambda_permission.primary_api"
RECORD, HEALTH = "aws_route53_record.primary_failover", "aws_route53_health_check.primary_check"
ALARM = "aws_cloudwatch_metric_alarm.primary_errors"
OTHER_KEY = "${aws_kms_key.secondary_data.arn}"


HTTP = "${aws_apigatewayv2_api.pay.id}"


def both_functions(variable: str, value: str) -> dict[str, Any]:
    """The same variable for the function of each region."""
    sides = ("primary", "secondary")
    return {f"aws_lambda_function.{side}_function.environment.variables.{variable}": value for side in sides}


def health_alarm(**values: Any) -> dict[str, Any]:
    """An alarm on a health check."""
    body = {
        "namespace": "AWS/Route53",
        "metric_name": "HealthCheckStatus",
        "dimensions": {"HealthCheckId": "x"},
        "statistic": "Minimum",
        "comparison_operator": "LessThanThreshold",
        "threshold": 1,
        "treat_missing_data": "breaching",
        **values,
    }
    return {f"{ALARM}.{name}": value for name, value in body.items()}


def one_method(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings of one method, which replace those of all for it."""
    return {
        "rest_api_id": "${aws_api_gateway_rest_api.primary_api.id}",
        "stage_name": "prod",
        "method_path": "payments/POST",
        "settings": settings,
    }


def switched(switch: dict[str, Any]) -> dict[str, Any]:
    """A check that counts one of its region and a switch, which looks at the other region."""
    children = ["${aws_route53_health_check.primary_child.id}", "${aws_route53_health_check.switch.id}"]
    return {
        **calculated({"child_healthchecks": children, "child_health_threshold": 2}),
        "aws_route53_health_check.switch": {
            "type": "HTTPS",
            "fqdn": "y.execute-api.us-west-2.amazonaws.com",
            "resource_path": "/prod/health",
            **switch,
        },
    }


def calculated(values: dict[str, Any]) -> dict[str, Any]:
    """A check that counts another one of its region."""
    body = {
        "type": "CALCULATED",
        "child_healthchecks": ["${aws_route53_health_check.primary_child.id}"],
        **values,
    }
    return {
        HEALTH: {name: value for name, value in body.items() if value is not ...},
        "aws_route53_health_check.primary_child": {
            "type": "HTTPS",
            "fqdn": "x.execute-api.us-east-1.amazonaws.com",
            "resource_path": "/prod/health",
        },
    }


HTTP_ARN = "${aws_apigatewayv2_api.pay.execution_arn}"


def http_integration(source: str, **more: Any) -> dict[str, Any]:
    """An HTTP API that calls the function, which lets the source call it."""
    return {
        "aws_apigatewayv2_api.pay": {"provider": "aws.primary", "protocol_type": "HTTP"},
        "aws_apigatewayv2_stage.pay": {"api_id": HTTP, "name": "$default"},
        "aws_apigatewayv2_route.pay": {
            "api_id": HTTP,
            "route_key": "POST /payments",
            "target": "integrations/${aws_apigatewayv2_integration.pay.id}",
        },
        "aws_apigatewayv2_integration.pay": {
            "api_id": HTTP,
            "integration_type": "AWS_PROXY",
            "integration_uri": "${aws_lambda_function.primary_function.invoke_arn}",
            **more,
        },
        "aws_lambda_permission.http": {
            "action": "lambda:InvokeFunction",
            "principal": "apigateway.amazonaws.com",
            "function_name": "${aws_lambda_function.primary_function.arn}",
            "source_arn": source,
        },
    }


def invoke_from(condition: dict[str, str]) -> str:
    """An API's policy that lets everybody in who meets a condition."""
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "execute-api:Invoke",
        "Resource": "execute-api:/*",
        "Condition": {"StringEquals": condition},
    }
    return json.dumps({"Statement": [statement]})


def denied(
    action: str, principal: Any, condition: dict[str, Any] | None = None
) -> Callable[[list[Any]], None]:
    """A policy with one more Deny statement."""
    more = {"Condition": condition} if condition else {}
    return lambda statements: statements.append(
        {"Effect": "Deny", "Action": action, "Principal": principal, "Resource": "*", **more}
    )


IDENTITIES = gone("aws_iam_role", "aws_iam_role_policy")
NO_APIS = gone(
    "aws_api_gateway_rest_api", "aws_route53_record", "aws_route53_health_check", "aws_route53_zone"
)
TOKEN = "token.actions.githubusercontent.com"
GITHUB = {
    "Principal": {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{TOKEN}"},
    "Action": "sts:AssumeRoleWithWebIdentity",
}
SUBJECT = {f"{TOKEN}:sub": "repo:shop/payments:ref:refs/heads/main"}
ACCOUNT = "${data.aws_caller_identity.me.account_id}"
TRUST = "aws_iam_role.primary_function.assume_role_policy"
LIFECYCLE = f"aws_s3_bucket_lifecycle_configuration.{BUCKET}.rule.0"
REPLICATION = f"aws_s3_bucket_replication_configuration.{BUCKET}.rule.0"
ENCRYPTED = f"aws_s3_bucket_server_side_encryption_configuration.{BUCKET}"
ENCRYPTION = f"{ENCRYPTED}.rule.0.apply_server_side_encryption_by_default"
INTEGRATION = "aws_api_gateway_integration.primary_post"
API_ARN = "${aws_api_gateway_rest_api.primary_api.execution_arn}"
PAYMENTS = "aws_api_gateway_resource.primary_payments"
LOG_CONTEXT = "kms:EncryptionContext:aws:logs:arn"
ELSEWHERE_ARN = "arn:aws:lambda:us-east-1:1:function:payment-demo-api/i"
OTHER_API = "${aws_api_gateway_rest_api.secondary_api.id}.execute-api.us-west-2.amazonaws.com"
JOIN = "aws_api_gateway_usage_plan_key.primary_join"
REPLICATED = f"{REPLICATION}.destination.encryption_configuration"
TLS = "data.aws_iam_policy_document.primary_tls.statement.0"
STAGE = "aws_api_gateway_stage.primary_prod"
SETTINGS = "aws_api_gateway_method_settings.primary_all"
PLAN = "aws_api_gateway_usage_plan.primary_plan"

CASES: Mapping[str, Case] = {
    **FURTHER,
    "PI-ENG-001": Case(
        fails=(
            {"provider.aws": []},
            {
                "provider.aws": [
                    {"alias": "primary", "region": "us-east-1"},
                    {"alias": "secondary", "region": "us-west-2"},
                    {"alias": "third", "region": "eu-west-1"},
                ]
            },
        ),
        absent=None,
        unknown=({"provider.aws.1.region": VAR}, {"module.network.source": "./network"}),
    ),
    "PI-REG-001": Case(
        fails=(
            {"provider.aws": [{"region": "us-east-1"}]},
            {"provider.aws": []},
            {"provider.aws.1.region": "us-east-1"},
            {"provider.aws.1.alias": ...},
            {f"{TABLE}.provider": "aws.third"},
            {f"{TABLE}.provider": ...},
            {
                "provider.aws": [
                    {"alias": "primary", "region": "us-east-1"},
                    {"alias": "secondary", "region": "us-west-2"},
                    {"region": "eu-west-1"},
                ]
            },
        ),
        absent=None,
        unknown=({"provider.aws.1.region": VAR}, {f"{TABLE}.provider": 7}),
        passes=(
            {
                "provider.aws": [
                    {"alias": "primary", "region": "us-east-1"},
                    {"alias": "secondary", "region": "us-west-2"},
                    {"region": "us-west-2"},
                ]
            },
        ),
    ),
    "PI-REG-002": Case(
        fails=(
            {"aws_lambda_function.secondary_function": ...},
            {"aws_lambda_function.secondary_function.memory_size": 128},
            {"aws_lambda_function.secondary_function.runtime": "python3.12"},
            {"aws_lambda_function.secondary_function.architectures": ["arm64"]},
            {"aws_lambda_function.secondary_function.kms_key_arn": "${aws_kms_key.secondary_data.arn}"},
            {"aws_lambda_function.secondary_function.environment.variables.TABLE": ...},
            both_functions("HOME", "us-east-1"),
            {"aws_kms_key.primary_fourth": {"provider": "aws.primary"}},
            {"aws_cloudwatch_metric_alarm.secondary_errors.dimensions.FunctionName": "other"},
            {"aws_s3_bucket.secondary_audit.bucket": "payment-demo-other"},
            {"aws_iam_role_policy.secondary_function.policy": statement(0, Action=["dynamodb:GetItem"])},
            {
                "aws_sns_topic.secondary_alarms": {f"p{one}": 1 for one in range(9)}
                | {"provider": "aws.secondary"}
            },
        ),
        absent={"provider.aws": [{"alias": "primary", "region": "us-east-1"}]},
        unknown=({"aws_sns_topic.secondary_alarms.provider": VAR},),
        passes=(
            both_functions("PRIMARY_REGION", "us-east-1"),
            {"aws_cloudwatch_dashboard.one": {"provider": "aws.primary"}},
            {"aws_cloudwatch_metric_alarm.health": {"provider": "aws.primary", "namespace": "AWS/Route53"}},
            {"aws_ssm_parameter.primary_key.lifecycle": {"ignore_changes": ["value"]}},
        ),
    ),
    "PI-REG-003": Case(
        fails=(
            {f"{FUNCTION}.kms_key_arn": "${aws_kms_key.secondary_app.arn}"},
            {f"{ALARM}.alarm_actions": ["${aws_sns_topic.secondary_alarms.arn}"]},
            {f"{ALARM}.alarm_actions": ["arn:aws:sns:us-west-2:123456789012:payment-demo-alarms"]},
            {f"{REPLICA}.kms_key_arn": "${aws_kms_key.primary_data.arn}"},
            {f"{TABLE}.server_side_encryption.kms_key_arn": OTHER_KEY},
            {f"{GROUP}.kms_key_id": OTHER_KEY},
        ),
        absent=gone("data") | {"resource": {}},
        unknown=(
            {f"{GROUP}.provider": VAR},
            {"provider.aws.1.region": VAR},
            {f"{REPLICA}.region_name": VAR},
            {f"{REPLICA}.kms_key_arn": VAR},
        ),
        passes=(
            {f"{REPLICA}.kms_key_arn": ...},
            {f"{TABLE}.replica": ...},
            {f"{ALARM}.alarm_actions": ["arn:aws:sns:us-east-1:123456789012:payment-demo-alarms"]},
        ),
    ),
    "PI-DDB-001": Case(
        fails=(
            {f"{TABLE}.replica": ...},
            {f"{TABLE}.replica": []},
            {f"{REPLICA}.region_name": "eu-west-1"},
            {f"{REPLICA}.region_name": "us-east-1"},
            {f"{TABLE}.replica": ..., "provider.aws": [{"alias": "primary", "region": "us-east-1"}]},
            {f"{TABLE}.provider": "aws.secondary"},
        ),
        absent=gone("aws_dynamodb_table"),
        unknown=(
            {f"{REPLICA}.region_name": VAR},
            {f"{TABLE}.replica": VAR},
            {f"{TABLE}.provider": VAR},
            {f"{TABLE}.replica": ..., f"{TABLE}.dynamic": {"replica": {}}},
            {f"{TABLE}.replica": ..., "aws_dynamodb_table_replica.west": {"global_table_arn": VAR}},
        ),
        passes=(
            {f"{TABLE}.replica": {"region_name": "us-west-2"}},
            {
                f"{TABLE}.replica": ...,
                "aws_dynamodb_table_replica.west": {
                    "provider": "aws.secondary",
                    "global_table_arn": "${aws_dynamodb_table.ledger.arn}",
                },
            },
        ),
    ),
    "PI-DDB-002": Case(
        fails=(
            {f"{TABLE}.stream_enabled": False},
            {f"{TABLE}.stream_enabled": ...},
            {f"{TABLE}.stream_view_type": "KEYS_ONLY"},
            {f"{TABLE}.stream_view_type": ...},
        ),
        absent=gone("aws_dynamodb_table"),
        unknown=({f"{TABLE}.stream_view_type": VAR}, {f"{TABLE}.stream_enabled": VAR}),
        passes=({f"{TABLE}.stream_enabled": "true"},),
    ),
    "PI-DDB-003": Case(
        fails=(
            {f"{TABLE}.point_in_time_recovery.enabled": False},
            {f"{TABLE}.point_in_time_recovery": ...},
            {f"{REPLICA}.point_in_time_recovery": False},
            {f"{REPLICA}.point_in_time_recovery": ...},
            {"aws_dynamodb_table_replica.west": {"global_table_arn": "${aws_dynamodb_table.ledger.arn}"}},
        ),
        absent=gone("aws_dynamodb_table"),
        unknown=(
            {f"{TABLE}.point_in_time_recovery.enabled": VAR},
            {f"{REPLICA}.point_in_time_recovery": 7},
            {f"{TABLE}.replica": VAR},
        ),
        passes=({f"{TABLE}.point_in_time_recovery": [{"enabled": "true"}]},),
    ),
    "PI-DDB-004": Case(
        fails=(
            {f"{TABLE}.deletion_protection_enabled": False},
            {f"{TABLE}.deletion_protection_enabled": ...},
            {"aws_dynamodb_table_replica.west": {"global_table_arn": "${aws_dynamodb_table.ledger.arn}"}},
        ),
        absent={f"{TABLE}.deletion_protection_enabled": False},
        absent_manifest={"protected": False},
        unknown=({f"{TABLE}.deletion_protection_enabled": VAR},),
    ),
    "PI-DDB-005": Case(
        fails=(
            {f"{TABLE}.server_side_encryption": ...},
            {f"{TABLE}.server_side_encryption.enabled": False},
            {f"{TABLE}.server_side_encryption.kms_key_arn": ...},
            {f"{TABLE}.server_side_encryption.kms_key_arn": OTHER_KEY},
            {f"{TABLE}.server_side_encryption.kms_key_arn": "alias/aws/dynamodb"},
            {f"{TABLE}.server_side_encryption.kms_key_arn": "arn:aws:kms:us-west-2:1:alias/aws/dynamodb"},
            {f"{REPLICA}.kms_key_arn": "${aws_kms_key.primary_data.arn}"},
            {f"{REPLICA}.kms_key_arn": "arn:aws:kms:us-east-1:123456789012:key/12345678"},
            {f"{REPLICA}.kms_key_arn": ...},
            {f"{REPLICA}.region_name": ...},
            {
                "aws_dynamodb_table_replica.west": {
                    "global_table_arn": "${aws_dynamodb_table.ledger.arn}",
                    "provider": "aws.secondary",
                }
            },
        ),
        absent=gone("aws_dynamodb_table"),
        unknown=(
            {f"{TABLE}.server_side_encryption.kms_key_arn": VAR},
            {f"{REPLICA}.kms_key_arn": "not a key"},
            {f"{REPLICA}.region_name": VAR},
            {f"{TABLE}.provider": VAR},
            {f"{TABLE}.server_side_encryption": VAR},
            {f"{REPLICA}.kms_key_arn": 7},
            {DATA_KEY + ".provider": VAR},
        ),
        passes=(
            {f"{REPLICA}.kms_key_arn": "arn:aws:kms:us-west-2:123456789012:key/12345678"},
            {f"{REPLICA}.kms_key_arn": "12345678-1234-1234-1234-123456789012"},
            {
                f"{TABLE}.server_side_encryption.kms_key_arn": "${aws_kms_alias.data.target_key_arn}",
                "aws_kms_alias.data": {
                    "provider": "aws.primary",
                    "target_key_id": "${aws_kms_key.primary_data.key_id}",
                },
            },
            {
                f"{TABLE}.server_side_encryption.kms_key_arn": "${aws_kms_alias.data.target_key_arn}",
                "aws_kms_alias.data": {"provider": "aws.primary", "target_key_id": VAR},
            },
            {
                f"{TABLE}.server_side_encryption.kms_key_arn": "${data.aws_kms_key.shared.arn}",
                "data.aws_kms_key.shared": {"provider": "aws.primary", "key_id": "alias/shared"},
            },
        ),
    ),
    "PI-IAM-001": Case(
        fails=(
            {ROLE: statement(0, Action="dynamodb:*")},
            {ROLE: statement(0, Action=["dynamodb:GetItem", "*"])},
            {ROLE: added(NotAction=["iam:*"], Resource="arn:aws:s3:::x")},
            {
                "aws_iam_role.primary_function.inline_policy": [
                    {
                        "name": "x",
                        "policy": '{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}',
                    }
                ]
            },
            {
                "aws_iam_role.primary_function.managed_policy_arns": [
                    "arn:aws:iam::aws:policy/AdministratorAccess"
                ]
            },
            {
                "aws_iam_role_policy_attachment.all": {
                    "role": "x",
                    "policy_arn": "arn:aws:iam::aws:policy/AmazonDynamoDBFullAccess",
                }
            },
            {"aws_iam_policy.wide": {"policy": '{"Statement": [{"Effect": "Allow", "Action": "kms:*"}]}'}},
            {ROLE: ...},
            {"aws_iam_role_policy_attachment.all": {"role": "x"}},
        ),
        absent=IDENTITIES,
        unknown=(
            {ROLE: VAR},
            {ROLE: "not JSON"},
            {ROLE: 7},
            {ROLE: statement(0, Action=[{}])},
            {ROLE: statement(0, Action="${var.service}:*")},
            {"aws_iam_role_policy_attachment.all": {"role": "x", "policy_arn": VAR}},
            {"aws_iam_role.primary_function.inline_policy": VAR},
            {"aws_iam_role.primary_function.managed_policy_arns": ["arn:aws:iam::aws:policy/MadeUpPolicy"]},
        ),
        passes=(
            {"aws_iam_role.primary_function.managed_policy_arns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"]},
            {ROLE: added(Action="s3:Get*", Resource="arn:aws:s3:::x/*")},
            {ROLE: lambda statements: statements.append({"Effect": "Deny", "Action": "*", "Resource": "*"})},
            {
                "aws_iam_role.primary_function.managed_policy_arns": [
                    "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
                ]
            },
            {
                "aws_iam_role_policy_attachment.own": {
                    "role": "x",
                    "policy_arn": "${aws_iam_policy.own.arn}",
                },
                "aws_iam_policy.own": {"policy": '{"Statement": []}'},
            },
            {"aws_iam_role.primary_function.inline_policy": [{}]},
        ),
    ),
    "PI-IAM-002": Case(
        fails=(
            {ROLE: statement(0, Resource="*")},
            {ROLE: statement(0, Resource=["arn:aws:dynamodb:*:*:table/*"])},
            {ROLE: statement(0, Resource=["arn:aws:s3:::*"])},
            {ROLE: statement(6, Action=["xray:PutTraceSegments", "logs:PutLogEvents"])},
            {ROLE: added(Action=["s3:GetObject"], NotResource=["arn:aws:s3:::x"])},
            {ROLE: added(NotAction=["s3:GetObject"], Resource="*")},
            {"aws_iam_role.primary_function.managed_policy_arns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"]},
            {
                "aws_iam_role.primary_function.managed_policy_arns": [
                    "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole"
                ]
            },
        ),
        absent=IDENTITIES,
        unknown=(
            {ROLE: VAR},
            {ROLE: statement(0, Resource=VAR)},
            {ROLE: statement(0, Resource={})},
            {"aws_iam_role_policy_attachment.all": {"role": "x", "policy_arn": VAR}},
        ),
        passes=(
            {ROLE: statement(0, Resource="arn:aws:s3:::audit/*")},
            {ROLE: statement(0, Resource="table")},
            {ROLE: statement(0, Resource="${aws_dynamodb_table.ledger.arn}")},
            {
                "aws_iam_role.primary_function.managed_policy_arns": [
                    "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess"
                ]
            },
        ),
    ),
    "PI-IAM-003": Case(
        fails=(
            {ROLE: without(1)},
            {ROLE: statement(1, Resource=["${aws_dynamodb_table.ledger.arn}"])},
            {ROLE: statement(1, Resource=["${aws_dynamodb_table.ledger.arn}/index/status-index"])},
            {ROLE: without(0, 1)},
            {ROLE: without(0, 1), f"{FUNCTION}.environment.variables.TABLE": "payment-demo-payments"},
            {f"{FUNCTION}.role": ...},
            {f"{TABLE}.global_secondary_index.0.name": VAR, ROLE: without(1)},
        ),
        absent={f"{TABLE}.global_secondary_index": ...},
        unknown=(
            {ROLE: VAR},
            {f"{FUNCTION}.role": VAR},
            {ROLE: statement(1, Resource=[{}])},
            {
                ROLE: without(0, 1),
                f"{FUNCTION}.environment": ...,
                "aws_iam_role_policy_attachment.more": {
                    "role": "${aws_iam_role.primary_function.name}",
                    "policy_arn": VAR,
                },
            },
            {f"{TABLE}.global_secondary_index": VAR, ROLE: lambda s: (s.pop(1), s.append({"Action": [{}]}))},
        ),
        passes=(
            {ROLE: statement(1, Resource=["${aws_dynamodb_table.ledger.arn}/index/*"])},
            {ROLE: statement(1, Resource=["arn:aws:dynamodb:us-east-1:1:table/payment-demo-payments/*"])},
            {f"{TABLE}.global_secondary_index": ..., f"{TABLE}.local_secondary_index": [{"name": "by-day"}]},
        ),
    ),
    "PI-IAM-004": Case(
        fails=(
            {ROLE: without(4)},
            {ROLE: statement(4, Action=["kms:GenerateDataKey"])},
            {ROLE: statement(4, Resource=["${aws_kms_key.primary_data.arn}"])},
            {
                ROLE: statement(
                    4, Condition={"StringEquals": {"kms:ViaService": "sqs.us-east-1.amazonaws.com"}}
                )
            },
            {"aws_iam_role_policy.primary_copies.policy": without(3)},
            {"aws_iam_role_policy.primary_copies.policy": without(2)},
            {
                "aws_iam_role_policy.secondary_function.policy": statement(
                    4,
                    Resource=[
                        "${aws_kms_key.primary_data.arn}",
                        "${aws_kms_key.secondary_audit.arn}",
                        "${aws_kms_key.secondary_app.arn}",
                    ],
                )
            },
            {
                ROLE: lambda s: (
                    s.pop(4),
                    s.append(
                        {
                            "Effect": "Allow",
                            "Action": "sns:Publish",
                            "Resource": "${aws_sns_topic.primary_alarms.arn}",
                        }
                    ),
                )
            },
        ),
        absent=gone("aws_iam_role"),
        unknown=(
            {ROLE: VAR},
            {ROLE: statement(4, Resource=[{}])},
            {f"{TABLE}.server_side_encryption.kms_key_arn": VAR},
            {f"{ENCRYPTION}.kms_master_key_id": VAR},
        ),
        passes=(
            {ROLE: statement(4, Resource="arn:aws:kms:us-east-1:*:key/*")},
            {ROLE: statement(4, Resource="*")},
            {ROLE: added(Action="s3:GetObject", Resource="${aws_s3_bucket.primary_audit.arn}/*")},
            {f"{ENCRYPTION}.kms_master_key_id": ...},
            {f"{ENCRYPTION}.kms_master_key_id": "alias/aws/s3"},
            {ENCRYPTED: ...},
            {
                ROLE: without(4),
                **{
                    f"aws_kms_key.primary_{name}.policy": added(
                        Action="kms:*",
                        Resource="*",
                        Principal={"AWS": "${aws_iam_role.primary_function.arn}"},
                    )
                    for name in ("data", "audit", "app")
                },
            },
        ),
    ),
    "PI-IAM-005": Case(
        fails=(
            {ROLE: statement(0, Action=["dynamodb:PutItm"])},
            {ROLE: statement(0, Action=["nosuch:Thing"])},
            {ROLE: statement(0, Action=["s3:PutObject"])},
            {ROLE: statement(2, Resource=["${aws_s3_bucket.primary_audit.arn}"])},
            {ROLE: statement(0, Resource=["${aws_dynamodb_table.ledger.arn}", "arn:aws:s3:::x"])},
            {ROLE: statement(5, Resource=["${aws_cloudwatch_log_group.primary_function.arn}"])},
        ),
        absent=IDENTITIES,
        unknown=({ROLE: VAR}, {ROLE: statement(0, Action=[{}])}),
        passes=(
            {ROLE: statement(0, Action=["dynamodb:Get*"])},
            {ROLE: statement(0, Resource=[VAR])},
            {ROLE: statement(0, Resource=["*"])},
            {ROLE: statement(1, Resource=["${aws_dynamodb_table.ledger.arn}/index/*"])},
            {ROLE: statement(5, Resource=["${aws_cloudwatch_log_group.primary_function.arn}:log-stream:*"])},
            {"aws_iam_role.primary_function.managed_policy_arns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"]},
            {ROLE: added(NotAction=["s3:GetObject"], Resource=["arn:aws:s3:::x"])},
        ),
    ),
    "PI-IAM-006": Case(
        fails=(
            {TRUST: statement(0, Condition=...)},
            {TRUST: statement(0, Condition={"StringLike": {"aws:SourceAccount": "*"}})},
            *(
                {TRUST: statement(0, Condition={test: {"aws:SourceAccount": ACCOUNT}})}
                for test in (
                    "StringNotEquals",
                    "StringNotLike",
                    "StringEqualsIfExists",
                    "ForAllValues:StringEquals",
                )
            ),
            {TRUST: statement(0, Condition={"Null": {"aws:SourceAccount": "false"}})},
            {
                TRUST: statement(
                    0, Condition={"ArnLike": {"aws:SourceArn": "arn:aws:lambda:*:*:function:pay"}}
                )
            },
            {TRUST: statement(0, Condition={"StringEquals": {"aws:PrincipalTag/team": "payments"}})},
            {TRUST: statement(0, Action="sts:TagSession")},
            {TRUST: statement(0, Principal={"Service": "*"})},
            {TRUST: lambda s: s.append({"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"})},
            {TRUST: added(**GITHUB, Condition={"StringEquals": {f"{TOKEN}:aud": "sts.amazonaws.com"}})},
            *(
                {TRUST: added(**GITHUB, Condition={test: {f"{TOKEN}:sub": subject}})}
                for test, subject in (
                    ("StringLike", "*"),
                    ("StringLike", "repo:*"),
                    ("StringLike", "repo:*/payments:*"),
                    ("StringLike", "repo:shop*"),
                    ("StringLike", ["repo:shop/payments:*", "repo:*"]),
                    ("StringNotLike", "repo:other/*"),
                    ("StringEqualsIfExists", "repo:shop/payments:ref:refs/heads/main"),
                    ("ForAllValues:StringLike", "repo:shop/*"),
                    ("StringEquals", "repo:shop/payments:*"),
                )
            ),
            {TRUST: statement(0, Principal="*")},
            {TRUST: statement(0, Principal={"AWS": "*"})},
            {TRUST: statement(0, Principal={"Service": "ec2.amazonaws.com"})},
            {TRUST: statement(0, Principal=..., NotPrincipal={"AWS": "arn:aws:iam::1:root"})},
            {TRUST: statement(0, Principal=...)},
            {TRUST: statement(0, Principal={"Federated": "cognito-identity.amazonaws.com"}, Condition=...)},
            {TRUST: ...},
            {
                "aws_iam_role.primary_copies.assume_role_policy": statement(
                    0, Principal={"Service": "lambda.amazonaws.com"}
                )
            },
        ),
        absent=gone("aws_iam_role"),
        unknown=(
            {TRUST: VAR},
            {TRUST: statement(0, Principal={"Service": VAR})},
            {TRUST: statement(0, Principal=7)},
        ),
        passes=(
            {
                TRUST: added(
                    Principal={"AWS": "arn:aws:iam::123456789012:role/deploy"}, Action="sts:AssumeRole"
                )
            },
            {
                TRUST: lambda s: s.append(
                    {
                        "Effect": "Deny",
                        "Principal": "*",
                        "Action": "sts:AssumeRole",
                        "Condition": {"StringNotEquals": {"aws:SourceAccount": ACCOUNT}},
                    }
                )
            },
            {
                TRUST: added(
                    **GITHUB, Condition={"StringEquals": {f"{TOKEN}:aud": "sts.amazonaws.com"} | SUBJECT}
                )
            },
            {
                TRUST: added(
                    **GITHUB,
                    Condition={
                        "StringEquals": {f"{TOKEN}:aud": "sts.amazonaws.com"},
                        "StringLike": {
                            f"{TOKEN}:sub": ["repo:shop/payments:*", "repo:shop/*:ref:refs/heads/main"]
                        },
                    },
                )
            },
        ),
        warns=({TRUST: added(**GITHUB, Condition={"StringEquals": SUBJECT})},),
    ),
    "PI-IAM-007": Case(
        fails=(
            {ROLE: added(Action=["dynamodb:DeleteTable"], Resource="${aws_dynamodb_table.ledger.arn}")},
            {ROLE: added(Action=["sqs:SendMessage"], Resource="arn:aws:sqs:us-east-1:1:x")},
            {ROLE: added(Action=["logs:CreateLogGroup"], Resource="arn:aws:logs:us-east-1:1:*")},
            {ROLE: added(Action=["dynamodb:Get*"], Resource="${aws_dynamodb_table.ledger.arn}")},
            {ROLE: added(Action=["ec2:CreateNetworkInterface"], Resource="*")},
            {ROLE: added(Action=["dynamodb:GetRecords"], Resource="${aws_dynamodb_table.ledger.stream_arn}")},
            {f"{FUNCTION}.tracing_config.mode": "PassThrough"},
            {f"{FUNCTION}.tracing_config": ...},
            {"aws_iam_role_policy.primary_copies.policy": added(Action="s3:DeleteObject", Resource="x")},
            {"aws_kms_key": ...},
        ),
        absent=gone("aws_iam_role_policy"),
        unknown=(
            {ROLE: VAR},
            {ROLE: statement(0, Action=[{}])},
            {ROLE: added(Action=["${var.service}:Get"], Resource="x")},
            {f"{FUNCTION}.filename": VAR},
            {f"{FUNCTION}.tracing_config.mode": VAR},
        ),
        passes=(
            {ROLE: added(Action=["logs:CreateLogGroup"], Resource="x"), "aws_cloudwatch_log_group": ...},
            {
                ROLE: added(Action=["ec2:CreateNetworkInterface"], Resource="*"),
                f"{FUNCTION}.vpc_config": [{}],
            },
            {
                ROLE: added(Action=["dynamodb:GetRecords"], Resource="x"),
                "aws_lambda_event_source_mapping.stream": {
                    "function_name": "${aws_lambda_alias.primary_live.arn}"
                },
            },
            {
                ROLE: added(Action=["dynamodb:GetRecords"], Resource="x"),
                "aws_lambda_event_source_mapping.stream": {
                    "function_name": "${aws_lambda_function.primary_function.arn}"
                },
            },
            {ROLE: added(Action=["sqs:SendMessage"], Resource="x"), f"{FUNCTION}.dead_letter_config": {}},
            {
                ROLE: added(Action=["sns:Publish"], Resource="x"),
                "aws_lambda_function_event_invoke_config.all": {
                    "function_name": "${aws_lambda_function.primary_function.function_name}",
                    "destination_config": {},
                },
            },
            {ROLE: lambda s: s.append({"Effect": "Deny", "Action": "s3:*", "Resource": "*"})},
        ),
        warns=(
            {"aws_iam_role.primary_function.managed_policy_arns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"]},
            {
                "aws_iam_role.unused": {},
                "aws_iam_role_policy.unused": {
                    "role": "${aws_iam_role.unused.id}",
                    "policy": '{"Statement": {"Effect": "Allow", "Action": "s3:Get", "Resource": "x"}}',
                },
            },
        ),
    ),
    "PI-S3-001": Case(
        fails=(
            *(
                {f"aws_s3_bucket_public_access_block.{BUCKET}.{name}": value}
                for name in (
                    "block_public_acls",
                    "block_public_policy",
                    "ignore_public_acls",
                    "restrict_public_buckets",
                )
                for value in (False, ...)
            ),
            {f"aws_s3_bucket_public_access_block.{BUCKET}": ...},
        ),
        absent=gone("aws_s3_bucket"),
        unknown=(
            {f"aws_s3_bucket_public_access_block.{BUCKET}.block_public_acls": VAR},
            {f"aws_s3_bucket_public_access_block.{BUCKET}.bucket": VAR},
        ),
        passes=({f"aws_s3_bucket_public_access_block.{BUCKET}.bucket": "payment-demo-audit-us-east-1"},),
    ),
    "PI-S3-002": Case(
        fails=(
            {f"aws_s3_bucket_policy.{BUCKET}": ...},
            {f"{TLS}.effect": "Allow"},
            {f"{TLS}.effect": 7},
            {f"{TLS}.condition": []},
            {f"{TLS}.condition.0.values": ["true"]},
            {f"{TLS}.condition.0.variable": "aws:SourceIp"},
            {f"{TLS}.resources": ["${aws_s3_bucket.primary_audit.arn}"]},
            {f"{TLS}.resources": ["${aws_s3_bucket.primary_audit.arn}/audit/*"]},
            {
                f"{TLS}.resources": [
                    "${aws_s3_bucket.secondary_audit.arn}",
                    "${aws_s3_bucket.secondary_audit.arn}/*",
                ]
            },
            {f"{TLS}.actions": ["s3:GetObject"]},
            {f"{TLS}.principals": [{"type": "AWS", "identifiers": ["arn:aws:iam::1:root"]}]},
        ),
        absent=gone("aws_s3_bucket"),
        unknown=(
            {f"aws_s3_bucket_policy.{BUCKET}.policy": VAR},
            {f"aws_s3_bucket_policy.{BUCKET}.policy": "{"},
            {f"aws_s3_bucket_policy.{BUCKET}.bucket": VAR},
        ),
        passes=(
            {f"{TLS}.resources": ["*"]},
            {f"{TLS}.resources": ["arn:aws:s3:::payment-demo-audit-us-east-1*"]},
            {f"{TLS}.resources": ["${aws_s3_bucket.primary_audit.arn}*"]},
            {
                f"aws_s3_bucket_policy.{BUCKET}": ...,
                f"aws_s3_bucket.{BUCKET}.policy": "${data.aws_iam_policy_document.primary_tls.json}",
            },
        ),
    ),
    "PI-S3-003": Case(
        fails=(
            {f"aws_s3_bucket_versioning.{BUCKET}": ...},
            {f"aws_s3_bucket_versioning.{BUCKET}.versioning_configuration.status": "Suspended"},
            {f"aws_s3_bucket_versioning.{BUCKET}.versioning_configuration": ...},
            {f"aws_s3_bucket_replication_configuration.{BUCKET}": ...},
            {f"{REPLICATION}.status": "Disabled"},
            {f"{REPLICATION}.status": ...},
            {f"aws_s3_bucket_replication_configuration.{BUCKET}.rule": []},
            {f"{REPLICATION}.source_selection_criteria": ...},
            {f"{REPLICATION}.source_selection_criteria.sse_kms_encrypted_objects.status": "Disabled"},
            {f"{REPLICATION}.destination.bucket": ...},
            {f"{REPLICATION}.destination.bucket": "${aws_s3_bucket.primary_audit.arn}"},
            {f"{REPLICATION}.destination.bucket": "arn:aws:s3:::payment-demo-audit-us-east-1"},
            {f"{REPLICATION}.destination.encryption_configuration": ...},
            {f"{REPLICATION}.filter": {"prefix": "exports/"}},
            {f"{REPLICATION}.prefix": "exports/"},
            {f"{REPLICATION}.filter": [{"and": [{"prefix": "exports/", "tags": {"a": "b"}}]}]},
            {f"{REPLICATION}.filter": {"tag": {"key": "copy", "value": "yes"}}},
            {f"{REPLICATED}.replica_kms_key_id": "${aws_kms_key.primary_audit.arn}"},
            {
                f"aws_s3_bucket_versioning.{BUCKET}": ...,
                f"aws_s3_bucket.{BUCKET}.versioning": {"enabled": False},
            },
        ),
        absent=gone("aws_s3_bucket"),
        unknown=(
            {f"aws_s3_bucket_versioning.{BUCKET}.versioning_configuration.status": VAR},
            {f"{REPLICATION}.status": VAR},
            {f"{REPLICATION}.filter": {"prefix": VAR}},
            {f"{REPLICATION}.destination.bucket": VAR},
            {f"{REPLICATION}.destination.bucket": "arn:aws:s3:::elsewhere"},
            {f"aws_s3_bucket_replication_configuration.{BUCKET}.rule": VAR},
            {f"aws_s3_bucket_versioning.{BUCKET}": ..., f"aws_s3_bucket.{BUCKET}.versioning": VAR},
            {"aws_s3_bucket.secondary_audit.provider": VAR},
        ),
        warns=(
            {
                f"aws_s3_bucket_replication_configuration.{BUCKET}": ...,
                "aws_lambda_function.primary_function": ...,
            },
            {
                f"aws_s3_bucket_replication_configuration.{BUCKET}": ...,
                "aws_lambda_function.primary_function": ...,
                "aws_s3_bucket_replication_configuration.secondary_audit.rule.0.destination.bucket": (
                    "arn:aws:s3:::payment-demo-audit-us-east-1"
                ),
            },
        ),
        passes=(
            {f"{REPLICATION}.filter": {"prefix": ""}},
            {f"{REPLICATION}.filter": {}},
            {f"{REPLICATION}.destination.bucket": "arn:aws:s3:::payment-demo-audit-us-west-2"},
            {
                f"aws_s3_bucket_versioning.{BUCKET}": ...,
                f"aws_s3_bucket.{BUCKET}.versioning": {"enabled": True},
            },
            {
                f"aws_s3_bucket_replication_configuration.{BUCKET}": ...,
                f"aws_s3_bucket.{BUCKET}.replication_configuration": {
                    "role": "r",
                    "rules": [
                        {
                            "status": "Enabled",
                            "source_selection_criteria": {"sse_kms_encrypted_objects": {"enabled": True}},
                            "destination": {
                                "bucket": "${aws_s3_bucket.secondary_audit.arn}",
                                "replica_kms_key_id": "${aws_kms_key.secondary_audit.arn}",
                            },
                        }
                    ],
                },
            },
        ),
    ),
    "PI-S3-004": Case(
        fails=(
            {f"aws_s3_bucket_server_side_encryption_configuration.{BUCKET}": ...},
            {f"aws_s3_bucket_server_side_encryption_configuration.{BUCKET}.rule": []},
            {f"{ENCRYPTION}.sse_algorithm": "AES256"},
            {f"{ENCRYPTION}.sse_algorithm": ...},
            {f"{ENCRYPTION}.kms_master_key_id": ...},
            {f"{ENCRYPTION}.kms_master_key_id": "alias/aws/s3"},
            {
                f"{ENCRYPTION}.kms_master_key_id": "${data.aws_kms_alias.s3.arn}",
                "data.aws_kms_alias.s3": {"provider": "aws.primary", "name": "alias/aws/s3"},
            },
            {
                f"{ENCRYPTION}.kms_master_key_id": "${data.aws_kms_key.s3.arn}",
                "data.aws_kms_key.s3": {"provider": "aws.primary", "key_id": "alias/aws/s3"},
            },
            {f"{ENCRYPTION}.kms_master_key_id": OTHER_KEY},
        ),
        absent=gone("aws_s3_bucket"),
        unknown=(
            {f"{ENCRYPTION}.kms_master_key_id": VAR},
            {f"{ENCRYPTION}.sse_algorithm": VAR},
            {f"aws_s3_bucket_server_side_encryption_configuration.{BUCKET}.rule": VAR},
        ),
        passes=(
            {
                f"aws_s3_bucket_server_side_encryption_configuration.{BUCKET}": ...,
                f"aws_s3_bucket.{BUCKET}.server_side_encryption_configuration": {
                    "rule": {
                        "apply_server_side_encryption_by_default": {
                            "sse_algorithm": "aws:kms",
                            "kms_master_key_id": "${aws_kms_key.primary_audit.arn}",
                        }
                    }
                },
            },
        ),
    ),
    "PI-S3-005": Case(
        fails=(
            {f"aws_s3_bucket_lifecycle_configuration.{BUCKET}": ...},
            {f"aws_s3_bucket_lifecycle_configuration.{BUCKET}.rule": []},
            {f"{LIFECYCLE}.status": "Disabled"},
            {f"{LIFECYCLE}.status": ...},
            {f"{LIFECYCLE}.transition": ...},
            {f"{LIFECYCLE}.transition": [{"storage_class": "GLACIER"}]},
            {f"{LIFECYCLE}.noncurrent_version_expiration": ...},
            {f"{LIFECYCLE}.abort_incomplete_multipart_upload": ...},
        ),
        absent=gone("aws_s3_bucket"),
        unknown=(
            {f"{LIFECYCLE}.status": VAR},
            {f"{LIFECYCLE}.transition": VAR},
            {f"{LIFECYCLE}.noncurrent_version_expiration": [{"noncurrent_days": VAR}]},
            {f"aws_s3_bucket_lifecycle_configuration.{BUCKET}.rule": VAR},
        ),
        passes=(
            {f"{LIFECYCLE}.transition": ..., f"{LIFECYCLE}.expiration": {"date": "2030-01-01T00:00:00Z"}},
            {
                f"aws_s3_bucket_lifecycle_configuration.{BUCKET}": ...,
                f"aws_s3_bucket.{BUCKET}.lifecycle_rule": [
                    {
                        "enabled": True,
                        "abort_incomplete_multipart_upload_days": 7,
                        "expiration": {"days": 365},
                        "noncurrent_version_expiration": {"days": 30},
                    }
                ],
            },
        ),
    ),
    "PI-KMS-001": Case(
        fails=({f"{DATA_KEY}.enable_key_rotation": False}, {f"{DATA_KEY}.enable_key_rotation": ...}),
        absent={
            f"aws_kms_key.{side}_{name}.customer_master_key_spec": "RSA_2048"
            for side in ("primary", "secondary")
            for name in ("data", "audit", "app")
        },
        unknown=(
            {f"{DATA_KEY}.enable_key_rotation": VAR},
            {f"{DATA_KEY}.enable_key_rotation": 7},
            {f"{DATA_KEY}.rotation_period_in_days": VAR},
        ),
        warns=({f"{DATA_KEY}.rotation_period_in_days": 2560},),
        passes=({f"{DATA_KEY}.customer_master_key_spec": "SYMMETRIC_DEFAULT"},),
    ),
    "PI-KMS-002": Case(
        fails=(
            {f"{DATA_KEY}.deletion_window_in_days": 6},
            {f"{DATA_KEY}.policy": statement(0, Principal="*")},
            {f"{DATA_KEY}.policy": statement(0, Principal={"AWS": ["arn:aws:iam::1:root", "*"]})},
            {f"{DATA_KEY}.policy": statement(0, Principal={"Service": "*"})},
            *(
                {f"{DATA_KEY}.policy": statement(0, Principal="*", Condition=condition)}
                for condition in (
                    {"StringNotEquals": {"kms:CallerAccount": ACCOUNT}},
                    {"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-payments"}},
                    {"StringLike": {"kms:CallerAccount": "*"}},
                    {"StringLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/payments"}},
                    {"Bool": {"aws:SecureTransport": "true"}},
                    {"Null": {"aws:PrincipalOrgID": "false"}},
                    {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}},
                )
            ),
            {f"{DATA_KEY}.policy": lambda s: (s[0].update(Principal="*"), denied("kms:Encrypt", "*")(s))},
            {f"{DATA_KEY}.policy": statement(0, Principal=..., NotPrincipal={"AWS": "arn:aws:iam::1:root"})},
            {
                "aws_kms_key_policy.data": {
                    "key_id": "${aws_kms_key.primary_data.id}",
                    "policy": '{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "kms:*"}}',
                }
            },
        ),
        absent=gone("aws_kms_key"),
        unknown=(
            {f"{DATA_KEY}.policy": VAR},
            {f"{DATA_KEY}.policy": statement(0, Principal=7)},
            {f"{DATA_KEY}.policy": statement(0, Principal={"AWS": "${local.who}"})},
            {f"{DATA_KEY}.deletion_window_in_days": VAR},
            {"aws_kms_key_policy.data": {"key_id": VAR, "policy": "{}"}},
        ),
        passes=(
            {f"{DATA_KEY}.deletion_window_in_days": ...},
            {f"{DATA_KEY}.policy": ...},
            *(
                {f"{DATA_KEY}.policy": statement(0, Principal={"AWS": "*"}, Condition=condition)}
                for condition in (
                    {"StringEquals": {"kms:CallerAccount": ACCOUNT}},
                    {"StringEquals": {"KMS:calleraccount": "123456789012"}},
                    {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-payments/*"}},
                    {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/*"}},
                    {"StringEquals": {"aws:SourceVpce": "vpce-1"}, "Bool": {"aws:SecureTransport": "true"}},
                    {"IpAddress": {"aws:SourceIp": ["198.51.100.0/24"]}},
                )
            ),
            {
                f"{DATA_KEY}.policy": lambda s: (
                    s[0].update(Principal="*"),
                    denied("kms:*", "*", {"StringNotEquals": {"aws:PrincipalAccount": ACCOUNT}})(s),
                )
            },
            {
                f"{DATA_KEY}.policy": lambda s: s.append(
                    {"Effect": "Deny", "Principal": "*", "Action": "kms:*"}
                )
            },
        ),
    ),
    "PI-KMS-003": Case(
        fails=(
            {f"{AUDIT_KEY}.policy": without(1)},
            {f"{AUDIT_KEY}.policy": without(2)},
            {f"{AUDIT_KEY}.policy": statement(1, Principal={"Service": "logs.us-west-2.amazonaws.com"})},
            {f"{AUDIT_KEY}.policy": statement(1, Action=["kms:Encrypt"])},
            {
                f"{AUDIT_KEY}.policy": statement(
                    1,
                    Condition={"ArnLike": {LOG_CONTEXT: "arn:aws:logs:us-east-1:*:log-group:/aws/lambda/*"}},
                )
            },
            *(
                {f"{AUDIT_KEY}.policy": statement(1, Condition={test: {LOG_CONTEXT: arn}})}
                for test, arn in (
                    ("StringEquals", "arn:aws:logs:us-east-1:*:log-group:/aws/*/payment-demo-*"),
                    ("ArnLike", "arn:aws:logs:us-east-1:*:log-group:/AWS/*"),
                    ("ArnLike", "arn:aws:logs:us-west-2:*:log-group:/aws/*"),
                    ("ArnNotLike", "arn:aws:logs:us-east-1:*:log-group:/aws/*"),
                    ("StringLike", "arn:aws:logs:us-east-1:*:log-group:/aws/lambda/other*"),
                    ("Null", "true"),
                    ("ForAnyValue:StringEquals", "${aws_cloudwatch_log_group.secondary_access.arn}"),
                )
            ),
            {
                f"{AUDIT_KEY}.policy": denied(
                    "kms:GenerateDataKey*", {"Service": "logs.us-east-1.amazonaws.com"}
                )
            },
            {f"{AUDIT_KEY}.policy": denied("kms:*", "*")},
            {
                f"{AUDIT_KEY}.policy": denied(
                    "kms:*", "*", {"StringNotEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
                )
            },
            {f"{AUDIT_KEY}.is_enabled": False},
            {f"{DATA_KEY}.is_enabled": False},
            {
                f"{AUDIT_KEY}.policy": statement(
                    2,
                    Condition={"ArnLike": {"aws:SourceArn": "arn:aws:cloudwatch:us-east-1:*:alarm:other-*"}},
                )
            },
            {
                "aws_sqs_queue.box": {
                    "provider": "aws.primary",
                    "kms_master_key_id": "${aws_kms_key.primary_app.arn}",
                },
                "aws_cloudwatch_event_target.box": {"arn": "${aws_sqs_queue.box.arn}"},
            },
            {f"{AUDIT_KEY}.policy": statement(2, Action=["kms:Decrypt"])},
            {f"{AUDIT_KEY}.policy": ...},
            {f"{DATA_KEY}.policy": statement(0, Action=["kms:DescribeKey"])},
            {f"{DATA_KEY}.policy": statement(0, Principal={"Service": "dynamodb.amazonaws.com"})},
            {
                f"{DATA_KEY}.policy": statement(
                    0, Condition={"StringEquals": {"kms:ViaService": "dynamodb.us-west-2.amazonaws.com"}}
                )
            },
            {
                "aws_kms_key.secondary_data.policy": statement(
                    0, Condition={"StringEquals": {"kms:ViaService": "dynamodb.us-east-1.amazonaws.com"}}
                )
            },
        ),
        absent=gone("aws_cloudwatch_log_group", "aws_sns_topic", "aws_dynamodb_table"),
        unknown=(
            {f"{AUDIT_KEY}.policy": VAR},
            {f"{AUDIT_KEY}.policy": statement(2, Action=[{}])},
            {f"{AUDIT_KEY}.provider": VAR},
            {f"{AUDIT_KEY}.policy": statement(1, Condition={"ArnLike": {LOG_CONTEXT: VAR}})},
            {f"{AUDIT_KEY}.policy": statement(1, Condition={"StringEquals": {"aws:PrincipalTag/x": "y"}})},
            {f"{AUDIT_KEY}.is_enabled": VAR},
            {f"{GROUP}.name": VAR},
        ),
        warns=({f"{AUDIT_KEY}.policy": statement(1, Condition=...)},),
        passes=(
            {f"{DATA_KEY}.policy": ...},
            {
                f"{AUDIT_KEY}.policy": statement(
                    1,
                    Condition={
                        "ArnLike": {
                            LOG_CONTEXT: [
                                "${aws_cloudwatch_log_group.primary_function.arn}",
                                "${aws_cloudwatch_log_group.primary_access.arn}",
                            ]
                        }
                    },
                )
            },
            {"aws_dynamodb_table_replica.west": {"kms_key_arn": "${aws_kms_key.secondary_data.arn}"}},
            {
                f"{AUDIT_KEY}.policy": statement(
                    1,
                    Condition={
                        "ArnLike": {
                            LOG_CONTEXT: [
                                VAR,
                                "arn:aws:logs:us-east-1:123456789012:log-group:/aws/*",
                            ]
                        }
                    },
                )
            },
        ),
    ),
    "PI-LOG-001": Case(
        fails=(
            {f"{GROUP}.retention_in_days": 0},
            {f"{GROUP}.retention_in_days": -1},
            {f"{GROUP}.retention_in_days": ...},
            {f"{GROUP}.retention_in_days": None},
        ),
        absent=gone("aws_cloudwatch_log_group"),
        unknown=({f"{GROUP}.retention_in_days": VAR}, {f"{GROUP}.retention_in_days": "a year"}),
        passes=({f"{GROUP}.retention_in_days": "400"},),
        warns=({f"{GROUP}.retention_in_days": 364}, {f"{GROUP}.retention_in_days": 7}),
    ),
    "PI-LOG-002": Case(
        fails=(
            {GROUP: ...},
            {f"{GROUP}.name": "/aws/lambda/other"},
            {f"{GROUP}.provider": "aws.secondary"},
            {f"{FUNCTION}.depends_on": ...},
            {f"{FUNCTION}.function_name": ...},
        ),
        absent=gone("aws_lambda_function"),
        unknown=(
            {f"{FUNCTION}.function_name": VAR},
            {f"{GROUP}.name": VAR},
        ),
        passes=(
            {
                f"{FUNCTION}.depends_on": ...,
                f"{FUNCTION}.logging_config": {
                    "log_group": "${aws_cloudwatch_log_group.primary_function.name}"
                },
            },
            {f"{FUNCTION}.depends_on": ["aws_iam_role_policy.primary_function"]},
            {
                f"{GROUP}.name": "/aws/lambda/${var.prefix}",
                f"{FUNCTION}.logging_config": {
                    "log_group": "${aws_cloudwatch_log_group.primary_function.name}"
                },
            },
        ),
    ),
    "PI-LOG-003": Case(
        fails=(
            {f"{GROUP}.kms_key_id": ...},
            {f"{GROUP}.kms_key_id": ""},
            {f"{GROUP}.kms_key_id": "${aws_kms_key.secondary_audit.arn}"},
        ),
        absent=gone("aws_cloudwatch_log_group"),
        unknown=({f"{GROUP}.kms_key_id": VAR}, {f"{GROUP}.provider": VAR}),
    ),
    "PI-API-001": Case(
        fails=(
            {JOIN: ...},
            {f"{JOIN}.usage_plan_id": ...},
            {"aws_api_gateway_api_key.primary_key.enabled": False},
            {f"{JOIN}.key_id": "${aws_api_gateway_api_key.secondary_key.id}"},
        ),
        absent=gone("aws_api_gateway_api_key"),
        unknown=(
            {f"{JOIN}.usage_plan_id": VAR},
            {f"{JOIN}.key_id": VAR},
        ),
    ),
    "PI-API-002": Case(
        fails=(
            {f"{PLAN}.api_stages": ...},
            {f"{PLAN}.api_stages": []},
            {f"{PLAN}.api_stages.0.stage": ...},
            {f"{PLAN}.api_stages.0.stage": ""},
            {f"{PLAN}.api_stages.0.api_id": ...},
        ),
        absent=gone("aws_api_gateway_usage_plan"),
        unknown=(
            {f"{PLAN}.api_stages.0.stage": VAR},
            {f"{PLAN}.api_stages": VAR},
            {f"{PLAN}.api_stages.0.api_id": 7},
        ),
        passes=({f"{PLAN}.api_stages": {"api_id": "abcdef1234", "stage": "prod"}},),
    ),
    "PI-API-003": Case(
        fails=(
            {f"{METHOD}.api_key_required": False},
            {f"{METHOD}.api_key_required": ...},
            {f"{METHOD}.api_key_required": False, f"{METHOD}.authorization": ...},
            {f"{METHOD}.api_key_required": False, f"{METHOD}.authorization": "CUSTOM"},
            {
                f"{METHOD}.api_key_required": False,
                "aws_api_gateway_rest_api.primary_api.policy": invoke_from({"aws:UserAgent": "us"}),
            },
            {
                f"{METHOD}.api_key_required": False,
                "aws_api_gateway_rest_api.primary_api.disable_execute_api_endpoint": True,
            },
            *(
                {"aws_apigatewayv2_api.pay": {"protocol_type": kind}, "aws_apigatewayv2_route.pay": route}
                for kind, route in (
                    ("HTTP", {"api_id": HTTP, "route_key": "POST /payments"}),
                    ("HTTP", {"api_id": HTTP, "route_key": "ANY /{proxy+}", "authorization_type": "NONE"}),
                    ("HTTP", {"api_id": HTTP, "route_key": "$default", "api_key_required": True}),
                    ("HTTP", {"api_id": HTTP, "route_key": "POST /", "authorization_type": "JWT"}),
                    ("HTTP", {"api_id": HTTP}),
                    ("WEBSOCKET", {"api_id": HTTP, "route_key": "$connect"}),
                )
            ),
            {"aws_apigatewayv2_api.pay": {"target": "${aws_lambda_function.primary_function.arn}"}},
            {"aws_lambda_function_url.pay": {"authorization_type": "NONE"}},
            {"aws_lambda_function_url.pay": {}},
        ),
        absent=gone("aws_api_gateway_method"),
        unknown=(
            {f"{METHOD}.api_key_required": VAR},
            {f"{METHOD}.api_key_required": False, f"{METHOD}.authorization": VAR},
            {f"{METHOD}.api_key_required": False, f"{METHOD}.authorization": "PERHAPS"},
            {
                f"{METHOD}.api_key_required": False,
                "aws_api_gateway_rest_api_policy.primary": {
                    "rest_api_id": "${aws_api_gateway_rest_api.primary_api.id}",
                    "policy": VAR,
                },
            },
            {"aws_apigatewayv2_route.pay": {"api_id": HTTP, "route_key": VAR}},
            {
                "aws_apigatewayv2_route.pay": {
                    "api_id": HTTP,
                    "route_key": "POST /",
                    "authorization_type": VAR,
                }
            },
            {"aws_lambda_function_url.pay": {"authorization_type": VAR}},
            {"aws_apigatewayv2_api.pay": {"body": "{}"}},
            {f"{METHOD}.api_key_required": False, f"{METHOD}.resource_id": VAR},
            {f"{METHOD}.api_key_required": False, f"{METHOD}.http_method": VAR},
            {f"{METHOD}.api_key_required": False, f"{METHOD}.resource_id": ...},
            {f"{METHOD}.api_key_required": False, f"{PAYMENTS}.path_part": VAR},
            {
                f"{METHOD}.api_key_required": False,
                f"{PAYMENTS}.parent_id": "${aws_api_gateway_resource.primary_payments.id}",
            },
            {"aws_api_gateway_rest_api.primary_api.body": "{}"},
        ),
        passes=(
            {f"{METHOD}.http_method": VAR},
            {f"{METHOD}.api_key_required": False, f"{METHOD}.authorization": "AWS_IAM"},
            {
                f"{METHOD}.api_key_required": ...,
                f"{METHOD}.authorization": "COGNITO_USER_POOLS",
                f"{METHOD}.authorizer_id": "${var.pool}",
            },
            {
                f"{METHOD}.api_key_required": ...,
                f"{METHOD}.authorization": "CUSTOM",
                f"{METHOD}.authorizer_id": "abc123",
            },
            {
                f"{METHOD}.api_key_required": False,
                "aws_api_gateway_rest_api.primary_api.policy": invoke_from({"aws:SourceVpce": "vpce-1"}),
            },
            {
                f"{METHOD}.api_key_required": False,
                "aws_api_gateway_rest_api.primary_api.disable_execute_api_endpoint": True,
                "aws_api_gateway_base_path_mapping.pay": {
                    "api_id": "${aws_api_gateway_rest_api.primary_api.id}",
                    "domain_name": "${aws_api_gateway_domain_name.pay.domain_name}",
                },
                "aws_api_gateway_domain_name.pay": {
                    "mutual_tls_authentication": {"truststore_uri": "s3://x"}
                },
            },
            *(
                {"aws_apigatewayv2_api.pay": {"protocol_type": kind}, "aws_apigatewayv2_route.pay": route}
                for kind, route in (
                    ("HTTP", {"route_key": "OPTIONS /payments"}),
                    ("HTTP", {"route_key": "GET /health"}),
                    ("HTTP", {"route_key": "POST /payments", "authorization_type": "AWS_IAM"}),
                    (
                        "HTTP",
                        {"route_key": "$default", "authorization_type": "JWT", "authorizer_id": VAR},
                    ),
                    ("WEBSOCKET", {"api_id": HTTP, "route_key": "$connect", "api_key_required": True}),
                    ("WEBSOCKET", {"api_id": HTTP, "route_key": "$disconnect"}),
                    ("WEBSOCKET", {"api_id": HTTP, "route_key": "pay"}),
                )
            ),
            {"aws_lambda_function_url.pay": {"authorization_type": "AWS_IAM"}},
        ),
        warns=(
            {
                f"{METHOD}.api_key_required": False,
                "aws_api_gateway_rest_api.primary_api.endpoint_configuration": {"types": ["PRIVATE"]},
            },
        ),
    ),
    "PI-API-004": Case(
        fails=(
            {PERMISSION: ...},
            {f"{PERMISSION}.principal": "sns.amazonaws.com"},
            {f"{PERMISSION}.action": "lambda:GetFunction"},
            {f"{PERMISSION}.qualifier": ...},
            {f"{PERMISSION}.qualifier": "other"},
            {f"{PERMISSION}.function_name": "${aws_lambda_function.secondary_function.function_name}"},
            {f"{PERMISSION}.source_arn": ...},
            {f"{PERMISSION}.source_arn": "${aws_api_gateway_rest_api.secondary_api.execution_arn}/*/*"},
            *(
                {f"{PERMISSION}.source_arn": f"{API_ARN}{tail}"}
                for tail in (
                    "",
                    "/prod",
                    "/old/POST/payments",
                    "/*/GET/payments",
                    "/prod/POST/pay",
                    "/*/POST",
                )
            ),
            {
                f"{PERMISSION}.source_arn": "${aws_api_gateway_stage.primary_old.execution_arn}/*",
                "aws_api_gateway_stage.primary_old": {
                    "rest_api_id": "${aws_api_gateway_rest_api.primary_api.id}",
                    "stage_name": "old",
                },
            },
            {f"{PERMISSION}.source_arn": "arn:aws:sns:us-east-1:123456789012:topic"},
            {f"{PAYMENTS}.path_part": "{id}", f"{PERMISSION}.source_arn": f"{API_ARN}/*/POST/{{id}}"},
            {f"{INTEGRATION}.http_method": "ANY", f"{PERMISSION}.source_arn": f"{API_ARN}/*/POST/payments"},
            http_integration(f"{HTTP_ARN}/*/GET/payments"),
            http_integration(f"{HTTP_ARN}/prod/POST/payments"),
            http_integration(f"{API_ARN}/*/*"),
            {f"{INTEGRATION}.uri": ...},
            {f"{INTEGRATION}.type": ...},
            {f"{INTEGRATION}.uri": "${aws_lambda_function.primary_function.invoke_arn}"},
        ),
        absent={f"aws_api_gateway_integration.{side}_post": ... for side in ("primary", "secondary")},
        unknown=(
            {f"{INTEGRATION}.uri": VAR},
            {f"{INTEGRATION}.type": VAR},
            {f"{PERMISSION}.source_arn": VAR},
            {f"{PERMISSION}.source_arn": 7},
            {f"{PERMISSION}.source_arn": {}},
            {f"{PERMISSION}.principal": VAR},
            {f"{PERMISSION}.action": VAR},
            {f"{INTEGRATION}.rest_api_id": VAR},
            {f"{INTEGRATION}.resource_id": VAR},
        ),
        passes=(
            *(
                {f"{PERMISSION}.source_arn": f"{API_ARN}{tail}"}
                for tail in ("/*/POST/payments", "/*", "/prod/*", "/prod/POST/payments", "/p*/*/pay*", "/*/*")
            ),
            *(
                {f"{PERMISSION}.source_arn": f"${{{stage}.execution_arn}}{tail}"}
                for stage, tail in ((STAGE, "/POST/payments"), (STAGE, "/*"), (STAGE, "/*/payments"))
            ),
            {
                f"{PERMISSION}.source_arn": "arn:aws:execute-api:us-east-1:1:"
                "${aws_api_gateway_rest_api.primary_api.id}/prod/POST/payments"
            },
            {f"{PERMISSION}.source_arn": "arn:aws:execute-api:us-east-1:123456789012:*/*/POST/payments"},
            {f"{PERMISSION}.source_arn": ..., f"{PERMISSION}.source_account": ACCOUNT},
            {f"{PAYMENTS}.path_part": "{id}", f"{PERMISSION}.source_arn": f"{API_ARN}/*/POST/*"},
            {f"{INTEGRATION}.http_method": "ANY", f"{PERMISSION}.source_arn": f"{API_ARN}/prod/*/payments"},
            {STAGE: ..., f"{PERMISSION}.source_arn": f"{API_ARN}/live/POST/payments"},
            http_integration(f"{HTTP_ARN}/*/POST/payments"),
            http_integration(f"{HTTP_ARN}/*/*"),
            http_integration(f"{HTTP_ARN}/*/*", integration_type="HTTP_PROXY"),
            http_integration(f"{HTTP_ARN}/*/*", integration_subtype="SQS-SendMessage"),
            {f"{PERMISSION}.qualifier": "live"},
            {
                f"{PERMISSION}.function_name": "${aws_lambda_alias.primary_live.arn}",
                f"{PERMISSION}.qualifier": ...,
            },
            {f"{PERMISSION}.function_name": "payment-demo-api"},
            {
                f"{PERMISSION}.qualifier": ...,
                f"{INTEGRATION}.uri": f"arn:aws:apigateway:us-east-1:lambda:path/x/{ELSEWHERE_ARN}",
            },
            {
                f"{INTEGRATION}.credentials": "${aws_iam_role.primary_function.arn}",
                PERMISSION: ...,
            },
            {
                f"{INTEGRATION}.type": "AWS",
                f"{INTEGRATION}.uri": "arn:aws:apigateway:us-east-1:sqs:path/1/q",
            },
            {f"{INTEGRATION}.http_method": "${aws_api_gateway_method.primary_post.http_method}"},
            {f"{INTEGRATION}.http_method": VAR},
        ),
    ),
    "PI-API-005": Case(
        fails=(
            {f"{STAGE}.access_log_settings": ...},
            {f"{STAGE}.access_log_settings.destination_arn": ...},
            {f"{STAGE}.access_log_settings.destination_arn": ""},
            {SETTINGS: ...},
            {f"{SETTINGS}.settings.logging_level": "OFF"},
            {f"{SETTINGS}.settings.logging_level": ...},
            {f"{SETTINGS}.method_path": "payments/POST"},
            {f"{SETTINGS}.method_path": ...},
            {"aws_api_gateway_method_settings.primary_one": one_method({"throttling_rate_limit": 5})},
            {f"{SETTINGS}.settings.data_trace_enabled": True},
            {f"{SETTINGS}.settings.data_trace_enabled": "true"},
            {
                "aws_api_gateway_method_settings.primary_one": one_method(
                    {"logging_level": "INFO", "data_trace_enabled": True}
                )
            },
            {f"{STAGE}.access_log_settings.format": "$context.requestId $context.identity.apiKey"},
            {"aws_apigatewayv2_stage.pay": {"name": "$default"}},
            {
                "aws_apigatewayv2_stage.pay": {
                    "access_log_settings": {"destination_arn": "arn:aws:x"},
                    "default_route_settings": {"data_trace_enabled": True},
                }
            },
        ),
        absent=gone("aws_api_gateway_stage"),
        unknown=(
            {f"{STAGE}.access_log_settings": VAR},
            {f"{STAGE}.access_log_settings.destination_arn": "no ARN"},
            {f"{SETTINGS}.settings.logging_level": VAR},
            {f"{SETTINGS}.settings.data_trace_enabled": VAR},
        ),
        passes=(
            {f"{STAGE}.access_log_settings.format": "$context.identity.apiKeyId"},
            {
                "aws_apigatewayv2_stage.pay": {
                    "access_log_settings": {"destination_arn": "arn:aws:x"},
                    "default_route_settings": {"data_trace_enabled": False},
                }
            },
            {f"{SETTINGS}.settings.data_trace_enabled": False},
            {f"{SETTINGS}.stage_name": "prod"},
            {f"{STAGE}.access_log_settings.destination_arn": "arn:aws:x"},
        ),
    ),
    "PI-API-006": Case(
        fails=(
            {f"{METHOD}.request_validator_id": ...},
            {"aws_api_gateway_request_validator.primary_body.validate_request_body": False},
            {"aws_api_gateway_request_validator.primary_body.validate_request_body": ...},
            {f"{METHOD}.request_models": ...},
            {f"{METHOD}.request_models": {}},
            {f"{METHOD}.request_models": {"text/plain": "Payment"}},
            {f"{METHOD}.request_models": {"application/json": "Empty"}},
            *(
                {f"{MODEL}.schema": schema}
                for schema in (
                    "{}",
                    "true",
                    '{"$schema": "http://json-schema.org/draft-04/schema#", "title": "Any"}',
                    '{"properties": {"amount": {}}, "additionalProperties": true}',
                    '{"type": ["object", "array", "string", "number", "boolean", "null"]}',
                    '{"anyOf": [{"type": "object"}, {}]}',
                    '{"allOf": [{}], "required": [], "minProperties": 0, "x-note": 1}',
                )
            ),
            {f"{MODEL}.schema": ...},
            {f"{METHOD}.http_method": ...},
        ),
        absent={f"aws_api_gateway_method.{side}_post": ... for side in ("primary", "secondary")},
        unknown=(
            {f"{METHOD}.request_validator_id": VAR},
            {f"{METHOD}.request_validator_id": "abc123"},
            {f"{METHOD}.request_models": VAR},
            {f"{METHOD}.request_models": {"application/json": 7}},
            {f"{METHOD}.request_models": {"application/json": VAR}},
            {f"{METHOD}.request_models": {"application/json": "Elsewhere"}},
            *({f"{MODEL}.schema": schema} for schema in (VAR, "{", "[]", "${file('schema.json')}")),
            {f"{METHOD}.http_method": VAR},
        ),
        passes=(
            {f"{METHOD}.request_models": {"application/json": "Payment"}},
            {f"{METHOD}.request_models": {"application/json": "Error"}},
            *(
                {f"{MODEL}.schema": schema}
                for schema in (
                    "false",
                    '{"type": "object"}',
                    '{"required": ["amount"]}',
                    '{"properties": {"amount": {"minimum": 1}}}',
                    '{"items": {"type": "string"}}',
                    '{"oneOf": [{"type": "object"}]}',
                )
            ),
        ),
    ),
    "PI-API-007": Case(
        fails=(
            {"aws_api_gateway_api_key.secondary_key.value": ...},
            {"aws_api_gateway_api_key.secondary_key": ...},
            {"aws_api_gateway_api_key.secondary_key.value": "${random_password.other.result}"},
        ),
        absent=gone("aws_api_gateway_api_key"),
        unknown=(
            {"aws_api_gateway_api_key.secondary_key.value": 7},
            {"aws_api_gateway_api_key.secondary_key.value": {}},
            {"aws_api_gateway_api_key.secondary_key.value": "${aws_api_gateway_api_key.secondary_key.value}"},
            {"aws_api_gateway_api_key.secondary_key.provider": VAR},
        ),
        passes=(
            {
                f"aws_api_gateway_api_key.{side}_key.value": "${random_password.key.result}"
                for side in ("primary", "secondary")
            },
            {f"aws_api_gateway_api_key.{side}_key.value": "x" * 20 for side in ("primary", "secondary")},
        ),
    ),
    "PI-API-008": Case(
        fails=(
            {f"{PLAN}.throttle_settings": ...},
            {f"{PLAN}.throttle_settings.rate_limit": 0},
            {f"{PLAN}.throttle_settings.rate_limit": 1e12},
            {f"{SETTINGS}.settings.throttling_burst_limit": 1e12},
            {f"{PLAN}.throttle_settings.burst_limit": ...},
            {SETTINGS: ...},
            {f"{SETTINGS}.settings.throttling_rate_limit": -1},
            {f"{SETTINGS}.settings.throttling_burst_limit": ...},
            {f"{SETTINGS}.method_path": "payments/POST"},
            {"aws_api_gateway_method_settings.primary_one": one_method({"logging_level": "ERROR"})},
            {"aws_apigatewayv2_stage.pay": {"name": "$default"}},
            {
                "aws_apigatewayv2_stage.pay": {
                    "default_route_settings": {"throttling_rate_limit": 0, "throttling_burst_limit": 5}
                }
            },
        ),
        absent=gone("aws_api_gateway_usage_plan", "aws_api_gateway_stage"),
        unknown=(
            {f"{PLAN}.throttle_settings": VAR},
            {f"{PLAN}.throttle_settings.rate_limit": VAR},
            {f"{SETTINGS}.settings.throttling_rate_limit": VAR},
        ),
    ),
    "PI-DNS-001": Case(
        fails=(
            {RECORD: ...},
            {"aws_route53_record.secondary_failover": ...},
            {"aws_route53_record.secondary_failover.failover_routing_policy.type": "PRIMARY"},
            {"aws_route53_record.secondary_failover.failover_routing_policy.type": "THIRD"},
            {"aws_route53_record.secondary_failover.failover_routing_policy": [{}]},
            {"aws_route53_record.secondary_failover.name": "other.example.com"},
            {"aws_route53_record.secondary_failover.name": ...},
            {
                "aws_route53_record.secondary_failover.records": [
                    "${aws_api_gateway_rest_api.primary_api.id}.execute-api.us-east-1.amazonaws.com"
                ]
            },
            gone("aws_route53_record"),
            gone("aws_route53_record", "aws_api_gateway_rest_api"),
            *(
                {"aws_route53_record.secondary_failover.records": [name]}
                for name in (
                    "other.execute-api.us-east-1.amazonaws.com",
                    "pay-123.us-east-1.elb.amazonaws.com",
                    "pay-123.elb.us-east-1.amazonaws.com",
                    "abc.lambda-url.us-east-1.on.aws",
                )
            ),
            {
                "aws_route53_record.secondary_failover.records": ["${aws_lb.pay.dns_name}"],
                "aws_lb.pay": {"provider": "aws.primary"},
            },
            *(
                {
                    "aws_route53_record.secondary_failover.records": [name],
                    "aws_route53_record.hop": {
                        "name": "hop.example.com",
                        "records": ["x.execute-api.us-east-1.amazonaws.com"],
                    },
                }
                for name in ("${aws_route53_record.hop.fqdn}", "hop.example.com")
            ),
            {
                f"aws_route53_record.{side}_failover.{name}": value
                for side, region in (("primary", "us-east-1"), ("secondary", "us-east-1"))
                for name, value in (
                    ("failover_routing_policy", ...),
                    ("latency_routing_policy", {"region": region}),
                    ("records", [f"{side}.execute-api.{region}.amazonaws.com"]),
                )
            },
        ),
        absent=NO_APIS,
        unknown=(
            {f"{RECORD}.failover_routing_policy.type": VAR},
            {f"{RECORD}.failover_routing_policy": VAR},
            {f"{RECORD}.name": {}},
        ),
        passes=(
            {"aws_route53_record.secondary_failover.records": ["pay-123.us-west-2.elb.amazonaws.com"]},
            {
                f"aws_route53_record.{side}_failover.{name}": value
                for side, region in (("primary", "us-east-1"), ("secondary", "us-west-2"))
                for name, value in (
                    ("failover_routing_policy", ...),
                    ("latency_routing_policy", {"region": region}),
                )
            },
            {
                "aws_route53_record": {},
                "aws_globalaccelerator_endpoint_group.east": {"endpoint_group_region": "us-east-1"},
                "aws_globalaccelerator_endpoint_group.west": {"endpoint_group_region": "us-west-2"},
            },
        ),
        warns=({"aws_route53_record.secondary_failover.records": ["secondary.example.com"]},),
    ),
    "PI-DNS-002": Case(
        fails=(
            {f"{RECORD}.set_identifier": ...},
            {f"{RECORD}.set_identifier": ""},
            {f"{RECORD}.set_identifier": "secondary"},
        ),
        absent=gone("aws_route53_record"),
        unknown=({f"{RECORD}.set_identifier": VAR},),
        passes=({"aws_route53_record.plain": {"name": "x", "type": "A"}},),
    ),
    "PI-DNS-003": Case(
        fails=(
            {f"{RECORD}.health_check_id": ...},
            *(
                {f"{RECORD}.health_check_id": ..., f"{RECORD}.records": ..., f"{RECORD}.alias": alias}
                for alias in (
                    {"name": "pay-1.us-east-1.elb.amazonaws.com"},
                    {"name": "pay-1.us-east-1.elb.amazonaws.com", "evaluate_target_health": False},
                    {"name": "d1.cloudfront.net", "evaluate_target_health": True},
                    {"name": "s3-website-us-east-1.amazonaws.com", "evaluate_target_health": True},
                )
            ),
            {f"{RECORD}.health_check_id": ""},
            {f"{RECORD}.health_check_id": "${aws_route53_health_check.secondary_check.id}"},
            {
                f"{RECORD}.failover_routing_policy": ...,
                f"{RECORD}.latency_routing_policy": {"region": "us-east-1"},
                f"{RECORD}.health_check_id": ...,
            },
        ),
        absent=gone("aws_route53_record"),
        unknown=(
            {f"{RECORD}.health_check_id": VAR},
            {f"{RECORD}.health_check_id": "12345678-1234-1234-1234-123456789012"},
            {f"{RECORD}.health_check_id": ..., f"{RECORD}.alias": {"evaluate_target_health": VAR}},
        ),
        passes=(
            {"aws_route53_record.plain": {"name": "x", "type": "A"}},
            {
                f"{RECORD}.health_check_id": ...,
                f"{RECORD}.records": ...,
                f"{RECORD}.alias": {"name": "${aws_lb.pay.dns_name}", "evaluate_target_health": "true"},
            },
        ),
        warns=(
            {"aws_route53_record.secondary_failover.health_check_id": ...},
            {
                f"{RECORD}.health_check_id": ...,
                f"{RECORD}.records": ...,
                f"{RECORD}.alias": {
                    "name": "${aws_api_gateway_domain_name.pay.regional_domain_name}",
                    "evaluate_target_health": True,
                },
                "aws_api_gateway_domain_name.pay": {"provider": "aws.primary"},
            },
        ),
    ),
    "PI-DNS-004": Case(
        fails=(
            {f"{HEALTH}.fqdn": "pay.example.com"},
            {f"{HEALTH}.fqdn": "${aws_route53_record.primary_failover.fqdn}"},
            {f"{HEALTH}.fqdn": OTHER_API},
            {f"{HEALTH}.fqdn": ...},
            {f"{HEALTH}.resource_path": ...},
            {f"{HEALTH}.resource_path": "/prod/payments"},
            {f"{HEALTH}.resource_path": "/prod/nothing"},
            {f"{HEALTH}.type": ...},
            {"aws_api_gateway_method.primary_health.api_key_required": True},
            {f"{HEALTH}.type": "TCP"},
            {f"{HEALTH}.type": "HTTP"},
            {f"{HEALTH}.type": "HTTP_STR_MATCH"},
            {f"{HEALTH}.type": "ICMP"},
            {f"{HEALTH}.port": 80},
            {"aws_api_gateway_rest_api.primary_api.disable_execute_api_endpoint": True},
            {f"{HEALTH}.enable_sni": False},
            {f"{HEALTH}.disabled": True},
            {f"{HEALTH}.disabled": "true"},
            {f"{HEALTH}.invert_healthcheck": True},
            {f"{HEALTH}.fqdn": "x.execute-api.us-west-2.amazonaws.com"},
            {f"{HEALTH}.fqdn": "pay-1.us-west-2.elb.amazonaws.com", f"{HEALTH}.resource_path": "/health"},
            {f"{RECORD}.records": ["x.execute-api.eu-west-1.amazonaws.com"]},
            calculated({"child_health_threshold": 0}),
            calculated({"child_health_threshold": 1, "child_healthchecks": ...}),
            calculated({"child_healthchecks": ["${aws_route53_health_check.secondary_check.id}"]}),
            calculated({"child_health_threshold": ...}),
            calculated({"child_health_threshold": 2}),
            switched({}),
            {**switched({"invert_healthcheck": True}), f"{HEALTH}.child_health_threshold": 1},
            # Nothing beside it watches an endpoint as it is; or a record carries it.
            {
                **switched({"invert_healthcheck": True}),
                f"{HEALTH}.child_healthchecks": ["${aws_route53_health_check.switch.id}"],
            },
            {
                **switched({"invert_healthcheck": True}),
                f"{RECORD}.health_check_id": "${aws_route53_health_check.switch.id}",
            },
            {
                f"{HEALTH}.type": "CLOUDWATCH_METRIC",
                f"{HEALTH}.cloudwatch_alarm_name": "payment-demo-errors",
                f"{HEALTH}.cloudwatch_alarm_region": "us-west-2",
            },
        ),
        absent=gone("aws_route53_health_check"),
        unknown=(
            {f"{HEALTH}.fqdn": VAR},
            {f"{HEALTH}.fqdn": "elsewhere.example.com"},
            {f"{HEALTH}.disabled": VAR},
            {f"{HEALTH}.invert_healthcheck": VAR},
            {f"{HEALTH}.type": VAR},
            {f"{HEALTH}.resource_path": VAR},
            {f"{HEALTH}.resource_path": "/prod/check", "aws_api_gateway_method": ...},
            {"aws_api_gateway_method.primary_health.api_key_required": VAR},
        ),
        passes=(
            {f"{HEALTH}.fqdn": ..., f"{HEALTH}.ip_address": "192.0.2.1"},
            {f"{HEALTH}.disabled": False, f"{HEALTH}.invert_healthcheck": "false", f"{HEALTH}.port": 443},
            {
                f"{RECORD}.records": ["one.example.com"],
                "aws_route53_record.one": {
                    "name": "one.example.com",
                    "records": ["x.execute-api.us-east-1.amazonaws.com"],
                },
                f"{HEALTH}.fqdn": "one.example.com.",
            },
            {f"{RECORD}.records": ["one.example.com"], f"{HEALTH}.fqdn": "one.example.com"},
            calculated({"child_health_threshold": 1}),
            switched({"invert_healthcheck": True}),
            {
                f"{HEALTH}.type": "CLOUDWATCH_METRIC",
                f"{HEALTH}.cloudwatch_alarm_name": "payment-demo-errors",
                f"{HEALTH}.cloudwatch_alarm_region": "us-east-1",
            },
            {f"{HEALTH}.resource_path": "/${aws_api_gateway_stage.primary_prod.stage_name}/health"},
            {f"{HEALTH}.resource_path": "/${var.stage}/health"},
            {
                f"{RECORD}.records": ...,
                f"{RECORD}.alias": {"name": "${aws_api_gateway_domain_name.pay.regional_domain_name}"},
                "aws_api_gateway_domain_name.pay": {"provider": "aws.primary"},
            },
            {f"{RECORD}.records": ["${aws_api_gateway_stage.primary_prod.invoke_url}"]},
            {
                f"{RECORD}.records": ["${aws_api_gateway_stage.lost.invoke_url}"],
                "aws_api_gateway_stage.lost": {},
            },
        ),
        warns=(
            *(
                {
                    f"{HEALTH}.type": kind,
                    f"{HEALTH}.fqdn": "pay-1.us-east-1.elb.amazonaws.com",
                }
                for kind in ("TCP", "HTTP")
            ),
            {
                f"{HEALTH}.type": "CLOUDWATCH_METRIC",
                f"{HEALTH}.cloudwatch_alarm_region": "us-east-1",
                f"{HEALTH}.insufficient_data_health_status": "Healthy",
            },
        ),
    ),
    "PI-DNS-005": Case(
        fails=({f"{RECORD}.ttl": 61}, {f"{RECORD}.ttl": ...}, {f"{RECORD}.ttl": -1}),
        absent={
            f"aws_route53_record.{side}_failover.alias": {"name": "x"} for side in ("primary", "secondary")
        },
        unknown=({f"{RECORD}.ttl": VAR}, {f"{RECORD}.ttl": "soon"}),
        passes=({"aws_route53_record.plain": {"name": "x", "type": "A", "ttl": 3600}},),
    ),
    "PI-LAM-001": Case(
        fails=(
            {f"{FUNCTION}.filename": "missing.zip"},
            {f"{FUNCTION}.filename": ...},
            {f"{FUNCTION}.handler": "payments.handler.missing"},
            {f"{FUNCTION}.handler": "payments.missing.handle"},
            {f"{FUNCTION}.handler": "handle"},
            {f"{FUNCTION}.handler": ...},
            {f"{FUNCTION}.filename": "nul\x00.zip"},
        ),
        absent={
            f"aws_lambda_function.{side}_function.package_type": "Image" for side in ("primary", "secondary")
        },
        unknown=(
            {f"{FUNCTION}.filename": VAR},
            {f"{FUNCTION}.handler": VAR},
            {f"{FUNCTION}.runtime": "nodejs22.x"},
            {f"{FUNCTION}.filename": ..., f"{FUNCTION}.s3_key": "code.zip"},
        ),
    ),
    "PI-LAM-002": Case(
        fails=({f"{FUNCTION}.filename": "careless.zip"},),
        absent={f"aws_lambda_function.{side}_function.image_uri": "x" for side in ("primary", "secondary")},
        unknown=({f"{FUNCTION}.filename": "missing.zip"}, {f"{FUNCTION}.filename": VAR}),
    ),
    "PI-LAM-003": Case(
        fails=({f"{FUNCTION}.filename": "careless.zip"},),
        absent={f"aws_lambda_function.{side}_function.image_uri": "x" for side in ("primary", "secondary")},
        unknown=({f"{FUNCTION}.filename": "missing.zip"}, {f"{FUNCTION}.filename": VAR}),
    ),
    "PI-LAM-004": Case(
        fails=(
            {f"{FUNCTION}.kms_key_arn": ...},
            {f"{FUNCTION}.kms_key_arn": OTHER_KEY},
            {f"{FUNCTION}.environment.variables.API_KEY": "hunter2hunter2"},
            {f"{FUNCTION}.environment.variables.ACCESS": "AKIAABCDEFGHIJKLMNOP"},
            {f"{FUNCTION}.environment.variables.KEY": "${aws_api_gateway_api_key.primary_key.value}"},
            {f"{FUNCTION}.environment.variables.KEY": "${aws_ssm_parameter.primary_key.value}"},
        ),
        absent={f"aws_lambda_function.{side}_function.environment": ... for side in ("primary", "secondary")},
        unknown=(
            {f"{FUNCTION}.environment": VAR},
            {f"{FUNCTION}.environment.variables": VAR},
            {f"{FUNCTION}.environment.variables.DB_PASSWORD": VAR},
            {f"{FUNCTION}.environment.variables.X": {}},
            {f"{FUNCTION}.kms_key_arn": VAR},
        ),
        passes=(
            {f"{FUNCTION}.environment.variables.API_KEY": "/payment-demo/api-key"},
            {f"{FUNCTION}.environment.variables.API_KEY": "${aws_ssm_parameter.primary_key.name}"},
            {f"{FUNCTION}.environment.variables.TABLE": "${aws_ssm_parameter.primary_table.value}"},
            {f"{FUNCTION}.environment.variables.RETRIES": 3},
            {f"{FUNCTION}.environment": [{}]},
        ),
    ),
    "PI-LAM-005": Case(
        fails=(
            {f"{FUNCTION}.runtime": "python3.9"},
            {f"{FUNCTION}.runtime": "nodejs18.x"},
            {f"{FUNCTION}.runtime": ...},
        ),
        absent={f"aws_lambda_function.{side}_function.image_uri": "x" for side in ("primary", "secondary")},
        unknown=(
            {f"{FUNCTION}.runtime": VAR},
            {f"{FUNCTION}.runtime": "python9.9"},
            {f"{FUNCTION}.runtime": []},
        ),
        passes=({f"{FUNCTION}.runtime": "python3.13"}, {f"{FUNCTION}.runtime": "provided.al2023"}),
    ),
    "PI-CW-001": Case(
        fails=(
            {ALARM: ...},
            {"aws_cloudwatch_metric_alarm.secondary_slow": ...},
            {"aws_cloudwatch_metric_alarm.secondary_reads": ...},
            {"aws_cloudwatch_metric_alarm.primary_writes": ...},
            {f"{ALARM}.dimensions.FunctionName": "other"},
            {f"{ALARM}.dimensions": ...},
            {f"{ALARM}.provider": "aws.secondary"},
            {f"{ALARM}.alarm_actions": ...},
            {f"{ALARM}.alarm_actions": []},
            {f"{ALARM}.actions_enabled": False},
            {f"{ALARM}.treat_missing_data": ...},
            {f"{ALARM}.treat_missing_data": "perhaps"},
        ),
        absent=gone("aws_lambda_function", "aws_dynamodb_table"),
        unknown=(
            {f"{ALARM}.metric_name": VAR},
            {f"{ALARM}.alarm_actions": VAR},
            {f"{ALARM}.alarm_actions": ["tell somebody"]},
            {f"{ALARM}.actions_enabled": VAR},
            {f"{ALARM}.treat_missing_data": VAR},
            {f"{FUNCTION}.provider": VAR},
            {f"{ALARM}.dimensions": VAR},
            {f"{ALARM}.metric_query": VAR},
            {f"{ALARM}.metric_query": {"metric": VAR}},
        ),
        warns=({"aws_sns_topic_subscription.primary_mail": ...},),
        passes=(
            {
                "aws_sns_topic_subscription.primary_mail": ...,
                "output.topic": {"description": "x", "value": "${aws_sns_topic.primary_alarms.arn}"},
            },
            {
                "aws_sns_topic_subscription.primary_mail": ...,
                "aws_chatbot_slack_channel_configuration.us": {
                    "sns_topic_arns": ["${aws_sns_topic.primary_alarms.arn}"]
                },
            },
            {"aws_sns_topic.quiet": {"name": "payment-demo-quiet"}},
            {"aws_cloudwatch_metric_alarm.primary_writes.metric_name": "ThrottledRequests"},
            {
                f"{ALARM}.alarm_actions": ...,
                "aws_cloudwatch_composite_alarm.any": {
                    "alarm_rule": "ALARM(${aws_cloudwatch_metric_alarm.primary_errors.alarm_name})",
                    "alarm_actions": ["${aws_sns_topic.primary_alarms.arn}"],
                },
            },
            {
                f"{ALARM}.namespace": ...,
                f"{ALARM}.metric_name": ...,
                f"{ALARM}.dimensions": ...,
                f"{ALARM}.metric_query": [
                    {"id": "e", "expression": "m1 / m2"},
                    {
                        "id": "m1",
                        "metric": {
                            "namespace": "AWS/Lambda",
                            "metric_name": "Errors",
                            "dimensions": {"FunctionName": "payment-demo-api"},
                        },
                    },
                ],
            },
        ),
    ),
    "PI-CW-002": Case(
        fails=(
            {f"{ALARM}.dimensions": {"Function": "payment-demo-api"}},
            {"aws_cloudwatch_metric_alarm.primary_reads.dimensions": {}},
            {"aws_cloudwatch_metric_alarm.primary_reads.dimensions.Operation": "PutItem"},
            {"aws_cloudwatch_metric_alarm.primary_refused.dimensions": {"service": "x"}},
            {f"{ALARM}.metric_name": ...},
            *(
                {f"{ALARM}.comparison_operator": comparison, f"{ALARM}.threshold": threshold, **more}
                for comparison, threshold, more in (
                    ("LessThanThreshold", 0, {}),
                    ("LessThanOrEqualToThreshold", -1, {}),
                    ("GreaterThanOrEqualToThreshold", 1e12, {}),
                    ("GreaterThanThreshold", 1, {f"{ALARM}.statistic": "Maximum"}),
                    ("GreaterThanOrEqualToThreshold", 5, {f"{ALARM}.statistic": "Average"}),
                    ("GreaterThanOrEqualToThreshold", 1, {f"{ALARM}.statistic": "SampleCount"}),
                    (
                        "GreaterThanOrEqualToThreshold",
                        3001,
                        {f"{ALARM}.metric_name": "Duration", f"{ALARM}.statistic": "Average"},
                    ),
                )
            ),
            {f"{ALARM}.datapoints_to_alarm": 3},
            {f"{ALARM}.period": 86400},
            {f"{ALARM}.threshold": 0},
            {f"{ALARM}.comparison_operator": "GreaterThanThreshold", f"{ALARM}.threshold": -1},
            health_alarm(threshold=5),
            {
                f"{FUNCTION}.environment.variables.POWERTOOLS_SERVICE_NAME": "payments",
                "aws_cloudwatch_metric_alarm.primary_refused.metric_name": "put_item",
                "aws_cloudwatch_metric_alarm.primary_refused.dimensions": {"payment_id": "x"},
            },
            {"aws_cloudwatch_metric_alarm.primary_refused.threshold": 1e12},
            {f"{ALARM}.namespace": "AWS/SQS", f"{ALARM}.metric_name": "NumberOfMessagesSent"},
            health_alarm(comparison_operator="GreaterThanOrEqualToThreshold"),
            health_alarm(comparison_operator="GreaterThanThreshold"),
            health_alarm(threshold=0),
            health_alarm(treat_missing_data="notBreaching"),
            health_alarm(dimensions={}),
            {
                f"{ALARM}.namespace": "AWS/Route53",
                f"{ALARM}.metric_name": "HealthCheckStatus",
                f"{ALARM}.dimensions": {"HealthCheckId": "x"},
                f"{ALARM}.provider": "aws.secondary",
            },
            {
                "aws_cloudwatch_metric_alarm.primary_refused.metric_name": "put_item",
                "aws_cloudwatch_metric_alarm.primary_refused.dimensions": {"nowhere_in_code": "x"},
            },
        ),
        absent=gone("aws_cloudwatch_metric_alarm"),
        unknown=(
            {f"{ALARM}.metric_name": VAR},
            {f"{ALARM}.threshold": VAR},
            {f"{ALARM}.comparison_operator": VAR},
            {f"{ALARM}.dimensions.FunctionName": 7},
            {f"{ALARM}.dimensions": VAR},
            {"aws_cloudwatch_log_metric_filter.primary_refused.metric_transformation.dimensions": VAR},
        ),
        passes=(
            {
                f"{ALARM}.namespace": ...,
                f"{ALARM}.metric_name": ...,
                f"{ALARM}.metric_query": [{"id": "e", "expression": "SELECT 1"}],
            },
            health_alarm(),
            health_alarm(comparison_operator="LessThanOrEqualToThreshold", threshold=0),
            {
                f"{ALARM}.namespace": "AWS/SQS",
                f"{ALARM}.metric_name": "ApproximateAgeOfOldestMessage",
                f"{ALARM}.dimensions": {"QueueName": "x"},
            },
            {f"{ALARM}.statistic": "Average", f"{ALARM}.threshold": 0.05},
            {f"{ALARM}.threshold": ..., f"{ALARM}.threshold_metric_id": "e1"},
            {
                f"{ALARM}.metric_name": "Duration",
                f"{ALARM}.statistic": ...,
                f"{ALARM}.extended_statistic": "p99",
                f"{ALARM}.threshold": 2500,
            },
            {
                f"{ALARM}.metric_name": "Duration",
                f"{ALARM}.statistic": "Maximum",
                f"{ALARM}.threshold": 60000,
                f"{FUNCTION}.timeout": 60,
            },
            {
                f"{ALARM}.metric_name": "Duration",
                f"{ALARM}.statistic": "Maximum",
                f"{ALARM}.threshold": 600000,
                f"{FUNCTION}.timeout": VAR,
            },
            {
                "aws_cloudwatch_metric_alarm.primary_refused.comparison_operator": "LessThanThreshold",
                "aws_cloudwatch_metric_alarm.primary_refused.threshold": -5,
            },
            {
                f"{ALARM}.namespace": "AWS/S3",
                f"{ALARM}.metric_name": "BytesPendingReplication",
                f"{ALARM}.dimensions": {"SourceBucket": "a", "DestinationBucket": "b", "RuleId": "c"},
                f"{ALARM}.threshold": 1e12,
            },
            {
                "aws_cloudwatch_metric_alarm.primary_refused.metric_name": "put_item",
                "aws_cloudwatch_metric_alarm.primary_refused.dimensions": {"service": "x", "payment_id": "y"},
            },
            {
                "aws_cloudwatch_log_metric_filter.primary_refused.metric_transformation.dimensions": {
                    "a": "$.a"
                },
                "aws_cloudwatch_metric_alarm.primary_refused.dimensions": {"a": "x"},
            },
        ),
        warns=(
            {f"{ALARM}.metric_name": "Unheard"},
            {f"{ALARM}.namespace": "AWS/Athena", f"{ALARM}.dimensions": {"WorkGroup": "x"}},
            {"aws_cloudwatch_metric_alarm.primary_refused.metric_name": "NobodyMakesThis"},
            {"aws_cloudwatch_metric_alarm.primary_refused.namespace": "nobody"},
            {"aws_cloudwatch_log_metric_filter.primary_refused": ...},
        ),
    ),
    "PI-SNS-001": Case(
        fails=(
            {"aws_sns_topic.primary_alarms.kms_master_key_id": ...},
            {"aws_sns_topic.primary_alarms.kms_master_key_id": "alias/aws/sns"},
            {"aws_sns_topic.primary_alarms.kms_master_key_id": OTHER_KEY},
        ),
        absent=gone("aws_sns_topic"),
        unknown=(
            {"aws_sns_topic.primary_alarms.kms_master_key_id": VAR},
            {"aws_sns_topic.primary_alarms.provider": VAR},
            {f"{AUDIT_KEY}.provider": VAR},
        ),
        passes=({"aws_sns_topic.other": {"kms_master_key_id": "alias/aws/sns"}},),
    ),
    "PI-SSM-001": Case(
        fails=(
            {"aws_ssm_parameter.primary_key.type": "String"},
            {"aws_ssm_parameter.primary_key.type": ...},
            {"aws_ssm_parameter.primary_key.key_id": ...},
            {"aws_ssm_parameter.primary_key.key_id": "alias/aws/ssm"},
            {"aws_ssm_parameter.primary_key.key_id": OTHER_KEY},
            {"aws_ssm_parameter.primary_table.name": "/payment-demo/db-password"},
            {"aws_ssm_parameter.primary_table.name": "/payment-demo/password"},
            {"aws_ssm_parameter.primary_table.value": "${random_password.x.result}"},
            {
                "aws_ssm_parameter.primary_table.value": ...,
                "aws_ssm_parameter.primary_table.insecure_value": "${random_password.x.result}",
            },
        ),
        absent={f"aws_ssm_parameter.{side}_key": ... for side in ("primary", "secondary")},
        unknown=(
            {"aws_ssm_parameter.primary_key.key_id": VAR},
            {"aws_ssm_parameter.primary_key.type": VAR},
            {"aws_ssm_parameter.primary_table.value": VAR},
            {"aws_ssm_parameter.primary_key.type": "Odd"},
        ),
    ),
    "PI-NAM-001": Case(
        fails=(
            {f"{TABLE}.name": "payments"},
            {f"{TABLE}.name": "payment-demo1-payments"},
            {f"{TABLE}.name": ...},
            {f"aws_s3_bucket.{BUCKET}.bucket": "audit-us-east-1"},
            {f"aws_s3_bucket.{BUCKET}.bucket": ...},
            {"aws_sns_topic.primary_alarms.name": ..., "aws_sns_topic.primary_alarms.name_prefix": "alarms-"},
            {f"{FUNCTION}.function_name": "api"},
        ),
        absent={"resource": {}},
        unknown=({f"{TABLE}.name": VAR}, {f"{TABLE}.name": {}}),
        passes=(
            {f"{TABLE}.name": "demo_${var.what}"},
            {
                "aws_cloudwatch_log_group.execution": {
                    "name": "API-Gateway-Execution-Logs_${aws_api_gateway_rest_api.primary_api.id}/prod"
                }
            },
            {f"aws_s3_bucket.{BUCKET}.bucket": ..., f"aws_s3_bucket.{BUCKET}.bucket_prefix": "payment-demo-"},
        ),
    ),
    "PI-TAG-001": Case(
        fails=(
            {"provider.aws.1.default_tags": ...},
            {"provider.aws.1.default_tags.0.tags": ...},
            {"provider.aws.1.default_tags.0.tags.Project": ...},
            {"provider.aws.1.default_tags.0.tags.Project": ""},
            {"provider.aws.0.default_tags.0.tags.Owner": "payments"},
            {f"{REPLICA}.propagate_tags": ...},
            {f"{REPLICA}.propagate_tags": False},
            {f"{TABLE}.tags": {"Environment": ""}},
        ),
        absent={"resource": {}},
        unknown=(
            {"provider.aws.1.default_tags": VAR},
            {"provider.aws.1.default_tags.0.tags": VAR},
            {f"{REPLICA}.propagate_tags": VAR},
            {f"{TABLE}.replica": VAR},
            {f"{TABLE}.tags": {"Project": []}},
        ),
        passes=(
            {
                "provider.aws.1.default_tags": ...,
                **{
                    f"{kind}.{name}.tags": {
                        "Environment": "demo",
                        "EnvironmentSuffix": "demo",
                        "Project": "p",
                        "ManagedBy": "m",
                    }
                    for kind, name in (
                        ("aws_kms_key", "secondary_data"),
                        ("aws_kms_key", "secondary_audit"),
                        ("aws_kms_key", "secondary_app"),
                        ("aws_s3_bucket", "secondary_audit"),
                        ("aws_iam_role", "secondary_function"),
                        ("aws_iam_role", "secondary_copies"),
                        ("aws_cloudwatch_log_group", "secondary_function"),
                        ("aws_cloudwatch_log_group", "secondary_access"),
                        ("aws_lambda_function", "secondary_function"),
                        ("aws_api_gateway_rest_api", "secondary_api"),
                        ("aws_api_gateway_stage", "secondary_prod"),
                        ("aws_api_gateway_api_key", "secondary_key"),
                        ("aws_api_gateway_usage_plan", "secondary_plan"),
                        ("aws_cloudwatch_metric_alarm", "secondary_errors"),
                        ("aws_cloudwatch_metric_alarm", "secondary_slow"),
                        ("aws_cloudwatch_metric_alarm", "secondary_reads"),
                        ("aws_cloudwatch_metric_alarm", "secondary_writes"),
                        ("aws_cloudwatch_metric_alarm", "secondary_refused"),
                        ("aws_sns_topic", "secondary_alarms"),
                        ("aws_ssm_parameter", "secondary_table"),
                        ("aws_ssm_parameter", "secondary_key"),
                        ("aws_route53_health_check", "secondary_check"),
                    )
                },
            },
        ),
    ),
    "PI-TAG-002": Case(
        fails=(
            {f"{TABLE}.tags": {"environment": "demo"}},
            {f"{TABLE}.tags": {"cost-center": "1"}},
            {f"{TABLE}.tags": {"Environment": "Demo"}},
            {"provider.aws.1.default_tags.0.tags.Environment": "other"},
            {f"{TABLE}.tags": {"Team": "a"}, f"{FUNCTION}.tags": {"team": "a"}},
        ),
        absent={f"provider.aws.{number}.default_tags": ... for number in (0, 1)},
        unknown=(
            {"provider.aws.1.default_tags": VAR},
            {f"{TABLE}.tags": {"Environment": VAR}},
            {f"{TABLE}.tags": {"Environment": 7}},
        ),
    ),
    "PI-OUT-001": Case(
        fails=(
            {"output.api_endpoint.description": ...},
            {"output.api_endpoint.description": ""},
            {"output.api_key.sensitive": ...},
            {"output.api_key.sensitive": False},
            {"output.parameter": {"description": "x", "value": "${aws_ssm_parameter.primary_key.value}"}},
        ),
        absent=gone("output"),
        unknown=(
            {"output.api_endpoint.description": VAR},
            {"output.api_key.sensitive": VAR},
            {"output.api_endpoint.description": []},
        ),
        passes=({"output.table": {"description": "x", "value": "${aws_ssm_parameter.primary_table.value}"}},),
    ),
}
EVERY_ID = [
    one.rule.id for one in gather(import_module(f"payinfra.checks.policy.{n}") for n in policy.MODULES)
]
NEVER_ABSENT = {"PI-ENG-001", "PI-REG-001"}
"""A file without AWS resources never reaches a check; these two speak about the file itself."""
NEVER_PASSED = {"PI-IAM-008"}
"""What it looks for is wrong wherever it is."""
NEVER_UNKNOWN = {"PI-ENG-002", "PI-IAM-008", "PI-SEC-003", "PI-BAK-002", "PI-TF-006"}
"""They ask only whether something is there, or how a literal looks."""


def test_every_check_has_its_cases() -> None:
    assert set(CASES) == set(EVERY_ID)
    for id_, case in CASES.items():
        assert case.fails or case.warns, id_
        assert bool(case.unknown) == (id_ not in NEVER_UNKNOWN), id_
        assert (case.absent is None) == (id_ in NEVER_ABSENT), id_


def kinds_of(world: "GoodStack", id_: str, changes: Changes, **more: Any) -> Counter[Kind]:
    """What a check says of a spoiled copy of the good stack, with what it judges added to it."""
    return world.kinds(id_, CASES[id_].present, changes, **more)


def each(which: str) -> list[Any]:
    """Parameters: one a change."""
    return [
        pytest.param(id_, changes, id=f"{id_}-{number}")
        for id_, case in CASES.items()
        for number, changes in enumerate(getattr(case, which))
    ]


@pytest.mark.parametrize("id_", sorted(set(CASES) - NEVER_PASSED))
def test_the_good_stack_passes(world: "GoodStack", id_: str) -> None:
    kinds = kinds_of(world, id_, {})
    assert kinds[Kind.PASS]
    assert set(kinds) <= {Kind.PASS, Kind.NOT_APPLICABLE}


@pytest.mark.parametrize(("id_", "changes"), each("fails"))
def test_a_fault_fails(world: "GoodStack", careless: None, id_: str, changes: Changes) -> None:
    kinds = kinds_of(world, id_, changes)
    assert kinds[Kind.FAIL], kinds


@pytest.mark.parametrize("id_", sorted(set(CASES) - NEVER_ABSENT))
def test_what_is_absent_is_not_judged(world: "GoodStack", id_: str) -> None:
    absent = CASES[id_].absent
    assert absent is not None
    kinds = kinds_of(world, id_, absent, **CASES[id_].absent_manifest)
    assert set(kinds) == {Kind.NOT_APPLICABLE}


@pytest.mark.parametrize(("id_", "changes"), each("unknown"))
def test_what_is_not_known_does_not_pass(world: "GoodStack", id_: str, changes: Changes) -> None:
    kinds = kinds_of(world, id_, changes, **CASES[id_].unknown_manifest)
    assert kinds[Kind.UNKNOWN], kinds


@pytest.mark.parametrize(("id_", "changes"), each("passes"))
def test_another_way_to_write_it_passes(world: "GoodStack", id_: str, changes: Changes) -> None:
    kinds = kinds_of(world, id_, changes)
    assert set(kinds) <= {Kind.PASS, Kind.NOT_APPLICABLE}, kinds


@pytest.mark.parametrize(("id_", "changes"), each("warns"))
def test_what_a_person_should_know_is_a_warning(world: "GoodStack", id_: str, changes: Changes) -> None:
    kinds = kinds_of(world, id_, changes)
    assert kinds[Kind.WARN]
    assert not kinds[Kind.FAIL]
    assert not kinds[Kind.UNKNOWN]


@pytest.mark.parametrize("id_", sorted(CASES))
def test_nothing_at_all_is_not_applicable_or_a_failure(world: "GoodStack", id_: str) -> None:
    kinds = world.kinds(id_, gone("provider", "output", "data") | {"resource": {}})
    assert set(kinds) <= {Kind.NOT_APPLICABLE, Kind.FAIL}
    assert (Kind.FAIL in kinds) == (id_ in NEVER_ABSENT)


@pytest.fixture(scope="module")
def careless(world: "GoodStack", zip_of: Callable[..., Any]) -> None:
    """A handler that catches nothing and refuses nothing."""
    zip_of(
        world.folder / "careless.zip",
        {
            "payments/handler.py": "import boto3\nimport json\n"
            "def handle(event, context):\n"
            "    try:\n        return json.loads(event['body'])\n    except ValueError:\n        pass\n"
        },
    )
