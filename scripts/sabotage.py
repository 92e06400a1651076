"""Drills every damaged deployment of the tests, and keeps what the drills said for docs/scenarios.md.

python -m scripts.sabotage
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.sabotage import SABOTAGES, Outcome, keep, run


def main() -> int:
    """Drill, and keep."""
    outcomes: list[Outcome] = []
    for sabotage in SABOTAGES:
        with TemporaryDirectory() as folder:
            _, outcome = run(sabotage, Path(folder))
        outcomes.append(outcome)
    keep(tuple(outcomes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
