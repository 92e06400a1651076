"""One screen for both regions, side by side: a row a concern, a column a region."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from cdktf_cdktf_provider_aws.cloudwatch_dashboard import CloudwatchDashboard

from payinfra.core.naming import HEALTH_METRICS_REGION, STAGE
from payinfra.stacks.component import Scope, at
from payinfra.stacks.monitoring import LOG_METRICS
from payinfra.stacks.region_context import RegionContext

_WIDTH = 12
_HEIGHT = 6

Metric = list[object]


@dataclass(frozen=True)
class Shown:
    """What the dashboard shows of a region."""

    region: str
    peer_region: str
    function_name: str
    api_name: str
    table_name: str
    namespace: str
    health_check_id: str


def add_dashboard(scope: Scope, *, place: RegionContext, regions: Sequence[Shown]) -> str:
    """Add the dashboard to one region, and give its name. Dashboards can be read from every region, so
    that one of them is there when a region is not."""
    dashboard = CloudwatchDashboard(
        *at(scope, "dashboard"),
        provider=place.provider,
        dashboard_name=place.names.dashboard(place.region),
        dashboard_body=json.dumps({"widgets": _widgets(regions)}),
    )
    return dashboard.dashboard_name


def _widgets(regions: Sequence[Shown]) -> list[object]:
    columns = [_column(shown) for shown in regions]
    return [
        {
            "type": "metric",
            "x": x * _WIDTH,
            "y": y * _HEIGHT,
            "width": _WIDTH,
            "height": _HEIGHT,
            "properties": {
                "title": f"{panel.title} ({shown.region})",
                "region": panel.region,
                "view": "timeSeries",
                "period": 60,
                "stat": panel.statistic,
                "metrics": panel.metrics,
            },
        }
        for x, (shown, column) in enumerate(zip(regions, columns, strict=True))
        for y, panel in enumerate(column)
    ]


@dataclass(frozen=True)
class _Panel:
    title: str
    region: str
    statistic: str
    metrics: list[Metric]


def _column(shown: Shown) -> tuple[_Panel, ...]:
    function: Metric = ["FunctionName", shown.function_name]
    stage: Metric = ["ApiName", shown.api_name, "Stage", STAGE]
    table: Metric = ["TableName", shown.table_name]
    here = shown.region
    return (
        _Panel(
            "Payments",
            here,
            "Sum",
            [[shown.namespace, counted.metric] for counted in LOG_METRICS],
        ),
        _Panel(
            "API requests and errors",
            here,
            "Sum",
            [["AWS/ApiGateway", metric, *stage] for metric in ("Count", "4XXError", "5XXError")],
        ),
        _Panel("API latency, 99th percentile", here, "p99", [["AWS/ApiGateway", "Latency", *stage]]),
        _Panel(
            "Function calls, errors and throttles",
            here,
            "Sum",
            [["AWS/Lambda", metric, *function] for metric in ("Invocations", "Errors", "Throttles")],
        ),
        _Panel("Function duration, 99th percentile", here, "p99", [["AWS/Lambda", "Duration", *function]]),
        _Panel(
            "Table throttling",
            here,
            "Sum",
            [["AWS/DynamoDB", f"{kind}ThrottleEvents", *table] for kind in ("Read", "Write")],
        ),
        _Panel(
            f"Replication to {shown.peer_region}, in milliseconds",
            here,
            "Average",
            [["AWS/DynamoDB", "ReplicationLatency", *table, "ReceivingRegion", shown.peer_region]],
        ),
        _Panel(
            "Health check",
            HEALTH_METRICS_REGION,
            "Minimum",
            [["AWS/Route53", "HealthCheckStatus", "HealthCheckId", shown.health_check_id]],
        ),
    )
