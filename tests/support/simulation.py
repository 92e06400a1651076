"""A two-region backend in virtual time, with everything that a drill asks of it: the real engine drills it.

Nothing here waits or opens a socket: time goes on when the engine waits. The load is made of the drill's own
payments and counters; payments are judged by the drill's own reconciliation. What can be damaged is a field
of `Damage`.
"""

import heapq
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from payinfra.core.errors import EnvironmentUnusable, PayinfraError
from payinfra.core.naming import objects_of_tests
from payinfra.core.outputs import DeclaredDns, DeclaredHealth
from payinfra.drill.alarm_watch import AlarmWatch, expected_alarms
from payinfra.drill.audit_objects import AuditObject, reconcile_audit
from payinfra.drill.clock import Stop
from payinfra.drill.engine import Drill, DrillDependencies, DrillId, Read
from payinfra.drill.evidence import FaultObserver
from payinfra.drill.faults.actions import FaultAction
from payinfra.drill.faults.executor import FaultFailed
from payinfra.drill.faults.health_check import SetUnhealthy
from payinfra.drill.faults.journal import FaultJournal, Header
from payinfra.drill.faults.lambda_throttle import SetConcurrency
from payinfra.drill.faults.model import EvidenceSources
from payinfra.drill.faults.region_outage import Blackout
from payinfra.drill.faults.registry import fault_named
from payinfra.drill.faults.replication_pause import PauseReplication
from payinfra.drill.faults.rollback import restore
from payinfra.drill.faults.scenarios import sends_to_both
from payinfra.drill.load.counters import LoadCounters, LoadSnapshot
from payinfra.drill.load.payment_log import Entries
from payinfra.drill.load.payments import DrillPayment, Maker, customer
from payinfra.drill.load.targets import client_count
from payinfra.drill.machine import MachineWatch
from payinfra.drill.model import (
    Attempt,
    DrillEvent,
    DrillReport,
    DrillRequest,
    PaymentOutcome,
    Reconciliation,
    Result,
    tell_nobody,
)
from payinfra.drill.observers import DnsAnswer, Poller
from payinfra.drill.prediction import predict
from payinfra.drill.reconciliation import reconcile
from payinfra.drill.replicas import StoredItem
from payinfra.drill.separation import Separation
from payinfra.drill.survivor import read_survivor
from payinfra.drill.timeline import Recorder
from tests.unit.checks.probes.conftest import declared

EAST, WEST = "us-east-1", "us-west-2"
HEALTH = DeclaredHealth("/prod/health", 10, 3, EAST, "topic", ())
DNS = DeclaredDns("zone", False, 60, "/payments", "/health", ("p", "s"), ())
SCALE = 10.0
INTERVAL_S = HEALTH.interval_s / SCALE
TTL_S = DNS.ttl_s / SCALE
STEP_S = 0.05
NEVER = float("inf")
FIRST_MS = 1_767_322_000_000


@dataclass(frozen=True)
class Damage:
    """What is wrong with the deployment, or with the drill; nothing by default. Times are seconds.

    Attributes:
        survivor_fails: the share of payments that the survivor answers with a 500.
        survivor_fails_from_s: from when on; before, it is well.
        survivor_latency_s: how long it takes to answer.
        survivor_carries: payments a second that it can take; it throttles the rest.
        survivor_silent: it answers nothing.
        replication_s: how late a payment reaches the other region.
        replicates: whether it ever does.
        replicates_back: whether what the survivor takes reaches the other region.
        forgets: every so manieth acknowledged payment is not stored.
        stores_twice: every so manieth payment is stored under a second key as well.
        stores_another: every so manieth payment is stored with another amount in the survivor.
        audit_fails_in: the region whose bucket takes no audit objects.
        audit_replicates: whether audit objects reach the other region.
        refuses: every so manieth payment is refused for good.
        loses_answers: the share of answers that never arrive in the region that is lost, before the fault.
        name_moves: whether the name is switched when the health check is unhealthy.
        name_is_stale: whether one name server goes on answering as before.
        name_left_at_s: when the name leaves the region by itself.
        ttl_s: how long clients keep an answer.
        finds_out: whether the health check notices a failing region.
        finds_out_late_s: how much later than declared.
        was_failing: whether the health check was about to give up before the fault.
        flaps_after_s: when, after the switch, the name leads back for a while.
        effect: whether the fault has any effect.
        lifted_after_s: when, after the injection, somebody lifts the fault.
        evidence_blind_after_s: when, after the injection, nobody can look at the fault any more.
        refused: whether the fault is refused.
        health_alarm_rings: whether the alarm on the health check does.
        throttle_alarm_rings: whether the alarm on throttles does.
        survivor_alarm_s: when, after the injection, an alarm of the survivor rings.
        customers_alarm_s: when, after the injection, the survivor's alarm on 5xx rings.
        lost_alarm_s: when, after the injection, the lost region's alarm on latency rings.
        lag_s: how late payments are begun.
        waiting: the share of time in which a process waits for a processor.
        load_dies_at_s: when the load generator stops.
        interrupted_at_s: when a person interrupts.
        survivor_unreadable: whether the survivor's table cannot be read at the failover.
        unreadable: whether the tables cannot be read in the end.
        not_removed: whether the survivor's table keeps what is removed.
        audit_unreadable: whether the buckets cannot be read.
        alarms_unreadable_in: the region whose alarms nobody can look at; empty for none.
        not_lifted: whether the fault cannot be rolled back.
        does_not_return: whether the region stays unhealthy after the fault.
        name_does_not_return: whether the name stays with the survivor.
        unsteady_after: what is wrong in the end.
    """

    survivor_fails: float = 0.0
    survivor_fails_from_s: float = 0.0
    survivor_latency_s: float = 0.06
    survivor_carries: float = NEVER
    survivor_silent: bool = False
    replication_s: float = 0.0
    replicates: bool = True
    replicates_back: bool = True
    forgets: int = 0
    stores_twice: int = 0
    stores_another: int = 0
    audit_fails_in: str = ""
    audit_replicates: bool = True
    refuses: int = 0
    loses_answers: float = 0.0
    name_moves: bool = True
    name_is_stale: bool = False
    name_left_at_s: float = NEVER
    ttl_s: float = TTL_S
    finds_out: bool = True
    finds_out_late_s: float = 0.0
    was_failing: bool = False
    flaps_after_s: float = NEVER
    effect: bool = True
    lifted_after_s: float = NEVER
    evidence_blind_after_s: float = NEVER
    refused: bool = False
    health_alarm_rings: bool = True
    throttle_alarm_rings: bool = True
    survivor_alarm_s: float = NEVER
    customers_alarm_s: float = NEVER
    lost_alarm_s: float = NEVER
    lag_s: float = 0.0
    waiting: float = 0.1
    load_dies_at_s: float = NEVER
    interrupted_at_s: float = NEVER
    survivor_unreadable: bool = False
    unreadable: bool = False
    not_removed: bool = False
    audit_unreadable: bool = False
    alarms_unreadable_in: str = ""
    not_lifted: bool = False
    does_not_return: bool = False
    name_does_not_return: bool = False
    unsteady_after: tuple[str, ...] = ()


@dataclass
class Table:
    """A region's table: items by payment id and timestamp."""

    items: dict[str, dict[str, StoredItem]] = field(default_factory=dict)
    unreadable: bool = False
    kept: bool = False
    peer: "Table | None" = None

    def put(self, payment_id: str, item: StoredItem) -> None:
        self.items.setdefault(payment_id, {})[item.timestamp] = item

    def read(self, payment_id: str) -> tuple[StoredItem, ...]:
        """See `payinfra.drill.replicas.Replica`."""
        if self.unreadable:
            raise EnvironmentUnusable("The table does not answer.", "Wait.")
        return tuple(self.items.get(payment_id, {}).values())

    def remove(self, payment_id: str, record: StoredItem) -> None:
        """See `payinfra.drill.replicas.Replica`. The other region follows."""
        for table in (self, self.peer):
            if table is not None and not table.kept:
                table.items.get(payment_id, {}).pop(record.timestamp, None)


@dataclass
class Bucket:
    """A region's audit bucket."""

    keys: set[str] = field(default_factory=set)

    def pages(self, prefix: str) -> Iterator[Sequence[AuditObject]]:
        """See `payinfra.drill.audit_objects.AuditStore`."""
        yield tuple(AuditObject(key, "v1") for key in sorted(self.keys) if key.startswith(prefix))

    def remove(self, objects: Sequence[AuditObject]) -> tuple[str, ...]:
        """See `payinfra.drill.audit_objects.AuditStore`."""
        self.keys -= {one.key for one in objects}
        return ()


class _NoLog:
    """A payment log that keeps nothing."""

    def judged(
        self, payment: DrillPayment, outcome: PaymentOutcome, contents: Sequence[Sequence[str]]
    ) -> None:
        """Nothing."""

    def removals(self, payment_ids: tuple[str, ...]) -> "Future[None]":
        """Done at once."""
        done: Future[None] = Future()
        done.set_result(None)
        return done


@dataclass
class _Client:
    """A client of the load: what it was told, until when, and whether it asks again at all."""

    age: float
    keeps: bool = False
    pinned: str = ""
    region: str = ""
    until: float = -1.0


@dataclass
class Simulation:
    """The backend, the load on it, and time. It is the drill's clock, executor, load and every observer."""

    damage: Damage
    request: DrillRequest
    lost: str = EAST
    other: str = WEST
    stop: Stop = field(default_factory=Stop)
    at: float = 0.0
    active: list[FaultAction] = field(default_factory=list)
    injected: float | None = None
    restored: float | None = None
    stopped: float | None = None
    payments: list[DrillPayment] = field(default_factory=list)
    tables: dict[str, Table] = field(default_factory=lambda: {EAST: Table(), WEST: Table()})
    buckets: dict[str, Bucket] = field(default_factory=lambda: {EAST: Bucket(), WEST: Bucket()})
    pending: list[tuple[float, str, str, StoredItem]] = field(default_factory=list)
    moved: list[int] = field(default_factory=list)
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _turn: Iterator[int] = field(default_factory=itertools.count)
    _bad_since: float | None = None
    _good_since: float | None = 0.0
    _unhealthy_since: float | None = None
    _switched: float | None = None

    def __post_init__(self) -> None:
        self.counters = LoadCounters(self.elapsed)
        east, west = self.tables[EAST], self.tables[WEST]
        east.peer, west.peer, west.kept = west, east, self.damage.not_removed
        self.maker = Maker("demo", "x1")
        count = client_count(self.rate, TTL_S)
        named = [_Client(at / count) for at in range(count)]
        clients = [*named, *(_Client(0.0, keeps=True) for _ in range(max(1, count // 10)))]
        if sends_to_both(self.request):
            clients = [one for client in clients for one in (client, _Client(0.0, pinned=self.other))]
        self.clients = clients
        self.named = tuple(at for at, one in enumerate(clients) if not (one.keeps or one.pinned))
        self.kept = tuple(at for at, one in enumerate(clients) if one.keeps)

    @property
    def rate(self) -> float:
        return self.request.payments_a_second

    # -- time ------------------------------------------------------------------------------------------

    def elapsed(self) -> float:
        return self.at

    def wait(self, seconds: float) -> None:
        ends = self.at + max(seconds, STEP_S)
        while self.at < ends - 1e-9:
            self.at = min(ends, self.at + STEP_S)
            self._step()

    def _step(self) -> None:
        if self.at >= self.damage.interrupted_at_s and not self.stop.wanted:
            self.stop.ask("SIGINT")
        if self.injected is not None and self.at >= self.injected + self.damage.lifted_after_s:
            self.active.clear()
        self._health()
        self._refresh()
        while self._events and self._events[0][0] <= self.at:
            heapq.heappop(self._events)[2]()
        self._replicate()

    def _later(self, at_s: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._events, (at_s, next(self._turn), do))

    # -- what fails ------------------------------------------------------------------------------------

    def inject(self, action: FaultAction) -> None:
        if self.damage.refused:
            raise FaultFailed("Nothing was done", "access denied", "Ask for more rights.", refused=True)
        self.active.append(action)
        self.injected = self.at if self.injected is None else self.injected

    def rollback(self, action: FaultAction) -> None:
        if self.damage.not_lifted:
            raise FaultFailed("Nothing was undone", "no answer", "Again.")
        if action in self.active:
            self.active.remove(action)
        self.restored = self.at

    def is_active(self, action: FaultAction) -> bool:
        return action in self.active

    def _has(self, kind: type[FaultAction]) -> bool:
        return self.damage.effect and any(isinstance(one, kind) for one in self.active)

    def dark(self, region: str) -> bool:
        if region == self.other and self.damage.survivor_silent and self.injected is not None:
            return True
        return region == self.lost and self._has(Blackout)

    def failing(self, region: str) -> bool:
        return region == self.lost and self._has(SetConcurrency)

    # -- Route 53 --------------------------------------------------------------------------------------

    def _health(self) -> None:
        bad = self.damage.finds_out and (self.dark(self.lost) or self.failing(self.lost))
        bad = bad or (self.damage.does_not_return and self._unhealthy_since is not None)
        if bad:
            self._bad_since = self.at if self._bad_since is None else self._bad_since
            self._good_since = None
        else:
            self._good_since = self.at if self._good_since is None else self._good_since
            self._bad_since = None
        if self.healthy():
            self._unhealthy_since = None
        elif self._unhealthy_since is None:
            self._unhealthy_since = self.at

    def healthy(self) -> bool:
        if any(isinstance(one, SetUnhealthy) for one in self.active) and self.damage.effect:
            return False
        settle = HEALTH.threshold * INTERVAL_S
        if self._bad_since is not None:
            early = settle - 0.2 if self.damage.was_failing else 0.0
            return self.at < self._bad_since + settle + self.damage.finds_out_late_s - early
        if self._unhealthy_since is None or self._good_since is None:
            return True
        return self.at >= self._good_since + settle

    def answers_with(self) -> tuple[str, str]:
        """Where each of the two name servers leads."""
        region = self.lost if self.healthy() or not self.damage.name_moves else self.other
        if self.at >= self.damage.name_left_at_s:
            region = self.other
        if self.damage.name_does_not_return and self._switched is not None:
            region = self.other
        if region == self.other and self._switched is None:
            self._switched = self.at
        if self._switched is not None:
            since = self.at - self._switched - self.damage.flaps_after_s
            region = self.lost if 0 <= since < TTL_S else region
        stale = self.damage.name_is_stale and self.injected is not None
        return region, (self.lost if stale else region)

    def dns(self) -> tuple[DnsAnswer, ...]:
        return tuple(
            DnsAnswer(f"ns-{at}", region, (region,), 60) for at, region in enumerate(self.answers_with(), 1)
        )

    def _target(self, client: _Client) -> str:
        if client.pinned:
            return client.pinned
        if not client.region:
            client.region = self.answers_with()[0]
            client.until = self.at + self.damage.ttl_s * (1 - client.age)
        return client.region

    def _refresh(self) -> None:
        """Each client that asks for the name does so as its answer expires; one that moves sends next."""
        for number in self.named:
            client = self.clients[number]
            if client.region and self.at >= client.until:
                before, client.region = client.region, self.answers_with()[0]
                client.until += self.damage.ttl_s
                if client.region != before and number not in self.moved:
                    self.moved.append(number)

    # -- the load --------------------------------------------------------------------------------------

    def start(self) -> None:
        self.counters.heartbeat()
        for number in self.named:
            self._target(self.clients[number])
        self._begin(0, self.at)

    def _begin(self, number: int, due: float) -> None:
        if self.stopped is not None or self.at >= self.damage.load_dies_at_s:
            return
        self.counters.heartbeat()
        late = self.damage.lag_s
        payment = self.maker.make(number, FIRST_MS + number, self.at)
        self.payments.append(payment)
        self.counters.began(late)
        client = self.moved.pop(0) if self.moved else number % len(self.clients)
        self._attempt(payment, number, client, 1)
        self._later(due + 1 / self.rate + late, lambda: self._begin(number + 1, due + 1 / self.rate + late))

    def _attempt(self, payment: DrillPayment, number: int, client: int, tries: int) -> None:
        region, began = self._target(self.clients[client]), self.at
        self.counters.sent()
        result, status, seconds = self._answer(payment, number, region)
        answered = region if status else ""
        attempt = Attempt(payment.key, tries, began, seconds, answered, status, result, client=client)

        def end() -> None:
            self.counters.ended(attempt, region, by_name=client in self.named)
            if result.good or result is Result.REFUSED:
                self.counters.settled()
                return
            if result is Result.SILENT and self.clients[client].keeps:
                self.clients[client].region = ""
            if self.stopped is None or self.at < self.stopped:
                self._later(self.at + 0.5, lambda: self._attempt(payment, number, client, tries + 1))

        self._later(began + seconds, end)

    def _answer(self, payment: DrillPayment, number: int, region: str) -> tuple[Result, int, float]:
        damage = self.damage
        survivor = region == self.other
        if self.dark(region):
            return Result.SILENT, 0, 3.0
        if self.failing(region):
            return Result.FAILED, 500, 0.05
        if damage.refuses and number % damage.refuses == 0:
            return Result.REFUSED, 422, 0.05
        if survivor and self.at >= damage.survivor_fails_from_s and _share(number, damage.survivor_fails):
            return Result.FAILED, 500, 0.05
        if survivor and self.rate > damage.survivor_carries and _share(number, 0.5):
            return Result.FAILED, 429, 0.05
        self._store(payment, number, region)
        if not survivor and self.injected is None and _share(number, damage.loses_answers):
            return Result.SILENT, 0, 3.0
        return Result.ACKNOWLEDGED, 201, damage.survivor_latency_s if survivor else 0.06

    def _store(self, payment: DrillPayment, number: int, region: str) -> None:
        damage, sent = self.damage, json.loads(payment.body)
        peer = self.other if region == self.lost else self.lost
        if damage.forgets and number % damage.forgets == 1:
            return
        if damage.stores_another and region == self.other and number % damage.stores_another == 1:
            sent = sent | {"amount": 7}
        items = [_item(payment, sent)]
        if damage.stores_twice and number % damage.stores_twice == 1:
            items.append(replace(items[0], timestamp=str(sent["timestamp"] + 1)))
        for item in items:
            self.tables[region].put(payment.payment_id, item)
            if damage.replicates and (region == self.lost or damage.replicates_back):
                self.pending.append((self.at + damage.replication_s, peer, payment.payment_id, item))
        if region != damage.audit_fails_in:
            key = f"{objects_of_tests(customer('demo'))}1/{payment.payment_id}-abc.json"
            self.buckets[region].keys.add(key)
            if damage.audit_replicates:
                self._later(self.at + 0.5, lambda: self._copy(key, peer))

    def _copy(self, key: str, peer: str) -> None:
        if self.dark(self.lost):
            self._later(self.at + 1.0, lambda: self._copy(key, peer))
        else:
            self.buckets[peer].keys.add(key)

    def _replicate(self) -> None:
        if self._has(PauseReplication) or self.dark(self.lost):
            return
        for one in [one for one in self.pending if one[0] <= self.at]:
            self.pending.remove(one)
            self.tables[one[1]].put(one[2], one[3])

    def snapshot(self) -> LoadSnapshot:
        return self.counters.snapshot()

    def attempts(self) -> tuple[Attempt, ...]:
        return self.counters.attempts()

    def lags(self) -> tuple[tuple[float, float], ...]:
        return self.counters.lags()

    def error_share(self, region: str, window_s: float) -> float | None:
        return self.counters.error_share(region, window_s)

    def end(self, grace_s: float) -> None:
        if self.stopped is None:
            self.stopped = self.at + grace_s
            while self.at < self.stopped and self.snapshot().waiting:
                self.wait(STEP_S)

    # -- what is looked at -----------------------------------------------------------------------------

    def health_page(self) -> int:
        self._may_look()
        if self.dark(self.lost):
            return 0
        return 500 if self.failing(self.lost) else 200

    def looks_active(self, action: FaultAction) -> bool:
        self._may_look()
        return self.damage.effect and action in self.active

    def _may_look(self) -> None:
        if self.injected is not None and self.at >= self.injected + self.damage.evidence_blind_after_s:
            raise OSError("nobody answers")

    def ringing(self, region: str, names: Sequence[str]) -> tuple[str, ...]:
        if self.damage.alarms_unreadable_in == region:
            raise OSError("access denied")
        return tuple(name for name in names if self._rings(region, name))

    def _rings(self, region: str, name: str) -> bool:
        damage = self.damage
        since = NEVER if self.injected is None else self.at - self.injected
        lasts = self.restored is None
        if name == f"health-{self.lost}":
            unhealthy = self._unhealthy_since
            return damage.health_alarm_rings and unhealthy is not None and self.at > unhealthy + 3.0
        if self.injected is None or since < 0:
            return False
        if region == self.lost:
            return lasts and {
                "throttles": damage.throttle_alarm_rings and self.failing(region) and since > 4.0,
                "latency": since >= damage.lost_alarm_s,
            }.get(name, False)
        return lasts and {
            "table": since >= damage.survivor_alarm_s,
            "5xx": since >= damage.customers_alarm_s,
        }.get(name, False)

    def steady(self) -> tuple[str, ...]:
        return () if self.injected is None else self.damage.unsteady_after

    def caught_up(self) -> bool:
        return self.damage.replicates

    def begin_reading(self, acknowledged: Mapping[str, float], loss_s: float) -> Read:
        table = self.tables[self.other]
        table.unreadable = self.damage.survivor_unreadable
        try:
            found = read_survivor(
                acknowledged,
                table,
                region=self.other,
                loss_s=loss_s,
                elapsed=self.elapsed,
                sleep=lambda _seconds: None,
            )
        except EnvironmentUnusable as error:
            raised = error

            def fail() -> Any:
                raise raised

            return fail
        finally:
            table.unreadable = False
        return lambda: found

    def reconciled(self) -> Reconciliation:
        if self.damage.unreadable:
            raise EnvironmentUnusable("The tables do not answer.", "Wait.")
        entries = Entries(tuple(self.payments), self.attempts())
        pair = (self.tables[EAST], self.tables[WEST])
        good = frozenset(one.key for one in self.attempts() if one.result.good)

        def pause(seconds: float) -> None:
            self.wait(seconds)

        found = reconcile(entries, pair, _NoLog(), within_s=20.0, clock=self.elapsed, sleep=pause)
        if self.damage.audit_unreadable:
            return replace(found, audit_problem="access denied")
        audit = reconcile_audit(
            self.payments,
            good,
            (self.buckets[EAST], self.buckets[WEST]),
            within_s=20.0,
            clock=self.elapsed,
            sleep=pause,
        )
        return replace(found, audit=audit)


def _share(number: int, share: float) -> bool:
    """Whether this one of all numbers belongs to a share of them, evenly spread."""
    return int((number + 1) * share) > int(number * share)


def _item(payment: DrillPayment, sent: Mapping[str, Any]) -> StoredItem:
    content = {
        "payment_id": {"S": payment.payment_id},
        **{name: _stored(value) for name, value in sent.items()},
    }
    return StoredItem(str(sent["timestamp"]), json.dumps(content, sort_keys=True))


def _stored(value: object) -> dict[str, object]:
    match value:
        case int():
            return {"N": str(value)}
        case dict():
            return {"M": {name: {"S": text} for name, text in value.items()}}
        case _:
            return {"S": str(value)}


@dataclass(frozen=True)
class _Load:
    """The load's own names for what the simulation does."""

    of: Simulation

    def start(self) -> None:
        self.of.start()

    def snapshot(self) -> LoadSnapshot:
        return self.of.snapshot()

    def error_share(self, region: str, window_s: float) -> float | None:
        return self.of.error_share(region, window_s)

    def attempts(self) -> tuple[Attempt, ...]:
        return self.of.attempts()

    def lags(self) -> tuple[tuple[float, float], ...]:
        return self.of.lags()

    def stop(self, grace_s: float) -> None:
        self.of.end(grace_s)


class PolledByTime(Poller[Any]):
    """A poller without a thread: it polls at its pace whenever somebody wants to know."""

    def start(self) -> None:
        """Poll from now on."""
        _POLLERS.append(self)
        self.poll_once()

    def stop(self) -> None:
        """Poll no more."""
        if self in _POLLERS:
            _POLLERS.remove(self)


_POLLERS: list[PolledByTime] = []


@dataclass
class PollingSimulation(Simulation):
    """The simulation, in which pollers poll at their own pace as time goes on."""

    _polled: dict[int, float] = field(default_factory=dict)

    def _step(self) -> None:
        super()._step()
        for poller in tuple(_POLLERS):
            if self.at >= self._polled.get(id(poller), 0.0) + poller.every_s:
                self._polled[id(poller)] = self.at
                poller.poll_once()


ACTIONS: Mapping[str, FaultAction] = {
    "health-check": SetUnhealthy("check", False, False),
    "lambda-throttle": SetConcurrency(EAST, "pay", None),
    "region-outage": Blackout(EAST),
    "replication-pause": PauseReplication(),
}


def drill(
    damage: Damage,
    folder: Path,
    *,
    scenario: str = "region-outage",
    request: DrillRequest | None = None,
    tell: Callable[[DrillEvent], None] = tell_nobody,
) -> tuple[DrillReport, Simulation]:
    """Drill a damaged deployment with the real engine; its report, and what is left of the deployment."""
    asked = replace(
        request or DrillRequest(warm_up_s=6.0, hold_s=8.0, in_a_row=5),
        scenarios=(scenario,),
        time_scale=SCALE,
    )
    _POLLERS.clear()
    simulation = PollingSimulation(damage, asked)
    fault = fault_named(scenario)
    prediction = predict(asked, HEALTH, DNS, on_aws=False)
    alarms = expected_alarms(
        simulated_declared(),
        (fault,),
        lost=EAST,
        found_out_s=4.0,
        time_scale=SCALE,
        on_aws=False,
    )
    prediction = prediction.waiting_until(max((one.within_s or 0.0 for one in alarms), default=0.0))
    header = Header("x1", "demo", "local", "1" * 12, (EAST, WEST), (scenario,), datetime.now(UTC), "payinfra")
    journal = FaultJournal.begin(folder / "x1", header, sync=lambda _file: None)
    action = ACTIONS[scenario]
    sources = EvidenceSources(
        health_page=simulation.health_page,
        evacuation_page=lambda: 404,
        is_active=simulation.looks_active,
        is_separated=Separation(
            simulation.attempts, dict(simulation.tables), simulation.elapsed, 1.0
        ).is_separated,
        copies_wait=lambda: False,
    )
    waited = [0.0]

    def pressure() -> int:
        waited[0] = simulation.at * damage.waiting * 1e6
        return int(waited[0])

    executor: Any = simulation
    report = Drill(
        identity=DrillId("x1", "demo", "local", datetime.now(UTC), "payinfra failover-drill --env demo"),
        request=asked,
        prediction=prediction,
        dependencies=DrillDependencies(
            lost=EAST,
            other=WEST,
            on_aws=False,
            actions=(action,),
            executor=executor,
            generator=_Load(simulation),
            steady=simulation.steady,
            healthy=simulation.healthy,
            health_every_s=0.25,
            dns=simulation.dns,
            observers=(
                FaultObserver(
                    scenario, fault.sign.what, lambda: fault.sign.is_seen(sources, (action,)), every_s=0.5
                ),
            ),
            named_clients=simulation.named,
            kept_clients=simulation.kept,
            read_survivor=simulation.begin_reading,
            alarms=AlarmWatch(alarms, simulation.ringing, simulation.elapsed),
            machine=MachineWatch(simulation.elapsed, None, pressure),
            restore=lambda: restore(journal, executor, lambda _said: None),
            caught_up=simulation.caught_up,
            reconcile=simulation.reconciled,
        ),
        journal=journal,
        clock=simulation,
        stop=simulation.stop,
        recorder=Recorder(simulation, tell),
        poller=PolledByTime,
    ).run()
    return report, simulation


def simulated_declared() -> Any:
    """What the simulated stack declares of alarms: one on throttles, one on 5xx, one of the table's …"""
    from payinfra.core.outputs import DeclaredAlarm

    found = declared()
    alarms = tuple(
        DeclaredAlarm(name, "AWS", metric, 1.0)
        for name, metric in (
            ("throttles", "Throttles"),
            ("5xx", "5XXError"),
            ("latency", "Latency"),
            ("table", "SystemErrors"),
            ("replication", "ReplicationLatency"),
        )
    )
    east, west = found.regions
    return replace(found, regions=(replace(east, alarms=alarms), replace(west, alarms=alarms)))


__all__ = ["Damage", "PayinfraError", "Simulation", "drill"]
