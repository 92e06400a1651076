"""The project's folder is found upwards from where one stands, and nobody else's is."""

import os
from pathlib import Path

import pytest

from payinfra.core.errors import UsageProblem
from payinfra.core.project_folder import PROJECT_VARIABLE, project_folder


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
