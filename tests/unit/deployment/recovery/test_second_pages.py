"""What is looked for may be on the second page of what AWS lists."""

from collections.abc import Callable
from datetime import UTC, datetime

from payinfra.account.changes import Changes
from payinfra.account.policies import ManagedPolicy
from payinfra.account.roles import Roles
from payinfra.deployment.recovery import discovery, every_type, import_ids
from payinfra.terraform import Creation
from tests.unit.deployment.recovery.conftest import PAIRS, REGION, TAGS, Stubbed

Make = Callable[..., Creation]
MADE = datetime(2026, 1, 2, tzinfo=UTC)
ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/t"
UUID = "00000000-0000-0000-0000-00000000000{}"
FUNCTION_ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"


def test_a_bucket(aws: Stubbed, creation: Make) -> None:
    first = {"Buckets": [{"Name": "other", "CreationDate": MADE}], "ContinuationToken": "more"}
    aws.answers("s3", "list_buckets", first)
    aws.answers(
        "s3", "list_buckets", {"Buckets": [{"Name": "mine", "CreationDate": MADE}]}, ContinuationToken="more"
    )
    aws.answers("s3", "get_bucket_tagging", {"TagSet": PAIRS}, Bucket="mine")
    (found,) = import_ids.LOOKUPS["aws_s3_bucket"](creation("aws_s3_bucket", bucket="mine"), aws)
    assert found.import_id == "mine"


def test_a_log_group(aws: Stubbed, creation: Make) -> None:
    arn = "arn:aws:logs:us-east-1:000000000000:log-group:g"
    group = {"logGroupName": "g", "arn": f"{arn}:*", "creationTime": 0}
    asked = {"logGroupNamePrefix": "g"}
    aws.answers("logs", "describe_log_groups", {"logGroups": [], "nextToken": "more"}, **asked)
    aws.answers("logs", "describe_log_groups", {"logGroups": [group]}, nextToken="more", **asked)
    aws.answers("logs", "list_tags_for_resource", {"tags": TAGS}, resourceArn=arn)
    wanted = creation("aws_cloudwatch_log_group", name="g")
    (found,) = import_ids.LOOKUPS["aws_cloudwatch_log_group"](wanted, aws)
    assert found.import_id == "g"


def test_what_a_function_reads(aws: Stubbed, creation: Make) -> None:
    for number, more in enumerate(({"NextMarker": "more"}, {})):
        mapping = {"UUID": UUID.format(number), "FunctionArn": f"{FUNCTION_ARN}:live"}
        asked = {"FunctionName": "f"} | ({"Marker": "more"} if number else {})
        aws.answers(
            "lambda", "list_event_source_mappings", {"EventSourceMappings": [mapping], **more}, **asked
        )
    wanted = creation("aws_lambda_event_source_mapping", function_name="f")
    found = list(import_ids.LOOKUPS["aws_lambda_event_source_mapping"](wanted, aws))
    assert [one.import_id for one in found] == [UUID.format(number) for number in (0, 1)]


def test_the_tags_of_a_table(aws: Stubbed, creation: Make) -> None:
    aws.answers("dynamodb", "describe_table", {"Table": {"TableArn": ARN, "CreationDateTime": MADE}})
    first = {"Tags": PAIRS[:1], "NextToken": "more"}
    aws.answers("dynamodb", "list_tags_of_resource", first, ResourceArn=ARN)
    aws.answers("dynamodb", "list_tags_of_resource", {"Tags": PAIRS[1:]}, ResourceArn=ARN, NextToken="more")
    (found,) = import_ids.LOOKUPS["aws_dynamodb_table"](creation("aws_dynamodb_table", name="t"), aws)
    assert found.tags == TAGS


def test_the_tags_of_a_key(aws: Stubbed) -> None:
    tags = [{"TagKey": name, "TagValue": value} for name, value in TAGS.items()]
    first = {"Tags": tags[:1], "NextMarker": "more", "Truncated": True}
    aws.answers("kms", "list_resource_tags", first, KeyId="k")
    aws.answers("kms", "list_resource_tags", {"Tags": tags[1:]}, KeyId="k", Marker="more")
    client = aws.client("kms", REGION)
    assert import_ids.customer_key(client, {"KeyId": "k", "CreationDate": MADE}).tags == TAGS


def test_a_validator(aws: Stubbed, creation: Make) -> None:
    first = {"items": [{"id": "v-1", "name": "other"}], "position": "more"}
    aws.answers("apigateway", "get_request_validators", first, restApiId="r")
    second = {"items": [{"id": "v-2", "name": "body"}]}
    aws.answers("apigateway", "get_request_validators", second, restApiId="r", position="more")
    wanted = creation("aws_api_gateway_request_validator", rest_api_id="r", name="body")
    (found,) = every_type.EVERY_TYPE[wanted.type](wanted, aws)
    assert found.import_id == "r/v-2"


def test_a_mapping_of_a_domain(aws: Stubbed, creation: Make) -> None:
    first = {"items": [{"basePath": "x", "restApiId": "q"}], "position": "more"}
    aws.answers("apigateway", "get_base_path_mappings", first, domainName="d")
    second = {"items": [{"basePath": "(none)", "restApiId": "r"}]}
    aws.answers("apigateway", "get_base_path_mappings", second, domainName="d", position="more")
    wanted = creation("aws_api_gateway_base_path_mapping", domain_name="d", api_id="r")
    (found,) = every_type.EVERY_TYPE[wanted.type](wanted, aws)
    assert found.import_id == "d/"


def test_a_metric_filter(aws: Stubbed, creation: Make) -> None:
    asked = {"logGroupName": "/g", "filterNamePrefix": "n"}
    first = {"metricFilters": [{"filterName": "n-2"}], "nextToken": "more"}
    aws.answers("logs", "describe_metric_filters", first, **asked)
    second = {"metricFilters": [{"filterName": "n"}]}
    aws.answers("logs", "describe_metric_filters", second, nextToken="more", **asked)
    wanted = creation("aws_cloudwatch_log_metric_filter", log_group_name="/g", name="n")
    (found,) = every_type.EVERY_TYPE[wanted.type](wanted, aws)
    assert found.import_id == "/g:n"


def test_the_buckets_of_an_environment_that_no_state_knows(aws: Stubbed) -> None:
    where = discovery.Whereabouts("a", "000000000000", (REGION, "us-west-2"))
    wanted = where.names.audit_bucket(REGION, where.account)
    first = {"Buckets": [{"Name": "other", "CreationDate": MADE}], "ContinuationToken": "more"}
    aws.answers("s3", "list_buckets", first)
    second = {"Buckets": [{"Name": wanted, "CreationDate": MADE}]}
    aws.answers("s3", "list_buckets", second, ContinuationToken="more")
    look = discovery.GLOBAL_BY_NAME[0]
    (found,) = look(aws, REGION, where)
    assert found.arn == f"arn:aws:s3:::{wanted}"


def test_the_versions_of_a_policy(aws: Stubbed) -> None:
    """The oldest of all goes, whichever page it is on."""
    arn = "arn:aws:iam::000000000000:policy/p"
    versions = [
        {"VersionId": f"v{number}", "IsDefaultVersion": number == 5, "CreateDate": MADE.replace(day=number)}
        for number in (5, 4, 3, 2, 1)
    ]
    aws.answers("iam", "get_policy", {"Policy": {"DefaultVersionId": "v5"}}, PolicyArn=arn)
    aws.answers("iam", "get_policy_version", {"PolicyVersion": {"Document": "{}"}})
    first = {"Versions": versions[:3], "IsTruncated": True, "Marker": "more"}
    aws.answers("iam", "list_policy_versions", first, PolicyArn=arn)
    aws.answers("iam", "list_policy_versions", {"Versions": versions[3:]}, PolicyArn=arn, Marker="more")
    aws.answers("iam", "delete_policy_version", {}, PolicyArn=arn, VersionId="v1")
    aws.answers("iam", "create_policy_version", {})
    policy = ManagedPolicy("p", '{"Version": "2012-10-17"}')
    Roles(aws.client("iam", REGION), "000000000000", Changes()).policy(policy)
