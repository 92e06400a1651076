"""A function's processes end after the call that they serve, and serve what the function is."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.unit.local.patches.test_lambda_execution_role import ACCOUNT, FUNCTIONS, HERE, code

THERE = "us-west-2"
WAITS = """
import os, pathlib, time
def f(event, context):
    here = pathlib.Path(event["in"])
    (here / "began").touch()
    while not (here / "go").exists():
        time.sleep(0.01)
    return "BEFORE"
"""
ANSWERS = 'def f(event, context):\n    return "BEFORE"\n'


class Function:
    """A function in both regions."""

    def __init__(self, world: Any, text: str) -> None:
        self.world = world
        self.service = world.emulator.service("lambda_svc")
        self.runtime = world.emulator.core("lambda_runtime")
        for region in (HERE, THERE):
            body = {
                "FunctionName": "f",
                "Role": f"arn:aws:iam::{ACCOUNT}:role/r",
                "Runtime": "python3.11",
                "Handler": "f.f",
                "Timeout": 60,
                "Code": {"ZipFile": code(text)},
            }
            world.json("lambda", "POST", FUNCTIONS, body, region)

    def call(self, region: str, **event: object) -> Any:
        """What a call answers."""
        with self.world.emulator.scope(ACCOUNT, region):
            record = self.service._functions["f"]
            return self.service._execute_function(record, event)["body"]

    def update(self, part: str, region: str = HERE) -> None:
        """Change the function in one way."""
        changed = {
            "code": {"ZipFile": code(ANSWERS.replace("BEFORE", "AFTER"))},
            "configuration": {"Timeout": 50},
        }
        self.world.json("lambda", "PUT", f"{FUNCTIONS}/f/{part}", changed[part], region)

    def delete(self) -> None:
        assert self.world.call("lambda", "DELETE", f"{FUNCTIONS}/f").status == 204

    def workers(self) -> list[Any]:
        return [worker for pool in self.runtime._workers.values() for worker in pool]


@pytest.fixture
def make(world: Any) -> Iterator[Callable[[str], Function]]:
    yield lambda text: Function(world, text)
    world.emulator.core("lambda_runtime").reset()


def until(happened: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while not happened() and time.monotonic() < ends:
        time.sleep(0.01)
    assert happened()


@pytest.mark.parametrize(
    ("changed", "running"),
    [
        (lambda function: function.update("code"), HERE),
        (lambda function: function.update("configuration"), HERE),
        (lambda function: function.update("configuration"), THERE),
        (lambda function: function.delete(), HERE),
    ],
    ids=["code", "configuration", "configuration elsewhere", "deleted"],
)
def test_a_call_that_runs_ends_as_it_began(
    make: Callable[[str], Function], tmp_path: Path, changed: Callable[[Function], None], running: str
) -> None:
    function = make(WAITS)
    with ThreadPoolExecutor(1) as pool:
        call: Future[Any] = pool.submit(function.call, running, **{"in": str(tmp_path)})
        until((tmp_path / "began").exists)
        (worker,) = function.workers()
        process = worker._proc
        changed(function)
        (tmp_path / "go").touch()
        assert call.result(60) == "BEFORE"
    is_elsewhere = running == THERE
    assert function.workers() == ([worker] if is_elsewhere else [])
    assert (process.poll() is None) is is_elsewhere


def test_what_is_changed_serves_the_next_call(make: Callable[[str], Function]) -> None:
    function = make(ANSWERS)
    assert function.call(HERE) == "BEFORE"
    (idle,) = function.workers()
    function.update("code")
    assert function.workers() == []
    assert idle._proc is None
    assert function.call(HERE) == "AFTER"
    assert function.call(THERE) == "BEFORE"


def test_a_process_that_cannot_start_ends_no_other(make: Callable[[str], Function], tmp_path: Path) -> None:
    function = make(WAITS)
    with ThreadPoolExecutor(1) as pool:
        call: Future[Any] = pool.submit(function.call, HERE, **{"in": str(tmp_path)})
        until((tmp_path / "began").exists)
        (worker,) = function.workers()
        function.world.emulator.replace(function.runtime, "execution_credentials", _refused)
        assert function.call(HERE, **{"in": str(tmp_path)})["errorMessage"] == "no credentials"
        assert function.workers() == [worker]
        (tmp_path / "go").touch()
        assert call.result(60) == "BEFORE"
    assert function.workers() == [worker]


def _refused(_config: object) -> dict[str, str]:
    raise RuntimeError("no credentials")


def test_a_call_that_waited_leaves_no_process_with_the_code_before(make: Callable[[str], Function]) -> None:
    """It was told the code, and had to wait for its turn while the function got another one."""
    function = make(ANSWERS)
    with function.world.emulator.scope(ACCOUNT, HERE):
        record = function.service._functions["f"]
        config, before = record["config"], record["code_zip"]
        function.update("code")
        worker, how = function.service.acquire_worker("f", config, before)
        assert how == "spawn"
        function.service.release_worker(worker)
    assert function.call(HERE) == "AFTER"
    assert worker not in function.workers()


def test_the_end_of_all_ends_who_still_serves(make: Callable[[str], Function], tmp_path: Path) -> None:
    function = make(WAITS)
    with ThreadPoolExecutor(1) as pool:
        call: Future[Any] = pool.submit(function.call, HERE, **{"in": str(tmp_path)})
        until((tmp_path / "began").exists)
        (worker,) = function.workers()
        process = worker._proc
        function.update("code")
        function.runtime.reset()
        assert process.poll() is not None
        assert "errorMessage" in call.result(60)
