"""Checks of KMS keys: that they rotate, that not everybody may use them, and that those may who must."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from payinfra.checks.manifest import Block, Manifest, Missing, PolicyDocument, Resource, Statement, Unreadable
from payinfra.checks.model import Severity, Verdict, check
from payinfra.checks.policy.encryption import Key, key_at
from payinfra.checks.policy.permissions import (
    fits,
    grants,
    is_everybody,
    names,
    policy_beside,
    services,
    through,
)
from payinfra.checks.policy.verdict_helpers import flag_on, nested, pass_unless, region_of

_SYMMETRIC = ("SYMMETRIC_DEFAULT",)
_IDENTITY = re.compile(r"\*|arn:|\d{12}$|\$\{(?:data\.)?[a-z0-9]+_[a-z0-9_]+\.|AROA|AIDA")
_LEAST_WINDOW = 7
_ALARMS = ("aws_cloudwatch_metric_alarm", "aws_cloudwatch_composite_alarm")
_LOG_CONTEXT = "kms:encryptioncontext:aws:logs:arn"
_LOG_ACTIONS = ("kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey")
_TOPIC_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey")
_TABLE_ACTIONS = ("kms:Decrypt",)


@check(
    id="PI-KMS-001",
    title="Customer keys rotate",
    severity=Severity.HIGH,
    on="aws_kms_key",
    risk="One key protects all that was ever written, and all of it is lost to whoever gets it.",
    fix="Set enable_key_rotation to true.",
    controls=("AWS FSBP KMS.4",),
)
def key_rotates(key: Resource, _manifest: Manifest) -> tuple[Verdict, ...]:
    """AWS rotates symmetric keys only."""
    spec = key.text("customer_master_key_spec")
    if isinstance(spec, str) and spec not in _SYMMETRIC:
        return (Verdict.not_applicable("an asymmetric or HMAC key does not rotate by itself"),)
    return pass_unless(flag_on(key, "enable_key_rotation", "rotation is off"))


@check(
    id="PI-KMS-002",
    title="A key's policy names its principals, and its deletion waits at least 7 days",
    severity=Severity.HIGH,
    on="aws_kms_key",
    risk="Anyone in any account may use the key; or it is gone, with all under it, before anyone notices.",
    fix="Name roles, services or the account root instead of *; set deletion_window_in_days to 7 or more.",
)
def key_policy_is_narrow(key: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """Without a policy AWS writes one that names the account root; without a window it waits 30 days."""
    return pass_unless((*_principals(key, manifest), *_window(key)))


def _principals(key: Resource, manifest: Manifest) -> Iterator[Verdict]:
    for address, policy in policy_beside(key, manifest, "aws_kms_key_policy", "key_id"):
        if isinstance(policy, Unreadable):
            yield Verdict.unknown(f"the key's policy is not known: {policy.why}", address)
            continue
        for reason in policy.unclear:
            yield Verdict.unknown(f"the key's policy is not all known: {reason}", address)
        for statement in policy.statements:
            if not statement.allows:
                continue
            shown = statement.sid or "a statement"
            if statement.not_principals:
                yield Verdict.failed(f"{shown} allows everybody but a few", address)
            elif any(map(is_everybody, statement.principals)):
                yield Verdict.failed(f"{shown} allows the principal *", address)
            for principal in statement.principals:
                if principal.kind == "AWS" and not _IDENTITY.match(principal.id):
                    yield Verdict.unknown(f"{shown} names {principal.id}, whoever that is", address)


def _window(key: Resource) -> Iterator[Verdict]:
    match key.number("deletion_window_in_days"):
        case Missing():
            return
        case Unreadable() as gap:
            yield Verdict.unknown(gap.why)
        case days if days < _LEAST_WINDOW:
            yield Verdict.failed(f"the key is deleted after {days} days")


@check(
    id="PI-KMS-003",
    title="A key's policy admits the services that need the key",
    severity=Severity.HIGH,
    risk="Logs are refused, alarms are swallowed by the topic, or the table becomes unreadable.",
    fix="Allow logs.<region>.amazonaws.com with the log groups' encryption context, cloudwatch.amazonaws.com "
    "where alarms publish to a topic under the key, and the account or its roles through DynamoDB.",
)
def keys_admit_their_services(manifest: Manifest) -> tuple[Verdict, ...]:
    """What needs a key is read from what names it; keys that this file does not make are judged elsewhere."""
    uses = _uses(manifest)
    if not uses:
        return (Verdict.not_applicable("no log group, no alarm's topic and no table uses a key of the file"),)
    return tuple(verdict for key, users in uses.items() for verdict in _admission(key, users, manifest))


@dataclass
class _Users:
    """What cannot work unless a key's policy admits its service."""

    groups: list[Resource] = field(default_factory=list)
    topics: list[Resource] = field(default_factory=list)
    tables: list[Resource] = field(default_factory=list)


def _uses(manifest: Manifest) -> dict[Resource, _Users]:
    found: dict[Resource, _Users] = {}

    def users(block: Block, path: str) -> _Users:
        key = key_at(block, path, manifest)
        resource = key.resource if isinstance(key, Key) else None
        return _Users() if resource is None else found.setdefault(resource, _Users())

    for group in manifest.all("aws_cloudwatch_log_group"):
        users(group, "kms_key_id").groups.append(group)
    for topic in manifest.all("aws_sns_topic"):
        if any(one.type in _ALARMS for one in manifest.referrers(topic)):
            users(topic, "kms_master_key_id").topics.append(topic)
    for table in manifest.all("aws_dynamodb_table"):
        users(table, "server_side_encryption.kms_key_arn").tables.append(table)
        replicas = nested(table, "replica")
        for replica in () if isinstance(replicas, Unreadable) else replicas:
            users(replica, "kms_key_arn").tables.append(table)
    for separate in manifest.all("aws_dynamodb_table_replica"):
        users(separate, "kms_key_arn").tables.append(separate)
    return found


def _admission(key: Resource, users: _Users, manifest: Manifest) -> tuple[Verdict, ...]:
    policies = policy_beside(key, manifest, "aws_kms_key_policy", "key_id")
    unclear = [policy.why for _, policy in policies if isinstance(policy, Unreadable)]
    statements = [
        statement
        for _, policy in policies
        if isinstance(policy, PolicyDocument)
        for statement in policy.statements
        if statement.allows
    ]
    unclear += [reason for statement in statements for reason in statement.unclear]
    region = region_of(key)
    if isinstance(region, Unreadable):
        return (Verdict.unknown(f"the key's region is not known: {region.why}", key.address),)
    missing = [
        f"logs.{region}.amazonaws.com for {group.address}"
        for group in users.groups
        if not any(_admits_logs(statement, group, region, manifest) for statement in statements)
    ]
    missing += [
        f"cloudwatch.amazonaws.com for {topic.address}"
        for topic in users.topics
        if not all(
            any(_admits(statement, "cloudwatch.amazonaws.com", action) for statement in statements)
            for action in _TOPIC_ACTIONS
        )
    ]
    # AWS's own default policy, used where there is none, lets IAM decide: DynamoDB then works.
    if policies and not any(_admits_table(statement, region) for statement in statements):
        missing += [f"the account or a role through DynamoDB for {table.address}" for table in users.tables]
    if missing and unclear:
        return (Verdict.unknown(f"the key's policy is not all known: {unclear[0]}", key.address),)
    if not missing:
        return (Verdict.passed(address=key.address),)
    return tuple(Verdict.failed(f"the policy does not admit {what}", key.address) for what in missing)


def _admits(statement: Statement, service: str, action: str) -> bool:
    return grants(statement, action) and service in services(statement)


def _admits_logs(statement: Statement, group: Resource, region: str, manifest: Manifest) -> bool:
    wanted = f"logs.{region}.amazonaws.com"
    return (
        any(fits(service, wanted) for service in services(statement))
        and all(grants(statement, action) for action in _LOG_ACTIONS)
        and any(
            condition.variable.lower() == _LOG_CONTEXT
            and any(_means(value, group, region, manifest) for value in condition.values)
            for condition in statement.conditions
        )
    )


def _means(value: str, group: Resource, region: str, manifest: Manifest) -> bool:
    """Whether an encryption context is the log group's ARN, or a pattern that includes it."""
    if names(value, group, manifest) is not None:
        return True
    known = manifest.resolve(value)
    name = group.body.get("name")
    text = manifest.resolve(name) if isinstance(name, str) else name
    if not isinstance(known, str) or not isinstance(text, str):
        return False
    # The account is left out: every key and log group of a file is in one.
    parts = known.split(":", 5)
    if len(parts) < 6 or parts[0] != "arn":
        return False
    return fits(parts[3], region) and fits(parts[5], f"log-group:{text}")


def _admits_table(statement: Statement, region: str) -> bool:
    """Whether identities may use the key for a table: without a ViaService condition, or with DynamoDB's."""
    if not all(grants(statement, action) for action in _TABLE_ACTIONS):
        return False
    if not any(principal.kind in ("AWS", "*") for principal in statement.principals):
        return False
    return through(statement, "dynamodb", region)
