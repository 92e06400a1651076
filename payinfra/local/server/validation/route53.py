"""What Route 53 refuses (Route 53 API reference, and the developer guide's pages that are named)."""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any

from payinfra.local.server.validation.calls import AwsRefusal, Rules, ServiceCall, refuse_if

BATCH, INVALID = "InvalidChangeBatch", "InvalidInput"
CHANGES_MOST = 1000
ROUTING = (
    "Weight",
    "Region",
    "Failover",
    "GeoLocation",
    "MultiValueAnswer",
    "CidrRoutingConfig",
    "GeoProximityLocation",
)
LABEL_MOST, NAME_MOST, TEXT_MOST = 63, 255, 255
CHECKERS_LEAST = 3
TAGS_MOST = 10
_QUOTED = re.compile(r'\s*"(?:[^"\\]|\\.)*"(?:\s+"(?:[^"\\]|\\.)*")*\s*')
_LABEL = re.compile(r"[^\s.]+")

Record = Mapping[str, Any]


def name_is_possible(call: ServiceCall) -> None:
    """AWS: a domain name has labels of 1 to 63 characters, and 255 in all (developer guide, "DNS domain name
    format")."""
    name = call.text("Name").removesuffix(".")
    labels = name.split(".")
    fits = all(_LABEL.fullmatch(one) and len(one) <= LABEL_MOST for one in labels) and len(name) <= NAME_MOST
    refuse_if(not fits, "InvalidDomainName", f"{name} is not a valid domain name")


def reference_is_new(call: ServiceCall) -> None:
    """AWS: a zone's caller reference is used once (API reference, CreateHostedZone)."""
    refuse_if(
        call.text("CallerReference") in call.module("route53")._caller_refs,
        "HostedZoneAlreadyExists",
        "A hosted zone has already been created with the specified caller reference.",
        409,
    )


def changes_are_possible(call: ServiceCall) -> None:
    """AWS: judges every change of a batch, and the zone as it would be afterwards (API reference,
    ChangeResourceRecordSets; developer guide, "Values that are common for simple records")."""
    route53 = call.module("route53")
    zone_id = call.text("HostedZoneId").rpartition("/")[2]
    zone = route53._zones.get(zone_id)
    if zone is None:
        return
    changes = call.inner("ChangeBatch").get("Changes") or []
    refuse_if(len(changes) > CHANGES_MOST, BATCH, f"Number of records limit of {CHANGES_MOST} exceeded.")
    apex = _name(str(zone.get("name") or zone.get("Name")))
    after = {_key(one): one for one in route53._records.get(zone_id) or ()}
    problems: list[str] = []
    for change in changes:
        record = change["ResourceRecordSet"]
        problems += _of_record(record, apex)
        if change["Action"] == "DELETE":
            own = _name(record["Name"]) == apex and record["Type"] in ("NS", "SOA")
            problems += [f"A HostedZone must contain its {record['Type']} record."] if own else []
            after.pop(_key(record), None)
        else:
            problems += _of_health_check(call, record)
            after[_key(record)] = record
    touched = {_name(one["ResourceRecordSet"]["Name"]) for one in changes}
    for name in sorted(touched):
        problems += _of_name(name, [one for one in after.values() if _name(one["Name"]) == name], apex)
    for change in changes:
        if change["Action"] != "DELETE":
            problems += _of_alias(change["ResourceRecordSet"], zone_id, after)
    refuse_if(bool(problems), BATCH, "[" + ", ".join(problems) + "]")


def _name(text: str) -> str:
    return text.lower().rstrip(".").replace("\\052", "*") + "."


def _key(record: Record) -> tuple[str, str, str]:
    return _name(str(record["Name"])), str(record["Type"]), str(record.get("SetIdentifier") or "")


def _values(record: Record) -> list[str]:
    return [
        str(one.get("Value")) if isinstance(one, dict) else str(one)
        for one in record.get("ResourceRecords") or ()
    ]


def _of_record(record: Record, apex: str) -> Iterator[str]:
    name, kind, values = _name(record["Name"]), record["Type"], _values(record)
    if name != apex and not name.endswith(f".{apex}"):
        yield f"RRSet with DNS name {name} is not permitted in zone {apex}"
    alias, identifier = record.get("AliasTarget"), record.get("SetIdentifier")
    policies = [one for one in ROUTING if record.get(one) not in (None, False)]
    if alias and ("TTL" in record or values):
        raise AwsRefusal(INVALID, f"Invalid request: an alias record has neither TTL nor values: {name}")
    if not alias and ("TTL" not in record or not values):
        raise AwsRefusal(
            INVALID,
            "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords]]",
        )
    if len(policies) > 1:
        raise AwsRefusal(INVALID, f"Invalid request: Expected exactly one of {policies}: {name}")
    if bool(identifier) != bool(policies):
        raise AwsRefusal(INVALID, f"Invalid request: SetIdentifier and a routing policy go together: {name}")
    if len(set(values)) < len(values):
        yield f"Duplicate Resource Record: '{values[0]}'"
    if kind == "CNAME" and len(values) > 1:
        yield f"RRSet of type CNAME with DNS name {name} has more than one value"
    for value in values:
        yield from _of_value(kind, value)


def _of_value(kind: str, value: str) -> Iterator[str]:
    if kind in ("A", "AAAA"):
        try:
            address = ipaddress.ip_address(value.strip())
        except ValueError:
            address = None
        if address is None or address.version != (4 if kind == "A" else 6):
            yield f"Invalid Resource Record: 'FATAL problem: it is no address for {kind}: {value}'"
    elif kind in ("TXT", "SPF"):
        if not _QUOTED.fullmatch(value):
            yield (
                "Invalid Resource Record: 'FATAL problem: InvalidCharacterString (Value should be enclosed "
                f"in quotation marks) encountered with {value[:60]}'"
            )
        elif any(len(one) - 2 > TEXT_MOST for one in re.findall(r'"(?:[^"\\]|\\.)*"', value)):
            yield "Invalid Resource Record: 'FATAL problem: CharacterStringTooLong (Value is too long)'"


def _of_health_check(call: ServiceCall, record: Record) -> Iterator[str]:
    check = record.get("HealthCheckId")
    if check and check not in call.module("route53")._health_checks:
        yield f"The specified health check does not exist: {check}"


def _of_name(name: str, records: list[Record], apex: str) -> Iterator[str]:
    kinds = {str(one["Type"]) for one in records}
    if "CNAME" in kinds and name == apex:
        yield f"RRSet of type CNAME with DNS name {name} is not permitted at apex in zone {apex}"
    if "CNAME" in kinds and len(kinds) > 1:
        yield (
            f"RRSet of type CNAME with DNS name {name} is not permitted as it conflicts with other records "
            f"with the same DNS name in zone {apex}"
        )
    for kind in sorted(kinds):
        alike = [one for one in records if one["Type"] == kind]
        used = [
            next((policy for policy in ROUTING if one.get(policy) not in (None, False)), "") for one in alike
        ]
        if len(set(used)) > 1:
            yield (
                f"RRSet with DNS name {name}, type {kind} cannot be created as other RRSets exist with the "
                "same name and type and another routing policy."
            )
        for policy in ("Failover", "Region"):
            chosen = [str(one[policy]) for one in alike if one.get(policy)]
            if len(set(chosen)) < len(chosen):
                yield f"RRSet with DNS name {name}, type {kind} cannot be created: {policy} exists."


def _of_alias(record: Record, zone_id: str, after: Mapping[tuple[str, str, str], Record]) -> Iterator[str]:
    alias = record.get("AliasTarget") or {}
    if not alias or str(alias.get("HostedZoneId")).rpartition("/")[2] != zone_id:
        return
    target = _name(str(alias.get("DNSName")))
    if not any(key[:2] == (target, record["Type"]) for key in after):
        yield (
            f"Tried to create an alias that targets {target}, type {record['Type']} in zone {zone_id}, but "
            "that target was not found"
        )


def check_is_possible(call: ServiceCall) -> None:
    """AWS: a health check's settings fit its kind (API reference, HealthCheckConfig)."""
    config = call.inner("HealthCheckConfig") or call.parameters
    kind = str(config.get("Type", ""))
    if kind not in ("CALCULATED", "CLOUDWATCH_METRIC", "RECOVERY_CONTROL"):
        _endpoint_is_possible(config, kind)
    for child in config.get("ChildHealthChecks") or ():
        refuse_if(
            child not in call.module("route53")._health_checks,
            INVALID,
            f"Invalid parameter: the child health check {child} does not exist.",
        )
    alarm = config.get("AlarmIdentifier")
    if kind == "CLOUDWATCH_METRIC" and alarm:
        with call.emulator.scope(call.account, str(alarm["Region"])):
            known = alarm["Name"] in call.module("cloudwatch")._alarms
        refuse_if(not known, INVALID, f"CloudWatch alarm {alarm['Name']} does not exist.")


def _endpoint_is_possible(config: Mapping[str, Any], kind: str) -> None:
    regions = config.get("Regions")
    refuse_if(
        regions is not None and len(regions) < CHECKERS_LEAST,
        INVALID,
        "Invalid parameter : Must specify at least three regions.",
    )
    interval = config.get("RequestInterval")
    refuse_if(
        interval not in (None, 10, 30),
        INVALID,
        "Invalid parameter : RequestInterval must be either 10 or 30.",
    )
    if not kind:
        return
    refuse_if(
        not config.get("FullyQualifiedDomainName") and not config.get("IPAddress"),
        INVALID,
        "Invalid parameter : Either a domain name or an IP address is required.",
    )
    search = config.get("SearchString")
    refuse_if(
        kind.endswith("_STR_MATCH") != bool(search),
        INVALID,
        "Invalid parameter : SearchString is for health checks that match a string, and required there.",
    )
    address = config.get("IPAddress")
    if address:
        try:
            usable = ipaddress.ip_address(address).is_global
        except ValueError:
            usable = False
        refuse_if(not usable, INVALID, f"Invalid parameter : {address} is no address that can be checked.")


def reference_means_the_same(call: ServiceCall) -> None:
    """AWS: a caller reference that was used before asks for the same settings (API reference,
    CreateHealthCheck)."""
    route53 = call.module("route53")
    known = route53._health_checks.get(route53._hc_caller_refs.get(call.text("CallerReference")) or "")
    former = (known or {}).get("config") or (known or {}).get("HealthCheckConfig") or {}
    wanted = call.inner("HealthCheckConfig")
    differs = any(
        str(former.get(name)).lower() != str(value).lower()
        for name, value in wanted.items()
        if not isinstance(value, list | dict)
    )
    refuse_if(
        bool(known) and differs,
        "HealthCheckAlreadyExists",
        "A health check with the specified caller reference and other settings exists already.",
        409,
    )


def version_is_the_newest(call: ServiceCall) -> None:
    """AWS: an update that names a version is of the newest one (API reference, UpdateHealthCheck)."""
    known = call.module("route53")._health_checks.get(call.text("HealthCheckId")) or {}
    wanted = call.parameters.get("HealthCheckVersion")
    refuse_if(
        bool(known) and wanted is not None and wanted != known.get("version"),
        "HealthCheckVersionMismatch",
        "The value of HealthCheckVersion in the request doesn't match the health check's version.",
        409,
    )


def child_stays(call: ServiceCall) -> None:
    """AWS: a health check that another one counts is not deleted (API reference, DeleteHealthCheck,
    HealthCheckInUse)."""
    wanted = call.text("HealthCheckId")
    for one in call.module("route53")._health_checks.values():
        config = one.get("config") or one.get("HealthCheckConfig") or {}
        refuse_if(
            wanted in (config.get("ChildHealthChecks") or ()),
            "HealthCheckInUse",
            f"The health check {wanted} is in use by another health check.",
        )


def tagged_one_is_there(call: ServiceCall) -> None:
    """AWS: tags are put on what is there (API reference, ChangeTagsForResource)."""
    route53, name = call.module("route53"), call.text("ResourceId")
    if call.text("ResourceType") == "healthcheck":
        refuse_if(
            name not in route53._health_checks,
            "NoSuchHealthCheck",
            f"No health check exists with the ID: {name}",
            404,
        )
    else:
        refuse_if(
            name not in route53._zones, "NoSuchHostedZone", f"No hosted zone found with ID: {name}", 404
        )


RULES: Rules = {
    "ChangeResourceRecordSets": (changes_are_possible,),
    "ChangeTagsForResource": (tagged_one_is_there,),
    "CreateHealthCheck": (check_is_possible, reference_means_the_same),
    "CreateHostedZone": (name_is_possible, reference_is_new),
    "DeleteHealthCheck": (child_stays,),
    "UpdateHealthCheck": (check_is_possible, version_is_the_newest),
}
