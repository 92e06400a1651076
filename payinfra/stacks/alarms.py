"""Alarms: what one is, and the encrypted topic that those of a region publish to."""

from collections.abc import Mapping
from dataclasses import dataclass

from cdktf_cdktf_provider_aws.cloudwatch_metric_alarm import CloudwatchMetricAlarm
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic
from cdktf_cdktf_provider_aws.sns_topic_policy import SnsTopicPolicy
from cdktf_cdktf_provider_aws.sns_topic_subscription import SnsTopicSubscription

from payinfra.core.outputs import DeclaredAlarm, alarm_rule
from payinfra.stacks.component import Scope, StackComponent, at
from payinfra.stacks.iam_documents import StatementProps, document
from payinfra.stacks.region_context import RegionContext

PERIOD_S = 60


@dataclass(frozen=True)
class Alarm:
    """When to wake somebody.

    Attributes:
        id: what it is called in the stack.
        name: its physical name.
        description: what it means, for whoever is woken.
        statistic: Sum, Average, Minimum, Maximum, or a percentile such as p99.
        threshold: in the metric's own unit.
        periods: over how many minutes.
        to_alarm: how many of those must be beyond the threshold.
        below: whether beyond means less than the threshold; else it means at least.
        missing: what a minute without data counts as: "notBreaching", "breaching" or "ignore".
    """

    id: str
    name: str
    description: str
    namespace: str
    metric: str
    dimensions: Mapping[str, str]
    statistic: str
    threshold: float
    periods: int = 1
    to_alarm: int = 1
    below: bool = False
    missing: str = "notBreaching"

    @property
    def declared(self) -> DeclaredAlarm:
        """What verify must know of it."""
        rule = alarm_rule(
            statistic=self.statistic,
            comparison=self.comparison,
            period_s=PERIOD_S,
            periods=self.periods,
            to_alarm=self.to_alarm,
            missing=self.missing,
        )
        return DeclaredAlarm(self.name, self.namespace, self.metric, self.threshold, rule)

    @property
    def comparison(self) -> str:
        """CloudWatch's name of the comparison with the threshold."""
        return "LessThanThreshold" if self.below else "GreaterThanOrEqualToThreshold"


def add_alarm(scope: Scope, alarm: Alarm, *, place: RegionContext, topic_arn: str) -> None:
    """Add an alarm that tells the topic when it begins and when it is over."""
    percentile = alarm.statistic.startswith("p")
    CloudwatchMetricAlarm(
        *at(scope, alarm.id),
        provider=place.provider,
        alarm_name=alarm.name,
        alarm_description=alarm.description,
        namespace=alarm.namespace,
        metric_name=alarm.metric,
        dimensions=dict(alarm.dimensions),
        statistic=None if percentile else alarm.statistic,
        extended_statistic=alarm.statistic if percentile else None,
        period=PERIOD_S,
        evaluation_periods=alarm.periods,
        datapoints_to_alarm=alarm.to_alarm,
        threshold=alarm.threshold,
        comparison_operator=alarm.comparison,
        treat_missing_data=alarm.missing,
        actions_enabled=True,
        alarm_actions=[topic_arn],
        ok_actions=[topic_arn],
    )


@dataclass(frozen=True)
class TopicProps:
    """The topic of a region; `email` is told where it is given."""

    place: RegionContext
    key_arn: str
    email: str | None


class AlarmTopic(StackComponent):
    """The topic that a region's alarms publish to.

    Attributes:
        arn: the topic's.
    """

    def __init__(self, scope: Scope, id_: str, *, props: TopicProps) -> None:
        super().__init__(scope, id_)
        place = props.place
        topic = SnsTopic(
            *self.at("topic"),
            provider=place.provider,
            name=place.names.topic,
            display_name=place.names.topic,
            kms_master_key_id=props.key_arn,
        )
        SnsTopicPolicy(
            *self.at("policy"),
            provider=place.provider,
            arn=topic.arn,
            policy=document(
                StatementProps(
                    "Alarms",
                    ("sns:Publish",),
                    (topic.arn,),
                    principal={"Service": "cloudwatch.amazonaws.com"},
                    condition={
                        "StringEquals": {"aws:SourceAccount": place.account},
                        "ArnLike": {
                            "aws:SourceArn": place.arn("cloudwatch", f"alarm:{place.names.alarm('*')}")
                        },
                    },
                ),
                StatementProps(
                    "TlsOnly",
                    ("sns:Publish",),
                    (topic.arn,),
                    principal="*",
                    condition={"Bool": {"aws:SecureTransport": "false"}},
                    effect="Deny",
                ),
            ),
        )
        if props.email is not None:
            SnsTopicSubscription(
                *self.at("email"),
                provider=place.provider,
                topic_arn=topic.arn,
                protocol="email",
                endpoint=props.email,
            )
        self.arn = topic.arn
