"""The help of the commands: the options that people use, and with `--help-all` all, with their variables."""

import shutil
import textwrap
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from payinfra.core.setting_declarations import BY_NAME, Setting, SettingGroup, SettingKind

EVERYTHING = "--help-all"
OFTEN = frozenset(("env", "target", "primary_region", "secondary_region", "state_bucket"))
"""The settings whose options people use; `--help-all` and docs/settings.md have the others."""
INTERNAL = frozenset(("eager_bindings",))
"""Options for whoever works on payinfra."""

_WIDEST = 100
_COLUMN = 28
_GROUPS = frozenset(group.value for group in SettingGroup)
_KINDS: Mapping[type, str] = MappingProxyType({int: "NUMBER", float: "NUMBER", Path: "PATH"})


@dataclass(frozen=True)
class HelpLine:
    """One option or argument.

    Attributes:
        group: the heading that it stands below; empty for what is the command's own.
        variable: the environment variable that sets it, too; empty where there is none.
        is_often: whether the short help has it.
    """

    names: str
    text: str
    group: str = ""
    variable: str = ""
    is_often: bool = True


def lines_of(command: Any, prefix: str) -> tuple[HelpLine, ...]:
    """Every option and argument of a command.

    Args:
        command: the command, as Typer has made it.
        prefix: of the variables that Typer reads for its own options: `PAYINFRA_PLAN`.
    """
    return tuple(_line(one, prefix) for one in command.params if not getattr(one, "hidden", False))


def _line(one: Any, prefix: str) -> HelpLine:
    if one.param_type_name == "argument":
        return HelpLine(one.metavar or str(one.name).upper(), one.help or "")
    value = "" if one.is_flag else f" {_value(one)}"
    names = ", ".join(sorted(one.opts, key=len)) + value
    if one.secondary_opts:
        names += f" / {', '.join(one.secondary_opts)}"
    text = (one.help or "").replace("\\[", "[")
    if setting := setting_of(one):
        return HelpLine(names, text, setting.group.value, setting.variable, one.name in OFTEN)
    if one.show_default and one.default not in (None, False, "", ()):
        default = one.default.value if isinstance(one.default, Enum) else one.default
        shown = f"{default:g}" if isinstance(default, float) else default
        text = f"{text} Default: {shown}."
    acts = one.is_eager or not one.expose_value  # as --version does: it is no setting
    own = f"{prefix}_{str(one.name).upper()}" if one.allow_from_autoenv and not acts else ""
    variable = one.envvar if isinstance(one.envvar, str) else own
    return HelpLine(names, text, "", variable, one.name not in INTERNAL)


def setting_of(one: Any) -> Setting | None:
    """The setting that an option sets; None for a command's own option."""
    return BY_NAME.get(str(one.name)) if getattr(one, "rich_help_panel", None) in _GROUPS else None


def _value(one: Any) -> str:
    """What stands for the option's value."""
    if one.metavar:
        return str(one.metavar)
    if setting := setting_of(one):
        kinds = {SettingKind.INTEGER: "NUMBER", SettingKind.NUMBER: "NUMBER", SettingKind.PATH: "PATH"}
        choices = "|".join(map(str, setting.choices)) if len(setting.choices) <= 4 else ""
        return choices or kinds.get(setting.kind) or _last_word(one)
    kind = _innermost(one.type_descriptor.annotation)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "|".join(str(member.value) for member in kind)
    return _KINDS.get(kind, _last_word(one))


def _innermost(kind: Any) -> Any:
    """The type of one value: of `list[Path] | None`, the path."""
    inner = [one for one in typing.get_args(kind) if one is not type(None)]
    return _innermost(inner[0]) if inner and not isinstance(kind, type(Enum)) else kind


def _last_word(one: Any) -> str:
    longest = max(one.opts, key=len)
    return str(longest).rpartition("-")[2].upper()


def help_text(command: Any, ctx: typer.Context, *, everything: bool, width: int) -> str:
    """The help of one command.

    Args:
        command: the command.
        ctx: how it was called.
        everything: all options with their variables, not only those that people use.
        width: columns of the terminal.
    """
    lines = lines_of(command, ctx.auto_envvar_prefix or "PAYINFRA")
    shown = [one for one in lines if everything or one.is_often]
    pieces = [f"Usage: {ctx.command_path} {' '.join(command.collect_usage_pieces(ctx))}".rstrip(), ""]
    for paragraph in (command.help or "").split("\n\n"):
        pieces += [*_wrapped(paragraph, width), ""]
    if isinstance(command, TyperGroup):
        pieces += [*_commands(command, ctx, width), ""]
    # The command's own options come first.
    for group in sorted(dict.fromkeys(one.group for one in shown), key=bool):
        pieces.append(f"{group or 'Options'}:")
        for one in shown:
            if one.group == group:
                pieces += _two_columns(one.names, one.text, width)
                if everything and one.variable:
                    pieces += _two_columns("", f"[{one.variable}]", width)
        pieces.append("")
    more = len(lines) - len(shown)
    ends = ["-h, --help shows this."]
    if not everything and (more or lines):
        ends.append(f"{EVERYTHING} shows {f'{more} more options and ' if more else ''}the variables.")
    return "\n".join([*pieces, *_wrapped(" ".join(ends), width)]) + "\n"


def _commands(group: Any, ctx: typer.Context, width: int) -> Iterator[str]:
    yield "Commands:"
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        if not command.hidden:
            first = (command.help or "").split("\n\n")[0]
            yield from _two_columns(name, " ".join(first.split()), width)


def _two_columns(left: str, right: str, width: int) -> Sequence[str]:
    """Two columns; a word is never broken, whatever the width."""
    space = " " * _COLUMN
    wrapped = _wrapped(right, max(20, width - _COLUMN))
    head = f"  {left}".rstrip()
    if not right:
        return [head]
    if len(head) + 2 > _COLUMN:
        return [head, *(space + line for line in wrapped)]
    return [f"{head:<{_COLUMN}}{wrapped[0]}".rstrip(), *(space + line for line in wrapped[1:])]


def _wrapped(text: str, width: int) -> list[str]:
    """A paragraph's lines; a word is never broken, an option's name included."""
    return textwrap.wrap(" ".join(text.split()), width, break_long_words=False, break_on_hyphens=False)


def _width() -> int:
    """Columns for the help; `shutil` reads the variable COLUMNS, as others do."""
    return max(40, min(_WIDEST, shutil.get_terminal_size((80, 24)).columns))


class _OwnHelp:
    """What commands and groups have in common."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the short help."""
        formatter.write(help_text(self, ctx, everything=False, width=_width()))

    def asked_for_everything(self, ctx: Any, args: Iterable[str]) -> bool:
        """Write all of the help if it was asked for."""
        if EVERYTHING not in args or ctx.resilient_parsing:
            return False
        typer.echo(help_text(self, ctx, everything=True, width=_width()), nl=False)
        return True


class CommandWithHelp(_OwnHelp, TyperCommand):
    """A command with `--help` in short and `--help-all`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line, or write the help."""
        before, _, _ = _parted(args)
        if self.asked_for_everything(ctx, before):
            ctx.exit()
        return super().parse_args(ctx, args)


class GroupWithHelp(_OwnHelp, TyperGroup):
    """The same for a group of commands."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line, or write the help where no command was named."""
        if args[:1] == [EVERYTHING]:
            self.asked_for_everything(ctx, args)
            ctx.exit()
        return super().parse_args(ctx, args)


def _parted(args: list[str]) -> tuple[list[str], list[str], list[str]]:
    """What comes before `--`, that, and what comes after it."""
    at = args.index("--") if "--" in args else len(args)
    return args[:at], args[at : at + 1], args[at + 1 :]


def with_own_help(app: typer.Typer) -> None:
    """Let every command and group below an application have this help."""
    for command in app.registered_commands:
        command.cls = CommandWithHelp
    for group in app.registered_groups:
        if group.typer_instance is not None:
            with_own_help(group.typer_instance)
            if group.name:
                group.cls = GroupWithHelp
