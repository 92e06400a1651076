"""The declarations of settings: what `Settings` validates is what help, template and reference say."""

import subprocess
import sys
import types
from pathlib import Path
from typing import Annotated, Literal, get_args, get_origin

import pytest
from annotated_types import Ge, Gt, Le

from payinfra.commands.options import ACCOUNT, STACK, WHERE
from payinfra.core.errors import UsageProblem
from payinfra.core.setting_declarations import (
    BY_NAME,
    LOG_RETENTION_DAYS,
    SETTINGS,
    Setting,
    SettingGroup,
    SettingKind,
    text_of,
    toml_file,
)
from payinfra.core.settings import Settings, Target
from scripts import settings_page

TYPES: dict[SettingKind, tuple[object, ...]] = {
    SettingKind.TEXT: (str, Target, Literal),
    SettingKind.INTEGER: (int, Literal),
    SettingKind.NUMBER: (float,),
    SettingKind.BOOLEAN: (bool,),
    SettingKind.LIST: (tuple,),
    SettingKind.TABLE: (tuple,),
    SettingKind.PATH: (Path,),
}


def annotation(name: str) -> object:
    """A field's type, without None."""
    found: object = Settings.model_fields[name].annotation
    if isinstance(found, types.UnionType) or type(None) in get_args(found):
        (found,) = (one for one in get_args(found) if one is not type(None))
    return get_args(found)[0] if get_origin(found) is Annotated else found


def test_every_field_is_declared_once_and_every_declaration_has_a_field() -> None:
    assert len(BY_NAME) == len(SETTINGS)
    assert set(BY_NAME) == set(Settings.model_fields)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda one: one.name)
def test_a_fields_type_is_the_declared_one(setting: Setting) -> None:
    found = annotation(setting.name)
    assert (get_origin(found) or found) in TYPES[setting.kind]
    if get_origin(found) is Literal:
        assert get_args(found) == setting.choices
    if found is Target:
        assert {each.value for each in Target} == set(setting.choices)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda one: one.name)
def test_a_fields_limits_are_the_declared_ones(setting: Setting) -> None:
    limits = {type(one): one for one in Settings.model_fields[setting.name].metadata}
    if setting.most is None or setting.least is None:
        assert not {Ge, Gt, Le} & set(limits)
        return
    lower = Gt(setting.least) if setting.above else Ge(setting.least)
    assert (limits[type(lower)], limits[Le]) == (lower, Le(setting.most))


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda one: one.name)
def test_a_default_holds_where_nothing_is_set_and_an_example_is_allowed(setting: Setting) -> None:
    plain = Settings.resolve({"env": "prod"}, environ={})
    if setting.default is not None:
        assert text_of(setting.default) == _text(getattr(plain, setting.name))
    shown = setting.default if setting.example is None else setting.example
    zone = {"domain": "payments.example.com", "hosted_zone_id": "Z0123456789"}
    needed: dict[str, dict[str, str]] = {
        "domain": {"hosted_zone_id": "Z0123456789"},
        "hosted_zone_id": {"domain": "pay.example.com"},
        "failover_name": zone,
        "latency_name": zone,
        "table_attributes": {"table_indexes": "merchant-index=merchant_id:timestamp"},
        "table_indexes": {"table_attributes": "merchant_id=S"},
        "state_region": {"state_bucket": "states"},
        "state_key": {"state_bucket": "states"},
    }
    given = {"env": "prod", **needed.get(setting.name, {}), setting.name: shown}
    assert _text(getattr(Settings.resolve(given, environ={}), setting.name)) == text_of(shown)


def _text(value: object) -> str:
    return text_of(value if isinstance(value, str | int | float | bool | tuple) else str(value))


def test_what_is_not_set_is_said_in_words_where_no_default_says_it() -> None:
    silent = {one.name for one in SETTINGS if one.default is None and not one.otherwise}
    assert silent == {"env"}


@pytest.mark.parametrize(
    ("name", "help_"),
    [
        ("lambda_memory_mb", "Memory of the function in MB: 128 to 10240. Default: 512."),
        ("api_rate_limit", "Requests a second that the API accepts: up to 10000. Default: 100."),
        (
            "health_check_interval",
            "Seconds between health checks: 10 or 30. Default: 30 where the footprint is lean, else 10.",
        ),
        ("target", "Use the embedded AWS on this machine, or AWS. Default: aws."),
        ("env", "Name of the environment: lowercase letters, digits and inner hyphens."),
        (
            "ephemeral_patterns",
            "Names of throwaway environments, as patterns. Default: pr[0-9]*,pr-*,dev*.",
        ),
        (
            "log_retention_days",
            "Days that logs are kept, one of CloudWatch's periods. Default: 365 when protected, else 7.",
        ),
    ],
)
def test_the_help_names_limits_and_default(name: str, help_: str) -> None:
    assert BY_NAME[name].option_help == help_


def test_a_lower_limit_alone_is_one() -> None:
    one = Setting("x", SettingKind.INTEGER, SettingGroup.SERVICE, "X", least=3)
    assert one.limits == "at least 3"


@pytest.mark.parametrize(("value", "text"), [(None, ""), (True, "true"), (("a", "b"), "a,b"), (1.5, "1.5")])
def test_a_value_as_a_variable_takes_it(
    value: str | bool | tuple[str, ...] | float | None, text: str
) -> None:
    assert text_of(value) == text


def test_a_value_of_another_shape_is_refused_with_what_is_allowed() -> None:
    for name, value in (("env", "A"), ("cors_origins", ("*",)), ("ephemeral_patterns", "PR")):
        shape = BY_NAME[name].shape
        assert shape is not None
        with pytest.raises(UsageProblem) as caught:
            Settings.resolve({"env": "prod", name: value}, environ={})
        assert shape.allowed in caught.value.what


def test_commands_share_the_declarations() -> None:
    assert STACK == SETTINGS
    assert {one.group for one in WHERE} == {SettingGroup.ENVIRONMENT, SettingGroup.STATE}
    assert {one.name for one in WHERE} - {one.name for one in ACCOUNT} == {"env", "state_key"}


def test_the_settings_file_and_the_reference_name_all() -> None:
    toml, reference = toml_file(), settings_page.page()
    for setting in SETTINGS:
        is_table = setting.kind is SettingKind.TABLE
        assert (f"# [{setting.name}]\n" if is_table else f"# {setting.toml_name} = ") in toml
        assert f"### `{setting.name}`" in reference
        assert f"`{setting.variable}`" in reference
    assert "365" in BY_NAME["log_retention_days"].default_text
    assert str(LOG_RETENTION_DAYS[-1]) in reference


def test_declaring_settings_loads_no_validator() -> None:
    script = "import sys, payinfra.commands.options; print('pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
