"""What the embedded AWS can carry on this machine, from a short measurement: a drill's defaults follow it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from payinfra.drill.model import DEFAULT_RATE

ASKS = 5
"""How often each region's health page is asked."""
HEALTH_PAGES_A_PAYMENT = 3.0
"""How many times the work of a health page a payment is: it writes to two services, and is replicated."""
LOAD_SHARE = 0.3
"""The share of its time that the embedded AWS may spend on a drill's payments: it has health checks to
answer, probes, and alarms."""
SLOWEST_RATE = 1.0
PATIENCE = 30.0
"""How many times as long as a health page takes a payment's client waits …"""
LONGEST_TIMEOUT_S = 15.0
"""… but no longer than this."""


@dataclass(frozen=True)
class MachineSpeed:
    """How long the embedded AWS takes to answer one health page, in seconds; the median of several."""

    health_page_s: float

    @property
    def rate(self) -> float:
        """Payments a second that it can carry beside everything else."""
        affordable = LOAD_SHARE / (HEALTH_PAGES_A_PAYMENT * self.health_page_s)
        return round(max(SLOWEST_RATE, min(DEFAULT_RATE, affordable)), 1)

    @property
    def timeout_s(self) -> float:
        """How long a payment's client has to wait at least."""
        return min(LONGEST_TIMEOUT_S, PATIENCE * self.health_page_s)


def measure(ask: Callable[[], object], clock: Callable[[], float] = time.monotonic) -> MachineSpeed:
    """Ask several times, one after the other.

    Args:
        ask: asks each region's health page once, the one after the other; what it raises is raised.
    """
    took = []
    for _ in range(ASKS):
        began = clock()
        ask()
        took.append((clock() - began) / 2)
    return MachineSpeed(max(median(took), 1e-4))
