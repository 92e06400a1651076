"""Cursors of a list: opaque, bound to the list they came from, and good in both regions.

The signing key is derived by HKDF (RFC 5869) from a secret of the deployment that no client has and both
regions share. The API key would be none: every client has it, and could make cursors.
"""

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass

from .core import LATEST, PAYMENT_ID

_SALT = b"payments"
_INFO = b"list cursor, version 1"
_MAC_BYTES = 16


@dataclass(frozen=True, slots=True)
class Position:
    """The last payment of a page, after which the next one begins."""

    payment_id: str
    timestamp: int


def signing_key(secret: str) -> bytes:
    """HKDF-SHA256 of the secret: one extraction and one block of expansion, 32 bytes."""
    extracted = hmac.digest(_SALT, secret.encode(), "sha256")
    return hmac.digest(extracted, _INFO + b"\x01", "sha256")


def seal(key: bytes, listing: str, position: Position) -> str:
    """The cursor for `position` in the list that `listing` names."""
    payload = json.dumps([position.timestamp, position.payment_id], separators=(",", ":")).encode()
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
            return Position(payment_id=payment_id, timestamp=timestamp)
        case _:
            return None


def _mac(key: bytes, listing: str, payload: bytes) -> bytes:
    return hmac.new(key, listing.encode() + b"\x00" + payload, hashlib.sha256).digest()[:_MAC_BYTES]
