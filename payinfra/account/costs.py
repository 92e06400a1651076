"""What an environment costs on AWS while nobody uses it, by how much of what it has.

The prices are those of docs/costs.md, which says where each was read: on-demand, in us-east-1 and us-west-2,
in US dollars, without tax and without free tiers. A test holds the page and this module against each other.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sized
from dataclasses import dataclass
from itertools import repeat
from types import MappingProxyType

HOURS = 730
"""In a month, as AWS counts."""

STANDING: Mapping[str, float] = MappingProxyType(
    {
        "aws_kms_key": 1.00,
        "aws_cloudwatch_metric_alarm": 0.10,
        "aws_cloudwatch_dashboard": 3.00,
        # A metric is paid for in a month in which it has data (0.30), and an idle environment's have none.
        "aws_cloudwatch_log_metric_filter": 0.00,
        "aws_route53_zone": 0.50,
        "aws_route53_health_check": 0.50 + 1.00,
    }
)
"""Dollars a month for one of each, by Terraform's type. Health checks are of AWS endpoints, by HTTPS."""

FAST_HEALTH_CHECK = 1.00
"""Dollars a month more for a health check that asks every 10 seconds."""
FAST_S, SLOW_S = 10, 30
"""How often a health check may ask, in seconds."""

HEALTH_CHECK = "aws_route53_health_check"
CALCULATED = "CALCULATED"
HTTPS_FEATURE = 1.00
"""Dollars a month of a health check for HTTPS, which one that only counts others has not."""


WITHOUT_STANDING_PRICE = (
    *("aws_acm_certificate", "aws_api_gateway_", "aws_cloudwatch_event_", "aws_cloudwatch_log_group"),
    *("aws_cloudwatch_log_resource_policy", "aws_cloudwatch_log_stream", "aws_dynamodb_", "aws_iam_"),
    *("aws_kms_alias", "aws_kms_grant", "aws_kms_key_policy", "aws_lambda_alias", "aws_lambda_event_source_"),
    *("aws_lambda_function", "aws_lambda_layer_version", "aws_lambda_permission", "aws_route53_record"),
    *("aws_s3_bucket", "aws_s3_object", "aws_scheduler_schedule", "aws_sns_topic", "aws_sqs_queue"),
    "aws_ssm_parameter",
)
"""What Terraform's types begin with of which one costs nothing while nothing happens but what it stores."""

OF_NO_PRICE_LISTED = frozenset(
    {
        *(
            "acm",
            "apigateway",
            "cloudwatch",
            "dynamodb",
            "events",
            "fis",
            "iam",
            "kms",
            "lambda",
            "logs",
            "route53",
        ),
        *("s3", "scheduler", "sns", "sqs", "ssm"),
    }
)
"""Services, as ARNs name them, of which nothing but what `LISTED` has costs money while nothing happens."""


def not_priced(kinds: Iterable[str], added: Iterable[str]) -> dict[str, int]:
    """How many there are of each type that was added to the stack and whose price is not known here.

    Args:
        kinds: Terraform's type of each resource of the environment.
        added: the types that the project's extension adds.
    """
    counts = Counter(kinds)
    return {
        kind: counts[kind]
        for kind in sorted(set(added))
        if counts[kind]
        and kind not in STANDING
        and kind != HEALTH_CHECK
        and not kind.startswith(WITHOUT_STANDING_PRICE)
    }


@dataclass(frozen=True)
class IdleTraffic:
    """What one request of a health check causes, and what is paid for it.

    Attributes:
        checkers: how many of Route 53's checkers ask; an estimate.
        per_million: dollars for a million requests: API Gateway, Lambda, and half a read of DynamoDB.
        lambda_gb_s: gigabyte-seconds of the function for one request.
        lambda_price: dollars for a gigabyte-second.
        log_kb: kilobytes of logs that one request writes.
        log_price: dollars for a gigabyte of logs.
        looks: dollars a month of the conditional writes, never stored, that a container makes every 10 s.
    """

    checkers: int = 6
    per_million: tuple[float, ...] = (3.50, 0.20, 0.5 * 0.125)
    lambda_gb_s: float = 0.005 * 0.5
    lambda_price: float = 0.0000166667
    log_kb: float = 0.7
    log_price: float = 0.50
    looks: float = 0.26 * 0.625

    def monthly(self, interval_s: int, checkers: int | None = None) -> float:
        """Dollars a month that one health check with this interval, in seconds, causes in its region.

        Args:
            checkers: how many ask; None for as many as ask from the stack's own choice of regions.
        """
        rate = (self.checkers if checkers is None else checkers) / interval_s
        # Rounded as the page has them.
        millions = round(rate * 3600 * HOURS / 1e6, 2)
        return (
            millions * sum(self.per_million)
            + millions * 1e6 * self.lambda_gb_s * self.lambda_price
            + millions * self.log_kb * self.log_price
            + self.looks
        )


CHECKERS_IN_A_REGION = 2
"""Of Route 53, in each of the regions that a health check is made from; an estimate."""
CHECKER_REGIONS = 8
"""From where it is checked unless it names regions (Route 53 API reference, HealthCheckConfig)."""
TRAFFIC = IdleTraffic()
EVACUATION = IdleTraffic(per_million=(3.50, 0.20), looks=0.0)
"""The same for an evacuation's page."""


@dataclass(frozen=True)
class HealthChecks:
    """The health checks of an environment.

    Attributes:
        intervals_s: of those that watch an API, each in seconds.
        flags: how many watch an evacuation's page.
        counting: how many count others.
        checkers: how many checkers request each of those that watch an API; empty for the stack's own number.
    """

    intervals_s: tuple[int, ...]
    flags: int = 0
    counting: int = 0
    checkers: tuple[int | None, ...] = ()

    def monthly(self, traffic: IdleTraffic) -> float:
        """Dollars a month more than as many slow ones cost by themselves, and what they cause."""
        return (
            FAST_HEALTH_CHECK * sum(interval == FAST_S for interval in self.intervals_s)
            - HTTPS_FEATURE * self.counting
            + sum(map(traffic.monthly, self.intervals_s, self.checkers or repeat(None)))
            + self.flags * EVACUATION.monthly(SLOW_S)
        )


def monthly(counts: Mapping[str, int], checks: HealthChecks, traffic: IdleTraffic = TRAFFIC) -> float:
    """Dollars a month of what stands, and of what its health checks cause.

    Args:
        counts: how many there are of each of Terraform's types; those that cost nothing do not matter.
        checks: what those of Route 53 are.
        traffic: what the requests of those that watch an API cause.
    """
    stands = sum(price * counts.get(kind, 0) for kind, price in STANDING.items())
    return stands + checks.monthly(traffic)


def of_resources(
    resources: Iterable[tuple[str, Mapping[str, object]]], traffic: IdleTraffic = TRAFFIC
) -> float:
    """Dollars a month of resources, each with its type and its arguments."""
    found = tuple(resources)
    checks = [arguments for kind, arguments in found if kind == HEALTH_CHECK]
    counting = [one for one in checks if one.get("type") == CALCULATED]
    flags = [one for one in checks if one not in counting and one.get("invert_healthcheck")]
    watching = [one for one in checks if one not in counting and one not in flags]
    asking = [one.get("request_interval") for one in watching]
    intervals = tuple(interval if isinstance(interval, int) else SLOW_S for interval in asking)
    named = [one.get("regions") for one in watching]
    checkers = tuple(
        CHECKERS_IN_A_REGION * (len(one) if isinstance(one, Sized) and len(one) else CHECKER_REGIONS)
        for one in named
    )
    return monthly(
        Counter(kind for kind, _ in found),
        HealthChecks(intervals, len(flags), len(counting), checkers),
        traffic,
    )


OF_A_REGION: Mapping[str, int] = MappingProxyType(
    {"aws_cloudwatch_dashboard": 1, "aws_cloudwatch_log_metric_filter": 2}
)
"""What a serving region has that bears no tags, so that no list of an account has it."""

LISTED: Mapping[str, str] = MappingProxyType(
    {
        "keys": "aws_kms_key",
        "alarms": "aws_cloudwatch_metric_alarm",
        "hosted zones": "aws_route53_zone",
        "health checks": HEALTH_CHECK,
    }
)
"""Terraform's type of what a list of an account's environments counts."""


def of_environment(listed: Mapping[str, int], regions: int) -> float:
    """Dollars a month of an environment as an account lists it, at most: its health checks count as fast.

    Beyond one a region they are taken for those of an evacuation's page, then for such as count others.

    Args:
        listed: how many there are of what costs money, by the words of `LISTED`.
        regions: in how many regions it serves.
    """
    counts = {kind: listed.get(what, 0) for what, kind in LISTED.items()}
    counts |= {kind: number * regions for kind, number in OF_A_REGION.items()}
    if counts["aws_kms_key"] <= regions:
        # A lean environment: one key a region, and one dashboard in all.
        counts["aws_cloudwatch_dashboard"] = min(1, regions)
    there = counts[HEALTH_CHECK]
    watching = min(there, regions)
    flags = min(there - watching, regions)
    return monthly(counts, HealthChecks((FAST_S,) * watching, flags, there - watching - flags))
