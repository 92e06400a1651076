"""The entry point of `payinfra` and `python -m payinfra`."""

import atexit
import gc

from payinfra.core.stop_signals import EndAtOnce

OBJECTS_BEFORE_A_COLLECTION = 50_000
"""With Python's default of 700, garbage collection runs 240 times during imports and synthesis, finds
nothing, and takes a thirteenth of the time that Python needs for a synthesis."""


def main() -> None:
    """Run the command line."""
    # Before anything can be interrupted that takes time, and after all has ended.
    ending = EndAtOnce()
    ending.install()
    gc.set_threshold(OBJECTS_BEFORE_A_COLLECTION)
    # Skip the garbage collection at exit: the process ends anyway.
    atexit.register(gc.freeze)
    from payinfra import cli

    try:
        cli.main()
    except SystemExit as end:
        ending.code = int(end.code or 0)
        raise


if __name__ == "__main__":
    main()
