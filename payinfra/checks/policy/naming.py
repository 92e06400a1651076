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

_NAMES: Mapping[str, tuple[str, ...]] = {
    "aws_api_gateway_api_key": ("name",),
    "aws_api_gateway_rest_api": ("name",),
    "aws_api_gateway_usage_plan": ("name",),
    "aws_apigatewayv2_api": ("name",),
    "aws_cloudwatch_composite_alarm": ("alarm_name",),
    "aws_cloudwatch_dashboard": ("dashboard_name",),
    "aws_cloudwatch_event_rule": ("name", "name_prefix"),
    "aws_cloudwatch_log_group": ("name", "name_prefix"),
    "aws_cloudwatch_metric_alarm": ("alarm_name",),
    "aws_dynamodb_table": ("name",),
    "aws_iam_group": ("name",),
    "aws_iam_instance_profile": ("name", "name_prefix"),
    "aws_iam_policy": ("name", "name_prefix"),
    "aws_iam_role": ("name", "name_prefix"),
    "aws_iam_user": ("name",),
    "aws_kms_alias": ("name", "name_prefix"),
    "aws_lambda_function": ("function_name",),
    "aws_s3_bucket": ("bucket", "bucket_prefix"),
    "aws_secretsmanager_secret": ("name", "name_prefix"),
    "aws_sfn_state_machine": ("name", "name_prefix"),
    "aws_sns_topic": ("name", "name_prefix"),
    "aws_sqs_queue": ("name", "name_prefix"),
    "aws_ssm_parameter": ("name",),
}
"""The properties that hold a name in a namespace which environments share."""

_DICTATED = (re.compile(r"API-Gateway-Execution-Logs_.*", re.DOTALL),)
"""Names that AWS prescribes: the execution log group is named after the API's generated id."""

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
    return Verdict.failed(f"it has no {paths[0]}: AWS or Terraform would make one up")


def _name_verdict(resource: Resource, path: str, manifest: Manifest) -> Verdict:
    name = resource.template(path)
    if isinstance(name, Unreadable):
        return Verdict.unknown(name.why)
    resolved = manifest.resolve(name)
    text = resolved if isinstance(resolved, str) else name
    if resource.type == "aws_cloudwatch_log_group" and any(one.fullmatch(text) for one in _DICTATED):
        return Verdict.not_applicable(f"AWS dictates the name {text!r}")
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
        case Missing() | "":
            yield Verdict.failed("it has no description", address)
        case Unreadable() as gap:
            yield Verdict.unknown(gap.why, address)
    sensitive = output.block.flag("sensitive")
    if isinstance(sensitive, Unreadable) and not isinstance(sensitive, Missing):
        yield Verdict.unknown(sensitive.why, address)
    secrets = secrets_in(manifest, output.block, "value")
    if secrets and sensitive is not True and not isinstance(sensitive, Unresolved):
        yield Verdict.failed(f"it shows {secrets[0]} and is not sensitive", address)
