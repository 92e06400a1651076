from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.unit.checks.policy.conftest import GoodStack


def test_the_good_stack_has_no_finding(world: "GoodStack") -> None:
    assert world.red(world.manifest(world.good)) == {}
