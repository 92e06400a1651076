"""What faults do to the name, on the embedded AWS: as expected beforehand, and as docs/scenarios.md shows."""

import os

from tests.e2e.evacuation.conftest import Day
from tests.e2e.evacuation.matrix import CASES, MOVES, keep, kept, measure, mend_audit

WHOLE = "FAULT_MATRIX"
"""Set, as `make fault-matrix` does, to measure every fault, and to keep what was measured for the page."""


def test_the_name_does_what_was_expected_of_each_fault(day: Day) -> None:
    whole = bool(os.environ.get(WHOLE))
    cases = [case for case in CASES if whole or case.each_time]
    try:
        measured = tuple(measure(day, case) for case in cases)
    finally:
        mend_audit(day)
    if whole:
        keep(measured)
    assert {one.what: one.measured for one in measured} == {one.what: one.expected for one in cases}
    # Where the name moved, payments got through; and the page shows what was measured.
    assert [one.what for one in measured if one.measured == MOVES and one.refused] == []
    shown = {one.what: (one.expected, one.measured, one.refused) for one in kept()}
    assert {one.what: shown.get(one.what) for one in measured} == {
        one.what: (one.expected, one.measured, one.refused) for one in measured
    }
