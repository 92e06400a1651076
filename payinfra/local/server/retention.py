"""How much the embedded AWS keeps of what grows with every request, and how many functions' processes.

AWS keeps all of this longer than any local environment lives, and retires idle environments of functions
after a while that it does not tell. Here it has to fit into the memory of one process, however long that
runs: `docs/limits.md` says what is kept.
"""

import math
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from payinfra.local.server.ministack import Emulator

RETIRE_S = 5.0
"""Real seconds between two looks at the processes."""
SWEEP_S = 30.0
"""Real seconds between two looks at what is kept."""

MOST_WORKERS = 14
"""Processes of functions at once. Ten may work at once (see `lambda_concurrency`); the others are warm."""
SURPLUS_IDLE_S = 60.0
"""Idle seconds after which a process retires, unless it is the one of its function that worked last."""
IDLE_S = 300.0
"""Idle seconds after which that one retires, too."""

LOG_EVENTS = 10_000
"""Events kept of each log group, the newest."""
LOG_STREAMS = 50
"""Streams without any event kept of each log group, the newest."""
FINE_S = 60.0
"""Age in seconds up to which each data point of a metric is kept as it is."""
METRIC_S = 3 * 3600.0
"""Age in seconds up to which data points are kept at all, as AWS keeps those of one second's resolution."""
COARSE = ((FINE_S, 10.0), (300.0, 60.0), (1800.0, 300.0))
"""From these ages on, in seconds, values of so many seconds that are alike are one point, with their mean.
No alarm of the stack looks back further than five minutes."""
ALIKE = 1.1
"""By which factor values that are alike differ at most. Under load most of what is kept are latencies, of
which no two are equal: this leaves 25 of each power of ten."""
HISTORY = 1_000
"""Entries of the alarms' history kept in each region."""
STREAM_RECORDS = 2_000
"""Records kept of each table's stream that every function has read; those to be read are all kept."""

STREAM_READERS = (
    *("stream_start_position", "stream_end_position"),
    *("stream_records_since", "stream_live_records"),
)
Point = dict[str, Any]


@dataclass
class Workers:
    """The functions' processes.

    Args:
        pools: ministack's, by function and version.
        lock: what guards them.
        kill: ends processes.
        clock: the time, as `last_used` has it.
    """

    pools: Callable[[], dict[str, list[Any]]]
    lock: Any
    kill: Callable[[Iterable[Any]], None]
    clock: Callable[[], float] = time.time

    def retire(self) -> int:
        """End those that have been idle too long; return how many."""
        now = self.clock()
        with self.lock:
            last = self._last_of_each_function()
            doomed = [
                worker
                for pool in self.pools().values()
                for worker in pool
                if not worker.in_use
                and now - worker.last_used >= (IDLE_S if worker in last else SURPLUS_IDLE_S)
            ]
            self._drop(doomed)
        self.kill(doomed)
        return len(doomed)

    def make_room(self, key: str) -> None:
        """End the one that has been idle longest, if one more for this pool would be too many."""
        with self.lock:
            everyone = [worker for pool in self.pools().values() for worker in pool]
            if len(everyone) < MOST_WORKERS or any(not one.in_use for one in self.pools().get(key, ())):
                return
            idle = sorted((one for one in everyone if not one.in_use), key=lambda one: float(one.last_used))
            doomed = idle[: len(everyone) - MOST_WORKERS + 1]
            self._drop(doomed)
        self.kill(doomed)

    def _last_of_each_function(self) -> list[Any]:
        last: dict[str, Any] = {}
        for pool in self.pools().values():
            for worker in pool:
                function = str(worker.config.get("FunctionArn", "")).split(":function:")
                name = f"{function[0]}:{function[-1].split(':')[0]}"
                if name not in last or worker.last_used > last[name].last_used:
                    last[name] = worker
        return list(last.values())

    def _drop(self, doomed: Sequence[Any]) -> None:
        pools = self.pools()
        for key, pool in list(pools.items()):
            pool[:] = [worker for worker in pool if worker not in doomed]
            if not pool:
                del pools[key]


def trim_group(streams: dict[str, dict[str, Any]], most: int = LOG_EVENTS, empty: int = LOG_STREAMS) -> None:
    """Keep the newest events of a log group, and of its streams without events the newest.

    Args:
        streams: ministack's, by name; changed in place.
        most: events to keep.
        empty: streams without events to keep.
    """
    oldest_first = sorted(streams.items(), key=lambda one: one[1].get("lastEventTimestamp") or 0)
    surplus = sum(len(stream["events"]) for _, stream in oldest_first) - most
    for _, stream in oldest_first:
        if surplus <= 0:
            break
        gone = min(surplus, len(stream["events"]))
        del stream["events"][:gone]
        surplus -= gone
    without = [name for name, stream in oldest_first if not stream["events"]]
    for name in without[: max(0, len(without) - empty)]:
        streams.pop(name, None)


def condensed(points: Sequence[Point], now: float) -> list[Point]:
    """A metric's data points without those that are too old, and with one in the place of old ones alike.

    Counts and sums stay as they are; percentiles differ by less than `ALIKE`.

    Args:
        points: ministack's, oldest first.
        now: the time, as the points have it.
    """
    old = next((at for at, one in enumerate(points) if one["Timestamp"] > now - FINE_S), len(points))
    merged: dict[tuple[object, ...], Point] = {}
    for number, point in enumerate(points[:old]):
        age = now - point["Timestamp"]
        if age > METRIC_S:
            continue
        width = next(seconds for since, seconds in reversed(COARSE) if age >= since)
        key = _alike(point, width) or (number,)
        same = merged.get(key)
        if same is None:
            merged[key] = dict(point)
        else:
            count, more = float(same.get("Count", 1.0)), float(point.get("Count", 1.0))
            same["Value"] = (same["Value"] * count + point["Value"] * more) / (count + more)
            same["Count"] = count + more
    return [*merged.values(), *points[old:]]


def share_dimensions(points: Sequence[Point]) -> None:
    """Give all data points of a metric the one object of their dimensions, which are half of their memory."""
    shared = next((point["Dimensions"] for point in points if point.get("Dimensions")), None)
    for point in points:
        if shared and point.get("Dimensions") == shared:
            point["Dimensions"] = shared


def _alike(point: Point, width: float) -> tuple[object, ...] | None:
    """What points that can be one have in common; None for one that cannot: a set of statistics."""
    if "_stat" in point:
        return None
    value = float(point["Value"])
    step = math.floor(math.log(abs(value), ALIKE)) if value else None
    alike = value > 0, step, point.get("Unit"), point.get("StorageResolution")
    return point["Timestamp"] // width, *alike


@dataclass
class Retention:
    """Trims what the services keep.

    Args:
        emulator: ministack.
        workers: the functions' processes.
        clock: the time, in seconds since the epoch.
        streams: held while a stream is read or trimmed: a position counts what was trimmed.
    """

    emulator: Emulator
    workers: Workers
    clock: Callable[[], float] = time.time
    streams: threading.RLock = field(default_factory=threading.RLock)

    def sweep(self) -> None:
        """One look at everything that is kept."""
        self._trim_logs(self.emulator.service("cloudwatch_logs"))
        self._trim_metrics(self.emulator.service("cloudwatch"))
        self._trim_streams(self.emulator.service("dynamodb"), self.emulator.service("lambda_svc"))

    def _trim_logs(self, logs: Any) -> None:
        for group in logs._log_groups.all_values():
            with logs._log_events_lock:
                trim_group(group["streams"])
        records = logs._log_records.all_items()
        for (account, region, pointer), _ in records[: max(0, len(records) - LOG_EVENTS)]:
            logs._log_records.pop_scoped(account, region, pointer, None)

    def _trim_metrics(self, cloudwatch: Any) -> None:
        now = self.clock()
        for (account, region, key), points in cloudwatch._metrics.all_items():
            seen = len(points)
            share_dimensions(points[:seen])
            kept = condensed(points[:seen], now)
            if len(kept) == seen:
                continue
            # A list of its own: who looks through the one before goes on with that. Others may append to it.
            kept += points[seen:]
            cloudwatch._metrics.set_scoped(account, region, key, kept)
            if not kept:
                cloudwatch._metrics.pop_scoped(account, region, key, None)
        for entries in cloudwatch._alarm_history.all_values():
            del entries[:-HISTORY]

    def _trim_streams(self, dynamodb: Any, functions: Any) -> None:
        read = self._read_up_to(functions)
        for (account, region, table), records in dynamodb._stream_records.all_items():
            with self.streams:
                trimmed = dynamodb._trimmed_count(table, account, region)
                end = trimmed + len(records)
                gone = min(read.get((account, region, table), end), end - STREAM_RECORDS) - trimmed
                if gone > 0:
                    del records[:gone]
                    dynamodb._stream_trimmed.set_scoped(account, region, table, trimmed + gone)

    @staticmethod
    def _read_up_to(functions: Any) -> dict[tuple[str, str, str], int]:
        """Up to where the slowest function has read each table's stream; 0 for one that has not begun."""
        read: dict[tuple[str, str, str], int] = {}
        for (account, region, number), mapping in functions._esms.all_items():
            _, found, table = str(mapping.get("EventSourceArn", "")).partition(":table/")
            if found:
                key = account, region, table.split("/")[0]
                at = functions._dynamodb_stream_positions.get_scoped(account, region, number, 0)
                read[key] = min(read.get(key, at), at)
        return read


def of_emulator(emulator: Emulator) -> Retention:
    """The retention of ministack's services, and the limit of its functions' processes."""
    runtime, functions = emulator.core("lambda_runtime"), emulator.service("lambda_svc")
    workers = Workers(lambda: runtime._workers, runtime._lock, runtime.kill_workers)
    emulator.replace(
        functions, "acquire_worker", with_room(functions.acquire_worker, workers, runtime._worker_key)
    )
    kept, dynamodb = Retention(emulator, workers), emulator.service("dynamodb")
    for name in STREAM_READERS:
        emulator.replace(dynamodb, name, while_held(kept.streams, getattr(dynamodb, name)))
    return kept


def while_held(lock: threading.RLock, original: Callable[..., Any]) -> Callable[..., Any]:
    """The same, one at a time."""

    def reading(*args: Any, **kwargs: Any) -> Any:
        with lock:
            return original(*args, **kwargs)

    return reading


def with_room(
    original: Callable[..., Any], workers: Workers, key_of: Callable[[str, Any, str], str]
) -> Callable[..., Any]:
    """Start no process of a function before there is room for it."""

    def acquire(name: str, config: Any, code: bytes, qualifier: str = "$LATEST", **more: Any) -> Any:
        workers.make_room(key_of(name, config, qualifier))
        return original(name, config, code, qualifier=qualifier, **more)

    return acquire
