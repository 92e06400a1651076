"""How writes to a global table reach the other regions: delayed, paused and resumed, last write wins.

AWS's multi-region eventually consistent tables settle each item by the time of its last write
(DynamoDB developer guide, "How DynamoDB global tables work"). A write that arrives late therefore gives
way to a younger one, be it local, from a third region, or a delete. Knows nothing of the emulator: it is
told of writes, and hands back those whose time has come.
"""

import heapq
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from payinfra.local.faults import FaultRegistry

Item = Mapping[str, object]


@dataclass(frozen=True, order=True)
class ItemKey:
    """One item of one table, in whatever region. The two parts of its key are as the emulator keeps them."""

    account: str
    table: str
    partition: str
    sort: str


@dataclass(frozen=True, order=True)
class ItemVersion:
    """When an item was written, in nanoseconds since the epoch; of two at once the later region's counts."""

    at_ns: int
    region: str


@dataclass(frozen=True)
class Write:
    """One write on its way. `item` is None for a delete; `due` is a time of the wall clock in seconds."""

    key: ItemKey
    version: ItemVersion
    target: str
    item: Item | None
    due: float


Link = tuple[str, str]


@dataclass
class Replicator:
    """Holds the writes that are on their way. Used on the server's event loop only.

    Args:
        deliver: applies a write in its target region; writes that lost against a younger one never get there.
        board: says whether replication is paused or delayed, and which regions are dark.
        clock: the wall clock, in seconds.
        spread: a number from -1 to 1, drawn for each write, that its jitter is multiplied with.
        time_scale: what delays are divided by.
        wake: called when something was put on its way that could not be delivered at once.
    """

    deliver: Callable[[Write], None]
    board: FaultRegistry
    clock: Callable[[], float]
    spread: Callable[[], float]
    time_scale: Callable[[], float]
    wake: Callable[[], None] = lambda: None
    _links: dict[Link, list[tuple[float, int, Write]]] = field(default_factory=dict)
    _versions: dict[tuple[ItemKey, str], ItemVersion] = field(default_factory=dict)
    _waiting: dict[ItemKey, int] = field(default_factory=dict)
    _sent: int = 0
    _last_ns: int = 0
    _seen: float = 0.0

    def wrote(self, key: ItemKey, origin: str, targets: Iterable[str], item: Item | None) -> None:
        """A region wrote an item: sends it on its way to the others, and delivers what is due."""
        version = ItemVersion(self._stamp(), origin)
        self._versions[key, origin] = version
        delay, now = self.board.delay(), self._looked_at()
        for target in targets:
            seconds = max(0.0, delay.seconds + delay.jitter * self.spread())
            self._put(Write(key, version, target, item, now + seconds / self.time_scale()))
        self.pump()
        self._forget(key)
        if self._waiting:
            self.wake()

    def pump(self) -> float | None:
        """Deliver all that is due on links that are open.

        Returns:
            seconds until the next write is due, None when nothing can be delivered before a fault changes.
        """
        now = self._looked_at()
        waits: list[float] = []
        for link, queue in list(self._links.items()):
            if not self._open(link):
                continue
            while queue and queue[0][0] <= now:
                self._arrive(heapq.heappop(queue)[2])
            if queue:
                waits.append(queue[0][0] - now)
        return min(waits, default=None)

    def _looked_at(self) -> float:
        """The wall clock. Where it was put back, what is on its way is due that much earlier by it."""
        now = self.clock()
        if now < self._seen:
            back = self._seen - now
            for link, queue in self._links.items():
                self._links[link] = [
                    (due - back, sent, replace(write, due=due - back)) for due, sent, write in queue
                ]
        self._seen = now
        return now

    def pending(self) -> tuple[Write, ...]:
        """The writes that are on their way, for each link in the order in which they are due."""
        return tuple(write for queue in self._links.values() for _, _, write in sorted(queue, key=_turn))

    def versions(self) -> tuple[tuple[ItemKey, str, ItemVersion], ...]:
        """The versions that must be known to judge the writes that are on their way."""
        return tuple((key, region, version) for (key, region), version in self._versions.items())

    def restore(self, pending: Iterable[Write], versions: Iterable[tuple[ItemKey, str, ItemVersion]]) -> None:
        """Continue with what an earlier server had not delivered yet."""
        for key, region, version in versions:
            self._versions[key, region] = version
        for write in pending:
            self._put(write)
        self.wake()

    def _stamp(self) -> int:
        """The write's time; never twice the same, whatever the clock's grain."""
        self._last_ns = max(int(self.clock() * 1e9), self._last_ns + 1)
        return self._last_ns

    def _open(self, link: Link) -> bool:
        return not self.board.paused() and not any(self.board.dark(region) for region in link)

    def _put(self, write: Write) -> None:
        self._sent += 1
        queue = self._links.setdefault((write.version.region, write.target), [])
        heapq.heappush(queue, (write.due, self._sent, write))
        self._waiting[write.key] = self._waiting.get(write.key, 0) + 1

    def _arrive(self, write: Write) -> None:
        known = self._versions.get((write.key, write.target))
        if known is None or known < write.version:
            self._versions[write.key, write.target] = write.version
            self.deliver(write)
        self._waiting[write.key] -= 1
        self._forget(write.key)

    def _forget(self, key: ItemKey) -> None:
        """Drop versions that no pending write can be older than."""
        if self._waiting.get(key):
            return
        self._waiting.pop(key, None)
        for region in {region for link in self._links for region in link}:
            self._versions.pop((key, region), None)


def _turn(entry: tuple[float, int, Write]) -> tuple[float, int]:
    return entry[:2]
