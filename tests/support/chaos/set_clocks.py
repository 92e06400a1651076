"""The clock is set by an hour while a command works, for payinfra, the embedded AWS and its functions."""

import random
import subprocess

from tests.support.chaos.environment import NOTHING_TO_RESTORE, QUICK, SCENARIOS, Struck, problems_of
from tests.support.chaos.kills import in_a_hurry
from tests.support.chaos.ledger import ENDED_BEFORE, Trial, dice
from tests.support.project import Done
from tests.support.settable_clock import SettableClock

HOUR_S = 3600.0
BEFORE_S = {"drill": (2.0, 30.0), "evacuation": (1.0, 10.0)}
"""When the clock is set, after the command's beginning, in seconds."""


def set_during(number: int) -> str:
    """What works while the clock is set in the trial of this number."""
    return "evacuation" if number % 4 == 3 else "drill"


def set_clock(env: Struck, number: int, clock: SettableClock) -> Trial:
    """The trial of this number: the command ends well, or says why not, and nothing is left behind."""
    luck, what = dice("clock", number), set_during(number)
    by_s, scenario = luck.choice((HOUR_S, -HOUR_S)), luck.choice(SCENARIOS)
    try:
        env.calm()
        if what == "drill":
            words = env.words("failover-drill", "--yes", *QUICK, "--scenario", scenario)
            how, done = _set(env, luck, what, by_s, clock, words)
            # A drill during which calls were refused may fail, be inconclusive, or not begin.
            problems = problems_of(done, meant=frozenset({0, 1, 4}))
            if (again := env.restore()).stdout != NOTHING_TO_RESTORE:
                problems.append(f"something was to be restored: {again.stdout} {again.stderr}")
            how = f"{scenario}, {how}"
        else:
            region = env.outputs.primary.region
            with in_a_hurry(env):
                how, done = _set(env, luck, what, by_s, clock, env.words("evacuate", region, "--yes"))
                problems = problems_of(done, meant=frozenset({0, 1, 4}))
                for words in (("evacuate", region, "--yes"), ("return", region, "--yes")):
                    problems += problems_of(env.run(*words), meant=frozenset({0}))
        problems += env.unhealthy()
        problems += problems_of(env.run("status"), meant=frozenset({0}))
        clock.set(0.0)  # Only then are this process's own calls taken: they are signed with the real time.
        problems += [f"once the clock was right again: {one}" for one in (*env.faults(), *env.unhealthy())]
    except Exception as error:  # noqa: BLE001 - a trial that breaks was not survived
        how, problems = "the trial broke", [f"{type(error).__name__}: {error}"]
    finally:
        clock.set(0.0)
    return Trial("clock", number, what, how, tuple(problems))


def _set(
    env: Struck, luck: random.Random, what: str, by_s: float, clock: SettableClock, words: tuple[str, ...]
) -> tuple[str, Done]:
    after = luck.uniform(*BEFORE_S[what])
    process = env.project.start(*words)
    try:
        try:
            stdout, stderr = process.communicate(timeout=after)
            clock.set(by_s)
            how = f"it had {ENDED_BEFORE} the clock was set"
        except subprocess.TimeoutExpired:
            clock.set(by_s)
            stdout, stderr = process.communicate(timeout=400)
            how = f"the clock set {'forward' if by_s > 0 else 'back'} after {after:.0f} s"
    finally:
        process.kill()
    return f"{how}: exit {process.returncode}", Done(process.returncode, stdout, stderr, 0)
