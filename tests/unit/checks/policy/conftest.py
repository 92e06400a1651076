"""One good two-region stack, compact, in the shapes that CDKTF writes; and the ways to spoil it."""

import copy
import json
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from payinfra.checks import policy
from payinfra.checks.manifest import Manifest
from payinfra.checks.model import Check, ResourceCheck, gather
from payinfra.checks.verdicts import Kind, Verdict

Stack = dict[str, Any]
DAY = date(2026, 11, 29)
HANDLER = """
import json
import os

import boto3
from botocore.exceptions import ClientError

TABLE = boto3.resource("dynamodb").Table(os.environ["TABLE"])
S3 = boto3.client("s3")
SSM = boto3.client("ssm")


def handle(event, context):
    try:
        body = json.loads(event["body"])
        SSM.get_parameter(Name=os.environ["API_KEY_PARAMETER"], WithDecryption=True)
        TABLE.put_item(Item=body)
        TABLE.get_item(Key={"payment_id": body["id"]})
        TABLE.query(IndexName="status-index")
        S3.put_object(Bucket=os.environ["BUCKET"], Key="a", Body=b"{}")
    except ValueError as error:
        return {"statusCode": 400, "body": str(error)}
    except ClientError:
        return {"statusCode": 503, "body": "later"}
    return {"statusCode": 201, "body": "{}"}
"""
MODEL = '{"type": "object", "required": ["amount"]}'
ACCOUNT = "${data.aws_caller_identity.me.account_id}"
ROOT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}


def allow(sid: str, actions: list[str], resources: list[str], **more: Any) -> Stack:
    """One Allow statement."""
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources, **more}


def document(*statements: Stack) -> str:
    """A policy document as text."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(service: str) -> str:
    """A role's trust in one service, for this account's sake."""
    return document(
        {
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
        }
    )


def through(region: str, *services: str) -> Stack:
    """A condition: only through these services."""
    return {"StringEquals": {"kms:ViaService": [f"{one}.{region}.amazonaws.com" for one in services]}}


def region_of(side: str, region: str, other: str) -> dict[str, dict[str, Stack]]:
    """Everything that each region has."""
    table = f"arn:aws:dynamodb:{region}:{ACCOUNT}:table/${{aws_dynamodb_table.ledger.name}}"
    key = {name: f"${{aws_kms_key.{side}_{name}.arn}}" for name in ("data", "audit", "app")}
    api = {"rest_api_id": f"${{aws_api_gateway_rest_api.{side}_api.id}}"}
    topic = [f"${{aws_sns_topic.{side}_alarms.arn}}"]
    group = f"arn:aws:logs:{region}:{ACCOUNT}:log-group"

    def route(part: str, verb: str) -> Stack:
        return {**api, "resource_id": f"${{aws_api_gateway_resource.{side}_{part}.id}}", "http_method": verb}

    def alarm(name: str, namespace: str, metric: str, **dimensions: str) -> Stack:
        return {
            "alarm_name": f"payment-demo-{name}",
            "namespace": namespace,
            "metric_name": metric,
            "dimensions": dimensions,
            "statistic": "Sum",
            "comparison_operator": "GreaterThanOrEqualToThreshold",
            "threshold": 1,
            "evaluation_periods": 1,
            "alarm_actions": topic,
            "treat_missing_data": "notBreaching",
        }

    own: dict[str, dict[str, Stack]] = {
        "aws_kms_key": {
            f"{side}_data": {
                "enable_key_rotation": True,
                "deletion_window_in_days": 30,
                "lifecycle": {"prevent_destroy": True},
                "policy": document(
                    allow("Table", ["kms:Decrypt", "kms:CreateGrant"], ["*"], Principal=ROOT)
                    | {"Condition": through(region, "dynamodb")}
                ),
            },
            f"{side}_audit": {
                "enable_key_rotation": True,
                "deletion_window_in_days": 30,
                "lifecycle": {"prevent_destroy": True},
                "policy": document(
                    allow("Account", ["kms:*"], ["*"], Principal=ROOT),
                    allow(
                        "Logs",
                        ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey*"],
                        ["*"],
                        Principal={"Service": f"logs.{region}.amazonaws.com"},
                        Condition={
                            "ArnLike": {
                                "kms:EncryptionContext:aws:logs:arn": f"{group}:/aws/*/payment-demo-*"
                            }
                        },
                    ),
                    allow(
                        "Alarms",
                        ["kms:Decrypt", "kms:GenerateDataKey*"],
                        ["*"],
                        Principal={"Service": "cloudwatch.amazonaws.com"},
                    ),
                ),
            },
            f"{side}_app": {
                "enable_key_rotation": True,
                "deletion_window_in_days": 30,
                "lifecycle": {"prevent_destroy": True},
                "policy": document(allow("Account", ["kms:*"], ["*"], Principal=ROOT)),
            },
        },
        "aws_kms_alias": {
            f"{side}_audit": {
                "name": "alias/payment-demo-audit",
                "target_key_id": f"${{aws_kms_key.{side}_audit.key_id}}",
            }
        },
        "aws_s3_bucket": {
            f"{side}_audit": {
                "bucket": f"payment-demo-audit-{region}",
                "lifecycle": {"prevent_destroy": True},
            }
        },
        "aws_s3_bucket_versioning": {
            f"{side}_audit": {"versioning_configuration": {"status": "Enabled"}},
        },
        "aws_s3_bucket_public_access_block": {
            f"{side}_audit": {
                "block_public_acls": True,
                "block_public_policy": True,
                "ignore_public_acls": True,
                "restrict_public_buckets": True,
            }
        },
        "aws_s3_bucket_server_side_encryption_configuration": {
            f"{side}_audit": {
                "rule": [
                    {
                        "apply_server_side_encryption_by_default": {
                            "sse_algorithm": "aws:kms",
                            "kms_master_key_id": key["audit"],
                        }
                    }
                ]
            }
        },
        "aws_s3_bucket_policy": {
            f"{side}_audit": {"policy": f"${{data.aws_iam_policy_document.{side}_tls.json}}"}
        },
        "aws_s3_bucket_lifecycle_configuration": {
            f"{side}_audit": {
                "rule": [
                    {
                        "id": "audit",
                        "status": "Enabled",
                        "transition": [{"days": 30, "storage_class": "GLACIER"}],
                        "noncurrent_version_expiration": [{"noncurrent_days": 365}],
                        "abort_incomplete_multipart_upload": [{"days_after_initiation": 7}],
                    }
                ]
            }
        },
        "aws_s3_bucket_replication_configuration": {
            f"{side}_audit": {
                "role": f"${{aws_iam_role.{side}_copies.arn}}",
                "rule": [
                    {
                        "id": "all",
                        "status": "Enabled",
                        "source_selection_criteria": {"sse_kms_encrypted_objects": {"status": "Enabled"}},
                        "destination": {
                            "bucket": f"${{aws_s3_bucket.{other}_audit.arn}}",
                            "encryption_configuration": {
                                "replica_kms_key_id": f"${{aws_kms_key.{other}_audit.arn}}"
                            },
                        },
                    }
                ],
            }
        },
        "aws_iam_role": {
            f"{side}_function": {
                "name": f"payment-demo-function-{region}",
                "assume_role_policy": trust("lambda.amazonaws.com"),
            },
            f"{side}_copies": {
                "name": f"payment-demo-copies-{region}",
                "assume_role_policy": trust("s3.amazonaws.com"),
            },
        },
        "aws_iam_role_policy": {
            f"{side}_function": {
                "name": "payment-demo-function",
                "role": f"${{aws_iam_role.{side}_function.name}}",
                "policy": document(
                    allow("Table", ["dynamodb:GetItem", "dynamodb:PutItem"], [table]),
                    allow("Index", ["dynamodb:Query"], [f"{table}/index/*"]),
                    allow("Audit", ["s3:PutObject"], [f"${{aws_s3_bucket.{side}_audit.arn}}/audit/*"]),
                    allow("Key", ["ssm:GetParameter"], [f"${{aws_ssm_parameter.{side}_key.arn}}"]),
                    allow("Keys", ["kms:Decrypt", "kms:GenerateDataKey"], list(key.values())),
                    allow(
                        "Log",
                        ["logs:CreateLogStream", "logs:PutLogEvents"],
                        [f"${{aws_cloudwatch_log_group.{side}_function.arn}}:*"],
                    ),
                    allow("Trace", ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], ["*"]),
                ),
            },
            f"{side}_copies": {
                "name": "payment-demo-copies",
                "role": f"${{aws_iam_role.{side}_copies.name}}",
                "policy": document(
                    allow("Source", ["s3:ListBucket"], [f"${{aws_s3_bucket.{side}_audit.arn}}"]),
                    allow("Target", ["s3:ReplicateObject"], [f"${{aws_s3_bucket.{other}_audit.arn}}/*"]),
                    allow("Decrypt", ["kms:Decrypt"], [key["audit"]], Condition=through(region, "s3")),
                    allow("Encrypt", ["kms:Encrypt"], [f"${{aws_kms_key.{other}_audit.arn}}"]),
                ),
            },
        },
        "aws_cloudwatch_log_group": {
            f"{side}_function": {
                "name": "/aws/lambda/payment-demo-api",
                "retention_in_days": 365,
                "kms_key_id": key["audit"],
            },
            f"{side}_access": {
                "name": "/aws/apigateway/payment-demo-access",
                "retention_in_days": 365,
                "kms_key_id": key["audit"],
            },
        },
        "aws_lambda_function": {
            f"{side}_function": {
                "function_name": "payment-demo-api",
                "role": f"${{aws_iam_role.{side}_function.arn}}",
                "runtime": "python3.11",
                "handler": "payments.handler.handle",
                "filename": "payments.zip",
                "kms_key_arn": key["app"],
                "environment": {
                    "variables": {
                        "TABLE": "${aws_dynamodb_table.ledger.name}",
                        "BUCKET": f"${{aws_s3_bucket.{side}_audit.bucket}}",
                        "API_KEY_PARAMETER": "/payment-demo/api-key",
                    }
                },
                "tracing_config": {"mode": "Active"},
                "depends_on": [f"aws_cloudwatch_log_group.{side}_function"],
            }
        },
        "aws_lambda_alias": {
            f"{side}_live": {
                "name": "live",
                "function_name": f"${{aws_lambda_function.{side}_function.function_name}}",
                "function_version": f"${{aws_lambda_function.{side}_function.version}}",
            }
        },
        "aws_lambda_permission": {
            f"{side}_api": {
                "action": "lambda:InvokeFunction",
                "principal": "apigateway.amazonaws.com",
                "function_name": f"${{aws_lambda_function.{side}_function.function_name}}",
                "qualifier": f"${{aws_lambda_alias.{side}_live.name}}",
                "source_arn": f"${{aws_api_gateway_rest_api.{side}_api.execution_arn}}/*/*",
            }
        },
        "aws_api_gateway_rest_api": {f"{side}_api": {"name": "payment-demo-api"}},
        "aws_api_gateway_resource": {
            f"{side}_{part}": {
                **api,
                "parent_id": f"${{aws_api_gateway_rest_api.{side}_api.root_resource_id}}",
                "path_part": part,
            }
            for part in ("payments", "health")
        },
        "aws_api_gateway_model": {
            f"{side}_payment": {**api, "name": "Payment", "content_type": "application/json", "schema": MODEL}
        },
        "aws_api_gateway_request_validator": {
            f"{side}_body": {**api, "name": "body", "validate_request_body": True}
        },
        "aws_api_gateway_method": {
            f"{side}_post": {
                **route("payments", "POST"),
                "authorization": "NONE",
                "api_key_required": True,
                "request_validator_id": f"${{aws_api_gateway_request_validator.{side}_body.id}}",
                "request_models": {"application/json": f"${{aws_api_gateway_model.{side}_payment.name}}"},
            },
            f"{side}_cors": {
                **route("payments", "OPTIONS"),
                "authorization": "NONE",
                "api_key_required": False,
            },
            f"{side}_health": {**route("health", "GET"), "authorization": "NONE", "api_key_required": False},
        },
        "aws_api_gateway_integration": {
            f"{side}_post": {
                **route("payments", "POST"),
                "type": "AWS_PROXY",
                "uri": f"${{aws_lambda_alias.{side}_live.invoke_arn}}",
            },
            f"{side}_cors": {**route("payments", "OPTIONS"), "type": "MOCK"},
        },
        "aws_api_gateway_stage": {
            f"{side}_prod": {
                **api,
                "stage_name": "prod",
                "deployment_id": "d",
                "xray_tracing_enabled": True,
                "access_log_settings": {
                    "destination_arn": f"${{aws_cloudwatch_log_group.{side}_access.arn}}",
                    "format": "{}",
                },
            }
        },
        "aws_api_gateway_method_settings": {
            f"{side}_all": {
                **api,
                "stage_name": f"${{aws_api_gateway_stage.{side}_prod.stage_name}}",
                "method_path": "*/*",
                "settings": {
                    "logging_level": "INFO",
                    "throttling_rate_limit": 100,
                    "throttling_burst_limit": 200,
                },
            }
        },
        "aws_api_gateway_api_key": {f"{side}_key": {"name": "payment-demo-key"}},
        "aws_api_gateway_usage_plan": {
            f"{side}_plan": {
                "name": "payment-demo-plan",
                "api_stages": [
                    {
                        "api_id": api["rest_api_id"],
                        "stage": f"${{aws_api_gateway_stage.{side}_prod.stage_name}}",
                    }
                ],
                "throttle_settings": {"rate_limit": 100, "burst_limit": 200},
            }
        },
        "aws_api_gateway_usage_plan_key": {
            f"{side}_join": {
                "key_id": f"${{aws_api_gateway_api_key.{side}_key.id}}",
                "key_type": "API_KEY",
                "usage_plan_id": f"${{aws_api_gateway_usage_plan.{side}_plan.id}}",
            }
        },
        "aws_cloudwatch_metric_alarm": {
            f"{side}_errors": alarm("errors", "AWS/Lambda", "Errors", FunctionName="payment-demo-api"),
            f"{side}_slow": alarm(
                "slow",
                "AWS/Lambda",
                "Duration",
                FunctionName=f"${{aws_lambda_function.{side}_function.function_name}}",
            ),
            f"{side}_reads": alarm(
                "reads", "AWS/DynamoDB", "ReadThrottleEvents", TableName="${aws_dynamodb_table.ledger.name}"
            ),
            f"{side}_writes": alarm(
                "writes", "AWS/DynamoDB", "WriteThrottleEvents", TableName="${aws_dynamodb_table.ledger.name}"
            ),
            f"{side}_refused": alarm("refused", "payment-demo", "Refused"),
        },
        "aws_cloudwatch_log_metric_filter": {
            f"{side}_refused": {
                "name": "refused",
                "log_group_name": f"${{aws_cloudwatch_log_group.{side}_function.name}}",
                "pattern": "refused",
                "metric_transformation": {"namespace": "payment-demo", "name": "Refused", "value": "1"},
            }
        },
        "aws_sns_topic": {
            f"{side}_alarms": {"name": "payment-demo-alarms", "kms_master_key_id": key["audit"]}
        },
        "aws_sns_topic_subscription": {
            f"{side}_mail": {
                "topic_arn": f"${{aws_sns_topic.{side}_alarms.arn}}",
                "protocol": "email",
                "endpoint": "payments@example.com",
            }
        },
        "aws_ssm_parameter": {
            f"{side}_table": {
                "name": "/payment-demo/table",
                "type": "String",
                "value": "${aws_dynamodb_table.ledger.name}",
            },
            f"{side}_key": {
                "name": "/payment-demo/api-key",
                "type": "SecureString",
                "key_id": key["app"],
                "value": f"${{aws_api_gateway_api_key.{side}_key.value}}",
            },
        },
        "aws_route53_health_check": {
            f"{side}_check": {
                "type": "HTTPS",
                "fqdn": f"${{aws_api_gateway_rest_api.{side}_api.id}}.execute-api.{region}.amazonaws.com",
                "resource_path": "/prod/health",
            }
        },
        "aws_route53_record": {
            f"{side}_failover": {
                "zone_id": "${aws_route53_zone.zone.zone_id}",
                "name": "pay.example.com",
                "type": "CNAME",
                "ttl": 60,
                "records": [
                    f"${{aws_api_gateway_rest_api.{side}_api.id}}.execute-api.{region}.amazonaws.com"
                ],
                "set_identifier": side,
                "failover_routing_policy": {"type": side.upper()},
                "health_check_id": f"${{aws_route53_health_check.{side}_check.id}}",
            }
        },
    }
    for kind, bodies in own.items():
        for name, body in bodies.items():
            body["provider"] = f"aws.{side}"
            if kind.startswith("aws_s3_bucket_"):
                body["bucket"] = f"${{aws_s3_bucket.{name}.id}}"
    return own


def build() -> Stack:
    """The whole stack."""
    resources = region_of("primary", "us-east-1", "secondary")
    for kind, bodies in region_of("secondary", "us-west-2", "primary").items():
        resources[kind] |= bodies
    resources["aws_api_gateway_api_key"]["secondary_key"]["value"] = (
        "${aws_api_gateway_api_key.primary_key.value}"
    )
    resources["aws_dynamodb_table"] = {
        "ledger": {
            "provider": "aws.primary",
            "name": "payment-demo-payments",
            "stream_enabled": True,
            "stream_view_type": "NEW_AND_OLD_IMAGES",
            "point_in_time_recovery": {"enabled": True},
            "deletion_protection_enabled": True,
            "lifecycle": {"prevent_destroy": True},
            "server_side_encryption": {"enabled": True, "kms_key_arn": "${aws_kms_key.primary_data.arn}"},
            "global_secondary_index": [{"name": "status-index"}, {"name": "customer-index"}],
            "replica": [
                {
                    "region_name": "us-west-2",
                    "kms_key_arn": "${aws_kms_key.secondary_data.arn}",
                    "point_in_time_recovery": True,
                    "propagate_tags": True,
                }
            ],
        }
    }
    resources["aws_route53_zone"] = {"zone": {"provider": "aws.primary", "name": "example.com"}}
    tags = {
        "Environment": "demo",
        "EnvironmentSuffix": "demo",
        "Project": "payment-infrastructure",
        "ManagedBy": "cdktf",
    }
    return {
        "provider": {
            "aws": [
                {"alias": "primary", "region": "us-east-1", "default_tags": [{"tags": dict(tags)}]},
                {"alias": "secondary", "region": "us-west-2", "default_tags": [{"tags": dict(tags)}]},
            ]
        },
        "data": {
            "aws_caller_identity": {"me": {"provider": "aws.primary"}},
            "aws_iam_policy_document": {
                f"{side}_tls": {
                    "provider": f"aws.{side}",
                    "statement": [
                        {
                            "effect": "Deny",
                            "actions": ["s3:*"],
                            "principals": [{"type": "*", "identifiers": ["*"]}],
                            "resources": [
                                f"${{aws_s3_bucket.{side}_audit.arn}}",
                                f"${{aws_s3_bucket.{side}_audit.arn}}/*",
                            ],
                            "condition": [
                                {"test": "Bool", "variable": "aws:SecureTransport", "values": ["false"]}
                            ],
                        }
                    ],
                }
                for side in ("primary", "secondary")
            },
        },
        "resource": resources,
        "output": {
            "api_endpoint": {
                "value": "${aws_api_gateway_rest_api.primary_api.id}",
                "description": "Where to pay",
            },
            "api_key": {
                "value": "${aws_api_gateway_api_key.primary_key.value}",
                "description": "The key",
                "sensitive": True,
            },
        },
    }


class GoodStack:
    """The good stack, and what the catalogue says to a spoiled copy of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.good = build()
        self.checks: dict[str, Check] = {
            one.rule.id: one
            for one in gather(import_module(f"payinfra.checks.policy.{name}") for name in policy.MODULES)
        }

    def spoiled(self, *many: Mapping[str, Any]) -> Stack:
        """A copy with other values at some paths, one set of changes after the other.

        A path is `aws_x.name.block.0.property`; `data`, `provider`, `output` and so on begin one in another
        section. An Ellipsis removes what is there. A function gets the statements of a policy to change.
        """
        stack = copy.deepcopy(self.good)
        for changes in many:
            for path, value in changes.items():
                _change(stack, path, value)
        return stack

    def manifest(
        self,
        stack: Stack,
        *,
        env: str | None = "demo",
        protected: bool | None = True,
        folder: Path | None = None,
        day: date = DAY,
    ) -> Manifest:
        """The stack as the checks see it, on a day on which no runtime that is used here ends soon."""
        folder = folder or self.folder
        return Manifest.from_json(stack, folder=folder, env=env, protected=protected, day=day)

    def ask(self, check_id: str, manifest: Manifest) -> list[Verdict]:
        """Every verdict of one check, with addresses; NOT_APPLICABLE where it is never called."""
        check = self.checks[check_id]
        if not isinstance(check, ResourceCheck):
            return _list(check(manifest))
        found = [
            Verdict(one.kind, one.message, one.address or resource.address)
            for resource in manifest.all(*check.on)
            for one in _list(check(resource, manifest))
        ]
        return found or [Verdict.not_applicable()]

    def kinds(self, check_id: str, *many: Mapping[str, Any], **more: Any) -> Counter[Kind]:
        """How often a check says what of a spoiled copy."""
        return Counter(one.kind for one in self.ask(check_id, self.manifest(self.spoiled(*many), **more)))

    def red(self, manifest: Manifest, ids: Iterable[str] = ()) -> dict[str, list[Verdict]]:
        """What would be shown of a manifest: every verdict but PASS and NOT_APPLICABLE, by check."""
        found = {
            one: [
                verdict
                for verdict in self.ask(one, manifest)
                if verdict.kind not in (Kind.PASS, Kind.NOT_APPLICABLE)
            ]
            for one in (ids or self.checks)
        }
        return {one: verdicts for one, verdicts in found.items() if verdicts}


def _list(said: Verdict | Iterable[Verdict]) -> list[Verdict]:
    return [said] if isinstance(said, Verdict) else list(said)


def _change(stack: Stack, path: str, value: Any) -> None:
    at: Any = stack
    *way, last = steps(path)
    for step in way:
        at = at.setdefault(step, {}) if isinstance(at, dict) else at[step]
    if value is ...:
        del at[last]
    elif callable(value):
        whole = json.loads(at[last])
        value(whole["Statement"])
        at[last] = json.dumps(whole)
    else:
        at[last] = copy.deepcopy(value)


def steps(path: str) -> list[str | int]:
    """The keys of a path."""
    parts: list[str | int] = [int(part) if part.isdigit() else part for part in path.split(".")]
    sections = ("provider", "data", "output", "resource", "module", "locals", "terraform", "removed")
    return parts if parts[0] in sections else ["resource", *parts]


def write_zip(file: Path, sources: dict[str, str]) -> Path:
    """A zip with these files."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in sources.items():
            archive.writestr(name, text)
    return file


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> GoodStack:
    """The good stack with its zip."""
    folder = tmp_path_factory.mktemp("stack")
    write_zip(folder / "payments.zip", {"payments/__init__.py": "", "payments/handler.py": HANDLER})
    return GoodStack(folder)


@pytest.fixture(scope="session")
def zip_of() -> Callable[[Path, dict[str, str]], Path]:
    """Writes a function's zip."""
    return write_zip
