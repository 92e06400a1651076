"""The embedded AWS from the outside: started, found, asked, stopped. Imports nothing of the emulator."""

import contextlib
import fcntl
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from payinfra.clients.retry import Deadline
from payinfra.core.access_key import AccessKey
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.events import Emit, Notice, ignore
from payinfra.core.extras import Extra, install_command
from payinfra.core.private_files import file_problem, open_own, require_own_content
from payinfra.local.control import Control
from payinfra.local.credentials import known_access_key, read_access_key
from payinfra.local.emulator_environment import environment
from payinfra.local.endpoints import (
    DEFAULT_BASE_PORT,
    LocalEndpoints,
    LocalStatus,
    StateFolder,
    read_endpoints,
    read_json,
    served_regions,
)

READY_S = 30.0
"""Seconds that a start may take. It takes about two; a loaded machine is given time."""

END_S = 20.0
"""Seconds that an orderly end may take before the process is killed."""

PACKAGES = ("ministack", "hypercorn", "h11", "trustme")
"""What the server's process imports of the extra `local`."""

FULL = 1 << 20
"""Bytes. With less on the disk a start that failed did so for want of space."""

_TURN_S = 0.05
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT
_LOCK = os.O_RDWR | os.O_APPEND | os.O_CREAT


@dataclass(frozen=True)
class WaitClock:
    """Time, for those who wait."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def until(self, met: Callable[[], bool], seconds: float) -> bool:
        """Ask again and again until it is so, or the time is over; return whether it is so."""
        return Deadline.within(seconds, clock=self.clock, sleep=self.sleep).until(met, pause_s=_TURN_S)


WATCH = WaitClock()


def up(
    state_folder: Path,
    regions: Sequence[str],
    *,
    base_port: int = DEFAULT_BASE_PORT,
    time_scale: float = 1.0,
    emit: Emit = ignore,
    watch: WaitClock = WATCH,
    https: bool = False,
) -> LocalEndpoints:
    """Make sure that the embedded AWS runs and serves these regions, and us-east-1 in any case.

    One that runs already is used as it is, with a port added for a region that it does not serve yet. One
    that was killed is started again and finds its state. Two that start at once are one.

    Args:
        state_folder: where it keeps everything; one folder is one embedded AWS.
        base_port: the first of its ports; 0 lets the system choose them.
        time_scale: how many times faster than the real one its time runs; for a new start only.
        https: serve custom domains through TLS, which it does by itself once it has one.

    Raises:
        EnvironmentUnusable: a port is taken, the folder cannot be written, ministack is missing or is
            another version, or the server did not become ready.
    """
    folder = StateFolder(state_folder.absolute())
    folder.prepare()
    wanted = served_regions(regions)
    with _one_at_a_time(folder):
        running = status(folder.root)
        if running is not None and read_access_key(folder) is None:
            # Started by an earlier version, which let anybody call.
            emit(Notice("Starting the embedded AWS anew: it runs without credentials."))
            _stop(folder, watch)
            running = None
        if running is None:
            need(PACKAGES)
            emit(Notice("Starting the embedded AWS."))
            _start(folder, wanted, base_port, time_scale, watch)
            _tell_what_was_recovered(folder, emit)
        else:
            control = Control.of(folder.root)
            for region in wanted:
                if region not in running.endpoints.regions:
                    control.add_region(region)
        if https and not Control.of(folder.root).status().endpoints.https:
            Control.of(folder.root).serve_https()
        return Control.of(folder.root).status().endpoints


def _tell_what_was_recovered(folder: StateFolder, emit: Emit) -> None:
    match read_json(folder.recovered):
        case list(sentences):
            for sentence in sentences:
                emit(Notice(str(sentence)))
    folder.recovered.unlink(missing_ok=True)


def need(packages: Sequence[str]) -> None:
    """Say what is not installed, before a process is started that could only fail.

    Raises:
        EnvironmentUnusable: a package is missing.
    """
    if missing := [name for name in packages if importlib.util.find_spec(name) is None]:
        raise EnvironmentUnusable(
            f"The embedded AWS needs what is not installed: {', '.join(missing)}.",
            f"Run: {install_command(Extra.LOCAL)}",
        )


def down(state_folder: Path, emit: Emit = ignore, watch: WaitClock = WATCH) -> bool:
    """Stop the embedded AWS and all that it runs; kill it if it hangs. Its state stays.

    Returns:
        False where none was running.
    """
    folder = StateFolder(state_folder.absolute())
    if not folder.root.is_dir():
        return False
    with _one_at_a_time(folder):
        if _free(folder):
            folder.endpoints.unlink(missing_ok=True)
            return False
        emit(Notice("Stopping the embedded AWS."))
        _stop(folder, watch)
        return True


def _stop(folder: StateFolder, watch: WaitClock) -> None:
    with contextlib.suppress(EnvironmentUnusable):
        Control.of(folder.root).shut_down()
    if not watch.until(lambda: _free(folder), END_S):
        with contextlib.suppress(ProcessLookupError, ValueError):
            os.killpg(int(folder.lock.read_text(encoding="utf-8")), signal.SIGKILL)
        watch.until(lambda: _free(folder), END_S)
    folder.endpoints.unlink(missing_ok=True)


def access_key(state_folder: Path) -> AccessKey:
    """What calls to the embedded AWS of this folder are signed with.

    Raises:
        EnvironmentUnusable: it has no credentials: an earlier version started it, or their file is gone.
    """
    return known_access_key(StateFolder(state_folder.absolute()))


def status(state_folder: Path) -> LocalStatus | None:
    """What the embedded AWS is doing; None where none runs, whatever an old file may say.

    A server is known by its answer to the token of its folder, never by a process number.
    """
    try:
        return Control.of(state_folder.absolute()).status()
    except EnvironmentUnusable:
        return None


def was_killed(state_folder: Path) -> bool:
    """Whether a server ran here that ended without saying so. `up` starts it again."""
    return read_endpoints(StateFolder(state_folder.absolute())) is not None and status(state_folder) is None


def log_file(state_folder: Path) -> Path:
    """Where the server writes its log."""
    return StateFolder(state_folder.absolute()).log


def log_tail(state_folder: Path, lines: int = 50) -> str:
    """The last lines of the server's log, empty where there is none."""
    try:
        text = log_file(state_folder).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


@contextlib.contextmanager
def _one_at_a_time(folder: StateFolder) -> Iterator[None]:
    """A process that starts or stops the server waits here while another one does so."""
    try:
        require_own_content(folder.root)
        descriptor = open_own(folder.starting, _LOCK)
    except OSError as error:
        raise file_problem(error) from None
    with os.fdopen(descriptor, "a+", encoding="utf-8") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _free(folder: StateFolder) -> bool:
    """Whether no server's process holds the folder."""
    with os.fdopen(open_own(folder.lock, _LOCK), "a+", encoding="utf-8") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True


RECORD_VARIABLE = "PAYINFRA_LOCAL_RECORD"
"""Names a folder where the server records the requests of Terraform and payinfra, for `make conformance`."""


def command(
    folder: StateFolder, regions: Sequence[str], base_port: int, time_scale: float, record: str = ""
) -> list[str]:
    """The command line of the server's process."""
    return [
        sys.executable,
        *("-m", "payinfra.local.server.process", str(folder.root)),
        *("--regions", ",".join(regions)),
        *("--base-port", str(base_port)),
        *("--time-scale", str(time_scale)),
        *(("--record", record) if record else ()),
    ]


def _start(
    folder: StateFolder, regions: Sequence[str], base_port: int, time_scale: float, watch: WaitClock
) -> None:
    for old in (folder.endpoints, folder.problem):
        old.unlink(missing_ok=True)
    with os.fdopen(open_own(folder.log, _APPEND), "ab") as log:
        process = subprocess.Popen(
            command(folder, regions, base_port, time_scale, os.environ.get(RECORD_VARIABLE, "")),
            cwd=folder.root,
            env=_environment(folder, os.environ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    ready = watch.until(lambda: folder.endpoints.exists() or process.poll() is not None, READY_S)
    if ready and process.poll() is None:
        return
    if process.poll() is None:
        process.kill()
    process.wait()
    raise _did_not_start(folder, ready)


def _environment(folder: StateFolder, environ: Mapping[str, str]) -> dict[str, str]:
    return environment(folder, environ.get("PATH", os.defpath), environ.get("HOME", str(folder.root)))


def _did_not_start(folder: StateFolder, ended: bool) -> EnvironmentUnusable:
    match read_json(folder.problem):
        case {"what": str(what), "hint": str(hint)}:
            return EnvironmentUnusable(what, hint)
    if shutil.disk_usage(folder.root).free < FULL:
        return EnvironmentUnusable(
            f"The embedded AWS cannot keep its state in {folder.root}: the disk is full.",
            "Free some space on that disk, then run the same command again.",
        )
    what = "ended before it was ready" if ended else f"was not ready within {READY_S:g} seconds"
    return EnvironmentUnusable(f"The embedded AWS {what}.", f"Its log says why: {folder.log}")
