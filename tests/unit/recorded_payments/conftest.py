"""Two regions' tables, buckets and functions, as far as operators' commands ask them."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from payinfra.clients.aws import Aws
from payinfra.core.outputs import Outputs
from tests.support.outputs import flat_outputs

EAST, WEST = "us-east-1", "us-west-2"
AT_MS = 1_800_000_000_000


def payment_id(number: int) -> str:
    return f"pay_{number:040x}"


def item(number: int, fingerprint: str = "f" * 64, **more: Any) -> dict[str, Any]:
    """A payment of the table, `number` milliseconds after AT_MS."""
    return {
        "payment_id": {"S": payment_id(number)},
        "timestamp": {"N": str(AT_MS + number)},
        "fingerprint": {"S": fingerprint},
        "status": {"S": "accepted"},
        "amount": {"N": "1250"},
        "currency": {"S": "EUR"},
        "customer_id": {"S": "customer-7"},
        **more,
    }


def key(number: int, end: str = "", fingerprint: str = "f" * 64) -> str:
    return f"audit/2027/01/15/{payment_id(number)}-{fingerprint[:16]}{end}.json"


@dataclass
class RecordedRegion:
    """One region.

    Attributes:
        asked: the operations that the function was asked for.
        answers: what it answers to them, in order; by default that all is written.
    """

    items: list[dict[str, Any]] = field(default_factory=list)
    objects: list[str] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Client:
    """DynamoDB, S3 and Lambda of one region."""

    place: RecordedRegion

    def query(self, **call: Any) -> dict[str, Any]:
        values = call["ExpressionAttributeValues"]
        if ":id" in values:
            return {"Items": [one for one in self.place.items if one["payment_id"] == values[":id"]]}
        assert call["IndexName"] == "status-index"
        low, high = (int(values[name]["N"]) for name in (":from", ":to"))
        found = [
            one
            for one in self.place.items
            if one.get("status") == values[":status"] and low <= int(one["timestamp"]["N"]) <= high
        ]
        return {"Items": found}

    def list_objects_v2(self, **call: Any) -> dict[str, Any]:
        return {"Contents": [{"Key": one} for one in self.place.objects if one.startswith(call["Prefix"])]}

    def get_paginator(self, operation: str) -> Any:
        return Pages(getattr(self, operation))

    def invoke(self, **call: Any) -> dict[str, Any]:
        assert call["Qualifier"] == "live"
        asked = json.loads(call["Payload"])
        self.place.asked.append(asked)
        answer = self.place.answers.pop(0) if self.place.answers else None
        if answer is None:
            answer = {"written": asked.get("payment_ids", []), "present": [], "failed": []}
        if "FunctionError" in answer:
            return answer
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}


@dataclass(frozen=True)
class Pages:
    """A paginator of one page."""

    ask: Any

    def paginate(self, **call: Any) -> list[Any]:
        return [self.ask(**call)]


@dataclass(frozen=True)
class FakeAws:
    places: Mapping[str, RecordedRegion]

    def dynamodb(self, region: str) -> Client:
        return Client(self.places[region])

    s3 = functions = dynamodb


@dataclass
class RecordedRegions:
    """Both regions and what was deployed to them."""

    places: dict[str, RecordedRegion]
    outputs: Outputs

    @property
    def aws(self) -> Aws:
        return cast(Aws, FakeAws(self.places))


@pytest.fixture
def world() -> RecordedRegions:
    regions = {"primary_region": EAST, "secondary_region": WEST, "environment_suffix": "demo"}
    return RecordedRegions(
        {EAST: RecordedRegion(), WEST: RecordedRegion()}, Outputs.from_flat(flat_outputs(**regions))
    )
