"""What Lambda refuses."""

import io
import json
from typing import Any
from zipfile import ZipFile

import pytest

from tests.unit.local.validation.conftest import Sdk, policy, trust

INVALID, BROKEN = "InvalidParameterValueException", "ValidationException"
HERE = "us-east-1:000000000000"


def code() -> bytes:
    held = io.BytesIO()
    with ZipFile(held, "w") as archive:
        archive.writestr("h.py", "def f(event, context):\n    return event\n")
    return held.getvalue()


def function(sdk: Sdk, **changes: Any) -> dict[str, Any]:
    iam = sdk.client("iam")
    for name, service in (("runs", "lambda.amazonaws.com"), ("copies", "s3.amazonaws.com")):
        if sdk.refusal("iam", "get_role", RoleName=name):
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust({"Service": service}))
    return {
        "FunctionName": "pays",
        "Runtime": "python3.11",
        "Role": "arn:aws:iam::000000000000:role/runs",
        **({} if "Handler" in changes else {"Handler": "h.f"}),
        "Code": {"ZipFile": code()},
        **{name: value for name, value in changes.items() if value is not None},
    }


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ""),
        ({"FunctionName": "x" * 65}, BROKEN),
        ({"MemorySize": 10_241}, BROKEN),
        ({"Timeout": 901}, BROKEN),
        ({"Role": "arn:aws:iam::000000000000:role/copies"}, INVALID),
        ({"Code": {}}, INVALID),
        ({"Code": {"S3Bucket": "none", "S3Key": "k"}}, INVALID),
        ({"PackageType": "Image", "Code": {"ImageUri": "x"}}, INVALID),
        ({"Handler": None}, INVALID),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, INVALID),
        ({"Environment": {"Variables": {"LONG": "x" * 4200}}}, INVALID),
        ({"DeadLetterConfig": {"TargetArn": f"arn:aws:sqs:{HERE}:none"}}, INVALID),
        ({"Layers": [f"arn:aws:lambda:{HERE}:layer:none:{one}" for one in range(1, 7)]}, INVALID),
        ({"LoggingConfig": {"LogFormat": "Text", "ApplicationLogLevel": "INFO"}}, INVALID),
        ({"Tags": {"aws:a": "b"}}, INVALID),
    ],
)
def test_a_function_is_made_of_what_lambda_can_run(sdk: Sdk, changes: dict[str, Any], said: str) -> None:
    assert sdk.refusal("lambda", "create_function", **function(sdk, **changes)) == said


def test_a_role_that_anybody_takes_on_is_lambdas_too(sdk: Sdk) -> None:
    sdk.client("iam").create_role(RoleName="open", AssumeRolePolicyDocument=trust("*"))
    wanted = function(sdk, Role="arn:aws:iam::000000000000:role/open")
    assert sdk.refusal("lambda", "create_function", **wanted) == ""


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"FunctionVersion": "9"}, "ResourceNotFoundException"),
        ({"Name": "12"}, BROKEN),
        ({"FunctionVersion": "$LATEST", "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.5}}}, INVALID),
        ({"RoutingConfig": {"AdditionalVersionWeights": {"1": 0.5}}}, INVALID),
        ({"RoutingConfig": {"AdditionalVersionWeights": {"7": 0.5}}}, "ResourceNotFoundException"),
        ({}, ""),
    ],
)
def test_an_alias_leads_to_a_version_that_is_there(sdk: Sdk, wanted: dict[str, Any], said: str) -> None:
    client = sdk.client("lambda")
    client.create_function(**function(sdk))
    client.publish_version(FunctionName="pays")
    alias = {"FunctionName": "pays", "Name": "live", "FunctionVersion": "1", **wanted}
    assert sdk.refusal("lambda", "create_alias", **alias) == said


def test_a_version_is_of_the_code_that_is_meant(sdk: Sdk) -> None:
    sdk.client("lambda").create_function(**function(sdk))
    wanted = {"FunctionName": "pays", "CodeSha256": "x"}
    assert sdk.refusal("lambda", "publish_version", **wanted) == INVALID
    assert sdk.refusal("lambda", "delete_function", FunctionName="pays", Qualifier="$LATEST") == INVALID


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({}, ""),
        ({"Principal": "nobody"}, INVALID),
        ({"Principal": "arn:aws:iam::000000000000:role/none"}, INVALID),
        ({"Qualifier": "$LATEST"}, INVALID),
    ],
)
def test_somebody_is_let_in(sdk: Sdk, wanted: dict[str, Any], said: str) -> None:
    sdk.client("lambda").create_function(**function(sdk))
    asked = {"FunctionName": "pays", "StatementId": "s", "Action": "lambda:InvokeFunction", **wanted}
    refused = sdk.refusal("lambda", "add_permission", **{"Principal": "apigateway.amazonaws.com", **asked})
    assert refused == said


def test_a_functions_policy_has_20_kb(sdk: Sdk) -> None:
    sdk.client("lambda").create_function(**function(sdk))
    said = [
        sdk.refusal(
            "lambda",
            "add_permission",
            FunctionName="pays",
            StatementId=f"{number:02}" + "s" * 90,
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=f"arn:aws:execute-api:{HERE}:" + "a" * 150,
        )
        for number in range(60)
    ]
    assert set(said) == {"", "PolicyLengthExceededException"}


def test_concurrency_is_provisioned_within_what_is_reserved(sdk: Sdk) -> None:
    client = sdk.client("lambda")
    client.create_function(**function(sdk))
    client.publish_version(FunctionName="pays")
    client.put_function_concurrency(FunctionName="pays", ReservedConcurrentExecutions=2)
    for qualifier, wanted in (("$LATEST", 1), ("1", 5)):
        asked = {"FunctionName": "pays", "Qualifier": qualifier, "ProvisionedConcurrentExecutions": wanted}
        assert sdk.refusal("lambda", "put_provisioned_concurrency_config", **asked) == INVALID


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"Payload": b"{x"}, "InvalidRequestContentException"),
        ({"Payload": b'"' + b"x" * 6_291_456 + b'"'}, "RequestTooLargeException"),
        ({"Payload": b'"' + b"x" * 1_048_576 + b'"', "InvocationType": "Event"}, "RequestTooLargeException"),
        ({"Payload": b"{}", "InvocationType": "DryRun"}, ""),
    ],
)
def test_a_payload_is_json_and_not_too_long(sdk: Sdk, wanted: dict[str, Any], said: str) -> None:
    sdk.client("lambda").create_function(**function(sdk))
    assert sdk.refusal("lambda", "invoke", FunctionName="pays", **wanted) == said


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"StartingPosition": None}, INVALID),
        ({"StartingPosition": "AT_TIMESTAMP"}, INVALID),
        ({"EventSourceArn": f"arn:aws:dynamodb:{HERE}:table/none/stream/2026-01-01T00:00:00.000"}, INVALID),
        ({"MaximumRecordAgeInSeconds": 59}, INVALID),
        ({"FilterCriteria": {"Filters": [{"Pattern": "no json"}]}}, INVALID),
        ({"FilterCriteria": {"Filters": [{"Pattern": "{}"}] * 6}}, INVALID),
        ({"DestinationConfig": {"OnFailure": {"Destination": f"arn:aws:sns:{HERE}:none"}}}, INVALID),
        ({"FilterCriteria": {"Filters": [{"Pattern": json.dumps({"a": ["b"]})}]}}, ""),
    ],
)
def test_a_stream_is_read_as_lambda_reads_streams(sdk: Sdk, wanted: dict[str, Any], said: str) -> None:
    sdk.client("lambda").create_function(**function(sdk))
    reads = {"RoleName": "runs", "PolicyName": "p", "PolicyDocument": policy(Action="dynamodb:*")}
    sdk.client("iam").put_role_policy(**reads)
    made = sdk.client("dynamodb").create_table(
        TableName="payments",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    stream = made["TableDescription"]["LatestStreamArn"]
    asked = {"FunctionName": "pays", "EventSourceArn": stream, "StartingPosition": "LATEST", **wanted}
    kept = {name: value for name, value in asked.items() if value is not None}
    assert sdk.refusal("lambda", "create_event_source_mapping", **kept) == said
    if not said:
        again = sdk.refusal("lambda", "create_event_source_mapping", **kept)
        assert again == "ResourceConflictException"


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"StartingPosition": "LATEST"}, INVALID),
        ({"BatchSize": 100}, INVALID),
        ({"BatchSize": 100, "MaximumBatchingWindowInSeconds": 5}, ""),
    ],
)
def test_a_queue_is_read_as_lambda_reads_queues(sdk: Sdk, wanted: dict[str, Any], said: str) -> None:
    client = sdk.client("lambda")
    client.create_function(**function(sdk))
    sdk.client("sqs").create_queue(QueueName="orders")
    asked = {"FunctionName": "pays", "EventSourceArn": f"arn:aws:sqs:{HERE}:orders", **wanted}
    assert sdk.refusal("lambda", "create_event_source_mapping", **asked) == said
    client.update_function_configuration(FunctionName="pays", Timeout=60)
    assert sdk.refusal("lambda", "create_event_source_mapping", **asked) in {
        INVALID,
        "ResourceConflictException",
    }
