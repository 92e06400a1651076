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
