"""Whatever the provider can tag bears the environment's tags, as the state says after an apply."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from payinfra.core.naming import Names
from payinfra.core.outputs import Declared
from payinfra.terraform import Terraform, find_binary
from payinfra.terraform.jsonvalue import JsonValue, at, members
from tests.e2e.conftest import Deployment
from tests.e2e.stack.conftest import ROLES

SOMEWHAT = 40
"""A stack with fewer resources that bear tags than this is not the one meant."""


@pytest.fixture(scope="module")
def work_dir(deployment: Deployment) -> Path:
    return deployment.project.folder / ".payinfra" / "local" / deployment.env


@pytest.fixture(scope="module")
def schemas(deployment: Deployment, work_dir: Path) -> Mapping[str, JsonValue]:
    """The provider's own schema of each resource type."""
    terraform = Terraform(
        binary=find_binary(),
        folder=work_dir / "synth" / "stacks" / Names(deployment.env).stack,
        data_dir=work_dir / "terraform",
        log=work_dir / "logs" / "schema.log",
        environment=os.environ,
    )
    (provider,) = members(terraform.providers_schema(), "provider_schemas").values()
    return members(provider, "resource_schemas")


@pytest.fixture(scope="module")
def managed(work_dir: Path) -> list[tuple[str, str, dict[str, Any]]]:
    """Address, type and attributes of every resource in the state."""
    state = json.loads((work_dir / "terraform.tfstate").read_text(encoding="utf-8"))
    return [
        (f"{resource['type']}.{resource['name']}", resource["type"], instance["attributes"])
        for resource in state["resources"]
        if resource["mode"] == "managed"
        for instance in resource["instances"]
    ]


def attributes(schemas: Mapping[str, JsonValue], type_: str) -> Iterator[str]:
    yield from members(schemas[type_], "block", "attributes")


def test_all_that_takes_tags_bears_the_required_ones(
    deployment: Deployment,
    schemas: Mapping[str, JsonValue],
    managed: list[tuple[str, str, dict[str, Any]]],
) -> None:
    required = Declared.from_json(deployment.outputs["declared"]).tags
    taggable = [each for each in managed if "tags_all" in attributes(schemas, each[1])]
    assert len(taggable) > SOMEWHAT
    bare = {
        address: sorted(set(required) - set(state["tags_all"] or {}))
        for address, _type, state in taggable
        if not required.items() <= (state["tags_all"] or {}).items()
    }
    assert bare == {}


def test_no_type_takes_tags_that_the_provider_does_not_give_by_default(
    schemas: Mapping[str, JsonValue], managed: list[tuple[str, str, dict[str, Any]]]
) -> None:
    """Else the one place that tags everything would miss it."""
    types = {type_ for _address, type_, _state in managed}
    missed = {
        type_
        for type_ in types
        if {"tags", "tag"} & set(attributes(schemas, type_)) and "tags_all" not in attributes(schemas, type_)
    }
    assert missed == set()
    assert [type_ for type_ in types if at(schemas[type_], "block", "block_types", "tag") is not None] == []


def test_tags_reach_the_replica(
    deployment: Deployment, managed: list[tuple[str, str, dict[str, Any]]]
) -> None:
    (table,) = (state for _address, type_, state in managed if type_ == "aws_dynamodb_table")
    assert [replica["propagate_tags"] for replica in table["replica"]] == [True]
    required = Declared.from_json(deployment.outputs["declared"]).tags
    for role in ROLES:
        tags = deployment.client("dynamodb", role).list_tags_of_resource(
            ResourceArn=deployment.output("dynamodb_table_arn", role)
        )["Tags"]
        assert required.items() <= {tag["Key"]: tag["Value"] for tag in tags}.items()
