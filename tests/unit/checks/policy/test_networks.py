"""What clients and the internet reach, and what is kept of databases: spellings with AWS's own verdicts."""

from typing import Any

import pytest

from payinfra.checks.verdicts import Kind
from tests.unit.checks.policy.test_unusual import worst

EVERYBODY = ["0.0.0.0/0"]
HERE = {"aws": {"region": "eu-west-1"}}


@pytest.mark.parametrize(
    ("policy", "kind"),
    [
        ("ELBSecurityPolicy-TLS13-1-0-2021-06", Kind.FAIL),
        ("ELBSecurityPolicy-TLS13-1-1-FIPS-2023-04", Kind.FAIL),
        ("ELBSecurityPolicy-FS-1-1-2019-08", Kind.FAIL),
        ("ELBSecurityPolicy-TLS-1-1-2017-01", Kind.FAIL),
        ("ELBSecurityPolicy-FS-1-2-Res-2019-08", Kind.PASS),
        ("ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09", Kind.PASS),
    ],
)
@pytest.mark.parametrize("type_", ["aws_lb_listener", "aws_alb_listener"])
def test_a_load_balancers_policy_is_known_by_the_oldest_version_that_it_takes(
    type_: str, policy: str, kind: Kind
) -> None:
    assert worst("PI-TLS-001", {type_: {"l": {"protocol": "HTTPS", "ssl_policy": policy}}}) is kind


@pytest.mark.parametrize(
    ("redirect", "kind"),
    [
        ({"protocol": "HTTPS"}, Kind.PASS),
        ({"protocol": "HTTP"}, Kind.FAIL),
        ({"protocol": "#{protocol}"}, Kind.FAIL),
        ({"path": "/elsewhere"}, Kind.FAIL),
        ({"protocol": "${var.protocol}"}, Kind.UNKNOWN),
    ],
)
def test_a_redirect_leads_to_the_protocol_that_it_names(redirect: dict[str, Any], kind: Kind) -> None:
    action = [{"type": "redirect", "redirect": redirect}]
    listener = {"protocol": "HTTP", "default_action": action}
    assert worst("PI-TLS-001", {"aws_lb_listener": {"l": listener}}) is kind


TODAY = {"acm_certificate_arn": "c", "minimum_protocol_version": "TLSv1.2_2021"}
TLS_ONLY = {"viewer_protocol_policy": "redirect-to-https"}


@pytest.mark.parametrize(
    ("distribution", "kind"),
    [
        ({"viewer_certificate": TODAY, "default_cache_behavior": TLS_ONLY}, Kind.PASS),
        (
            {"viewer_certificate": TODAY, "default_cache_behavior": {"viewer_protocol_policy": "allow-all"}},
            Kind.FAIL,
        ),
        (
            {
                "viewer_certificate": TODAY,
                "default_cache_behavior": TLS_ONLY,
                "ordered_cache_behavior": [TLS_ONLY, {"viewer_protocol_policy": "allow-all"}],
            },
            Kind.FAIL,
        ),
        ({"viewer_certificate": {**TODAY, "cloudfront_default_certificate": True}}, Kind.FAIL),
        (
            {"viewer_certificate": TODAY, "default_cache_behavior": {"viewer_protocol_policy": "${var.p}"}},
            Kind.UNKNOWN,
        ),
        ({"viewer_certificate": TODAY, "ordered_cache_behavior": "${var.b}"}, Kind.UNKNOWN),
    ],
)
def test_a_distribution_is_asked_by_its_certificate_and_its_behaviours(
    distribution: dict[str, Any], kind: Kind
) -> None:
    assert worst("PI-TLS-001", {"aws_cloudfront_distribution": {"d": distribution}}) is kind


@pytest.mark.parametrize(
    ("origin", "kind"),
    [
        ("*", Kind.FAIL),
        ("https://*", Kind.FAIL),
        ("http*", Kind.FAIL),
        ("https://*.example.com", Kind.PASS),
        ("https://pay.example.com", Kind.PASS),
    ],
)
@pytest.mark.parametrize(
    ("type_", "body"),
    [
        ("aws_apigatewayv2_api", lambda origin: {"cors_configuration": {"allow_origins": [origin]}}),
        ("aws_s3_bucket", lambda origin: {"cors_rule": [{"allowed_origins": [origin]}]}),
        (
            "aws_cloudfront_response_headers_policy",
            lambda origin: {"cors_config": [{"access_control_allow_origins": [{"items": [origin]}]}]},
        ),
        ("aws_lambda_function", lambda origin: {"environment": {"variables": {"CORS_ORIGIN": origin}}}),
    ],
)
def test_every_origin_of_a_scheme_is_every_origin(type_: str, body: Any, origin: str, kind: Kind) -> None:
    assert worst("PI-TLS-002", {type_: {"x": body(origin)}}) is kind


@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        ({"from_port": 0, "to_port": 0, "protocol": "ALL", "cidr_blocks": EVERYBODY}, Kind.FAIL),
        ({"from_port": 5985, "to_port": 5986, "protocol": "tcp", "cidr_blocks": EVERYBODY}, Kind.FAIL),
        ({"from_port": 9042, "to_port": 9042, "protocol": "tcp", "cidr_blocks": EVERYBODY}, Kind.FAIL),
        ({"from_port": 22, "to_port": 22, "protocol": "tcp", "cidr_blocks": ["${var.office}"]}, Kind.UNKNOWN),
        (
            {"from_port": 22, "to_port": 22, "protocol": "tcp", "cidr_blocks": ["${aws_vpc.v.cidr_block}"]},
            Kind.PASS,
        ),
        ({"from_port": 22, "to_port": 22, "protocol": "tcp", "cidr_blocks": ["${var.office}/32"]}, Kind.PASS),
        (
            {"from_port": 22, "to_port": 22, "protocol": "tcp", "cidr_blocks": ["${var.office}/0"]},
            Kind.UNKNOWN,
        ),
    ],
)
def test_a_rule_is_read_by_its_ports_and_its_addresses(rule: dict[str, Any], kind: Kind) -> None:
    assert worst("PI-NET-002", {"aws_security_group": {"g": {"ingress": [rule]}}}) is kind
    assert worst("PI-NET-002", {"aws_security_group_rule": {"r": {"type": "ingress", **rule}}}) is kind


@pytest.mark.parametrize(
    ("id_", "resources", "kind"),
    [
        ("PI-NET-001", {"aws_mq_broker": {"b": {"publicly_accessible": True}}}, Kind.FAIL),
        ("PI-NET-003", {"aws_launch_configuration": {"l": {}}}, Kind.FAIL),
        ("PI-NET-004", {"aws_redshift_cluster": {"r": {}}}, Kind.WARN),
        ("PI-NET-004", {"aws_redshift_cluster": {"r": {"encrypted": False}}}, Kind.FAIL),
        ("PI-NET-004", {"aws_opensearch_domain": {"o": {}}}, Kind.FAIL),
        ("PI-NET-004", {"aws_dax_cluster": {"o": {"server_side_encryption": {"enabled": True}}}}, Kind.PASS),
    ],
)
def test_more_machines_and_stores_are_looked_at(id_: str, resources: dict[str, Any], kind: Kind) -> None:
    assert worst(id_, resources) is kind


@pytest.mark.parametrize(
    ("id_", "own", "default", "kind"),
    [
        ("PI-NET-003", {"aws_instance": {"i": {}}}, {"http_tokens": "required"}, Kind.PASS),
        ("PI-NET-003", {"aws_instance": {"i": {}}}, {"http_tokens": "optional"}, Kind.FAIL),
        (
            "PI-NET-003",
            {"aws_instance": {"i": {"metadata_options": {"http_tokens": "optional"}}}},
            {"http_tokens": "required"},
            Kind.FAIL,
        ),
        ("PI-NET-003", {"aws_instance": {"i": {}}}, {"http_tokens": "required", "region": "x"}, Kind.FAIL),
        ("PI-NET-004", {"aws_ebs_volume": {"v": {}}}, {}, Kind.PASS),
        ("PI-NET-004", {"aws_ebs_volume": {"v": {}}}, {"enabled": False}, Kind.FAIL),
        ("PI-NET-004", {"aws_ebs_volume": {"v": {"encrypted": False}}}, {}, Kind.FAIL),
    ],
)
def test_what_says_nothing_follows_the_accounts_default_of_its_region(
    id_: str, own: dict[str, Any], default: dict[str, Any], kind: Kind
) -> None:
    type_ = "aws_ec2_instance_metadata_defaults" if id_ == "PI-NET-003" else "aws_ebs_encryption_by_default"
    assert worst(id_, own, provider=HERE) is Kind.FAIL
    assert worst(id_, own | {type_: {"d": default}}, provider=HERE) is kind


def selected(rule: dict[str, Any] | None = None, **selection: Any) -> dict[str, Any]:
    """A plan of AWS Backup with one selection."""
    return {
        "aws_backup_plan": {"p": {"rule": [rule or {}]}},
        "aws_backup_selection": {"s": {"plan_id": "${aws_backup_plan.p.id}", **selection}},
    }


@pytest.mark.parametrize(
    ("backup", "kind"),
    [
        (selected(resources=["arn:aws:rds:*:*:db:*"]), Kind.PASS),
        (
            selected(resources=["arn:${data.aws_partition.p.partition}:rds:*:${var.account}:db:pay"]),
            Kind.PASS,
        ),
        (selected(resources=["arn:aws:rds:*:*:cluster:*"]), Kind.FAIL),
        (selected(resources=["${aws_db_instance.d.arn}"]), Kind.PASS),
        (selected(resources=["${aws_db_instance.other.arn}"]), Kind.FAIL),
        (selected(resources=["${var.database}"]), Kind.UNKNOWN),
        (selected(resources="${var.databases}"), Kind.UNKNOWN),
        (selected(resources=["*"], not_resources="${var.databases}"), Kind.UNKNOWN),
        (selected(resources=["arn:aws:rds:us-east-1:*:db:*"]), Kind.FAIL),
        (selected(resources=["*"], not_resources=["${aws_db_instance.d.arn}"]), Kind.FAIL),
        (selected({"lifecycle": {"delete_after": 1}}, resources=["*"]), Kind.FAIL),
        (selected({"lifecycle": {"delete_after": 35}}, resources=["*"]), Kind.PASS),
        (selected(selection_tag=[{"key": "Backup", "value": "daily"}]), Kind.PASS),
        (selected(selection_tag=[{"key": "Backup", "value": "weekly"}]), Kind.FAIL),
    ],
)
def test_a_selection_takes_what_its_patterns_and_tags_fit_and_its_plan_keeps(
    backup: dict[str, Any], kind: Kind
) -> None:
    database = {"identifier": "pay", "skip_final_snapshot": False}
    home = {"aws": {"region": "eu-west-1", "default_tags": {"tags": {"Backup": "daily"}}}}
    assert worst("PI-BAK-001", {"aws_db_instance": {"d": database}, **backup}, provider=home) is kind
    by_itself = {"aws_db_instance": {"d": database | {"backup_retention_period": 7}}}
    assert worst("PI-BAK-001", {**by_itself, **backup}, provider=home) is Kind.PASS


@pytest.mark.parametrize(
    ("type_", "body", "kind"),
    [
        ("aws_elasticsearch_domain", {}, Kind.FAIL),
        ("aws_elasticsearch_domain", {"encrypt_at_rest": {"enabled": True}}, Kind.PASS),
        ("aws_rds_global_cluster", {"global_cluster_identifier": "pay"}, Kind.FAIL),
        ("aws_rds_global_cluster", {"storage_encrypted": True}, Kind.PASS),
        ("aws_rds_global_cluster", {"source_db_cluster_identifier": "arn"}, Kind.NOT_APPLICABLE),
        ("aws_kinesis_firehose_delivery_stream", {"destination": "extended_s3"}, Kind.FAIL),
        ("aws_kinesis_firehose_delivery_stream", {"server_side_encryption": {"enabled": True}}, Kind.PASS),
        ("aws_kinesis_firehose_delivery_stream", {"kinesis_source_configuration": {}}, Kind.NOT_APPLICABLE),
    ],
)
def test_what_is_stored_elsewhere_takes_the_encryption_of_its_source(
    type_: str, body: dict[str, Any], kind: Kind
) -> None:
    assert worst("PI-NET-004", {type_: {"x": body}}) is kind
