"""Health checks: when checkers probe, what they conclude, and what Route 53 makes of it.

Each checker probes on its own and changes its opinion after `threshold` consecutive results that
contradict it. An endpoint is healthy while more than 18 % of its checkers say so. An endpoint that
fails is therefore found out after threshold x (interval + time to fail), all divided by the time scale
except that the time to fail has a floor (see probe.Limits).

Sources: "How Amazon Route 53 determines whether a health check is healthy" and "Values that you
specify when you create or update health checks" in the Developer Guide.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, assert_never

from payinfra.local.server.route53.clock import EmulatorClock
from payinfra.local.server.route53.endpoints import LOOPBACK
from payinfra.local.server.route53.probe import CheckerResult, CheckerTimeouts, Prober
from payinfra.local.server.route53.state import HealthCheckConfig, HealthCheckType, ZoneReader

logger = logging.getLogger(__name__)

# The regions of Route 53's health checkers (its service model, HealthCheckRegion).
CHECKER_REGIONS: Final = (
    "us-east-1",
    "us-west-1",
    "us-west-2",
    "eu-west-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-northeast-1",
    "sa-east-1",
)
HEALTHY_SHARE: Final = 0.18
# AWS has about 16 checkers, two a region. Here it is one a region, and fewer when time is scaled, so
# that the checkers of one health check together send no more than this many requests a real second …
MOST_PROBES_PER_SECOND: Final = 4.0
# … but three at least, which is the smallest number of regions that AWS allows.
FEWEST_CHECKERS: Final = 3
# New and changed health checks are noticed within this many real seconds.
TICK_SECONDS: Final = 0.1


@dataclass(frozen=True)
class StatusReport:
    """What one checker saw at one time; `checked` is in UTC."""

    region: str
    ip_address: str
    status: str
    checked: datetime


@dataclass(frozen=True)
class HealthObservation:
    """One health check as CloudWatch shows it (HealthCheckStatus, HealthCheckPercentageHealthy).

    Attributes:
        healthy: Route 53's conclusion, with Disabled and Inverted applied.
        percentage_healthy: of the checkers, 0 to 100, as they see the endpoint; None when the check
            has none.
    """

    health_check_id: str
    healthy: bool
    percentage_healthy: float | None
    at: datetime


@dataclass
class _Checker:
    region: str
    first_due: float
    healthy: bool = True
    contradictions: int = 0
    busy: bool = False
    finished: float | None = None
    last: StatusReport | None = None
    last_failure: StatusReport | None = None

    def due(self, interval: float) -> float:
        return self.first_due if self.finished is None else self.finished + interval

    def conclude(self, result: CheckerResult, threshold: int, finished: float, at: datetime) -> None:
        self.busy = False
        self.finished = finished
        self.last = StatusReport(self.region, LOOPBACK, result.status, at)
        if not result.ok:
            self.last_failure = self.last
        if result.ok == self.healthy:
            self.contradictions = 0
            return
        self.contradictions += 1
        if self.contradictions >= threshold:
            self.healthy = result.ok
            self.contradictions = 0


@dataclass
class _Panel:
    """The checkers of one health check."""

    checkers: dict[str, _Checker] = field(default_factory=dict)

    def seat(self, regions: tuple[str, ...], now: float, interval: float) -> None:
        """Keep exactly these checkers; the first requests of new ones are spread over the interval."""
        for region in set(self.checkers) - set(regions):
            del self.checkers[region]
        for index, region in enumerate(regions):
            if region not in self.checkers:
                self.checkers[region] = _Checker(region, now + interval * index / len(regions))

    @property
    def share(self) -> float:
        return sum(each.healthy for each in self.checkers.values()) / len(self.checkers)


def checkers_for(check: HealthCheckConfig, time_scale: float) -> tuple[str, ...]:
    """The regions that probe `check`: its own or all, fewer of them when time runs fast."""
    regions = tuple(dict.fromkeys(check.regions)) or CHECKER_REGIONS
    affordable = int(MOST_PROBES_PER_SECOND * check.interval / time_scale)
    return regions[: max(FEWEST_CHECKERS, affordable)]


class HealthMonitor:
    """Probes all health checks and says which are healthy.

    Args:
        reader: the health checks' present configuration.
        prober: sends one request.
        clock: time.
        time_scale: by how much intervals and limits are divided, asked for at every step.
    """

    def __init__(
        self, reader: ZoneReader, prober: Prober, clock: EmulatorClock, time_scale: Callable[[], float]
    ) -> None:
        self._reader = reader
        self._prober = prober
        self._clock = clock
        self._time_scale = time_scale
        self._panels: dict[str, _Panel] = {}
        self._probes: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Probe until cancelled; then no request is left in flight."""
        try:
            while True:
                try:
                    wait = self.step()
                except Exception:
                    # One unreadable moment of the emulator's state must not end all health checks.
                    logger.exception("health checks: a step failed")
                    wait = TICK_SECONDS
                await self._clock.sleep(wait)
        finally:
            probes = tuple(self._probes)
            for probe in probes:
                probe.cancel()
            await asyncio.gather(*probes, return_exceptions=True)

    def step(self) -> float:
        """Start the requests that are due; returns the real seconds until the next step."""
        now = self._clock.monotonic()
        scale = self._time_scale()
        checks = {check.id: check for check in self._reader.health_checks() if check.probed}
        # A deleted or disabled check loses its panel: if it comes back, it starts as a new one.
        for gone in set(self._panels) - set(checks):
            del self._panels[gone]
        wait = TICK_SECONDS
        for check in checks.values():
            interval = check.interval / scale
            panel = self._panels.setdefault(check.id, _Panel())
            panel.seat(checkers_for(check, scale), now, interval)
            for checker in panel.checkers.values():
                if checker.busy:
                    continue
                left = checker.due(interval) - now
                if left > 0:
                    wait = min(wait, left)
                    continue
                checker.busy = True
                task = asyncio.create_task(self._probe(check, checker, CheckerTimeouts.at(scale)))
                self._probes.add(task)
                task.add_done_callback(self._probes.discard)
        return wait

    async def _probe(self, check: HealthCheckConfig, checker: _Checker, limits: CheckerTimeouts) -> None:
        try:
            result = await self._prober.probe(check, limits)
        except Exception as error:
            # A bug in the prober must show as a failure, not silence the checker for ever.
            logger.exception("health check %s: the prober broke", check.id)
            result = CheckerResult(False, f"Failure: the health checker broke: {error!r}")
        checker.conclude(result, check.threshold, self._clock.monotonic(), self._clock.now())

    def view(self) -> "HealthView":
        """Route 53's conclusions at this moment."""
        shares = {check_id: panel.share for check_id, panel in self._panels.items()}
        return HealthView({check.id: check for check in self._reader.health_checks()}, shares)

    def observations(self) -> tuple[HealthObservation, ...]:
        """All health checks as CloudWatch shows them."""
        view, now = self.view(), self._clock.now()
        return tuple(
            HealthObservation(check_id, view.is_healthy(check_id), view.percentage_healthy(check_id), now)
            for check_id in view.checks
        )

    def reports(self, health_check_id: str) -> tuple[StatusReport, ...]:
        """The latest result of each checker that has one, as it saw the endpoint (never inverted)."""
        return self._collect(health_check_id, lambda checker: checker.last)

    def failures(self, health_check_id: str) -> tuple[StatusReport, ...]:
        """The latest failure of each checker that has seen one."""
        return self._collect(health_check_id, lambda checker: checker.last_failure)

    def _collect(
        self, health_check_id: str, pick: Callable[[_Checker], StatusReport | None]
    ) -> tuple[StatusReport, ...]:
        panel = self._panels.get(health_check_id, _Panel())
        reports = (pick(checker) for checker in panel.checkers.values())
        return tuple(report for report in reports if report is not None)


@dataclass(frozen=True)
class HealthView:
    """Which health checks are healthy, given how many of their checkers are content.

    Attributes:
        checks: configuration by id.
        shares: the part of the checkers that consider the endpoint healthy, 0 to 1, by id; a check
            that is not in it has not been probed yet.
    """

    checks: Mapping[str, HealthCheckConfig]
    shares: Mapping[str, float]

    def is_healthy(self, health_check_id: str) -> bool:
        """Route 53's conclusion. A health check that does not exist is healthy, as is a new one."""
        return self._conclude(health_check_id, frozenset())

    def percentage_healthy(self, health_check_id: str) -> float | None:
        """Of the checkers, 0 to 100; None for a check without checkers."""
        share = self.shares.get(health_check_id)
        return None if share is None else 100 * share

    def _conclude(self, health_check_id: str, above: frozenset[str]) -> bool:
        check = self.checks.get(health_check_id)
        if check is None:
            return True
        # Disabled means healthy; to take a disabled check's endpoint out, AWS says to invert it.
        healthy = check.disabled or self._endpoint_healthy(check, above | {health_check_id})
        return healthy != check.inverted

    def _endpoint_healthy(self, check: HealthCheckConfig, above: frozenset[str]) -> bool:
        match check.type:
            case (
                HealthCheckType.HTTP
                | HealthCheckType.HTTPS
                | HealthCheckType.HTTP_STR_MATCH
                | HealthCheckType.HTTPS_STR_MATCH
                | HealthCheckType.TCP
            ):
                return self.shares.get(check.id, 1.0) > HEALTHY_SHARE
            case HealthCheckType.CALCULATED:
                # A circle of calculated checks cannot be made on AWS; here its members count as healthy.
                content = sum(child in above or self._conclude(child, above) for child in check.children)
                return content >= check.health_threshold
            case HealthCheckType.CLOUDWATCH_METRIC:
                # Alarms are not followed: to Route 53 that is insufficient data.
                return check.insufficient_data != "Unhealthy"
            case HealthCheckType.RECOVERY_CONTROL:
                return True  # there are no routing controls here that could be off
            case never:
                assert_never(never)
