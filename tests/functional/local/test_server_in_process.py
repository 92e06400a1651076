"""The server's process run inside this one: everything but ministack's own persistence, which reads the
environment when it is imported."""

import asyncio
import contextlib
import http.client
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from payinfra.core.stop_signals import STOP_SIGNALS
from payinfra.local import lifecycle
from payinfra.local.control import Control
from payinfra.local.endpoints import LocalEndpoints, StateFolder, listen, read_endpoints
from payinfra.local.faults import RegionBlackout, ReplicationDelay, ReplicationPause
from payinfra.local.server import ministack
from payinfra.local.server import process as server_process
from payinfra.local.server.asgi import Receive, Scope, Send
from payinfra.local.server.listener import Listener
from tests.support import embedded
from tests.support.embedded import signed

REGIONS = "us-east-1,us-west-2"
NONE: Mapping[str, str] = {}
WAIT = lifecycle.WaitClock()


def run(folder: StateFolder, work: Callable[[LocalEndpoints, Control], object], *more: str) -> int:
    """Serves, while another thread works; then ends. Gives the exit code; raises what the work raised."""

    def working() -> None:
        assert WAIT.until(folder.endpoints.exists, 20)
        endpoints = read_endpoints(folder)
        assert endpoints is not None
        control = Control.of(folder.root)
        try:
            work(endpoints, control)
        finally:
            control.shut_down()

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(working)
        code = server_process.main([str(folder.root), "--regions", REGIONS, "--base-port", "0", *more])
        done.result(timeout=30)
    return code


def get(
    url: str, path: str = "/", timeout: float = 5.0, headers: Mapping[str, str] = NONE
) -> tuple[int, bytes]:
    where = urlsplit(url).netloc
    connection = http.client.HTTPConnection(where, timeout=timeout)
    with contextlib.closing(connection):
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[StateFolder]:
    made = StateFolder(tmp_path / ".server")
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    yield made
    for number, handler in before.items():
        signal.signal(number, handler)


def test_it_serves_says_so_and_tidies_up(folder: StateFolder) -> None:
    seen: list[object] = []

    def work(endpoints: LocalEndpoints, control: Control) -> None:
        seen.append(endpoints.pid)
        seen.append(get(endpoints.regions["us-west-2"], "/_ministack/reset")[0])
        seen.append(get(endpoints.global_url, "/_payinfra/status")[0])
        control.add_region("eu-west-1")
        control.add_region("eu-west-1")
        seen.append(sorted(control.status().endpoints.regions))
        seen.append(control.status().time_scale)

    assert run(folder, work, "--time-scale", "20") == 0
    assert seen == [os.getpid(), 403, 403, ["eu-west-1", "us-east-1", "us-west-2"], 20.0]
    assert not folder.endpoints.exists()
    assert (folder.state / "dynamodb.json").exists()
    ports = json.loads(folder.ports.read_text())
    assert set(ports) == {"us-east-1", "us-west-2", "eu-west-1", "control", "dns"}


def test_the_ports_of_the_last_run_are_taken_again_unless_somebody_has_them(folder: StateFolder) -> None:
    seen: list[LocalEndpoints] = []
    run(folder, lambda endpoints, _control: seen.append(endpoints))
    run(folder, lambda endpoints, _control: seen.append(endpoints))
    assert seen[0] == seen[1]
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", urlsplit(seen[0].regions["us-west-2"]).port or 0))
        other.listen()
        run(folder, lambda endpoints, _control: seen.append(endpoints))
    assert seen[2].regions["us-east-1"] == seen[0].regions["us-east-1"]
    assert seen[2].regions["us-west-2"] != seen[0].regions["us-west-2"]


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_signal_ends_it_in_an_orderly_way(folder: StateFolder, number: signal.Signals) -> None:
    with ThreadPoolExecutor(1) as pool:

        def working() -> None:
            assert WAIT.until(folder.endpoints.exists, 20)
            os.kill(os.getpid(), number)

        done = pool.submit(working)
        assert server_process.main([str(folder.root), "--regions", REGIONS, "--base-port", "0"]) == 0
        done.result(timeout=30)
    assert not folder.endpoints.exists()


def test_a_blacked_out_region_answers_nothing_and_closes_nothing(
    folder: StateFolder, capfd: pytest.CaptureFixture[str]
) -> None:
    def work(endpoints: LocalEndpoints, control: Control) -> None:
        east, west = endpoints.regions["us-east-1"], endpoints.regions["us-west-2"]
        kept = http.client.HTTPConnection(urlsplit(east).netloc, timeout=0.5)
        kept.request("GET", "/_ministack/x")
        kept.getresponse().read()
        idle = socket.create_connection((urlsplit(east).hostname, urlsplit(east).port), timeout=0.3)
        control.inject(RegionBlackout("us-east-1"))
        kept.request("GET", "/_ministack/x")
        with pytest.raises(TimeoutError):
            kept.getresponse()
        with pytest.raises(TimeoutError):
            get(east, "/_ministack/x", timeout=0.5)
        waiting = socket.create_connection((urlsplit(east).hostname, urlsplit(east).port), timeout=0.3)
        waiting.sendall(
            b"PUT /b/k HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n"
        )
        with pytest.raises(TimeoutError):
            waiting.recv(1)
        with pytest.raises(TimeoutError):
            idle.recv(1)
        assert get(west, "/_ministack/x")[0] == 403
        assert [active.fault for active in control.list()] == [RegionBlackout("us-east-1")]
        control.clear()
        waiting.settimeout(5)
        with contextlib.suppress(ConnectionResetError):
            assert waiting.recv(1) == b""
        assert get(east, "/_ministack/x")[0] == 403
        for connection in (waiting, idle):
            connection.close()
        kept.close()

    run(folder, work)
    told = [line for line in capfd.readouterr().err.splitlines() if line.startswith("us-east-1 is dark")]
    assert "us-east-1 is dark and does not answer GET /_ministack/x of -" in told
    assert "us-east-1 is dark and does not answer PUT /b/k of -" in told


def test_an_answer_that_was_on_its_way_into_a_blackout_is_lost(folder: StateFolder, slow: Any) -> None:
    def work(endpoints: LocalEndpoints, control: Control) -> None:
        east = endpoints.regions["us-east-1"]
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(get, east, "/slow", 2.0, signed_by_root(folder, "ssm", f"{east}/slow"))
            assert slow.asked.wait(5)
            control.inject(RegionBlackout("us-east-1"))
            slow.go_on.set()
            with pytest.raises((TimeoutError, ConnectionError, http.client.HTTPException)):
                asked.result(timeout=10)
        control.clear()

    run(folder, work)


class Slow:
    """A function call of ministack's that waits until it is told to go on."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.go_on = threading.Event()

    async def answer(self, *_given: object) -> tuple[int, dict[str, str], bytes]:
        self.asked.set()
        while not self.go_on.is_set():
            await asyncio.sleep(0.01)
        return 200, {}, b"{}"


@pytest.fixture
def slow() -> Iterator[Slow]:
    made = Slow()
    loaded = ministack.load()
    loaded.replace(loaded.service("ssm"), "handle_request", made.answer)
    yield made
    loaded.restore()


TABLE = {
    "TableName": "payments",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}


def signed_by_root(folder: StateFolder, service: str, url: str) -> dict[str, str]:
    return signed(lifecycle.access_key(folder.root), service, "us-east-1", url)


def test_replication_is_delayed_paused_and_resumed(folder: StateFolder) -> None:
    def work(endpoints: LocalEndpoints, control: Control) -> None:
        east, west = (embedded.client(folder.root, "dynamodb", region) for region in REGIONS.split(","))

        def held() -> int:
            return int(west.scan(TableName=TABLE["TableName"])["Count"])

        def put(number: int) -> None:
            east.put_item(TableName=TABLE["TableName"], Item={"id": {"S": str(number)}})

        east.create_table(**TABLE)
        create = [{"Create": {"RegionName": "us-west-2"}}]
        east.update_table(TableName=TABLE["TableName"], ReplicaUpdates=create)
        put(1)
        assert held() == 1
        control.inject(ReplicationDelay(6.0))
        put(2)
        assert held() == 1
        assert control.status().pending_writes == 1
        assert WAIT.until(lambda: held() == 2, 5)
        control.clear()
        control.inject(ReplicationPause())
        put(3)
        assert held() == 2
        control.clear()
        assert WAIT.until(lambda: held() == 3, 5)
        specification = {"Enabled": True, "AttributeName": "expires"}
        east.update_time_to_live(TableName=TABLE["TableName"], TimeToLiveSpecification=specification)
        gone = {"id": {"S": "1"}, "expires": {"N": str(int(time.time()) - 1)}}
        east.put_item(TableName=TABLE["TableName"], Item=gone)
        assert WAIT.until(lambda: held() == 2, 5)
        assert WAIT.until(lambda: (folder.state / "dynamodb.json").exists(), 5)

    run(folder, work, "--time-scale", "20")


def test_a_route_53_call_that_ministack_lacks_is_answered(folder: StateFolder) -> None:
    seen: list[tuple[int, bytes]] = []

    def work(endpoints: LocalEndpoints, _control: Control) -> None:
        for path in ("/2013-04-01/checkeripranges", "/2013-04-01/hostedzone"):
            headers = signed_by_root(folder, "route53", endpoints.global_url + path)
            seen.append(get(endpoints.global_url, path, headers=headers))

    run(folder, work)
    assert (seen[0][0], b"127.0.0.1/32" in seen[0][1]) == (200, True)
    assert (seen[1][0], b"ListHostedZonesResponse" in seen[1][1]) == (200, True)


def test_a_custom_domain_is_looked_up_in_the_region_of_the_port(folder: StateFolder) -> None:
    seen: list[int] = []

    def work(endpoints: LocalEndpoints, _control: Control) -> None:
        seen.append(get(endpoints.regions["us-west-2"], "/health", headers={"host": "nobody.example.com"})[0])

    run(folder, work)
    assert seen == [403]


def test_a_connection_that_does_not_end_does_not_hold_up_the_end(folder: StateFolder, slow: Any) -> None:
    held: list[socket.socket] = []

    def work(endpoints: LocalEndpoints, _control: Control) -> None:
        where = urlsplit(endpoints.regions["us-east-1"])
        connection = socket.create_connection((where.hostname, where.port))
        headers = signed_by_root(folder, "ssm", f"{endpoints.regions['us-east-1']}/slow")
        lines = [f"Host: {where.netloc}", *(f"{name}: {value}" for name, value in headers.items())]
        connection.sendall("\r\n".join(("GET /slow HTTP/1.1", *lines, "", "")).encode())
        assert slow.asked.wait(5)
        held.append(connection)

    began = time.monotonic()
    assert run(folder, work) == 0
    slow.go_on.set()
    assert time.monotonic() - began < 15
    held[0].close()


def test_a_folder_that_another_server_has_is_refused_and_why_is_left_there(folder: StateFolder) -> None:
    folder.prepare()
    with server_process.sole_owner(folder):
        assert server_process.main([str(folder.root), "--regions", REGIONS, "--base-port", "0"]) == 4
        assert folder.lock.read_text() == str(os.getpid())
    assert "already uses" in json.loads(folder.problem.read_text())["what"]


def test_a_listener_that_never_served_has_nothing_to_stop() -> None:
    sock = listen(0, "a test")
    asyncio.run(Listener(no_app, sock).stop())
    sock.close()


async def no_app(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """Answers nothing."""
