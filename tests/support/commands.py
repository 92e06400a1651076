"""Calls of payinfra in texts, held against the commands that there are."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import typer
from typer._click.exceptions import BadOptionUsage, MissingParameter, NoArgsIsHelpError, UsageError
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from payinfra.cli import app

FORMATS = frozenset({"json", "text"})
"""Values of the options that come before a command."""

IN_CODE = re.compile(
    r"""(?:^|[;&|(/"] *|\b(?:then|exec|in_order|run:) +|\$ )payinfra +"""
    r"""((?:(?!\ \d>)[^|;>&)"]|"[^"]*"|\$\{\{[^}]*\}\})+)"""
)
"""A call in a line of shell, or of a workflow: up to a pipe, a redirection or the next command."""


def in_shell(text: str) -> Iterator[list[str]]:
    """Every call of payinfra in a piece of shell, in words."""
    for line in text.replace("\\\n", " ").splitlines():
        if found := re.search(r"(?:^|then |exec |in_order |/)payinfra ([a-z-][^>|;]*)", line.strip()):
            yield ["payinfra", *shlex.split(found[1], comments=True)]


@dataclass(frozen=True)
class ShownCall:
    """A call of payinfra in a page.

    Attributes:
        text: as it is printed, without `payinfra`.
        is_code: whether it stands in a block of code, to be copied, and not within a sentence.
    """

    text: str
    is_code: bool

    def words(self) -> list[str]:
        """What a shell makes of it, with a value for each expression of a workflow."""
        return shlex.split(re.sub(r"\$\{\{[^}]*\}\}", "7", self.text), comments=True)


def in_markdown(text: str) -> Iterator[ShownCall]:
    """Every call in a page: in a block of code, whether fenced or indented, or in a span of it."""
    fence, prose = "", ""
    for line in (*text.replace("\\\n", " ").splitlines(), ""):
        found = re.match(r"\s*(```+|~~~+)", line)
        if found and fence in ("", found[1]):
            fence = "" if fence else found[1]
        elif fence or line.startswith("    "):
            yield from (ShownCall(call, is_code=True) for call in IN_CODE.findall(line.strip()))
        elif line:
            # A span may go on in the next line of its paragraph, and no span in the next row of a table.
            prose += f"{chr(10) if line.startswith('|') else ' '}{line.strip()}"
            continue
        yield from (ShownCall(call, is_code=False) for call in re.findall(r"`payinfra ([^`\n]+)`", prose))
        prose = ""


def refusal(call: ShownCall) -> str:
    """Parse a call as the command line does, without running it.

    Returns:
        What the command line says against it; nothing where it takes the call. A sentence may name a command
        without its arguments, or an option without its value; `…` stands for what follows.
    """
    command: Any = get_command(app)
    words, parent = call.words(), None
    if not call.is_code and "…" in words:
        words = words[: words.index("…")]
    name: str | None = "payinfra"
    names = 0
    arguments = words
    try:
        while True:
            context = command.make_context(name, [*arguments], parent=parent)
            if not isinstance(command, TyperGroup):
                return ""
            name, command, arguments = command.resolve_command(
                context, [*context._protected_args, *context.args]
            )
            parent, names = context, names + 1
    except typer.Exit:
        return ""
    except (MissingParameter, NoArgsIsHelpError) as error:
        return "" if not call.is_code and names == len(words) else error.format_message()
    except BadOptionUsage as error:
        return "" if not call.is_code and words[-1:] == [error.option_name] else error.format_message()
    except UsageError as error:
        return error.format_message()


def unknown(words: list[str]) -> set[str]:
    """What payinfra does not know of a call: the command, or options of it."""
    command: object = get_command(app)
    known: set[str] = set()
    for word in words[1:]:
        if not isinstance(command, TyperGroup):
            break
        known |= {option for parameter in command.params for option in parameter.opts}
        if word in command.commands:
            command = command.commands[word]
        elif not word.startswith("-") and word not in FORMATS:
            return {word}
    if isinstance(command, TyperCommand | TyperGroup):
        known |= {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
    return {word for word in words if word.startswith("--")} - known
