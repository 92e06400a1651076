"""Checks of DynamoDB tables: that every region has the payments, complete, recoverable and encrypted."""

import re
from collections.abc import Iterator

from payinfra.checks.manifest import Attached, Block, Manifest, Missing, Resource, Unreadable, Unresolved
from payinfra.checks.model import Severity, Verdict, check
from payinfra.checks.policy.backups import is_selected
from payinfra.checks.policy.encryption import customer_key
from payinfra.checks.policy.verdict_helpers import (
    flag_on,
    nested,
    pass_unless,
    region_of,
    require_one_of,
    serving_regions,
    verdict_for_gap,
)

_REPLICA = "aws_dynamodb_table_replica"


def _replicas(table: Resource) -> tuple[Block, ...]:
    """The replica blocks that can be read."""
    found = nested(table, "replica")
    return () if isinstance(found, Unreadable) else found


def _separate(table: Resource, manifest: Manifest) -> Attached:
    """The replicas that are resources of their own, by reference or by an ARN that is written out."""
    referring = manifest.attached(table, _REPLICA, by="global_table_arn")
    tail = f":table/{table.text('name')}"
    named = (
        one
        for one in manifest.all(_REPLICA)
        if isinstance(arn := one.text("global_table_arn"), str)
        and arn.endswith(tail)
        and f":dynamodb:{table.region}:" in arn
    )
    return Attached((*referring.resources, *named), referring.unclear)


def _joined(table: Resource, manifest: Manifest) -> Iterator[str | Unreadable]:
    """The regions whose tables of the same name a global table of the version of 2017 joins with this one."""
    joins = manifest.all("aws_dynamodb_global_table")
    name = table.text("name") if joins else ""
    if not (name and isinstance(name, str)):
        return
    for one in joins:
        if one.text("name") == name:
            for replica in _replicas(one):
                region = replica.text("region_name")
                if isinstance(region, Unreadable) or (name, region) in manifest.once(_made):
                    yield region


def _made(manifest: Manifest) -> frozenset[tuple[object, object]]:
    """The tables of the file by name and region."""
    return frozenset((one.text("name"), one.region) for one in manifest.all("aws_dynamodb_table"))


def regions_of_table(table: Resource, manifest: Manifest) -> tuple[str, ...]:
    """The regions that a table is in: its own and its replicas'; all that serve where that is not known."""
    regions = (
        region_of(table),
        *(replica.text("region_name") for replica in _replicas(table)),
        *(region_of(replica) for replica in _separate(table, manifest).resources),
        *_joined(table, manifest),
    )
    known = tuple(dict.fromkeys(region for region in regions if isinstance(region, str)))
    unclear = len(known) < len(set(regions)) or any(_unread(table, manifest))
    return serving_regions(manifest) if unclear else known


def _unread(table: Resource, manifest: Manifest) -> Iterator[Verdict]:
    """What may be a replica and cannot be read."""
    found = nested(table, "replica")
    if isinstance(found, Unreadable):
        yield Verdict.unknown(found.why)
    for unclear in _separate(table, manifest).unclear:
        yield Verdict.unknown(f"{unclear.address} may be its replica: its table is unknown")


@check(
    id="PI-DDB-001",
    title="A table has a replica in every other region",
    severity=Severity.CRITICAL,
    on="aws_dynamodb_table",
    risk="A region without a replica has no payments when it takes over.",
    fix="Add a replica block for each of the other regions.",
)
def table_is_in_every_region(table: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """A replica is a block of the table, an `aws_dynamodb_table_replica`, or a table joined with it."""
    return pass_unless(_missing_replicas(table, manifest))


def _missing_replicas(table: Resource, manifest: Manifest) -> Iterator[Verdict]:
    home = region_of(table)
    if isinstance(home, Unreadable):
        yield Verdict.unknown(f"the table's own region is not known: {home.why}")
        return
    there: set[str] = set()
    unread = list(_unread(table, manifest))
    for region in (
        *(replica.text("region_name") for replica in _replicas(table)),
        *(region_of(replica) for replica in _separate(table, manifest).resources),
        *_joined(table, manifest),
    ):
        if isinstance(region, str):
            there.add(region)
        else:
            unread.append(Verdict.unknown(f"a replica's region is not known: {region.why}"))
    missing = [region for region in serving_regions(manifest) if region not in (*there, home)]
    if unread:
        yield from unread
    elif missing:
        yield Verdict.failed(f"no replica in {', '.join(missing)}")
    elif not there - {home}:
        yield Verdict.failed("no replica in any other region")


@check(
    id="PI-DDB-002",
    title="A table streams new and old images",
    severity=Severity.CRITICAL,
    on="aws_dynamodb_table",
    risk="Global tables replicate through the stream; with another view AWS refuses the replica.",
    fix='Set stream_enabled to true and stream_view_type to "NEW_AND_OLD_IMAGES".',
)
def table_streams_both_images(table: Resource, _manifest: Manifest) -> tuple[Verdict, ...]:
    """Judged on every table, with or without a replica."""
    return pass_unless(
        # A stream that is off holds nothing, whatever its view.
        flag_on(table, "stream_enabled", "the stream is off")
        or require_one_of(
            table,
            "stream_view_type",
            ("NEW_AND_OLD_IMAGES",),
            "the stream does not hold new and old images",
        )
    )


@check(
    id="PI-DDB-003",
    title="A table and each of its replicas can be recovered to a point in time",
    severity=Severity.HIGH,
    on="aws_dynamodb_table",
    risk="A faulty release that overwrites payments cannot be undone; replication only spreads the damage.",
    fix="Set point_in_time_recovery on the table and on every replica.",
    controls=("AWS FSBP DynamoDB.2",),
)
def table_is_recoverable(table: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """Recovery is each replica's own. AWS Backup keeps single days, which is less."""
    home = flag_on(table, "point_in_time_recovery.enabled", "the table has no point-in-time recovery")
    if home and is_selected(table, manifest):
        home = (Verdict.warn("AWS Backup keeps copies of it, and no point in time between them"),)
    return pass_unless(
        (
            *home,
            *_unread(table, manifest),
            *(
                verdict
                for replica in _replicas(table)
                for verdict in flag_on(
                    replica, "point_in_time_recovery", f"{replica.path} has no point-in-time recovery"
                )
            ),
            *(
                verdict
                for replica in _separate(table, manifest).resources
                for verdict in flag_on(
                    replica,
                    "point_in_time_recovery",
                    "the replica has no point-in-time recovery",
                    replica.address,
                )
            ),
        )
    )


@check(
    id="PI-DDB-004",
    title="A protected environment's table cannot be deleted",
    severity=Severity.MEDIUM,
    on="aws_dynamodb_table",
    risk="One mistaken destroy takes every payment in every region.",
    fix="Set deletion_protection_enabled on the table.",
    controls=("AWS FSBP DynamoDB.6",),
)
def protected_table_is_kept(table: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """The provider's replica block has no such property; a replica of its own resource has."""
    if manifest.protected is False:
        return (Verdict.not_applicable("the environment is ephemeral"),)
    found = [
        *flag_on(table, "deletion_protection_enabled", "deletion protection is off"),
        *(
            verdict
            for replica in _separate(table, manifest).resources
            for verdict in flag_on(
                replica,
                "deletion_protection_enabled",
                "the replica's deletion protection is off",
                replica.address,
            )
        ),
    ]
    if isinstance(manifest.protected, Unresolved) and found:
        return (
            Verdict.unknown(
                "deletion protection is off, and whether the environment is protected is unknown"
            ),
        )
    return pass_unless(found)


@check(
    id="PI-DDB-005",
    title="A table and each of its replicas are encrypted with a customer key of their own region",
    severity=Severity.HIGH,
    on="aws_dynamodb_table",
    risk="Payments under a key that nobody can revoke or audit, or that is lost with another region.",
    fix="Set server_side_encryption with kms_key_arn, and kms_key_arn on every replica.",
)
def table_uses_customer_keys(table: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """A replica's key is the replica region's."""
    return pass_unless(_encryption(table, manifest))


def _encryption(table: Resource, manifest: Manifest) -> Iterator[Verdict]:
    match table.block("server_side_encryption"):
        case Block() as encryption:
            yield from flag_on(encryption, "enabled", "encryption with KMS is off")
            yield from customer_key(
                encryption, "kms_key_arn", manifest, region=region_of(table), what="the table"
            )
        case gap:
            yield verdict_for_gap(gap, "the table has no server_side_encryption")
    yield from _unread(table, manifest)
    for replica in _replicas(table):
        region = replica.text("region_name")
        if isinstance(region, Missing):
            yield Verdict.failed(f"{replica.path} names no region")
        else:
            yield from customer_key(replica, "kms_key_arn", manifest, region=region, what=replica.path)
    for separate in _separate(table, manifest).resources:
        yield from customer_key(
            separate,
            "kms_key_arn",
            manifest,
            region=region_of(separate),
            what="the replica",
            address=separate.address,
        )


_RECORDS = re.compile(
    r"(?i)(?<![a-z])(?:accounts?|audit|balances?|captures?|charges?|journals?|ledgers?|orders?|payments?|payouts?|"
    r"records?|refunds?|settlements?|transactions?|transfers?)(?![a-z])"
)


@check(
    id="PI-DDB-006",
    title="Nothing expires from a table of payments",
    severity=Severity.HIGH,
    on="aws_dynamodb_table",
    risk="Payments vanish from every region when their time is up, and recovery reaches back 35 days only.",
    fix="Remove ttl from the table, and keep what may expire (sessions, locks) in a table of its own.",
)
def payments_do_not_expire(table: Resource, _manifest: Manifest) -> Verdict:
    """A table that is named after payments, orders, accounts and the like."""
    name = table.text("name")
    shown = f"{name if isinstance(name, str) else ''} {table.name}"
    match table.flag("ttl.enabled"):
        case True if _RECORDS.search(shown.replace("_", " ")):
            return Verdict.failed("its items expire (ttl)")
        case Unreadable() as gap if not isinstance(gap, Missing):
            return Verdict.unknown(gap.why)
        case _:
            return Verdict.passed()
