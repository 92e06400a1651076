"""Cases of the checks of what a stack may have besides: queues, secrets, databases, names, Terraform's own
settings."""

import json
from collections.abc import Mapping
from typing import Any

from tests.unit.checks.policy.case import VAR, Case, gone

KEY, OTHER_KEY = "${aws_kms_key.primary_app.arn}", "${aws_kms_key.secondary_app.arn}"
ACCOUNT = "${data.aws_caller_identity.me.account_id}"
TABLE = "aws_dynamodb_table.ledger"
FUNCTION = "aws_lambda_function.primary_function"
PERMISSION = "aws_lambda_permission.primary_api"
STREAM = "aws_lambda_event_source_mapping.stream"
LETTERS = "arn:aws:sqs:us-east-1:111122223333:payment-demo-letters"
QUEUE = "aws_sqs_queue.work"
SECRET = "aws_secretsmanager_secret.acquirer"
ROTATION = "aws_secretsmanager_secret_rotation.acquirer"
DATABASE = "aws_db_instance.orders"
CLUSTER = "aws_rds_cluster.orders"
BUCKET = "aws_s3_bucket.primary_audit"
LIFECYCLE = "aws_s3_bucket_lifecycle_configuration.primary_audit.rule.0"
STATE = "terraform.backend.s3"
S3_BACKEND = {"bucket": "payment-state", "key": "demo", "encrypt": True, "use_lockfile": True}
LOCAL = {"sns": "http://127.0.0.1:4566", "s3": "http://s3.localhost:4566"}
GROUP_RULE = "aws_security_group_rule.office"
MACHINE = "aws_instance.one"
SSH: dict[str, Any] = {"from_port": 22, "to_port": 22, "protocol": "tcp"}
DATABASE_BODY: dict[str, Any] = {
    "provider": "aws.primary",
    "backup_retention_period": 14,
    "skip_final_snapshot": False,
}


def policy(
    principal: Any, action: str, condition: dict[str, Any] | None = None, effect: str = "Allow"
) -> str:
    """A policy of one statement."""
    more = {"Condition": condition} if condition else {}
    statement = {"Effect": effect, "Principal": principal, "Action": action, "Resource": "*", **more}
    return json.dumps({"Statement": [statement]})


SNS_POLICY = "aws_sns_topic_policy.primary_alarms"


def topic_policy(text: str) -> dict[str, Any]:
    """A policy on the alarms' topic."""
    return {SNS_POLICY: {"arn": "${aws_sns_topic.primary_alarms.arn}", "policy": text}}


def queue_policy(text: str) -> dict[str, Any]:
    """A policy on the queue."""
    return {"aws_sqs_queue_policy.work": {"queue_url": "${aws_sqs_queue.work.id}", "policy": text}}


def closed_and_open(action: str) -> tuple[list[str], list[str]]:
    """Policies that let no stranger in, and such that do."""
    mine = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    closed = [
        policy({"Service": "cloudwatch.amazonaws.com"}, action, mine),
        policy({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, action),
        policy("*", action, {"StringEquals": {"aws:SourceOwner": ACCOUNT}}),
        policy("*", action, {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::payment-demo-audit"}}),
        policy("*", action, {"StringEquals": {"aws:PrincipalOrgID": "o-payments"}}),
        policy("*", action, {"Bool": {"aws:SecureTransport": "false"}}, effect="Deny"),
        policy("*", "sns:NoSuchThing"),
    ]
    opened = [
        policy("*", action),
        policy({"AWS": "*"}, action, {"Bool": {"aws:SecureTransport": "true"}}),
        policy("*", action, {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::*"}}),
        policy("*", action, {"StringNotEquals": {"aws:SourceAccount": ACCOUNT}}),
        policy("*", action, {"StringEqualsIfExists": {"aws:SourceAccount": ACCOUNT}}),
        policy("*", action, {"ForAllValues:StringEquals": {"aws:PrincipalOrgID": "o-payments"}}),
        policy({"Service": "s3.amazonaws.com"}, action),
        policy({"Service": "sns.amazonaws.com"}, action, {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:*"}}),
    ]
    return closed, opened


SNS_CLOSED, SNS_OPEN = closed_and_open("sns:Publish")
SQS_CLOSED, SQS_OPEN = closed_and_open("sqs:SendMessage")
SECRET_CLOSED, SECRET_OPEN = closed_and_open("secretsmanager:GetSecretValue")


def secret_policy(text: str) -> dict[str, Any]:
    """A policy on the secret."""
    named = "${aws_secretsmanager_secret.acquirer.arn}"
    return {"aws_secretsmanager_secret_policy.acquirer": {"secret_arn": named, "policy": text}}


TABLE_CLOSED, TABLE_OPEN = closed_and_open("dynamodb:GetItem")


def table_policy(text: str) -> dict[str, Any]:
    """A policy on the table."""
    named = f"${{{TABLE}.arn}}"
    return {"aws_dynamodb_resource_policy.ledger": {"resource_arn": named, "policy": text}}


OWNERSHIP = "aws_s3_bucket_ownership_controls.primary_audit"


def owned(by: str) -> dict[str, Any]:
    """Ownership controls of the audit bucket."""
    return {"bucket": "${aws_s3_bucket.primary_audit.id}", "rule": {"object_ownership": by}}


FURTHER: Mapping[str, Case] = {
    "PI-ENG-002": Case(
        fails=(
            {"aws_s3_bucket.primary_audit": ...},
            {"data.aws_caller_identity": ...},
            {f"{FUNCTION}.layers": ["${aws_lambda_layer_version.gone.arn}"]},
        ),
        absent={"module.network.source": "./network"},
        unknown=(),
        passes=(
            {f"{FUNCTION}.layers": ["${aws_lambda_layer_version.maybe[0].arn}"]},
            {f"{FUNCTION}.layers": "${aws_lambda_layer_version.maybe[*].arn}"},
            {f"{FUNCTION}.depends_on": ["aws_cloudwatch_log_group.gone"]},
        ),
    ),
    "PI-DDB-006": Case(
        fails=(
            {f"{TABLE}.ttl": {"enabled": True, "attribute_name": "expires"}},
            {f"{TABLE}.ttl": [{"enabled": "true"}], f"{TABLE}.name": "payment-demo-orders"},
        ),
        absent=gone("aws_dynamodb_table"),
        unknown=({f"{TABLE}.ttl": {"enabled": VAR}}, {f"{TABLE}.ttl": VAR}),
        passes=(
            {f"{TABLE}.ttl": {"enabled": False}},
            {"aws_dynamodb_table.sessions": {"name": "demo-sessions", "ttl": {"enabled": True}}},
        ),
    ),
    "PI-IAM-008": Case(
        fails=(
            {"aws_iam_access_key.ci": {"user": "ci"}},
            {"aws_iam_user_login_profile.ann": {"user": "ann"}},
            {"aws_iam_service_specific_credential.git": {"user": "ann"}},
        ),
        warns=({"aws_iam_access_key.ci": {"user": "ci", "status": "Inactive"}},),
        absent={},
        unknown=(),
    ),
    "PI-S3-006": Case(
        fails=(
            {f"{LIFECYCLE}.expiration": {"days": 1}},
            {f"{LIFECYCLE}.expiration": [{"days": "30"}]},
            {f"{LIFECYCLE}.noncurrent_version_expiration": [{"noncurrent_days": 1}]},
            {f"{BUCKET}.lifecycle_rule": [{"enabled": True, "expiration": {"days": 7}}]},
        ),
        warns=({f"{LIFECYCLE}.expiration": {"days": 200}},),
        absent={},
        absent_manifest={"protected": False},
        unknown=({f"{LIFECYCLE}.expiration": {"days": VAR}},),
        passes=(
            {f"{LIFECYCLE}.expiration": {"days": 400}},
            {f"{LIFECYCLE}.expiration": {"date": "2040-01-01T00:00:00Z"}},
            {f"{LIFECYCLE}.expiration": {"days": 1}, f"{LIFECYCLE}.status": "Disabled"},
            {f"{BUCKET}.lifecycle_rule": [{"enabled": False, "expiration": {"days": 7}}]},
            {
                "aws_s3_bucket.uploads": {"bucket": "payment-demo-uploads"},
                "aws_s3_bucket_lifecycle_configuration.uploads": {
                    "bucket": "${aws_s3_bucket.uploads.id}",
                    "rule": [{"status": "Enabled", "expiration": {"days": 1}}],
                },
            },
        ),
    ),
    "PI-S3-007": Case(
        fails=(
            {f"{BUCKET}.acl": "public-read"},
            {"aws_s3_bucket_acl.x": {"bucket": "${aws_s3_bucket.primary_audit.id}", "acl": "public-read"}},
            {OWNERSHIP: owned("ObjectWriter")},
            {OWNERSHIP: owned("BucketOwnerPreferred")},
            {OWNERSHIP: {"bucket": "${aws_s3_bucket.primary_audit.id}"}},
        ),
        absent=gone("aws_s3_bucket"),
        unknown=({f"{BUCKET}.acl": VAR}, {OWNERSHIP: owned(VAR)}),
        passes=({f"{BUCKET}.acl": "private"}, {OWNERSHIP: owned("BucketOwnerEnforced")}),
    ),
    "PI-LAM-006": Case(
        fails=(
            {f"{PERMISSION}.principal": "*", f"{PERMISSION}.source_arn": ...},
            {f"{PERMISSION}.source_arn": ...},
            {f"{PERMISSION}.source_arn": "*"},
            {f"{PERMISSION}.principal": ...},
            {
                "aws_lambda_permission.url": {
                    "action": "lambda:InvokeFunctionUrl",
                    "principal": "*",
                    "function_url_auth_type": "NONE",
                }
            },
            {"aws_lambda_permission.events": {"principal": "events.amazonaws.com"}},
        ),
        absent=gone("aws_lambda_permission"),
        unknown=({f"{PERMISSION}.principal": {}},),
        passes=(
            {f"{PERMISSION}.source_arn": ..., f"{PERMISSION}.source_account": ACCOUNT},
            {f"{PERMISSION}.principal": "123456789012", f"{PERMISSION}.source_arn": ...},
            {f"{PERMISSION}.principal": "*", f"{PERMISSION}.principal_org_id": "o-payments"},
            {
                "aws_lambda_permission.skill": {
                    "principal": "alexa-appkit.amazon.com",
                    "event_source_token": "amzn1.ask.skill.1",
                }
            },
        ),
    ),
    "PI-LAM-007": Case(
        fails=(
            {f"{FUNCTION}.tracing_config.mode": "PassThrough"},
            {f"{FUNCTION}.tracing_config": ...},
            {"aws_api_gateway_stage.primary_prod.xray_tracing_enabled": False},
            {"aws_sfn_state_machine.refund": {"name": "x"}},
        ),
        absent=gone("aws_lambda_function", "aws_api_gateway_stage"),
        unknown=({f"{FUNCTION}.tracing_config.mode": VAR},),
        passes=({"aws_sfn_state_machine.refund": {"tracing_configuration": [{"enabled": True}]}},),
    ),
    "PI-LAM-008": Case(
        present={
            "aws_lambda_event_source_mapping.stream": {
                "event_source_arn": "${aws_dynamodb_table.ledger.stream_arn}",
                "maximum_retry_attempts": 3,
                "destination_config": {"on_failure": {"destination_arn": LETTERS}},
            }
        },
        fails=(
            {f"{STREAM}.destination_config": ...},
            {f"{STREAM}.destination_config": {"on_failure": {}}},
            {f"{STREAM}.destination_config": ..., f"{STREAM}.maximum_retry_attempts": ...},
            {f"{STREAM}.destination_config": [], f"{STREAM}.maximum_retry_attempts": -1},
            {f"{PERMISSION}.principal": "sns.amazonaws.com"},
        ),
        absent={"aws_lambda_event_source_mapping": ...},
        unknown=(
            {f"{STREAM}.destination_config.on_failure.destination_arn": VAR},
            {f"{PERMISSION}.principal": "s3.amazonaws.com", f"{FUNCTION}.dead_letter_config": VAR},
        ),
        passes=(
            {f"{STREAM}.maximum_retry_attempts": ...},
            {"aws_lambda_event_source_mapping.queue": {"event_source_arn": "arn:aws:sqs:us-east-1:1:q"}},
            {
                f"{PERMISSION}.principal": "events.amazonaws.com",
                f"{FUNCTION}.dead_letter_config": {"target_arn": LETTERS},
            },
            {
                f"{PERMISSION}.principal": "s3.amazonaws.com",
                "aws_lambda_function_event_invoke_config.all": {
                    "function_name": "${aws_lambda_function.primary_function.function_name}",
                    "destination_config": {"on_failure": {"destination": "${aws_sqs_queue.work.arn}"}},
                },
            },
        ),
    ),
    "PI-POL-001": Case(
        present=table_policy(TABLE_CLOSED[0]),
        fails=tuple(map(table_policy, TABLE_OPEN)),
        absent={"aws_dynamodb_resource_policy": ...},
        unknown=tuple(map(table_policy, (VAR, policy(7, "dynamodb:GetItem")))),
        passes=tuple(map(table_policy, TABLE_CLOSED)),
    ),
    "PI-SNS-002": Case(
        present=topic_policy(SNS_CLOSED[0]),
        fails=tuple(map(topic_policy, SNS_OPEN)),
        absent={"aws_sns_topic_policy": ...},
        unknown=tuple(map(topic_policy, (VAR, policy(7, "sns:Publish")))),
        passes=tuple(map(topic_policy, SNS_CLOSED)),
    ),
    "PI-SQS-001": Case(
        present={QUEUE: {"provider": "aws.primary", "name": "payment-demo-work"}},
        fails=(
            {f"{QUEUE}.sqs_managed_sse_enabled": False},
            {f"{QUEUE}.kms_master_key_id": OTHER_KEY},
        ),
        absent={"aws_sqs_queue": ...},
        unknown=(
            {f"{QUEUE}.sqs_managed_sse_enabled": VAR},
            {f"{QUEUE}.kms_master_key_id": VAR},
            {f"{QUEUE}.kms_master_key_id": KEY, f"{QUEUE}.provider": VAR},
        ),
        passes=(
            {f"{QUEUE}.sqs_managed_sse_enabled": True},
            {f"{QUEUE}.kms_master_key_id": KEY},
            {f"{QUEUE}.kms_master_key_id": "alias/aws/sqs"},
        ),
    ),
    "PI-SQS-002": Case(
        present={QUEUE: {"provider": "aws.primary"}, **queue_policy(SQS_CLOSED[0])},
        fails=(*map(queue_policy, SQS_OPEN), {f"{QUEUE}.policy": SQS_OPEN[0]}),
        absent={"aws_sqs_queue_policy": ...},
        unknown=tuple(map(queue_policy, (VAR, policy(7, "sqs:SendMessage")))),
        passes=tuple(map(queue_policy, SQS_CLOSED)),
    ),
    "PI-SQS-003": Case(
        present={QUEUE: {"redrive_policy": '{"deadLetterTargetArn": "x", "maxReceiveCount": 5}'}},
        fails=(
            {f"{QUEUE}.redrive_policy": ...},
            {f"{QUEUE}.redrive_policy": "{}"},
        ),
        absent={"aws_sqs_queue": ...},
        unknown=(
            {f"{QUEUE}.redrive_policy": VAR},
            {f"{QUEUE}.redrive_policy": ..., "aws_sqs_queue_redrive_policy.x": {"queue_url": VAR}},
        ),
        passes=(
            {
                f"{QUEUE}.redrive_policy": '${jsonencode({"deadLetterTargetArn": aws_sqs_queue.dead.arn})}',
                "aws_sqs_queue.dead": {},
            },
            {
                f"{QUEUE}.redrive_policy": ...,
                "aws_sqs_queue_redrive_policy.x": {
                    "queue_url": "${aws_sqs_queue.work.id}",
                    "redrive_policy": '{"deadLetterTargetArn": "x", "maxReceiveCount": 5}',
                },
            },
            {
                f"{QUEUE}.redrive_policy": ...,
                f"{FUNCTION}.dead_letter_config": {"target_arn": "${aws_sqs_queue.work.arn}"},
            },
        ),
    ),
    "PI-SEC-001": Case(
        present={SECRET: {"provider": "aws.primary", "kms_key_id": KEY}},
        fails=(
            {f"{SECRET}.kms_key_id": ...},
            {f"{SECRET}.kms_key_id": "alias/aws/secretsmanager"},
            {f"{SECRET}.kms_key_id": OTHER_KEY},
            {f"{SECRET}.replica": [{"region": "us-west-2"}]},
            {f"{SECRET}.replica": [{"region": "us-west-2", "kms_key_id": KEY}]},
        ),
        absent={"aws_secretsmanager_secret": ...},
        unknown=({f"{SECRET}.kms_key_id": VAR}, {f"{SECRET}.replica": VAR}),
        passes=({f"{SECRET}.replica": [{"region": "us-west-2", "kms_key_id": OTHER_KEY}]},),
    ),
    "PI-SEC-002": Case(
        present={
            SECRET: {"provider": "aws.primary"},
            ROTATION: {
                "secret_id": "${aws_secretsmanager_secret.acquirer.id}",
                "rotation_rules": {"automatically_after_days": 30},
            },
        },
        fails=(
            {ROTATION: ...},
            {f"{ROTATION}.rotation_rules.automatically_after_days": 365},
            {f"{ROTATION}.rotation_rules": ...},
        ),
        absent={"aws_secretsmanager_secret": ...},
        unknown=(
            {f"{ROTATION}.secret_id": VAR},
            {f"{ROTATION}.rotation_rules.automatically_after_days": VAR},
        ),
        passes=({f"{ROTATION}.rotation_rules": {"schedule_expression": "rate(10 days)"}},),
    ),
    "PI-SEC-004": Case(
        present={SECRET: {"provider": "aws.primary"}, **secret_policy(SECRET_CLOSED[0])},
        fails=(*map(secret_policy, SECRET_OPEN), {f"{SECRET}.policy": SECRET_OPEN[0]}),
        absent={"aws_secretsmanager_secret_policy": ...},
        unknown=tuple(map(secret_policy, (VAR, policy(7, "secretsmanager:GetSecretValue")))),
        passes=tuple(map(secret_policy, SECRET_CLOSED)),
    ),
    "PI-SEC-003": Case(
        fails=(
            {"aws_api_gateway_api_key.secondary_key.value": "s3cr3t-s3cr3t-s3cr3t-s3cr3t"},
            {"aws_db_instance.orders": {"password": "correct-horse"}},
            {"aws_rds_cluster.orders": {"master_password": "correct-horse"}},
            {"aws_directory_service_directory.staff": {"password": "correct-horse"}},
            {"aws_cognito_user.one": {"temporary_password": "correct-horse"}},
            {"aws_secretsmanager_secret_version.x": {"secret_string": "correct-horse"}},
            {"aws_ssm_parameter.primary_key.value": "correct-horse"},
            {"aws_ecs_task_definition.web": {"container_definitions": '[{"value": "whsec_9fK2mQ7xT4vB"}]'}},
            {"aws_instance.web": {"user_data": "export AWS=AKIAABCDEFGHIJKLMNOP"}},
            {"locals.url": "postgres://pay:correct-horse@db/pay"},
        ),
        absent={"resource": {}, "data": ...},
        unknown=(),
        passes=(
            {"aws_db_instance.orders": {"password": "${random_password.db.result}"}},
            {"aws_db_instance.orders": {"password": VAR}},
            {
                "aws_secretsmanager_secret_version.x": {
                    "secret_string": "written by hand",
                    "lifecycle": {"ignore_changes": ["secret_string"]},
                }
            },
            {
                "aws_secretsmanager_secret_version.x": {
                    "secret_string": "written by hand",
                    "lifecycle": {"ignore_changes": "all"},
                }
            },
            {"locals.url": "postgres://${var.user}:<password>@db/pay"},
            {f"{FUNCTION}.environment.variables.A": "whsec_9fK2mQ7xT4vB"},
        ),
    ),
    "PI-BAK-001": Case(
        present={DATABASE: DATABASE_BODY},
        fails=(
            {f"{DATABASE}.backup_retention_period": 0},
            {f"{DATABASE}.backup_retention_period": ...},
            {f"{DATABASE}.skip_final_snapshot": True},
            {CLUSTER: {"skip_final_snapshot": False}},
            {CLUSTER: {"backup_retention_period": 3}},
            {
                f"{DATABASE}.backup_retention_period": 0,
                "aws_backup_selection.data": {
                    "selection_tag": [{"type": "STRINGEQUALS", "key": "Backup", "value": "yes"}]
                },
            },
        ),
        absent={DATABASE: ...},
        unknown=({f"{DATABASE}.backup_retention_period": VAR}, {f"{DATABASE}.skip_final_snapshot": VAR}),
        passes=(
            {f"{DATABASE}.backup_retention_period": 7},
            {"aws_db_instance.replica": {"replicate_source_db": "${aws_db_instance.orders.arn}"}},
            {
                f"{DATABASE}.backup_retention_period": 0,
                "aws_backup_selection.data": {"resources": ["${aws_db_instance.orders.arn}"]},
            },
            {f"{DATABASE}.backup_retention_period": 0, "aws_backup_selection.data": {"resources": ["*"]}},
            {
                f"{DATABASE}.backup_retention_period": 0,
                f"{DATABASE}.tags": {"Backup": "yes"},
                "aws_backup_selection.data": {
                    "selection_tag": [{"type": "STRINGEQUALS", "key": "Backup", "value": "yes"}]
                },
            },
        ),
    ),
    "PI-BAK-002": Case(
        present={"aws_backup_plan.data": {}, "aws_backup_restore_testing_plan.data": {}},
        fails=(),
        warns=({"aws_backup_restore_testing_plan.data": ...},),
        absent={"aws_backup_plan": ...},
        unknown=(),
    ),
    "PI-NET-001": Case(
        present={DATABASE: DATABASE_BODY},
        fails=(
            {f"{DATABASE}.publicly_accessible": True},
            {"aws_rds_cluster_instance.one": {"publicly_accessible": "true"}},
            {"aws_redshift_cluster.one": {"publicly_accessible": True}},
        ),
        warns=({"aws_redshift_cluster.one": {}},),
        absent={DATABASE: ...},
        unknown=({f"{DATABASE}.publicly_accessible": VAR},),
        passes=(
            {f"{DATABASE}.publicly_accessible": False},
            {"aws_redshift_cluster.one": {"publicly_accessible": False}},
        ),
    ),
    "PI-NET-002": Case(
        present={GROUP_RULE: {**SSH, "type": "ingress", "cidr_blocks": ["10.0.0.0/8"]}},
        fails=(
            {f"{GROUP_RULE}.cidr_blocks": ["0.0.0.0/0"]},
            {f"{GROUP_RULE}.cidr_blocks": ["10.0.0.0/8", "12.0.0.0/6"]},
            {f"{GROUP_RULE}.ipv6_cidr_blocks": ["::/0"]},
            {
                f"{GROUP_RULE}.cidr_blocks": ["0.0.0.0/0"],
                f"{GROUP_RULE}.from_port": 0,
                f"{GROUP_RULE}.to_port": 65535,
            },
            {f"{GROUP_RULE}.cidr_blocks": ["0.0.0.0/0"], f"{GROUP_RULE}.protocol": "-1"},
            {"aws_vpc_security_group_ingress_rule.one": {"ip_protocol": "-1", "cidr_ipv4": "0.0.0.0/0"}},
            {"aws_vpc_security_group_ingress_rule.one": {**SSH, "ip_protocol": "tcp", "cidr_ipv6": "::/0"}},
            {"aws_security_group.one": {"ingress": [{**SSH, "cidr_blocks": ["0.0.0.0/0"]}]}},
            {"aws_default_security_group.one": {"ingress": {**SSH, "cidr_blocks": ["0.0.0.0/0"]}}},
            {f"{GROUP_RULE}.type": ...},
            {f"{GROUP_RULE}.cidr_blocks": ["0.0.0.0/0"], f"{GROUP_RULE}.from_port": ...},
        ),
        absent={GROUP_RULE: ...},
        unknown=(
            {f"{GROUP_RULE}.type": VAR},
            {f"{GROUP_RULE}.cidr_blocks": VAR},
            {f"{GROUP_RULE}.cidr_blocks": ["0.0.0.0/0"], f"{GROUP_RULE}.to_port": VAR},
            {"aws_vpc_security_group_ingress_rule.one": {**SSH, "ip_protocol": "tcp", "cidr_ipv4": VAR}},
            {"aws_security_group.one": {"ingress": VAR}},
        ),
        passes=(
            {f"{GROUP_RULE}.cidr_blocks": ["0.0.0.0/0"], f"{GROUP_RULE}.type": "egress"},
            {
                f"{GROUP_RULE}.cidr_blocks": ["0.0.0.0/0"],
                f"{GROUP_RULE}.from_port": 443,
                f"{GROUP_RULE}.to_port": 443,
            },
            {f"{GROUP_RULE}.cidr_blocks": ["0.0.0.0/0"], f"{GROUP_RULE}.protocol": "icmp"},
            {f"{GROUP_RULE}.cidr_blocks": ["no range"]},
            {f"{GROUP_RULE}.cidr_blocks": ..., f"{GROUP_RULE}.source_security_group_id": "sg-1"},
            {"aws_security_group.one": {"ingress": [{**SSH, "cidr_blocks": ["198.51.100.7/32"]}]}},
            {
                f"{GROUP_RULE}.cidr_blocks": VAR,
                f"{GROUP_RULE}.from_port": 443,
                f"{GROUP_RULE}.to_port": 443,
            },
        ),
    ),
    "PI-NET-003": Case(
        present={MACHINE: {"metadata_options": {"http_tokens": "required"}}},
        fails=(
            {f"{MACHINE}.metadata_options": ...},
            {f"{MACHINE}.metadata_options.http_tokens": "optional"},
            {"aws_launch_template.one": {}},
        ),
        absent={MACHINE: ...},
        unknown=({f"{MACHINE}.metadata_options.http_tokens": VAR},),
        passes=(
            {f"{MACHINE}.metadata_options": {"http_endpoint": "disabled"}},
            {f"{MACHINE}.metadata_options": ..., f"{MACHINE}.launch_template": {"name": "one"}},
        ),
    ),
    "PI-NET-004": Case(
        present={DATABASE: {**DATABASE_BODY, "storage_encrypted": True}},
        fails=(
            {f"{DATABASE}.storage_encrypted": False},
            {f"{DATABASE}.storage_encrypted": ...},
            {"aws_kinesis_stream.one": {}},
            {"aws_kinesis_stream.one": {"encryption_type": "NONE"}},
            {"aws_elasticache_replication_group.one": {"at_rest_encryption_enabled": False}},
            {MACHINE: {"root_block_device": [{"encrypted": False}]}},
            {"aws_launch_template.one": {"block_device_mappings": [{"ebs": {"encrypted": "false"}}]}},
        ),
        absent={DATABASE: ...},
        unknown=(
            {f"{DATABASE}.storage_encrypted": VAR},
            {"aws_kinesis_stream.one": {"encryption_type": VAR}},
            {MACHINE: {"ebs_block_device": VAR}},
            {MACHINE: {"ebs_block_device": [{"encrypted": VAR}]}},
        ),
        passes=(
            {MACHINE: {"root_block_device": [{}]}},
            {"aws_launch_template.one": {"block_device_mappings": [{"ebs": {"encrypted": True}}]}},
            {f"{DATABASE}.storage_encrypted": ..., f"{DATABASE}.snapshot_identifier": "one"},
            {CLUSTER: {"engine_mode": "serverless"}},
        ),
    ),
    "PI-TLS-001": Case(
        present={"aws_api_gateway_domain_name.pay": {"security_policy": "TLS_1_2"}},
        fails=(
            {"aws_api_gateway_domain_name.pay.security_policy": "TLS_1_0"},
            {"aws_api_gateway_domain_name.pay.security_policy": ""},
            {
                "aws_apigatewayv2_domain_name.pay": {
                    "domain_name_configuration": {"security_policy": "TLS_1_0"}
                }
            },
            {"aws_lb_listener.web": {"protocol": "HTTPS"}},
            {"aws_lb_listener.web": {"protocol": "HTTPS", "ssl_policy": "ELBSecurityPolicy-2016-08"}},
            {"aws_lb_listener.web": {"protocol": "HTTP", "default_action": [{"type": "forward"}]}},
            {
                "aws_cloudfront_distribution.web": {
                    "viewer_certificate": {"minimum_protocol_version": "TLSv1"}
                }
            },
        ),
        warns=({"aws_api_gateway_domain_name.pay.security_policy": ...},),
        absent={"aws_api_gateway_domain_name": ...},
        unknown=({"aws_api_gateway_domain_name.pay.security_policy": VAR},),
        passes=(
            {
                "aws_lb_listener.web": {
                    "protocol": "HTTP",
                    "default_action": [{"type": "redirect", "redirect": {"protocol": "HTTPS"}}],
                }
            },
            {"aws_lb_listener.web": {"protocol": "TCP"}},
            {"aws_lb_listener.web": {"protocol": "TLS", "ssl_policy": "ELBSecurityPolicy-TLS13-1-2-2021-06"}},
            {
                "aws_cloudfront_distribution.web": {
                    "viewer_certificate": {"minimum_protocol_version": "TLSv1.2_2021"}
                }
            },
        ),
    ),
    "PI-TLS-002": Case(
        present={
            "aws_apigatewayv2_api.pay": {"cors_configuration": {"allow_origins": ["https://shop.example"]}}
        },
        fails=(
            {"aws_apigatewayv2_api.pay.cors_configuration.allow_origins": ["*"]},
            {"aws_apigatewayv2_api.pay.cors_configuration.allow_origins": ...},
            {"aws_lambda_function_url.pay": {"cors": {"allow_origins": ["https://a.example", "*"]}}},
            {"aws_s3_bucket_cors_configuration.up": {"cors_rule": [{"allowed_origins": ["*"]}]}},
            {
                "aws_api_gateway_gateway_response.x": {
                    "response_parameters": {"gatewayresponse.header.Access-Control-Allow-Origin": "'*'"}
                }
            },
            {f"{FUNCTION}.environment.variables.CORS_ORIGINS": "https://a.example, *"},
            {f"{FUNCTION}.environment.variables.ALLOWED_ORIGINS": "*"},
        ),
        absent={"aws_apigatewayv2_api": ...},
        unknown=(
            {"aws_apigatewayv2_api.pay.cors_configuration": VAR},
            {"aws_apigatewayv2_api.pay.cors_configuration.allow_origins": VAR},
            {"aws_api_gateway_gateway_response.x": {"response_parameters": VAR}},
        ),
        passes=(
            {
                "aws_api_gateway_integration_response.x": {
                    "response_parameters": {
                        "method.response.header.Access-Control-Allow-Origin": "'https://shop.example'",
                        "method.response.header.Access-Control-Allow-Methods": "'*'",
                    }
                }
            },
            {"aws_api_gateway_gateway_response.x": {}},
            {f"{FUNCTION}.environment": ...},
        ),
    ),
    "PI-TF-001": Case(
        fails=(
            {"provider.aws.0.access_key": "AKIAABCDEFGHIJKLMNOP"},
            {"provider.aws.0.secret_key": "test"},
            {"provider.aws.0.token": "x"},
            {"provider.aws.0.endpoints": [{"sns": "https://collector.example.com"}]},
            {
                "provider.aws.0.endpoints": [{"sns": "http://10.0.0.5:4566"}],
                "provider.aws.0.access_key": "test",
            },
            {"provider.aws.0.endpoints": [{**LOCAL, "s3": "https://collector.example.com"}]},
            {"provider.aws.0.endpoints": [{"s3": "http://127.0.0.1.example.com"}]},
            {"provider.aws.0.skip_credentials_validation": True},
            {"provider.aws.0.skip_requesting_account_id": True},
            {"provider.aws.0.insecure": True},
        ),
        absent={"provider": {}},
        unknown=(
            {"provider.aws.0.endpoints": [{"sns": VAR}]},
            {"provider.aws.0.skip_credentials_validation": VAR},
        ),
        passes=(
            {"provider.aws.0.access_key": VAR},
            {
                "provider.aws.0.access_key": "test",
                "provider.aws.0.secret_key": "test",
                "provider.aws.0.skip_credentials_validation": True,
                "provider.aws.0.endpoints": [LOCAL],
            },
            {"provider.aws.0.endpoints": [{"s3": "https://s3-fips.us-east-1.amazonaws.com"}]},
            {"provider.aws.0.skip_metadata_api_check": "true"},
        ),
    ),
    "PI-TF-002": Case(
        present={STATE: S3_BACKEND},
        fails=(
            {f"{STATE}.encrypt": False},
            {f"{STATE}.encrypt": ...},
            {f"{STATE}.use_lockfile": ...},
            {f"{STATE}.acl": "public-read"},
            {f"{STATE}.access_key": "AKIAABCDEFGHIJKLMNOP"},
            {f"{STATE}.secret_key": "s"},
            {"terraform.backend": {"http": {"address": "http://state.example.com/demo"}}},
            {"terraform.backend": {"http": {"address": "https://u:p@state.example.com/demo"}}},
            {"terraform.backend": {"http": {"address": "https://s.example", "skip_cert_verification": True}}},
            {"terraform.backend": {"http": {"address": "https://s.example", "password": "correct-horse"}}},
            {"terraform.backend": {"pg": {"conn_str": "postgres://db/state?sslmode=disable"}}},
            {"terraform.backend": {"consul": {"scheme": "http"}}},
        ),
        absent={"terraform": ...},
        unknown=({f"{STATE}.encrypt": VAR}, {"terraform.backend": VAR}),
        passes=(
            {"terraform.backend": {"local": {"path": "terraform.tfstate"}}},
            {f"{STATE}.use_lockfile": ..., f"{STATE}.dynamodb_table": "locks"},
            {
                f"{STATE}.access_key": "test",
                f"{STATE}.secret_key": "test",
                f"{STATE}.endpoints": {"s3": "http://127.0.0.1:4566"},
            },
            {"terraform.backend": {"http": {"address": "https://state.example.com", "password": VAR}}},
            {"terraform.backend": {"http": {"address": "http://localhost:8080/state"}}},
        ),
    ),
    "PI-TF-003": Case(
        fails=(
            {f"{TABLE}.lifecycle": ...},
            {f"{TABLE}.lifecycle.prevent_destroy": False},
            {f"{BUCKET}.lifecycle": ...},
            {f"{BUCKET}.force_destroy": True},
            {"aws_kms_key.primary_data.lifecycle.prevent_destroy": "false"},
        ),
        warns=(
            {
                **{
                    f"aws_kms_key.{side}_{name}.lifecycle": ...
                    for side in ("primary", "secondary")
                    for name in ("data", "audit", "app")
                },
                **{f"aws_s3_bucket.{side}_audit.lifecycle": ... for side in ("primary", "secondary")},
                f"{TABLE}.lifecycle": ...,
            },
        ),
        absent={},
        absent_manifest={"protected": False},
        unknown=({f"{BUCKET}.force_destroy": VAR},),
    ),
    "PI-TF-004": Case(
        present={f"{TABLE}.lifecycle.ignore_changes": ["read_capacity"]},
        fails=(
            {f"{TABLE}.lifecycle.ignore_changes": "all"},
            {f"{TABLE}.lifecycle.ignore_changes": ["all"]},
        ),
        warns=(
            {f"{TABLE}.lifecycle.ignore_changes": ["point_in_time_recovery[0].enabled"]},
            {f"{BUCKET}.lifecycle.ignore_changes": ["${policy}"]},
        ),
        absent={f"{TABLE}.lifecycle.ignore_changes": ...},
        unknown=({f"{TABLE}.lifecycle.ignore_changes": VAR},),
    ),
    "PI-TF-005": Case(
        present={"removed": [{"from": "aws_sns_topic.old", "lifecycle": {"destroy": True}}]},
        fails=(
            {"removed": [{"from": "${aws_dynamodb_table.ledger}", "lifecycle": {"destroy": False}}]},
            {"removed": {"from": "aws_dynamodb_table.ledger", "lifecycle": [{"destroy": False}]}},
        ),
        absent={"removed": ...},
        unknown=({"removed": [{"from": "x.y", "lifecycle": {"destroy": VAR}}]},),
        passes=({"removed": [{"from": "aws_sns_topic.old"}]},),
    ),
    "PI-TF-006": Case(
        fails=(
            {"data.external.who": {"program": ["sh"]}},
            {f"{TABLE}.provisioner": [{"local-exec": {"command": "id"}}]},
            {"null_resource.run": {"provisioner": {"local-exec": {"command": "id"}}}},
            {"terraform_data.run": {"provisioner": {"remote-exec": {"inline": ["id"]}}}},
            {"terraform.required_providers.aws.source": "someone/aws"},
        ),
        warns=({"null_resource.run": {}}, {"data.http.page": {"url": "https://example.com"}}),
        absent={"resource": {}, "data": ...},
        unknown=(),
        passes=(
            {"terraform.required_providers.aws.source": "hashicorp/aws"},
            {"terraform.required_providers.aws.source": "registry.terraform.io/hashicorp/aws"},
        ),
    ),
    "PI-TF-007": Case(
        present={f"provider.aws.{number}.default_tags.0.tags.Protected": "true" for number in (0, 1)},
        fails=(
            {"provider.aws.0.default_tags.0.tags.Protected": "false"},
            {"provider.aws.0.default_tags.0.tags.Protected": False},
            {f"{TABLE}.tags": {"Protected": "false"}},
        ),
        absent={f"provider.aws.{number}.default_tags.0.tags.Protected": ... for number in (0, 1)},
        unknown=(
            {
                "provider.aws.0.default_tags.0.tags.Protected": "false",
                "provider.aws.0.default_tags.0.tags.EnvironmentSuffix": VAR,
                "provider.aws.1.default_tags.0.tags.EnvironmentSuffix": VAR,
            },
        ),
        unknown_manifest={"env": None},
    ),
}
