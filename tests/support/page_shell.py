"""A person who types a page's lines into a shell, and agrees to whatever is asked."""

import re
import shlex
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from payinfra.terraform import embedded
from tests.support.page_commands import ENDS_WITH, PageLine
from tests.support.project import Project
from tests.support.terminal import Terminal

ASKS = re.compile(r"\[y/N\]: $")
COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
VERDICTS = re.compile(r"resilience (PASS|INCONCLUSIVE)\W+restoration (PASS|INCONCLUSIVE)\b")
"""What a drill ends with that found nothing wrong; INCONCLUSIVE, where the machine is too busy to measure."""
FINDING = re.compile(r"^(FAIL|ERROR|UNKNOWN) +\w+ +LIVE-\S+ +(.*?)\r?$", re.MULTILINE)
NO_ANSWER = re.compile(r"^[\w, -]+?  no answer\b")
"""What a probe says where nothing answered in time: it judged nothing, because the machine is too busy."""
FOLLOWS = "--follow"
FOLLOWED_S = 2.0
LONGEST_S = 600.0
WITHOUT_READING = """#!/bin/sh
if [ "$1" = plan ]; then shift; set -- plan -refresh=false "$@"; fi
exec {terraform} "$@"
"""
"""Terraform plans from its state alone: reading what is there would make each plan longer; other tests do."""


class EndedOtherwise(AssertionError):
    """A line did not end as the page says.

    Attributes:
        code: its exit code.
    """

    def __init__(self, said: str, code: int) -> None:
        super().__init__(said)
        self.code = code


class PageShell:
    """A shell in a folder, with payinfra and Terraform on PATH, and the embedded AWS as the target."""

    def __init__(self, folder: Path, programs: Path) -> None:
        """Put a Terraform that reads nothing again into `programs`."""
        real = shutil.which("terraform") or shlex.join((sys.executable, "-P", str(embedded.__file__)))
        programs.mkdir(exist_ok=True)
        (programs / "terraform").write_text(WITHOUT_READING.format(terraform=real))
        (programs / "terraform").chmod(0o755)
        venv = Path(sys.executable).parent
        path = f"{programs}:{venv}:{Project(folder).environment()['PATH']}"
        variables = {"PATH": path, "PAYINFRA_TARGET": "local", "BROWSER": "true"}
        self.project = Project(folder, variables, Path("/bin/bash"), measured=False)

    def type(self, line: PageLine, env: str) -> None:
        """Type a line, answer with yes, and end with Ctrl-C what follows until then.

        A drill may be inconclusive, and probes may get no answer in time: on a machine that others use, too.

        Raises:
            EndedOtherwise: it did not end well.
        """
        typed = line.typed(env)
        with Terminal(self.project, "-euo", "pipefail", "-c", typed, all_streams=True) as terminal:
            if FOLLOWS in typed:
                terminal.reads(FOLLOWED_S)
                terminal.types("\x03")
            code = self._to_the_end(terminal)
        wanted = 130 if FOLLOWS in typed else ENDS_WITH.get(line, 0)
        said = COLOUR.sub("", terminal.said)
        if code == wanted or (code == 1 and was_not_judged(said)):
            return
        raise EndedOtherwise(f"{line.page}: {typed}\nexit code {code}\n{said}", code)

    @staticmethod
    def _to_the_end(terminal: Terminal) -> int:
        answered, ends = 0, time.monotonic() + LONGEST_S
        while terminal.reads(1.0):
            assert time.monotonic() < ends, terminal.said
            if ASKS.search(terminal.said[answered:]):
                answered = len(terminal.said)
                terminal.types("y\n")
        return terminal.process.wait(10)


def was_not_judged(said: str) -> bool:
    """Whether a drill was inconclusive, or probes found nothing but that there was no answer in time."""
    verdicts, found = VERDICTS.search(said), FINDING.findall(said)
    if verdicts is not None:
        return "INCONCLUSIVE" in verdicts[0]
    return bool(found) and all(kind == "ERROR" and NO_ANSWER.search(what) for kind, what in found)


@contextmanager
def left_as_it_was(folder: Path) -> Iterator[None]:
    """What a page's lines write into a folder is removed, but for payinfra's own."""
    before = set(folder.iterdir())
    yield
    for path in set(folder.iterdir()) - before:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
