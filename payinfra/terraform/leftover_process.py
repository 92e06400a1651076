"""Terraform processes that outlived a killed payinfra, and waiting for them to finish.

Each child is recorded in a file while it runs. A record whose payinfra is gone but whose Terraform is not
means that a run was killed: its Terraform was interrupted (see parent_death_signal.py) and saves its state.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from payinfra.clients.retry import Deadline
from payinfra.core.private_files import replace_file
from payinfra.terraform.jsonvalue import number, parse, text

PAUSE_S = 0.2


@dataclass(frozen=True)
class Process:
    """A process, told from a later one of the same number by `born`, its start; "" where that is unknown."""

    pid: int
    born: str


@dataclass(frozen=True)
class LeftoverProcess:
    """A Terraform, the payinfra that started it, and where its output goes."""

    child: Process
    owner: Process
    output: Path


def identify(pid: int, proc: Path = Path("/proc")) -> Process:
    """The process as it is now. The start time is field 22 of /proc/PID/stat (proc(5)), in clock ticks."""
    try:
        stat = (proc / str(pid) / "stat").read_text()
    except OSError:
        return Process(pid, "")
    return Process(pid, stat.rpartition(")")[2].split()[19])


def is_alive(
    process: Process, proc: Path = Path("/proc"), send: Callable[[int, int], None] = os.kill
) -> bool:
    """Whether this very process still runs. A zombie does not."""
    try:
        send(process.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    now = identify(process.pid, proc)
    return now.born == process.born and not _is_zombie(process.pid, proc)


def _is_zombie(pid: int, proc: Path) -> bool:
    try:
        return (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


@contextmanager
def recorded(folder: Path, record: LeftoverProcess) -> Iterator[None]:
    """Keep the record for as long as the block runs."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / f"{record.child.pid}.json"
    replace_file(
        file,
        json.dumps(
            {
                "child": {"pid": record.child.pid, "born": record.child.born},
                "owner": {"pid": record.owner.pid, "born": record.owner.born},
                "spool": str(record.output),
            }
        ),
    )
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def leftover_processes(
    folder: Path, alive: Callable[[Process], bool] = is_alive
) -> tuple[LeftoverProcess, ...]:
    """The Terraforms of killed runs that still work. Records of ended ones are removed, with their output."""
    found = []
    for file in sorted(folder.glob("*.json")):
        record = _read(file)
        if record is None or not alive(record.child):
            file.unlink(missing_ok=True)
            if record:
                record.output.unlink(missing_ok=True)
        elif not alive(record.owner):
            found.append(record)
    return tuple(found)


def _read(file: Path) -> LeftoverProcess | None:
    try:
        value = parse(file.read_bytes())
    except (OSError, ValueError):
        return None
    return LeftoverProcess(
        Process(number(value, "child", "pid"), text(value, "child", "born")),
        Process(number(value, "owner", "pid"), text(value, "owner", "born")),
        Path(text(value, "spool")),
    )


def wait_for(
    folder: Path,
    *,
    seconds: float,
    notice: Callable[[LeftoverProcess], None],
    alive: Callable[[Process], bool] = is_alive,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> bool:
    """Wait until every leftover process has ended; False when one is still there after `seconds`.

    `notice` is told of each once.
    """
    told: set[int] = set()

    def all_ended() -> bool:
        left = leftover_processes(folder, alive)
        for record in left:
            if record.child.pid not in told:
                told.add(record.child.pid)
                notice(record)
        return not left

    return Deadline.within(seconds, clock=clock, sleep=pause).until(all_ended, pause_s=PAUSE_S)
