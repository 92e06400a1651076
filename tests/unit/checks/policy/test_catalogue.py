"""Ids, severities and controls are promises: they change with the documentation or not at all."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.unit.checks.policy.conftest import GoodStack

SEVERITIES = {
    "critical": "NET-001 ENG-001 REG-001 DDB-001 DDB-002 IAM-001 S3-001 DNS-001 DNS-002 DNS-003 LAM-001",
    "high": "NET-002 NET-003 NET-004 ENG-002 DDB-006 IAM-008 LAM-006 SNS-002 SQS-002 SEC-003 SEC-004 BAK-001 "
    "POL-001 TF-001 TF-002 REG-002 REG-003 DDB-003 DDB-005 IAM-002 IAM-003 IAM-004 IAM-006 S3-003 "
    "S3-004 KMS-001 "
    "KMS-002 KMS-003 LOG-001 LOG-002 API-001 API-002 API-003 API-004 API-006 API-007 DNS-004 LAM-004 "
    "CW-001 SSM-001 NAM-001",
    "medium": "DDB-004 IAM-005 IAM-007 S3-002 LOG-003 API-005 API-008 DNS-005 LAM-002 LAM-003 LAM-005 "
    "CW-002 SNS-001 TAG-001 TAG-002 S3-006 S3-007 LAM-008 SQS-001 SQS-003 SEC-001 SEC-002 TLS-001 TLS-002 "
    "TF-003 TF-004 TF-005 TF-006 TF-007",
    "low": "S3-005 OUT-001 LAM-007 BAK-002",
}
CONTROLS = {
    "PI-DDB-003": "DynamoDB.2",
    "PI-DDB-004": "DynamoDB.6",
    "PI-IAM-001": "IAM.21",
    "PI-S3-001": "S3.8",
    "PI-S3-002": "S3.5",
    "PI-KMS-001": "KMS.4",
    "PI-LOG-001": "CloudWatch.16",
    "PI-API-005": "APIGateway.1",
    "PI-SNS-001": "SNS.1",
    "PI-IAM-008": "IAM.3",
    "PI-S3-007": "S3.12",
    "PI-SQS-001": "SQS.1",
    "PI-SEC-002": "SecretsManager.1",
    "PI-BAK-001": "RDS.11",
    "PI-NET-001": "RDS.2",
    "PI-NET-002": "EC2.19",
    "PI-NET-003": "EC2.8",
    "PI-NET-004": "RDS.3",
}


def test_every_id_has_its_severity(world: "GoodStack") -> None:
    wanted = {f"PI-{one}": severity for severity, ids in SEVERITIES.items() for one in ids.split()}
    assert {id_: one.rule.severity.value for id_, one in world.checks.items()} == wanted


def test_only_confirmed_controls_are_named(world: "GoodStack") -> None:
    named = {id_: one.rule.controls for id_, one in world.checks.items() if one.rule.controls}
    assert named == {id_: (f"AWS FSBP {control}",) for id_, control in CONTROLS.items()}


def test_only_the_check_of_actions_needs_an_extra_package(world: "GoodStack") -> None:
    assert {id_: one.needs for id_, one in world.checks.items() if one.needs} == {
        "PI-IAM-005": "policy_sentry"
    }


def test_texts_are_sentences_without_a_stop_where_they_are_titles(world: "GoodStack") -> None:
    for id_, one in world.checks.items():
        assert not one.rule.title.endswith("."), id_
        assert one.rule.risk.endswith("."), id_
        assert one.rule.fix.endswith("."), id_
