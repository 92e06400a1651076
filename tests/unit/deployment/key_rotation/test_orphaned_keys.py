"""What a destruction in the midst of a rotation leaves: found by name and tags, and never a key in use."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from payinfra.clients.aws import Aws
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.naming import tags
from payinfra.deployment.key_rotation.orphaned_keys import OrphanedKey, OrphanedKeys
from payinfra.deployment.key_rotation.rotate import begin, finish
from tests.unit.deployment.key_rotation.conftest import (
    MADE,
    NAME,
    REGIONS,
    Cloud,
    FakeAws,
    Gateway,
    Killed,
    Workshop,
)

CHANGES_OF_A_ROTATION = 15


def orphaned(cloud: Cloud, env: str = "demo") -> OrphanedKeys:
    return OrphanedKeys(FakeAws(cloud=cloud), env, REGIONS)


def destroy(cloud: Cloud) -> None:
    """What Terraform does: delete the plans and the keys of the state, and nothing that is in none."""
    for region, letter in zip(REGIONS, "ab", strict=True):
        here = cloud.regions[region]
        here.plan, here.stages = set(), None
        here.keys.pop(cloud.state.pop(f"aws_api_gateway_api_key.{letter}", ""), None)


def test_in_the_midst_of_a_rotation_the_former_keys_are_left_and_removed(
    workshop: Workshop, cloud: Cloud
) -> None:
    environment, _ = workshop.environment()
    begin(environment, cloud.keys())
    destroy(cloud)
    left = tuple(OrphanedKey(region, f"key-{region}", f"{NAME}-former") for region in REGIONS)
    assert orphaned(cloud).look() == left
    assert orphaned(cloud).remove() == left
    assert [cloud.regions[region].keys for region in REGIONS] == [{}, {}]
    assert orphaned(cloud).remove() == ()
    assert str(left[0]) == "payment-demo-client-former (key-us-east-1) in us-east-1"


@pytest.mark.parametrize("kill_at", range(CHANGES_OF_A_ROTATION))
def test_wherever_a_rotation_was_killed_nothing_is_left(
    workshop: Workshop, cloud: Cloud, kill_at: int
) -> None:
    cloud.kill_at = kill_at
    environment, _ = workshop.environment()
    with pytest.raises(Killed):
        begin(environment, cloud.keys())
    cloud.kill_at = None
    destroy(cloud)
    orphaned(cloud).remove()
    assert [cloud.regions[region].keys for region in REGIONS] == [{}, {}]


def test_after_the_end_of_a_rotation_there_is_nothing_to_remove(workshop: Workshop, cloud: Cloud) -> None:
    environment, _ = workshop.environment()
    begin(environment, cloud.keys())
    finish(cloud.outputs, cloud.keys())
    destroy(cloud)
    assert orphaned(cloud).look() == ()


def test_a_key_that_opens_an_api_is_none(workshop: Workshop, cloud: Cloud) -> None:
    """Its state may be elsewhere: a destruction that knows of nothing must not lock its clients out."""
    environment, _ = workshop.environment()
    begin(environment, cloud.keys())
    assert orphaned(cloud).look() == ()
    cloud.regions["us-west-2"].stages = []
    assert {key.region for key in orphaned(cloud).look()} == {"us-west-2"}


@pytest.mark.parametrize(
    ("name", "worn"),
    [
        ("payment-demo-client-former-of-mine", tags("demo")),
        ("payment-demo-client-former", {}),
        ("payment-demo-client-former", tags("demo") | {"Environment": "other"}),
        ("payment-demo-client-next", tags("demo") | {"Project": "another"}),
    ],
)
def test_what_bears_another_name_or_other_tags_is_nobody_s_to_remove(
    cloud: Cloud, name: str, worn: dict[str, str]
) -> None:
    destroy(cloud)
    cloud.regions["us-east-1"].keys["theirs"] = {"name": name, "value": "x" * 20, "tags": worn}
    assert orphaned(cloud).remove() == ()
    assert "theirs" in cloud.regions["us-east-1"].keys


def test_an_environment_whose_name_begins_alike_keeps_its_keys(cloud: Cloud) -> None:
    """`payment-demo-client` begins the names that environment `demo` would ask for, and those of no other."""
    destroy(cloud)
    key = {"name": "payment-demo-2-client", "value": "x" * 20, "createdDate": MADE, "tags": tags("demo-2")}
    cloud.regions["us-east-1"].keys["theirs"] = key
    assert orphaned(cloud).remove() == ()


def test_a_key_that_is_listed_and_gone_already_was_not_removed(cloud: Cloud) -> None:
    cloud.regions["us-east-1"].stages = None
    aws = FakeAws(cloud=cloud)

    class Late(Gateway):
        """Lists what was deleted a moment ago."""

        def delete_api_key(self, apiKey: str) -> None:
            self.here.keys.pop(apiKey)
            super().delete_api_key(apiKey)

    @dataclass(frozen=True)
    class Lagging(Aws):
        def client(self, service: str, region: str) -> Any:
            return Late(cloud, region) if service == "apigateway" else aws.client(service, region)

    assert OrphanedKeys(Lagging(), "demo", REGIONS).remove() == ()


REFUSED = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetApiKeys")
SILENT = EndpointConnectionError(endpoint_url="https://apigateway.us-east-1.amazonaws.com")


@dataclass(frozen=True)
class Refusing(Aws):
    """API Gateway lists a key where it is told to, and refuses all else."""

    error: Exception = REFUSED
    lists: bool = False

    def client(self, service: str, region: str) -> Any:
        return self

    def get_paginator(self, operation: str) -> "Refusing":
        return self

    def paginate(self, **asked: object) -> Iterator[dict[str, Any]]:
        if not self.lists:
            raise self.error
        yield {"items": [{"id": "k", "name": f"{NAME}-former", "tags": tags("demo")}] if asked else []}

    def delete_api_key(self, apiKey: str) -> None:
        raise self.error


@pytest.mark.parametrize("error", [REFUSED, SILENT])
@pytest.mark.parametrize(
    ("lists", "said"),
    [
        (False, "say which API keys there are"),
        (True, r"remove payment-demo-client-former \(k\) in us-east-1"),
    ],
)
def test_not_to_know_is_an_error(error: Exception, lists: bool, said: str) -> None:
    with pytest.raises(EnvironmentUnusable, match=f"API Gateway does not {said}") as unusable:
        OrphanedKeys(Refusing(error=error, lists=lists), "demo", REGIONS).remove()
    assert "again" in unusable.value.hint
