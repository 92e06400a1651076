"""Payments as the table holds them, and the names of their audit objects."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from payinfra.core.naming import STATUS_INDEX, status_of, status_partitions

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

STATUSES = ("accepted", "settled", "failed")
"""The states of a payment, by which the index lists them. A test holds them to the function's."""


@dataclass(frozen=True)
class RecordedPayment:
    """A payment of the table.

    Attributes:
        timestamp_ms: the client's time of creation, since the epoch.
        changed: whether its status has been changed, which has an audit object of its own.
        in_conflict: whether another payment stands under its key, and nobody has decided which one counts.
        resolved: whether somebody has decided which payment its key stands for.
    """

    payment_id: str
    timestamp_ms: int
    fingerprint: str
    status: str
    changed: bool
    in_conflict: bool
    resolved: bool = False

    @property
    def audit_objects(self) -> tuple[str, ...]:
        """The keys of its objects in the audit bucket: the function names them so."""
        day = _day(self.timestamp_ms)
        name = f"audit/{day:%Y/%m/%d}/{self.payment_id}-{self.fingerprint[:16]}"
        changes = (f"{name}-{self.status}.json",) if self.changed else ()
        return (f"{name}.json", *changes)


def payments(client: "DynamoDBClient", table: str, from_ms: int, to_ms: int) -> Iterator[RecordedPayment]:
    """The payments of one region whose timestamps are in a span, both ends included.

    Raises:
        ClientError, BotoCoreError: the table cannot be read.
    """
    for asked in (query for status in STATUSES for query in _queries(table, status, from_ms, to_ms)):
        for page in client.get_paginator("query").paginate(**asked):
            yield from (recorded(item) for item in page["Items"])


def newest_payments(
    client: "DynamoDBClient", table: str, from_ms: int, to_ms: int, *, count: int
) -> tuple[RecordedPayment, ...]:
    """Of each status as many of the newest payments at most.

    Raises:
        ClientError, BotoCoreError: the table cannot be read.
    """
    newest: list[RecordedPayment] = []
    for status in STATUSES:
        found = [
            recorded(item)
            for asked in _queries(table, status, from_ms, to_ms)
            for item in client.query(**asked, ScanIndexForward=False, Limit=count)["Items"]
        ]
        newest += sorted(found, key=lambda payment: payment.timestamp_ms, reverse=True)[:count]
    return tuple(newest)


def _queries(table: str, status: str, from_ms: int, to_ms: int) -> Iterator[dict[str, Any]]:
    for partition in status_partitions(status):
        yield {
            "TableName": table,
            "IndexName": STATUS_INDEX,
            "KeyConditionExpression": "#status = :status AND #at BETWEEN :from AND :to",
            "ExpressionAttributeNames": {"#status": "status", "#at": "timestamp"},
            "ExpressionAttributeValues": {
                ":status": {"S": partition},
                ":from": {"N": str(from_ms)},
                ":to": {"N": str(to_ms)},
            },
        }


def recorded(item: Mapping[str, Any]) -> RecordedPayment:
    """The payment that an item of the table holds."""
    return RecordedPayment(
        payment_id=item["payment_id"]["S"],
        timestamp_ms=int(item["timestamp"]["N"]),
        fingerprint=item["fingerprint"]["S"],
        status=status_of(item["status"]["S"]),
        changed="change" in item,
        in_conflict=item.get("conflict", {}).get("BOOL", False),
        resolved="resolved" in item,
    )


def prefixes(from_ms: int, to_ms: int) -> Iterator[str]:
    """What the audit objects of a span begin with: one prefix a day."""
    day, last = _day(from_ms), _day(to_ms)
    while day.date() <= last.date():
        yield f"audit/{day:%Y/%m/%d}/"
        day += timedelta(days=1)


def _day(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
