"""The global table: each region's replica, and that what is written in one is read in the other."""

from typing import TYPE_CHECKING

from payinfra.checks.probes import canaries
from payinfra.checks.probes.model import ProbeContext, RegionUnderTest, all_of, differences, regional
from payinfra.checks.verdicts import Severity, Verdict, Verdicts
from payinfra.clients.aws_errors import NotYet

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TableDescriptionTypeDef

VERSION = "2019.11.21"
"""Of global tables: the one that replicates by itself (DynamoDB developer guide)."""
_PASSING = frozenset({"CREATING", "UPDATING", "IN_PROGRESS"})
_REDEPLOY = "Deploy again: the table was changed outside Terraform."


def _table(live: ProbeContext, site: RegionUnderTest) -> "TableDescriptionTypeDef":
    answer = live.aws.dynamodb(site.region).describe_table(TableName=site.outputs.dynamodb_table_name)
    return answer["Table"]


@regional(
    "LIVE-DDB-001",
    title="The table is active here and has an active replica in the other region",
    severity=Severity.CRITICAL,
    risk="Payments of one region are lost with it.",
    fix="Deploy again; a replica that is gone is made anew from the other.",
    within_s=20,
)
def replicas_are_active(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """DynamoDB: DescribeTable."""
    table = _table(live, site)
    replicas = {one.get("RegionName"): one.get("ReplicaStatus") for one in table.get("Replicas", [])}
    peer = replicas.get(site.peer.region)
    passing = [status for status in (table.get("TableStatus"), peer) if status in _PASSING]
    if passing:
        raise NotYet(f"the table or its replica in {site.peer.region} is {passing[0]}")
    return all_of(
        differences(
            (
                ("table", table.get("TableStatus"), "ACTIVE"),
                ("version of the global table", table.get("GlobalTableVersion"), VERSION),
                (f"replica in {site.peer.region}", peer, "ACTIVE"),
                ("stream", table.get("StreamSpecification", {}).get("StreamViewType"), "NEW_AND_OLD_IMAGES"),
            )
        )
    )


@regional(
    "LIVE-DDB-002",
    title="The table is encrypted with this region's customer key",
    severity=Severity.HIGH,
    risk="Who may read payments is not up to the key's policy.",
    fix=_REDEPLOY,
)
def table_has_its_key(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """DynamoDB: DescribeTable."""
    encryption = _table(live, site).get("SSEDescription", {})
    return all_of(
        differences(
            (
                ("encryption", encryption.get("Status"), "ENABLED"),
                ("key", encryption.get("KMSMasterKeyArn"), site.declared.keys.data),
            )
        )
    )


@regional(
    "LIVE-DDB-003",
    title="Point-in-time recovery is on",
    severity=Severity.HIGH,
    risk="Payments that were overwritten or deleted cannot be brought back.",
    fix=_REDEPLOY,
)
def recovery_is_on(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """DynamoDB: DescribeContinuousBackups."""
    found = live.aws.dynamodb(site.region).describe_continuous_backups(
        TableName=site.outputs.dynamodb_table_name
    )
    recovery = found["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    return all_of(
        differences((("point-in-time recovery", recovery.get("PointInTimeRecoveryStatus"), "ENABLED"),))
    )


@regional(
    "LIVE-DDB-004",
    title="The declared indexes are active",
    severity=Severity.HIGH,
    risk="Payments cannot be listed.",
    fix=_REDEPLOY,
    within_s=20,
)
def indexes_are_active(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """DynamoDB: DescribeTable."""
    found = {
        one.get("IndexName"): one.get("IndexStatus")
        for one in _table(live, site).get("GlobalSecondaryIndexes", [])
    }
    states = [(name, found.get(name)) for name in live.declared.table.indexes]
    if any(state in _PASSING for _, state in states):
        raise NotYet("; ".join(f"{name} is {state}" for name, state in states if state in _PASSING))
    return all_of(differences((f"index {name}", state, "ACTIVE") for name, state in states))


@regional(
    "LIVE-DDB-005",
    title="The deletion protection of the region's replica is as declared",
    severity=Severity.HIGH,
    risk="One call deletes every payment of the region.",
    fix=f"{_REDEPLOY} Terraform sets it in the primary region, and `deploy` after it in the other.",
)
def deletion_protection_is_as_declared(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """DynamoDB: DescribeTable. Each replica has a protection of its own."""
    found = _table(live, site).get("DeletionProtectionEnabled", False)
    return all_of(
        differences((("deletion protection", found, live.declared.table.deletion_protection),)),
    )


@regional(
    "LIVE-DDB-006",
    title="What is written here is read in the other region",
    severity=Severity.CRITICAL,
    risk="A failover loses payments that were already confirmed.",
    fix="Look at the table's replicas and their ReplicationLatency.",
    within_s=40,
    needs_peer=True,
)
def writes_reach_the_other_region(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """DynamoDB: PutItem here, GetItem there, DeleteItem."""
    here, there = live.aws.dynamodb(site.region), live.aws.dynamodb(site.peer.region)
    table = site.outputs.dynamodb_table_name
    canary = canaries.item(live, site)
    key = {name: canary[name] for name in ("payment_id", "timestamp")}
    here.put_item(TableName=table, Item=canary)
    written = live.patience.clock()
    try:

        def look() -> float:
            if "Item" not in there.get_item(TableName=table, Key=key, ConsistentRead=True):
                raise NotYet(f"an item written in {site.region} is not there in {site.peer.region}")
            return live.patience.clock() - written

        lag_s = live.patience.poll(look)
    finally:
        here.delete_item(TableName=table, Key=key)
    return Verdict.passed(f"seen in {site.peer.region} after {lag_s * 1000:.0f} ms")
