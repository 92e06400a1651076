"""The policies of what other accounts may be let into: each type with its own property and actions."""

from typing import Any

import pytest

from payinfra.checks.verdicts import Kind
from tests.unit.checks.policy.test_unusual import ME, OWN, statement, text, worst

HOLDERS = [
    ("aws_backup_vault", "aws_backup_vault_policy", "backup_vault_name", "backup:CopyIntoBackupVault"),
    ("aws_cloudwatch_event_bus", "aws_cloudwatch_event_bus_policy", "event_bus_name", "events:PutEvents"),
    ("aws_dynamodb_table", "aws_dynamodb_resource_policy", "resource_arn", "dynamodb:GetItem"),
    ("aws_ecr_repository", "aws_ecr_repository_policy", "repository", "ecr:PutImage"),
    ("aws_kinesis_stream", "aws_kinesis_resource_policy", "resource_arn", "kinesis:PutRecord"),
]
ORGANIZATION = {"StringEquals": {"aws:PrincipalOrgID": "o-payments"}}


@pytest.mark.parametrize(("owner", "type_", "by", "action"), HOLDERS, ids=[one[0] for one in HOLDERS])
@pytest.mark.parametrize("reference", ["${%s.x.name}", "${%s.x.arn}", "elsewhere"])
@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"Principal": "*"}, Kind.FAIL),
        ({"Principal": {"AWS": ["*"]}}, Kind.FAIL),
        ({"NotPrincipal": {"AWS": ME}}, Kind.FAIL),
        ({"Principal": {"Service": "lambda.amazonaws.com"}}, Kind.FAIL),
        ({"Principal": {"Service": "lambda.amazonaws.com"}, "Condition": OWN}, Kind.PASS),
        ({"Principal": "*", "Condition": ORGANIZATION}, Kind.PASS),
        ({"Principal": {"AWS": f"arn:aws:iam::{ME}:root"}}, Kind.PASS),
        ({"Principal": {"AWS": "${aws_iam_role.r.arn}"}}, Kind.PASS),
        ({"Principal": {"AWS": "${var.reader}"}}, Kind.UNKNOWN),
        ({"Principal": {"AWS": "${var.reader}"}, "Condition": ORGANIZATION}, Kind.PASS),
    ],
)
def test_a_policy_is_closed_with_its_resource_and_by_itself(
    owner: str, type_: str, by: str, action: str, reference: str, fields: dict[str, Any], kind: Kind
) -> None:
    named = reference % owner if "%s" in reference else reference
    policy = {by: named, "policy": text(statement(Action=action, **fields))}
    assert worst("PI-POL-001", {owner: {"x": {"name": "x"}}, type_: {"p": policy}}) is kind


@pytest.mark.parametrize(("owner", "type_", "by", "action"), HOLDERS, ids=[one[0] for one in HOLDERS])
def test_what_reads_nothing_of_ours_may_be_for_everybody(
    owner: str, type_: str, by: str, action: str
) -> None:
    other = statement(Action=f"{action.partition(':')[0]}:NoSuchThing", Principal="*")
    policy = {by: "x", "policy": text(other)}
    assert worst("PI-POL-001", {type_: {"p": policy}}) is Kind.PASS
    assert worst("PI-POL-001", {owner: {"x": {"name": "x"}}}) is Kind.NOT_APPLICABLE


def condition(**fields: Any) -> dict[str, Any]:
    """A permission for everybody under a condition."""
    whole = {"key": "aws:PrincipalOrgID", "type": "StringEquals", "value": "o-payments", **fields}
    return {"principal": "*", "condition": whole}


@pytest.mark.parametrize(
    ("permission", "kind"),
    [
        ({"principal": "*"}, Kind.FAIL),
        ({"principal": "*", "action": "events:PutRule"}, Kind.FAIL),
        ({"principal": ME}, Kind.PASS),
        (condition(), Kind.PASS),
        (condition(type="StringLike", value="*"), Kind.FAIL),
        (condition(value="${aws_organizations_organization.o.id}"), Kind.PASS),
        (condition(key="${var.key}"), Kind.UNKNOWN),
        ({"principal": "*", "condition": "${var.condition}"}, Kind.UNKNOWN),
        ({}, Kind.UNKNOWN),
    ],
)
def test_a_permission_is_a_statement_of_its_buss_policy(permission: dict[str, Any], kind: Kind) -> None:
    by_itself = {"aws_cloudwatch_event_permission": {"p": permission}}
    assert worst("PI-POL-001", by_itself) is kind
    named = {**permission, "event_bus_name": "${aws_cloudwatch_event_bus.b.name}"}
    with_its_bus = {
        "aws_cloudwatch_event_bus": {"b": {"name": "b"}},
        "aws_cloudwatch_event_permission": {"p": named},
    }
    assert worst("PI-POL-001", with_its_bus) is kind


WHOLE = [
    ("aws_acmpca_policy", "policy", "acm-pca:IssueCertificate"),
    ("aws_cloudsearch_domain_service_access_policy", "access_policy", "cloudsearch:document"),
    ("aws_cloudwatch_log_delivery_destination_policy", "delivery_destination_policy", "logs:CreateDelivery"),
    ("aws_cloudwatch_log_destination_policy", "access_policy", "logs:PutSubscriptionFilter"),
    ("aws_codeartifact_domain_permissions_policy", "policy_document", "codeartifact:CreateRepository"),
    ("aws_codeartifact_repository_permissions_policy", "policy_document", "codeartifact:ReadFromRepository"),
    ("aws_codebuild_resource_policy", "policy", "codebuild:StartBuild"),
    ("aws_ecr_registry_policy", "policy", "ecr:ReplicateImage"),
    ("aws_ecr_repository_creation_template", "repository_policy", "ecr:BatchGetImage"),
    ("aws_ecrpublic_repository_policy", "policy", "ecr-public:PutImage"),
    ("aws_efs_file_system_policy", "policy", "elasticfilesystem:ClientMount"),
    ("aws_elasticsearch_domain", "access_policies", "es:ESHttpGet"),
    ("aws_elasticsearch_domain_policy", "access_policies", "es:*"),
    ("aws_glacier_vault", "access_policy", "glacier:DeleteArchive"),
    ("aws_media_store_container_policy", "policy", "mediastore:GetObject"),
    ("aws_msk_cluster_policy", "policy", "kafka:CreateVpcConnection"),
    ("aws_networkfirewall_resource_policy", "policy", "network-firewall:AssociateFirewallPolicy"),
    ("aws_oam_sink_policy", "policy", "oam:CreateLink"),
    ("aws_opensearch_domain", "access_policies", "es:*"),
    ("aws_opensearch_domain_policy", "access_policies", "es:ESHttp*"),
    ("aws_prometheus_resource_policy", "policy_document", "aps:QueryMetrics"),
    ("aws_redshift_resource_policy", "policy", "redshift:AuthorizeInboundIntegration"),
    ("aws_s3_access_point", "policy", "s3:GetObject"),
    ("aws_s3control_access_grants_instance_resource_policy", "policy", "s3:GetDataAccess"),
    ("aws_s3control_access_point_policy", "policy", "s3:GetObject"),
    ("aws_s3control_bucket_policy", "policy", "s3-outposts:GetObject"),
    ("aws_s3control_object_lambda_access_point_policy", "policy", "s3-object-lambda:GetObject"),
    ("aws_s3tables_table_bucket_policy", "resource_policy", "s3tables:GetTableData"),
    ("aws_s3tables_table_policy", "resource_policy", "s3tables:PutTableData"),
    ("aws_s3vectors_vector_bucket_policy", "policy", "s3vectors:GetVectors"),
    ("aws_sagemaker_model_package_group_policy", "resource_policy", "sagemaker:DescribeModelPackage"),
    ("aws_schemas_registry_policy", "policy", "schemas:DescribeSchema"),
    ("aws_ses_identity_policy", "policy", "ses:SendEmail"),
    ("aws_sesv2_email_identity_policy", "policy", "ses:SendRawEmail"),
    ("aws_vpclattice_resource_policy", "policy", "vpc-lattice:CreateServiceNetworkVpcAssociation"),
    ("aws_xray_resource_policy", "policy_document", "xray:PutTraceSegments"),
]


@pytest.mark.parametrize(("type_", "path", "action"), WHOLE, ids=[one[0] for one in WHOLE])
@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"Principal": "*"}, Kind.FAIL),
        ({"Principal": {"Service": "sns.amazonaws.com"}}, Kind.FAIL),
        ({"Principal": {"Service": "sns.amazonaws.com"}, "Condition": OWN}, Kind.PASS),
        ({"Principal": "*", "Condition": ORGANIZATION}, Kind.PASS),
        ({"Principal": {"AWS": f"arn:aws:iam::{ME}:root"}}, Kind.PASS),
        ({"Principal": {"AWS": "${var.reader}"}}, Kind.UNKNOWN),
    ],
)
def test_a_policy_that_stands_in_one_place_is_closed(
    type_: str, path: str, action: str, fields: dict[str, Any], kind: Kind
) -> None:
    policy = {path: text(statement(Action=action, Resource="*", **fields))}
    assert worst("PI-POL-001", {type_: {"p": policy}}) is kind


def test_a_policy_for_more_than_one_region_stands_in_its_details() -> None:
    document = text(statement(Action="s3:GetObject", Resource="*", Principal="*"))
    policy = {"details": {"name": "payments", "policy": document}}
    assert worst("PI-POL-001", {"aws_s3control_multi_region_access_point_policy": {"p": policy}}) is Kind.FAIL


@pytest.mark.parametrize(
    ("type_", "path"),
    [("aws_cloudwatch_log_resource_policy", "policy_document"), ("aws_glue_resource_policy", "policy")],
)
def test_a_service_that_only_writes_logs_or_shares_is_no_stranger(type_: str, path: str) -> None:
    def kind(principal: object) -> Kind:
        action = "logs:PutLogEvents" if "log" in type_ else "glue:GetTable"
        policy = {path: text(statement(Action=action, Resource="*", Principal=principal))}
        return worst("PI-POL-001", {type_: {"p": policy}})

    assert kind({"Service": "route53.amazonaws.com"}) is Kind.PASS
    assert kind({"AWS": "*"}) is Kind.FAIL


@pytest.mark.parametrize("type_", ["aws_glacier_vault", "aws_opensearch_domain", "aws_s3_access_point"])
def test_what_has_no_policy_admits_its_own_account_only(type_: str) -> None:
    assert worst("PI-POL-001", {type_: {"x": {"name": "x"}}}) is Kind.NOT_APPLICABLE
    empty = {"access_policies": "", "access_policy": "", "policy": ""}
    assert worst("PI-POL-001", {type_: {"x": empty}}) is Kind.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({}, Kind.FAIL),
        ({"vpc_options": {"subnet_ids": ["subnet-1"]}}, Kind.PASS),
        ({"vpc_options": "${var.network}"}, Kind.UNKNOWN),
        ({"advanced_security_options": {"enabled": True}}, Kind.PASS),
        ({"advanced_security_options": {"enabled": False}}, Kind.FAIL),
        ({"advanced_security_options": {"enabled": True, "anonymous_auth_enabled": True}}, Kind.FAIL),
        ({"advanced_security_options": {"enabled": "${var.users}"}}, Kind.UNKNOWN),
    ],
)
@pytest.mark.parametrize("named", ["${aws_opensearch_domain.d.domain_name}", "search"])
def test_a_domain_in_a_vpc_or_with_users_of_its_own_may_have_an_open_policy(
    settings: dict[str, Any], kind: Kind, named: str
) -> None:
    document = text(statement(Action="es:*", Resource="*", Principal="*"))
    domain = {"domain_name": "search", **settings}
    inside = {"aws_opensearch_domain": {"d": {**domain, "access_policies": document}}}
    assert worst("PI-POL-001", inside) is kind
    beside = {
        "aws_opensearch_domain": {"d": domain},
        "aws_opensearch_domain_policy": {"p": {"domain_name": named, "access_policies": document}},
    }
    assert worst("PI-POL-001", beside) is kind


@pytest.mark.parametrize(
    ("inside", "kind"), [({}, Kind.FAIL), ({"vpc_configuration": {"vpc_id": "vpc-1"}}, Kind.PASS)]
)
def test_an_access_point_of_a_vpc_may_have_an_open_policy(inside: dict[str, Any], kind: Kind) -> None:
    policy = {
        "access_point_arn": "${aws_s3_access_point.a.arn}",
        "policy": text(statement(Action="s3:GetObject", Resource="*", Principal="*")),
    }
    stack = {
        "aws_s3_access_point": {"a": {"bucket": "b", "name": "a", **inside}},
        "aws_s3control_access_point_policy": {"p": policy},
    }
    assert worst("PI-POL-001", stack) is kind


def test_a_file_system_reached_through_its_mount_targets_only_may_be_for_everybody() -> None:
    only = {"Bool": {"elasticfilesystem:AccessedViaMountTarget": "true"}}
    allow = statement(Action="elasticfilesystem:ClientMount", Principal="*", Condition=only)
    assert worst("PI-POL-001", {"aws_efs_file_system_policy": {"p": {"policy": text(allow)}}}) is Kind.PASS


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"principal": "*"}, Kind.FAIL),
        ({"principal": "*", "organization_id": ""}, Kind.FAIL),
        ({"principal": "*", "organization_id": "o-payments"}, Kind.PASS),
        ({"principal": "*", "organization_id": "${data.aws_organizations_organization.o.id}"}, Kind.PASS),
        ({"principal": "*", "organization_id": []}, Kind.UNKNOWN),
        ({"principal": ME}, Kind.PASS),
        ({"principal": "${var.account}"}, Kind.UNKNOWN),
        ({}, Kind.UNKNOWN),
    ],
)
def test_a_layer_is_shared_with_named_accounts(fields: dict[str, Any], kind: Kind) -> None:
    permission = {"layer_name": "payments", "action": "lambda:GetLayerVersion", **fields}
    assert worst("PI-POL-001", {"aws_lambda_layer_version_permission": {"p": permission}}) is kind


@pytest.mark.parametrize(
    ("type_", "field", "everybody"),
    [
        ("aws_ami_launch_permission", "group", "all"),
        ("aws_db_cluster_snapshot", "shared_accounts", ["all"]),
        ("aws_db_snapshot", "shared_accounts", [ME, "all"]),
        ("aws_ssm_document", "permissions", {"type": "Share", "account_ids": "All"}),
    ],
)
def test_what_is_shared_is_shared_with_named_accounts(type_: str, field: str, everybody: Any) -> None:
    one = {"type": "Share", "account_ids": ME} if field == "permissions" else [ME]
    assert worst("PI-POL-001", {type_: {"x": {field: everybody}}}) is Kind.FAIL
    assert worst("PI-POL-001", {type_: {"x": {field: one}}}) is Kind.PASS
    assert worst("PI-POL-001", {type_: {"x": {field: "${var.accounts}"}}}) is Kind.UNKNOWN
    assert worst("PI-POL-001", {type_: {"x": {}}}) is Kind.NOT_APPLICABLE
