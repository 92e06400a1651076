"""The page of all commands. Options that set settings are listed once; a command says which it takes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from payinfra.commands.help import HelpLine, lines_of, setting_of
from payinfra.commands.options import ACCOUNT, STACK, WHERE

_SETS = {
    frozenset(one.name for one in STACK): "[the stack's](#options-of-the-stack)",
    frozenset(one.name for one in WHERE): "[where an environment is](#options-that-say-where)",
    frozenset(one.name for one in ACCOUNT): "[those of an account](#options-that-say-where), without `--env`",
}


def page(command: Any) -> str:
    """The page as Markdown."""
    context = typer.Context(command, info_name="payinfra", auto_envvar_prefix="PAYINFRA")
    stack = {one.name: one for one in _settings_of(command.commands["deploy"])}
    about = Path(__file__).with_name("cli.md").read_text(encoding="utf-8")
    pieces = [about, "## Global options", _table(lines_of(command, "PAYINFRA"))]
    pieces += ["## Options that say where", "Which environment, on which target, and where its state is."]
    pieces.append(_table(_lines(stack[one.name] for one in WHERE)))
    pieces += ["## Options of the stack", "Those that say where, and these:"]
    elsewhere = {one.name for one in WHERE}
    pieces.append(_table(_lines(one for name, one in stack.items() if name not in elsewhere)))
    for name in command.list_commands(context):
        pieces += _of(command.get_command(context, name), f"payinfra {name}", 2)
    return "\n\n".join(piece.strip() for piece in pieces) + "\n"


def _of(command: Any, words: str, level: int) -> Iterator[str]:
    context = typer.Context(command, info_name=words, auto_envvar_prefix=words.upper().replace(" ", "_"))
    context.auto_envvar_prefix = words.upper().replace(" ", "_").replace("-", "_")
    yield f"{'#' * level} `{words}`"
    yield "\n\n".join(" ".join(one.split()) for one in (command.help or "").split("\n\n"))
    if inner := getattr(command, "commands", None):
        for name, one in inner.items():
            yield from _of(one, f"{words} {name}", level + 1)
        return
    yield f"```console\n$ {words} {' '.join(command.collect_usage_pieces(context))}\n```"
    taken = frozenset(setting.name for one in command.params if (setting := setting_of(one)))
    if taken:
        yield f"Takes {_SETS[taken]}, and these:" if _own(command, context) else f"Takes {_SETS[taken]}."
    if own := _own(command, context):
        yield _table(own)


def _own(command: Any, context: Any) -> tuple[HelpLine, ...]:
    return tuple(one for one in lines_of(command, context.auto_envvar_prefix) if not one.group)


def _settings_of(command: Any) -> list[Any]:
    return [one for one in command.params if setting_of(one)]


class _Only:
    """A command with these options and no others, to be listed."""

    def __init__(self, params: list[Any]) -> None:
        self.params = params


def _lines(options: Iterator[Any]) -> tuple[HelpLine, ...]:
    return lines_of(_Only(list(options)), "PAYINFRA")


def _table(lines: tuple[HelpLine, ...]) -> str:
    rows = (f"| {_code(one.names)} | {_cell(one.text)} | {_code(one.variable)} |" for one in lines)
    return "\n".join(("| option | | variable |", "| --- | --- | --- |", *rows))


def _code(text: str) -> str:
    return f"`{_cell(text)}`" if text else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
