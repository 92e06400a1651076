"""The audit bucket of each region, and the copying between them."""

import contextlib
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from payinfra.checks.manifest.policies import Principal, Statement
from payinfra.checks.probes import canaries
from payinfra.checks.probes.apigateway import keyed_api
from payinfra.checks.probes.live_policies import shown, statements_of, strangers
from payinfra.checks.probes.model import ProbeContext, RegionUnderTest, all_of, differences, regional
from payinfra.checks.verdicts import Kind, Severity, Verdict, Verdicts
from payinfra.clients.aws_errors import NotYet, code_of, is_absent
from payinfra.payments.records import newest_payments

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import LifecycleRuleOutputTypeDef, ReplicationRuleOutputTypeDef

SAMPLED = 20
"""Payments of each status that are looked at."""
SAMPLED_DAYS = 7
MOST_SHOWN = 3
_REDEPLOY = "Deploy again: the bucket was changed outside Terraform."


@regional(
    "LIVE-S3-001",
    title="The audit bucket keeps versions",
    severity=Severity.HIGH,
    risk="An audit record can be overwritten, and nothing is copied to the other region.",
    fix=_REDEPLOY,
)
def bucket_keeps_versions(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """S3: GetBucketVersioning."""
    found = live.aws.s3(site.region).get_bucket_versioning(Bucket=site.outputs.s3_bucket_name)
    return all_of(differences((("versioning", found.get("Status"), "Enabled"),)))


@regional(
    "LIVE-S3-002",
    title="The audit bucket encrypts with this region's customer key",
    severity=Severity.HIGH,
    risk="Who may read audit records is not up to the key's policy.",
    fix=_REDEPLOY,
)
def bucket_encrypts(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """S3: GetBucketEncryption."""
    found = live.aws.s3(site.region).get_bucket_encryption(Bucket=site.outputs.s3_bucket_name)
    rule = found["ServerSideEncryptionConfiguration"]["Rules"][0]
    default = rule.get("ApplyServerSideEncryptionByDefault", {"SSEAlgorithm": "AES256"})
    return all_of(
        differences(
            (
                ("encryption", default["SSEAlgorithm"], "aws:kms"),
                ("key", default.get("KMSMasterKeyID"), site.declared.keys.audit),
                ("bucket key", rule.get("BucketKeyEnabled"), True),
            )
        )
    )


@regional(
    "LIVE-S3-003",
    title="All four public access blocks are on, and access lists count for nothing",
    severity=Severity.CRITICAL,
    risk="Audit records become readable to anyone.",
    fix=_REDEPLOY,
)
def bucket_blocks_public_access(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """S3: GetPublicAccessBlock, GetBucketOwnershipControls."""
    client, bucket = live.aws.s3(site.region), site.outputs.s3_bucket_name
    answer = client.get_public_access_block(Bucket=bucket)
    found: Mapping[str, object] = answer["PublicAccessBlockConfiguration"]
    blocks = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    rules = client.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    owners = [one["ObjectOwnership"] for one in rules]
    return all_of(
        (
            *differences((block, found.get(block), True) for block in blocks),
            *differences((("object ownership", owners, ["BucketOwnerEnforced"]),)),
        )
    )


@regional(
    "LIVE-S3-004",
    title="The bucket's policy denies what does not come over TLS, and nothing else, and lets no stranger in",
    severity=Severity.HIGH,
    risk="Audit records travel in clear text, are read by others, or cannot be written.",
    fix=_REDEPLOY,
)
def policy_denies_plain_http(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """S3: GetBucketPolicy."""
    bucket = site.outputs.s3_bucket_name
    found = live.aws.s3(site.region).get_bucket_policy(Bucket=bucket)
    statements = statements_of(found["Policy"])
    closing = [one for one in statements if _denies_plain_http(one, bucket)]
    faults = [] if closing else ["no statement denies requests without TLS"]
    faults += (
        f"{shown(one)} {'allows' if one.allows else 'denies'} "
        f"{', '.join(one.actions) or 'all but a few actions'}, which was not declared"
        for one in statements
        if one not in closing
    )
    return all_of((*faults, *strangers(statements, site.outputs.account)))


def _denies_plain_http(statement: Statement, bucket: str) -> bool:
    (principal, *others) = statement.principals or (None,)
    everybody = isinstance(principal, Principal) and principal.id == "*" and not others
    return (
        not statement.allows
        and everybody
        and statement.actions == ("s3:*",)
        and {f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"} <= set(statement.resources)
        and [(one.test, one.variable, one.values) for one in statement.conditions]
        == [("Bool", "aws:SecureTransport", ("false",))]
    )


@regional(
    "LIVE-S3-005",
    title="A request over plain HTTP is denied",
    severity=Severity.HIGH,
    risk="Audit records travel in clear text.",
    fix=_REDEPLOY,
)
def plain_http_is_denied(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """S3: ListObjectsV2 without TLS."""
    if not live.is_aws:
        return Verdict.not_applicable("the embedded AWS speaks plain HTTP")
    try:
        live.aws.s3_without_tls(site.region).list_objects_v2(Bucket=site.outputs.s3_bucket_name, MaxKeys=1)
    except ClientError as error:
        if code_of(error) in ("AccessDenied", "403"):
            return Verdict.passed()
        raise
    return Verdict.failed("a request over plain HTTP was answered")


@regional(
    "LIVE-S3-006",
    title="All objects are replicated to the other region's bucket alone, with that region's key",
    severity=Severity.HIGH,
    risk="Audit records of a region are lost with it.",
    fix=_REDEPLOY,
)
def replication_is_enabled(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """S3: GetBucketReplication."""
    found = live.aws.s3(site.region).get_bucket_replication(Bucket=site.outputs.s3_bucket_name)
    configuration = found["ReplicationConfiguration"]
    destination = f"arn:aws:s3:::{site.peer.s3_bucket_name}"
    rules = [one for one in configuration["Rules"] if one["Destination"]["Bucket"] == destination]
    if not rules:
        return Verdict.failed(f"no rule copies to {site.peer.s3_bucket_name}")
    others = [one for one in configuration["Rules"] if one is not rules[0]]
    faults = [f"there is a rule {one.get('ID')} that was not declared" for one in others]
    role = differences((("role", configuration["Role"], site.declared.replication_role_arn),))
    return all_of((*faults, *role, *_copying_faults(rules[0], site)))


def _copying_faults(rule: "ReplicationRuleOutputTypeDef", site: RegionUnderTest) -> tuple[str, ...]:
    target, criteria = rule["Destination"], rule.get("SourceSelectionCriteria", {})
    encrypted = criteria.get("SseKmsEncryptedObjects", {}).get("Status")
    changes = criteria.get("ReplicaModifications", {}).get("Status")
    markers = rule.get("DeleteMarkerReplication", {}).get("Status")
    return differences(
        (
            ("rule", rule["Status"], "Enabled"),
            ("objects that it is about", _part(rule), "all"),
            (
                "replica's key",
                target.get("EncryptionConfiguration", {}).get("ReplicaKmsKeyID"),
                site.peer_declared.keys.audit,
            ),
            ("replica's storage class", target.get("StorageClass", "STANDARD"), "STANDARD"),
            ("replica's owner", target.get("Account"), None),
            ("copying of encrypted objects", encrypted, "Enabled"),
            ("copying of changes of replicas", changes, "Enabled"),
            ("copying of delete markers", markers, "Enabled"),
        )
    )


def _part(rule: "ReplicationRuleOutputTypeDef | LifecycleRuleOutputTypeDef") -> str:
    """The part of a bucket that a rule is about, in words."""
    chosen = rule.get("Filter", {})
    parts = {name: value for name, value in chosen.items() if value}
    if prefix := rule.get("Prefix"):
        parts["Prefix"] = prefix
    return ", ".join(f"{name} {value}" for name, value in parts.items()) or "all"


@regional(
    "LIVE-S3-007",
    title="An object written here is copied to the other region",
    severity=Severity.MEDIUM,
    risk="Audit records of a region are lost with it.",
    fix="Look at the bucket's replication metrics; AWS copies most objects within 15 minutes, not all.",
    within_s=45,
    late=Kind.WARN,
    needs_peer=True,
)
def objects_are_copied(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """S3: PutObject here, HeadObject here and there, deletion of every version."""
    here, there = live.aws.s3(site.region), live.aws.s3(site.peer.region)
    key = f"{canaries.objects_of_run(live)}{live.run}-{site.region}"
    here.put_object(Bucket=site.outputs.s3_bucket_name, Key=key, Body=live.run.encode())
    written = live.patience.clock()
    try:

        def look() -> float:
            status = here.head_object(Bucket=site.outputs.s3_bucket_name, Key=key).get("ReplicationStatus")
            if status != "COMPLETED":
                raise NotYet(f"the object's replication is {status or 'not begun'}")
            try:
                copy = there.head_object(Bucket=site.peer.s3_bucket_name, Key=key).get("ReplicationStatus")
            except ClientError as error:
                if not is_absent(error):
                    raise
                raise NotYet(f"the copy in {site.peer.region} answers {code_of(error)}") from error
            if copy != "REPLICA":
                raise NotYet(f"the copy in {site.peer.region} is {copy or 'no replica'}")
            return live.patience.clock() - written

        lag_s = live.patience.poll(look)
    finally:
        _remove(live, site, key)
    return Verdict.passed(f"copied to {site.peer.region} after {lag_s:.1f} s")


@regional(
    "LIVE-S3-008",
    title="A payment leaves its audit object, and the latest ones have theirs",
    severity=Severity.HIGH,
    risk="Payments were accepted that no audit record tells of.",
    fix="Run `payinfra audit reconcile`, which writes what is missing, and look at the audit log's alarms. A "
    "function of an earlier payinfra keeps canaries' objects elsewhere: deploy again.",
    within_s=45,
    needs_peer=True,
)
def payments_are_audited(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """HTTP: POST /payments; DynamoDB: Query by status; S3: ListObjectVersions, HeadObject here and there."""
    until = live.now() + timedelta(days=1)
    since = live.now() - timedelta(days=min(SAMPLED_DAYS, live.declared.retention.audit))
    sample = newest_payments(
        live.aws.dynamodb(site.region),
        site.outputs.dynamodb_table_name,
        canaries.milliseconds(since),
        canaries.milliseconds(until),
        count=SAMPLED,
    )
    wanted = {key for payment in sample for key in payment.audit_objects}
    paid = keyed_api(live, site).pay(canaries.payment(live, f"audit-{site.region}"))
    payment_id = canaries.id_of(live, paid)
    canary = f"{canaries.objects_of_run(live)}{payment_id}-"

    def look() -> None:
        found = live.aws.s3(site.region).list_object_versions(
            Bucket=site.outputs.s3_bucket_name, Prefix=canary
        )
        if not found.get("Versions"):
            raise NotYet(f"a payment that was just made left no audit object: {canary}*")
        wanted.difference_update([key for key in sorted(wanted) if _is_kept(live, site, key)])
        if wanted:
            shown = ", ".join(sorted(wanted)[:MOST_SHOWN])
            raise NotYet(f"{len(wanted)} audit objects are in neither bucket: {shown}")

    try:
        live.patience.poll(look)
    finally:  # Not sooner: where the request could not write the object, the table's stream does.
        canaries.remove_payment(live, site, payment_id)
    return Verdict.passed(f"a new payment and {len(sample)} others looked at")


def _is_kept(live: ProbeContext, site: RegionUnderTest, key: str) -> bool:
    """Whether an object is here or there: a copy may be under way."""
    for region, bucket in (
        (site.region, site.outputs.s3_bucket_name),
        (site.peer.region, site.peer.s3_bucket_name),
    ):
        try:
            live.aws.s3(region).head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if not is_absent(error):
                raise
        else:
            return True
    return False


@regional(
    "LIVE-S3-009",
    title="Audit objects are kept, and locked, for as long as declared",
    severity=Severity.CRITICAL,
    risk="S3 deletes audit records by itself before their time, or keeps them for ever.",
    fix=_REDEPLOY,
)
def objects_are_kept(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """S3: GetBucketLifecycleConfiguration, GetObjectLockConfiguration."""
    client, bucket = live.aws.s3(site.region), site.outputs.s3_bucket_name
    rules = client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    faults = [f"{len(rules)} lifecycle rules, declared is 1"] if len(rules) != 1 else []
    faults += (fault for rule in rules[:1] for fault in _keeping_faults(rule, live))
    return all_of((*faults, *_lock_faults(live, site)))


def _keeping_faults(rule: "LifecycleRuleOutputTypeDef", live: ProbeContext) -> tuple[str, ...]:
    kept = live.declared.retention
    moves = [(one.get("Days"), one.get("StorageClass")) for one in rule.get("Transitions", [])]
    former = rule.get("NoncurrentVersionExpiration", {})
    return differences(
        (
            ("lifecycle rule", rule["Status"], "Enabled"),
            ("objects that it is about", _part(rule), "all"),
            ("days until an object expires", rule.get("Expiration", {}).get("Days"), kept.audit_expiration),
            ("days until a former version expires", former.get("NoncurrentDays"), kept.audit),
            ("moves", moves, [(kept.glacier_after, "GLACIER")]),
        )
    )


def _lock_faults(live: ProbeContext, site: RegionUnderTest) -> tuple[str, ...]:
    days = live.declared.retention.object_lock
    if days is None:
        return ()
    found = live.aws.s3(site.region).get_object_lock_configuration(Bucket=site.outputs.s3_bucket_name)
    lock = found["ObjectLockConfiguration"]
    default = lock.get("Rule", {}).get("DefaultRetention", {})
    return differences(
        (
            ("object lock", lock.get("ObjectLockEnabled"), "Enabled"),
            ("lock's mode", default.get("Mode"), "GOVERNANCE"),
            ("lock's days", default.get("Days"), days),
        )
    )


def _remove(live: ProbeContext, site: RegionUnderTest, key: str) -> None:
    """Delete the canary and its copy."""
    for where in live.sites:
        # One region that does not answer must not hide what the probe found in the other.
        with contextlib.suppress(ClientError) if where != site else contextlib.nullcontext():
            canaries.remove_versions(live, where, key)
