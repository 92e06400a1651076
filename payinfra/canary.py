"""Payments that nobody makes: sent to see that payments get through, and deleted when that was seen.

A payment's audit object stays: nobody edits an audit trail, and it expires with the others.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CANARY = "payinfra-canary"


def customer(env: str) -> str:
    """The customer of an environment's canary payments: the index by customer finds what is left over."""
    return f"{CANARY}-{env}"


def remove(client: "DynamoDBClient", table: str, payment_id: str) -> None:
    """Delete a payment and its claim in one region; replication deletes them in the other.

    Raises:
        ClientError, BotoCoreError: the table cannot be reached, or refuses.
    """
    found = client.query(
        TableName=table,
        KeyConditionExpression="payment_id = :id",
        ExpressionAttributeValues={":id": {"S": payment_id}},
        ConsistentRead=True,
    )
    for item in found["Items"]:
        client.delete_item(
            TableName=table, Key={"payment_id": item["payment_id"], "timestamp": item["timestamp"]}
        )
