"""What watches the environment: alarms, log groups, metric filters, dashboards; and a line in the log."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from payinfra.checks.probes import canaries
from payinfra.checks.probes.apigateway import keyed_api
from payinfra.checks.probes.awslambda import SERVICE
from payinfra.checks.probes.model import (
    FIRST_REPORTS_S,
    ProbeContext,
    RegionUnderTest,
    all_of,
    differences,
    paired,
    regional,
)
from payinfra.checks.verdicts import Severity, Verdict, Verdicts
from payinfra.clients.aws_errors import NotYet
from payinfra.core.evacuation import FAILOVER_METRIC
from payinfra.core.outputs import DeclaredAlarm, alarm_rule

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import MetricAlarmTypeDef
    from mypy_boto3_logs.type_defs import MetricFilterTypeDef, MetricTransformationTypeDef

_REDEPLOY = "Deploy again: it was changed outside Terraform."
_AT_ONCE = 100
"""How many names DescribeAlarms takes."""


def _alarms(
    live: ProbeContext, region: str, declared: Sequence[DeclaredAlarm]
) -> Mapping[str, "MetricAlarmTypeDef"]:
    names = [alarm.name for alarm in declared]
    answer = live.aws.cloudwatch(region).describe_alarms(
        AlarmNames=names, AlarmTypes=["MetricAlarm"], MaxRecords=_AT_ONCE
    )
    return {alarm.get("AlarmName", ""): alarm for alarm in answer["MetricAlarms"]}


def _alarm_faults(
    found: Mapping[str, "MetricAlarmTypeDef"],
    declared: Sequence[DeclaredAlarm],
    topic_arn: str,
    watched: Callable[[DeclaredAlarm], Mapping[str, str]],
) -> Iterator[str]:
    """What is wrong with alarms.

    Args:
        watched: the dimensions that an alarm's metric must have, among others.
    """
    for alarm in declared:
        there = found.get(alarm.name)
        if there is None:
            yield f"{alarm.name} is not there"
            continue
        actions = there.get("AlarmActions", [])
        dimensions = {one["Name"]: one["Value"] for one in there.get("Dimensions", [])}
        compared = (
            ("actions enabled", there.get("ActionsEnabled"), True),
            ("namespace", there.get("Namespace"), alarm.namespace),
            ("metric", there.get("MetricName"), alarm.metric),
            ("threshold", there.get("Threshold"), alarm.threshold),
            ("telling its topic", topic_arn in actions, True),
            ("telling it of the end", topic_arn in there.get("OKActions", []), True),
            *((("rule", _rule(there), alarm.rule),) if alarm.rule else ()),
            *((name, dimensions.get(name), value) for name, value in watched(alarm).items()),
        )
        yield from (f"{alarm.name}: {phrase}" for phrase in differences(compared))


def _rule(alarm: "MetricAlarmTypeDef") -> str:
    periods = alarm.get("EvaluationPeriods", 0)
    return alarm_rule(
        statistic=alarm.get("ExtendedStatistic") or alarm.get("Statistic", ""),
        comparison=alarm.get("ComparisonOperator", ""),
        period_s=alarm.get("Period", 0),
        periods=periods,
        to_alarm=alarm.get("DatapointsToAlarm", periods),
        missing=alarm.get("TreatMissingData", "missing"),
    )


def _dimensions(live: ProbeContext, site: RegionUnderTest, alarm: DeclaredAlarm) -> Mapping[str, str]:
    """What an alarm of a region must watch. DynamoDB's metrics have more dimensions, each its own."""
    declared = site.declared
    return {
        "AWS/Lambda": {"FunctionName": declared.function.name},
        "AWS/ApiGateway": {"ApiName": declared.api.name, "Stage": declared.api.stage},
        "AWS/DynamoDB": {"TableName": site.outputs.dynamodb_table_name},
        live.outputs.names.metric_namespace: {
            "environment": live.outputs.environment_suffix,
            "region": site.region,
            "service": SERVICE,
        },
    }.get(alarm.namespace, {})


def _not_in_alarm(found: Mapping[str, "MetricAlarmTypeDef"], declared: Sequence[DeclaredAlarm]) -> Verdict:
    gone = [alarm.name for alarm in declared if alarm.name not in found]
    if gone:
        return Verdict.failed(f"not there, so that nothing is known: {', '.join(gone)}")
    ringing = [alarm for alarm in declared if found.get(alarm.name, {}).get("StateValue") == "ALARM"]
    failing = [alarm.name for alarm in ringing if alarm.metric != FAILOVER_METRIC]
    if failing:
        raise NotYet(f"in ALARM: {', '.join(failing)}")
    told = "".join(f"; {alarm.name} rings: see where the names lead" for alarm in ringing)
    return Verdict.passed(f"{len(declared)} alarms{told}")


@regional(
    "LIVE-CW-001",
    title="Every declared alarm exists, judges as declared, and tells its topic",
    severity=Severity.HIGH,
    risk="Payments fail and nobody is told.",
    fix=_REDEPLOY,
)
def alarms_exist(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """CloudWatch: DescribeAlarms."""
    declared = site.declared.alarms
    return all_of(
        _alarm_faults(
            _alarms(live, site.region, declared),
            declared,
            site.outputs.sns_topic_arn,
            partial(_dimensions, live, site),
        ),
        f"{len(declared)} alarms",
    )


@regional(
    "LIVE-CW-002",
    title="No alarm is in ALARM, but one that tells of a failover",
    severity=Severity.HIGH,
    risk="Something in this region already fails.",
    fix="See what the alarm's description says.",
    within_s=60,
    on_aws_s=FIRST_REPORTS_S,
)
def no_alarm_rings(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """CloudWatch: DescribeAlarms."""
    declared = site.declared.alarms
    return _not_in_alarm(_alarms(live, site.region, declared), declared)


@paired(
    "LIVE-CW-003",
    title="Both health checks have an alarm that judges as declared and tells its topic, and is not in ALARM",
    severity=Severity.HIGH,
    risk="A region fails over and nobody is told.",
    fix=_REDEPLOY,
    # An alarm of a new health check rings until the first minute of its metric is there.
    within_s=150,
    on_aws_s=FIRST_REPORTS_S,
)
def health_alarms_exist(live: ProbeContext) -> Verdicts:
    """CloudWatch: DescribeAlarms, where Route 53's metrics are."""
    health = live.declared.health
    found = _alarms(live, health.metrics_region, health.alarms)
    checks = dict(zip((one.name for one in health.alarms), live.outputs.regions, strict=True))

    def watched(alarm: DeclaredAlarm) -> Mapping[str, str]:
        return {"HealthCheckId": checks[alarm.name].health_check_id}

    faults = tuple(_alarm_faults(found, health.alarms, health.topic_arn, watched))
    return all_of(faults) if faults else _not_in_alarm(found, health.alarms)


@regional(
    "LIVE-CW-004",
    title="The dashboard is there, and shows the function",
    severity=Severity.LOW,
    risk="Whoever is called at night has no picture.",
    fix=_REDEPLOY,
)
def dashboard_is_there(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """CloudWatch: GetDashboard."""
    shows = next(one for one in live.declared.regions if one.dashboard == site.declared.dashboard)
    if shows.region != site.region:
        return Verdict.not_applicable(f"the dashboard of {shows.region} shows both regions")
    found = live.aws.cloudwatch(site.region).get_dashboard(DashboardName=site.declared.dashboard)
    body, name = found.get("DashboardBody", ""), site.declared.dashboard
    if not body:
        return Verdict.failed(f"{name} is empty")
    return all_of([] if site.declared.function.name in body else [f"{name} shows nothing of the function"])


@regional(
    "LIVE-LOG-001",
    title="The log groups have the declared retention and this region's key",
    severity=Severity.MEDIUM,
    risk="Logs are gone when they are needed, or are kept for ever and in clear.",
    fix=_REDEPLOY,
)
def log_groups_are_as_declared(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """CloudWatch Logs: DescribeLogGroups."""
    client, names = live.aws.logs(site.region), site.declared.log_groups
    faults: list[str] = []
    for name in (names.function, names.access, names.execution):
        pages = client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
        groups = [one for page in pages for one in page["logGroups"]]
        found = next((group for group in groups if group.get("logGroupName") == name), None)
        if found is None:
            faults.append(f"{name} is not there")
            continue
        compared = (
            ("retention in days", found.get("retentionInDays"), live.declared.retention.logs),
            ("key", found.get("kmsKeyId"), site.declared.keys.audit),
        )
        faults += (f"{name}: {phrase}" for phrase in differences(compared))
    return all_of(faults)


@regional(
    "LIVE-LOG-002",
    title="A payment leaves its line in the function's log",
    severity=Severity.HIGH,
    risk="What became of a payment cannot be found out.",
    fix="See whether the function's role may write to its log group.",
    within_s=45,
)
def payment_is_logged(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """HTTP: POST /payments; CloudWatch Logs: FilterLogEvents for the payment's id."""
    started = int(live.began.timestamp() * 1000) - 60_000
    canary = canaries.payment(live, f"log-{site.region}")
    paid = keyed_api(live, site).pay(canary)
    payment_id = canaries.id_of(live, paid)
    canaries.remove_payment(live, site, payment_id)

    def look() -> Verdict:
        # A page may be empty although the next one is not.
        pages = live.aws.logs(site.region).get_paginator("filter_log_events")
        found = pages.paginate(
            logGroupName=site.outputs.lambda_log_group_name,
            startTime=started,
            filterPattern=f'"{payment_id}"',
        )
        if not any(page.get("events") for page in found):
            raise NotYet(f"payment {payment_id} is not in {site.outputs.lambda_log_group_name}")
        return Verdict.passed()

    return live.patience.poll(look)


@regional(
    "LIVE-LOG-003",
    title="The declared metric filters are there, and count what they should",
    severity=Severity.MEDIUM,
    risk="Refused and accepted payments are not counted.",
    fix=_REDEPLOY,
)
def metric_filters_are_there(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """CloudWatch Logs: DescribeMetricFilters."""
    pages = live.aws.logs(site.region).get_paginator("describe_metric_filters")
    found = {
        one.get("filterName"): one
        for page in pages.paginate(logGroupName=site.outputs.lambda_log_group_name)
        for one in page["metricFilters"]
    }
    faults = [f"{name} is not there" for name in site.declared.metric_filters if name not in found]
    for name in site.declared.metric_filters:
        if name in found:
            compared = counted(found[name], name, live.outputs.names.metric_namespace)
            faults += (f"{name}: {phrase}" for phrase in differences(compared))
    return all_of(faults)


def counted(
    found: "MetricFilterTypeDef", name: str, namespace: str
) -> tuple[tuple[str, object, object], ...]:
    """What a filter counts. A test holds the pattern and the metric to the stack's."""
    outcome = name.rpartition("-")[2]
    nothing: MetricTransformationTypeDef = {"metricName": "", "metricNamespace": "", "metricValue": ""}
    (first, *_) = (*found.get("metricTransformations", []), nothing)
    return (
        ("pattern", found.get("filterPattern"), f'{{ $.outcome = "{outcome}" }}'),
        ("namespace", first.get("metricNamespace"), namespace),
        ("metric", first.get("metricName"), f"LoggedPayments{outcome.capitalize()}"),
        ("value", first.get("metricValue"), "1"),
    )
