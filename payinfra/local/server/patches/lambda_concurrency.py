"""Cold starts of functions, on a machine that has a handful of processors and not a region's worth."""

import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from payinfra.core.json_text import parse_json
from payinfra.local.aws_rules import CONCURRENCY
from payinfra.local.server.ministack import Emulator

Answer = tuple[int, dict[str, str], bytes]

UNRESERVED_LEAST = 100
BUSY_AT_ONCE = 10
"""Environments that work at once: what a new account of AWS's has (Lambda quotas, concurrent executions)."""
LONGEST_WAIT_S = 20.0
"""A call that has waited so long for a free environment is throttled."""
THROTTLED = (None, "func_cap")
"""What ministack makes a throttled call of."""
FIRST_LOOK_S = 0.02
LAST_LOOK_S = 0.5
"""How often somebody who waits looks: the longer, the less, for there may be hundreds."""


class Worker(Protocol):
    """An execution environment of ministack's. `_cold` until its process has answered for the first time."""

    in_use: bool
    _cold: bool


def install(emulator: Emulator) -> None:
    """Apply the patch."""
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
    quota = AccountConcurrency(emulator)
    emulator.replace(functions, "_get_account_settings", quota.told(functions._get_account_settings))
    emulator.replace(functions, "_put_function_concurrency", quota.kept(functions._put_function_concurrency))


class AccountConcurrency:
    """AWS: an account runs so many functions at once in a region, 10 of them in a new account, and keeps 100
    of them, or all where it has fewer, unreserved (Lambda developer guide, "Lambda quotas" and "Configuring
    reserved concurrency for a function"). The rule `account-concurrency` says how many it is."""

    def __init__(self, emulator: Emulator) -> None:
        self.rules, self.functions = emulator.rules, emulator.service("lambda_svc")

    @property
    def total(self) -> int:
        """How many at once."""
        return int(self.rules.value(CONCURRENCY))

    def unreserved(self, but: str = "") -> int:
        """How many of them no function has reserved, but for one."""
        return self.total - sum(
            int(function.get("concurrency") or 0)
            for name, function in self.functions._functions.items()
            if name != but
        )

    def told(self, original: Callable[[], Answer]) -> Callable[[], Answer]:
        """GetAccountSettings says it."""

        def settings() -> Answer:
            status, headers, body = original()
            shown = parse_json(body)
            shown["AccountLimit"] |= {
                "ConcurrentExecutions": self.total,
                "UnreservedConcurrentExecutions": max(self.unreserved(), 0),
            }
            return status, headers, json.dumps(shown).encode()

        return settings

    def kept(self, original: Callable[[str, Any], Answer]) -> Callable[[str, Any], Answer]:
        """PutFunctionConcurrency leaves what has to stay unreserved."""

        def put(name: str, wanted: Any) -> Answer:
            least = min(UNRESERVED_LEAST, self.total)
            asked = int(wanted.get("ReservedConcurrentExecutions") or 0)
            if name in self.functions._functions and asked and self.unreserved(name) - asked < least:
                refused: Answer = self.functions.error_response_json(
                    "InvalidParameterValueException",
                    "Specified ReservedConcurrentExecutions for function decreases account's "
                    f"UnreservedConcurrentExecution below its minimum value of [{least}].",
                    400,
                )
                return refused
            return original(name, wanted)

        return put


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

    Here they would share the processors, and a burst would make every start, and every answer, slow, so that
    yet more are needed. So no more start at once than there are processors, and no more work at once than a
    new account may have. What comes meanwhile waits for whichever environment is free first.
    """
    turn = threading.Lock()

    def acquire(name: str, config: Any, code: bytes, qualifier: str = "$LATEST", **more: Any) -> Any:
        key, ends, pause = key_of(name, config, qualifier), clock() + LONGEST_WAIT_S, FIRST_LOOK_S
        while True:
            with turn:
                if _may_work(pools(), key, at_once):
                    return original(name, config, code, qualifier=qualifier, **more)
            if clock() >= ends:
                return THROTTLED
            sleep(pause)
            pause = min(2 * pause, LAST_LOOK_S)

    return acquire


def _may_work(pools: Mapping[str, Sequence[Worker]], key: str, at_once: int) -> bool:
    busy = [worker for pool in tuple(pools.values()) for worker in tuple(pool) if worker.in_use]
    if len(busy) >= BUSY_AT_ONCE:
        return False
    is_free = any(not worker.in_use for worker in tuple(pools.get(key, ())))
    return is_free or sum(worker._cold for worker in busy) < at_once
