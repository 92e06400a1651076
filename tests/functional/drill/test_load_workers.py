"""A load of Locust's workers: the same payments, clients and figures as the embedded generator's."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from payinfra.core.canary_contract import CanaryContract
from payinfra.core.errors import ExitCode, Interrupted
from payinfra.core.version import __version__
from payinfra.drill.clock import RealClock, Stop
from payinfra.drill.load import statistics
from payinfra.drill.load.generator import LoadGenerator, LoadProfile, Pace
from payinfra.drill.load.payment_log import NAME, PaymentLog, read, worker_log
from payinfra.drill.load.payments import Maker
from payinfra.drill.load.targets import FixedTarget, LoadClient, LoadTarget
from payinfra.drill.load.worker_master import LoadNotBegun, WorkerLoad, WorkerPlan
from payinfra.drill.load.worker_order import TOKEN_VARIABLE, ClientsByName, ClientsOfOneTarget, LoadOrder
from payinfra.drill.model import PaymentOutcome
from payinfra.drill.reconciliation import reconcile
from tests.functional.drill.conftest import EAST, HOSTS, KEY, TTL_S, WEST, Cloud
from tests.functional.drill.conftest import NAME as FAILOVER
from tests.unit.checks.probes.conftest import declared, outputs

RATE = 50.0
TIME_OUT_S = 1.5
ORDER = LoadOrder(
    drill="x1",
    env="dev",
    rate=RATE,
    time_out_s=TIME_OUT_S,
    first_pause_s=0.2,
    longest_pause_s=0.5,
    retries=2.0,
    resend_every=5,
    resend_after_s=1.0,
    api_key=KEY,
    clients=ClientsOfOneTarget(("http://127.0.0.1:1/prod/payments",), "nowhere", EAST),
)
TOKEN = "the-token-of-the-tests"


def until(seen: Callable[[], bool], within_s: float = 60.0) -> None:
    ends = time.monotonic() + within_s
    while not seen():
        assert time.monotonic() < ends, "it did not come"
        time.sleep(0.02)


def by_name(cloud: Cloud) -> ClientsByName:
    """Clients that ask for the failover name, two of them, and one that keeps its connection."""
    before = declared()
    east, west = (
        replace(one, api=replace(one.api, execute_host=HOSTS[one.region], stage="prod"))
        for one in before.regions
    )
    dns = replace(before.dns, payments_path="/prod/payments", delegated=False)
    found = replace(outputs(), declared_json=replace(before, regions=(east, west), dns=dns).to_json())
    address, _, port = cloud.zone.address.rpartition(":")
    return ClientsByName(
        outputs=found.to_flat(),
        regions={EAST: cloud.east.url, WEST: cloud.west.url},
        global_url="",
        embedded_dns=cloud.zone.address,
        on_behalf_of="",
        servers=((address, int(port)),),
        name=FAILOVER,
        pinned="",
        count=2,
    )


def at(region_url: str) -> ClientsOfOneTarget:
    return ClientsOfOneTarget((f"{region_url}/prod/payments",), HOSTS[EAST], EAST)


@contextmanager
def running(
    order: LoadOrder, plan: WorkerPlan, folder: Path, stop: Stop | None = None
) -> Iterator[tuple[WorkerLoad, list[str], PaymentLog]]:
    """A load that has begun, what it said, and the drill's own log."""
    said: list[str] = []
    asked = stop or Stop()
    with PaymentLog(folder / NAME) as log:
        load = WorkerLoad(order, plan, folder, RealClock(asked), tell=said.append, stop=asked)
        try:
            load.start()
            yield load, said, log
        finally:
            load.stop(0.0)


def test_a_region_goes_dark_and_the_payments_of_all_workers_go_to_the_other(
    cloud: Cloud, tmp_path: Path
) -> None:
    order = replace(ORDER, rate=20.0, clients=by_name(cloud))
    with running(order, WorkerPlan(2), tmp_path) as (load, said, log):

        def acknowledged(region: str) -> int:
            return load.snapshot().by_region.get(region, 0)

        until(lambda: acknowledged(EAST) >= 30)
        cloud.east.black_out()
        until(lambda: load.snapshot().failures > 5)
        cloud.zone.region = WEST
        until(lambda: acknowledged(WEST) >= 40)
        cloud.east.give_back()
        load.stop(15.0)
        ended, attempts = load.snapshot(), load.attempts()
        log.flush()
        entries = read(tmp_path / NAME)
        found = reconcile(entries, (cloud.east, cloud.west), log, within_s=10.0)

    assert (ended.waiting, ended.in_flight, ended.broken, said) == (0, 0, "", [])
    # Each worker has a log of its own, and no payment is in two.
    of_workers = [{one.key for one in read(worker_log(tmp_path, number)).payments} for number in (1, 2)]
    assert all(len(keys) > 20 for keys in of_workers)
    assert len(entries.payments) == len({one.key for one in entries.payments}) == ended.begun
    assert sorted(map(repr, entries.attempts)) == sorted(map(repr, attempts))
    assert found.counts == {PaymentOutcome.RECORDED: ended.begun}
    assert (found.sent, found.acknowledged, found.removed) == (ended.begun, ended.begun, ended.begun)
    assert found.resent >= 5
    assert (cloud.east.hosts, cloud.west.hosts) == ({HOSTS[EAST]}, {HOSTS[WEST]})
    assert cloud.zone.questions < 2 * 3 * (load.snapshot().heartbeat_s / TTL_S + 3)
    assert KEY not in "".join(path.read_text() for path in tmp_path.iterdir())
    assert {path.stat().st_mode & 0o077 for path in tmp_path.iterdir()} == {0}


def test_both_engines_give_the_same_figures(cloud: Cloud, tmp_path: Path) -> None:
    """For the same 50 a second, within 5 percent: one after the other, at the same region."""
    seconds, clock = 8.0, RealClock(Stop())
    url = f"{cloud.east.url}/prod/payments"
    pace = Pace(RATE, time_out_s=TIME_OUT_S, resend_every=5, resend_after_s=1.0)
    (tmp_path / "embedded").mkdir()
    with PaymentLog(tmp_path / "embedded" / NAME) as log:
        clients = (LoadClient(FixedTarget(LoadTarget((url,), HOSTS[EAST], EAST))),)
        generator = LoadGenerator(LoadProfile(pace, Maker("dev", "x0"), log, clients, KEY, clock))
        generator.start()
        time.sleep(seconds)
        generator.stop(10.0)
    (tmp_path / "locust").mkdir()
    order = replace(ORDER, clients=at(cloud.east.url))
    with running(order, WorkerPlan(2), tmp_path / "locust") as (load, _said, _log):
        time.sleep(seconds)
        load.stop(10.0)

    def figures(of: LoadGenerator | WorkerLoad) -> tuple[float, float, float]:
        """Payments a second, the share that was acknowledged at the first attempt, and of resends."""
        attempts, begun = of.attempts(), of.lags()
        first = [one for one in attempts if one.number == 1 and not one.again]
        span = begun[-1][0] - begun[0][0]
        good = sum(one.result.good for one in first)
        again = len({one.key for one in attempts if one.again})
        return (len(begun) - 1) / span, good / len(first), again / len(first)

    for ours, theirs in zip(figures(generator), figures(load), strict=True):
        assert theirs == pytest.approx(ours, rel=0.05)
    assert figures(load)[0] == pytest.approx(RATE, rel=0.05)
    measured = statistics.summarize(load.attempts(), injected_s=0.0, restored_s=0.0, ended_s=seconds)
    assert measured.availability == 1.0


def worker_processes(parent: int) -> list[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, text=True)
    return [int(line) for line in listed.stdout.split() if is_worker(int(line))]


def is_worker(pid: int) -> bool:
    try:
        return b"locust_worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def test_a_worker_that_dies_is_said_and_its_payments_are_read_back(cloud: Cloud, tmp_path: Path) -> None:
    order = replace(ORDER, clients=at(cloud.east.url))
    with running(order, WorkerPlan(2), tmp_path) as (load, said, log):
        until(lambda: load.snapshot().begun > 50)
        first, second = worker_processes(os.getpid())
        os.kill(first, signal.SIGKILL)
        until(lambda: bool(said))
        before = load.snapshot()
        until(lambda: load.snapshot().begun > before.begun + 30)  # the other goes on
        assert load.snapshot().broken == ""
        os.kill(second, signal.SIGKILL)
        until(lambda: load.snapshot().broken != "")
        load.stop(0.0)
        log.flush()
        entries = read(tmp_path / NAME)
        found = reconcile(entries, (cloud.east, cloud.west), log, within_s=10.0)
    assert len(said) == 2
    assert all("is gone" in one and "are read back with the others" in one for one in said)
    assert load.snapshot().broken == "every load worker is gone"
    # Whatever it had not heard an answer to is in its log, and gone from both regions now.
    assert found.sent == len(entries.payments) >= load.snapshot().begun
    assert not any(cloud.east.items.values())
    assert not any(cloud.west.items.values())


LOCUSTFILE = """
from locust import task
from payinfra.drill.load.locust_users import PaymentUser

class Shop(PaymentUser):
    def payment(self, body):
        return {**body, "amount": 4200, "customer_id": "x", "metadata": {"shop": "7", "drill": "y"}}
"""


def test_a_companys_own_locustfile_sends_payments_that_are_still_the_drills(
    cloud: Cloud, tmp_path: Path
) -> None:
    file = tmp_path / "shop_users.py"
    file.write_text(LOCUSTFILE)
    order = replace(ORDER, clients=at(cloud.east.url))
    (tmp_path / "drill").mkdir()
    with running(order, WorkerPlan(1, locustfile=file), tmp_path / "drill") as (load, _said, _log):
        until(lambda: load.snapshot().begun > 20)
        load.stop(5.0)
    bodies = [json.loads(one.body) for one in read(tmp_path / "drill" / NAME).payments]
    assert {body["amount"] for body in bodies} == {4200}
    assert {body["customer_id"] for body in bodies} == {"payinfra-drill-dev"}
    assert [body["metadata"] for body in bodies] == [{"shop": "7", "drill": "x1"}] * len(bodies)


def test_with_a_canary_of_ones_own_its_marks_stay_the_drills(cloud: Cloud, tmp_path: Path) -> None:
    file = tmp_path / "shop_users.py"
    file.write_text(LOCUSTFILE.replace('"amount": 4200, "customer_id": "x"', '"sum": 4200, "buyer": "x"'))
    canary = CanaryContract(body='{"sum": "{amount}", "buyer": "{customer}", "timestamp": "{time}"}')
    order = replace(ORDER, clients=at(cloud.east.url), canary=canary)
    (tmp_path / "drill").mkdir()
    with running(order, WorkerPlan(1, locustfile=file), tmp_path / "drill") as (load, _said, _log):
        until(lambda: load.snapshot().begun > 5)
        load.stop(5.0)
    (body, *_) = [json.loads(one.body) for one in read(tmp_path / "drill" / NAME).payments]
    assert (body["sum"], body["buyer"]) == (4200, "payinfra-drill-dev")
    assert load.snapshot().by_region == {EAST: load.snapshot().begun}


@pytest.mark.parametrize(
    ("content", "said"),
    [("import nothing_of_that_name\n", "No module named"), ("x = 1\n", "has no subclass of PaymentUser")],
)
def test_a_locustfile_that_cannot_be_used_ends_the_drill_before_it_begins(
    content: str, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "users.py"
    file.write_text(content)
    with (
        pytest.raises(LoadNotBegun, match=said),
        running(ORDER, WorkerPlan(1, locustfile=file), tmp_path),
    ):
        raise AssertionError("it began")
    assert worker_processes(os.getpid()) == []


# -- workers from elsewhere ----------------------------------------------------------------------------------


class FakeWorker:
    """What speaks as a worker does, and shows what it is told."""

    def __init__(self, port: int, token: str = TOKEN, version: str = __version__) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.lines = self.socket.makefile("rb")
        self.tell(hello=1, token=token, version=version, name="elsewhere:1")

    def tell(self, **message: object) -> None:
        self.socket.sendall(json.dumps(message).encode() + b"\n")

    def hear(self) -> dict[str, object]:
        line = self.lines.readline()
        found: dict[str, object] = json.loads(line) if line else {}
        return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def waiting(
    count: int, folder: Path, stop: Stop | None = None
) -> Iterator[tuple[WorkerLoad, int, list[str]]]:
    """A load that waits in a thread for workers from elsewhere, its port, and what it said."""
    port, said = free_port(), list[str]()
    asked = stop or Stop()
    plan = WorkerPlan(count, f"127.0.0.1:{port}", token=TOKEN)
    load = WorkerLoad(ORDER, plan, folder, RealClock(asked), tell=said.append, stop=asked)

    def begin() -> None:
        try:
            load.start()
        except (LoadNotBegun, Interrupted) as error:
            said.append(f"{type(error).__name__}: {error}")

    thread = threading.Thread(target=begin)
    thread.start()
    until(lambda: bool(said))
    try:
        yield load, port, said
    finally:
        asked.ask("the test is over")
        thread.join(20)
        load.stop(0.0)


def test_what_a_worker_may_send_is_on_this_disk_before_it_hears_so(tmp_path: Path) -> None:
    with waiting(1, tmp_path) as (load, port, said):
        assert "payinfra load-worker" in said[0]
        assert TOKEN not in said[0]
        worker = FakeWorker(port)
        order = worker.hear()["order"]
        assert LoadOrder.from_json(order) == ORDER  # type: ignore[arg-type]  # it was JSON
        worker.tell(ready=1)
        assert "begin" in worker.hear()
        payment = {"key": "k1", "payment_id": "pay_1", "body": "{}", "at_s": 1.0}
        worker.tell(payment=payment, number=7, late_s=0.0)
        assert worker.hear() == {"written": 7}
        assert [one.key for one in read(worker_log(tmp_path, 1)).payments] == ["k1"]
        worker.socket.close()
        worker.lines.close()
        until(lambda: load.snapshot().broken != "")
        assert "1 of its payments had no answer yet" in said[-1]


def test_who_does_not_know_the_token_hears_nothing(tmp_path: Path) -> None:
    with waiting(1, tmp_path) as (_load, port, _said):
        assert FakeWorker(port, token="another").hear() == {}
        assert FakeWorker(port, version="0.0.1").hear() == {
            "refused": f"A load worker is of payinfra 0.0.1, and this is {__version__}."
        }
        good = FakeWorker(port)
        assert "order" in good.hear()
        assert FakeWorker(port).hear() == {"refused": "There are 1 load workers already."}


def test_an_interrupt_ends_the_waiting(tmp_path: Path) -> None:
    stop = Stop()
    with waiting(1, tmp_path, stop) as (_load, _port, said):
        stop.ask("Ctrl-C")
        until(lambda: len(said) == 2)
        assert said[1].startswith("Interrupted")


def load_worker(*arguments: str, token: str | None = TOKEN) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if name != TOKEN_VARIABLE}
    if token is not None:
        environ[TOKEN_VARIABLE] = token
    return subprocess.run(
        [sys.executable, "-m", "payinfra", "load-worker", *arguments],
        env=environ,
        capture_output=True,
        text=True,
    )


def test_the_command_of_another_machine_works_for_the_drill(cloud: Cloud, tmp_path: Path) -> None:
    port, said, stop = free_port(), list[str](), Stop()
    plan = WorkerPlan(1, f"127.0.0.1:{port}", token=TOKEN)
    order = replace(ORDER, clients=at(cloud.east.url))
    load = WorkerLoad(order, plan, tmp_path, RealClock(stop), tell=said.append, stop=stop)
    done: list[subprocess.CompletedProcess[str]] = []
    thread = threading.Thread(target=lambda: done.append(load_worker("--master", f"127.0.0.1:{port}")))

    def come(line: str) -> None:
        said.append(line)
        thread.start()

    load._tell = come
    load.start()
    until(lambda: load.snapshot().begun > 20)
    load.stop(5.0)
    thread.join(30)
    assert (done[0].returncode, done[0].stderr) == (0, "")
    assert load.snapshot().waiting == 0


def test_a_wrong_token_is_said_by_the_command(tmp_path: Path) -> None:
    with waiting(1, tmp_path) as (_load, port, _said):
        done = load_worker("--master", f"127.0.0.1:{port}", token="another")
    assert done.returncode == ExitCode.UNUSABLE_ENVIRONMENT
    assert "does not know this token" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "token", "said", "code"),
    [
        (("--master", "10.0.0.7:5557"), TOKEN, "nothing encrypts", ExitCode.USAGE),
        (("--master", "127.0.0.1"), TOKEN, "is no address", ExitCode.USAGE),
        (("--master", "127.0.0.1:1"), None, f"{TOKEN_VARIABLE} is not set", ExitCode.USAGE),
        (("--master", "127.0.0.1:1", "--locustfile", "none.py"), TOKEN, "is no file", ExitCode.USAGE),
        (("--master", "127.0.0.1:1"), TOKEN, "does not answer", ExitCode.UNUSABLE_ENVIRONMENT),
    ],
)
def test_what_the_command_refuses(
    arguments: tuple[str, ...], token: str | None, said: str, code: ExitCode
) -> None:
    done = load_worker(*arguments, token=token)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr


def test_no_command_imports_locust() -> None:
    script = (
        "import sys, payinfra.drill.session, payinfra.commands.load_worker, payinfra.cli\n"
        "sys.exit(any(name.split('.')[0] in ('locust', 'gevent') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
