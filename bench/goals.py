"""What was promised, what was measured of it, and the lines that say so."""

import sys
from dataclasses import dataclass

from bench.timing import Timing


@dataclass(frozen=True)
class Goal:
    """A promise, what was measured of it, and whether it is kept."""

    promise: str
    measured: str
    kept: bool


def say(line: str = "") -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def show(timing: Timing) -> Timing:
    runs = " ".join(f"{seconds:.2f}" for seconds in timing.seconds)
    say(f"  {timing.name:<44} {timing.median:7.2f} s   ({runs})")
    return timing


def at_least(promise: str, slow: Timing, fast: Timing, factor: float) -> Goal:
    ratio = slow.median / fast.median
    return Goal(f"{promise}: at least {factor:g} times as fast", f"{ratio:.1f} times", ratio >= factor)


def at_most(promise: str, timing: Timing, seconds: float) -> Goal:
    return Goal(f"{promise}: {seconds:g} s at most", f"{timing.median:.2f} s", timing.median <= seconds)


def verdict(goals: list[Goal]) -> int:
    """Say each goal, and give the process's exit code."""
    say()
    for goal in goals:
        say(f"  {'kept  ' if goal.kept else 'MISSED'}  {goal.promise} ({goal.measured})")
    return 0 if all(goal.kept for goal in goals) else 1
