"""A call that Terraform's SDK sends again gets the answer of the first time."""

import asyncio
from dataclasses import dataclass

import pytest

from payinfra.local.server import retries
from payinfra.local.server.asgi import AsgiResponse, HttpRequest, answer
from payinfra.local.server.retries import Retries

TERRAFORM = "APN/1.0 HashiCorp/1.0 Terraform/1.11.4 aws-sdk-go-v2/1.36"


def call(
    name: str, attempt: int, *, agent: str = TERRAFORM, method: str = "POST", key: str = "AKIA1"
) -> HttpRequest:
    headers = (
        ("authorization", f"AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/iam/aws4_request, Sig=x"),
        ("user-agent", agent),
        ("amz-sdk-invocation-id", name),
        ("amz-sdk-request", f"attempt={attempt}; max=25"),
    )
    return HttpRequest(method, "/", headers=headers)


@dataclass
class Service:
    """Refuses to make the same thing twice."""

    made: int = 0
    fails_first: bool = False

    async def make(self) -> AsgiResponse:
        self.made += 1
        await asyncio.sleep(0)
        if self.fails_first and self.made == 1:
            return answer(500, b"oops")
        return answer(201, b"made") if self.made == 1 or self.fails_first else answer(409, b"exists already")


def both(service: Service, first: HttpRequest, second: HttpRequest) -> list[int]:
    async def run() -> list[int]:
        seen = Retries()
        return [(await seen.once(request, service.make)).status for request in (first, second)]

    return asyncio.run(run())


def test_a_retry_gets_the_first_answer() -> None:
    service = Service()
    assert both(service, call("one", 1), call("one", 2)) == [201, 201]
    assert service.made == 1


def test_another_call_is_another_call() -> None:
    assert both(Service(), call("one", 1), call("two", 1)) == [201, 409]


def test_nobody_is_given_the_answer_to_somebody_elses_call() -> None:
    service = Service()
    assert both(service, call("one", 1), call("one", 2, key="AKIA2")) == [201, 409]
    assert service.made == 2


def test_a_first_attempt_is_never_a_retry() -> None:
    assert both(Service(), call("one", 1), call("one", 1)) == [201, 409]


def test_a_retry_of_an_error_is_tried_again() -> None:
    assert both(Service(fails_first=True), call("one", 1), call("one", 2)) == [500, 201]


@pytest.mark.parametrize("others", [{"agent": "Boto3/1.43"}, {"method": "GET"}])
def test_nobody_else_is_helped(others: dict[str, str]) -> None:
    assert both(Service(), call("one", 1, **others), call("one", 2, **others)) == [201, 409]


def test_a_call_without_a_name_is_just_made() -> None:
    nameless = HttpRequest("POST", "/", headers=(("user-agent", TERRAFORM),))
    assert both(Service(), nameless, nameless) == [201, 409]


def test_who_hangs_up_leaves_nothing_half_done_and_is_answered_later() -> None:
    async def run() -> tuple[int, int]:
        seen, service = Retries(), Service()
        first = asyncio.create_task(seen.once(call("one", 1), service.make))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        again = await seen.once(call("one", 2), service.make)
        return again.status, service.made

    assert asyncio.run(run()) == (201, 1)


def test_only_the_last_calls_are_remembered() -> None:
    async def run() -> list[int]:
        seen, service = Retries(), Service()
        statuses = [(await seen.once(call("one", 1), service.make)).status]
        for number in range(retries.KEPT):
            await seen.once(call(f"other-{number}", 1), service.make)
        return [*statuses, (await seen.once(call("one", 2), service.make)).status]

    assert asyncio.run(run()) == [201, 409]
