"""Cursors of a list: opaque, bound to the list they came from, and good in both regions.

The signing key is derived by HKDF (RFC 5869) from a secret of the deployment that no client has and both
regions share. The API key would be none: every client has it, and could make cursors.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .core import LATEST, PAYMENT_ID, STATUS_SHARDS

_SALT = b"payments"
_INFO = b"list cursor, version 1"
_MAC_BYTES = 16

UNSHARDED = ""
"""What the partition is called that is no shard: of a list that has one partition, or of the payments that an
earlier version recorded."""
PARTITIONS = frozenset((UNSHARDED, *map(str, range(STATUS_SHARDS))))


@dataclass(frozen=True, slots=True)
class Position:
    """How far a list has been read.

    Of payments with the same timestamp only their partition of the index knows the order, so each partition
    goes on after its own last one. A partition that is not in `passed` has shown none of this timestamp.

    Attributes:
        timestamp: of the last payment of a page.
        passed: the last payment of that timestamp that each partition has shown: the shard's number, or
            `UNSHARDED`, and the payment_id, in order of the partitions.
    """

    timestamp: int
    passed: tuple[tuple[str, str], ...]


def signing_key(secret: str) -> bytes:
    """HKDF-SHA256 of the secret: one extraction and one block of expansion, 32 bytes."""
    extracted = hmac.digest(_SALT, secret.encode(), "sha256")
    return hmac.digest(extracted, _INFO + b"\x01", "sha256")


def seal(key: bytes, listing: str, position: Position) -> str:
    """The cursor for `position` in the list that `listing` names."""
    passed: object = dict(position.passed)
    if position.passed[0][0] == UNSHARDED and len(position.passed) == 1:
        # So earlier versions wrote every cursor: they go on, here and there.
        passed = position.passed[0][1]
    payload = json.dumps([position.timestamp, passed], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_mac(key, listing, payload) + payload).rstrip(b"=").decode()


def unseal(key: bytes, listing: str, cursor: str) -> Position | None:
    """The position in a cursor; None when it was not sealed with this key for this list."""
    try:
        sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    mac, payload = sealed[:_MAC_BYTES], sealed[_MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(key, listing, payload)):
        return None
    position = _position(payload)
    # Unused bits of the last character could be changed without touching the bytes.
    return position if position is not None and seal(key, listing, position) == cursor else None


def _position(payload: bytes) -> Position | None:
    """The position that a payload says; None for anything else, whoever has signed it."""
    try:
        said: object = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    match said:
        case [bool(), _]:
            return None
        case [int(timestamp), str(payment_id)] if 0 < timestamp <= LATEST and PAYMENT_ID.match(payment_id):
            return Position(timestamp, ((UNSHARDED, payment_id),))
        case [int(timestamp), {**ids}] if 0 < timestamp <= LATEST and ids:
            passed = tuple(_passed(ids))
            return Position(timestamp, passed) if len(passed) == len(ids) else None
        case _:
            return None


def _passed(ids: Mapping[object, object]) -> Iterator[tuple[str, str]]:
    """The partitions and payments that make sense, in order of the partitions."""
    for partition in sorted(PARTITIONS):
        match ids.get(partition):
            case str(payment_id) if PAYMENT_ID.match(payment_id):
                yield partition, payment_id


def _mac(key: bytes, listing: str, payload: bytes) -> bytes:
    return hmac.new(key, listing.encode() + b"\x00" + payload, hashlib.sha256).digest()[:_MAC_BYTES]
