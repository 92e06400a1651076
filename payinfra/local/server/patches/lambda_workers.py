"""A function's processes end when nobody needs them any more, and not in the middle of a call.

AWS: each call has an execution environment of its own, which runs what the function was when the call began,
and one that cannot start ends no other (Lambda developer guide, "Understanding the Lambda execution
environment lifecycle"). ministack ends all processes of a function when it is changed, in every region, and
when one of them cannot be started; who is being served by one of them gets an error.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from payinfra.local.server.ministack import Emulator

Leased = tuple[Any, str]
"""A process and how it was found; None and why where there is none."""


def install(emulator: Emulator) -> None:
    """Apply the patches."""
    functions, runtime = emulator.service("lambda_svc"), emulator.core("lambda_runtime")
    leases = Leases(runtime, emulator.core("responses"))
    emulator.replace(functions, "acquire_worker", leases.with_its_code(functions.acquire_worker))
    emulator.replace(functions, "release_worker", leases.release)
    emulator.replace(functions, "invalidate_worker", leases.invalidate)
    emulator.replace(runtime, "reset", leases.all_ended(runtime.reset))


class Leases:
    """Which process serves which call, and which of them are to end after it."""

    def __init__(self, runtime: Any, responses: Any) -> None:
        self.runtime, self.responses = runtime, responses
        self._last: set[Any] = set()
        self._serving: ContextVar[Any] = ContextVar("payinfra_serving_process", default=None)

    def with_its_code(self, original: Callable[..., Leased]) -> Callable[..., Leased]:
        """Lease a process that runs the code which the call began with.

        A call may wait for a process while its function gets other code, and so leave one with the code
        before in the pool: the calls after it must not be served by that.
        """

        def acquire(name: str, config: Any, code: bytes, qualifier: str = "$LATEST", **more: Any) -> Leased:
            while True:
                worker, how = original(name, config, code, qualifier=qualifier, **more)
                if worker is None or worker.code_zip == code:
                    self._serving.set(worker)
                    return worker, how
                self._end(worker)

        return acquire

    def release(self, worker: Any) -> None:
        """Take a process back at the end of a call; end it if its function was changed meanwhile."""
        self._serving.set(None)
        if worker is None:
            return
        with self.runtime._lock:
            worker.in_use = False
            is_over = worker in self._last
            self._last.discard(worker)
        if is_over:
            self.runtime.kill_workers([worker])

    def invalidate(
        self, name: str, qualifier: str | None = None, account: str | None = None, region: str | None = None
    ) -> None:
        """End the processes of a function that was changed or deleted; who is being served is served first.

        In the middle of a call it was that call's own process that failed, and none but that one ends.

        Args:
            account: the current one where it is None; so with the region.
        """
        failed = self._serving.get()
        if failed is not None:
            self._end(failed)
            return
        runtime = self.runtime
        place = f"{account or self.responses.get_account_id()}:{region or self.responses.get_region()}"
        mine = f"{place}:{name}:"
        with runtime._lock:
            keys = [
                key
                for key in runtime._workers
                if key.startswith(mine) and qualifier in (None, key.removeprefix(mine))
            ]
            ended = [worker for key in keys for worker in runtime._workers.pop(key)]
            self._last |= {worker for worker in ended if worker.in_use}
            idle = [worker for worker in ended if not worker.in_use]
        runtime.kill_workers(idle)

    def all_ended(self, original: Callable[[], None]) -> Callable[[], None]:
        """End those that are still to end, too."""

        def reset() -> None:
            original()
            with self.runtime._lock:
                last, self._last = self._last, set()
            self.runtime.kill_workers(last)

        return reset

    def _end(self, worker: Any) -> None:
        with self.runtime._lock:
            for pool in self.runtime._workers.values():
                if worker in pool:
                    pool.remove(worker)
            self._last.discard(worker)
        self.runtime.kill_workers([worker])
