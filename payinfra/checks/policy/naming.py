"""Checks of names, tags and outputs: that environments never collide and that everything has an owner."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from payinfra.checks.manifest import (
    Json,
    Manifest,
    Missing,
    Output,
    Provider,
    Resource,
    Unreadable,
    Unresolved,
    is_literal,
)
from payinfra.checks.model import Severity, Verdict, check
from payinfra.checks.policy.verdict_helpers import aws_providers, nested, pass_unless, secrets_in

_OF_ONE_PROPERTY = {
    "alarm_name": "cloudwatch_composite_alarm cloudwatch_metric_alarm",
    "broker_name": "mq_broker",
    "cluster_id": "elasticache_cluster",
    "cluster_identifier": "docdb_cluster neptune_cluster rds_cluster redshift_cluster",
    "cluster_name": "dax_cluster msk_cluster",
    "configuration_set_name": "sesv2_configuration_set",
    "dashboard_name": "cloudwatch_dashboard",
    "details.name": "s3control_multi_region_access_point",
    "domain": "cognito_user_pool_domain",
    "domain_name": "elasticsearch_domain opensearch_domain",
    "family": "ecs_task_definition",
    "function_name": "lambda_function",
    "global_cluster_identifier": "rds_global_cluster",
    "identifier": "db_instance rds_cluster_instance",
    "name": "api_gateway_api_key api_gateway_rest_api api_gateway_usage_plan apigatewayv2_api "
    "apigatewayv2_vpc_link appsync_graphql_api athena_workgroup backup_plan backup_vault budgets_budget "
    "cloudformation_stack cloudfront_cache_policy cloudfront_function cloudfront_origin_access_control "
    "cloudfront_origin_request_policy cloudfront_response_headers_policy cloudtrail cloudwatch_event_bus "
    "cloudwatch_log_destination cloudwatch_metric_stream codebuild_project codepipeline cognito_user_pool "
    "db_proxy dynamodb_table ecr_repository ecs_cluster elasticache_subnet_group "
    "globalaccelerator_accelerator glue_catalog_database iam_group iam_user kinesis_firehose_delivery_stream "
    "kinesis_stream pipes_pipe resourcegroups_group s3_access_point ses_configuration_set ssm_document "
    "ssm_parameter synthetics_canary wafv2_ip_set wafv2_rule_group wafv2_web_acl",
    "policy_name": "cloudwatch_log_resource_policy",
    "replication_group_id": "elasticache_replication_group",
}
_OF_NAME_OR_PREFIX = (
    "autoscaling_group cloudwatch_event_rule cloudwatch_log_group db_parameter_group db_subnet_group "
    "iam_instance_profile iam_policy iam_role kms_alias launch_template rds_cluster_parameter_group "
    "scheduler_schedule scheduler_schedule_group secretsmanager_secret sfn_state_machine sns_topic sqs_queue"
)
_SHORT_PREFIX = ("aws_alb", "aws_alb_target_group", "aws_lb", "aws_lb_target_group")
"""Their prefix has six letters at most, too few for an environment; AWS adds what makes the name unique."""

_NAMES: Mapping[str, tuple[str, ...]] = {
    **{f"aws_{kind}": (path,) for path, kinds in _OF_ONE_PROPERTY.items() for kind in kinds.split()},
    **{f"aws_{kind}": ("name", "name_prefix") for kind in _OF_NAME_OR_PREFIX.split()},
    **dict.fromkeys(_SHORT_PREFIX, ("name",)),
    "aws_key_pair": ("key_name", "key_name_prefix"),
    "aws_s3_bucket": ("bucket", "bucket_prefix"),
}
"""The properties that hold a name in a namespace which environments share."""

_DICTATED = {
    "aws_cloudwatch_event_bus": re.compile(r"aws\.partner/.*", re.DOTALL),
    "aws_cloudwatch_log_group": re.compile(r"API-Gateway-Execution-Logs_.*", re.DOTALL),
    "aws_cognito_user_pool_domain": re.compile(r".*\..*", re.DOTALL),
    "aws_iam_role": re.compile(
        r"dms-(?:vpc|cloudwatch-logs)-role|dms-access-for-endpoint"
        r"|AWSCloudFormationStackSet(?:Administration|Execution)Role"
    ),
    "aws_ssm_document": re.compile(r"SSM-SessionManagerRunShell"),
}
"""Names that AWS prescribes: an execution log group has its API's generated id, a bus its partner's name. A
domain of one's own is a name of DNS, which another environment cannot have."""

_REQUIRED = ("Environment", "EnvironmentSuffix", "Project", "ManagedBy")
_OPTIONAL = ("Owner", "CostCenter")

TAGGABLE = Path(__file__).with_name("data") / "taggable_types.txt"


@lru_cache(maxsize=1)
def taggable_types() -> frozenset[str]:
    """The types that take tags, by the provider's schema. `python -m scripts.taggable_types` writes them."""
    lines = TAGGABLE.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))


@check(
    id="PI-NAM-001",
    title="Every physical name contains the environment",
    severity=Severity.HIGH,
    on=tuple(_NAMES),
    risk="Two environments fight over one name: the second fails to deploy, or takes the first's resource.",
    fix="Derive the name from the environment, as in payment-{env}-payments.",
)
def name_contains_the_environment(resource: Resource, manifest: Manifest) -> Verdict:
    """As a word of its own: `pr1` is not in `payment-pr12-api`."""
    paths = _NAMES[resource.type]
    for path in paths:
        if resource.has(path):
            return _name_verdict(resource, path, manifest)
    if resource.type in _SHORT_PREFIX and resource.has("name_prefix"):
        return Verdict.not_applicable("AWS makes its name unique")
    return Verdict.failed(f"it has no {paths[0]}: AWS or Terraform would make one up")


def _name_verdict(resource: Resource, path: str, manifest: Manifest) -> Verdict:
    name = resource.template(path)
    if isinstance(name, Unreadable):
        return Verdict.unknown(name.why)
    resolved = manifest.resolve(name)
    text = resolved if isinstance(resolved, str) else name
    dictated = _DICTATED.get(resource.type)
    if dictated is not None and dictated.fullmatch(text):
        return Verdict.not_applicable(f"the name {text!r} is dictated by AWS, or by DNS")
    environment = manifest.environment
    if isinstance(environment, Unresolved):
        return Verdict.unknown("the environment is not known: pass --env, or tag with Environment")
    if re.search(rf"(?<![A-Za-z0-9]){re.escape(environment)}(?![A-Za-z0-9])", text):
        return Verdict.passed()
    if not is_literal(text):
        return Verdict.unknown(f"{path} cannot be resolved here: {text}")
    return Verdict.failed(f"{path} is {text!r}, without the environment {environment!r}")


@check(
    id="PI-TAG-001",
    title="Everything that takes tags has the required ones",
    severity=Severity.MEDIUM,
    risk="Nobody can tell whose a resource is, what it costs, or whether it may be deleted.",
    fix="Set default_tags with Environment, EnvironmentSuffix, Project and ManagedBy on every AWS provider, "
    "and propagate_tags on replicas.",
)
def everything_is_tagged(manifest: Manifest) -> tuple[Verdict, ...]:
    """From the provider's default_tags or the resource's own; Owner and CostCenter once anything has them."""
    taggable = [resource for resource in manifest.resources if resource.type in taggable_types()]
    if not taggable:
        return (Verdict.not_applicable(),)
    return pass_unless(_untagged(taggable, manifest))


def _tags(block: Resource | Provider) -> Mapping[str, Json] | Unreadable:
    """The tags of a resource, or a provider's default ones."""
    if isinstance(block, Resource):
        found = block.mapping("tags")
        return {} if isinstance(found, Missing) else found
    merged: dict[str, Json] = {}
    groups = nested(block.block, "default_tags")
    if isinstance(groups, Unreadable):
        return groups
    for group in groups:
        one = group.mapping("tags")
        if isinstance(one, Unreadable):
            if isinstance(one, Missing):
                continue
            return one
        merged |= one
    return merged


def _untagged(taggable: list[Resource], manifest: Manifest) -> Iterator[Verdict]:
    defaults: dict[str | Unreadable, Mapping[str, Json] | Unreadable] = {
        provider.address: _tags(provider) for provider in aws_providers(manifest)
    }
    everywhere = {key for tags in defaults.values() if not isinstance(tags, Unreadable) for key in tags}
    wanted = (*_REQUIRED, *(key for key in _OPTIONAL if key in everywhere))
    for resource in taggable:
        own, default = _tags(resource), defaults.get(resource.provider, {})
        known: dict[str, Json] = {}
        unclear: Unreadable | None = None
        for tags in (default, own):
            if isinstance(tags, Unreadable):
                unclear = tags
            else:
                known |= tags
        missing = [key for key in wanted if known.get(key) in (None, "")]
        wrong = [key for key in wanted if not isinstance(known.get(key), str | int | bool | float | None)]
        if missing and unclear is not None:
            yield Verdict.unknown(f"its tags are not known: {unclear.why}", resource.address)
        elif missing:
            yield Verdict.failed(f"it has no {', '.join(missing)}", resource.address)
        elif wrong:
            yield Verdict.unknown(f"the tag {wrong[0]} is no text", resource.address)
        if resource.type == "aws_dynamodb_table":
            yield from _untagged_replicas(resource)


def _untagged_replicas(table: Resource) -> Iterator[Verdict]:
    replicas = nested(table, "replica")
    if isinstance(replicas, Unreadable):
        yield Verdict.unknown(replicas.why, table.address)
        return
    for replica in replicas:
        flag = replica.flag("propagate_tags")
        if flag is False or isinstance(flag, Missing):
            yield Verdict.failed(f"{replica.path} does not propagate the table's tags", table.address)
        elif isinstance(flag, Unreadable):
            yield Verdict.unknown(flag.why, table.address)


@check(
    id="PI-TAG-002",
    title="A tag has one spelling, and Environment one value",
    severity=Severity.MEDIUM,
    risk="Cost reports and clean-up jobs see two tags where one is meant, and miss half.",
    fix="Keep all tags in one place: the providers' default_tags.",
)
def tags_are_spelled_alike(manifest: Manifest) -> tuple[Verdict, ...]:
    """Keys that differ only in case or separators; required tags with more than one value."""
    holders: list[tuple[str, Mapping[str, Json] | Unreadable]] = [
        (provider.address, _tags(provider)) for provider in aws_providers(manifest)
    ]
    holders += [
        (resource.address, _tags(resource))
        for resource in manifest.resources
        if resource.type in taggable_types()
    ]
    if not any(isinstance(tags, Unreadable) or tags for _, tags in holders):
        return (Verdict.not_applicable("nothing is tagged"),)
    return pass_unless(_spellings(holders, manifest))


def _spellings(
    holders: list[tuple[str, Mapping[str, Json] | Unreadable]], manifest: Manifest
) -> Iterator[Verdict]:
    spelled: dict[str, str] = {_plain(key): key for key in (*_REQUIRED, *_OPTIONAL)}
    valued: dict[str, Json] = {}
    for address, tags in holders:
        if isinstance(tags, Unreadable):
            yield Verdict.unknown(f"its tags are not known: {tags.why}", address)
            continue
        for key, value in tags.items():
            usual = spelled.setdefault(_plain(key), key)
            if usual != key:
                yield Verdict.failed(f"the tag {key!r} is spelled {usual!r} elsewhere", address)
            if key not in _REQUIRED:
                continue
            known = manifest.resolve(value)
            if not isinstance(known, str) or not is_literal(known):
                yield Verdict.unknown(f"the tag {key} has a value that is not known", address)
            elif valued.setdefault(key, known) != known:
                yield Verdict.failed(f"{key} is {known!r} here and {valued[key]!r} elsewhere", address)


def _plain(key: str) -> str:
    return re.sub(r"[^a-z0-9]", "", key.lower())


@check(
    id="PI-OUT-001",
    title="Outputs are described, and secrets among them are sensitive",
    severity=Severity.LOW,
    risk="A secret is printed into every log of every deploy; nobody knows what the others are for.",
    fix="Give each output a description, and sensitive = true where its value is secret.",
)
def outputs_are_described(manifest: Manifest) -> tuple[Verdict, ...]:
    """Secret is what comes from a key's value, a password or a secure parameter."""
    if not manifest.outputs:
        return (Verdict.not_applicable("there are no outputs"),)
    return pass_unless(verdict for output in manifest.outputs for verdict in _output(output, manifest))


def _output(output: Output, manifest: Manifest) -> Iterator[Verdict]:
    address = f"output.{output.name}"
    match output.block.text("description"):
        case Missing():
            yield Verdict.failed("it has no description", address)
        case Unreadable() as gap:
            yield Verdict.unknown(gap.why, address)
        case text if not text.strip():
            yield Verdict.failed("it has no description", address)
    sensitive = output.block.flag("sensitive")
    if isinstance(sensitive, Unreadable) and not isinstance(sensitive, Missing):
        yield Verdict.unknown(sensitive.why, address)
    secrets = secrets_in(manifest, output.block, "value")
    if secrets and sensitive is not True and not isinstance(sensitive, Unresolved):
        yield Verdict.failed(f"it shows {secrets[0]} and is not sensitive", address)
