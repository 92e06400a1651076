"""The permissions that payinfra needs: for each resource type of the stack, and for its own calls.

Actions are those that Terraform's AWS provider 5.100 calls to create, read, update, tag and delete a
resource, under the names of the service authorization reference. A list without resources stands under
`WITHOUT_RESOURCE`: AWS has no narrower form for it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from payinfra.account.arn_patterns import ArnGroup

Needs = Mapping[ArnGroup, tuple[str, ...]]


def _of(service: str, *actions: str) -> tuple[str, ...]:
    return tuple(f"{service}:{action}" for action in actions)


_API: Needs = {
    # What is made with tags is put below /tags as well, where nothing has the tags of a resource yet.
    ArnGroup.NEW_APIS: ("apigateway:POST", "apigateway:PUT"),
    ArnGroup.APIS: _of("apigateway", "DELETE", "GET", "PATCH", "POST", "PUT"),
}
"""API Gateway authorizes verbs on paths, so all of its types need the same."""

_DNS_TAGS = ("route53:ChangeTagsForResource", "route53:ListTagsForResource")


def _bucket(*actions: str) -> Needs:
    return {ArnGroup.BUCKETS: _of("s3", *actions)}


RESOURCE_TYPES: Mapping[str, Needs] = {
    "aws_acm_certificate": {
        ArnGroup.NEW_CERTIFICATES: ("acm:RequestCertificate", "acm:AddTagsToCertificate"),
        ArnGroup.CERTIFICATES: _of(
            "acm",
            "AddTagsToCertificate",
            "DeleteCertificate",
            "DescribeCertificate",
            "ListTagsForCertificate",
            "RemoveTagsFromCertificate",
        ),
    },
    "aws_acm_certificate_validation": {ArnGroup.CERTIFICATES: ("acm:DescribeCertificate",)},
    "aws_api_gateway_api_key": _API,
    "aws_api_gateway_base_path_mapping": _API,
    "aws_api_gateway_deployment": _API,
    "aws_api_gateway_domain_name": {**_API, ArnGroup.SERVICE_LINKED: ("iam:CreateServiceLinkedRole",)},
    "aws_api_gateway_gateway_response": _API,
    "aws_api_gateway_integration": _API,
    "aws_api_gateway_integration_response": _API,
    "aws_api_gateway_method": _API,
    "aws_api_gateway_method_response": _API,
    "aws_api_gateway_method_settings": _API,
    "aws_api_gateway_model": _API,
    "aws_api_gateway_request_validator": _API,
    "aws_api_gateway_resource": _API,
    "aws_api_gateway_rest_api": _API,
    "aws_api_gateway_stage": _API,
    "aws_api_gateway_usage_plan": _API,
    "aws_api_gateway_usage_plan_key": _API,
    "aws_cloudwatch_dashboard": {
        ArnGroup.DASHBOARDS: _of("cloudwatch", "DeleteDashboards", "GetDashboard", "PutDashboard")
    },
    "aws_cloudwatch_log_group": {
        group: _of(
            "logs",
            "AssociateKmsKey",
            "CreateLogGroup",
            "DeleteLogGroup",
            "DeleteRetentionPolicy",
            "DisassociateKmsKey",
            "ListTagsForResource",
            "PutRetentionPolicy",
            "TagResource",
            "UntagResource",
        )
        for group in (ArnGroup.LOG_GROUPS, ArnGroup.EXECUTION_LOGS)
    }
    | {ArnGroup.WITHOUT_RESOURCE: ("logs:DescribeLogGroups",)},
    "aws_cloudwatch_log_metric_filter": {
        ArnGroup.LOG_GROUPS: _of("logs", "DeleteMetricFilter", "DescribeMetricFilters", "PutMetricFilter")
    },
    "aws_cloudwatch_metric_alarm": {
        ArnGroup.ALARMS: _of(
            "cloudwatch",
            "DeleteAlarms",
            "DescribeAlarms",
            "ListTagsForResource",
            "PutMetricAlarm",
            "TagResource",
            "UntagResource",
        ),
        # This call is authorized on all alarms, whichever it names.
        ArnGroup.WITHOUT_RESOURCE: ("cloudwatch:DescribeAlarms",),
    },
    "aws_dynamodb_table": {
        ArnGroup.TABLES: _of(
            "dynamodb",
            "CreateTable",
            "CreateTableReplica",
            "DeleteTable",
            "DeleteTableReplica",
            "DescribeContinuousBackups",
            "DescribeTable",
            "DescribeTimeToLive",
            "ListTagsOfResource",
            "TagResource",
            "UntagResource",
            "UpdateContinuousBackups",
            "UpdateTable",
            # To fill a replica (DynamoDB developer guide, "Using IAM with global tables").
            "BatchWriteItem",
            "DeleteItem",
            "GetItem",
            "PutItem",
            "Query",
            "Scan",
            "UpdateItem",
        ),
        ArnGroup.SERVICE_LINKED: ("iam:CreateServiceLinkedRole",),
        # The provider compares each replica's key with DynamoDB's own.
        ArnGroup.WITHOUT_RESOURCE: ("kms:DescribeKey",),
        ArnGroup.KEYS_IN_USE: ("kms:CreateGrant",),
        ArnGroup.KEYS: _of("kms", "Decrypt", "Encrypt", "GenerateDataKey*", "ReEncrypt*"),
    },
    "aws_iam_role": {
        ArnGroup.ROLES_TO_BOUND: _of("iam", "CreateRole", "PutRolePermissionsBoundary"),
        ArnGroup.ROLES: _of(
            "iam",
            "DeleteRole",
            "GetRole",
            "ListAttachedRolePolicies",
            "ListInstanceProfilesForRole",
            "ListRolePolicies",
            "TagRole",
            "UntagRole",
            "UpdateAssumeRolePolicy",
            "UpdateRole",
            "UpdateRoleDescription",
        ),
    },
    "aws_iam_role_policy": {
        ArnGroup.ROLES_TO_BOUND: ("iam:PutRolePolicy",),
        ArnGroup.ROLES: _of("iam", "DeleteRolePolicy", "GetRolePolicy"),
    },
    "aws_kms_alias": {
        ArnGroup.KEY_ALIASES: _of("kms", "CreateAlias", "DeleteAlias", "UpdateAlias"),
        ArnGroup.KEYS: _of("kms", "CreateAlias", "DeleteAlias", "UpdateAlias"),
        ArnGroup.WITHOUT_RESOURCE: ("kms:ListAliases",),
    },
    "aws_kms_key": {
        ArnGroup.NEW_KEYS: _of("kms", "CreateKey", "TagResource"),
        ArnGroup.KEYS: _of(
            "kms",
            "DescribeKey",
            "EnableKeyRotation",
            "GetKeyPolicy",
            "GetKeyRotationStatus",
            "ListResourceTags",
            "PutKeyPolicy",
            "ScheduleKeyDeletion",
            "TagResource",
            "UntagResource",
            "UpdateKeyDescription",
        ),
    },
    "aws_lambda_alias": {
        ArnGroup.FUNCTIONS: _of("lambda", "CreateAlias", "DeleteAlias", "GetAlias", "UpdateAlias")
    },
    "aws_lambda_event_source_mapping": {
        ArnGroup.STREAM_READERS: _of(
            "lambda",
            "CreateEventSourceMapping",
            "DeleteEventSourceMapping",
            "UpdateEventSourceMapping",
        ),
        # A mapping that is gone is read too, and has no function to match the condition with.
        ArnGroup.ANY_STREAM_READER: _of(
            "lambda", "GetEventSourceMapping", "ListTags", "TagResource", "UntagResource"
        ),
    },
    "aws_lambda_function": {
        ArnGroup.FUNCTIONS: _of(
            "lambda",
            "CreateFunction",
            "DeleteFunction",
            "DeleteFunctionConcurrency",
            "GetFunction",
            "GetFunctionCodeSigningConfig",
            "ListTags",
            "ListVersionsByFunction",
            "PublishVersion",
            "PutFunctionConcurrency",
            "TagResource",
            "UntagResource",
            "UpdateFunctionCode",
            "UpdateFunctionConfiguration",
        ),
        ArnGroup.LAYERS: ("lambda:GetLayerVersion",),
        ArnGroup.ROLES_FOR_LAMBDA: ("iam:PassRole",),
        ArnGroup.KEYS_IN_USE: ("kms:CreateGrant",),
        ArnGroup.KEYS: _of("kms", "Decrypt", "Encrypt", "GenerateDataKey*"),
    },
    "aws_lambda_permission": {
        ArnGroup.FUNCTIONS: _of("lambda", "AddPermission", "GetPolicy", "RemovePermission")
    },
    "aws_route53_health_check": {
        ArnGroup.WITHOUT_RESOURCE: ("route53:CreateHealthCheck",),
        ArnGroup.HEALTH_CHECKS: _of("route53", "DeleteHealthCheck", "GetHealthCheck", "UpdateHealthCheck")
        + _DNS_TAGS,
    },
    "aws_route53_record": {
        ArnGroup.RECORDS: ("route53:ChangeResourceRecordSets",),
        ArnGroup.ZONES: _of("route53", "GetChange", "GetHostedZone", "ListResourceRecordSets"),
    },
    "aws_route53_zone": {
        ArnGroup.WITHOUT_RESOURCE: ("route53:CreateHostedZone",),
        ArnGroup.ZONES: _of(
            "route53",
            "DeleteHostedZone",
            "GetChange",
            "GetDNSSEC",
            "GetHostedZone",
            "ListResourceRecordSets",
            "UpdateHostedZoneComment",
        )
        + _DNS_TAGS,
    },
    "aws_s3_bucket": {
        **_bucket(
            "CreateBucket",
            "DeleteBucket",
            "GetAccelerateConfiguration",
            "GetBucketAcl",
            "GetBucketCORS",
            "GetBucketLocation",
            "GetBucketLogging",
            "GetBucketObjectLockConfiguration",
            "GetBucketPolicy",
            "GetBucketRequestPayment",
            "GetBucketTagging",
            "GetBucketVersioning",
            "GetBucketWebsite",
            "GetEncryptionConfiguration",
            "GetLifecycleConfiguration",
            "GetReplicationConfiguration",
            "ListBucket",
            # A bucket of a throwaway environment is emptied before it is deleted.
            "ListBucketVersions",
            "PutBucketTagging",
        ),
        ArnGroup.OBJECTS: _of("s3", "DeleteObject", "DeleteObjectVersion"),
    },
    "aws_s3_bucket_lifecycle_configuration": _bucket(
        "GetLifecycleConfiguration", "PutLifecycleConfiguration"
    ),
    "aws_s3_bucket_object_lock_configuration": _bucket(
        "GetBucketObjectLockConfiguration", "PutBucketObjectLockConfiguration"
    ),
    "aws_s3_bucket_ownership_controls": _bucket("GetBucketOwnershipControls", "PutBucketOwnershipControls"),
    "aws_s3_bucket_policy": _bucket("DeleteBucketPolicy", "GetBucketPolicy", "PutBucketPolicy"),
    "aws_s3_bucket_public_access_block": _bucket("GetBucketPublicAccessBlock", "PutBucketPublicAccessBlock"),
    "aws_s3_bucket_replication_configuration": {
        **_bucket("GetReplicationConfiguration", "PutReplicationConfiguration"),
        ArnGroup.ROLES_FOR_S3: ("iam:PassRole",),
    },
    "aws_s3_bucket_server_side_encryption_configuration": _bucket(
        "GetEncryptionConfiguration", "PutEncryptionConfiguration"
    ),
    "aws_s3_bucket_versioning": _bucket("GetBucketVersioning", "PutBucketVersioning"),
    "aws_sns_topic": {
        ArnGroup.TOPICS: _of(
            "sns",
            "CreateTopic",
            "DeleteTopic",
            "GetTopicAttributes",
            "ListTagsForResource",
            "SetTopicAttributes",
            "TagResource",
            "UntagResource",
        )
    },
    "aws_sns_topic_policy": {ArnGroup.TOPICS: _of("sns", "GetTopicAttributes", "SetTopicAttributes")},
    "aws_sns_topic_subscription": {
        ArnGroup.TOPICS: _of(
            "sns", "GetSubscriptionAttributes", "SetSubscriptionAttributes", "Subscribe", "Unsubscribe"
        )
    },
    "aws_ssm_parameter": {
        ArnGroup.PARAMETERS: _of(
            "ssm",
            "AddTagsToResource",
            "DeleteParameter",
            "GetParameter",
            "GetParameters",
            "ListTagsForResource",
            "PutParameter",
            "RemoveTagsFromResource",
        ),
        ArnGroup.WITHOUT_RESOURCE: ("ssm:DescribeParameters",),
        ArnGroup.KEYS: _of("kms", "Decrypt", "Encrypt", "GenerateDataKey*"),
    },
}
"""By Terraform resource type. For IAM, deleting a bucket's setting is a Put action."""


class Operation(StrEnum):
    """What payinfra does in addition to applying plans."""

    DEPLOY = "deploy"
    ADOPT = "adopt"
    STATE = "state"
    VERIFY = "verify"
    DRILL = "drill"
    ROTATE = "rotate"
    DESTROY = "destroy"
    REAP = "reap"


OPERATIONS: Mapping[Operation, Needs] = {
    # A deployment reads the account's settings first. A rolling update points the alias back on failure.
    Operation.DEPLOY: {
        ArnGroup.API_SETTINGS: ("apigateway:GET",),
        ArnGroup.API_LISTS: ("apigateway:GET",),
        ArnGroup.FUNCTIONS: _of("lambda", "GetAlias", "GetFunctionConcurrency", "UpdateAlias"),
        ArnGroup.PARAMETERS: ("ssm:GetParameter",),
        ArnGroup.KEYS: ("kms:Decrypt",),
        # What the account has room for (account/quotas.py).
        ArnGroup.WITHOUT_RESOURCE: (
            "iam:GetAccountSummary",
            "lambda:GetAccountSettings",
            "route53:GetAccountLimit",
            *_of("servicequotas", "GetAWSDefaultServiceQuota", "GetServiceQuota"),
        ),
    },
    # What exists is looked for after a deployment that was cut off and where a state is lost
    # (recovery/import_ids.py, every_type.py); by tag and name before a first deployment and after a
    # destruction as well (discovery.py).
    Operation.ADOPT: {
        ArnGroup.API_LISTS: ("apigateway:GET",),
        ArnGroup.FUNCTIONS: ("lambda:GetFunctionConfiguration",),
        ArnGroup.DASHBOARDS: ("cloudwatch:GetDashboard",),
        ArnGroup.PARAMETERS: _of("ssm", "GetParameter", "GetParameters"),
        ArnGroup.TOPICS: _of("sns", "GetTopicAttributes", "ListSubscriptionsByTopic"),
        ArnGroup.WITHOUT_RESOURCE: (
            "acm:ListCertificates",
            *_of("kms", "DescribeKey", "ListAliases", "ListKeys", "ListResourceTags"),
            "lambda:ListEventSourceMappings",
            *_of("route53", "ListHealthChecks", "ListHostedZonesByName"),
            "s3:ListAllMyBuckets",
            "tag:GetResources",
        ),
    },
    # Terraform's documentation of the S3 backend, "S3 Bucket Permissions", and its lock file beside it.
    Operation.STATE: {
        ArnGroup.STATE_BUCKET: ("s3:ListBucket",),
        ArnGroup.STATE: _of("s3", "DeleteObject", "GetObject", "PutObject"),
        ArnGroup.STATE_KEYS: _of("kms", "Decrypt", "GenerateDataKey"),
    },
    # The calls that the probes of payinfra/checks/probes document.
    Operation.VERIFY: {
        ArnGroup.API_SETTINGS: ("apigateway:GET",),
        ArnGroup.APIS: ("apigateway:GET",),
        # Another usage plan may cover the stage.
        ArnGroup.API_LISTS: ("apigateway:GET",),
        ArnGroup.TABLES: _of(
            "dynamodb",
            "DeleteItem",
            "DescribeContinuousBackups",
            "DescribeTable",
            "DescribeTimeToLive",
            "GetItem",
            "GetResourcePolicy",
            "ListTagsOfResource",
            "PutItem",
            "Query",
        ),
        ArnGroup.BUCKETS: _of(
            "s3",
            "GetBucketObjectLockConfiguration",
            "GetBucketOwnershipControls",
            "GetBucketPolicy",
            "GetBucketPublicAccessBlock",
            "GetBucketTagging",
            "GetBucketVersioning",
            "GetEncryptionConfiguration",
            "GetLifecycleConfiguration",
            "GetReplicationConfiguration",
            # Without it S3 answers 403 for a missing object (S3 API reference, HeadObject).
            "ListBucket",
            "ListBucketVersions",
        ),
        ArnGroup.OBJECTS: _of("s3", "GetObject", "GetObjectVersion"),
        # Nobody who verifies or drills may remove a customer's audit object.
        ArnGroup.TEST_OBJECTS: _of(
            "s3", "BypassGovernanceRetention", "DeleteObject", "DeleteObjectVersion", "PutObject"
        ),
        ArnGroup.KEYS: _of(
            "kms",
            "Decrypt",
            "DescribeKey",
            "Encrypt",
            "GenerateDataKey",
            "GetKeyPolicy",
            "GetKeyRotationStatus",
            "ListGrants",
            "ListResourceTags",
        ),
        ArnGroup.FUNCTIONS: _of(
            "lambda",
            "GetAlias",
            "GetFunction",
            "GetFunctionConcurrency",
            "GetFunctionConfiguration",
            "GetPolicy",
            "ListTags",
        ),
        ArnGroup.ROLES: _of(
            "iam", "GetRole", "ListAttachedRolePolicies", "ListRolePolicies", "SimulatePrincipalPolicy"
        ),
        ArnGroup.LOG_GROUPS: _of("logs", "DescribeMetricFilters", "FilterLogEvents"),
        ArnGroup.DASHBOARDS: ("cloudwatch:GetDashboard",),
        ArnGroup.TOPICS: _of("sns", "GetTopicAttributes", "ListSubscriptionsByTopic", "ListTagsForResource"),
        ArnGroup.PARAMETERS: ("ssm:GetParameter",),
        ArnGroup.HEALTH_CHECKS: _of("route53", "GetHealthCheck", "GetHealthCheckStatus"),
        ArnGroup.RECORDS: ("route53:ChangeResourceRecordSets",),
        ArnGroup.ZONES: _of("route53", "GetChange", "GetHostedZone", "ListResourceRecordSets"),
        ArnGroup.WITHOUT_RESOURCE: (
            *_of("cloudwatch", "DescribeAlarms", "GetMetricData"),
            "logs:DescribeLogGroups",
            "kms:ListAliases",
            "lambda:ListEventSourceMappings",
            "ssm:DescribeParameters",
        ),
    },
    # Each fault with its rollback; a drill removes its payments afterwards.
    Operation.DRILL: {
        ArnGroup.HEALTH_CHECKS: _of("route53", "GetHealthCheck", "GetHealthCheckStatus", "UpdateHealthCheck"),
        ArnGroup.ZONES: _of("route53", "GetHostedZone", "ListResourceRecordSets"),
        ArnGroup.FUNCTIONS: _of(
            "lambda",
            "DeleteFunctionConcurrency",
            "GetFunctionConcurrency",
            "ListTags",
            "PutFunctionConcurrency",
        ),
        ArnGroup.TABLES: _of(
            "dynamodb", "DeleteItem", "DescribeTable", "GetItem", "ListTagsOfResource", "Query", "Scan"
        ),
        ArnGroup.BUCKETS: ("s3:ListBucketVersions",),
        ArnGroup.TEST_OBJECTS: _of("s3", "BypassGovernanceRetention", "DeleteObjectVersion"),
        ArnGroup.PARAMETERS: _of("ssm", "GetParameter", "PutParameter"),
        ArnGroup.APIS: ("apigateway:GET",),
        ArnGroup.EXPERIMENTS: _of(
            "fis",
            "CreateExperimentTemplate",
            "DeleteExperimentTemplate",
            "GetExperiment",
            "StartExperiment",
            "StopExperiment",
            "TagResource",
        ),
        ArnGroup.SCHEDULES: _of("scheduler", "CreateSchedule", "DeleteSchedule", "GetSchedule"),
        ArnGroup.ROLES_FOR_FIS: ("iam:PassRole",),
        ArnGroup.SERVICE_LINKED: ("iam:CreateServiceLinkedRole",),
        ArnGroup.ROLES_FOR_SCHEDULER: ("iam:PassRole",),
        ArnGroup.WITHOUT_RESOURCE: (
            *_of("cloudwatch", "DescribeAlarms", "GetMetricStatistics"),
            *_of("fis", "ListExperiments", "ListExperimentTemplates"),
            "lambda:GetAccountSettings",
        ),
    },
    # Rotating the API key (deployment/key_rotation/keys.py).
    Operation.ROTATE: {
        ArnGroup.API_LISTS: ("apigateway:GET",),
        ArnGroup.NEW_APIS: ("apigateway:POST", "apigateway:PUT"),
        ArnGroup.APIS: _of("apigateway", "DELETE", "GET", "PATCH", "POST"),
        ArnGroup.PARAMETERS: _of("ssm", "GetParameter", "PutParameter"),
        ArnGroup.WITHOUT_RESOURCE: ("ssm:DescribeParameters",),
        ArnGroup.KEYS: _of("kms", "Decrypt", "Encrypt"),
    },
    # Keys of an unfinished rotation, which are in no state (deployment/key_rotation/orphaned_keys.py).
    Operation.DESTROY: {
        ArnGroup.API_LISTS: ("apigateway:GET",),
        ArnGroup.APIS: _of("apigateway", "DELETE", "GET"),
    },
    # Environments are found by their tags.
    Operation.REAP: {ArnGroup.WITHOUT_RESOURCE: ("tag:GetResources",)},
}


@dataclass(frozen=True)
class Permission:
    """Actions on one group of resources, in the order of their names."""

    target: ArnGroup
    actions: tuple[str, ...]


def permissions(
    types: Iterable[str] = tuple(RESOURCE_TYPES), operations: Iterable[Operation] = tuple(Operation)
) -> tuple[Permission, ...]:
    """All permissions that these types and operations need, without duplicates."""
    needs = [RESOURCE_TYPES[one] for one in types] + [OPERATIONS[one] for one in operations]
    return tuple(
        Permission(target, actions)
        for target in ArnGroup
        if (actions := tuple(sorted({action for need in needs for action in need.get(target, ())})))
    )
