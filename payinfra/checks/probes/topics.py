"""The topics that alarms publish to."""

from payinfra.checks.probes.model import (
    Live,
    NotYet,
    Severity,
    Site,
    Verdict,
    Verdicts,
    all_of,
    differences,
    regional,
)

_REDEPLOY = "Deploy again: the topic was changed outside Terraform."
_PENDING = "PendingConfirmation"


@regional(
    "LIVE-SNS-001",
    title="The alarm topic is encrypted with this region's customer key",
    severity=Severity.MEDIUM,
    risk="What alarms say lies in clear.",
    fix=_REDEPLOY,
)
def topic_is_encrypted(live: Live, site: Site) -> Verdicts:
    """SNS: GetTopicAttributes."""
    found = live.aws.sns(site.region).get_topic_attributes(TopicArn=site.outputs.sns_topic_arn)
    return all_of(
        differences((("key", found["Attributes"].get("KmsMasterKeyId"), site.declared.keys.audit),))
    )


@regional(
    "LIVE-SNS-002",
    title="The address that alarms go to has confirmed its subscription",
    severity=Severity.HIGH,
    risk="Payments fail and nobody is told.",
    fix="Open the confirmation that AWS sent to the address.",
    within_s=10,
)
def subscription_is_confirmed(live: Live, site: Site) -> Verdicts:
    """SNS: ListSubscriptionsByTopic."""
    email = live.declared.alarm_email
    if email is None:
        return Verdict.not_applicable("no e-mail address was given")
    found = live.aws.sns(site.region).list_subscriptions_by_topic(TopicArn=site.outputs.sns_topic_arn)
    mine = [one for one in found["Subscriptions"] if one.get("Endpoint") == email]
    if not mine:
        return Verdict.failed(f"{email} is not subscribed")
    if all(one.get("SubscriptionArn") == _PENDING for one in mine):
        raise NotYet(f"{email} has not confirmed yet")
    return Verdict.passed()
