"""Health checks, records, certificates and custom domains, row by row."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.synth.stacks.conftest import Synthesized

PLACES = ("primary", "secondary")


def test_a_health_check_asks_each_regional_endpoint_without_a_key(every: "Synthesized") -> None:
    for place, region in zip(PLACES, every.settings.regions, strict=True):
        check = every.of("route53_health_check")[f"{place}_health_check"]
        api = f"${{aws_api_gateway_rest_api.{place}_api_api.id}}"
        assert check["fqdn"] == f"{api}.execute-api.{region}.amazonaws.com"
        assert (check["type"], check["port"], check["enable_sni"]) == ("HTTPS", 443, True)
        assert check["resource_path"] == "/prod/health"
        assert check["request_interval"] == every.settings.health_check_interval
        assert check["failure_threshold"] == every.settings.health_check_threshold
        assert check["tags"] == {"Name": f"payment-{every.settings.env}-health-{region}"}
        # The fewest that Route 53 allows, and each of them sees the region from outside.
        assert len(check["regions"]) == 3
        assert not {*every.settings.regions} & {*check["regions"]}


def test_a_region_serves_while_it_is_healthy_and_the_other_does_not_say_it_is_evacuated(
    every: "Synthesized",
) -> None:
    checks, (first, second) = every.of("route53_health_check"), every.settings.regions
    for place, region, other, there in (
        ("primary", first, "secondary", second),
        ("secondary", second, "primary", first),
    ):
        flag, serving = checks[f"{place}_evacuation_flag"], checks[f"{place}_evacuation_serving"]
        api = f"${{aws_api_gateway_rest_api.{other}_api_api.id}}"
        assert flag["fqdn"] == f"{api}.execute-api.{there}.amazonaws.com"
        assert (flag["type"], flag["resource_path"]) == ("HTTPS", "/prod/evacuation")
        assert flag["invert_healthcheck"] is True
        assert (flag["request_interval"], flag["failure_threshold"]) == (30, 2)
        assert len(flag["regions"]) == 3
        assert not {region, there} & set(flag["regions"])
        assert serving["type"] == "CALCULATED"
        assert serving["child_healthchecks"] == [
            f"${{aws_route53_health_check.{place}_health_check.id}}",
            f"${{aws_route53_health_check.{place}_evacuation_flag.id}}",
        ]
        assert serving["child_health_threshold"] == 2
        parameter = every.of("ssm_parameter")[f"{place}_evacuated_parameter"]
        assert parameter["name"] == every.declared.evacuation.parameter  # type: ignore[union-attr]  # it is on
        assert parameter["lifecycle"] == {"ignore_changes": ["value"]}


def test_both_names_have_a_checked_record_in_each_region(every: "Synthesized") -> None:
    records = every.of("route53_record")
    for place, region in zip(PLACES, every.settings.regions, strict=True):
        for kind in ("failover", "latency"):
            record = records[f"records_{kind}_{place}"]
            assert record["set_identifier"] == region
            serving = f"${{aws_route53_health_check.{place}_evacuation_serving.id}}"
            assert record["health_check_id"] == serving
        assert records[f"records_failover_{place}"]["failover_routing_policy"] == {"type": place.upper()}
        assert records[f"records_latency_{place}"]["latency_routing_policy"] == {"region": region}


def test_without_a_domain_names_are_cnames_in_an_own_zone(local: "Synthesized") -> None:
    (zone,) = local.of("route53_zone").values()
    assert zone["name"] == "payment-pr123.internal"
    for kind in ("failover", "latency"):
        for place, region in zip(PLACES, local.settings.regions, strict=True):
            record = local.of("route53_record")[f"records_{kind}_{place}"]
            assert record["name"] == f"{kind}.payment-pr123.internal"
            assert record["type"] == "CNAME"
            api = f"${{aws_api_gateway_rest_api.{place}_api_api.id}}"
            assert record["records"] == [f"{api}.execute-api.{region}.amazonaws.com"]
            assert record["ttl"] == 60
            assert record["zone_id"] == "${aws_route53_zone.dns_zone.zone_id}"
            assert "alias" not in record
    assert not local.of("acm_certificate")
    assert not local.of("api_gateway_domain_name")


def test_the_ttl_follows_the_switch(backwards: "Synthesized", protected: "Synthesized") -> None:
    assert {record["ttl"] for record in backwards.of("route53_record").values()} == {60}
    # An alias has no TTL of its own; the validation records are not asked by clients.
    assert {record.get("ttl") for record in protected.of("route53_record").values()} == {None, 60}


def test_with_a_domain_names_are_aliases_of_custom_domains(protected: "Synthesized") -> None:
    assert not protected.of("route53_zone")
    for kind in ("failover", "latency"):
        for place in PLACES:
            record = protected.of("route53_record")[f"records_{kind}_{place}"]
            name = f"payment-prod-{kind}.pay.example.com"
            custom = f"{place}_domain_{kind}_name"
            assert (record["name"], record["type"]) == (name, "A")
            assert record["zone_id"] == "Z0123456789ABC"
            assert record["alias"] == {
                "name": f"${{aws_api_gateway_domain_name.{custom}.regional_domain_name}}",
                "zone_id": f"${{aws_api_gateway_domain_name.{custom}.regional_zone_id}}",
                "evaluate_target_health": True,
            }
            assert "records" not in record
            domain = protected.of("api_gateway_domain_name")[custom]
            assert domain["domain_name"] == name
            assert domain["security_policy"] == "TLS_1_2"
            assert domain["endpoint_configuration"] == {"types": ["REGIONAL"]}
            assert domain["regional_certificate_arn"] == (
                f"${{aws_acm_certificate_validation.{place}_certificate_validation.certificate_arn}}"
            )
            mapping = protected.of("api_gateway_base_path_mapping")[f"{place}_domain_{kind}_mapping"]
            assert mapping["stage_name"] == f"${{aws_api_gateway_stage.{place}_api_stage.stage_name}}"
            assert mapping["api_id"] == f"${{aws_api_gateway_rest_api.{place}_api_api.id}}"


def test_each_region_has_a_certificate_for_both_names(protected: "Synthesized") -> None:
    for certificate in protected.pair("acm_certificate", "certificate_certificate"):
        assert certificate["domain_name"] == "payment-prod-failover.pay.example.com"
        assert certificate["subject_alternative_names"] == ["payment-prod-latency.pay.example.com"]
        assert certificate["validation_method"] == "DNS"
        assert certificate["lifecycle"] == {"create_before_destroy": True}


def test_validation_records_are_written_once_and_awaited_by_both(protected: "Synthesized") -> None:
    records = protected.of("route53_record")
    written = sorted(name for name in records if name.startswith("validation_"))
    assert written == ["validation_record_0", "validation_record_1"]
    for number, kind in enumerate(("failover", "latency")):
        asked = records[f"validation_record_{number}"]
        assert asked["name"] == (
            "${one([for option in aws_acm_certificate.primary_certificate_certificate"
            ".domain_validation_options : option.resource_record_name"
            f' if option.domain_name == "payment-prod-{kind}.pay.example.com"])}}'
        )
        assert asked["allow_overwrite"] is True
    for place in PLACES:
        validation = protected.of("acm_certificate_validation")[f"{place}_certificate_validation"]
        assert validation["validation_record_fqdns"] == [
            f"${{aws_route53_record.{name}.fqdn}}" for name in written
        ]
        assert validation["provider"] == f"aws.{place}"


@pytest.mark.parametrize(
    ("variant", "prefix", "delegated"), [("local", "/prod", False), ("protected", "", True)]
)
def test_clients_are_told_the_paths_below_the_names(
    variant: str, prefix: str, delegated: bool, request: pytest.FixtureRequest
) -> None:
    stack: Synthesized = request.getfixturevalue(variant)
    dns = stack.declared.dns
    assert (dns.payments_path, dns.health_path) == (f"{prefix}/payments", f"{prefix}/health")
    assert dns.delegated is delegated
    assert dns.set_identifiers == stack.settings.regions
    assert len(dns.certificates) == (2 if delegated else 0)
