"""Two regions on loopback, with a name server, real connections, and the real log."""

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import cast

import pytest

from payinfra.clients.aws import Aws, Endpoints
from payinfra.clients.dns import DnspythonDns
from payinfra.core.outputs import Declared, Outputs
from payinfra.drill.load.payments import payment_id
from payinfra.drill.load.targets import CachingResolver, by_name
from payinfra.drill.replicas import CLAIM, StoredItem
from payinfra.local.server.route53.answers import DnsAnswerSections, ResourceRecord, ResponseCode
from payinfra.local.server.route53.dns import DnsServer, Question

EAST, WEST = "us-east-1", "us-west-2"
HOSTS = {EAST: f"aaa.execute-api.{EAST}.amazonaws.com", WEST: f"bbb.execute-api.{WEST}.amazonaws.com"}
NAME = "pay.demo.internal"
KEY = "the-api-key"
TTL_S = 1


class Region(ThreadingHTTPServer):
    """A region's API and its replica of the table.

    Attributes:
        dark: it takes connections and requests, and records what it is sent, and answers nothing.
        cut_off: what is recorded stays here until `catch_up`.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, name: str) -> None:
        self.name = name
        self.dark = threading.Event()
        self.light = threading.Event()
        self.light.set()
        self.cut_off = False
        self.peer: Region | None = None
        self.items: dict[str, dict[str, StoredItem]] = {}
        self.late: list[tuple[str, StoredItem]] = []
        self.lock = threading.Lock()
        self.hosts: set[str] = set()
        self.connections: set[object] = set()
        super().__init__(("127.0.0.1", 0), Api)
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def black_out(self) -> None:
        self.light.clear()
        self.dark.set()

    def give_back(self) -> None:
        self.dark.clear()
        self.light.set()

    def record(self, key: str, body: str) -> bool:
        """Record a payment as the function does; whether it was there before."""
        name, sent = payment_id(key), json.loads(body)
        item = {"payment_id": {"S": name}, **{what: _stored(value) for what, value in sent.items()}}
        known = bool(self.read(name))
        for record in (
            StoredItem(CLAIM, json.dumps({"payment_id": {"S": name}})),
            StoredItem(str(sent["timestamp"]), json.dumps(item, sort_keys=True)),
        ):
            self.put(name, record)
        return known

    def put(self, name: str, record: StoredItem) -> None:
        with self.lock:
            self.items.setdefault(name, {})[record.timestamp] = record
            self.late.append((name, record))
        if not self.cut_off:
            self.catch_up()

    def catch_up(self) -> None:
        assert self.peer is not None
        with self.lock:
            late, self.late = self.late, []
        for name, record in late:
            self.peer.items.setdefault(name, {})[record.timestamp] = record

    def read(self, payment_id: str) -> tuple[StoredItem, ...]:
        return tuple(self.items.get(payment_id, {}).values())

    def remove(self, payment_id: str, record: StoredItem) -> None:
        assert self.peer is not None
        for region in (self, self.peer):
            region.items.get(payment_id, {}).pop(record.timestamp, None)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no error."""


def _stored(value: object) -> dict[str, object]:
    match value:
        case int():
            return {"N": str(value)}
        case dict():
            return {"M": {name: {"S": text} for name, text in value.items()}}
        case _:
            return {"S": str(value)}


class Api(BaseHTTPRequestHandler):
    """The payments API of a region."""

    protocol_version = "HTTP/1.1"
    timeout = 30
    server: Region

    def do_POST(self) -> None:
        region = self.server
        region.connections.add(self.client_address)
        region.hosts.add(self.headers["Host"])
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        assert (self.path, self.headers["x-api-key"]) == ("/prod/payments", KEY)
        key = self.headers["Idempotency-Key"]
        replayed = region.record(key, body)
        if region.dark.is_set():
            region.light.wait(30)
            self.close_connection = True
            return
        said = json.dumps({"payment_id": payment_id(key)}).encode()
        self.send_response(200 if replayed else 201)
        self.send_header("Payment-Region", region.name)
        if replayed:
            self.send_header("Idempotent-Replayed", "true")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@dataclass
class Zone:
    """The zone's name server: the failover name leads to one region."""

    region: str = EAST
    questions: int = 0
    address: str = ""
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def answer(self, question: Question) -> DnsAnswerSections:
        self.questions += 1
        if (question.name, question.type) != (f"{NAME}.", "CNAME"):
            return DnsAnswerSections(ResponseCode.NXDOMAIN)
        return DnsAnswerSections(
            ResponseCode.NOERROR, (ResourceRecord(question.name, "CNAME", TTL_S, HOSTS[self.region]),)
        )

    def run(self, ready: threading.Event) -> None:
        server = DnsServer(self.answer, lambda: 1.0)
        port = self._loop.run_until_complete(server.start(0))
        self.address = f"127.0.0.1:{port}"
        ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(server.stop())
        self._loop.close()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)


@dataclass
class Cloud:
    """Both regions and the name."""

    east: Region
    west: Region
    zone: Zone

    def name(self) -> CachingResolver:
        """The way of a client by the failover name."""
        aws = Aws(Endpoints({EAST: self.east.url, WEST: self.west.url}, "", self.zone.address))
        dns = DnspythonDns(self.zone.address)
        regions = tuple(
            SimpleNamespace(region=region, api=SimpleNamespace(execute_host=host, stage="prod"))
            for region, host in HOSTS.items()
        )
        declared = SimpleNamespace(
            dns=SimpleNamespace(delegated=False, payments_path="/prod/payments"), regions=regions
        )
        outputs = SimpleNamespace(failover_domain=NAME)
        return by_name(aws, cast(Outputs, outputs), cast(Declared, declared), dns, dns.servers(()))


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    east, west, zone = Region(EAST), Region(WEST), Zone()
    east.peer, west.peer = west, east
    ready = threading.Event()
    naming = threading.Thread(target=zone.run, args=(ready,), daemon=True)
    naming.start()
    assert ready.wait(10)
    yield Cloud(east, west, zone)
    zone.stop()
    naming.join(10)
    for region in (east, west):
        region.give_back()
        region.shutdown()
        region.server_close()
        region.thread.join(10)
