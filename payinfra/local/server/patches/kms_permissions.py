"""Whose permission a customer's key takes when a service uses it, as on AWS.

A service that keeps something under a customer's key uses that key in the name of whoever calls the service
(KMS developer guide, `kms:ViaService`): the caller's policies are asked as well as the key's. AWS asks when
it needs the key, and then not for some minutes; here every call asks, so that what was taken away is missed
at once. Keys that AWS manages let everyone of the account in, and are not asked for.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from payinfra.local.server.ministack import Emulator
from payinfra.local.server.patches.permission_checks import Call, PermissionCheck

OF_AWS = "alias/aws/"
"""What the aliases of keys that AWS manages begin with."""

KeysOf = Callable[[Call], Iterator[PermissionCheck]]

ITEMS = frozenset(
    f"dynamodb:{operation}"
    for operation in (
        "BatchGetItem",
        "BatchWriteItem",
        "DeleteItem",
        "GetItem",
        "PutItem",
        "Query",
        "Scan",
        "TransactGetItems",
        "TransactWriteItems",
        "UpdateItem",
    )
)
"""The operations that read or write a table's items."""

CHOOSING_A_TABLES_KEY = (
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)
CHOOSING_A_FUNCTIONS_KEY = ("kms:CreateGrant", "kms:Encrypt")

SSE = "x-amz-server-side-encryption"
SSE_KEY = f"{SSE}-aws-kms-key-id"


@dataclass(frozen=True)
class CustomerKeys:
    """The keys of KMS, as services use them."""

    emulator: Emulator

    def through(
        self,
        service: str,
        key: str,
        actions: tuple[str, ...],
        *,
        region: str,
        account: str,
        context: Mapping[str, str],
    ) -> tuple[PermissionCheck, ...]:
        """What the use of a key through a service takes; nothing where it is no customer's key.

        Args:
            key: as the service was given it: an id, an ARN or an alias.
            context: the encryption context that the service uses.
        """
        with self.emulator.scope(account, region):
            kms = self.emulator.service("kms")
            known = None if OF_AWS in key else kms._resolve_key(key)
            named = [arn for arn, target in kms._aliases.items() if known and target == known["KeyId"]]
        if not known:
            return ()
        conditions = {
            "kms:ResourceAliases": [arn.rpartition(":")[2] for arn in named],
            "kms:ViaService": f"{service}.{region}.amazonaws.com",
            "kms:CallerAccount": account,
            "kms:EncryptionContextKeys": list(context),
            **{f"kms:EncryptionContext:{name}": value for name, value in context.items()},
        }
        for_aws = {"kms:GrantIsForAWSResource": "true"}
        return tuple(
            PermissionCheck(
                action, known["Arn"], region, conditions | (for_aws if action == "kms:CreateGrant" else {})
            )
            for action in actions
        )

    def of_table(
        self, table: str, region: str, account: str, actions: tuple[str, ...] = ("kms:Decrypt",)
    ) -> tuple[PermissionCheck, ...]:
        """AWS: whoever reads or writes a table, an index or a stream of it decrypts the table's own key under
        the customer's; each replica has its region's (DynamoDB developer guide, "DynamoDB encryption at rest
        usage notes")."""
        found = self.emulator.service("dynamodb")._tables.get_scoped(account, region, table) or {}
        key = (found.get("SSEDescription") or {}).get("KMSMasterKeyArn") or ""
        return self.for_table(table, key, region, account, actions)

    def for_table(
        self, table: str, key: str, region: str, account: str, actions: tuple[str, ...]
    ) -> tuple[PermissionCheck, ...]:
        """The use of a key that a table has or is to have."""
        context = {"aws:dynamodb:tableName": table, "aws:dynamodb:subscriberId": account}
        return self.through("dynamodb", key, actions, region=region, account=account, context=context)


def keys_used(emulator: Emulator) -> Callable[[Call], tuple[PermissionCheck, ...]]:
    """What a call takes for the keys under which its service keeps what the call is about."""
    keys = CustomerKeys(emulator)
    services: Mapping[str, KeysOf] = {
        "dynamodb": keys_of_tables(keys),
        "lambda": keys_of_environments(keys, emulator.service("lambda_svc")),
        "s3": keys_of_objects(keys, emulator.service("s3")),
        "ssm": keys_of_parameters(keys, emulator.service("ssm")),
    }
    return lambda call: tuple(services[call.service](call)) if call.service in services else ()


def keys_of_tables(keys: CustomerKeys) -> KeysOf:
    """AWS: items take kms:Decrypt; whoever chooses a table's key, or a replica's, must be allowed all that
    DynamoDB will do with it (DynamoDB developer guide, "DynamoDB encryption at rest usage notes")."""

    def used(call: Call) -> Iterator[PermissionCheck]:
        if call.action in ITEMS:
            for table in sorted(_tables(call.parameters)):
                yield from keys.of_table(table, call.region, call.account)
        if call.action in ("dynamodb:CreateTable", "dynamodb:UpdateTable"):
            table = call.text("TableName")
            for region, key in _chosen(call):
                yield from keys.for_table(table, key, region, call.account, CHOOSING_A_TABLES_KEY)

    return used


def _tables(parameters: Mapping[str, Any]) -> set[str]:
    """The tables of a request, which may name them by ARN."""
    named = [parameters.get("TableName"), *(parameters.get("RequestItems") or ())]
    for item in parameters.get("TransactItems") or ():
        named += [step.get("TableName") for step in item.values()]
    return {str(name).rpartition("table/")[2] for name in named if name}


def _chosen(call: Call) -> Iterator[tuple[str, str]]:
    """Each region with the key that its table is to have."""
    yield call.region, (call.parameters.get("SSESpecification") or {}).get("KMSMasterKeyId") or ""
    for change in call.parameters.get("ReplicaUpdates") or ():
        for wanted in change.values():
            yield wanted.get("RegionName", call.region), wanted.get("KMSMasterKeyId") or ""


def keys_of_objects(keys: CustomerKeys, s3: Any) -> KeysOf:
    """AWS: an object that is written under a key takes kms:GenerateDataKey; one that is read, and the parts
    of a multipart upload, take kms:Decrypt (S3 user guide, "Using server-side encryption with AWS KMS keys"
    and "Multipart upload API and permissions").

    The encryption context is the object's ARN, with a bucket key the bucket's.
    """

    def ask(
        action: str, bucket: str, name: str, encryption: Mapping[str, str], call: Call
    ) -> Iterator[PermissionCheck]:
        arn = f"arn:aws:s3:::{bucket}"
        found = s3._buckets.get(bucket) or {}
        whole = "<BucketKeyEnabled>true<" in (s3._bucket_encryption.get(bucket) or "")
        yield from keys.through(
            "s3",
            encryption.get(SSE_KEY, ""),
            (action,),
            region=found.get("region") or call.region,
            account=call.account,
            context={"aws:s3:arn": arn if whole else f"{arn}/{name}"},
        )

    def stored(bucket: str, name: str, version: str) -> Mapping[str, str]:
        found = (s3._buckets.get(bucket) or {}).get("objects", {}).get(name) or {}
        if version:
            versions = s3._object_versions.get((bucket, name)) or ()
            found = next((one for one in versions if one["version_id"] == version), {})
        kept: Mapping[str, str] = s3._stored_sse_headers(found)
        return kept

    def used(call: Call) -> Iterator[PermissionCheck]:
        bucket, _, name = call.path.lstrip("/").partition("/")
        upload = call.text("uploadId")
        if call.action in ("s3:GetObject", "s3:GetObjectVersion") and call.method == "GET":
            yield from ask("kms:Decrypt", bucket, name, stored(bucket, name, call.text("versionId")), call)
        if call.action != "s3:PutObject":
            return
        if upload:
            begun = s3._stored_sse_headers(s3._multipart_uploads.get(upload) or {})
            yield from ask("kms:Decrypt", bucket, name, begun, call)
        else:
            wanted, _refused = s3._resolve_sse_write_headers(call.headers, bucket)
            yield from ask("kms:GenerateDataKey", bucket, name, wanted or {}, call)
        source, _, query = call.headers.get("x-amz-copy-source", "").partition("?versionId=")
        if source:
            from_bucket, _, from_name = unquote(source).lstrip("/").partition("/")
            yield from ask("kms:Decrypt", from_bucket, from_name, stored(from_bucket, from_name, query), call)

    return used


def keys_of_parameters(keys: CustomerKeys, ssm: Any) -> KeysOf:
    """AWS: whoever reads a SecureString's value, by whichever operation, takes kms:Decrypt on its key
    (Systems Manager user guide, "Restricting decryption of SecureString parameter values"); whoever writes
    one kms:Encrypt, for an advanced one kms:GenerateDataKey (KMS developer guide, "How AWS Systems Manager
    Parameter Store uses AWS KMS")."""

    def ask(action: str, parameter: Mapping[str, Any], call: Call) -> Iterator[PermissionCheck]:
        name = str(parameter["Name"]).lstrip("/")
        yield from keys.through(
            "ssm",
            parameter.get("KeyId") or "",
            (action,),
            region=call.region,
            account=call.account,
            context={"PARAMETER_ARN": call.arn("ssm", f"parameter/{name}")},
        )

    def read(call: Call) -> Iterator[Mapping[str, Any]]:
        names = [call.text("Name"), *(call.parameters.get("Names") or ())]
        for name, parameter in ssm._parameters.items():
            called = (name, call.arn("ssm", f"parameter/{name.lstrip('/')}"))
            # A version or a label may follow a colon.
            by_name = any(asked == one or asked.startswith(f"{one}:") for asked in names for one in called)
            if by_name or _below(name, call):
                yield parameter

    def used(call: Call) -> Iterator[PermissionCheck]:
        if call.action == "ssm:PutParameter" and call.text("Type") == "SecureString":
            advanced = call.text("Tier") == "Advanced"
            yield from ask("kms:GenerateDataKey" if advanced else "kms:Encrypt", call.parameters, call)
        if call.parameters.get("WithDecryption") is True:
            for parameter in read(call):
                if parameter["Type"] == "SecureString":
                    yield from ask("kms:Decrypt", parameter, call)

    return used


def _below(name: str, call: Call) -> bool:
    """Whether a parameter is below the path that a call asks for."""
    path = call.text("Path")
    above = name.rpartition("/")[0]
    return bool(path) and (
        f"{above}/".startswith(f"{path.rstrip('/')}/")
        if call.parameters.get("Recursive")
        else above == path.rstrip("/")
    )


def keys_of_environments(keys: CustomerKeys, functions: Any) -> KeysOf:
    """AWS: whoever sets a function's environment under a customer's key must be allowed to encrypt with it,
    and to make the grant with which the function will decrypt (Lambda developer guide, "Securing environment
    variables"; see `environment_keys`)."""

    def used(call: Call) -> Iterator[PermissionCheck]:
        match call.action:
            case "lambda:CreateFunction":
                name = call.text("FunctionName")
            case "lambda:UpdateFunctionConfiguration":
                name = functions._resolve_name(unquote(call.path.strip("/").split("/")[2]))
            case _:
                return
        known = (functions._functions.get(name) or {}).get("config") or {}
        key = call.text("KMSKeyArn") or known.get("KMSKeyArn") or ""
        if {"Environment", "KMSKeyArn", "Role"} & call.parameters.keys():
            yield from keys.through(
                "lambda",
                key,
                CHOOSING_A_FUNCTIONS_KEY,
                region=call.region,
                account=call.account,
                context={"aws:lambda:FunctionArn": call.arn("lambda", f"function:{name}")},
            )

    return used
