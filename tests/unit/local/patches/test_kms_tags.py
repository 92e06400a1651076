"""Policies hear of a key's tags some time after they were put, where a rule says so."""

import pytest

from payinfra.local.aws_rules import KEY_TAGS
from payinfra.local.server.asgi import AsgiResponse
from tests.unit.local.conftest import Clock, Ministack, Role

PROJECT = {"TagKey": "Project", "TagValue": "payments"}
ONLY_OURS = {
    "Action": "kms:DescribeKey",
    "Condition": {"StringEquals": {"aws:ResourceTag/Project": "payments"}},
}


def kms(world: Ministack, operation: str, **body: object) -> AsgiResponse:
    headers = {"x-amz-target": f"TrentService.{operation}", "content-type": "application/x-amz-json-1.1"}
    answer = world.call("kms", "POST", "/", body, headers)
    assert answer.status == 200, answer
    return answer


def may(role: Role, key: str) -> bool:
    headers = {"x-amz-target": "TrentService.DescribeKey", "content-type": "application/x-amz-json-1.1"}
    return role.call("kms", "POST", "/", {"KeyId": key}, headers).status == 200


@pytest.fixture
def late(world: Ministack, clock: Clock, role: Role) -> Role:
    """A role that may look at the project's keys, where tags take five minutes."""
    world.emulator.rules.now = clock
    world.emulator.rules.set({KEY_TAGS.name: 300})
    role.may(ONLY_OURS)
    return role


def test_the_tags_of_a_new_key_are_known_after_a_while(world: Ministack, clock: Clock, late: Role) -> None:
    key = world.kms_key()
    kms(world, "TagResource", KeyId=key, Tags=[PROJECT])
    assert not may(late, key)
    clock.now += 299
    assert not may(late, key)
    clock.now += 1
    assert may(late, key)


def test_so_is_a_tag_that_was_taken_away(world: Ministack, clock: Clock, late: Role) -> None:
    key = world.kms_key()
    kms(world, "TagResource", KeyId=key, Tags=[PROJECT])
    clock.now += 300
    kms(world, "UntagResource", KeyId=key, TagKeys=["Project"])
    assert may(late, key)
    clock.now += 300
    assert not may(late, key)


def test_unless_it_is_told_so_tags_are_known_at_once(world: Ministack, late: Role) -> None:
    world.emulator.rules.reset()
    key = world.kms_key()
    kms(world, "TagResource", KeyId=key, Tags=[PROJECT])
    assert may(late, key)
