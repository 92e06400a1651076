"""A stack of any size as other teams have it: many small services side by side, in two regions."""

import json
from typing import Any

REGIONS = {"primary": "eu-west-1", "secondary": "eu-central-1"}
ACCOUNT = "111122223333"
Stack = dict[str, Any]


def wide_stack(resources: int) -> Stack:
    """At least this many resources."""
    found: dict[str, dict[str, Stack]] = {}
    number = 0
    while sum(map(len, found.values())) < resources:
        for side, region in REGIONS.items():
            for kind, body in _service(f"{side}_{number}", side, region, number):
                found.setdefault(kind, {})[f"{side}_{number}_{len(found.get(kind, {}))}"] = body
        number += 1
    tags = {"Environment": "demo", "EnvironmentSuffix": "demo", "Project": "till", "ManagedBy": "terraform"}
    providers = [
        {"alias": side, "region": region, "default_tags": [{"tags": tags}]}
        for side, region in REGIONS.items()
    ]
    return {"provider": {"aws": providers}, "resource": _named(found)}


def _named(found: dict[str, dict[str, Stack]]) -> dict[str, dict[str, Stack]]:
    """Each resource under the name that others refer to it by."""
    return {kind: {body.pop("_name"): body for body in bodies.values()} for kind, bodies in found.items()}


def _service(name: str, side: str, region: str, number: int) -> list[tuple[str, Stack]]:
    """One service: a function with its role, log group and alarms, its bucket, its queue and its key."""

    def made(kind: str, own: str = "", **body: Any) -> tuple[str, Stack]:
        return kind, {"_name": f"{name}{own}", "provider": f"aws.{side}", **body}

    def policy(*statements: Stack) -> str:
        return json.dumps({"Version": "2012-10-17", "Statement": [*statements]})

    key = f"${{aws_kms_key.{name}.arn}}"
    bucket = f"${{aws_s3_bucket.{name}.id}}"
    closed: Stack = dict.fromkeys(
        ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"), True
    )
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
    }
    root = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    may = {
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:PutObject"],
        "Resource": f"${{aws_s3_bucket.{name}.arn}}/*",
    }
    encrypted = {
        "apply_server_side_encryption_by_default": [{"sse_algorithm": "aws:kms", "kms_master_key_id": key}]
    }
    return [
        made("aws_kms_key", enable_key_rotation=True, deletion_window_in_days=30, policy=policy(root)),
        made("aws_s3_bucket", bucket=f"till-demo-{side}-{number}"),
        made("aws_s3_bucket_public_access_block", bucket=bucket, **closed),
        made("aws_s3_bucket_versioning", bucket=bucket, versioning_configuration=[{"status": "Enabled"}]),
        made("aws_s3_bucket_server_side_encryption_configuration", bucket=bucket, rule=[encrypted]),
        made("aws_iam_role", name=f"till-demo-{side}-{number}", assume_role_policy=policy(trust)),
        made("aws_iam_role_policy", role=f"${{aws_iam_role.{name}.id}}", policy=policy(may)),
        made(
            "aws_cloudwatch_log_group",
            name=f"/aws/lambda/till-demo-{number}",
            retention_in_days=365,
            kms_key_id=key,
        ),
        made(
            "aws_lambda_function",
            function_name=f"till-demo-{number}",
            role=f"${{aws_iam_role.{name}.arn}}",
            package_type="Image",
            image_uri=f"{ACCOUNT}.dkr.ecr.{region}.amazonaws.com/till:1",
            environment=[{"variables": {"BUCKET": f"${{aws_s3_bucket.{name}.bucket}}"}}],
            kms_key_arn=key,
        ),
        made("aws_sns_topic", name=f"till-demo-{number}", kms_master_key_id=key),
        *(
            made(
                "aws_cloudwatch_metric_alarm",
                f"_{metric.lower()}",
                alarm_name=f"till-demo-{number}-{metric}",
                namespace="AWS/Lambda",
                metric_name=metric,
                dimensions={"FunctionName": f"${{aws_lambda_function.{name}.function_name}}"},
                alarm_actions=[f"${{aws_sns_topic.{name}.arn}}"],
                treat_missing_data="notBreaching",
            )
            for metric in ("Errors", "Duration")
        ),
        made("aws_sqs_queue", name=f"till-demo-{number}", kms_master_key_id=key),
        made("aws_ssm_parameter", name=f"/till/demo/{number}", type="String", value="eu"),
    ]
