"""The project's folder is found upwards from where one stands, and nobody else's is."""

import os
from pathlib import Path

import pytest

from payinfra.core.errors import UsageProblem
from payinfra.core.project_folder import (
    PROJECT_OPTION,
    PROJECT_VARIABLE,
    project_folder,
    to_type,
    with_project,
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "src" / "deep").mkdir(parents=True)
    (folder / "payinfra.toml").touch()
    return folder


def test_the_nearest_one_upwards_counts(project: Path) -> None:
    assert project_folder({}, project / "src" / "deep") == project
    (project / "src" / "payinfra.toml").touch()
    assert project_folder({}, project / "src" / "deep") == project / "src"
    assert project_folder({}, project) == project


def test_where_there_is_none_it_is_where_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert project_folder({}, tmp_path) == tmp_path
    monkeypatch.chdir(tmp_path)
    assert project_folder({}) == Path()


def test_in_the_project_itself_paths_stay_short(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    assert project_folder({}) == Path()
    monkeypatch.chdir(project / "src")
    assert project_folder({}) == project


def test_a_folder_that_is_named_is_taken_before_any_other(project: Path, tmp_path: Path) -> None:
    assert project_folder({PROJECT_VARIABLE: str(tmp_path)}, project / "src") == tmp_path
    assert project_folder({PROJECT_VARIABLE: ""}, project / "src") == project


def test_a_folder_that_does_not_exist_is_said() -> None:
    with pytest.raises(UsageProblem, match="There is no folder /no/such"):
        project_folder({PROJECT_VARIABLE: "/no/such"})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_that_somebody_else_put_above_is_passed_over(project: Path) -> None:
    os.chown(project / "payinfra.toml", 65534, 65534)
    assert project_folder({}, project / "src") == project / "src"


def test_a_folder_of_that_name_is_no_project(project: Path) -> None:
    (project / "src" / "payinfra.toml").mkdir()
    assert project_folder({}, project / "src" / "deep") == project


def test_commands_that_are_shown_repeat_the_project_that_was_given(request: pytest.FixtureRequest) -> None:
    said = "Run `payinfra verify --env demo`, or `payinfra`, see `docs/x` of payinfra verify."
    assert with_project(said) == said
    assert to_type("payinfra verify") == "payinfra verify"
    token = PROJECT_OPTION.set("my \\1 project")
    request.addfinalizer(lambda: PROJECT_OPTION.reset(token))
    assert to_type("payinfra verify") == "payinfra --project 'my \\1 project' verify"
    assert to_type("make") == "make"
    assert with_project(said).startswith("Run `payinfra --project 'my \\1 project' verify --env demo`, or ")
    assert with_project(said).endswith("or `payinfra`, see `docs/x` of payinfra verify.")
