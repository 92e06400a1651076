"""What became of a drill's payments: they are read in both regions, judged, and removed."""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from payinfra.clients.retry import Deadline
from payinfra.core.errors import GateFailed
from payinfra.drill.load.payment_log import Entries
from payinfra.drill.load.payments import DrillPayment
from payinfra.drill.model import PaymentOutcome, Reconciliation, Result
from payinfra.drill.replicas import Replica, StoredItem

AT_ONCE = 16
EXAMPLES = 20
DAMAGES = (PaymentOutcome.LOST, PaymentOutcome.DUPLICATED, PaymentOutcome.DIVERGED)

Given = TypeVar("Given")
Made = TypeVar("Made")


class ReconciliationLog(Protocol):
    """The part of the payment log that a reconciliation writes."""

    def judged(
        self, payment: DrillPayment, outcome: PaymentOutcome, contents: Sequence[Sequence[str]]
    ) -> None:
        """Note what the regions have of a payment that is not as it should be."""
        ...

    def removals(self, payment_ids: tuple[str, ...]) -> "Future[None]":
        """Note that these payments are about to be removed; they may be once that is done."""
        ...


@dataclass(frozen=True)
class RegionalCopies:
    """Everything under a payment's id in the one region and in the other."""

    here: tuple[StoredItem, ...]
    there: tuple[StoredItem, ...]

    @property
    def is_empty(self) -> bool:
        """Whether neither region has anything."""
        return not self.here and not self.there


@dataclass(frozen=True)
class RemovedPayments:
    """What became of the removal: how many payments are gone, and the ids of those that are not."""

    count: int
    left: tuple[str, ...]


def outcome_of(payment: DrillPayment, acknowledged: bool, copies: RegionalCopies) -> PaymentOutcome:
    """A payment's outcome, as far as one reading tells it: RECORDED stands for DELAYED as well."""
    here, there = _payments(copies.here), _payments(copies.there)
    if len(here) > 1 or len(there) > 1:
        return PaymentOutcome.DUPLICATED
    if not acknowledged:
        return PaymentOutcome.UNACKNOWLEDGED
    if not any(record.says(payment) for record in here + there):
        return PaymentOutcome.LOST
    return PaymentOutcome.RECORDED if here == there else PaymentOutcome.DIVERGED


def reconcile(
    entries: Entries,
    replicas: tuple[Replica, Replica],
    log: ReconciliationLog,
    *,
    within_s: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Reconciliation:
    """Judge every payment of a log, and remove them all. May be repeated.

    A payment that is not the same in both regions is read again until it is, for `within_s` seconds in all;
    the removal may take as long again. Payments whose removal was begun earlier, by a drill that was killed,
    are removed and not judged: what is gone by now is not lost.

    Raises:
        GateFailed: a region could not be read. Nothing was removed.
    """
    begun = frozenset(entries.removals)
    payments = tuple(one for one in entries.payments if one.payment_id not in begun)
    earlier = tuple(one for one in entries.payments if one.payment_id in begun)
    acknowledged = frozenset(attempt.key for attempt in entries.attempts if attempt.result.good)
    deadline = Deadline(clock() + within_s, clock, sleep)
    outcomes, found = _judge(payments, acknowledged, replicas, deadline)
    found |= _read_copies(earlier, replicas, deadline)
    damaged = [payment for payment in payments if outcomes[payment] in DAMAGES]
    for payment in damaged:
        copies = found[payment]
        log.judged(payment, outcomes[payment], (_contents(copies.here), _contents(copies.there)))
    removed = _remove(found, replicas, log, Deadline(clock() + within_s, clock, sleep))
    return Reconciliation(
        sent=len(payments),
        acknowledged=sum(payment.key in acknowledged for payment in payments),
        counts=Counter(outcomes.values()),
        examples=tuple(payment.payment_id for payment in damaged[:EXAMPLES]),
        removed=removed.count,
        not_removed=removed.left,
        resent=len({attempt.key for attempt in entries.attempts if attempt.again}),
        accepted_twice=sum(
            count > 1
            for count in Counter(
                one.key for one in entries.attempts if one.result is Result.ACKNOWLEDGED
            ).values()
        ),
    )


def _judge(
    payments: Sequence[DrillPayment],
    acknowledged: frozenset[str],
    replicas: tuple[Replica, Replica],
    deadline: Deadline,
) -> tuple[dict[DrillPayment, PaymentOutcome], dict[DrillPayment, RegionalCopies]]:
    """Each payment's outcome, and its copies as they were read last."""
    found = _read_copies(payments, replicas, deadline)

    def judged(some: Iterable[DrillPayment]) -> dict[DrillPayment, PaymentOutcome]:
        return {one: outcome_of(one, one.key in acknowledged, found[one]) for one in some}

    outcomes, pauses = judged(payments), deadline.pauses()
    while (late := _not_there(outcomes)) and pauses.wait():
        found |= _read_copies(late, replicas, deadline)
        again = judged(late)
        outcomes |= {
            one: PaymentOutcome.DELAYED if outcome is PaymentOutcome.RECORDED else outcome
            for one, outcome in again.items()
        }
    return outcomes, found


def _not_there(outcomes: Mapping[DrillPayment, PaymentOutcome]) -> tuple[DrillPayment, ...]:
    """Those that replication may still bring in order."""
    return tuple(
        payment
        for payment, outcome in outcomes.items()
        if outcome in (PaymentOutcome.LOST, PaymentOutcome.DIVERGED)
    )


def _read_copies(
    payments: Sequence[DrillPayment], replicas: tuple[Replica, Replica], deadline: Deadline
) -> dict[DrillPayment, RegionalCopies]:
    """Read payments in both regions.

    Raises:
        GateFailed: one could not be read.
    """
    here, there = replicas

    def read(payment: DrillPayment) -> RegionalCopies:
        name = payment.payment_id
        return RegionalCopies(
            deadline.poll(partial(here.read, name)), deadline.poll(partial(there.read, name))
        )

    try:
        return dict(zip(payments, _side_by_side(read, payments), strict=True))
    except (ClientError, BotoCoreError) as error:
        raise GateFailed(
            f"The drill's payments cannot be read in both regions: {error}",
            "They are marked with the drill's id, and listed in its payment log.",
        ) from None


def _remove(
    found: Mapping[DrillPayment, RegionalCopies],
    replicas: tuple[Replica, Replica],
    log: ReconciliationLog,
    deadline: Deadline,
) -> RemovedPayments:
    """Remove what was seen: in the first region, and in the other what only that has.

    What a function that was still at work has written since is removed as well, while something is waited
    for. What was removed in one region is not removed in the other: replication must do that.
    """
    removal = _Removal(replicas, log, deadline)
    pauses, left = deadline.pauses(), removal.begin(found)
    # What cannot be read counts as it was seen last.
    with contextlib.suppress(GateFailed):
        # A function may write, and replication bring back, what was not there at the look before.
        left = left and removal.go_on(tuple(found))
        while left and pauses.wait():
            left = removal.go_on(left) or removal.go_on(tuple(found))
    return RemovedPayments(len(removal.seen) - len(left), tuple(payment.payment_id for payment in left))


@dataclass(frozen=True)
class _Removal:
    """A removal under way.

    Attributes:
        replicas: the table's.
        log: told of each payment before it is removed.
        deadline: until when a region is tried again.
        seen: what was removed of each payment, or could not be.
    """

    replicas: tuple[Replica, Replica]
    log: ReconciliationLog
    deadline: Deadline
    seen: dict[DrillPayment, set[StoredItem]] = field(default_factory=dict)

    def go_on(self, among: Sequence[DrillPayment]) -> tuple[DrillPayment, ...]:
        """Read payments, and remove what is new of them; those that are there.

        Raises:
            GateFailed: one could not be read.
        """
        return self.begin(_read_copies(among, self.replicas, self.deadline))

    def begin(self, found: Mapping[DrillPayment, RegionalCopies]) -> tuple[DrillPayment, ...]:
        """Remove what is new of payments that were read; those that are there."""
        there = tuple(payment for payment, copies in found.items() if not copies.is_empty)
        if new := tuple(one.payment_id for one in there if one not in self.seen):
            self.log.removals(new).result()
        self.seen.update((one, set()) for one in there if one not in self.seen)
        _side_by_side(lambda one: _tried(partial(self._take, one, found[one])), there)
        return there

    def _take(self, payment: DrillPayment, copies: RegionalCopies) -> None:
        seen = self.seen[payment]
        here = tuple(record for record in copies.here if record not in seen)
        only_there = tuple(record for record in copies.there if record not in seen.union(copies.here))
        seen.update(here, only_there)
        for replica, records in zip(self.replicas, (here, only_there), strict=True):
            # What does not say what was sent belongs to somebody else, whatever its id.
            for record in (one for one in records if not one.is_payment or one.says(payment)):
                self.deadline.poll(partial(replica.remove, payment.payment_id, record))


def _tried(do: Callable[[], None]) -> None:
    """Do something; that it failed will be seen."""
    try:
        do()
    except (ClientError, BotoCoreError):
        return


def _side_by_side(do: Callable[[Given], Made], given: Sequence[Given]) -> list[Made]:
    """Several at once. The first failure, or an interruption, ends what has not begun yet."""
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="drill-reconciliation")
    try:
        return list(pool.map(do, given))
    finally:
        pool.shutdown(cancel_futures=True)


def _payments(records: Iterable[StoredItem]) -> tuple[StoredItem, ...]:
    return tuple(record for record in records if record.is_payment)


def _contents(records: Iterable[StoredItem]) -> tuple[str, ...]:
    return tuple(record.content for record in records)
