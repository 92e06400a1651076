"""Whether the policy of a topic, queue or other resource lets strangers in."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from payinfra.checks.manifest import (
    Condition,
    Manifest,
    PolicyDocument,
    Principal,
    Resource,
    Statement,
    Unreadable,
)
from payinfra.checks.model import Severity, Verdict, check
from payinfra.checks.policy.permissions import policy_beside
from payinfra.checks.policy.policy_exposure import exposed
from payinfra.checks.policy.verdict_helpers import nested, pass_unless


@dataclass(frozen=True)
class Holder:
    """A type of resource that has a policy.

    Attributes:
        policy: the type of a policy of its own.
        by: the property of that which names the resource.
        actions: literal ones that no stranger should do.
        permission: a type that is one statement of the policy; empty where there is none.
    """

    policy: str
    by: str
    actions: tuple[str, ...]
    permission: str = ""


def _actions(service: str, names: str) -> tuple[str, ...]:
    return tuple(f"{service}:{name}" for name in names.split())


_BUS_PERMISSION = "aws_cloudwatch_event_permission"
_WITH_A_CHECK: Mapping[str, Holder] = {
    "aws_secretsmanager_secret": Holder(
        "aws_secretsmanager_secret_policy",
        "secret_arn",
        _actions(
            "secretsmanager",
            "DeleteSecret GetSecretValue PutResourcePolicy PutSecretValue ReplicateSecretToRegions "
            "UpdateSecret",
        ),
    ),
    "aws_sns_topic": Holder(
        "aws_sns_topic_policy",
        "arn",
        _actions(
            "sns",
            "AddPermission DeleteTopic GetTopicAttributes Publish RemovePermission SetTopicAttributes "
            "Subscribe",
        ),
    ),
    "aws_sqs_queue": Holder(
        "aws_sqs_queue_policy",
        "queue_url",
        _actions(
            "sqs",
            "ChangeMessageVisibility DeleteMessage DeleteQueue GetQueueAttributes PurgeQueue ReceiveMessage "
            "SendMessage SetQueueAttributes",
        ),
    ),
}
"""Those that have a check of their own beside what else is looked at in them."""

_OTHERS: Mapping[str, Holder] = {
    "aws_backup_vault": Holder(
        "aws_backup_vault_policy",
        "backup_vault_name",
        _actions(
            "backup",
            "CopyFromBackupVault CopyIntoBackupVault DeleteBackupVault DeleteBackupVaultAccessPolicy "
            "DeleteRecoveryPoint PutBackupVaultAccessPolicy StartRestoreJob UpdateRecoveryPointLifecycle",
        ),
    ),
    "aws_cloudwatch_event_bus": Holder(
        "aws_cloudwatch_event_bus_policy",
        "event_bus_name",
        _actions("events", "DeleteRule DisableRule EnableRule PutEvents PutRule PutTargets RemoveTargets"),
        _BUS_PERMISSION,
    ),
    "aws_dynamodb_table": Holder(
        "aws_dynamodb_resource_policy",
        "resource_arn",
        _actions(
            "dynamodb",
            "BatchGetItem BatchWriteItem DeleteItem DeleteTable ExportTableToPointInTime GetItem GetRecords "
            "PutItem PutResourcePolicy Query Scan UpdateItem UpdateTable",
        ),
    ),
    "aws_ecr_repository": Holder(
        "aws_ecr_repository_policy",
        "repository",
        _actions(
            "ecr",
            "BatchDeleteImage BatchGetImage CompleteLayerUpload DeleteRepository GetDownloadUrlForLayer "
            "InitiateLayerUpload PutImage SetRepositoryPolicy UploadLayerPart",
        ),
    ),
    "aws_kinesis_stream": Holder(
        "aws_kinesis_resource_policy",
        "resource_arn",
        _actions("kinesis", "GetRecords GetShardIterator PutRecord PutRecords SubscribeToShard"),
    ),
}
_HOLDERS = {**_WITH_A_CHECK, **_OTHERS}


@check(
    id="PI-POL-001",
    title="The policy of a bus, image repository, backup vault, table or stream lets only named callers in",
    severity=Severity.HIGH,
    on=(*_OTHERS, *(one.policy for one in _OTHERS.values()), _BUS_PERMISSION),
    risk="Anyone with an AWS account may send false events, replace an image that runs, or read and delete "
    "payments and their copies.",
    fix="Name accounts or roles as principals, with aws:SourceArn or aws:SourceAccount where it is a "
    "service.",
)
def policy_is_closed(resource: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """Conditions are evaluated: one that a stranger can meet binds nobody."""
    return open_policy(resource, manifest)


def open_policy(resource: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """Verdicts on whom the policy of a resource lets in.

    A policy whose resource is not in the file is judged by itself; else it is judged with its resource.
    """
    owner, holder = next(
        (owner, one)
        for owner, one in _HOLDERS.items()
        if resource.type in (owner, one.policy, one.permission)
    )
    if resource.type == owner:
        policies = (
            *policy_beside(resource, manifest, holder.policy, holder.by),
            *_permissions(resource, holder, manifest),
        )
    elif _has_owner(resource, owner, holder, manifest):
        return (Verdict.not_applicable("it is judged with what it belongs to"),)
    else:
        policies = ((resource.address, _document(resource)),)
    if not policies:
        return (Verdict.not_applicable("it has no policy: only its own account is let in"),)
    return pass_unless(dict.fromkeys(_strangers(policies, holder.actions)))


_Policies = tuple[tuple[str, PolicyDocument | Unreadable], ...]


def _strangers(policies: _Policies, actions: tuple[str, ...]) -> Iterator[Verdict]:
    """What is wrong with policies that hold together, each with the address of what it stands in."""
    statements: list[Statement] = []
    holder: dict[int, str] = {}
    for address, policy in policies:
        if isinstance(policy, Unreadable):
            yield Verdict.unknown(f"its policy is not known: {policy.why}", address)
            continue
        yield from (Verdict.unknown(reason, address) for reason in policy.unclear)
        for statement in policy.statements:
            statements.append(statement)
            holder[id(statement)] = address
    open_to = exposed(statements, actions)
    if open_to is not None:
        yield Verdict.failed(f"{_shown(open_to)} lets anybody in", holder[id(open_to)])
    elif exposed([_whoever(one) for one in statements], actions) is not None:
        yield Verdict.unknown("whom it lets in is a variable without a value")
    services = dict.fromkeys(
        principal.id
        for statement in statements
        if statement.allows
        for principal in statement.principals
        if principal.kind == "Service"
    )
    for service in services:
        through = exposed(statements, actions, who=Principal("Service", service))
        if through is not None and through is not open_to:
            yield Verdict.failed(
                f"{_shown(through)} lets {service} in for any account: no condition binds the source",
                holder[id(through)],
            )


def _whoever(statement: Statement) -> Statement:
    """A statement in which a principal that is a variable is everybody, as it may be."""
    return replace(
        statement,
        principals=tuple(
            Principal(one.kind, "*") if one.kind == "AWS" and one.id.startswith("${var.") else one
            for one in statement.principals
        ),
    )


def _has_owner(policy: Resource, owner: str, holder: Holder, manifest: Manifest) -> bool:
    """Whether a policy belongs, or may belong, to a resource of the file."""
    for one in manifest.all(owner):
        attached = manifest.attached(one, policy.type, by=holder.by)
        if policy in (*attached.resources, *attached.unclear):
            return True
    return False


def _permissions(owner: Resource, holder: Holder, manifest: Manifest) -> _Policies:
    """The permissions that are statements of a resource's policy."""
    if not holder.permission:
        return ()
    attached = manifest.attached(owner, holder.permission, by=holder.by)
    return tuple((one.address, _document(one)) for one in (*attached.resources, *attached.unclear))


def _document(holder: Resource) -> PolicyDocument | Unreadable:
    """What a policy, or a permission that is one statement of it, says."""
    if holder.type != _BUS_PERMISSION:
        return holder.policy("policy")
    principal, conditions = holder.template("principal"), nested(holder, "condition")
    if isinstance(principal, Unreadable):
        return principal
    if isinstance(conditions, Unreadable):
        return conditions
    bound: list[Condition] = []
    for one in conditions:
        test, key, value = one.text("type"), one.text("key"), one.template("value")
        if isinstance(test, Unreadable) or isinstance(key, Unreadable) or isinstance(value, Unreadable):
            return next(part for part in (test, key, value) if isinstance(part, Unreadable))
        bound.append(Condition(test, key, (value,)))
    action = holder.text("action")
    statement = Statement(
        actions=(action if isinstance(action, str) else "events:PutEvents",),
        resources=("*",),
        principals=(Principal("AWS", principal),),
        conditions=tuple(bound),
    )
    return PolicyDocument((statement,))


def _shown(statement: Statement) -> str:
    return statement.sid or "a statement"
