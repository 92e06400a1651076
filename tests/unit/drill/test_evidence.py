"""What was seen of a fault, and whether it was there for as long as it was held."""

from collections.abc import Sequence

import pytest

from payinfra.drill.evidence import FaultObserver, doubts, evidence_of
from payinfra.drill.observers import Poller
from tests.support.clocks import SetClock

OBSERVER = FaultObserver("region-outage", "silence of the health page", lambda: True)
LIFTED_S = 40.0


def watched(*samples: tuple[float, bool | None]) -> Poller[bool]:
    """A poller that saw these at these moments; nothing could be told where None."""
    clock, seen = SetClock(), list(samples)
    told: Sequence[bool | None] = [one for _, one in samples]
    index = iter(told)

    def look() -> bool:
        found = next(index)
        if found is None:
            raise OSError("nobody answers")
        return found

    poller = Poller(look, clock, 1.0, lambda _at_s, _seen: None)
    for clock.at, _ in seen:
        poller.poll_once()
    return poller


@pytest.mark.parametrize(
    ("samples", "took", "ended", "last", "doubt"),
    [
        ([(11, False), (12, True), (39, True)], 12, None, 39, ""),
        ([(11, True), (30, True), (45, False)], 11, None, 40, ""),
        ([(11, False), (39, False)], None, None, None, "was not seen to take effect"),
        ([], None, None, None, "was looked for 0 times"),
        ([(11, True), (20, False), (39, False)], 11, 20, 20, "was lifted early"),
        ([(11, True), (20, False), (25, True), (39, True)], 11, 20, 39, "was lifted early"),
        ([(11, True), (12, True), (39, None)], 11, None, 12, "Nobody could tell"),
        ([(11, True), (26, True), (39, None)], 11, None, 26, ""),
    ],
)
def test_a_fault_was_there_all_along_or_the_drill_proves_nothing(
    samples: list[tuple[float, bool | None]],
    took: float | None,
    ended: float | None,
    last: float | None,
    doubt: str,
) -> None:
    found = evidence_of(OBSERVER, watched(*samples), LIFTED_S)
    assert (found.took_effect_s, found.ended_s, found.last_s) == (took, ended, last)
    told = tuple(doubts([found], LIFTED_S))
    assert bool(told) is bool(doubt)
    for one in told:
        assert doubt in one.what
        assert one.next_step


def test_one_look_is_one_time() -> None:
    (told,) = doubts([evidence_of(OBSERVER, watched((11, False)), LIFTED_S)], LIFTED_S)
    assert told.what.endswith("silence of the health page was looked for 1 time.")
