"""How long `verify` takes on a healthy deployment, and how that compares with its slowest probe.

`python -m bench.verify` deploys to an embedded AWS of its own, in a folder that is removed afterwards;
`python -m bench.verify FOLDER` measures beside the deployment that was made in a folder. `bench.deploy`
measures the same beside its own, so that `make bench` deploys once. It ends with 1 if a goal is missed, and
with 2 if a command failed.
"""

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.commands import DEPLOY, DESTROY, LOCAL_DOWN
from bench.goals import Goal, at_most, say, show, verdict
from bench.timing import CommandFailed, Timing, environment, run
from payinfra.checks.probes.results import ProbeResult, VerifyRequest
from payinfra.checks.probes.verify import verify
from payinfra.pytest_plugin import FILE, load

ROUNDS = 5
ANY_PORT = {"PAYINFRA_LOCAL_PORT": "0"}
WITHIN_S = 5


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


def goals(folder: Path) -> list[Goal]:
    """Measure beside the deployment in a folder; say each time as it is known."""
    once(folder)
    runs = [once(folder) for _ in range(ROUNDS)]
    timing = show(Timing("verify, all probes", tuple(run.wall_s for run in runs)))
    slowest = statistics.median(run.slowest_s for run in runs)
    added = statistics.median(run.added_s for run in runs)
    say(f"  {timing.median / slowest:.2f} times its slowest probe ({slowest:.2f} s)")
    say(f"  {timing.median / added:.3f} of its probes one after the other ({added:.1f} s)")
    found = sum(run.findings for run in runs)
    return [
        at_most("verify on a healthy deployment", timing, WITHIN_S),
        Goal("verify finds nothing there", f"{found} findings in {len(runs)} runs", found == 0),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.verify", description="Time verifying.")
    parser.add_argument("folder", type=Path, nargs="?", help="where `payinfra deploy --local` ran")
    if (chosen := parser.parse_args().folder) is not None:
        return verdict(goals(chosen.resolve()))
    environ = environment(**ANY_PORT)
    with tempfile.TemporaryDirectory(prefix="payinfra-bench-") as name:
        folder = Path(name)
        try:
            run(DEPLOY, folder, environ)
            measured = goals(folder)
            run(DESTROY, folder, environ)
        except CommandFailed as error:
            say(str(error))
            return 2
        finally:
            run(LOCAL_DOWN, folder, environ)
    return verdict(measured)


if __name__ == "__main__":
    sys.exit(main())
