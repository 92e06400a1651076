"""Where `payinfra` and `python -m payinfra` begin."""

import atexit
import gc

from payinfra.core.stop_signals import EndAtOnce

OBJECTS_BEFORE_A_COLLECTION = 50_000
"""Python's own 700 makes it look for garbage 240 times while modules are imported and a stack is built, where
there is none: a thirteenth of the time that Python takes for a synthesis."""


def main() -> None:
    """Run the command line."""
    # Before anything can be interrupted that takes time, and after all has ended.
    ending = EndAtOnce()
    ending.install()
    gc.set_threshold(OBJECTS_BEFORE_A_COLLECTION)
    # At its end Python looks for garbage among all that was imported, and the process ends all the same.
    atexit.register(gc.freeze)
    from payinfra import cli

    try:
        cli.main()
    except SystemExit as end:
        ending.code = int(end.code or 0)
        raise


if __name__ == "__main__":  # pragma: no cover
    main()
