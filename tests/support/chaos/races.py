"""Two commands at once, on one environment or on two: one works, and the other works or says who does."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

from payinfra.core.environment_lock import holder
from tests.support.chaos.environment import QUICK, Struck, deployed, problems_of
from tests.support.chaos.ledger import Trial, dice
from tests.support.project import Done
from tests.support.terminal import Terminal

COMMANDS = ("deploy", "destroy", "drill", "restore", "rotate-key", "reap", "evacuate")
PAIRS = tuple(combinations_with_replacement(COMMANDS, 2))
LIGHT = frozenset({"drill", "restore", "evacuate"})
"""Those for which no Terraform runs."""
SCALE = 10.0
"""By how much time runs faster in a race with an evacuation."""
IN_USE = re.compile(r"in use: \S+ runs `payinfra")
UNUSABLE = 4
WITHIN_S = 300.0


@dataclass
class Racer:
    """A command that runs. `destroy` is asked for in a terminal, and a person says no once the other is done.

    Attributes:
        harmless: whether there is nothing for `reap` to destroy.
    """

    env: Struck
    command: str
    harmless: bool

    def start(self) -> None:
        """Begin."""
        self.person: Terminal | None = None
        if self.command == "destroy":
            self.person = Terminal(self.env.project, *self.env.words("destroy"))
        else:
            self.process = self.env.project.start(*self._words())

    def _words(self) -> tuple[str, ...]:
        match self.command:
            case "drill":
                return self.env.words("failover-drill", "--yes", *QUICK, "--scenario", "health-check")
            case "restore":
                return self.env.words("failover-drill", "--restore")
            case "reap":
                age = "52w" if self.harmless else "0m"
                which = ("--older-than", age, "--pattern", self.env.env)
                return ("reap", "--local", "--yes", *which, "--format", "json")
            case "evacuate":
                return self.env.words("evacuate", self.env.outputs.primary.region, "--yes")
            case command:
                return self.env.words(command, "--yes")

    def holds(self) -> bool:
        """Whether it has the environment, or has ended."""
        process = self.process if self.person is None else self.person.process
        return process.poll() is not None or bool(holder(self.env.work))

    def end(self) -> Done:
        """Wait for its end; a person who is asked says no."""
        if self.person is None:
            try:
                stdout, stderr = self.process.communicate(timeout=WITHIN_S)
            finally:
                self.process.kill()
            return Done(self.process.returncode, stdout, stderr, 0)
        with self.person as person:
            ends = time.monotonic() + WITHIN_S
            while "[y/N]" not in person.said and time.monotonic() < ends and person.reads(0.5):
                pass
            if "[y/N]" in person.said:
                person.types("n\n")
            code = person.end()
            return Done(code, "", person.said, 0)


def race(envs: Sequence[Struck], number: int) -> Trial:
    """The race of this number: each pair once on one environment, then each on two."""
    luck = dice("race", number)
    first, second = PAIRS[number % len(PAIRS)]
    two = (number // len(PAIRS)) % 2 == 1
    what = f"{'two environments' if two else 'one environment'}: {first} and {second}"
    pair = (Racer(envs[0], first, two), Racer(envs[-1 if two else 0], second, two))
    hurried = "evacuate" in (first, second)
    try:
        if hurried:
            envs[0].project.control.set_time_scale(SCALE)
        how, problems = _run(pair, luck.uniform(0.0, 1.0), two=two)
        for one in pair:
            if one.command == "evacuate" and (one.env.work / "outputs.json").exists():
                returned = one.env.run("return", one.env.outputs.primary.region, "--yes")
                problems += problems_of(returned, meant=frozenset({0}))
        if hurried:
            envs[0].project.control.set_time_scale(1.0)
        for env in envs[: 2 if two else 1]:
            if not (env.work / "outputs.json").exists():  # It was reaped.
                problems += deployed(env.deploy())
            problems += env.faults() + env.unhealthy()
            if "rotate-key" in (first, second):
                problems += problems_of(
                    env.run("rotate-key", "--finish", "--yes"), meant=frozenset({0, 1, 4})
                )
    except Exception as error:  # noqa: BLE001 - a race that breaks was not survived
        how, problems = "the race broke", [f"{type(error).__name__}: {error}"]
    return Trial("race", number, what, how, tuple(problems))


def _run(pair: tuple[Racer, Racer], later_s: float, *, two: bool) -> tuple[str, list[str]]:
    first, second = pair
    first.start()
    if second.command == "reap" and first.command != "reap" and not two:
        ends = time.monotonic() + WITHIN_S
        while not first.holds() and time.monotonic() < ends:
            time.sleep(0.05)
    else:
        time.sleep(later_s)
    second.start()
    # A person who is asked answers last: until then the destruction has the environment.
    ordered = sorted(pair, key=lambda one: one.command == "destroy")
    ended = {id(one): one.end() for one in ordered}
    done = [ended[id(one)] for one in pair]
    problems = [f"{one.command}: {found}" for one in pair for found in problems_of(ended[id(one)])]
    refused = [_refused(one) for one in done]
    if all(refused):
        problems.append("none of the two worked")
    if two and any(refused) and not (first.command == second.command == "drill"):
        problems.append("one was refused although the other works elsewhere")
    for one, each in zip(pair, done, strict=True):
        gone = one.command == "evacuate" and {"reap", "destroy"} & {first.command, second.command}
        if each.returncode == UNUSABLE and not _refused(each) and not gone:
            problems.append(f"{one.command} does not say who works: {each.stderr[-200:]}")
    codes = " and ".join(
        f"{one.command} exit {each.returncode}" for one, each in zip(pair, done, strict=True)
    )
    return codes, problems


def _refused(done: Done) -> bool:
    return bool(IN_USE.search(" ".join(f"{done.stderr} {done.stdout}".split())))
