"""The gate of conformance: it reads requests back, and each of its judges can fail."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config

from payinfra.account.permissions import RESOURCE_TYPES
from payinfra.clients.aws import FOR_PAYMENTS, PREPARES_ACCOUNT
from payinfra.local.emulator_environment import ACCOUNT
from payinfra.local.server.validation.shapes import faults
from scripts.conformance import documented
from scripts.conformance.__main__ import main
from scripts.conformance.permissions import JudgedRole, PermissionQuestions
from scripts.conformance.requests import RecordedRequest, RequestRecord, read
from scripts.conformance.stacks import ELSEWHERE, TYPES, JudgedStacks, judge, schema_of

REGION = "us-east-1"
THREE = ["us-east-1", "us-west-1", "eu-west-1"]
PATHS = Config(
    s3={"addressing_style": "path"},
    retries={"total_max_attempts": 1},
    request_checksum_calculation="when_required",
)


def sent(service: str, operation: str, **parameters: Any) -> RecordedRequest:
    """What boto3 sends for a call, as the embedded AWS records it."""
    client = boto3.client(
        service, region_name=REGION, aws_access_key_id="a", aws_secret_access_key="b", config=PATHS
    )
    kept: list[Any] = []

    def answer(request: Any, **_more: Any) -> AWSResponse:
        kept.append(request)
        return AWSResponse(request.url, 500, HTTPHeaders(), None)

    client.meta.events.register("before-send", answer)
    try:
        getattr(client, operation)(**parameters)
    except Exception:  # noqa: BLE001 - the answer is of no interest
        assert kept
    request = kept[0]
    path, _, query = request.url.partition("//")[2].partition("?")
    body = request.body or b""
    headers = {
        name.lower(): value.decode() if isinstance(value, bytes) else str(value)
        for name, value in request.headers.items()
    }
    signed = {"cloudwatch": "monitoring", "resourcegroupstaggingapi": "tagging"}
    return RecordedRequest(
        signed.get(service, service),
        REGION,
        request.method,
        "/" + path.partition("/")[2],
        query,
        headers,
        body if isinstance(body, bytes) else body.read() if hasattr(body, "read") else body.encode(),
        200,
    )


CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("dynamodb", "put_item", {"TableName": "payments", "Item": {"payment_id": {"S": "pay_1"}}}),
    ("kms", "create_key", {"Description": "d", "Tags": [{"TagKey": "a", "TagValue": "b"}]}),
    (
        "iam",
        "create_role",
        {"RoleName": "r", "AssumeRolePolicyDocument": "{}", "Tags": [{"Key": "k", "Value": "v"}]},
    ),
    (
        "sns",
        "create_topic",
        {"Name": "t", "Attributes": {"DisplayName": "x"}, "Tags": [{"Key": "k", "Value": "v"}]},
    ),
    (
        "apigateway",
        "create_rest_api",
        {"name": "a", "endpointConfiguration": {"types": ["REGIONAL"]}, "tags": {"k": "v"}},
    ),
    (
        "apigateway",
        "update_stage",
        {
            "restApiId": "a1",
            "stageName": "prod",
            "patchOperations": [{"op": "replace", "path": "/x", "value": "y"}],
        },
    ),
    ("apigateway", "get_api_keys", {"nameQuery": "n", "includeValues": True, "limit": 5}),
    ("lambda", "get_function", {"FunctionName": "f", "Qualifier": "live"}),
    ("lambda", "create_alias", {"FunctionName": "f", "Name": "live", "FunctionVersion": "1"}),
    ("logs", "filter_log_events", {"logGroupName": "/g", "startTime": 1, "filterPattern": "x"}),
    ("ssm", "get_parameter", {"Name": "/p", "WithDecryption": True}),
    ("acm", "request_certificate", {"DomainName": "a.example.com", "ValidationMethod": "DNS"}),
    ("resourcegroupstaggingapi", "get_resources", {"TagFilters": [{"Key": "a", "Values": ["b"]}]}),
    (
        "cloudwatch",
        "put_metric_alarm",
        {
            "AlarmName": "a",
            "MetricName": "m",
            "Namespace": "n",
            "Period": 60,
            "Threshold": 1.0,
            "EvaluationPeriods": 1,
            "ComparisonOperator": "GreaterThanThreshold",
            "Dimensions": [{"Name": "d", "Value": "v"}],
        },
    ),
    (
        "route53",
        "create_health_check",
        {
            "CallerReference": "c",
            "HealthCheckConfig": {
                "Type": "HTTPS",
                "Port": 443,
                "Regions": THREE,
            },
        },
    ),
    (
        "route53",
        "change_resource_record_sets",
        {
            "HostedZoneId": "Z1",
            "ChangeBatch": {
                "Changes": [
                    {
                        "Action": "UPSERT",
                        "ResourceRecordSet": {
                            "Name": "a.example.com",
                            "Type": "CNAME",
                            "TTL": 60,
                            "ResourceRecords": [{"Value": "b.example.com"}],
                        },
                    }
                ]
            },
        },
    ),
    ("s3", "put_object", {"Bucket": "states", "Key": "a/b", "Body": b"x", "ServerSideEncryption": "AES256"}),
    ("s3", "list_object_versions", {"Bucket": "states", "Prefix": "a/"}),
    (
        "s3",
        "put_bucket_versioning",
        {"Bucket": "states", "VersioningConfiguration": {"Status": "Enabled"}},
    ),
    ("s3", "head_bucket", {"Bucket": "states"}),
    ("s3", "get_bucket_lifecycle_configuration", {"Bucket": "states"}),
    ("s3", "get_bucket_notification_configuration", {"Bucket": "states"}),
]


@pytest.mark.parametrize(("service", "operation", "parameters"), CALLS, ids=lambda one: str(one)[:30])
def test_a_request_is_read_back_as_the_call_that_it_was(
    service: str, operation: str, parameters: Mapping[str, Any]
) -> None:
    call = read(sent(service, operation, **parameters))
    assert (
        boto3.client(service, region_name=REGION).meta.method_to_api_mapping[operation] == call.operation.name
    )
    given = {name: call.parameters.get(name) for name in parameters}
    assert given == parameters
    assert list(faults(call.operation.input_shape, call.parameters)) == []


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "said"),
    [
        (
            "lambda",
            "create_alias",
            {"FunctionName": "f", "Name": "7", "FunctionVersion": "1"},
            "does not match",
        ),
        ("kms", "create_key", {"Description": "d" * 8193}, "the most is 8192"),
        (
            "acm",
            "request_certificate",
            {"DomainName": "a.example.com", "ValidationMethod": "FAX"},
            "is none of",
        ),
        ("logs", "filter_log_events", {"logGroupName": "/g", "limit": 20_000}, "20000, the most is 10000"),
        ("iam", "create_role", {"RoleName": "r!", "AssumeRolePolicyDocument": "{}"}, "does not match"),
    ],
)
def test_a_request_that_breaks_the_model_is_named(
    service: str, operation: str, parameters: dict[str, Any], said: str
) -> None:
    call = read(sent(service, operation, **parameters))
    found = list(faults(call.operation.input_shape, call.parameters))
    assert [one for one in found if said in one], found


def test_a_member_that_is_missing_and_one_that_there_is_not_are_named() -> None:
    shape = read(sent("ssm", "get_parameter", Name="/p")).operation.input_shape
    assert list(faults(shape, {})) == [".Name: is required"]
    assert list(faults(shape, {"Name": 7})) == [".Name: 7 is no text"]


def line(**changes: Any) -> str:
    request = {
        "service": "ssm",
        "region": REGION,
        "method": "POST",
        "path": "/",
        "query": "",
        "headers": {"x-amz-target": "AmazonSSM.GetParameter", "user-agent": "Terraform/1.11 payinfra/1"},
        "body": "eyJOYW1lIjogIi9wIn0=",
        "length": 14,
        "status": 200,
        "asked": [],
    }
    return json.dumps(request | changes)


def asked(action: str, resource: str, **more: Any) -> dict[str, Any]:
    made = {"action": action, "region": REGION, "resource": resource, "context": {}, "tags": {}}
    return {**made, "caller": f"arn:aws:iam::{ACCOUNT}:root", **more}


def refused(*lines: str) -> tuple[PermissionQuestions, list[str]]:
    """The questions of some lines, and those that the role for CI would have been refused."""
    questions = PermissionQuestions()
    for one in lines:
        questions.take(RecordedRequest.of_line(one))
    return questions, questions.refused()


PARAMETER = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/payment-pr1/api-key"


@pytest.mark.parametrize(
    ("question", "faulty"),
    [
        (asked("ssm:GetParameter", PARAMETER), False),
        (asked("ssm:GetParameter", PARAMETER.replace("payment-pr1", "others")), True),
        (asked("ec2:RunInstances", "*"), True),
        (
            asked(
                "kms:DescribeKey",
                f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k",
                tags={"Project": "payment-infrastructure"},
            ),
            False,
        ),
        (asked("kms:ScheduleKeyDeletion", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k"), True),
        (asked("sts:GetCallerIdentity", "*"), False),
    ],
)
def test_what_the_role_for_ci_may_not_is_named(question: dict[str, Any], faulty: bool) -> None:
    _, found = refused(line(asked=[question]))
    assert bool(found) is faulty
    _, unserved = refused(line(asked=[question], status=403))
    assert unserved == [], "AWS refused it, too"


def test_who_decides_about_payments_may_do_that_and_nothing_else() -> None:
    agent = {"user-agent": f"Boto3/1.43 payinfra/0.1.0 run/x {FOR_PAYMENTS}"}
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:payment-pr1-payments"
    decide, other = (asked("lambda:InvokeFunction", f"{function}:{alias}") for alias in ("live", "2"))
    questions, found = refused(line(asked=[decide, other], headers=agent))
    assert (len(questions.of_root), len(questions.of_operators)) == (0, 2)
    assert found == [
        f"lambda:InvokeFunction on {function}:2: an operator's role may not, as docs/account.md has it"
    ]


def test_who_evacuates_may_read_what_the_survivor_carries() -> None:
    """As docs/break-glass.md has it: the table is encrypted with a customer key."""
    shown = documented.policy("break-glass.md", "needs these permissions", "pr1", ACCOUNT)
    role = JudgedRole([[json.dumps(shown)]])
    index = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/payment-pr1-payments/index/status-index"
    through = {
        "context": {"kms:ViaService": f"dynamodb.{REGION}.amazonaws.com"},
        "tags": {"EnvironmentSuffix": "pr1"},
    }
    assert role.allows(asked("dynamodb:Query", index))
    assert role.allows(asked("kms:Decrypt", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k", **through))
    assert not role.allows(asked("kms:Decrypt", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k"))
    assert not role.allows(asked("dynamodb:PutItem", index))


def test_a_policy_that_no_page_shows_is_none() -> None:
    with pytest.raises(LookupError, match="shows no policy after 'never said'"):
        documented.policy("account.md", "never said", "pr1", ACCOUNT)


def test_what_is_done_once_for_an_account_is_not_for_the_role() -> None:
    made = asked("iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/payinfra-ci")
    for purpose, found in (
        ("", [f"iam:CreateRole on {made['resource']}: the role for CI may not"]),
        (PREPARES_ACCOUNT, []),
    ):
        agent = {"user-agent": f"Boto3/1.43 payinfra/0.1.0 run/x {purpose}"}
        assert refused(line(asked=[made], headers=agent))[1] == found


def test_what_another_role_did_was_held_to_its_own_policies() -> None:
    """Deciding about payments is for people; docs/account.md has what their role needs."""
    decide = asked(
        "lambda:InvokeFunction", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:payment-pr1-payments:live"
    )
    _, found = refused(line(asked=[decide]))
    assert found == [f"lambda:InvokeFunction on {decide['resource']}: the role for CI may not"]
    operator = {**decide, "caller": f"arn:aws:sts::{ACCOUNT}:assumed-role/operator/payinfra"}
    questions, found = refused(line(asked=[operator]), line(asked=[operator]))
    assert (found, len(questions.of_root), questions.of_roles) == ([], 0, 1)


@pytest.mark.parametrize(
    ("written", "status", "said"),
    [
        (
            line(asked=[asked("ssm:GetParameter", PARAMETER)]),
            0,
            "1 requests of 1 operations of 1 services, 0 faults",
        ),
        (line(body="e30=", length=2), 1, "ssm:GetParameter.Name: is required"),
        (line(headers={"x-amz-target": "AmazonSSM.NoSuch"}), 1, "ssm has no operation 'NoSuch'"),
        (line(service="nosuch"), 1, "'nosuch' is no service that botocore knows"),
        (line(body="e3t7", length=3), 1, "POST / of ssm is not in its protocol"),
        (line(headers={}), 1, "holds no request of Terraform's"),
        (line() + "\n{}", 1, "'{}' is no request: KeyError"),
        ("{}", 1, "nothing was recorded"),
        (line(asked=[asked("ec2:RunInstances", "*")]), 1, "ec2:RunInstances on *: the role for CI may not"),
        (line(length=1 << 25), 1, "has more in it than the record keeps"),
        ("", 1, "nothing was recorded"),
    ],
)
def test_the_gate_says_what_it_judged_and_fails_for_any_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], written: str, status: int, said: str
) -> None:
    (tmp_path / "1.jsonl").write_text(written + "\n")
    assert main([str(tmp_path), "--without-stacks"]) == status
    told = capsys.readouterr()
    assert said in told.out + told.err


def test_a_folder_that_is_not_there_fails_the_gate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "none"), "--without-stacks"]) == 1
    assert "nothing was recorded" in capsys.readouterr().out


def test_a_line_that_was_cut_off_with_its_server_is_ordinary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("1", "2"):
        (tmp_path / f"{name}.jsonl").write_bytes(line().encode() + b"\n" + line().encode()[:70] + b"\xc3")
    assert main([str(tmp_path), "--without-stacks"]) == 0
    assert "2 requests of 1 operations of 1 services (2 more were cut off" in capsys.readouterr().out
    record = RequestRecord(tmp_path)
    assert [*record] == [*record] == [line() + "\n"] * 2
    assert record.cut == 2


def stack(type_: str, **block: Any) -> dict[str, Any]:
    return {"resource": {type_: {"x": {"provider": "aws", "tags": {"a": "b"}, **block}}}}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (stack("aws_lambda_function", memory_size=64), "MemorySize: 64 is less than the minimum of 128"),
        (stack("aws_lambda_function", runtime="${var.x}", role="${aws_iam_role.x.arn}"), ""),
        (
            stack("aws_lambda_function", environment=[{"variables": {"AB": "c"}}], timeout=0),
            "Timeout: 0",
        ),
        (stack("aws_cloudwatch_log_group", name="g" * 513), "LogGroupName: "),
        (stack("aws_cloudwatch_log_group", retention_in_days=8), "RetentionInDays: 8 is not one of"),
        (stack("aws_kms_key", deletion_window_in_days=6), "PendingWindowInDays: 6"),
        (stack("aws_cloudwatch_metric_alarm", dimensions={"A": "b", "C": "${x}"}, threshold=1), ""),
        (stack("aws_dynamodb_table", attribute=[{"name": "a", "type": "X"}]), "'X' is not one of"),
        (
            stack(
                "aws_cloudwatch_log_metric_filter",
                metric_transformation={"name": "n", "default_value": "many"},
            ),
            "DefaultValue: 'many' is not of type 'number'",
        ),
        (stack("aws_route53_health_check", failure_threshold=11), "FailureThreshold: 11"),
        (stack("aws_route53_record", ttl=60, records=["a"], type="A"), ""),
        (stack("aws_ssm_parameter", value="x"), ""),
        (stack("aws_no_such_thing"), "nobody said which type of CloudFormation's aws_no_such_thing is"),
    ],
)
def test_what_cloudformations_schema_forbids_is_named(content: Mapping[str, Any], said: str) -> None:
    judged = JudgedStacks()
    judge(content, "s", judged)
    assert bool(judged.faults) is bool(said), judged.faults
    assert not said or said in judged.faults[0]


def test_every_type_of_the_stack_has_a_type_of_cloudformations_or_a_reason_why_not() -> None:
    assert not TYPES.keys() & ELSEWHERE.keys()
    assert all(schema_of(called)["typeName"] == called for called, _ in TYPES.values())
    assert {*RESOURCE_TYPES} <= {*TYPES, *ELSEWHERE}
