"""What CloudWatch and CloudWatch Logs refuse."""

import json
import time
from typing import Any

import pytest

from tests.unit.local.validation.conftest import Sdk

INVALID, VALUE, COMBINATION, MISSING = (
    *("ValidationError", "InvalidParameterValue", "InvalidParameterCombination"),
    "MissingParameter",
)
NAMESPACE = {"Namespace": "payment-dev", "MetricName": "m"}
SUM = {"Id": "sum", "MetricStat": {"Metric": NAMESPACE, "Period": 60, "Stat": "Sum"}, "ReturnData": False}
RATE = {"Id": "rate", "Expression": "sum * 2"}
NO_METRIC: dict[str, Any] = dict.fromkeys(("Namespace", "MetricName", "Statistic", "Period"))


def given(**wanted: Any) -> dict[str, Any]:
    return {name: value for name, value in wanted.items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, ""),
        ({"Period": 15}, VALUE),
        ({"Period": None}, MISSING),
        ({"Period": 86_400, "EvaluationPeriods": 8}, VALUE),
        ({"Period": 60, "EvaluationPeriods": 1441}, VALUE),
        ({"Statistic": None}, MISSING),
        ({"ExtendedStatistic": "p99"}, COMBINATION),
        ({"Statistic": None, "ExtendedStatistic": "q99"}, VALUE),
        ({"MetricName": None}, INVALID),
        ({"Threshold": None}, INVALID),
        ({"DatapointsToAlarm": 2}, INVALID),
        ({"TreatMissingData": "nonsense"}, INVALID),
        ({"AlarmActions": ["nonsense"]}, INVALID),
        ({"AlarmActions": ["arn:aws:sns:us-west-2:000000000000:t"]}, INVALID),
        ({"Metrics": [SUM, RATE]}, COMBINATION),
        ({**NO_METRIC, "Metrics": [SUM, RATE]}, ""),
        ({**NO_METRIC, "Metrics": [SUM, SUM]}, INVALID),
        ({**NO_METRIC, "Metrics": [{**SUM, "ReturnData": True}, RATE]}, INVALID),
        ({**NO_METRIC, "Metrics": [SUM, {**RATE, "Id": "Rate"}]}, INVALID),
        ({**NO_METRIC, "Metrics": [SUM, {**RATE, "Expression": "other * 2"}]}, INVALID),
        ({"Tags": [{"Key": "aws:a", "Value": "b"}]}, VALUE),
    ],
)
def test_an_alarm_watches_what_can_be_watched(sdk: Sdk, changes: dict[str, Any], code: str) -> None:
    alarm = {
        "AlarmName": "a",
        **NAMESPACE,
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanThreshold",
        **changes,
    }
    assert sdk.refusal("cloudwatch", "put_metric_alarm", **given(**alarm)) == code


@pytest.mark.parametrize(
    ("namespace", "datum", "code"),
    [
        ("payment-dev", {"Value": 1.0}, ""),
        ("AWS/Lambda", {"Value": 1.0}, VALUE),
        (":a", {"Value": 1.0}, INVALID),
        ("payment-dev", {}, MISSING),
        ("payment-dev", {"Value": float("nan")}, INVALID),
        ("payment-dev", {"Values": [2.0**361]}, VALUE),
        ("payment-dev", {"Value": 1.0, "Timestamp": "2020-01-01T00:00:00Z"}, VALUE),
    ],
)
def test_a_metric_is_a_number_of_these_days(
    sdk: Sdk, namespace: str, datum: dict[str, Any], code: str
) -> None:
    data = [{"MetricName": "m", **datum}]
    assert sdk.refusal("cloudwatch", "put_metric_data", Namespace=namespace, MetricData=data) == code


def test_metrics_come_by_the_thousand(sdk: Sdk) -> None:
    data = [{"MetricName": "m", "Value": 1.0}] * 1001
    assert sdk.refusal("cloudwatch", "put_metric_data", Namespace="n", MetricData=data) == VALUE


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, ""),
        ({"Statistics": None}, MISSING),
        ({"Period": 90}, VALUE),
        ({"EndTime": "2026-01-01T00:00:00Z"}, VALUE),
        ({"EndTime": "2026-02-02T00:00:00Z"}, COMBINATION),
    ],
)
def test_statistics_have_so_many_points(sdk: Sdk, changes: dict[str, Any], code: str) -> None:
    times = {"StartTime": "2026-02-01T00:00:00Z", "EndTime": "2026-02-01T12:00:00Z"}
    asked = given(**{**NAMESPACE, **times, "Period": 60, "Statistics": ["Sum"], **changes})
    wanted = {**asked, "Period": 30} if code == COMBINATION else asked
    assert sdk.refusal("cloudwatch", "get_metric_statistics", **wanted) == code


def test_queries_differ_in_id(sdk: Sdk) -> None:
    times = {"StartTime": "2026-02-01T00:00:00Z", "EndTime": "2026-02-01T12:00:00Z"}
    for queries in ([SUM, SUM], [{**SUM, "Id": f"a{one}"} for one in range(501)]):
        assert sdk.refusal("cloudwatch", "get_metric_data", MetricDataQueries=queries, **times) == INVALID


@pytest.mark.parametrize(("name", "body"), [("d d", "{}"), ("d", "no json"), ("d", "[]")])
def test_a_dashboard_has_a_name_and_a_body(sdk: Sdk, name: str, body: str) -> None:
    wanted = {"DashboardName": name, "DashboardBody": body}
    assert sdk.refusal("cloudwatch", "put_dashboard", **wanted) == "InvalidParameterInput"


# ---- logs -----------------------------------------------------------------------------------------------

WRONG = "InvalidParameterException"


def group(sdk: Sdk) -> None:
    sdk.client("logs").create_log_group(logGroupName="/g")
    sdk.client("logs").create_log_stream(logGroupName="/g", logStreamName="s")


def test_a_group_has_a_name_of_ones_own(sdk: Sdk) -> None:
    assert sdk.refusal("logs", "create_log_group", logGroupName="aws/x") == WRONG
    tags = {f"a{one}": "b" for one in range(51)}
    assert sdk.refusal("logs", "create_log_group", logGroupName="/g", tags=tags) == WRONG


@pytest.mark.parametrize("state", ["no word of logs", "disabled", "not there", "usable"])
def test_a_groups_key_lets_logs_in(sdk: Sdk, state: str) -> None:
    own = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    logs = {
        "Effect": "Allow",
        "Principal": {"Service": "logs.us-east-1.amazonaws.com"},
        "Action": "kms:*",
        "Resource": "*",
    }
    statements = [own] if state == "no word of logs" else [own, logs]
    kms = sdk.client("kms")
    arn = kms.create_key(Policy=json.dumps({"Statement": statements}))["KeyMetadata"]["Arn"]
    if state == "disabled":
        kms.disable_key(KeyId=arn)
    key = arn[:-4] + "0000" if state == "not there" else arn
    refused = sdk.refusal("logs", "create_log_group", logGroupName="/g", kmsKeyId=key)
    assert refused == ("" if state == "usable" else WRONG)


@pytest.mark.parametrize(
    ("times", "code"), [([], WRONG), ([0, -1], WRONG), ([-90_000_000, 0], WRONG), ([0, 1], "")]
)
def test_events_come_in_order_and_of_a_day(sdk: Sdk, times: list[int], code: str) -> None:
    group(sdk)
    now = int(time.time() * 1000)
    events = [{"timestamp": now + one, "message": "m"} for one in times]
    wanted = {"logGroupName": "/g", "logStreamName": "s", "logEvents": events}
    assert sdk.refusal("logs", "put_log_events", **wanted) == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, ""),
        ({"filterPattern": "{ $.a = "}, WRONG),
        ({"filterPattern": "{ $.a = }"}, WRONG),
        ({"filterPattern": "[a, b"}, WRONG),
        ({"filterPattern": '"open'}, WRONG),
        ({"filterPattern": ""}, ""),
        ({"filterPattern": '?ERROR ?"time-out {"'}, ""),
        ({"metricNamespace": "AWS/Lambda"}, WRONG),
        ({"metricValue": "many"}, WRONG),
        ({"metricValue": "$.ms"}, ""),
        ({"defaultValue": 0, "dimensions": {"A": "$.a"}}, WRONG),
        ({"dimensions": {f"A{one}": "$.a" for one in range(4)}}, WRONG),
    ],
)
def test_a_filter_finds_and_sends_what_it_can(sdk: Sdk, changes: dict[str, Any], code: str) -> None:
    group(sdk)
    pattern = changes.pop("filterPattern", '{ $.outcome = "accepted" }')
    sent = {"metricName": "m", "metricNamespace": "payment-dev", "metricValue": "1", **changes}
    wanted = {
        "logGroupName": "/g",
        "filterName": "f",
        "filterPattern": pattern,
        "metricTransformations": [sent],
    }
    assert sdk.refusal("logs", "put_metric_filter", **wanted) == code


def test_a_group_has_100_filters_and_two_subscriptions(sdk: Sdk) -> None:
    group(sdk)
    sent = [{"metricName": "m", "metricNamespace": "n", "metricValue": "1"}]
    of = {"logGroupName": "/g", "filterPattern": ""}
    said = [
        sdk.refusal("logs", "put_metric_filter", filterName=f"f{one}", metricTransformations=sent, **of)
        for one in range(101)
    ]
    assert (set(said[:100]), said[100]) == ({""}, "LimitExceededException")
    function = "arn:aws:lambda:us-east-1:000000000000:function:none"
    asked = {**of, "filterName": "s", "destinationArn": function}
    assert sdk.refusal("logs", "put_subscription_filter", **asked) == WRONG
    stream = "arn:aws:firehose:us-east-1:000000000000:deliverystream/d"
    said = [
        sdk.refusal(
            "logs", "put_subscription_filter", **{**asked, "filterName": f"s{one}", "destinationArn": stream}
        )
        for one in range(3)
    ]
    assert said[2] == "LimitExceededException"
