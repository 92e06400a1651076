"""What CloudWatch refuses (CloudWatch API reference: PutMetricAlarm, PutMetricData, GetMetricStatistics,
PutDashboard)."""

import math
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from payinfra.core.json_text import json_or_none
from payinfra.local.server.validation.calls import Rules, ServiceCall, for_each, joined, refuse_if
from payinfra.local.server.validation.tags import tags_are_possible

INVALID, COMBINATION, MISSING = "ValidationError", "InvalidParameterCombination", "MissingParameter"
VALUE = "InvalidParameterValue"
A_DAY_S, A_WEEK_S = 86_400, 604_800
SHORT_PERIODS = (10, 20, 30)
TWO_WEEKS_S, TWO_HOURS_S = 14 * 86_400, 7200
DATUMS_MOST, POINTS_MOST = 1000, 1440
LARGEST = 2.0**360
_STATISTIC = re.compile(
    r"SampleCount|Average|Sum|Minimum|Maximum|IQM|(p|tm|tc|ts|wm)(\d{1,2}(\.\d+)?|100)|"
    r"(PR|TM|TC|TS|WM)\(.*:.*\)"
)
_ID = re.compile(r"[a-z][a-zA-Z0-9_]*")
_CALLED = re.compile(r"\b([a-z][a-zA-Z0-9_]*)\b(?!\s*\()")


def alarm_is_possible(call: ServiceCall) -> None:
    """AWS: an alarm watches one metric by one statistic, or metrics by one expression, within a day, or a
    week where its periods are an hour or longer."""
    asked = call.parameters
    metrics = call.entries("Metrics")
    single = {"MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Period", "Dimensions"} & set(
        asked
    )
    refuse_if(
        bool(metrics) and bool(single),
        COMBINATION,
        "Metrics cannot be combined with MetricName, Namespace, Dimensions, Period, Unit, Statistic, or "
        "ExtendedStatistic.",
    )
    refuse_if(
        not metrics and not {"MetricName", "Namespace"} <= set(asked),
        INVALID,
        "One of Metrics, or MetricName with Namespace, is required.",
    )
    if metrics:
        expressions_are_possible(metrics)
    else:
        chosen = [name for name in ("Statistic", "ExtendedStatistic") if name in asked]
        refuse_if(len(chosen) > 1, COMBINATION, "Statistic and ExtendedStatistic exclude each other.")
        refuse_if(not chosen, MISSING, "Either Statistic or ExtendedStatistic is required.")
        refuse_if("Period" not in asked, MISSING, "The parameter Period is required.")
        refuse_if(
            not _STATISTIC.fullmatch(call.text(chosen[0])), VALUE, f"{call.text(chosen[0])} is no statistic."
        )
    refuse_if(
        ("Threshold" in asked) == ("ThresholdMetricId" in asked),
        INVALID,
        "Exactly one of Threshold and ThresholdMetricId is required.",
    )
    periods = int(asked["EvaluationPeriods"])
    refuse_if(
        int(asked.get("DatapointsToAlarm") or 1) > periods,
        INVALID,
        "DatapointsToAlarm must be less than or equal to EvaluationPeriods.",
    )
    missing = call.text("TreatMissingData")
    refuse_if(
        missing not in ("", "breaching", "notBreaching", "ignore", "missing"),
        INVALID,
        f"{missing} is no way to treat missing data.",
    )
    period = _period(asked, metrics)
    possible = period in SHORT_PERIODS or (period > 0 and period % 60 == 0)
    refuse_if(not possible, VALUE, f"The period {period} is neither 10, 20, 30 nor a multiple of 60.")
    refuse_if(
        period * periods > (A_WEEK_S if period >= 3600 else A_DAY_S),
        VALUE,
        "Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400).",
    )
    actions_are_possible(call)


def _period(asked: Mapping[str, Any], metrics: list[Any]) -> int:
    periods = [int((one.get("MetricStat") or {}).get("Period") or one.get("Period") or 60) for one in metrics]
    return int(asked.get("Period") or max(periods, default=60))


def expressions_are_possible(metrics: list[Mapping[str, Any]]) -> None:
    """AWS: each metric has an id of its own that begins with a lower-case letter, expressions name ids that
    are there, and one result is returned (API reference, MetricDataQuery)."""
    ids = [str(one.get("Id")) for one in metrics]
    refuse_if(len(set(ids)) < len(ids), INVALID, "The values for parameter id in queries must be unique.")
    wrong = next((one for one in ids if not _ID.fullmatch(one)), "")
    refuse_if(bool(wrong), INVALID, f"The value {wrong} for parameter id is not possible.")
    returned = [one for one in metrics if one.get("ReturnData", True) is True]
    refuse_if(len(returned) != 1, INVALID, "Exactly one element of the metrics list should return data.")
    for one in metrics:
        text = re.sub(r"'[^']*'|\"[^\"]*\"", "", str(one.get("Expression", "")))
        for name in () if text.upper().startswith("SELECT") else _CALLED.findall(text):
            refuse_if(name not in ids, INVALID, f"Error in expression '{one.get('Id')}': Unknown id {name}")


def actions_are_possible(call: ServiceCall) -> None:
    """AWS: an action is an ARN; a topic's is in the alarm's region."""
    for name in ("AlarmActions", "OKActions", "InsufficientDataActions"):
        for arn in call.entries(name):
            parts = str(arn).split(":")
            refuse_if(len(parts) < 6 or parts[0] != "arn", INVALID, f"Invalid arn syntax: {arn}")
            refuse_if(
                parts[2] == "sns" and parts[3] != call.region,
                INVALID,
                f"Invalid region {parts[3]} specified. Only {call.region} is supported.",
            )


def data_are_possible(call: ServiceCall) -> None:
    """AWS: at most 1,000 metrics with a value each, of the last two weeks up to two hours ahead, in a
    namespace that is not AWS's."""
    namespace, now = call.text("Namespace"), time.time()
    refuse_if(namespace.startswith("AWS/"), VALUE, "The value AWS/ for parameter Namespace is invalid.")
    refuse_if(namespace.startswith(":"), VALUE, "The value for parameter Namespace is invalid.")
    data = call.entries("MetricData")
    refuse_if(
        len(data) > DATUMS_MOST,
        VALUE,
        f"The collection MetricData must not have a size greater than {DATUMS_MOST}.",
    )
    for one in data:
        values = [one[name] for name in ("Value",) if name in one] + list(one.get("Values") or ())
        refuse_if(
            not values and "StatisticValues" not in one,
            MISSING,
            "At least one of the parameters Value, Values or StatisticValues is required.",
        )
        for value in values:
            number = float(value)
            refuse_if(
                math.isnan(number) or abs(number) > LARGEST,
                VALUE,
                f"The value {value} for MetricData is invalid.",
            )
        at = _seconds(one.get("Timestamp"))
        refuse_if(
            at is not None and not now - TWO_WEEKS_S <= at <= now + TWO_HOURS_S,
            VALUE,
            "The parameter MetricData.member.1.Timestamp must specify a time no more than two weeks in the "
            "past or two hours in the future.",
        )


def statistics_are_possible(call: ServiceCall) -> None:
    """AWS: at most 1,440 points of a time that begins before it ends, by at least one statistic."""
    start, end = _seconds(call.parameters.get("StartTime")), _seconds(call.parameters.get("EndTime"))
    period = int(call.parameters.get("Period") or 60)
    refuse_if(
        not call.entries("Statistics") and not call.entries("ExtendedStatistics"),
        MISSING,
        "Must specify either Statistics or ExtendedStatistics",
    )
    refuse_if(
        period % 60 != 0 and period not in (1, 5, 10, 20, 30), VALUE, f"The period {period} is not possible."
    )
    if start is not None and end is not None:
        refuse_if(start >= end, VALUE, "The parameter StartTime must be less than the parameter EndTime.")
        points = math.ceil((end - start) / period)
        refuse_if(
            points > POINTS_MOST,
            COMBINATION,
            f"You have requested up to {points} datapoints, which exceeds the limit of {POINTS_MOST}.",
        )


def queries_are_possible(call: ServiceCall) -> None:
    """AWS: at most 500 queries with an id each (API reference, GetMetricData)."""
    queries = call.entries("MetricDataQueries")
    refuse_if(
        len(queries) > 500, INVALID, "The collection MetricDataQueries must not have a size greater than 500."
    )
    ids = [str(one.get("Id")) for one in queries]
    refuse_if(len(set(ids)) < len(ids), INVALID, "The values for parameter id in queries must be unique.")


def _seconds(value: Any) -> float | None:
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, int | float):
        return float(value)
    try:
        read = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError:
        return None
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


def dashboard_is_possible(call: ServiceCall) -> None:
    """AWS: a dashboard is a JSON object, and its name consists of letters, digits, dashes and underscores."""
    refuse_if(
        not isinstance(json_or_none(call.text("DashboardBody")), dict)
        or not re.fullmatch("[A-Za-z0-9_-]{1,255}", call.text("DashboardName")),
        "InvalidParameterInput",
        "The dashboard's name or body is not possible.",
    )


RULES: Rules = joined(
    for_each(
        ("PutMetricAlarm", "PutCompositeAlarm", "TagResource"),
        tags_are_possible("Tags", "InvalidParameterValue"),
    ),
    {
        "GetMetricData": (queries_are_possible,),
        "GetMetricStatistics": (statistics_are_possible,),
        "PutCompositeAlarm": (actions_are_possible,),
        "PutDashboard": (dashboard_is_possible,),
        "PutMetricAlarm": (alarm_is_possible,),
        "PutMetricData": (data_are_possible,),
    },
)
