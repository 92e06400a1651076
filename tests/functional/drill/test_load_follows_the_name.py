"""A load over real sockets: the name moves, payments follow after its TTL, and none is lost."""

import stat
import time
from collections.abc import Callable
from pathlib import Path

from payinfra.drill.clock import RealClock, Stop
from payinfra.drill.load import statistics
from payinfra.drill.load.generator import LoadGenerator, LoadProfile, Pace
from payinfra.drill.load.payment_log import NAME, PaymentLog, read
from payinfra.drill.load.payments import Maker
from payinfra.drill.load.targets import LoadClient
from payinfra.drill.model import PaymentOutcome, Result
from payinfra.drill.reconciliation import reconcile
from tests.functional.drill.conftest import EAST, HOSTS, KEY, TTL_S, WEST, Cloud

TIME_OUT_S = 1.5
PACE = Pace(rate=20.0, time_out_s=TIME_OUT_S, longest_pause_s=0.5, resend_every=5, resend_after_s=60.0)


def until(seen: Callable[[], bool], within_s: float = 20.0) -> None:
    ends = time.monotonic() + within_s
    while not seen():
        assert time.monotonic() < ends, "it did not come"
        time.sleep(0.02)


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_a_region_goes_dark_and_its_payments_go_to_the_other(cloud: Cloud, tmp_path: Path) -> None:
    path, clock, files = tmp_path / NAME, RealClock(Stop()), open_files()
    with PaymentLog(path) as log:
        load = LoadGenerator(
            LoadProfile(PACE, Maker("dev", "x1"), log, (LoadClient(cloud.name()),), KEY, clock)
        )

        def acknowledged(region: str) -> int:
            return load.snapshot().by_region.get(region, 0)

        load.start()
        # The regions are cut off from each other: what the first acknowledges the second does not know.
        cloud.east.cut_off = cloud.west.cut_off = True
        until(lambda: acknowledged(EAST) >= 30)
        # And then the first goes on recording, but nobody hears of it.
        cloud.east.black_out()
        injected_s = clock.elapsed()
        until(lambda: load.snapshot().failures > 5)
        cloud.zone.region = WEST
        switched_s = clock.elapsed()
        until(
            lambda: (
                load.snapshot().streaks.get(WEST) is not None and load.snapshot().streaks[WEST].length >= 20
            )
        )
        row = load.snapshot().streaks[WEST]
        until(lambda: acknowledged(WEST) >= 50)
        cloud.east.give_back()
        restored_s = clock.elapsed()
        cloud.zone.region = EAST
        until(lambda: acknowledged(EAST) >= 40)
        cloud.east.catch_up()
        cloud.west.catch_up()
        cloud.east.cut_off = cloud.west.cut_off = False
        load.stop(10.0)
        ended, attempts = load.snapshot(), load.attempts()
        log.flush()
        entries = read(path)
        found = reconcile(entries, (cloud.east, cloud.west), log, within_s=10.0)

    # It followed the name, no earlier than it moved and no later than the answer lived.
    assert switched_s < row.began_s < switched_s + TTL_S + TIME_OUT_S + 1.0
    served_east = [one for one in attempts if one.region == EAST and one.result.good]
    assert not [one for one in served_east if injected_s + TIME_OUT_S < one.at_s < restored_s]
    assert (cloud.east.hosts, cloud.west.hosts) == ({HOSTS[EAST]}, {HOSTS[WEST]})
    # Its resolver asks once in a TTL, not once in a payment.
    assert cloud.zone.questions < clock.elapsed() / TTL_S + 3

    # Nothing is open, nothing is lost, and nothing is there twice: also what both regions were asked for.
    assert (ended.waiting, ended.in_flight, ended.broken) == (0, 0, "")
    assert len(load.lags()) == ended.begun
    assert found.counts == {PaymentOutcome.RECORDED: ended.begun}
    assert (found.sent, found.acknowledged, found.removed) == (ended.begun, ended.begun, ended.begun)
    assert found.resent >= 5
    elsewhere = {one.key for one in attempts if one.again and one.region == WEST and one.status == 201}
    assert elsewhere, "none was sent to the other region before it knew of it"
    assert not any(cloud.east.items.values())
    assert not any(cloud.west.items.values())

    # The log is what happened.
    assert sorted(map(repr, entries.attempts)) == sorted(map(repr, attempts))
    assert KEY not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    silent = {one.key for one in attempts if one.result is Result.SILENT}
    assert len(silent) > 5
    load_figures = statistics.summarize(
        attempts, injected_s=injected_s, restored_s=restored_s, ended_s=clock.elapsed()
    )
    assert 0.0 < load_figures.availability < 1.0
    assert load_figures.longest_gap_s > TIME_OUT_S
    assert abs(load_figures.rate / PACE.rate - 1) < 0.2

    # Connections that were given up are closed: the servers' ends go in their own time.
    until(lambda: open_files() <= files + 4)


def test_a_name_server_that_is_gone_stops_nobody_once_it_is_back(cloud: Cloud, tmp_path: Path) -> None:
    clock = RealClock(Stop())
    with PaymentLog(tmp_path / NAME) as log:
        way = cloud.name()
        load = LoadGenerator(LoadProfile(PACE, Maker("dev", "x1"), log, (LoadClient(way),), KEY, clock))
        cloud.zone.region = "nowhere"
        load.start()
        until(lambda: load.snapshot().failures > 10)
        cloud.zone.region = EAST
        until(lambda: load.snapshot().by_region.get(EAST, 0) > 40)
        load.stop(10.0)
        assert load.snapshot().waiting == 0
        assert {one.region for one in load.attempts() if one.result.good} == {EAST}
