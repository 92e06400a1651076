"""What a payment is, and what a request with an Idempotency-Key means beside what is already recorded.

Pure: no AWS, no clock, no environment. Everything that is stored follows from the request alone, so that
the same request served in two regions writes the same items, whichever of them wins the replication.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum, auto
from itertools import pairwise
from typing import cast

from . import cards, problems, validation
from .problems import FieldError
from .request import MAX_BODY_BYTES

MAX_CLOCK_DISTANCE_MS = 24 * 60 * 60 * 1000
ACCEPTED = "accepted"
SETTLED = "settled"
FAILED = "failed"
TRANSITIONS: Mapping[str, tuple[str, ...]] = {ACCEPTED: (SETTLED, FAILED), SETTLED: (), FAILED: ()}
"""The states of a payment, and those that each may turn into. A write that follows no arrow is refused."""
CLAIM_RANGE = "0"
"""The claim's timestamp, as DynamoDB writes numbers; no payment has it."""

STATUS_SHARDS = 10
"""Over how many partitions of the index the payments of one status are spread. A partition takes about 1,000
writes a second, and an API at most 10,000 requests a second. It must never become less: lists would miss
payments of the shards that are no more."""
PAYMENT_ID = re.compile(r"pay_[0-9a-f]{40}\Z")
TEST_CUSTOMERS = ("payinfra-canary-", "payinfra-drill-")
"""How the names of customers begin whose payments are tests: of one minor unit, never settled, in no list by
status, and with audit objects apart from customers'."""
TEST_AMOUNT = 1
LATEST = 253_402_300_799_999
"""The end of the year 9999, as in the schemas: milliseconds since the epoch."""
_KEY = re.compile(r"[\x21-\x7e]{1,255}\Z")
_QUOTED_KEY = re.compile(r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"\Z')
"""A string of RFC 9651, which is what the IETF's draft of the header asks for."""
_FINGERPRINT = re.compile(r"[0-9a-f]{64}\Z")
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
_MOST_DIGITS = 400
"""How large a number is read exactly. No field takes one with more than 16 digits."""
_LIKE_A_CARD = 10**12


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request, as far as the gateway says.

    Attributes:
        request_id: what the gateway calls the request.
        api_key_id: the id of the API key, never its value.
        source_ip: where the request comes from; None where it is not to be kept.
    """

    request_id: str
    api_key_id: str = "unknown"
    source_ip: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """When, where and from whom a payment was received.

    Attributes:
        received_at: milliseconds since the epoch, by the clock of the function.
        region: the region that recorded it.
    """

    received_at: int
    region: str
    caller: Caller


@dataclass(frozen=True, slots=True)
class Change:
    """The last change of a payment's status.

    Attributes:
        at: milliseconds since the epoch, by the clock of the function.
        region: the region that was asked.
        reference: what the settlement worker calls it.
    """

    at: int
    region: str
    reference: str


@dataclass(frozen=True, slots=True)
class Payment:
    """A recorded payment.

    Attributes:
        payment_id: follows from the Idempotency-Key.
        timestamp: the client's time of creation, milliseconds since the epoch.
        amount: minor units of `currency`.
        metadata: pairs in order of their names; None where the request had none.
        fingerprint: SHA-256 of the body, the same for bodies that say the same.
        status: a key of `TRANSITIONS`.
        conflict: whether the stream has marked it as one of two payments under one key.
        receipt: None for one that has not been recorded yet, or by a version that kept none.
        change: the last change of its status; None while it is as it was accepted.
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
    conflict: bool = False
    receipt: Receipt | None = None
    change: Change | None = None

    @property
    def is_test(self) -> bool:
        """Whether it is a canary's or a drill's, and no customer's."""
        return self.customer_id.startswith(TEST_CUSTOMERS)

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
        if self.conflict:
            shown["conflict"] = True
        return shown

    def accepted(self) -> "Payment":
        """The payment as it was when it was accepted."""
        return replace(self, status=ACCEPTED, conflict=False, change=None)

    def differs_in_timestamp_only(self, other: "Payment") -> bool:
        """Whether the bodies of two payments say the same but for their timestamps."""
        return (
            replace(
                other.accepted(), timestamp=self.timestamp, fingerprint=self.fingerprint, receipt=self.receipt
            )
            == self.accepted()
        )


@dataclass(frozen=True, slots=True)
class Claim:
    """The item at (payment_id, 0) that says which body an Idempotency-Key belongs to. It never expires.

    Attributes:
        conflicts: fingerprints that the stream has seen in its place.
        resolved: fingerprints among which an operator has decided.
    """

    payment_id: str
    fingerprint: str
    conflicts: tuple[str, ...] = ()
    resolved: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """Everything that the table has under one payment_id.

    Attributes:
        displaced: payments that another body's, of the same timestamp, has replaced.
    """

    claim: Claim | None = None
    payments: tuple[Payment, ...] = ()
    displaced: tuple[Payment, ...] = ()

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Those of all bodies that were accepted under the key, sorted."""
        prints = {payment.fingerprint for payment in (*self.payments, *self.displaced)}
        if self.claim is not None:
            prints |= {self.claim.fingerprint, *self.claim.conflicts}
        return tuple(sorted(prints))

    @property
    def in_conflict(self) -> bool:
        """Whether cut-off regions accepted the key with different bodies, and nobody has decided which one
        stands."""
        resolved = () if self.claim is None else self.claim.resolved
        prints = set(self.fingerprints)
        return len(prints) > 1 and not prints <= set(resolved)

    def payment(self) -> Payment | None:
        """The payment that the key stands for: the claim's, or else the earliest."""
        ranked = sorted(self.payments, key=lambda payment: (not self._is_claimed(payment), payment.timestamp))
        return ranked[0] if ranked else None

    def with_fingerprint(self, fingerprint: str) -> Payment | None:
        """The payment with this body, in its place or displaced."""
        everything = (*self.payments, *self.displaced)
        return next((one for one in everything if one.fingerprint == fingerprint), None)

    def _is_claimed(self, payment: Payment) -> bool:
        return self.claim is not None and payment.fingerprint == self.claim.fingerprint


class KeyVerdict(Enum):
    """What a request is beside what is recorded under its key."""

    NEW = auto()
    REPLAY = auto()
    INCOMPLETE = auto()  # claimed by this very body, but its payment has not been replicated to here yet
    KEY_REUSED = auto()
    CONFLICT = auto()  # two bodies were accepted under this key


def judge(found: Found, payment: Payment) -> KeyVerdict:
    """What to do with a request for `payment`; every answer is the same in both regions.

    Only fingerprints are compared: what is recorded may have moved on since, to another status for one.
    """
    if found.in_conflict:
        return KeyVerdict.CONFLICT
    first = found.payment()
    claimed = found.claim.fingerprint if found.claim is not None else first and first.fingerprint
    if claimed is None:
        return KeyVerdict.NEW
    if claimed != payment.fingerprint:
        return KeyVerdict.KEY_REUSED
    return KeyVerdict.INCOMPLETE if first is None or first.fingerprint != claimed else KeyVerdict.REPLAY


def may_become(status: str, next_status: str) -> bool:
    """Whether a payment may move from one status to the other in one step."""
    return next_status in TRANSITIONS.get(status, ())


def payment_id(key: str) -> str:
    """The id of the payment that an Idempotency-Key stands for, in every region."""
    return "pay_" + hashlib.sha256(b"payment\x00" + key.encode("ascii")).hexdigest()[:40]


def idempotency_key(values: tuple[str, ...]) -> str:
    """The one Idempotency-Key among the values of that header, without the quotes that it may be in.

    Raises:
        Problem: 400 when it is missing, repeated with another value, too long, not of visible ASCII
            characters, or a card number.
    """
    if not values:
        raise problems.bad_key("The header is missing.")
    keys = {_unquoted(value) for value in values}
    if len(keys) > 1:
        raise problems.bad_key("The header is there more than once.")
    (key,) = keys
    if key is None or not _KEY.match(key):
        raise problems.bad_key(
            "It must have 1 to 255 visible ASCII characters and no spaces; quotes around it must match."
        )
    if cards.has_card_number(key):
        raise problems.bad_key("It must not be or contain a card number.")
    return key


def _unquoted(value: str) -> str | None:
    """The key in a header's value: `order-1` and `"order-1"` are one. None where quotes do not match."""
    if not value.startswith('"'):
        return value
    quoted = _QUOTED_KEY.match(value)
    return quoted and re.sub(r"\\(.)", r"\1", quoted.group(1))


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


def is_fingerprint(text: str) -> bool:
    """Whether `text` may be a fingerprint."""
    return _FINGERPRINT.match(text) is not None


def audit_key(payment: Payment) -> str:
    """Where the payment's audit object is: the same name each time, by the day of the payment (UTC).

    The fingerprint keeps two bodies that two cut-off regions accepted under one key apart. Those of tests are
    in a place of their own, by customer and timestamp: whoever may remove them may remove no customer's.
    """
    name = f"{payment.payment_id}-{payment.fingerprint[:16]}.json"
    if payment.is_test:
        return f"test/{payment.customer_id}/{payment.timestamp}/{name}"
    day = datetime.fromtimestamp(payment.timestamp / 1000, UTC)
    return f"audit/{day:%Y/%m/%d}/{name}"


def audit_record(payment: Payment) -> bytes:
    """What the audit object holds: the same bytes each time, whatever has become of the payment since."""
    return _record("payment.accepted", payment.accepted())


def change_key(payment: Payment) -> str:
    """Where the audit object of the payment's present status is, beside that of the payment."""
    return audit_key(payment).removesuffix(".json") + f"-{payment.status}.json"


def change_record(payment: Payment, change: Change) -> bytes:
    """What the audit object of the payment's present status holds."""
    return _record(f"payment.{payment.status}", replace(payment, conflict=False), reference=change.reference)


def audit_metadata(received_at: int, region: str, caller: Caller | None) -> dict[str, str]:
    """Who and when, for the metadata of an audit object: its bytes are the same in both regions."""
    metadata = {
        "received-at": datetime.fromtimestamp(received_at / 1000, UTC).isoformat(timespec="milliseconds"),
        "region": region,
    }
    if caller is not None:
        metadata |= {"request-id": caller.request_id, "api-key-id": caller.api_key_id}
        if caller.source_ip is not None:
            metadata["source-ip"] = caller.source_ip
    return metadata


def _record(event: str, payment: Payment, **more: str) -> bytes:
    record = {"event": event, "fingerprint": payment.fingerprint, "payment": payment.document(), **more}
    return json.dumps(record, sort_keys=True, separators=(",", ":")).encode("ascii")


def _parse(body: bytes) -> dict[str, object]:
    if len(body) > MAX_BODY_BYTES:
        raise problems.too_large(MAX_BODY_BYTES)
    try:
        document: object = json.loads(
            body.decode("utf-8"),
            parse_float=_exact,
            parse_constant=_no_constant,
            object_pairs_hook=_unique_members,
        )
    except UnicodeDecodeError:
        raise problems.malformed("It is not UTF-8.") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise problems.malformed(f"It is not JSON; what is wrong is at {where}.") from None
    except ValueError:
        raise problems.malformed("A number in it has too many digits.") from None
    except RecursionError:
        raise problems.malformed("It is nested too deeply.") from None
    if not isinstance(document, dict):
        raise problems.malformed("It must be an object.")
    return document


def _exact(text: str) -> int | Decimal:
    """JSON Schema counts 100.0 as an integer; so does the fingerprint. 100.0000000000000001 is none.

    Whatever is no integer stays a Decimal, which no field takes.
    """
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise problems.malformed("A number in it is out of range.") from None
    small = number.adjusted() <= _MOST_DIGITS
    return int(number) if small and number == number.to_integral_value() else number


def _no_constant(name: str) -> object:
    raise problems.malformed(f"JSON has no {name}.")


def _unique_members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A name that is there twice means two things to two readers; a payment must mean one."""
    members = dict(pairs)
    if len(members) < len(pairs):
        raise problems.malformed("An object in it has the same name more than once.")
    return members


def _unstorable(document: Mapping[str, object]) -> Iterator[FieldError]:
    """Fields of a valid document that must not be stored or cannot be."""
    if cast(int, document["amount"]) >= _LIKE_A_CARD and cards.has_card_number(str(document["amount"])):
        yield FieldError("/amount", _NO_CARD)
    is_test = cast(str, document["customer_id"]).startswith(TEST_CUSTOMERS)
    if is_test and document["amount"] != TEST_AMOUNT:
        yield FieldError("/amount", f"must be {TEST_AMOUNT}, because this customer's payments are tests")
    for where, text in _texts(document):
        if _LONE_SURROGATE.search(text):
            yield FieldError(where, "must be Unicode text; it has half of a surrogate pair")
        elif cards.has_card_number(text):
            yield FieldError(where, _NO_CARD)
        elif cards.has_security_code(text):
            yield FieldError(where, _NO_CODE)
    metadata = cast(Mapping[str, str], document.get("metadata", {}))
    for place, (name, value) in enumerate(metadata.items(), start=1):
        if cards.is_security_code(name, value):
            yield FieldError(validation.value_of_entry("/metadata", place), _NO_CODE)
    for (_, one), (where, other) in _neighbours(document):
        if cards.is_split_card(one, other):
            yield FieldError(where, "must not continue a card number that the value before it begins")


_NO_CARD = "must not contain what looks like a card number"
_NO_CODE = "must not be a card's security code"


def _texts(document: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """All that a client may write freely. No answer repeats metadata: an entry is told by its place."""
    yield "/customer_id", cast(str, document["customer_id"])
    if "description" in document:
        yield "/description", cast(str, document["description"])
    metadata = cast(Mapping[str, str], document.get("metadata", {}))
    for place, (name, value) in enumerate(metadata.items(), start=1):
        yield validation.name_of_entry("/metadata", place), name
        yield validation.value_of_entry("/metadata", place), value


def _neighbours(document: Mapping[str, object]) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    """Texts over which a number may have been split: each with the next, names and values apart as well."""
    texts = list(_texts(document))
    yield from pairwise(texts)
    yield from pairwise([text for text in texts if "(name of" not in text[0]])
    yield from pairwise([text for text in texts if "(value of" not in text[0]])
