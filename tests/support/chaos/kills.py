"""Commands that are killed or signalled at any moment; the same command, or the restoration, converges."""

import random
import signal
import subprocess
from collections.abc import Callable, Mapping

from tests.support.chaos.environment import (
    NOTHING_TO_RESTORE,
    QUICK,
    SCENARIOS,
    Struck,
    deployed,
    problems_of,
)
from tests.support.chaos.ledger import Trial, dice
from tests.support.project import Done

SIGNALS = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TAKES_S = {"deploy": 15.0, "update": 30.0, "destroy": 30.0, "drill": 35.0, "restore": 4.0, "rotate-key": 12.0}
"""About how long each command takes; what it took last time counts more."""
MEMORY = ("512", "640", "768")
Kill = Callable[[Struck, random.Random], tuple[str, list[str]]]


def _strike(env: Struck, luck: random.Random, kind: str, *words: str) -> tuple[str, list[str]]:
    """Start a command, and send it a signal at a random moment; what was done, and what did not hold."""
    number = luck.choice(SIGNALS)
    at_s = luck.uniform(0.0, TAKES_S[kind])
    process = env.project.start(*env.words(*words))
    try:
        try:
            stdout, stderr = process.communicate(timeout=at_s)
            struck = "ended before"
        except subprocess.TimeoutExpired:
            process.send_signal(number)
            stdout, stderr = process.communicate(timeout=400)
            struck = f"after {at_s:.1f} s"
    finally:
        process.kill()
    done = Done(process.returncode, stdout, stderr, at_s)
    meant = frozenset({0, 1, 130} | ({-signal.SIGKILL} if number is signal.SIGKILL else set()))
    problems = [] if done.returncode == -signal.SIGKILL == -number else problems_of(done, meant=meant)
    return f"{number.name} {struck}: exit {done.returncode}", problems


def _converged(env: Struck, kind: str, *words: str) -> list[str]:
    """The command that has to put all right, and the truth afterwards."""
    done = env.run(*words)
    TAKES_S[kind] = max(2.0, (TAKES_S[kind] + done.seconds) / 2)
    problems = [f"it did not converge: {one}" for one in deployed(done)]
    return problems + env.faults() + env.unhealthy()


def drill(env: Struck, luck: random.Random) -> tuple[str, list[str]]:
    """A drill that is cut off is put back by itself, or by `--restore`, once and for all."""
    scenario = luck.choice(SCENARIOS)
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


KILLS: Mapping[str, tuple[Kill, int]] = {
    "drill": (drill, 32),
    "restoration": (restore, 24),
    "rotation of the API key": (rotate_key, 14),
    "rolling update": (update, 16),
    "deployment": (deploy, 10),
    "destruction": (destroy, 4),
}
"""What is struck, by its line in the table, and how often of a hundred times."""
LIGHT_KILLS = frozenset({"drill", "restoration"})
"""Those for which no Terraform runs."""


def struck_by(number: int) -> str:
    """What the trial of this number strikes."""
    return _drawn(dice("kill", number))


def _drawn(luck: random.Random) -> str:
    (what,) = luck.choices(list(KILLS), [often for _, often in KILLS.values()])
    return what


def kill(env: Struck, number: int) -> Trial:
    """The trial of this number."""
    luck = dice("kill", number)
    what = _drawn(luck)
    try:
        how, problems = KILLS[what][0](env, luck)
    except Exception as error:  # noqa: BLE001 - a trial that breaks was not survived
        how, problems = "the trial broke", [f"{type(error).__name__}: {error}"]
    return Trial("kill", number, what, how, tuple(problems))
