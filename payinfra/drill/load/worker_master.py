"""The load of several Locust workers: started here or elsewhere, told what to do, and heard.

Each worker is a process, and holds one connection to this one. What it is about to send it tells first, and
sends only when that is on this machine's disk, in the worker's own payment log beside the drill's: whatever
becomes of the worker or of its machine, its payments are read back.

The connection is on loopback: Locust's own protocol between master and workers has neither a password nor
encryption (Locust documentation, "Distributed load generation"), and this one has a token, and leaves
encryption to the tunnel that workers on other machines come through.
"""

import hmac
import importlib.util
import json
import os
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from payinfra.clients.retry import Deadline
from payinfra.core.errors import EnvironmentUnusable, Interrupted, UsageProblem
from payinfra.core.extras import Extra, install_command
from payinfra.core.json_text import parse_json
from payinfra.core.version import __version__
from payinfra.drill.clock import DrillClock, Stop
from payinfra.drill.load.counters import CountedLoad, LoadCounters
from payinfra.drill.load.generator import LEAVE_S
from payinfra.drill.load.payment_log import PaymentLog, attempt_of, payment_of, worker_log
from payinfra.drill.load.worker_order import TOKEN_VARIABLE, LoadOrder
from payinfra.drill.model import DrillRequest

HELLO_S = 10.0
"""How long a connection may take to say who it is, in seconds."""
SILENT_S = 15.0
"""How long a worker may be silent that gives a sign of life twice a second: then it is gone."""
ARRIVE_S = 60.0
"""How long workers that are started here may take to be ready …"""
ARRIVE_FROM_ELSEWHERE_S = 600.0
"""… and those that somebody starts on other machines."""
LOOK_S = 0.2
"""How often it is looked whether workers of this machine still live while they are waited for."""
LONGEST_LINE = 1 << 20
SHORTEST_TOKEN = 16
LOOPBACK = frozenset(("127.0.0.1", "::1", "localhost"))
WORKER_MODULE = "payinfra.drill.load.locust_worker"

Message = Mapping[str, Any]


class LoadNotBegun(EnvironmentUnusable):
    """The workers of a load are not there: nothing was sent."""


def address_of(text: str) -> tuple[str, int]:
    """The host and port of `HOST:PORT`, which must be this machine's own.

    Raises:
        UsageProblem: it is no address, or another machine's.
    """
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise UsageProblem(f"{text!r} is no address.", "Give HOST:PORT, such as 127.0.0.1:5557.")
    if host not in LOOPBACK:
        raise UsageProblem(
            f"{host} is not this machine's loopback address: nothing encrypts what workers tell.",
            "Use 127.0.0.1, and a tunnel between the machines: on the drill's, "
            f"`ssh -R {port}:127.0.0.1:{port} WORKER`.",
        )
    return host, int(port)


class Launch(Protocol):
    """Starts a worker of this machine."""

    def __call__(
        self, address: tuple[str, int], token: str, locustfile: Path | None, log: Path
    ) -> "subprocess.Popen[bytes]":
        """Start it; it connects by itself, and writes what it has to complain of to `log`."""
        ...


def launch(
    address: tuple[str, int], token: str, locustfile: Path | None, log: Path
) -> "subprocess.Popen[bytes]":
    """A worker in a process and a session of its own: no signal to the drill's terminal reaches it."""
    said = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", WORKER_MODULE],
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    finally:
        os.close(said)
    _introduce(process, address, token, locustfile)
    return process


def work(address: tuple[str, int], token: str, locustfile: Path | None) -> str:
    """Have a process of its own be a worker of the drill that listens there, to its end.

    Returns:
        Why it could not, in a sentence; empty where the drill has ended in order.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", WORKER_MODULE], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        _introduce(process, address, token, locustfile)
        said = process.stderr.read() if process.stderr is not None else b""
        code = process.wait()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    last = said.decode(errors="replace").strip().splitlines()[-1:]
    return "" if code == 0 else last[0] if last else f"The worker ended with {code}."


def _introduce(
    process: "subprocess.Popen[bytes]", address: tuple[str, int], token: str, locustfile: Path | None
) -> None:
    """Tell a worker where its drill is, through a pipe: no list of processes may show the token."""
    told = {"host": address[0], "port": address[1], "token": token}
    if locustfile is not None:
        told["locustfile"] = str(locustfile.absolute())
    if process.stdin is not None:
        with process.stdin as pipe:
            pipe.write(json.dumps(told).encode())


@dataclass(frozen=True)
class WorkerPlan:
    """How many workers there are, and whence.

    Attributes:
        count: of the workers.
        listen: `HOST:PORT` for workers that others start; empty to start all here.
        locustfile: the users of a company's own; None for the drill's.
        token: what workers from elsewhere must know.
    """

    count: int
    listen: str = ""
    locustfile: Path | None = None
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)


@dataclass
class ConnectedWorker:
    """A worker that has said who it is.

    Attributes:
        open: payments that it has begun and not brought to an end.
        left: whether it has taken its leave.
    """

    number: int
    connection: socket.socket
    name: str
    log: PaymentLog
    open: int = 0
    left: bool = False
    sending: threading.Lock = field(default_factory=threading.Lock)

    def tell(self, message: Message) -> None:
        """Send a message; one who is gone does not hear it."""
        with self.sending, suppress(OSError):
            self.connection.sendall(json.dumps(message, separators=(",", ":")).encode() + b"\n")


class WorkerLoad(CountedLoad):
    """The load of a drill, made by workers. See `payinfra.drill.engine.Generator` for its methods.

    Args:
        order: what the workers do together.
        plan: who they are.
        folder: the drill's, for a payment log of each worker.
        tell: told in a sentence of what a person should know.
        stop: whether somebody asked the drill to end, while workers are waited for.
        start_worker: starts one on this machine.
    """

    def __init__(
        self,
        order: LoadOrder,
        plan: WorkerPlan,
        folder: Path,
        clock: DrillClock,
        *,
        tell: Callable[[str], None],
        stop: Stop,
        start_worker: Launch = launch,
    ) -> None:
        self._order, self._plan, self._folder = order, plan, folder
        self._clock, self._tell, self._launch = clock, tell, start_worker
        self._stop = stop
        self._counters = LoadCounters(clock.elapsed)
        self._workers: dict[int, ConnectedWorker] = {}
        self._processes: list[subprocess.Popen[bytes]] = []
        self._threads: list[threading.Thread] = []
        self._changed = threading.Condition()
        self._ready: set[int] = set()
        self._refusals: list[str] = []
        self._stopped = False
        self._listener: socket.socket | None = None

    # -- the engine's side -------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin, once all workers are ready. Once only.

        Raises:
            LoadNotBegun: not all of them came, or one cannot work.
            Interrupted: somebody asked the drill to end meanwhile.
        """
        try:
            self._gather()
        except BaseException:
            self.stop(0.0)
            raise
        self._counters.heartbeat()
        begin = {"begin": self._clock.elapsed()}
        for worker in self._workers.values():
            worker.tell(begin)

    def stop(self, grace_s: float) -> None:
        """Begin no new payment; until the grace ends, resend what is due for it, and what has no answer.

        Returns once every worker has ended. Harmless before the start, and a second time.
        """
        self._stopped = True
        for worker in tuple(self._workers.values()):
            worker.tell({"stop": grace_s})
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        with self._changed:
            self._changed.wait_for(self._all_left, grace_s + LEAVE_S if self._ready else 0.0)
        for worker in tuple(self._workers.values()):
            with suppress(OSError):
                worker.connection.shutdown(socket.SHUT_RDWR)
        for process in self._processes:
            try:
                process.wait(1.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for thread in self._threads:
            thread.join(LEAVE_S)

    # -- the workers' side -------------------------------------------------------------------------------

    def _all_left(self) -> bool:
        return all(worker.left for worker in self._workers.values())

    def _gather(self) -> None:
        """Listen, start the workers of this machine, and wait until all are ready."""
        elsewhere = bool(self._plan.listen)
        address = address_of(self._plan.listen) if elsewhere else ("127.0.0.1", 0)
        self._listener = _listen(address)
        port = int(self._listener.getsockname()[1])
        self._begin_thread(self._accept, self._listener)
        if elsewhere:
            self._tell(
                f"Waiting for {self._plan.count} load workers: `{TOKEN_VARIABLE}=… payinfra load-worker "
                f"--master {address[0]}:{port}`, with the token of this command's own {TOKEN_VARIABLE}."
            )
        else:
            for number in range(1, self._plan.count + 1):
                log = self._folder / f"worker-{number:04d}.log"
                process = self._launch((address[0], port), self._plan.token, self._plan.locustfile, log)
                self._processes.append(process)
        within_s = ARRIVE_FROM_ELSEWHERE_S if elsewhere else ARRIVE_S
        deadline = Deadline.within(within_s)
        with self._changed:
            while not self._gathered() and deadline.left_s > 0 and not self._stop.wanted:
                self._changed.wait(min(LOOK_S, deadline.left_s))
        if self._stop.wanted:
            raise Interrupted("The drill was interrupted before its load began.")
        if self._refusals:
            raise LoadNotBegun(self._refusals[0], "Mend that, then drill again.")
        if len(self._ready) < self._plan.count:
            raise LoadNotBegun(
                f"{len(self._ready)} of {self._plan.count} load workers are ready.{self._complaint()}",
                "Look whether they can reach this machine and know the token, then drill again."
                if elsewhere
                else f"What they say is in {self._folder}/worker-*.log.",
            )

    def _complaint(self) -> str:
        """The last word of a worker of this machine that has ended already."""
        for number, process in enumerate(self._processes, start=1):
            if process.poll() is not None:
                log = self._folder / f"worker-{number:04d}.log"
                last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
                return f" One has ended: {last[0] if last else 'it said nothing'}"
        return ""

    def _gathered(self) -> bool:
        return len(self._ready) == self._plan.count or bool(self._refusals) or self._dead_early()

    def _dead_early(self) -> bool:
        """Whether a worker of this machine ended before it was ready."""
        dead = [process for process in self._processes if process.poll() is not None]
        return bool(dead) and len(self._ready) < self._plan.count

    def _begin_thread(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, name="drill-load-workers", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while not self._stopped:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # closed: the load is over
            self._begin_thread(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        """One connection, from its greeting to its end."""
        worker: ConnectedWorker | None = None
        why = "its connection has ended"
        with connection:
            try:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.settimeout(HELLO_S)
                lines = connection.makefile("rb")
                worker = self._greet(connection, parse_json(lines.readline(LONGEST_LINE)))
                if worker is None:
                    return
                connection.settimeout(SILENT_S)
                while line := lines.readline(LONGEST_LINE):
                    self._hear(worker, parse_json(line))
            except OSError as error:
                why = error.strerror or type(error).__name__
            except (ValueError, KeyError, TypeError) as error:
                why = f"it said what makes no sense: {error!r}"
            finally:
                if worker is not None:
                    self._gone(worker, why)

    def _greet(self, connection: socket.socket, hello: Message) -> ConnectedWorker | None:
        """Let a worker in that knows the token; nobody else hears anything."""
        if not hmac.compare_digest(str(hello["token"]).encode(), self._plan.token.encode()):
            return None
        refusal = ""
        with self._changed:
            number = len(self._workers)
            if hello["version"] != __version__:
                refusal = f"A load worker is of payinfra {hello['version']}, and this is {__version__}."
            elif number >= self._plan.count:
                refusal = f"There are {number} load workers already."
            else:
                log = PaymentLog(worker_log(self._folder, number + 1))
                worker = ConnectedWorker(number + 1, connection, str(hello["name"]), log)
                self._workers[worker.number] = worker
        if refusal:
            with suppress(OSError):
                connection.sendall(json.dumps({"refused": refusal}).encode() + b"\n")
            return None
        order = replace(self._order, worker=number, workers=self._plan.count)
        worker.tell({"order": order.to_json()})
        return worker

    def _hear(self, worker: ConnectedWorker, message: Message) -> None:
        """What a worker says: one thing a line."""
        self._counters.heartbeat()
        match message:
            case {"payment": entry, "number": number, "late_s": late_s}:
                self._counters.began(float(late_s))
                worker.open += 1
                worker.log.payment(payment_of(entry)).add_done_callback(_acknowledge(worker, number))
            case {"named": key, "payment_id": payment_id}:
                worker.log.note_name(str(key), str(payment_id))
            case {"sent": _}:
                self._counters.sent()
            case {"attempt": entry, "asked": asked, "by_name": by_name}:
                attempt = attempt_of(entry)
                worker.log.attempt(attempt)
                self._counters.ended(attempt, str(asked), by_name=bool(by_name))
            case {"settled": _}:
                worker.open -= 1
                self._counters.settled()
            case {"ready": _}:
                with self._changed:
                    self._ready.add(worker.number)
                    self._changed.notify_all()
            case {"failed": why}:
                with self._changed:
                    self._refusals.append(f"Load worker {worker.name} cannot work: {why}")
                    self._changed.notify_all()
            case {"left": _}:
                worker.left = True

    def _gone(self, worker: ConnectedWorker, why: str) -> None:
        """A worker's connection has ended: in order, or because it died."""
        worker.log.close()
        died = not worker.left and not self._stopped
        worker.left = True
        if died and worker.number in self._ready:
            self._tell(
                f"Load worker {worker.number} ({worker.name}) is gone: {why}. {worker.open} of its payments "
                "had no answer yet; all of its payments are read back with the others."
            )
            if all(one.left for one in self._workers.values()):
                self._counters.broke("every load worker is gone")
        with self._changed:
            self._changed.notify_all()


def _acknowledge(worker: ConnectedWorker, number: object) -> "Callable[[Future[None]], None]":
    """Tell a worker that a payment is on the disk, or end its connection: one that is not may not be sent."""

    def done(written: "Future[None]") -> None:
        if written.exception() is None:
            worker.tell({"written": number})
        else:
            with suppress(OSError):
                worker.connection.shutdown(socket.SHUT_RDWR)

    return done


def plan_of(request: DrillRequest, environ: Mapping[str, str]) -> WorkerPlan:
    """The workers that a drill is asked to have.

    Raises:
        UsageProblem: an address or a locustfile is none, or no token was agreed with workers from elsewhere.
        LoadNotBegun: Locust is not installed.
    """
    if request.locustfile is not None and not request.locustfile.is_file():
        raise UsageProblem(f"{request.locustfile} is no file.", "Give the path of a locustfile.")
    if request.listen:
        address_of(request.listen)
        token = environ.get(TOKEN_VARIABLE, "")
        if len(token) < SHORTEST_TOKEN:
            raise UsageProblem(
                f"Workers of other machines show a token, and {TOKEN_VARIABLE} has none of {SHORTEST_TOKEN} "
                "characters or more.",
                f"Run `export {TOKEN_VARIABLE}=$(openssl rand -hex 16)` here, and give it to them too.",
            )
        return WorkerPlan(request.workers, request.listen, token=token)
    if importlib.util.find_spec("locust") is None:
        raise LoadNotBegun("Locust is not installed.", f"Run `{install_command(Extra.LOCUST)}`.")
    return WorkerPlan(request.workers, locustfile=request.locustfile)


def _listen(address: tuple[str, int]) -> socket.socket:
    try:
        return socket.create_server(address, family=socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    except OSError as error:
        raise LoadNotBegun(
            f"Load workers cannot be heard on {address[0]}:{address[1]}: {error.strerror}.",
            "Choose another port with --listen.",
        ) from None
