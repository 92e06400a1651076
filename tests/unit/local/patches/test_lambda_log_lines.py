"""Each line that a call of a function writes is in its log, whatever else the machine does."""

import queue
import time
import types
from collections.abc import Iterator
from typing import Any

import pytest

from payinfra.local.server.patches.lambda_log_lines import with_end_mark, without_the_end
from tests.unit.local.patches.test_lambda_execution_role import (
    ACCOUNT,
    FUNCTIONS,
    HERE,
    WRITE,
    code,
    function,
)

SAYS = """
import os, sys
def f(event, context):
    for number in range(3):
        print(event["call"], number)
    sys.stdout.write(event.get("open", ""))
    if event.get("ends"):
        os._exit(1)
    if event.get("fails"):
        raise ValueError("no")
    while event.get("hangs"):
        pass
"""


class SlowQueue(queue.Queue[str]):
    """A queue whose reader waits longer for each line than ministack does for the next one."""

    def put(self, item: str, block: bool = True, timeout: float | None = None) -> None:
        time.sleep(0.08)
        super().put(item, block, timeout)


@pytest.fixture
def busy(world: Any, role: Any) -> Iterator[Any]:
    """A function, where whoever reads what it writes is seldom given the processor."""
    runtime = world.emulator.core("lambda_runtime")
    shown = types.ModuleType("queue")
    shown.__dict__.update(queue.__dict__)
    shown.__dict__["Queue"] = SlowQueue
    world.emulator.replace(runtime, "queue", shown)
    role.may({"Action": [*WRITE, "logs:CreateLogGroup"]})
    function(world, role, Timeout=2, Code={"ZipFile": code(SAYS)})
    yield world
    runtime.reset()


def said(world: Any, **event: object) -> list[str]:
    """What one call leaves in the log, without Lambda's own lines."""
    logs = world.emulator.service("cloudwatch_logs")._log_groups
    logs.clear()
    world.call("lambda", "POST", f"{FUNCTIONS}/f/invocations", event)
    with world.emulator.scope(ACCOUNT, HERE):
        (stream,) = logs["/aws/lambda/f"]["streams"].values()
    events = [event["message"] for event in stream["events"]]
    return [line for line in events if not line.startswith(("START ", "END ", "REPORT "))]


def test_each_call_has_its_own_lines_all_of_them(busy: Any) -> None:
    assert said(busy, call="a") == ["a 0", "a 1", "a 2"]
    assert said(busy, call="b", open="left open") == ["b 0", "b 1", "b 2", "left open"]
    assert said(busy, call="c", fails=True)[:3] == ["c 0", "c 1", "c 2"]
    assert said(busy, call="d") == ["d 0", "d 1", "d 2"]


def test_a_process_that_ends_or_is_ended_leaves_what_it_said(busy: Any) -> None:
    assert said(busy, call="a", ends=True)[:3] == ["a 0", "a 1", "a 2"]
    assert said(busy, call="b", hangs=True)[:3] == ["b 0", "b 1", "b 2"]
    assert said(busy, call="c") == ["c 0", "c 1", "c 2"]


def test_an_empty_line_of_the_functions_own_stays() -> None:
    assert without_the_end(["a", "", "", "mark"], "mark") == ["a", ""]


def test_another_script_than_the_known_one_is_refused() -> None:
    with pytest.raises(ValueError, match="does not end as expected"):
        with_end_mark("run()\n", "mark")
