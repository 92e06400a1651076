from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.unit.checks.policy.conftest import World


def test_the_good_stack_has_no_finding(world: "World") -> None:
    assert world.red(world.manifest(world.good)) == {}
