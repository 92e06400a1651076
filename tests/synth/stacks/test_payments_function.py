"""The payments function, its role and its log group, row by row."""

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.synth.stacks.conftest import Synthesized

PLACES = ("primary", "secondary")


def allowed(stack: "Synthesized", place: str) -> dict[str, Any]:
    policy = json.loads(stack.of("iam_role_policy")[f"{place}_service_policy"]["policy"])
    return {one["Sid"]: one for one in policy["Statement"]}


@pytest.mark.parametrize("place", PLACES)
def test_the_function_is_as_the_table_says(local: "Synthesized", place: str) -> None:
    function = local.of("lambda_function")[f"{place}_service_function"]
    assert function["function_name"] == "payment-pr123-payments"
    assert (function["runtime"], function["handler"]) == ("python3.11", "payments.handler.handle")
    assert "architectures" not in function
    assert (function["memory_size"], function["timeout"]) == (512, 60)
    assert function["kms_key_arn"] == f"${{aws_kms_key.{place}_keys_application_key.arn}}"
    assert function["tracing_config"] == {"mode": "Active"}
    assert "reserved_concurrent_executions" not in function
    assert function["role"] == f"${{aws_iam_role.{place}_service_role.arn}}"


def test_the_function_follows_the_switches(protected: "Synthesized") -> None:
    for function in protected.pair("lambda_function", "service_function"):
        assert (function["runtime"], function["architectures"]) == ("python3.13", ["arm64"])
        assert (function["memory_size"], function["timeout"]) == (1024, 20)
        assert function["reserved_concurrent_executions"] == 50
        assert function["environment"]["variables"]["CORS_ORIGINS"] == "https://shop.example.com"


def test_verify_is_told_the_runtime_and_the_architecture(
    local: "Synthesized", protected: "Synthesized"
) -> None:
    for stack, wanted in ((local, ("python3.11", None)), (protected, ("python3.13", "arm64"))):
        for region in stack.declared.regions:
            assert (region.function.runtime, region.function.architecture) == wanted
    assert "architecture" not in local.content["output"]["declared"]["value"]


def test_the_zip_is_beside_the_file_and_told_by_its_hash(every: "Synthesized") -> None:
    for function in every.pair("lambda_function", "service_function"):
        # Relative: the file is the same on every machine.
        assert function["filename"] == "payments.zip"
        content = (every.folder / function["filename"]).read_bytes()
        assert base64.b64decode(function["source_code_hash"]) == hashlib.sha256(content).digest()


def test_the_api_calls_a_published_version_through_an_alias(local: "Synthesized") -> None:
    function, _ = local.pair("lambda_function", "service_function")
    assert function["publish"] is True
    alias, _ = local.pair("lambda_alias", "service_alias")
    assert alias["name"] == "live"
    assert alias["function_version"] == "${aws_lambda_function.primary_service_function.version}"


@pytest.mark.parametrize("place", PLACES)
def test_the_log_group_comes_first_with_retention_and_key(local: "Synthesized", place: str) -> None:
    group = local.of("cloudwatch_log_group")[f"{place}_service_log_group"]
    assert group["name"] == "/aws/lambda/payment-pr123-payments"
    assert group["retention_in_days"] == 7
    assert group["kms_key_id"] == f"${{aws_kms_key.{place}_keys_audit_key.arn}}"
    function = local.of("lambda_function")[f"{place}_service_function"]
    assert f"aws_cloudwatch_log_group.{place}_service_log_group" in function["depends_on"]
    assert f"aws_iam_role_policy.{place}_service_policy" in function["depends_on"]


def test_the_environment_holds_names_and_no_secret(local: "Synthesized") -> None:
    function, _ = local.pair("lambda_function", "service_function")
    assert function["environment"]["variables"] == {
        "ENVIRONMENT": "pr123",
        "TABLE_NAME": "${aws_dynamodb_table.ledger_table.name}",
        "AUDIT_BUCKET": "${aws_s3_bucket.primary_audit_bucket.bucket}",
        "AUDIT_KEY_ARN": "${aws_kms_key.primary_keys_audit_key.arn}",
        "CURSOR_SECRET_PARAMETER": "/payment-pr123/cursor-secret",
        "EVACUATED_PARAMETER": "/payment-pr123/evacuated",
        "PEER_REGION": "us-west-2",
        "PRIMARY_REGION": "us-east-1",
        "LOG_LEVEL": "INFO",
        "POWERTOOLS_SERVICE_NAME": "payments",
        "POWERTOOLS_METRICS_NAMESPACE": "payment-pr123",
    }


FAIL_BACK = ("FAIL_BACK", "FAILOVER_NAME", "FAILOVER_ZONE", "NAME_SERVERS", "REGION_ENDPOINTS")


def fail_back_of(stack: "Synthesized") -> list[dict[str, str]]:
    """What each region's function is told of fail-back."""
    return [
        {name: value for name, value in function["environment"]["variables"].items() if name in FAIL_BACK}
        for function in stack.pair("lambda_function", "service_function")
    ]


def test_functions_watch_the_name_where_fail_back_is_manual(
    local: "Synthesized", protected: "Synthesized", backwards: "Synthesized"
) -> None:
    assert [stack.settings.failback for stack in (local, protected, backwards)] == [
        "automatic",
        "manual",
        "manual",
    ]
    assert fail_back_of(local) == [{}, {}]
    delegated = {
        "FAIL_BACK": "manual",
        "FAILOVER_NAME": "payment-prod-failover.pay.example.com",
        "FAILOVER_ZONE": "pay.example.com",
    }
    assert fail_back_of(protected) == [delegated, delegated]
    for said in fail_back_of(backwards):
        servers = said.pop("NAME_SERVERS")
        assert said == {"FAIL_BACK": "manual", "FAILOVER_NAME": "failover.payment-dev-x.internal"}
        name = servers.removeprefix("${local.").removesuffix("}")
        assert backwards.content["locals"][name] == '${join(",", aws_route53_zone.dns_zone.name_servers)}'


def test_a_role_sets_its_flag_and_reads_the_others_only_where_fail_back_is_manual(
    every: "Synthesized",
) -> None:
    primary, secondary = (allowed(every, place) for place in PLACES)
    if every.settings.failback == "automatic":
        assert [one["EvacuationFlag"]["Action"] for one in (primary, secondary)] == [["ssm:GetParameter"]] * 2
        assert "PeerFlag" not in {*primary, *secondary}
        return
    for here, there, account in (
        (primary, secondary, "secondary_account"),
        (secondary, primary, "primary_account"),
    ):
        assert here["EvacuationFlag"]["Action"] == ["ssm:GetParameter", "ssm:PutParameter"]
        assert here["PeerFlag"]["Action"] == ["ssm:GetParameter"]
        (flag,), (peer,) = there["EvacuationFlag"]["Resource"], here["PeerFlag"]["Resource"]
        own_account = "primary_account" if account == "secondary_account" else "secondary_account"
        assert peer == flag.replace(account, own_account)


def test_the_role_is_for_functions_of_this_account_alone(local: "Synthesized") -> None:
    _, role = local.pair("iam_role", "service_role")
    assert role["name"] == "payment-pr123-function-us-west-2"
    (trust,) = json.loads(role["assume_role_policy"])["Statement"]
    assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}
    account = "${data.aws_caller_identity.secondary_account.account_id}"
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": account}}


def test_the_role_may_do_exactly_this(local: "Synthesized") -> None:
    account = "${data.aws_caller_identity.primary_account.account_id}"
    table = f"arn:aws:dynamodb:us-east-1:{account}:table/${{aws_dynamodb_table.ledger_table.name}}"
    granted = {
        (action, resource)
        for one in allowed(local, "primary").values()
        for action in one["Action"]
        for resource in one["Resource"]
    }
    assert granted == {
        ("dynamodb:PutItem", table),
        ("dynamodb:Query", table),
        ("dynamodb:UpdateItem", table),
        ("dynamodb:Query", f"{table}/index/*"),
        *(
            (f"dynamodb:{action}", "${aws_dynamodb_table.ledger_table.stream_arn}")
            for action in ("DescribeStream", "GetRecords", "GetShardIterator")
        ),
        ("dynamodb:ListStreams", "*"),
        ("s3:PutObject", "${aws_s3_bucket.primary_audit_bucket.arn}/audit/*"),
        ("s3:PutObject", "${aws_s3_bucket.primary_audit_bucket.arn}/test/*"),
        ("ssm:GetParameter", f"arn:aws:ssm:us-east-1:{account}:parameter/payment-pr123/cursor-secret"),
        ("ssm:GetParameter", f"arn:aws:ssm:us-east-1:{account}:parameter/payment-pr123/evacuated"),
        ("sns:Publish", "${aws_sns_topic.primary_alarms_topic.arn}"),
        ("kms:Decrypt", "${aws_kms_key.primary_keys_audit_key.arn}"),
        ("kms:Decrypt", "${aws_kms_key.primary_keys_data_key.arn}"),
        ("kms:GenerateDataKey", "${aws_kms_key.primary_keys_audit_key.arn}"),
        ("kms:Decrypt", "${aws_kms_key.primary_keys_application_key.arn}"),
        ("logs:CreateLogStream", "${aws_cloudwatch_log_group.primary_service_log_group.arn}:*"),
        ("logs:PutLogEvents", "${aws_cloudwatch_log_group.primary_service_log_group.arn}:*"),
        ("xray:PutTelemetryRecords", "*"),
        ("xray:PutTraceSegments", "*"),
    }


def test_the_role_uses_keys_through_their_services_only(local: "Synthesized") -> None:
    services_of = {
        "TableKey": ["dynamodb"],
        "AuditKey": ["s3"],
        "TopicKey": ["sns"],
        "ApplicationKey": ["ssm", "lambda"],
    }
    for sid, services in services_of.items():
        assert allowed(local, "secondary")[sid]["Condition"] == {
            "StringEquals": {"kms:ViaService": [f"{service}.us-west-2.amazonaws.com" for service in services]}
        }


def test_the_stream_of_each_region_brings_what_it_recorded_and_what_changed(local: "Synthesized") -> None:
    here, there = local.pair("lambda_event_source_mapping", "service_stream")
    assert here["event_source_arn"] == "${aws_dynamodb_table.ledger_table.stream_arn}"
    assert there["event_source_arn"] == "${one(aws_dynamodb_table.ledger_table.replica[*].stream_arn)}"
    assert here["function_name"] == "${aws_lambda_alias.primary_service_alias.arn}"
    for mapping, region, place in ((here, "us-east-1", "primary"), (there, "us-west-2", "secondary")):
        patterns = [json.loads(one["pattern"]) for one in mapping["filter_criteria"]["filter"]]
        receipt = {"M": {"region": {"S": [region]}}}
        assert patterns == [
            {"eventName": ["MODIFY"]},
            {"eventName": ["INSERT"], "dynamodb": {"NewImage": {"receipt": receipt}}},
        ]
        assert mapping["maximum_retry_attempts"] == -1
        # Lambda must give up before the stream forgets, or nobody is told.
        assert mapping["maximum_record_age_in_seconds"] == 22 * 60 * 60
        assert mapping["bisect_batch_on_function_error"] is True
        assert mapping["function_response_types"] == ["ReportBatchItemFailures"]
        assert mapping["destination_config"]["on_failure"] == {
            "destination_arn": f"${{aws_sns_topic.{place}_alarms_topic.arn}}"
        }


def test_addresses_are_kept_only_where_settings_say_so(
    local: "Synthesized", protected: "Synthesized"
) -> None:
    for stack, kept in ((local, None), (protected, "true")):
        for function in stack.pair("lambda_function", "service_function"):
            assert function["environment"]["variables"].get("KEEP_SOURCE_IP") == kept


def test_the_function_is_told_only_where_statuses_are_not_spread(
    local: "Synthesized", protected: "Synthesized"
) -> None:
    for stack, spread in ((local, None), (protected, "false")):
        for function in stack.pair("lambda_function", "service_function"):
            assert function["environment"]["variables"].get("SPREAD_STATUSES") == spread
