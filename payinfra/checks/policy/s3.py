"""Checks of S3 buckets: closed, encrypted in transit and at rest, kept in two regions, and not for ever."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date

from payinfra.checks.manifest import Block, Manifest, Missing, Resource, Statement, Unreadable, Unresolved
from payinfra.checks.model import Severity, Verdict, check
from payinfra.checks.policy.encryption import customer_key
from payinfra.checks.policy.permissions import names, policy_beside
from payinfra.checks.policy.policy_conditions import AccessRequest, Values, applies
from payinfra.checks.policy.policy_exposure import ANYBODY, STRANGER
from payinfra.checks.policy.verdict_helpers import (
    attached_blocks,
    flag_on,
    nested,
    pass_unless,
    region_of,
    require_one_of,
    verdict_for_gap,
)

_BLOCKS = ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")
_ACCOUNT = "aws_s3_account_public_access_block"


@check(
    id="PI-S3-001",
    title="Buckets have all four public access blocks",
    severity=Severity.CRITICAL,
    on="aws_s3_bucket",
    risk="One wrong policy or ACL makes audit records readable to anyone.",
    fix="Add an aws_s3_bucket_public_access_block with all four settings true.",
    controls=("AWS FSBP S3.8",),
)
def bucket_blocks_public_access(bucket: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """All four, in every block that belongs to the bucket. The account's own block holds for all buckets."""
    blocks, problems = attached_blocks(
        manifest.attached(bucket, "aws_s3_bucket_public_access_block", by="bucket"),
        "it has no public access block",
    )
    found = (*problems, *(verdict for block in blocks for verdict in _open_settings(block)))
    if found and any(not _open_settings(one) for one in manifest.all(_ACCOUNT)):
        return (Verdict.warn("only the account's public access block keeps it closed"),)
    return pass_unless(found)


def _open_settings(block: Block) -> tuple[Verdict, ...]:
    return tuple(verdict for setting in _BLOCKS for verdict in flag_on(block, setting, f"{setting} is off"))


@check(
    id="PI-S3-002",
    title="Buckets refuse requests without TLS",
    severity=Severity.MEDIUM,
    on="aws_s3_bucket",
    risk="Audit records can be read on their way over the network.",
    fix="Deny s3:* to everybody where aws:SecureTransport is false, on the bucket and on its objects.",
    controls=("AWS FSBP S3.5",),
)
def bucket_wants_tls(bucket: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """The Deny must hold for everybody, and for the bucket and for what is in it."""
    policies = policy_beside(bucket, manifest, "aws_s3_bucket_policy", "bucket")
    covered: set[str] = set()
    unclear: list[str] = []
    for address, policy in policies:
        if isinstance(policy, Unreadable):
            unclear.append(f"{address}: {policy.why}")
            continue
        unclear += policy.unclear
        for statement in policy.statements:
            covered |= _covered(statement, bucket, manifest)
    missing = [part for part in ("bucket", "objects") if part not in covered]
    if not missing:
        return (Verdict.passed(),)
    if unclear:
        return (Verdict.unknown(f"whether requests without TLS are denied is unknown: {unclear[0]}"),)
    what = "" if policies else "it has no policy; "
    return (Verdict.failed(f"{what}requests without TLS are not denied on: {', '.join(missing)}"),)


_OVER_HTTP: Mapping[str, Values] = {"aws:securetransport": ("false",)}
"""What every request carries that comes without TLS. IAM user guide: the key is always there."""

_PROBES = {
    "bucket": ("", ("s3:DeleteBucket", "s3:GetBucketPolicy", "s3:ListBucket", "s3:PutBucketPolicy")),
    "objects": ("/any/object", ("s3:DeleteObject", "s3:GetObject", "s3:PutObject", "s3:RestoreObject")),
}
"""What a Deny of everything denies, by what it is done to: what follows a bucket's ARN, and actions."""


def _covered(statement: Statement, bucket: Resource, manifest: Manifest) -> set[str]:
    """Of what a statement denies everybody all without TLS: the bucket itself, all objects in it."""
    if statement.allows or statement.unclear or not statement.conditions:
        # Without a condition it denies the bucket to everybody, which no stack means.
        return set()
    name = bucket.text("bucket")
    arn = f"arn:aws:s3:::{name}" if isinstance(name, str) else "arn:aws:s3:::"

    def literal(text: str) -> str:
        rest = names(text, bucket, manifest) if "${" in text else None
        return arn + rest if rest is not None else text

    whole = replace(
        statement,
        resources=tuple(map(literal, statement.resources)),
        not_resources=tuple(map(literal, statement.not_resources)),
    )
    return {
        part
        for part, (rest, actions) in _PROBES.items()
        if all(
            applies(whole, AccessRequest(ANYBODY, action, arn + rest, _OVER_HTTP, account=STRANGER)) is True
            for action in actions
        )
    }


@check(
    id="PI-S3-003",
    title="Buckets keep versions and replicate to another region under that region's key",
    severity=Severity.HIGH,
    on="aws_s3_bucket",
    risk="Audit records are lost with the region, or never replicate because they are encrypted.",
    fix="Enable versioning, and replication of KMS-encrypted objects with the destination region's key.",
)
def bucket_is_kept_in_two_regions(bucket: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """Replication rules that are off count as none."""
    return pass_unless((*_versioning(bucket, manifest), *_replication(bucket, manifest)))


def _versioning(bucket: Resource, manifest: Manifest) -> Iterator[Verdict]:
    blocks, problems = attached_blocks(
        manifest.attached(bucket, "aws_s3_bucket_versioning", by="bucket"),
        "it keeps no versions",
        bucket.block("versioning"),
    )
    yield from problems
    for block in blocks:
        if isinstance(block, Resource):
            yield from require_one_of(
                block, "versioning_configuration.status", ("Enabled",), "versioning is not enabled"
            )
        else:
            yield from flag_on(block, "enabled", "versioning is not enabled")


def _replication(bucket: Resource, manifest: Manifest) -> Iterator[Verdict]:
    blocks, problems = attached_blocks(
        manifest.attached(bucket, "aws_s3_bucket_replication_configuration", by="bucket"),
        "it does not replicate",
        bucket.block("replication_configuration"),
    )
    source = _source_of(bucket, manifest) if not blocks else None
    if source is not None and not _is_written(bucket, manifest):
        yield Verdict.warn(f"it is the copy of {source.address}, and replicates nothing back")
        return
    yield from problems
    for block in blocks:
        legacy = not isinstance(block, Resource)
        rules = nested(block, "rules" if legacy else "rule")
        if isinstance(rules, Unreadable):
            yield Verdict.unknown(rules.why)
            continue
        enabled = [rule for rule in rules if rule.text("status") != "Disabled"]
        if not enabled:
            yield Verdict.failed("no replication rule is enabled")
        for rule in enabled:
            yield from require_one_of(rule, "status", ("Enabled",), f"{rule.path} is not enabled")
        yield from _left_out(enabled)
        for rule in enabled:
            yield from _destination(bucket, rule, manifest, legacy=legacy)


def _source_of(bucket: Resource, manifest: Manifest) -> Resource | None:
    """The bucket of another region that copies all its objects into this one."""
    for one in manifest.all("aws_s3_bucket_replication_configuration"):
        rules = nested(one, "rule")
        for rule in () if isinstance(rules, Unreadable) else rules:
            if rule.text("status") != "Enabled" or bucket not in _destinations(rule, manifest):
                continue
            for source in manifest.referents(one, "bucket"):
                if source.type == "aws_s3_bucket" and source.region != bucket.region:
                    return source
    return None


def _is_written(bucket: Resource, manifest: Manifest) -> bool:
    """Whether a function of the bucket's own region works with it: what it writes must come back."""
    return any(
        one.type == "aws_lambda_function" and one.region == bucket.region
        for one in manifest.referrers(bucket)
    )


def _destinations(rule: Block, manifest: Manifest) -> tuple[Resource, ...]:
    target = rule.template("destination.bucket")
    return (
        *manifest.referents(rule, "destination.bucket"),
        *(
            bucket
            for bucket in manifest.all("aws_s3_bucket")
            if isinstance(target, str) and target.endswith(f":::{bucket.text('bucket')}")
        ),
    )


def _left_out(rules: list[Block]) -> Iterator[Verdict]:
    """Whether some objects are in no rule: each takes a part only, by prefix or tag."""
    parts: list[str] = []
    for rule in rules:
        for path in ("prefix", "filter.prefix", "filter.and.prefix"):
            prefix = rule.text(path)
            if isinstance(prefix, str) and prefix:
                parts.append(f"what begins with {prefix}")
                break
            if isinstance(prefix, Unresolved):
                yield Verdict.unknown(prefix.why)
                return
        else:
            if not (rule.has("filter.tag") or rule.has("filter.and.tags")):
                return
            parts.append("what has certain tags")
    if parts:
        yield Verdict.failed(f"only {' and '.join(dict.fromkeys(parts))} is replicated")


def _destination(bucket: Resource, rule: Block, manifest: Manifest, *, legacy: bool) -> Iterator[Verdict]:
    encrypted = "source_selection_criteria.sse_kms_encrypted_objects"
    why = f"{rule.path} leaves KMS-encrypted objects out"
    if legacy:
        yield from flag_on(rule, f"{encrypted}.enabled", why)
    else:
        yield from require_one_of(rule, f"{encrypted}.status", ("Enabled",), why)
    target = rule.template("destination.bucket")
    if isinstance(target, Unreadable):
        yield verdict_for_gap(target, f"{rule.path} has no destination")
        return
    region = _bucket_region(rule, target, manifest)
    if isinstance(region, Unreadable) or region is None:
        yield Verdict.unknown(f"{rule.path}: the region of the destination {target} is not known")
    elif region == region_of(bucket):
        yield Verdict.failed(f"{rule.path} replicates to {region}, the bucket's own region")
    key = "destination.replica_kms_key_id"
    if not legacy:
        key = "destination.encryption_configuration.replica_kms_key_id"
    yield from customer_key(
        rule,
        key,
        manifest,
        region=region or rule.text("destination.region"),
        what=f"{rule.path}'s destination",
    )


def _bucket_region(rule: Block, target: str, manifest: Manifest) -> str | Unreadable | None:
    """The region of the bucket that a destination names, where the file has it."""
    for found in manifest.referents(rule, "destination.bucket"):
        if found.type == "aws_s3_bucket":
            return region_of(found)
    for bucket in manifest.all("aws_s3_bucket"):
        name = bucket.text("bucket")
        if isinstance(name, str) and re.fullmatch(rf"arn:[\w-]+:s3:::{re.escape(name)}", target):
            return region_of(bucket)
    return None


@check(
    id="PI-S3-004",
    title="Buckets are encrypted with a customer key",
    severity=Severity.HIGH,
    on="aws_s3_bucket",
    risk="Whoever may read the bucket reads it in clear; there is no second lock that can be revoked.",
    fix='Set sse_algorithm to "aws:kms" and kms_master_key_id to a customer key of the bucket\'s region.',
)
def bucket_uses_a_customer_key(bucket: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """Every default-encryption rule of the bucket."""
    return pass_unless(_encryption(bucket, manifest))


def _encryption(bucket: Resource, manifest: Manifest) -> Iterator[Verdict]:
    blocks, problems = attached_blocks(
        manifest.attached(bucket, "aws_s3_bucket_server_side_encryption_configuration", by="bucket"),
        "it is not encrypted with KMS",
        bucket.block("server_side_encryption_configuration"),
    )
    yield from problems
    for block in blocks:
        rules = block.blocks("rule")
        if isinstance(rules, Unreadable):
            yield verdict_for_gap(rules, "the encryption has no rule")
            continue
        for rule in rules:
            at = "apply_server_side_encryption_by_default"
            other = require_one_of(
                rule, f"{at}.sse_algorithm", ("aws:kms", "aws:kms:dsse"), "the algorithm is not KMS"
            )
            yield from other or customer_key(
                rule, f"{at}.kms_master_key_id", manifest, region=region_of(bucket), what="the bucket"
            )


@check(
    id="PI-S3-005",
    title="Buckets move or expire old objects, old versions and broken uploads",
    severity=Severity.LOW,
    on="aws_s3_bucket",
    risk="Storage that nobody reads costs more every month; broken uploads are billed unseen.",
    fix="Add lifecycle rules: a transition or expiration, one for noncurrent versions, and an upload abort.",
)
def bucket_has_a_lifecycle(bucket: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """Whichever enabled rules do it together."""
    return pass_unless(_lifecycle(bucket, manifest))


def _lifecycle(bucket: Resource, manifest: Manifest) -> Iterator[Verdict]:
    inline = bucket.blocks("lifecycle_rule")
    beside = manifest.attached(bucket, "aws_s3_bucket_lifecycle_configuration", by="bucket")
    first = inline[0] if isinstance(inline, tuple) else inline
    blocks, problems = attached_blocks(beside, "it has no lifecycle rules", first)
    yield from problems
    if not blocks:
        return
    rules: list[Block] = list(inline) if isinstance(inline, tuple) else []
    for block in beside.resources:
        found = block.blocks("rule")
        if isinstance(found, Unreadable):
            yield verdict_for_gap(found, "the lifecycle has no rule")
            return
        rules += found
    enabled = []
    for rule in rules:
        status = rule.flag("enabled") if rule.path.startswith("lifecycle_rule") else rule.text("status")
        if status in (True, "Enabled"):
            enabled.append(rule)
        elif isinstance(status, Unreadable) and not isinstance(status, Missing):
            yield Verdict.unknown(status.why)
            return
    for what, properties in _DUTIES:
        states = [_does(rule, properties) for rule in enabled]
        gaps = [state for state in states if isinstance(state, Unreadable)]
        if True not in states:
            yield Verdict.unknown(gaps[0].why) if gaps else Verdict.failed(f"no enabled rule {what}")


_DUTIES = (
    ("moves or expires objects", (("transition", ("days", "date")), ("expiration", ("days", "date")))),
    (
        "expires old versions",
        (("noncurrent_version_expiration", ("noncurrent_days", "days")),),
    ),
    (
        "aborts broken uploads",
        (
            ("abort_incomplete_multipart_upload", ("days_after_initiation",)),
            ("", ("abort_incomplete_multipart_upload_days",)),
        ),
    ),
)
"""What a bucket's rules must do together: any of the blocks, with any of the properties in it."""


def _does(rule: Block, ways: tuple[tuple[str, tuple[str, ...]], ...]) -> bool | Unreadable:
    """Whether a rule has one of the blocks with one of the numbers of days (or a date) in it."""
    unclear: Unreadable | None = None
    for name, properties in ways:
        blocks = nested(rule, name) if name else (rule,)
        if isinstance(blocks, Unreadable):
            unclear = blocks
            continue
        for block in blocks:
            for path in properties:
                value = block.text(path) if path == "date" else block.number(path)
                if not isinstance(value, Unreadable):
                    return True
                if not isinstance(value, Missing):
                    unclear = value
    return unclear or False


_EVIDENCE = re.compile(
    r"(?i)(?<![a-z])(?:archives?|audits?|evidence|ledgers?|logs?|records?|statements?|trails?)(?![a-z])"
)
_QUARTER, _YEAR = 90, 365


@check(
    id="PI-S3-006",
    title="Audit objects of a protected environment are kept for a year",
    severity=Severity.MEDIUM,
    on="aws_s3_bucket",
    risk="When a payment is disputed, or an assessor asks, the records are gone (PCI DSS 10.5.1: twelve "
    "months).",
    fix="Let objects, and old versions of them, expire after 365 days or later.",
)
def audit_objects_are_kept(bucket: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """Buckets that are named after what is kept as evidence; less than a year is shown, a quarter fails."""
    name = bucket.text("bucket")
    prefix = bucket.template("bucket")
    shown = " ".join(text for text in (name, prefix, bucket.name) if isinstance(text, str))
    if manifest.protected is False:
        return (Verdict.not_applicable("the environment is ephemeral"),)
    if not _EVIDENCE.search(shown.replace("_", " ")):
        return (Verdict.not_applicable("it is not named after audit records"),)
    return pass_unless(_expiries(bucket, manifest))


def _expiries(bucket: Resource, manifest: Manifest) -> Iterator[Verdict]:
    holders = [
        (one, "rule")
        for one in manifest.attached(bucket, "aws_s3_bucket_lifecycle_configuration", by="bucket").resources
    ]
    for holder, path in (*holders, (bucket, "lifecycle_rule")):
        rules = nested(holder, path)
        for rule in () if isinstance(rules, Unreadable) else rules:
            if rule.text("status") == "Disabled" or rule.flag("enabled") is False:
                continue
            yield from _last_day(rule, manifest)
            for block, days in (
                ("expiration", "days"),
                ("noncurrent_version_expiration", "noncurrent_days"),
                ("noncurrent_version_expiration", "days"),
            ):
                found = nested(rule, block)
                for one in () if isinstance(found, Unreadable) else found:
                    yield from _expiry(one, days)


def _last_day(rule: Block, manifest: Manifest) -> Iterator[Verdict]:
    """A date takes whatever is there on it, and from it on whatever comes, at once."""
    text = rule.text("expiration.date")
    if isinstance(text, Missing) or text == "":
        return
    try:
        last = date.fromisoformat(str(text)[:10])
    except ValueError:
        yield Verdict.unknown(f"{rule.path}.expiration.date is not known")
    else:
        yield from _too_soon(f"{rule.path}.expiration", max((last - manifest.day).days, 1))


def _expiry(block: Block, path: str) -> Iterator[Verdict]:
    match block.number(path):
        case Unreadable() as gap:
            if not isinstance(gap, Missing):
                yield Verdict.unknown(gap.why)
        case days:
            yield from _too_soon(block.path, days)


def _too_soon(path: str, days: float) -> Iterator[Verdict]:
    if 0 < days < _QUARTER:
        yield Verdict.failed(f"{path} takes objects after {days:g} days")
    elif 0 < days < _YEAR:
        yield Verdict.warn(f"{path} takes objects after {days:g} days, less than a year")


@check(
    id="PI-S3-007",
    title="Buckets have no ACLs",
    severity=Severity.MEDIUM,
    on="aws_s3_bucket",
    risk="Whoever writes an object decides who may read it, and a policy that denies it is passed by.",
    fix='Set object_ownership to "BucketOwnerEnforced" and remove acl.',
    controls=("AWS FSBP S3.12",),
)
def bucket_has_no_acl(bucket: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """A new bucket has none unless its ownership controls say so."""
    found: list[Verdict] = []
    for one in manifest.attached(bucket, "aws_s3_bucket_ownership_controls", by="bucket").resources:
        found += require_one_of(one, "rule.object_ownership", ("BucketOwnerEnforced",), "objects have ACLs")
    for one in (bucket, *manifest.attached(bucket, "aws_s3_bucket_acl", by="bucket").resources):
        acl = one.text("acl")
        if isinstance(acl, str) and acl != "private":
            found.append(Verdict.failed(f"its ACL is {acl!r}", one.address))
        elif isinstance(acl, Unreadable) and not isinstance(acl, Missing):
            found.append(Verdict.unknown(acl.why, one.address))
        found += _grants(one)
    return pass_unless(found)


def _grants(holder: Resource) -> Iterator[Verdict]:
    """Grants that are written out: those to a group, to an address, or to another account than the owner."""
    legacy = holder.type == "aws_s3_bucket"
    grants = nested(holder, "grant" if legacy else "access_control_policy.grant")
    if isinstance(grants, Unreadable):
        yield Verdict.unknown(grants.why, holder.address)
        return
    owner = holder.template("access_control_policy.owner.id")
    for grant in grants:
        grantee = "" if legacy else "grantee."
        kind, who = grant.text(f"{grantee}type"), grant.template(f"{grantee}id")
        if kind in ("Group", "AmazonCustomerByEmail"):
            yield Verdict.failed(f"its ACL grants something to a {kind}", holder.address)
        elif isinstance(kind, Unreadable):
            yield verdict_for_gap(kind, f"{grant.path} says not to whom", holder.address)
        elif not legacy and isinstance(who, str) and who != owner:
            yield Verdict.failed("its ACL grants something to another than its owner", holder.address)
