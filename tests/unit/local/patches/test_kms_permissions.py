"""Who must be allowed to use a customer's key, asked of ministack with IAM enforced, as a role."""

import base64
import json
from typing import Any

import pytest

KEY = {"id": {"S": "1"}}
ACCOUNT = "000000000000"


def allows(action: object, resource: str = "*", **equal: str) -> dict[str, object]:
    """A statement of a policy, under conditions of equality."""
    conditions = {"Condition": {"StringEquals": {name.replace("__", ":"): to for name, to in equal.items()}}}
    return {"Action": action, "Resource": resource, **(conditions if equal else {})}


def through(service: str, action: object = "kms:Decrypt", region: str = "us-east-1") -> dict[str, object]:
    return allows(action, kms__ViaService=f"{service}.{region}.amazonaws.com")


def table(world: Any, key: str | None) -> None:
    encryption = {"SSESpecification": {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key}}
    world.dynamodb(
        "CreateTable",
        TableName="payments",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        **(encryption if key else {}),
    )


ITEMS = (
    ("PutItem", {"TableName": "payments", "Item": KEY}),
    ("GetItem", {"TableName": "payments", "Key": KEY}),
    ("GetItem", {"TableName": f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/payments", "Key": KEY}),
    ("DeleteItem", {"TableName": "payments", "Key": KEY}),
    ("Scan", {"TableName": "payments"}),
    ("BatchGetItem", {"RequestItems": {"payments": {"Keys": [KEY]}}}),
    ("BatchWriteItem", {"RequestItems": {"payments": [{"PutRequest": {"Item": KEY}}]}}),
    ("TransactWriteItems", {"TransactItems": [{"Put": {"TableName": "payments", "Item": KEY}}]}),
    ("TransactGetItems", {"TransactItems": [{"Get": {"TableName": "payments", "Key": KEY}}]}),
)


@pytest.mark.parametrize(("operation", "body"), ITEMS)
def test_whoever_uses_an_item_takes_the_tables_key(
    world: Any, role: Any, operation: str, body: dict[str, object]
) -> None:
    key = world.kms_key()
    table(world, key)

    def status(*statements: dict[str, object]) -> int:
        role.may(allows("dynamodb:*"), *statements)
        return int(role.operation(f"DynamoDB_20120810.{operation}", body).status)

    assert status(through("dynamodb")) == 200
    assert status(through("s3")) == 403
    assert status(through("dynamodb", region="us-west-2")) == 403
    assert status(through("dynamodb", "kms:Encrypt")) == 403
    assert status(allows("kms:Decrypt", key)) == 200
    assert status(allows("kms:Decrypt", key.replace(":key/", ":key/x"))) == 403


def test_who_lacks_the_tables_key_is_told_which(world: Any, role: Any) -> None:
    key = world.kms_key()
    table(world, key)
    role.may(allows("dynamodb:*"))
    answer = role.operation("DynamoDB_20120810.PutItem", {"TableName": "payments", "Item": KEY})
    told = json.loads(answer.body)
    assert told["__type"].endswith("AccessDeniedException")
    assert told["message"] == (
        f"KMS key access denied error: User: arn:aws:sts::{ACCOUNT}:assumed-role/r/session is not authorized "
        f"to perform: kms:Decrypt on resource: {key} "
        "because no identity-based policy allows the kms:Decrypt action"
    )


@pytest.mark.parametrize("key", [None, "alias/aws/dynamodb"])
def test_keys_of_aws_let_everyone_in(world: Any, role: Any, key: str | None) -> None:
    table(world, key)
    role.may(allows("dynamodb:*"))
    assert role.operation("DynamoDB_20120810.PutItem", {"TableName": "payments", "Item": KEY}).status == 200


def test_the_accounts_own_root_is_not_kept_out(world: Any, role: Any) -> None:
    table(world, world.kms_key())
    assert role.operation("DynamoDB_20120810.Scan", {"TableName": "payments"}).status == 403
    world.dynamodb("PutItem", TableName="payments", Item=KEY)


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ({"ArnEquals": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/r"}}, 200),
        ({"ArnEquals": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/other"}}, 403),
        ({"StringEquals": {"kms:ViaService": "dynamodb.us-east-1.amazonaws.com"}}, 200),
        ({"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}, 403),
        ({"StringEquals": {"kms:CallerAccount": ACCOUNT}}, 200),
        ({"StringEquals": {"kms:EncryptionContext:aws:dynamodb:tableName": "payments"}}, 200),
        ({"StringEquals": {"kms:EncryptionContext:aws:dynamodb:tableName": "other"}}, 403),
    ],
)
def test_the_keys_own_policy_counts_as_well(
    world: Any, role: Any, condition: dict[str, object], status: int
) -> None:
    table(world, world.kms_key(Action="kms:Decrypt", Condition=condition))
    role.may(allows("dynamodb:*"), allows("kms:*"))
    answer = role.operation("DynamoDB_20120810.PutItem", {"TableName": "payments", "Item": KEY})
    assert answer.status == status, answer


def test_a_replica_takes_its_own_key(world: Any, role: Any) -> None:
    here, there = world.kms_key(), world.kms_key("us-west-2")
    table(world, here)
    replica = {"RegionName": "us-west-2", "KMSMasterKeyId": there}
    world.dynamodb("UpdateTable", TableName="payments", ReplicaUpdates=[{"Create": replica}])
    read = ("DynamoDB_20120810.GetItem", {"TableName": "payments", "Key": KEY})
    role.may(allows("dynamodb:*"), allows("kms:Decrypt", there))
    assert role.operation(*read, region="us-west-2").status == 200
    assert role.operation(*read).status == 403


CHOOSING = [
    *("kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt"),
    *("kms:GenerateDataKey*", "kms:ReEncrypt*"),
]


@pytest.mark.parametrize("missing", [None, *CHOOSING])
def test_whoever_chooses_a_tables_key_may_do_what_dynamodb_will(
    world: Any, role: Any, missing: str | None
) -> None:
    here, there = world.kms_key(), world.kms_key("us-west-2")
    table(world, here)
    role.may(allows("dynamodb:*"), allows([one for one in CHOOSING if one != missing], there))
    replica = {"RegionName": "us-west-2", "KMSMasterKeyId": there}
    wanted = {"TableName": "payments", "ReplicaUpdates": [{"Create": replica}]}
    answer = role.operation("DynamoDB_20120810.UpdateTable", wanted)
    assert answer.status == (403 if missing else 200), answer
    assert (missing or "").rstrip("*").encode() in answer.body


def test_a_grant_is_made_for_aws_only(world: Any, role: Any) -> None:
    table(world, None)
    role.may(allows("dynamodb:*"), allows("kms:*", kms__GrantIsForAWSResource="true"), allows(CHOOSING[1:]))
    chosen = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": world.kms_key()}
    wanted = {"TableName": "payments", "SSESpecification": chosen}
    assert role.operation("DynamoDB_20120810.UpdateTable", wanted).status == 200


# ---- S3 -------------------------------------------------------------------------------------------------

BUCKET = "/payment-bucket"


def bucket(world: Any, key: str, *, whole: bool = False, name: str = BUCKET) -> None:
    assert world.call("s3", "PUT", name).status == 200
    rule = (
        "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>"
        f"<SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>{key}</KMSMasterKeyID>"
        f"</ApplyServerSideEncryptionByDefault><BucketKeyEnabled>{str(whole).lower()}</BucketKeyEnabled>"
        "</Rule></ServerSideEncryptionConfiguration>"
    )
    if key:
        assert world.call("s3", "PUT", f"{name}?encryption", rule.encode()).status == 200


def test_an_object_takes_a_data_key_to_write_and_decrypt_to_read(world: Any, role: Any) -> None:
    key = world.kms_key()
    bucket(world, key)
    for method, action, status in (
        ("PUT", "kms:Decrypt", 403),
        ("PUT", "kms:GenerateDataKey", 200),
        ("GET", "kms:GenerateDataKey", 403),
        ("HEAD", "kms:GenerateDataKey", 200),
        ("GET", "kms:Decrypt", 200),
    ):
        role.may(allows("s3:*"), through("s3", action))
        answer = role.call("s3", method, f"{BUCKET}/a/b", b"x" if method == "PUT" else b"")
        assert answer.status == status, (method, action, answer)
    role.may(allows("s3:*"))
    told = role.call("s3", "PUT", f"{BUCKET}/a/b", b"x").body.decode()
    assert f"not authorized to perform: kms:GenerateDataKey on resource: {key}" in told
    assert "<Code>AccessDenied</Code>" in told


@pytest.mark.parametrize("whole", [False, True])
def test_the_context_is_the_objects_or_with_a_bucket_key_the_buckets(
    world: Any, role: Any, whole: bool
) -> None:
    arn = f"arn:aws:s3::{BUCKET.replace('/', ':')}"
    context = {"kms:EncryptionContext:aws:s3:arn": arn if whole else f"{arn}/a/b"}
    bucket(
        world, world.kms_key(Action="kms:GenerateDataKey", Condition={"StringEquals": context}), whole=whole
    )
    role.may(allows("s3:*"), allows("kms:*"))
    assert role.call("s3", "PUT", f"{BUCKET}/a/b", b"x").status == 200
    assert role.call("s3", "PUT", f"{BUCKET}/a/c", b"x").status == (200 if whole else 403)


def test_a_requests_own_key_goes_before_the_buckets(world: Any, role: Any) -> None:
    mine = world.kms_key()
    bucket(world, world.kms_key())
    role.may(allows("s3:*"), allows("kms:GenerateDataKey", mine))
    own = {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": mine}
    assert role.call("s3", "PUT", f"{BUCKET}/a", b"x", own).status == 200
    assert role.call("s3", "PUT", f"{BUCKET}/a", b"x").status == 403
    plain = {"x-amz-server-side-encryption": "AES256"}
    assert role.call("s3", "PUT", f"{BUCKET}/a", b"x", plain).status == 200


def test_what_an_object_holds_is_no_parameter(world: Any, role: Any) -> None:
    """Else an object could say of itself that it is a part of an upload, and take no key."""
    bucket(world, world.kms_key())
    role.may(allows("s3:*"))
    assert role.call("s3", "PUT", f"{BUCKET}/a", {"uploadId": "none"}).status == 403


def test_a_version_has_the_key_that_it_was_written_with(world: Any, role: Any) -> None:
    old, new = world.kms_key(), world.kms_key()
    bucket(world, old)
    on = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    assert world.call("s3", "PUT", f"{BUCKET}?versioning", on).status == 200
    first = dict(world.call("s3", "PUT", f"{BUCKET}/a", b"x").headers)["x-amz-version-id"]
    own = {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": new}
    world.call("s3", "PUT", f"{BUCKET}/a", b"y", own)
    role.may(allows("s3:*"), allows("kms:Decrypt", new))
    assert role.call("s3", "GET", f"{BUCKET}/a").status == 200
    assert role.call("s3", "GET", f"{BUCKET}/a?versionId={first}").status == 403
    assert role.call("s3", "GET", f"{BUCKET}/a?versionId=none").status == 404
    assert role.call("s3", "GET", f"{BUCKET}/none").status == 404


def test_the_parts_of_an_upload_take_decrypt(world: Any, role: Any) -> None:
    bucket(world, world.kms_key())
    role.may(allows("s3:*"), allows("kms:Decrypt"))
    assert role.call("s3", "POST", f"{BUCKET}/a?uploads").status == 403
    role.may(allows("s3:*"), allows("kms:GenerateDataKey"))
    begun = role.call("s3", "POST", f"{BUCKET}/a?uploads")
    assert begun.status == 200
    upload = begun.body.decode().split("<UploadId>")[1].split("<")[0]
    part = f"{BUCKET}/a?partNumber=1&uploadId={upload}"
    assert role.call("s3", "PUT", part, b"x").status == 403
    role.may(allows("s3:*"), allows("kms:Decrypt"))
    assert role.call("s3", "PUT", part, b"x").status == 200
    assert role.call("s3", "PUT", f"{BUCKET}/a?partNumber=1&uploadId=none", b"x").status == 404


def test_a_copy_takes_both_keys(world: Any, role: Any) -> None:
    source, target = world.kms_key(), world.kms_key()
    bucket(world, source, name="/payment-source")
    bucket(world, target)
    world.call("s3", "PUT", "/payment-source/a%20b", b"x")
    decrypt, encrypt = allows("kms:Decrypt", source), allows("kms:GenerateDataKey", target)
    for statements, status in (((decrypt,), 403), ((encrypt,), 403), ((decrypt, encrypt), 200)):
        role.may(allows("s3:*"), *statements)
        copied = role.call("s3", "PUT", f"{BUCKET}/a", b"", {"x-amz-copy-source": "/payment-source/a%20b"})
        assert copied.status == status, copied


# ---- Parameter Store ------------------------------------------------------------------------------------


def parameter(world: Any, name: str, key: str | None, region: str = "us-east-1") -> None:
    secret = {"Type": "SecureString", **({"KeyId": key} if key else {})}
    world.call(
        "ssm",
        "POST",
        "/",
        {"Name": name, "Value": "v", **secret},
        {"x-amz-target": "AmazonSSM.PutParameter", "content-type": "application/x-amz-json-1.1"},
        region,
    )


@pytest.mark.parametrize(
    ("operation", "body", "takes"),
    [
        ("GetParameter", {"Name": "/p/a"}, True),
        ("GetParameter", {"Name": "/p/a:1"}, True),
        ("GetParameter", {"Name": f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/p/a"}, True),
        ("GetParameters", {"Names": ["/none", "/p/a"]}, True),
        ("GetParameterHistory", {"Name": "/p/a"}, True),
        ("GetParametersByPath", {"Path": "/p"}, True),
        ("GetParametersByPath", {"Path": "/", "Recursive": True}, True),
        ("GetParametersByPath", {"Path": "/"}, False),
        ("GetParametersByPath", {"Path": "/q"}, False),
        ("GetParameter", {"Name": "/plain"}, False),
        ("GetParameter", {"Name": "/q/of-aws"}, False),
    ],
)
def test_whoever_reads_a_secret_takes_its_key(
    world: Any, role: Any, operation: str, body: dict[str, object], takes: bool
) -> None:
    key = world.kms_key()
    parameter(world, "/p/a", key)
    parameter(world, "/q/of-aws", None)
    plain = {"Name": "/plain", "Value": "v", "Type": "String"}
    role.may(allows("ssm:*"))
    assert role.operation("AmazonSSM.PutParameter", plain).status == 200

    def status(**more: object) -> int:
        return int(role.operation(f"AmazonSSM.{operation}", {**body, **more}).status)

    assert status(WithDecryption=True) == (400 if takes else 200)
    assert status() == status(WithDecryption=False) == 200
    role.may(allows("ssm:*"), through("ssm"))
    assert status(WithDecryption=True) == 200


@pytest.mark.parametrize(
    ("tier", "action"), [("Standard", "kms:Encrypt"), ("Advanced", "kms:GenerateDataKey")]
)
def test_whoever_writes_a_secret_takes_its_key(world: Any, role: Any, tier: str, action: str) -> None:
    key = world.kms_key()
    secret = {"Name": "/p/a", "Value": "v", "Type": "SecureString", "KeyId": key, "Tier": tier}
    role.may(allows("ssm:*"), through("ssm", "kms:Decrypt"))
    told = role.operation("AmazonSSM.PutParameter", secret)
    assert told.status == 400
    assert f"{action} on resource: {key}" in told.body.decode()
    role.may(allows("ssm:*"), through("ssm", action))
    assert role.operation("AmazonSSM.PutParameter", secret).status == 200


# ---- Lambda ---------------------------------------------------------------------------------------------

FUNCTIONS = "/2015-03-31/functions"
EMPTY_ZIP = b"PK\x05\x06" + bytes(18)
TO_CHOOSE = ["kms:CreateGrant", "kms:Encrypt"]


@pytest.mark.parametrize("missing", [None, *TO_CHOOSE])
def test_whoever_sets_an_environment_takes_its_key(world: Any, role: Any, missing: str | None) -> None:
    key = world.kms_key()
    wanted = {
        "FunctionName": "f",
        "Role": role.arn,
        "Runtime": "python3.11",
        "Handler": "f.f",
        "KMSKeyArn": key,
        "Environment": {"Variables": {"AT": "b"}},
        "Code": {"ZipFile": base64.b64encode(EMPTY_ZIP).decode()},
    }
    others = allows(["lambda:*", "iam:PassRole"])
    role.may(others, through("lambda", [one for one in TO_CHOOSE if one != missing]))
    made = role.call("lambda", "POST", FUNCTIONS, wanted)
    assert made.status == (403 if missing else 201), made
    assert (missing or "").encode() in made.body
    role.may(others, through("lambda", TO_CHOOSE))
    role.call("lambda", "POST", FUNCTIONS, wanted)
    role.may(others)
    changed = f"{FUNCTIONS}/f/configuration"
    assert role.call("lambda", "PUT", changed, {"Environment": {"Variables": {}}}).status == 403
    assert role.call("lambda", "PUT", changed, {"Timeout": 5}).status == 200


def test_a_policy_may_know_a_key_by_its_alias(world: Any, role: Any) -> None:
    """As the role for CI knows the key of Terraform's state."""
    key = world.kms_key()
    headers = {"x-amz-target": "TrentService.CreateAlias", "content-type": "application/x-amz-json-1.1"}
    alias = {"AliasName": "alias/payinfra-state", "TargetKeyId": key}
    assert world.call("kms", "POST", "/", alias, headers).status == 200
    assert world.call("s3", "PUT", "/states").status == 200
    written = {
        "x-amz-server-side-encryption": "aws:kms",
        "x-amz-server-side-encryption-aws-kms-key-id": "alias/payinfra-state",
    }

    def status(known_as: str) -> int:
        known = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": known_as}}
        use = {"Action": ["kms:GenerateDataKey"], "Resource": "*", "Condition": known}
        role.may({"Action": "s3:PutObject"}, use)
        return int(role.call("s3", "PUT", "/states/one", b"{}", written).status)

    assert status("alias/payinfra-state") == 200
    assert status("alias/another") == 403
