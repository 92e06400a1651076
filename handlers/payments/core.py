"""What a payment is, and what a request with an Idempotency-Key means beside what is already recorded.

Pure: no AWS, no clock, no environment. Everything that is stored follows from the request alone, so that
the same request served in two regions writes the same items, whichever of them wins the replication.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from typing import cast

from . import problems, validation
from .cards import has_card_number
from .problems import FieldError

MAX_BODY_BYTES = 64 * 1024
MAX_CLOCK_DISTANCE_MS = 24 * 60 * 60 * 1000
ACCEPTED = "accepted"
CLAIM_RANGE = "0"
"""The claim's timestamp, as DynamoDB writes numbers; no payment has it."""

PAYMENT_ID = re.compile(r"pay_[0-9a-f]{40}\Z")
_KEY = re.compile(r"[\x21-\x7e]{1,255}\Z")
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
_MAX_EXACT_FLOAT = 2**53


@dataclass(frozen=True, slots=True)
class Payment:
    """A recorded payment.

    Attributes:
        payment_id: follows from the Idempotency-Key.
        timestamp: the client's time of creation, milliseconds since the epoch.
        amount: minor units of `currency`.
        metadata: pairs in order of their names; None where the request had none.
        fingerprint: SHA-256 of the body, the same for bodies that say the same.
    """

    payment_id: str
    timestamp: int
    amount: int
    currency: str
    customer_id: str
    payment_method: str
    fingerprint: str
    description: str | None = None
    metadata: tuple[tuple[str, str], ...] | None = None
    status: str = ACCEPTED

    def document(self) -> dict[str, object]:
        """The payment as clients see it."""
        shown: dict[str, object] = {
            "payment_id": self.payment_id,
            "status": self.status,
            "amount": self.amount,
            "currency": self.currency,
            "customer_id": self.customer_id,
            "payment_method": self.payment_method,
            "timestamp": self.timestamp,
        }
        if self.description is not None:
            shown["description"] = self.description
        if self.metadata is not None:
            shown["metadata"] = dict(self.metadata)
        return shown


@dataclass(frozen=True, slots=True)
class Claim:
    """The item at (payment_id, 0) that says which body an Idempotency-Key belongs to. It never expires."""

    payment_id: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Found:
    """Everything that the table has under one payment_id."""

    claim: Claim | None = None
    payments: tuple[Payment, ...] = ()

    @property
    def in_conflict(self) -> bool:
        """Whether two regions, cut off from each other, accepted the key with different bodies."""
        prints = {payment.fingerprint for payment in self.payments}
        if self.claim is not None:
            prints.add(self.claim.fingerprint)
        return len(prints) > 1

    def payment(self) -> Payment | None:
        """The payment that the key stands for: the claim's, or else the earliest."""
        ranked = sorted(self.payments, key=lambda payment: (not self._is_claimed(payment), payment.timestamp))
        return ranked[0] if ranked else None

    def _is_claimed(self, payment: Payment) -> bool:
        return self.claim is not None and payment.fingerprint == self.claim.fingerprint


class Verdict(Enum):
    """What a request is beside what is recorded under its key."""

    NEW = auto()
    REPLAY = auto()
    INCOMPLETE = auto()  # claimed by this very body, but its payment has not been replicated to here yet
    KEY_REUSED = auto()


def judge(found: Found, payment: Payment) -> Verdict:
    """What to do with a request for `payment`; every answer is the same in both regions."""
    if payment in found.payments:
        return Verdict.REPLAY
    if found.claim is not None:
        same = found.claim.fingerprint == payment.fingerprint
        return Verdict.INCOMPLETE if same else Verdict.KEY_REUSED
    return Verdict.KEY_REUSED if found.payments else Verdict.NEW


def payment_id(key: str) -> str:
    """The id of the payment that an Idempotency-Key stands for, in every region."""
    return "pay_" + hashlib.sha256(b"payment\x00" + key.encode("ascii")).hexdigest()[:40]


def idempotency_key(values: tuple[str, ...]) -> str:
    """The one Idempotency-Key among the values of that header.

    Raises:
        Problem: 400 when it is missing, repeated, too long or not of visible ASCII characters.
    """
    if not values:
        raise problems.bad_key("The header is missing.")
    if len(set(values)) > 1:
        raise problems.bad_key("The header is there more than once.")
    if not _KEY.match(values[0]):
        raise problems.bad_key("It must have 1 to 255 visible ASCII characters and no spaces.")
    return values[0]


def read_payment(key: str, body: bytes) -> Payment:
    """The payment that a body asks for, under the id that follows from `key`.

    The 24 hours around now are not judged here: a replay may come at any time.

    Raises:
        Problem: 413, 400 or 422.
    """
    document = _parse(body)
    errors = validation.check("payment", document) or tuple(_unstorable(document))
    if errors:
        raise problems.invalid(errors)
    metadata = cast(Mapping[str, str] | None, document.get("metadata"))
    return Payment(
        payment_id=payment_id(key),
        timestamp=cast(int, document["timestamp"]),
        amount=cast(int, document["amount"]),
        currency=cast(str, document["currency"]),
        customer_id=cast(str, document["customer_id"]),
        payment_method=cast(str, document["payment_method"]),
        fingerprint=fingerprint(document),
        description=cast(str | None, document.get("description")),
        metadata=None if metadata is None else tuple(sorted(metadata.items())),
    )


def check_window(payment: Payment, now_ms: int) -> None:
    """Refuse a new payment whose timestamp is more than 24 hours away from `now_ms`.

    Raises:
        Problem: 422.
    """
    if abs(payment.timestamp - now_ms) > MAX_CLOCK_DISTANCE_MS:
        raise problems.invalid((FieldError("/timestamp", "must be at most 24 hours away from now"),))


def fingerprint(document: Mapping[str, object]) -> str:
    """SHA-256 of the canonical form: order of members and white space make no difference."""
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def audit_key(payment: Payment) -> str:
    """Where the payment's audit object is: the same name each time, by the day of the payment (UTC).

    The fingerprint keeps two bodies that two cut-off regions accepted under one key apart.
    """
    day = datetime.fromtimestamp(payment.timestamp / 1000, UTC)
    return f"audit/{day:%Y/%m/%d}/{payment.payment_id}-{payment.fingerprint[:16]}.json"


def audit_record(payment: Payment) -> bytes:
    """What the audit object holds: the same bytes each time."""
    record = {"event": "payment.accepted", "fingerprint": payment.fingerprint, "payment": payment.document()}
    return json.dumps(record, sort_keys=True, separators=(",", ":")).encode("ascii")


def _parse(body: bytes) -> dict[str, object]:
    if len(body) > MAX_BODY_BYTES:
        raise problems.too_large(MAX_BODY_BYTES)
    try:
        document: object = json.loads(
            body.decode("utf-8"),
            parse_float=_whole,
            parse_constant=_no_constant,
            object_pairs_hook=_unique_members,
        )
    except UnicodeDecodeError:
        raise problems.malformed("It is not UTF-8.") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise problems.malformed(f"It is not JSON: {error.msg}, at {where}.") from None
    except ValueError:
        raise problems.malformed("A number in it has too many digits.") from None
    except RecursionError:
        raise problems.malformed("It is nested too deeply.") from None
    if not isinstance(document, dict):
        raise problems.malformed("It must be an object.")
    return document


def _whole(text: str) -> int | float:
    """JSON Schema counts 100.0 as an integer; so does the fingerprint."""
    number = float(text)
    return int(number) if number.is_integer() and abs(number) <= _MAX_EXACT_FLOAT else number


def _no_constant(name: str) -> object:
    raise problems.malformed(f"JSON has no {name}.")


def _unique_members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A name that is there twice means two things to two readers; a payment must mean one."""
    members = dict(pairs)
    if len(members) < len(pairs):
        raise problems.malformed("An object in it has the same name more than once.")
    return members


def _unstorable(document: Mapping[str, object]) -> Iterator[FieldError]:
    """Free text, of a valid document, that must not be stored or cannot be."""
    for where, text in _free_text(document):
        if _LONE_SURROGATE.search(text):
            yield FieldError(where, "must be Unicode text; it has half of a surrogate pair")
        elif has_card_number(text):
            yield FieldError(where, "must not contain what looks like a card number")


def _free_text(document: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    if "description" in document:
        yield "/description", cast(str, document["description"])
    metadata = cast(Mapping[str, str], document.get("metadata", {}))
    for place, (name, value) in enumerate(metadata.items(), start=1):
        # Neither may be repeated in an answer: the entry is told by its place.
        yield f"/metadata (name of entry {place})", name
        yield f"/metadata (value of entry {place})", value
