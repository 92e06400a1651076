"""Log lines that become metrics: embedded ones, and those that a filter matches."""

import json
from typing import Any

import pytest

from payinfra.local.server.cloudwatch_alarms import Watching
from payinfra.local.server.patches.log_metrics import DataPoint, embedded
from payinfra.local.server.time_scale import TimeScale
from tests.unit.local.conftest import KEY, Ministack

GROUP = "/aws/lambda/payments"
WHERE = {"region": "us-east-1", "service": "payments"}


def line(**changes: Any) -> str:
    """A line as the function's library writes it."""
    metric = {"Name": "AuditWriteFailed", "Unit": "Count"}
    directive = {"Namespace": "payment-a", "Dimensions": [["service", "region"]], "Metrics": [metric]}
    about = {"Timestamp": 12_500, "CloudWatchMetrics": [directive]}
    return json.dumps({"_aws": about, **WHERE, "AuditWriteFailed": [1.0], **changes})


def test_a_line_has_the_data_points_that_it_declares() -> None:
    dimensions = (("service", "payments"), ("region", "us-east-1"))
    point = DataPoint("payment-a", "AuditWriteFailed", 1.0, "Count", dimensions, 12.5)
    assert list(embedded(line())) == [point]
    assert [one.value for one in embedded(line(AuditWriteFailed=[1, 2.5]))] == [1.0, 2.5]
    assert [one.value for one in embedded(line(AuditWriteFailed=7))] == [7.0]


@pytest.mark.parametrize(
    "text",
    [
        "START RequestId: 1",
        '{"level": "INFO"}',
        '{"_aws": "no object"}',
        '{"_aws": {"CloudWatchMetrics": []}}',
        '"_aws" and no JSON {',
        '["_aws"]',
        line(service=None),
        line(AuditWriteFailed="many"),
        line(AuditWriteFailed=True),
    ],
)
def test_any_other_line_has_none(text: str) -> None:
    assert list(embedded(text)) == []


@pytest.fixture
def logs(world: Ministack) -> Ministack:
    """A log group with a stream and a metric filter, and an alarm on what lines say."""
    headers = {"content-type": "application/x-amz-json-1.1"}

    def ask(operation: str, **body: Any) -> None:
        answer = world.call(
            "logs", "POST", "/", body, {**headers, "x-amz-target": f"Logs_20140328.{operation}"}
        )
        assert answer.status == 200, answer

    ask("CreateLogGroup", logGroupName=GROUP)
    ask("CreateLogStream", logGroupName=GROUP, logStreamName="s")
    counted = {"metricName": "Logged", "metricNamespace": "payment-a", "metricValue": "1"}
    took = {"metricName": "Took", "metricNamespace": "payment-a", "metricValue": "$.ms"}
    for name, transformation in (("counted", counted), ("took", took)):
        ask(
            "PutMetricFilter",
            logGroupName=GROUP,
            filterName=name,
            filterPattern='{ $.outcome = "accepted" }',
            metricTransformations=[transformation],
        )
    return world


def write(world: Ministack, *lines: str) -> None:
    headers = {"x-amz-target": "Logs_20140328.PutLogEvents", "content-type": "application/x-amz-json-1.1"}
    now = int(world.emulator.service("cloudwatch").time.time() * 1000)
    events = [{"timestamp": now, "message": one} for one in lines]
    body = {"logGroupName": GROUP, "logStreamName": "s", "logEvents": events}
    assert world.call("logs", "POST", "/", body, headers).status == 200


def metrics(world: Ministack) -> dict[str, list[float]]:
    with world.emulator.scope(KEY, world.region):
        kept = world.emulator.service("cloudwatch")._metrics
        return {key[1]: [one["Value"] for one in points] for key, points in kept.items()}


def test_what_lines_say_is_there_to_be_asked_for(logs: Ministack) -> None:
    write(logs, line(), '{"outcome": "accepted", "ms": 12}', '{"outcome": "refused"}', "text")
    assert metrics(logs) == {"AuditWriteFailed": [1.0], "Logged": [1.0], "Took": [12.0]}


def test_the_functions_own_alarm_rings(logs: Ministack) -> None:
    dimensions = [{"Name": name, "Value": value} for name, value in WHERE.items()]
    with logs.emulator.scope(KEY, logs.region):
        cloudwatch = logs.emulator.service("cloudwatch")
        alarm: dict[str, Any] = {
            "AlarmName": "audit",
            "Namespace": "payment-a",
            "MetricName": "AuditWriteFailed",
            "Dimensions": dimensions,
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 1.0,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "TreatMissingData": "notBreaching",
            "StateValue": "OK",
            "AlarmConfigurationUpdatedTimestamp": 0,
        }
        cloudwatch._alarms["audit"] = alarm
        watching = Watching(logs.emulator, TimeScale())
        watching.evaluate(alarm)
        assert alarm["StateValue"] == "OK"
    now = int(cloudwatch.time.time() * 1000)
    about = json.loads(line())["_aws"] | {"Timestamp": now}
    write(logs, line(_aws=about))
    with logs.emulator.scope(KEY, logs.region):
        watching.evaluate(alarm)
    assert alarm["StateValue"] == "ALARM"


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ('{ $.outcome = "accepted" }', True),
        ("{ $.outcome = accepted }", True),
        ('{ $.outcome = "acc*" }', True),
        ('{ $.outcome != "accepted" }', False),
        ('{ $.outcome = "refused" }', False),
        ("{ $.ms > 10 }", True),
        ("{ $.ms >= 12 && $.ms <= 12 }", True),
        ("{ $.ms < 12 }", False),
        ("{ $.ms > many }", False),
        ("{ $.outcome > 1 }", False),
        ('{ $.outcome = "refused" || $.at.region = "us-*" }', True),
        ('{ $.outcome = "refused" && $.ms > 10 }', False),
        ("{ $.none = 1 }", False),
        ("{ $.outcome.deeper = 1 }", False),
        ("{ ($.ms = 12) }", False),
        ("accepted", True),
    ],
)
def test_a_pattern_matches_by_the_fields_of_a_line(logs: Ministack, pattern: str, matched: bool) -> None:
    matches = logs.emulator.service("cloudwatch_logs")._compile_filter_pattern(pattern)
    assert matches('{"outcome": "accepted", "ms": 12, "at": {"region": "us-east-1"}}') is matched
    assert matches("no JSON, and accepted") is (pattern == "accepted")
