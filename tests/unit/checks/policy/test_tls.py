"""What is spoken on the way to a payment: by listeners and their rules, and behind CloudFront."""

from typing import Any

import pytest

from payinfra.checks.verdicts import Kind
from tests.unit.checks.policy.test_unusual import worst

REDIRECT = {"type": "redirect", "redirect": {"port": "443", "protocol": "HTTPS", "status_code": "HTTP_301"}}
FIXED = {"type": "fixed-response", "fixed_response": {"content_type": "text/plain", "status_code": "403"}}
FORWARD = {"type": "forward", "target_group_arn": "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/a/b"}


@pytest.mark.parametrize(
    ("default", "rule", "kind"),
    [
        (REDIRECT, None, Kind.PASS),
        (FIXED, None, Kind.PASS),
        (FORWARD, None, Kind.FAIL),
        (REDIRECT, [FORWARD], Kind.FAIL),
        (FIXED, FORWARD, Kind.FAIL),
        (REDIRECT, [FIXED], Kind.PASS),
        (REDIRECT, "${var.actions}", Kind.PASS),
    ],
)
@pytest.mark.parametrize("name", ["lb", "alb"])
def test_no_rule_of_a_plain_listener_forwards(default: object, rule: object, kind: Kind, name: str) -> None:
    stack: dict[str, Any] = {f"aws_{name}_listener": {"l": {"protocol": "HTTP", "default_action": default}}}
    if rule is not None:
        listener = f"${{aws_{name}_listener.l.arn}}"
        stack[f"aws_{name}_listener_rule"] = {"r": {"listener_arn": listener, "action": rule}}
    assert worst("PI-TLS-001", stack) is kind


def test_a_rule_of_a_listener_with_tls_may_forward() -> None:
    listener = {
        "protocol": "HTTPS",
        "ssl_policy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
        "default_action": FIXED,
    }
    rule = {"listener_arn": "${aws_lb_listener.l.arn}", "action": FORWARD}
    stack = {"aws_lb_listener": {"l": listener}, "aws_lb_listener_rule": {"r": rule}}
    assert worst("PI-TLS-001", stack) is Kind.PASS


@pytest.mark.parametrize(
    ("name", "policy", "versions", "kind"),
    [
        ("pay.example.com", "https-only", ["TLSv1.2"], Kind.PASS),
        ("pay.example.com", "match-viewer", ["TLSv1.2"], Kind.PASS),
        ("${aws_lb.l.dns_name}", "http-only", ["TLSv1.2"], Kind.FAIL),
        ("pay.example.com", "https-only", ["SSLv3", "TLSv1.2"], Kind.FAIL),
        ("pay.example.com", "https-only", ["TLSv1.1", "TLSv1.2"], Kind.WARN),
        ("pay.example.com", "https-only", "${var.versions}", Kind.PASS),
        ("pay.s3-website-us-east-1.amazonaws.com", "http-only", ["TLSv1.2"], Kind.PASS),
        ("${aws_s3_bucket_website_configuration.w.website_endpoint}", "http-only", ["TLSv1"], Kind.PASS),
    ],
)
def test_what_cloudfront_asks_is_asked_with_tls(name: str, policy: str, versions: object, kind: Kind) -> None:
    config = {"origin_protocol_policy": policy, "origin_ssl_protocols": versions}
    origin = {"origin_id": "pay", "domain_name": name, "custom_origin_config": config}
    distribution = {
        "default_cache_behavior": {"viewer_protocol_policy": "https-only"},
        "viewer_certificate": {"acm_certificate_arn": "a", "minimum_protocol_version": "TLSv1.2_2021"},
        "origin": [origin, {"origin_id": "files", "domain_name": "files.s3.amazonaws.com"}],
    }
    assert worst("PI-TLS-001", {"aws_cloudfront_distribution": {"d": distribution}}) is kind


@pytest.mark.parametrize(
    ("protocol", "balancer", "kind"),
    [
        (None, "application", Kind.FAIL),
        (None, "gateway", Kind.NOT_APPLICABLE),
        ("${var.protocol}", "application", Kind.UNKNOWN),
        ("TCP", "network", Kind.NOT_APPLICABLE),
    ],
)
def test_a_listener_that_names_no_protocol_speaks_plain_http(
    protocol: object, balancer: str, kind: Kind
) -> None:
    listener = {"load_balancer_arn": "${aws_lb.l.arn}", "protocol": protocol, "default_action": FORWARD}
    stack = {"aws_lb": {"l": {"load_balancer_type": balancer}}, "aws_lb_listener": {"l": listener}}
    assert worst("PI-TLS-001", stack) is kind


@pytest.mark.parametrize(
    ("type_", "body", "kind"),
    [
        ("aws_api_gateway_integration", {"type": "HTTP_PROXY", "uri": "http://pay.example.com"}, Kind.FAIL),
        ("aws_api_gateway_integration", {"type": "HTTP", "uri": "http://${aws_lb.l.dns_name}/"}, Kind.FAIL),
        ("aws_api_gateway_integration", {"type": "HTTP_PROXY", "uri": "https://pay.example.com"}, Kind.PASS),
        ("aws_api_gateway_integration", {"type": "HTTP_PROXY", "uri": "${var.uri}"}, Kind.UNKNOWN),
        ("aws_api_gateway_integration", {"type": "HTTP_PROXY"}, Kind.FAIL),
        ("aws_api_gateway_integration", {"type": "AWS_PROXY", "uri": "http://no"}, Kind.NOT_APPLICABLE),
        (
            "aws_api_gateway_integration",
            {"type": "HTTP_PROXY", "uri": "http://pay.internal", "connection_type": "VPC_LINK"},
            Kind.NOT_APPLICABLE,
        ),
        (
            "aws_apigatewayv2_integration",
            {"integration_type": "HTTP_PROXY", "integration_uri": "http://pay.example.com"},
            Kind.FAIL,
        ),
        ("aws_sns_topic_subscription", {"protocol": "http", "endpoint": "http://a.example.com"}, Kind.FAIL),
        ("aws_sns_topic_subscription", {"protocol": "https", "endpoint": "https://a.example.com"}, Kind.PASS),
        ("aws_sns_topic_subscription", {"protocol": "sqs", "endpoint": "arn"}, Kind.NOT_APPLICABLE),
        ("aws_opensearch_domain", {}, Kind.PASS),
        ("aws_opensearch_domain", {"domain_endpoint_options": {"enforce_https": False}}, Kind.FAIL),
        (
            "aws_elasticsearch_domain",
            {"domain_endpoint_options": {"tls_security_policy": "Policy-Min-TLS-1-0-2019-07"}},
            Kind.FAIL,
        ),
    ],
)
def test_what_is_forwarded_to_a_server_goes_over_tls(type_: str, body: dict[str, Any], kind: Kind) -> None:
    assert worst("PI-TLS-001", {type_: {"x": body}}) is kind
