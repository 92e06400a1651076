def test_the_good_stack_has_no_finding(world) -> None:
    assert world.red(world.manifest(world.good)) == {}
