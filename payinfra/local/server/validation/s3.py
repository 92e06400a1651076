"""What S3 refuses (S3 API reference, and the user guide's pages that are named)."""

from collections.abc import Mapping
from typing import Any

from payinfra.local.server.validation.calls import Rules, ServiceCall, refuse_if
from payinfra.local.server.validation.policies import PolicyKind, refuse_policy
from payinfra.local.server.validation.tags import for_each, joined

KEY_MOST = 1024
SSE = "x-amz-server-side-encryption"
OF_AWS = "alias/aws/"
RESERVED_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
RESERVED_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
POLICY_MOST = 20_480


def name_is_free(call: ServiceCall) -> None:
    """AWS: some beginnings and ends of bucket names are reserved (user guide, "General purpose bucket naming
    rules")."""
    name = call.text("Bucket")
    refuse_if(
        name.startswith(RESERVED_PREFIXES) or name.endswith(RESERVED_SUFFIXES),
        "InvalidBucketName",
        "The specified bucket is not valid.",
    )


def key_is_short(call: ServiceCall) -> None:
    """AWS: a key has up to 1,024 octets (user guide, "Naming Amazon S3 objects")."""
    refuse_if(len(call.text("Key").encode()) > KEY_MOST, "KeyTooLongError", "Your key is too long")


def encryption_fits_its_key(call: ServiceCall) -> None:
    """AWS: a key of KMS is named with aws:kms alone (API reference, PutObject)."""
    kind = call.headers.get(SSE, "")
    key = call.headers.get(f"{SSE}-aws-kms-key-id", "")
    refuse_if(
        bool(key) and not kind.startswith("aws:kms"),
        "InvalidArgument",
        f"Server Side Encryption with AWS KMS managed key requires HTTP header {SSE} : aws:kms",
    )


def objects_key_is_usable(call: ServiceCall) -> None:
    """AWS: an object under a key that is disabled or to be deleted is neither read nor written (API reference,
    "Error responses": KMS.DisabledException, KMS.KMSInvalidStateException)."""
    s3, bucket, name = call.module("s3"), call.text("Bucket"), call.text("Key")
    found = s3._buckets.get(bucket) or {}
    if call.operation == "GetObject":
        kept: Mapping[str, Any] = found.get("objects", {}).get(name) or {}
        version = call.text("VersionId")
        if version:
            versions = s3._object_versions.get((bucket, name)) or ()
            kept = next((one for one in versions if one["version_id"] == version), {})
        encryption = s3._stored_sse_headers(kept) or {}
    else:
        encryption, _refused = s3._resolve_sse_write_headers(call.headers, bucket)
    key = str((encryption or {}).get(f"{SSE}-aws-kms-key-id", ""))
    if not key or OF_AWS in key:
        return
    with call.emulator.scope(call.account, str(found.get("region") or call.region)):
        known = call.module("kms")._resolve_key(key)
    state = known and known["KeyState"]
    refuse_if(state == "Disabled", "KMS.DisabledException", f"{known and known['Arn']} is disabled.")
    refuse_if(
        state in ("PendingDeletion", "PendingReplicaDeletion"),
        "KMS.KMSInvalidStateException",
        f"{known and known['Arn']} is pending deletion.",
    )


def policy_is_possible(call: ServiceCall) -> None:
    """AWS: a bucket policy is a policy for S3's actions on the bucket and its objects, of 20 KB at most (user
    guide, "Bucket policies for Amazon S3")."""
    document = str(_text(call.parameters.get("Policy")))
    refuse_if(len(document.encode()) > POLICY_MOST, "PolicyTooLarge", "The policy is larger than 20 KB.")
    refuse_policy(call, document, PolicyKind.RESOURCE, "MalformedPolicy", ("s3:", "s3*"))


def _text(value: object) -> object:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value or ""


def locked_buckets_keep_versions(call: ServiceCall) -> None:
    """AWS: versioning cannot be suspended where objects can be locked (user guide, "Configuring S3 Object
    Lock")."""
    wanted = call.inner("VersioningConfiguration").get("Status")
    locked = call.module("s3")._bucket_object_lock.get(call.text("Bucket"))
    refuse_if(
        bool(locked) and wanted == "Suspended",
        "InvalidBucketState",
        "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.",
        409,
    )


RULES: Rules = joined(
    for_each(("CopyObject", "CreateMultipartUpload", "PutObject"), key_is_short),
    for_each(("CopyObject", "CreateMultipartUpload", "PutObject"), encryption_fits_its_key),
    for_each(("CopyObject", "CreateMultipartUpload", "GetObject", "PutObject"), objects_key_is_usable),
    {
        "CreateBucket": (name_is_free,),
        "PutBucketPolicy": (policy_is_possible,),
        "PutBucketVersioning": (locked_buckets_keep_versions,),
    },
)
