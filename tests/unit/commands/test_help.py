"""Help that people can read: what they use first, every variable whole, and nothing internal."""

import re
from typing import Any

import pytest
import typer
from typer.main import get_command

from payinfra.cli import app
from payinfra.commands.help import help_text, lines_of

ROOT = get_command(app)


def commands(command: Any = ROOT, words: tuple[str, ...] = ("payinfra",)) -> dict[str, Any]:
    found = {" ".join(words): command}
    for name, one in getattr(command, "commands", {}).items():
        found |= commands(one, (*words, name))
    return found


ALL = commands()


def text(words: str, *, everything: bool = False, width: int = 80) -> str:
    prefix = words.upper().replace(" ", "_").replace("-", "_")
    context = typer.Context(ALL[words], info_name=words, auto_envvar_prefix=prefix)
    context.auto_envvar_prefix = prefix
    return help_text(ALL[words], context, everything=everything, width=width)


@pytest.mark.parametrize("words", ALL)
def test_help_is_short_and_names_no_type_of_pythons(words: str) -> None:
    said = text(words)
    assert not re.search(r"<\w+>|\benv var\b|…|<bool>", said)
    assert "--eager-bindings" not in said
    assert max(map(len, said.splitlines())) <= 80
    assert len(said.splitlines()) <= (110 if words == "payinfra" else 75)


@pytest.mark.parametrize("words", ALL)
@pytest.mark.parametrize("width", [60, 100])
def test_help_all_has_every_option_and_each_variable_whole(words: str, width: int) -> None:
    said = text(words, everything=True, width=width)
    for line in lines_of(ALL[words], words.upper().replace(" ", "_").replace("-", "_")):
        assert line.names in said
        assert line.variable in said
        if line.names.startswith("-"):
            assert line.text, line.names


def test_variables_have_one_prefix() -> None:
    for words, command in ALL.items():
        for line in lines_of(command, words.upper().replace(" ", "_").replace("-", "_")):
            assert not line.variable or line.variable.startswith("PAYINFRA_"), line


def test_the_commands_own_options_come_first() -> None:
    said = text("payinfra deploy")
    assert said.index("\nOptions:") < said.index("\nEnvironment:")
    assert "--lambda-memory-mb" not in said
    assert "--help-all shows" in said


def test_no_variable_does_what_an_option_does_by_itself() -> None:
    acting = [
        line for line in lines_of(ROOT, "PAYINFRA") if "completion" in line.names or "version" in line.names
    ]
    assert len(acting) == 3
    assert {line.variable for line in acting} == {""}
    params: list[Any] = ROOT.get_params(typer.Context(ROOT, info_name="payinfra"))
    by_variable = {one.name for one in params if one.allow_from_autoenv}
    assert by_variable == {"verbose", "quiet", "project", "log_format"}


@pytest.mark.parametrize("words", ALL)
def test_no_line_of_the_help_is_wider_than_a_narrow_terminal(words: str) -> None:
    wide = [line for line in text(words, width=60).splitlines() if len(line) > 60]
    assert [line for line in wide if len(line.split()) > 1] == []
