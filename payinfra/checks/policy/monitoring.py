"""Checks of alarms and topics: that what breaks is noticed in both regions, and that somebody is told."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from payinfra.checks.manifest import Block, Json, Manifest, Missing, Resource, Unreadable, is_literal
from payinfra.checks.model import Severity, Verdict, check
from payinfra.checks.policy.alarm_ranges import firing_problems
from payinfra.checks.policy.dynamodb import regions_of_table
from payinfra.checks.policy.encryption import Key, key_at
from payinfra.checks.policy.lambda_source import Handler, handler_of, mentions
from payinfra.checks.policy.open_policies import open_policy
from payinfra.checks.policy.verdict_helpers import (
    nested,
    pass_unless,
    region_of,
    verdict_for_gap,
)

_ALARM = "aws_cloudwatch_metric_alarm"
_COMPOSITE = "aws_cloudwatch_composite_alarm"
_STATES = ("breaching", "notBreaching", "ignore", "missing")
_FUNCTION_METRICS = (("Errors",), ("Duration",))
_TABLE_METRICS = (("ReadThrottleEvents", "ThrottledRequests"), ("WriteThrottleEvents", "ThrottledRequests"))


@dataclass(frozen=True)
class _Metric:
    """One metric that an alarm looks at, and the block that names its dimensions."""

    namespace: str
    name: str
    dimensions: Mapping[str, Json]
    block: Block
    path: str


def _metrics(alarm: Resource) -> tuple[_Metric, ...] | Unreadable:
    """The metrics of an alarm: its own, or those of its metric queries."""
    queries = nested(alarm, "metric_query")
    if isinstance(queries, Unreadable):
        return queries
    blocks: list[Block] = []
    for query in queries:
        inner = nested(query, "metric")
        if isinstance(inner, Unreadable):
            return inner
        blocks += inner
    found: list[_Metric] = []
    for block in blocks or [alarm]:
        namespace, name = block.text("namespace"), block.text("metric_name")
        dimensions = block.mapping("dimensions")
        if isinstance(dimensions, Missing):
            dimensions = {}
        if isinstance(namespace, Unreadable):
            return namespace
        if isinstance(name, Unreadable):
            return name
        if isinstance(dimensions, Unreadable):
            return dimensions
        found.append(_Metric(namespace, name, dimensions, block, "dimensions"))
    return tuple(found)


@check(
    id="PI-CW-001",
    title="Alarms watch errors, duration and table throttling in both regions, and tell somebody",
    severity=Severity.HIGH,
    risk="A region fails and nobody is told, or an alarm without data stays green.",
    fix="Add the alarm in each region, with alarm_actions and treat_missing_data.",
)
def alarms_watch_both_regions(manifest: Manifest) -> tuple[Verdict, ...]:
    """Each function and each region's side of each table; every alarm's action and treatment."""
    functions = manifest.all("aws_lambda_function")
    tables = manifest.all("aws_dynamodb_table")
    if not (functions or tables):
        return (Verdict.not_applicable(),)
    return pass_unless(
        (*_unwatched(functions, tables, manifest), *_mute(manifest), *_without_listener(manifest))
    )


_TOPIC = "aws_sns_topic"
_LISTENERS = frozenset(
    {
        "aws_chatbot_slack_channel_configuration",
        "aws_chatbot_teams_channel_configuration",
        "aws_cloudformation_stack",
        "aws_cloudformation_stack_set",
        "aws_sns_topic_subscription",
        "aws_ssm_parameter",
    }
)
"""What subscribes to a topic, or tells its ARN to those who do. Everything else of AWS's publishes to it."""


def _without_listener(manifest: Manifest) -> Iterator[Verdict]:
    """Topics of alarms to which nothing subscribes; one that the stack gives out is subscribed from
    outside."""
    given = {
        reference.address for output in manifest.outputs for reference in output.block.references("value")
    }
    for topic in manifest.all(_TOPIC):
        referrers = manifest.referrers(topic)
        if topic.address in given or not any(one.type in (_ALARM, _COMPOSITE) for one in referrers):
            continue
        if not (any(map(_may_listen, referrers)) or _is_subscribed_by_name(topic, manifest)):
            yield Verdict.warn("alarms publish to it, and nothing in this file subscribes", topic.address)


def _may_listen(resource: Resource) -> bool:
    """Whether what refers to a topic may subscribe to it: of other providers' resources nobody knows."""
    return resource.type in _LISTENERS or not resource.type.startswith("aws_")


def _is_subscribed_by_name(topic: Resource, manifest: Manifest) -> bool:
    """Whether a subscription names the topic by an ARN that is written out."""
    name = topic.text("name")
    arns = (one.template("topic_arn") for one in manifest.all("aws_sns_topic_subscription"))
    return isinstance(name, str) and any(isinstance(arn, str) and arn.endswith(f":{name}") for arn in arns)


def _unwatched(
    functions: tuple[Resource, ...], tables: tuple[Resource, ...], manifest: Manifest
) -> Iterator[Verdict]:
    alarms = [(alarm, _metrics(alarm)) for alarm in manifest.all(_ALARM)]
    unclear = next(
        (
            (alarm, metrics)
            for alarm, metrics in alarms
            if isinstance(metrics, Unreadable) and not isinstance(metrics, Missing)
        ),
        None,
    )
    wanted: list[tuple[Resource, str | Unreadable, str, str, str, tuple[tuple[str, ...], ...]]] = [
        (function, region_of(function), "AWS/Lambda", "FunctionName", "function_name", _FUNCTION_METRICS)
        for function in functions
    ]
    wanted += [
        (table, region, "AWS/DynamoDB", "TableName", "name", _TABLE_METRICS)
        for table in tables
        for region in regions_of_table(table, manifest)
    ]
    watch = _watch(manifest, alarms)
    for subject, region, namespace, dimension, by, metrics in wanted:
        if isinstance(region, Unreadable):
            yield Verdict.unknown(f"its region is not known: {region.why}", subject.address)
            continue
        for names in metrics:
            watched = (watch.get((region, namespace, name, dimension)) for name in names)
            if any(one is not None and one.is_about(subject, by) for one in watched):
                continue
            if unclear is not None:
                gap = unclear[1]
                yield Verdict.unknown(
                    f"whether {names[0]} is watched is not known: "
                    f"{gap.why if isinstance(gap, Unreadable) else ''}",
                    unclear[0].address,
                )
            else:
                yield Verdict.failed(f"no alarm in {region} watches its {names[0]}", subject.address)


@dataclass
class _Watch:
    """What the alarms on one metric of a region are about, by one of its dimensions."""

    addresses: set[str] = field(default_factory=set)
    values: set[str] = field(default_factory=set)

    def is_about(self, subject: Resource, by: str) -> bool:
        """Whether one is about a resource: it refers to it, or names it."""
        return subject.address in self.addresses or subject.text(by) in self.values


_Key = tuple[str | Unreadable, str, str, str]


def _watch(
    manifest: Manifest, alarms: Sequence[tuple[Resource, tuple[_Metric, ...] | Unreadable]]
) -> Mapping[_Key, _Watch]:
    """What is watched, by region, namespace, metric and dimension."""
    found: dict[_Key, _Watch] = {}
    for alarm, metrics in alarms:
        for metric in () if isinstance(metrics, Unreadable) else metrics:
            for dimension, value in metric.dimensions.items():
                if isinstance(value, str):
                    key = (alarm.region, metric.namespace, metric.name, dimension)
                    watch = found.setdefault(key, _Watch())
                    watch.values.add(value)
                    watch.addresses.update(one.address for one in manifest.references(value))
    return found


def _mute(manifest: Manifest) -> Iterator[Verdict]:
    for alarm in manifest.all(_ALARM):
        told = _told(alarm, manifest)
        if isinstance(told, Unreadable):
            yield verdict_for_gap(told, "it has no alarm_actions", alarm.address)
        elif not any(told):
            yield Verdict.failed("it has no alarm_actions", alarm.address)
        else:
            for action in told:
                if is_literal(action) and not action.startswith("arn:"):
                    yield Verdict.unknown(f"its action {action!r} is no ARN", alarm.address)
        enabled = alarm.flag("actions_enabled")
        if enabled is False:
            yield Verdict.failed("its actions are off", alarm.address)
        elif isinstance(enabled, Unreadable) and not isinstance(enabled, Missing):
            yield Verdict.unknown(enabled.why, alarm.address)
        match alarm.text("treat_missing_data"):
            case Unreadable() as gap:
                yield verdict_for_gap(gap, "it does not say how to treat missing data", alarm.address)
            case text if text not in _STATES:
                yield Verdict.failed(f"treat_missing_data is {text!r}", alarm.address)


def _told(alarm: Resource, manifest: Manifest) -> tuple[str, ...] | Unreadable:
    """The actions of an alarm; of one without those of the composite alarms whose rules name it."""
    own = alarm.texts("alarm_actions")
    if not isinstance(own, Missing) and own != ():
        return own
    seen, todo = {alarm.address}, [alarm]
    while todo:
        for one in _composites_of(todo.pop(), manifest):
            if one.address in seen:
                continue
            seen.add(one.address)
            todo.append(one)
            actions = one.texts("alarm_actions")
            enabled = one.flag("actions_enabled")
            if not isinstance(actions, Missing) and actions != () and enabled is not False:
                return actions
    return own


def _composites_of(alarm: Resource, manifest: Manifest) -> Iterator[Resource]:
    """The composite alarms whose rules refer to an alarm, or name it literally."""
    name = alarm.text("alarm_name")
    for one in manifest.all(_COMPOSITE):
        rule = one.template("alarm_rule")
        named = isinstance(name, str) and isinstance(rule, str) and name in re.findall(_NAMES_IN_RULE, rule)
        if named or alarm in manifest.referents(one, "alarm_rule"):
            yield one


_NAMES_IN_RULE = re.compile(r"\(\s*\"?([^()\"]+?)\"?\s*\)")
"""Names in a rule, with or without quotes: `ALARM("pay-errors")`, `ALARM(pay-errors)`."""


def _sets(*groups: str) -> frozenset[frozenset[str]]:
    return frozenset(frozenset(group.split()) for group in groups)


_LAMBDA = _sets(
    "", "FunctionName", "FunctionName Resource", "FunctionName Resource ExecutedVersion", "ExecutedVersion"
)
_TABLE = _sets("TableName", "TableName GlobalSecondaryIndexName")
_OPERATION = _sets("TableName Operation")
_API = _sets("ApiName", "ApiName Stage", "ApiName Stage Method Resource")
_HTTP_API = _sets("ApiId", "ApiId Stage", "ApiId Stage Method Resource")
_WEB_SOCKET = _sets("ApiId", "ApiId Stage", "ApiId Stage Route")
_REPLICATION = _sets("SourceBucket DestinationBucket RuleId")

# The metrics pages of the Lambda, DynamoDB, API Gateway, Route 53, S3, SNS, SQS and Step Functions guides.
# API Gateway has one for each kind of API.
_KNOWN: Mapping[tuple[str, str], frozenset[frozenset[str]]] = {
    **{
        ("AWS/Lambda", name): _LAMBDA
        for name in (
            "AsyncEventAge",
            "AsyncEventsDropped",
            "AsyncEventsReceived",
            "ConcurrentExecutions",
            "DeadLetterErrors",
            "DestinationDeliveryFailures",
            "Duration",
            "Errors",
            "Invocations",
            "IteratorAge",
            "Throttles",
        )
    },
    **{
        ("AWS/DynamoDB", name): _TABLE
        for name in (
            "ReadThrottleEvents",
            "WriteThrottleEvents",
            "ConsumedReadCapacityUnits",
            "ConsumedWriteCapacityUnits",
            "ProvisionedReadCapacityUnits",
            "ProvisionedWriteCapacityUnits",
        )
    },
    **{
        ("AWS/DynamoDB", name): _OPERATION
        for name in ("SystemErrors", "SuccessfulRequestLatency", "ThrottledRequests", "ReturnedItemCount")
    },
    ("AWS/DynamoDB", "ConditionalCheckFailedRequests"): _sets("TableName"),
    ("AWS/DynamoDB", "TransactionConflict"): _sets("TableName"),
    ("AWS/DynamoDB", "UserErrors"): _sets(""),
    ("AWS/DynamoDB", "ReplicationLatency"): _sets("TableName ReceivingRegion"),
    ("AWS/DynamoDB", "PendingReplicationCount"): _sets("TableName ReceivingRegion"),
    **{
        ("AWS/ApiGateway", name): _API for name in ("4XXError", "5XXError", "CacheHitCount", "CacheMissCount")
    },
    **{("AWS/ApiGateway", name): _API | _HTTP_API for name in ("Count", "Latency")},
    **{("AWS/ApiGateway", name): _HTTP_API for name in ("4xx", "5xx", "DataProcessed")},
    **{
        ("AWS/ApiGateway", name): _WEB_SOCKET
        for name in ("ClientError", "ConnectCount", "ExecutionError", "IntegrationError", "MessageCount")
    },
    ("AWS/ApiGateway", "IntegrationLatency"): _API | _HTTP_API | _WEB_SOCKET,
    **{
        ("AWS/Route53", name): _sets("HealthCheckId")
        for name in ("HealthCheckStatus", "HealthCheckPercentageHealthy", "ChildHealthCheckHealthyCount")
    },
    **{
        ("AWS/Route53", name): _sets("HealthCheckId", "HealthCheckId Region", "Region")
        for name in ("ConnectionTime", "SSLHandshakeTime", "TimeToFirstByte")
    },
    **{
        ("AWS/SQS", name): _sets("QueueName")
        for name in (
            "ApproximateAgeOfOldestMessage",
            "ApproximateNumberOfMessagesDelayed",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesVisible",
            "NumberOfEmptyReceives",
            "NumberOfMessagesDeleted",
            "NumberOfMessagesReceived",
            "NumberOfMessagesSent",
            "SentMessageSize",
        )
    },
    **{
        ("AWS/States", name): _sets("StateMachineArn")
        for name in (
            "ExecutionThrottled",
            "ExecutionTime",
            "ExecutionsAborted",
            "ExecutionsFailed",
            "ExecutionsStarted",
            "ExecutionsSucceeded",
            "ExecutionsTimedOut",
        )
    },
    **{
        ("AWS/S3", name): _REPLICATION
        for name in (
            "ReplicationLatency",
            "BytesPendingReplication",
            "OperationsPendingReplication",
            "OperationsFailedReplication",
        )
    },
    **{
        ("AWS/SNS", name): _sets("TopicName", "")
        for name in (
            "NumberOfNotificationsFailed",
            "NumberOfMessagesPublished",
            "NumberOfNotificationsDelivered",
        )
    },
}
# The metrics pages of EC2, ECS, Elastic Load Balancing, EventBridge, Firehose, Kinesis, RDS and AWS Backup.
_OF_ALL_METRICS: Mapping[str, frozenset[frozenset[str]]] = {
    "AWS/ApplicationELB": _sets(
        "LoadBalancer",
        "AvailabilityZone LoadBalancer",
        "LoadBalancer TargetGroup",
        "AvailabilityZone LoadBalancer TargetGroup",
        "TargetGroup",
    ),
    "AWS/EC2": _sets("", "AutoScalingGroupName", "ImageId", "InstanceId", "InstanceType"),
    "AWS/ECS": _sets("ClusterName", "ClusterName ServiceName"),
    "AWS/Events": _sets("", "EventBusName", "EventBusName RuleName", "RuleName", "EventSourceName"),
    "AWS/Firehose": _sets("DeliveryStreamName"),
    "AWS/Kinesis": _sets("StreamName", "ShardId StreamName"),
    "AWS/RDS": _sets(
        "",
        "DBClusterIdentifier",
        "DBClusterIdentifier Role",
        "DBClusterIdentifier EngineName",
        "DBInstanceIdentifier",
        "DatabaseClass",
        "EngineName",
        "DbClusterIdentifier EngineName",
        "SourceRegion",
    ),
}
"""The dimensions that any metric of a service may have, where the service has one set for all of them."""

_ROUTE53_HOME = "us-east-1"


@check(
    id="PI-CW-002",
    title="An alarm can fire: its metric has its dimensions, and values beyond its threshold",
    severity=Severity.MEDIUM,
    on=_ALARM,
    risk="An alarm on a combination that AWS never publishes, or on a value that never comes, stays green "
    "for ever.",
    fix="Use the dimensions that the service's metrics page lists for the metric, all of them together, "
    "and a "
    "threshold and statistic that a failure reaches.",
)
def alarm_can_fire(alarm: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """AWS's metrics by list; a custom one by the metric filter that makes it."""
    metrics = _metrics(alarm)
    if isinstance(metrics, Missing):
        if alarm.has("metric_query"):
            return (Verdict.not_applicable("it computes from other alarms' metrics"),)
        return (Verdict.failed(f"it names no metric: {metrics.why}"),)
    if isinstance(metrics, Unreadable):
        return (Verdict.unknown(metrics.why),)
    found = [verdict for metric in metrics for verdict in _dimension_problems(alarm, metric, manifest)]
    if len(metrics) == 1 and not _is_computed(alarm):
        (metric,) = metrics
        found += firing_problems(alarm, metric.block, metric.namespace, metric.name, manifest)
    return pass_unless(found)


def _is_computed(alarm: Resource) -> bool:
    """Whether an alarm compares what an expression makes of metrics, not a metric as it is."""
    queries = nested(alarm, "metric_query")
    return isinstance(queries, Unreadable) or any(query.has("expression") for query in queries)


def _dimension_problems(alarm: Resource, metric: _Metric, manifest: Manifest) -> Iterator[Verdict]:
    given = frozenset(metric.dimensions)
    shown = " and ".join(sorted(given)) or "no dimension"
    if metric.namespace == "AWS/Route53" and alarm.region != _ROUTE53_HOME:
        yield Verdict.failed(f"Route 53's metrics are in {_ROUTE53_HOME} only")
    if not (metric.namespace and metric.name):
        yield Verdict.failed("its metric or its namespace is empty")
        return
    known = _KNOWN.get((metric.namespace, metric.name)) or _OF_ALL_METRICS.get(metric.namespace)
    for name, value in metric.dimensions.items():
        if not isinstance(value, str) or not value:
            yield Verdict.unknown(f"the dimension {name} is no text")
    if known is not None:
        if given not in known:
            usual = ", or ".join(" and ".join(sorted(one)) or "none" for one in sorted(known, key=sorted))
            yield Verdict.failed(
                f"{metric.namespace} {metric.name} has no values by {shown}; it has by {usual}"
            )
    elif metric.namespace.startswith("AWS/"):
        yield Verdict.warn(f"the dimensions of {metric.namespace} {metric.name} are not known here")
    else:
        yield from _custom(alarm, metric, given, manifest)


def _custom(alarm: Resource, metric: _Metric, given: frozenset[str], manifest: Manifest) -> Iterator[Verdict]:
    """A metric of one's own: the filters of the alarm's region that make it say which dimensions it has."""
    made: list[frozenset[str]] = []
    for one in manifest.all("aws_cloudwatch_log_metric_filter"):
        if one.region != alarm.region:
            continue
        if one.text("metric_transformation.namespace") != metric.namespace:
            continue
        if one.text("metric_transformation.name") != metric.name:
            continue
        dimensions = one.mapping("metric_transformation.dimensions")
        if isinstance(dimensions, Unreadable) and not isinstance(dimensions, Missing):
            yield Verdict.unknown(f"{one.address}: {dimensions.why}")
            return
        made.append(frozenset() if isinstance(dimensions, Unreadable) else frozenset(dimensions))
    shown = " and ".join(sorted(given)) or "none"
    if made and given not in made:
        usual = " and ".join(sorted(made[0])) or "no dimension"
        yield Verdict.failed(f"{metric.name} is made with {usual}, not with {shown}")
    elif not made:
        yield from _in_code(alarm, metric, given, manifest)


def _in_code(
    alarm: Resource, metric: _Metric, given: frozenset[str], manifest: Manifest
) -> Iterator[Verdict]:
    """A metric that a function of the region writes into its log (EMF): its code must name all of it.

    Powertools adds the dimension `service` by itself.
    """
    for function in manifest.all("aws_lambda_function"):
        handler = handler_of(function) if function.region == alarm.region else None
        if isinstance(handler, Handler) and mentions(handler, (metric.name,)):
            missing = sorted(name for name in given if name != "service" and not mentions(handler, (name,)))
            if "service" not in given and _is_named_by_powertools(function):
                yield Verdict.failed(f"{function.address} writes {metric.name} with the dimension service")
                return
            if missing:
                yield Verdict.failed(f"{function.address} writes {metric.name} without {missing[0]}")
            return
    yield Verdict.warn(
        f"neither a metric filter nor a function of its region makes {metric.namespace} {metric.name}"
    )


def _is_named_by_powertools(function: Resource) -> bool:
    """Whether Powertools gives each metric of a function the dimension `service`."""
    variables = function.mapping("environment.variables")
    return not isinstance(variables, Unreadable) and any(name in variables for name in _POWERTOOLS)


_POWERTOOLS = ("POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_SERVICE_NAME")


@check(
    id="PI-SNS-001",
    title="Topics are encrypted",
    severity=Severity.MEDIUM,
    on="aws_sns_topic",
    risk="What alarms say about payments lies readable in the topic's storage.",
    fix="Set kms_master_key_id to a customer key whose policy admits CloudWatch.",
    controls=("AWS FSBP SNS.1",),
)
def topic_is_encrypted(topic: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """AWS's own key encrypts too, but no alarm can publish under it."""
    key = key_at(topic, "kms_master_key_id", manifest)
    if isinstance(key, Key) and key.by_aws:
        alarms = [one for one in manifest.referrers(topic) if one.type in (_ALARM, _COMPOSITE)]
        if alarms:
            return (Verdict.failed(f"{alarms[0].address} cannot publish under a key of AWS's own"),)
        return (Verdict.passed("under a key of AWS's own"),)
    if isinstance(key, Unreadable):
        return (verdict_for_gap(key, "it has no kms_master_key_id"),)
    home = region_of(topic)
    if isinstance(home, Unreadable) or isinstance(key.region, Unreadable):
        return (Verdict.unknown("whether its key is of its own region is not known"),)
    return pass_unless(
        [Verdict.failed(f"it is in {home}, its key in {key.region}")]
        if key.region not in (None, home)
        else []
    )


@check(
    id="PI-SNS-002",
    title="A topic's policy lets only named callers in",
    severity=Severity.HIGH,
    on=("aws_sns_topic", "aws_sns_topic_policy"),
    risk="Anyone with an AWS account may send false alarms, or listen to what the alarms say.",
    fix="Name the publisher as principal, with aws:SourceAccount or aws:SourceArn as condition.",
)
def topic_is_closed(topic: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """Conditions are evaluated: one that a stranger can meet binds nobody."""
    return open_policy(topic, manifest)
