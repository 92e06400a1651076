"""Whether the policy of a topic, queue or other resource lets strangers in."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from payinfra.checks.manifest import (
    Condition,
    Manifest,
    Missing,
    PolicyDocument,
    Principal,
    Resource,
    Statement,
    Unreadable,
)
from payinfra.checks.model import Severity, Verdict, check
from payinfra.checks.policy.iam_tables import actions_of
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


@dataclass(frozen=True)
class Whole:
    """A type that holds the whole policy of something: there is no second part to judge it with.

    Attributes:
        path: of the document.
        service: the prefix of its actions. No stranger should do any of them.
        names: of the actions, where some are for everybody.
        owner: the property that names what the policy is of, where that may keep strangers out.
        binds_services: whether a service that calls for any account is a stranger here. Not where it only
            writes logs, or shares what another policy guards.
    """

    path: str
    service: str
    names: tuple[str, ...] = ()
    owner: str = ""
    binds_services: bool = True

    @property
    def actions(self) -> tuple[str, ...]:
        """The literal actions that no stranger should do."""
        known = actions_of(self.service)
        names = self.names or (tuple(sorted(known.narrow | known.every_resource)) if known else ())
        return tuple(f"{self.service}:{name}" for name in names)


_LAYER_PERMISSION = "aws_lambda_layer_version_permission"
_DOMAINS = ("aws_elasticsearch_domain", "aws_opensearch_domain")
_ACCESS_POINT = "aws_s3_access_point"
_PUSHES = (
    *("BatchDeleteImage", "CompleteLayerUpload", "DeleteRepository", "InitiateLayerUpload", "PutImage"),
    *("SetRepositoryPolicy", "UploadLayerPart"),
)
_WHOLE: Mapping[str, Whole] = {
    "aws_acmpca_policy": Whole("policy", "acm-pca"),
    "aws_cloudsearch_domain_service_access_policy": Whole("access_policy", "cloudsearch"),
    "aws_cloudwatch_log_delivery_destination_policy": Whole("delivery_destination_policy", "logs"),
    "aws_cloudwatch_log_destination_policy": Whole("access_policy", "logs"),
    "aws_cloudwatch_log_resource_policy": Whole("policy_document", "logs", binds_services=False),
    "aws_codeartifact_domain_permissions_policy": Whole("policy_document", "codeartifact"),
    "aws_codeartifact_repository_permissions_policy": Whole("policy_document", "codeartifact"),
    "aws_codebuild_resource_policy": Whole("policy", "codebuild"),
    "aws_ecr_registry_policy": Whole("policy", "ecr"),
    "aws_ecr_repository_creation_template": Whole("repository_policy", "ecr"),
    "aws_ecrpublic_repository_policy": Whole("policy", "ecr-public", _PUSHES),
    "aws_efs_file_system_policy": Whole("policy", "elasticfilesystem"),
    "aws_elasticsearch_domain": Whole("access_policies", "es"),
    "aws_elasticsearch_domain_policy": Whole("access_policies", "es", owner="domain_name"),
    "aws_glacier_vault": Whole("access_policy", "glacier"),
    "aws_glue_resource_policy": Whole("policy", "glue", binds_services=False),
    _LAYER_PERMISSION: Whole("", "lambda"),
    "aws_media_store_container_policy": Whole("policy", "mediastore"),
    "aws_msk_cluster_policy": Whole("policy", "kafka"),
    "aws_networkfirewall_resource_policy": Whole("policy", "network-firewall"),
    "aws_oam_sink_policy": Whole("policy", "oam"),
    "aws_opensearch_domain": Whole("access_policies", "es"),
    "aws_opensearch_domain_policy": Whole("access_policies", "es", owner="domain_name"),
    "aws_prometheus_resource_policy": Whole("policy_document", "aps"),
    "aws_redshift_resource_policy": Whole("policy", "redshift"),
    "aws_redshiftserverless_resource_policy": Whole("policy", "redshift-serverless"),
    _ACCESS_POINT: Whole("policy", "s3"),
    "aws_s3control_access_grants_instance_resource_policy": Whole("policy", "s3"),
    "aws_s3control_access_point_policy": Whole("policy", "s3", owner="access_point_arn"),
    "aws_s3control_bucket_policy": Whole("policy", "s3-outposts"),
    "aws_s3control_multi_region_access_point_policy": Whole("details.policy", "s3"),
    "aws_s3control_object_lambda_access_point_policy": Whole("policy", "s3-object-lambda"),
    "aws_s3tables_table_bucket_policy": Whole("resource_policy", "s3tables"),
    "aws_s3tables_table_policy": Whole("resource_policy", "s3tables"),
    "aws_s3vectors_vector_bucket_policy": Whole("policy", "s3vectors"),
    "aws_sagemaker_model_package_group_policy": Whole("resource_policy", "sagemaker"),
    "aws_schemas_registry_policy": Whole("policy", "schemas"),
    "aws_ses_identity_policy": Whole("policy", "ses"),
    "aws_sesv2_email_identity_policy": Whole("policy", "ses"),
    "aws_vpclattice_resource_policy": Whole("policy", "vpc-lattice"),
    "aws_xray_resource_policy": Whole("policy_document", "xray"),
}
"""Source: the arguments of the AWS provider 6 whose document is a resource policy. Left out are those of keys
and buckets (PI-KMS-002, PI-S3-001), of REST APIs (who may call is PI-API's), of endpoints and services inside
a VPC (the network says who reaches them) and of an organization."""


_SHARED = {
    "aws_ami_launch_permission": "group",
    "aws_db_cluster_snapshot": "shared_accounts",
    "aws_db_snapshot": "shared_accounts",
    "aws_ssm_document": "permissions.account_ids",
}
"""What names the accounts that it is shared with in a property, where `all` is everybody."""


@check(
    id="PI-POL-001",
    title="The policy of a bus, repository, vault, table, stream, domain or log destination lets only named "
    "callers in",
    severity=Severity.HIGH,
    on=(*_OTHERS, *(one.policy for one in _OTHERS.values()), _BUS_PERMISSION, *_WHOLE, *_SHARED),
    risk="Anyone with an AWS account may send false events, replace an image that runs, or read and delete "
    "payments and their copies.",
    fix="Name accounts or roles as principals, with aws:SourceArn or aws:SourceAccount where it is a "
    "service.",
)
def policy_is_closed(resource: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """Conditions are evaluated: one that a stranger can meet binds nobody."""
    if resource.type in _SHARED:
        return (_shared_with(resource, _SHARED[resource.type]),)
    whole = _WHOLE.get(resource.type)
    return open_policy(resource, manifest) if whole is None else _whole_policy(resource, whole, manifest)


def _shared_with(resource: Resource, path: str) -> Verdict:
    accounts = resource.texts(path)
    if isinstance(accounts, Missing):
        return Verdict.not_applicable("it is shared with nobody")
    if isinstance(accounts, Unreadable):
        return Verdict.unknown(accounts.why)
    if any(one.lower() == "all" for one in accounts):
        return Verdict.failed("it is shared with everybody")
    return Verdict.passed()


def _whole_policy(resource: Resource, whole: Whole, manifest: Manifest) -> tuple[Verdict, ...]:
    """Verdicts on a policy that stands in one place."""
    if resource.text(whole.path) == "" or not (
        resource.type.endswith(("_policy", "_permission")) or resource.has(whole.path)
    ):
        return (Verdict.not_applicable("it has no policy: only its own account is let in"),)
    kept = _is_kept_out(resource, whole, manifest)
    if kept is True:
        return (Verdict.passed("what it is of admits nobody by the policy alone"),)
    policies = ((resource.address, _document(resource, whole.path)),)
    found = tuple(
        dict.fromkeys(_strangers(policies, whole.actions, binds_services=whole.binds_services)),
    )
    if found and isinstance(kept, Unreadable):
        return (Verdict.unknown(kept.why),)
    return pass_unless(found)


def _is_kept_out(resource: Resource, whole: Whole, manifest: Manifest) -> bool | Unreadable:
    """Whether a VPC, or a domain's own users, keep out whoever a policy lets in.

    Sources: OpenSearch Service developer guide, "Launching your domains within a VPC" and "Fine-grained
    access control" (both recommend an open policy); S3 user guide, "Creating access points restricted
    to a VPC".
    """
    owners = manifest.referents(resource, whole.owner) if whole.owner else (resource,)
    name = resource.text("domain_name")
    if whole.owner and not owners and isinstance(name, str):
        owners = tuple(one for one in manifest.all(*_DOMAINS) if one.text("domain_name") == name)
    for owner in owners:
        if owner.type not in (*_DOMAINS, _ACCESS_POINT):
            continue
        inside = nested(owner, "vpc_configuration" if owner.type == _ACCESS_POINT else "vpc_options")
        if isinstance(inside, Unreadable) or inside:
            return inside if isinstance(inside, Unreadable) else True
        if owner.flag("advanced_security_options.anonymous_auth_enabled") is True:
            continue
        users = owner.flag("advanced_security_options.enabled")
        if users is True or (isinstance(users, Unreadable) and not isinstance(users, Missing)):
            return users
    return False


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
        policies = ((resource.address, _document(resource, "policy")),)
    if not policies:
        return (Verdict.not_applicable("it has no policy: only its own account is let in"),)
    return pass_unless(dict.fromkeys(_strangers(policies, holder.actions)))


_Policies = tuple[tuple[str, PolicyDocument | Unreadable], ...]


def _strangers(
    policies: _Policies, actions: tuple[str, ...], *, binds_services: bool = True
) -> Iterator[Verdict]:
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
        if statement.allows and binds_services
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
    return tuple((one.address, _document(one, "policy")) for one in (*attached.resources, *attached.unclear))


def _document(holder: Resource, path: str) -> PolicyDocument | Unreadable:
    """What a policy at a path, or a permission that is one statement of it, says."""
    if holder.type == _LAYER_PERMISSION:
        return _layer_permission(holder)
    if holder.type != _BUS_PERMISSION:
        return holder.policy(path)
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


def _layer_permission(holder: Resource) -> PolicyDocument | Unreadable:
    """A layer's permission: everybody, or everybody of an organization, is a principal `*` of it."""
    principal, organization = holder.template("principal"), holder.template("organization_id")
    if isinstance(principal, Unreadable):
        return principal
    if isinstance(organization, Unreadable) and not isinstance(organization, Missing):
        return organization
    bound = (
        (Condition("StringEquals", "aws:PrincipalOrgID", (organization,)),)
        if isinstance(organization, str) and organization
        else ()
    )
    action = holder.text("action")
    statement = Statement(
        actions=(action if isinstance(action, str) else "lambda:GetLayerVersion",),
        resources=("*",),
        principals=(Principal("AWS", principal),),
        conditions=bound,
    )
    return PolicyDocument((statement,))


def _shown(statement: Statement) -> str:
    return statement.sid or "a statement"
