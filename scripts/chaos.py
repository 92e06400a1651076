"""Strikes an environment at random, seeded, and keeps what became of each blow for docs/reliability.md.

python -m scripts.chaos [--kills N] [--truncations N] [--races N] [--sleeps N] [--clocks N]
                        [--page] [--light | --heavy] [--minutes N] [--again]

Blows that were survived in an earlier run are not repeated; --again strikes them, too. After --minutes no
other blow begins; the next run goes on from there.
"""

import argparse
import math
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

from payinfra.core.stop_signals import STOP_SIGNALS
from tests.support.chaos.environment import Struck, struck
from tests.support.chaos.kills import LIGHT_KILLS, kill, struck_by
from tests.support.chaos.ledger import RECORDED, Ledger, Trial
from tests.support.chaos.races import LIGHT, PAIRS, race
from tests.support.chaos.set_clocks import set_clock
from tests.support.chaos.sleeps import sleep, slept_by
from tests.support.chaos.truncations import LIGHT_DAMAGE, damaged_by, described, truncation
from tests.support.settable_clock import SettableClock

ENVS = ("dev-luck", "dev-chance")
"""Names of environments that `reap` may destroy. Only races need both."""
PAGE = "tests/functional/pages/test_hostile_page.py"
Strike = Callable[[Sequence[Struck], int], Trial]
STRIKES: dict[str, Strike] = {
    "kill": lambda envs, number: kill(envs[0], number),
    "truncation": lambda envs, number: truncation(envs[0], number),
    "race": race,
    "sleep": lambda envs, number: sleep(envs[0], number),
}


def page() -> Iterator[Trial]:
    """What the tests of the hostile page say, one trial each."""
    with TemporaryDirectory() as folder:
        report = Path(folder) / "page.xml"
        words = [sys.executable, "-m", "pytest", "-q", "-n0", PAGE, f"--junitxml={report}"]
        subprocess.run(words, check=False, stdout=subprocess.DEVNULL)
        # It is pytest's own file, written a moment ago.
        cases = ElementTree.parse(report).getroot().iter("testcase")  # noqa: S314
        for number, case in enumerate(cases):
            failed = tuple(one.get("message", "")[:200] for one in case if one.tag in ("failure", "error"))
            yield Trial("page", number, "embedded AWS", case.get("name", ""), failed)


def heed_signals() -> None:
    """Take the signals that a run in the background ignores: what it starts would ignore them as well."""
    for number in STOP_SIGNALS:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, interrupted)


def interrupted(_number: int, _frame: object) -> None:
    """Stop in order: the embedded AWS is stopped, too."""
    raise KeyboardInterrupt


def is_light(kind: str, number: int) -> bool:
    """Whether no Terraform runs for a trial."""
    match kind:
        case "kill":
            return struck_by(number) in LIGHT_KILLS
        case "truncation":
            return damaged_by(number) in LIGHT_DAMAGE
        case "sleep":
            return slept_by(number) == "drill"
        case "clock":
            return True
        case "race":
            return set(PAIRS[number % len(PAIRS)]) <= LIGHT
        case _:
            return False


def main() -> int:
    """Strike; 1 where something was not survived."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--truncations", type=int, default=0)
    parser.add_argument("--races", type=int, default=0)
    parser.add_argument("--sleeps", type=int, default=0)
    parser.add_argument("--clocks", type=int, default=0)
    parser.add_argument("--page", action="store_true")
    weight = parser.add_mutually_exclusive_group()
    weight.add_argument("--light", action="store_true", help="only what no Terraform runs for")
    weight.add_argument("--heavy", action="store_true", help="only what Terraform runs for")
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin no blow later than that")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--ledger", type=Path, default=RECORDED)
    asked = parser.parse_args()
    heed_signals()
    ledger = Ledger(asked.ledger)
    ends = time.monotonic() + asked.minutes * 60
    wanted = {
        "truncation": asked.truncations,
        "race": asked.races,
        "sleep": asked.sleeps,
        "kill": asked.kills,
    }

    def note(trial: Trial) -> None:
        ledger.add(trial)
        sys.stdout.write(f"{'ok  ' if not trial.problems else 'LOST'} {described(trial)}\n")
        sys.stdout.flush()

    for trial in page() if asked.page else ():
        note(trial)

    def numbers(kind: str, count: int) -> Iterator[int]:
        for number in range(count) if asked.again else ledger.open(kind, count):
            light = is_light(kind, number)
            if not (asked.light and not light) and not (asked.heavy and light) and time.monotonic() < ends:
                yield number

    with TemporaryDirectory() as temporary:
        folder = asked.folder or Path(temporary) / "project"
        if any(wanted.values()):
            names = ENVS if asked.races > len(PAIRS) else ENVS[:1]
            with struck(folder, *names) as envs:
                for kind, count in wanted.items():
                    for number in numbers(kind, count):
                        note(STRIKES[kind](envs, number))
        if asked.clocks:
            clock = SettableClock(Path(temporary) / "clock")
            with struck(folder, ENVS[0], program=clock.program) as envs:
                for number in numbers("clock", asked.clocks):
                    note(set_clock(envs[0], number, clock))
    return int(any(trial.problems for trial in ledger.trials.values()))


if __name__ == "__main__":
    sys.exit(main())
