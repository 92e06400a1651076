"""Checks of KMS keys: that they rotate, that not everybody may use them, and that those may who must."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from payinfra.checks.manifest import (
    SPAN,
    Block,
    Manifest,
    Missing,
    PolicyDocument,
    Principal,
    Resource,
    Statement,
    Unreadable,
)
from payinfra.checks.model import Severity, Verdict, check
from payinfra.checks.policy.arns import has_spelled_arn, own_arn_form
from payinfra.checks.policy.encryption import KEYS, Key, key_at
from payinfra.checks.policy.iam_tables import actions_of
from payinfra.checks.policy.permissions import is_everybody, policy_beside
from payinfra.checks.policy.policy_conditions import AccessRequest, Decision, Values, decide
from payinfra.checks.policy.policy_exposure import exposed
from payinfra.checks.policy.verdict_helpers import flag_on, nested, pass_unless, region_of

_MOST_ACCOUNTS = 4
_SYMMETRIC = ("SYMMETRIC_DEFAULT",)
_IDENTITY = re.compile(r"\*|arn:|\d{12}$|\$\{(?:data\.)?[a-z0-9]+_[a-z0-9_]+\.|AROA|AIDA")
_LEAST_WINDOW = 7
_YEAR = 366
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
    """AWS rotates symmetric keys only, and none whose material is in a key store of one's own."""
    if key.has("custom_key_store_id") and key.text("custom_key_store_id") != "":
        return (Verdict.not_applicable("AWS rotates no key of a custom key store"),)
    spec = key.text("customer_master_key_spec")
    if isinstance(spec, str) and spec not in _SYMMETRIC:
        return (Verdict.not_applicable("an asymmetric or HMAC key does not rotate by itself"),)
    found = list(flag_on(key, "enable_key_rotation", "rotation is off"))
    period = key.number("rotation_period_in_days")
    if isinstance(period, int | float) and period > _YEAR:
        found.append(Verdict.warn(f"it rotates every {period:g} days only"))
    elif isinstance(period, Unreadable) and not isinstance(period, Missing):
        found.append(Verdict.unknown(period.why))
    return pass_unless(found)


@check(
    id="PI-KMS-002",
    title="A key's policy names its principals, and its deletion waits at least 7 days",
    severity=Severity.HIGH,
    on=KEYS,
    risk="Anyone in any account may use the key; or it is gone, with all under it, before anyone notices.",
    fix="Name roles, services or the account root instead of *; set deletion_window_in_days to 7 or more.",
)
def key_policy_is_narrow(key: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """Without a policy AWS writes one that names the account root; without a window it waits 30 days."""
    return pass_unless((*_principals(key, manifest), *_window(key)))


def _principals(key: Resource, manifest: Manifest) -> Iterator[Verdict]:
    policies = policy_beside(key, manifest, "aws_kms_key_policy", "key_id")
    holder: dict[int, str] = {}
    statements: list[Statement] = []
    for address, policy in policies:
        if isinstance(policy, Unreadable):
            yield Verdict.unknown(f"the key's policy is not known: {policy.why}", address)
            continue
        for reason in policy.unclear:
            yield Verdict.unknown(f"the key's policy is not all known: {reason}", address)
        for statement in policy.statements:
            holder[id(statement)] = address
            statements.append(statement)
            if not statement.allows:
                continue
            for principal in statement.principals:
                if principal.kind == "AWS" and not _IDENTITY.match(principal.id):
                    yield Verdict.unknown(
                        f"{_shown(statement)} names {principal.id}, whoever that is", address
                    )
                elif principal.kind == "Service" and principal.id == "*":
                    yield Verdict.failed(f"{_shown(statement)} allows every service", address)
    if not any(one.not_principals or any(map(is_everybody, one.principals)) for one in statements):
        return
    open_to = exposed(statements, _every_action())
    if open_to is not None:
        who = "everybody but a few" if open_to.not_principals else "the principal *"
        yield Verdict.failed(
            f"{_shown(open_to)} allows {who}, and no condition binds it to an account", holder[id(open_to)]
        )


def _every_action() -> tuple[str, ...]:
    known = actions_of("kms")
    return tuple(sorted(f"kms:{one}" for one in known.narrow | known.every_resource)) if known else ()


def _shown(statement: Statement) -> str:
    return statement.sid or "a statement"


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
    title="A key is enabled, and its policy admits the services that need it",
    severity=Severity.HIGH,
    risk="Logs are refused, alarms are swallowed by the topic, or the table becomes unreadable.",
    fix="Allow logs.<region>.amazonaws.com with the log groups' encryption context, cloudwatch.amazonaws.com "
    "where alarms publish to a topic under the key, and the account or its roles through DynamoDB.",
)
def keys_admit_their_services(manifest: Manifest) -> tuple[Verdict, ...]:
    """What needs a key is read from what names it; keys that this file does not make are judged elsewhere.

    Conditions are evaluated, and a Deny wins over an Allow.
    """
    found = list(_disabled(manifest))
    for key, users in _uses(manifest).items():
        found += _admission(key, users, manifest)
    if not found:
        return (Verdict.not_applicable("no log group, no alarm's topic and no table uses a key of the file"),)
    return tuple(found)


_ENABLED = {
    "aws_kms_key": "is_enabled",
    "aws_kms_replica_key": "enabled",
    "aws_kms_external_key": "enabled",
    "aws_kms_replica_external_key": "enabled",
}
_ALIAS = "aws_kms_alias"
_NO_USE = (
    _ALIAS,
    "aws_kms_key_policy",
    "aws_kms_grant",
    "aws_kms_replica_key",
    "aws_kms_replica_external_key",
)


def _disabled(manifest: Manifest) -> Iterator[Verdict]:
    for key in manifest.all(*_ENABLED):
        names = (key, *(one for one in manifest.referrers(key) if one.type == _ALIAS))
        users = [user for name in names for user in manifest.referrers(name) if user.type not in _NO_USE]
        enabled = key.flag(_ENABLED[key.type])
        if users and enabled is False:
            yield Verdict.failed(f"it is disabled, and {users[0].address} uses it", key.address)
        elif users and isinstance(enabled, Unreadable) and not isinstance(enabled, Missing):
            yield Verdict.unknown(f"whether it is enabled is not known: {enabled.why}", key.address)


@dataclass
class _Users:
    """What cannot work unless a key's policy admits its service."""

    groups: list[Resource] = field(default_factory=list)
    topics: list[Resource] = field(default_factory=list)
    tables: list[Resource] = field(default_factory=list)
    senders: list[tuple[str, Resource, Resource]] = field(default_factory=list)
    """A service, the queue or topic that it puts messages into, and the resource for which it does."""


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
    for box in manifest.all("aws_sns_topic", "aws_sqs_queue"):
        for one in manifest.referrers(box):
            service = _sender(one, box, manifest)
            if service:
                users(box, "kms_master_key_id").senders.append((service, box, one))
    for table in manifest.all("aws_dynamodb_table"):
        users(table, "server_side_encryption.kms_key_arn").tables.append(table)
        replicas = nested(table, "replica")
        for replica in () if isinstance(replicas, Unreadable) else replicas:
            users(replica, "kms_key_arn").tables.append(table)
    for separate in manifest.all("aws_dynamodb_table_replica"):
        users(separate, "kms_key_arn").tables.append(separate)
    return found


def _sender(sender: Resource, box: Resource, manifest: Manifest) -> str:
    """The service that puts messages into a queue or topic for a resource; empty where none does."""
    known = _SENDERS.get(sender.type)
    reaches = known is not None and any(box in manifest.referents(sender, path) for path in known.boxes)
    return known.service if known is not None and reaches else ""


@dataclass(frozen=True)
class _Sender:
    """A type of resource for which a service sends as itself.

    Attributes:
        source: the property that names for what it sends: a subscription's topic, a target's rule.
        boxes: those that name where to, and where what it cannot deliver goes.
    """

    service: str
    source: str
    boxes: tuple[str, ...]


_SENDERS: Mapping[str, _Sender] = {
    "aws_cloudwatch_event_target": _Sender("events.amazonaws.com", "rule", ("arn", "dead_letter_config")),
    "aws_s3_bucket_notification": _Sender("s3.amazonaws.com", "bucket", ("queue", "topic")),
    "aws_sns_topic_subscription": _Sender("sns.amazonaws.com", "topic_arn", ("endpoint", "redrive_policy")),
}


def _admission(key: Resource, users: _Users, manifest: Manifest) -> tuple[Verdict, ...]:
    policies = policy_beside(key, manifest, "aws_kms_key_policy", "key_id")
    unclear = [policy.why for _, policy in policies if isinstance(policy, Unreadable)]
    statements = [
        statement
        for _, policy in policies
        if isinstance(policy, PolicyDocument)
        for statement in policy.statements
    ]
    region = region_of(key)
    if isinstance(region, Unreadable):
        return (Verdict.unknown(f"the key's region is not known: {region.why}", key.address),)
    policy = _KeyPolicy(statements, region, manifest)
    judged: list[tuple[str, Decision]] = [
        (f"logs.{region}.amazonaws.com for {one.address}", policy.lets_logs(one)) for one in users.groups
    ]
    judged += [
        (f"cloudwatch.amazonaws.com for {one.address}", policy.lets_alarms(one)) for one in users.topics
    ]
    judged += [
        (f"{service} for {box.address}", policy.lets_service(service, sender))
        for service, box, sender in dict.fromkeys(users.senders)
    ]
    # AWS's own default policy, used where there is none, lets IAM decide: DynamoDB then works.
    if policies:
        judged += [
            (f"the account or a role through DynamoDB for {one.address}", policy.lets_table())
            for one in users.tables
        ]
    found: list[Verdict] = []
    for what, decision in judged:
        if decision.allowed is True:
            continue
        if unclear:
            found.append(Verdict.unknown(f"the key's policy is not all known: {unclear[0]}", key.address))
        elif decision.allowed is None:
            found.append(
                Verdict.unknown(f"whether the policy admits {what} is not known{_of(decision)}", key.address)
            )
        else:
            denies = decision.statement is not None
            does = "denies" if denies else "does not admit"
            found.append(Verdict.failed(f"the policy {does} {what}{_of(decision)}", key.address))
    if not found:
        found += [
            Verdict.warn(
                f"it admits logs.{region}.amazonaws.com for any log group: no encryption context", key.address
            )
            for decision in (decision for what, decision in judged if what.startswith("logs."))
            if decision.statement is not None and not decision.statement.conditions
        ][:1]
    return tuple(dict.fromkeys(found)) or (Verdict.passed(address=key.address),)


def _of(decision: Decision) -> str:
    return "" if decision.statement is None else f" ({_shown(decision.statement)})"


class _KeyPolicy:
    """What a key's policy says to the requests of services and of the account's own identities.

    Every key, log group and alarm of a file is in one account: the one that the policy names, if it names
    any.
    """

    def __init__(self, statements: Sequence[Statement], region: str, manifest: Manifest) -> None:
        self._region = region
        self._manifest = manifest
        accounts = dict.fromkeys(
            account
            for statement in statements
            for text in _texts(statement)
            for account in re.findall(r"(?<!\d)\d{12}(?!\d)", text)
        )
        self._by_account = {
            account: [self._literal(one, account) for one in statements]
            for account in (list(accounts) or ["000000000000"])[:_MOST_ACCOUNTS]
        }

    def lets_logs(self, group: Resource) -> Decision:
        """CloudWatch Logs encrypts a log group with the group's ARN as encryption context."""
        service = f"logs.{self._region}.amazonaws.com"

        def context(account: str) -> dict[str, Values]:
            arn = _arn_of(group, account, self._manifest)
            return {_LOG_CONTEXT: (arn,), "aws:sourcearn": (arn,)}

        return self._worst(service, _LOG_ACTIONS, context)

    def lets_alarms(self, topic: Resource) -> Decision:
        """CloudWatch publishes each alarm to the topic."""
        alarms = [one for one in self._manifest.referrers(topic) if one.type in _ALARMS]
        decisions = []
        for alarm in alarms:
            name = alarm.text("alarm_name")
            tail = name if isinstance(name, str) else "${alarm}"

            def context(account: str, tail: str = tail) -> dict[str, Values]:
                return {"aws:sourcearn": (f"arn:aws:cloudwatch:{self._region}:{account}:alarm:{tail}",)}

            decisions.append(self._worst("cloudwatch.amazonaws.com", _TOPIC_ACTIONS, context))
        return min(decisions, key=_rank)

    def lets_service(self, service: str, sender: Resource) -> Decision:
        """A service puts a message into an encrypted queue or topic, for a rule, topic or bucket."""

        def context(account: str) -> dict[str, Values]:
            arns = [_arn_of(one, account, self._manifest) for one in _sources(sender, self._manifest)]
            return {"aws:sourcearn": (arns[0],)} if arns else {}

        return self._worst(service, _TOPIC_ACTIONS, context)

    def lets_table(self) -> Decision:
        """An identity of the account reads a table: DynamoDB decrypts on its behalf."""
        via = (f"dynamodb.{self._region}.amazonaws.com",)
        found = self._ask(
            Principal("AWS", "${identity}"),
            _TABLE_ACTIONS,
            lambda account: {"kms:viaservice": via, "kms:calleraccount": (account,)},
        )
        # Who in the account it is, is IAM's to say (PI-IAM-004).
        return found if found.allowed is False else Decision(True)

    def _worst(
        self, service: str, actions: tuple[str, ...], context: Callable[[str], dict[str, Values]]
    ) -> Decision:
        return self._ask(
            Principal("Service", service),
            actions,
            lambda account: {
                "aws:sourceaccount": (account,),
                "kms:viaservice": None,
                "aws:principalaccount": None,
                "aws:principalisawsservice": ("true",),
                "aws:principalorgid": None,
                **context(account),
            },
        )

    def _ask(
        self,
        principal: Principal,
        actions: tuple[str, ...],
        context: Callable[[str], dict[str, Values]],
    ) -> Decision:
        """The answer of the account that fits best, of the action that fits worst."""
        return max(
            (
                min(
                    (
                        decide(statements, AccessRequest(principal, action, context=context(account)))
                        for action in actions
                    ),
                    key=_rank,
                )
                for account, statements in self._by_account.items()
            ),
            key=_rank,
        )

    def _literal(self, statement: Statement, account: str) -> Statement:
        """A statement in which the account, and those for whom services call, are written out."""

        def text(value: str) -> str:
            for reference in self._manifest.references(value):
                target = self._manifest.target(reference)
                if target is None:
                    continue
                if target.type == "aws_caller_identity":
                    value = _spell(value, target.address, account)
                elif has_spelled_arn(target.type) and reference.attribute == "arn":
                    value = _spell(value, target.address, _arn_of(target, account, self._manifest))
            return value

        return replace(
            statement,
            principals=tuple(Principal(one.kind, text(one.id)) for one in statement.principals),
            conditions=tuple(
                replace(one, values=tuple(map(text, one.values))) for one in statement.conditions
            ),
        )


def _rank(decision: Decision) -> int:
    return (False, None, True).index(decision.allowed)


def _texts(statement: Statement) -> Iterator[str]:
    for condition in statement.conditions:
        yield from condition.values
    for principal in statement.principals:
        yield principal.id


def _spell(value: str, address: str, literal: str) -> str:
    return SPAN.sub(lambda span: literal if address in span[0] else span[0], value)


def _sources(sender: Resource, manifest: Manifest) -> list[Resource]:
    """For what a service sends."""
    sources = manifest.referents(sender, _SENDERS[sender.type].source)
    return [one for one in sources if has_spelled_arn(one.type)]


def _arn_of(resource: Resource, account: str, manifest: Manifest) -> str:
    """An ARN, with `${…}` for what is not known of the name."""

    def known(path: str) -> str:
        text = resource.template(path)
        resolved = manifest.resolve(text) if isinstance(text, str) else None
        return resolved if isinstance(resolved, str) else f"${{{resource.address}.{path}}}"

    form = own_arn_form(resource.type)
    name = known(form.name)
    if resource.type == "aws_cloudwatch_event_rule" and resource.has("event_bus_name"):
        bus = known("event_bus_name")
        name = name if bus == "default" else f"{bus}/{name}"
    return form.spelled(region=resource.region, account=account, name=name)
