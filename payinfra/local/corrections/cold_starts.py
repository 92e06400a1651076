"""Cold starts of functions, on a machine that has a handful of processors and not a region's worth."""

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from payinfra.local.emulator import Emulator

LONGEST_WAIT_S = 20.0
"""Whoever has waited so long starts an environment all the same."""
LOOK_S = 0.02


class Worker(Protocol):
    """An execution environment of ministack's. `_cold` until its process has answered for the first time."""

    in_use: bool
    _cold: bool


def install(emulator: Emulator) -> None:
    """Makes the correction."""
    functions, runtime = emulator.service("lambda_svc"), emulator.core("lambda_runtime")
    emulator.replace(
        functions,
        "acquire_worker",
        in_turn(
            functions.acquire_worker,
            lambda: runtime._workers,
            runtime._worker_key,
            at_once=os.cpu_count() or 1,
        ),
    )


def in_turn(
    original: Callable[..., Any],
    pools: Callable[[], Mapping[str, Sequence[Worker]]],
    key_of: Callable[[str, Any, str], str],
    *,
    at_once: int,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Callable[..., Any]:
    """AWS: a burst starts as many environments as it needs at once, and each is as quick as a single one.

    Here they would share the processors, and a burst would make every start, and every answer, slow. So no
    more start at once than there are processors; what comes meanwhile takes whichever environment is free
    first, and concurrency is limited by nothing else than on AWS.
    """
    turn = threading.Lock()

    def acquire(name: str, config: Any, code: bytes, qualifier: str = "$LATEST", **more: Any) -> Any:
        key, ends = key_of(name, config, qualifier), clock() + LONGEST_WAIT_S
        while True:
            with turn:
                if _is_free(pools(), key) or _starting(pools()) < at_once or clock() >= ends:
                    return original(name, config, code, qualifier=qualifier, **more)
            sleep(LOOK_S)

    return acquire


def _is_free(pools: Mapping[str, Sequence[Worker]], key: str) -> bool:
    return any(not worker.in_use for worker in tuple(pools.get(key, ())))


def _starting(pools: Mapping[str, Sequence[Worker]]) -> int:
    return sum(worker.in_use and worker._cold for pool in tuple(pools.values()) for worker in tuple(pool))
