"""What a function needs of its role, by its code and by what the stack makes of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name

from payinfra.checks.manifest import Manifest
from payinfra.checks.policy.required_actions import method_of
from payinfra.checks.runner import run
from payinfra.checks.verdicts import Kind
from tests.unit.checks.policy.test_unusual import CHECKS, worst

Zip = Callable[[Path, dict[str, str]], Path]
FUNCTION = "${aws_lambda_function.f.arn}"
FED = {"aws_lambda_event_source_mapping": {"m": {"function_name": FUNCTION}}}
TOLD = {
    "aws_lambda_function_event_invoke_config": {"i": {"function_name": FUNCTION, "destination_config": {}}}
}


@pytest.fixture
def judge(zip_of: Zip, tmp_path: Path) -> Callable[..., Kind]:
    """The verdict on one action of a function with this code."""

    def ask(action: str, code: str, others: dict[str, Any] | None = None, **fields: Any) -> Kind:
        zip_of(tmp_path / "code.zip", {"app.py": f"def handle(event, context):\n    {code}\n"})
        grant = {"Effect": "Allow", "Action": action, "Resource": "x"}
        resources = {
            "aws_lambda_function": {
                "f": {
                    "runtime": "python3.13",
                    "handler": "app.handle",
                    "filename": "code.zip",
                    "role": "${aws_iam_role.r.arn}",
                    **fields,
                }
            },
            "aws_iam_role": {"r": {}},
            "aws_iam_role_policy": {
                "p": {"role": "${aws_iam_role.r.id}", "policy": json.dumps({"Statement": [grant]})}
            },
            **(others or {}),
        }
        manifest = Manifest.from_json({"resource": resources}, folder=tmp_path)
        (judged,) = run([CHECKS["PI-IAM-007"]], [manifest])
        (kind,) = judged.result.counts
        return kind

    return ask


@pytest.mark.parametrize(
    ("action", "code"),
    [
        ("bedrock:InvokeModel", "c.converse()"),
        ("dynamodb:DeleteItem", "DynamoDBPersistenceLayer(table_name='x')"),
        ("dynamodb:PartiQLSelect", "c.execute_statement()"),
        ("execute-api:ManageConnections", "c.post_to_connection()"),
        ("iam:ListMFADevices", "c.list_mfa_devices()"),
        ("rds-db:connect", "c.generate_db_auth_token()"),
        ("rds:CreateDBSnapshot", "c.create_db_snapshot()"),
        ("s3:DeleteObject", "c.delete_objects()"),
        ("s3:GetObject", "c.copy_object()"),
        ("s3:GetObjectVersion", "c.get_object(VersionId='x')"),
        ("s3:ListBucketVersions", "c.list_object_versions()"),
        ("s3:PutObjectTagging", "c.put_object(Tagging='a=b')"),
        ("secretsmanager:GetSecretValue", "parameters.get_secret('x')"),
        ("sns:Publish", "c.publish_batch()"),
        ("sqs:DeleteMessage", "c.delete_message_batch()"),
        ("sqs:SendMessage", "c.send_message_batch()"),
    ],
)
def test_an_action_is_needed_by_other_calls_than_that_of_its_name(
    judge: Callable[..., Kind], action: str, code: str
) -> None:
    assert judge(action, code) is Kind.PASS
    assert judge(action, "pass") is Kind.FAIL


@pytest.mark.parametrize(
    ("action", "others", "fields"),
    [
        ("ec2:DescribeSecurityGroups", {}, {"vpc_config": {}}),
        ("ec2:DescribeVpcs", FED, {}),
        ("elasticfilesystem:ClientMount", {}, {"file_system_config": {}}),
        ("kafka-cluster:Connect", FED, {}),
        ("kafka:GetBootstrapBrokers", FED, {}),
        ("kinesis:ListShards", FED, {}),
        ("kinesis:SubscribeToShard", FED, {}),
        ("mq:DescribeBroker", FED, {}),
        ("events:PutEvents", TOLD, {}),
        ("lambda:InvokeFunction", TOLD, {}),
        ("s3:PutObject", TOLD, {}),
    ],
)
def test_lambda_itself_needs_what_the_function_is_configured_for(
    judge: Callable[..., Kind], action: str, others: dict[str, Any], fields: dict[str, Any]
) -> None:
    assert judge(action, "pass", others, **fields) is Kind.PASS
    assert judge(action, "pass") is Kind.FAIL


def test_a_layer_may_make_the_call(judge: Callable[..., Kind]) -> None:
    assert judge("secretsmanager:GetSecretValue", "pass", layers=["arn"]) is Kind.UNKNOWN
    assert judge("secretsmanager:GetSecretValue", "c.get_secret_value()", layers=["arn"]) is Kind.PASS
    assert judge("secretsmanager:GetSecretValue", "pass", layers=[]) is Kind.FAIL


@pytest.mark.parametrize(
    "action", ["GetItem", "ListMFADevices", "CreateDBSnapshot", "ListOpenIDConnectProviders", "PutItem"]
)
def test_methods_are_named_as_botocore_does_it(action: str) -> None:
    assert method_of(action) == xform_name(action)


READS_QUEUE = "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole"
READS_STREAM = "arn:aws:iam::aws:policy/service-role/AWSLambdaKinesisExecutionRole"
KEY = "${aws_kms_key.k.arn}"
OF_THE_KEY = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": KEY}


@pytest.mark.parametrize(
    ("source", "key_at", "managed"),
    [
        ("aws_sqs_queue", "kms_master_key_id", READS_QUEUE),
        ("aws_kinesis_stream", "kms_key_id", READS_STREAM),
    ],
)
@pytest.mark.parametrize("reader", ["aws_lambda_function.f.arn", "aws_lambda_alias.live.arn"])
@pytest.mark.parametrize(
    ("own", "is_encrypted", "kind"),
    [([], True, Kind.FAIL), ([OF_THE_KEY], True, Kind.PASS), ([], False, Kind.NOT_APPLICABLE)],
)
def test_what_a_mapping_reads_is_decrypted_by_the_functions_role(
    source: str, key_at: str, managed: str, reader: str, own: list[Any], is_encrypted: bool, kind: Kind
) -> None:
    trust = json.dumps({"Statement": []})
    role: dict[str, Any] = {"name": "r", "assume_role_policy": trust, "managed_policy_arns": [managed]}
    if own:
        role["inline_policy"] = [{"name": "own", "policy": json.dumps({"Statement": own})}]
    stack = {
        "aws_iam_role": {"r": role},
        "aws_lambda_function": {"f": {"function_name": "f", "role": "${aws_iam_role.r.arn}"}},
        "aws_lambda_alias": {"live": {"function_name": "${aws_lambda_function.f.function_name}"}},
        source: {"s": {"name": "s", **({key_at: KEY} if is_encrypted else {})}},
        "aws_kms_key": {"k": {}},
        "aws_lambda_event_source_mapping": {
            "m": {"event_source_arn": f"${{{source}.s.arn}}", "function_name": f"${{{reader}}}"}
        },
    }
    assert worst("PI-IAM-004", stack, provider={"aws": {"region": "eu-west-1"}}) is kind


def test_a_mapping_of_a_table_needs_no_key_of_a_queue() -> None:
    stack = {
        "aws_iam_role": {"r": {"name": "r"}},
        "aws_lambda_function": {"f": {"function_name": "f", "role": "${aws_iam_role.r.arn}"}},
        "aws_dynamodb_table": {"t": {"name": "t"}},
        "aws_lambda_event_source_mapping": {
            "m": {"event_source_arn": "${aws_dynamodb_table.t.stream_arn}", "function_name": FUNCTION}
        },
    }
    assert worst("PI-IAM-004", stack) is Kind.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("action", "needed"),
    [("kinesis:PutRecord", "kms:GenerateDataKey"), ("kinesis:GetRecords", "kms:Decrypt")],
)
def test_a_stream_is_read_and_written_under_its_key(action: str, needed: str) -> None:
    stream = {"Effect": "Allow", "Action": action, "Resource": "${aws_kinesis_stream.s.arn}"}

    def kind(*more: dict[str, Any]) -> Kind:
        policy = json.dumps({"Statement": [stream, *more]})
        stack = {
            "aws_iam_role": {"r": {"name": "r", "inline_policy": [{"name": "own", "policy": policy}]}},
            "aws_kinesis_stream": {"s": {"name": "s", "kms_key_id": KEY}},
            "aws_kms_key": {"k": {}},
        }
        return worst("PI-IAM-004", stack, provider={"aws": {"region": "eu-west-1"}})

    assert kind() is Kind.FAIL
    assert kind({"Effect": "Allow", "Action": needed, "Resource": KEY}) is Kind.PASS
