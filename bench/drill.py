"""What a drill's load costs: `python -m bench.drill`.

It sends payments to a server that does nothing but acknowledge, in a process of its own, for as long as a
drill of an hour takes at a time scale of 20. It ends with 1 if a promise is broken: the rate is kept, one
core is mostly idle, memory does not grow with what is in flight.
"""

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import wait
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import httpx

from bench.goals import Goal, say, verdict
from bench.timing import environment
from payinfra.drill.clock import RealClock, Stop
from payinfra.drill.load.generator import LoadGenerator, LoadProfile, Pace
from payinfra.drill.load.payment_log import NAME, PaymentLog, read
from payinfra.drill.load.payments import Maker, payment_id
from payinfra.drill.load.statistics import percentile, summarize
from payinfra.drill.load.targets import FixedTarget, LoadClient, LoadTarget

AN_HOUR_AT_20_S = 180.0
RATE = 50.0
LOOK_S = 0.25
MOST_MIB = 64.0
"""An hour of such a load may leave this much behind: its attempts, for the figures and the page."""
KIB = 1024 if sys.platform != "darwin" else 1


class Acknowledging(asyncio.Protocol):
    """The least server that acknowledges payments: whole requests, one after the other."""

    def __init__(self) -> None:
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, end, rest = self._read.partition(b"\r\n\r\n")
        if not end:
            return
        headers = dict(line.split(": ", 1) for line in head.decode().lower().split("\r\n")[1:])
        length = int(headers["content-length"])
        if len(rest) < length:
            return
        self._read = rest[length:]
        body = json.dumps({"payment_id": payment_id(headers["idempotency-key"])})
        answer = f"HTTP/1.1 201 Created\r\nPayment-Region: here\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        self._transport.write(answer.encode())


async def serve() -> None:
    """Serve until the process is ended; say on which port."""
    server = await asyncio.get_running_loop().create_server(Acknowledging, "127.0.0.1", 0)
    say(str(server.sockets[0].getsockname()[1]))
    await server.serve_forever()


@dataclass(frozen=True)
class LoadCost:
    """What a load cost.

    Attributes:
        rate: payments a second that were begun, of those that were wanted.
        late_s: by how much payments began later than their moment, 99 of 100.
        cpu: seconds of one core in each second.
        p50_s: of answers.
        early_mib, late_mib: the process's greatest memory after a tenth of the time, and at the end.
        payments: how many there were.
    """

    rate: float
    late_s: float
    cpu: float
    p50_s: float
    early_mib: float
    late_mib: float
    payments: int


def load(url: str, folder: Path, rate: float, seconds: float) -> LoadCost:
    """Run a load for so many seconds, looked at as often as a drill looks at it."""
    path, clock = folder / NAME, RealClock(Stop())
    pace = Pace(rate, resend_after_s=5.0)
    with PaymentLog(path) as log:
        clients = (LoadClient(FixedTarget(LoadTarget((url,), "payments.example", "here"))),)
        generator = LoadGenerator(LoadProfile(pace, Maker("bench", "x1"), log, clients, "key", clock))
        cpu, began, early = time.process_time(), time.perf_counter(), 0.0
        generator.start()
        while (passed := time.perf_counter() - began) < seconds:
            generator.snapshot()
            generator.error_share("here", 10.0)
            early = peak_mib() if passed < seconds / 10 else early
            time.sleep(LOOK_S)
        used, took = time.process_time() - cpu, time.perf_counter() - began
        generator.stop(10.0)
    attempts, payments = generator.attempts(), read(path).payments
    ended = generator.snapshot()
    if ended.waiting:
        raise RuntimeError(f"The server did not acknowledge all: {ended}")
    figures = summarize(attempts, injected_s=0.0, restored_s=0.0, ended_s=took)
    first = payments[0].at_s
    late = sorted(payment.at_s - first - number / rate for number, payment in enumerate(payments))
    return LoadCost(
        rate=figures.rate,
        late_s=percentile(late, 0.99),
        cpu=used / took,
        p50_s=statistics.median(attempt.seconds for attempt in attempts),
        early_mib=early,
        late_mib=peak_mib(),
        payments=len(payments),
    )


def peak_mib() -> float:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB / 2**20


def plain(url: str, rounds: int) -> float:
    """Median seconds of one request of httpx, with nothing around it."""
    seconds = []
    with httpx.Client() as client:
        for number in range(rounds):
            began = time.perf_counter()
            client.post(url, content="{}", headers={"Idempotency-Key": str(number)})
            seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def ledger_rate(folder: Path, payments: int) -> tuple[float, int]:
    """Payments a second that a log brings to the disk, and how often it had to wait for that."""
    syncs = []

    def counted(file: int) -> None:
        syncs.append(file)
        os.fsync(file)

    maker = Maker("bench", "x1")
    with PaymentLog(folder / "many.jsonl", counted) as log:
        began = time.perf_counter()
        wait([log.payment(maker.make(number, 1, 0.0)) for number in range(payments)])
        return payments / (time.perf_counter() - began), len(syncs)


def with_server(do: Callable[[str], int]) -> int:
    """Do something with the URL of a server that runs meanwhile."""
    command = [sys.executable, "-m", "bench.drill", "--serve"]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as server:
        try:
            port = cast(IO[str], server.stdout).readline().strip()
            return do(f"http://127.0.0.1:{port}/prod/payments")
        finally:
            server.terminate()


def measure(url: str, rate: float, seconds: float) -> int:
    """Measure, say it, and give the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        many, syncs = ledger_rate(Path(folder), 5000)
        say(f"The log: {many:.0f} payments a second on the disk, {syncs} waits for 5000 at once")
        alone = plain(url, 300)
        cost = load(url, Path(folder), rate, seconds)
    say(f"The load: {cost.payments} payments in {seconds:.0f} s, wanted {rate:g} a second")
    say(f"  begun {cost.rate:.3f} a second; 99 of 100 at most {cost.late_s * 1000:.1f} ms late")
    say(f"  {cost.cpu:.3f} of one core; {cost.cpu / rate * 1000:.2f} ms of it for a payment")
    say(f"  an answer takes {cost.p50_s * 1000:.2f} ms, {cost.p50_s / alone:.2f} times a bare httpx request")
    grown = cost.late_mib - cost.early_mib
    say(f"  memory {cost.early_mib:.1f} MiB early, {cost.late_mib:.1f} MiB at the end: {grown:+.1f} MiB")
    hour = grown * 3600 / (0.9 * seconds) if seconds < AN_HOUR_AT_20_S else grown
    return verdict(
        [
            Goal("The rate is kept within 5 %", f"{cost.rate / rate:.3f}", abs(cost.rate / rate - 1) < 0.05),
            Goal("Less than half of one core", f"{cost.cpu:.2f}", cost.cpu < 0.5),
            Goal(f"Memory grows by less than {MOST_MIB:g} MiB", f"{hour:.1f} MiB", hour < MOST_MIB),
        ]
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", action="store_true", help="be the server")
    parser.add_argument("--rate", type=float, default=RATE, help="payments a second")
    parser.add_argument("--seconds", type=float, default=AN_HOUR_AT_20_S, help="how long to send them")
    arguments = parser.parse_args()
    if arguments.serve:
        asyncio.run(serve())
        return 0
    return with_server(lambda url: measure(url, arguments.rate, arguments.seconds))


if __name__ == "__main__":
    sys.exit(main())
