"""The global table: each region's replica, and that what is written in one is read in the other."""

from typing import TYPE_CHECKING

from payinfra.checks.probes import canaries
from payinfra.checks.probes.live_policies import statements_if_any, strangers
from payinfra.checks.probes.model import ProbeContext, RegionUnderTest, all_of, differences, regional
from payinfra.checks.verdicts import Severity, Verdict, Verdicts
from payinfra.clients.aws_errors import NotYet
from payinfra.core.naming import INDEXES

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import (
        GlobalSecondaryIndexDescriptionTypeDef,
        TableDescriptionTypeDef,
    )

VERSION = "2019.11.21"
"""Of global tables: the one that replicates by itself (DynamoDB developer guide)."""
RECOVERY_DAYS = 35
"""How far back a table can be recovered, in days: what DynamoDB takes if nothing is said (API reference,
PointInTimeRecoverySpecification)."""
_UNLIMITED = -1
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
    title="Point-in-time recovery is on, for all of its 35 days",
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
    days = recovery.get("RecoveryPeriodInDays", RECOVERY_DAYS)
    return all_of(
        differences(
            (
                ("point-in-time recovery", recovery.get("PointInTimeRecoveryStatus"), "ENABLED"),
                ("its days", days, RECOVERY_DAYS),
            )
        )
    )


@regional(
    "LIVE-DDB-004",
    title="The declared indexes are active, and hold whole payments",
    severity=Severity.HIGH,
    risk="Payments cannot be listed.",
    fix=_REDEPLOY,
    within_s=20,
)
def indexes_are_active(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """DynamoDB: DescribeTable."""
    nothing: GlobalSecondaryIndexDescriptionTypeDef = {}
    found = {one.get("IndexName"): one for one in _table(live, site).get("GlobalSecondaryIndexes", [])}
    states = [(name, found.get(name, nothing).get("IndexStatus")) for name in live.declared.table.indexes]
    if any(state in _PASSING for _, state in states):
        raise NotYet("; ".join(f"{name} is {state}" for name, state in states if state in _PASSING))
    holding = [
        (name, found[name].get("Projection", {}).get("ProjectionType")) for name in INDEXES if name in found
    ]
    return all_of(
        (
            *differences((f"index {name}", state, "ACTIVE") for name, state in states),
            *differences((f"projection of index {name}", kind, "ALL") for name, kind in holding),
        )
    )


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


@regional(
    "LIVE-DDB-007",
    title="No payment expires, and the table takes as many requests as come",
    severity=Severity.CRITICAL,
    risk="DynamoDB deletes payments by itself, or refuses them under an ordinary load.",
    fix=f"{_REDEPLOY} Time to live and maximum throughput are in no deployment: take them back by hand.",
)
def table_keeps_and_takes_all(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """DynamoDB: DescribeTimeToLive, DescribeTable."""
    client, name = live.aws.dynamodb(site.region), site.outputs.dynamodb_table_name
    expiry = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    table = _table(live, site)
    mode = table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
    faults = list(differences((("billing mode", mode, "PAY_PER_REQUEST"),)))
    if expiry.get("TimeToLiveStatus", "DISABLED") not in ("DISABLED", "DISABLING"):
        faults.append(f"items expire by their attribute {expiry.get('AttributeName')}")
    throughputs = {"the table": table.get("OnDemandThroughput", {})} | {
        f"index {one.get('IndexName')}": one.get("OnDemandThroughput", {})
        for one in table.get("GlobalSecondaryIndexes", [])
    }
    for what, throughput in throughputs.items():
        limits = (throughput.get("MaxReadRequestUnits"), throughput.get("MaxWriteRequestUnits"))
        if any(limit not in (None, _UNLIMITED) for limit in limits):
            faults.append(f"{what} takes {limits[0]} reads and {limits[1]} writes a second at most")
    return all_of(faults)


@regional(
    "LIVE-DDB-008",
    title="The table's policy lets no stranger in, and it is copied to no other region",
    severity=Severity.CRITICAL,
    risk="Another account reads or changes payments, or they lie where nobody looks after them.",
    fix="Remove the policy (`aws dynamodb delete-resource-policy`) or the replica: none was deployed.",
)
def table_is_closed(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """DynamoDB: GetResourcePolicy, DescribeTable."""
    client = live.aws.dynamodb(site.region)
    elsewhere = sorted(
        str(one.get("RegionName"))
        for one in _table(live, site).get("Replicas", [])
        if one.get("RegionName") not in (site.region, site.peer.region)
    )
    table = site.outputs.dynamodb_table_arn
    statements = statements_if_any(lambda: client.get_resource_policy(ResourceArn=table)["Policy"])
    faults = (f"it has a replica in {region}" for region in elsewhere)
    return all_of((*faults, *strangers(statements, site.outputs.account)))
