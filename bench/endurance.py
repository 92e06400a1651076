"""Whether the embedded AWS stays as it is under load: `python -m bench.endurance [--minutes M] [--rate R]`.

One deployment gets requests at a steady rate, in both regions: a few payments, which are sent again and
again, and lists of them. So whatever grows is not data. Every ten seconds the memory of the server and of its
functions, and the descriptors, files and processes are counted. Of a run of half an hour and more the last
quarter is held against what was there after a sixth of it: a start fills caches.

It ends with 1 if a promise is broken.
"""

import argparse
import contextlib
import http.client
import itertools
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from bench.commands import DEPLOY, DESTROY, ENVIRONMENT, LOCAL_DOWN
from bench.goals import Goal, say, verdict
from bench.timing import environment, run
from payinfra.clients.aws import Aws, Endpoints
from payinfra.clients.payments_api import payment_body, payment_headers, read_api_key
from payinfra.core.outputs import Outputs, RegionOutputs
from payinfra.deployment.dependencies import SERVER_FOLDER
from payinfra.local import lifecycle

SENDERS = 16
PAYMENTS = 200
SAMPLE_S = 10.0
SLOWEST_S = 10.0
STEADY_AFTER_MIN = 30.0
"""A shorter run says nothing of growth: caches fill, and much of what is kept is kept up to an age."""
MOST_GROWTH = 0.10
"""By which part memory may differ between the first third and the second half of a run."""
FEW = 20
"""Descriptors, files or processes more than that are a leak."""
MOST_MIB = 1200.0
"""Memory that the server and its functions may have together."""


@dataclass(frozen=True)
class ProcessSample:
    """What the server and its functions have at one moment.

    Attributes:
        server_mib: resident memory of the server.
        workers_mib: that of its functions' processes.
    """

    seconds: float
    server_mib: float
    workers_mib: float
    processes: int
    descriptors: int
    files: int


@dataclass
class RequestCounts:
    """What became of the requests."""

    answers: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    _adding: threading.Lock = field(default_factory=threading.Lock)

    def add(self, answer: str, seconds: float) -> None:
        """Count one."""
        with self._adding:
            self.answers[answer] += 1
            self.seconds.append(seconds)

    @property
    def answered(self) -> float:
        """The share that got the answer it should."""
        good = sum(number for answer, number in self.answers.items() if answer in ("200", "201"))
        return good / max(1, sum(self.answers.values()))


@dataclass(frozen=True)
class Site:
    """A region's API: its host and path, and the headers that every request needs."""

    netloc: str
    path: str
    key: str


def requests(sites: Sequence[Site]) -> Iterator[tuple[Site, str, str, bytes | None, dict[str, str]]]:
    """Without end: each payment three times, in both regions, and a list."""
    began = int(time.time() * 1000)
    body = json.dumps(payment_body("endurance", began)).encode()
    for number in itertools.count():
        site = sites[number % len(sites)]
        headers = payment_headers(site.key, f"endurance-{began}-{number // 4 % PAYMENTS:08d}")
        headers["content-type"] = "application/json"
        if number % 4 == 3:
            yield site, "GET", f"{site.path}?customer_id=endurance&limit=5", None, headers
        else:
            yield site, "POST", site.path, body, headers


def send(
    site: Site,
    connections: dict[str, http.client.HTTPConnection],
    *,
    method: str,
    path: str,
    body: bytes | None,
    headers: dict[str, str],
) -> str:
    """Send one request over a connection that is kept, and give the status or what went wrong."""
    connection = connections.setdefault(
        site.netloc, http.client.HTTPConnection(site.netloc, timeout=SLOWEST_S)
    )
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        connections.pop(site.netloc)
        return type(error).__name__
    return str(answer.status)


def load(sites: Sequence[Site], rate: float, ends: float, tally: RequestCounts) -> None:
    """Send at a steady rate, until a moment of the monotonic clock."""
    asked, taking, began = requests(sites), threading.Lock(), time.monotonic()
    numbers = itertools.count()

    def work() -> None:
        connections: dict[str, http.client.HTTPConnection] = {}
        while True:
            with taking:
                number, (site, method, path, body, headers) = next(numbers), next(asked)
            due = began + number / rate
            if due >= ends:
                break
            time.sleep(max(0.0, due - time.monotonic()))
            at = time.monotonic()
            tally.add(
                send(site, connections, method=method, path=path, body=body, headers=headers),
                time.monotonic() - at,
            )
        for connection in connections.values():
            connection.close()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def sample(pid: int, folder: Path, began: float) -> ProcessSample:
    """Count what the server has, from /proc (proc(5))."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError):
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
    below = {pid}
    while more := {child for child, parent in parents.items() if parent in below} - below:
        below |= more
    resident = {one: _resident_mib(one) for one in below}
    return ProcessSample(
        time.monotonic() - began,
        resident[pid],
        sum(mib for one, mib in resident.items() if one != pid),
        len(below),
        len(list(Path(f"/proc/{pid}/fd").iterdir())),
        # A function's folder may go while it is counted; `walk` passes over what is gone.
        sum(len(folders) + len(files) for _, folders, files in os.walk(folder)),
    )


def _resident_mib(pid: int) -> float:
    """The part of a process's memory that is its own or shared by few: its proportional set size."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def watch(pid: int, folder: Path, ends: float) -> list[ProcessSample]:
    """A sample every ten seconds, said as it is taken."""
    began, samples = time.monotonic(), list[ProcessSample]()
    while time.monotonic() < ends:
        found = sample(pid, folder, began)
        samples.append(found)
        say(
            f"  {found.seconds:6.0f} s  server {found.server_mib:6.1f} MiB  functions "
            f"{found.workers_mib:6.1f} MiB in {found.processes - 1:2}  descriptors {found.descriptors:3}  "
            f"files {found.files:4}"
        )
        time.sleep(SAMPLE_S)
    return samples


def flat(what: str, samples: Sequence[ProcessSample], most: float, *, part: bool = False) -> Goal:
    """Whether a number is, in the second half of a run, what it was before, give or take a little.

    Args:
        most: how much more it may be; with `part`, as a part of what it was.
    """
    third, half = len(samples) // 3, len(samples) // 2
    before = statistics.median(getattr(one, what) for one in samples[third // 2 : third + 1])
    after = statistics.median(getattr(one, what) for one in samples[half + half // 2 :])
    grown = after - before
    allowed = most * before if part else most
    return Goal(f"{what} stays as it is", f"{before:.0f}, then {after:.0f}", grown <= allowed)


def site_of(aws: Aws, region: RegionOutputs) -> Site:
    """Where a region's payments are sent."""
    parts = urlsplit(region.api_endpoint)
    return Site(parts.netloc, parts.path, read_api_key(aws, region))


def measure(folder: Path, env: str, minutes: float, rate: float) -> list[Goal]:
    """Send and watch; say what was found."""
    state = folder / ".payinfra" / SERVER_FOLDER
    running = lifecycle.up(state, ("us-east-1", "us-west-2"))
    endpoints = Endpoints(running.regions, running.global_url, running.dns, lifecycle.access_key(state))
    outputs = Outputs.read(folder / ".payinfra" / "local" / env / "outputs.json")
    sites = [site_of(Aws(endpoints), region) for region in outputs.regions]
    tally, ends = RequestCounts(), time.monotonic() + 60 * minutes
    # A daemon: when counting fails, the command ends and does not send on for an hour.
    sending = threading.Thread(target=load, args=(sites, rate, ends, tally), daemon=True)
    sending.start()
    samples = watch(running.pid, state, ends)
    sending.join()
    slow = statistics.quantiles(tally.seconds, n=100)
    sent = sum(tally.answers.values())
    per_s = sent / (60 * minutes)
    say(f"  {sent} requests, {per_s:.1f} a second: {dict(tally.answers)}")
    say(f"  answers took {slow[49] * 1000:.0f} ms at the median, {slow[98] * 1000:.0f} ms at p99")
    most = max(one.server_mib + one.workers_mib for one in samples)
    goals = [
        Goal("999 of 1000 requests are answered", f"{tally.answered:.4%}", tally.answered >= 0.999),
        Goal(f"{rate:g} requests a second", f"{per_s:.1f}", per_s >= 0.99 * rate),
        Goal(f"At most {MOST_MIB:g} MiB in all", f"{most:.0f} MiB", most <= MOST_MIB),
    ]
    if minutes < STEADY_AFTER_MIN:
        return goals
    return [
        *goals,
        flat("server_mib", samples, MOST_GROWTH, part=True),
        flat("workers_mib", samples, MOST_GROWTH, part=True),
        flat("processes", samples, FEW),
        flat("descriptors", samples, FEW),
        flat("files", samples, FEW),
    ]


def main(argv: Sequence[str]) -> int:
    """Deploy, measure, destroy; or measure what a folder has."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=50.0, help="requests a second")
    parser.add_argument("--folder", type=Path, help="of a deployment; else one is made and removed")
    parser.add_argument("--env", default=ENVIRONMENT, help="its environment")
    asked = parser.parse_args(argv)
    if asked.folder is not None:
        return verdict(measure(asked.folder.absolute(), asked.env, asked.minutes, asked.rate))
    with tempfile.TemporaryDirectory() as name:
        folder, environ = Path(name), environment(PAYINFRA_LOCAL_PORT="0")
        try:
            run(DEPLOY, folder, environ)
            return verdict(measure(folder, asked.env, asked.minutes, asked.rate))
        finally:
            run(DESTROY, folder, environ)
            run(LOCAL_DOWN, folder, environ)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
