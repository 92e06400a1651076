"""What moves clients to another region, other than a pair of failover records."""

from typing import Any

import pytest

from payinfra.checks.verdicts import Kind
from tests.unit.checks.policy.test_unusual import worst

REGIONS = {"aws": [{"alias": "east", "region": "us-east-1"}, {"alias": "west", "region": "us-west-2"}]}
BALANCERS = {"aws_lb": {side: {"provider": f"aws.{side}", "name": side} for side in ("east", "west")}}


def answer(side: str, **policy: Any) -> dict[str, Any]:
    """One of the answers for a name."""
    name, zone = f"${{aws_lb.{side}.dns_name}}", f"${{aws_lb.{side}.zone_id}}"
    alias = {"name": name, "zone_id": zone, "evaluate_target_health": True}
    return {
        "zone_id": "Z",
        "name": "pay.example.com",
        "type": "A",
        "set_identifier": side,
        "alias": alias,
    } | policy


def answers(policy: str, east: Any, west: Any) -> dict[str, Any]:
    """Two answers for a name, by one policy."""
    records = {"east": answer("east", **{policy: east}), "west": answer("west", **{policy: west})}
    return {**BALANCERS, "aws_route53_record": records}


@pytest.mark.parametrize(
    ("policy", "east", "west", "kind"),
    [
        ("latency_routing_policy", {"region": "us-east-1"}, {"region": "us-west-2"}, Kind.PASS),
        ("weighted_routing_policy", {"weight": 90}, {"weight": 10}, Kind.PASS),
        ("multivalue_answer_routing_policy", True, True, Kind.PASS),
        ("geoproximity_routing_policy", {"aws_region": "us-east-1"}, {"aws_region": "us-west-2"}, Kind.PASS),
        ("geolocation_routing_policy", {"continent": "NA"}, {"continent": "AS"}, Kind.FAIL),
        ("geolocation_routing_policy", {"country": "*"}, {"continent": "AS"}, Kind.FAIL),
        ("cidr_routing_policy", {"location_name": "a"}, {"location_name": "b"}, Kind.FAIL),
    ],
)
def test_answers_by_place_do_not_fail_over(policy: str, east: Any, west: Any, kind: Kind) -> None:
    assert worst("PI-DNS-001", answers(policy, east, west), provider=REGIONS) is kind


@pytest.mark.parametrize(
    ("type_", "fields", "kind"),
    [
        ("aws_lb", {}, Kind.FAIL),
        ("aws_lb", {"internal": True}, Kind.NOT_APPLICABLE),
        ("aws_apigatewayv2_api", {"protocol_type": "HTTP"}, Kind.FAIL),
        ("aws_lambda_function_url", {"authorization_type": "AWS_IAM"}, Kind.FAIL),
        ("aws_sqs_queue", {}, Kind.NOT_APPLICABLE),
    ],
)
def test_entrances_of_two_regions_need_something_that_moves_clients(
    type_: str, fields: dict[str, Any], kind: Kind
) -> None:
    sides = {side: {"provider": f"aws.{side}", **fields} for side in ("east", "west")}
    assert worst("PI-DNS-001", {type_: sides}, provider=REGIONS) is kind


def test_an_origin_group_fails_over_for_reading_only() -> None:
    group = {"origin_id": "both", "member": [{"origin_id": "east"}, {"origin_id": "west"}]}
    stack = {**BALANCERS, "aws_cloudfront_distribution": {"d": {"origin_group": [group]}}}
    assert worst("PI-DNS-001", stack, provider=REGIONS) is Kind.WARN


@pytest.mark.parametrize(
    ("type_", "kind"), [("cloudflare_load_balancer", Kind.WARN), ("random_id", Kind.FAIL)]
)
def test_whether_another_provider_fails_over_is_not_known(type_: str, kind: Kind) -> None:
    assert worst("PI-DNS-001", {**BALANCERS, type_: {"x": {}}}, provider=REGIONS) is kind


@pytest.mark.parametrize(("value", "kind"), [(False, Kind.NOT_APPLICABLE), ("${var.many}", Kind.FAIL)])
def test_a_policy_that_is_off_routes_nothing(value: object, kind: Kind) -> None:
    record = {"name": "pay.example.com", "records": ["192.0.2.1"], "multivalue_answer_routing_policy": value}
    assert worst("PI-DNS-003", {"aws_route53_record": {"r": record}}) is kind
