"""What a drill of an hour keeps in memory, beside a short one: `bench.deploy` measures it where it deployed.

Both are whole `payinfra failover-drill` processes, with their load, their watching, their ledger and the page
that is drawn at the end. Time runs 20 times as fast, so that the hour takes three minutes. Payments are sent
in real time, at four times the default rate: a fifth of what they would be in an hour of real time.
"""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from bench.commands import TARGET, payinfra
from bench.drill import KIB
from bench.goals import Goal, say
from bench.timing import CommandFailed

SCALE = 20.0
SHORT_S, HOUR_S = 5.0, 3600.0 / SCALE
"""How long the other region serves, in seconds of real time."""
RATE = 20.0
MOST_MIB = 64.0
"""How much more an hour may keep than a short drill: payments and attempts, for the figures and the page."""


class _Reconciliation(BaseModel):
    sent: int


class _Report(BaseModel):
    """What is read of a drill's report."""

    reconciliation: _Reconciliation


@dataclass(frozen=True)
class DrillMemory:
    """The most memory that a drill's process had, and how many payments it sent."""

    mib: float
    payments: int


def drill(folder: Path, environ: Mapping[str, str], hold_s: float) -> DrillMemory:
    """Run one drill in a process of its own.

    Raises:
        CommandFailed: its exit code was not 0.
    """
    times = ("--time-scale", f"{SCALE:g}", "--rate", f"{RATE:g}", "--hold", f"{hold_s:g}")
    command = payinfra(
        "payinfra failover-drill", "failover-drill", *TARGET, "--yes", *times, "--format", "json"
    )
    with (folder / "drill.out").open("w+") as said, (folder / "drill.err").open("w+") as told:
        process = subprocess.Popen(command.arguments, cwd=folder, env=dict(environ), stdout=said, stderr=told)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        told.seek(0)
        if process.returncode != 0:
            raise CommandFailed(f"{command.name} ended with {process.returncode}:\n{told.read()[-4000:]}")
        report = _Report.model_validate_json(said.read())
    return DrillMemory(used.ru_maxrss * KIB / 2**20, report.reconciliation.sent)


def goals(folder: Path, environ: Mapping[str, str]) -> list[Goal]:
    """Measure on the deployment that was made in a folder; say what was found."""
    short = drill(folder, environ, SHORT_S)
    hour = drill(folder, environ, HOUR_S)
    grown = hour.mib - short.mib
    for name, kept in (("a short drill", short), ("a drill of an hour", hour)):
        say(f"  {name:<44} {kept.mib:7.1f} MiB at the most, {kept.payments} payments")
    each = grown * 1024 / (hour.payments - short.payments)
    say(f"  {'for each payment more':<44} {each:7.1f} KiB")
    return [Goal(f"An hour keeps less than {MOST_MIB:g} MiB more", f"{grown:+.1f} MiB", grown < MOST_MIB)]
