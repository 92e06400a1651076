"""What the API does, in terms of the three things that it needs: a ledger, an audit log, a secret."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol, assert_never

from . import core, problems
from .core import Found, Payment, Verdict
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
class Answer:
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
        """Record a claimed payment that is missing here; whether nothing else stood in its place."""

    def page(self, listing: Listing, limit: int, after: Position | None) -> Page:
        """One page of a list."""

    def ping(self) -> None:
        """Return if the table answers within a second or two."""


class Audit(Protocol):
    """The audit log. Raises Unavailable when it does not answer."""

    def record(self, payment: Payment) -> None:
        """Make sure that the payment's audit object is there."""


class Tally(Protocol):
    """Counts what operators are told about."""

    def count(self, event: str) -> None:
        """Add one to a metric."""

    def note(self, **fields: str) -> None:
        """Add to the request's log line."""


AUDIT_FAILED = "AuditWriteFailed"
CONFLICT = "IdempotencyConflict"


class Payments:
    """The payments service of one region.

    Args:
        clock: now, in milliseconds since the epoch.
        secret: the API key that both regions share; asked only when a cursor is made or read.
    """

    def __init__(
        self, ledger: Ledger, audit: Audit, secret: Callable[[], str], clock: Callable[[], int], tally: Tally
    ) -> None:
        self._ledger = ledger
        self._audit = audit
        self._secret = secret
        self._clock = clock
        self._tally = tally

    def make(self, key: str, body: bytes) -> Answer:
        """Record the payment once, however often this is asked for.

        The look-up comes first: a replay costs one read, and is answered even when its timestamp has grown
        old. A new payment then costs one transaction and one audit object.

        Raises:
            Problem: 400, 409, 413 or 422.
            Unavailable: the table does not answer. Whether the payment was recorded is then not known.
        """
        payment = core.read_payment(key, body)
        self._tally.note(payment_id=payment.payment_id)
        answer = self._recorded(payment)
        if answer is None:
            core.check_window(payment, self._clock())
            answer = self._add(payment)
        self._write_audit(answer.payment)
        return answer

    def get(self, payment_id: str) -> Payment:
        """One payment.

        Raises:
            Problem: 404.
            Unavailable: the table does not answer.
        """
        if not core.PAYMENT_ID.match(payment_id):
            raise problems.payment_not_found()
        payment = self._look_up(payment_id).payment()
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
        """Return if the service could record a payment now.

        Raises:
            Unavailable: the table does not answer.
        """
        self._ledger.ping()

    def _look_up(self, payment_id: str) -> Found:
        found = self._ledger.find(payment_id)
        if found.in_conflict:
            self._tally.count(CONFLICT)
        return found

    def _recorded(self, payment: Payment) -> Answer | None:
        """The answer when something is recorded under this id; None when nothing is."""
        found = self._look_up(payment.payment_id)
        verdict = core.judge(found, payment)
        match verdict:
            case Verdict.NEW:
                return None
            case Verdict.REPLAY:
                return Answer(payment, replayed=True)
            case Verdict.KEY_REUSED:
                raise problems.key_reused()
            case Verdict.INCOMPLETE:
                if not self._ledger.restore(payment):
                    raise problems.conflicting()
                return Answer(payment, replayed=True)
            case _:
                assert_never(verdict)

    def _add(self, payment: Payment) -> Answer:
        if self._ledger.add(payment) is Added.RECORDED:
            return Answer(payment, replayed=False)
        # Another attempt won, or is about to: what it recorded decides.
        answer = self._recorded(payment)
        if answer is None:
            raise problems.in_flight()
        return answer

    def _write_audit(self, payment: Payment) -> None:
        try:
            self._audit.record(payment)
        except Unavailable as failure:
            # The payment stands: it is in the ledger. A later replay writes the object.
            self._tally.count(AUDIT_FAILED)
            self._tally.note(audit=failure.reason)
