"""Running a command several times, and the median of its wall times."""

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.commands import ENVIRONMENT, ROOT, Command


class CommandFailed(Exception):
    """A measured command did not end well; its output is the message."""


@dataclass(frozen=True)
class Timing:
    """Wall times of whole processes, in seconds."""

    name: str
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def environment(**more: str) -> Mapping[str, str]:
    """What the commands run in: the bytecode cache on, nothing asked of the network, no choice of Node."""
    left_out = {
        "PYTHONDONTWRITEBYTECODE",
        "JSII_NODE",
        "JSII_RUNTIME_PACKAGE_CACHE_ROOT",
        "NODE_OPTIONS",
        "VIRTUAL_ENV",
    }
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    own = {
        "PYTHONPATH": str(ROOT),
        "PAYINFRA_ENV": ENVIRONMENT,
        "PAYINFRA_TARGET": "local",
        "CHECKPOINT_DISABLE": "1",
        "CI": "1",
        "NO_COLOR": "1",
    }
    return {**kept, **own, **more}


def run(command: Command, folder: Path, environ: Mapping[str, str]) -> float:
    """Run a command in a folder, and give its wall time in seconds.

    Raises:
        CommandFailed: its exit code was not 0.
    """
    began = time.perf_counter()
    done = subprocess.run(
        command.arguments,
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    seconds = time.perf_counter() - began
    if done.returncode != 0:
        raise CommandFailed(f"{command.name} ended with {done.returncode}:\n{done.stdout[-4000:]}")
    return seconds


def measure(
    command: Command,
    folder: Path,
    *,
    runs: int,
    environ: Mapping[str, str] | None = None,
    before_each: Callable[[], None] = lambda: None,
) -> Timing:
    """Run a command `runs` times; `before_each` is not timed."""
    seconds = []
    for _ in range(runs):
        before_each()
        seconds.append(run(command, folder, environ or environment()))
    return Timing(command.name, tuple(seconds))
