"""Locust's users who send a drill's payments, and the session of the worker that they belong to.

Import it in a locustfile only, or in a worker's process: importing Locust changes the process.
"""

import json
import logging
import math
import os
import random
import socket
import sys
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar
from urllib.parse import urlsplit

import gevent
from gevent.event import AsyncResult, Event
from gevent.lock import BoundedSemaphore
from gevent.pool import Group
from gevent.queue import Queue
from geventhttpclient import HTTPClient
from locust import User, constant, task
from locust.env import Environment
from locust.exception import StopUser
from locust.util.load_locustfile import load_locustfile

from payinfra.clients.http import trusting
from payinfra.clients.payments_api import REGION_HEADER
from payinfra.core.run_id import user_agent
from payinfra.core.version import __version__
from payinfra.drill.load.answers import JudgedAnswer, judge_answer, request_headers
from payinfra.drill.load.connections import LONGEST_S, MOST_CONNECTIONS, SLOT_CONNECTIONS
from payinfra.drill.load.generator import HEARTBEAT_EVERY_S, MOST_LATE_S, RETRIES_AT_ONCE
from payinfra.drill.load.payment_log import attempt_entry, payment_entry
from payinfra.drill.load.payments import DrillPayment, Maker
from payinfra.drill.load.targets import CachingResolver, ClientKind, LoadTarget, NameUnresolved
from payinfra.drill.load.worker_order import LoadOrder
from payinfra.drill.model import Attempt, Result

SPARE_USERS = 1.25
"""How many times as many users there are as have to wait at once while nothing answers."""
NAME = "/payments"
"""What Locust's own statistics call the requests."""


class MasterGone(Exception):
    """The drill's process does not hear any more: nothing may be sent."""


class MasterConnection:
    """The connection to the drill's process: what was written there may be sent."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lines = connection.makefile("rb")
        self._due: list[bytes] = []
        self._wanted = Event()
        self._written: dict[int, AsyncResult[None]] = {}
        self._number = 0
        self._heard: Queue[Mapping[str, Any] | None] = Queue()
        self.gone = Event()

    def tell(self, **message: object) -> None:
        """Tell something; it is sent together with what others tell at the same time."""
        self._due.append(json.dumps(message, separators=(",", ":")).encode() + b"\n")
        self._wanted.set()

    def write_ahead(self, payment: DrillPayment, late_s: float) -> None:
        """Return once the payment is on the drill's disk.

        Raises:
            MasterGone: it will never be.
        """
        self._number += 1
        number, written = self._number, AsyncResult()
        self._written[number] = written
        self.tell(payment=payment_entry(payment), number=number, late_s=late_s)
        if self.gone.is_set():
            raise MasterGone
        written.get()

    def send(self) -> None:
        """Send what is told, until nobody hears it."""
        while not self.gone.is_set():
            self._wanted.wait()
            self._wanted.clear()
            due, self._due = b"".join(self._due), []
            try:
                self._connection.sendall(due)
            except OSError:
                self.end()

    def hear(self) -> Mapping[str, Any] | None:
        """The next message that is no answer to `write_ahead`; None at the end."""
        heard: Mapping[str, Any] | None = self._heard.get()
        return heard

    def listen(self) -> None:
        """Take in what the drill says, until its end."""
        while True:
            try:
                line = self._lines.readline()
                message = json.loads(line) if line else None
            except (OSError, ValueError):
                message = None
            if message is None:
                self.end()
                self._heard.put(None)
                return
            if "written" in message:
                self._written.pop(int(message["written"])).set(None)
            else:
                self._heard.put(message)

    def end(self) -> None:
        """Let nobody wait any longer."""
        self.gone.set()
        self._wanted.set()
        waiting, self._written = self._written, {}
        for one in waiting.values():
            one.set_exception(MasterGone())

    def drain(self) -> None:
        """Wait until everything that was told is sent."""
        while self._due and not self.gone.is_set():
            gevent.sleep(0.01)


class TargetConnectionPool:
    """The connections of one client of the load, made anew when its target changes or one fails."""

    def __init__(self, most: int, authority: str = "") -> None:
        self._most = most
        self._authority = authority
        self._made = 0
        self._current: tuple[LoadTarget, str, HTTPClient] | None = None

    def take(self, target: LoadTarget) -> tuple[HTTPClient, str]:
        """Connections to the target, and the path that payments are sent to."""
        if self._current is None or self._current[0] != target:
            # The next address each time: the one before may be what failed.
            url = urlsplit(target.urls[self._made % len(target.urls)])
            self._made += 1
            over_tls = url.scheme == "https"
            client = HTTPClient(
                str(url.hostname),
                url.port or (443 if over_tls else 80),
                ssl=over_tls,
                ssl_options={"server_hostname": target.host} if over_tls else None,
                ssl_context_factory=partial(trusting, self._authority) if over_tls else None,
                headers={"Host": target.host, "User-Agent": user_agent()},
                concurrency=self._most,
                connection_timeout=LONGEST_S,
                network_timeout=LONGEST_S,
            )
            self._current = (target, url.path, client)
        return self._current[2], self._current[1]

    def leave(self, client: HTTPClient) -> None:
        """Take these connections no more: one of them has failed."""
        if self._current is not None and self._current[2] is client:
            self._current = None


class WorkerSession:
    """What all users of a worker share: the order, the drill's clock, and the clients that they stand for.

    The contract is that of the embedded generator (`payinfra.drill.load.generator.Sender`): payments at
    moments that no answer moves, each tried with full jitter until it is acknowledged or refused, retries
    within their share of the rate, and one acknowledged payment in so many sent again.
    """

    def __init__(self, order: LoadOrder, master: MasterConnection) -> None:
        self.order, self.master = order, master
        self.clients = order.clients.clients()
        self.maker = Maker(order.env, order.drill, order.canary)
        self.stopping, self.work = Event(), Group()
        self._zero = self._first_s = 0.0
        self._taken = 0
        self._skipped_s = 0.0
        most = max(SLOT_CONNECTIONS, MOST_CONNECTIONS // len(self.clients))
        self._connections = [TargetConnectionPool(most, order.clients.authority) for _ in self.clients]
        self._sent_to: dict[int, LoadTarget] = {}
        self._moved: deque[int] = deque()
        self._acknowledged = 0
        self._next_retry_s = 0.0
        self._retrying = BoundedSemaphore(RETRIES_AT_ONCE)

    @property
    def users(self) -> int:
        """How many users keep the rate while each waits for a payment's first attempt as long as it may."""
        share = self.order.rate / self.order.workers
        return math.ceil(share * self.order.time_out_s * SPARE_USERS) + 1

    def begin(self, elapsed_s: float) -> None:
        """Let the drill's clock go, and its schedule begin."""
        self._zero, self._first_s = time.monotonic() - elapsed_s, elapsed_s
        for number, client in enumerate(self.clients):
            if isinstance(client.resolver, CachingResolver):
                gevent.spawn(self._keep_asking, number, client.resolver)

    def elapsed(self) -> float:
        """Seconds since the drill began."""
        return time.monotonic() - self._zero

    def next_number(self) -> tuple[int, float]:
        """Wait for the moment of this worker's next payment: its number in the drill, and how late it is.

        Raises:
            StopUser: there are to be no more.
        """
        number = self.order.worker + self.order.workers * self._taken
        self._taken += 1
        due = self._first_s + number / self.order.rate + self._skipped_s
        if self.stopping.wait(max(0.0, due - self.elapsed())):
            raise StopUser
        late = max(0.0, self.elapsed() - due)
        if late > MOST_LATE_S:  # A process that stood still does not make up for what it has missed.
            self._skipped_s += late
        return number, late

    def pay(self, user: "PaymentUser") -> None:
        """One payment at its moment. Returns after its first attempt; others follow beside.

        Raises:
            StopUser: there are to be no more.
        """
        number, late_s = self.next_number()
        client = self._moved.popleft() if self._moved else number % len(self.clients)
        made = self.maker.make(number, time.time_ns() // 1_000_000, self.elapsed())
        payment = DrillPayment(made.key, made.payment_id, user.body_of(made.body), made.at_s)
        try:
            self.master.write_ahead(payment, late_s)
        except MasterGone:
            raise StopUser from None
        answer, region = self._attempt(user, payment, client, 1, again=False)
        if _is_settled(answer):
            self._settle(user, payment, client, number=1, answer=answer, region=region)
        else:
            self.work.spawn(self._retry, user, payment, client, answer)

    def _retry(self, user: "PaymentUser", payment: DrillPayment, client: int, answer: JudgedAnswer) -> None:
        number, answer, region = self._send_until_settled(user, payment, client, 1, answer, again=False)
        self._settle(user, payment, client, number=number, answer=answer, region=region)

    def _settle(
        self,
        user: "PaymentUser",
        payment: DrillPayment,
        client: int,
        *,
        number: int,
        answer: JudgedAnswer,
        region: str,
    ) -> None:
        self.master.tell(settled=payment.key)
        if not answer.result.good:
            return
        self._acknowledged += 1
        if self.order.resend_every and self._acknowledged % self.order.resend_every == 0:
            other = (client + 1) % len(self.clients)
            self.work.spawn(self._resend, user, payment, other, number + 1, region)

    def _resend(
        self, user: "PaymentUser", payment: DrillPayment, client: int, number: int, region: str
    ) -> None:
        until = self.elapsed() + self.order.resend_after_s
        while self.elapsed() < until and not self.stopping.wait(HEARTBEAT_EVERY_S / 2):
            target = self.clients[client].resolver.known()
            if target is not None and target.region not in ("", region):
                break
        self._await_retry_turn()
        answer, _ = self._attempt(user, payment, client, number, again=True)
        if not _is_settled(answer):
            self._send_until_settled(user, payment, client, number, answer, again=True)

    def _send_until_settled(
        self,
        user: "PaymentUser",
        payment: DrillPayment,
        client: int,
        number: int,
        answer: JudgedAnswer,
        *,
        again: bool,
    ) -> tuple[int, JudgedAnswer, str]:
        longest = self.order.first_pause_s
        while True:
            pause = max(random.uniform(0.0, longest), answer.pause_s)  # noqa: S311 - jitter, no secret
            gevent.sleep(min(pause, self.order.longest_pause_s))
            self._await_retry_turn()
            longest = min(2 * longest, self.order.longest_pause_s)
            number += 1
            with self._retrying:
                answer, region = self._attempt(user, payment, client, number, again=again)
            if _is_settled(answer):
                return number, answer, region

    def _await_retry_turn(self) -> None:
        """Wait, so that all retries of this worker keep to its share of the rate."""
        now = self.elapsed()
        mine = max(now, self._next_retry_s)
        self._next_retry_s = mine + self.order.workers / (self.order.rate * self.order.retries)
        gevent.sleep(mine - now)

    def _attempt(
        self, user: "PaymentUser", payment: DrillPayment, client: int, number: int, *, again: bool
    ) -> tuple[JudgedAnswer, str]:
        """One request, told of however it ends: what it came to, and the region that served it."""
        sender = self.clients[client]
        began, answer, asked, region, status = self.elapsed(), JudgedAnswer(Result.SILENT), "", "", 0
        connections: HTTPClient | None = None
        self.master.tell(sent=1)
        length, failure = 0, "nothing answered"
        try:
            with gevent.Timeout(self.order.time_out_s):
                target = sender.resolver.known() or sender.resolver.find()
                self._sent_to[client], asked = target, target.region
                connections, path = self._connections[client].take(target)
                response = connections.post(
                    path,
                    payment.body.encode(),
                    request_headers(payment, self.order.api_key, self.order.canary),
                )
                body, status = bytes(response.read()), int(response.status_code)
            length = len(body)

            def header(name: str) -> str | None:
                value = response.get(name)
                return None if value is None else str(value)

            answer = judge_answer(status, header, body, self.order.canary)
            region = header(REGION_HEADER) or target.region
            failure = "" if answer.result.good else f"status {status}"
        except (Exception, gevent.Timeout) as error:  # noqa: BLE001 - nobody answered: that is what is measured
            failure = f"{type(error).__name__}"
            if connections is not None:
                self._connections[client].leave(connections)
                sender.resolver.failed()
        if answer.payment_id not in ("", payment.payment_id):
            self.master.tell(named=payment.key, payment_id=answer.payment_id)
        seconds = self.elapsed() - began
        attempt = Attempt(
            key=payment.key,
            number=number,
            at_s=round(began, 6),
            seconds=round(seconds, 6),
            region=region,
            status=status,
            result=answer.result,
            again=again,
            client=client,
        )
        by_name = sender.kind is ClientKind.RESOLVES
        self.master.tell(attempt=attempt_entry(attempt), asked=asked, by_name=by_name)
        user.environment.events.request.fire(
            request_type="POST",
            name=NAME,
            response_time=seconds * 1000,
            response_length=length,
            exception=RuntimeError(failure) if failure else None,
            context={},
        )
        return answer, region

    def _keep_asking(self, client: int, resolver: CachingResolver) -> None:
        """Ask for the name at once, and whenever the answer expires: a client that has moved sends next."""
        with suppress(NameUnresolved):
            resolver.find()
        while not self.stopping.is_set():
            wait_s = resolver.refresh_in_s
            self.stopping.wait(HEARTBEAT_EVERY_S if wait_s is None else wait_s)
            if wait_s is None or self.stopping.is_set():
                continue
            resolver.refresh()
            before, now = self._sent_to.get(client), resolver.known()
            if before is not None and now is not None and now != before and client not in self._moved:
                self._moved.append(client)


def _is_settled(answer: JudgedAnswer) -> bool:
    return answer.result.good or answer.result is Result.REFUSED


class PaymentUser(User):
    """A client of the drill. A company's own locustfile makes subclasses of it.

    Its task `pay` sends the next payment of the drill at its moment; others may be added beside it. Payments
    are noted, tried again, read back and removed as those of the embedded generator.
    """

    abstract = True
    wait_time = constant(0)
    session: ClassVar[WorkerSession]

    @task
    def pay(self) -> None:
        """Send the next payment at its moment."""
        self.session.pay(self)

    def payment(self, body: dict[str, Any]) -> dict[str, Any]:
        """What to pay: `body` as the drill makes it, or with other values for a company's own.

        What the drill finds its payments by stays the drill's: `customer_id`, `timestamp` and the metadata
        `drill`, or what `[canary]` has in their place.
        """
        return body

    def body_of(self, made: str) -> str:
        """The JSON text of a payment."""
        before = json.loads(made)
        after = self.payment(json.loads(made))
        for name in self.session.order.canary.marks:
            given, kept = after.get(name), before[name]
            if isinstance(given, dict) and isinstance(kept, dict):
                kept = {**given, **kept}
            after[name] = kept
        return json.dumps(after, separators=(",", ":"))


class DrillUser(PaymentUser):
    """The drill's own user."""


def serve(told: Mapping[str, Any]) -> int:
    """Work for the drill that listens there: 0 at its end, else why not on stderr, and 4.

    Args:
        told: `host`, `port`, `token` and, of a company's own users, `locustfile`.
    """
    try:
        connection = socket.create_connection((told["host"], told["port"]), timeout=LONGEST_S)
        connection.settimeout(None)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        return _refused(f"The drill at {told['host']}:{told['port']} does not answer: {error}.")
    master = MasterConnection(connection)
    gevent.spawn(master.send)
    gevent.spawn(master.listen)
    name = f"{socket.gethostname()}:{os.getpid()}"
    master.tell(hello=1, token=told["token"], version=__version__, name=name)
    heard = master.hear()
    if heard is None:
        return _refused("The drill does not know this token.")
    if "order" not in heard:
        return _refused(str(heard.get("refused", "The drill says what makes no sense.")))
    try:
        order = LoadOrder.from_json(heard["order"])
        classes = _user_classes(told.get("locustfile"))
        session = WorkerSession(order, master)
    except Exception as error:  # noqa: BLE001 - a locustfile is anybody's code: the drill must hear what it did
        master.tell(failed=f"{type(error).__name__}: {error}")
        master.drain()
        return _refused(f"This worker cannot work: {error}")
    PaymentUser.session = session
    gevent.spawn(_beat, master)
    master.tell(ready=session.users)
    began = master.hear()
    if began is None or "begin" not in began:
        return 0  # The drill has ended before it began.
    _run(session, classes, float(began["begin"]))
    return 0


def _beat(master: MasterConnection) -> None:
    """Give a sign of life as often as the embedded generator does."""
    while not master.gone.wait(HEARTBEAT_EVERY_S):
        master.tell(beat=1)


def _refused(why: str) -> int:
    sys.stderr.write(f"{why}\n")
    return 4


def _user_classes(locustfile: str | None) -> list[type[User]]:
    """The users of a locustfile, at least one of which pays; the drill's own where there is none."""
    if locustfile is None:
        return [DrillUser]
    found, _shapes = load_locustfile(locustfile)[-2:]
    classes = [one for one in found.values() if not one.abstract]
    if not any(issubclass(one, PaymentUser) for one in classes):
        raise ValueError(f"{locustfile} has no subclass of PaymentUser, which sends a drill's payments")
    return classes


def _run(session: WorkerSession, classes: list[type[User]], elapsed_s: float) -> None:
    """Run the users from the begin to the end of the drill."""
    paying = [one for one in classes if issubclass(one, PaymentUser)]
    # Others than those who pay are as many as their weight says.
    others = {one: max(1, round(one.fixed_count or one.weight)) for one in classes if one not in paying}
    counts = others | {one: math.ceil(session.users / len(paying)) for one in paying}
    for one, count in counts.items():
        one.fixed_count = count
    logging.getLogger("locust").setLevel(logging.ERROR)  # It warns of so many users at once.
    environment = Environment(user_classes=classes)
    runner = environment.create_local_runner()
    session.begin(elapsed_s)
    total = sum(counts.values())
    # All at once: each user waits for the moment of its payment.
    runner.start(total, spawn_rate=total)
    said = session.master.hear()
    grace_s = 0.0 if said is None else float(said.get("stop", 0.0))
    session.stopping.set()
    ends = time.monotonic() + grace_s
    with gevent.Timeout(grace_s + 0.1, False):
        while runner.user_count and any(isinstance(user, PaymentUser) for user in _users(runner)):
            gevent.sleep(0.02)
    session.work.join(timeout=max(0.0, ends - time.monotonic()))
    session.work.kill(block=False)
    runner.quit()
    session.master.tell(left=1)
    session.master.drain()


def _users(runner: Any) -> list[User]:
    return [greenlet.args[0] for greenlet in runner.user_greenlets if greenlet.args]
