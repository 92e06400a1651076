"""The server's process: `python -m payinfra.local.server.process STATE_FOLDER --regions A,B --base-port N`.

Started by `server.up` and by nobody else. It serves each region on a loopback port of its own, IAM, STS,
Route 53 and the control of faults on another, and the DNS server on a third. It says so in the state
folder once it is ready, and saves its state there while it runs and when it ends.
"""

import argparse
import asyncio
import contextlib
import fcntl
import json
import os
import random
import secrets
import shutil
import sys
import time
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs

from payinfra.core.access_key import AccessKey
from payinfra.core.errors import EnvironmentUnusable, ExitCode, PayinfraError
from payinfra.core.https_address import HttpsAddress
from payinfra.core.private_files import open_own, replace_file
from payinfra.core.stop_signals import STOP_SIGNALS
from payinfra.local.credentials import keep_access_key
from payinfra.local.emulator_environment import ACCOUNT
from payinfra.local.endpoints import (
    GLOBAL_REGION,
    LOOPBACK,
    LocalEndpoints,
    PortPlan,
    StateFolder,
    https_address,
    listen,
    listening_address,
    read_json,
    write_endpoints,
)
from payinfra.local.faults import FaultRegistry
from payinfra.local.server import authentication, clock_steps, global_tables, item_log, persistence, retention
from payinfra.local.server import ministack as seam
from payinfra.local.server.access_logs import AccessLogs
from payinfra.local.server.asgi import AsgiResponse, HttpRequest
from payinfra.local.server.authentication import Authentication
from payinfra.local.server.aws_rules import Quota
from payinfra.local.server.background import again_and_again, attempted
from payinfra.local.server.cloudwatch_alarms import TICK_S, Watching
from payinfra.local.server.control_api import ControlApi
from payinfra.local.server.domain_certificates import DomainCertificates
from payinfra.local.server.host_names import AliasAddresses, AwsNames
from payinfra.local.server.listener import Listener
from payinfra.local.server.patches import registry
from payinfra.local.server.patches.lambda_event_sources import read_side_by_side
from payinfra.local.server.patches.lambda_integration import disturb_invocations
from payinfra.local.server.patches.s3_replication import hold_copies
from payinfra.local.server.recording import RequestRecorder
from payinfra.local.server.replication import Replicator, Write
from payinfra.local.server.route53.clock import SystemClock
from payinfra.local.server.route53.dns import Question
from payinfra.local.server.route53.plane import STATUS_QUOTA, DataPlane
from payinfra.local.server.route53.state import MinistackZones, normal_name
from payinfra.local.server.routing import DomainApp, FrontApp, GlobalApp, Handler, RegionApp
from payinfra.local.server.time_scale import TimeScale

LOOK_S = 2.0
"""How often the server looks whether its folder is still there, in seconds."""
CLOCK_LOOK_S = 0.5
"""How often the server looks whether the machine's clock was set, in seconds."""
TTL_SWEEP_S = 5.0
REPLICATE_AGAIN_S = 1.0
"""How soon the server tries again to deliver writes where that failed, in seconds."""
LATE_LINES_S = 1.0
_LOCK = os.O_RDWR | os.O_APPEND | os.O_CREAT
WRITES = "payinfra-replication"
"""The file, beside ministack's own, that keeps the replicated writes which are on their way."""


@dataclass(frozen=True)
class Arguments:
    """What the process was started with."""

    folder: StateFolder
    regions: tuple[str, ...]
    ports: PortPlan
    time_scale: float
    record: Path | None = None


def parse(argv: Sequence[str]) -> Arguments:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="payinfra.local.server.process")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--regions", required=True)
    parser.add_argument("--base-port", type=int, required=True)
    parser.add_argument("--time-scale", type=float, default=1.0)
    parser.add_argument("--record", type=Path)
    read = parser.parse_args(argv)
    return Arguments(
        StateFolder(read.folder.absolute()),
        tuple(read.regions.split(",")),
        PortPlan(read.base_port),
        read.time_scale,
        read.record,
    )


@contextlib.contextmanager
def sole_owner(folder: StateFolder) -> Iterator[None]:
    """Hold the state folder's lock while this process runs; the system releases it at a kill.

    While the lock is held the number in its file is this process's, whatever else becomes of numbers.

    Raises:
        EnvironmentUnusable: another server has it.
    """
    with os.fdopen(open_own(folder.lock, _LOCK), "a+", encoding="utf-8") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise EnvironmentUnusable(
                f"Another embedded AWS already uses {folder.root}.",
                "Use that one, or stop it with `payinfra local down`.",
            ) from error
        held.truncate(0)
        held.write(str(os.getpid()))
        held.flush()
        yield


@dataclass
class Server:
    """Everything that runs in the process, wired together.

    Args:
        emulator: ministack, loaded and corrected nowhere yet.
        token: what calls of the control must carry.
        access_key: the account's own.
    """

    arguments: Arguments
    emulator: seam.Emulator
    token: str
    access_key: AccessKey
    board: FaultRegistry = field(default_factory=FaultRegistry)
    time_scale: TimeScale = field(default_factory=TimeScale)
    _regions: dict[str, Listener] = field(default_factory=dict)
    _urls: dict[str, str] = field(default_factory=dict)
    _secured: dict[str, Listener] = field(default_factory=dict)
    _https: dict[str, HttpsAddress] = field(default_factory=dict)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _folder_lost: bool = False
    _ended: asyncio.Event = field(default_factory=asyncio.Event)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        """Connect the parts; nothing runs yet."""
        folder = self.arguments.folder
        self.time_scale.set(self.arguments.time_scale)
        began = self.time_scale.now()
        self.emulator.rules.now = lambda: self.time_scale.age(began, self.time_scale.now())
        self.snapshots = persistence.of_emulator(self.emulator, folder.state)
        self.apply = global_tables.applier(self.emulator)
        self.watching = Watching(self.emulator, self.time_scale)
        self.access_logs = AccessLogs(self.emulator)
        self.items = item_log.of_emulator(self.emulator, folder.root / "items.jsonl")
        self.replicator = Replicator(
            deliver=self._deliver,
            board=self.board,
            clock=time.time,
            spread=lambda: random.uniform(-1, 1),  # noqa: S311 - jitter, not a secret
            time_scale=self.time_scale,
            wake=self._changed.set,
        )
        self.front = FrontApp(
            emulator=self.emulator.application,
            mapped=self._mapped,
            authenticate=Authentication(authentication.known_secrets(self.emulator, self.access_key)),
            refuse=authentication.refusals(self.emulator),
            answers=registry.ANSWERS,
            touched=self.snapshots.touch,
            answered=self._api_answered,
            board=self.board,
            recorder=RequestRecorder(self.arguments.record) if self.arguments.record else None,
        )
        authentication.install(self.emulator, self.access_key)
        registry.install(self.emulator)
        disturb_invocations(self.emulator, self.board)
        hold_copies(self.emulator, self.board)
        read_side_by_side(self.emulator)
        self.watching.install()
        self.retention = retention.of_emulator(self.emulator)
        seam.let_the_port_decide_the_region(self.emulator)
        seam.let_functions_call_their_own_region(self.emulator, self._urls)
        global_tables.replicate_through(self.emulator, self.replicator.wrote)
        self.plane = DataPlane(
            MinistackZones.in_process(),
            AwsNames(self._urls),
            SystemClock(),
            self.time_scale,
            aliased=AliasAddresses(self._https),
            status_quota=Quota(*STATUS_QUOTA, self.emulator.rules.now),
        )
        self.emulator.certificates.folder = folder
        self.emulator.certificates.cname = self._cname
        self.board.on_change(self._faults_changed)
        self._ports = read_json(folder.ports)

    async def start(self) -> LocalEndpoints:
        """Bind the ports, then begin to serve.

        Raises:
            EnvironmentUnusable: a port is taken.
        """
        plan = self.arguments.ports
        control = listen(self._port("control", plan.control), "the control of the embedded AWS")
        self._control = Listener(self._global_app(), control)
        for region in self.arguments.regions:
            self._take_region(region)
        recovered = persistence.mend(self.arguments.folder.state)
        await self._run_ministack()
        recovered += tuple(filter(None, (self.items.restore(),)))
        self.items.record()
        persistence.restore_writes(self.replicator, read_json(self._writes_file))
        dns_port = await self.plane.start(self._port("dns", plan.dns))
        self._dns = f"{LOOPBACK}:{dns_port}"
        for listener in (self._control, *self._regions.values()):
            await listener.start()
        self._tasks += [
            asyncio.create_task(self._replicate()),
            asyncio.create_task(self._save()),
            asyncio.create_task(again_and_again(CLOCK_LOOK_S, clock_steps.of_emulator(self.emulator).look)),
            asyncio.create_task(again_and_again(retention.RETIRE_S, self.retention.workers.retire)),
            asyncio.create_task(again_and_again(retention.SWEEP_S, self.retention.sweep)),
            asyncio.create_task(self.time_scale.every(TTL_SWEEP_S, self._expire)),
            asyncio.create_task(self.time_scale.every(TICK_S, self._watch)),
            asyncio.create_task(self._end_without_the_folder(self.arguments.folder.lock)),
            asyncio.create_task(self.time_scale.every(LATE_LINES_S, self._deliver_late_lines)),
        ]
        if recovered:
            replace_file(self.arguments.folder.recovered, json.dumps(recovered))
        if self._has_domains():
            await self._secure_regions()
        self._announce()
        return self.endpoints()

    def endpoints(self) -> LocalEndpoints:
        """Where this process answers."""
        return LocalEndpoints(
            dict(self._urls),
            f"http://{LOOPBACK}:{self._control.port}",
            self._dns,
            os.getpid(),
            dict(self._https),
            str(self.arguments.folder.authority) if self._https else "",
        )

    async def add_region(self, region: str) -> None:
        """Serve one more region, if it is not served yet."""
        if region not in self._regions:
            self._take_region(region)
            await self._regions[region].start()
            if self._https:
                await self._secure_regions()
            self._announce()

    async def serve_https(self) -> None:
        """Serve custom domains through TLS in each region, if that is not done yet.

        Raises:
            EnvironmentUnusable: a port is taken.
        """
        await self._secure_regions()
        self._announce()

    def shut_down(self) -> None:
        """Begin an orderly shutdown."""
        self._ended.set()

    async def wait(self) -> None:
        """Return when a shutdown was requested."""
        await self._ended.wait()

    async def stop(self) -> None:
        """Stop serving, end the functions, save the state, and withdraw what was announced."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.plane.stop()
        for listener in (*self._secured.values(), *self._regions.values(), self._control):
            await listener.stop()
        await asyncio.to_thread(seam.end_functions, self.emulator)
        if not self._folder_lost:
            self._write_state(persistence.at_an_orderly_end(self.emulator))
            self.items.rewrite()
        self.emulator.restore()
        if not self._folder_lost:
            self.arguments.folder.endpoints.unlink(missing_ok=True)

    def _api_answered(
        self, request: HttpRequest, response: AsgiResponse, region: str, seconds: float
    ) -> None:
        """What API Gateway does with each answer, beside giving it."""
        self.watching.api_answered(request, response, region, seconds)
        self.access_logs.api_answered(request, response, region, seconds)

    def _mapped(self, region: str, host: str, path: str) -> tuple[str, str, str] | None:
        gateway = self.emulator.service("apigateway_v1")
        with self.emulator.scope(ACCOUNT, region):
            found: tuple[str, str, str] | None = gateway.resolve_base_path_mapping(host, path)
        return found

    @property
    def _writes_file(self) -> Path:
        return self.arguments.folder.state / f"{WRITES}.json"

    def _global_app(self) -> GlobalApp:
        control = ControlApi(
            token=self.token,
            board=self.board,
            time_scale=self.time_scale,
            rules=self.emulator.rules,
            endpoints=self.endpoints,
            pending=lambda: len(self.replicator.pending()),
            add_region=self.add_region,
            serve_https=self.serve_https,
            shut_down=self.shut_down,
            started=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        return GlobalApp(self.front, control, data_plane_handler(self.plane), GLOBAL_REGION)

    def _take_region(self, region: str) -> None:
        wanted = self._port(region, self.arguments.ports.region(len(self._regions)))
        sock = listen(wanted, f"the region {region}")
        self._regions[region] = Listener(
            RegionApp(region, self.front, lambda: self._urls),
            sock,
            silent=lambda: self.board.dark(region),
            swallowed=lambda data: _tell_of_silence(region, data),
        )
        self._urls[region] = f"http://{LOOPBACK}:{self._regions[region].port}"

    async def _secure_regions(self) -> None:
        for position, region in enumerate(tuple(self._regions)):
            if region not in self._secured:
                self._secure_region(region, position)
                await self._secured[region].start()

    def _secure_region(self, region: str, position: int) -> None:
        """Bind the port to which custom domains in a region lead: the same one on an address of its own.

        A machine that lacks the address gets another port of the first one instead. DNS answers with the
        region's address all the same: it is what tells the regions apart.
        """
        address, purpose = https_address(position), f"{region} https"
        at = listening_address(address)
        planned = self.arguments.ports.https if at == address else 0
        sock = listen(self._port(purpose, planned, at), f"the custom domains in {region}", at)
        self._secured[region] = Listener(
            DomainApp(RegionApp(region, self.front, lambda: self._urls)),
            sock,
            silent=lambda: self.board.dark(region),
            swallowed=lambda data: _tell_of_silence(region, data),
            tls=DomainCertificates(self.emulator, region).context(),
        )
        self._https[region] = HttpsAddress(address, f"{at}:{self._secured[region].port}")

    def _has_domains(self) -> bool:
        gateway = self.emulator.service("apigateway_v1")
        for region in self._regions:
            with self.emulator.scope(ACCOUNT, region):
                if list(gateway._domain_names):
                    return True
        return False

    def _cname(self, name: str) -> tuple[str, ...]:
        """The CNAME records at a name, as a resolver of Certificate Manager's gets them."""
        answer = self.plane.answer(Question(normal_name(name), "CNAME"))
        return tuple(record.value for record in answer.records if record.type == "CNAME")

    def _port(self, purpose: str, planned: int, address: str = LOOPBACK) -> int:
        """The planned port; where the system may choose, the one of the last run if it is still free."""
        match self._ports:
            case dict(ports) if planned == 0 and isinstance(ports.get(purpose), int):
                with contextlib.suppress(EnvironmentUnusable):
                    listen(ports[purpose], purpose, address).close()
                    return int(ports[purpose])
        return planned

    def _announce(self) -> None:
        folder = self.arguments.folder
        ports = {region: listener.port for region, listener in self._regions.items()}
        ports |= {"control": self._control.port, "dns": int(self._dns.rpartition(":")[2])}
        ports |= {f"{region} https": listener.port for region, listener in self._secured.items()}
        replace_file(folder.ports, json.dumps(ports))
        write_endpoints(folder, self.endpoints())

    async def _run_ministack(self) -> None:
        """Let ministack restore its state and begin its background work, as a server would."""
        asked: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        told: asyncio.Queue[object] = asyncio.Queue()
        asked.put_nowait({"type": "lifespan.startup"})
        life = self.emulator.application({"type": "lifespan"}, asked.get, told.put)
        self._tasks.append(asyncio.create_task(_to_task(life)))
        await told.get()

    def _faults_changed(self) -> None:
        self._changed.set()
        for listener in (*self._regions.values(), *self._secured.values()):
            listener.wake()

    async def _replicate(self) -> None:
        pause: float | None = None

        def pump() -> None:
            nonlocal pause
            pause = self.replicator.pump()

        while True:
            if not attempted(pump):
                pause = REPLICATE_AGAIN_S
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), pause)
            self._changed.clear()

    async def _end_without_the_folder(self, lock: Path) -> None:
        """End when the state folder is removed: nobody could find this process, and it has its ports."""
        held = lock.stat().st_ino
        while not self._folder_lost:
            await asyncio.sleep(LOOK_S)
            try:
                self._folder_lost = lock.stat().st_ino != held
            except OSError:
                self._folder_lost = True
        self.shut_down()

    async def _save(self) -> None:
        pause = persistence.QUIET_S
        while True:
            await asyncio.sleep(pause)
            began = time.monotonic()
            if self.snapshots.touched and not attempted(self._write_state):
                self.snapshots.touch()
            pause = max(persistence.QUIET_S, persistence.SHARE * (time.monotonic() - began))

    def _write_state(self, whole: Mapping[str, persistence.State] | None = None) -> None:
        self.snapshots.save(whole)
        self.items.tidy()
        persistence.keep(self._writes_file, json.dumps(persistence.writes_to_json(self.replicator)))

    def _deliver(self, write: Write) -> None:
        self.apply(write)
        self.watching.replicated(write)

    def _watch(self) -> None:
        self.watching.look(self.plane.observations())

    def _deliver_late_lines(self) -> None:
        if self.access_logs.deliver():
            self.snapshots.touch()

    def _expire(self) -> None:
        if global_tables.expire_items(self.emulator, time.time()):
            self.snapshots.touch()


def _tell_of_silence(region: str, data: bytes) -> None:
    """Write to the log what a region that is dark was asked, and by whom: nothing else ever tells."""
    head, *headers = data.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    agents = (line.partition(":")[2].strip() for line in headers if line.lower().startswith("user-agent:"))
    if " HTTP/" in head:
        said = f"{region} is dark and does not answer {head.rpartition(' ')[0]} of {next(agents, '-')}"
        sys.stderr.write(f"{said}\n")
        sys.stderr.flush()


async def _to_task(work: Awaitable[None]) -> None:
    await work


def data_plane_handler(plane: DataPlane) -> Handler:
    """The Route 53 calls that ministack lacks, as a handler of the global port."""

    async def handle(request: HttpRequest) -> AsgiResponse | None:
        given = await plane.handle(
            request.method, request.path, parse_qs(request.query_string), dict(request.headers), request.body
        )
        if given is None:
            return None
        headers = {key.lower(): value for key, value in given.headers.items()}
        return AsgiResponse(given.status, tuple(headers.items())).with_body(given.body)

    return handle


async def serve(arguments: Arguments) -> None:
    """Run the server until it is told to stop."""
    folder = arguments.folder
    token = secrets.token_hex(16)
    replace_file(folder.token, token + "\n")
    server = Server(arguments, seam.load(), token, keep_access_key(folder))
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, server.shut_down)
    await server.start()
    await server.wait()
    await server.stop()


def main(argv: Sequence[str]) -> int:
    """Run the process; a reason why it cannot start is left in the state folder for `server.up`."""
    arguments = parse(argv)
    folder = arguments.folder
    folder.prepare()
    folder.problem.unlink(missing_ok=True)
    try:
        with sole_owner(folder):
            shutil.rmtree(folder.scratch, ignore_errors=True)
            folder.scratch.mkdir()
            asyncio.run(serve(arguments))
    except PayinfraError as error:
        replace_file(folder.problem, json.dumps({"what": error.what, "hint": error.hint}))
        return int(error.exit_code)
    return int(ExitCode.DONE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
