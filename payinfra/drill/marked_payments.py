"""Payments of drills whose log is lost: found by the customer that they all have, and removed."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from payinfra.clients.retry import Deadline
from payinfra.core.naming import CUSTOMER_INDEX
from payinfra.drill.load.payments import DrillPayment, customer
from payinfra.drill.replicas import Replica

if TYPE_CHECKING:
    from payinfra.clients.aws import Aws
    from payinfra.core.outputs import RegionOutputs


@dataclass(frozen=True)
class MarkedPayments:
    """What was found and removed.

    Attributes:
        payments: as far as the table still tells: their id, and when they were made.
        left: ids of those that could not be removed.
    """

    payments: tuple[DrillPayment, ...]
    left: tuple[str, ...]


def find(aws: "Aws", region: "RegionOutputs", env: str) -> Iterator[DrillPayment]:
    """The payments of an environment's drills in one region's table. Needs dynamodb:Query on its indexes.

    Raises:
        ClientError, BotoCoreError: the table cannot be read.
    """
    pages = (
        aws.dynamodb(region.region)
        .get_paginator("query")
        .paginate(
            TableName=region.dynamodb_table_name,
            IndexName=CUSTOMER_INDEX,
            KeyConditionExpression="customer_id = :customer",
            ExpressionAttributeValues={":customer": {"S": customer(env)}},
        )
    )
    for page in pages:
        for item in page["Items"]:
            made = json.dumps({"timestamp": int(item["timestamp"]["N"])})
            yield DrillPayment("", item["payment_id"]["S"], made, 0.0)


def remove(
    look: Callable[[], Sequence[DrillPayment]], replicas: Sequence[Replica], deadline: Deadline
) -> MarkedPayments:
    """Remove payments and their claims from both regions, and look again whether they are gone.

    Args:
        look: as `find`, in both regions.
        replicas: of the table.
        deadline: until when; an index is some moments behind its table.

    Raises:
        ClientError, BotoCoreError: a table cannot be read or written.
    """
    found: dict[str, DrillPayment] = {}
    pauses = deadline.pauses()
    left = _by_id(deadline.poll(look))
    while left:
        found |= left
        for payment_id in left:
            for replica in replicas:
                for item in deadline.poll(partial(replica.read, payment_id)):
                    deadline.poll(partial(replica.remove, payment_id, item))
        left = _by_id(deadline.poll(look))
        if not left or not pauses.wait():
            break
    return MarkedPayments(tuple(found.values()), tuple(left))


def _by_id(payments: Sequence[DrillPayment]) -> dict[str, DrillPayment]:
    return {one.payment_id: one for one in payments}
