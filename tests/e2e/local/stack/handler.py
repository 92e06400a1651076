"""The smallest payments function that touches everything a real one does: table, bucket, keys, log."""

import json
import os
import sys
import time
from typing import Any

import boto3

TABLE = boto3.client("dynamodb")
BUCKET = boto3.client("s3")


def handle(event: dict[str, Any], _context: object) -> dict[str, object]:
    """Answers one request."""
    sys.stdout.write(json.dumps({"outcome": "accepted", "path": event["path"]}) + "\n")
    if event["path"].endswith("/fail"):
        raise RuntimeError("a secret of the function's own")
    if event["path"].endswith("/health"):
        return _answer(
            200, {"region": os.environ["AWS_REGION"], "domain": event["requestContext"].get("domainName")}
        )
    if event["httpMethod"] == "POST":
        key = {k.lower(): v for k, v in event["headers"].items()}["idempotency-key"]
        TABLE.put_item(
            TableName=os.environ["TABLE"],
            Item={
                "payment_id": {"S": key},
                "timestamp": {"N": "1"},
                "status": {"S": "accepted"},
                "written": {"S": os.environ["AWS_REGION"]},
                "at": {"N": str(time.time())},
            },
        )
        BUCKET.put_object(Bucket=os.environ["BUCKET"], Key=f"payments/{key}", Body=event["body"].encode())
        return _answer(201, {"payment_id": key, "region": os.environ["AWS_REGION"]})
    found = TABLE.get_item(
        TableName=os.environ["TABLE"],
        Key={"payment_id": {"S": event["pathParameters"]["payment_id"]}, "timestamp": {"N": "1"}},
    ).get("Item")
    return _answer(200 if found else 404, found or {})


def _answer(status: int, body: object) -> dict[str, object]:
    return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": json.dumps(body)}
