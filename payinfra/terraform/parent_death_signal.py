"""Runs in the child, before Terraform does: ties Terraform's life to payinfra's, then becomes Terraform.

When payinfra is killed outright, the kernel sends Terraform the interrupt that payinfra can no longer send.
Terraform then stops in an orderly way, saves its state and releases its lock; nobody would watch it work on.
It is started by its path (``python -I -S parent_death_signal.py OWNER COMMAND...``) and imports nothing of
payinfra: a `preexec_fn` would do the same work, but is not safe in a process that has threads.

Linux only (prctl(2), PR_SET_PDEATHSIG). Elsewhere Terraform finishes what it began, holding its lock.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Sequence

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
OWNER_GONE = 130


def c_prctl() -> Callable[..., int]:
    """prctl(2) from the C library of this process."""
    function: Callable[..., int] = ctypes.CDLL(None).prctl
    return function


def die_with_parent(
    system: str = sys.platform, find_prctl: Callable[[], Callable[..., int]] = c_prctl
) -> None:
    """Ask the kernel for an interrupt when the parent thread ends."""
    if system == "linux":
        find_prctl()(PR_SET_PDEATHSIG, int(signal.SIGINT), 0, 0, 0)


def main(
    arguments: Sequence[str],
    *,
    bind: Callable[[], None] = die_with_parent,
    parent: Callable[[], int] = os.getppid,
    become: Callable[[str, list[str]], object] = os.execv,
) -> int:
    """Become the command in `arguments` (owner's process id, then the command), bound to the owner's life.

    Returns 130 without starting it when the owner is gone already; otherwise it does not return.
    """
    owner, *command = arguments
    bind()
    if parent() != int(owner):
        return OWNER_GONE
    # A shell that puts payinfra in the background has it ignore interrupts; Terraform must hear them.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    become(command[0], command)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
