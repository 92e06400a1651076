"""What the emulator's Route 53 holds: zones, records and health checks, read live."""

import importlib
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, cast


class Failover(StrEnum):
    """The two roles of a failover record."""

    PRIMARY = "PRIMARY"
    SECONDARY = "SECONDARY"


class HealthCheckType(StrEnum):
    """The types of health check (Route 53 API reference, HealthCheckConfig)."""

    HTTP = "HTTP"
    HTTPS = "HTTPS"
    HTTP_STR_MATCH = "HTTP_STR_MATCH"
    HTTPS_STR_MATCH = "HTTPS_STR_MATCH"
    TCP = "TCP"
    CALCULATED = "CALCULATED"
    CLOUDWATCH_METRIC = "CLOUDWATCH_METRIC"
    RECOVERY_CONTROL = "RECOVERY_CONTROL"


ENDPOINT_TYPES = frozenset(
    {
        HealthCheckType.HTTP,
        HealthCheckType.HTTPS,
        HealthCheckType.HTTP_STR_MATCH,
        HealthCheckType.HTTPS_STR_MATCH,
        HealthCheckType.TCP,
    }
)


@dataclass(frozen=True)
class AliasTarget:
    """What an alias record points at.

    Attributes:
        zone_id: the record's own zone for another record of it, else that of an AWS service.
        name: lower case, with the final dot.
        evaluate_health: whether the alias inherits the health of its target.
    """

    zone_id: str
    name: str
    evaluate_health: bool


@dataclass(frozen=True)
class RecordSet:
    """One record set.

    Attributes:
        name: lower case, with the final dot; a wildcard begins with "*.".
        type: "A", "CNAME", …
        ttl: seconds, unscaled; None for an alias.
        values: in the notation of zone files.
        set_identifier: tells apart the records of one name and type; empty for a simple record.
        unsupported_routing: the record is routed by a policy that is not emulated.
    """

    name: str
    type: str
    ttl: int | None = None
    values: tuple[str, ...] = ()
    set_identifier: str = ""
    weight: int | None = None
    region: str | None = None
    failover: Failover | None = None
    multivalue: bool = False
    alias: AliasTarget | None = None
    health_check_id: str | None = None
    unsupported_routing: bool = False


@dataclass(frozen=True)
class Zone:
    """One hosted zone with its records.

    Attributes:
        id: without the /hostedzone/ prefix.
        name: lower case, with the final dot.
        private: private zones are never answered on the public DNS.
    """

    id: str
    name: str
    private: bool
    records: tuple[RecordSet, ...]

    def holds(self, name: str) -> bool:
        """Whether `name` (lower case, final dot) is the zone's apex or below it."""
        return name == self.name or name.endswith("." + self.name)


@dataclass(frozen=True)
class HealthCheckConfig:
    """One health check's configuration.

    Attributes:
        interval: seconds between an answer and the next request of the same checker, unscaled.
        threshold: how many consecutive results change a checker's opinion.
        regions: where checkers stand; empty for all of them.
    """

    id: str
    type: HealthCheckType
    fqdn: str | None = None
    ip_address: str | None = None
    port: int | None = None
    path: str = "/"
    search_string: str | None = None
    interval: int = 30
    threshold: int = 3
    regions: tuple[str, ...] = ()
    enable_sni: bool = True
    inverted: bool = False
    disabled: bool = False
    children: tuple[str, ...] = ()
    health_threshold: int = 0
    insufficient_data: str = "LastKnownStatus"

    @property
    def probed(self) -> bool:
        """Whether checkers send requests for it."""
        return self.type in ENDPOINT_TYPES and not self.disabled


class ZoneReader(Protocol):
    """Reads the present state; each call sees every change made before it."""

    def zones(self) -> tuple[Zone, ...]:
        """All hosted zones, oldest first."""
        ...

    def health_checks(self) -> tuple[HealthCheckConfig, ...]:
        """All health checks."""
        ...


def normal_name(name: str) -> str:
    """A domain name as this package compares them: lower case, final dot, "*" unescaped.

    Route 53 lists a wildcard as its octal escape, \\052 (Developer Guide, DNS domain name format).
    """
    return name.lower().replace("\\052", "*").rstrip(".") + "."


class _Store(Protocol):
    def to_dict(self) -> Mapping[tuple[str, str], object]: ...


class EmulatorState(Protocol):
    """The part of the emulator's Route 53 module that is read here (seen in ministack 1.5.33)."""

    @property
    def _zones(self) -> _Store: ...
    @property
    def _records(self) -> _Store: ...
    @property
    def _health_checks(self) -> _Store: ...
    @property
    def _lock(self) -> AbstractContextManager[object]: ...


class MinistackZones:
    """Reads ministack's Route 53 service in its own process, of all its accounts."""

    def __init__(self, state: EmulatorState) -> None:
        self._state = state

    @classmethod
    def in_process(cls) -> "MinistackZones":
        """The reader of the ministack that is installed here."""
        module = importlib.import_module("ministack.services.route53")
        return cls(cast("EmulatorState", module))

    def zones(self) -> tuple[Zone, ...]:
        """All hosted zones, oldest first."""
        with self._state._lock:
            records = self._state._records.to_dict()
            return tuple(
                _zone(_fields(zone), records.get(key)) for key, zone in self._state._zones.to_dict().items()
            )

    def health_checks(self) -> tuple[HealthCheckConfig, ...]:
        """All health checks."""
        with self._state._lock:
            checks = (_health_check(_fields(each)) for each in self._state._health_checks.to_dict().values())
            return tuple(check for check in checks if check is not None)


def _fields(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}


def _text(value: object) -> str | None:
    return str(value) if value not in (None, "") else None


def _number(value: object) -> int | None:
    # The emulator stores what it was sent, without the validation that AWS does.
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() else None


def _number_or(value: object, default: int) -> int:
    number = _number(value)
    return default if number is None else number


def _texts(value: object) -> tuple[str, ...]:
    # ministack 1.5.33 keeps an empty text for every region and child of a health check.
    return tuple(str(each) for each in value if each) if isinstance(value, Iterable) else ()


def _zone(zone: Mapping[str, object], records: object) -> Zone:
    return Zone(
        id=str(zone["id"]),
        name=normal_name(str(zone["name"])),
        private=bool(zone.get("private")),
        records=tuple(_record(_fields(each)) for each in records) if isinstance(records, list) else (),
    )


def _record(record: Mapping[str, object]) -> RecordSet:
    failover = _text(record.get("Failover"))
    known_failover = failover in tuple(Failover)
    return RecordSet(
        name=normal_name(str(record["Name"])),
        type=str(record["Type"]),
        ttl=_number(record.get("TTL")),
        values=_texts(record.get("ResourceRecords")),
        set_identifier=_text(record.get("SetIdentifier")) or "",
        weight=_number(record.get("Weight")),
        region=_text(record.get("Region")),
        failover=Failover(failover) if failover and known_failover else None,
        multivalue=bool(record.get("MultiValueAnswer")),
        alias=_alias(_fields(record.get("AliasTarget"))),
        health_check_id=_text(record.get("HealthCheckId")),
        unsupported_routing=any(key in record for key in ("GeoLocation", "CidrRoutingConfig"))
        or bool(failover and not known_failover),
    )


def _alias(target: Mapping[str, object]) -> AliasTarget | None:
    if not target:
        return None
    return AliasTarget(
        zone_id=str(target.get("HostedZoneId", "")),
        name=normal_name(str(target.get("DNSName", ""))),
        evaluate_health=bool(target.get("EvaluateTargetHealth")),
    )


def _health_check(check: Mapping[str, object]) -> HealthCheckConfig | None:
    config = _fields(check.get("config"))
    if config.get("Type") not in tuple(HealthCheckType):
        return None  # AWS would have refused it; the emulator lets it in
    return HealthCheckConfig(
        id=str(check["id"]),
        type=HealthCheckType(str(config["Type"])),
        fqdn=_text(config.get("FullyQualifiedDomainName")),
        ip_address=_text(config.get("IPAddress")),
        port=_number(config.get("Port")),
        path=_text(config.get("ResourcePath")) or "/",
        search_string=_text(config.get("SearchString")),
        interval=_number_or(config.get("RequestInterval"), 30),
        threshold=_number_or(config.get("FailureThreshold"), 3),
        regions=_texts(config.get("Regions")),
        enable_sni=bool(config.get("EnableSNI", True)),
        inverted=bool(config.get("Inverted")),
        disabled=bool(config.get("Disabled")),
        children=_texts(config.get("ChildHealthChecks")),
        health_threshold=_number_or(config.get("HealthThreshold"), 0),
        insufficient_data=_text(config.get("InsufficientDataHealthStatus")) or "LastKnownStatus",
    )
