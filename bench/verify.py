"""How long `verify` takes on a healthy deployment, and how that compares with its slowest probe.

Run beside a deployment on the embedded AWS: `python -m bench.verify [FOLDER]`, with the folder in which
`payinfra deploy --local` ran.
"""

import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from payinfra.checks.probes.results import ProbeResult, VerifyRequest
from payinfra.checks.probes.verify import verify
from payinfra.pytest_plugin import FILE, load

ROUNDS = 5


@dataclass(frozen=True)
class Measured:
    """One run: wall seconds in all, of the slowest probe, and of all probes added up."""

    wall_s: float
    slowest_s: float
    added_s: float
    findings: int


def once(folder: Path) -> Measured:
    """Verify once, in this process."""
    deployment = load(folder / FILE, folder)
    results: list[ProbeResult] = []
    began = time.perf_counter()
    outcome = verify(deployment.values, deployment.aws, VerifyRequest(tell=results.append))
    wall = time.perf_counter() - began
    took = [result.seconds for result in results]
    return Measured(wall, max(took), sum(took), len(outcome.findings))


def main(folder: Path) -> None:
    """Print the median of several runs, and the ratios."""
    runs = [once(folder) for _ in range(ROUNDS)]
    wall = statistics.median(run.wall_s for run in runs)
    slowest = statistics.median(run.slowest_s for run in runs)
    added = statistics.median(run.added_s for run in runs)
    sys.stdout.write(
        f"verify {wall:.2f} s wall, {wall / slowest:.2f} times its slowest probe ({slowest:.2f} s), "
        f"{wall / added:.3f} of all probes one after the other ({added:.1f} s); "
        f"findings {[run.findings for run in runs]}\n"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
