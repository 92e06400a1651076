"""Whether a fault was in effect, for as long as it was held: without that a drill proves nothing."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from payinfra.drill.model import Doubt, FaultEvidence

if TYPE_CHECKING:
    from payinfra.drill.observers import Poller

BLIND_S = 15.0
"""A fault that nobody could look at for so many seconds, up to the end of the hold, may have been lifted."""


@dataclass(frozen=True)
class FaultObserver:
    """Looks whether a fault is in effect.

    Attributes:
        fault: its name.
        sign: what shows it, in words.
        is_in_effect: raises where it cannot be told.
        every_s: how often it is asked, in seconds.
    """

    fault: str
    sign: str
    is_in_effect: Callable[[], bool]
    every_s: float = 1.0


def evidence_of(observer: FaultObserver, poller: "Poller[bool]", until_s: float) -> FaultEvidence:
    """What was seen of a fault up to the moment at which it was lifted on purpose."""
    took_s: float | None = None
    ended_s: float | None = None
    changes = [change for change in poller.changes() if change[0] < until_s]
    for at_s, in_effect in changes:
        if in_effect and took_s is None:
            took_s = at_s
        elif not in_effect and took_s is not None and ended_s is None:
            ended_s = at_s
    holds = bool(changes) and changes[-1][1]
    last_s = min(poller.polled_s, until_s) if holds else (ended_s if took_s is not None else None)
    return FaultEvidence(observer.fault, observer.sign, poller.polls, took_s, ended_s, last_s)


def doubts(evidence: Sequence[FaultEvidence], until_s: float) -> Iterator[Doubt]:
    """Why a fault may not have been in effect all along.

    Args:
        evidence: of each fault that was injected.
        until_s: when they were lifted on purpose.
    """
    for one in evidence:
        if one.took_effect_s is None:
            yield Doubt(
                f"The fault {one.fault} was not seen to take effect: {one.sign} was looked for "
                f"{one.looks} time{'' if one.looks == 1 else 's'}.",
                "See what overrides the fault, or keeps the drill from seeing it; then drill again.",
            )
        elif one.ended_s is not None:
            yield Doubt(
                f"The fault {one.fault} was lifted early: it was in effect from {one.took_effect_s:.1f} s to "
                f"{one.ended_s:.1f} s, and was to be held until {until_s:.1f} s.",
                "See who or what lifted it, then drill again.",
            )
        elif one.last_s is not None and until_s - one.last_s > BLIND_S:
            yield Doubt(
                f"Nobody could tell whether the fault {one.fault} was in effect after {one.last_s:.1f} s.",
                "See that the region's own endpoint and the control plane can be asked, then drill again.",
            )
