"""Which environment is meant where the flags do not say, and that it is said why."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from payinfra.core.environment_choice import EnvironmentChoice, choose_environment
from payinfra.core.errors import UsageProblem

HOUR = 3_600


def deployed(folder: Path, target: str, env: str, at: int = 0) -> None:
    file = folder / ".payinfra" / target / env / "outputs.json"
    file.parent.mkdir(parents=True)
    file.touch()
    os.utime(file, (at, at))


def choose(folder: Path, environ: Mapping[str, str] | None = None, **flags: object) -> EnvironmentChoice:
    return choose_environment(flags, folder=folder, environ=environ or {})


def which(found: EnvironmentChoice) -> tuple[str, str]:
    return found.settings.env, found.settings.target.value


def test_the_only_one_that_was_deployed(tmp_path: Path) -> None:
    deployed(tmp_path, "local", "demo")
    found = choose(tmp_path)
    assert which(found) == ("demo", "local")
    assert found.in_words == "Environment demo on the embedded AWS: the only one that was deployed from here."


def test_of_several_the_last_one_and_the_others_are_named(tmp_path: Path) -> None:
    deployed(tmp_path, "local", "demo", at=2 * HOUR)
    deployed(tmp_path, "aws", "prod", at=HOUR)
    found = choose(tmp_path)
    assert which(found) == ("demo", "local")
    assert found.why == "the last one that was deployed from here, after prod on AWS"


def test_a_target_that_is_given_leaves_only_its_own(tmp_path: Path) -> None:
    deployed(tmp_path, "local", "demo", at=HOUR)
    deployed(tmp_path, "aws", "prod")
    assert which(choose(tmp_path, target="aws")) == ("prod", "aws")
    assert which(choose(tmp_path, {"PAYINFRA_TARGET": "aws"})) == ("prod", "aws")


def test_the_file_comes_before_what_was_deployed(tmp_path: Path) -> None:
    deployed(tmp_path, "local", "demo")
    (tmp_path / "payinfra.toml").write_text('env = "prod"\ntarget = "aws"\n')
    found = choose(tmp_path)
    assert which(found) == ("prod", "aws")
    assert found.in_words == "Environment prod on AWS: payinfra.toml names it."


def test_a_table_of_the_file_decides_where_its_environment_is(tmp_path: Path) -> None:
    (tmp_path / "payinfra.toml").write_text('[environments.demo]\ntarget = "aws"\n')
    deployed(tmp_path, "local", "demo", at=HOUR)
    deployed(tmp_path, "local", "pr1")
    assert which(choose(tmp_path)) == ("pr1", "local")


def test_flags_and_variables_are_taken_without_a_word(tmp_path: Path) -> None:
    deployed(tmp_path, "local", "demo")
    assert choose(tmp_path, env="prod", target="aws").why == ""
    assert choose(tmp_path, {"PAYINFRA_ENV": "prod"}).why == ""
    assert which(choose(tmp_path, env="prod")) == ("prod", "aws")


def test_a_name_without_a_target_is_where_it_was_deployed(tmp_path: Path) -> None:
    deployed(tmp_path, "local", "demo")
    found = choose(tmp_path, env="demo")
    assert which(found) == ("demo", "local")
    assert found.why == "this is where it was deployed from here"
    deployed(tmp_path, "aws", "demo")
    assert which(choose(tmp_path, env="demo")) == ("demo", "aws")
    assert choose(tmp_path, env="demo").why == ""


def test_a_name_in_the_file_without_a_target_too(tmp_path: Path) -> None:
    deployed(tmp_path, "local", "demo")
    (tmp_path / "payinfra.toml").write_text('env = "demo"\n')
    found = choose(tmp_path)
    assert which(found) == ("demo", "local")
    assert found.why == "payinfra.toml names it, and this is where it was deployed from here"


def test_nothing_deployed_and_nothing_named_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="No environment was named, and none was deployed") as caught:
        choose(tmp_path)
    assert "payinfra deploy --env demo --local" in caught.value.hint


def test_what_is_destroyed_meanwhile_is_passed_over(tmp_path: Path) -> None:
    deployed(tmp_path, "local", "demo")
    gone = tmp_path / ".payinfra" / "local" / "gone"
    gone.mkdir()
    (gone / "outputs.json").symlink_to(tmp_path / "no-such-file")
    assert choose(tmp_path).why == "the only one that was deployed from here"


def test_a_folder_that_bears_no_environments_name_is_passed_over(tmp_path: Path) -> None:
    deployed(tmp_path, "local", "Not-A-Name", at=HOUR)
    deployed(tmp_path, "local", "demo")
    assert which(choose(tmp_path)) == ("demo", "local")


def test_a_fault_in_the_settings_is_said_as_ever(tmp_path: Path) -> None:
    deployed(tmp_path, "local", "demo")
    with pytest.raises(UsageProblem, match="dns-ttl"):
        choose(tmp_path, {"PAYINFRA_DNS_TTL": "0"})


def test_the_work_folder_that_is_named_is_looked_at(tmp_path: Path) -> None:
    deployed(tmp_path / "elsewhere", "local", "demo")
    assert which(choose(tmp_path, work_root=tmp_path / "elsewhere" / ".payinfra")) == ("demo", "local")
