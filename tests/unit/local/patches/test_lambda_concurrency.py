"""No more cold starts at once than there are processors."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from payinfra.local.aws_rules import CONCURRENCY
from payinfra.local.server.asgi import AsgiResponse
from payinfra.local.server.patches.lambda_concurrency import BUSY_AT_ONCE, LONGEST_WAIT_S, THROTTLED, in_turn
from tests.unit.local.conftest import Ministack


@dataclass
class FakeWorker:
    """An execution environment."""

    in_use: bool = True
    _cold: bool = True


@dataclass
class Runtime:
    """ministack's pools, in a time that passes when somebody sleeps."""

    pools: dict[str, list[FakeWorker]] = field(default_factory=dict)
    at: float = 0.0
    warm_after: float = float("inf")

    def acquire(self, name: str, _config: object, _code: bytes, *, qualifier: str) -> tuple[FakeWorker, str]:
        pool = self.pools.setdefault(f"{name}:{qualifier}", [])
        for worker in pool:
            if not worker.in_use:
                worker.in_use = True
                return worker, "reused"
        pool.append(FakeWorker())
        return pool[-1], "spawn"

    def sleep(self, seconds: float) -> None:
        self.at += seconds
        if self.at >= self.warm_after:
            first = self.pools["one:live"][0]
            first.in_use = first._cold = False
            self.warm_after = float("inf")

    def in_turn(self, at_once: int) -> Any:
        return in_turn(
            self.acquire,
            lambda: self.pools,
            lambda name, _config, qualifier: f"{name}:{qualifier}",
            at_once=at_once,
            clock=lambda: self.at,
            sleep=self.sleep,
        )


def test_as_many_start_at_once_as_there_are_processors() -> None:
    runtime = Runtime(warm_after=3.0)
    acquire = runtime.in_turn(at_once=2)
    assert [acquire("one", {}, b"", qualifier="live")[1] for _ in range(2)] == ["spawn", "spawn"]
    assert runtime.at == 0.0
    worker, reason = acquire("one", {}, b"", qualifier="live")
    assert (reason, worker) == ("reused", runtime.pools["one:live"][0])
    assert 3.0 <= runtime.at < 3.6


def test_a_warm_environment_that_is_busy_is_nobodys_turn() -> None:
    runtime = Runtime({"one:live": [FakeWorker(_cold=False)]})
    assert runtime.in_turn(at_once=1)("one", {}, b"", qualifier="live")[1] == "spawn"


def test_a_free_environment_is_taken_whatever_starts() -> None:
    runtime = Runtime({"two:live": [FakeWorker()], "one:live": [FakeWorker(in_use=False, _cold=False)]})
    assert runtime.in_turn(at_once=1)("one", {}, b"", qualifier="live")[1] == "reused"


def test_no_more_work_at_once_than_a_new_account_may_have() -> None:
    busy = [FakeWorker(_cold=False) for _ in range(BUSY_AT_ONCE)]
    runtime = Runtime({"one:live": busy}, warm_after=2.0)
    worker, reason = runtime.in_turn(at_once=2)("one", {}, b"", qualifier="live")
    assert (reason, worker) == ("reused", busy[0])
    assert 2.0 <= runtime.at < 2.6


def test_who_has_waited_too_long_is_throttled() -> None:
    runtime = Runtime({"two:live": [FakeWorker()]})
    assert runtime.in_turn(at_once=1)("one", {}, b"", qualifier="live") == THROTTLED
    assert runtime.at >= LONGEST_WAIT_S


def reserve(world: Ministack, name: str, reserved: int) -> AsgiResponse:
    return world.call(
        "lambda",
        "PUT",
        f"/2017-10-31/functions/{name}/concurrency",
        {"ReservedConcurrentExecutions": reserved},
    )


def limits(world: Ministack) -> tuple[int, int]:
    found = world.json("lambda", "GET", "/2016-08-19/account-settings/")["AccountLimit"]
    return found["ConcurrentExecutions"], found["UnreservedConcurrentExecutions"]


@pytest.fixture
def functions(world: Ministack) -> Ministack:
    """Two functions, of which nothing is reserved."""
    with world.emulator.scope("000000000000", world.region):
        for name in ("one", "two"):
            world.emulator.service("lambda_svc")._functions[name] = {"config": {"FunctionName": name}}
    return world


def test_an_account_keeps_a_hundred_executions_unreserved(functions: Ministack) -> None:
    assert limits(functions) == (1000, 1000)
    assert reserve(functions, "one", 500).status == 200
    assert reserve(functions, "two", 401).status == 400
    assert reserve(functions, "two", 400).status == 200
    assert limits(functions) == (1000, 100)
    assert reserve(functions, "one", 400).status == 200, "its own come free first"


def test_a_new_account_has_ten_and_reserves_none(functions: Ministack) -> None:
    functions.emulator.rules.set({CONCURRENCY.name: 10})
    assert limits(functions) == (10, 10)
    refused = reserve(functions, "one", 1)
    assert refused.status == 400
    assert b"below its minimum value of [10]" in refused.body
    assert reserve(functions, "one", 0).status == 200, "none at all can always be had: it stops the function"
