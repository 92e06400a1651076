"""Starting cdktf: which mode, which Node, and an environment that is as before."""

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from payinfra.core.errors import EnvironmentUnusable, ExitCode
from payinfra.stacks.cdktf_bindings import (
    IGNORE_INTERRUPT,
    LAZY_ARCHIVER,
    LAZY_INDEX,
    JsiiPackage,
    jsii_submodules,
    prepare,
)

MakeBindings = Callable[..., JsiiPackage]

LAZY_OPTIONS = " ".join(f'--require "{hook}"' for hook in (IGNORE_INTERRUPT, LAZY_INDEX, LAZY_ARCHIVER))
EAGER_OPTIONS = f'--require "{IGNORE_INTERRUPT}"'


def seen_by_the_start(bindings: JsiiPackage) -> dict[str, str | None]:
    seen: dict[str, str | None] = importlib.import_module(bindings.core).seen
    return seen


@pytest.fixture(autouse=True)
def chosen_node(monkeypatch: pytest.MonkeyPatch, some_program: Path) -> Path:
    monkeypatch.setenv("JSII_NODE", str(some_program))
    monkeypatch.delenv("NODE_OPTIONS", raising=False)
    return some_program


def test_lazy_is_the_default(make_bindings: MakeBindings, chosen_node: Path) -> None:
    bindings = make_bindings()
    prepare(bindings=bindings)
    package = sys.modules[bindings.package]
    assert not hasattr(package, "eager")
    assert seen_by_the_start(bindings) == {"JSII_NODE": str(chosen_node), "NODE_OPTIONS": LAZY_OPTIONS}


def test_eager_runs_the_package_as_it_is(make_bindings: MakeBindings, chosen_node: Path) -> None:
    bindings = make_bindings()
    prepare(eager=True, bindings=bindings)
    package = sys.modules[bindings.package]
    assert package.eager is True
    assert type(package) is type(sys)
    assert seen_by_the_start(bindings) == {"JSII_NODE": str(chosen_node), "NODE_OPTIONS": EAGER_OPTIONS}


def test_a_jsii_that_cannot_import_on_demand_gets_the_ordinary_package(make_bindings: MakeBindings) -> None:
    bindings = make_bindings()
    prepare(bindings=bindings, submodules_of_jsii=lambda: None)
    assert sys.modules[bindings.package].eager is True
    assert seen_by_the_start(bindings)["NODE_OPTIONS"] == EAGER_OPTIONS


def test_the_installed_jsii_can_import_on_demand() -> None:
    assert jsii_submodules() is not None


@pytest.mark.parametrize("eager", [False, True])
def test_the_environment_is_put_back(make_bindings: MakeBindings, *, eager: bool) -> None:
    before = dict(os.environ)
    prepare(eager=eager, bindings=make_bindings())
    assert dict(os.environ) == before


@pytest.mark.parametrize(("first", "eager_attribute"), [(False, False), (True, True)])
def test_the_first_call_decides(make_bindings: MakeBindings, *, first: bool, eager_attribute: bool) -> None:
    bindings = make_bindings()
    prepare(eager=first, bindings=bindings)
    package = sys.modules[bindings.package]
    prepare(eager=not first, bindings=bindings)
    assert sys.modules[bindings.package] is package
    assert hasattr(package, "eager") is eager_attribute


@pytest.mark.parametrize(
    "core",
    ["raise FileNotFoundError('node')", "import json\njson.loads('')"],
    ids=["no such program", "it ends without a word"],
)
def test_a_node_that_does_not_start_is_named(
    make_bindings: MakeBindings, chosen_node: Path, core: str
) -> None:
    bindings = make_bindings(core=core)
    with pytest.raises(EnvironmentUnusable, match=f"did not start with {chosen_node}") as raised:
        prepare(bindings=bindings)
    assert "JSII_NODE" in raised.value.hint
    assert raised.value.exit_code is ExitCode.UNUSABLE_ENVIRONMENT
    assert os.environ.get("NODE_OPTIONS") is None


def test_what_jsii_says_reaches_the_person(make_bindings: MakeBindings) -> None:
    core = "from jsii.errors import JSIIError\nraise JSIIError('Cannot use the jsii package cache in /x')"
    with pytest.raises(EnvironmentUnusable, match="Cannot use the jsii package cache in /x"):
        prepare(bindings=make_bindings(core=core))


def test_other_errors_stay_what_they_are(make_bindings: MakeBindings) -> None:
    with pytest.raises(ZeroDivisionError):
        prepare(bindings=make_bindings(core="1 / 0"))
