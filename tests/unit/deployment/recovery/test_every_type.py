"""Every type of the stack is found on AWS, and of several the one that is in use."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from payinfra.account.extension_permissions import SERVICES
from payinfra.account.permissions import RESOURCE_TYPES
from payinfra.clients.aws import Aws
from payinfra.deployment.recovery.every_type import EVERY_TYPE, MADE_WITHOUT_AWS
from payinfra.deployment.recovery.import_ids import find
from payinfra.deployment.recovery.ownership import FoundResource
from payinfra.terraform import Creation
from tests.unit.deployment.recovery.conftest import PAIRS, TAGS, Stubbed

Make = Callable[..., Creation]
MADE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TOPIC = "arn:aws:sns:us-east-1:000000000000:payment-a-alarms"
KEY = "arn:aws:kms:us-east-1:000000000000:key/"
KEY_TAGS = [{"TagKey": name, "TagValue": value} for name, value in TAGS.items()]


def look(creation: Creation, aws: Aws) -> tuple[FoundResource, ...]:
    return find(creation, aws, EVERY_TYPE)


def test_every_type_of_the_stack_is_looked_for_or_is_nothing_on_aws() -> None:
    of_extensions = set(SERVICES[0].actions)
    assert (EVERY_TYPE.keys() | MADE_WITHOUT_AWS) - of_extensions == RESOURCE_TYPES.keys()


def test_a_queue_that_an_extension_adds(aws: Stubbed, creation: Make) -> None:
    url, arn = "https://sqs/1/orders", "arn:aws:sqs:us-east-1:000000000000:payment-a-orders"
    aws.answers("sqs", "get_queue_url", {"QueueUrl": url}, QueueName="payment-a-orders")
    aws.answers("sqs", "get_queue_attributes", {"Attributes": {"QueueArn": arn}})
    aws.answers("sqs", "list_queue_tags", {"Tags": TAGS}, QueueUrl=url)
    found = look(creation("aws_sqs_queue", name="payment-a-orders"), aws)
    assert found == (FoundResource(url, arn=arn, tags=TAGS),)
    assert found[0].known["url"] == url


@pytest.mark.parametrize(
    ("type_", "attribute"),
    [
        ("aws_sqs_queue_policy", "Policy"),
        ("aws_sqs_queue_redrive_policy", "RedrivePolicy"),
        ("aws_sqs_queue_redrive_allow_policy", "RedriveAllowPolicy"),
    ],
)
def test_a_setting_of_a_queue_goes_with_it(aws: Stubbed, creation: Make, type_: str, attribute: str) -> None:
    url = "https://sqs/1/orders"
    asked = {"QueueUrl": url, "AttributeNames": [attribute]}
    aws.answers("sqs", "get_queue_attributes", {"Attributes": {attribute: "{}"}}, **asked)
    aws.answers("sqs", "get_queue_attributes", {}, **asked)
    wanted = creation(type_, queue_url=url)
    assert look(wanted, aws) == (FoundResource(url, parent=url),)
    assert look(wanted, aws) == ()
    assert look(creation(type_), aws) == ()


def test_a_queue_that_is_not_there(aws: Stubbed, creation: Make) -> None:
    aws.refuses("sqs", "get_queue_url", "AWS.SimpleQueueService.NonExistentQueue")
    assert look(creation("aws_sqs_queue", name="payment-a-orders"), aws) == ()


# -- which of several --------------------------------------------------------------------------------


def a_key(id_: str = "k-1", state: str = "Enabled") -> dict[str, Any]:
    return {"KeyId": id_, "Arn": f"{KEY}{id_}", "Description": "payment-a: data", "KeyState": state} | {
        "CreationDate": MADE
    }


def test_the_key_in_use_is_the_one_that_the_alias_leads_to(aws: Stubbed, creation: Make) -> None:
    aws.answers("kms", "describe_key", {"KeyMetadata": a_key()}, KeyId="alias/payment-a-data")
    aws.answers("kms", "list_resource_tags", {"Tags": KEY_TAGS}, KeyId="k-1")
    (found,) = look(creation("aws_kms_key", description="payment-a: data"), aws)
    assert (found.import_id, found.tags) == ("k-1", TAGS)
    assert found.known == {"id": "k-1", "key_id": "k-1", "arn": f"{KEY}k-1"}


def test_without_an_alias_keys_are_told_by_what_they_are_for(aws: Stubbed, creation: Make) -> None:
    wanted = creation("aws_kms_key", description="payment-a: data")
    aws.refuses("kms", "describe_key", "NotFoundException")
    aws.answers("kms", "list_keys", {"Keys": [{"KeyId": "k-1"}]})
    aws.answers("kms", "describe_key", {"KeyMetadata": a_key()}, KeyId="k-1")
    aws.answers("kms", "list_resource_tags", {"Tags": KEY_TAGS}, KeyId="k-1")
    assert [one.import_id for one in look(wanted, aws)] == ["k-1"]
    aws.answers("kms", "describe_key", {"KeyMetadata": a_key(state="PendingDeletion")})
    aws.answers("kms", "list_keys", {"Keys": []})
    assert look(wanted, aws) == ()
    aws.refuses("kms", "describe_key", "ThrottlingException")
    with pytest.raises(ClientError, match="Throttling"):
        look(wanted, aws)


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://r-2.execute-api.us-east-1.amazonaws.com/prod/payments",
        "http://127.0.0.1:4566/_aws/execute-api/r-2/prod/payments",
    ],
)
def test_the_api_in_use_is_the_one_that_is_published(aws: Stubbed, creation: Make, endpoint: str) -> None:
    apis = [{"id": id_, "name": "n", "createdDate": MADE, "rootResourceId": "o"} for id_ in ("r-1", "r-2")]
    aws.answers(
        "ssm",
        "get_parameter",
        {"Parameter": {"Value": endpoint}},
        Name="/payment-a/endpoint",
        WithDecryption=True,
    )
    aws.answers("apigateway", "get_rest_apis", {"items": apis})
    found = look(creation("aws_api_gateway_rest_api", name="n"), aws)
    assert [(one.import_id, one.in_use) for one in found] == [("r-1", False), ("r-2", True)]
    assert found[0].known == {"id": "r-1", "root_resource_id": "o"}


def test_without_anything_published_no_api_is_known_to_be_in_use(aws: Stubbed, creation: Make) -> None:
    wanted = creation("aws_api_gateway_rest_api", name="n")
    aws.refuses("ssm", "get_parameter", "ParameterNotFound")
    aws.answers("apigateway", "get_rest_apis", {"items": [{"id": "r-1", "name": "n", "createdDate": MADE}]})
    assert [one.in_use for one in look(wanted, aws)] == [False]
    aws.refuses("ssm", "get_parameter", "AccessDeniedException")
    with pytest.raises(ClientError, match="AccessDenied"):
        look(wanted, aws)


def test_the_api_key_in_use_is_the_one_whose_value_is_published(aws: Stubbed, creation: Make) -> None:
    wanted = creation("aws_api_gateway_api_key", name="n")
    keys = [{"id": id_, "name": "n", "createdDate": MADE} for id_ in ("k-1", "k-2")]
    aws.answers("apigateway", "get_api_keys", {"items": keys})
    aws.answers("ssm", "get_parameter", {"Parameter": {"Value": "hush"}})
    for id_, value in (("k-1", "other"), ("k-2", "hush")):
        aws.answers("apigateway", "get_api_key", {"value": value}, apiKey=id_, includeValue=True)
    found = look(wanted, aws)
    assert [(one.import_id, one.in_use) for one in found] == [("k-1", False), ("k-2", True)]
    assert "hush" not in repr(found)
    aws.answers("apigateway", "get_api_keys", {"items": keys[:1]})
    assert [one.import_id for one in look(wanted, aws)] == ["k-1"], "there is no question"


def test_the_zone_in_use_is_the_one_with_the_environments_records(aws: Stubbed, creation: Make) -> None:
    zones = [
        {"Id": f"/hostedzone/{id_}", "Name": "payment-a.internal.", "CallerReference": "c"}
        for id_ in ("Z1", "Z2")
    ]
    answer = {"HostedZones": zones, "IsTruncated": False, "MaxItems": "100"}
    aws.answers("route53", "list_hosted_zones_by_name", answer)
    records = {"IsTruncated": False, "MaxItems": "100"}
    for id_, name in (("Z1", "latency.payment-a.internal."), ("Z2", "failover.payment-a.internal.")):
        tagged = {"ResourceTagSet": {"ResourceType": "hostedzone", "ResourceId": id_, "Tags": PAIRS}}
        aws.answers("route53", "list_tags_for_resource", tagged)
        aws.answers(
            "route53",
            "list_resource_record_sets",
            records | {"ResourceRecordSets": [{"Name": name, "Type": "CNAME"}]},
            HostedZoneId=id_,
            StartRecordName="failover.payment-a.internal.",
        )
    found = look(creation("aws_route53_zone", name="payment-a.internal"), aws)
    assert [(one.import_id, one.in_use) for one in found] == [("Z1", False), ("Z2", True)]
    assert found[0].known == {"id": "Z1", "zone_id": "Z1"}


def test_the_certificate_in_use_is_the_one_that_is_presented(aws: Stubbed, creation: Make) -> None:
    arn = "arn:aws:acm:us-east-1:000000000000:certificate/"
    names = ("d.example.com", "other.example.com", "d.example.com")
    listed = [{"CertificateArn": f"{arn}{n}", "DomainName": name} for n, name in enumerate(names)]
    aws.answers("acm", "list_certificates", {"CertificateSummaryList": listed})
    proof = {"Name": "_x.d.example.com.", "Type": "CNAME", "Value": "_y.acm."}
    options = [{"DomainName": "d.example.com", "ResourceRecord": proof}, {"DomainName": "late.example.com"}]
    for number, users in ((0, []), (2, ["arn:user"])):
        one = {"CertificateArn": f"{arn}{number}", "CreatedAt": MADE, "InUseBy": users}
        answer = {"Certificate": one | {"DomainValidationOptions": options}}
        aws.answers("acm", "describe_certificate", answer, CertificateArn=f"{arn}{number}")
        aws.answers("acm", "list_tags_for_certificate", {"Tags": PAIRS})
    unused, used = look(creation("aws_acm_certificate", domain_name="d.example.com"), aws)
    assert (unused.in_use, used.in_use, used.tags) == (False, True, TAGS)
    assert used.known["d.example.com.resource_record_name"] == "_x.d.example.com."
    assert used.known["d.example.com.resource_record_type"] == "CNAME"
    assert used.known["d.example.com.resource_record_value"] == "_y.acm."


# -- API Gateway -------------------------------------------------------------------------------------


def test_a_gateways_own_answer_unless_it_is_the_default(aws: Stubbed, creation: Make) -> None:
    wanted = creation("aws_api_gateway_gateway_response", rest_api_id="r", response_type="THROTTLED")
    aws.answers(
        "apigateway", "get_gateway_response", {"statusCode": "429"}, restApiId="r", responseType="THROTTLED"
    )
    assert look(wanted, aws) == (FoundResource("r/THROTTLED", parent="r"),)
    aws.answers("apigateway", "get_gateway_response", {"defaultResponse": True})
    assert look(wanted, aws) == ()


def test_an_integration(aws: Stubbed, creation: Make) -> None:
    wanted = creation("aws_api_gateway_integration", rest_api_id="r", resource_id="p", http_method="POST")
    aws.answers("apigateway", "get_integration", {}, restApiId="r", resourceId="p", httpMethod="POST")
    assert look(wanted, aws) == (FoundResource("r/p/POST", parent="r"),)
    aws.refuses("apigateway", "get_integration", "NotFoundException")
    assert look(wanted, aws) == ()


def test_an_integrations_response(aws: Stubbed, creation: Make) -> None:
    wanted = {"rest_api_id": "r", "resource_id": "p", "http_method": "ANY", "status_code": "405"}
    aws.answers(
        *("apigateway", "get_integration_response", {}),
        restApiId="r",
        resourceId="p",
        httpMethod="ANY",
        statusCode="405",
    )
    found = look(creation("aws_api_gateway_integration_response", **wanted), aws)
    assert found == (FoundResource("r/p/ANY/405", parent="r"),)
    assert look(creation("aws_api_gateway_integration_response", **{**wanted, "resource_id": ""}), aws) == ()


def test_the_settings_of_a_stages_methods(aws: Stubbed, creation: Make) -> None:
    wanted = creation(
        "aws_api_gateway_method_settings", rest_api_id="r", stage_name="prod", method_path="*/*"
    )
    stage = {"methodSettings": {"*/*": {"metricsEnabled": True}}}
    aws.answers("apigateway", "get_stage", stage, restApiId="r", stageName="prod")
    assert look(wanted, aws) == (FoundResource("r/prod/*/*", parent="r"),)
    aws.answers("apigateway", "get_stage", {})
    assert look(wanted, aws) == ()


def test_a_validator(aws: Stubbed, creation: Make) -> None:
    items = {"items": [{"id": "v-1", "name": "other"}, {"id": "v-2", "name": "body"}]}
    aws.answers("apigateway", "get_request_validators", items, restApiId="r")
    (found,) = look(creation("aws_api_gateway_request_validator", rest_api_id="r", name="body"), aws)
    assert (found.import_id, found.parent, found.known["id"]) == ("r/v-2", "r", "v-2")


def test_the_deployment_that_is_served(aws: Stubbed, creation: Make) -> None:
    wanted = creation("aws_api_gateway_deployment", rest_api_id="r")
    aws.answers("apigateway", "get_stage", {"deploymentId": "d"}, restApiId="r", stageName="prod")
    (found,) = look(wanted, aws)
    assert (found.import_id, found.parent, found.known["id"]) == ("r/d", "r", "d")
    aws.answers("apigateway", "get_stage", {})
    assert look(wanted, aws) == ()


@pytest.mark.parametrize(
    "type_",
    ["deployment", "gateway_response", "integration", "method_settings", "request_validator"],
)
def test_what_is_part_of_an_api_is_not_asked_for_before_that_is_known(
    aws: Stubbed, creation: Make, type_: str
) -> None:
    assert look(creation(f"aws_api_gateway_{type_}", resource_id="p"), aws) == ()


def test_a_custom_domain(aws: Stubbed, creation: Make) -> None:
    aws.answers("apigateway", "get_domain_name", {"tags": TAGS}, domainName="d.example.com")
    found = look(creation("aws_api_gateway_domain_name", domain_name="d.example.com"), aws)
    assert found == (FoundResource("d.example.com", tags=TAGS),)


@pytest.mark.parametrize(("path", "end"), [("(none)", ""), ("v1", "v1")])
def test_a_mapping_of_a_domain(aws: Stubbed, creation: Make, path: str, end: str) -> None:
    items = [{"basePath": path, "restApiId": "r", "stage": "prod"}, {"basePath": "x", "restApiId": "q"}]
    aws.answers("apigateway", "get_base_path_mappings", {"items": items}, domainName="d")
    wanted = creation("aws_api_gateway_base_path_mapping", domain_name="d", api_id="r")
    assert look(wanted, aws) == (FoundResource(f"d/{end}", parent="d"),)


# -- the rest ----------------------------------------------------------------------------------------


def test_a_dashboard(aws: Stubbed, creation: Make) -> None:
    aws.answers("cloudwatch", "get_dashboard", {"DashboardBody": "{}"}, DashboardName="n")
    assert look(creation("aws_cloudwatch_dashboard", dashboard_name="n"), aws) == (FoundResource("n"),)


def test_an_alarm(aws: Stubbed, creation: Make) -> None:
    wanted = creation("aws_cloudwatch_metric_alarm", alarm_name="n")
    aws.answers("cloudwatch", "describe_alarms", {"MetricAlarms": [{"AlarmArn": "arn:n"}]}, AlarmNames=["n"])
    aws.answers("cloudwatch", "list_tags_for_resource", {"Tags": PAIRS}, ResourceARN="arn:n")
    assert look(wanted, aws) == (FoundResource("n", arn="arn:n", tags=TAGS),)
    aws.answers("cloudwatch", "describe_alarms", {"MetricAlarms": []})
    assert look(wanted, aws) == ()


def test_a_metric_filter_and_none_whose_name_only_begins_so(aws: Stubbed, creation: Make) -> None:
    filters = [{"filterName": name} for name in ("n", "n-2")]
    aws.answers(
        "logs", "describe_metric_filters", {"metricFilters": filters}, logGroupName="/g", filterNamePrefix="n"
    )
    wanted = creation("aws_cloudwatch_log_metric_filter", log_group_name="/g", name="n")
    assert look(wanted, aws) == (FoundResource("/g:n", parent="/g"),)


def test_a_roles_policy(aws: Stubbed, creation: Make) -> None:
    policy = {"RoleName": "r", "PolicyName": "p", "PolicyDocument": "{}"}
    aws.answers("iam", "get_role_policy", policy, RoleName="r", PolicyName="p")
    found = look(creation("aws_iam_role_policy", role="r", name="p"), aws)
    assert found == (FoundResource("r:p", parent="r"),)


def test_a_topic_and_its_policy(aws: Stubbed, creation: Make) -> None:
    aws.answers("sts", "get_caller_identity", {"Account": "000000000000"})
    aws.answers("sns", "get_topic_attributes", {"Attributes": {}}, TopicArn=TOPIC)
    aws.answers("sns", "list_tags_for_resource", {"Tags": PAIRS}, ResourceArn=TOPIC)
    found = look(creation("aws_sns_topic", name="payment-a-alarms"), aws)
    assert found == (FoundResource(TOPIC, arn=TOPIC, tags=TAGS),)
    policy = creation("aws_sns_topic_policy", arn=TOPIC)
    aws.answers("sns", "get_topic_attributes", {"Attributes": {"Policy": "{}"}}, TopicArn=TOPIC)
    assert look(policy, aws) == (FoundResource(TOPIC, parent=TOPIC),)
    aws.answers("sns", "get_topic_attributes", {"Attributes": {}}, TopicArn=TOPIC)
    assert look(policy, aws) == ()
    assert look(creation("aws_sns_topic_policy"), aws) == ()


def test_a_subscription_once_it_is_confirmed(aws: Stubbed, creation: Make) -> None:
    wanted = creation("aws_sns_topic_subscription", topic_arn=TOPIC, protocol="email", endpoint="a@b")
    mine = {"Protocol": "email", "Endpoint": "a@b", "SubscriptionArn": "PendingConfirmation"}
    other = mine | {"Endpoint": "c@d", "SubscriptionArn": "arn:aws:sns:o"}
    aws.answers("sns", "list_subscriptions_by_topic", {"Subscriptions": [other, mine]}, TopicArn=TOPIC)
    assert look(wanted, aws) == ()
    mine["SubscriptionArn"] = "arn:aws:sns:s"
    aws.answers("sns", "list_subscriptions_by_topic", {"Subscriptions": [other, mine]}, TopicArn=TOPIC)
    assert look(wanted, aws) == (FoundResource("arn:aws:sns:s", parent=TOPIC),)
    assert look(creation("aws_sns_topic_subscription"), aws) == ()


@pytest.mark.parametrize(
    ("type_", "operation", "absent"),
    [
        ("lifecycle_configuration", "get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration"),
        (
            "object_lock_configuration",
            "get_object_lock_configuration",
            "ObjectLockConfigurationNotFoundError",
        ),
        ("ownership_controls", "get_bucket_ownership_controls", "OwnershipControlsNotFoundError"),
        ("policy", "get_bucket_policy", "NoSuchBucketPolicy"),
        ("public_access_block", "get_public_access_block", "NoSuchPublicAccessBlockConfiguration"),
        ("replication_configuration", "get_bucket_replication", "ReplicationConfigurationNotFoundError"),
        (
            "server_side_encryption_configuration",
            "get_bucket_encryption",
            "ServerSideEncryptionConfigurationNotFoundError",
        ),
    ],
)
def test_a_setting_of_a_bucket(aws: Stubbed, creation: Make, type_: str, operation: str, absent: str) -> None:
    wanted = creation(f"aws_s3_bucket_{type_}", bucket="b")
    aws.answers("s3", operation, {}, Bucket="b")
    assert look(wanted, aws) == (FoundResource("b", parent="b"),)
    aws.refuses("s3", operation, absent)
    assert look(wanted, aws) == ()
    assert look(creation(f"aws_s3_bucket_{type_}"), aws) == ()


def test_versioning_is_there_once_it_was_set(aws: Stubbed, creation: Make) -> None:
    wanted = creation("aws_s3_bucket_versioning", bucket="b")
    aws.answers("s3", "get_bucket_versioning", {}, Bucket="b")
    assert look(wanted, aws) == ()
    aws.answers("s3", "get_bucket_versioning", {"Status": "Enabled"}, Bucket="b")
    assert look(wanted, aws) == (FoundResource("b", parent="b"),)
