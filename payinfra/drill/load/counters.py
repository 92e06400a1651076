"""How the load stands: counted by the thread that sends, read by any other."""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from payinfra.drill.model import Attempt

STILL_UNDER_WAY = 409
"""The status that says nothing against a region: another attempt at the payment has not ended yet."""
REMEMBERED_S = 600.0
"""How long an attempt counts for `LoadCounters.error_share` at the most."""


@dataclass(frozen=True)
class SuccessStreak:
    """Attempts through the name that one region acknowledged, with nothing else in between.

    Attributes:
        length: how many.
        began_s: when the first of them was acknowledged, in seconds since the drill began.
        last_s: when the last of them was.
    """

    length: int
    began_s: float
    last_s: float


@dataclass(frozen=True)
class LoadSnapshot:
    """The load at one moment.

    Attributes:
        begun: payments that were begun.
        waiting: those that are neither acknowledged nor refused yet.
        by_region: payments that each region acknowledged.
        failures: attempts that failed, were refused or not answered.
        in_flight: attempts that wait for an answer.
        streaks: by region, what it acknowledges in a row now.
        heartbeat_s: the load's last sign of life, in seconds since the drill began.
        broken: why the load ended by itself; empty where it did not.
    """

    begun: int
    waiting: int
    by_region: Mapping[str, int]
    failures: int
    in_flight: int
    streaks: Mapping[str, SuccessStreak]
    heartbeat_s: float
    broken: str = ""


@dataclass
class _GrowingStreak:
    """A streak that may go on; `sent_s` is when its first attempt was sent."""

    sent_s: float
    began_s: float
    last_s: float
    length: int = 0


@dataclass
class LoadCounters:
    """Counts. Safe for any thread.

    Args:
        elapsed: seconds since the drill began.
    """

    elapsed: Callable[[], float]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _begun: int = 0
    _settled: int = 0
    _in_flight: int = 0
    _failures: int = 0
    _heartbeat_s: float = 0.0
    _broken: str = ""
    _by_region: dict[str, int] = field(default_factory=dict)
    _streaks: dict[str, _GrowingStreak] = field(default_factory=dict)
    _lags: list[tuple[float, float]] = field(default_factory=list)
    _attempts: list[Attempt] = field(default_factory=list)
    _recent: deque[tuple[float, str, bool]] = field(default_factory=deque)

    def heartbeat(self) -> None:
        """The load goes on."""
        self._heartbeat_s = self.elapsed()

    def broke(self, why: str) -> None:
        """The load ended by itself."""
        self._broken = why

    def began(self, late_s: float = 0.0) -> None:
        """A payment was begun, so much later than its schedule."""
        with self._lock:
            self._begun += 1
            self._lags.append((self.elapsed(), late_s))

    def lags(self) -> tuple[tuple[float, float], ...]:
        """When each payment was begun, and how late."""
        with self._lock:
            return tuple(self._lags)

    def settled(self) -> None:
        """A payment was acknowledged or refused: nothing more is to be done for it."""
        with self._lock:
            self._settled += 1

    def sent(self) -> None:
        """An attempt was sent."""
        with self._lock:
            self._in_flight += 1

    def ended(self, attempt: Attempt, asked: str, *, by_name: bool) -> None:
        """An attempt ended.

        Args:
            asked: the region that it was sent to; empty where that is not known.
            by_name: whether the failover name led there.
        """
        ended_s = attempt.at_s + attempt.seconds
        good = attempt.result.good
        with self._lock:
            self._in_flight -= 1
            self._attempts.append(attempt)
            self._failures += not good
            if good and not attempt.again:
                self._by_region[attempt.region] = self._by_region.get(attempt.region, 0) + 1
            if attempt.status == STILL_UNDER_WAY:
                return
            self._recent.append((ended_s, attempt.region or asked, good))
            while self._recent[0][0] < ended_s - REMEMBERED_S:
                self._recent.popleft()
            if by_name:
                self._extend_streaks(attempt, ended_s)

    def _extend_streaks(self, attempt: Attempt, ended_s: float) -> None:
        """Lengthen the streak of who acknowledged the attempt; end those that it comes between.

        What was sent before a streak's first attempt comes between nothing, however late its answer.
        """
        mine = attempt.region if attempt.result.good else None
        for region, streak in tuple(self._streaks.items()):
            if region != mine and attempt.at_s >= streak.sent_s:
                del self._streaks[region]
        if mine is None:
            return
        streak = self._streaks.setdefault(mine, _GrowingStreak(attempt.at_s, ended_s, ended_s))
        streak.length += 1
        streak.last_s = ended_s

    def snapshot(self) -> LoadSnapshot:
        """How it stands."""
        with self._lock:
            return LoadSnapshot(
                begun=self._begun,
                waiting=self._begun - self._settled,
                by_region=dict(self._by_region),
                failures=self._failures,
                in_flight=self._in_flight,
                streaks={
                    region: SuccessStreak(streak.length, streak.began_s, streak.last_s)
                    for region, streak in self._streaks.items()
                },
                heartbeat_s=self._heartbeat_s,
                broken=self._broken,
            )

    def attempts(self) -> tuple[Attempt, ...]:
        """Every attempt that has ended, in the order of their ends."""
        with self._lock:
            return tuple(self._attempts)

    def error_share(self, region: str, window_s: float) -> float | None:
        """The share of errors among the attempts at a region that ended within the last `window_s` seconds.

        Refusals and silence are errors; a 409 is not. None where there were none.
        """
        earliest = self.elapsed() - window_s
        with self._lock:
            good = [good for ended_s, where, good in self._recent if where == region and ended_s >= earliest]
        return good.count(False) / len(good) if good else None


class CountedLoad:
    """A load whose attempts are counted, whatever sends them: what it is asked while it runs, and after."""

    _counters: LoadCounters

    def snapshot(self) -> LoadSnapshot:
        """How it stands."""
        return self._counters.snapshot()

    def attempts(self) -> tuple[Attempt, ...]:
        """Every attempt that has ended, in the order in which the ends were heard of."""
        return self._counters.attempts()

    def lags(self) -> tuple[tuple[float, float], ...]:
        """When each payment was begun, and how late that was."""
        return self._counters.lags()

    def error_share(self, region: str, window_s: float) -> float | None:
        """The share of errors among what a region was asked in the last seconds: see `LoadCounters`."""
        return self._counters.error_share(region, window_s)
