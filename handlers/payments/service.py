"""What the API does, in terms of the three things that it needs: a ledger, an audit log, a secret."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Protocol, assert_never

from . import core, problems
from .core import Caller, Change, Found, KeyVerdict, Payment, Receipt
from .cursors import Position, seal, signing_key, unseal
from .problems import FieldError, Unavailable


class Added(Enum):
    """How an attempt to record a payment ended."""

    RECORDED = auto()
    TAKEN = auto()  # something is recorded under this payment_id already
    CONTENDED = auto()  # another attempt at the same items is under way


class Index(Enum):
    """The lists that can be asked for; the value is the attribute that the index is by."""

    STATUS = "status"
    CUSTOMER = "customer_id"


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of payments: one index, one value, and timestamps (ms since the epoch), both inclusive."""

    index: Index
    value: str
    earliest: int
    latest: int

    def name(self) -> str:
        """What binds a cursor to this list."""
        return "\x00".join((self.index.value, self.value, str(self.earliest), str(self.latest)))


@dataclass(frozen=True, slots=True)
class Page:
    """Payments in order of their timestamps, and where the list goes on."""

    payments: tuple[Payment, ...]
    last: Position | None


@dataclass(frozen=True, slots=True)
class MadePayment:
    """A payment, and whether it was recorded before this request."""

    payment: Payment
    replayed: bool


class Ledger(Protocol):
    """The table. Everything raises Unavailable when it does not answer."""

    def find(self, payment_id: str) -> Found:
        """Everything under one id, as it is now in this region."""

    def add(self, payment: Payment) -> Added:
        """Record claim and payment, both or neither, if nothing is there."""

    def restore(self, payment: Payment) -> bool:
        """Record a claimed payment that is missing here; whether nothing stood in its place."""

    def move(self, payment: Payment, status: str, change: Change | None) -> bool:
        """Give a payment another status; whether it still had the one that `payment` has."""

    def mark_claim(self, payment_id: str, fingerprints: tuple[str, ...]) -> bool:
        """Note at the claim that these bodies were accepted; whether that was not noted before."""

    def mark_payment(self, payment: Payment) -> None:
        """Note at a payment that its key is in conflict."""

    def displace(self, payment: Payment) -> None:
        """Keep a payment that another one has replaced."""

    def decide(self, found: Found, keep: Payment) -> bool:
        """Let the key stand for `keep`, all or nothing; whether what was found is still there."""

    def page(self, listing: Listing, limit: int, after: Position | None) -> Page:
        """One page of a list."""

    def ping(self) -> None:
        """Return if the table can be read in less than a second."""

    def attempt(self) -> None:
        """Return if the table takes writes in less than a second. Nothing is recorded."""


class Audit(Protocol):
    """The audit log. Raises Unavailable when it does not answer."""

    def record(self, payment: Payment) -> bool:
        """Make sure that the payment's audit object is there; whether it is written just now."""

    def record_change(self, payment: Payment, change: Change) -> bool:
        """Make sure that the audit object of the payment's present status is there."""


class EventCounter(Protocol):
    """Counts what operators are told about."""

    def count(self, event: str) -> None:
        """Add one to a metric."""

    def note(self, **fields: str) -> None:
        """Add to the request's log line."""


AUDIT_FAILED = "AuditWriteFailed"
CONFLICT = "IdempotencyConflict"
UNKNOWN_CALLER = Caller("unknown")


class Payments:
    """The payments service of one region.

    Args:
        region: this region.
        clock: now, in milliseconds since the epoch.
        secret: what cursors are signed with, the same in both regions; asked only when a cursor is made or
            read.
    """

    def __init__(
        self,
        *,
        region: str,
        ledger: Ledger,
        audit: Audit,
        secret: Callable[[], str],
        clock: Callable[[], int],
        tally: EventCounter,
    ) -> None:
        self._region = region
        self._ledger = ledger
        self._audit = audit
        self._secret = secret
        self._clock = clock
        self._tally = tally

    def make(self, key: str, body: bytes, caller: Caller = UNKNOWN_CALLER) -> MadePayment:
        """Record the payment once, however often this is asked for.

        The look-up comes first: a replay costs one read, and is answered even when its timestamp has grown
        old. A new payment then costs one transaction and one audit object.

        Raises:
            Problem: 400, 409, 413 or 422.
            Unavailable: the table does not answer. Whether the payment was recorded is then not known.
        """
        payment = core.read_payment(key, body)
        self._tally.note(payment_id=payment.payment_id)
        now = self._clock()
        payment = replace(payment, receipt=Receipt(now, self._region, caller))
        answer = self._recorded(payment)
        if answer is None:
            core.check_window(payment, now)
            answer = self._add(payment)
        self._write_audit(answer.payment)
        return answer

    def get(self, payment_id: str) -> Payment:
        """One payment.

        Raises:
            Problem: 404, or 409 while its key stands for two.
            Unavailable: the table does not answer.
        """
        if not core.PAYMENT_ID.match(payment_id):
            raise problems.payment_not_found()
        found = self._look_up(payment_id)
        if found.in_conflict:
            raise problems.conflicting(payment_id, found.fingerprints)
        payment = found.payment()
        if payment is None:
            raise problems.payment_not_found()
        return payment

    def list(
        self, listing: Listing, limit: int, cursor: str | None
    ) -> tuple[tuple[Payment, ...], str | None]:
        """One page of a list, and the cursor of the next one.

        Raises:
            Problem: 422 for a cursor that does not belong to this list.
            Unavailable: the table, or the parameter with the secret, does not answer.
        """
        after: Position | None = None
        if cursor is not None:
            after = unseal(signing_key(self._secret()), listing.name(), cursor)
            if after is None:
                raise problems.invalid(
                    (FieldError("cursor", "must be next_cursor of an answer to this list"),)
                )
        page = self._ledger.page(listing, limit, after)
        if page.last is None:
            return page.payments, None
        return page.payments, seal(signing_key(self._secret()), listing.name(), page.last)

    def ping(self) -> None:
        """Return if the table can be read now.

        Raises:
            Unavailable: it does not answer.
        """
        self._ledger.ping()

    def attempt(self) -> None:
        """Return if the table would take a payment now. Nothing is recorded.

        Raises:
            Unavailable: it does not answer, or refuses.
        """
        self._ledger.attempt()

    def move(self, payment_id: str, status: str, reference: str) -> Payment:
        """Give a payment its next status. To ask again with the same reference changes nothing.

        Raises:
            Problem: 404, 409 while its key stands for two payments, or 422 where `core.TRANSITIONS` has no
                such step from its present status, or the payment is a test.
            Unavailable: the table or the audit log does not answer. To ask again is safe.
        """
        payment = self.get(payment_id)
        if not self._has_moved(payment, status, reference):
            if payment.is_test or not core.may_become(payment.status, status):
                raise problems.no_transition(payment.status, status)
            change = Change(self._clock(), self._region, reference)
            if self._ledger.move(payment, status, change):
                payment = replace(payment, status=status, change=change)
            else:
                # Somebody else moved it: what is there now decides.
                payment = self.get(payment_id)
                if not self._has_moved(payment, status, reference):
                    raise problems.no_transition(payment.status, status)
        if payment.change is not None:
            self._audit.record_change(payment, payment.change)
        return payment

    def audit(self, payment_id: str) -> bool:
        """Write the missing audit objects of all payments under an id; whether any was missing.

        Raises:
            Unavailable: the table or the audit log does not answer.
        """
        found = self._ledger.find(payment_id)
        written = []
        for payment in (*found.payments, *found.displaced):
            written.append(self._audit.record(payment))
            if payment.change is not None:
                written.append(self._audit.record_change(payment, payment.change))
        return any(written)

    def resolve(self, payment_id: str, fingerprint: str) -> Payment:
        """Decide which body a key in conflict stands for. The other payments are kept, and marked as decided.

        Raises:
            Problem: 404 where there is no such payment, or 409 where it changed meanwhile.
            Unavailable: the table does not answer.
        """
        found = self._ledger.find(payment_id)
        keep = found.with_fingerprint(fingerprint)
        if keep is None:
            raise problems.payment_not_found()
        if found.in_conflict and not self._ledger.decide(found, keep):
            raise problems.in_flight()
        return replace(keep, conflict=False)

    @staticmethod
    def _has_moved(payment: Payment, status: str, reference: str) -> bool:
        change = payment.change
        return payment.status == status and change is not None and change.reference == reference

    def _look_up(self, payment_id: str) -> Found:
        found = self._ledger.find(payment_id)
        if found.in_conflict:
            self._tally.count(CONFLICT)
            for payment in found.payments:
                if not payment.conflict:
                    self._ledger.mark_payment(payment)
        return found

    def _recorded(self, payment: Payment) -> MadePayment | None:
        """The answer when something is recorded under this id; None when nothing is."""
        found = self._look_up(payment.payment_id)
        verdict = core.judge(found, payment)
        match verdict:
            case KeyVerdict.NEW:
                return None
            case KeyVerdict.REPLAY:
                return MadePayment(found.payment() or payment, replayed=True)
            case KeyVerdict.KEY_REUSED:
                recorded = found.payment()
                raise problems.key_reused(
                    payment.payment_id,
                    only_timestamp=recorded is not None and recorded.differs_in_timestamp_only(payment),
                )
            case KeyVerdict.INCOMPLETE:
                return self._restore(payment)
            case KeyVerdict.CONFLICT:
                raise problems.conflicting(payment.payment_id, found.fingerprints)
            case _:
                assert_never(verdict)

    def _restore(self, payment: Payment) -> MadePayment:
        """Write a claimed payment that is missing here, and nothing over what has arrived meanwhile."""
        if self._ledger.restore(payment):
            return MadePayment(payment, replayed=True)
        found = self._look_up(payment.payment_id)
        verdict = core.judge(found, payment)
        if verdict is KeyVerdict.CONFLICT:
            raise problems.conflicting(payment.payment_id, found.fingerprints)
        if verdict is KeyVerdict.REPLAY:
            return MadePayment(found.payment() or payment, replayed=True)
        raise problems.in_flight()

    def _add(self, payment: Payment) -> MadePayment:
        if self._ledger.add(payment) is Added.RECORDED:
            return MadePayment(payment, replayed=False)
        # Another attempt won, or is about to: what it recorded decides.
        answer = self._recorded(payment)
        if answer is None:
            raise problems.in_flight()
        return answer

    def _write_audit(self, payment: Payment) -> None:
        try:
            self._audit.record(payment)
        except Unavailable as failure:
            # The payment stands: it is in the ledger, and the table's stream writes the object.
            self._tally.count(AUDIT_FAILED)
            self._tally.note(audit=failure.reason)
