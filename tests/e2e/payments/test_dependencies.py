"""What the function needs is denied, throttles every call, or is slow, one at a time.

Each answer comes within its promise. What was acknowledged is stored once, audited in the end, and unchanged;
what was not is acknowledged to whoever sends it again afterwards.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import pytest

from handlers.payments.aws import HEALTH_PROMISE_S, POST_PROMISE_S
from payinfra.local.faults import Fault, ServiceDelay, ServiceThrottling

if TYPE_CHECKING:
    from tests.e2e.payments.conftest import Shop

ROLE = "primary"
LATE_S = 8.0
"""Longer than any promise."""
TRIES = 4
"""Of several answers the fastest counts: a busy machine is slow for reasons of its own."""
ON_THE_WAY_S = 0.5
"""What the gateway, the network and a process that is woken add to the function's own time."""
MAY_FAIL = {"dynamodb", "kms"}
"""Without them no payment can be recorded. S3 and SSM are not needed to acknowledge one."""
CASES = [
    (service, how)
    for service in ("dynamodb", "kms", "s3", "ssm")
    for how in ("denied", "throttled", "slow")
    # KMS is asked by DynamoDB and S3, on the function's behalf.
    if service != "kms" or how == "denied"
]
Answer = TypeVar("Answer")


@contextmanager
def disturbed(shop: "Shop", service: str, how: str) -> Iterator[None]:
    if how == "denied":
        with shop.denied(ROLE, f"{service}:*"):
            yield
        return
    region, control = shop.deployment.region(ROLE), shop.deployment.control
    fault: Fault = ServiceThrottling(region, service)
    if how == "slow":
        fault = ServiceDelay(region, service, LATE_S)
    active = control.inject(fault)
    try:
        yield
    finally:
        control.clear(active.fault_id)


def timed(ask: Callable[[int], Answer]) -> tuple[list[Answer], float]:
    """Several answers, and how many seconds the fastest took."""
    answers: list[Answer] = []
    seconds: list[float] = []
    for number in range(TRIES):
        began = time.monotonic()
        answers.append(ask(number))
        seconds.append(time.monotonic() - began)
    return answers, min(seconds)


@pytest.mark.parametrize(("service", "how"), CASES, ids=lambda value: value)
def test_nothing_acknowledged_is_lost_while_something_fails(
    shop: "Shop", key: str, body: dict[str, object], service: str, how: str
) -> None:
    api = shop.apis[ROLE]
    warm = api.post(f"{key}-warm", body)
    assert warm.status_code == 201, warm.text
    with disturbed(shop, service, how):
        posted, slowest = timed(lambda number: api.post(f"{key}-{number}", body))
        healths, health_s = timed(lambda _number: api.bare("GET", api.health_url))
        replays, replay_s = timed(lambda _number: api.post(f"{key}-warm", body))
    assert slowest <= POST_PROMISE_S + ON_THE_WAY_S
    assert replay_s <= POST_PROMISE_S + ON_THE_WAY_S
    assert health_s <= HEALTH_PROMISE_S + ON_THE_WAY_S
    allowed = {201, 503} if service in MAY_FAIL else {201}
    assert {answer.status_code for answer in posted} <= allowed, [answer.text for answer in posted]
    assert {answer.status_code for answer in healths} <= {200, 503}
    assert {answer.status_code for answer in replays} <= {200, 503}
    assert all(answer.json() == warm.json() for answer in replays if answer.status_code == 200)
    assert all("Retry-After" in answer.headers for answer in posted if answer.status_code == 503)

    for number, first in enumerate(posted):
        again = api.insist(f"{key}-{number}", body)[-1]
        assert again.status_code in (200, 201), again.text
        if first.status_code == 201:
            assert (again.status_code, again.json()) == (200, first.json())
    for number in range(TRIES):
        payment_id = api.post(f"{key}-{number}", body).json()["payment_id"]
        items = shop.settled(ROLE, payment_id)
        assert [item["timestamp"]["N"] for item in items] == ["0", str(body["timestamp"])]
        assert shop.until(lambda: shop.objects(ROLE, payment_id), bool)  # noqa: B023 - called at once
