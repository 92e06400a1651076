"""Finds, in the table's stream, keys that two cut-off regions gave to different bodies.

Nothing in the table is ever changed by the function: items are added, and an identical item written twice is
no change. When replication is back and the last writer wins over another body's claim, the losing region's
stream shows that one change. This sees the conflict although no client ever asks for the payment again.
"""

from collections.abc import Iterator, Mapping

from .core import CLAIM_RANGE


def is_stream(event: Mapping[str, object]) -> bool:
    """Whether an event comes from a DynamoDB stream rather than from the gateway."""
    return any(record.get("eventSource") == "aws:dynamodb" for record in _records(event))


def conflicting_ids(event: Mapping[str, object]) -> tuple[str, ...]:
    """The payment_ids whose claim was replaced by another body's, each once, sorted."""
    return tuple(sorted({payment_id for record in _records(event) for payment_id in _replaced(record)}))


def _records(event: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    records = event.get("Records")
    if isinstance(records, list):
        yield from (record for record in records if isinstance(record, Mapping))


def _replaced(record: Mapping[str, object]) -> Iterator[str]:
    change = record.get("dynamodb")
    if record.get("eventName") != "MODIFY" or not isinstance(change, Mapping):
        return
    # Of a conflict's two items, the claim: the payment may be replaced too, and would be told twice.
    if _text(change, "Keys", "timestamp", "N") != CLAIM_RANGE:
        return
    before, after = _text(change, "OldImage", "fingerprint"), _text(change, "NewImage", "fingerprint")
    if before != after:
        yield _text(change, "Keys", "payment_id")


def _text(change: Mapping[str, object], image: str, attribute: str, kind: str = "S") -> str:
    """An attribute of an image; empty when it is not there (the stream must carry both images)."""
    found: object = change
    for step in (image, attribute, kind):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found if isinstance(found, str) else ""
