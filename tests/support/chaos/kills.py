"""Commands that are killed or signalled at any moment; the same command, or the restoration, converges."""

import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from payinfra.core.errors import Interrupted
from tests.support.chaos.environment import (
    NOTHING_TO_RESTORE,
    QUICK,
    SCENARIOS,
    Struck,
    deployed,
    last_words,
    problems_of,
)
from tests.support.chaos.ledger import ENDED_BEFORE, Trial, dice
from tests.support.project import Done

SIGNALS = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TAKES_S = {
    "deploy": 15.0,
    "update": 30.0,
    "destroy": 30.0,
    "drill": 35.0,
    "restore": 4.0,
    "rotate-key": 12.0,
    "evacuate": 10.0,
    "return": 10.0,
}
"""About how long each command takes; what it took last time counts more."""
REFUSED, SERVES_WITHIN_S = "The survivor's health page answers", 60.0
"""What an evacuation is refused with for a while, and for how long that is waited, in seconds: a container
that could not write needs three good writes, ten seconds apart, to say that it can again."""
SCALE = 10.0
"""By how much time runs faster while a region is evacuated: health checks have to change their minds."""
MEMORY = ("512", "640", "768")
Kill = Callable[[Struck, random.Random], tuple[str, list[str]]]


def _strike(env: Struck, luck: random.Random, kind: str, *words: str) -> tuple[str, list[str]]:
    """Start a command, and send it a signal at a random moment; what was done, and what did not hold."""
    number = luck.choice(SIGNALS)
    at_s = luck.uniform(0.0, TAKES_S[kind])
    began = time.monotonic()
    process = env.project.start(*env.words(*words))
    try:
        try:
            stdout, stderr = process.communicate(timeout=at_s)
            struck = ENDED_BEFORE
            TAKES_S[kind] = max(1.0, time.monotonic() - began)
        except subprocess.TimeoutExpired:
            process.send_signal(number)
            stdout, stderr = process.communicate(timeout=400)
            struck = f"after {at_s:.1f} s"
    finally:
        process.kill()
    done = Done(process.returncode, stdout, stderr, at_s)
    # 4: what it needed did not answer in time, as on a machine that is busy; it failed by itself.
    meant = frozenset({0, 1, 4, 130} | ({-signal.SIGKILL} if number is signal.SIGKILL else set()))
    problems = [] if done.returncode == -signal.SIGKILL == -number else problems_of(done, meant=meant)
    how = f"{number.name} {struck}: exit {done.returncode}"
    if done.returncode not in (0, Interrupted.exit_code, -signal.SIGKILL):
        how += f": {last_words(done.stderr)}"
    return how, problems


def _converged(env: Struck, kind: str, *words: str) -> list[str]:
    """The command that has to put all right, and the truth afterwards."""
    done = env.run(*words)
    TAKES_S[kind] = max(2.0, (TAKES_S[kind] + done.seconds) / 2)
    problems = [f"it did not converge: {one}" for one in deployed(done)]
    return problems + env.faults() + env.unhealthy()


def drill(env: Struck, luck: random.Random) -> tuple[str, list[str]]:
    """A drill that is cut off is put back by itself, or by `--restore`, once and for all."""
    scenario = luck.choice(SCENARIOS)
    env.calm()
    words = ("failover-drill", "--yes", *QUICK, "--scenario", scenario)
    how, problems = _strike(env, luck, "drill", *words)
    problems += _converged(env, "restore", "failover-drill", "--restore")
    if (again := env.restore()).stdout != NOTHING_TO_RESTORE:
        problems.append(f"restored twice: {again.stdout}")
    return f"{scenario}, {how}", problems


def restore(env: Struck, luck: random.Random) -> tuple[str, list[str]]:
    """A restoration that is cut off is done by the next one."""
    scenario = luck.choice(SCENARIOS)
    env.inject(scenario, f"20260102T030405Z-{luck.randrange(16**4):04x}")
    how, problems = _strike(env, luck, "restore", "failover-drill", "--restore")
    return f"{scenario}, {how}", problems + _converged(env, "restore", "failover-drill", "--restore")


def rotate_key(env: Struck, luck: random.Random) -> tuple[str, list[str]]:
    """A rotation that is cut off goes on with the same command, and can be finished."""
    finish = ("--finish",) if luck.random() < 0.4 else ()
    if finish:
        env.run("rotate-key", "--yes")
    how, problems = _strike(env, luck, "rotate-key", "rotate-key", "--yes", *finish)
    begun = env.run("rotate-key", "--yes")
    problems += problems_of(begun, meant=frozenset({0, 1, 4}))
    finished = env.run("rotate-key", "--yes", "--finish")
    problems += problems_of(finished, meant=frozenset({0}))
    paid = env.run("pay")
    problems += problems_of(paid, meant=frozenset({0}))
    return f"{'finish' if finish else 'begin'}, {how}", problems + env.unhealthy()


def update(env: Struck, luck: random.Random) -> tuple[str, list[str]]:
    """A rolling update that is cut off leaves both regions serving, and the next one converges."""
    memory = ("--lambda-memory-mb", luck.choice(MEMORY))
    how, problems = _strike(env, luck, "update", "deploy", "--yes", *memory)
    problems += [f"at once afterwards: {one}" for one in env.unhealthy()]
    return f"{memory[-1]} MB, {how}", problems + _converged(env, "update", "deploy", "--yes", *memory)


def deploy(env: Struck, luck: random.Random) -> tuple[str, list[str]]:
    """A deployment that changes nothing may be cut off anywhere."""
    how, problems = _strike(env, luck, "deploy", "deploy", "--yes")
    return how, problems + _converged(env, "deploy", "deploy", "--yes")


def destroy(env: Struck, luck: random.Random) -> tuple[str, list[str]]:
    """A destruction that is cut off: the environment can be deployed again from whatever is left."""
    how, problems = _strike(env, luck, "destroy", "destroy", "--yes")
    return how, problems + _converged(env, "update", "deploy", "--yes")


def evacuate(env: Struck, luck: random.Random) -> tuple[str, list[str]]:
    """An evacuation that is cut off goes on with the same command, and can be returned from."""
    region = luck.choice((env.outputs.primary, env.outputs.secondary)).region
    with in_a_hurry(env):
        how, problems = _strike(env, luck, "evacuate", "evacuate", region, "--yes")
        problems += problems_of(_evacuated(env, region), meant=frozenset({0}))
        return f"{region}, {how}", problems + _converged(env, "return", "return", region, "--yes")


def bring_back(env: Struck, luck: random.Random) -> tuple[str, list[str]]:
    """A return that is cut off goes on with the same command."""
    region = luck.choice((env.outputs.primary, env.outputs.secondary)).region
    with in_a_hurry(env):
        problems = problems_of(_evacuated(env, region), meant=frozenset({0}))
        how, more = _strike(env, luck, "return", "return", region, "--yes")
        return f"{region}, {how}", problems + more + _converged(env, "return", "return", region, "--yes")


def _evacuated(env: Struck, region: str) -> Done:
    """Evacuate a region. That is refused while the survivor does not serve again after an earlier blow."""
    ends = time.monotonic() + SERVES_WITHIN_S
    while True:
        done = env.run("evacuate", region, "--yes")
        if REFUSED not in done.stderr or time.monotonic() > ends:
            return done


@contextmanager
def in_a_hurry(env: Struck) -> Iterator[None]:
    """Time runs so fast that an evacuation takes seconds, and as real afterwards."""
    env.project.control.set_time_scale(SCALE)
    try:
        yield
    finally:
        env.project.control.set_time_scale(1.0)


KILLS: Mapping[str, tuple[Kill, int]] = {
    "drill": (drill, 26),
    "restoration": (restore, 22),
    "rotation of the API key": (rotate_key, 12),
    "rolling update": (update, 12),
    "deployment": (deploy, 10),
    "evacuation": (evacuate, 8),
    "return to a region": (bring_back, 7),
    "destruction": (destroy, 3),
}
"""What is struck, by its line in the table, and how often of a hundred times."""
_DECK = [what for what, (_, often) in KILLS.items() for _ in range(often)]
dice("kill", -1).shuffle(_DECK)
LIGHT_KILLS = frozenset({"drill", "restoration", "evacuation", "return to a region"})
"""Those for which no Terraform runs."""


def struck_by(number: int) -> str:
    """What the trial of this number strikes."""
    return _DECK[number % len(_DECK)]


def kill(env: Struck, number: int) -> Trial:
    """The trial of this number."""
    luck, what = dice("kill", number), struck_by(number)
    try:
        how, problems = KILLS[what][0](env, luck)
    except Exception as error:  # noqa: BLE001 - a trial that breaks was not survived
        how, problems = "the trial broke", [f"{type(error).__name__}: {error}"]
    return Trial("kill", number, what, how, tuple(problems))
