"""What a role needs, from what the stack is made of and what its function's code calls."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from payinfra.checks.manifest import Block, Manifest, Missing, Resource, Statement, Unreadable, Unresolved
from payinfra.checks.model import Verdict
from payinfra.checks.policy.encryption import Key, key_at
from payinfra.checks.policy.lambda_source import (
    Handler,
    UnreadableSource,
    handler_of,
    has_layers,
    mentions,
)
from payinfra.checks.policy.permissions import grants, names, role_services, role_uses
from payinfra.checks.policy.verdict_helpers import nested

_READS = (
    "dynamodb:GetItem",
    "dynamodb:Query",
    "dynamodb:Scan",
    "dynamodb:BatchGetItem",
    "dynamodb:ConditionCheckItem",
)
_WRITES = ("dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem")


@dataclass(frozen=True)
class Need:
    """A use of a key that a role cannot do without.

    Attributes:
        action: `kms:Decrypt`.
        key: the key; a Gap where it cannot be found out.
        what: what is encrypted with it.
        service: through which service, as in `kms:ViaService`.
    """

    action: str
    key: Resource | Unreadable
    what: str
    service: str


def needs_of(role: Resource, statements: list[Statement], manifest: Manifest) -> Iterator[Need]:
    """The keys that a role must be able to use, by what its statements let it touch."""
    users = tuple(role_uses(role, manifest))
    regions = {user.region for _, user in users}
    touched = _Touched(statements, manifest)
    for table in manifest.all("aws_dynamodb_table"):
        if touched.any_of((*_READS, *_WRITES), table, "name"):
            for key in _table_keys(table, regions, manifest):
                yield from _need(key, table, "dynamodb", ("kms:Decrypt",))
    for bucket in manifest.all("aws_s3_bucket"):
        if touched.any_of(("s3:GetObject",), bucket, "bucket"):
            yield from _need(_bucket_key(bucket, manifest), bucket, "s3", ("kms:Decrypt",))
        if touched.any_of(("s3:PutObject",), bucket, "bucket"):
            yield from _need(_bucket_key(bucket, manifest), bucket, "s3", ("kms:GenerateDataKey",))
    for parameter in manifest.all("aws_ssm_parameter"):
        if touched.any_of(("ssm:GetParameter", "ssm:GetParameters"), parameter, "name"):
            yield from _need(key_at(parameter, "key_id", manifest), parameter, "ssm", ("kms:Decrypt",))
    for topic in manifest.all("aws_sns_topic"):
        if touched.any_of(("sns:Publish",), topic, "name"):
            key = key_at(topic, "kms_master_key_id", manifest)
            yield from _need(key, topic, "sns", ("kms:Decrypt", "kms:GenerateDataKey"))
    for queue in manifest.all("aws_sqs_queue"):
        key = key_at(queue, "kms_master_key_id", manifest)
        if touched.any_of(("sqs:ReceiveMessage",), queue, "name"):
            yield from _need(key, queue, "sqs", ("kms:Decrypt",))
        if touched.any_of(("sqs:SendMessage",), queue, "name"):
            yield from _need(key, queue, "sqs", ("kms:Decrypt", "kms:GenerateDataKey"))
    for stream in manifest.all("aws_kinesis_stream"):
        key = key_at(stream, "kms_key_id", manifest)
        if touched.any_of(("kinesis:GetRecords", "kinesis:SubscribeToShard"), stream, "name"):
            yield from _need(key, stream, "kinesis", ("kms:Decrypt",))
        if touched.any_of(("kinesis:PutRecord", "kinesis:PutRecords"), stream, "name"):
            yield from _need(key, stream, "kinesis", ("kms:GenerateDataKey",))
    for secret in manifest.all("aws_secretsmanager_secret"):
        if touched.any_of(("secretsmanager:GetSecretValue",), secret, "name"):
            yield from _need(
                key_at(secret, "kms_key_id", manifest), secret, "secretsmanager", ("kms:Decrypt",)
            )
    for _, user in users:
        if user.type == "aws_s3_bucket_replication_configuration":
            yield from _replication(user, manifest)
        else:
            yield from _sources(user, manifest)


_SOURCES = {"aws_kinesis_stream": ("kms_key_id", "kinesis"), "aws_sqs_queue": ("kms_master_key_id", "sqs")}
"""What mappings read as the function's role: where the key stands, and through which service it is used."""


def _sources(function: Resource, manifest: Manifest) -> Iterator[Need]:
    """The keys of what event source mappings read for a function, whoever's policy lets it."""
    for named in (function, *manifest.users(function, "aws_lambda_alias", "function_name")):
        for mapping in manifest.users(named, "aws_lambda_event_source_mapping", "function_name"):
            for source in manifest.referents(mapping, "event_source_arn"):
                if source.type in _SOURCES:
                    path, service = _SOURCES[source.type]
                    yield from _need(key_at(source, path, manifest), source, service, ("kms:Decrypt",))


class _Touched:
    """What the Allow statements of a role reach."""

    def __init__(self, statements: list[Statement], manifest: Manifest) -> None:
        self._statements = statements
        self._manifest = manifest
        self._reached: dict[tuple[str, ...], tuple[frozenset[str], tuple[str, ...]]] = {}

    def any_of(self, actions: tuple[str, ...], resource: Resource, name: str) -> bool:
        """Whether one of the actions is allowed on the resource, or on something inside it."""
        if actions not in self._reached:
            self._reached[actions] = self._reach(actions)
        addresses, arns = self._reached[actions]
        if resource.address in addresses:
            return True
        known = resource.text(name) if arns else ""
        return (
            isinstance(known, str)
            and bool(known)
            and any(
                known in text and names(text, resource, self._manifest, name) is not None for text in arns
            )
        )

    def _reach(self, actions: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
        """What the actions are allowed on: addresses that are referred to, and ARNs that are written out."""
        texts = dict.fromkeys(
            text
            for statement in self._statements
            if any(grants(statement, action) for action in actions)
            for text in statement.resources
        )
        addresses = frozenset(
            reference.address for text in texts for reference in self._manifest.references(text)
        )
        return addresses, tuple(text for text in texts if text.startswith("arn:"))


def _need(key: Key | Unreadable, what: Resource, service: str, actions: tuple[str, ...]) -> Iterator[Need]:
    """The use of a key that this file makes; other keys' policies are judged where they are made."""
    if isinstance(key, Unreadable):
        if not isinstance(key, Missing):
            yield Need(actions[0], key, what.address, service)
    elif key.resource is not None:
        for action in actions:
            yield Need(action, key.resource, what.address, service)


def _table_keys(
    table: Resource, regions: set[str | Unresolved], manifest: Manifest
) -> Iterator[Key | Unreadable]:
    """The keys of a table, or of its replicas, in the regions of those who use it."""
    if not regions or table.region in regions:
        yield key_at(table, "server_side_encryption.kms_key_arn", manifest)
    replicas = nested(table, "replica")
    for replica in () if isinstance(replicas, Unreadable) else replicas:
        if not regions or replica.text("region_name") in regions:
            yield key_at(replica, "kms_key_arn", manifest)
    for separate in manifest.attached(table, "aws_dynamodb_table_replica", by="global_table_arn").resources:
        if not regions or separate.region in regions:
            yield key_at(separate, "kms_key_arn", manifest)


def _bucket_key(bucket: Resource, manifest: Manifest) -> Key | Unreadable:
    at = "rule.apply_server_side_encryption_by_default.kms_master_key_id"
    beside = manifest.attached(bucket, "aws_s3_bucket_server_side_encryption_configuration", by="bucket")
    for one in beside.resources:
        return key_at(one, at, manifest)
    return key_at(bucket, f"server_side_encryption_configuration.{at}", manifest)


def _replication(replication: Resource, manifest: Manifest) -> Iterator[Need]:
    """Decrypt at the source, encrypt at the destination (S3 user guide, "Replicating encrypted objects")."""
    for bucket in manifest.referents(replication, "bucket"):
        if bucket.type == "aws_s3_bucket":
            yield from _need(_bucket_key(bucket, manifest), bucket, "s3", ("kms:Decrypt",))
    rules = nested(replication, "rule")
    for rule in () if isinstance(rules, Unreadable) else rules:
        yield from _destination(rule, replication, manifest)


def _destination(rule: Block, replication: Resource, manifest: Manifest) -> Iterator[Need]:
    key = key_at(rule, "destination.encryption_configuration.replica_kms_key_id", manifest)
    yield from _need(key, replication, "s3", ("kms:Encrypt",))


_KEY_USES = frozenset(
    {
        "kms:decrypt",
        "kms:encrypt",
        "kms:generatedatakey",
        "kms:generatedatakey*",
        "kms:reencrypt*",
        "kms:describekey",
    }
)
_FAMILIES = frozenset({"kms:generatedatakey*", "kms:reencrypt*"})
_REPLICATION = frozenset(
    {
        "kms:decrypt",
        "kms:encrypt",
        "kms:generatedatakey",
        "s3:getbucketversioning",
        "s3:getobjectlegalhold",
        "s3:getobjectretention",
        "s3:getobjectversionacl",
        "s3:getobjectversionforreplication",
        "s3:getobjectversiontagging",
        "s3:getreplicationconfiguration",
        "s3:listbucket",
        "s3:objectowneroverridetobucketowner",
        "s3:replicatedelete",
        "s3:replicateobject",
        "s3:replicatetags",
    }
)
"""S3 user guide, "Setting up permissions for live replication"."""

_STREAMS = frozenset(
    {
        "dynamodb:describestream",
        "dynamodb:getrecords",
        "dynamodb:getsharditerator",
        "dynamodb:liststreams",
        "kafka-cluster:altergroup",
        "kafka-cluster:connect",
        "kafka-cluster:describeclusterdynamicconfiguration",
        "kafka-cluster:describegroup",
        "kafka-cluster:describetopic",
        "kafka-cluster:readdata",
        "kafka:describecluster",
        "kafka:describeclusterv2",
        "kafka:describevpcconnection",
        "kafka:getbootstrapbrokers",
        "kafka:listscramsecrets",
        "kinesis:describestream",
        "kinesis:describestreamconsumer",
        "kinesis:describestreamsummary",
        "kinesis:getrecords",
        "kinesis:getsharditerator",
        "kinesis:listshards",
        "kinesis:liststreams",
        "kinesis:subscribetoshard",
        "mq:describebroker",
        "sqs:changemessagevisibility",
        "sqs:deletemessage",
        "sqs:getqueueattributes",
        "sqs:receivemessage",
    }
)
"""AWS Lambda developer guide, the permissions of each kind of event source mapping."""

_NETWORK = frozenset(
    {
        "ec2:assignprivateipaddresses",
        "ec2:createnetworkinterface",
        "ec2:deletenetworkinterface",
        "ec2:describenetworkinterfaces",
        "ec2:describesecuritygroups",
        "ec2:describesubnets",
        "ec2:describevpcs",
        "ec2:unassignprivateipaddresses",
    }
)
_FILE_SYSTEM = frozenset(
    {
        "elasticfilesystem:clientmount",
        "elasticfilesystem:clientrootaccess",
        "elasticfilesystem:clientwrite",
        "elasticfilesystem:describemounttargets",
    }
)
_DESTINATIONS = frozenset(
    {
        "events:putevents",
        "lambda:invokefunction",
        "s3:listbucket",
        "s3:putobject",
        "sns:publish",
        "sqs:sendmessage",
    }
)
"""What Lambda does on a function's behalf with the results of its calls."""

_TRACING = frozenset(
    {
        "xray:getsamplingrules",
        "xray:getsamplingstatisticsummaries",
        "xray:getsamplingtargets",
        "xray:puttelemetryrecords",
        "xray:puttracesegments",
    }
)
_LOGGING = frozenset({"logs:createlogstream", "logs:putlogevents"})
_IDEMPOTENCY = "DynamoDBPersistenceLayer"
_PARTIQL = ("batch_execute_statement", "execute_statement", "execute_transaction")
_MORE_METHODS: Mapping[str, tuple[str, ...]] = {
    "appconfig:getlatestconfiguration": ("AppConfigProvider", "AppConfigStore", "get_app_config"),
    "appconfig:startconfigurationsession": ("AppConfigProvider", "AppConfigStore", "get_app_config"),
    "bedrock:invokemodel": ("converse",),
    "bedrock:invokemodelwithresponsestream": ("converse_stream",),
    "dsql:dbconnect": ("generate_db_connect_auth_token",),
    "dsql:dbconnectadmin": ("generate_db_connect_admin_auth_token",),
    "dynamodb:batchwriteitem": ("batch_writer",),
    "dynamodb:conditioncheckitem": ("transact_write_items", "ConditionCheck"),
    "dynamodb:deleteitem": ("transact_write_items", "batch_writer", _IDEMPOTENCY),
    "dynamodb:getitem": ("transact_get_items", _IDEMPOTENCY),
    "dynamodb:partiqldelete": _PARTIQL,
    "dynamodb:partiqlinsert": _PARTIQL,
    "dynamodb:partiqlselect": _PARTIQL,
    "dynamodb:partiqlupdate": _PARTIQL,
    "dynamodb:putitem": ("transact_write_items", "batch_writer", _IDEMPOTENCY),
    "dynamodb:updateitem": ("transact_write_items", _IDEMPOTENCY),
    "execute-api:manageconnections": ("delete_connection", "get_connection", "post_to_connection"),
    "lambda:invokefunction": ("invoke", "invoke_with_response_stream"),
    "rds-db:connect": ("generate_db_auth_token",),
    "s3:abortmultipartupload": ("upload_file", "upload_fileobj"),
    "s3:deleteobject": ("delete_objects",),
    "s3:deleteobjectversion": ("VersionId",),
    "s3:getencryptionconfiguration": ("get_bucket_encryption",),
    "s3:getlifecycleconfiguration": ("get_bucket_lifecycle_configuration",),
    "s3:getobject": (
        *(
            "head_object",
            "download_file",
            "download_fileobj",
            "get_object_attributes",
            "select_object_content",
        ),
        *("copy", "copy_object", "upload_part_copy"),
    ),
    "s3:getobjectversion": ("VersionId",),
    "s3:getreplicationconfiguration": ("get_bucket_replication",),
    "s3:listallmybuckets": ("list_buckets",),
    "s3:listbucket": ("list_objects", "list_objects_v2", "head_bucket", "get_object", "head_object"),
    "s3:listbucketmultipartuploads": ("list_multipart_uploads",),
    "s3:listbucketversions": ("list_object_versions",),
    "s3:listmultipartuploadparts": ("list_parts",),
    "s3:putobject": (
        *("upload_file", "upload_fileobj", "create_multipart_upload"),
        *("copy", "copy_object", "generate_presigned_post"),
    ),
    "s3:putobjectacl": ("ACL",),
    "s3:putobjectlegalhold": ("ObjectLockLegalHoldStatus",),
    "s3:putobjectretention": ("ObjectLockMode", "ObjectLockRetainUntilDate"),
    "s3:putobjecttagging": ("Tagging",),
    "secretsmanager:getsecretvalue": ("SecretsProvider", "batch_get_secret_value", "get_secret"),
    "sns:publish": ("publish_batch",),
    "sqs:changemessagevisibility": ("change_message_visibility_batch",),
    "sqs:deletemessage": ("delete_message_batch", "delete_messages"),
    "sqs:sendmessage": ("send_message_batch", "send_messages"),
    "ssm:getparameter": ("SSMProvider", "get_parameters_by_name"),
    "ssm:getparameters": ("SSMProvider", "get_parameters_by_name"),
    "ssm:getparametersbypath": ("SSMProvider", "get_multiple"),
}
"""By action, what in code makes AWS ask for it, besides the method of its own name: boto3's methods, their
arguments, and Powertools' utilities. Source: the Service Authorization Reference and Powertools' pages."""

_BEFORE_A_WORD = re.compile(r"(.)([A-Z][a-z]+)")
_AFTER_A_WORD = re.compile(r"([a-z0-9])([A-Z])")


def unneeded(statement: Statement, role: Resource, manifest: Manifest) -> Iterator[Verdict]:
    """A verdict on each action of an Allow statement that nothing needs, or of which that is not known."""
    users = [user for _, user in role_uses(role, manifest)]
    others = [user for _, user, _ in role_services(role, manifest) if user not in users]
    if others:
        yield Verdict.warn(f"what {others[0].address} does with its actions is not compared")
        return
    if not users:
        yield Verdict.warn("nothing in this file takes the role on, so that its actions are not compared")
        return
    for action in statement.actions:
        yield from _action(action, users, manifest)


def _action(action: str, users: list[Resource], manifest: Manifest) -> Iterator[Verdict]:
    small = action.lower()
    if "${" in action or ":" not in action:
        yield Verdict.unknown(f"the action {action} is no action that can be looked up")
        return
    if ("*" in small or "?" in small) and small not in _FAMILIES:
        yield Verdict.failed(f"{action} grants more than one action")
        return
    reasons: list[str] = []
    for user in users:
        reason = (
            _by_replication(small)
            if user.type == "aws_s3_bucket_replication_configuration"
            else _by_function(action, user, manifest)
        )
        if reason is None:
            return
        reasons.append(reason)
    unknown = [reason for reason in reasons if reason.startswith("?")]
    if unknown:
        yield Verdict.unknown(f"whether {action} is needed is not known: {unknown[0][1:]}")
    else:
        yield Verdict.failed(f"{action}: {reasons[0]}")


def _by_replication(action: str) -> str | None:
    return None if action in _REPLICATION else "replication does not need it"


def _by_function(action: str, function: Resource, manifest: Manifest) -> str | None:
    """None where a function needs an action; else why it does not, after `?` where that is not known."""
    small = action.lower()
    if small in _LOGGING:
        return None
    if small == "logs:createloggroup":
        if manifest.all("aws_cloudwatch_log_group"):
            return "the log group is in the stack, and must not come back after a destroy"
        return None
    if small in _KEY_USES:
        return None if _encrypts(manifest) else "nothing is encrypted with a key of the stack"
    if small in _TRACING:
        mode = function.text("tracing_config.mode")
        if isinstance(mode, Unreadable) and not isinstance(mode, Missing):
            return f"?{mode.why}"
        return None if mode == "Active" else "tracing is not active"
    reason = _by_configuration(small, function, manifest)
    if reason is None:
        return None
    handler = handler_of(function)
    if isinstance(handler, UnreadableSource):
        return f"?{handler.why}"
    if _calls(handler, action):
        return None
    if has_layers(function):
        return "?the function's own code makes no such call, and its layers are not read"
    return reason


def _by_configuration(small: str, function: Resource, manifest: Manifest) -> str | None:
    """None where Lambda itself needs an action for how a function is configured; else why it does not."""
    if small in _NETWORK:
        needed = function.has("vpc_config") or _is_fed(function, manifest)
        return None if needed else "the function is in no VPC"
    if small in _FILE_SYSTEM:
        return None if function.has("file_system_config") else "the function mounts no file system"
    if small in _STREAMS:
        return None if _is_fed(function, manifest) else "no event source mapping reads for the function"
    if small in _DESTINATIONS and _sends_failures(function, manifest):
        return None
    return "the function's code makes no such call"


def _calls(handler: Handler, action: str) -> bool:
    return mentions(handler, (method_of(action.partition(":")[2]), *_MORE_METHODS.get(action.lower(), ())))


def method_of(action: str) -> str:
    """The method of boto3 for an action, as botocore names it: `create_db_snapshot` for CreateDBSnapshot."""
    apart = _AFTER_A_WORD.sub(r"\1_\2", _BEFORE_A_WORD.sub(r"\1_\2", action))
    return apart.lower()


def _encrypts(manifest: Manifest) -> bool:
    return bool(manifest.all("aws_kms_key", "aws_kms_replica_key", "aws_kms_external_key"))


def _is_fed(function: Resource, manifest: Manifest) -> bool:
    return any(
        function in manifest.referents(mapping, "function_name")
        or _through_alias(mapping, function, manifest)
        for mapping in manifest.all("aws_lambda_event_source_mapping")
    )


def _through_alias(mapping: Resource, function: Resource, manifest: Manifest) -> bool:
    return any(
        alias.type == "aws_lambda_alias" and function in manifest.referents(alias, "function_name")
        for alias in manifest.referents(mapping, "function_name")
    )


def _sends_failures(function: Resource, manifest: Manifest) -> bool:
    """Whether AWS itself sends what failed on the function's behalf."""
    return function.has("dead_letter_config") or any(
        mapping.has("destination_config")
        for mapping in manifest.all(
            "aws_lambda_event_source_mapping", "aws_lambda_function_event_invoke_config"
        )
        if function in manifest.referents(mapping, "function_name")
        or _through_alias(mapping, function, manifest)
    )
