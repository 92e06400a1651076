"""A project's files: written where they are missing, and nobody's work is overwritten."""

import io
import json
import re
import tomllib
from datetime import date
from pathlib import Path

import pytest
from rich.console import Console

from payinfra.checks.waivers import parse
from payinfra.commands.options import STACK
from payinfra.core.errors import UsageProblem
from payinfra.core.project_files import Ci, Deed, template, write
from payinfra.core.setting_declarations import BY_KEY, TABLES
from payinfra.core.settings import Settings
from payinfra.report import scaffold as report
from payinfra.report.formats import Format

ALL = (Ci.GITHUB, Ci.GITLAB)
FILES = ("payinfra.toml", "payinfra-waivers.toml", ".github/workflows/payinfra.yml", ".gitlab-ci.yml")
A_SETTING = re.compile(r"^# (?=(\[\[?[a-z.]+\]\]?|[a-z_]+ = .*)$)", re.MULTILINE)


def uncommented(name: str) -> str:
    """A template with all of its examples in force."""
    return A_SETTING.sub("", template(name))


def settings_in(text: str) -> dict[str, object]:
    """The settings of a payinfra.toml by their names, whichever table they are in."""
    found: dict[str, object] = {}
    for key, value in tomllib.loads(text).items():
        held = value if key in TABLES else {key: value}
        table = key if key in TABLES else ""
        for name, one in held.items():
            found[BY_KEY[table, name].name if name != "environments" else name] = one
    return found


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_everything_is_written_into_an_empty_folder(tmp_path: Path) -> None:
    steps = write(tmp_path, ALL)
    assert {str(each.path.relative_to(tmp_path)): each.deed for each in steps} == dict.fromkeys(
        (*FILES, ".gitignore"), Deed.WRITTEN
    )
    assert set(contents(tmp_path)) == {*FILES, ".gitignore"}
    assert (tmp_path / ".gitignore").read_text() == ".payinfra/\ncfn-outputs/\n"


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path, ALL)
    before = contents(tmp_path)
    assert {each.deed for each in write(tmp_path, ALL)} == {Deed.LEFT}
    assert contents(tmp_path) == before


def test_nobody_s_file_is_overwritten(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("mine")
    steps = write(tmp_path, ALL)
    assert [each.deed for each in steps] == [Deed.LEFT] * 4 + [Deed.WRITTEN]
    assert all((tmp_path / name).read_text() == "mine" for name in FILES)


def test_a_link_to_nowhere_is_somebody_s_file_too(tmp_path: Path) -> None:
    (tmp_path / "payinfra.toml").symlink_to(tmp_path / "elsewhere")
    assert write(tmp_path, ())[0].deed is Deed.LEFT
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("node_modules\n", "node_modules\n.payinfra/\ncfn-outputs/\n"),
        ("no line end", "no line end\n.payinfra/\ncfn-outputs/\n"),
        ("/.payinfra\n", "/.payinfra\ncfn-outputs/\n"),
        ("  cfn-outputs/ \n", "  cfn-outputs/ \n.payinfra/\n"),
    ],
)
def test_gitignore_gets_what_it_lacks(tmp_path: Path, before: str, after: str) -> None:
    (tmp_path / ".gitignore").write_text(before)
    assert write(tmp_path, ())[-1].deed is Deed.ADDED_TO
    assert (tmp_path / ".gitignore").read_text() == after


@pytest.mark.parametrize(
    ("ci", "files"),
    [((Ci.NONE,), FILES[:2]), ((Ci.GITHUB,), FILES[:3]), ((Ci.GITLAB,), (*FILES[:2], FILES[3]))],
)
def test_workflows_are_for_the_ci_that_was_asked_for(
    tmp_path: Path, ci: tuple[Ci, ...], files: tuple[str, ...]
) -> None:
    write(tmp_path, ci)
    assert set(contents(tmp_path)) == {*files, ".gitignore"}


def test_the_recipe_of_an_image_is_written_where_it_is_asked_for_and_never_over_another(
    tmp_path: Path,
) -> None:
    write(tmp_path, ())
    assert not (tmp_path / "Dockerfile").exists()
    steps = {step.path.name: step.deed for step in write(tmp_path, (), image=True)}
    assert steps["Dockerfile"] is Deed.WRITTEN
    assert (tmp_path / "Dockerfile").read_text() == template("image/Dockerfile")
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    steps = {step.path.name: step.deed for step in write(tmp_path, (), image=True)}
    assert steps["Dockerfile"] is Deed.LEFT
    assert (tmp_path / "Dockerfile").read_text() == "FROM scratch\n"


def test_a_dry_run_says_the_same_and_writes_nothing(tmp_path: Path) -> None:
    said = write(tmp_path, ALL, dry_run=True)
    assert contents(tmp_path) == {}
    assert said == write(tmp_path, ALL)


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / ".github").write_text("a file where a folder should be")
    with pytest.raises(UsageProblem, match=r"payinfra\.yml cannot be written"):
        write(tmp_path, (Ci.GITHUB,))


def test_a_gitignore_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").mkdir()
    with pytest.raises(UsageProblem, match="cannot be read") as unreadable:
        write(tmp_path, ())
    assert ".payinfra/ and cfn-outputs/" in unreadable.value.hint


def test_a_gitignore_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").symlink_to(tmp_path / "nowhere" / "file")
    with pytest.raises(UsageProblem, match="cannot be written"):
        write(tmp_path, ())


def test_as_it_is_written_the_settings_file_sets_nothing() -> None:
    assert tomllib.loads(template("payinfra.toml")) == {}


def test_the_settings_file_shows_every_setting_and_each_can_be_set(tmp_path: Path) -> None:
    text = uncommented("payinfra.toml")
    assert set(settings_in(text)) - {"environments"} == {option.name for option in STACK}
    (tmp_path / "payinfra.toml").write_text(text)
    assert Settings.resolve({"env": "prod"}, folder=tmp_path, environ={}).protected


def test_what_the_settings_file_calls_a_default_is_one() -> None:
    shown = settings_in(uncommented("payinfra.toml"))
    plain = Settings.resolve({"env": "prod"}, environ={}).model_dump(mode="json")
    examples = {"reserved_concurrency", "object_lock_days", "protected", "env", "tags", "canary_body"}
    for name, value in shown.items():
        if name not in examples | {"environments"} and plain[name] not in (None, []):
            assert value == plain[name], name


def test_the_waivers_file_holds_nothing_and_its_example_would() -> None:
    name, known, today = "payinfra-waivers.toml", ("PI-LOG-001",), date(2026, 1, 1)
    assert parse(template(name), name, known, today) == ()
    (waiver,) = parse(uncommented(name), name, known, today)
    assert (waiver.id, waiver.broken) == ("PI-LOG-001", "")


def test_what_was_written_is_shown(tmp_path: Path) -> None:
    steps = write(tmp_path, (), dry_run=True)
    for dry_run, word in ((True, "Nothing was written"), (False, "payinfra doctor")):
        text = io.StringIO()
        report.written(Console(file=text, width=200), steps, Format.TABLE, dry_run=dry_run)
        assert word in text.getvalue()
    text = io.StringIO()
    report.written(Console(file=text), steps, Format.JSON, dry_run=True)
    said = json.loads(text.getvalue())
    assert (said["dry_run"], said["files"][0]["deed"]) == (True, "written")
