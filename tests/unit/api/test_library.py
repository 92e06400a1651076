"""The library face: its surface is as committed, and each function does what its command does."""

import ast
import inspect
import json
import subprocess
import sys
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from pathlib import Path

import pytest

import payinfra
from payinfra import api
from payinfra.checks.verdicts import Severity
from payinfra.core.errors import EnvironmentUnusable, UsageProblem
from payinfra.core.events import Event, StageFinished
from payinfra.core.private_files import write_private
from payinfra.deployment.results import ChecksFailed
from tests.unit.core.test_outputs import DECLARED, OUTPUTS
from tests.unit.deployment.test_pipeline import ScriptedEnvironment, ScriptedTerraform, a_plan, found

SURFACE = Path(__file__).with_name("surface.json")


def signatures() -> dict[str, str]:
    """The functions of the library face as they are written."""
    tree = ast.parse(Path(api.__file__).read_text())
    return {
        node.name: f"({ast.unparse(node.args)}) -> {ast.unparse(node.returns)}"
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.returns is not None
    }


def parts(name: str) -> list[str]:
    """What a public class consists of: members, bases or fields."""
    value = getattr(payinfra, name)
    if name == "Settings":
        resolve = inspect.signature(payinfra.Settings.resolve)
        return [*payinfra.Settings.model_fields, f"resolve({', '.join(resolve.parameters)})"]
    if isinstance(value, type) and issubclass(value, Enum):
        return [f"{member.name}={member.value}" for member in value]
    if isinstance(value, type) and issubclass(value, Exception):
        return [base.__name__ for base in value.__bases__]
    if is_dataclass(value):
        return [each.name for each in fields(value)]
    return []


def test_names_and_signatures_are_as_committed() -> None:
    """A name or parameter that goes or changes breaks somebody's pipeline; what is new is added there."""
    functions = {name: text for name, text in signatures().items() if name in payinfra.__all__}
    others = sorted(set(payinfra.__all__) - set(functions))
    committed = json.loads(SURFACE.read_text())
    assert {"functions": functions, "others": others} == {
        "functions": committed["functions"],
        "others": sorted(committed["others"]),
    }, json.dumps({"functions": functions, "others": {name: parts(name) for name in others}}, indent=2)


@pytest.mark.parametrize(
    ("name", "promised"), json.loads(SURFACE.read_text())["others"].items(), ids=lambda value: str(value)[:40]
)
def test_what_a_value_has_it_keeps(name: str, promised: list[str]) -> None:
    """Fields and members may be added; none goes."""
    assert set(promised) <= set(parts(name))


def test_every_name_is_known_to_dir_and_to_type_checkers() -> None:
    assert set(payinfra.__all__) <= set(dir(payinfra))
    source = Path(payinfra.__file__).read_text()
    for name in set(payinfra.__all__) - {"__version__"}:
        assert f" import {name} as {name}\n" in source
    assert Path(payinfra.__file__).with_name("py.typed").exists()


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        vars(payinfra)["__getattr__"]("nonsense")


def test_the_import_costs_nothing() -> None:
    script = "import sys, json, payinfra; print(json.dumps(sorted(m for m in sys.modules if '.' not in m)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"pydantic", "boto3", "cdktf", "rich", "typer", "httpx"} & set(json.loads(done.stdout))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ScriptedEnvironment:
    monkeypatch.chdir(tmp_path)
    return ScriptedEnvironment(tmp_path, ScriptedTerraform([a_plan]))


def test_synth_is_the_stage(world: ScriptedEnvironment) -> None:
    pipeline = world.pipeline()
    heard: list[Event] = []
    result = payinfra.synth(pipeline.settings, emit=heard.append, dependencies=pipeline.dependencies)
    assert result.inventory.total == 1
    assert [event.stage for event in heard if isinstance(event, StageFinished)] == ["synth"]


def test_check_judges_what_it_synthesizes(world: ScriptedEnvironment) -> None:
    pipeline = world.pipeline()
    outcome = payinfra.check(pipeline.settings, select=("PI-KMS-*",), dependencies=pipeline.dependencies)
    assert outcome.failing(Severity.LOW)
    assert {finding.id[:6] for finding in outcome.findings} == {"PI-KMS"}


def test_check_leaves_out_what_it_is_asked_to(world: ScriptedEnvironment) -> None:
    pipeline = world.pipeline()
    outcome = payinfra.check(
        pipeline.settings, select=("PI-KMS-*",), skip=("PI-KMS-001",), dependencies=pipeline.dependencies
    )
    assert "PI-KMS-001" in outcome.summary.ignored


def test_check_reads_the_waivers(world: ScriptedEnvironment) -> None:
    pipeline = world.pipeline()
    waivers = world.folder / "mine.toml"
    waivers.write_text("nonsense = 1\n")
    with pytest.raises(EnvironmentUnusable, match="nonsense"):
        payinfra.check(pipeline.settings, waivers=waivers, dependencies=pipeline.dependencies)


def test_plan_keeps_the_plan_to_its_owner(world: ScriptedEnvironment) -> None:
    pipeline = world.pipeline()
    out = world.folder / "kept.tfplan"
    assert payinfra.plan(pipeline.settings, out=out, dependencies=pipeline.dependencies).add == 1
    assert out.stat().st_mode & 0o777 == 0o600


def test_deploy_asks_and_gives_everything_back(world: ScriptedEnvironment) -> None:
    pipeline = world.pipeline()
    asked: list[int] = []

    def confirm(plan: payinfra.Plan) -> bool:
        asked.append(plan.add)
        return True

    result = payinfra.deploy(pipeline.settings, confirm=confirm, dependencies=pipeline.dependencies)
    assert asked == [1]
    assert result.outputs == payinfra.read_outputs(pipeline.settings, dependencies=pipeline.dependencies)


def test_deploy_stops_at_the_gate_that_is_asked_for(world: ScriptedEnvironment) -> None:
    world.outcome = found(Severity.LOW)
    pipeline = world.pipeline()
    with pytest.raises(ChecksFailed):
        payinfra.deploy(pipeline.settings, fail_on=Severity.LOW, dependencies=pipeline.dependencies)
    assert payinfra.deploy(pipeline.settings, dependencies=pipeline.dependencies).plan.add == 1


def test_verify_passes_the_request_on(world: ScriptedEnvironment) -> None:
    pipeline = world.pipeline()
    payinfra.deploy(pipeline.settings, dependencies=pipeline.dependencies)
    payinfra.verify(
        pipeline.settings,
        only=("LIVE-S3-*",),
        skip=("LIVE-S3-001",),
        deadline_s=3.0,
        dependencies=pipeline.dependencies,
    )
    assert (world.requests[-1].only, world.requests[-1].skip) == (("LIVE-S3-*",), ("LIVE-S3-001",))


def test_destroy_wants_a_protected_name_once_more(world: ScriptedEnvironment) -> None:
    world.protected = True
    pipeline = world.pipeline()
    with pytest.raises(UsageProblem, match="protected"):
        payinfra.destroy(pipeline.settings, dependencies=pipeline.dependencies)
    assert world.terraform.calls == []


def test_destroy_deletes(world: ScriptedEnvironment) -> None:
    pipeline = world.pipeline()
    payinfra.destroy(pipeline.settings, really="demo", dependencies=pipeline.dependencies)
    assert "plan -destroy" in world.terraform.calls


def test_the_example_of_the_page_uses_what_there_is() -> None:
    page = (Path(__file__).parents[3] / "docs" / "library.md").read_text()
    tree = ast.parse(page.split("```python\n")[1].split("```")[0])
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "payinfra"
        for alias in node.names
    }
    assert imported <= set(payinfra.__all__)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in imported:
            known = inspect.signature(getattr(payinfra, node.func.id)).parameters
            assert {keyword.arg for keyword in node.keywords} <= set(known)


def test_every_function_is_on_the_page() -> None:
    page = (Path(__file__).parents[3] / "docs" / "library.md").read_text()
    for name in signatures().keys() & set(payinfra.__all__):
        assert f"| `{name}(" in page


def test_a_drill_wants_a_protected_name_once_more(world: ScriptedEnvironment) -> None:
    """What was deployed says whether it is protected, not what the settings say now."""
    pipeline = world.pipeline()
    outputs = replace(OUTPUTS, declared_json=replace(DECLARED, protected=True).to_json())
    write_private(pipeline.settings.work_dir / "outputs.json", json.dumps(outputs.to_flat()))
    for really in (None, "another"):
        with pytest.raises(UsageProblem, match="protected"):
            payinfra.run_drill(pipeline.settings, really=really, dependencies=pipeline.dependencies)
