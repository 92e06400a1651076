"""Measures what a fault of each dependency does to the name, and keeps it for docs/scenarios.md.

python -m scripts.fault_matrix
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bench.aws_in_process import RegionInProcess, Stamps
from tests.support.fault_matrix import CASES, keep, measure
from tests.unit.payments.conftest import Clock, Site, site_in


@contextmanager
def two_regions() -> Iterator[tuple[Site, Site]]:
    """The function in two empty regions."""
    stamps, clock = Stamps(), Clock()
    primary, secondary = RegionInProcess("us-east-1", stamps), RegionInProcess("us-west-2", stamps)
    yield site_in(primary, primary.clients(), clock), site_in(secondary, secondary.clients(), clock)


def main() -> int:
    """Measure, and keep."""
    found = []
    for case in CASES:
        with two_regions() as (east, west):
            found.append(measure(case, east, west))
    keep(tuple(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
