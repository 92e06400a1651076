"""The reference of all settings, from their declarations."""

from collections.abc import Iterator

from payinfra.core.setting_declarations import SETTINGS, TOML_NAME, Setting, SettingGroup, text_of

_INTRO = f"""\
# Settings

Each setting comes from the first of these that has it:

1. its flag,
2. its variable; an empty one does not count,
3. the table `[environments.NAME]` of the environment in `{TOML_NAME}`,
4. the rest of `{TOML_NAME}`, under the setting's name and in its table, where it has one,
5. its default.

`payinfra settings --env NAME` prints every setting with its value and its source. `payinfra init` writes a
`{TOML_NAME}` that shows them all. payinfra looks for the file in the current folder and those above it;
`--project DIR` names its folder. A value that is not allowed is a usage error (exit code 2) that says what is
allowed and where the value came from.

In a flag or a variable a list is one text with commas; in `{TOML_NAME}` it may be a list.
"""


def page() -> str:
    """The page, in Markdown."""
    return "\n".join((_INTRO, *(_section(group) for group in SettingGroup)))


def _section(group: SettingGroup) -> str:
    rows = [row for setting in SETTINGS if setting.group is group for row in _rows(setting)]
    return "\n".join((f"## {group}\n", *rows))


def _rows(setting: Setting) -> Iterator[str]:
    yield f"### `{setting.name}`\n"
    yield f"{setting.help}.\n"
    flags = ", ".join(f"`{name}`" for names in setting.option_names for name in names.split("/"))
    yield f"- Flag: {flags}"
    yield f"- Variable: `{setting.variable}`"
    if setting.table:
        yield f"- In `{TOML_NAME}`: `{setting.toml_name}` in the table `[{setting.table}]`"
    yield f"- Type: {setting.kind}"
    if allowed := setting.shape.allowed.removeprefix("use ") if setting.shape else setting.limits:
        yield f"- Allowed: {allowed}"
    yield f"- Default: {_default(setting)}\n"


def _default(setting: Setting) -> str:
    if setting.otherwise:
        return setting.otherwise
    return "none; it must be given" if setting.default is None else f"`{text_of(setting.default)}`"
