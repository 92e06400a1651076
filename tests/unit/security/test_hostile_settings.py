"""Whatever a flag, a variable or payinfra.toml says: nothing that a shell, Terraform or a terminal obeys."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payinfra.core.errors import UsageProblem
from payinfra.core.settings import Settings, Target

HOSTILE = (
    "$(touch pwned)",
    "`touch pwned`",
    "; touch pwned",
    "| touch pwned",
    '${file("/etc/passwd")}',
    "%{ for x in [1] }x%{ endfor }",
    "../../outside",
    "/etc/outside",
    "\x1b[31mred\x1b]0;title\x07",
    "\x9b31m",
    "\u202egnp.exe",
    "a\nb",
    "a\x00b",
    "--yes",
)
TEXT_FIELDS = sorted(
    name for name in Settings.model_fields if name not in ("target", "protected", "health_check_interval")
)
LOOSE = frozenset({"handlers", "work_root"})
"""Paths that whoever calls payinfra chooses."""


def texts(value: object) -> Iterator[str]:
    if isinstance(value, str | Path):
        yield str(value)
    if isinstance(value, list | tuple):
        for each in value:
            yield from texts(each)


def harmless(text: str) -> bool:
    """Whether neither a terminal nor Terraform sees more in a text than a text."""
    return text.isprintable() and not re.search(r"[$%]\{", text)


def resolved(field: str, value: str) -> Settings | None:
    """The settings with one value; None where it is refused with a message that shows it harmlessly."""
    given = {"env": "pr1", "target": Target.AWS} | {field: value}
    if field in ("domain", "hosted_zone_id"):
        given = {"domain": "pay.example.com", "hosted_zone_id": "Z0123456789"} | given
    if field in ("state_region", "state_key"):
        given = {"state_bucket": "some-bucket"} | given
    try:
        return Settings.resolve(given, environ={})
    except UsageProblem as problem:
        refusal = problem
    assert refusal.what.isprintable()
    return None


@pytest.mark.parametrize("field", TEXT_FIELDS)
@pytest.mark.parametrize("attack", HOSTILE)
def test_an_attack_is_refused_or_is_only_a_text(field: str, attack: str) -> None:
    for value in (attack, f"a{attack}", f"{attack}@example.com", f"https://{attack}"):
        settings = resolved(field, value)
        for text in texts(getattr(settings, field)) if settings else ():
            assert harmless(text)
            assert field in LOOSE or not re.search(r"[`;|\\\"<>]|\$\(", text)


@given(st.sampled_from(TEXT_FIELDS), st.text(min_size=1, max_size=30))
def test_any_text_is_refused_or_is_only_a_text(field: str, value: str) -> None:
    settings = resolved(field, value)
    assert settings is None or all(harmless(text) for text in texts(getattr(settings, field)))


@given(st.text(max_size=40))
def test_an_environment_never_names_a_folder_elsewhere(env: str) -> None:
    try:
        settings = Settings.resolve({"env": env}, environ={})
    except UsageProblem:
        return
    assert settings.work_dir == Path(".payinfra", "aws", env)
    assert re.fullmatch(r"[a-z0-9-]+", env)


@pytest.mark.parametrize("root", ["../elsewhere", "/tmp/elsewhere", "inside/../../elsewhere"])  # noqa: S108 - refused
def test_a_file_of_the_project_cannot_send_the_work_folder_elsewhere(tmp_path: Path, root: str) -> None:
    (tmp_path / "payinfra.toml").write_text(f'env = "pr1"\nwork_root = "{root}"\n')
    with pytest.raises(UsageProblem, match="outside the project's folder"):
        Settings.resolve({}, folder=tmp_path, environ={})


def test_nor_by_a_link(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "link").symlink_to(tmp_path)
    (project / "payinfra.toml").write_text('env = "pr1"\n[environments.pr1]\nwork_root = "link/x"\n')
    with pytest.raises(UsageProblem, match="outside the project's folder"):
        Settings.resolve({}, folder=project, environ={})


def test_within_the_project_it_may_be_anywhere(tmp_path: Path) -> None:
    (tmp_path / "payinfra.toml").write_text('env = "pr1"\nwork_root = "build/work"\n')
    assert Settings.resolve({}, folder=tmp_path, environ={}).work_root == tmp_path / "build/work"


def test_who_calls_may_choose_any_place(tmp_path: Path) -> None:
    elsewhere = str(tmp_path / "elsewhere")
    project = tmp_path / "project"
    project.mkdir()
    (project / "payinfra.toml").write_text('env = "pr1"\nwork_root = "build"\n')
    flags = Settings.resolve({"work_root": elsewhere}, folder=project, environ={})
    variables = Settings.resolve({}, folder=project, environ={"PAYINFRA_WORK_ROOT": elsewhere})
    assert flags.work_root == variables.work_root == Path(elsewhere)


def quoted(text: str) -> str:
    """A TOML string; JSON's escapes are TOML's, but for the DEL character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_a_strange_key_or_table_is_only_named(name: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "payinfra.toml")
        path.write_text(f'env = "pr1"\n[environments.{quoted(name)}]\nnonsense = 1\n', encoding="utf-8")
        assert tomllib.loads(path.read_text(encoding="utf-8"))
        with pytest.raises(UsageProblem, match="unknown key 'nonsense'"):
            Settings.resolve({}, folder=Path(folder), environ={})
