"""A load worker: a process in which Locust's users send a drill's payments.

Locust makes gevent stand in for sockets, threads and locks of the whole process when it is imported. That is
why it is imported here only, before anything that uses them, and never where a command runs.
"""

import sys


def main() -> int:
    """Read from standard input where the drill is, and serve it to its end."""
    try:
        import locust  # noqa: F401 - its import makes the process cooperative
    except ModuleNotFoundError:
        from payinfra.core.extras import Extra, install_command

        sys.stderr.write(f"Locust is not installed: {install_command(Extra.LOCUST)}\n")
        return 4
    import json

    from payinfra.drill.load.locust_users import serve

    return serve(json.load(sys.stdin))


if __name__ == "__main__":
    sys.exit(main())
