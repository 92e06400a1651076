"""CloudWatch, where ministack stops: metrics that AWS's services publish, and alarms as AWS judges them.

ministack keeps metrics and alarms, but judges an alarm only when a metric is put from outside, over all
dimensions at once, and knows nothing of missing data. API Gateway, Route 53 and DynamoDB publish nothing
there.
"""

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from payinfra.local.emulator_environment import ACCOUNT
from payinfra.local.endpoints import GLOBAL_REGION
from payinfra.local.server.asgi import AsgiResponse, HttpRequest
from payinfra.local.server.ministack import Emulator
from payinfra.local.server.replication import Write
from payinfra.local.server.time_scale import TimeScale

TICK_S = 5.0
"""Seconds between two looks at the health checks and the alarms."""

_EXECUTE = re.compile(r"/_aws/execute-api/([^/]+)/([^/]+)")

Point = Mapping[str, Any]
Alarm = dict[str, Any]
Statistic = Callable[[Sequence[Point], str], float | None]


class Observation(Protocol):
    """A health check as Route 53 sees it: `route53.health.HealthObservation`."""

    @property
    def health_check_id(self) -> str:
        """Route 53's id of it."""
        ...

    @property
    def healthy(self) -> bool:
        """What Route 53 concludes."""
        ...

    @property
    def percentage_healthy(self) -> float | None:
        """How many of 100 checkers find it healthy; None if it is not probed."""
        ...


def judge(
    alarm: Mapping[str, Any], points: Sequence[Point], statistic: Statistic, age: Callable[[float], float]
) -> str:
    """An alarm's state, by the rules of "Evaluating an alarm" in the CloudWatch user guide.

    The last periods are looked at, each by itself; as many as the alarm asks for must breach. A period
    without data counts as the alarm says. An alarm younger than its periods keeps its state until there is
    data.

    Args:
        points: those of the alarm's own metric and dimensions.
        age: how long a moment, in seconds since the epoch, is ago in emulated time.
    """
    period = alarm["Period"]
    count = alarm["EvaluationPeriods"]
    needed = alarm.get("DatapointsToAlarm") or count
    name = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
    aged = [(age(point["Timestamp"]), point) for point in points]
    known: list[bool] = []
    missing = 0
    for place in range(count):
        within = [point for ago, point in aged if 0 <= ago - place * period < period]
        value = statistic(within, name) if within else None
        if value is None:
            missing += 1
        else:
            known.append(_breaches(value, alarm["ComparisonOperator"], alarm["Threshold"]))
    state = str(alarm["StateValue"])
    if not known and age(alarm["AlarmConfigurationUpdatedTimestamp"]) < count * period:
        return state
    match alarm.get("TreatMissingData"):
        case "breaching":
            known += [True] * missing
        case "notBreaching":
            known += [False] * missing
        case "ignore" if not known:
            return state
        case _ if not known:
            return "INSUFFICIENT_DATA"
    return "ALARM" if sum(known) >= needed else "OK"


def _breaches(value: float, operator: str, threshold: float) -> bool:
    return {
        "GreaterThanThreshold": value > threshold,
        "GreaterThanOrEqualToThreshold": value >= threshold,
        "LessThanThreshold": value < threshold,
        "LessThanOrEqualToThreshold": value <= threshold,
    }.get(operator, False)


@dataclass
class Watching:
    """Publishes the metrics and judges the alarms. Used on the server's event loop only.

    Args:
        time_scale: how fast emulated time runs; alarms look back over its periods.
        now: the wall clock, in seconds.
    """

    emulator: Emulator
    time_scale: TimeScale
    now: Callable[[], float] = time.time

    def install(self) -> None:
        """From now on ministack judges alarms as AWS does."""
        self.emulator.replace(self._cloudwatch, "_evaluate_alarm", self.evaluate)

    def look(self, observations: Iterable[Observation]) -> None:
        """Publish the health of each health check, then judge every alarm of every region."""
        with self.emulator.scope(ACCOUNT, GLOBAL_REGION):
            for seen in observations:
                check = {"HealthCheckId": seen.health_check_id}
                self._publish("AWS/Route53", "HealthCheckStatus", float(seen.healthy), "None", check)
                if seen.percentage_healthy is not None:
                    share = seen.percentage_healthy
                    self._publish("AWS/Route53", "HealthCheckPercentageHealthy", share, "Percent", check)
        self._cloudwatch._evict_old_metrics()
        for (account, region, _name), alarm in list(self._cloudwatch._alarms.all_items()):
            with self.emulator.scope(account, region):
                self.evaluate(alarm)

    def evaluate(self, alarm: Alarm) -> None:
        """Judge one alarm of the current region, and do what its new state asks for."""
        metric, service = alarm.get("MetricName"), self._cloudwatch
        if not metric or alarm.get("Metrics"):
            return
        dimensions = service._dims_key({d["Name"]: d["Value"] for d in alarm.get("Dimensions") or []})
        points = service._metrics.get((alarm.get("Namespace"), metric, dimensions)) or []
        before = alarm["StateValue"]
        now = self.now()
        after = judge(alarm, points, self._statistic, lambda moment: self.time_scale.age(moment, now))
        if after == before:
            return
        reason = f"{len(points)} datapoints of {metric} were judged: {after}."
        alarm |= {"StateValue": after, "StateReason": reason, "StateUpdatedTimestamp": int(self.now())}
        service._record_history(alarm["AlarmName"], before, after, reason)
        service._dispatch_alarm_actions(alarm, before, after, reason)
        service._evaluate_parent_alarms(alarm)

    def api_answered(self, request: HttpRequest, response: AsgiResponse, region: str, seconds: float) -> None:
        """AWS: API Gateway publishes each request's outcome, by API and by API and stage."""
        found = _EXECUTE.match(request.raw_path)
        if found is None:
            return
        with self.emulator.scope(ACCOUNT, region):
            api = self.emulator.service("apigateway_v1")._rest_apis.get(found.group(1))
            if api is None:
                return
            for dimensions in ({"ApiName": api["name"]}, {"ApiName": api["name"], "Stage": found.group(2)}):
                for name, value, unit in (
                    ("Count", 1.0, "Count"),
                    ("4XXError", float(400 <= response.status < 500), "Count"),
                    ("5XXError", float(response.status >= 500), "Count"),
                    ("Latency", seconds * 1000, "Milliseconds"),
                ):
                    self._publish("AWS/ApiGateway", name, value, unit, dimensions)

    def replicated(self, write: Write) -> None:
        """AWS: DynamoDB publishes, in the region written to, how long a write took to the other one."""
        with self.emulator.scope(write.key.account, write.version.region):
            dimensions = {"TableName": write.key.table, "ReceivingRegion": write.target}
            took = self.now() * 1000 - write.version.at_ns / 1e6
            self._publish("AWS/DynamoDB", "ReplicationLatency", took, "Milliseconds", dimensions)

    @property
    def _cloudwatch(self) -> Any:
        return self.emulator.service("cloudwatch")

    def _publish(
        self, namespace: str, name: str, value: float, unit: str, dimensions: dict[str, str]
    ) -> None:
        self._cloudwatch.record_metric(namespace, name, value, unit, dimensions)

    def _statistic(self, points: Sequence[Point], name: str) -> float | None:
        value: float | None = self._cloudwatch._stat_value(self._cloudwatch._calc_stats(points), name, points)
        return value
