"""The payments table in DynamoDB.

Under one payment_id are a claim at timestamp 0 and the payment. The condition `attribute_not_exists` guards
one exact item, and the payment's key has the client's timestamp in it: only the claim, whose key has not,
can guard the id. The claim has neither status nor customer_id and so is in no index.
A test has no status, and so is in its own customer's list only: it is accepted, and never moves.

One value of a partition key takes about 1,000 writes a second (DynamoDB developer guide, "Using write
sharding for global secondary indexes"). So the attribute `status` has the payment's shard beside its status,
as `accepted#7`, and a list by status reads all shards together. The shard follows from the payment_id.
Earlier versions wrote `accepted`, as a setting still has it: one more partition, which is always read too.

A payment that replication replaced by another body's, at the same timestamp, is kept at a negative timestamp
that follows from its fingerprint: so both regions keep it under the same key, and it is in no index either.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast
from zlib import crc32

from botocore.exceptions import BotoCoreError, ClientError

from .core import ACCEPTED, CLAIM_RANGE, STATUS_SHARDS, Caller, Change, Claim, Found, Payment, Receipt
from .cursors import PARTITIONS, UNSHARDED, Position
from .problems import Unavailable
from .service import Added, Index, Listing, Page

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import (
        AttributeValueTypeDef,
        QueryInputTypeDef,
        TransactWriteItemTypeDef,
        UpdateItemInputTypeDef,
    )

    Item = Mapping[str, AttributeValueTypeDef]

_ABSENT = "attribute_not_exists(payment_id)"
_PRESENT = "attribute_exists(payment_id)"
_INDEXES = {Index.STATUS: "status-index", Index.CUSTOMER: "customer-index"}
_SHARD_MARK = "#"
"""Between status and shard; in no status."""
_HEALTH = "health"
"""The payment_id of the health check, under which nothing is ever recorded: payments' begin with `pay_`."""
_DISPLACED_DIGITS = 24
"""Of the fingerprint, in the range of a displaced payment: 29 decimal ones, of 38 that a number may have."""


@dataclass(eq=False)
class _Partition:
    """A partition of an index, as far as a page of a list has read it.

    Attributes:
        value: of the index's partition key.
        name: what cursors call it.
        earliest: the timestamp that it is read from.
        start: the key that it is read after; None for its beginning.
        unread: items that have been read and not been shown, in the partition's order.
        more: whether the partition may have items after those.
        shown: the last item that was shown.
    """

    value: str
    name: str
    earliest: int
    start: "Item | None"
    unread: "deque[Item]" = field(default_factory=deque)
    more: bool = True
    shown: "Item | None" = None


class DynamoLedger:
    """The ledger in one region's replica of the table.

    Args:
        client: for payments.
        health: for the health check; with short time-outs and no retry.
        spread_statuses: whether payments are written to the shards of their status.
    """

    def __init__(
        self, client: "DynamoDBClient", health: "DynamoDBClient", table: str, spread_statuses: bool = True
    ) -> None:
        self._client = client
        self._health = health
        self._table = table
        self._spread = spread_statuses

    def find(self, payment_id: str) -> Found:
        try:
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="payment_id = :id",
                ExpressionAttributeValues={":id": {"S": payment_id}},
                ConsistentRead=True,
            )
        except (ClientError, BotoCoreError) as error:
            raise _unavailable(error) from error
        claim: Claim | None = None
        payments: list[Payment] = []
        displaced: list[Payment] = []
        for item in answer["Items"]:
            if is_claim(item):
                claim = claim_of(item)
            elif item["timestamp"]["N"].startswith("-"):
                displaced.append(payment_of(cast("Item", item["payment"]["M"])))
            else:
                payments.append(payment_of(item))
        return Found(claim, tuple(payments), tuple(displaced))

    def add(self, payment: Payment) -> Added:
        try:
            self._client.transact_write_items(
                TransactItems=[
                    {"Put": {"TableName": self._table, "Item": item, "ConditionExpression": _ABSENT}}
                    for item in (_claim_item(payment), self._item(payment))
                ]
            )
        except self._client.exceptions.TransactionCanceledException as error:
            reasons = {reason.get("Code") for reason in error.response.get("CancellationReasons", ())}
            if "ConditionalCheckFailed" in reasons:
                return Added.TAKEN
            if "TransactionConflict" in reasons:
                return Added.CONTENDED
            raise _unavailable(error) from error
        except (ClientError, BotoCoreError) as error:
            raise _unavailable(error) from error
        return Added.RECORDED

    def restore(self, payment: Payment) -> bool:
        try:
            self._client.put_item(
                TableName=self._table, Item=self._item(payment), ConditionExpression=_ABSENT
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        except (ClientError, BotoCoreError) as error:
            raise _unavailable(error) from error
        return True

    def move(self, payment: Payment, status: str, change: Change | None) -> bool:
        values: dict[str, AttributeValueTypeDef] = {
            ":from": {"S": payment.status},
            ":sharded": {"S": _sharded(payment.status, payment.payment_id)},
            ":to": {"S": _sharded(status, payment.payment_id) if self._spread else status},
            ":fingerprint": {"S": payment.fingerprint},
        }
        if change is not None:
            values[":change"] = _change_value(change)
        return self._update(
            payment.payment_id,
            payment.timestamp,
            {
                "UpdateExpression": "SET #status = :to" + (", #change = :change" if change else ""),
                "ConditionExpression": "(#status = :from OR #status = :sharded) "
                "AND fingerprint = :fingerprint",
                "ExpressionAttributeNames": {
                    "#status": "status",
                    **({"#change": "change"} if change else {}),
                },
                "ExpressionAttributeValues": values,
            },
        )

    def mark_claim(self, payment_id: str, fingerprints: tuple[str, ...]) -> bool:
        values: dict[str, AttributeValueTypeDef] = {":prints": {"SS": list(fingerprints)}}
        values |= {f":print{place}": {"S": one} for place, one in enumerate(fingerprints)}
        known = [f"contains(conflicts, :print{place})" for place in range(len(fingerprints))]
        return self._update(
            payment_id,
            int(CLAIM_RANGE),
            {
                "UpdateExpression": "ADD conflicts :prints",
                "ConditionExpression": f"{_PRESENT} AND NOT ({' AND '.join(known)})",
                "ExpressionAttributeValues": values,
            },
        )

    def mark_payment(self, payment: Payment) -> None:
        self._update(
            payment.payment_id,
            payment.timestamp,
            {
                # A reserved word of DynamoDB's.
                "UpdateExpression": "SET #conflict = :true",
                "ConditionExpression": "fingerprint = :fingerprint",
                "ExpressionAttributeNames": {"#conflict": "conflict"},
                "ExpressionAttributeValues": {
                    ":true": {"BOOL": True},
                    ":fingerprint": {"S": payment.fingerprint},
                },
            },
        )

    def displace(self, payment: Payment) -> None:
        self._put(_displaced_item(payment))

    def decide(self, found: Found, keep: Payment) -> bool:
        others = [payment for payment in found.payments if payment.fingerprint != keep.fingerprint]
        prints: AttributeValueTypeDef = {"SS": list(found.fingerprints)}
        claim = {**_claim_item(keep), "conflicts": prints, "resolved": prints}
        standing = {payment.timestamp: payment for payment in found.payments}.get(keep.timestamp)
        writes = [self._write_if(claim, found.claim.fingerprint if found.claim else None)]
        writes += [self._write_if(self._decided(keep), standing.fingerprint if standing else None)]
        for other in others:
            # In the place of the one that is kept there is no room for another.
            if other.timestamp == keep.timestamp:
                writes.append({"Put": {"TableName": self._table, "Item": _displaced_item(other)}})
            else:
                writes.append(self._write_if(self._decided(other), other.fingerprint))
        try:
            self._client.transact_write_items(TransactItems=writes)
        except self._client.exceptions.TransactionCanceledException:
            return False
        except (ClientError, BotoCoreError) as error:
            raise _unavailable(error) from error
        return True

    def _write_if(self, item: "Item", fingerprint: str | None) -> "TransactWriteItemTypeDef":
        """A put over the body that is known to be there; None where nothing is."""
        if fingerprint is None:
            return {"Put": {"TableName": self._table, "Item": item, "ConditionExpression": _ABSENT}}
        return {
            "Put": {
                "TableName": self._table,
                "Item": item,
                "ConditionExpression": "fingerprint = :fingerprint",
                "ExpressionAttributeValues": {":fingerprint": {"S": fingerprint}},
            }
        }

    def page(self, listing: Listing, limit: int, after: Position | None) -> Page:
        partitions = tuple(_partitions(listing, after))
        self._read(listing, {one: _first_look(limit, len(partitions)) for one in partitions})
        shown = list(_merged(partitions, limit))
        missing = limit - len(shown)
        # Where one partition has more of the page than its share, once more: now for all that it may need.
        short = {one: missing - len(one.unread) for one in partitions if one.more}
        short = {one: count for one, count in short.items() if count > 0}
        if short:
            self._read(listing, short)
            shown += _merged(partitions, missing)
        payments = tuple(payment_of(item) for item in shown)
        is_all = not any(one.more or one.unread for one in partitions)
        return Page(payments, None if is_all else _position(partitions, _at(shown[-1]), after))

    def _read(self, listing: Listing, counts: "Mapping[_Partition, int]") -> None:
        """Read so many items more of each partition, side by side.

        Raises:
            Unavailable: one cannot be read; the others are not waited for.
        """
        pool = ThreadPoolExecutor(len(counts))
        try:
            asked = [pool.submit(self._query, listing, one, count) for one, count in counts.items()]
            for answer in as_completed(asked):
                answer.result()
        except (ClientError, BotoCoreError) as error:
            raise _unavailable(error) from error
        finally:
            pool.shutdown(wait=False)

    def _query(self, listing: Listing, partition: _Partition, count: int) -> None:
        query: QueryInputTypeDef = {
            "TableName": self._table,
            "IndexName": _INDEXES[listing.index],
            "KeyConditionExpression": "#by = :value AND #at BETWEEN :earliest AND :latest",
            "ExpressionAttributeNames": {"#by": listing.index.value, "#at": "timestamp"},
            "ExpressionAttributeValues": {
                ":value": {"S": partition.value},
                ":earliest": {"N": str(partition.earliest)},
                ":latest": {"N": str(listing.latest)},
            },
            "Limit": count,
        }
        if partition.start is not None:
            query["ExclusiveStartKey"] = partition.start
        answer = self._client.query(**query)
        partition.unread.extend(answer["Items"])
        partition.start = answer.get("LastEvaluatedKey")
        partition.more = partition.start is not None

    def ping(self) -> None:
        try:
            self._health.query(
                TableName=self._table,
                KeyConditionExpression="payment_id = :id",
                ExpressionAttributeValues={":id": {"S": _HEALTH}},
                Limit=1,
            )
        except (ClientError, BotoCoreError) as error:
            raise _unavailable(error) from error

    def attempt(self) -> None:
        try:
            self._health.put_item(
                TableName=self._table,
                Item={"payment_id": {"S": _HEALTH}, "timestamp": {"N": CLAIM_RANGE}},
                ConditionExpression=f"{_PRESENT} AND {_ABSENT}",
            )
        except self._health.exceptions.ConditionalCheckFailedException:
            return
        except (ClientError, BotoCoreError) as error:
            raise _unavailable(error) from error

    def _update(self, payment_id: str, timestamp: int, how: "Mapping[str, object]") -> bool:
        """Update one item; whether its condition held."""
        key: dict[str, AttributeValueTypeDef] = {
            "payment_id": {"S": payment_id},
            "timestamp": {"N": str(timestamp)},
        }
        asked = cast("UpdateItemInputTypeDef", {"TableName": self._table, "Key": key, **how})
        try:
            self._client.update_item(**asked)
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        except (ClientError, BotoCoreError) as error:
            raise _unavailable(error) from error
        return True

    def _item(self, payment: Payment) -> "dict[str, AttributeValueTypeDef]":
        return payment_item(payment, spread=self._spread)

    def _decided(self, payment: Payment) -> "dict[str, AttributeValueTypeDef]":
        """The item of a payment after an operator's decision. By `resolved` whoever reads the stream sees
        that its write is no conflict."""
        return {**self._item(replace(payment, conflict=False)), "resolved": {"BOOL": True}}

    def _put(self, item: "Item") -> None:
        try:
            self._client.put_item(TableName=self._table, Item=item)
        except (ClientError, BotoCoreError) as error:
            raise _unavailable(error) from error


def is_claim(item: "Item") -> bool:
    """Whether an item of the table is a claim."""
    return item["timestamp"]["N"] == CLAIM_RANGE


def claim_of(item: "Item") -> Claim:
    """The claim that an item holds."""
    return Claim(
        payment_id=item["payment_id"]["S"],
        fingerprint=item["fingerprint"]["S"],
        conflicts=_texts(item, "conflicts"),
        resolved=_texts(item, "resolved"),
    )


def payment_of(item: "Item") -> Payment:
    """The payment that an item holds.

    Raises:
        KeyError: it holds none.
    """
    metadata = item["metadata"]["M"] if "metadata" in item else None
    return Payment(
        payment_id=item["payment_id"]["S"],
        timestamp=int(item["timestamp"]["N"]),
        amount=int(item["amount"]["N"]),
        currency=item["currency"]["S"],
        customer_id=item["customer_id"]["S"],
        payment_method=item["payment_method"]["S"],
        fingerprint=item["fingerprint"]["S"],
        description=item["description"]["S"] if "description" in item else None,
        metadata=None
        if metadata is None
        else tuple(sorted((name, cast(str, value["S"])) for name, value in metadata.items())),
        status=item["status"]["S"].partition(_SHARD_MARK)[0] if "status" in item else ACCEPTED,
        conflict="conflict" in item and item["conflict"]["BOOL"],
        receipt=_receipt(cast("Item", item["receipt"]["M"])) if "receipt" in item else None,
        change=_change(cast("Item", item["change"]["M"])) if "change" in item else None,
    )


def payment_item(payment: Payment, *, spread: bool = True) -> "dict[str, AttributeValueTypeDef]":
    """The item that holds a payment.

    Args:
        spread: whether it is in a shard of its status, or among all payments of that status.
    """
    item: dict[str, AttributeValueTypeDef] = {
        "payment_id": {"S": payment.payment_id},
        "timestamp": {"N": str(payment.timestamp)},
        "amount": {"N": str(payment.amount)},
        "currency": {"S": payment.currency},
        "customer_id": {"S": payment.customer_id},
        "payment_method": {"S": payment.payment_method},
        "fingerprint": {"S": payment.fingerprint},
    }
    if not payment.is_test:
        status = _sharded(payment.status, payment.payment_id) if spread else payment.status
        item["status"] = {"S": status}
    if payment.description is not None:
        item["description"] = {"S": payment.description}
    if payment.metadata is not None:
        item["metadata"] = {"M": {name: {"S": value} for name, value in payment.metadata}}
    if payment.receipt is not None:
        item["receipt"] = _receipt_value(payment.receipt)
    if payment.change is not None:
        item["change"] = _change_value(payment.change)
    return item


def _sharded(status: str, payment_id: str) -> str:
    """A status with the shard of a payment, which every version and region must find by the same rule."""
    return f"{status}{_SHARD_MARK}{crc32(payment_id.encode()) % STATUS_SHARDS}"


def _partitions(listing: Listing, after: Position | None) -> "Iterator[_Partition]":
    """The partitions of the index that have the payments of a list, each from where a cursor left it."""
    passed = dict(after.passed) if after is not None else {}
    for name in sorted(PARTITIONS) if listing.index is Index.STATUS else (UNSHARDED,):
        value = f"{listing.value}{_SHARD_MARK}{name}" if name != UNSHARDED else listing.value
        if after is None:
            yield _Partition(value, name, listing.earliest, None)
        elif name not in passed:
            # It has shown none of that timestamp, and all before.
            yield _Partition(value, name, max(listing.earliest, after.timestamp), None)
        else:
            start: Item = {
                listing.index.value: {"S": value},
                "payment_id": {"S": passed[name]},
                "timestamp": {"N": str(after.timestamp)},
            }
            yield _Partition(value, name, listing.earliest, start)


def _first_look(limit: int, partitions: int) -> int:
    """How many items of each partition are read at first: shards have about as many each, and twice as many
    and a few are seldom too few."""
    return limit if partitions == 1 else min(limit, 2 * limit // STATUS_SHARDS + 3)


def _position(partitions: Sequence[_Partition], timestamp: int, after: Position | None) -> Position:
    """Where a list goes on after payments up to a timestamp have been shown."""
    passed = dict(after.passed) if after is not None and after.timestamp == timestamp else {}
    for one in partitions:
        if one.shown is not None and _at(one.shown) == timestamp:
            passed[one.name] = one.shown["payment_id"]["S"]
    return Position(timestamp, tuple(sorted(passed.items())))


def _merged(partitions: Sequence[_Partition], limit: int) -> "Iterator[Item]":
    """Up to so many unread items in order of their timestamps, and taken as shown. It ends where the next
    item of a partition is not known."""
    for _ in range(limit):
        if any(one.more and not one.unread for one in partitions):
            return
        unread = [one for one in partitions if one.unread]
        if not unread:
            return
        first = min(unread, key=lambda one: _at(one.unread[0]))
        first.shown = first.unread.popleft()
        yield first.shown


def _at(item: "Item") -> int:
    return int(item["timestamp"]["N"])


def _claim_item(payment: Payment) -> "dict[str, AttributeValueTypeDef]":
    return {
        "payment_id": {"S": payment.payment_id},
        "timestamp": {"N": CLAIM_RANGE},
        "fingerprint": {"S": payment.fingerprint},
    }


def _displaced_item(payment: Payment) -> "dict[str, AttributeValueTypeDef]":
    return {
        "payment_id": {"S": payment.payment_id},
        "timestamp": {"N": str(-int(payment.fingerprint[:_DISPLACED_DIGITS], 16))},
        "fingerprint": {"S": payment.fingerprint},
        "payment": {"M": payment_item(payment, spread=False)},
    }


def _receipt_value(receipt: Receipt) -> "AttributeValueTypeDef":
    caller = receipt.caller
    values: dict[str, AttributeValueTypeDef] = {
        "received_at": {"N": str(receipt.received_at)},
        "region": {"S": receipt.region},
        "request_id": {"S": caller.request_id},
        "api_key_id": {"S": caller.api_key_id},
    }
    if caller.source_ip is not None:
        values["source_ip"] = {"S": caller.source_ip}
    return {"M": values}


def _receipt(values: "Item") -> Receipt:
    return Receipt(
        received_at=int(values["received_at"]["N"]),
        region=values["region"]["S"],
        caller=Caller(
            request_id=values["request_id"]["S"],
            api_key_id=values["api_key_id"]["S"],
            source_ip=values["source_ip"]["S"] if "source_ip" in values else None,
        ),
    )


def _change_value(change: Change) -> "AttributeValueTypeDef":
    return {
        "M": {
            "at": {"N": str(change.at)},
            "region": {"S": change.region},
            "reference": {"S": change.reference},
        }
    }


def _change(values: "Item") -> Change:
    return Change(at=int(values["at"]["N"]), region=values["region"]["S"], reference=values["reference"]["S"])


def _texts(item: "Item", attribute: str) -> tuple[str, ...]:
    return tuple(sorted(item[attribute]["SS"])) if attribute in item else ()


def _unavailable(error: ClientError | BotoCoreError) -> Unavailable:
    return Unavailable("table", reason_of(error))


def reason_of(error: ClientError | BotoCoreError) -> str:
    """What to log: the service's error code, or the class of a failure on the way. Never the message."""
    if isinstance(error, ClientError):
        return error.response.get("Error", {}).get("Code", "unknown")
    return type(error).__name__
