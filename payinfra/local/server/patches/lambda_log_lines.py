"""The lines that a call of a function writes are in the log before the call is answered, all of them.

AWS may deliver lines later than the answer, but delivers each, to the stream of the process that wrote it and
under the request that it belongs to. ministack waits 50 ms for a first line and 5 ms for each next one, and
leaves the others to the next call of the same process, or to nobody: on a busy machine lines, and the metrics
in them, come late or never. Here the process of a Python function says when a call's lines are complete.
"""

import queue
import secrets
import time
from collections.abc import Callable
from typing import Any

from payinfra.local.server.ministack import Emulator

LONGEST_WAIT_S = 10.0
"""How long lines are waited for, should the process never say that they are complete."""
LOOK_S = 0.05
"""How often somebody who waits looks whether any can still come."""
LAST_OF_A_CALL = "        _real_stdout.flush()\n\nrun()\n"
"""The end of what ministack's process of a Python function does in each call."""


def install(emulator: Emulator) -> None:
    """Apply the patch."""
    runtime, mark = emulator.core("lambda_runtime"), f"payinfra:complete:{secrets.token_hex(16)}"
    worker = runtime.Worker
    emulator.replace(runtime, "_PYTHON_WORKER_SCRIPT", with_end_mark(runtime._PYTHON_WORKER_SCRIPT, mark))
    emulator.replace(worker, "_read_stderr", read_lines)
    emulator.replace(
        worker, "_drain_stderr_bounded", up_to_the_end(worker._drain_stderr_bounded, mark, LONGEST_WAIT_S)
    )
    emulator.replace(worker, "_drain_stderr", of_a_killed_process(worker._drain_stderr, mark))


def with_end_mark(script: str, mark: str) -> str:
    """The process's script, which now writes a line of its own behind the lines of each call.

    Raises:
        ValueError: the script is not the one that this was written for.
    """
    head, found, rest = script.rpartition(LAST_OF_A_CALL)
    if not found or rest:
        raise ValueError("ministack's process of a Python function does not end as expected.")
    said = (
        "        try:\n"
        "            sys.stderr.flush()\n"
        f'            os.write(2, b"\\n{mark}\\n")\n'
        "        except Exception:\n"
        "            pass\n"
    )
    return head + said + found


def read_lines(worker: Any) -> None:
    """Read a process's lines into its own queue, to the end.

    The process may be replaced meanwhile, and its successor has another queue: none of these belongs there.
    """
    process, lines = worker._proc, worker._stderr_queue
    try:
        for line in process.stderr:
            lines.put(line.rstrip("\n"))
    except (AttributeError, OSError, ValueError):  # It was killed: there is nothing more to read.
        pass


def up_to_the_end(original: Callable[..., str], mark: str, longest_s: float) -> Callable[..., str]:
    """Wait for the lines of one call until its process says that they are complete, or has ended."""

    def drain(worker: Any, *arguments: Any, **more: Any) -> str:
        if not _is_python(worker):
            return original(worker, *arguments, **more)
        lines: list[str] = []
        ends = time.monotonic() + longest_s
        while time.monotonic() < ends:
            reads = worker._stderr_thread is not None and worker._stderr_thread.is_alive()
            try:
                lines.append(worker._stderr_queue.get(timeout=LOOK_S if reads else 0.0))
            except queue.Empty:
                if not reads:
                    break
                continue
            if lines[-1] == mark:
                break
        return "\n".join(without_the_end(lines, mark))

    return drain


def of_a_killed_process(original: Callable[[Any], str], mark: str) -> Callable[[Any], str]:
    """The lines of a call that took too long: all that its process wrote before it was killed."""

    def drain(worker: Any) -> str:
        if not _is_python(worker):
            return original(worker)
        if worker._stderr_thread is not None:
            worker._stderr_thread.join(1.0)
        return "\n".join(without_the_end(original(worker).split("\n"), mark))

    return drain


def without_the_end(lines: list[str], mark: str) -> list[str]:
    """The lines without the one that says that they are complete, and the empty one that may precede it.

    That one ends a line which the function left open.
    """
    kept: list[str] = []
    for line in lines:
        if line != mark:
            kept.append(line)
        elif kept and not kept[-1]:
            kept.pop()
    return kept


def _is_python(worker: Any) -> bool:
    return str(worker.config.get("Runtime", "python")).startswith("python")
