"""Work on the state of an environment that stands: alone, with its outputs, on the stack as it is now."""

from pathlib import Path

import pytest

from payinfra.core.environment_lock import exclusive
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.events import StageFinished
from tests.unit.deployment.test_pipeline import ScriptedEnvironment, ScriptedTerraform, a_plan, values


@pytest.fixture
def world(tmp_path: Path) -> ScriptedEnvironment:
    return ScriptedEnvironment(tmp_path, ScriptedTerraform([a_plan]))


def deployed(world: ScriptedEnvironment) -> ScriptedEnvironment:
    world.pipeline().deploy(lambda _plan: True)
    world.events.clear()
    world.terraform.calls.clear()
    return world


def test_it_has_the_outputs_the_manifest_and_an_initialised_terraform(world: ScriptedEnvironment) -> None:
    pipeline = deployed(world).pipeline()
    with pipeline.locked("rotate-key") as environment:
        assert environment.outputs == pipeline.outputs()
        assert environment.manifest.is_file()
        assert environment.terraform is world.terraform  # type: ignore[comparison-overlap]  # a script of it
        assert environment.plan_file.is_absolute()
    assert world.terraform.calls == ["init"]


def test_nobody_else_works_on_the_environment_meanwhile(world: ScriptedEnvironment) -> None:
    pipeline = deployed(world).pipeline()
    with (
        pipeline.locked("rotate-key"),
        pytest.raises(EnvironmentUnusable, match="payinfra rotate-key"),
        exclusive(pipeline.settings.work_dir, "deploy"),
    ):
        raise AssertionError("the lock was free")


def test_what_it_keeps_is_the_environment_s_and_its_stages_are_told(world: ScriptedEnvironment) -> None:
    pipeline = deployed(world).pipeline()
    with pipeline.locked("rotate-key") as environment:
        with environment.stage("state") as stage:
            stage.detail = "followed"
        changed = values() | {"api_key_id": values()["failover_domain"]}
        environment.keep(changed)
    assert pipeline.outputs().primary.api_key_id == "p-failover_domain"
    told = [event for event in world.events if isinstance(event, StageFinished)][-1]
    assert (told.stage, told.detail) == ("state", "followed")


def test_what_was_never_deployed_has_none(world: ScriptedEnvironment) -> None:
    with (
        pytest.raises(EnvironmentUnusable, match="not deployed from this folder"),
        world.pipeline().locked("x"),
    ):
        raise AssertionError("there is nothing to work on")
