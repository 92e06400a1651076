"""The machine falls asleep while a command works: all its processes stop for a while, and go on."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.support.chaos.environment import (
    NOTHING_TO_RESTORE,
    QUICK,
    SCENARIOS,
    Struck,
    deployed,
    problems_of,
)
from tests.support.chaos.ledger import ENDED_BEFORE, Trial, dice
from tests.support.project import Done

ASLEEP_S = (5.0, 20.0)
BEFORE_S = {"drill": (2.0, 30.0), "rolling update": (4.0, 30.0)}
"""When the machine falls asleep, after the command's beginning, in seconds."""
MEMORY = ("512", "640", "768")


def slept_by(number: int) -> str:
    """What the machine sleeps through in the trial of this number."""
    return "rolling update" if number % 3 == 2 else "drill"


def sleep(env: Struck, number: int) -> Trial:
    """The trial of this number: the command ends well, or says why not, and nothing is left behind."""
    luck, what = dice("sleep", number), slept_by(number)
    scenario, memory = luck.choice(SCENARIOS), luck.choice(MEMORY)
    if what == "drill":
        words = env.words("failover-drill", "--yes", *QUICK, "--scenario", scenario)
    else:
        words = env.words("deploy", "--yes", "--lambda-memory-mb", memory)
    try:
        env.calm()
        how, done = _slept(env, luck, what, words)
        # A drill that was asleep may call itself inconclusive, find that it took too long, or not begin.
        problems = problems_of(done, meant=frozenset({0, 1, 4})) if what == "drill" else deployed(done)
        problems += env.faults() + env.unhealthy()
        if what == "drill" and (again := env.restore()).stdout != NOTHING_TO_RESTORE:
            problems.append(f"something was to be restored: {again.stdout} {again.stderr}")
    except Exception as error:  # noqa: BLE001 - a trial that breaks was not survived
        how, problems = "the trial broke", [f"{type(error).__name__}: {error}"]
    return Trial("sleep", number, what, f"{scenario if what == 'drill' else memory}, {how}", tuple(problems))


def _slept(env: Struck, luck: random.Random, what: str, words: tuple[str, ...]) -> tuple[str, Done]:
    after, asleep = luck.uniform(*BEFORE_S[what]), luck.uniform(*ASLEEP_S)
    server = env.project.control.status().endpoints.pid
    process = env.project.start(*words)
    try:
        try:
            stdout, stderr = process.communicate(timeout=after)
            how = f"it had {ENDED_BEFORE}"
        except subprocess.TimeoutExpired:
            stopped = [*_tree(process.pid), *_tree(server)]
            _tell(stopped, signal.SIGSTOP)
            time.sleep(asleep)
            _tell(stopped, signal.SIGCONT)
            stdout, stderr = process.communicate(timeout=400)
            how = f"asleep for {asleep:.0f} s after {after:.0f} s"
    finally:
        process.kill()
    return f"{how}: exit {process.returncode}", Done(process.returncode, stdout, stderr, 0)


def _tell(processes: list[int], number: signal.Signals) -> None:
    for one in processes:
        try:
            os.kill(one, number)
        except ProcessLookupError:
            continue


def _tree(root: int) -> Iterator[int]:
    """A process and all that it has started, the first one first."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, rest = stat.read_text().split(" (", 1)
        except (OSError, ValueError):
            continue
        parents.setdefault(int(rest.rpartition(") ")[2].split()[1]), []).append(int(pid))
    ahead = [root]
    while ahead:
        one = ahead.pop(0)
        yield one
        ahead += parents.get(one, [])
