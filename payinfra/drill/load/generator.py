"""The load: payments begun at a steady rate, whatever their answers take, and tried until acknowledged.

`LoadGenerator` runs in a thread of its own.
"""

import asyncio
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from payinfra.clients.payments_api import REGION_HEADER
from payinfra.core.canary_contract import CanaryContract
from payinfra.drill.clock import DrillClock
from payinfra.drill.load.answers import judge_answer, request_headers
from payinfra.drill.load.connections import (
    MOST_CONNECTIONS,
    SLOT_CONNECTIONS,
    ConnectionPool,
    Dial,
    TargetConnections,
    dialer,
)
from payinfra.drill.load.counters import CountedLoad, LoadCounters, LoadSnapshot, SuccessStreak
from payinfra.drill.load.payments import DrillPayment, Maker
from payinfra.drill.load.targets import CachingResolver, ClientKind, LoadClient, LoadTarget, NameUnresolved
from payinfra.drill.model import Attempt, Result

__all__ = ["LoadGenerator", "LoadSnapshot", "Pace", "SuccessStreak"]

HEARTBEAT_EVERY_S = 0.5
MOST_LATE_S = 5.0
"""A process that stood still for longer does not make up for the payments that it has missed."""
RETRIES_AT_ONCE = 64
"""Attempts under way that are not a payment's first, which nothing holds up. While a region answers nothing,
more of them would find out nothing, and take the time that first attempts need."""
LEAVE_S = 15.0
"""How long the thread may take to close its connections, and to get DNS answers that it does not need."""


@dataclass(frozen=True)
class Pace:
    """How fast, how patient. Times are seconds of real time.

    Attributes:
        rate: payments a second, more than 0.
        time_out_s: how long one attempt waits for its answer, all in all.
        first_pause_s: the longest pause after a first failure; it doubles with each …
        longest_pause_s: … up to this. A pause is anything between 0 and that (full jitter), but no shorter
            than the answer's Retry-After within this.
        retries: how many times `rate` the attempts a second may be that are not a payment's first; more
            than 0.
        resend_every: resend every Nth acknowledged payment; 0 disables.
        resend_after_s: after this, or as soon as its name leads to another region than acknowledged it.
    """

    rate: float
    time_out_s: float = 5.0
    first_pause_s: float = 0.2
    longest_pause_s: float = 2.0
    retries: float = 2.0
    resend_every: int = 10
    resend_after_s: float = 60.0

    @property
    def most_a_second(self) -> float:
        """Requests a second at the worst: what throttling and quotas must let through."""
        return self.rate * (1 + self.retries)


class LoadLog(Protocol):
    """The part of the payment log that the load writes."""

    def payment(self, payment: DrillPayment) -> "Future[None]":
        """Note a payment; it may be sent once that is done."""
        ...

    def named(self, payment: DrillPayment, payment_id: str) -> None:
        """Note that the API gives the payment another id than was expected."""
        ...

    def attempt(self, attempt: Attempt) -> None:
        """Note an attempt."""
        ...


@dataclass(frozen=True)
class LoadProfile:
    """What a load is made of.

    Args:
        clients: who sends payments, in turn.
        api_key: goes into a header and nowhere else.
        wall_ms: milliseconds since the epoch.
        jitter: a random number between two.
    """

    pace: Pace
    maker: Maker
    log: LoadLog
    clients: Sequence[LoadClient]
    api_key: str = field(repr=False)
    clock: DrillClock
    wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    jitter: Callable[[float, float], float] = random.uniform  # noqa: S311 - it spreads retries


class LoadGenerator(CountedLoad):
    """The load, in a thread of its own.

    Args:
        dial: makes connections; the real ones unless given.
        loop: makes the thread's event loop.
    """

    def __init__(
        self,
        plan: LoadProfile,
        dial: Dial | None = None,
        loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop,
    ) -> None:
        self._counters = LoadCounters(plan.clock.elapsed)
        self._sender = Sender(plan, self._counters, dial or dialer())
        self._loop = loop
        self._thread = threading.Thread(target=self._run, name="drill-load", daemon=True)

    def start(self) -> None:
        """Begin. Once only."""
        self._counters.heartbeat()
        self._thread.start()

    def stop(self, grace_s: float) -> None:
        """Begin no new payment; until the grace ends, resend what is due for it, and what has no answer.

        Returns once the thread has ended. Harmless before the start, and a second time.
        """
        if self._thread.is_alive():
            self._sender.stop(grace_s)
            self._thread.join(grace_s + LEAVE_S)

    def __enter__(self) -> Self:
        """Begin."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and wait for nothing."""
        self.stop(0.0)

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=self._loop) as runner:
                runner.run(self._sender.run())
        except BaseExceptionGroup as broken:
            self._counters.broke(f"{broken.exceptions[0]!r}")
        except Exception as broken:  # noqa: BLE001 - whatever it was: the drill's engine must hear of it
            self._counters.broke(f"{broken!r}")


@dataclass(frozen=True)
class _Outcome:
    """What an attempt came to; `pause_s` is the least pause that the answer asks for."""

    result: Result
    region: str = ""
    status: int = 0
    pause_s: float = 0.0


_SILENCE = _Outcome(Result.SILENT)


@dataclass(frozen=True)
class _Resend:
    """An acknowledged payment that will be sent again."""

    payment: DrillPayment
    client: int
    number: int
    region: str
    until_s: float


class Sender:
    """What runs in the thread: one event loop, a task for each payment that is under way."""

    def __init__(self, plan: LoadProfile, counters: LoadCounters, dial: Dial) -> None:
        self._plan = plan
        self._pace = plan.pace
        self._counters = counters
        most = max(SLOT_CONNECTIONS, MOST_CONNECTIONS // len(plan.clients))
        self._pool = ConnectionPool(dial, most)
        self._elapsed = plan.clock.elapsed
        self._acknowledged = 0
        self._sent_to: dict[int, LoadTarget] = {}
        self._moved: deque[int] = deque()
        self._resends: list[_Resend] = []
        self._next_retry_s = 0.0
        self._retrying = asyncio.Semaphore(RETRIES_AT_ONCE)
        self._stopping = asyncio.Event()
        self._stop_wanted: Future[float] = Future()
        self._stop_wanted.set_running_or_notify_cancel()  # a task that is cancelled does not cancel this

    def stop(self, grace_s: float) -> None:
        """End, from any thread; what is under way may take `grace_s` seconds more. The first call counts."""
        with suppress(InvalidStateError):
            self._stop_wanted.set_result(grace_s)

    async def run(self) -> None:
        """Send payments until `stop`.

        Raises:
            BaseExceptionGroup: the payment log could not be written: what is not in it may not be sent.
        """
        try:
            async with asyncio.timeout(None) as limit, asyncio.TaskGroup() as tasks:
                tasks.create_task(self._await_stop(limit))
                tasks.create_task(self._send_again(tasks))
                for number, client in enumerate(self._plan.clients):
                    if isinstance(client.resolver, CachingResolver):
                        tasks.create_task(self._keep_asking(number, client.resolver))
                await self._begin(tasks)
        except TimeoutError:
            pass  # The grace is over.
        finally:
            await self._pool.close()

    async def _await_stop(self, limit: asyncio.Timeout) -> None:
        grace_s = await asyncio.wrap_future(self._stop_wanted)
        limit.reschedule(asyncio.get_running_loop().time() + grace_s)
        self._stopping.set()

    async def _begin(self, tasks: asyncio.TaskGroup) -> None:
        """A payment at each moment of the schedule; a late one does not move those after it."""
        due, number = self._elapsed(), 0
        while not self._stopping.is_set():
            self._counters.heartbeat()
            late = self._elapsed() - due
            if late < 0:
                await self._pause(min(-late, HEARTBEAT_EVERY_S))
            else:
                tasks.create_task(self._pay(number, late))
                number += 1
                due += 1 / self._pace.rate + (late if late > MOST_LATE_S else 0)

    async def _keep_asking(self, client: int, resolver: CachingResolver) -> None:
        """Ask for the name at once, and then whenever the answer expires: a client that has moved sends next.

        All clients ask first at the same moment, so that their answers expire evenly over the TTL.
        """
        with suppress(NameUnresolved):
            await asyncio.to_thread(resolver.find)
        while not self._stopping.is_set():
            wait_s = resolver.refresh_in_s
            await self._pause(HEARTBEAT_EVERY_S if wait_s is None else wait_s)
            if wait_s is None or self._stopping.is_set():
                continue
            await asyncio.to_thread(resolver.refresh)
            before, now = self._sent_to.get(client), resolver.known()
            if before is not None and now is not None and now != before and client not in self._moved:
                self._moved.append(client)

    def _next_client(self, number: int) -> int:
        """Who sends the payment with this number: whoever has moved and not sent since, else each in turn."""
        return self._moved.popleft() if self._moved else number % len(self._plan.clients)

    async def _pause(self, seconds: float) -> None:
        """Wait, but no longer than until the stop."""
        # Not wait_for: in Python 3.11 it can lose a cancellation that comes together with what it waits for.
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    async def _pay(self, number: int, late_s: float) -> None:
        self._counters.began(late_s)
        client = self._next_client(number)
        other = (client + 1) % len(self._plan.clients)
        payment = self._plan.maker.make(number, self._plan.wall_ms(), self._elapsed())
        await asyncio.wrap_future(self._plan.log.payment(payment))
        tries, outcome = await self._send_until_settled(payment, client, 1, again=False)
        self._counters.settled()
        if not outcome.result.good:
            return
        self._acknowledged += 1
        if self._pace.resend_every and self._acknowledged % self._pace.resend_every == 0:
            until = self._elapsed() + self._pace.resend_after_s
            self._resends.append(_Resend(payment, other, tries + 1, outcome.region, until))

    async def _send_again(self, tasks: asyncio.TaskGroup) -> None:
        """Resend what is due, one after the other; the rest at the end."""
        while self._resends or not self._stopping.is_set():
            resend = next(filter(self._is_due, self._resends), None)
            if resend is None:
                await self._pause(HEARTBEAT_EVERY_S / 2)
                continue
            self._resends.remove(resend)
            await self._await_retry_turn()
            tasks.create_task(
                self._send_until_settled(resend.payment, resend.client, resend.number, again=True)
            )

    def _is_due(self, resend: _Resend) -> bool:
        target = self._plan.clients[resend.client].resolver.known()
        elsewhere = target is not None and target.region not in ("", resend.region)
        return elsewhere or self._stopping.is_set() or self._elapsed() >= resend.until_s

    async def _send_until_settled(
        self, payment: DrillPayment, client: int, number: int, *, again: bool
    ) -> tuple[int, _Outcome]:
        """Attempts from this number on, until one is acknowledged or refused: its number and outcome."""
        longest = self._pace.first_pause_s
        while True:
            async with nullcontext() if number == 1 else self._retrying:
                outcome = await self._attempt(payment, client, number, again=again)
            if outcome.result.good or outcome.result is Result.REFUSED:
                return number, outcome
            pause = max(self._plan.jitter(0.0, longest), outcome.pause_s)
            await asyncio.sleep(min(pause, self._pace.longest_pause_s))
            await self._await_retry_turn()
            longest = min(2 * longest, self._pace.longest_pause_s)
            number += 1

    async def _await_retry_turn(self) -> None:
        """Wait, so that all retries together keep to their share of the rate."""
        now = self._elapsed()
        mine = max(now, self._next_retry_s)
        self._next_retry_s = mine + 1 / (self._pace.rate * self._pace.retries)
        await asyncio.sleep(mine - now)

    async def _attempt(self, payment: DrillPayment, client: int, number: int, *, again: bool) -> _Outcome:
        """One request, noted however it ends."""
        began, outcome, asked = self._elapsed(), _SILENCE, ""
        sender = self._plan.clients[client]
        self._counters.sent()
        try:
            async with asyncio.timeout(self._pace.time_out_s):
                connections = await self._pool.take(sender.resolver)
                self._sent_to[client] = connections.target
                asked = connections.target.region
                outcome = await self._send(payment, connections)
        except Exception:  # noqa: BLE001, S110 - whatever it was, nobody answered: that is what the drill measures
            pass
        finally:
            attempt = Attempt(
                key=payment.key,
                number=number,
                at_s=round(began, 6),
                seconds=round(self._elapsed() - began, 6),
                region=outcome.region,
                status=outcome.status,
                result=outcome.result,
                again=again,
                client=client,
            )
            self._plan.log.attempt(attempt)
            self._counters.ended(attempt, asked, by_name=sender.kind is ClientKind.RESOLVES)
        return outcome

    @property
    def _contract(self) -> CanaryContract:
        return self._plan.maker.contract

    async def _send(self, payment: DrillPayment, connections: TargetConnections) -> _Outcome:
        failed = True
        try:
            headers = request_headers(payment, self._plan.api_key, self._contract)
            response = await connections.post(payment.body, headers)
            failed = False
        finally:
            await self._pool.release(connections, failed=failed)
        region = response.headers.get(REGION_HEADER, connections.target.region)
        answer = judge_answer(response.status_code, response.headers.get, response.content, self._contract)
        if answer.payment_id not in ("", payment.payment_id):
            self._plan.log.named(payment, answer.payment_id)
        return _Outcome(answer.result, region, response.status_code, answer.pause_s)
