"""Whose a port is: asked where one is taken, so that a person knows what to stop.

Linux tells in /proc (proc(5)). Elsewhere, and of other users' processes, it stays unknown.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
SERVER = "payinfra.local.server.process"
"""The module that every embedded AWS runs; its state folder is the argument after it."""

_LISTENS = "0A"
"""TCP_LISTEN in <net/tcp_states.h>, as /proc/net/tcp writes it."""


@dataclass(frozen=True)
class PortOwner:
    """A process that listens on a port.

    Attributes:
        pid: its number.
        words: its command line.
    """

    pid: int
    words: tuple[str, ...]

    @property
    def folder(self) -> Path | None:
        """The state folder, if it is an embedded AWS."""
        after = self.words[self.words.index(SERVER) + 1 :] if SERVER in self.words else ()
        return Path(after[0]) if after else None

    def __str__(self) -> str:
        """Who it is, for a person."""
        if self.folder is not None:
            return f"the embedded AWS of {self.folder.parent.parent} (process {self.pid})"
        name = Path(self.words[0]).name if self.words else "unknown"
        return f"process {self.pid} ({name})"

    @property
    def how_to_stop(self) -> str:
        """What ends it, in a sentence."""
        if self.folder is None:
            return "Stop it"
        if not self.folder.exists():
            return f"Its folder is gone; end it with `kill {self.pid}`"
        return f"Stop it with `payinfra local down --work-root {self.folder.parent.parent}`"


def owner_of(port: int, proc: Path = PROC, system: str = sys.platform) -> PortOwner | None:
    """Who listens on a TCP port of this machine; None where that cannot be seen."""
    if system != "linux":
        return None
    sockets = {f"socket:[{inode}]" for inode in _listening(port, proc)}
    for process in proc.glob("[0-9]*"):
        try:
            if any(str(one.readlink()) in sockets for one in (process / "fd").iterdir()):
                said = (process / "cmdline").read_bytes().decode(errors="replace")
                return PortOwner(int(process.name), tuple(said.rstrip("\0").split("\0")))
        except OSError:  # another user's, or gone meanwhile
            continue
    return None


def _listening(port: int, proc: Path) -> frozenset[str]:
    """The inodes of the sockets that listen on a port."""
    found = set()
    for name in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / name).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if len(fields) > 9 and fields[3] == _LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(fields[9])
    return frozenset(found)
