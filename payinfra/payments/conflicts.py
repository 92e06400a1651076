"""Idempotency keys that two cut-off regions gave to different payments: which there are, and the decision."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from payinfra.core.errors import UsageProblem
from payinfra.core.naming import status_of
from payinfra.payments.function import FunctionOperations
from payinfra.payments.records import payments

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from payinfra.clients.aws import Aws
    from payinfra.core.outputs import RegionOutputs


@dataclass(frozen=True)
class ConflictingPayment:
    """One of the payments under a key.

    Attributes:
        fingerprint: names it among those under the key.
        holds_key: whether the key stands for it as long as nobody decides.
    """

    fingerprint: str
    timestamp_ms: int
    amount: int
    currency: str
    customer_id: str
    status: str
    region: str
    holds_key: bool


@dataclass(frozen=True)
class Conflict:
    """A key with the payments that were accepted under it, ordered by fingerprint."""

    payment_id: str
    payments: tuple[ConflictingPayment, ...]


def conflicts(aws: "Aws", outputs: "RegionOutputs", from_ms: int, to_ms: int) -> tuple[Conflict, ...]:
    """The conflicts of a region whose payments' timestamps are in a span, both ends included.

    Raises:
        ClientError, BotoCoreError: the table cannot be read.
    """
    client, table = aws.dynamodb(outputs.region), outputs.dynamodb_table_name
    ids = sorted({one.payment_id for one in payments(client, table, from_ms, to_ms) if one.in_conflict})
    return tuple(conflict(aws, outputs, payment_id) for payment_id in ids)


def conflict(aws: "Aws", outputs: "RegionOutputs", payment_id: str) -> Conflict:
    """All payments under one id.

    Raises:
        ClientError, BotoCoreError: the table cannot be read.
    """
    pages = aws.dynamodb(outputs.region).get_paginator("query")
    asked = pages.paginate(
        TableName=outputs.dynamodb_table_name,
        KeyConditionExpression="payment_id = :id",
        ExpressionAttributeValues={":id": {"S": payment_id}},
        ConsistentRead=True,
    )
    items = [one for page in asked for one in page["Items"]]
    found = sorted(_payments(items), key=lambda one: one.fingerprint)
    return Conflict(payment_id, tuple(found))


def resolve(aws: "Aws", outputs: "RegionOutputs", payment_id: str, beginning: str) -> str:
    """Let a key stand for the payment whose fingerprint begins so; the whole fingerprint.

    Raises:
        UsageProblem: none or several begin so.
        GateFailed, EnvironmentUnusable: the function refused or failed.
        ClientError, BotoCoreError: AWS refuses, or the region does not answer.
    """
    known = {one.fingerprint for one in conflict(aws, outputs, payment_id).payments}
    fitting = sorted(one for one in known if one.startswith(beginning))
    if len(fitting) != 1:
        has = f"Its fingerprints: {', '.join(sorted(known))}." if known else "There is no such payment."
        raise UsageProblem(
            f"{len(fitting)} payments under {payment_id} have a fingerprint that begins with {beginning!r}.",
            has,
        )
    FunctionOperations(aws, outputs).ask("resolve", payment_id=payment_id, fingerprint=fitting[0])
    return fitting[0]


def _payments(items: "list[Any]") -> "Iterator[ConflictingPayment]":
    claim = next((item["fingerprint"]["S"] for item in items if item["timestamp"]["N"] == "0"), "")
    seen: set[str] = set()
    # What stands in its place comes before what was replaced and is kept aside.
    for item in sorted(items, key=lambda item: item["timestamp"]["N"].startswith("-")):
        payment: Mapping[str, Any] = item["payment"]["M"] if "payment" in item else item
        if "status" in payment and payment["fingerprint"]["S"] not in seen:
            seen.add(payment["fingerprint"]["S"])
            yield ConflictingPayment(
                fingerprint=payment["fingerprint"]["S"],
                timestamp_ms=int(payment["timestamp"]["N"]),
                amount=int(payment["amount"]["N"]),
                currency=payment["currency"]["S"],
                customer_id=payment["customer_id"]["S"],
                status=status_of(payment["status"]["S"]),
                region=payment["receipt"]["M"]["region"]["S"] if "receipt" in payment else "unknown",
                holds_key=payment["fingerprint"]["S"] == claim,
            )
