"""Every property of the stack, in both regions, as boto3 finds it; names come from the flat outputs alone."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import boto3
import httpx
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from payinfra.core.outputs import Declared, Outputs
from payinfra.local.control import Control
from tests.e2e.conftest import Deployment
from tests.e2e.stack.conftest import ROLES, Seen

PURPOSES = ("data", "audit", "application")
REQUIRED_TAGS = {"Environment", "EnvironmentSuffix", "Project", "ManagedBy"}


def pairs(tags: Iterable[Mapping[str, str]], key: str = "Key", value: str = "Value") -> dict[str, str]:
    """A list of tags as a mapping."""
    return {each[key]: each[value] for each in tags}


def one(found: Iterable[Any]) -> Any:
    """The only one of them."""
    (only,) = found
    return only


def statements(policy: str) -> list[dict[str, Any]]:
    found = json.loads(policy)["Statement"]
    assert isinstance(found, list)
    return found


def words(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


# -- tags ----------------------------------------------------------------------------------------------------


def test_the_declared_tags_name_the_environment(declared: Declared, deployment: Deployment) -> None:
    assert declared.tags.keys() >= REQUIRED_TAGS
    assert declared.tags["Environment"] == deployment.outputs["environment_suffix"]
    assert declared.tags["Project"] == "payment-infrastructure"
    assert declared.tags["ManagedBy"] == "cdktf"


# -- KMS -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("purpose", PURPOSES)
def test_keys_rotate_have_an_alias_and_say_who_may_use_them(seen: Seen, purpose: str) -> None:
    kms, arn = seen.client("kms"), getattr(seen.here.keys, purpose)
    key = kms.describe_key(KeyId=arn)["KeyMetadata"]
    assert (key["Enabled"], key["KeyManager"], key["KeyState"]) == (True, "CUSTOMER", "Enabled")
    assert arn.split(":")[3] == seen.region
    assert kms.get_key_rotation_status(KeyId=arn)["KeyRotationEnabled"] is True
    alias = one(kms.list_aliases(KeyId=arn)["Aliases"])
    assert alias["AliasName"] == f"alias/payment-{seen.declared.tags['Environment']}-{purpose}"
    policy = statements(kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"])
    administrators = [each for each in policy if "kms:*" in words(each["Action"])]
    assert [each["Principal"] for each in administrators] == [
        {"AWS": f"arn:aws:iam::{arn.split(':')[4]}:root"}
    ]
    users = [each for each in policy if each not in administrators]
    assert users
    assert all(each["Condition"] for each in users)
    assert seen.tagged(pairs(kms.list_resource_tags(KeyId=arn)["Tags"], "TagKey", "TagValue"))


def test_the_data_key_is_the_one_that_is_given_out(seen: Seen) -> None:
    assert seen.here.keys.data.endswith(f"key/{seen.output('kms_key_id')}")


def test_key_policies_admit_the_services_of_their_own_region(seen: Seen) -> None:
    kms = seen.client("kms")
    policies = {
        purpose: json.dumps(
            statements(
                kms.get_key_policy(KeyId=getattr(seen.here.keys, purpose), PolicyName="default")["Policy"]
            )
        )
        for purpose in PURPOSES
    }
    assert f"dynamodb.{seen.region}.amazonaws.com" in policies["data"]
    assert f"logs.{seen.region}.amazonaws.com" in policies["audit"]
    assert "kms:EncryptionContext:aws:logs:arn" in policies["audit"]
    assert "cloudwatch.amazonaws.com" in policies["audit"]
    assert f"s3.{seen.region}.amazonaws.com" in policies["audit"]
    for service in ("lambda", "ssm"):
        assert f"{service}.{seen.region}.amazonaws.com" in policies["application"]


# -- DynamoDB ------------------------------------------------------------------------------------------------


def test_the_table_is_global_indexed_on_demand_and_encrypted_with_its_regions_key(seen: Seen) -> None:
    dynamodb, name = seen.client("dynamodb"), seen.output("dynamodb_table_name")
    table = dynamodb.describe_table(TableName=name)["Table"]
    assert table["TableArn"] == seen.output("dynamodb_table_arn")
    assert table["TableStatus"] == "ACTIVE"
    assert pairs(table["KeySchema"], "KeyType", "AttributeName") == {
        "HASH": "payment_id",
        "RANGE": "timestamp",
    }
    types = pairs(table["AttributeDefinitions"], "AttributeName", "AttributeType")
    assert types == {"payment_id": "S", "timestamp": "N", "status": "S", "customer_id": "S"}
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert (table["SSEDescription"]["Status"], table["SSEDescription"]["SSEType"]) == ("ENABLED", "KMS")
    assert table["SSEDescription"]["KMSMasterKeyArn"] == seen.here.keys.data
    assert {replica["RegionName"] for replica in table["Replicas"]} >= {seen.there.region}
    assert table.get("DeletionProtectionEnabled", False) is seen.declared.table.deletion_protection
    tags = dynamodb.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]
    assert seen.tagged(pairs(tags)), "tags reach the replica, too"


def test_the_table_has_an_index_by_status_and_one_by_customer(seen: Seen) -> None:
    table = seen.client("dynamodb").describe_table(TableName=seen.output("dynamodb_table_name"))["Table"]
    indexes = {index["IndexName"]: index for index in table["GlobalSecondaryIndexes"]}
    assert set(indexes) == set(seen.declared.table.indexes)
    assert {pairs(index["KeySchema"], "KeyType", "AttributeName")["HASH"] for index in indexes.values()} == {
        "status",
        "customer_id",
    }
    for index in indexes.values():
        assert pairs(index["KeySchema"], "KeyType", "AttributeName")["RANGE"] == "timestamp"
        assert index["Projection"]["ProjectionType"] == "ALL"


def test_the_table_recovers_to_a_point_in_time(seen: Seen) -> None:
    backups = seen.client("dynamodb").describe_continuous_backups(
        TableName=seen.output("dynamodb_table_name")
    )
    recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"


# -- S3 ------------------------------------------------------------------------------------------------------


def test_the_audit_bucket_is_versioned_encrypted_private_and_owned(seen: Seen) -> None:
    s3, bucket = seen.client("s3"), seen.output("s3_bucket_name")
    account = seen.here.keys.audit.split(":")[4]
    assert bucket.endswith(f"{seen.region}-{account}")
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    rule = one(s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"])
    assert rule["ApplyServerSideEncryptionByDefault"] == {
        "SSEAlgorithm": "aws:kms",
        "KMSMasterKeyID": seen.here.keys.audit,
    }
    assert rule["BucketKeyEnabled"] is True
    assert set(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].items()) == {
        ("BlockPublicAcls", True),
        ("IgnorePublicAcls", True),
        ("BlockPublicPolicy", True),
        ("RestrictPublicBuckets", True),
    }
    owner = one(s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"])
    assert owner["ObjectOwnership"] == "BucketOwnerEnforced"
    assert seen.tagged(pairs(s3.get_bucket_tagging(Bucket=bucket)["TagSet"]))


def test_the_audit_bucket_takes_no_request_without_tls(seen: Seen) -> None:
    bucket = seen.output("s3_bucket_name")
    deny = one(statements(seen.client("s3").get_bucket_policy(Bucket=bucket)["Policy"]))
    assert (deny["Effect"], words(deny["Action"])) == ("Deny", ["s3:*"])
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert sorted(deny["Resource"]) == [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]


def test_audit_objects_move_to_glacier_and_end(seen: Seen) -> None:
    kept = seen.declared.retention
    rules = seen.client("s3").get_bucket_lifecycle_configuration(Bucket=seen.output("s3_bucket_name"))[
        "Rules"
    ]
    rule = one(rules)
    assert rule["Status"] == "Enabled"
    assert one(rule["Transitions"]) == {"Days": kept.glacier_after, "StorageClass": "GLACIER"}
    assert kept.glacier_after == 30
    assert rule["Expiration"]["Days"] == kept.audit_expiration
    assert rule["NoncurrentVersionExpiration"]["NoncurrentDays"] == kept.audit
    assert rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] >= 1


def test_each_audit_bucket_is_copied_to_the_other_with_that_regions_key(
    seen: Seen, deployment: Deployment
) -> None:
    other = ROLES[1 - ROLES.index(seen.role)]
    answer = seen.client("s3").get_bucket_replication(Bucket=seen.output("s3_bucket_name"))
    replication = answer["ReplicationConfiguration"]
    assert replication["Role"] == seen.here.replication_role_arn
    rule = one(replication["Rules"])
    assert rule["Status"] == "Enabled"
    assert rule["Destination"]["Bucket"] == f"arn:aws:s3:::{deployment.output('s3_bucket_name', other)}"
    assert rule["Destination"]["EncryptionConfiguration"]["ReplicaKmsKeyID"] == seen.there.keys.audit
    assert rule["SourceSelectionCriteria"] == {
        "SseKmsEncryptedObjects": {"Status": "Enabled"},
        "ReplicaModifications": {"Status": "Enabled"},
    }
    assert rule["DeleteMarkerReplication"]["Status"] == "Enabled"


# -- Lambda --------------------------------------------------------------------------------------------------


def test_the_function_is_as_declared_encrypted_and_traced(seen: Seen) -> None:
    functions, wanted = seen.client("lambda"), seen.here.function
    found = functions.get_function(FunctionName=seen.output("lambda_function_arn"), Qualifier=wanted.alias)
    function = found["Configuration"]
    assert (function["Runtime"], function["Handler"]) == ("python3.11", wanted.handler)
    assert (function["MemorySize"], function["Timeout"]) == (512, 60)
    assert function["Role"] == wanted.role_arn
    assert function["KMSKeyArn"] == seen.here.keys.application
    assert function["TracingConfig"]["Mode"] == "Active"
    assert function["CodeSha256"] == wanted.code_sha256
    variables = function["Environment"]["Variables"]
    assert variables["TABLE_NAME"] == seen.output("dynamodb_table_name")
    assert variables["AUDIT_BUCKET"] == seen.output("s3_bucket_name")
    assert seen.deployment.api_key(seen.role) not in variables.values()
    latest = functions.get_function(FunctionName=seen.output("lambda_function_name"))
    assert seen.tagged(latest["Tags"])


def test_a_published_version_stands_behind_the_alias(seen: Seen) -> None:
    alias = seen.client("lambda").get_alias(
        FunctionName=seen.output("lambda_function_name"), Name=seen.here.function.alias
    )
    assert alias["FunctionVersion"].isdecimal()


def test_both_regions_run_the_same_code(declared: Declared) -> None:
    assert len({region.function.code_sha256 for region in declared.regions}) == 1


def test_changes_of_the_stream_reach_the_function(seen: Seen) -> None:
    mapping = one(
        seen.client("lambda").list_event_source_mappings(
            FunctionName=f"{seen.output('lambda_function_arn')}:{seen.here.function.alias}"
        )["EventSourceMappings"]
    )
    assert mapping["State"] == "Enabled"
    assert mapping["EventSourceArn"].startswith(f"{seen.output('dynamodb_table_arn')}/stream/")
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BisectBatchOnFunctionError"] is True


@pytest.mark.parametrize("which", ["function", "access", "execution"])
def test_log_groups_have_retention_and_key(seen: Seen, which: str) -> None:
    name = getattr(seen.here.log_groups, which)
    logs = seen.client("logs")
    groups = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    group = one(each for each in groups if each["logGroupName"] == name)
    assert group["retentionInDays"] == seen.declared.retention.logs
    assert group["kmsKeyId"] == seen.here.keys.audit
    arn = f"arn:aws:logs:{seen.region}:{seen.here.keys.audit.split(':')[4]}:log-group:{name}"
    assert seen.tagged(logs.list_tags_for_resource(resourceArn=arn)["tags"])


def test_the_functions_log_group_is_the_one_that_is_given_out(seen: Seen) -> None:
    assert seen.here.log_groups.function == seen.output("lambda_log_group_name")
    assert seen.output("lambda_log_group_name") == f"/aws/lambda/{seen.output('lambda_function_name')}"


# -- IAM -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("which", "service"), [("function", "lambda"), ("replication", "s3")])
def test_each_role_is_for_one_service_and_holds_one_policy_without_wildcards(
    seen: Seen, which: str, service: str
) -> None:
    iam = seen.client("iam")
    name = seen.here.function.role_name
    if which == "replication":
        name = seen.here.replication_role_arn.rpartition("/")[2]
    role = iam.get_role(RoleName=name)["Role"]
    trust = one(role["AssumeRolePolicyDocument"]["Statement"])
    assert trust["Principal"] == {"Service": f"{service}.amazonaws.com"}
    assert "aws:SourceAccount" in trust["Condition"]["StringEquals"]
    assert iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"] == []
    policy = one(iam.list_role_policies(RoleName=name)["PolicyNames"])
    document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
    assert seen.tagged(pairs(iam.list_role_tags(RoleName=name)["Tags"]))
    for statement in document["Statement"]:
        assert not [action for action in words(statement["Action"]) if "*" in action]
        if words(statement["Resource"]) == ["*"]:
            # AWS has no other form for these (service authorization reference).
            assert set(words(statement["Action"])) <= {
                "xray:PutTraceSegments",
                "xray:PutTelemetryRecords",
                "dynamodb:ListStreams",
            }


def test_the_functions_role_reaches_the_indexes_and_its_own_regions_things_only(seen: Seen) -> None:
    iam, name = seen.client("iam"), seen.here.function.role_name
    policy = one(iam.list_role_policies(RoleName=name)["PolicyNames"])
    document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
    resources = [each for statement in document["Statement"] for each in words(statement["Resource"])]
    assert f"{seen.output('dynamodb_table_arn')}/index/*" in resources
    regions = {each.split(":")[3] for each in resources if each != "*"}
    assert regions == {seen.region, ""}, "S3 has no region in its ARNs"


# -- API Gateway ---------------------------------------------------------------------------------------------


def test_the_api_is_regional_and_keeps_its_own_endpoint(seen: Seen) -> None:
    api = seen.client("apigateway").get_rest_api(restApiId=seen.here.api.id)
    assert api["name"] == seen.here.api.name
    assert api["endpointConfiguration"]["types"] == ["REGIONAL"]
    assert not api.get("disableExecuteApiEndpoint", False)
    assert seen.tagged(api["tags"])


def test_the_routes_ask_for_a_key_but_health_evacuation_and_preflight(seen: Seen) -> None:
    gateway, api = seen.client("apigateway"), seen.here.api.id
    routes: dict[str, Any] = {}
    for resource in gateway.get_resources(restApiId=api, limit=500)["items"]:
        for verb in resource.get("resourceMethods", {}):
            routes[f"{verb} {resource['path']}"] = gateway.get_method(
                restApiId=api, resourceId=resource["id"], httpMethod=verb
            )
    keyed = {route for route, method in routes.items() if method["apiKeyRequired"]}
    assert keyed == {
        *("POST /payments", "GET /payments", "ANY /payments"),
        *("GET /payments/{payment_id}", "ANY /payments/{payment_id}"),
    }
    assert set(routes) - keyed == {
        *("GET /health", "ANY /health"),
        *("GET /evacuation", "ANY /evacuation"),
        "OPTIONS /payments",
        "OPTIONS /payments/{payment_id}",
    }
    for route, method in routes.items():
        integration = method["methodIntegration"]
        if route.startswith("ANY "):
            # A method that the path does not offer is refused by the gateway itself.
            assert integration["type"] == "MOCK"
            continue
        assert integration["type"] == "AWS_PROXY"
        assert f"{seen.output('lambda_function_arn')}:{seen.here.function.alias}/" in integration["uri"]
    validator = gateway.get_request_validator(
        restApiId=api, requestValidatorId=routes["POST /payments"]["requestValidatorId"]
    )
    assert validator["validateRequestBody"] is True
    model = gateway.get_model(
        restApiId=api, modelName=routes["POST /payments"]["requestModels"]["application/json"]
    )
    assert json.loads(model["schema"])["type"] == "object"


def test_the_stage_logs_traces_and_throttles(seen: Seen) -> None:
    stage = seen.client("apigateway").get_stage(restApiId=seen.here.api.id, stageName="prod")
    assert stage["tracingEnabled"] is True
    access = stage["accessLogSettings"]
    assert access["destinationArn"].endswith(f":log-group:{seen.here.log_groups.access}")
    assert json.loads(access["format"])["request_id"] == "$context.requestId"
    settings = stage["methodSettings"]["*/*"]
    assert settings["loggingLevel"] == "INFO"
    assert settings["dataTraceEnabled"] is False
    assert settings["metricsEnabled"] is True
    assert settings["throttlingRateLimit"] == seen.declared.limits.rate
    assert settings["throttlingBurstLimit"] == seen.declared.limits.burst
    assert seen.tagged(stage["tags"])


def test_the_gateways_own_answers_are_problems(seen: Seen) -> None:
    answers = seen.client("apigateway").get_gateway_responses(restApiId=seen.here.api.id, limit=500)["items"]
    ours = {answer["responseType"]: answer for answer in answers if not answer.get("defaultResponse")}
    assert {"DEFAULT_4XX", "DEFAULT_5XX", "BAD_REQUEST_BODY", "INVALID_API_KEY", "THROTTLED"} <= set(ours)
    for answer in ours.values():
        kind = answer["responseParameters"]["gatewayresponse.header.Content-Type"]
        assert kind == "'application/problem+json'"


def test_the_usage_plan_joins_key_stage_and_limits(seen: Seen) -> None:
    gateway, plan_id = seen.client("apigateway"), seen.here.api.usage_plan_id
    plan = gateway.get_usage_plan(usagePlanId=plan_id)
    assert [(each["apiId"], each["stage"]) for each in plan["apiStages"]] == [(seen.here.api.id, "prod")]
    assert plan["throttle"] == {
        "rateLimit": seen.declared.limits.rate,
        "burstLimit": seen.declared.limits.burst,
    }
    assert (plan["quota"]["limit"], plan["quota"]["period"]) == (seen.declared.limits.daily_quota, "DAY")
    keys = gateway.get_usage_plan_keys(usagePlanId=plan_id)["items"]
    assert [key["id"] for key in keys] == [seen.output("api_key_id")]
    assert gateway.get_api_key(apiKey=seen.output("api_key_id"))["enabled"] is True


def test_one_key_opens_both_regions(deployment: Deployment) -> None:
    values = {
        deployment.client("apigateway", role).get_api_key(
            apiKey=deployment.output("api_key_id", role), includeValue=True
        )["value"]
        for role in ROLES
    }
    assert values == {deployment.api_key("primary")}


def test_the_endpoint_is_where_payments_are_posted(seen: Seen) -> None:
    url = seen.output("api_endpoint")
    assert url.endswith("/prod/payments")
    assert httpx.post(url, json={}).status_code == 403
    answer = httpx.post(url, json={}, headers={"x-api-key": seen.deployment.api_key(seen.role)})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert httpx.get(f"{url.removesuffix('/payments')}/health").status_code == 200


# -- Route 53 ------------------------------------------------------------------------------------------------


def test_a_health_check_asks_the_regional_endpoint(seen: Seen) -> None:
    route53 = seen.client("route53")
    check = route53.get_health_check(HealthCheckId=seen.output("health_check_id"))["HealthCheck"]
    config = check["HealthCheckConfig"]
    assert (config["Type"], config["Port"], config["EnableSNI"]) == ("HTTPS", 443, True)
    assert config["FullyQualifiedDomainName"] == seen.here.api.execute_host
    assert config["ResourcePath"] == seen.declared.health.path == "/prod/health"
    assert config["RequestInterval"] == seen.declared.health.interval_s
    assert config["FailureThreshold"] == seen.declared.health.threshold
    tags = route53.list_tags_for_resource(
        ResourceType="healthcheck", ResourceId=seen.output("health_check_id")
    )
    assert seen.tagged(pairs(tags["ResourceTagSet"]["Tags"]))


def test_two_pairs_of_records_lead_to_the_regions(seen: Seen) -> None:
    outputs, dns = seen.deployment.outputs, seen.declared.dns
    zone_id = outputs["hosted_zone_id"]
    records = seen.client("route53").list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"]
    ours = [each for each in records if each.get("SetIdentifier") in dns.set_identifiers]
    assert len(ours) == 4
    own = [each for each in ours if each["SetIdentifier"] == dns.set_identifiers[ROLES.index(seen.role)]]
    failover = one(each for each in own if each["Name"].rstrip(".") == outputs["failover_domain"])
    latency = one(each for each in own if each["Name"].rstrip(".") == outputs["latency_domain"])
    assert failover["Failover"] == seen.role.upper()
    assert latency["Region"] == seen.region
    for record in (failover, latency):
        assert record["HealthCheckId"] == Outputs.from_flat(outputs).records_check(seen.region)
        assert record["Type"] == "CNAME"
        assert record["TTL"] == dns.ttl_s <= 60
        assert one(record["ResourceRecords"])["Value"].rstrip(".") == seen.here.api.execute_host


def test_the_zone_is_tagged_and_of_this_environment(deployment: Deployment, declared: Declared) -> None:
    route53, zone_id = deployment.client("route53"), deployment.outputs["hosted_zone_id"]
    assert route53.get_hosted_zone(Id=zone_id)["HostedZone"]["Name"].rstrip(".") == declared.dns.zone
    tags = route53.list_tags_for_resource(ResourceType="hostedzone", ResourceId=zone_id)
    assert declared.tags.items() <= pairs(tags["ResourceTagSet"]["Tags"]).items()


# -- CloudWatch and SNS --------------------------------------------------------------------------------------


def test_metric_filters_count_accepted_and_refused_payments(seen: Seen) -> None:
    group = seen.output("lambda_log_group_name")
    found = seen.client("logs").describe_metric_filters(logGroupName=group)["metricFilters"]
    assert {each["filterName"] for each in found} == set(seen.here.metric_filters)
    assert {each["filterPattern"] for each in found} == {
        '{ $.outcome = "accepted" }',
        '{ $.outcome = "refused" }',
    }


def test_alarms_watch_what_is_declared_and_tell_the_topic(seen: Seen) -> None:
    wanted = {alarm.name: alarm for alarm in seen.here.alarms}
    cloudwatch = seen.client("cloudwatch")
    answer = cloudwatch.describe_alarms(AlarmNames=list(wanted))
    found = {alarm["AlarmName"]: alarm for alarm in answer["MetricAlarms"]}
    assert set(found) == set(wanted)
    for name, alarm in found.items():
        declared = wanted[name]
        assert (alarm["MetricName"], alarm["Namespace"]) == (declared.metric, declared.namespace)
        assert alarm["Threshold"] == declared.threshold
        assert alarm["TreatMissingData"] in ("notBreaching", "breaching", "ignore")
        assert alarm["AlarmActions"] == alarm["OKActions"] == [seen.output("sns_topic_arn")]
        assert alarm["ActionsEnabled"] is True
        tags = cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
        assert seen.tagged(pairs(tags))


def test_alarms_cover_function_api_table_indexes_and_replication(seen: Seen) -> None:
    names = [alarm.name for alarm in seen.here.alarms]
    alarms = seen.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]
    watched = {
        (
            each["Namespace"],
            each["MetricName"],
            pairs(each["Dimensions"], "Name", "Value").get("GlobalSecondaryIndexName", ""),
        )
        for each in alarms
    }
    wanted = {("AWS/Lambda", metric, "") for metric in ("Errors", "Duration", "Throttles")}
    wanted |= {("AWS/ApiGateway", metric, "") for metric in ("5XXError", "Latency")}
    wanted |= {
        ("AWS/DynamoDB", metric, index)
        for metric in ("ReadThrottleEvents", "WriteThrottleEvents")
        for index in ("", *seen.declared.table.indexes)
    }
    wanted |= {("AWS/DynamoDB", metric, "") for metric in ("SystemErrors", "ReplicationLatency")}
    assert wanted <= watched
    system = [each for each in alarms if each["MetricName"] == "SystemErrors"]
    operations = {pairs(each["Dimensions"], "Name", "Value")["Operation"] for each in system}
    assert operations == {"PutItem", "Query", "TransactWriteItems", "UpdateItem"}
    lag = one(each for each in alarms if each["MetricName"] == "ReplicationLatency")
    assert pairs(lag["Dimensions"], "Name", "Value")["ReceivingRegion"] == seen.there.region


def test_the_health_alarms_stand_where_their_metrics_are(deployment: Deployment, declared: Declared) -> None:
    health = declared.health
    role = ROLES[[deployment.region(role) for role in ROLES].index(health.metrics_region)]
    assert health.metrics_region == "us-east-1"
    alarms = deployment.client("cloudwatch", role).describe_alarms(
        AlarmNames=[alarm.name for alarm in health.alarms]
    )["MetricAlarms"]
    checks = {pairs(each["Dimensions"], "Name", "Value")["HealthCheckId"] for each in alarms}
    assert checks == {deployment.output("health_check_id", role) for role in ROLES}
    for alarm in alarms:
        assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 1)
        assert alarm["TreatMissingData"] == "breaching"
        assert alarm["AlarmActions"] == [health.topic_arn]


def test_the_topic_is_encrypted_and_takes_alarms_only(seen: Seen) -> None:
    sns, arn = seen.client("sns"), seen.output("sns_topic_arn")
    attributes = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
    assert attributes["KmsMasterKeyId"] == seen.here.keys.audit
    policy = statements(attributes["Policy"])
    allowed = one(each for each in policy if each["Effect"] == "Allow")
    assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    denied = one(each for each in policy if each["Effect"] == "Deny")
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert seen.tagged(pairs(sns.list_tags_for_resource(ResourceArn=arn)["Tags"]))


def test_each_dashboard_shows_both_regions(seen: Seen) -> None:
    body = seen.client("cloudwatch").get_dashboard(DashboardName=seen.here.dashboard)["DashboardBody"]
    shown = {widget["properties"].get("region") for widget in json.loads(body)["widgets"]}
    assert {seen.here.region, seen.there.region} <= shown


# -- SSM -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("which", "output"),
    [
        ("table_name", "dynamodb_table_name"),
        ("bucket_name", "s3_bucket_name"),
        ("endpoint", "api_endpoint"),
    ],
)
def test_parameters_say_what_is_where(seen: Seen, which: str, output: str) -> None:
    ssm, name = seen.client("ssm"), getattr(seen.here.parameters, which)
    parameter = ssm.get_parameter(Name=name)["Parameter"]
    assert (parameter["Type"], parameter["Value"]) == ("String", seen.output(output))
    assert seen.tagged(
        pairs(ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"])
    )


def test_the_api_key_is_a_secure_parameter_under_the_application_key(seen: Seen) -> None:
    ssm, name = seen.client("ssm"), seen.output("api_key_parameter")
    assert name == seen.here.parameters.api_key
    filters = [{"Key": "Name", "Option": "Equals", "Values": [name]}]
    described = one(ssm.describe_parameters(ParameterFilters=filters)["Parameters"])
    assert described["Type"] == "SecureString"
    assert described["KeyId"] in (seen.here.keys.application, seen.here.keys.application.rpartition("/")[2])


# -- who may not ---------------------------------------------------------------------------------------------


def test_nobody_without_credentials_reads_an_audit_object(seen: Seen) -> None:
    stranger = boto3.client(
        "s3",
        region_name=seen.region,
        endpoint_url=seen.deployment.endpoints.regions[seen.region],
        config=Config(signature_version=UNSIGNED, s3={"addressing_style": "path"}),
    )
    with pytest.raises(ClientError, match=r"AccessDenied|403"):
        stranger.list_objects_v2(Bucket=seen.output("s3_bucket_name"))


def test_the_control_is_not_among_the_regions(deployment: Deployment) -> None:
    control = Control.of(deployment.project.server)
    assert control.status().endpoints.global_url not in deployment.endpoints.regions.values()
