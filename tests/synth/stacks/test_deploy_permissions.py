"""The deploy role's table and the stack name the same resource types."""

import json
from collections.abc import Iterable

from payinfra.account.boundary import boundary
from payinfra.account.permissions import RESOURCE_TYPES
from payinfra.deployment.recovery.every_type import EVERY_TYPE, MADE_WITHOUT_AWS
from tests.synth.stacks.conftest import VARIANTS, Synthesize, Synthesized


def types(synthesized: Synthesize) -> set[str]:
    return {type_ for variant in VARIANTS for type_ in synthesized(variant).content["resource"]}


def missing(wanted: Iterable[str], known: Iterable[str]) -> list[str]:
    return sorted(set(wanted) - set(known))


def test_every_resource_type_of_the_stack_has_its_permissions(synthesized: Synthesize) -> None:
    lacking = missing(types(synthesized), RESOURCE_TYPES)
    assert not lacking, f"payinfra/account/permissions.py says nothing of {lacking}"


def test_no_permission_is_for_a_type_that_the_stack_has_not(synthesized: Synthesize) -> None:
    left_over = missing(RESOURCE_TYPES, types(synthesized))
    assert not left_over, f"payinfra/account/permissions.py still has {left_over}"


def test_nothing_is_read_but_who_is_calling(synthesized: Synthesize) -> None:
    """Data sources would need permissions too; sts:GetCallerIdentity needs none."""
    for variant in VARIANTS:
        assert set(synthesized(variant).content["data"]) == {"aws_caller_identity"}


def test_the_boundary_that_is_offered_allows_what_the_stacks_roles_do(every: Synthesized) -> None:
    offered = json.loads(boundary("123456789012").document)["Statement"]
    bounded = {action for statement in offered for action in statement["Action"]}
    policies = [json.loads(block["policy"]) for block in every.of("iam_role_policy").values()]
    done = {action for policy in policies for each in policy["Statement"] for action in each["Action"]}
    # What keeps a name that has moved; where it comes back by itself no role does so.
    sets_flag = {"ssm:PutParameter"}
    assert (done >= sets_flag) is (every.settings.failback == "manual")
    assert done | sets_flag == bounded


def test_every_resource_type_of_the_stack_is_found_again_without_a_state(synthesized: Synthesize) -> None:
    lost = missing(types(synthesized), set(EVERY_TYPE) | MADE_WITHOUT_AWS)
    assert not lost, f"payinfra/deployment/recovery/every_type.py says nothing of {lost}"
