"""Every payment has the outcome that the world gave it, and none of a drill's payments stays."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from payinfra.core.errors import GateFailed
from payinfra.drill.load.payment_log import Entries
from payinfra.drill.load.payments import DrillPayment, Maker
from payinfra.drill.model import Attempt, PaymentOutcome, Reconciliation, Result
from payinfra.drill.reconciliation import EXAMPLES, RegionalCopies, outcome_of, reconcile
from payinfra.drill.replicas import CLAIM, StoredItem

MAKER = Maker("dev", "x1")
DEADLINE_S = 30.0
NEVER = 1e9


def payment(number: int = 0) -> DrillPayment:
    return MAKER.make(number, 1_800_000_000_000 + number, float(number))


def attempt(of: DrillPayment, result: Result = Result.ACKNOWLEDGED, *, again: bool = False) -> Attempt:
    return Attempt(of.key, 2 if again else 1, of.at_s, 0.1, "us-east-1", 201, result, again)


def stored(of: DrillPayment, **changes: object) -> StoredItem:
    """A payment as the function writes it; `changes` of attributes are in DynamoDB's form."""
    sent = json.loads(of.body)
    item = {
        "payment_id": {"S": of.payment_id},
        "timestamp": {"N": str(sent["timestamp"])},
        "amount": {"N": str(sent["amount"])},
        "currency": {"S": sent["currency"]},
        "customer_id": {"S": sent["customer_id"]},
        "payment_method": {"S": sent["payment_method"]},
        "metadata": {"M": {name: {"S": value} for name, value in sent["metadata"].items()}},
        "status": {"S": "accepted"},
        "fingerprint": {"S": "f"},
        **changes,
    }
    return StoredItem(str(sent["timestamp"]), json.dumps(item, sort_keys=True))


def second(of: DrillPayment) -> StoredItem:
    """The same payment once more, under another timestamp."""
    return StoredItem("1", stored(of).content)


def claim(of: DrillPayment) -> StoredItem:
    return StoredItem(CLAIM, json.dumps({"payment_id": {"S": of.payment_id}, "timestamp": {"N": CLAIM}}))


# -- one payment -------------------------------------------------------------------------------------------

P = payment()
OTHER_AMOUNT = stored(P, amount={"N": "2"})


@pytest.mark.parametrize(
    ("here", "there", "outcome"),
    [
        ((claim(P), stored(P)), (claim(P), stored(P)), PaymentOutcome.RECORDED),
        ((claim(P), stored(P)), (stored(P),), PaymentOutcome.RECORDED),
        ((claim(P), stored(P)), (claim(P),), PaymentOutcome.DIVERGED),
        ((), (claim(P), stored(P)), PaymentOutcome.DIVERGED),
        ((stored(P),), (stored(P, fingerprint={"S": "other"}),), PaymentOutcome.DIVERGED),
        ((stored(P),), (OTHER_AMOUNT,), PaymentOutcome.DIVERGED),
        ((), (), PaymentOutcome.LOST),
        ((claim(P),), (claim(P),), PaymentOutcome.LOST),
        ((OTHER_AMOUNT,), (OTHER_AMOUNT,), PaymentOutcome.LOST),
        ((stored(P), second(P)), (stored(P),), PaymentOutcome.DUPLICATED),
        ((), (stored(P), second(P)), PaymentOutcome.DUPLICATED),
    ],
)
def test_the_outcome_of_an_acknowledged_payment(
    here: tuple[StoredItem, ...], there: tuple[StoredItem, ...], outcome: PaymentOutcome
) -> None:
    assert outcome_of(P, True, RegionalCopies(here, there)) is outcome


@pytest.mark.parametrize(
    ("here", "there", "outcome"),
    [
        ((), (), PaymentOutcome.UNACKNOWLEDGED),
        ((stored(P),), (), PaymentOutcome.UNACKNOWLEDGED),
        ((stored(P),), (stored(P),), PaymentOutcome.UNACKNOWLEDGED),
        ((stored(P), second(P)), (), PaymentOutcome.DUPLICATED),
    ],
)
def test_the_outcome_of_one_that_was_not(
    here: tuple[StoredItem, ...], there: tuple[StoredItem, ...], outcome: PaymentOutcome
) -> None:
    assert outcome_of(P, False, RegionalCopies(here, there)) is outcome


# -- a scripted world --------------------------------------------------------------------------------------


@dataclass
class Table:
    """A region's table: what is there from when on, and until when."""

    world: "ReconciledRegions"
    arrivals: dict[str, list[tuple[float, StoredItem]]] = field(default_factory=dict)
    gone: dict[tuple[str, str], float] = field(default_factory=dict)
    peer: "Table | None" = None
    read_fails: list[Exception] = field(default_factory=list)
    remove_fails: list[Exception] = field(default_factory=list)
    removals: list[str] = field(default_factory=list)

    def read(self, payment_id: str) -> tuple[StoredItem, ...]:
        if self.read_fails:
            raise self.read_fails.pop()
        now = self.world.now
        return tuple(
            record
            for at_s, record in self.arrivals.get(payment_id, [])
            if at_s <= now < self.gone.get((payment_id, record.timestamp), NEVER)
        )

    def remove(self, payment_id: str, record: StoredItem) -> None:
        assert payment_id in self.world.noted, "removed before it was noted"
        if self.remove_fails:
            raise self.remove_fails.pop()
        self.removals.append(payment_id)
        self.gone.setdefault((payment_id, record.timestamp), self.world.now)
        if self.peer is not None:
            self.peer.gone.setdefault((payment_id, record.timestamp), self.world.now + self.world.lag_s)


@dataclass
class ReconciledRegions:
    """Two regions, a clock that moves when somebody sleeps, and the log."""

    lag_s: float = 1.0
    now: float = 100.0
    noted: set[str] = field(default_factory=set)
    judged_as: dict[str, PaymentOutcome] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.here, self.there = Table(self), Table(self)
        self.here.peer, self.there.peer = self.there, self.here

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds

    def judged(
        self, payment: DrillPayment, outcome: PaymentOutcome, contents: Sequence[Sequence[str]]
    ) -> None:
        assert len(contents) == 2
        self.judged_as[payment.payment_id] = outcome

    def removals(self, payment_ids: tuple[str, ...]) -> "Future[None]":
        self.noted.update(payment_ids)
        done: Future[None] = Future()
        done.set_result(None)
        return done

    def put(self, of: DrillPayment, here_s: float | None = 0.0, there_s: float | None = 0.0) -> None:
        """A payment and its claim are in each region from these moments on, of which 100 is now."""
        for table, at_s in ((self.here, here_s), (self.there, there_s)):
            if at_s is not None:
                table.arrivals.setdefault(of.payment_id, []).extend([(at_s, claim(of)), (at_s, stored(of))])

    def reckon(self, entries: Entries) -> Reconciliation:
        return reconcile(
            entries,
            (self.here, self.there),
            self,
            within_s=DEADLINE_S,
            clock=self.clock,
            sleep=self.sleep,
        )

    def is_empty(self, of: DrillPayment) -> bool:
        return not self.here.read(of.payment_id) and not self.there.read(of.payment_id)


def entries(*payments: DrillPayment, silent: frozenset[str] = frozenset()) -> Entries:
    attempts = tuple(
        attempt(one, Result.SILENT if one.key in silent else Result.ACKNOWLEDGED) for one in payments
    )
    return Entries(payments, attempts)


def test_all_is_well_and_all_is_removed() -> None:
    world, payments = ReconciledRegions(), [payment(number) for number in range(50)]
    for one in payments:
        world.put(one)
    found = world.reckon(entries(*payments))
    assert (found.sent, found.acknowledged, found.counts) == (50, 50, {PaymentOutcome.RECORDED: 50})
    assert (found.removed, found.not_removed, found.examples) == (50, (), ())
    assert all(world.is_empty(one) for one in payments)
    assert world.judged_as == {}


def test_claims_and_payments_are_removed_in_one_region_and_replication_does_the_rest() -> None:
    world = ReconciledRegions()
    world.put(P)
    world.reckon(entries(P))
    assert (len(world.here.removals), world.there.removals) == (2, [])


def test_what_only_the_other_region_has_is_removed_there() -> None:
    world = ReconciledRegions(lag_s=NEVER)
    world.put(P, here_s=None)
    found = world.reckon(entries(P, silent=frozenset((P.key,))))
    assert (found.removed, world.here.removals, len(world.there.removals)) == (1, [], 2)


def test_a_payment_that_arrives_late_is_delayed_and_one_that_never_does_diverged() -> None:
    world, (late, never) = ReconciledRegions(), (payment(1), payment(2))
    world.put(late, there_s=110.0)
    world.put(never, there_s=None)
    found = world.reckon(entries(late, never))
    assert found.counts == {PaymentOutcome.DELAYED: 1, PaymentOutcome.DIVERGED: 1}
    assert found.examples == (never.payment_id,)
    assert world.judged_as == {never.payment_id: PaymentOutcome.DIVERGED}


def test_nobody_waits_for_what_was_not_acknowledged() -> None:
    world = ReconciledRegions()
    world.put(P, there_s=None)
    found = world.reckon(entries(P, silent=frozenset((P.key,))))
    assert (found.counts, found.acknowledged, found.sent) == ({PaymentOutcome.UNACKNOWLEDGED: 1}, 0, 1)
    assert world.now < 105.0


def test_a_replay_acknowledges_as_well_and_the_resent_are_counted() -> None:
    world = ReconciledRegions()
    world.put(P)
    attempts = (attempt(P, Result.SILENT), attempt(P, Result.REPLAYED), attempt(P, again=True))
    found = world.reckon(Entries((P,), (*attempts, attempt(P, Result.SILENT, again=True))))
    assert (found.acknowledged, found.resent, found.counts) == (1, 1, {PaymentOutcome.RECORDED: 1})


def test_at_most_so_many_examples_are_named() -> None:
    payments = [payment(number) for number in range(EXAMPLES + 5)]
    found = ReconciledRegions().reckon(entries(*payments))
    assert found.counts == {PaymentOutcome.LOST: EXAMPLES + 5}
    assert len(found.examples) == EXAMPLES


def test_two_answers_that_it_is_new_are_counted_and_a_replay_is_none() -> None:
    """A region that acknowledged it before it was lost, and the survivor that did not know of it."""
    world, twice, replayed, once = ReconciledRegions(), payment(1), payment(2), payment(3)
    for one in (twice, replayed, once):
        world.put(one)
    attempts = (
        *(attempt(one) for one in (twice, replayed, once)),
        attempt(twice, again=True),
        attempt(replayed, Result.REPLAYED, again=True),
    )
    assert world.reckon(Entries((twice, replayed, once), attempts)).accepted_twice == 1


def test_nothing_sent_is_nothing_to_reckon() -> None:
    assert ReconciledRegions().reckon(Entries()) == Reconciliation(0, 0, {})


def test_what_is_not_the_drills_is_not_removed_and_named() -> None:
    world = ReconciledRegions()
    world.put(P)
    foreign = StoredItem("7", stored(P, customer_id={"S": "somebody"}).content)
    world.here.arrivals[P.payment_id].append((0.0, foreign))
    found = world.reckon(entries(P))
    assert (found.removed, found.not_removed) == (0, (P.payment_id,))
    assert world.here.read(P.payment_id) == (foreign,)


def test_what_replication_does_not_remove_is_named() -> None:
    world = ReconciledRegions(lag_s=NEVER)
    world.put(P)
    found = world.reckon(entries(P))
    assert (found.removed, found.not_removed) == (0, (P.payment_id,))


def test_what_a_function_writes_while_the_removal_is_waited_for_is_removed_too() -> None:
    """Its client is gone, killed with the drill; the function is not."""
    world, (first, late, unseen) = ReconciledRegions(lag_s=10.0), (payment(number) for number in range(3))
    world.put(first)
    world.here.arrivals[late.payment_id] = [(0.0, claim(late)), (105.0, stored(late))]
    world.put(unseen, here_s=None, there_s=108.0)
    found = world.reckon(entries(first, late, unseen, silent=frozenset({late.key, unseen.key})))
    assert (found.removed, found.not_removed) == (3, ())
    assert all(world.is_empty(one) for one in (first, late, unseen))


def refusal(code: str, status: int = 400) -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": ""},
            "ResponseMetadata": {
                "HTTPStatusCode": status,
                "RequestId": "",
                "HostId": "",
                "HTTPHeaders": {},
                "RetryAttempts": 0,
            },
        },
        "Query",
    )


PASSING = (
    refusal("ThrottlingException"),
    refusal("Internal", 500),
    EndpointConnectionError(endpoint_url="x"),
)


def test_failures_that_pass_are_waited_for() -> None:
    world = ReconciledRegions()
    world.put(P)
    world.here.read_fails = [*PASSING]
    world.there.read_fails = [*PASSING]
    world.here.remove_fails = [*PASSING]
    found = world.reckon(entries(P))
    assert (found.counts, found.removed) == ({PaymentOutcome.RECORDED: 1}, 1)


@pytest.mark.parametrize(
    "error", [refusal("AccessDeniedException"), EndpointConnectionError(endpoint_url="x")]
)
def test_a_region_that_cannot_be_read_is_no_reconciliation_and_nothing_is_removed(error: Exception) -> None:
    world = ReconciledRegions()
    world.put(P)
    world.there.read_fails = [error] * 10_000
    with pytest.raises(GateFailed, match="cannot be read"):
        world.reckon(entries(P))
    assert (world.noted, world.here.removals) == (set(), [])


def test_a_removal_that_is_refused_leaves_the_payment_and_takes_the_others() -> None:
    world, payments = ReconciledRegions(), [payment(number) for number in range(4)]
    for one in payments:
        world.put(one)
    world.here.remove_fails = [refusal("AccessDeniedException")]
    found = world.reckon(entries(*payments))
    assert (found.removed, len(found.not_removed)) == (3, 1)


def test_what_cannot_be_read_after_the_removal_counts_as_left() -> None:
    world = ReconciledRegions()
    world.put(P)
    remove = world.here.remove

    def and_then_fail(payment_id: str, record: StoredItem) -> None:
        remove(payment_id, record)
        world.there.read_fails = [refusal("AccessDeniedException")]

    found = reconcile(
        entries(P),
        (_Instead(world.here, and_then_fail), world.there),
        world,
        within_s=DEADLINE_S,
        clock=world.clock,
        sleep=world.sleep,
    )
    assert (found.counts, found.not_removed) == ({PaymentOutcome.RECORDED: 1}, (P.payment_id,))


@dataclass(frozen=True)
class _Instead:
    """A table that removes in another way."""

    table: Table
    way: Callable[[str, StoredItem], None]

    def read(self, payment_id: str) -> tuple[StoredItem, ...]:
        return self.table.read(payment_id)

    def remove(self, payment_id: str, record: StoredItem) -> None:
        self.way(payment_id, record)


def test_after_a_kill_what_was_judged_is_removed_and_not_judged_again() -> None:
    world, (gone, left, new) = ReconciledRegions(), (payment(1), payment(2), payment(3))
    for one in (left, new):
        world.put(one)
    known = entries(gone, left, new)
    found = world.reckon(Entries(known.payments, known.attempts, (gone.payment_id, left.payment_id)))
    assert (found.sent, found.counts, found.removed) == (1, {PaymentOutcome.RECORDED: 1}, 2)
    assert all(world.is_empty(one) for one in (gone, left, new))
    again = world.reckon(Entries(known.payments, known.attempts, tuple(world.noted)))
    assert (again.counts.get(PaymentOutcome.RECORDED, 0), again.removed) == (0, 0)


# -- whatever the world does -------------------------------------------------------------------------------

MOMENTS = st.one_of(st.none(), st.floats(0, 100), st.floats(101, 120), st.just(NEVER))


@dataclass(frozen=True)
class Life:
    """What happens to one payment."""

    acknowledged: bool
    here_s: float | None
    there_s: float | None
    twice_there: bool
    again: bool

    @property
    def outcome(self) -> PaymentOutcome:
        """What the docstrings of Fate make of it, once the deadline is over."""
        end_s = 100.0 + DEADLINE_S
        here, there = (moment is not None and moment <= end_s for moment in (self.here_s, self.there_s))
        if self.twice_there and (self.there_s or 0.0) <= 100.0 and there:
            return PaymentOutcome.DUPLICATED
        if not self.acknowledged:
            return PaymentOutcome.UNACKNOWLEDGED
        if self.twice_there and there:
            return PaymentOutcome.DUPLICATED
        if not here and not there:
            return PaymentOutcome.LOST
        if not (here and there):
            return PaymentOutcome.DIVERGED
        return (
            PaymentOutcome.RECORDED
            if max(self.here_s or 0.0, self.there_s or 0.0) <= 100.0
            else PaymentOutcome.DELAYED
        )


LIVES = st.lists(
    st.builds(
        Life, st.booleans(), MOMENTS, MOMENTS, st.sampled_from((False, False, False, True)), st.booleans()
    ),
    max_size=12,
)


# One that cannot be removed is waited for, and meanwhile replication brings back another that was gone.
@example([Life(False, 0.0, 118.0, True, False), Life(True, 0.0, 116.0, False, False)])
@settings(max_examples=50, deadline=None)
@given(LIVES)
def test_every_payment_has_the_outcome_that_the_world_gave_it(lives: list[Life]) -> None:
    world = ReconciledRegions()
    payments = [payment(number) for number in range(len(lives))]
    attempts = []
    for one, life in zip(payments, lives, strict=True):
        world.put(one, life.here_s, life.there_s)
        if life.twice_there and life.there_s is not None:
            world.there.arrivals[one.payment_id].append((life.there_s, second(one)))
        attempts.append(attempt(one, Result.ACKNOWLEDGED if life.acknowledged else Result.SILENT))
        if life.again:
            attempts.append(attempt(one, Result.REFUSED, again=True))
    found = world.reckon(Entries(tuple(payments), tuple(attempts)))
    assert found.counts == Counter(life.outcome for life in lives)
    assert sum(found.counts.values()) == found.sent == len(lives)
    assert found.acknowledged == sum(life.acknowledged for life in lives)
    assert found.resent == sum(life.again for life in lives)
    damaged = {PaymentOutcome.LOST, PaymentOutcome.DUPLICATED, PaymentOutcome.DIVERGED}
    assert found.examples == tuple(
        one.payment_id for one, life in zip(payments, lives, strict=True) if life.outcome in damaged
    )
    assert (
        set(found.not_removed)
        == {one.payment_id for one in payments if not world.is_empty(one)} & world.noted
    )
