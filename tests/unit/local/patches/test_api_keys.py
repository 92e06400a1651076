"""A new API key, as an API's stage hears of it."""

import pytest

from payinfra.local.aws_rules import API_KEYS
from tests.unit.local.conftest import Clock, Ministack


@pytest.fixture
def plan(world: Ministack, clock: Clock) -> str:
    """A usage plan with a stage, where keys are known only after 40 seconds."""
    world.emulator.rules.now = clock
    world.emulator.rules.set({API_KEYS.name: 40})
    stage = {"apiId": "a1", "stage": "prod"}
    with world.emulator.scope("000000000000", world.region):
        stages = {name: {"deploymentId": "d"} for name in ("prod", "next")}
        world.emulator.service("apigateway_v1")._stages_v1["a1"] = stages
    made = world.json("apigateway", "POST", "/usageplans", {"name": "p", "apiStages": [stage]})
    return str(made["id"])


def joined(world: Ministack, plan: str) -> str:
    """The id of a new key that was put into the plan."""
    key = str(world.json("apigateway", "POST", "/apikeys", {"name": "k", "enabled": True})["id"])
    world.json("apigateway", "POST", f"/usageplans/{plan}/keys", {"keyId": key, "keyType": "API_KEY"})
    return key


def lets_in(world: Ministack, key: str, stage: str = "prod") -> bool:
    gateway = world.emulator.service("apigateway_v1")
    with world.emulator.scope("000000000000", world.region):
        return bool(gateway._usage_plans_for_key(key, "a1", stage))


def test_a_new_key_is_known_at_the_stage_only_after_a_while(
    world: Ministack, plan: str, clock: Clock
) -> None:
    key = joined(world, plan)
    assert not lets_in(world, key)
    clock.now += 39
    assert not lets_in(world, key)
    clock.now += 1
    assert lets_in(world, key)
    assert not lets_in(world, joined(world, plan))


def test_so_is_a_stage_that_is_new_in_a_plan(world: Ministack, plan: str, clock: Clock) -> None:
    key = joined(world, plan)
    clock.now += 40
    changes = [{"op": "add", "path": "/apiStages", "value": "a1:next"}]
    world.json("apigateway", "PATCH", f"/usageplans/{plan}", {"patchOperations": changes})
    assert lets_in(world, key)
    assert not lets_in(world, key, "next")
    clock.now += 40
    assert lets_in(world, key, "next")
    changes = [{"op": "remove", "path": "/apiStages", "value": "a1:next"}]
    shown = world.json("apigateway", "PATCH", f"/usageplans/{plan}", {"patchOperations": changes})
    assert shown["apiStages"] == [{"apiId": "a1", "stage": "prod"}]
    assert not lets_in(world, key, "next")


def test_unless_it_is_told_so_a_key_is_known_at_once(world: Ministack, plan: str) -> None:
    world.emulator.rules.reset()
    assert lets_in(world, joined(world, plan))
