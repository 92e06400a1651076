"""What SNS and SQS refuse (SNS and SQS API references)."""

import re

from payinfra.core.json_text import json_or_none
from payinfra.local.server.validation.calls import Rules, ServiceCall, for_each, joined, key_state, refuse_if
from payinfra.local.server.validation.policies import PolicyKind, refuse_policy
from payinfra.local.server.validation.tags import tags_are_possible

INVALID = "InvalidParameter"
OF_AWS = "alias/aws/"
ATTRIBUTES = re.compile(
    r"DeliveryPolicy|DisplayName|FifoTopic|FifoThroughputScope|ArchivePolicy|BeginningArchiveTime|Policy|"
    r"TracingConfig|SignatureVersion|KmsMasterKeyId|ContentBasedDeduplication|DataProtectionPolicy|"
    r"(HTTP|Firehose|Lambda|Application|SQS)(Success|Failure)Feedback(RoleArn|SampleRate)"
)
"""API reference, SetTopicAttributes."""
ENDPOINTS = {
    "http": r"http://.+",
    "https": r"https://.+",
    "email": r"[^@\s]+@[^@\s]+\.[^@\s]+",
    "email-json": r"[^@\s]+@[^@\s]+\.[^@\s]+",
    "sms": r"\+?[\d\- ]+",
    "sqs": r"arn:aws[a-z-]*:sqs:.+",
    "lambda": r"arn:aws[a-z-]*:lambda:.+",
    "application": r"arn:aws[a-z-]*:sns:.+",
    "firehose": r"arn:aws[a-z-]*:firehose:.+",
}
"""API reference, Subscribe."""
SUBJECT_MOST = 100
QUEUE_ATTRIBUTES = frozenset(
    {
        *("DelaySeconds", "MaximumMessageSize", "MessageRetentionPeriod", "Policy", "VisibilityTimeout"),
        *("ReceiveMessageWaitTimeSeconds", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId"),
        *("KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled", "FifoQueue", "DeduplicationScope"),
        *("ContentBasedDeduplication", "FifoThroughputLimit"),
    }
)
"""SQS API reference, SetQueueAttributes."""
DELAY_MOST_S = 900


def name_is_possible(call: ServiceCall) -> None:
    """AWS: a topic's name has up to 256 letters, digits, dashes and underscores (API reference,
    CreateTopic)."""
    refuse_if(
        not re.fullmatch(r"[A-Za-z0-9_-]{1,256}|[A-Za-z0-9_-]{1,251}\.fifo", call.text("Name")),
        INVALID,
        "Invalid parameter: Topic Name",
    )
    attributes = call.inner("Attributes")
    for name, value in attributes.items():
        _attribute(call, str(name), str(value))
    arn = f"arn:aws:sns:{call.region}:{call.account}:{call.text('Name')}"
    known = call.module("sns")._topics.get(arn)
    if known is not None:
        former = known.get("attributes") or {}
        differs = any(str(former.get(name, "")) != str(value) for name, value in attributes.items())
        refuse_if(
            differs,
            INVALID,
            "Invalid parameter: Attributes Reason: Topic already exists with different attributes",
        )
        tags = {one["Key"]: one["Value"] for one in call.entries("Tags")}
        refuse_if(
            bool(tags) and tags != dict(known.get("tags") or {}),
            INVALID,
            "Invalid parameter: Tags Reason: Topic already exists with different tags",
        )


def attribute_is_possible(call: ServiceCall) -> None:
    """AWS: a topic has the attributes that the API reference lists."""
    _attribute(call, call.text("AttributeName"), call.text("AttributeValue"))


def _attribute(call: ServiceCall, name: str, value: str) -> None:
    refuse_if(not ATTRIBUTES.fullmatch(name), INVALID, f"Invalid parameter: AttributeName {name}")
    if name == "Policy" and value:
        refuse_policy(call, value, PolicyKind.RESOURCE, INVALID, ("sns:",))
        refuse_if(
            re.search(r'"[Ss][Nn][Ss]:\*"', value) is not None,
            INVALID,
            "Invalid parameter: Policy statement action out of service scope!",
        )


def message_is_possible(call: ServiceCall) -> None:
    """AWS: a message is not empty, its subject one line of 100 characters, and one that has a structure has a
    default (API reference, Publish)."""
    refuse_if(not call.text("Message"), INVALID, "Invalid parameter: Empty message")
    subject = call.text("Subject")
    refuse_if(
        len(subject) > SUBJECT_MOST or any(ord(one) < 32 or one == "\x7f" for one in subject),
        INVALID,
        "Invalid parameter: Subject",
    )
    if call.text("MessageStructure") == "json":
        message = json_or_none(call.text("Message"))
        refuse_if(
            not isinstance(message, dict) or "default" not in message,
            INVALID,
            "Invalid parameter: Message Structure - No default entry in JSON message body",
        )
    topic = call.module("sns")._topics.get(call.text("TopicArn")) or {}
    key = str((topic.get("attributes") or {}).get("KmsMasterKeyId") or "")
    if key and OF_AWS not in key:
        state = key_state(call, key)
        refuse_if(state is None, "KMSNotFound", f"Invalid keyId {key}")
        refuse_if(state == "Disabled", "KMSDisabled", f"{key} is disabled.")
        refuse_if(state != "Enabled", "KMSInvalidState", f"{key} is {state}.")


def endpoint_is_possible(call: ServiceCall) -> None:
    """AWS: an endpoint is one of its protocol (API reference, Subscribe)."""
    form = ENDPOINTS.get(call.text("Protocol"))
    refuse_if(
        form is None,
        INVALID,
        f"Invalid parameter: Does not support this protocol string: {call.text('Protocol')}",
    )
    refuse_if(
        not re.fullmatch(form or "", call.text("Endpoint")),
        INVALID,
        f"Invalid parameter: {call.text('Protocol')} endpoint",
    )
    policy = call.inner("Attributes").get("FilterPolicy")
    if policy:
        read = json_or_none(str(policy))
        refuse_if(
            not isinstance(read, dict), INVALID, "Invalid parameter: FilterPolicy: failed to parse JSON."
        )


def pending_ones_stay(call: ServiceCall) -> None:
    """AWS: what waits to be confirmed has no ARN by which it could be ended (API reference, Unsubscribe)."""
    refuse_if(
        not call.text("SubscriptionArn").startswith("arn:"), INVALID, "Invalid parameter: SubscriptionArn"
    )


def queue_is_possible(call: ServiceCall) -> None:
    """AWS: a queue's name has up to 80 letters, digits, dashes and underscores, and its attributes are those
    that the API reference lists (SQS API reference, CreateQueue)."""
    if call.operation == "CreateQueue":
        refuse_if(
            not re.fullmatch(r"[A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}\.fifo", call.text("QueueName")),
            "InvalidParameterValue",
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        )
    attributes = call.inner("Attributes")
    unknown = sorted(set(attributes) - QUEUE_ATTRIBUTES)
    refuse_if(bool(unknown), "InvalidAttributeName", f"Unknown Attribute {unknown[:1]}.")
    if attributes.get("Policy"):
        refuse_policy(
            call, str(attributes["Policy"]), PolicyKind.RESOURCE, "InvalidAttributeValue", ("sqs:",)
        )


def delay_is_possible(call: ServiceCall) -> None:
    """AWS: a message is delayed by 15 minutes at most (SQS API reference, SendMessage)."""
    delay = int(call.parameters.get("DelaySeconds") or 0)
    refuse_if(
        not 0 <= delay <= DELAY_MOST_S,
        "InvalidParameterValue",
        f"Value {delay} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.",
    )


RULES: Rules = joined(
    for_each(("CreateTopic", "TagResource"), tags_are_possible("Tags", INVALID, too_many="TagLimitExceeded")),
    {
        "CreateTopic": (name_is_possible,),
        "Publish": (message_is_possible,),
        "SetTopicAttributes": (attribute_is_possible,),
        "Subscribe": (endpoint_is_possible,),
        "Unsubscribe": (pending_ones_stay,),
    },
)
SQS_RULES: Rules = {
    "CreateQueue": (queue_is_possible,),
    "SendMessage": (delay_is_possible,),
    "SetQueueAttributes": (queue_is_possible,),
}
