"""In which order an update of the real stack reaches the regions."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from payinfra.deployment.rolling_update import Graph, Role, plan_rollout
from payinfra.terraform import ChangeAction, Plan, ResourceChange

if TYPE_CHECKING:
    from tests.synth.stacks.conftest import Synthesize

RELEASED = ("aws_lambda_function", "aws_lambda_alias")
"""What a new release of the handler changes."""


@pytest.mark.parametrize("variant", ["local", "protected", "reversed"])
@pytest.mark.parametrize("first", list(Role))
def test_a_release_reaches_one_region_whole_before_any_of_it_reaches_the_other(
    synthesized: "Synthesize", variant: str, first: Role
) -> None:
    graph = Graph.read(synthesized(variant).folder / "cdk.tf.json")
    released = {address for address in graph.providers if address.partition(".")[0] in RELEASED}
    mine = {address for address in released if graph.belongs_to(first, address)}
    assert len(mine) == 2
    assert len(released) == 4
    changes = tuple(
        ResourceChange(address, address.partition(".")[0], ChangeAction.UPDATE)
        for address in sorted(released)
    )
    leading, rest = plan_rollout(graph, Plan(Path("plan"), 0, len(changes), 0, changes), first)
    assert (leading.role, set(leading.targets)) == (first, mine)
    assert (rest.role, rest.targets) == (first.other, ())
    assert not graph.closure(leading.targets) & (released - mine), "Terraform changes what targets need, too"


@pytest.mark.parametrize("first", list(Role))
def test_what_is_published_of_both_regions_waits_for_both(synthesized: "Synthesize", first: Role) -> None:
    """Its value goes through a local value, and Terraform follows that from a target, too."""
    graph = Graph.read(synthesized("local").folder / "cdk.tf.json")
    released = [address for address in graph.providers if address.partition(".")[0] in RELEASED]
    published = [f"aws_ssm_parameter.published_{role}" for role in Role]
    assert set(published) <= set(graph.providers)
    changes = tuple(
        ResourceChange(address, address.partition(".")[0], ChangeAction.UPDATE)
        for address in sorted((*released, *published))
    )
    leading, rest = plan_rollout(graph, Plan(Path("plan"), 0, len(changes), 0, changes), first)
    assert set(leading.targets) == {one for one in released if graph.belongs_to(first, one)}
    assert rest.targets == ()


@pytest.mark.parametrize("first", list(Role))
def test_a_change_of_everything_leaves_the_other_regions_function_for_later(
    synthesized: "Synthesize", first: Role
) -> None:
    graph = Graph.read(synthesized("local").folder / "cdk.tf.json")
    every = tuple(
        ResourceChange(address, address.partition(".")[0], ChangeAction.UPDATE)
        for address in sorted(graph.providers)
        if not address.startswith("data.")
    )
    leading, _rest = plan_rollout(graph, Plan(Path("plan"), 0, len(every), 0, every), first)
    serving = (
        "aws_lambda_function",
        "aws_lambda_alias",
        "aws_api_gateway_stage",
        "aws_api_gateway_deployment",
    )
    touched = graph.closure(leading.targets)
    others = {
        address
        for address in touched
        if address.startswith(serving) and graph.belongs_to(first.other, address)
    }
    assert others == set()
    assert {address.partition(".")[0] for address in leading.targets} >= set(serving)
