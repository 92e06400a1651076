"""What was tried and what became of it, in a file that later runs go on with."""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

SEED = 7
RECORDED = Path(__file__).parent / "recorded.json"
KINDS: Mapping[str, str] = {
    "kill": "kills and signals",
    "truncation": "damaged files",
    "race": "commands at once",
    "sleep": "a machine asleep",
    "clock": "a clock that is set",
    "page": "a hostile web page",
}
"""Each kind of trial, in words, in the order of the table."""
ENDED_BEFORE = "ended before"
"""In the words of a trial whose command had ended when it was to be struck."""
MEANT = frozenset({0, 1, 2, 3, 4, 5, 130})
"""Exit codes that payinfra means; 70 is a bug."""


@dataclass(frozen=True)
class Trial:
    """One blow, and what became of it.

    Attributes:
        kind: one of `KINDS`.
        number: of its kind, from 0 on; with the seed it says all that is random about the trial.
        what: what it struck, which is its line of the table.
        how: what was done, for a person.
        problems: what did not hold, each in a phrase; empty where it was survived.
    """

    kind: str
    number: int
    what: str
    how: str
    problems: tuple[str, ...] = ()

    @property
    def in_time(self) -> bool:
        """Whether the command was struck while it worked."""
        return ENDED_BEFORE not in self.how


def dice(kind: str, number: int, seed: int = SEED) -> random.Random:
    """What a trial draws its luck from: the same each time."""
    return random.Random(f"{seed}/{kind}/{number}")  # noqa: S311 - it guards nothing


@dataclass
class Ledger:
    """The trials that were made, by kind and number.

    Args:
        file: where they are kept after each trial; need not be there.
    """

    file: Path

    def __post_init__(self) -> None:
        self.trials: dict[tuple[str, int], Trial] = {}
        if self.file.exists():
            for one in json.loads(self.file.read_text(encoding="utf-8"))["trials"]:
                trial = Trial(**{**one, "problems": tuple(one["problems"])})
                self.trials[trial.kind, trial.number] = trial

    def add(self, trial: Trial) -> None:
        """Keep a trial; one of the same number is replaced."""
        self.trials[trial.kind, trial.number] = trial
        lines = ",\n".join(json.dumps(asdict(self.trials[each])) for each in sorted(self.trials))
        self.file.write_text(f'{{"seed": {SEED}, "trials": [\n{lines}\n]}}\n', encoding="utf-8")

    def open(self, kind: str, count: int) -> Sequence[int]:
        """The numbers below `count` that were not tried yet, came too late, or were not survived."""
        found = ((number, self.trials.get((kind, number))) for number in range(count))
        return [number for number, trial in found if trial is None or trial.problems or not trial.in_time]


def table(trials: Sequence[Trial]) -> str:
    """What was tried and survived, in Markdown: a line for each thing that was struck."""
    rows = ["| blow | struck | tried | in time | survived |", "|---|---|---:|---:|---:|"]
    for kind, words in KINDS.items():
        of_kind = [one for one in trials if one.kind == kind]
        for what in sorted({one.what for one in of_kind}):
            struck = [one for one in of_kind if one.what == what]
            rows.append(f"| {words} | {what} | {' | '.join(_counts(struck))} |")
        if of_kind:
            rows.append(f"| **{words}** | | {' | '.join(f'**{one}**' for one in _counts(of_kind))} |")
    return "\n".join(rows) + "\n"


def _counts(trials: Sequence[Trial]) -> tuple[str, str, str]:
    in_time = sum(1 for one in trials if one.in_time)
    return str(len(trials)), str(in_time), str(sum(1 for one in trials if not one.problems))


Make = Callable[[int], Trial]
