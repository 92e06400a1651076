"""What an environment costs on AWS while nobody uses it, by how much of what it has.

The prices are those of docs/costs.md, which says where each was read: on-demand, in us-east-1 and us-west-2,
in US dollars, without tax and without free tiers. A test holds the page and this module against each other.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

HOURS = 730
"""In a month, as AWS counts."""

STANDING: Mapping[str, float] = MappingProxyType(
    {
        "aws_kms_key": 1.00,
        "aws_cloudwatch_metric_alarm": 0.10,
        "aws_cloudwatch_dashboard": 3.00,
        "aws_cloudwatch_log_metric_filter": 0.30,
        "aws_route53_zone": 0.50,
        "aws_route53_health_check": 0.50,
    }
)
"""Dollars a month for one of each, by Terraform's type. Health checks are of AWS endpoints."""

HTTPS, FAST = 1.00, 1.00
"""Dollars a month more for a health check that asks by HTTPS, and for one that asks every 10 seconds."""
FAST_S = 10
"""How often a fast health check asks, in seconds."""

HEALTH_CHECK = "aws_route53_health_check"
CALCULATED = "CALCULATED"
"""The type of a health check that counts others and asks nobody."""
CHECKERS = 16
"""How many of Route 53's checkers ask where none are chosen; an estimate."""
IN_A_REGION = 2
"""How many of them are in each of the checkers' regions."""


@dataclass(frozen=True)
class IdleTraffic:
    """What one request of a health check causes, and what is paid for it.

    Attributes:
        per_million: dollars for a million requests: API Gateway, Lambda, and half a read of DynamoDB.
        log_kb: kilobytes of logs that one request writes.
        fixed: dollars a month in a region, however often it is asked: for metrics of the method and the
            function, and for the writes that show whether a payment could be recorded.
        lambda_gb_s: gigabyte-seconds of the function for one request.
        lambda_price: dollars for a gigabyte-second.
        log_price: dollars for a gigabyte of logs.
    """

    per_million: tuple[float, ...]
    log_kb: float
    fixed: float
    lambda_gb_s: float = 0.005 * 0.5
    lambda_price: float = 0.0000166667
    log_price: float = 0.50

    def monthly(self, millions: float) -> float:
        """Dollars for so many million requests a month, without their traces."""
        return (
            millions * sum(self.per_million)
            + millions * 1e6 * self.lambda_gb_s * self.lambda_price
            + millions * self.log_kb * self.log_price
            + self.fixed
        )


RECORDED = 2 / FAST_S * 3600 * HOURS / 1e6 * 0.625
"""Dollars a month for a write that is never stored, every 10 seconds from each of two containers."""
HEALTH_PAGE = IdleTraffic((3.50, 0.20, 0.5 * 0.125), 3.5, 5 * 0.30 + 1 * 0.30 + RECORDED)
EVACUATION_PAGE = IdleTraffic((3.50, 0.20), 1.5, 0.0)
TRACED_A_SECOND, TRACED_SHARE, TRACE_PRICE = 1.0, 0.05, 5.00
"""X-Ray samples one request a second and a share of the rest; dollars for a million traces."""


@dataclass(frozen=True)
class BilledHealthCheck:
    """A health check, as far as it costs.

    Attributes:
        interval_s: how often each checker asks, in seconds; 0 for one that asks nobody.
        checkers: how many ask.
        page: what a request causes.
    """

    interval_s: int = FAST_S
    checkers: int = CHECKERS
    page: IdleTraffic = HEALTH_PAGE

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Self:
        """The health check of a resource's values, as Terraform has them."""
        interval, regions = values.get("request_interval"), values.get("regions")
        if values.get("type") == CALCULATED or not isinstance(interval, int):
            return cls(0, 0)
        chosen = len(regions) if isinstance(regions, list) else 0
        is_health = str(values.get("resource_path", "")).endswith("/health")
        page = HEALTH_PAGE if is_health else EVACUATION_PAGE
        return cls(interval, chosen * IN_A_REGION or CHECKERS, page)

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.checkers / self.interval_s if self.interval_s else 0.0

    @property
    def price(self) -> float:
        """Dollars a month for the check itself, beside what stands in `STANDING`."""
        return (HTTPS if self.interval_s else 0.0) + (FAST if self.interval_s == FAST_S else 0.0)


def monthly(counts: Mapping[str, int], checks: Iterable[BilledHealthCheck] = ()) -> float:
    """Dollars a month of what stands, and of what its health checks cause.

    Args:
        counts: how many there are of each of Terraform's types; those that cost nothing do not matter.
        checks: the health checks.
    """
    every = tuple(checks)
    stands = sum(price * counts.get(kind, 0) for kind, price in STANDING.items())
    return stands + sum(one.price for one in every) + caused(every)


def caused(checks: Iterable[BilledHealthCheck]) -> float:
    """Dollars a month that the requests of health checks cause, in all regions.

    The check of the health page takes X-Ray's one request a second; of others there a share is sampled.
    """
    every = [one for one in checks if one.rate]
    taken = any(one.rate >= TRACED_A_SECOND for one in every)
    total = 0.0
    for one in every:
        always = 0.0 if taken and one.page is not HEALTH_PAGE else TRACED_A_SECOND
        traced = min(one.rate, always) + TRACED_SHARE * max(0.0, one.rate - always)
        total += one.page.monthly(_millions(one.rate)) + _millions(traced) * TRACE_PRICE
    return total


def _millions(a_second: float) -> float:
    """Millions a month."""
    return a_second * 3600 * HOURS / 1e6


def of_resources(resources: Iterable[tuple[str, Mapping[str, object]]]) -> float:
    """Dollars a month of resources, each with its type and its values."""
    found = tuple(resources)
    checks = [BilledHealthCheck.of(values) for kind, values in found if kind == HEALTH_CHECK]
    return monthly(Counter(kind for kind, _ in found), checks)


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

    Of three health checks in a region one asks the health page, one the page of an evacuation, and one asks
    nobody.

    Args:
        listed: how many there are of what costs money, by the words of `LISTED`.
        regions: in how many regions it serves.
    """
    counts = {kind: listed.get(what, 0) for what, kind in LISTED.items()}
    counts |= {kind: number * regions for kind, number in OF_A_REGION.items()}
    asking = (BilledHealthCheck(),) * regions + (_FLAG,) * regions
    return monthly(counts, asking[: counts[HEALTH_CHECK]])


_FLAG = BilledHealthCheck(30, 3 * IN_A_REGION, EVACUATION_PAGE)
