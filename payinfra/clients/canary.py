"""Canary payments and canary DNS records: written to test that writing works, then deleted.

The function keeps the audit objects of canary payments apart from customers' (ADR 6): they are removed too.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from payinfra.clients.aws_errors import code_of
from payinfra.clients.payments_api import PaymentRequest
from payinfra.core.canary_contract import PAYMENTS, CanaryContract
from payinfra.core.naming import canary_domain

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_route53 import Route53Client
    from mypy_boto3_route53.literals import ChangeActionType
    from mypy_boto3_route53.type_defs import (
        ChangeBatchTypeDef,
        ResourceRecordSetOutputTypeDef,
        ResourceRecordSetTypeDef,
        ResourceRecordSetUnionTypeDef,
    )
    from mypy_boto3_s3 import S3Client

CANARY = "payinfra-canary"
RECORD_TTL_S = 60


def customer(env: str) -> str:
    """The customer of an environment's canary payments, by whom leftovers are found."""
    return f"{CANARY}-{env}"


def payment(
    env: str,
    name: str,
    timestamp_ms: int,
    metadata: Mapping[str, str],
    contract: CanaryContract = PAYMENTS,
) -> PaymentRequest:
    """A canary payment of an environment.

    Args:
        env: the environment's name.
        name: distinguishes it from other canary payments.
        timestamp_ms: when it was made, in milliseconds since 1970.
        metadata: in addition to the environment's name.
        contract: what a payment of the environment looks like.
    """
    key = f"{CANARY}-{name}"
    body = contract.body_of(
        key=key,
        customer=customer(env),
        timestamp_ms=timestamp_ms,
        env=env,
        metadata={**metadata, "environment": env},
    )
    return PaymentRequest(key, body, contract)


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


def remove_versions(client: "S3Client", bucket: str, prefix: str, *, locked: bool) -> None:
    """Delete every version, and every delete marker, of the audit objects of tests below a prefix.

    Args:
        locked: whether the bucket locks objects, in governance mode: this takes
            s3:BypassGovernanceRetention (S3 user guide, "Locking objects with Object Lock").

    Raises:
        ClientError, BotoCoreError: the bucket cannot be reached, or refuses.
    """
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            client.delete_object(
                Bucket=bucket,
                Key=one.get("Key", ""),
                VersionId=one.get("VersionId", ""),
                BypassGovernanceRetention=locked,
            )


def record(env: str, failover_domain: str, run: str, began_ms: int) -> "ResourceRecordSetTypeDef":
    """A TXT record with its environment, its run, and when the run began, in milliseconds since 1970."""
    return {
        "Name": canary_domain(failover_domain, run),
        "Type": "TXT",
        "TTL": RECORD_TTL_S,
        "ResourceRecords": [{"Value": f'"{CANARY} {env} {run} {began_ms}"'}],
    }


def write_record(client: "Route53Client", zone_id: str, record: "ResourceRecordSetTypeDef") -> str:
    """Write a record and return the id of the change.

    Raises:
        ClientError, BotoCoreError: Route 53 cannot be reached, or refuses.
    """
    answer = client.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch=_changes("UPSERT", record))
    return answer["ChangeInfo"]["Id"]


def remove_record(client: "Route53Client", zone_id: str, record: "ResourceRecordSetUnionTypeDef") -> None:
    """Delete a record, unless it is gone. Raises as `write_record` does."""
    from botocore.exceptions import ClientError

    try:
        client.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch=_changes("DELETE", record))
    except ClientError as error:
        if code_of(error) != "InvalidChangeBatch":
            raise


def remove_records(
    client: "Route53Client", zone_id: str, env: str, failover_domain: str, over: Callable[[int], bool]
) -> None:
    """Delete an environment's canary records from a zone. Raises as `write_record` does.

    Args:
        over: whether a run that began then, in milliseconds since 1970, is over.
    """
    # Route 53 orders names by their labels from the right: names below this one follow it directly.
    below = canary_domain(failover_domain, "").removeprefix(".")
    # One page has 300. What is left over beyond them is removed by the next run.
    listed = client.list_resource_record_sets(HostedZoneId=zone_id, StartRecordName=below)
    for found in listed["ResourceRecordSets"]:
        if not found["Name"].rstrip(".").endswith(below):
            return
        began_ms = _began(env, found)
        if began_ms is not None and over(began_ms):
            remove_record(client, zone_id, found)


def _began(env: str, found: "ResourceRecordSetOutputTypeDef") -> int | None:
    """When the run that wrote a record began; None for a record that is no canary of the environment."""
    match [one["Value"].strip('"').split() for one in found.get("ResourceRecords", [])]:
        case [[mark, whose, _run, began]] if (mark, whose) == (CANARY, env) and began.isdigit():
            return int(began)
        case _:
            return None


def _changes(action: "ChangeActionType", record: "ResourceRecordSetUnionTypeDef") -> "ChangeBatchTypeDef":
    return {"Comment": "A canary of payinfra", "Changes": [{"Action": action, "ResourceRecordSet": record}]}
