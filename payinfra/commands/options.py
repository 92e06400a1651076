"""The options that set settings, made from their declarations and resolved to a `Settings`."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from payinfra.commands import completion
from payinfra.commands.session import say
from payinfra.core.project_folder import project_folder
from payinfra.core.setting_declarations import SETTINGS, Setting, SettingGroup, SettingKind

if TYPE_CHECKING:
    from payinfra.core.settings import Settings


_STACK_ONLY = frozenset(SettingGroup) - {SettingGroup.ENVIRONMENT, SettingGroup.STATE}

STACK = SETTINGS
"""For commands that synthesize: all settings."""

WHERE = tuple(setting for setting in SETTINGS if setting.group not in _STACK_ONLY)
"""For commands about a deployed environment: where it is, and where its state is."""

ACCOUNT = tuple(setting for setting in WHERE if setting.name not in ("env", "state_key"))
"""For commands about an account: `WHERE` without what names one environment."""


def parameter_of(setting: Setting) -> inspect.Parameter:
    """A setting's option, as Typer reads it from a function's signature."""
    option = typer.Option(
        *setting.option_names,
        help=setting.option_help,
        rich_help_panel=setting.group.value,
        show_default=False,
        # The variable is read with the other sources of settings, and is the same for every command.
        allow_from_autoenv=False,
        autocompletion=completion.FIELDS.get(setting.name),
    )
    annotation = Annotated[_type_of(setting) | None, option]  # type: ignore[valid-type]  # known when it runs
    return inspect.Parameter(
        setting.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
    )


def _type_of(setting: Setting) -> type:
    if setting.is_switch:
        return bool
    return {SettingKind.INTEGER: int, SettingKind.NUMBER: float}.get(setting.kind, str)


NO_ENVIRONMENT = "account"
"""The environment's name in the settings of a command that is about none."""


def settings_from(flags: Mapping[str, object]) -> "Settings":
    """Resolve the settings of the project that one stands in.

    Raises:
        UsageProblem: see `Settings.resolve`.
    """
    from payinfra.core.settings import Settings

    return Settings.resolve(_values(flags), folder=project_folder())


def found_settings_from(flags: Mapping[str, object]) -> "Settings":
    """The same, of an environment that need not be named: which one, and why, is told on stderr.

    Raises:
        UsageProblem: see `choose_environment`.
    """
    from payinfra.core.environment_choice import choose_environment

    choice = choose_environment(_values(flags), folder=project_folder())
    if choice.why:
        say(choice.in_words)
    return choice.settings


def _values(flags: Mapping[str, object]) -> dict[str, object]:
    """The flags by setting, with a target's name in place of a switch."""
    from payinfra.core.settings import Target

    values = {name: value for name, value in flags.items() if value is not None}
    if (local := values.get("target")) is not None:
        values["target"] = Target.LOCAL if local else Target.AWS
    return values


def with_settings(
    options: tuple[Setting, ...],
    *,
    found: bool = False,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command these options, and pass it the resolved settings as its first argument.

    Without an option that names an environment, the settings are those of `NO_ENVIRONMENT`.

    Args:
        options: the settings that are options of the command.
        found: without --env, take what was deployed from here. Not for a command that destroys anything.
    """

    def resolved(flags: dict[str, object]) -> "Settings":
        flags.setdefault("env", NO_ENVIRONMENT)
        return found_settings_from(flags) if found else settings_from(flags)

    return _with_options(options, resolved)


def with_flags(options: tuple[Setting, ...]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command these options, and pass it as its first argument the value of each, or None.

    For a command that needs no settings in each case.
    """
    return _with_options(options, lambda flags: flags)


def _with_options(
    options: tuple[Setting, ...], first: Callable[[dict[str, object]], object]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    fields = tuple(option.name for option in options)

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = tuple(inspect.signature(command).parameters.values())[1:]

        @functools.wraps(command)
        def run(**arguments: Any) -> None:
            flags = {field: arguments.pop(field) for field in fields}
            command(first(flags), **arguments)

        parameters = [*map(parameter_of, options), *own]
        parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters]
        # Typer reads both: the signature for names and defaults, the annotations for types.
        vars(run)["__signature__"] = inspect.Signature(parameters)
        run.__annotations__ = {each.name: each.annotation for each in parameters}
        return run

    return decorate
