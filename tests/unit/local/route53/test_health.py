import asyncio
import heapq
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from payinfra.local.server.route53.health import (
    CHECKER_REGIONS,
    HealthMonitor,
    HealthView,
    checkers_for,
)
from payinfra.local.server.route53.probe import CheckerResult, CheckerTimeouts
from payinfra.local.server.route53.state import HealthCheckConfig, HealthCheckType, Zone

START = datetime(2026, 1, 1, tzinfo=UTC)
OK = CheckerResult(True, "Success: HTTP Status Code 200, OK")
BAD = CheckerResult(False, "Failure: HTTP Status Code 503, Service Unavailable")
CHECK = HealthCheckConfig("one", HealthCheckType.HTTPS, fqdn="east.example", interval=10, threshold=3)


class FakeClock:
    """Time that passes only when the test says so."""

    def __init__(self) -> None:
        self.time = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def monotonic(self) -> float:
        return self.time

    def now(self) -> datetime:
        return START + timedelta(seconds=self.time)

    async def sleep(self, seconds: float) -> None:
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.time + seconds, id(waiting), waiting))
        await waiting

    async def advance(self, seconds: float) -> None:
        end = self.time + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= end + 1e-9:
            self.time, _, waiting = heapq.heappop(self._sleepers)
            if not waiting.done():
                waiting.set_result(None)
            await settle()
        self.time = end


async def settle() -> None:
    for _ in range(6):
        await asyncio.sleep(0)


class Checks:
    """What the emulator holds."""

    def __init__(self, *checks: HealthCheckConfig) -> None:
        self.checks = checks
        self.broken = 0

    def zones(self) -> tuple[Zone, ...]:
        return ()

    def health_checks(self) -> tuple[HealthCheckConfig, ...]:
        if self.broken:
            self.broken -= 1
            raise RuntimeError("state could not be read")
        return self.checks


class Endpoint:
    """Scripted sockets: what each request finds, after how many seconds."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.result = OK
        self.seconds = 0.0
        self.asked: list[float] = []
        self.limits: list[CheckerTimeouts] = []
        self.in_flight = 0
        self.pick: Callable[[int], CheckerResult] | None = None

    async def probe(self, check: HealthCheckConfig, limits: CheckerTimeouts) -> CheckerResult:
        self.asked.append(self.clock.time)
        self.limits.append(limits)
        number = len(self.asked) - 1
        self.in_flight += 1
        try:
            if self.seconds:
                await self.clock.sleep(self.seconds)
        finally:
            self.in_flight -= 1
        return self.pick(number) if self.pick else self.result


class CheckedEndpoints:
    def __init__(self, *checks: HealthCheckConfig, scale: float = 1.0) -> None:
        self.clock = FakeClock()
        self.checks = Checks(*checks)
        self.endpoint = Endpoint(self.clock)
        self.scale = scale
        self.monitor = HealthMonitor(self.checks, self.endpoint, self.clock, lambda: self.scale)

    def healthy(self, check_id: str = "one") -> bool:
        return self.monitor.view().is_healthy(check_id)

    def run(self, scenario: Callable[[], Coroutine[None, None, None]]) -> None:
        async def whole() -> None:
            running = asyncio.create_task(self.monitor.run())
            try:
                await scenario()
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

        asyncio.run(whole())


def test_a_new_check_starts_healthy_and_is_probed_at_once() -> None:
    world = CheckedEndpoints()

    async def scenario() -> None:
        await world.clock.advance(1)
        world.endpoint.result = BAD
        world.checks.checks = (CHECK,)
        assert world.healthy()
        await world.clock.advance(0.1)
        assert world.healthy()
        assert len(world.endpoint.asked) == 1

    world.run(scenario)


def test_each_checker_probes_once_an_interval_spread_over_it() -> None:
    world = CheckedEndpoints(CHECK)

    async def scenario() -> None:
        await world.clock.advance(29.9)

    world.run(scenario)
    assert world.endpoint.asked == pytest.approx([1.25 * number for number in range(24)], abs=0.01)


def test_the_interval_runs_from_the_answer_to_the_next_request() -> None:
    world = CheckedEndpoints(replace(CHECK, regions=("us-east-1",)))
    world.endpoint.seconds = 2

    async def scenario() -> None:
        await world.clock.advance(30)

    world.run(scenario)
    assert world.endpoint.asked == pytest.approx([0, 12, 24], abs=0.2)


@pytest.mark.parametrize(
    ("interval", "threshold", "seconds_to_fail", "scale", "earliest", "latest"),
    [
        (10, 3, 0.0, 1, 20, 30.3),
        (30, 3, 0.0, 1, 60, 90.3),
        (10, 3, 4.0, 1, 30, 42.5),
        (10, 1, 0.0, 1, 0, 10.3),
        (10, 3, 0.0, 20, 1.0, 1.6),
    ],
)
def test_an_outage_is_found_out_after_threshold_times_interval_and_time_to_fail(
    interval: int, threshold: int, seconds_to_fail: float, scale: float, earliest: float, latest: float
) -> None:
    world = CheckedEndpoints(replace(CHECK, interval=interval, threshold=threshold), scale=scale)
    found: list[float] = []

    async def scenario() -> None:
        await world.clock.advance(100 / scale)
        world.endpoint.result, world.endpoint.seconds = BAD, seconds_to_fail
        began = world.clock.time
        while world.healthy():
            await world.clock.advance(0.25 / scale)
        found.append(world.clock.time - began)

    world.run(scenario)
    assert earliest <= found[0] <= latest


def test_recovery_takes_as_many_good_results() -> None:
    world = CheckedEndpoints(CHECK)
    world.endpoint.result = BAD

    async def scenario() -> None:
        await world.clock.advance(40)
        assert not world.healthy()
        world.endpoint.result = OK
        await world.clock.advance(20)
        assert not world.healthy()
        await world.clock.advance(10.5)
        assert world.healthy()

    world.run(scenario)


def test_results_that_are_not_consecutive_change_nothing() -> None:
    world = CheckedEndpoints(replace(CHECK, regions=("us-east-1",)))
    world.endpoint.pick = lambda number: OK if number % 3 == 2 else BAD

    async def scenario() -> None:
        for _ in range(12):
            await world.clock.advance(10)
            assert world.healthy()

    world.run(scenario)


def test_a_change_of_mind_starts_the_count_anew() -> None:
    world = CheckedEndpoints(replace(CHECK, regions=("us-east-1",)))
    world.endpoint.pick = lambda number: BAD if number < 3 else OK
    seen: list[bool] = []

    async def scenario() -> None:
        await world.clock.advance(0.1)
        for _ in range(5):
            await world.clock.advance(10)
            seen.append(world.healthy())

    world.run(scenario)
    assert seen == [True, False, False, False, True]


@pytest.mark.parametrize(("content", "healthy"), [(0, False), (1, False), (2, True), (8, True)])
def test_more_than_18_percent_of_the_checkers_must_be_content(content: int, healthy: bool) -> None:
    view = HealthView({"one": CHECK}, {"one": content / 8})
    assert view.is_healthy("one") is healthy
    assert view.percentage_healthy("one") == content * 12.5


def test_exactly_18_percent_is_not_enough() -> None:
    assert not HealthView({"one": CHECK}, {"one": 0.18}).is_healthy("one")


def test_inverted_takes_effect_at_once_and_back() -> None:
    world = CheckedEndpoints(CHECK)

    async def scenario() -> None:
        await world.clock.advance(20)
        world.checks.checks = (replace(CHECK, inverted=True),)
        assert not world.healthy()
        assert all(report.status == OK.status for report in world.monitor.reports("one"))
        world.checks.checks = (CHECK,)
        assert world.healthy()

    world.run(scenario)


def test_a_disabled_check_is_healthy_and_no_longer_probed() -> None:
    world = CheckedEndpoints(CHECK)
    world.endpoint.result = BAD

    async def scenario() -> None:
        await world.clock.advance(40)
        assert not world.healthy()
        world.checks.checks = (replace(CHECK, disabled=True),)
        assert world.healthy()
        await world.clock.advance(0.2)
        asked = len(world.endpoint.asked)
        await world.clock.advance(60)
        assert len(world.endpoint.asked) == asked
        assert world.monitor.reports("one") == ()
        world.checks.checks = (CHECK,)
        await world.clock.advance(5)
        assert world.healthy()  # starts anew

    world.run(scenario)


def test_a_disabled_check_can_be_inverted_to_take_an_endpoint_out() -> None:
    assert not HealthView({"one": replace(CHECK, disabled=True, inverted=True)}, {}).is_healthy("one")


def test_a_deleted_check_is_no_longer_probed() -> None:
    world = CheckedEndpoints(CHECK)
    world.endpoint.seconds = 3

    async def scenario() -> None:
        await world.clock.advance(11)
        world.checks.checks = ()
        await world.clock.advance(0.2)
        asked = len(world.endpoint.asked)
        await world.clock.advance(60)
        assert len(world.endpoint.asked) == asked
        assert world.monitor.observations() == ()
        assert world.healthy()

    world.run(scenario)


def test_a_change_of_time_scale_counts_from_the_next_step() -> None:
    world = CheckedEndpoints(replace(CHECK, interval=30, regions=("us-east-1",)))

    async def scenario() -> None:
        await world.clock.advance(1)
        assert len(world.endpoint.asked) == 1
        world.scale = 10
        await world.clock.advance(9.2)
        assert world.endpoint.asked == pytest.approx([0, 3, 6, 9], abs=0.21)
        assert world.endpoint.limits[0] == CheckerTimeouts.at(1)
        assert world.endpoint.limits[-1] == CheckerTimeouts.at(10)

    world.run(scenario)


def test_reports_say_what_each_checker_saw_and_when() -> None:
    world = CheckedEndpoints(CHECK)
    world.endpoint.pick = lambda number: BAD if number == 0 else OK

    async def scenario() -> None:
        await world.clock.advance(0.1)
        (only,) = world.monitor.reports("one")
        assert (only.region, only.ip_address, only.status) == ("us-east-1", "127.0.0.1", BAD.status)
        assert only.checked == START
        await world.clock.advance(15)
        assert [report.region for report in world.monitor.reports("one")] == list(CHECKER_REGIONS)
        assert {report.status for report in world.monitor.reports("one")} == {OK.status}
        assert world.monitor.failures("one") == (only,)
        assert world.monitor.reports("unknown") == ()

    world.run(scenario)


def test_observations_are_what_cloudwatch_shows() -> None:
    calculated = HealthCheckConfig("sum", HealthCheckType.CALCULATED, children=("one",), health_threshold=1)
    world = CheckedEndpoints(replace(CHECK, inverted=True), calculated)

    async def scenario() -> None:
        await world.clock.advance(15)
        shown = {each.health_check_id: each for each in world.monitor.observations()}
        assert (shown["one"].healthy, shown["one"].percentage_healthy) == (False, 100.0)
        assert (shown["sum"].healthy, shown["sum"].percentage_healthy) == (False, None)
        assert shown["one"].at == START + timedelta(seconds=15)

    world.run(scenario)


def test_a_prober_that_breaks_shows_as_a_failure() -> None:
    world = CheckedEndpoints(CHECK)

    def break_down(number: int) -> CheckerResult:
        raise RuntimeError("no such luck")

    world.endpoint.pick = break_down

    async def scenario() -> None:
        await world.clock.advance(40)
        assert not world.healthy()
        assert "no such luck" in world.monitor.reports("one")[0].status

    world.run(scenario)


def test_a_moment_when_the_state_cannot_be_read_ends_nothing() -> None:
    world = CheckedEndpoints(CHECK)
    world.checks.broken = 3

    async def scenario() -> None:
        await world.clock.advance(1)
        assert world.endpoint.asked == pytest.approx([0.3], abs=0.01)

    world.run(scenario)


def test_the_end_leaves_no_request_in_flight() -> None:
    world = CheckedEndpoints(CHECK)
    world.endpoint.seconds = 100

    async def scenario() -> None:
        await world.clock.advance(3)
        assert world.endpoint.in_flight == 3

    world.run(scenario)
    assert world.endpoint.in_flight == 0


@pytest.mark.parametrize(
    ("interval", "scale", "count"),
    [(10, 1, 8), (30, 1, 8), (10, 8, 5), (10, 20, 3), (30, 20, 6), (10, 60, 3)],
)
def test_fast_time_is_probed_by_fewer_checkers(interval: int, scale: float, count: int) -> None:
    assert len(checkers_for(replace(CHECK, interval=interval), scale)) == count


def test_a_check_is_probed_from_its_own_regions() -> None:
    own = replace(CHECK, regions=("eu-west-1", "us-west-1", "sa-east-1", "eu-west-1"))
    assert checkers_for(own, 1) == ("eu-west-1", "us-west-1", "sa-east-1")


def test_checkers_that_a_faster_time_cannot_afford_leave() -> None:
    world = CheckedEndpoints(CHECK)

    async def scenario() -> None:
        await world.clock.advance(15)
        assert len(world.monitor.reports("one")) == 8
        world.scale = 60
        await world.clock.advance(0.2)
        assert len(world.monitor.reports("one")) == 3

    world.run(scenario)


# --- checks without checkers -------------------------------------------------------------------


def calculated(check_id: str, *children: str, threshold: int = 1) -> HealthCheckConfig:
    return HealthCheckConfig(
        check_id, HealthCheckType.CALCULATED, children=children, health_threshold=threshold
    )


@pytest.mark.parametrize(
    ("threshold", "sick", "healthy"),
    [(2, 0, True), (2, 1, False), (1, 1, True), (1, 2, False), (0, 2, True), (3, 0, False)],
)
def test_a_calculated_check_counts_its_healthy_children(threshold: int, sick: int, healthy: bool) -> None:
    children = (CHECK, replace(CHECK, id="two"))
    shares = {child.id: 0.0 if number < sick else 1.0 for number, child in enumerate(children)}
    checks = {each.id: each for each in (*children, calculated("sum", "one", "two", threshold=threshold))}
    assert HealthView(checks, shares).is_healthy("sum") is healthy


def test_a_circle_of_calculated_checks_ends_healthy() -> None:
    checks = {"a": calculated("a", "b"), "b": calculated("b", "a")}
    assert HealthView(checks, {}).is_healthy("a")


@pytest.mark.parametrize(
    ("when_insufficient", "healthy"), [("Healthy", True), ("Unhealthy", False), ("LastKnownStatus", True)]
)
def test_an_alarms_check_goes_by_its_rule_for_insufficient_data(
    when_insufficient: str, healthy: bool
) -> None:
    check = HealthCheckConfig("alarm", HealthCheckType.CLOUDWATCH_METRIC, insufficient_data=when_insufficient)
    assert HealthView({"alarm": check}, {}).is_healthy("alarm") is healthy


def test_a_routing_controls_check_is_healthy() -> None:
    check = HealthCheckConfig("arc", HealthCheckType.RECOVERY_CONTROL)
    assert HealthView({"arc": check}, {}).is_healthy("arc")


def test_a_check_that_is_gone_is_healthy() -> None:
    assert HealthView({}, {}).is_healthy("gone")
