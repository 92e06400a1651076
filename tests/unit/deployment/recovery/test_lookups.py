"""Each type is found by what AWS says of it, and named by the id with which the provider imports it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from payinfra.deployment.recovery.import_ids import LOOKUPS, find
from payinfra.deployment.recovery.ownership import FoundResource
from payinfra.terraform import Creation
from tests.unit.deployment.recovery.conftest import PAIRS, TAGS, Stubbed

Make = Callable[..., Creation]
MADE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TABLE_ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/payment-a-payments"
FUNCTION = "payment-a-payments"
FUNCTION_ARN = f"arn:aws:lambda:us-east-1:000000000000:function:{FUNCTION}"
KEY_ARN = "arn:aws:kms:us-east-1:000000000000:key/k-1"


def test_a_table(aws: Stubbed, creation: Make) -> None:
    name = "payment-a-payments"
    table = {"TableArn": TABLE_ARN, "CreationDateTime": MADE}
    aws.answers("dynamodb", "describe_table", {"Table": table}, TableName=name)
    aws.answers("dynamodb", "list_tags_of_resource", {"Tags": PAIRS}, ResourceArn=TABLE_ARN)
    found = find(creation("aws_dynamodb_table", name=name), aws)
    assert found == (FoundResource(name, arn=TABLE_ARN, created=MADE, tags=TAGS),)


def test_a_bucket_among_the_accounts_own(aws: Stubbed, creation: Make) -> None:
    buckets = [{"Name": name, "CreationDate": MADE} for name in ("someone-elses", "payment-a-audit")]
    aws.answers("s3", "list_buckets", {"Buckets": buckets})
    aws.answers("s3", "get_bucket_tagging", {"TagSet": PAIRS}, Bucket="payment-a-audit")
    found = find(creation("aws_s3_bucket", bucket="payment-a-audit"), aws)
    assert found == (FoundResource("payment-a-audit", created=MADE, tags=TAGS, tagged_later=True),)


def test_a_bucket_that_was_never_tagged(aws: Stubbed, creation: Make) -> None:
    aws.answers("s3", "list_buckets", {"Buckets": [{"Name": "payment-a-audit", "CreationDate": MADE}]})
    aws.refuses("s3", "get_bucket_tagging", "NoSuchTagSet")
    (found,) = find(creation("aws_s3_bucket", bucket="payment-a-audit"), aws)
    assert (found.tags, found.tagged_later) == ({}, True)


def test_a_bucket_whose_tags_are_denied_is_not_taken_for_one_without(aws: Stubbed, creation: Make) -> None:
    aws.answers("s3", "list_buckets", {"Buckets": [{"Name": "payment-a-audit", "CreationDate": MADE}]})
    aws.refuses("s3", "get_bucket_tagging", "AccessDenied")
    with pytest.raises(ClientError, match="AccessDenied"):
        find(creation("aws_s3_bucket", bucket="payment-a-audit"), aws)


def test_a_key_by_its_description_unless_it_goes_already(aws: Stubbed, creation: Make) -> None:
    aws.answers("kms", "list_keys", {"Keys": [{"KeyId": name} for name in ("k-1", "k-2", "k-3")]})
    for id_, description, state in (
        ("k-1", "a: data", "Enabled"),
        ("k-2", "a: data", "PendingDeletion"),
        ("k-3", "a: audit", "Enabled"),
    ):
        key = {"KeyId": id_, "Arn": KEY_ARN, "Description": description, "KeyState": state}
        aws.answers("kms", "describe_key", {"KeyMetadata": key | {"CreationDate": MADE}}, KeyId=id_)
        if id_ == "k-1":
            tags = [{"TagKey": name, "TagValue": value} for name, value in TAGS.items()]
            aws.answers("kms", "list_resource_tags", {"Tags": tags}, KeyId=id_)
    found = find(creation("aws_kms_key", description="a: data"), aws)
    assert found == (FoundResource("k-1", arn=KEY_ARN, created=MADE, tags=TAGS),)


def test_a_key_that_lets_nobody_in_is_somebody_elses(aws: Stubbed, creation: Make) -> None:
    aws.answers("kms", "list_keys", {"Keys": [{"KeyId": "theirs"}]})
    aws.refuses("kms", "describe_key", "AccessDeniedException")
    assert find(creation("aws_kms_key", description="a: data"), aws) == ()


def test_a_key_that_cannot_be_asked_for_is_not_passed_over(aws: Stubbed, creation: Make) -> None:
    aws.answers("kms", "list_keys", {"Keys": [{"KeyId": "k-1"}]})
    aws.refuses("kms", "describe_key", "ThrottlingException")
    with pytest.raises(ClientError, match="Throttling"):
        find(creation("aws_kms_key", description="a: data"), aws)


def test_a_keys_alias(aws: Stubbed, creation: Make) -> None:
    aliases = [{"AliasName": name, "CreationDate": MADE} for name in ("alias/b", "alias/payment-a-data")]
    aws.answers("kms", "list_aliases", {"Aliases": aliases})
    found = find(creation("aws_kms_alias", name="alias/payment-a-data"), aws)
    assert found == (FoundResource("alias/payment-a-data", created=MADE),)


def test_a_role(aws: Stubbed, creation: Make) -> None:
    arn = "arn:aws:iam::000000000000:role/r"
    role = {"Path": "/", "RoleName": "r", "RoleId": "AROA000000000000", "Arn": arn, "CreateDate": MADE}
    aws.answers("iam", "get_role", {"Role": role | {"Tags": PAIRS}}, RoleName="r")
    assert find(creation("aws_iam_role", name="r"), aws) == (
        FoundResource("r", arn=arn, created=MADE, tags=TAGS),
    )


def test_a_log_group_and_none_whose_name_only_begins_so(aws: Stubbed, creation: Make) -> None:
    arn = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/f"
    groups = [
        {"logGroupName": name, "arn": f"{arn}:*", "creationTime": int(MADE.timestamp() * 1000)}
        for name in ("/aws/lambda/f", "/aws/lambda/f-2")
    ]
    aws.answers("logs", "describe_log_groups", {"logGroups": groups}, logGroupNamePrefix="/aws/lambda/f")
    aws.answers("logs", "list_tags_for_resource", {"tags": TAGS}, resourceArn=arn)
    found = find(creation("aws_cloudwatch_log_group", name="/aws/lambda/f"), aws)
    assert found == (FoundResource("/aws/lambda/f", arn=arn, created=MADE, tags=TAGS),)


def test_a_function(aws: Stubbed, creation: Make) -> None:
    configuration = {"FunctionArn": FUNCTION_ARN, "LastModified": "2026-01-02T03:04:05.000+0000"}
    aws.answers(
        "lambda", "get_function", {"Configuration": configuration, "Tags": TAGS}, FunctionName=FUNCTION
    )
    found = find(creation("aws_lambda_function", function_name=FUNCTION), aws)
    assert found == (FoundResource(FUNCTION, arn=FUNCTION_ARN, created=MADE, tags=TAGS),)


def test_a_parameter(aws: Stubbed, creation: Make) -> None:
    arn = "arn:aws:ssm:us-east-1:000000000000:parameter/a/b"
    aws.answers("ssm", "get_parameter", {"Parameter": {"ARN": arn, "LastModifiedDate": MADE}}, Name="/a/b")
    aws.answers(
        "ssm", "list_tags_for_resource", {"TagList": PAIRS}, ResourceType="Parameter", ResourceId="/a/b"
    )
    found = find(creation("aws_ssm_parameter", name="/a/b"), aws)
    assert found == (FoundResource("/a/b", arn=arn, created=MADE, tags=TAGS),)


def test_an_api(aws: Stubbed, creation: Make) -> None:
    apis = [
        {"id": id_, "name": name, "createdDate": MADE, "tags": TAGS} for id_, name in (("1", "b"), ("2", "a"))
    ]
    aws.answers("apigateway", "get_rest_apis", {"items": apis})
    assert find(creation("aws_api_gateway_rest_api", name="a"), aws) == (
        FoundResource("2", created=MADE, tags=TAGS),
    )


def test_an_api_key(aws: Stubbed, creation: Make) -> None:
    keys = [
        {"id": id_, "name": name, "createdDate": MADE, "tags": TAGS}
        for id_, name in (("1", "ab"), ("2", "a"))
    ]
    aws.answers("apigateway", "get_api_keys", {"items": keys}, nameQuery="a")
    assert find(creation("aws_api_gateway_api_key", name="a"), aws) == (
        FoundResource("2", created=MADE, tags=TAGS),
    )


def zone(name: str, reference: str) -> dict[str, Any]:
    return {"Id": f"/hostedzone/Z{name[0].upper()}1", "Name": name, "CallerReference": reference}


def tagged(kind: str, id_: str) -> dict[str, Any]:
    return {"ResourceTagSet": {"ResourceType": kind, "ResourceId": id_, "Tags": PAIRS}}


@pytest.mark.parametrize(
    ("reference", "created"), [("terraform-20260102030405000000000001", MADE), ("by-hand", None)]
)
def test_a_zone(aws: Stubbed, creation: Make, reference: str, created: datetime | None) -> None:
    zones = {
        "HostedZones": [zone("a.internal.", reference), zone("b.internal.", reference)],
        "IsTruncated": False,
        "MaxItems": "100",
    }
    aws.answers("route53", "list_hosted_zones_by_name", zones, DNSName="a.internal.")
    asked = {"ResourceType": "hostedzone", "ResourceId": "ZA1"}
    aws.answers("route53", "list_tags_for_resource", tagged("hostedzone", "ZA1"), **asked)
    found = find(creation("aws_route53_zone", name="a.internal"), aws)
    assert found == (FoundResource("ZA1", created=created, tags=TAGS, tagged_later=True),)


def test_a_health_check(aws: Stubbed, creation: Make) -> None:
    checks = [
        {
            "Id": f"check-{host}",
            "CallerReference": "terraform-20260102030405000000000001",
            "HealthCheckConfig": {"Type": "HTTPS", "FullyQualifiedDomainName": host},
            "HealthCheckVersion": 1,
        }
        for host in ("a.example", "b.example")
    ]
    answer = {"HealthChecks": checks, "Marker": "", "IsTruncated": False, "MaxItems": "100"}
    aws.answers("route53", "list_health_checks", answer)
    asked = {"ResourceType": "healthcheck", "ResourceId": "check-a.example"}
    aws.answers("route53", "list_tags_for_resource", tagged("healthcheck", "check-a.example"), **asked)
    found = find(creation("aws_route53_health_check", fqdn="a.example"), aws)
    assert found == (FoundResource("check-a.example", created=MADE, tags=TAGS, tagged_later=True),)


# -- parts of something ------------------------------------------------------------------------------


def test_a_functions_alias(aws: Stubbed, creation: Make) -> None:
    asked = {"FunctionName": FUNCTION, "Name": "live"}
    aws.answers("lambda", "get_alias", {"AliasArn": f"{FUNCTION_ARN}:live"}, **asked)
    found = find(creation("aws_lambda_alias", function_name=FUNCTION, name="live"), aws)
    assert found == (FoundResource(f"{FUNCTION}/live", parent=FUNCTION_ARN),)


@pytest.mark.parametrize(("qualifier", "place"), [("live", f"{FUNCTION}:live"), ("", FUNCTION)])
def test_a_permission(aws: Stubbed, creation: Make, qualifier: str, place: str) -> None:
    resource = f"{FUNCTION_ARN}:{qualifier}".rstrip(":")
    statements = [{"Sid": sid, "Resource": resource} for sid in ("other", "api-read")]
    asked = {"FunctionName": FUNCTION} | ({"Qualifier": qualifier} if qualifier else {})
    aws.answers("lambda", "get_policy", {"Policy": json.dumps({"Statement": statements})}, **asked)
    wanted = creation(
        "aws_lambda_permission", function_name=FUNCTION, qualifier=qualifier, statement_id="api-read"
    )
    assert find(wanted, aws) == (FoundResource(f"{place}/api-read", parent=FUNCTION_ARN),)


@pytest.mark.parametrize("known", [True, False])
def test_a_stream_that_a_function_reads(aws: Stubbed, creation: Make, known: bool) -> None:
    source, uuid = f"{TABLE_ARN}/stream/1", "00000000-0000-0000-0000-000000000001"
    mapping = {"UUID": uuid, "FunctionArn": f"{FUNCTION_ARN}:live"}
    asked = {"FunctionName": f"{FUNCTION_ARN}:live"} | ({"EventSourceArn": source} if known else {})
    aws.answers("lambda", "list_event_source_mappings", {"EventSourceMappings": [mapping]}, **asked)
    wanted = {"function_name": f"{FUNCTION_ARN}:live"} | ({"event_source_arn": source} if known else {})
    found = find(creation("aws_lambda_event_source_mapping", **wanted), aws)
    assert found == (FoundResource(uuid, parent=FUNCTION_ARN),)


def test_an_apis_path(aws: Stubbed, creation: Make) -> None:
    paths = [
        {"id": "p1", "parentId": "root", "pathPart": "payments"},
        {"id": "p2", "parentId": "p1", "pathPart": "payments"},
    ]
    aws.answers("apigateway", "get_resources", {"items": paths}, restApiId="api")
    wanted = {"rest_api_id": "api", "parent_id": "root", "path_part": "payments"}
    found = find(creation("aws_api_gateway_resource", **wanted), aws)
    assert found == (FoundResource("api/p1", parent="api"),)


def test_an_apis_method(aws: Stubbed, creation: Make) -> None:
    aws.answers("apigateway", "get_method", {}, restApiId="api", resourceId="p1", httpMethod="GET")
    wanted = {"rest_api_id": "api", "resource_id": "p1", "http_method": "GET"}
    assert find(creation("aws_api_gateway_method", **wanted), aws) == (
        FoundResource("api/p1/GET", parent="api"),
    )


def test_a_methods_response(aws: Stubbed, creation: Make) -> None:
    aws.answers(
        *("apigateway", "get_method_response", {}),
        restApiId="api",
        resourceId="p1",
        httpMethod="ANY",
        statusCode="405",
    )
    wanted = {"rest_api_id": "api", "resource_id": "p1", "http_method": "ANY", "status_code": "405"}
    found = find(creation("aws_api_gateway_method_response", **wanted), aws)
    assert found == (FoundResource("api/p1/ANY/405", parent="api"),)
    assert find(creation("aws_api_gateway_method_response", **{**wanted, "rest_api_id": ""}), aws) == ()


def test_an_apis_model(aws: Stubbed, creation: Make) -> None:
    aws.answers("apigateway", "get_model", {}, restApiId="api", modelName="Request")
    wanted = creation("aws_api_gateway_model", rest_api_id="api", name="Request")
    assert find(wanted, aws) == (FoundResource("api/Request", parent="api"),)


def test_an_apis_stage(aws: Stubbed, creation: Make) -> None:
    aws.answers("apigateway", "get_stage", {}, restApiId="api", stageName="prod")
    wanted = creation("aws_api_gateway_stage", rest_api_id="api", stage_name="prod")
    assert find(wanted, aws) == (FoundResource("api/prod", parent="api"),)


def test_a_usage_plan_by_the_api_that_it_is_for(aws: Stubbed, creation: Make) -> None:
    plans = [
        {"id": "1", "name": "plan", "apiStages": [{"apiId": "another"}]},
        {"id": "2", "name": "plan", "apiStages": [{"apiId": "api"}]},
        {"id": "3", "name": "plan"},
    ]
    aws.answers("apigateway", "get_usage_plans", {"items": plans})
    wanted = creation("aws_api_gateway_usage_plan", name="plan", api_stages=[{"api_id": "api"}])
    assert find(wanted, aws) == (FoundResource("2", parent="api"),)


def test_a_usage_plans_key(aws: Stubbed, creation: Make) -> None:
    aws.answers("apigateway", "get_usage_plan_key", {}, usagePlanId="plan", keyId="key")
    wanted = creation("aws_api_gateway_usage_plan_key", usage_plan_id="plan", key_id="key")
    assert find(wanted, aws) == (FoundResource("plan/key", parent="plan"),)


@pytest.mark.parametrize(
    ("identifier", "import_id"),
    [("east", "Z1_failover.a.internal_CNAME_east"), ("", "Z1_failover.a.internal_CNAME")],
)
def test_a_record(aws: Stubbed, creation: Make, identifier: str, import_id: str) -> None:
    records = [
        {"Name": name, "Type": "CNAME", "SetIdentifier": set_}
        for name in ("failover.a.internal.", "latency.a.internal.")
        for set_ in ("east", "west")
    ]
    records.append({"Name": "failover.a.internal.", "Type": "CNAME"})
    answer = {"ResourceRecordSets": records, "IsTruncated": False, "MaxItems": "100"}
    aws.answers("route53", "list_resource_record_sets", answer, HostedZoneId="Z1")
    wanted = {"zone_id": "Z1", "name": "failover.a.internal", "type": "CNAME", "set_identifier": identifier}
    assert find(creation("aws_route53_record", **wanted), aws) == (FoundResource(import_id, parent="Z1"),)


def test_a_record_in_a_customers_zone_goes_with_its_health_check(aws: Stubbed, creation: Make) -> None:
    record = {"Name": "pay.example.com.", "Type": "A", "SetIdentifier": "east", "HealthCheckId": "h1"}
    answer = {"ResourceRecordSets": [record], "IsTruncated": False, "MaxItems": "100"}
    aws.answers("route53", "list_resource_record_sets", answer, HostedZoneId="Z1")
    wanted = {"zone_id": "Z1", "name": "pay.example.com", "type": "A", "set_identifier": "east"}
    found = find(creation("aws_route53_record", **wanted), aws)
    assert found == (FoundResource("Z1_pay.example.com_A_east", parent="h1"),)


@pytest.mark.parametrize(("said", "parent"), [("_y.acm.", ""), ("_other.acm.", "Z1")])
def test_a_record_with_the_very_values_is_as_good_as_ours(
    aws: Stubbed, creation: Make, said: str, parent: str
) -> None:
    record = {"Name": "_x.pay.example.com.", "Type": "CNAME", "ResourceRecords": [{"Value": said}]}
    answer = {"ResourceRecordSets": [record], "IsTruncated": False, "MaxItems": "100"}
    aws.answers("route53", "list_resource_record_sets", answer, HostedZoneId="Z1")
    wanted = {"zone_id": "Z1", "name": "_x.pay.example.com", "type": "CNAME", "records": ["_y.acm."]}
    found = find(creation("aws_route53_record", **wanted), aws)
    assert found == (FoundResource("Z1__x.pay.example.com_CNAME", parent=parent),)


# -- what is not there -------------------------------------------------------------------------------

PARTS = [
    "aws_lambda_event_source_mapping",
    *(f"aws_api_gateway_{part}" for part in ("resource", "method", "model", "stage", "usage_plan_key")),
    "aws_route53_record",
    "aws_cloudwatch_log_group",
]


@pytest.mark.parametrize("kind", [*PARTS, "aws_cloudwatch_dashboard"])
def test_what_cannot_be_there_yet_is_not_asked_for(aws: Stubbed, creation: Make, kind: str) -> None:
    """Its parent's id is known only after the apply, or putting it again is no error."""
    assert find(creation(kind), aws) == ()
    assert not (kind == "aws_cloudwatch_dashboard" and kind in LOOKUPS)


@pytest.mark.parametrize(
    ("kind", "service", "operation", "code"),
    [
        ("aws_dynamodb_table", "dynamodb", "describe_table", "ResourceNotFoundException"),
        ("aws_iam_role", "iam", "get_role", "NoSuchEntity"),
        ("aws_lambda_function", "lambda", "get_function", "ResourceNotFoundException"),
        ("aws_ssm_parameter", "ssm", "get_parameter", "ParameterNotFound"),
    ],
)
def test_what_is_not_there_is_not_found(
    aws: Stubbed, creation: Make, kind: str, service: str, operation: str, code: str
) -> None:
    aws.refuses(service, operation, code)
    assert find(creation(kind, name="payment-a", function_name="payment-a"), aws) == ()


def test_what_is_denied_is_not_taken_for_absent(aws: Stubbed, creation: Make) -> None:
    aws.refuses("dynamodb", "describe_table", "AccessDeniedException")
    with pytest.raises(ClientError, match="AccessDenied"):
        find(creation("aws_dynamodb_table", name="payment-a"), aws)
