"""How busy the machine is that a drill runs on: what it measures in time is worth no more than that."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from payinfra.core.errors import PayinfraError
from payinfra.drill.load.statistics import percentile
from payinfra.drill.model import Doubt, MachineLoad

PRESSURE = Path("/proc/pressure/cpu")
"""Linux's account of the time in which tasks waited for a processor (kernel documentation, "PSI")."""
LATE_S = 0.5
"""A load whose payments are so late, 5 in 100 of them, is not the one that was asked for."""
BUSY_LAG_S = 0.1
"""A machine that begins them so late is too busy to hold anything against the system …"""
BUSY_SHARE = 0.6
"""… as is one on which some process waits for a processor for so large a share of the time …"""
BUSY_ANSWER_S = 0.3
"""… or whose embedded AWS takes so long to answer its own control port."""
LEAST_WINDOW_S = 10.0
"""A drill that ends soon after the injection is judged by how busy the machine was before that as well."""
QUIETER = "Drill on a machine that has less to do, with a lower --rate, or with a smaller --time-scale."


@dataclass(frozen=True)
class Sample:
    """The machine at one moment.

    Attributes:
        at_s: seconds since the drill began.
        waited_us: microseconds, since the machine was started, in which some task waited for a processor;
            None where the operating system does not say.
        answer_s: how long the embedded AWS's control port took; None on AWS.
    """

    at_s: float
    waited_us: int | None
    answer_s: float | None = None


def waited_us(file: Path = PRESSURE) -> int | None:
    """The account's present total; None where there is none."""
    with suppress(OSError, ValueError, IndexError):
        for line in file.read_text(encoding="ascii").splitlines():
            kind, *fields = line.split()
            if kind == "some":
                return int(dict(field.split("=") for field in fields)["total"])
    return None


@dataclass
class MachineWatch:
    """Takes samples of the machine.

    Args:
        elapsed: seconds since the drill began.
        ask: asks the embedded AWS's control port; None on AWS.
        waited: as `waited_us`.
        looks_back_s: what the drill is judged by may be as old as that: what alarms rang for, say.
    """

    elapsed: Callable[[], float]
    ask: Callable[[], object] | None = None
    waited: Callable[[], int | None] = waited_us
    clock: Callable[[], float] = time.monotonic
    looks_back_s: float = LEAST_WINDOW_S
    samples: list[Sample] = field(default_factory=list)

    def take(self) -> int:
        """Take one; how many there are now."""
        answer_s: float | None = None
        if self.ask is not None:
            began = self.clock()
            with suppress(PayinfraError):  # How long nobody answered is a measure as well.
                self.ask()
            answer_s = self.clock() - began
        self.samples.append(Sample(self.elapsed(), self.waited(), answer_s))
        return len(self.samples)

    def load(self, lags: Sequence[tuple[float, float]], begin_s: float, end_s: float) -> MachineLoad:
        """How busy the machine was between two moments, and as long before the second as it looks back.

        Args:
            lags: when each payment was begun, and how late.
        """
        begin_s = min(begin_s, end_s - self.looks_back_s)
        late = sorted(lag for at_s, lag in lags if begin_s <= at_s <= end_s) or [0.0]
        within = [one for one in tuple(self.samples) if begin_s <= one.at_s <= end_s]
        answers = sorted(one.answer_s for one in within if one.answer_s is not None)
        return MachineLoad(
            lag_p95_s=round(percentile(late, 0.95), 4),
            lag_worst_s=round(late[-1], 4),
            waiting_share=_share(within),
            answer_p95_s=round(percentile(answers, 0.95), 4) if answers else None,
        )

    def busy_so_far(self, *, on_aws: bool) -> tuple[Doubt, ...]:
        """What says, before a payment was sent, that the machine is too busy."""
        return tuple(excuses(self.load((), 0.0, self.elapsed()), on_aws=on_aws))


def _share(samples: Sequence[Sample]) -> float | None:
    """The share of time in which some task waited, between the first sample and the last one."""
    known = [(one.at_s, one.waited_us) for one in samples if one.waited_us is not None]
    if len(known) < 2 or known[-1][0] <= known[0][0]:
        return None
    waited = (known[-1][1] - known[0][1]) / 1e6
    return round(min(1.0, max(0.0, waited / (known[-1][0] - known[0][0]))), 4)


def doubts(load: MachineLoad) -> Iterator[Doubt]:
    """Why the load was not the one that was asked for."""
    if load.lag_p95_s > LATE_S:
        yield Doubt(
            f"The load generator was too slow: 5 of 100 payments were begun {load.lag_p95_s:.1f} s late or "
            f"more, one of them {load.lag_worst_s:.1f} s.",
            QUIETER,
        )


def excuses(load: MachineLoad, *, on_aws: bool) -> Iterator[Doubt]:
    """Why what came too late may have been the machine's doing."""
    if load.lag_p95_s > BUSY_LAG_S:
        yield Doubt(
            f"The machine was busy: 5 of 100 payments were begun {load.lag_p95_s:.2f} s late or more.",
            QUIETER,
        )
    if on_aws:
        return
    if load.waiting_share is not None and load.waiting_share > BUSY_SHARE:
        yield Doubt(
            "The machine was busy, and the embedded AWS runs on it: processes waited for a processor for "
            f"{load.waiting_share:.0%} of the time.",
            QUIETER,
        )
    if load.answer_p95_s is not None and load.answer_p95_s > BUSY_ANSWER_S:
        yield Doubt(
            f"The embedded AWS was slow: it took {load.answer_p95_s:.2f} s to answer its own control port.",
            QUIETER,
        )
