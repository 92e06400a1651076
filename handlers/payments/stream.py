"""What the function does with the records of the table's stream.

| record | what follows |
|---|---|
| a payment that this region recorded | its audit object, unless the request has written it already |
| a claim that another body's claim replaced | the conflict is told, and noted at claim and payments |
| a payment that another body's payment replaced | the replaced one is kept, and the same |
| a payment that this region moved to another status | the audit object of that status |
| a payment whose status was set back by the other region's older copy | the later status is written again |
| a payment that each region moved to another status | the operators are told |

All of it may be done twice: Lambda hands a batch over again when one of its records has failed.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from . import core
from .core import Payment
from .ledger import claim_of, is_claim, payment_of
from .problems import Unavailable
from .service import AUDIT_FAILED, Audit, Ledger

if TYPE_CHECKING:
    from .ledger import Item

PATIENCE_MS = 15 * 60 * 1000
"""How long a record is held: until both payments of a conflict have been replicated to here, or the table
answers."""
GIVEN_UP = "StreamRecordsGivenUp"
STATUS_CONFLICT = "StatusConflict"
STATUS_RESTORED = "StatusRestored"


class Log(Protocol):
    """Where the operators are told."""

    def count(self, event: str) -> None:
        """Add one to a metric."""

    def conflict(self, payment_id: str) -> None:
        """Tell of a key that two regions gave to different bodies."""

    def tell(self, message: str, **fields: str) -> None:
        """Write one line at the level of an error."""


@dataclass(frozen=True, slots=True)
class Record:
    """One change of an item.

    Attributes:
        sequence: what the stream calls it.
        at: when it was made, milliseconds since the epoch; 0 where the stream does not say.
        before, after: the item; None where there is none.
    """

    sequence: str
    at: int
    before: "Item | None"
    after: "Item | None"


class TooEarly(Exception):
    """A record that must be handed over again, when more has been replicated."""


class StreamReader:
    """Follows the table's stream in one region."""

    def __init__(self, region: str, ledger: Ledger, audit: Audit, clock: Callable[[], int], log: Log) -> None:
        self._region = region
        self._ledger = ledger
        self._audit = audit
        self._clock = clock
        self._log = log

    def follow(self, event: Mapping[str, object]) -> str | None:
        """Do what the records of a batch ask for; the sequence number of the first one that failed.

        Conflicts come first: they are told although the audit log does not answer. Where a service does not
        answer, nothing more is tried: each of a hundred records would wait for a time-out.
        """
        records = tuple(_records(event))
        failed = [*self._failed(self._notice, records), *self._failed(self._record, records)]
        return records[min(failed)].sequence if failed else None

    def _failed(self, step: Callable[[Record], None], records: tuple[Record, ...]) -> Iterator[int]:
        """The places of the records that must be handed over again.

        What comes after a failed record waits for it. So an audit object is tried for as long as the stream
        has the record, and anything else for `PATIENCE_MS`: then the operators are told, and it is left out.
        """
        for place, record in enumerate(records):
            try:
                step(record)
            except TooEarly:
                yield place
            except Unavailable as failure:
                if step == self._record or self._is_young(record):
                    yield place
                    return
                self._give_up(record, failure)
            except Exception as error:  # noqa: BLE001 - one record must not hold up all that follow
                self._give_up(record, error)

    def _is_young(self, record: Record) -> bool:
        return self._clock() - record.at < PATIENCE_MS

    def _give_up(self, record: Record, error: Exception) -> None:
        self._log.count(GIVEN_UP)
        self._log.tell("record given up", sequence=record.sequence, exception=type(error).__name__)

    def _notice(self, record: Record) -> None:
        before, after = record.before, record.after
        if before is None or after is None or "resolved" in after:
            return
        if is_claim(after):
            prints = tuple(sorted({claim_of(before).fingerprint, claim_of(after).fingerprint}))
            if len(prints) > 1:
                self._note_conflict(claim_of(after).payment_id, prints, record)
        else:
            self._compare(payment_of(before), payment_of(after), record)

    def _compare(self, before: Payment, after: Payment, record: Record) -> None:
        if before.fingerprint != after.fingerprint:
            self._ledger.displace(before)
            self._note_conflict(
                after.payment_id, tuple(sorted((before.fingerprint, after.fingerprint))), record
            )
        elif core.may_become(after.status, before.status):
            self._log.count(STATUS_RESTORED)
            self._ledger.move(after, before.status, before.change)
        elif before.status != after.status and not core.may_become(before.status, after.status):
            self._log.count(STATUS_CONFLICT)
            self._log.tell(
                "status conflict", payment_id=after.payment_id, was=before.status, now=after.status
            )

    def _note_conflict(self, payment_id: str, prints: tuple[str, ...], record: Record) -> None:
        """Raises TooEarly while not all payments are here and it is worth to wait for them."""
        if self._ledger.mark_claim(payment_id, prints):
            self._log.conflict(payment_id)
        found = self._ledger.find(payment_id)
        if not found.in_conflict:
            return
        for payment in found.payments:
            self._ledger.mark_payment(payment)
        seen = {payment.fingerprint for payment in (*found.payments, *found.displaced)}
        if not seen.issuperset(prints) and self._is_young(record):
            raise TooEarly

    def _record(self, record: Record) -> None:
        after = record.after
        if after is None or is_claim(after):
            return
        payment = payment_of(after)
        try:
            if record.before is None and (payment.receipt is None or payment.receipt.region == self._region):
                # A test that has been removed leaves no object.
                if not payment.is_test or self._ledger.find(payment.payment_id).payments:
                    self._audit.record(payment)
            elif payment.change is not None and payment.change.region == self._region:
                self._audit.record_change(payment, payment.change)
        except Unavailable:
            self._log.count(AUDIT_FAILED)
            raise


def is_stream(event: Mapping[str, object]) -> bool:
    """Whether an event comes from a DynamoDB stream rather than from the gateway."""
    return any(record.get("eventSource") == "aws:dynamodb" for record in _mappings(event))


def _records(event: Mapping[str, object]) -> Iterator[Record]:
    """The records of payments and claims. What else is in the table, as canaries are, is left out."""
    for record in _mappings(event):
        change = record.get("dynamodb")
        if not isinstance(change, Mapping):
            continue
        read = Record(
            sequence=str(change.get("SequenceNumber", "")),
            at=int(float(change.get("ApproximateCreationDateTime", 0)) * 1000),
            before=_image(change, "OldImage"),
            after=_image(change, "NewImage"),
        )
        if read.before or read.after:
            yield read


def _mappings(event: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    records = event.get("Records")
    if isinstance(records, list):
        yield from (record for record in records if isinstance(record, Mapping))


def _image(change: Mapping[str, object], name: str) -> "Item | None":
    """An item that is a payment or a claim as the function writes them; None for anything else."""
    item = cast("Item | None", change.get(name))
    if not isinstance(item, Mapping):
        return None
    try:
        _ = claim_of(item) if is_claim(item) else payment_of(item)
    except (KeyError, TypeError, ValueError):
        return None
    return item
