"""Log groups that are described while functions write to them, as on AWS."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from payinfra.local.server.ministack import Emulator

TRIES = 5
"""Streams are added some ten times a second at the most; adding up what they hold takes milliseconds."""


def install(emulator: Emulator) -> None:
    """Makes the correction."""
    logs = emulator.service("cloudwatch_logs")
    emulator.replace(logs, "_describe_log_groups", while_streams_are_added(logs._describe_log_groups))


def while_streams_are_added(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """AWS: a group is described whatever is written to it.

    ministack's functions write from threads of their own, and Python gives up looking through a dictionary
    that another thread adds to.
    """

    def describe(data: Any) -> Any:
        for _ in range(TRIES - 1):
            with suppress(RuntimeError):
                return original(data)
        return original(data)

    return describe
