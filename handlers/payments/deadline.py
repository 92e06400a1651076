"""A limit of time for a call that may not return: botocore sets none for a name that does not resolve."""

import threading
from collections.abc import Callable


class Overdue(Exception):
    """The call has not returned in time. It goes on, and what becomes of it is nobody's concern."""


def within(seconds: float, call: Callable[[], None]) -> None:
    """Call, and wait for so many seconds at most.

    Raises:
        Overdue: it has not returned by then.
        Exception: what the call raises.
    """
    failure: list[Exception] = []

    def run() -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
            failure.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise Overdue
    if failure:
        raise failure[0]
