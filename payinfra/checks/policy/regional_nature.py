"""What is in one region, what exists once for all, and what leads to another region by nature.

Sources: the AWS general reference, "Global services"; Route 53, "Public DNS query logging" and "Working with
customer managed keys for DNSSEC"; EventBridge's global endpoints; Aurora DSQL's multi-Region clusters;
PrivateLink's cross-Region endpoint services; the pages of VPC peering, transit gateway peering,
EventBridge ("Sending events between Regions"), RDS and Aurora ("Cross-Region read replicas", "Global
databases"), ElastiCache global datastores, multi-Region keys, cross-Region copies of AWS Backup, ECR
replication.
"""

from collections.abc import Iterator

from payinfra.checks.manifest import Manifest, Missing, Resource
from payinfra.checks.policy.verdict_helpers import aws_resources

_GLOBAL_PREFIXES = (
    "aws_account_",
    "aws_arcregionswitch_",
    "aws_bcmdataexports_",
    "aws_billing_",
    "aws_budgets_",
    "aws_ce_",
    "aws_chatbot_",
    "aws_cloudfront_",
    "aws_cloudfrontkeyvaluestore_",
    "aws_costoptimizationhub_",
    "aws_cur_",
    "aws_ecrpublic_",
    "aws_globalaccelerator_",
    "aws_iam_",
    "aws_identitystore_",
    "aws_networkmanager_",
    "aws_organizations_",
    "aws_route53_",
    "aws_route53domains_",
    "aws_route53recoverycontrolconfig_",
    "aws_route53recoveryreadiness_",
    "aws_savingsplans_",
    "aws_shield_",
    "aws_ssoadmin_",
    "aws_waf_",
)
_REGIONAL_IN_SPITE = ("aws_route53_resolver_", "aws_globalaccelerator_endpoint_group")
_GLOBAL_TYPES = frozenset(
    {
        "aws_backup_global_settings",
        "aws_cloudtrail_organization_delegated_admin_account",
        "aws_cloudwatch_dashboard",
        "aws_docdb_global_cluster",
        "aws_dynamodb_global_table",
        "aws_elasticache_global_replication_group",
        "aws_fms_admin_account",
        "aws_lightsail_domain",
        "aws_neptune_global_cluster",
        "aws_rds_global_cluster",
        "aws_s3_account_public_access_block",
        "aws_s3control_multi_region_access_point",
        "aws_s3control_multi_region_access_point_policy",
    }
)
_TABLES = frozenset({"aws_dynamodb_table", "aws_dynamodb_table_replica"})
_REGIONAL_DATA = frozenset({"aws_acm_certificate", "aws_kms_alias", "aws_kms_key", "aws_sns_topic"})
_ONCE = frozenset(
    {
        *_TABLES,
        "aws_config_configuration_aggregator",
        "aws_ec2_transit_gateway_peering_attachment",
        "aws_ec2_transit_gateway_peering_attachment_accepter",
        "aws_ecr_replication_configuration",
        "aws_s3control_storage_lens_configuration",
        "aws_securityhub_finding_aggregator",
        "aws_vpc_ipam",
        "aws_vpc_peering_connection",
        "aws_vpc_peering_connection_accepter",
        "aws_vpc_peering_connection_options",
    }
)
"""One of them serves two regions, or each region has its own half."""

_ONCE_NAMESPACES = frozenset(
    {"AWS/Billing", "AWS/CloudFront", "AWS/GlobalAccelerator", "AWS/Route53", "AWS/WAFV2"}
)
"""Metrics that CloudWatch has in one region only."""

_TWIN_TYPES = {
    "aws_db_instance_automated_backups_replication": "",
    "aws_kms_replica_external_key": "aws_kms_external_key",
    "aws_kms_replica_key": "aws_kms_key",
}
"""The other region's half of a pair goes by a type of its own, or has none."""

_COMPANIONS = {
    "aws_acm_certificate_validation": "certificate_arn",
    "aws_dynamodb_table_item": "table_name",
    "aws_kms_alias": "target_key_id",
    "aws_kms_key_policy": "key_id",
    "aws_route": "vpc_peering_connection_id",
    "aws_s3_bucket_lifecycle_configuration": "bucket",
    "aws_s3_bucket_ownership_controls": "bucket",
    "aws_s3_bucket_policy": "bucket",
    "aws_s3_bucket_public_access_block": "bucket",
    "aws_s3_bucket_server_side_encryption_configuration": "bucket",
    "aws_s3_bucket_versioning": "bucket",
    "aws_secretsmanager_secret_policy": "secret_arn",
    "aws_secretsmanager_secret_rotation": "secret_id",
    "aws_secretsmanager_secret_version": "secret_id",
    "aws_sns_topic_policy": "arn",
    "aws_sns_topic_subscription": "topic_arn",
}
"""What belongs to another resource, and the property that names it."""

_SERVANTS = frozenset(
    {
        "aws_acm_certificate",
        "aws_cloudwatch_log_group",
        "aws_kms_key",
        "aws_s3_bucket",
        "aws_sns_topic",
        "aws_wafv2_web_acl",
    }
)
"""What has no purpose but those who refer to it."""

_OF_A_ZONE = frozenset({"aws_route53_key_signing_key", "aws_route53_query_log"})
"""What Route 53 has of a zone, and what it refers to must be in us-east-1: a key, a log group."""

_CROSSES = frozenset(
    {
        ("aws_ami_copy", "source_ami_id"),
        ("aws_api_gateway_authorizer", "provider_arns"),
        ("aws_apigatewayv2_authorizer", "jwt_configuration"),
        ("aws_backup_plan", "rule"),
        ("aws_cloudtrail", "s3_bucket_name"),
        ("aws_cloudwatch_event_endpoint", "event_bus"),
        ("aws_config_configuration_aggregator", "account_aggregation_source"),
        ("aws_config_delivery_channel", "s3_bucket_name"),
        ("aws_db_instance", "replicate_source_db"),
        ("aws_db_instance_automated_backups_replication", "source_db_instance_arn"),
        ("aws_db_snapshot_copy", "source_db_snapshot_identifier"),
        ("aws_docdb_cluster", "global_cluster_identifier"),
        ("aws_dsql_cluster_peering", "clusters"),
        ("aws_ebs_snapshot_copy", "source_snapshot_id"),
        ("aws_ec2_transit_gateway_peering_attachment", "peer_transit_gateway_id"),
        ("aws_ec2_transit_gateway_peering_attachment_accepter", "transit_gateway_attachment_id"),
        ("aws_ec2_transit_gateway_route", "transit_gateway_attachment_id"),
        ("aws_ecr_replication_configuration", "replication_configuration"),
        ("aws_efs_replication_configuration", "destination"),
        ("aws_elasticache_replication_group", "global_replication_group_id"),
        ("aws_flow_log", "log_destination"),
        ("aws_globalaccelerator_endpoint_group", "endpoint_configuration"),
        ("aws_kinesis_firehose_delivery_stream", "extended_s3_configuration"),
        ("aws_kms_replica_external_key", "primary_key_arn"),
        ("aws_kms_replica_key", "primary_key_arn"),
        ("aws_lambda_permission", "source_arn"),
        ("aws_rds_cluster", "global_cluster_identifier"),
        ("aws_rds_cluster", "replication_source_identifier"),
        ("aws_rds_cluster_snapshot_copy", "source_db_cluster_snapshot_identifier"),
        ("aws_route", "destination_cidr_block"),
        ("aws_route", "vpc_peering_connection_id"),
        ("aws_s3_bucket_replication_configuration", "rule"),
        ("aws_secretsmanager_secret", "replica"),
        ("aws_security_group", "egress"),
        ("aws_security_group", "ingress"),
        ("aws_security_group_rule", "cidr_blocks"),
        ("aws_sns_topic_subscription", "endpoint"),
        ("aws_vpc_endpoint", "service_name"),
        ("aws_vpc_peering_connection", "peer_vpc_id"),
        ("aws_vpc_peering_connection_accepter", "vpc_peering_connection_id"),
        ("aws_vpc_peering_connection_options", "vpc_peering_connection_id"),
        ("aws_vpc_security_group_egress_rule", "cidr_ipv4"),
        ("aws_vpc_security_group_ingress_rule", "cidr_ipv4"),
    }
)
_BUS = "aws_cloudwatch_event_bus"


def is_regional(resource: Resource) -> bool:
    """Whether it is in one region: no IAM, no Route 53; of data sources those that name such a thing."""
    if resource.kind.startswith("data."):
        return resource.type in _REGIONAL_DATA
    if resource.type.startswith(_REGIONAL_IN_SPITE):
        return True
    return (
        resource.type.startswith("aws_")
        and not resource.type.startswith(_GLOBAL_PREFIXES)
        and resource.type not in _GLOBAL_TYPES
        and not (resource.type.startswith("aws_wafv2_") and resource.text("scope") == "CLOUDFRONT")
    )


def may_cross(resource: Resource, name: str, target: Resource | None) -> bool:
    """Whether a property may lead to another region: to any resource there, or to this one."""
    if (resource.type, name) in _CROSSES:
        return True
    return (
        resource.type == "aws_cloudwatch_event_target"
        and name == "arn"
        and (target is None or target.type == _BUS)
    )


def twin_type(resource: Resource) -> str:
    """The type that a resource is counted as: a replica of a key is the other region's key."""
    return _TWIN_TYPES.get(resource.kind, resource.kind)


def is_half(resource: Resource) -> bool:
    """Whether a resource is the other region's half of a pair, and is written in another way by nature."""
    return resource.type in _TWIN_TYPES


def standing_once(manifest: Manifest) -> frozenset[str]:
    """The addresses of what needs no twin: what is global, what serves two regions, and what serves only
    those."""
    once = {one.address for one in aws_resources(manifest) if _is_once(one, manifest)}
    while True:
        more = {
            one.address
            for one in aws_resources(manifest)
            if one.address not in once and _follows(one, once, manifest)
        }
        if not more:
            return frozenset(once)
        once |= more


def _is_once(resource: Resource, manifest: Manifest) -> bool:
    if not is_regional(resource) or resource.type in _ONCE or not twin_type(resource):
        return True
    if resource.type == "aws_cloudwatch_metric_alarm":
        return resource.text("namespace") in _ONCE_NAMESPACES
    if resource.type == "aws_cloudtrail":
        return resource.flag("is_multi_region_trail") is True
    if resource.type == "aws_secretsmanager_secret":
        return resource.has("replica")
    if resource.type == "aws_s3_bucket_replication_configuration":
        return not _is_answered(resource, manifest)
    return False


def _is_answered(replication: Resource, manifest: Manifest) -> bool:
    """Whether a bucket that a replication fills replicates too; what goes one way only stands once.

    That a copy should replicate back is PI-S3-003's to say.
    """
    filled = manifest.referents(replication, "rule")
    return any(
        not {*manifest.referents(other, "bucket")}.isdisjoint(filled)
        for other in manifest.all(replication.type)
        if other.address != replication.address
    )


def _follows(resource: Resource, once: set[str], manifest: Manifest) -> bool:
    """Whether a resource is there only for such as stand once."""
    owner = _COMPANIONS.get(resource.type)
    if owner is not None and not isinstance(resource.raw(owner), Missing):
        owners = manifest.referents(resource, owner)
        if owners:
            return all(one.address in once for one in owners)
    if resource.type not in _SERVANTS:
        return False
    masters = list(_masters(resource, manifest))
    # A table is one for all regions, and has something of its own in each: its keys are twins.
    return bool(masters) and all(one.address in once and one.type not in _TABLES for one in masters)


def _masters(resource: Resource, manifest: Manifest) -> Iterator[Resource]:
    """Those who refer to a resource, without what belongs to it and what only names it."""
    for one in manifest.referrers(resource):
        if one.kind.startswith("data."):
            continue
        if one.type.startswith(("aws_iam_", "aws_route53_")) and one.type not in _OF_A_ZONE:
            continue
        owner = _COMPANIONS.get(one.type)
        if owner is None or resource not in manifest.referents(one, owner):
            yield one
        else:  # who refers to what belongs to it, as to a certificate's validation, needs it too
            yield from (other for other in manifest.referrers(one) if other is not resource)
