"""Calls of payinfra in texts, held against the commands that there are."""

import re
import shlex
from collections.abc import Iterator

from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from payinfra.cli import app

FORMATS = frozenset({"json", "text"})
"""Values of the options that come before a command."""


def in_shell(text: str) -> Iterator[list[str]]:
    """Every call of payinfra in a piece of shell, in words."""
    for line in text.replace("\\\n", " ").splitlines():
        if found := re.search(r"(?:^|then |exec |in_order |/)payinfra ([a-z-][^>|;]*)", line.strip()):
            yield ["payinfra", *shlex.split(found[1], comments=True)]


def in_markdown(text: str) -> Iterator[list[str]]:
    """Every call in a page: in a line of code, or a span of it."""
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("    payinfra "):
            yield from in_shell(line)
        for span in re.findall(r"`(payinfra [^`]+)`", line):
            yield from in_shell(span)


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
