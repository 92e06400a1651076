"""The load in figures: pure arithmetic over the attempts."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

from payinfra.drill.model import Attempt, Latency, Load, Tick


def summarize(attempts: Sequence[Attempt], *, injected_s: float, restored_s: float, ended_s: float) -> Load:
    """What the load comes to. An attempt belongs to the moment at which it was sent.

    Args:
        attempts: in any order.
        injected_s: when the fault was made; `ended_s` where none was.
        restored_s: when it had been taken away.
        ended_s: the end. Nothing counts as a gap after the last attempt has ended, whatever this says: who
            sends nothing gets no acknowledgement.
    """
    good = [attempt for attempt in attempts if attempt.result.good]
    firsts = [attempt for attempt in attempts if attempt.number == 1]
    faulty = [attempt for attempt in firsts if injected_s <= attempt.at_s < restored_s]
    last_s = min(ended_s, max(map(_ended_s, attempts), default=ended_s))
    return Load(
        attempts=len(attempts),
        availability=_share(faulty if injected_s < restored_s else firsts),
        longest_gap_s=_longest_gap(map(_ended_s, good), injected_s, last_s),
        rate=_rate([attempt.at_s for attempt in firsts]),
        before=_latency([one for one in good if one.at_s < injected_s]),
        during=_latency([one for one in good if injected_s <= one.at_s < restored_s]),
        after=_latency([one for one in good if one.at_s >= max(injected_s, restored_s)]),
        ticks=_ticks(attempts),
    )


def recoveries(
    attempts: Sequence[Attempt], clients: Iterable[int], region: str, since_s: float
) -> dict[int, float]:
    """How long after a moment a region first acknowledged something to each client, in seconds, by client.

    A client that is not in it had nothing acknowledged there.
    """
    wanted = frozenset(clients)
    found: dict[int, float] = {}
    for attempt in attempts:
        good = attempt.result.good and attempt.region == region and attempt.at_s >= since_s
        if good and attempt.client in wanted:
            took = _ended_s(attempt) - since_s
            found[attempt.client] = min(took, found.get(attempt.client, took))
    return found


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest of some ordered values that at least this share of them does not exceed (nearest rank)."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _ended_s(attempt: Attempt) -> float:
    return attempt.at_s + attempt.seconds


def _share(firsts: Sequence[Attempt]) -> float:
    """The share that was acknowledged; nothing was available where nothing was tried."""
    return sum(attempt.result.good for attempt in firsts) / len(firsts) if firsts else 0.0


def _rate(sent: Sequence[float]) -> float:
    """Payments a second from the first to the last."""
    seconds = max(sent) - min(sent) if sent else 0.0
    return (len(sent) - 1) / seconds if seconds else 0.0


def _longest_gap(acknowledged: Iterable[float], begin_s: float, end_s: float) -> float:
    moments = sorted(moment for moment in acknowledged if begin_s <= moment <= end_s)
    ends = [begin_s, *moments, max(begin_s, end_s)]
    return max(later - earlier for earlier, later in pairwise(ends))


def _latency(good: Sequence[Attempt]) -> Latency | None:
    if not good:
        return None
    ordered = sorted(attempt.seconds for attempt in good)
    p50, p95, p99 = (percentile(ordered, share) for share in (0.5, 0.95, 0.99))
    return Latency(len(ordered), p50, p95, p99, ordered[-1])


def _ticks(attempts: Sequence[Attempt]) -> tuple[Tick, ...]:
    """Every second from the first attempt's to the last one's, also those in which nothing was sent."""
    if not attempts:
        return ()
    by_second: dict[int, list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        by_second[math.floor(attempt.at_s)].append(attempt)
    return tuple(
        _tick(second, by_second.get(second, ())) for second in range(min(by_second), max(by_second) + 1)
    )


def _tick(second: int, attempts: Sequence[Attempt]) -> Tick:
    good = [attempt for attempt in attempts if attempt.result.good]
    latency = _latency(good)
    return Tick(
        at_s=float(second),
        good=dict(Counter(attempt.region for attempt in good)),
        bad=len(attempts) - len(good),
        p50_s=None if latency is None else latency.p50,
        p95_s=None if latency is None else latency.p95,
    )
