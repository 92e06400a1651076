"""The deploy role's table and the stack name the same resource types."""

from collections.abc import Iterable

from payinfra.account.permissions import RESOURCE_TYPES
from tests.synth.stacks.conftest import VARIANTS, Synthesize


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
