"""Alarms, topics, metric filters, dashboards and parameters, row by row."""

import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from handlers.payments import observe, service, stream
from handlers.payments.config import Config
from payinfra.account.environments.classify import NOT_LEAN
from payinfra.local.server.patches.log_metrics import embedded
from payinfra.stacks.monitoring import LEAN_ALARMS

if TYPE_CHECKING:
    from tests.synth.stacks.conftest import Block, Synthesized

FUNCTION_COUNTS = (
    service.AUDIT_FAILED,
    service.CONFLICT,
    stream.STATUS_CONFLICT,
    stream.GIVEN_UP,
    observe.FAILED,
    observe.FAILOVER,
    observe.UNAVAILABLE,
)
"""What the function counts that somebody must be told about."""
PLACES = ("primary", "secondary")
TABLE = "${aws_dynamodb_table.ledger_table.name}"
FUNCTION = "${{aws_lambda_function.{}_service_function.function_name}}"
API = "${{aws_api_gateway_rest_api.{}_api_api.name}}"


def alarms(stack: "Synthesized", place: str) -> dict[str, "Block"]:
    prefix = f"{place}_monitoring_"
    found = stack.of("cloudwatch_metric_alarm")
    return {name.removeprefix(prefix): one for name, one in found.items() if name.startswith(prefix)}


def watched(alarm: "Block") -> tuple[str, str, tuple[tuple[str, str], ...]]:
    return alarm["namespace"], alarm["metric_name"], tuple(sorted(alarm["dimensions"].items()))


@pytest.mark.parametrize(("place", "peer"), [("primary", "us-west-2"), ("secondary", "us-east-1")])
def test_each_region_watches_what_the_table_says(local: "Synthesized", place: str, peer: str) -> None:
    here = local.settings.regions[PLACES.index(place)]
    of_function = (("FunctionName", FUNCTION.format(place)),)
    of_stage = (("ApiName", API.format(place)), ("Stage", "prod"))
    own = (("environment", "pr123"), ("region", here), ("service", "payments"))
    expected = {
        *(
            ("AWS/Lambda", metric, of_function)
            for metric in ("Errors", "Duration", "Throttles", "IteratorAge")
        ),
        *(("AWS/ApiGateway", metric, of_stage) for metric in ("5XXError", "Latency")),
        *(
            ("AWS/DynamoDB", f"{kind}ThrottleEvents", (*index, ("TableName", TABLE)))
            for kind in ("Read", "Write")
            for index in (
                (),
                (("GlobalSecondaryIndexName", "status-index"),),
                (("GlobalSecondaryIndexName", "customer-index"),),
            )
        ),
        *(
            ("AWS/DynamoDB", "SystemErrors", (("Operation", operation), ("TableName", TABLE)))
            for operation in ("PutItem", "Query", "TransactWriteItems", "UpdateItem")
        ),
        ("AWS/DynamoDB", "ReplicationLatency", (("ReceivingRegion", peer), ("TableName", TABLE))),
        *(("payment-pr123", metric, own) for metric in FUNCTION_COUNTS),
    }
    assert {watched(alarm) for alarm in alarms(local, place).values()} == expected
    assert len(alarms(local, place)) == len(expected)


def test_every_alarm_tells_a_topic_of_its_region_and_states_what_no_data_means(
    every: "Synthesized",
) -> None:
    for name, alarm in every.of("cloudwatch_metric_alarm").items():
        place = str(alarm["provider"]).removeprefix("aws.")
        topic = "global_alarms_topic" if place == "global" else f"{place}_alarms_topic"
        assert alarm["alarm_actions"] == alarm["ok_actions"] == [f"${{aws_sns_topic.{topic}.arn}}"], name
        assert alarm["actions_enabled"] is True
        assert alarm["alarm_name"].startswith(f"payment-{every.settings.env}-")
        assert alarm["alarm_description"].endswith(".")
        of_table = alarm["namespace"] == "AWS/DynamoDB"
        of_health = alarm["namespace"] == "AWS/Route53"
        wanted = "ignore" if of_table else "breaching" if of_health else "notBreaching"
        assert alarm["treat_missing_data"] == wanted
        assert ("statistic" in alarm) is not ("extended_statistic" in alarm)


@pytest.mark.parametrize(("variant", "threshold"), [("local", 23_200), ("protected", 16_000)])
def test_duration_alarms_before_the_function_or_the_gateway_gives_up(
    variant: str, threshold: float, request: pytest.FixtureRequest
) -> None:
    stack: Synthesized = request.getfixturevalue(variant)
    for alarm in stack.pair("cloudwatch_metric_alarm", "monitoring_function_duration"):
        assert alarm["threshold"] == threshold
        assert alarm["extended_statistic"] == "p99"


@pytest.mark.parametrize(
    ("variant", "provider"),
    [("local", "aws.primary"), ("reversed", "aws.secondary"), ("protected", "aws.global")],
)
def test_health_is_watched_where_its_metrics_are(
    variant: str, provider: str, request: pytest.FixtureRequest
) -> None:
    stack: Synthesized = request.getfixturevalue("synthesized")(variant)
    for place, region in zip(PLACES, stack.settings.regions, strict=True):
        alarm = stack.of("cloudwatch_metric_alarm")[f"health_{place}"]
        assert alarm["provider"] == provider
        assert alarm["alarm_name"] == f"payment-{stack.settings.env}-health-{region}"
        assert watched(alarm) == (
            "AWS/Route53",
            "HealthCheckStatus",
            (("HealthCheckId", f"${{aws_route53_health_check.{place}_health_check.id}}"),),
        )
        assert (alarm["comparison_operator"], alarm["threshold"]) == ("LessThanThreshold", 1)
    health = stack.declared.health
    assert health.metrics_region == "us-east-1"
    place = provider.removeprefix("aws.")
    assert health.topic_arn == f"${{aws_sns_topic.{place}_alarms_topic.arn}}"


def test_only_a_stack_outside_us_east_1_has_a_third_provider(
    local: "Synthesized", backwards: "Synthesized", protected: "Synthesized"
) -> None:
    for stack in (local, backwards):
        assert not [name for name, one in stack.all().items() if one["provider"] == "aws.global"]
    of_global = sorted(name for name, one in protected.all().items() if one["provider"] == "aws.global")
    assert of_global == [
        "aws_cloudwatch_metric_alarm.health_primary",
        "aws_cloudwatch_metric_alarm.health_secondary",
        "aws_kms_alias.global_key_alias",
        "aws_kms_key.global_key_key",
        "aws_sns_topic.global_alarms_topic",
        "aws_sns_topic_policy.global_alarms_policy",
        "aws_sns_topic_subscription.global_alarms_email",
    ]


def test_topics_are_encrypted_and_take_from_this_account_s_alarms_only(every: "Synthesized") -> None:
    for name, topic in every.of("sns_topic").items():
        place = name.split("_")[0]
        purpose = "data" if every.settings.footprint == "lean" else "audit"
        key = "global_key_key" if place == "global" else f"{place}_keys_{purpose}_key"
        assert topic["kms_master_key_id"] == f"${{aws_kms_key.{key}.arn}}"
        policy: dict[str, Any] = {
            one["Sid"]: one
            for one in json.loads(every.of("sns_topic_policy")[f"{place}_alarms_policy"]["policy"])[
                "Statement"
            ]
        }
        assert policy["Alarms"]["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
        assert "aws:SourceAccount" in policy["Alarms"]["Condition"]["StringEquals"]
        assert policy["TlsOnly"]["Effect"] == "Deny"
        assert policy["TlsOnly"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_a_mailbox_is_told_where_one_is_given(local: "Synthesized", protected: "Synthesized") -> None:
    assert not local.of("sns_topic_subscription")
    mails = protected.of("sns_topic_subscription")
    assert len(mails) == len(protected.of("sns_topic")) == 3
    assert {(one["protocol"], one["endpoint"]) for one in mails.values()} == {("email", "oncall@example.com")}


@pytest.mark.parametrize("outcome", ["accepted", "refused"])
def test_payments_are_counted_from_the_log(local: "Synthesized", outcome: str) -> None:
    for place in PLACES:
        found = local.of("cloudwatch_log_metric_filter")[f"{place}_monitoring_filter_payments_{outcome}"]
        assert found["log_group_name"] == f"${{aws_cloudwatch_log_group.{place}_service_log_group.name}}"
        assert found["pattern"] == f'{{ $.outcome = "{outcome}" }}'
        assert found["metric_transformation"] == {
            "name": f"LoggedPayments{outcome.capitalize()}",
            "namespace": "payment-pr123",
            "value": "1",
        }


def test_a_dashboard_in_each_region_shows_both_side_by_side(local: "Synthesized") -> None:
    first, second = local.pair("cloudwatch_dashboard", "dashboard")
    assert first["dashboard_name"] == "payment-pr123-overview-us-east-1"
    assert second["dashboard_name"] == "payment-pr123-overview-us-west-2"
    assert first["dashboard_body"] == second["dashboard_body"]
    widgets = json.loads(first["dashboard_body"])["widgets"]
    columns = {x: [widget["properties"]["title"] for widget in widgets if widget["x"] == x] for x in (0, 12)}
    here, there = (
        [title.rsplit(" (", 1)[0].split(" to ")[0] for title in titles] for titles in columns.values()
    )
    assert here == there
    assert all(title.endswith("(us-east-1)") for title in columns[0])
    assert all(title.endswith("(us-west-2)") for title in columns[12])
    assert all({"view", "stat", "period", "metrics", "region"} <= set(one["properties"]) for one in widgets)


def test_a_lean_environment_has_one_dashboard_that_shows_both_regions(
    lean: "Synthesized", local: "Synthesized"
) -> None:
    (name,) = lean.of("cloudwatch_dashboard")
    dashboard = lean.of("cloudwatch_dashboard")[name]
    assert name == "primary_dashboard"
    shown = json.loads(dashboard["dashboard_body"])["widgets"]
    full, _ = local.pair("cloudwatch_dashboard", "dashboard")
    assert len(shown) == len(json.loads(full["dashboard_body"])["widgets"])
    shared = "${aws_cloudwatch_dashboard.primary_dashboard.dashboard_name}"
    assert [one.dashboard for one in lean.declared.regions] == [shared, shared]


def test_a_lean_region_has_half_the_alarms(lean: "Synthesized", local: "Synthesized") -> None:
    for place, region in zip(PLACES, lean.declared.regions, strict=True):
        kept = alarms(lean, place)
        assert {name.replace("_", "-") for name in kept} == LEAN_ALARMS
        # `payinfra environments` tells by it that an environment with one key left is no lean one.
        assert NOT_LEAN in {name.replace("_", "-") for name in alarms(local, place)} - LEAN_ALARMS
        assert len(kept) == len(alarms(local, place)) / 2
        assert {one.name for one in region.alarms} == {one["alarm_name"] for one in kept.values()}


@pytest.mark.parametrize("place", PLACES)
def test_parameters_publish_names_and_keep_the_key_secret(local: "Synthesized", place: str) -> None:
    found = {
        name.removeprefix(f"{place}_parameters_").removeprefix(f"{place}_"): one
        for name, one in local.of("ssm_parameter").items()
        if name.startswith(place)
    }
    port = {"primary": 4566, "secondary": 4567}[place]
    api = f"${{aws_api_gateway_rest_api.{place}_api_api.id}}"
    cursor_secret = {
        "primary": "${uuid()}",
        "secondary": "${aws_ssm_parameter.primary_cursor_secret_parameter.value}",
    }
    assert {name: (one["type"], one["value"]) for name, one in found.items()} == {
        "cursor_secret_parameter": ("SecureString", cursor_secret[place]),
        "table_name": ("String", TABLE),
        "bucket_name": ("String", f"${{aws_s3_bucket.{place}_audit_bucket.bucket}}"),
        "evacuated_parameter": ("String", "{}"),
        "endpoint": ("String", f"http://127.0.0.1:{port}/_aws/execute-api/{api}/prod/payments"),
        "api_key": ("SecureString", f"${{aws_api_gateway_api_key.{place}_api_key.value}}"),
    }
    key = f"${{aws_kms_key.{place}_keys_application_key.arn}}"
    assert {name: one["key_id"] for name, one in found.items() if one.get("key_id")} == {
        "api_key": key,
        "cursor_secret_parameter": key,
    }
    assert {one["name"] for one in found.values()} == {
        f"/payment-pr123/{thing}"
        for thing in ("table-name", "bucket-name", "endpoint", "api-key", "cursor-secret", "evacuated")
    }


@pytest.mark.parametrize("place", PLACES)
def test_the_function_emits_what_its_alarms_ask_for(
    every: "Synthesized", place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Namespace, dimensions and unit: an alarm on any other never has data, and never rings."""
    function = every.of("lambda_function")[f"{place}_service_function"]
    region = every.settings.regions[PLACES.index(place)]
    variables = {**function["environment"]["variables"], "AWS_REGION": region}
    observer = observe.Observer(Config.read(variables), io.StringIO())
    own = {name: one for name, one in alarms(every, place).items() if one["metric_name"] in FUNCTION_COUNTS}
    rang = {one["metric_name"] for one in own.values()}
    assert rang == {*FUNCTION_COUNTS} or every.settings.footprint == "lean"
    assert rang >= {service.AUDIT_FAILED, service.CONFLICT, observe.FAILED, observe.UNAVAILABLE}
    for one in own.values():
        observer.begin("r")
        observer.count(one["metric_name"])
        observer.flush()
        (point,) = embedded(capsys.readouterr().out)
        assert (point.namespace, point.name) == (one["namespace"], one["metric_name"])
        assert dict(point.dimensions) == one["dimensions"]
        assert (point.value, point.unit) == (1.0, one.get("unit", "Count"))
        assert one["threshold"] <= 5
