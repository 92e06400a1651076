"""What Route 53 refuses of zones, records and health checks."""

from typing import Any

import pytest

from tests.unit.local.validation.conftest import Sdk

BATCH, INVALID = "InvalidChangeBatch", "InvalidInput"
ZONE = "pay.example.com"


def zone(sdk: Sdk) -> str:
    made = sdk.client("route53").create_hosted_zone(Name=ZONE, CallerReference="zone")
    return str(made["HostedZone"]["Id"])


def record(name: str = f"a.{ZONE}", kind: str = "A", *values: str, **more: Any) -> dict[str, Any]:
    wanted = {
        "Name": name,
        "Type": kind,
        "TTL": 60,
        "ResourceRecords": [{"Value": one} for one in values],
        **more,
    }
    return {key: value for key, value in wanted.items() if value is not None}


def said(sdk: Sdk, zone_id: str, *records: dict[str, Any], action: str = "CREATE") -> str:
    batch = {"Changes": [{"Action": action, "ResourceRecordSet": one} for one in records]}
    return sdk.refusal("route53", "change_resource_record_sets", HostedZoneId=zone_id, ChangeBatch=batch)


PRIMARY = {"SetIdentifier": "one", "Failover": "PRIMARY"}
ALIAS = {
    "AliasTarget": {"HostedZoneId": "Z2FDTNDATAQYW2", "DNSName": "x.example.", "EvaluateTargetHealth": True}
}


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (record("a.other.example", "A", "192.0.2.1"), BATCH),
        (record(f"a.{ZONE}", "A", "nowhere"), BATCH),
        (record(f"a.{ZONE}", "AAAA", "192.0.2.1"), BATCH),
        (record(f"a.{ZONE}", "A", "192.0.2.1", "192.0.2.1"), BATCH),
        (record(f"a.{ZONE}", "TXT", "no quotes"), BATCH),
        (record(f"a.{ZONE}", "TXT", '"' + "x" * 256 + '"'), BATCH),
        (record(f"a.{ZONE}", "CNAME", "x.example", "y.example"), BATCH),
        (record(ZONE, "CNAME", "x.example"), BATCH),
        (record(f"a.{ZONE}", "A", "192.0.2.1", TTL=None), INVALID),
        (record(f"a.{ZONE}", "A", ResourceRecords=None, **ALIAS), INVALID),
        (record(f"a.{ZONE}", "A", "192.0.2.1", SetIdentifier="one"), INVALID),
        (record(f"a.{ZONE}", "A", "192.0.2.1", Failover="PRIMARY"), INVALID),
        (record(f"a.{ZONE}", "A", "192.0.2.1", Weight=1, **PRIMARY), INVALID),
        (record(f"a.{ZONE}", "A", "192.0.2.1", HealthCheckId="none", **PRIMARY), BATCH),
        (record(f"a.{ZONE}", "A", ResourceRecords=None, TTL=None, **ALIAS), ""),
        (record(f"a.{ZONE}", "TXT", '"one" "two"'), ""),
        (record(f"*.{ZONE}", "CNAME", "x.example"), ""),
    ],
)
def test_a_record_is_one_of_its_kind(sdk: Sdk, wanted: dict[str, Any], code: str) -> None:
    assert said(sdk, zone(sdk), wanted) == code


def test_an_alias_leads_to_what_is_there(sdk: Sdk) -> None:
    here = zone(sdk)
    target = {"HostedZoneId": here.rpartition("/")[2], "DNSName": f"a.{ZONE}", "EvaluateTargetHealth": False}
    alias = record(f"b.{ZONE}", "A", TTL=None, ResourceRecords=None, AliasTarget=target)
    assert said(sdk, here, alias) == BATCH
    assert said(sdk, here, record(f"a.{ZONE}", "A", "192.0.2.1"), alias) == ""


@pytest.mark.parametrize(
    "second",
    [
        record(f"a.{ZONE}", "A", "192.0.2.2"),
        record(f"a.{ZONE}", "A", "192.0.2.2", SetIdentifier="two", Weight=1),
        record(f"a.{ZONE}", "A", "192.0.2.2", SetIdentifier="two", Failover="PRIMARY"),
        record(f"a.{ZONE}", "CNAME", "x.example", SetIdentifier="two", Failover="SECONDARY"),
    ],
)
def test_records_of_one_name_fit_each_other(sdk: Sdk, second: dict[str, Any]) -> None:
    here = zone(sdk)
    assert said(sdk, here, record(f"a.{ZONE}", "A", "192.0.2.1", **PRIMARY)) == ""
    assert said(sdk, here, second) == BATCH
    assert (
        said(sdk, here, record(f"a.{ZONE}", "A", "192.0.2.2", SetIdentifier="two", Failover="SECONDARY"))
        == ""
    )


def test_a_zone_keeps_its_own_records(sdk: Sdk) -> None:
    here = zone(sdk)
    listed = sdk.client("route53").list_resource_record_sets(HostedZoneId=here)["ResourceRecordSets"]
    for own in listed:
        assert said(sdk, here, own, action="DELETE") == BATCH
    assert said(sdk, here, *(record(f"a{one}.{ZONE}", "A", "192.0.2.1") for one in range(1001))) == BATCH
    assert said(sdk, "Z0", record(f"a.{ZONE}", "A", "192.0.2.1")) == "NoSuchHostedZone"


def test_a_zone_has_a_name_and_a_reference_of_its_own(sdk: Sdk) -> None:
    zone(sdk)
    for name, reference, code in (
        ("a..b", "x", "InvalidDomainName"),
        ("a" * 64 + ".example", "y", "InvalidDomainName"),
        (ZONE, "zone", "HostedZoneAlreadyExists"),
    ):
        asked = {"Name": name, "CallerReference": reference}
        assert sdk.refusal("route53", "create_hosted_zone", **asked) == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, ""),
        ({"RequestInterval": 20}, INVALID),
        ({"Regions": ["us-east-1", "us-west-2"]}, INVALID),
        ({"FullyQualifiedDomainName": None}, INVALID),
        ({"SearchString": "x"}, INVALID),
        ({"Type": "HTTPS_STR_MATCH"}, INVALID),
        ({"IPAddress": "10.0.0.1"}, INVALID),
        ({"IPAddress": "nowhere"}, INVALID),
        ({"Type": "CALCULATED", "HealthThreshold": 1, "ChildHealthChecks": ["none"]}, INVALID),
    ],
)
def test_a_health_check_fits_its_kind(sdk: Sdk, changes: dict[str, Any], code: str) -> None:
    wanted = {"Type": "HTTPS", "FullyQualifiedDomainName": "x.example", "Port": 443, **changes}
    config = {name: value for name, value in wanted.items() if value is not None}
    made = {"CallerReference": "c", "HealthCheckConfig": config}
    assert sdk.refusal("route53", "create_health_check", **made) == code


def test_a_health_check_on_an_alarm_has_one(sdk: Sdk) -> None:
    alarm = {"Region": "us-east-1", "Name": "rings"}
    config = {
        "Type": "CLOUDWATCH_METRIC",
        "AlarmIdentifier": alarm,
        "InsufficientDataHealthStatus": "Healthy",
    }
    made = {"CallerReference": "c", "HealthCheckConfig": config}
    assert sdk.refusal("route53", "create_health_check", **made) == INVALID


def test_health_checks_are_changed_and_deleted_as_they_are(sdk: Sdk) -> None:
    client = sdk.client("route53")
    config = {"Type": "HTTPS", "FullyQualifiedDomainName": "x.example", "Port": 443}
    check = client.create_health_check(CallerReference="c", HealthCheckConfig=config)["HealthCheck"]["Id"]
    same = {"CallerReference": "c", "HealthCheckConfig": config}
    assert sdk.refusal("route53", "create_health_check", **same) == ""
    other = {"CallerReference": "c", "HealthCheckConfig": {**config, "Port": 8443}}
    assert sdk.refusal("route53", "create_health_check", **other) == "HealthCheckAlreadyExists"
    change = {"HealthCheckId": check, "HealthCheckVersion": 9, "Port": 444}
    assert sdk.refusal("route53", "update_health_check", **change) == "HealthCheckVersionMismatch"
    counted = {"Type": "CALCULATED", "HealthThreshold": 1, "ChildHealthChecks": [check]}
    client.create_health_check(CallerReference="d", HealthCheckConfig=counted)
    assert sdk.refusal("route53", "delete_health_check", HealthCheckId=check) == "HealthCheckInUse"
    tags = {"ResourceId": "none", "AddTags": [{"Key": "a", "Value": "b"}]}
    said_of = [
        sdk.refusal("route53", "change_tags_for_resource", ResourceType=kind, **tags)
        for kind in ("healthcheck", "hostedzone")
    ]
    assert said_of == ["NoSuchHealthCheck", "NoSuchHostedZone"]
