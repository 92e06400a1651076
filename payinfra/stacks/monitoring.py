"""What is watched in a region: metric filters, alarms, and a dashboard that shows both regions."""

from collections.abc import Iterator
from dataclasses import dataclass

from cdktf_cdktf_provider_aws.cloudwatch_log_metric_filter import (
    CloudwatchLogMetricFilter,
    CloudwatchLogMetricFilterMetricTransformation,
)

from payinfra.core.naming import INDEXES, STAGE
from payinfra.core.outputs import DeclaredAlarm
from payinfra.stacks.alarms import Alarm, add_alarm
from payinfra.stacks.component import Scope, StackComponent
from payinfra.stacks.payments_function import POWERTOOLS_SERVICE
from payinfra.stacks.region_context import RegionContext
from payinfra.stacks.rest_api_contract import INTEGRATION_TIMEOUT_MS

DURATION_SHARE = 0.8
"""The share of the time that a call may take at which its 99th percentile is alarming."""
SERVER_ERROR_RATE = 0.01
LATENCY_MS = 3_000
REPLICATION_LATENCY_MS = 10_000
STREAM_AGE_MS = 15 * 60 * 1000
"""How far behind the table's stream the function may be."""
OPERATIONS = ("PutItem", "Query", "TransactWriteItems", "UpdateItem")
"""What the function calls, as DynamoDB's metrics name it."""


@dataclass(frozen=True)
class LogMetric:
    """A count of log lines.

    Attributes:
        id: what it is called in the stack and, after the environment, in AWS.
        metric: the metric's name.
        pattern: which lines of the function's log count (CloudWatch Logs' filter syntax).
    """

    id: str
    metric: str
    pattern: str


LOG_METRICS = (
    LogMetric("payments-accepted", "LoggedPaymentsAccepted", '{ $.outcome = "accepted" }'),
    LogMetric("payments-refused", "LoggedPaymentsRefused", '{ $.outcome = "refused" }'),
)


@dataclass(frozen=True)
class FunctionMetric:
    """What the function counts itself, and how much of it is alarming.

    Attributes:
        id: what its alarm is called in the stack and, after the environment, in AWS.
        metric: the metric's name, as the function gives it.
        description: what it means, for whoever is woken.
        a_minute: how many in one minute are too many.
        periods, to_alarm: over how many minutes, and in how many of them.
    """

    id: str
    metric: str
    description: str
    a_minute: int = 1
    periods: int = 1
    to_alarm: int = 1


FUNCTION_METRICS = (
    FunctionMetric(
        "audit-failures",
        "AuditWriteFailed",
        "A payment's audit object could not be written. The table's stream writes it as soon as the bucket "
        "takes it, for 22 hours; after that `payinfra audit reconcile` does.",
    ),
    FunctionMetric(
        "payment-conflicts",
        "IdempotencyConflict",
        "One idempotency key was used for different payments while the regions were cut off: see "
        "`payinfra conflicts list`.",
    ),
    FunctionMetric(
        "status-conflicts",
        "StatusConflict",
        "While the regions were cut off, each gave one payment another final status: the log names it.",
    ),
    FunctionMetric(
        "stream-records-given-up",
        "StreamRecordsGivenUp",
        "The payments function left out a record of the table's stream: the log names it. Run "
        "`payinfra audit reconcile` and `payinfra conflicts list`.",
    ),
    FunctionMetric(
        "requests-failed",
        "RequestsFailed",
        "The payments function met what it does not expect, and answered 500: a bug.",
    ),
    # One payment may come from anywhere; health checkers ask for the page every few seconds, also while
    # nobody pays. The alarm is in the region that it tells of: it needs no other.
    FunctionMetric(
        "failover-seen",
        "FailoverSeen",
        "Clients are led here whose names should lead to the other region: customers pay here who were "
        "moved, or that region is evacuated. `payinfra status` says why, and what to do.",
        periods=3,
        to_alarm=2,
    ),
    # One throttled call is mended by the client's retry.
    FunctionMetric(
        "dependency-unavailable",
        "DependencyUnavailable",
        "The table, or the parameters with the cursors' secret and the flag of an evacuation, cannot be "
        "reached, or throttle: callers are told to come back.",
        a_minute=5,
        periods=3,
        to_alarm=2,
    ),
)


LEAN_ALARMS = frozenset(
    (
        *("function-errors", "function-duration", "function-throttles", "api-server-errors"),
        *("table-read-throttles", "table-write-throttles", "replication-latency"),
        *("audit-failures", "payment-conflicts", "stream-records-given-up", "requests-failed"),
        "dependency-unavailable",
    )
)
"""The alarms of a lean region: on what loses or refuses payments. The others report the same later or in more
detail, or watch objectives that an ephemeral environment does not have."""


@dataclass(frozen=True)
class MonitoringProps:
    """What to watch, and whom to tell.

    Attributes:
        peer_region: the other region, to which the table replicates.
        timeout_s: how long the function may run, in seconds.
    """

    place: RegionContext
    peer_region: str
    topic_arn: str
    function_name: str
    timeout_s: int
    log_group_name: str
    api_name: str
    table_name: str


class Monitoring(StackComponent):
    """Metric filters and alarms of a region.

    Attributes:
        alarms: what was declared, in order.
        metric_filters: their names.
    """

    def __init__(self, scope: Scope, id_: str, *, props: MonitoringProps) -> None:
        super().__init__(scope, id_)
        place = props.place
        for counted in LOG_METRICS:
            CloudwatchLogMetricFilter(
                *self.at(f"filter-{counted.id}"),
                provider=place.provider,
                name=place.names.alarm(counted.id),
                log_group_name=props.log_group_name,
                pattern=counted.pattern,
                metric_transformation=CloudwatchLogMetricFilterMetricTransformation(
                    name=counted.metric,
                    namespace=place.names.metric_namespace,
                    # No default: a metric without data costs nothing, and health checks write log lines too.
                    value="1",
                ),
            )
        alarms = tuple(one for one in _alarms(props) if not place.lean or one.id in LEAN_ALARMS)
        for alarm in alarms:
            add_alarm(self, alarm, place=place, topic_arn=props.topic_arn)
        self.alarms: tuple[DeclaredAlarm, ...] = tuple(alarm.declared for alarm in alarms)
        self.metric_filters = tuple(place.names.alarm(counted.id) for counted in LOG_METRICS)


def _alarms(props: MonitoringProps) -> Iterator[Alarm]:
    yield from _function(props)
    yield from _stream(props)
    yield from _payments(props)
    yield from _api(props)
    yield from _table(props)


def _function(props: MonitoringProps) -> Iterator[Alarm]:
    name = props.place.names.alarm
    of_function = {"FunctionName": props.function_name}
    yield Alarm(
        "function-errors",
        name("function-errors"),
        "The payments function failed: it crashed or ran out of time.",
        "AWS/Lambda",
        "Errors",
        of_function,
        "Sum",
        1,
    )
    yield Alarm(
        "function-duration",
        name("function-duration"),
        "The slowest hundredth of payments comes close to the time that a call may take.",
        "AWS/Lambda",
        "Duration",
        of_function,
        "p99",
        DURATION_SHARE * min(props.timeout_s * 1000, INTEGRATION_TIMEOUT_MS),
        periods=3,
        to_alarm=2,
    )
    yield Alarm(
        "function-throttles",
        name("function-throttles"),
        "Lambda refused calls: concurrency is used up. Callers see a 5xx.",
        "AWS/Lambda",
        "Throttles",
        of_function,
        "Sum",
        1,
    )


def _stream(props: MonitoringProps) -> Iterator[Alarm]:
    id_ = "stream-age"
    yield Alarm(
        id_,
        props.place.names.alarm(id_),
        "The payments function is 15 minutes or more behind the table's stream: audit objects and conflicts "
        "wait. After 22 hours records are given up, and `payinfra audit reconcile` writes what is missing.",
        "AWS/Lambda",
        "IteratorAge",
        {"FunctionName": props.function_name},
        "Maximum",
        STREAM_AGE_MS,
    )


def _payments(props: MonitoringProps) -> Iterator[Alarm]:
    """On what the function counts itself; Powertools adds the dimensions."""
    name = props.place.names.alarm
    dimensions = {
        "environment": props.place.names.env,
        "region": props.place.region,
        "service": POWERTOOLS_SERVICE,
    }
    for counted in FUNCTION_METRICS:
        yield Alarm(
            counted.id,
            name(counted.id),
            counted.description,
            props.place.names.metric_namespace,
            counted.metric,
            dimensions,
            "Sum",
            counted.a_minute,
            periods=counted.periods,
            to_alarm=counted.to_alarm,
        )


def _api(props: MonitoringProps) -> Iterator[Alarm]:
    name = props.place.names.alarm
    of_stage = {"ApiName": props.api_name, "Stage": STAGE}
    yield Alarm(
        "api-server-errors",
        name("api-server-errors"),
        "At least one request in a hundred was answered with a 5xx.",
        "AWS/ApiGateway",
        "5XXError",
        of_stage,
        # Its average is the rate: each request counts 1 or 0.
        "Average",
        SERVER_ERROR_RATE,
        periods=3,
        to_alarm=2,
    )
    yield Alarm(
        "api-latency",
        name("api-latency"),
        "The slowest hundredth of requests takes 3 seconds or more.",
        "AWS/ApiGateway",
        "Latency",
        of_stage,
        "p99",
        LATENCY_MS,
        periods=5,
        to_alarm=3,
    )


def _table(props: MonitoringProps) -> Iterator[Alarm]:
    """DynamoDB's metrics count only what happens, and their alarms ignore missing data whatever is set
    (CloudWatch user guide, "Configuring how CloudWatch alarms treat missing data"), so that is stated."""
    name = props.place.names.alarm
    of_table = {"TableName": props.table_name}
    scopes = {"table": of_table} | {
        index: of_table | {"GlobalSecondaryIndexName": index} for index in INDEXES
    }
    for what, dimensions in scopes.items():
        for kind in ("Read", "Write"):
            id_ = f"{what}-{kind.lower()}-throttles"
            yield Alarm(
                id_,
                name(id_),
                f"DynamoDB throttled {kind.lower()}s of the {what.replace('-', ' ')}.",
                "AWS/DynamoDB",
                f"{kind}ThrottleEvents",
                dimensions,
                "Sum",
                1,
                missing="ignore",
            )
    for operation in OPERATIONS:
        id_ = f"table-errors-{operation.lower()}"
        yield Alarm(
            id_,
            name(id_),
            f"DynamoDB answered {operation} with an error of its own.",
            "AWS/DynamoDB",
            "SystemErrors",
            # The metric has no value for the table as a whole.
            of_table | {"Operation": operation},
            "Sum",
            1,
            missing="ignore",
        )
    yield Alarm(
        "replication-latency",
        name("replication-latency"),
        f"Payments take 10 seconds or more to reach {props.peer_region}: those are lost with this region.",
        "AWS/DynamoDB",
        "ReplicationLatency",
        of_table | {"ReceivingRegion": props.peer_region},
        "Average",
        REPLICATION_LATENCY_MS,
        periods=5,
        to_alarm=3,
        missing="ignore",
    )
