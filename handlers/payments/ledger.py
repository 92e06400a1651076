"""The payments table in DynamoDB.

Under one payment_id are a claim at timestamp 0 and the payment. The condition `attribute_not_exists` guards
one exact item, and the payment's key has the client's timestamp in it: only the claim, whose key has not,
can guard the id. The claim has neither status nor customer_id and so is in no index.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from botocore.exceptions import BotoCoreError, ClientError

from .core import CLAIM_RANGE, Claim, Found, Payment
from .cursors import Position
from .problems import Unavailable
from .service import Added, Index, Listing, Page

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, QueryInputTypeDef

_ABSENT = "attribute_not_exists(payment_id)"
_INDEXES = {Index.STATUS: "status-index", Index.CUSTOMER: "customer-index"}


class DynamoLedger:
    """The ledger in one region's replica of the table.

    Args:
        client: for payments.
        health: for the health check; with short time-outs and no retry.
    """

    def __init__(self, client: "DynamoDBClient", health: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._health = health
        self._table = table

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
        payments = []
        for item in answer["Items"]:
            if item["timestamp"]["N"] == CLAIM_RANGE:
                claim = Claim(payment_id, item["fingerprint"]["S"])
            else:
                payments.append(_payment(item))
        return Found(claim, tuple(payments))

    def add(self, payment: Payment) -> Added:
        try:
            self._client.transact_write_items(
                TransactItems=[
                    {"Put": {"TableName": self._table, "Item": item, "ConditionExpression": _ABSENT}}
                    for item in (_claim_item(payment), _payment_item(payment))
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
                TableName=self._table,
                Item=_payment_item(payment),
                ConditionExpression=f"{_ABSENT} OR fingerprint = :fingerprint",
                ExpressionAttributeValues={":fingerprint": {"S": payment.fingerprint}},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        except (ClientError, BotoCoreError) as error:
            raise _unavailable(error) from error
        return True

    def page(self, listing: Listing, limit: int, after: Position | None) -> Page:
        by = listing.index.value
        query: QueryInputTypeDef = {
            "TableName": self._table,
            "IndexName": _INDEXES[listing.index],
            "KeyConditionExpression": "#by = :value AND #at BETWEEN :earliest AND :latest",
            "ExpressionAttributeNames": {"#by": by, "#at": "timestamp"},
            "ExpressionAttributeValues": {
                ":value": {"S": listing.value},
                ":earliest": {"N": str(listing.earliest)},
                ":latest": {"N": str(listing.latest)},
            },
            "Limit": limit,
        }
        if after is not None:
            query["ExclusiveStartKey"] = {
                by: {"S": listing.value},
                "payment_id": {"S": after.payment_id},
                "timestamp": {"N": str(after.timestamp)},
            }
        try:
            answer = self._client.query(**query)
        except (ClientError, BotoCoreError) as error:
            raise _unavailable(error) from error
        last = answer.get("LastEvaluatedKey")
        return Page(
            payments=tuple(_payment(item) for item in answer["Items"]),
            last=None if last is None else Position(last["payment_id"]["S"], int(last["timestamp"]["N"])),
        )

    def ping(self) -> None:
        try:
            self._health.query(
                TableName=self._table,
                KeyConditionExpression="payment_id = :id",
                ExpressionAttributeValues={":id": {"S": "health"}},
                Limit=1,
            )
        except (ClientError, BotoCoreError) as error:
            raise _unavailable(error) from error


def _claim_item(payment: Payment) -> "dict[str, AttributeValueTypeDef]":
    return {
        "payment_id": {"S": payment.payment_id},
        "timestamp": {"N": CLAIM_RANGE},
        "fingerprint": {"S": payment.fingerprint},
    }


def _payment_item(payment: Payment) -> "dict[str, AttributeValueTypeDef]":
    item: dict[str, AttributeValueTypeDef] = {
        "payment_id": {"S": payment.payment_id},
        "timestamp": {"N": str(payment.timestamp)},
        "status": {"S": payment.status},
        "amount": {"N": str(payment.amount)},
        "currency": {"S": payment.currency},
        "customer_id": {"S": payment.customer_id},
        "payment_method": {"S": payment.payment_method},
        "fingerprint": {"S": payment.fingerprint},
    }
    if payment.description is not None:
        item["description"] = {"S": payment.description}
    if payment.metadata is not None:
        item["metadata"] = {"M": {name: {"S": value} for name, value in payment.metadata}}
    return item


def _payment(item: "Mapping[str, AttributeValueTypeDef]") -> Payment:
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
        status=item["status"]["S"],
    )


def _unavailable(error: ClientError | BotoCoreError) -> Unavailable:
    return Unavailable("table", reason_of(error))


def reason_of(error: ClientError | BotoCoreError) -> str:
    """What to log: the service's error code, or the class of a failure on the way. Never the message."""
    if isinstance(error, ClientError):
        return error.response.get("Error", {}).get("Code", "unknown")
    return type(error).__name__
