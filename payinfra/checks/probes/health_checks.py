"""Route 53's health checks: as declared, and what their checkers say."""

from datetime import timedelta

from payinfra.checks.probes.model import (
    FIRST_REPORTS_S,
    ProbeContext,
    RegionUnderTest,
    all_of,
    differences,
    regional,
)
from payinfra.checks.verdicts import Severity, Verdict, Verdicts
from payinfra.clients.aws_errors import NoData, NotYet

HEALTHY_SHARE = 0.18
"""A health check is healthy while more than this share of checkers says so (Route 53 developer guide)."""
FRESH = timedelta(minutes=5)
HTTPS_PORT = 443


@regional(
    "LIVE-R53-001",
    title="The health check is enabled, not inverted, and asks as declared",
    severity=Severity.CRITICAL,
    risk="Clients are sent to a region that is down, or away from one that works.",
    fix="Deploy again: it was changed outside Terraform.",
)
def health_check_is_as_declared(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """Route 53: GetHealthCheck."""
    health = live.declared.health
    found = live.aws.route53(site.region).get_health_check(HealthCheckId=site.outputs.health_check_id)
    config = found["HealthCheck"]["HealthCheckConfig"]
    return all_of(
        differences(
            (
                ("Disabled", config.get("Disabled", False), False),
                ("Inverted", config.get("Inverted", False), False),
                ("type", config.get("Type"), "HTTPS"),
                ("name", config.get("FullyQualifiedDomainName"), site.declared.api.execute_host),
                ("port", config.get("Port"), HTTPS_PORT),
                ("SNI", config.get("EnableSNI"), True),
                ("path", config.get("ResourcePath"), health.path),
                ("interval in s", config.get("RequestInterval"), health.interval_s),
                ("threshold", config.get("FailureThreshold"), health.threshold),
            )
        )
    )


@regional(
    "LIVE-R53-002",
    title="More than 18 % of Route 53's checkers find the region healthy, and did so lately",
    severity=Severity.CRITICAL,
    risk="Route 53 answers with the other region, or does not notice when this one fails.",
    fix="Ask the health page of the region; see what GetHealthCheckLastFailureReason says.",
    within_s=60,
    on_aws_s=FIRST_REPORTS_S,
)
def checkers_find_it_healthy(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """Route 53: GetHealthCheckStatus."""
    found = live.aws.route53(site.region).get_health_check_status(HealthCheckId=site.outputs.health_check_id)
    reports = [one.get("StatusReport", {}) for one in found["HealthCheckObservations"]]
    oldest = live.now() - FRESH
    fresh = [one for one in reports if "CheckedTime" in one and one["CheckedTime"] >= oldest]
    if not fresh:
        raise NoData(f"none of {len(reports)} checkers has asked within {FRESH.seconds // 60} minutes")
    healthy = [one for one in fresh if one.get("Status", "").startswith("Success")]
    share = len(healthy) / len(fresh)
    said = f"{len(healthy)} of {len(fresh)} checkers say healthy"
    if share <= HEALTHY_SHARE:
        raise NotYet(said)
    return Verdict.passed(said)


@regional(
    "LIVE-R53-008",
    title="What the region's records hang on counts its health check, and the other region's page inverted",
    severity=Severity.CRITICAL,
    risk="The region cannot be evacuated, or its failure moves nobody.",
    fix="Deploy again: it was changed outside Terraform.",
)
def switch_is_as_declared(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """Route 53: GetHealthCheck, of the calculated health check and of the one on an evacuation's page."""
    wanted = live.declared.evacuation
    if wanted is None:
        return Verdict.not_applicable("it was deployed by a version that could not evacuate a region")
    at = live.outputs.regions.index(site.outputs)
    route53, flag_id = live.aws.route53(site.region), wanted.flag_checks[at]
    counting, flag = (
        route53.get_health_check(HealthCheckId=one)["HealthCheck"]["HealthCheckConfig"]
        for one in (wanted.serving_checks[at], flag_id)
    )
    children = sorted(counting.get("ChildHealthChecks", []))
    return all_of(
        differences(
            (
                ("type", counting.get("Type"), "CALCULATED"),
                ("Disabled", counting.get("Disabled", False), False),
                ("Inverted", counting.get("Inverted", False), False),
                ("counted health checks", children, sorted((site.outputs.health_check_id, flag_id))),
                ("wanted of them", counting.get("HealthThreshold"), len(children)),
                ("page's type", flag.get("Type"), "HTTPS"),
                ("page's Disabled", flag.get("Disabled", False), False),
                ("page's Inverted", flag.get("Inverted", False), True),
                ("page's name", flag.get("FullyQualifiedDomainName"), site.peer_declared.api.execute_host),
                ("page's port", flag.get("Port"), HTTPS_PORT),
                ("page's SNI", flag.get("EnableSNI"), True),
                ("page's path", flag.get("ResourcePath"), wanted.page),
                ("page's interval in s", flag.get("RequestInterval"), wanted.interval_s),
                ("page's threshold", flag.get("FailureThreshold"), wanted.threshold),
            )
        )
    )
