"""When a drill must not go on: somebody asks, the other region errs, the load is dead, it takes too long."""

from collections.abc import Callable
from dataclasses import dataclass

from payinfra.drill.clock import DrillClock, Stop
from payinfra.drill.load.counters import LoadSnapshot

LATE_FACTOR = 2.0
"""A phase, and the drill, may take this many times what was predicted …"""
LATE_FLOOR_S = 30.0
"""… and this many seconds more: looking takes time, and a machine may be busy."""
ERROR_SHARE = 0.01
"""The drill is broken off when more than this share of the other region's answers are errors …"""
ERROR_WINDOW_S = 10.0
"""… over this many real seconds, and still so as many later: a function that starts cold takes no less time
because time is scaled, and one error is no trend."""
ERROR_GRACE_S = 0.5
"""A single error is in a window for exactly its length; this keeps it from being taken for two."""
HEARTBEAT_S = 5.0
"""The load's heart beats at least this often. Without it the drill measures nothing."""


class DrillAborted(Exception):
    """The drill goes no further; what was done is taken back.

    Args:
        why: in a sentence.
        next_step: what to do about it, where the drill proves nothing; empty where the system is to blame.
    """

    def __init__(self, why: str, next_step: str = "") -> None:
        super().__init__(why)
        self.next_step = next_step


def at_most(predicted_s: float) -> float:
    """How long something may take, in seconds."""
    return LATE_FACTOR * predicted_s + LATE_FLOOR_S


@dataclass
class StopConditions:
    """Looks before every step whether the next one may be taken.

    Args:
        whole_s: how long the drill should take from its first payment on.
        began_s: when that was sent.
        error_share: of the other region's answers over so many seconds, 0 to 1; None where there are none.
        load: how the load stands.
        alarms: alarms on what customers notice that ring and must not, each as `name in region`.
    """

    other: str
    clock: DrillClock
    stop: Stop
    whole_s: float
    began_s: float
    window_s: float
    error_share: Callable[[float], float | None]
    load: Callable[[], LoadSnapshot]
    alarms: Callable[[], tuple[str, ...]] = tuple
    _erring_since: float | None = None

    def check(self) -> None:
        """Go on, or not.

        Raises:
            DrillAborted: not.
        """
        if self.stop.wanted:
            raise DrillAborted(
                f"The drill was interrupted ({self.stop.reason}).",
                "Drill again, and let it go its whole way.",
            )
        load = self.load()
        if load.broken:
            raise DrillAborted(f"The load broke: {load.broken}.", "See what broke it, then drill again.")
        now = self.clock.elapsed()
        if now - load.heartbeat_s > HEARTBEAT_S:
            raise DrillAborted(
                f"The load has sent nothing for {HEARTBEAT_S:.0f} s: the drill was blind.",
                "Drill on a machine that has less to do.",
            )
        if now - self.began_s > at_most(self.whole_s):
            took = f"{now - self.began_s:.0f} s"
            raise DrillAborted(f"The drill took {took}, more than twice the {self.whole_s:.0f} s predicted.")
        if rings := self.alarms():
            raise DrillAborted(
                f"Customers noticed: {', '.join(rings)} in alarm, and nothing was to fail there."
            )
        share = self.error_share(self.window_s)
        if share is None or share <= ERROR_SHARE:
            self._erring_since = None
            return
        if self._erring_since is None:
            self._erring_since = now
        if now - self._erring_since > self.window_s + ERROR_GRACE_S:
            raise DrillAborted(
                f"{self.other} answered {share:.0%} of the last {self.window_s:.0f} s with errors, "
                "and did so before: it does not carry the load."
            )
