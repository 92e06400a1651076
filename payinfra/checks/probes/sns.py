"""The topics that alarms publish to."""

from dataclasses import dataclass, replace

from payinfra.checks.probes.live_policies import NeededAccess, refused, statements_of, strangers
from payinfra.checks.probes.model import ProbeContext, RegionUnderTest, all_of, differences, regional
from payinfra.checks.verdicts import Severity, Verdict, Verdicts

_REDEPLOY = "Deploy again: the topic was changed outside Terraform."
_PENDING = "PendingConfirmation"


@dataclass(frozen=True)
class Topic:
    """A topic that alarms publish to.

    Attributes:
        key_arn: of the customer key that it was declared with; None where that was not said.
    """

    region: str
    arn: str
    key_arn: str | None


def _topics(live: ProbeContext, site: RegionUnderTest) -> tuple[Topic, ...]:
    """The region's topic; with the primary's also that of the health checks' alarms, if it is in a third."""
    own = Topic(site.region, site.outputs.sns_topic_arn, site.declared.keys.audit)
    health = live.declared.health
    elsewhere = health.metrics_region not in [one.region for one in live.sites]
    if elsewhere and site.region == live.outputs.primary_region:
        return own, Topic(health.metrics_region, health.topic_arn, None)
    return (own,)


@regional(
    "LIVE-SNS-001",
    title="The alarm topic is encrypted with this region's customer key",
    severity=Severity.MEDIUM,
    risk="What alarms say lies in clear.",
    fix=_REDEPLOY,
)
def topic_is_encrypted(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """SNS: GetTopicAttributes."""
    return all_of(fault for topic in _topics(live, site) for fault in _key_faults(live, topic))


def _key_faults(live: ProbeContext, topic: Topic) -> tuple[str, ...]:
    attributes = live.aws.sns(topic.region).get_topic_attributes(TopicArn=topic.arn)["Attributes"]
    found = attributes.get("KmsMasterKeyId")
    if topic.key_arn is not None:
        return differences((("key", found, topic.key_arn),))
    its_own = (found or "").startswith(f"arn:aws:kms:{topic.region}:")
    return () if its_own else (f"the topic in {topic.region} has key {found!r}, which is no customer key",)


@regional(
    "LIVE-SNS-002",
    title="The address that alarms go to has confirmed its subscription",
    severity=Severity.HIGH,
    risk="Payments fail and nobody is told.",
    fix="Open the confirmation that AWS sent to the address.",
    within_s=10,
)
def subscription_is_confirmed(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """SNS: ListSubscriptionsByTopic."""
    email = live.declared.alarm_email
    if email is None:
        return Verdict.not_applicable("no e-mail address was given")
    faults: list[str] = []
    pending: list[str] = []
    for topic in _topics(live, site):
        pages = live.aws.sns(topic.region).get_paginator("list_subscriptions_by_topic")
        found = [one for page in pages.paginate(TopicArn=topic.arn) for one in page["Subscriptions"]]
        mine = [one for one in found if one.get("Endpoint") == email]
        if not mine:
            faults.append(f"{email} is not subscribed in {topic.region}")
        elif all(one.get("SubscriptionArn") == _PENDING for one in mine):
            pending.append(topic.region)
    if pending and not faults:
        # Who deploys is not who reads the mail: it is said, and no deployment fails by it.
        return Verdict.warn(f"{email} has not confirmed yet in {' and '.join(pending)}: no alarm reaches it")
    return all_of(faults)


@regional(
    "LIVE-SNS-003",
    title="CloudWatch may publish to the alarm topic, over TLS only, and no stranger may use it",
    severity=Severity.HIGH,
    risk="An alarm rings and reaches nobody, without an error anywhere; or others read or forge alarms.",
    fix=_REDEPLOY,
)
def alarms_reach_the_topic(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """SNS: GetTopicAttributes."""
    account, names = site.outputs.account, live.outputs.names
    faults: list[str] = []
    for topic in _topics(live, site):
        attributes = live.aws.sns(topic.region).get_topic_attributes(TopicArn=topic.arn)["Attributes"]
        statements = statements_of(attributes.get("Policy", "{}"))
        alarm = f"arn:{site.outputs.partition}:cloudwatch:{topic.region}:{account}:alarm:{names.alarm('x')}"
        context = {"aws:sourceaccount": account, "aws:sourcearn": alarm, "aws:securetransport": "true"}
        needed = NeededAccess("cloudwatch.amazonaws.com", "sns:Publish", topic.arn, context)
        in_clear = replace(needed, context={**context, "aws:securetransport": "false"})
        said = (
            *refused(statements, [needed]),
            *strangers(statements, account),
            *([] if tuple(refused(statements, [in_clear])) else ["it takes what does not come over TLS"]),
        )
        faults += (f"the topic in {topic.region}: {phrase}" for phrase in said)
    return all_of(faults)
