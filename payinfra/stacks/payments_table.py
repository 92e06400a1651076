"""The ledger of payments: one global table with a replica in the other region."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.dynamodb_table import (
    DynamodbTable,
    DynamodbTableAttribute,
    DynamodbTableGlobalSecondaryIndex,
    DynamodbTablePointInTimeRecovery,
    DynamodbTableReplica,
    DynamodbTableServerSideEncryption,
)

from payinfra.core.naming import CUSTOMER_INDEX, STATUS_INDEX
from payinfra.stacks.component import Scope, StackComponent
from payinfra.stacks.region_context import RegionContext, address

_INDEXES = {STATUS_INDEX: "status", CUSTOMER_INDEX: "customer_id"}


@dataclass(frozen=True)
class PaymentsTableProps:
    """Where the table is, and with which keys.

    Attributes:
        place: the region that the table is made from.
        key_arn: that region's key.
        replica_region: the other region.
        replica_key_arn: the other region's key.
        attributes: the types of the attributes that the project's own indexes have as keys.
        indexes: the project's own indexes: name to partition key and sort key, which may be empty.
    """

    place: RegionContext
    key_arn: str
    replica_region: str
    replica_key_arn: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    indexes: Mapping[str, tuple[str, str]] = field(default_factory=dict)


class PaymentsTable(StackComponent):
    """The payments table.

    Attributes:
        name: the table's name, the same in both regions; whoever uses it waits for the table.
        stream_arns: of the streams in the table's region and in the replica's.
    """

    def __init__(self, scope: Scope, id_: str, *, props: PaymentsTableProps) -> None:
        super().__init__(scope, id_)
        place = props.place
        table = DynamodbTable(
            *self.at("table"),
            provider=place.provider,
            name=place.names.table,
            billing_mode="PAY_PER_REQUEST",
            hash_key="payment_id",
            range_key="timestamp",
            attribute=[
                DynamodbTableAttribute(name="payment_id", type="S"),
                DynamodbTableAttribute(name="timestamp", type="N"),
                *(DynamodbTableAttribute(name=attribute, type="S") for attribute in _INDEXES.values()),
                *(DynamodbTableAttribute(name=one, type=type_) for one, type_ in props.attributes.items()),
            ],
            global_secondary_index=[
                DynamodbTableGlobalSecondaryIndex(
                    name=name, hash_key=attribute, range_key="timestamp", projection_type="ALL"
                )
                for name, attribute in _INDEXES.items()
            ]
            + [
                DynamodbTableGlobalSecondaryIndex(
                    name=name, hash_key=partition, range_key=sort or None, projection_type="ALL"
                )
                for name, (partition, sort) in props.indexes.items()
            ],
            stream_enabled=True,
            stream_view_type="NEW_AND_OLD_IMAGES",
            server_side_encryption=DynamodbTableServerSideEncryption(enabled=True, kms_key_arn=props.key_arn),
            point_in_time_recovery=DynamodbTablePointInTimeRecovery(enabled=True),
            deletion_protection_enabled=place.protected,
            replica=[
                DynamodbTableReplica(
                    region_name=props.replica_region,
                    kms_key_arn=props.replica_key_arn,
                    point_in_time_recovery=True,
                    propagate_tags=True,
                )
            ],
            lifecycle=TerraformResourceLifecycle(prevent_destroy=place.protected),
        )
        self.name = table.name
        self.stream_arns = (table.stream_arn, f"${{one({address(table)}.replica[*].stream_arn)}}")


def table_arn(place: RegionContext, name: str) -> str:
    """The ARN of the table in a region: replicas bear the table's name."""
    return place.arn("dynamodb", f"table/{name}")
