"""How long a synthesis takes: lazy, eager, an ordinary app, cdktf's own CLI. `python -m bench.synth`.

Every time is that of a whole process; the medians of several runs are compared, and the output trees byte
for byte. It ends with 1 if the trees differ or a goal is missed, and with 2 if a command failed.
"""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from bench import stock, trees
from bench.commands import EAGER, HELP, LAZY, ORDINARY, REUSED, Command, stock_synth
from bench.goals import Goal, at_least, at_most, say, show, verdict
from bench.timing import CommandFailed, Timing, environment, measure, run


def tree_of(command: Command, folder: Path) -> dict[str, str]:
    return trees.digests(folder / command.tree) if command.tree is not None else {}


def as_an_app(folder: Path) -> dict[str, str]:
    """What cdktf's CLI tells the app that it runs; payinfra does not listen to it."""
    return {"CDKTF_OUTDIR": str(folder / "cdktf.out")}


def cold(command: Command, folder: Path, runs: int) -> Timing:
    """Each run begins without jsii's cache of unpacked packages, on a disk that has nothing left to do."""
    cache = folder / "jsii-cache"

    def tidy() -> None:
        shutil.rmtree(cache, ignore_errors=True)
        os.sync()  # A run unpacks 360 MB: the next one would wait for what this one has left to write.

    environ = environment(JSII_RUNTIME_PACKAGE_CACHE_ROOT=str(cache), **as_an_app(folder))
    timing = measure(
        Command(f"{command.name}, cold", command.arguments),
        folder,
        runs=runs,
        environ=environ,
        before_each=tidy,
    )
    tidy()
    return timing


def goals_of(folder: Path, *, runs: int, slow_runs: int) -> list[Goal]:
    """Measure everything in one folder; say each time as it is known."""
    stock.write_project(folder)
    found: dict[str, dict[str, str]] = {}
    try:
        cli = stock_synth(stock.install())
    except stock.NoStockCli as reason:
        say(f"  without cdktf's own CLI: {reason}")
        cli = None

    # Once unmeasured: bytecode, jsii's cache and its index belong to the cold times.
    for command in (LAZY, EAGER):
        run(command, folder, environment())

    usage = show(measure(HELP, folder, runs=runs))
    lazy = show(measure(LAZY, folder, runs=runs))
    found[LAZY.name] = tree_of(LAZY, folder)
    reused = show(measure(REUSED, folder, runs=runs))
    found[REUSED.name] = tree_of(REUSED, folder)
    show(measure(EAGER, folder, runs=slow_runs))
    found[EAGER.name] = tree_of(EAGER, folder)
    ordinary = show(measure(ORDINARY, folder, runs=slow_runs, environ=environment(**as_an_app(folder))))
    found[ORDINARY.name] = tree_of(ORDINARY, folder)
    goals = [
        at_most(HELP.name, usage, 0.4),
        at_most("warm synth", lazy, 1.1),
        at_most("warm synth, nothing changed", reused, 0.4),
        at_least("warm synth against ordinary imports", ordinary, lazy, 8),
    ]
    if cli is not None:
        stock_cli = show(measure(cli, folder, runs=slow_runs))
        found[cli.name] = tree_of(cli, folder)
        goals.append(at_least("warm synth against cdktf synth", stock_cli, lazy, 10))
    cold_lazy = show(cold(LAZY, folder, slow_runs))
    cold_ordinary = show(cold(ORDINARY, folder, slow_runs))
    goals.append(at_least("cold synth against ordinary imports", cold_ordinary, cold_lazy, 3))

    for name, tree in found.items():
        different = trees.differing(found[LAZY.name], tree)
        if name != LAZY.name:
            measured = ", ".join(different) or f"{len(tree)} files"
            goals.append(Goal(f"output of {name}: identical", measured, bool(tree) and not different))
    return goals


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.synth", description="Time the synthesis.")
    parser.add_argument("--runs", type=int, default=5, help="runs of the fast commands (default 5)")
    parser.add_argument("--slow-runs", type=int, default=3, help="runs of the slow commands (default 3)")
    options = parser.parse_args()
    say("Median wall time of whole processes, and each run:")
    with tempfile.TemporaryDirectory(prefix="payinfra-bench-") as folder:
        try:
            goals = goals_of(Path(folder), runs=options.runs, slow_runs=options.slow_runs)
        except CommandFailed as error:
            say(str(error))
            return 2
    return verdict(goals)


if __name__ == "__main__":
    sys.exit(main())
