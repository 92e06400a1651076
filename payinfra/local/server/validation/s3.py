"""What S3 refuses (S3 API reference, and the user guide's pages that are named)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from payinfra.core.json_text import parse_json
from payinfra.local.server.validation.calls import Rules, ServiceCall, for_each, joined, refuse_if, texts_in
from payinfra.local.server.validation.policies import PolicyKind, refuse_policy

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
    """AWS: an object under a key that is disabled or to be deleted is neither read nor written (API
    reference, "Error responses": KMS.DisabledException, KMS.KMSInvalidStateException)."""
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


Found = Mapping[str, Any]
DAYS_MOST = 36_500
LATER_AFTER_DAYS = 30
ORDER = ("STANDARD_IA", "INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE")
"""From which class to which a lifecycle moves objects: only downwards (user guide, "Transitioning objects
using Amazon S3 Lifecycle")."""
TAGS_MOST = 50


def lifecycle_is_possible(call: ServiceCall) -> None:
    """AWS: a lifecycle's rules have an id of their own, something to do, and steps that follow each other
    (API reference, PutBucketLifecycleConfiguration; user guide, "Lifecycle configuration elements")."""
    rules = call.inner("LifecycleConfiguration").get("Rules") or []
    refuse_if(not 1 <= len(rules) <= 1000, "MalformedXML", MALFORMED)
    names = [one["ID"] for one in rules if one.get("ID")]
    refuse_if(
        len(set(names)) < len(names),
        "InvalidArgument",
        "Rule ID must be unique. Found same ID for more than one rule",
    )
    refuse_if(
        any(len(one) > 255 for one in names),
        "InvalidArgument",
        "ID length should not exceed allowed limit of 255",
    )
    for rule in rules:
        _lifecycle_rule(rule)


def _lifecycle_rule(rule: Found) -> None:
    done = ("Expiration", "Transitions", "NoncurrentVersionExpiration", "NoncurrentVersionTransitions")
    refuse_if(
        not {*done, "AbortIncompleteMultipartUpload"} & set(rule),
        "InvalidRequest",
        "At least one action needs to be specified in a rule",
    )
    refuse_if("Filter" not in rule and "Prefix" not in rule, "MalformedXML", MALFORMED)
    expiration, moves = rule.get("Expiration") or {}, rule.get("Transitions") or []
    chosen = {"Days", "Date", "ExpiredObjectDeleteMarker"} & set(expiration)
    refuse_if("Expiration" in rule and len(chosen) != 1, "MalformedXML", MALFORMED)
    for one in (expiration, *moves):
        date = str(one.get("Date") or "")
        refuse_if(bool(date) and "T00:00:00" not in date, "InvalidArgument", "'Date' must be at midnight GMT")
    days = {str(one["StorageClass"]): int(one["Days"]) for one in moves if "Days" in one}
    for name, after in days.items():
        refuse_if(
            name in ("STANDARD_IA", "ONEZONE_IA") and after < LATER_AFTER_DAYS,
            "InvalidArgument",
            f"'Days' in Transition action must be greater than or equal to 30 for storageClass '{name}'",
        )
        later = [days[one] for one in ORDER[ORDER.index(name) + 1 :] if one in days] if name in ORDER else []
        refuse_if(
            any(one <= after for one in later),
            "InvalidArgument",
            "'Days' in transitions must follow each other.",
        )
        refuse_if(
            "Days" in expiration and int(expiration["Days"]) <= after,
            "InvalidArgument",
            "'Days' in the Expiration action for filter must be greater than 'Days' in the Transition action",
        )
    tagged = "Tag" in (rule.get("Filter") or {}) or "Tags" in ((rule.get("Filter") or {}).get("And") or {})
    refuse_if(
        tagged and "AbortIncompleteMultipartUpload" in rule,
        "InvalidRequest",
        "AbortIncompleteMultipartUpload cannot be specified with Tags.",
    )


MALFORMED = "The XML you provided was not well-formed or did not validate against our published schema"


def replication_is_possible(call: ServiceCall) -> None:
    """AWS: objects are copied by a role to other buckets that are there and versioned, by rules that differ
    in priority (API reference, PutBucketReplication; user guide, "Replication configuration file
    elements")."""
    wanted, s3 = call.inner("ReplicationConfiguration"), call.module("s3")
    refuse_if(
        ":role/" not in str(wanted.get("Role")), "InvalidArgument", "Role must be an ARN of an IAM role."
    )
    rules = wanted.get("Rules") or []
    priorities = [one["Priority"] for one in rules if "Priority" in one]
    refuse_if(
        len(set(priorities)) < len(priorities), "InvalidRequest", "Found duplicate priority in the rules."
    )
    for rule in rules:
        target = str((rule.get("Destination") or {}).get("Bucket")).rpartition(":")[2]
        refuse_if(target not in s3._buckets, "InvalidRequest", "Destination bucket must exist.")
        refuse_if(
            target == call.text("Bucket"),
            "InvalidRequest",
            "Destination bucket cannot be the same as the source bucket.",
        )
        filtered = rule.get("Filter")
        markers = (rule.get("DeleteMarkerReplication") or {}).get("Status")
        refuse_if(
            filtered is not None and markers is None,
            "InvalidRequest",
            "DeleteMarkerReplication must be specified for this version of Cross Region Replication "
            "configuration schema.",
        )
        tagged = "Tag" in (filtered or {}) or "Tags" in ((filtered or {}).get("And") or {})
        refuse_if(
            tagged and markers == "Enabled",
            "InvalidRequest",
            "Delete marker replication is not supported if any Tag filter is specified.",
        )


def replicated_buckets_keep_versions(call: ServiceCall) -> None:
    """AWS: versioning cannot be suspended where objects are copied from (user guide, "Requirements for
    replication")."""
    refuse_if(
        call.text("Bucket") in call.module("s3")._bucket_replication
        and call.inner("VersioningConfiguration").get("Status") == "Suspended",
        "InvalidBucketState",
        "A replication configuration is present on this bucket, so you cannot change the versioning state.",
        409,
    )


def lock_is_possible(call: ServiceCall) -> None:
    """AWS: a default lock lasts from a day to 100 years (user guide, "Object Lock considerations")."""
    rule = call.inner("ObjectLockConfiguration").get("Rule") or {}
    retention = rule.get("DefaultRetention") or {}
    if retention:
        days = int(retention.get("Days") or 0) or 365 * int(retention.get("Years") or 0)
        refuse_if(
            not 1 <= days <= DAYS_MOST,
            "InvalidArgument",
            "Default retention period must be a positive integer value.",
        )


def retention_is_possible(call: ServiceCall) -> None:
    """AWS: an object is locked in a mode until a time that is to come (API reference, PutObject)."""
    mode, until = (
        call.headers.get(f"x-amz-object-lock-{name}", "") for name in ("mode", "retain-until-date")
    )
    refuse_if(
        bool(mode) != bool(until),
        "InvalidArgument",
        "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied",
    )
    if until:
        try:
            at = datetime.fromisoformat(until.replace("Z", "+00:00"))
        except ValueError:
            return
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        refuse_if(at <= datetime.now(UTC), "InvalidArgument", "The retain until date must be in the future!")


def bucket_tags_are_possible(call: ServiceCall) -> None:
    """AWS: a bucket's tags differ in name, are not AWS's own, and 50 at most (API reference,
    PutBucketTagging)."""
    names = [str(one.get("Key", "")) for one in call.inner("Tagging").get("TagSet") or ()]
    refuse_if(len(set(names)) < len(names), "InvalidTag", "Cannot provide multiple Tags with the same key")
    refuse_if(
        any(one.startswith("aws:") for one in names),
        "InvalidTag",
        "System tags cannot be added/updated by requester",
    )
    refuse_if(len(names) > TAGS_MOST, "BadRequest", "Bucket tags cannot be greater than 50")


def policy_is_the_buckets(call: ServiceCall) -> None:
    """AWS: a bucket policy is about the bucket and its objects (user guide, "Bucket policies")."""
    bucket = call.text("Bucket")
    for statement in _statements(str(_text(call.parameters.get("Policy")))):
        for one in texts_in(statement.get("Resource", statement.get("NotResource"))):
            name = one.rpartition(":::")[2].partition("/")[0]
            refuse_if(
                not any(sign in name for sign in "*?$") and name != bucket,
                "MalformedPolicy",
                "Policy has invalid resource",
            )


def _statements(document: str) -> list[Any]:
    found = parse_json(document)["Statement"]
    return found if isinstance(found, list) else [found]


def missing_objects_are_told_to_those_who_list(call: ServiceCall) -> None:
    """AWS: who may not list a bucket is told of an object that is not there that access is denied (API
    reference, GetObject and HeadObject, "Permissions")."""
    bucket, main = call.text("Bucket"), call.emulator.main
    found = call.module("s3")._buckets.get(bucket)
    if (
        found is None
        or call.text("Key") in found.get("objects", {})
        or call.text("VersionId")
        or not main.AUTH
    ):
        return
    key = main.extract_access_key_id(dict(call.headers), {})
    denied = call.emulator.core("iam_evaluator").enforce(
        key, "s3:ListBucket", "s3", call.region, f"arn:aws:s3:::{bucket}", {}
    )
    refuse_if(denied is not None, "AccessDenied", "Access Denied", 403)


RULES: Rules = joined(
    for_each(("CopyObject", "CreateMultipartUpload", "PutObject"), key_is_short),
    for_each(("CopyObject", "CreateMultipartUpload", "PutObject"), encryption_fits_its_key),
    for_each(("CopyObject", "CreateMultipartUpload", "GetObject", "PutObject"), objects_key_is_usable),
    {
        "CreateBucket": (name_is_free,),
        "GetObject": (missing_objects_are_told_to_those_who_list,),
        "HeadObject": (missing_objects_are_told_to_those_who_list,),
        "PutBucketLifecycleConfiguration": (lifecycle_is_possible,),
        "PutBucketPolicy": (policy_is_possible, policy_is_the_buckets),
        "PutBucketReplication": (replication_is_possible,),
        "PutBucketTagging": (bucket_tags_are_possible,),
        "PutBucketVersioning": (locked_buckets_keep_versions, replicated_buckets_keep_versions),
        "PutObject": (retention_is_possible,),
        "PutObjectLockConfiguration": (lock_is_possible,),
    },
)
