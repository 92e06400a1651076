"""What watches the environment: alarms, log groups, metric filters, dashboards; and a line in the log."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from payinfra.checks.probes import canaries
from payinfra.checks.probes.apigateway import keyed_api
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
from payinfra.core.outputs import DeclaredAlarm

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import MetricAlarmTypeDef

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
    found: Mapping[str, "MetricAlarmTypeDef"], declared: Sequence[DeclaredAlarm], topic_arn: str
) -> Iterator[str]:
    for alarm in declared:
        there = found.get(alarm.name)
        if there is None:
            yield f"{alarm.name} is not there"
            continue
        actions = there.get("AlarmActions", [])
        compared = (
            ("actions enabled", there.get("ActionsEnabled"), True),
            ("namespace", there.get("Namespace"), alarm.namespace),
            ("metric", there.get("MetricName"), alarm.metric),
            ("threshold", there.get("Threshold"), alarm.threshold),
            ("telling its topic", topic_arn in actions, True),
        )
        yield from (f"{alarm.name}: {phrase}" for phrase in differences(compared))


def _not_in_alarm(found: Mapping[str, "MetricAlarmTypeDef"], declared: Sequence[DeclaredAlarm]) -> Verdict:
    ringing = [alarm for alarm in declared if found.get(alarm.name, {}).get("StateValue") == "ALARM"]
    failing = [alarm.name for alarm in ringing if alarm.metric != FAILOVER_METRIC]
    if failing:
        raise NotYet(f"in ALARM: {', '.join(failing)}")
    told = "".join(f"; {alarm.name} rings: see where the names lead" for alarm in ringing)
    return Verdict.passed(f"{len(declared)} alarms{told}")


@regional(
    "LIVE-CW-001",
    title="Every declared alarm exists, with its actions enabled",
    severity=Severity.HIGH,
    risk="Payments fail and nobody is told.",
    fix=_REDEPLOY,
)
def alarms_exist(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """CloudWatch: DescribeAlarms."""
    declared = site.declared.alarms
    return all_of(
        _alarm_faults(_alarms(live, site.region, declared), declared, site.outputs.sns_topic_arn),
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
    title="Both health checks have an alarm with its actions enabled, and it is not in ALARM",
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
    faults = tuple(_alarm_faults(found, health.alarms, health.topic_arn))
    return all_of(faults) if faults else _not_in_alarm(found, health.alarms)


@regional(
    "LIVE-CW-004",
    title="The dashboard is there",
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
    return all_of([] if found.get("DashboardBody") else [f"{site.declared.dashboard} is empty"])


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
    payment_id = str(paid.fields().get("payment_id", ""))
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
    title="The declared metric filters are there",
    severity=Severity.MEDIUM,
    risk="Refused and accepted payments are not counted.",
    fix=_REDEPLOY,
)
def metric_filters_are_there(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """CloudWatch Logs: DescribeMetricFilters."""
    pages = live.aws.logs(site.region).get_paginator("describe_metric_filters")
    found = {
        one.get("filterName")
        for page in pages.paginate(logGroupName=site.outputs.lambda_log_group_name)
        for one in page["metricFilters"]
    }
    return all_of(f"{name} is not there" for name in site.declared.metric_filters if name not in found)
