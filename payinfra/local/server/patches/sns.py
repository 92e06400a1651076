"""Subscriptions of e-mail addresses, as AWS keeps them: pending until their owner confirms them."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from payinfra.local.server.ministack import Emulator

Answer = tuple[int, dict[str, str], bytes]
Operation = Callable[[Mapping[str, Any]], Answer]

BY_MAIL = ("email", "email-json")
PENDING = "PendingConfirmation"
LOG = logging.getLogger(__name__)


def install(emulator: Emulator) -> None:
    """Apply the patches."""
    sns = emulator.service("sns")
    emulator.replace(sns, "_subscribe", mail_waits_for_its_owner(sns, sns._subscribe))
    emulator.replace(sns, "_error", code_is_the_models(sns._error))
    for operation in ("_list_subscriptions", "_list_subscriptions_by_topic"):
        emulator.replace(sns, operation, pending_ones_have_no_arn(sns, getattr(sns, operation)))


def code_is_the_models(original: Callable[[str, str, int], Answer]) -> Callable[[str, str, int], Answer]:
    """AWS: the code of InvalidParameterException on the wire is InvalidParameter (SNS API reference, "Errors"
    of each operation)."""

    def error(code: str, message: str, status: int) -> Answer:
        return original("InvalidParameter" if code == "InvalidParameterException" else code, message, status)

    return error


def mail_waits_for_its_owner(sns: Any, original: Operation) -> Operation:
    """AWS: sends a token to the address, and delivers nothing to it before ConfirmSubscription names that.

    No mail leaves the embedded AWS: the token is in its log. Source: SNS API reference, "Subscribe".
    """

    def subscribe(wanted: Mapping[str, Any]) -> Answer:
        before = {one["arn"] for one in _subscriptions(sns)}
        answer = original(wanted)
        for one in _subscriptions(sns):
            if one["arn"] in before or one["protocol"] not in BY_MAIL:
                continue
            one["confirmed"], one["token"] = False, sns.new_uuid()
            one["attributes"] |= {PENDING: "true", "ConfirmationWasAuthenticated": "false"}
            sns._refresh_subscription_counts(sns._topics[one["topic_arn"]])
            LOG.warning("A mail to %s would say: confirm with the token %s.", one["endpoint"], one["token"])
            if str(sns._p(wanted, "ReturnSubscriptionArn")).lower() != "true":
                status, headers, body = answer
                answer = status, headers, body.replace(one["arn"].encode(), b"pending confirmation")
        return answer

    return subscribe


def pending_ones_have_no_arn(sns: Any, original: Operation) -> Operation:
    """AWS: lists a subscription that waits for its owner without an ARN."""

    def show(wanted: Mapping[str, Any]) -> Answer:
        status, headers, body = original(wanted)
        for one in _subscriptions(sns):
            if not one["confirmed"]:
                body = body.replace(_arn(one["arn"]), _arn(PENDING))
        return status, headers, body

    return show


def _arn(said: str) -> bytes:
    return f"<SubscriptionArn>{said}</SubscriptionArn>".encode()


def _subscriptions(sns: Any) -> list[Any]:
    return [one for topic in sns._topics.values() for one in topic["subscriptions"]]
