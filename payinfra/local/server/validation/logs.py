"""What CloudWatch Logs refuses (CloudWatch Logs API reference, and the user guide's pages that are named)."""

import re

from payinfra.core.json_text import json_or_none
from payinfra.local.server.validation.calls import (
    Rules,
    ServiceCall,
    for_each,
    joined,
    key_state,
    refuse_if,
    texts_in,
)
from payinfra.local.server.validation.policies import statements_in
from payinfra.local.server.validation.tags import tags_are_possible

INVALID, LIMIT = "InvalidParameterException", "LimitExceededException"
FILTERS_MOST, SUBSCRIPTIONS_MOST, DIMENSIONS_MOST, EVENTS_MOST = 100, 2, 3, 10_000
A_DAY_MS = 86_400_000


def name_is_not_reserved(call: ServiceCall) -> None:
    """AWS: names that begin with `aws/` are reserved (API reference, CreateLogGroup)."""
    refuse_if(
        call.text("logGroupName").startswith("aws/"),
        INVALID,
        "Log group names starting with aws/ are reserved.",
    )


def key_lets_logs_in(call: ServiceCall) -> None:
    """AWS: a group's key is enabled, and its policy lets CloudWatch Logs of the region use it (user guide,
    "Encrypt log data in CloudWatch Logs using AWS Key Management Service")."""
    key = call.text("kmsKeyId")
    if not key:
        return
    found = call.module("kms")._resolve_key(key)
    service = {f"logs.{call.region}.amazonaws.com", "logs.amazonaws.com", "*"}
    lets = False
    for one in statements_in(json_or_none(str((found or {}).get("Policy") or "{}"))):
        principal = one.get("Principal")
        named = ["*"] if principal == "*" else list(texts_in((principal or {}).get("Service")))
        lets = lets or (one.get("Effect") == "Allow" and bool(service & set(named)))
    refuse_if(
        key_state(call, key) != "Enabled" or not lets,
        INVALID,
        "The specified KMS Key Id could not be found, is not enabled or is not allowed to be used with Arn "
        f"'{key}'",
    )


def events_are_possible(call: ServiceCall) -> None:
    """AWS: 1 to 10,000 events in the order of their times, within 24 hours (API reference, PutLogEvents)."""
    events = call.entries("logEvents")
    times = [int(one.get("timestamp") or 0) for one in events]
    refuse_if(not events or len(events) > EVENTS_MOST, INVALID, f"Log events must be 1 to {EVENTS_MOST}.")
    refuse_if(
        times != sorted(times),
        INVALID,
        "Log events in a single PutLogEvents request must be in chronological order.",
    )
    refuse_if(
        times[-1] - times[0] > A_DAY_MS,
        INVALID,
        "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
    )


def filter_is_possible(call: ServiceCall) -> None:
    """AWS: a filter has a pattern that can be read, and sends a number to a namespace that is not AWS's; a
    default value and dimensions exclude each other (API reference, PutMetricFilter and MetricTransformation;
    user guide, "CloudWatch Logs quotas")."""
    pattern_is_possible(call)
    for one in call.entries("metricTransformations"):
        dimensions = one.get("dimensions") or {}
        refuse_if(
            str(one["metricNamespace"]).startswith("AWS/"),
            INVALID,
            "metricNamespace must not begin with AWS/.",
        )
        refuse_if(
            len(dimensions) > DIMENSIONS_MOST, INVALID, f"A metric has at most {DIMENSIONS_MOST} dimensions."
        )
        refuse_if(
            bool(dimensions) and "defaultValue" in one,
            INVALID,
            "Invalid metric transformation: dimensions and default value are mutually exclusive properties.",
        )
        refuse_if(
            not re.fullmatch(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?|\$.+", str(one["metricValue"])),
            INVALID,
            "Invalid metric transformation: metricValue is a number or begins with a dollar sign.",
        )
    group, name = call.text("logGroupName"), call.text("filterName")
    others = [
        key for key in call.module("cloudwatch_logs")._metric_filters if key[0] == group and key[1] != name
    ]
    refuse_if(len(others) >= FILTERS_MOST, LIMIT, "Resource limit exceeded.")


def pattern_is_possible(call: ServiceCall) -> None:
    """AWS: braces, brackets and quotes of a pattern are closed (user guide, "Filter pattern syntax for metric
    filters, subscription filters, filter log events, and Live Tail")."""
    pattern = call.text("filterPattern").strip()
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', pattern)
    pairs = all(bare.count(one) == bare.count(other) for one, other in ("{}", "[]", "()"))
    unfinished = re.search(r"(=|!=|<|>|&&|\|\||\bIS|\bNOT)\s*\}$", bare)
    whole = bare[:1] not in "{[" or bare[-1:] == {"{": "}", "[": "]"}.get(bare[:1], "")
    refuse_if(
        not pairs or bool(unfinished) or not whole or '"' in bare.replace('""', ""),
        INVALID,
        f"Invalid filter pattern: {pattern[:200]}",
    )


def subscription_is_possible(call: ServiceCall) -> None:
    """AWS: a group has two subscription filters, whose destination is there (API reference,
    PutSubscriptionFilter)."""
    arn = call.text("destinationArn")
    if ":lambda:" in arn:
        functions = call.module("lambda_svc")
        refuse_if(
            functions._resolve_name(arn) not in functions._functions,
            INVALID,
            "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to "
            "execute your function.",
        )
    group = call.module("cloudwatch_logs")._log_groups.get(call.text("logGroupName")) or {}
    filters = group.get("subscriptionFilters") or {}
    refuse_if(
        call.text("filterName") not in filters and len(filters) >= SUBSCRIPTIONS_MOST,
        LIMIT,
        "Resource limit exceeded.",
    )


RULES: Rules = joined(
    for_each(
        ("CreateLogGroup", "TagResource", "TagLogGroup"),
        tags_are_possible("tags", INVALID),
    ),
    {
        "CreateLogGroup": (name_is_not_reserved, key_lets_logs_in),
        "FilterLogEvents": (pattern_is_possible,),
        "PutLogEvents": (events_are_possible,),
        "PutMetricFilter": (filter_is_possible,),
        "PutSubscriptionFilter": (pattern_is_possible, subscription_is_possible),
    },
)
