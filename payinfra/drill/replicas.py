"""The payments table in each region, as a drill reads and cleans it; and whether replication works."""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from payinfra.checks.probes import canaries
from payinfra.checks.probes.dynamodb import writes_reach_the_other_region
from payinfra.checks.probes.model import ProbeContext, RegionUnderTest
from payinfra.clients.aws_errors import NotYet
from payinfra.clients.retry import Deadline
from payinfra.drill.load.payments import DrillPayment

if TYPE_CHECKING:
    from payinfra.clients.aws import Aws
    from payinfra.core.outputs import RegionOutputs

CLAIM = "0"
"""The timestamp of an item that is no payment: it guards a payment's id (docs/adr/0006)."""


@dataclass(frozen=True)
class StoredItem:
    """An item of the table.

    Attributes:
        timestamp: its range key, as DynamoDB writes numbers.
        content: all of it as JSON in DynamoDB's form; equal for equal items.
    """

    timestamp: str
    content: str

    @property
    def is_payment(self) -> bool:
        """Whether it is a payment, and not a claim."""
        return self.timestamp != CLAIM

    def says(self, payment: DrillPayment) -> bool:
        """Whether it is what the drill sent; more may be in it."""
        item, sent = json.loads(self.content), json.loads(payment.body)
        return all(item.get(name) == _as_stored(value) for name, value in sent.items())


class Replica(Protocol):
    """The table in one region. Everything raises ClientError or BotoCoreError where AWS does not do it."""

    def read(self, payment_id: str) -> tuple[StoredItem, ...]:
        """Everything under a payment's id, consistently."""
        ...

    def remove(self, payment_id: str, record: StoredItem) -> None:
        """Take an item away; harmless where it is not there."""
        ...


@dataclass(frozen=True)
class TableReplica:
    """The real thing, with the operator's credentials: needs dynamodb:Query and dynamodb:DeleteItem."""

    aws: "Aws"
    outputs: "RegionOutputs"

    def read(self, payment_id: str) -> tuple[StoredItem, ...]:
        """See `Replica`."""
        found = self.aws.dynamodb(self.outputs.region).query(
            TableName=self.outputs.dynamodb_table_name,
            KeyConditionExpression="payment_id = :id",
            ExpressionAttributeValues={":id": {"S": payment_id}},
            ConsistentRead=True,
        )
        return tuple(
            StoredItem(item["timestamp"]["N"], json.dumps(item, sort_keys=True, default=repr))
            for item in found["Items"]
        )

    def remove(self, payment_id: str, record: StoredItem) -> None:
        """See `Replica`."""
        self.aws.dynamodb(self.outputs.region).delete_item(
            TableName=self.outputs.dynamodb_table_name,
            Key={"payment_id": {"S": payment_id}, "timestamp": {"N": record.timestamp}},
        )


def _as_stored(value: object) -> dict[str, object]:
    """A value of a payment's body as DynamoDB gives it back."""
    match value:
        case int():
            return {"N": str(value)}
        case Mapping():
            return {"M": {str(name): _as_stored(one) for name, one in value.items()}}
        case _:
            return {"S": str(value)}


@dataclass(frozen=True)
class Crossing:
    """A mark that was written in one region and seen in the other, `seconds` later."""

    written_in: str
    seen_in: str
    seconds: float


def have_caught_up(live: ProbeContext, within_s: float) -> bool:
    """Whether what is written in either region arrives in the other in time, as far as AWS answers."""
    try:
        caught_up(live, within_s)
    except (NotYet, ClientError, BotoCoreError):
        return False
    return True


def caught_up(live: ProbeContext, within_s: float) -> tuple[Crossing, ...]:
    """Write a mark in each region and wait until the other has it; the marks are removed.

    It says that replication works both ways again. What was written before may be later than the mark:
    replication keeps no order between items.

    Raises:
        NotYet: a mark did not arrive within so many seconds.
        ClientError, BotoCoreError: a region does not answer.
    """
    # Marks of their own: one of an earlier call may still be on its way.
    patience = replace(live.patience, ends=live.patience.clock() + within_s)
    mine = replace(live, run=canaries.new_run(), patience=patience)
    with ThreadPoolExecutor(len(live.sites)) as pool:
        return tuple(pool.map(lambda site: _cross(mine, site, patience), mine.sites))


def _cross(live: ProbeContext, site: RegionUnderTest, patience: Deadline) -> Crossing:
    began = patience.clock()
    writes_reach_the_other_region.judge(live, site)
    return Crossing(site.region, site.peer.region, patience.clock() - began)
