"""Judges synthesized stacks by CloudFormation's schemas, as cfn-lint ships them.

Terraform's resources are translated property by property: names are matched without underscores and case, or
by the table here, and one block where CloudFormation has an object is that object. What Terraform will only
know later, and what CloudFormation has no place for, is left out and counted.
"""

import functools
import importlib.resources
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft7Validator

from payinfra.core.json_text import parse_json

Renames = Mapping[str, str]

TYPES: Mapping[str, tuple[str, Renames]] = {
    "aws_acm_certificate": ("AWS::CertificateManager::Certificate", {}),
    "aws_api_gateway_api_key": ("AWS::ApiGateway::ApiKey", {}),
    "aws_api_gateway_base_path_mapping": (
        "AWS::ApiGateway::BasePathMapping",
        {"api_id": "RestApiId", "stage_name": "Stage"},
    ),
    "aws_api_gateway_deployment": ("AWS::ApiGateway::Deployment", {}),
    "aws_api_gateway_domain_name": ("AWS::ApiGateway::DomainName", {}),
    "aws_api_gateway_gateway_response": ("AWS::ApiGateway::GatewayResponse", {}),
    "aws_api_gateway_method": ("AWS::ApiGateway::Method", {"authorization": "AuthorizationType"}),
    "aws_api_gateway_model": ("AWS::ApiGateway::Model", {}),
    "aws_api_gateway_request_validator": ("AWS::ApiGateway::RequestValidator", {}),
    "aws_api_gateway_resource": ("AWS::ApiGateway::Resource", {}),
    "aws_api_gateway_rest_api": ("AWS::ApiGateway::RestApi", {"api_key_source": "ApiKeySourceType"}),
    "aws_api_gateway_stage": (
        "AWS::ApiGateway::Stage",
        {"xray_tracing_enabled": "TracingEnabled", "access_log_settings": "AccessLogSetting"},
    ),
    "aws_api_gateway_usage_plan": (
        "AWS::ApiGateway::UsagePlan",
        {"name": "UsagePlanName", "quota_settings": "Quota", "throttle_settings": "Throttle"},
    ),
    "aws_api_gateway_usage_plan_key": ("AWS::ApiGateway::UsagePlanKey", {}),
    "aws_cloudwatch_dashboard": ("AWS::CloudWatch::Dashboard", {}),
    "aws_cloudwatch_log_group": ("AWS::Logs::LogGroup", {"name": "LogGroupName"}),
    "aws_cloudwatch_log_metric_filter": (
        "AWS::Logs::MetricFilter",
        {"name": "FilterName", "pattern": "FilterPattern", "metric_transformation": "MetricTransformations"},
    ),
    "aws_cloudwatch_metric_alarm": ("AWS::CloudWatch::Alarm", {}),
    "aws_dynamodb_table": (
        "AWS::DynamoDB::Table",
        {
            "name": "TableName",
            "attribute": "AttributeDefinitions",
            "global_secondary_index": "GlobalSecondaryIndexes",
        },
    ),
    "aws_iam_role": (
        "AWS::IAM::Role",
        {"name": "RoleName", "assume_role_policy": "AssumeRolePolicyDocument"},
    ),
    "aws_iam_role_policy": (
        "AWS::IAM::RolePolicy",
        {"name": "PolicyName", "policy": "PolicyDocument", "role": "RoleName"},
    ),
    "aws_kms_alias": ("AWS::KMS::Alias", {"name": "AliasName"}),
    "aws_kms_key": (
        "AWS::KMS::Key",
        {"policy": "KeyPolicy", "deletion_window_in_days": "PendingWindowInDays"},
    ),
    "aws_lambda_alias": ("AWS::Lambda::Alias", {}),
    "aws_lambda_event_source_mapping": ("AWS::Lambda::EventSourceMapping", {}),
    "aws_lambda_function": ("AWS::Lambda::Function", {}),
    "aws_lambda_permission": ("AWS::Lambda::Permission", {}),
    "aws_route53_health_check": ("AWS::Route53::HealthCheck", {}),
    "aws_route53_record": (
        "AWS::Route53::RecordSet",
        {"zone_id": "HostedZoneId", "records": "ResourceRecords"},
    ),
    "aws_route53_zone": ("AWS::Route53::HostedZone", {}),
    "aws_s3_bucket": ("AWS::S3::Bucket", {"bucket": "BucketName"}),
    "aws_s3_bucket_policy": ("AWS::S3::BucketPolicy", {"policy": "PolicyDocument"}),
    "aws_sns_topic": ("AWS::SNS::Topic", {"name": "TopicName"}),
    "aws_sns_topic_policy": ("AWS::SNS::TopicPolicy", {"policy": "PolicyDocument"}),
}
"""CloudFormation's type of each of the provider's, and the properties whose names do not follow."""
WITHIN: Mapping[str, Renames] = {
    "AttributeDefinitions": {"name": "AttributeName", "type": "AttributeType"},
    "GlobalSecondaryIndexes": {"name": "IndexName"},
    "HealthCheckConfig": {"fqdn": "FullyQualifiedDomainName", "enable_sni": "EnableSNI"},
    "MetricTransformations": {"name": "MetricName", "namespace": "MetricNamespace", "value": "MetricValue"},
}
"""The same for the properties of objects within, by the property that holds them."""
ELSEWHERE = {
    "aws_api_gateway_integration": "part of a method",
    "aws_api_gateway_integration_response": "part of a method",
    "aws_api_gateway_method_response": "part of a method",
    "aws_api_gateway_method_settings": "part of a stage",
    "aws_acm_certificate_validation": "nothing on AWS",
    "aws_s3_bucket_lifecycle_configuration": "part of a bucket",
    "aws_s3_bucket_object_lock_configuration": "part of a bucket",
    "aws_s3_bucket_ownership_controls": "part of a bucket",
    "aws_s3_bucket_public_access_block": "part of a bucket",
    "aws_s3_bucket_replication_configuration": "part of a bucket",
    "aws_s3_bucket_server_side_encryption_configuration": "part of a bucket",
    "aws_s3_bucket_versioning": "part of a bucket",
    "aws_sns_topic_subscription": "its topic is known later",
    "aws_ssm_parameter": "CloudFormation makes no SecureString",
}
"""Types that are no resource of CloudFormation's own, and why. Botocore's models judge their requests."""
NO_PROPERTY = frozenset({"//", "provider", "depends_on", "lifecycle", "tags", "force_destroy"})
_TEXTS = {"integer": int, "number": float}


@dataclass
class JudgedStacks:
    """What was judged, and what was wrong."""

    resources: int = 0
    properties: int = 0
    left_out: int = 0
    faults: list[str] = field(default_factory=list)


@functools.cache
def schema_of(type_: str) -> Mapping[str, Any]:
    """CloudFormation's schema of a type, in us-east-1."""
    data = importlib.resources.files("cfnlint.data.schemas")
    numbers = parse_json(data.joinpath("providers", "us-east-1.json").read_text(encoding="utf-8"))
    text = data.joinpath("resources", f"{numbers[type_]}.json").read_text(encoding="utf-8")
    found: dict[str, Any] = parse_json(text)
    return found


def judge(stack: Mapping[str, Any], name: str, judged: JudgedStacks) -> None:
    """Hold every resource of a synthesized stack against the schema of its type."""
    for type_, resources in stack["resource"].items():
        if type_ in ELSEWHERE:
            continue
        if type_ not in TYPES:
            judged.faults.append(f"{name}: nobody said which type of CloudFormation's {type_} is")
            continue
        called, renames = TYPES[type_]
        schema = schema_of(called)
        for address, block in resources.items():
            kept = {key: value for key, value in block.items() if key not in NO_PROPERTY}
            if called == "AWS::Route53::HealthCheck":
                kept = {"health_check_config": kept}
            properties = _object(schema, schema, kept, renames, judged)
            judged.resources += 1
            for fault in _faults(schema, properties):
                judged.faults.append(f"{name}: {type_}.{address}{fault}")


def _faults(schema: Mapping[str, Any], properties: Mapping[str, Any]) -> Iterator[str]:
    """What the schema forbids. Nothing is missed that is required: it may be known later."""
    validator = Draft7Validator({**schema, "required": []})
    for error in validator.iter_errors(properties):
        if error.validator in ("required", "dependencies", "anyOf", "oneOf", "allOf"):
            continue
        where = "".join(f".{one}" if isinstance(one, str) else f"[{one}]" for one in error.absolute_path)
        yield f"{where}: {error.message[:200]}"


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _object(
    root: Mapping[str, Any],
    shape: Mapping[str, Any],
    block: Mapping[str, Any],
    renames: Renames,
    judged: JudgedStacks,
) -> dict[str, Any]:
    known = {_plain(name): name for name in shape.get("properties", {})}
    found: dict[str, Any] = {}
    for key, value in block.items():
        name = renames.get(key) or known.get(_plain(key))
        if name is None or name not in shape.get("properties", {}):
            judged.left_out += 1
            continue
        inner = _resolved(root, shape["properties"][name])
        translated = _value(root, inner, value, WITHIN.get(name, {}), judged)
        if translated is LATER:
            judged.left_out += 1
        else:
            judged.properties += 1
            found[name] = translated
    return found


LATER = object()
"""A value that Terraform knows only later."""


def _resolved(root: Mapping[str, Any], shape: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in shape:
        found: Any = root
        for part in shape["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        shape = found
    return shape


def _value(
    root: Mapping[str, Any], shape: Mapping[str, Any], value: Any, renames: Renames, judged: JudgedStacks
) -> Any:
    kinds = shape.get("type", ())
    kinds = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    if isinstance(value, str) and "${" in value:
        return LATER
    if isinstance(value, list) and "array" not in kinds and len(value) == 1:
        value = value[0]
    inner = _resolved(root, shape.get("items", {}))
    if (
        "array" in kinds
        and isinstance(value, Mapping)
        and {*inner.get("properties", ())} == {"Name", "Value"}
    ):
        return [{"Name": name, "Value": one} for name, one in value.items() if "${" not in str(one)]
    if "array" in kinds and isinstance(value, Mapping):
        value = [value]
    if "array" in kinds and isinstance(value, list):
        entries = [_value(root, inner, one, renames, judged) for one in value]
        known = [one for one in entries if one is not LATER]
        return known if known or not value else LATER
    if "object" in kinds and isinstance(value, str):
        return parse_json(value)
    if isinstance(value, Mapping):
        if "properties" in shape:
            return _object(root, shape, value, renames, judged)
        return {key: one for key, one in value.items() if "${" not in json.dumps(one)}
    if isinstance(value, str) and kinds and set(kinds) <= _TEXTS.keys():
        return _number(value, kinds)
    if kinds == ("string",) and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value


def _number(text: str, kinds: tuple[str, ...]) -> Any:
    """Terraform has some numbers as text; one that is none stays text, and is a fault."""
    for kind in kinds:
        try:
            return _TEXTS[kind](text)
        except ValueError:
            continue
    return text
