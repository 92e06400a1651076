"""What API Gateway answers where Lambda does not run the function, as faults of the embedded AWS have it."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from payinfra.local.faults import (
    Fault,
    FaultRegistry,
    RegionBlackout,
    ServiceDelay,
    ServiceDenial,
    ServiceErrors,
    ServiceThrottling,
)
from payinfra.local.server.patches.lambda_integration import Refused, disturbed

EAST, WEST = "us-east-1", "us-west-2"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:payments:live"


def invoked(fault: Fault, times: int = 1) -> tuple[list[int], list[float]]:
    """The status of each call, 200 where the function ran, and how long it waited for that."""
    board, waited = FaultRegistry(), []
    board.inject(fault)

    async def run(_function: str, _event: Mapping[str, Any], **_scope: Any) -> tuple[str, None]:
        return "ran", None

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    async def calls() -> list[int]:
        call, found = disturbed(run, board, sleep), []
        for _ in range(times):
            try:
                assert await call(FUNCTION, {}) == ("ran", None)
                found.append(200)
            except Refused as refused:
                found.append(refused.status)
        return found

    return asyncio.run(calls()), waited


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (ServiceThrottling(EAST, "lambda"), 500),
        (ServiceDenial(EAST, "lambda"), 500),
        (ServiceErrors(EAST, "lambda", 100), 502),
        (ServiceThrottling(WEST, "lambda"), 200),
        (ServiceThrottling(EAST, "s3"), 200),
        (RegionBlackout(WEST), 200),
    ],
)
def test_a_function_that_lambda_does_not_run_is_the_gateways_error(fault: Fault, status: int) -> None:
    assert invoked(fault) == ([status], [])


def test_a_tenth_of_the_capacity_runs_every_tenth_call() -> None:
    statuses, _ = invoked(ServiceErrors(EAST, "lambda", 90), 100)
    assert (statuses.count(200), statuses.count(502)) == (10, 90)


def test_a_late_lambda_runs_late() -> None:
    assert invoked(ServiceDelay(EAST, "lambda", 2.5)) == ([200], [2.5])
