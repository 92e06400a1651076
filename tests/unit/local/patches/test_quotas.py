"""How often AWS takes a call of one account's, by its quotas."""

from urllib.parse import quote

import pytest

from payinfra.local.aws_rules import DOMAIN_NAMES
from payinfra.local.server.asgi import AsgiResponse
from tests.unit.local.conftest import Clock, Ministack

SETTINGS: dict[str, object] = {"patchOperations": []}


@pytest.fixture
def paced(world: Ministack, clock: Clock) -> Ministack:
    """With a clock that stands still."""
    world.emulator.rules.now = clock
    return world


def account(world: Ministack, region: str = "us-east-1") -> AsgiResponse:
    return world.call("apigateway", "PATCH", "/account", SETTINGS, region=region)


def domain(world: Ministack, name: str, region: str = "us-east-1") -> AsgiResponse:
    wanted = {"domainName": name, "regionalCertificateArn": world.certificate(name, region)}
    return world.call("apigateway", "POST", "/domainnames", wanted, region=region)


def test_update_account_is_served_once_in_20_seconds_in_each_region(paced: Ministack, clock: Clock) -> None:
    assert account(paced).status == 200
    refused = account(paced)
    assert (refused.status, dict(refused.headers)["x-amzn-errortype"]) == (429, "TooManyRequestsException")
    assert account(paced, "us-west-2").status == 200
    clock.now += 19
    assert account(paced).status == 429
    clock.now += 1
    assert account(paced).status == 200


def test_create_domain_name_is_served_once_in_30_seconds_in_each_region(
    paced: Ministack, clock: Clock
) -> None:
    assert domain(paced, "one.example.com").status == 201
    assert domain(paced, "two.example.com").status == 429
    assert paced.call("apigateway", "GET", f"/domainnames/{quote('two.example.com')}").status == 404
    assert domain(paced, "two.example.com", "us-west-2").status == 201
    clock.now += 29
    assert domain(paced, "two.example.com").status == 429
    clock.now += 1
    assert domain(paced, "two.example.com").status == 201


def test_a_rehearsal_in_a_hurry_makes_them_one_after_the_other(paced: Ministack) -> None:
    paced.emulator.rules.set({DOMAIN_NAMES.name: 0})
    assert {domain(paced, f"{name}.example.org").status for name in "ab"} == {201}
